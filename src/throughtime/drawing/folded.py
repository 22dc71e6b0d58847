"""The network folded: each layer once, with the arrow of its state back to itself."""

from __future__ import annotations

from dataclasses import dataclass

from throughtime.drawing.caption import bar_words, layer_caption, small_caption
from throughtime.drawing.drawn_layer import (
    RECURRENT_WEIGHTS,
    Direction,
    DrawnLayer,
    input_steps,
    read,
    shape_of,
)
from throughtime.drawing.sheet import MARGIN, WIDTH, Sheet
from throughtime.drawing.text import math, plain, shorten, width
from throughtime.layers import Recurrent
from throughtime.network import Network

#: Radius of a unit, distance of two units, and the most units drawn of a wide layer.
UNIT, APART, MOST = 9.0, 30.0, 7
BOX = 40.0
GAP = 56.0


@dataclass(frozen=True)
class UnitRow:
    """Where the units of one layer, or of the input, are drawn."""

    xs: tuple[float, ...]
    dots: float | None
    y: float

    @property
    def middle(self) -> float:
        """The middle of all units."""
        return (self.xs[0] + self.xs[-1]) / 2


def folded(net: Network) -> Sheet:
    """Lay out the picture."""
    layers = read(net)
    captions = [layer_caption(drawn) for drawn in layers]
    first = input_steps(net)
    tokens = net.topology.input_form.kind == "tokens"
    shape = "(N, T) tokens" if tokens else shape_of(first, net.n_features)
    inner, outer = small_caption("input", shape), small_caption("output", layers[-1].shape)
    names = ", ".join(drawn.title for drawn in layers)
    sheet = Sheet(f"{shorten(names, 600, 14)}, folded", _words(layers))
    wide = max(caption.width for caption in [inner, outer, *captions])
    middle = (MARGIN + wide + 16 + WIDTH - MARGIN) / 2

    heights = [max(BOX + 24, caption.height + 14) for caption in captions]
    y = 66.0
    tops = []
    for height in reversed(heights):
        tops.append(y)
        y += height + GAP
    tops.reverse()
    foot = y - GAP

    for top, height in zip(tops, heights, strict=True):
        sheet.box(WIDTH / 2, top + height / 2, WIDTH - 8, height, 8, None, "panel")
    source = _row(1 if tokens else net.n_features, middle, foot + 48)
    rows: list[list[UnitRow]] = []
    for drawn, top, height in zip(layers, tops, heights, strict=True):
        below = rows[-1] if rows else [source]
        rows.append(_layer_rows(drawn, middle, top + height / 2, wide))
        _connect(sheet, drawn, below, rows[-1], top + height)
    _units(sheet, source, "muted")
    sheet.text(middle, foot + 78, math("x_t" if first else "x"), 15)
    inner.put(sheet, MARGIN, foot + 34)
    for drawn, own in zip(layers, rows, strict=True):
        for row, direction in zip(own, drawn.directions, strict=True):
            _layer(sheet, drawn, direction, row)
    _hand_overs(sheet, layers, rows, wide)
    for caption, top, height in zip(captions, tops, heights, strict=True):
        caption.put(sheet, MARGIN, top + (height - caption.height) / 2)
    for row in rows[-1]:
        sheet.line((row.middle, row.y - BOX / 2), (middle, 36))
    sheet.text(middle, 22, math("y_t" if layers[-1].after else "y"), 15)
    outer.put(sheet, MARGIN, 12)
    sheet.height = foot + 96
    if any(drawn.kind == "recurrent" for drawn in layers):
        words = "A loop carries the state of a layer to its next step."
        sheet.text(MARGIN, sheet.height + 8, plain(words), 11.5, "start", "muted")
        sheet.height += 26
    return sheet


def _row(units: int, middle: float, y: float, most: int = MOST) -> UnitRow:
    """Place the units of a layer; of a wide layer the first and the last ones."""
    count = min(units, most)
    apart = APART
    xs = tuple(middle + (i - (count - 1) / 2) * apart for i in range(count))
    if units <= most:
        return UnitRow(xs, None, y)
    keep = count // 2
    return UnitRow((*xs[:keep], *xs[-keep:]), middle, y)


def _layer_rows(drawn: DrawnLayer, middle: float, y: float, wide: float) -> list[UnitRow]:
    """The units of each direction."""
    if len(drawn.directions) == 1:
        return [_row(drawn.units, middle, y)]
    side = min(130.0, (WIDTH - MARGIN - wide) / 4)
    assert isinstance(drawn.layer, Recurrent)  # no other layer has two directions
    units = drawn.layer.output_units
    return [_row(units, middle - side, y, 3), _row(units, middle + side, y, 3)]


