"""The network unfolded: layers from bottom to top, time steps from left to right."""

from __future__ import annotations

from dataclasses import dataclass

from throughtime.drawing.caption import Caption, bar_words, layer_caption, small_caption
from throughtime.drawing.drawn_layer import DrawnLayer, Steps, input_steps, read, shape_of
from throughtime.drawing.grid import NODE, Grid, make_grid
from throughtime.drawing.node_row import (
    ABOVE,
    BELOW,
    BETWEEN,
    NodeRow,
    band_height,
    draw_inputs,
    draw_nodes,
    draw_states,
    put_final,
)
from throughtime.drawing.pen import Pen, Signal, scripted
from throughtime.drawing.sheet import MARGIN, WIDTH, Sheet
from throughtime.drawing.text import math, plain, shorten, width
from throughtime.network import Network

GAP = 14.0
#: How far below the upper end of its rows the two directions of a layer are joined.
JOIN = 8.0
#: Space below a layer that receives a state, for the arrow of that state.
WAY = 26.0
#: Heights of the rows of the input and of the output.
ENDS = 62.0
#: Shorter names for narrow boxes.
SHORT = {"Embedding": "Embed"}


@dataclass(frozen=True)
class Band:
    """The part of the picture that belongs to one layer."""

    drawn: DrawnLayer
    caption: Caption
    top: float
    height: float

    @property
    def bottom(self) -> float:
        """The lower end."""
        return self.top + self.height


def unfolded(net: Network, columns: int, gradients: bool) -> Sheet:
    """Lay out the picture."""
    layers = read(net)
    first = input_steps(net)
    captions = [layer_caption(drawn) for drawn in layers]
    kind = "tokens" if net.topology.input_form.kind == "tokens" else ""
    shape = "(N, T)" if kind else shape_of(first, net.n_features)
    inner = small_caption("input", f"{shape} {kind}".strip())
    outer = small_caption("output", layers[-1].shape)
    grid = make_grid(layers, first, columns, max(c.width for c in [inner, outer, *captions]))

    names = ", ".join(drawn.title for drawn in layers)
    what = "gradients through time" if gradients else "unfolded in time"
    sheet = Sheet(f"{shorten(names, 600, 14)}, {what}", _words(layers, gradients))
    crossed = any(len(drawn.directions) > 1 for drawn in layers)
    pen = Pen(sheet, gradients, grid.pitch >= 92, grid.pitch >= 80 and not crossed)
    bands, foot = _bands(layers, captions)

    sheet.height = foot + ENDS
    for band in bands:
        sheet.box(WIDTH / 2, band.top + band.height / 2, WIDTH - 8, band.height, 8, None, "panel")
    signal = _input_row(sheet, grid, first, columns, foot)
    inner.put(sheet, MARGIN, foot + 12)
    node_rows: dict[int, list[NodeRow]] = {}
    for band in bands:
        signal = _layer(pen, grid, band, signal, columns, node_rows, len(layers))
        band.caption.put(sheet, MARGIN, band.top + (band.height - band.caption.height) / 2)
    for band in bands:
        if band.drawn.giver is not None:
            _hand_over(pen, grid, node_rows[band.drawn.giver], node_rows[band.drawn.index], band)
    _output_row(pen, grid, signal)
    outer.put(sheet, MARGIN, 12)
    _footer(pen, layers)
    return sheet


def _bands(layers: list[DrawnLayer], captions: list[Caption]) -> tuple[list[Band], float]:
    """The bands of all layers, the first one lowest, and the lower end of that."""
    heights = []
    for drawn, caption in zip(layers, captions, strict=True):
        if drawn.kind == "recurrent":
            need = band_height(drawn)
        elif drawn.directions[0].params and drawn.kind == "step":
            need = 14 + NODE + BELOW
        else:
            need = 76.0
        heights.append(max(need, caption.height + 14))
    bands = []
    top = ENDS
    for drawn, caption, height in reversed(list(zip(layers, captions, heights, strict=True))):
        bands.append(Band(drawn, caption, top, height))
        top += height + (GAP if drawn.receives is None else WAY + 8 * (len(drawn.directions) - 1))
    return bands[::-1], top - GAP


def _input_row(sheet: Sheet, grid: Grid, first: Steps | None, columns: int, top: float) -> Signal:
    if first is None:
        names, gap, xs = [""], False, [grid.middle]
    else:
        names, gap = first.names(columns)
        xs = list(grid.xs[: len(names)])
    y = top + 24
    for x, name in zip(xs, names, strict=True):
        sheet.text(x, y, math(scripted("x", name)), 15)
        if name:
            sheet.text(x, y + 21, math(f"t = {name}"), 11.5, role="muted")
    if gap:
        sheet.text(grid.dots, y, math("\u22ef"), 16, role="muted")
    return Signal("x", None, names, [(x, y - 11) for x in xs], gap)


