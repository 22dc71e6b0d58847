"""The row of a recurrent layer in an unfolded network: nodes, states between them, weights."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from throughtime.drawing.grid import NODE, Grid, Pen, Signal, scripted
from throughtime.drawing.reading import Strand, View
from throughtime.drawing.text import math, plain, width

#: Above a node, below it (with the names of two parameters), and between two directions.
ABOVE, BELOW, BETWEEN = 24.0, 46.0, 50.0


@dataclass(frozen=True)
class Row:
    """One direction of a recurrent layer as it is drawn: its nodes, from the first in its time.

    Attributes
    ----------
    xs : list of float
        Of the nodes from left to right.
    names : list of str
        The index of the step of each.
    layer : int or None
        Shown in the names of the states where there are several recurrent layers.
    """

    view: View
    strand: Strand
    xs: list[float]
    names: list[str]
    gap: bool
    y: float
    layer: int | None

    @property
    def final(self) -> int:
        """The node that comes last in its time."""
        return 0 if self.strand.reverse else len(self.xs) - 1

    @property
    def sign(self) -> float:
        """1 where time runs to the right, -1 where to the left."""
        return -1.0 if self.strand.reverse else 1.0


def band_height(view: View) -> float:
    """What the nodes of a layer need."""
    count = len(view.strands)
    return ABOVE + count * NODE + (count - 1) * BETWEEN + BELOW


def prefixed(row: Row, leaf: str) -> tuple[str, str]:
    """The name of a parameter with its layer, and without."""
    symbol = leaf.replace("_", "_{", 1) + "}" if "_" in leaf else leaf
    return f"{row.view.index}.{symbol}", symbol


def draw_nodes(pen: Pen, grid: Grid, row: Row) -> None:
    """The nodes of a row."""
    for number, x in enumerate(row.xs):
        pen.sheet.box(x, row.y, grid.node, NODE, NODE / 2, "ink")
        formula = scripted("h", row.names[number], row.layer)
        if width(math(formula), 14) > grid.node - 4:
            formula = scripted("h", row.names[number])
        pen.sheet.text(x, row.y, math(formula))


def draw_inputs(pen: Pen, row: Row, signal: Signal, side: float) -> None:
    """Arrows from the signal below to each node, named W_x and b.

    ``side`` is -1 where the names stand to the left of the arrows, 1 to the right.
    """
    bottom = row.y + NODE / 2
    leaves = row.strand.leaves
    two = len(row.view.strands) > 1
    for number, (x, (from_x, from_y)) in enumerate(zip(row.xs, signal.points, strict=True)):
        if x == from_x:
            pen.connect((x, from_y), (x, bottom), role="forecast")
        else:
            # To the lower row it turns below the names, to the upper one at once.
            turn = min(from_y - 6, bottom + BELOW - 8) if side < 0 else from_y - 6
            pen.connect((from_x, from_y), (x, turn), (x, bottom), role="forecast")
        anchor = "end" if side < 0 else "start"
        if pen.gradients:
            if not two:
                label = pen.gradient(signal.at(number))
                pen.label(x - 14, bottom + 33, label, "end", "outgoing")
            continue
        names = [prefixed(row, leaf) for leaf in ("W_x", "b") if leaf in leaves]
        for line, (long, short) in enumerate(names):
            label = math(long if pen.prefix else short)
            pen.label(x + 6 * side, bottom + 15 + 15 * line, label, anchor, "forecast")


def draw_states(pen: Pen, grid: Grid, row: Row) -> None:
    """The states from node to node and the weights on them."""
    half = grid.node / 2 + 1
    order = range(len(row.xs))
    for one, two in itertools.pairwise(reversed(order) if row.strand.reverse else order):
        start, end = row.xs[one] + row.sign * half, row.xs[two] - row.sign * half
        if not (row.gap and max(one, two) == len(row.xs) - 1):
            _transition(pen, row, start, end, row.names[one])
            continue
        before, after = row.names[-2:]
        if row.strand.reverse:  # from the last step, over the dots, to one that has a number
            names = after, str(int(before) + 1)
        else:
            names = before, str(int(after) - 1) if after.isdecimal() else f"{after}-1"
        middle = (row.xs[one] + row.xs[two]) / 2
        pen.dots(middle, row.y)
        _transition(pen, row, start, middle - 12 * row.sign, names[0])
        _transition(pen, row, middle + 12 * row.sign, end, names[1])
    _initial(pen, grid, row)
    _final(pen, grid, row)


def _transition(pen: Pen, row: Row, start: float, end: float, name: str) -> None:
    """One arrow from step to step; ``name`` is the index of the state that it carries."""
    room = abs(end - start) - 4
    x, y = (start + end) / 2 - 3 * row.sign, row.y
    second = row.view.states[1:2]  # c of an LSTM, which meets no weights
    pen.connect((start, y), (end, y), role="backtest", width=2.0, back=(0.0, -8.0))
    if second:
        pen.connect((start, y + 9), (end, y + 9), role="backtest", width=1.3, back=(0.0, 7.0))
    if pen.gradients:
        room += 0.7 * NODE  # they stand above and below the nodes
        for state, place in zip(row.view.states, (y - 23, y + 28), strict=False):
            _put(pen, x, place, room, "outgoing", *_gradients(pen, row, state, name))
        return
    leaves = row.strand.leaves
    choices = prefixed(row, "W_h")[0 if pen.prefix else 1 :]
    _put(pen, x, y - 12, room + 8, "backtest", *choices)
    for state in second:
        _put(pen, x, y + 20, room, "backtest", scripted(state, name))
    biases = [prefixed(row, leaf)[1] for leaf in ("b_hn", "b_time") if leaf in leaves]
    _put(pen, x, y + (-27 if second else 13), room, "backtest", ", ".join(biases))


def _put(pen: Pen, x: float, y: float, room: float, role: str, *choices: str) -> None:
    """The first formula that has room, if there is one."""
    label = pen.fitting(room, *choices)
    if label:
        pen.label(x, y, label, "middle", role)


def _gradients(pen: Pen, row: Row, state: str, name: str) -> list[str]:
    mark = "dL/d" if pen.long else "d"
    return [mark + scripted(state, name, row.layer), mark + scripted(state, name)]


def _initial(pen: Pen, grid: Grid, row: Row) -> None:
    """The state before the first step, at the side where time begins."""
    x = grid.right if row.strand.reverse else grid.left
    first = row.xs[-1] if row.strand.reverse else row.xs[0]
    states = row.view.states
    learned = "h_0" in row.strand.leaves
    wide = 48.0 if len(states) > 1 else 36.0
    start, end = x + row.sign * (wide / 2 + 1), first - row.sign * (grid.node / 2 + 1)
    pen.sheet.box(x, row.y, wide, 28, 6, "muted", dash="solid" if learned else "dash", width=1.2)
    pen.sheet.text(x, row.y, math(", ".join(f"{state}_0" for state in states)), 13)
    pen.connect((start, row.y), (end, row.y), role="backtest", width=2.0, back=(0.0, -8.0))
    if not pen.gradients:
        middle = (start + end) / 2 - 3 * row.sign
        room = abs(end - start) + 6
        _put(pen, middle, row.y - 12, room, "backtest", *prefixed(row, "W_h"))
        leaves = {"b_hn"} if row.view.receives is None else {"b_hn", "b_time"}
        biases = [prefixed(row, leaf)[1] for leaf in sorted(leaves & row.strand.leaves)]
        _put(pen, middle, row.y + 13, room, "backtest", ", ".join(biases))
    if row.view.receives is not None:
        words = f"from layer {row.view.receives}"
    else:
        words = "learned" if learned else "zero"
    pen.sheet.text(x, row.y - 22, plain(words), 11, role="muted")
    if row.strand.group:
        pen.sheet.text(x, row.y - 36, plain(row.strand.group), 11, role="muted")


def _final(pen: Pen, grid: Grid, row: Row) -> None:
    """The final state, where ``predict`` returns it."""
    if row.view.returns:
        x = row.xs[row.final] + row.sign * (grid.node / 2 + 1)
        end = x + row.sign * 22
        pen.connect((x, row.y), (end, row.y), role="backtest", width=2.0, back=(0.0, -8.0))
        put_final(pen, row, x + row.sign * 4)


def put_final(pen: Pen, row: Row, x: float) -> None:
    """The names of the final state, or of the gradients with respect to it, below its arrow."""
    names = [scripted(state, row.names[row.final]) for state in row.view.states]
    anchor = "start" if row.sign > 0 else "end"
    if not pen.gradients:
        pen.label(x, row.y + 15, math(", ".join(names)), anchor, "backtest")
        return
    for line, name in enumerate(names):
        pen.label(x, row.y + 15 + 17 * line, pen.gradient(name), anchor, "outgoing")
