"""The rows of a recurrent layer in an unfolded network: nodes, states between them, weights."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from throughtime.drawing.drawn_layer import RECURRENT_WEIGHTS, Direction, DrawnLayer
from throughtime.drawing.grid import NODE, Grid
from throughtime.drawing.pen import Pen, Signal, scripted
from throughtime.drawing.text import math, plain, width

#: Space above a node, below it (for the names of two parameters), and between two directions.
ABOVE, BELOW, BETWEEN = 24.0, 46.0, 56.0


@dataclass(frozen=True)
class NodeRow:
    """One direction of a recurrent layer as it is drawn: a row of nodes.

    Attributes
    ----------
    drawn : DrawnLayer
        The layer.
    direction : Direction
        Its direction.
    xs : list of float
        Positions of the nodes, from left to right.
    names : list of str
        The index of each node's step.
    gap : bool
        Whether steps are omitted before the last one.
    y : float
        Height of the nodes.
    layer : int or None
        The layer's number, if the names of states show it.
    """

    drawn: DrawnLayer
    direction: Direction
    xs: list[float]
    names: list[str]
    gap: bool
    y: float
    layer: int | None

    @property
    def first(self) -> int:
        """The node of the direction's first step."""
        return len(self.xs) - 1 if self.direction.reverse else 0

    @property
    def final(self) -> int:
        """The node of the direction's last step."""
        return 0 if self.direction.reverse else len(self.xs) - 1

    @property
    def sign(self) -> float:
        """1 if the direction runs to the right, -1 if it runs to the left."""
        return -1.0 if self.direction.reverse else 1.0


def band_height(drawn: DrawnLayer) -> float:
    """Height of the rows of a layer."""
    count = len(drawn.directions)
    return ABOVE + count * NODE + (count - 1) * BETWEEN + BELOW


def prefixed(row: NodeRow, leaf: str) -> tuple[str, str]:
    """The name of a parameter with its layer, and without."""
    symbol = leaf.replace("_", "_{", 1) + "}" if "_" in leaf else leaf
    return f"{row.drawn.owner}.{symbol}", symbol


def _recurrent(row: NodeRow) -> tuple[str, ...]:
    """The name of the weights from step to step, long and short; nothing if there are none."""
    leaf = next((leaf for leaf in RECURRENT_WEIGHTS if leaf in row.direction.leaves), None)
    return () if leaf is None else prefixed(row, leaf)


def draw_nodes(pen: Pen, grid: Grid, row: NodeRow) -> None:
    """Draw the nodes of a row."""
    for number, x in enumerate(row.xs):
        pen.sheet.box(x, row.y, grid.node, NODE, NODE / 2, "ink")
        formula = scripted("h", row.names[number], row.layer)
        if width(math(formula), 14) > grid.node - 4:
            formula = scripted("h", row.names[number])
        pen.sheet.text(x, row.y, math(formula))


def draw_inputs(pen: Pen, row: NodeRow, signal: Signal, side: float) -> None:
    """Draw arrows from the signal below to each node, and name them W_x and b.

    ``side`` is -1 to write the names to the left of the arrows, 1 to the right. With two directions
    only the first step has names: those of all steps would hide the arrows.
    """
    bottom = row.y + NODE / 2
    leaves = row.direction.leaves
    two = len(row.drawn.directions) > 1
    for number, (x, (from_x, from_y)) in enumerate(zip(row.xs, signal.points, strict=True)):
        if x == from_x:
            pen.connect((x, from_y), (x, bottom), role="forecast")
        else:
            # An arrow to the lower row turns below the names, one to the upper row at once.
            turn = min(from_y - 6, bottom + BELOW - 8) if side < 0 else from_y - 6
            pen.connect((from_x, from_y), (x, turn), (x, bottom), role="forecast")
        if two and number != row.first:
            continue
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


def draw_states(pen: Pen, grid: Grid, row: NodeRow) -> None:
    """Draw the states from node to node, and name the weights on them."""
    half = grid.node / 2 + 1
    order = range(len(row.xs))
    for one, two in itertools.pairwise(reversed(order) if row.direction.reverse else order):
        start, end = row.xs[one] + row.sign * half, row.xs[two] - row.sign * half
        if not (row.gap and max(one, two) == len(row.xs) - 1):
            _transition(pen, row, start, end, row.names[one])
            continue
        before, after = row.names[-2:]
        if row.direction.reverse:  # from the last step across the ellipsis to a numbered one
            names = after, str(int(before) + 1)
        else:
            names = before, str(int(after) - 1) if after.isdecimal() else f"{after}-1"
        middle = (row.xs[one] + row.xs[two]) / 2
        pen.dots(middle, row.y)
        _transition(pen, row, start, middle - 12 * row.sign, names[0])
        _transition(pen, row, middle + 12 * row.sign, end, names[1])
    _initial(pen, grid, row)
    _final(pen, grid, row)