def _output_row(pen: Pen, grid: Grid, signal: Signal) -> None:
    y = 22.0
    for number, (x, top) in signal.pairs():
        name = signal.names[number]
        formula = scripted("y", name)
        pen.connect((x, top), (x, y + 12), given=True)
        pen.sheet.text(x, y, math(formula), 15)
        if pen.gradients:
            pen.label(x - 14, y + 26, pen.gradient(formula), "end", "forecast")
    if signal.gap:
        pen.dots(grid.dots, y)


def _layer(
    pen: Pen,
    grid: Grid,
    band: Band,
    signal: Signal,
    columns: int,
    node_rows: dict[int, list[NodeRow]],
    count: int,
) -> Signal:
    """Draw one layer above ``signal`` and return its output."""
    drawn = band.drawn
    if drawn.kind == "recurrent":
        rows = node_rows_of(
            drawn, grid, band.bottom - (band.height - band_height(drawn)) / 2, signal
        )
        node_rows[drawn.index] = rows
        return draw_recurrent(pen, grid, rows, signal)
    layer = None if count == drawn.index + 1 else drawn.index
    if drawn.kind == "step":
        return draw_stepwise(pen, grid, band, signal, layer)
    return _bar(pen, grid, band, signal, layer, columns)


def node_rows_of(drawn: DrawnLayer, grid: Grid, bottom: float, signal: Signal) -> list[NodeRow]:
    """The rows of nodes of a recurrent layer, with all that belongs to them above ``bottom``."""
    shift = min(26.0, grid.pitch / 4) if len(drawn.directions) > 1 else 0.0
    rows = []
    for place, direction in enumerate(drawn.directions):
        xs = [x + shift * (2 * place - 1) for x, _ in signal.points]
        y = bottom - BELOW - NODE / 2 - place * (NODE + BETWEEN)
        layer = drawn.index if grid.several else None
        rows.append(NodeRow(drawn, direction, xs, signal.names, signal.gap, y, layer))
    return rows


def draw_recurrent(pen: Pen, grid: Grid, rows: list[NodeRow], signal: Signal) -> Signal:
    """Draw the nodes of a layer above ``signal`` and return its output."""
    for place, row in enumerate(rows):
        draw_inputs(pen, row, signal, -1.0 if len(rows) > 1 and place == 0 else 1.0)
    signal = _output(pen, rows, signal)
    for row in rows:
        draw_states(pen, grid, row)
    for row in rows:
        draw_nodes(pen, grid, row)
    return signal


def _output(pen: Pen, rows: list[NodeRow], signal: Signal) -> Signal:
    """Draw how two directions are joined, and return the layer's output."""
    drawn = rows[0].drawn
    steps = range(len(signal.points)) if drawn.after else [rows[0].final]
    names = [signal.names[i] for i in steps]
    layer, index = rows[0].layer, ""
    if not drawn.after:  # the output is a vector: one of the steps
        names, index = [""], "" if len(rows) > 1 else names[0]
    gap = signal.gap and drawn.after is not None
    if len(rows) == 1:
        points = [(rows[0].xs[i], rows[0].y - NODE / 2) for i in steps]
        return Signal("h", layer, names, points, gap, index)
    tops = []
    join = rows[1].y - NODE / 2 - ABOVE + JOIN
    for i in steps:
        x = (rows[0].xs[i] + rows[1].xs[i]) / 2
        for row in rows:
            own = i if drawn.after else row.final
            bend = join + 14 if drawn.after else join
            pen.connect(
                (row.xs[own], row.y - NODE / 2), (row.xs[own], bend), (x, join), back=(-5.0, 0.0)
            )
        pen.sheet.box(x, join, 7, 7, 4, None, "history")
        tops.append((x, join - 4))
    return Signal("h", layer, names, tops, gap)


def draw_stepwise(pen: Pen, grid: Grid, band: Band, signal: Signal, layer: int | None) -> Signal:
    """Draw a layer that acts on each step above ``signal`` and return its output."""
    drawn, sheet = band.drawn, pen.sheet
    leaves = drawn.directions[0].leaves
    y = band.bottom - (BELOW if leaves else 26.0) - NODE / 2
    wide = min(74.0, grid.pitch - 8)
    name = drawn.layer.kind
    if width(plain(name), 12) > wide - 6:
        name = shorten(SHORT.get(name, name), wide - 6, 12)
    points = []
    for number, (x, from_y) in signal.pairs():
        role = "forecast" if leaves else "history"
        tokens = "tokens" in drawn.layer.takes  # whole numbers, which have no gradient
        if tokens:
            sheet.line((x, from_y), (x, y + 15), role="naive" if pen.gradients else role)
        else:
            pen.connect((x, from_y), (x, y + 15), role=role)
        pen.sheet.box(x, y, wide, 30, 6)
        pen.sheet.text(x, y, plain(name), 12)
        if pen.gradients and not tokens:
            label = pen.gradient(signal.at(number))
            pen.label(x - 14, y + NODE / 2 + 14, label, "end", "outgoing")
        elif not pen.gradients:
            for line, leaf in enumerate(leaf for leaf in ("W", "g", "b") if leaf in leaves):
                label_ = math(f"{drawn.owner}.{leaf}" if pen.owners else leaf)
                pen.label(x + 6, y + NODE / 2 + 14 + 15 * line, label_, "start", "forecast")
        points.append((x, y - 15))
    if signal.gap:
        pen.dots(grid.dots, y)
    return Signal("y", layer, signal.names, points, signal.gap)


