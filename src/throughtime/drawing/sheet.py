"""A sheet: boxes, lines and labels at positions, before they become SVG.

A layout fills a :class:`Sheet`; :mod:`throughtime.drawing.svg` paints it. Coordinates are pixels
of a picture that is 700 wide; y points down. A ``role`` is the name of a colour in
:class:`throughtime.drawing.palette.Palette`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from throughtime.drawing.text import Label, width

WIDTH = 700.0
MARGIN = 14.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Text:
    """A label at (x, y).

    ``y`` is the middle of the letters' height. ``anchor`` says whether ``x`` is the start, the
    middle or the end of the label. A ``halo`` separates the label from the lines behind it.
    """

    x: float
    y: float
    label: Label
    size: float = 14.0
    anchor: str = "middle"
    role: str = "ink"
    halo: bool = False

    def extent(self) -> tuple[float, float]:
        """Left and right end."""
        wide = width(self.label, self.size)
        left = self.x - {"start": 0.0, "middle": wide / 2, "end": wide}[self.anchor]
        return left, left + wide


@dataclass(frozen=True)
class Line:
    """A line through ``points`` with rounded corners; ``head`` adds an arrow head at its end."""

    points: tuple[Point, ...]
    role: str = "ink"
    width: float = 1.5
    dash: str = "solid"
    head: bool = True
    radius: float = 9.0


@dataclass(frozen=True)
class Box:
    """A rectangle around its centre (x, y); a large ``radius`` makes it a circle."""

    x: float
    y: float
    w: float
    h: float
    radius: float = 6.0
    role: str | None = "ink"
    fill: str | None = "surface"
    width: float = 1.5
    dash: str = "solid"


Item = Text | Line | Box


@dataclass
class Sheet:
    """The items of a picture, in the order in which they are painted.

    Attributes
    ----------
    title : str
        One line that says what the picture shows.
    description : str
        The picture in words, in whole sentences.
    height : float
        Height of the content.
    items : list of Text, Line or Box
        The content.
    """

    title: str
    description: str = ""
    height: float = 0.0
    items: list[Item] = field(default_factory=list)

    @property
    def alt(self) -> str:
        """Title and description as whole sentences."""
        return f"{self.title[:1].upper()}{self.title[1:]}. {self.description}"

    def text(
        self,
        x: float,
        y: float,
        label: Label,
        size: float = 14.0,
        anchor: str = "middle",
        role: str = "ink",
        halo: bool = False,
    ) -> None:
        """Add a label."""
        self.items.append(Text(x, y, label, size, anchor, role, halo))

    def line(
        self,
        *points: Point,
        role: str = "ink",
        width: float = 1.5,
        dash: str = "solid",
        head: bool = True,
        radius: float = 9.0,
    ) -> None:
        """Add a line or an arrow."""
        self.items.append(Line(points, role, width, dash, head, radius))

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        radius: float = 6.0,
        role: str | None = "ink",
        fill: str | None = "surface",
        width: float = 1.5,
        dash: str = "solid",
    ) -> None:
        """Add a rectangle around (x, y)."""
        self.items.append(Box(x, y, w, h, radius, role, fill, width, dash))
