"""The card of a layer of a graph, unfolded: its time steps from left to right.

What comes in runs along a rail below the steps, and what goes out along one above them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from throughtime.drawing.caption import Caption
from throughtime.drawing.cards import (
    LINE,
    NAMES,
    PAD,
    TITLE,
    WORDS,
    LayerCard,
    Lines,
    draw_box,
    notes,
    put_lines,
)
from throughtime.drawing.drawn_layer import DrawnLayer
from throughtime.drawing.grid import DOTS, NODE, Grid, grid_between, sides
from throughtime.drawing.node_row import BELOW, NodeRow, band_height
from throughtime.drawing.pen import Pen, Signal
from throughtime.drawing.routes import PORTS, Shape
from throughtime.drawing.sheet import Point
from throughtime.drawing.text import bold, code, plain, shorten, width, wrap
from throughtime.drawing.unfolded import JOIN, Band, draw_recurrent, draw_stepwise, node_rows_of
from throughtime.network import Params

#: Least and largest distance of two columns.
NARROW, BROAD = 60.0, 100.0
#: Space between the words and the upper rail, and below the lower one.
ABOVE, UNDER = 8.0, 12.0
#: Width of a line that carries every step.
THICK = 3.0


@dataclass(frozen=True)
class UnfoldedCard(LayerCard):
    """A recurrent layer, or one that acts on each step, with at most ``columns`` columns."""

    columns: int = 4

    @property
    def least(self) -> float:
        return self._width(min(self.columns, 2), NARROW)

    @property
    def beyond(self) -> float:
        return 0.0

    @property
    def most(self) -> float:
        return self._width(self.columns, BROAD)

    def shape(self, room: float) -> Shape:
        words = self._words(room)
        high = ABOVE + LINE * len(words) + ABOVE + self._content() + UNDER
        frame = _Frame(self, (0.0, 0.0), room, high)
        grid = frame.grid
        shape = Shape(
            room,
            high,
            ((frame.xs[0] + frame.xs[-1]) / 2, UNDER),
            (frame.xs[-1], frame.rail - frame.top),
            reach=(frame.xs[-1] - frame.xs[0]) / 2,
            rail=True,
            through=self.drawn.after is None,
            aside=(14 - room / 2, 0.0),
            state_out=(room / 2 - 14, 0.0),
        )
        rows = frame.rows
        if len(rows) != 1:
            return shape
        (row,) = rows
        sign = row.sign
        start = grid.right if row.direction.reverse else grid.left
        box = 24.0 if len(row.drawn.states) > 1 else 18.0
        return replace(
            shape,
            aside=(start, frame.bottom - row.y - 14),
            state_out=(sign * (room / 2 - 5), row.y - frame.top),
            state_start=row.xs[row.final] + sign * (grid.node / 2 + 1),
            beside=frame.bottom - row.y,
            beside_out=room / 2 - row.xs[row.final] - grid.node / 2 - 1,
            beside_into=start - box + room / 2,
        )

    def ground(self, pen: Pen, centre: Point, shape: Shape) -> None:
        draw_box(pen, centre, shape, self.drawn)

    def content(self, pen: Pen, centre: Point, shape: Shape) -> None:
        frame = _Frame(self, centre, shape.width, shape.height)
        words = self._words(shape.width)
        put_lines(pen, words, frame.left, frame.top + ABOVE)
        draw_rail(pen, frame.xs, frame.foot)
        if self.drawn.kind == "recurrent":
            output = draw_recurrent(pen, frame.grid, frame.rows, frame.signal)
        else:
            band = Band(self.drawn, Caption(()), frame.rail, frame.foot - frame.rail)
            output = draw_stepwise(pen, frame.grid, band, frame.signal, None)
        if not self.drawn.above:
            return
        if self.drawn.after is None:
            (point,) = output.points
            pen.connect(point, (point[0], frame.rail), (frame.xs[-1], frame.rail), head=False)
            draw_branches(pen, frame.xs[-1], frame.rail, self.ways)
            return
        for x, y in output.points if len(frame.rows) < 2 else ():
            pen.connect((x, y), (x, frame.rail))
        draw_rail(pen, frame.xs, frame.rail)

    def _width(self, columns: int, pitch: float) -> float:
        assert self.drawn.before is not None  # another layer has another card
        names, gap = self.drawn.before.names(columns)
        return 2 * PAD + sum(sides([self.drawn])) + DOTS * gap + pitch * len(names)

    def shown(self, room: float) -> int:
        """How many columns a width has room for."""
        fits = [n for n in range(1, self.columns + 1) if self._width(n, NARROW) <= room + 0.01]
        return max(fits, default=1)

    def _content(self) -> float:
        if self.drawn.kind == "recurrent":
            return band_height(self.drawn)
        return 14 + NODE + BELOW

    def _free(self, room: float) -> float:
        """The width that words may have."""
        frame = _Frame(self, (0.0, 0.0), room, 0.0)
        return frame.xs[-1] - frame.left - 12

    def _words(self, room: float) -> Lines:
        """The words above the steps; the last column is left free for what goes out."""
        drawn = self.drawn
        free = self._free(room) - PORTS * (self.ways - 1)
        head = f"{drawn.owner} {drawn.title}"
        shape = f"\u2192 {drawn.shape}"
        lines: Lines = [(bold(t), TITLE, "ink") for t in wrap(head, free, TITLE, "bold")]
        rest = free - width(lines[-1][0], TITLE) - 12
        if len(lines) == 1 and width(plain(shape), WORDS) <= rest:
            lines = [(bold(head + "  ") + plain(shape), TITLE, "ink")]
        else:
            lines.append((plain(shape), WORDS, "muted"))
        if not drawn.call:
            lines += [(code(text), NAMES, "ink") for text in _together(drawn, free)]
        return [*lines, *notes(drawn, free)]


class _Frame:
    """Where the pieces of an unfolded card are."""

    def __init__(self, card: UnfoldedCard, centre: Point, room: float, high: float) -> None:
        drawn = card.drawn
        assert drawn.before is not None
        self.left = centre[0] - room / 2 + PAD
        self.top, self.bottom = centre[1] - high / 2, centre[1] + high / 2
        self.foot = self.bottom - UNDER
        columns = card.shown(room)
        self.grid: Grid = grid_between(
            [drawn], drawn.before, columns, self.left, centre[0] + room / 2 - PAD
        )
        names, gap = drawn.before.names(columns)
        self.xs = list(self.grid.xs[: len(names)])
        self.signal = Signal("x", None, names, [(x, self.foot) for x in self.xs], gap)
        content = card._content()
        # Two directions are joined a little below.
        self.rail = self.foot - content + (JOIN if len(drawn.directions) > 1 else 0.0)
        self.rows: list[NodeRow] = []
        if drawn.kind == "recurrent":
            self.rows = node_rows_of(drawn, self.grid, self.foot, self.signal)


def draw_rail(pen: Pen, xs: list[float], y: float) -> None:
    """Draw the line along which the steps of a sequence come or go."""
    role = "naive" if pen.gradients else "history"
    pen.sheet.line((xs[0], y), (xs[-1], y), role=role, width=THICK, head=False)


def draw_branches(pen: Pen, x: float, y: float, ways: int) -> None:
    """Draw the line from which the other ways of a vector start, left of ``x``."""
    if ways > 1:
        role = "naive" if pen.gradients else "history"
        pen.sheet.line((x, y), (x - PORTS * (ways - 1), y), role=role, head=False)


def _together(drawn: DrawnLayer, room: float) -> list[str]:
    """Names and shapes of the parameters, as many in a line as fit."""
    lines: list[str] = []
    for direction in drawn.directions:
        for name, shape in direction.params:
            text = shorten(f"{Params.local(name)} {shape}", room, NAMES, "code")
            longer = f"{lines[-1]}\u00a0 {text}" if lines else ""
            if lines and width(code(longer), NAMES) <= room:
                lines[-1] = longer
            else:
                lines.append(text)
    return lines
