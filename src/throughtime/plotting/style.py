"""The style of every matplotlib figure, and how a figure becomes PNG or SVG.

Every colour of a figure belongs to a :class:`~throughtime.drawing.palette.Palette`. So a figure can
become a PNG on white, or an SVG whose colours follow the page around it: :func:`to_svg` writes each
colour as a CSS variable, with the drawn colour as its fallback.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from throughtime.drawing.palette import LIGHT, Palette
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    describe,
    import_extra,
    sentence,
)
from throughtime.serialization.files import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


#: Digits after the second decimal.
DECIMALS = re.compile(r"(\d+\.\d{2})\d+")
#: Sizes in inches: for a page or a screen, and for a telephone, where a wide figure is unreadable.
WIDE = (9.6, 4.2)
NARROW = (4.4, 3.7)
#: Width of a letter in the label of a shaded band, with its part of the space around the label.
LABEL_INCHES = 0.078


def settings(palette: Palette) -> dict[str, Any]:
    """The matplotlib settings of the style."""
    return {
        "figure.facecolor": palette.surface,
        "savefig.facecolor": palette.surface,
        "axes.facecolor": palette.surface,
        "axes.edgecolor": palette.naive,
        "axes.labelcolor": palette.muted,
        "axes.titlecolor": palette.ink,
        "axes.titlelocation": "left",
        "axes.titlesize": 11.5,
        "axes.titleweight": "bold",
        "axes.titlepad": 12.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.formatter.useoffset": False,
        "axes.formatter.limits": (-6, 15),  # 1000000000000 says more than 1.0 and, far off, 1e12
        "grid.color": palette.grid,
        "grid.linewidth": 0.8,
        "xtick.color": palette.naive,
        "ytick.color": palette.naive,
        "xtick.labelcolor": palette.muted,
        "ytick.labelcolor": palette.muted,
        "ytick.left": False,
        "text.color": palette.ink,
        "font.family": ["DejaVu Sans"],
        "font.size": 9.5,
        "legend.frameon": False,
        "legend.fontsize": 9.0,
        "legend.handlelength": 1.6,
        "lines.linewidth": 1.5,
        "lines.solid_capstyle": "round",
        "svg.fonttype": "none",
        "figure.constrained_layout.w_pad": 0.09,
        "figure.constrained_layout.h_pad": 0.07,
    }


def load_matplotlib(purpose: str = "Drawing a picture") -> ModuleType:
    """Import matplotlib for any value of the variable MPLBACKEND.

    The variable names a backend for windows, and no figure here opens one. But if matplotlib does
    not know the name, its import fails.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    if "matplotlib" in sys.modules:
        return import_extra("matplotlib", "cli", purpose)
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        matplotlib = import_extra("matplotlib", "cli", purpose)
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with suppress(ValueError):  # as matplotlib itself does when it is imported
            matplotlib.rcParams["backend"] = backend
    return matplotlib


@contextmanager
def canvas(
    size: tuple[float, float] = WIDE,
    panels: tuple[int, int] = (1, 1),
    palette: Palette = LIGHT,
) -> Iterator[tuple[Figure, list[Any]]]:
    """Make a figure in the style, and its axes, row by row.

    The figure has no window and no global state, so it need not be closed.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    matplotlib = load_matplotlib()
    from matplotlib.figure import Figure

    if not isinstance(palette, Palette):
        expected = "a Palette, LIGHT or DARK of throughtime.plotting"
        raise InvalidTypeError(sentence("palette", expected, describe(palette)))
    sides = size if isinstance(size, tuple | list) and len(size) == 2 else (0, 0)
    if not all(isinstance(side, int | float) and 0.5 <= side <= 100 for side in sides):
        expected = "a pair of inches, each from 0.5 to 100"
        raise InvalidArgumentError(sentence("size", expected, describe(size)))

    with matplotlib.rc_context(settings(palette)):
        figure = Figure(figsize=size, layout="constrained")
        # A notebook shows figures of pyplot, and any object with this method.
        figure._repr_png_ = partial(notebook_png, figure)  # type: ignore[attr-defined]  # IPython's
        axes = figure.subplots(*panels, squeeze=False)
        yield figure, list(axes.flat)


def png(figure: Figure, dpi: int = 160) -> bytes:
    """``figure`` as the content of a PNG file."""
    stream = io.BytesIO()
    metadata = {"Software": "throughtime"}
    if words := figure.get_label():
        metadata["Description"] = str(words)
    figure.savefig(stream, format="png", dpi=dpi, metadata=metadata)
    return stream.getvalue()


def notebook_png(figure: Figure) -> tuple[bytes, dict[str, Any]]:
    """The image for a notebook, at twice the resolution of a screen, with size and description."""
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return png(figure, 192), {"width": width, "height": height, "alt": str(figure.get_label())}


def label_band(
    ax: Axes, start: Any, share: float, words: str, palette: Palette, *, inches: float
) -> None:
    """Write ``words`` at the top of a shaded band that begins at ``start`` and ends on the right.

    If the band is too narrow for the words, they are written to its left. ``share`` is the band's
    share of the axes, which are about ``inches`` wide.
    """
    fits = share * inches > LABEL_INCHES * len(words)
    ground = {"facecolor": palette.surface, "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
    ax.annotate(
        words,
        (start, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4 if fits else -4, -4),
        textcoords="offset points",
        va="top",
        ha="left" if fits else "right",
        fontsize=8.5,
        color=palette.backtest,
        bbox=None if fits else ground,
        zorder=4,
    )


def save_png(figure: Figure, path: str | os.PathLike[str], dpi: int = 160) -> None:
    """Write ``figure`` to a PNG file, atomically: an older file is replaced or stays unchanged.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure. Its label, ``figure.get_label()``, becomes the description inside the file.
    path : str or path-like
        Name of the file, which must end in ``.png``.
    dpi : int
        Dots per inch.

    Raises
    ------
    InvalidArgumentError
        If ``path`` does not end in ``.png``, or its folder does not exist.
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidTypeError(sentence("path", "the name of a file", describe(path)))
    if Path(path).suffix.lower() != ".png":
        hint = "figure.savefig writes other formats."
        raise InvalidArgumentError(
            sentence("path", "a name that ends in .png", describe(os.fspath(path)), hint)
        )
    replace_file(path, png(figure, dpi))


def to_svg(figure: Figure, palette: Palette, name: str, label: str = "") -> str:
    """Return ``figure`` as an ``<svg>`` element for a web page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    palette : Palette
        The colours that it was drawn with.
    name : str
        Prefix of every id, unique in the page, because ids are global to a page.
    label : str
        Description for those who cannot see the figure; ``figure.get_label()`` by default.
    """
    matplotlib = load_matplotlib()
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    label = label or str(figure.get_label())
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    # The style element would apply to the whole page.
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    # Two decimals of a point are finer than any screen, and halve the size of a long series. What
    # stands between elements is text: a label 0.001 must not become 0.00.
    svg = re.sub(r'="[^"]*"', lambda found: DECIMALS.sub(r"\1", found[0]), svg)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", svg)
    for role, colour in palette.items():
        svg = svg.replace(colour, f"var(--{role}, {colour})")
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return svg.replace("<svg", f'<svg role="img" aria-label="{_attribute(label)}"', 1).strip()


def _attribute(text: str) -> str:
    """``text``, escaped for a double-quoted attribute."""
    escapes = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
    return "".join(escapes.get(character, character) for character in text)
