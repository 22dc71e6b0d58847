"""One look for every matplotlib picture: settings, and how a figure leaves as PNG or SVG.

Every colour of a picture is one of a :class:`~throughtime.drawing.palette.Palette`. That lets one
drawing become a PNG on white paper and an SVG whose colours follow the page it stands in:
:func:`to_svg` writes each colour as a CSS variable with the drawn colour as the fallback.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
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
    from matplotlib.figure import Figure


#: Digits after the second decimal.
DECIMALS = re.compile(r"(\d+\.\d{2})\d+")
#: Sizes in inches: a page or a screen, and a telephone, where a wide picture is unreadable.
WIDE = (9.6, 4.2)
NARROW = (4.4, 3.7)


def settings(palette: Palette) -> dict[str, Any]:
    """The matplotlib settings of the house style."""
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


@contextmanager
def canvas(
    size: tuple[float, float] = WIDE,
    panels: tuple[int, int] = (1, 1),
    palette: Palette = LIGHT,
) -> Iterator[tuple[Figure, list[Any]]]:
    """A new figure and its axes, row by row, inside the house style.

    The figure belongs to no window and to no global state, so nothing has to be closed.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    matplotlib = import_extra("matplotlib", "cli", "Drawing a picture")
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
        # Notebooks show figures of pyplot by themselves, and others that offer a picture.
        figure._repr_png_ = partial(png, figure)  # type: ignore[attr-defined]
        axes = figure.subplots(*panels, squeeze=False)
        yield figure, list(axes.flat)


def png(figure: Figure, dpi: int = 160) -> bytes:
    """``figure`` as the content of a PNG file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": "throughtime"})
    return stream.getvalue()


def save_png(figure: Figure, path: str | os.PathLike[str], dpi: int = 160) -> None:
    """Write ``figure`` to a PNG file, in one step: an older one is replaced, or left as it was.

    Raises
    ------
    InvalidArgumentError
        If ``path`` does not end in ``.png``, or its folder is not there.
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidTypeError(sentence("path", "the name of a file", describe(path)))
    if Path(path).suffix.lower() != ".png":
        hint = "figure.savefig writes other formats."
        raise InvalidArgumentError(
            sentence("path", "a name that ends in .png", describe(os.fspath(path)), hint)
        )
    replace_file(path, png(figure, dpi))


def to_svg(figure: Figure, palette: Palette, name: str, label: str) -> str:
    """Return ``figure`` as an ``<svg>`` element to stand inside a page.

    Parameters
    ----------
    name : str
        Unique in the page: it prefixes every id, because ids are global to a page.
    label : str
        What the picture shows, for those who cannot see it.
    """
    matplotlib = import_extra("matplotlib", "cli", "Drawing a picture")
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    # The style element would apply to the whole page that the picture stands in.
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
    """``text`` made safe inside a double-quoted attribute."""
    escapes = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
    return "".join(escapes.get(character, character) for character in text)