def _transition(pen: Pen, row: NodeRow, start: float, end: float, name: str) -> None:
    """Draw one arrow from step to step; ``name`` is the index of the state that it carries."""
    room = abs(end - start) - 4
    x, y = (start + end) / 2 - 3 * row.sign, row.y
    second = row.drawn.states[1:2]  # c of an LSTM or im of an LRU, which no weights multiply
    pen.connect((start, y), (end, y), role="backtest", width=2.0, back=(0.0, -8.0))
    if second:
        pen.connect((start, y + 9), (end, y + 9), role="backtest", width=1.3, back=(0.0, 7.0))
    if pen.gradients:
        room += 0.7 * NODE  # the labels are above and below the nodes
        for state, place in zip(row.drawn.states, (y - 23, y + 28), strict=False):
            _put(pen, x, place, room, "outgoing", *_gradients(pen, row, state, name))
        return
    if len(row.drawn.directions) > 1 and name != row.names[row.first]:
        return
    leaves = row.direction.leaves
    choices = _recurrent(row)[0 if pen.prefix else 1 :]
    if second and not choices:  # an LRU: both states have names
        choices = (scripted(row.drawn.states[0], name),)
    _put(pen, x, y - 12, room + 8, "backtest", *choices)
    for state in second:
        _put(pen, x, y + 20, room, "backtest", scripted(state, name))
    biases = [prefixed(row, leaf)[1] for leaf in ("b_hn", "b_time") if leaf in leaves]
    _put(pen, x, y + (-27 if second else 13), room, "backtest", ", ".join(biases))


def _put(pen: Pen, x: float, y: float, room: float, role: str, *choices: str) -> None:
    """Write the first formula that fits into ``room``, if one does."""
    label = pen.fitting(room, *choices)
    if label:
        pen.label(x, y, label, "middle", role)


def _gradients(pen: Pen, row: NodeRow, state: str, name: str) -> list[str]:
    mark = "dL/d" if pen.long else "d"
    return [mark + scripted(state, name, row.layer), mark + scripted(state, name)]


def _initial(pen: Pen, grid: Grid, row: NodeRow) -> None:
    """Draw the state before the first step, on the side where the direction begins."""
    x = grid.right if row.direction.reverse else grid.left
    first = row.xs[row.first]
    states = row.drawn.states
    learned = "h_0" in row.direction.leaves and row.drawn.receives is None
    title = math(", ".join(f"{state}_0" for state in states))
    wide = max(48.0 if len(states) > 1 else 36.0, width(title, 13) + 8)
    start, end = x + row.sign * (wide / 2 + 1), first - row.sign * (grid.node / 2 + 1)
    pen.sheet.box(x, row.y, wide, 28, 6, "muted", dash="solid" if learned else "dash", width=1.2)
    pen.sheet.text(x, row.y, title, 13)
    pen.connect((start, row.y), (end, row.y), role="backtest", width=2.0, back=(0.0, -8.0))
    if not pen.gradients:
        middle = (start + end) / 2 - 3 * row.sign
        room = abs(end - start) + 6
        names = _recurrent(row)[0 if pen.owners else 1 :]
        _put(pen, middle, row.y - 12, room, "backtest", *names)
        leaves = {"b_hn"} if row.drawn.receives is None else {"b_hn", "b_time"}
        biases = [prefixed(row, leaf)[1] for leaf in sorted(leaves & row.direction.leaves)]
        _put(pen, middle, row.y + 13, room, "backtest", ", ".join(biases))
    if row.drawn.receives is not None and not pen.owners:
        words = ""  # its arrow says it
    elif row.drawn.receives is not None:
        words = f"from {row.drawn.receives}"
    else:
        words = "learned" if learned else "zero"
    if words:
        pen.sheet.text(x, row.y - 22, plain(words), 11, role="muted")
    if row.direction.group:
        pen.sheet.text(x, row.y - 36, plain(row.direction.group), 11, role="muted")


def _final(pen: Pen, grid: Grid, row: NodeRow) -> None:
    """Draw the final state, if ``predict`` returns it."""
    if row.drawn.returns:
        x = row.xs[row.final] + row.sign * (grid.node / 2 + 1)
        end = x + row.sign * 22
        pen.connect((x, row.y), (end, row.y), role="backtest", width=2.0, back=(0.0, -8.0))
        put_final(pen, row, x + row.sign * 4)


def put_final(pen: Pen, row: NodeRow, x: float) -> None:
    """Write the names of the final state, or of its gradients, below its arrow."""
    names = [scripted(state, row.names[row.final]) for state in row.drawn.states]
    anchor = "start" if row.sign > 0 else "end"
    if not pen.gradients:
        pen.label(x, row.y + 15, math(", ".join(names)), anchor, "backtest")
        return
    for line, name in enumerate(names):
        pen.label(x, row.y + 15 + 17 * line, pen.gradient(name), anchor, "outgoing")
