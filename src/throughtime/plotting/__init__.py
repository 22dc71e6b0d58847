"""Pictures with matplotlib (the ``cli`` extra), all in one style.

>>> from throughtime.plotting import loss_figure
>>> with loss_figure({"network 1": ([1.0, 0.5, 0.3], [1.1, 0.7, 0.6])}) as figure:
...     len(figure.axes)
1

:class:`ForecastView` collects what a picture of one forecast needs; :func:`forecast_figure` draws
one or several of them. :func:`save_png` writes a file; :func:`to_svg` gives an element for a web
page, in colours that follow the page.
"""

from throughtime.plotting.forecast import MAX_PANELS, ForecastView, forecast_figure
from throughtime.plotting.losses import loss_figure
from throughtime.plotting.style import DARK, LIGHT, NARROW, WIDE, Palette, save_png, to_svg

__all__ = [
    "DARK",
    "LIGHT",
    "MAX_PANELS",
    "NARROW",
    "WIDE",
    "ForecastView",
    "Palette",
    "forecast_figure",
    "loss_figure",
    "save_png",
    "to_svg",
]
