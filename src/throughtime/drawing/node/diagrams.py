"""The inner structure of each kind of node, in the node's own coordinates."""

from __future__ import annotations

from throughtime.cells import GRU, LSTM, Elman
from throughtime.drawing.drawn_layer import slope_of, words_of
from throughtime.drawing.node.context import NodeContext
from throughtime.drawing.node.options import update_of
from throughtime.drawing.node.pen import NodePen
from throughtime.drawing.text import Label, math
from throughtime.layers import Dense, Recurrent

#: Horizontal positions: where states enter and leave, and the frame of a cell.
WEST, EAST = 22.0, 678.0
LEFT, RIGHT = 168.0, 556.0


def height(context: NodeContext) -> float:
    """Height of the diagram of a node."""
    layer = context.drawn.layer
    if isinstance(layer, Recurrent):
        return 324.0 if type(layer.cell) is Elman and update_of(layer) is None else 452.0
    return 324.0


def diagram(pen: NodePen, context: NodeContext) -> None:
    """Draw the node of ``context``."""
    layer = context.drawn.layer
    if isinstance(layer, Dense):
        dense(pen, context, layer)
        return
    assert isinstance(layer, Recurrent)
    kinds = {Elman: elman, GRU: gru, LSTM: lstm}
    known = kinds.get(type(layer.cell), unknown)
    (known if update_of(layer) is None else unknown)(pen, context)


def _below(pen: NodePen, context: NodeContext, x: float, top: float, bottom: float, w: str) -> None:
    """Draw the input, which enters from below."""
    pen.arrive((x, bottom), (x, top))
    names = [w, "b"] if "b" in context.direction.leaves else [w]
    pen.arriving(x + 10, bottom - 26, *names, anchor="start")
    pen.arriving(
        x - 10,
        bottom - 26,
        context.indexed("x_t"),
        anchor="end",
        words=[f"{'to' if pen.gradients else 'from'} {context.from_below}"],
    )


def _above(pen: NodePen, context: NodeContext, x: float, start: float, name: str = "h_t") -> None:
    """Draw the output, which leaves upwards, if it is passed on."""
    if not context.passes:
        return
    pen.leave((x, start), (x, 12))
    to = "the loss" if pen.gradients and not context.takers else context.to_above
    words = f"{'from' if pen.gradients else 'to'} {to}"
    pen.leaving(x - 10, 22, name, anchor="end", words=[words])
    if context.weights_above and not pen.gradients:
        pen.leaving(x + 10, 22, context.weights_above, anchor="start")


def _state_in(pen: NodePen, context: NodeContext, y: float, state: str, *params: str) -> None:
    """Write names above and below the arrow of a state that enters from the left."""
    name = f"{state}_{{{context.before}}}"
    shown = f"{name} = {state}_0" if context.first and not pen.gradients else name
    pen.arriving(WEST, y - 14, shown, anchor="start")
    if params:
        pen.arriving(WEST, y + 15, *params, anchor="start")


def _origin(pen: NodePen, context: NodeContext, y: float) -> None:
    words = context.origin
    if pen.gradients:
        words = [line.replace("from ", "to ", 1) for line in words]
    pen.arriving(WEST, y - 15 * (len(words) - 1), anchor="start", words=words)


def _target(pen: NodePen, context: NodeContext, y: float) -> None:
    words = context.target
    if pen.gradients:
        words = [word.replace("to ", "from ", 1) for word in words]
        given = "(zero unless given)"
        words = [given if word in ("(not used)", "(returned)") else word for word in words]
    pen.leaving(EAST, y, anchor="end", words=words)


def elman(pen: NodePen, context: NodeContext) -> None:
    """Draw an Elman cell: z_t below h_t."""
    layer = context.drawn.layer
    assert isinstance(layer, Recurrent)
    x, low, high = 358.0, 196.0, 102.0
    pen.frame(270, 66, 446, 238)
    pen.arrive((WEST, low - 10), (x - 48, low - 10))
    _state_in(pen, context, low - 10, "h", "W_h")
    _origin(pen, context, low - 42)
    if context.time_bias:
        pen.arrive((WEST, low + 46), (250, low + 46), (250, low + 12), (x - 48, low + 12))
        pen.arriving(WEST, low + 60, "b_time", anchor="start")
    elif "b_time" in context.direction.leaves:
        pen.arriving(WEST, low + 40, anchor="start", words=["no b_time", "at the first step"])
    _below(pen, context, x, low + 21, 318, "W_x")
    pen.part(x, low, "z_t", w=96, h=42)
    pen.inner((x, low - 21), (x, high + 21))
    f = layer.cell.activation
    pen.note(x + 10, (low + high) / 2, slope_of(f) if pen.gradients else words_of(f), "start")
    pen.part(x, high, "h_t", w=96, h=42)
    pen.number(x + 52, low + 32, "E1", "start")
    pen.number(x + 52, high - 26, "E2", "start")
    pen.leave((x + 48, high), (EAST, high))
    pen.leaving(EAST, high - 14, "h_t", anchor="end")
    if not context.last and not pen.gradients:
        pen.leaving(470, high + 15, "W_h", anchor="start")
    _target(pen, context, high + 14)
    _above(pen, context, x, high - 21)


