"""Where the columns of an unfolded network stand, and the pen that draws what flows along them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from throughtime.drawing.reading import Steps, View
from throughtime.drawing.scene import MARGIN, WIDTH, Point, Sheet
from throughtime.drawing.text import Label, math, width

#: Room for the dots that stand for the steps left out.
DOTS = 60.0
WIDEST = 128.0
NODE = 36.0


@dataclass(frozen=True)
class Grid:
    """The columns.

    Attributes
    ----------
    xs : tuple of float
        The middle of each column.
    left, right : float
        Where initial states stand.
    route_left, route_right : float
        Where a state handed on passes.
    pitch : float
        Distance of two columns.
    node : float
        Width of a node.
    several : bool
        Whether names of states show their layer.
    """

    xs: tuple[float, ...]
    left: float
    right: float
    route_left: float
    route_right: float
    pitch: float
    node: float
    several: bool

    @property
    def dots(self) -> float:
        """The middle between the last two columns."""
        return (self.xs[-2] + self.xs[-1]) / 2 if len(self.xs) > 1 else self.xs[0]

    @property
    def middle(self) -> float:
        """Of all columns."""
        return (self.xs[0] + self.xs[-1]) / 2


def make_grid(views: list[View], first: Steps | None, columns: int, caption: float) -> Grid:
    """Place ``columns`` columns beside captions of a given width."""
    signals = [first, *(view.after for view in views)]
    drawn = [signal.names(columns) for signal in signals if signal is not None]
    count = max((len(names) for names, _ in drawn), default=1)
    dots = DOTS if any(gap for _, gap in drawn) else 0.0
    strands = [strand for view in views if view.kind == "recurrent" for strand in view.strands]
    crossed = any(len(view.strands) > 1 for view in views)
    wide = 74.0 if crossed else 56.0  # for an initial state
    begin = wide if any(not strand.reverse for strand in strands) else 0.0
    end = wide if any(strand.reverse for strand in strands) else 0.0
    handed = any(view.hands is not None for view in views)
    leaving = [view.strands for view in views if view.hands is not None or view.returns]
    begin = max(begin, 34.0 if any(s.reverse for strands in leaving for s in strands) else 0.0)
    end = max(end, 34.0 if any(not s.reverse for strands in leaving for s in strands) else 0.0)
    both = any(len(view.strands) > 1 and view.hands is not None for view in views)
    left = MARGIN + caption + 16 + (14 if both else 0)
    right = WIDTH - MARGIN - (14 if handed else 0)
    pitch = min(WIDEST, (right - end - left - begin - dots) / count)
    spare = right - end - left - begin - dots - pitch * count
    start = left + begin + spare / 2
    xs = [start + (i + 0.5) * pitch for i in range(count)]
    if dots:
        xs[-1] += dots
    many = sum(view.kind == "recurrent" for view in views) > 1 and not crossed
    many = many and pitch >= 70
    node = min(50.0 if many else 38.0, pitch - 22)
    begin_x = xs[0] - pitch / 2 - begin + 26
    end_x = xs[-1] + pitch / 2 + end - 26
    return Grid(tuple(xs), begin_x, end_x, left - 12, WIDTH - MARGIN - 6, pitch, node, many)


@dataclass(frozen=True)
class Signal:
    """What leaves a row upwards.

    Attributes
    ----------
    letter : str
        Its name without indices.
    layer : int or None
        Which layer it leaves, where the name shows that.
    names : list of str
        The index of each step that is drawn; one empty string for a vector.
    points : list of Point
        Where each leaves.
    gap : bool
        Whether steps are left out before the last.
    index : str
        Of a vector that is one step of a sequence: which.
    """

    letter: str
    layer: int | None
    names: list[str]
    points: list[Point]
    gap: bool = False
    index: str = ""

    def at(self, number: int) -> str:
        """The formula of one step."""
        return scripted(self.letter, self.index or self.names[number], self.layer)

    def pairs(self) -> Iterator[tuple[int, Point]]:
        """Number and point of each."""
        yield from enumerate(self.points)


@dataclass(frozen=True)
class Pen:
    """Draws connections: with the weights named on them, or with the gradients that flow back.

    Attributes
    ----------
    long : bool
        Whether there is room to write dL/dh, not dh.
    prefix : bool
        Whether there is room for the number of the layer in the name of a parameter.
    """

    sheet: Sheet
    gradients: bool
    long: bool
    prefix: bool

    def gradient(self, quantity: str) -> Label:
        """dL/d(quantity), or d(quantity) where there is little room."""
        return math(f"dL/d{quantity}" if self.long else f"d{quantity}")

    def connect(
        self,
        *points: Point,
        role: str = "history",
        width: float = 1.5,
        dash: str = "solid",
        back: Point = (-8.0, 0.0),
        given: bool = False,
    ) -> None:
        """An arrow through ``points``; with gradients also the one back, moved by ``back``.

        A ``given`` gradient comes from outside; the others are computed.
        """
        if not self.gradients:
            self.sheet.line(*points, role=role, width=width, dash=dash)
            return
        self.sheet.line(*points, role="naive", width=1.2, dash=dash)
        moved = [(x + back[0], y + back[1]) for x, y in reversed(points)]
        back_role, back_dash = ("forecast", "solid") if given else ("outgoing", "dash")
        self.sheet.line(*moved, role=back_role, width=1.6, dash=back_dash)

    def label(
        self, x: float, y: float, label: Label, anchor: str = "start", role: str = "ink"
    ) -> None:
        """A label on a connection."""
        self.sheet.text(x, y, label, 13.0, anchor, role, halo=True)

    def fitting(self, room: float, *choices: str) -> Label | None:
        """The first formula that has room."""
        for choice in choices:
            label = math(choice)
            if width(label, 13.0) <= room:
                return label
        return None

    def dots(self, x: float, y: float) -> None:
        """An ellipsis."""
        self.sheet.text(x, y, math("\u22ef"), 16.0, role="muted")


def scripted(symbol: str, index: str, layer: int | None = None) -> str:
    """A formula of a symbol at a step of a layer: ``h_{1}^{(0)}``.

    >>> scripted("h", "T-1", 0)
    'h_{T-1}^{(0)}'
    """
    over = "" if layer is None else f"^{{({layer})}}"
    return f"{symbol}_{{{index}}}{over}" if index else f"{symbol}{over}"
