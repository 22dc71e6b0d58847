"""Results for people: one HTML page that asks no server, and figures side by side as text.

:func:`forecast_page` writes the page of a forecast from a :class:`ForecastStory`; it needs the
``cli`` extra (jinja2 and matplotlib). :class:`Comparison` and :func:`side_by_side` give text, and
:mod:`throughtime.report.words` says numbers in plain words; they need nothing.
"""

from throughtime.report.comparison import Comparison, side_by_side
from throughtime.report.page import forecast_page
from throughtime.report.story import ForecastStory, LayerRow

__all__ = ["Comparison", "ForecastStory", "LayerRow", "forecast_page", "side_by_side"]