def _bar(
    pen: Pen, grid: Grid, band: Band, signal: Signal, layer: int | None, columns: int
) -> Signal:
    """Draw a layer that combines steps or makes steps, as one bar over all of them."""
    drawn = band.drawn
    y = band.top + band.height / 2
    names, gap = drawn.after.names(columns) if drawn.after else ([""], False)
    ins = signal.points[-1:] if drawn.kind == "last" else signal.points
    outs = list(grid.xs[: len(names)]) if drawn.after else [ins[-1][0]]
    if drawn.kind == "pool":
        outs = [(ins[0][0] + ins[-1][0]) / 2]
    ends = [*outs, *(x for x, _ in ins)]
    low, high = min(ends) - 30, max(ends) + 30
    words = bar_words(drawn)
    need = min(width(plain(words), 12) + 20, grid.pitch + 100)
    if high - low < need:
        low, high = (low + high - need) / 2, (low + high + need) / 2
    first = len(signal.points) - len(ins)
    for number, (x, from_y) in enumerate(ins):
        pen.connect((x, from_y), (x, y + 15))
        if pen.gradients:
            label = pen.gradient(signal.at(first + number))
            pen.label(x - 14, y + 30, label, "end", "outgoing")
    pen.sheet.box((low + high) / 2, y, high - low, 30, 6)
    words = shorten(words, high - low - 10, 12)
    pen.sheet.text((low + high) / 2, y, plain(words), 12)
    return Signal("y", layer, names, [(x, y - 15) for x in outs], gap)


def _hand_over(
    pen: Pen, grid: Grid, givers: list[NodeRow], takers: list[NodeRow], band: Band
) -> None:
    """Draw the arrows from final states to the layer that starts from them."""
    for place, (giver, taker) in enumerate(zip(givers, takers, strict=True)):
        level = band.bottom + 13 + 8 * place
        out = giver.xs[giver.final] + giver.sign * (grid.node / 2 + 1)
        side = grid.route_right if giver.sign > 0 else grid.route_left
        x = grid.right if taker.direction.reverse else grid.left
        pen.connect(
            (out, giver.y), (side, giver.y), (side, level), (x, level), (x, taker.y + 14),
            role="backtest", width=2.0, dash="dash", back=(0.0, 0.0),
        )  # fmt: skip
        put_final(pen, giver, out + giver.sign * 6)


def _footer(pen: Pen, layers: list[DrawnLayer]) -> None:
    sheet = pen.sheet
    y = sheet.height + 8
    lines = []
    recurrent = any(drawn.kind == "recurrent" for drawn in layers)
    if pen.gradients:
        words = "Dashed arrows carry gradients: from the loss down, and back in time."
        lines.append(words if pen.long else f"{words} A d before a name is dL/d of it.")
        if any(drawn.directions[0].params for drawn in layers):
            lines.append("The gradient of a parameter is the sum over all steps that use it.")
    else:
        lines.append("All steps of a layer, or of one of its directions, use the same parameters.")
        if any(len(drawn.directions) > 1 for drawn in layers):
            lines.append("Each direction of a bidirectional layer names them at its first step.")
        if recurrent:
            lines.append("Orange arrows carry the state from step to step.")
    for line in lines:
        sheet.text(MARGIN, y, plain(line), 11.5, "start", "muted")
        y += 16
    sheet.height = y


def _words(layers: list[DrawnLayer], gradients: bool) -> str:
    """The description of the picture."""
    parts = []
    for drawn in layers:
        text = f"Layer {drawn.label} is {drawn.title}"
        if drawn.kind == "recurrent":
            ways = [("backward" if s.reverse else "forward") for s in drawn.directions]
            text += f", which runs {' and '.join(ways)} in time"
            text += ", and passes on " + ("every step" if drawn.after else "its last step only")
        if drawn.receives is not None:
            text += f", and starts from the final state of {drawn.receives}"
        parts.append(f"{text}; its output has the shape {drawn.shape}.")
    if gradients:
        parts.append("Gradients flow from the output to the input and from later to earlier steps.")
    return " ".join(parts)
