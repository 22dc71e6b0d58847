"""Figures of what a network computes over time: its output and its hidden states."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.drawing.palette import LIGHT, Palette
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_array,
    check_float,
    describe,
    sentence,
)
from throughtime.inspect import saturation
from throughtime.plotting.style import WIDE, canvas, label_band, save_png
from throughtime.plotting.words import fit_words, states_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Path = str | os.PathLike[str]
#: With more curves, opacities are too similar for a legend to tell them apart.
MOST_NAMED = 4


def plot_fit(
    x: Any,
    y: Any,
    fits: Mapping[str, Any],
    *,
    seen: Any = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str | None = None,
    path: Path | None = None,
    size: tuple[float, float] = WIDE,
    palette: Palette = LIGHT,
) -> Figure:
    """Draw data as dots, and curves over them.

    Parameters
    ----------
    x : array of shape (T,)
        Positions of the data: numbers, or datetime64.
    y : array of shape (T,)
        The data; NaN where there are none.
    fits : mapping
        Name of a curve -> its values (T,), or a pair of arrays ``(x, values)`` if its positions
        differ from those of the data. The last curve is the strongest. Of more than four curves the
        legend names the first and the last.
    seen : number or datetime64, optional
        Position where the training data end; what is beyond it is shaded.
    xlabel, ylabel, title : str, optional
        Texts at the axes and above the figure.
    path : str or path-like, optional
        A PNG file to write the figure to as well.
    size : tuple of float
        Width and height in inches.
    palette : Palette
        The colours.

    Returns
    -------
    matplotlib.figure.Figure
        The figure. ``figure.get_label()`` describes it in words.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument is invalid.

    Examples
    --------
    >>> x = np.linspace(0, 6, 50)
    >>> figure = plot_fit(x, np.sin(x), {"network": 0.9 * np.sin(x)}, seen=4.0)
    >>> len(figure.axes[0].get_lines())
    2
    """
    x, y = _check_positions("x", x), check_array("y", y, shape=("T",), finite=False)
    if len(x) != len(y):
        raise ShapeError(sentence("y", f"{len(x)} values, as x has", len(y), must="have"))
    if not isinstance(fits, Mapping):
        raise InvalidTypeError(sentence("fits", "a dict of curves by name", describe(fits)))
    curves = {str(name): _curve(name, fit, x) for name, fit in fits.items()}
    places = np.concatenate([x, *(place for place, _ in curves.values())])
    first, end = places.min(), places.max()
    if seen is not None:
        seen = _check_seen(seen, x)
    with canvas(size, palette=palette) as (figure, (ax,)):
        # The dots are wide enough to be seen under a curve.
        ax.plot(x, y, ".", ms=7, color=palette.naive, alpha=0.6, label="data", mew=0)
        if seen is not None and seen < end:
            ax.axvspan(seen, end, color=palette.backtest, alpha=0.07, lw=0)
            share = float((end - seen) / (end - min(first, seen)))
            label_band(ax, seen, share, "not trained on", palette, inches=0.9 * size[0])
        else:
            seen = None
        for number, (name, (place, values)) in enumerate(curves.items()):
            colour, strength = _curve_style(number, len(curves), palette)
            label = _legend_name(number, name, len(curves))
            ax.plot(place, values, color=colour, alpha=strength, lw=1.7, label=label)
        # Names of columns and networks are not formulas, even with dollars in them.
        ax.set_xlabel(xlabel, parse_math=False)
        ax.set_ylabel(ylabel, parse_math=False)
        ax.margins(x=0.012, y=0.09)
        if title:
            ax.set_title(title, parse_math=False)
        columns = 5 if size[0] > 6 else 2
        legend = figure.legend(loc="outside lower left", ncols=columns, borderpad=0.2)
        for text in legend.get_texts():
            text.set_parse_math(False)
        words = {"xlabel": xlabel, "title": title or "", "seen": seen}
        figure.set_label(fit_words(x, y, curves, **words))
        if path is not None:
            save_png(figure, path)
    return figure


def plot_hidden_states(
    h: Any,
    x: Any = None,
    *,
    xlabel: str | None = None,
    limit: float = 0.97,
    title: str | None = None,
    path: Path | None = None,
    size: tuple[float, float] = (9.6, 5.4),
    palette: Palette = LIGHT,
) -> Figure:
    """Draw the hidden units of a layer over time, and the share of them that is saturated.

    The upper panel has one row for each unit, sorted by the mean; the lower one has the share of
    units with ``|h| > limit``.

    Parameters
    ----------
    h : array of shape (T, H)
        ``tt.inspect.hidden_states(net, x)[layer]["h"][row]``.
    x : array of shape (T,), optional
        Positions of the steps, which must rise; 1 to T by default.
    xlabel : str, optional
        Text at the axis; by default ``"step"``, or ``"x"`` if ``x`` is given.
    limit : float
        Limit of saturation in (0, 1); see :func:`throughtime.inspect.saturation`.
    title : str, optional
        Text above the figure; ``"hidden states"`` by default.
    path : str or path-like, optional
        A PNG file to write the figure to as well.
    size : tuple of float
        Width and height in inches.
    palette : Palette
        The colours.

    Returns
    -------
    matplotlib.figure.Figure
        The figure. ``figure.get_label()`` describes it in words.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument is invalid.

    Examples
    --------
    >>> figure = plot_hidden_states(np.tanh(np.linspace(-3, 3, 40)[:, None] * np.ones(5)))
    >>> len(figure.axes)
    3
    """
    check_float("limit", limit, 0.0, 1.0, inclusive="neither")
    h = check_array("h", h, shape=("T", "H"))
    if h.size == 0:
        raise ShapeError(sentence("h", "a step and a unit", f"shape {h.shape}", must="hold"))
    label = "step" if x is None else "x"
    x = np.arange(1, len(h) + 1) if x is None else check_array("x", x, shape=("T",))
    if len(x) != len(h):
        raise ShapeError(sentence("x", f"{len(h)} values, one a step of h", len(x), must="have"))
    if not (np.diff(x) > 0).all():
        raise InvalidArgumentError(
            sentence("x", "from step to step", "values that do not", must="rise")
        )
    with canvas(size, (2, 1), palette) as (figure, (above, below)):
        from matplotlib.colors import LinearSegmentedColormap

        below.sharex(above)
        ends = [palette.backtest, palette.surface, palette.forecast]
        colours = LinearSegmentedColormap.from_list("states", ends)
        largest = max(1.0, float(np.abs(h).max()))
        order = np.argsort(h.mean(axis=0), kind="stable")
        edges = _edges(x)
        mesh = above.pcolormesh(
            edges, np.arange(h.shape[1] + 1), h[:, order].T, cmap=colours, vmin=-largest,
            vmax=largest, rasterized=True,
        )  # fmt: skip
        bar = figure.colorbar(mesh, ax=above, pad=0.012, aspect=16)
        bar.outline.set_visible(False)
        above.grid(visible=False)
        above.set_ylabel(f"{h.shape[1]} units")
        above.set_yticks([])
        above.tick_params(labelbottom=False)
        above.set_title(title or "hidden states", parse_math=False)
        saturated = saturation(h, limit)
        below.plot(x, 100 * saturated, color=palette.history)
        below.set_ylim(0, 100)
        below.set_ylabel(f"% beyond ±{limit:g}")
        below.set_xlabel(label if xlabel is None else xlabel)
        below.set_xlim(edges[0], edges[-1])
        figure.set_label(states_words(h, saturated, limit, title or "hidden states"))
        if path is not None:
            save_png(figure, path)
    return figure


def _edges(x: np.ndarray) -> np.ndarray:
    """The edges of cells whose centres are at ``x``."""
    if len(x) == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    middle = x[:-1] + np.diff(x) / 2
    return np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])


def _check_positions(name: str, value: Any) -> np.ndarray:
    """Check positions on the axis."""
    array = np.asarray(value)
    if array.dtype.kind != "M":
        array = check_array(name, value)
    if array.ndim != 1 or not len(array):
        got = f"shape {array.shape}"
        raise ShapeError(sentence(name, "of shape (T,) with T >= 1", got))
    if array.dtype.kind == "M" and np.isnat(array).any():
        raise DataError(sentence(name, "no NaT", f"{np.isnat(array).sum()} of them", must="hold"))
    return array


def _check_seen(seen: Any, x: np.ndarray) -> Any:
    """Check that ``seen`` is a position of the same kind as ``x``."""
    if x.dtype.kind != "M":
        return check_float("seen", seen)
    if not isinstance(seen, np.datetime64) or np.isnat(seen):
        expected = "a numpy.datetime64, as x holds them"
        raise InvalidTypeError(sentence("seen", expected, describe(seen)))
    return seen


def _curve(name: object, fit: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(fit, tuple):
        if len(fit) != 2:
            raise InvalidArgumentError(
                sentence(f"fits[{name!r}]", "an array, or a pair (x, values)", f"{len(fit)} parts")
            )
        place, fit = _check_positions(f"fits[{name!r}][0]", fit[0]), fit[1]
        if (place.dtype.kind == "M") != (x.dtype.kind == "M"):
            kind = "dates" if x.dtype.kind == "M" else "numbers"
            raise InvalidTypeError(
                sentence(f"fits[{name!r}][0]", f"{kind}, as x does", "others", must="hold")
            )
        x = place
    values = check_array(f"fits[{name!r}]", fit, shape=("T",), finite=False)
    if len(values) != len(x):
        raise ShapeError(
            sentence(f"fits[{name!r}]", f"{len(x)} values, as x has", len(values), must="have")
        )
    return x, values


def _curve_style(number: int, count: int, palette: Palette) -> tuple[str, float]:
    """Colour and opacity of a curve: two curves have a colour each, more differ in opacity."""
    if count <= 2:
        return (palette.backtest, palette.forecast)[number - count], 1.0
    return palette.forecast, 0.15 + 0.85 * ((number + 1) / count) ** 2


def _legend_name(number: int, name: str, count: int) -> str | None:
    """What the legend calls a curve: of many, whose colours are alike, it names two."""
    if count <= MOST_NAMED or number in (0, count - 1):
        return name
    return f"{count - 2} between" if number == count // 2 else None
