"""Figures in one style, with matplotlib (the ``cli`` extra).

:func:`plot_fit`, :func:`plot_hidden_states`, :func:`plot_attention` and :func:`animate_fit` draw
what a network computes; :func:`train_and_plot` and :func:`apply_and_plot` train or apply a network
and draw the result.

>>> from throughtime.plotting import loss_figure
>>> with loss_figure({"network 1": ([1.0, 0.5, 0.3], [1.1, 0.7, 0.6])}) as figure:
...     len(figure.axes)
1

:func:`forecast_figure` draws forecasts, each from a :class:`ForecastView`. :func:`save_png` writes
a file; :func:`to_svg` returns an element for a web page, in colours that follow the page. Every
figure has a description for those who cannot see it: ``figure.get_label()``.

``draw``, ``draw_modes`` and ``Drawing`` are those of :mod:`throughtime.drawing`, which needs no
matplotlib.
"""

import importlib
from typing import Any

from throughtime.drawing import Drawing, draw, draw_modes
from throughtime.drawing.palette import DARK, LIGHT, Palette
from throughtime.plotting.animation import animate_fit
from throughtime.plotting.attention import plot_attention
from throughtime.plotting.fits import plot_fit, plot_hidden_states
from throughtime.plotting.forecast import MAX_PANELS, forecast_figure
from throughtime.plotting.forecast_view import ForecastView
from throughtime.plotting.losses import history_figure, loss_figure, rates_figure
from throughtime.plotting.style import NARROW, WIDE, save_png, to_svg
from throughtime.plotting.train_and_apply import Applied, Trained, apply_and_plot, train_and_plot

__all__ = [
    "DARK",
    "LIGHT",
    "MAX_PANELS",
    "NARROW",
    "WIDE",
    "Applied",
    "Drawing",
    "ForecastView",
    "Palette",
    "Trained",
    "animate_fit",
    "apply_and_plot",
    "draw",
    "draw_modes",
    "forecast_figure",
    "history_figure",
    "loss_figure",
    "plot_attention",
    "plot_fit",
    "plot_hidden_states",
    "rates_figure",
    "save_png",
    "to_svg",
    "train_and_plot",
]


def __getattr__(name: str) -> Any:
    if name == "drawing":  # which moved in 0.2; importing it warns
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