def lstm(pen: NodePen, context: NodeContext) -> None:
    """Draw an LSTM cell: the gates between u_t, below, and the line of c, above."""
    line, mid, gate, low = 116.0, 178.0, 240.0, 312.0
    f, i, g, o = 252.0, 322.0, 392.0, 478.0
    join, out = (i + g) / 2, 534.0
    pen.frame(LEFT, 72, RIGHT, 352)
    pen.arrive((WEST, line), (f - 11, line))
    _state_in(pen, context, line, "c")
    pen.arrive((WEST, low), (f - 40, low))
    _state_in(pen, context, low, "h", "W_h")
    _origin(pen, context, low - 33)
    _time_bias(pen, context, low, f - 40)
    _below(pen, context, join, low + 19, 442, "W_x")
    pen.part((f - 40 + o + 40) / 2, low, "u_t", w=o - f + 80, h=38)
    for x, name in ((f, "f"), (i, "i"), (g, "g"), (o, "o")):
        pen.inner((x, low - 19), (x, gate + 17))
        pen.part(x, gate, name, w=40)
    pen.inner((f, gate - 17), (f, line + 11))
    pen.inner((i, gate - 17), (i, mid), (join - 11, mid))
    pen.inner((g, gate - 17), (g, mid), (join + 11, mid))
    pen.inner((join, mid - 11), (join, line + 11))
    pen.inner((f + 11, line), (join - 11, line))
    pen.inner((o, line), (o, mid - 31 - 8))
    pen.inner((o, mid - 17), (o, mid + 9))
    pen.inner((o, gate - 17), (o, mid + 31))
    pen.leave((join + 11, line), (EAST, line))
    pen.leaving(EAST, line - 14, "c_t", anchor="end")
    pen.leave((o + 11, mid + 20), (EAST, mid + 20))
    pen.leaving(EAST, mid + 6, "h_t", anchor="end")
    if not context.last and not pen.gradients:
        pen.leaving(RIGHT + 10, mid + 35, "W_h", anchor="start")
    _target(pen, context, mid + 34)
    _above(pen, context, out, mid + 20)
    pen.operation(f, line, "*")
    pen.operation(join, line, "+")
    pen.operation(join, mid, "*")
    pen.operation(o, mid - 28, "φ")
    pen.operation(o, mid + 20, "*")
    pen.number(f - 26, gate, "L2", "end")
    pen.number(o + 48, low + 10, "L1", "start")
    pen.number(join, line - 22, "L3")
    pen.number(o - 16, mid + 20, "L4", "end")


def _time_bias(pen: NodePen, context: NodeContext, low: float, end: float) -> None:
    """Draw b_time, which enters from the left, below the state."""
    if context.time_bias:
        pen.arrive((WEST, low + 62), (end - 26, low + 62), (end - 26, low + 11), (end, low + 11))
        pen.arriving(WEST, low + 76, "b_time", anchor="start")
    elif "b_time" in context.direction.leaves:
        pen.arriving(WEST, low + 52, anchor="start", words=["no b_time", "at the first step"])


