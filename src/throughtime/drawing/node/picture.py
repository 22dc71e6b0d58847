"""The picture of one node: its diagram, its equations, its parameters."""

from __future__ import annotations

from throughtime.drawing.caption import NAMES, parameter
from throughtime.drawing.drawn_layer import DrawnLayer
from throughtime.drawing.node.context import NodeContext
from throughtime.drawing.node.diagrams import diagram, height
from throughtime.drawing.node.equations import backward, forward
from throughtime.drawing.node.pen import NodePen
from throughtime.drawing.sheet import MARGIN, WIDTH, Sheet
from throughtime.drawing.text import bold, code, math, plain, shorten, width
from throughtime.layers import Recurrent

#: Left ends of the numbers of equations and of the formulas.
NUMBERS, FORMULAS = MARGIN, 78.0


def node_picture(
    layers: list[DrawnLayer], index: int, t: int | None, steps: int, gradients: bool
) -> Sheet:
    """Lay out the node of layer ``index`` at step ``t``, in each direction of the layer."""
    drawn = layers[index]
    takers = tuple(layers[j] for j in drawn.takers)
    place = f"layer {drawn.label}, {shorten(drawn.title, 300, 15, 'bold')}"
    time = "" if t is None else f", at t = {t}"
    if t == steps:
        time += " = T"
    what = "gradients of " if gradients else ""
    sheet = Sheet(f"{what}{place}{time}")
    told = []
    y = MARGIN
    for direction in drawn.directions:
        context = NodeContext(drawn, direction, t, steps, takers)
        words = f", {direction.group} direction" if direction.group else ""
        title = f"{sheet.title}{words}"
        sheet.text(MARGIN, y + 8, bold(title[0].upper() + title[1:]), 15, "start")
        y += 30
        gated = isinstance(drawn.layer, Recurrent) and len(drawn.layer.cell.gates) > 1
        y -= 0 if context.passes else 44  # nothing stands above the node
        diagram(NodePen(sheet, gradients, y, not gated), context)
        y = _legend(sheet, y + height(context) + 14, gradients)
        y = _equations(sheet, y + 26, context, gradients)
        y = _parameters(sheet, y + 8, context) + 30
        equations = backward(context) if gradients else forward(context)
        formulas = "; ".join(text for _, text in equations).replace('"', "").replace("\u2003", " ")
        told.append(f"{_way(context)} Equations{words}: {formulas}.")
    sheet.description = " ".join(told)
    sheet.height = y - 16
    return sheet


def _way(context: NodeContext) -> str:
    """Inputs and outputs of the node in words."""
    below = "the data" if context.from_below == "input" else context.from_below
    parts = [f"Input: {context.indexed('x_t')}, from {below}."]
    if context.drawn.states:
        states = ", ".join(context.drawn.states)
        parts.append(f"State {states}: {' '.join(context.origin)}; {' '.join(context.target)}.")
    if context.passes:
        out = context.to_above == "output"
        above = "out of the network" if out else f"to {context.to_above}"
        parts.append(f"Output: {above}.")
    return " ".join(parts)


def _legend(sheet: Sheet, y: float, gradients: bool) -> float:
    """Draw the legend of the two kinds of arrows."""
    kinds = [("incoming", "solid", "comes in"), ("outgoing", "dash", "goes out")]
    if gradients:
        kinds = [
            ("forecast", "solid", "gradients that come in"),
            ("outgoing", "dash", "gradients to be computed"),
        ]
    x = MARGIN
    for role, dash, words in kinds:
        sheet.line((x, y), (x + 34, y), role=role, dash=dash, width=2.0)
        sheet.text(x + 42, y, plain(words), 12, "start", role)
        x += 42 + width(plain(words), 12) + 26
    return y


def _equations(sheet: Sheet, y: float, context: NodeContext, gradients: bool) -> float:
    equations = backward(context) if gradients else forward(context)
    for number, formula in equations:
        if number:
            sheet.text(NUMBERS, y, plain(f"({number})"), 11.5, "start", "muted")
        label = math(formula)
        size = 14.0 if width(label, 14) < WIDTH - MARGIN - FORMULAS else 12.5
        sheet.text(FORMULAS, y, label, size, "start")
        y += 22
    for note in _notes(context, gradients):
        sheet.text(FORMULAS, y, plain(note), 11.5, "start", "muted")
        y += 18
    return y


def _notes(context: NodeContext, gradients: bool) -> list[str]:
    layer = context.drawn.layer
    notes: list[str] = []
    if gradients and context.direction.leaves & {"b", "b_time", "b_hn"}:
        notes.append("The gradient of a bias is summed over the rows of the batch.")
    if not isinstance(layer, Recurrent):
        return notes
    if "b_time" in context.direction.leaves and not context.time_bias:
        notes.append("At the first step b_time is absent (B1, where e_t = 0).")
    if layer.recurrent_dropout:
        notes.append(
            f"In training, dropout ({layer.recurrent_dropout:g}) acts on the state before W_h."
        )
    if layer.dropout:
        notes.append(f"In training, dropout ({layer.dropout:g}) acts on the input before W_x.")
    if not context.passes:
        notes.append(f"Only its h at t = {context.end} goes to the layer above.")
    if gradients and len(layer.cell.gates) > 1:
        notes.append("The letter d before a name is dL/d of it.")
    return notes


def _parameters(sheet: Sheet, y: float, context: NodeContext) -> float:
    """Write names and shapes of the parameters, in as many columns as fit."""
    texts = [" ".join(parameter(name, shape)) for name, shape in context.direction.params]
    if not texts:
        return y
    wide = max(width(code(text), NAMES) for text in texts) + 24
    columns = max(1, int((WIDTH - 2 * MARGIN) // wide))
    for number, text in enumerate(texts):
        row, column = divmod(number, columns)
        label = code(shorten(text, WIDTH - 2 * MARGIN, NAMES, "code"))
        sheet.text(MARGIN + column * wide, y + 16 * row, label, NAMES, "start")
    return y + 16 * (-(-len(texts) // columns))
