"""The report: one HTML page that holds everything, reads well anywhere and asks no server.

:func:`forecast_page` writes the page of a forecast from a :class:`ForecastStory`; it needs the
``cli`` extra (jinja2 and matplotlib). :mod:`throughtime.report.words` says numbers in plain words
and needs nothing.
"""

from throughtime.report.page import forecast_page
from throughtime.report.story import ForecastStory, LayerRow

__all__ = ["ForecastStory", "LayerRow", "forecast_page"]
