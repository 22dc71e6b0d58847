"""The result of :func:`throughtime.drawing.draw`."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from throughtime.drawing.svg import LARGEST_WIDTH
from throughtime.errors import InvalidArgumentError, InvalidTypeError, describe, sentence
from throughtime.serialization.files import replace_file


@dataclass(frozen=True)
class Drawing:
    """A picture as SVG. A notebook shows it; ``str(drawing)`` is its text.

    Attributes
    ----------
    svg : str
        A complete ``<svg>`` element, for a page or a file.
    title : str
        One line that says what the picture shows.
    alt : str
        The picture in words, for those who cannot see it: the text for ``<img alt="...">``. Inside
        the SVG, ``<title>`` and ``<desc>`` hold the same words.

    Examples
    --------
    >>> import throughtime as tt
    >>> from throughtime.plotting import draw
    >>> net = tt.Network([tt.layers.GRU(8), tt.layers.Dense(1)], n_features=3)
    >>> draw(net)
    <Drawing: GRU(8), Dense(1), unfolded in time>
    >>> draw(net).svg[:4]
    '<svg'
    """

    svg: str = field(repr=False)
    title: str
    alt: str = field(default="", repr=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file whose name ends in ``.svg``.

        Raises
        ------
        InvalidArgumentError
            If the name ends in something else.
        """
        if not isinstance(path, str | os.PathLike):
            raise InvalidTypeError(sentence("path", "the name of a file", describe(path)))
        target = Path(os.fsdecode(path))
        if target.suffix.lower() != ".svg":
            hint = "A browser or Inkscape makes a PNG or a PDF of it."
            raise InvalidArgumentError(
                sentence("path", "a name that ends in .svg", describe(os.fsdecode(path)), hint)
            )
        replace_file(target, self.svg.encode())

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        # As an image, the picture may have alternative text, and is shown even where a notebook
        # that is not trusted may have no other markup.
        source = base64.b64encode(self.svg.encode()).decode()
        words = escape(self.alt or self.title)
        style = f"width:100%;max-width:{LARGEST_WIDTH:g}px"
        return f'<img src="data:image/svg+xml;base64,{source}" alt="{words}" style="{style}">'

    def __str__(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Drawing: {self.title}>"
