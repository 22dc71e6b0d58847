"""Results for people: one self-contained HTML page, and figures side by side as text.

:func:`forecast_page` writes the page of a forecast from a :class:`ForecastStory`; it needs the
``cli`` extra (jinja2 and matplotlib). :class:`Comparison` and :func:`side_by_side` give text, and
:mod:`throughtime.report.words` puts numbers into plain words; these need no extra.
"""

from throughtime.report.comparison import Comparison, ComparisonRow, side_by_side
from throughtime.report.page import forecast_page
from throughtime.report.story import ForecastStory, LayerRow

__all__ = [
    "Comparison",
    "ComparisonRow",
    "ForecastStory",
    "LayerRow",
    "forecast_page",
    "side_by_side",
]