def _connect(
    sheet: Sheet, drawn: DrawnLayer, below: list[UnitRow], rows: list[UnitRow], bottom: float
) -> None:
    """Draw lines from every unit to every unit if there are weights, else one arrow."""
    start, end = below[0].y - BOX / 2, rows[0].y + BOX / 2
    middle = sum(row.middle for row in below) / len(below)
    for row, direction in zip(rows, drawn.directions, strict=True):
        weights = next((leaf for leaf in ("W_x", "W") if leaf in direction.leaves), None)
        if weights is None or drawn.kind not in ("recurrent", "step"):
            for source in below:
                sheet.line((source.middle, start), (row.middle, end), role="history")
            continue
        for one in (x for source in below for x in source.xs):
            for two in row.xs:
                sheet.line((one, start), (two, end), role="naive", width=0.8, head=False)
        for source in below:
            sheet.line((source.middle, start), (row.middle, end), role="forecast", width=1.8)
        names = f"{weights}, b" if "b" in direction.leaves else weights
        label = math(f"{drawn.owner}.{names}" if len(rows) == 1 else names)
        right = row.middle >= middle - 0.5
        y = (start + bottom) / 2
        x = middle + (row.middle - middle) * (start - y) / (start - end)
        if len(below) > 1 and len(rows) > 1:
            x, y = row.middle, end + 24
        elif len(below) > 1:  # beside both arrows
            x = max(source.middle for source in below) - 20
        sheet.text(
            x + (12 if right else -12),
            y,
            label,
            13.5,
            "start" if right else "end",
            "forecast",
            halo=True,
        )


def _units(sheet: Sheet, row: UnitRow, role: str = "ink") -> None:
    for x in row.xs:
        sheet.box(x, row.y, 2 * UNIT, 2 * UNIT, UNIT, role, "surface", 1.4)
    if row.dots is not None:
        sheet.text(row.dots, row.y, math("\u22ef"), 15, role="muted")


def _layer(sheet: Sheet, drawn: DrawnLayer, direction: Direction, row: UnitRow) -> None:
    """Draw a layer's box with its units and, if it has a state, its loop."""
    half = (row.xs[-1] - row.xs[0]) / 2 + UNIT + 10
    simple = drawn.kind in ("recurrent", "step") and direction.params
    if not simple:
        words = shorten(bar_words(drawn), 240, 12.5)
        sheet.box(row.middle, row.y, max(2 * half, width(plain(words), 12.5) + 24), BOX, 6)
        sheet.text(row.middle, row.y, plain(words), 12.5)
        return
    sheet.box(row.middle, row.y, 2 * half, BOX, BOX / 2)
    _units(sheet, row, "history")
    if drawn.kind != "recurrent":
        return
    start = row.middle + half
    out = start + 30
    low, high = row.y + 8, row.y - 8
    sheet.line(
        (start, high), (out - 8, high - 18), (out, row.y), (out - 8, low + 18), (start, low),
        role="backtest", width=2.0, radius=16,
    )  # fmt: skip
    before = "t+1" if direction.reverse else "t-1"
    names = [f"{state}_{{{before}}}" for state in drawn.states]
    prefix = f"{drawn.owner}." if len(drawn.directions) == 1 else ""
    leaves = (*RECURRENT_WEIGHTS, "b_hn", "b_time")
    names += [prefix + leaf for leaf in leaves if leaf in direction.leaves]
    for line, name in enumerate(names):
        y = row.y + 16 * (line - (len(names) - 1) / 2)
        sheet.text(out + 4, y, math(name), 13.5, "start", "backtest", halo=True)


def _hand_overs(
    sheet: Sheet, layers: list[DrawnLayer], rows: list[list[UnitRow]], wide: float
) -> None:
    """Draw the arrows from final states to the layers that start from them."""
    for drawn in layers:
        if drawn.giver is None:
            continue
        one, two = rows[drawn.giver][0], rows[drawn.index][0]
        left = MARGIN + wide + 24
        edge = [row.xs[0] - UNIT - 10 for row in (one, two)]
        sheet.line(
            (edge[0], one.y), (left, one.y), (left, two.y), (edge[1], two.y),
            role="backtest", width=2.0, dash="dash",
        )  # fmt: skip
        y = (one.y + two.y) / 2
        words = "final state" if len(rows[drawn.index]) == 1 else "final states"
        sheet.text(left + 6, y, plain(words), 11.5, "start", "backtest", halo=True)


def _words(layers: list[DrawnLayer]) -> str:
    parts = []
    for drawn in layers:
        loop = " with a loop of its state" if drawn.kind == "recurrent" else ""
        parts.append(f"Layer {drawn.label} is {drawn.title}{loop}; its output is {drawn.shape}.")
    return " ".join(parts)