def gru(pen: NodePen, context: NodeContext) -> None:
    """Draw a GRU cell: the line of h, the gates below it, a_t at the bottom."""
    layer = context.drawn.layer
    assert isinstance(layer, Recurrent)
    cell = layer.cell
    assert isinstance(cell, GRU)
    line, mid, gate, deep, low = 116.0, 172.0, 232.0, 286.0, 342.0
    bus, r, z, q, n, out = 186.0, 256.0, 322.0, 396.0, 480.0, 524.0
    pen.frame(LEFT, 72, RIGHT, 378)
    pen.arrive((WEST, line), (z - 11, line))
    _state_in(pen, context, line, "h")
    _origin(pen, context, line + 14 + 15 * (len(context.origin) - 1))
    pen.inner((bus, line), (bus, mid), (z - 22, mid))
    pen.inner((bus, line), (bus, gate), (r - 22, gate))
    if cell.reset_after:
        pen.inner((bus, line), (bus, deep), (q - 24, deep))
        pen.part(q, deep, "q", w=48, h=30)
        pen.inner((q, deep - 15), (q, gate + 11))
    else:
        pen.inner((bus, line), (bus, deep), (q, deep), (q, gate + 11))
    _below(pen, context, (r + n) / 2, low + 17, 448, "W_x")
    _time_bias(pen, context, low, r - 30)
    pen.inner((r, low - 17), (r, gate + 17))
    pen.inner((z, low - 17), (z, mid + 17))
    pen.inner((n, low - 17), (n, gate + 17))
    pen.part((r + n) / 2, low, "a_t", w=n - r + 60, h=34)
    pen.inner((r + 22, gate), (q - 11, gate))
    pen.inner((q + 11, gate), (n - 22, gate))
    pen.inner((z, mid - 17), (z, line + 11))
    pen.inner((z + 22, mid), (n - 11, mid))
    pen.inner((n, gate - 17), (n, mid + 11))
    pen.inner((n, mid - 11), (n, line + 11))
    pen.inner((z + 11, line), (n - 11, line))
    pen.leave((n + 11, line), (EAST, line))
    pen.leaving(EAST, line - 14, "h_t", anchor="end")
    if not context.last and not pen.gradients:
        pen.leaving(RIGHT + 10, line + 15, "W_h", anchor="start")
    _target(pen, context, line + 14)
    _above(pen, context, out, line)
    pen.part(r, gate, "r")
    pen.part(z, mid, "z")
    pen.part(n, gate, "n")
    pen.operation(z, line, "*")
    pen.operation(n, line, "+")
    pen.operation(n, mid, "*")
    pen.operation(q, gate, "*")
    pen.sheet.box((z + n) / 2, mid + pen.top, 40, 22, 11, "history")
    pen.sheet.text((z + n) / 2, mid + pen.top, *_one_minus())
    recurrent = [("W_hz", z - 30, mid), ("W_hr", r - 30, gate)]
    for name, x, y in recurrent:
        pen.inside(x, y - 12, name, "end")
    if cell.reset_after:
        pen.inside((z + q - 24) / 2, deep - 12, "W_hn")
        if "b_hn" in context.direction.leaves:
            pen.arrive((n - 16, deep), (q + 24, deep))
            pen.inside((n - 16 + q + 24) / 2, deep - 12, "b_hn")
    else:
        pen.inside(q + 38, gate - 12, "W_hn")
    pen.number(z + 24, mid - 24, "G2", "start")
    pen.number(r, gate - 26, "G1")
    pen.number(n + 26, gate + 20, "G3" if cell.reset_after else "G3b", "start")
    pen.number(n, line - 22, "G4")


def _one_minus() -> tuple[Label, float]:
    return math("1 - z"), 12.0


def dense(pen: NodePen, context: NodeContext, layer: Dense) -> None:
    """Draw a Dense layer: z_t below y_t."""
    x, low, high = 358.0, 196.0, 102.0
    pen.frame(270, 66, 446, 238)
    _below(pen, context, x, low + 21, 318, "W")
    pen.part(x, low, context.indexed("z_t"), w=96, h=42)
    pen.inner((x, low - 21), (x, high + 21))
    f = layer.activation
    pen.note(x + 10, (low + high) / 2, slope_of(f) if pen.gradients else words_of(f), "start")
    pen.part(x, high, context.indexed("y_t"), w=96, h=42)
    _above(pen, context, x, high - 21, context.indexed("y_t"))


def unknown(pen: NodePen, context: NodeContext) -> None:
    """Draw a cell as one box with its states: a user-defined one, or one with options."""
    middle, low = (LEFT + RIGHT) / 2, 240.0
    left, right = middle - 100, middle + 100
    pen.frame(LEFT, 72, RIGHT, 352)
    pen.part(middle, low, "step", "step\u2032", w=200, h=100)
    states = context.drawn.states
    apart = 64.0 / max(len(states) - 1, 1)
    for place, state in enumerate(states):
        y = low - 32 + apart * place
        pen.arrive((WEST, y), (left, y))
        pen.leave((right, y), (EAST, y))
        weights = {"W_h", "u"} & context.direction.leaves if place == 0 else set()
        _state_in(pen, context, y, state, *weights)
        pen.leaving(EAST, y - 13, f"{state}_t", anchor="end")
    _origin(pen, context, low - 68)
    _target(pen, context, low - 32 + apart * (len(states) - 1) + 14)
    _time_bias(pen, context, low + 32, left)
    _below(pen, context, middle, low + 50, 442, "W_x")
    _above(pen, context, middle, low - 50)
