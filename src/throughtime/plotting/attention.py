"""Figures of attention: how much each query looks at each step."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from throughtime.drawing.palette import LIGHT, Palette
from throughtime.errors import InvalidTypeError, ShapeError, check_array, describe, sentence
from throughtime.plotting.style import canvas, save_png
from throughtime.plotting.words import attention_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: More names at an axis could not be read.
MOST_NAMES = 40


def plot_attention(
    weights: Any,
    queries: Any = None,
    steps: Any = None,
    *,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
    size: tuple[float, float] = (7.2, 4.6),
    palette: Palette = LIGHT,
) -> Figure:
    """Draw the weights of attention: a row for each query, a column for each step it looks at.

    Parameters
    ----------
    weights : array of shape (T_q, T_v) or (heads, T_q, T_v)
        ``tt.inspect.attention_weights(net, x)["look"][row]``; each head has a panel.
    queries, steps : list of str, optional
        Names of the queries and of the steps, as words or letters; 1, 2 ... by default.
    title : str, optional
        Text above the figure; ``"attention"`` by default.
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
    >>> import numpy as np
    >>> figure = plot_attention(np.eye(3), queries=list("abc"))
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['a', 'b', 'c']
    """
    array = check_array("weights", weights)
    if array.ndim not in (2, 3) or not array.size:
        expected = "of shape (T_q, T_v) or (heads, T_q, T_v), none of them 0"
        raise ShapeError(sentence("weights", expected, f"shape {array.shape}"))
    heads = array if array.ndim == 3 else array[None]
    rows = _check_names("queries", queries, heads.shape[1])
    columns = _check_names("steps", steps, heads.shape[2])
    title = "attention" if title is None else title
    if not isinstance(title, str):
        raise InvalidTypeError(sentence("title", "a string", describe(title)))
    with canvas(size, (1, len(heads)), palette) as (figure, axes):
        from matplotlib.colors import LinearSegmentedColormap

        ends = [palette.surface, palette.forecast]
        colours = LinearSegmentedColormap.from_list("weights", ends)
        for number, (ax, head) in enumerate(zip(axes, heads, strict=True)):
            mesh = ax.pcolormesh(head, cmap=colours, vmin=0.0, vmax=1.0, rasterized=True)
            ax.invert_yaxis()  # the first query stands above, as it is read
            ax.grid(visible=False)
            _name_axis(ax.xaxis, columns, upright=all(len(name) < 3 for name in columns))
            _name_axis(ax.yaxis, rows if not number else [], upright=True)
            if len(heads) > 1:
                ax.set_xlabel(f"head {number + 1}")
        bar = figure.colorbar(mesh, ax=axes, pad=0.02, aspect=24)
        bar.outline.set_visible(False)
        axes[0].set_title(title, parse_math=False)
        figure.set_label(attention_words(heads, rows, columns, title))
        if path is not None:
            save_png(figure, path)
    return figure


def _check_names(argument: str, names: Any, count: int) -> list[str]:
    if names is None:
        return [str(k + 1) for k in range(count)]
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise InvalidTypeError(sentence(argument, "a list of names", describe(names)))
    found = [str(name) for name in names]
    if len(found) != count:
        raise ShapeError(sentence(argument, f"{count} names", len(found), must="have"))
    return found


def _name_axis(axis: Any, names: list[str], upright: bool) -> None:
    """Write the names, or every so many of them, beside the cells of an axis."""
    step = -(-len(names) // MOST_NAMES) if names else 1
    chosen = list(range(0, len(names), step))
    turned = 0 if upright else 90
    labels = [names[k] for k in chosen]
    axis.set_ticks([k + 0.5 for k in chosen], labels, rotation=turned, parse_math=False)
    axis.set_tick_params(length=0)
