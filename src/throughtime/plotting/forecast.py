"""The figure of a forecast: history, hold-out, forecast and intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from throughtime.drawing.palette import LIGHT, Palette
from throughtime.plotting.forecast_view import ForecastView
from throughtime.plotting.style import WIDE, canvas, label_band
from throughtime.plotting.words import forecast_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from throughtime.forecasting.results import Fold

MAX_PANELS = 6
#: Matplotlib's dates end at the years 1 and 9999; the margins of a picture reach beyond its data.
_FIRST_DATE, _LAST_DATE = np.datetime64("0100-01-01"), np.datetime64("9900-01-01")
_DAYS_OF_A_YEAR = 365.2425
BAND_OPACITY = (0.26, 0.13, 0.09, 0.06)


@contextmanager
def forecast_figure(
    views: Sequence[ForecastView],
    *,
    size: tuple[float, float] = WIDE,
    palette: Palette = LIGHT,
    title: str | None = None,
) -> Iterator[Figure]:
    """Draw one panel for each series, at most six of them.

    Parameters
    ----------
    views : sequence of ForecastView
        The series, at least one.
    size : tuple of float
        Width and height in inches of a figure with one panel; more panels make it taller.
    palette : Palette
        The colours.
    title : str, optional
        Text above the figure.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    shown = list(views[:MAX_PANELS])
    columns = 2 if len(shown) > 1 and size[0] > 6 else 1
    rows = -(-len(shown) // columns)
    height = size[1] if rows == 1 else 0.6 + 0.68 * size[1] * rows
    with canvas((size[0], height), (rows, columns), palette) as (figure, axes):
        for view, ax in zip(shown, axes, strict=False):
            _draw(ax, _on_an_axis(view), palette, size[0] / columns)
            if len(views) > 1:
                # The name of a column is not a formula, even with dollars in it.
                ax.set_title(view.name, fontsize=10, parse_math=False)
        for ax in axes[len(shown) :]:
            ax.set_visible(False)
        columns = 5 if size[0] > 6 else 2
        handles = axes[0].get_legend_handles_labels()[0]
        figure.legend(handles=handles, loc="outside lower left", ncols=columns, borderpad=0.2)
        if title:
            some = f" (the first {len(shown)} are shown)" if len(views) > len(shown) else ""
            figure.suptitle(
                title + some, x=0.012, ha="left", fontweight="bold", fontsize=12.5, parse_math=False
            )
        figure.set_label(forecast_words(views, MAX_PANELS, title))
        yield figure


def _on_an_axis(view: ForecastView) -> ForecastView:
    """``view``, with years as numbers where matplotlib has no dates: before 1 and after 9999."""
    if view.time.dtype.kind != "M":
        return view
    first, last = min(view.time[0], view.future[0]), max(view.time[-1], view.future[-1])
    if first >= _FIRST_DATE and last <= _LAST_DATE:
        return view
    return dataclasses.replace(view, time=_years(view.time), future=_years(view.future))


def _years(time: np.ndarray) -> np.ndarray:
    days = (time - np.datetime64("1970-01-01")) / np.timedelta64(1, "D")
    return 1970.0 + days / _DAYS_OF_A_YEAR


def _draw(ax: Axes, view: ForecastView, palette: Palette, width: float) -> None:
    start = view.first_shown()
    ax.plot(view.time[start:], view.values[start:], color=palette.history, lw=1.3, label="observed")
    for number, fold in enumerate(view.folds):
        _draw_fold(ax, view, fold, palette, width if number == 0 else None)
    # The forecast starts at the last observation, so that the line does not break at the seam.
    joint = _last_seen(view, len(view.values))
    time, mean = _join(view, joint, view.future, view.forecast.mean)
    ax.plot(time, mean, color=palette.forecast, lw=2.0, label="forecast", zorder=3)
    for opacity, coverage in zip(BAND_OPACITY, sorted(view.forecast.intervals), strict=False):
        low, high = view.forecast.intervals[coverage]
        ax.fill_between(
            time,
            _join(view, joint, view.future, low)[1],
            _join(view, joint, view.future, high)[1],
            color=palette.forecast,
            alpha=opacity,
            lw=0,
            label=f"{100 * coverage:g} % interval",
        )
    ax.margins(x=0.012, y=0.09)
    _time_axis(ax, view.time)


def _draw_fold(
    ax: Axes, view: ForecastView, fold: Fold, palette: Palette, width: float | None
) -> None:
    """Draw a forecast of the hold-out; ``width``, the panel's in inches, adds the band."""
    index = fold.forecast.index
    inside = index < len(view.time)
    time = view.time[index[inside]]
    if width is not None:
        ax.axvspan(time[0], view.time[-1], color=palette.backtest, alpha=0.07, lw=0)
        shown = len(view.time) - view.first_shown() + len(view.future)
        share = (len(view.time) - index[0]) / shown
        label_band(ax, time[0], share, "hold-out", palette, inches=0.9 * width)
    # It starts at the last value that it knew, as the forecast of the future does.
    joint = _last_seen(view, fold.origin)
    ax.plot(
        *_join(view, joint, time, fold.forecast.mean[inside]),
        color=palette.backtest,
        lw=1.6,
        label=None if width is None else "forecast of the hold-out",
    )


def _last_seen(view: ForecastView, stop: int) -> int | None:
    """The position of the last observed value before ``stop``, if it is shown."""
    start = view.first_shown()
    seen = np.flatnonzero(np.isfinite(view.values[start:stop]))
    return start + int(seen[-1]) if len(seen) else None


def _join(
    view: ForecastView, joint: int | None, time: np.ndarray, row: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The line of ``row`` over ``time``, begun at the observed value at ``joint``."""
    if joint is None:
        return time, row
    return (
        np.concatenate([view.time[joint : joint + 1], time]),
        np.concatenate([view.values[joint : joint + 1], row]),
    )


def _time_axis(ax: Axes, time: np.ndarray) -> None:
    from matplotlib import dates, ticker

    if time.dtype.kind == "M":
        locator = dates.AutoDateLocator(minticks=3, maxticks=8)
        ax.xaxis.set_major_locator(locator)
        # What the ticks do not say: the year of days and months, the day of hours.
        offsets = ["", "%Y", "%Y", "%d %b %Y", "%d %b %Y", "%d %b %Y %H:%M"]
        # A day is written with its month: on an axis without a first of a month none would say it.
        formats = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S.%f"]
        ax.xaxis.set_major_formatter(
            dates.ConciseDateFormatter(locator, formats=formats, offset_formats=offsets)
        )
    else:
        ax.xaxis.set_major_locator(ticker.MaxNLocator(nbins=7, integer=time.dtype.kind in "iu"))
    ax.yaxis.set_major_locator(ticker.MaxNLocator(nbins=6))
