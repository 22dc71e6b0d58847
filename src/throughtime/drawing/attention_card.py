"""The card of attention, unfolded: every query looks at the steps of the values."""

from __future__ import annotations

from dataclasses import dataclass

from throughtime.drawing.cards import LINE, PAD, put_lines
from throughtime.drawing.drawn_layer import DrawnLayer, Steps
from throughtime.drawing.grid import NODE
from throughtime.drawing.pen import Pen, scripted
from throughtime.drawing.routes import Shape
from throughtime.drawing.sheet import Point
from throughtime.drawing.text import math
from throughtime.drawing.unfolded_card import (
    ABOVE,
    UNDER,
    UnfoldedCard,
    draw_branches,
    draw_rail,
)
from throughtime.layers.attention import Attention

#: Height between queries and values, and the width that the way of the query takes.
FAN, QUERY = 62.0, 56.0
#: Least distance of two columns, so that values and keys can stand beside each other.
WIDE = 88.0
#: Distance of a node from its rail.
STEP = 24.0


@dataclass(frozen=True)
class AttentionCard(UnfoldedCard):
    """Attention: the values below, what it makes of them above, and the weights between."""

    def shape(self, room: float) -> Shape:
        words = self._words(room)
        high = ABOVE + LINE * len(words) + ABOVE + self._content() + UNDER
        frame = _Frame(self, (0.0, 0.0), room, high)
        return Shape(
            room,
            high,
            ((frame.values[0] + frame.values[-1]) / 2, UNDER),
            (frame.queries[-1], frame.rail - frame.top),
            reach=(frame.values[-1] - frame.values[0]) / 2,
            rail=True,
            through=self.drawn.after is None,
            aside=(frame.left + 8, frame.bottom - frame.high),
            tail=frame.queries[0] - NODE / 2 - 1,
        )

    def content(self, pen: Pen, centre: Point, shape: Shape) -> None:
        frame = _Frame(self, centre, shape.width, shape.height)
        put_lines(pen, self._words(shape.width), frame.left, frame.top + ABOVE)
        self._weights(pen, frame)
        below = frame.low + NODE / 2
        for x, name in zip(frame.values, frame.value_names, strict=True):
            pen.connect((x, frame.foot), (x, below))
            _node(pen, (x, frame.low), scripted("v", name))
        draw_rail(pen, frame.values, frame.foot)
        above = frame.high - NODE / 2
        for x, name in zip(frame.queries, frame.query_names, strict=True):
            _node(pen, (x, frame.high), scripted("c", name))
            if self.drawn.after is not None and self.drawn.above:
                pen.connect((x, above), (x, frame.rail))
        if self.drawn.after is not None and self.drawn.above:
            draw_rail(pen, frame.queries, frame.rail)
        elif self.drawn.above:
            x = frame.queries[-1]
            pen.connect((x, above), (x, frame.rail), head=False)
            draw_branches(pen, x, frame.rail, self.ways)
        for xs, gap, y in (
            (frame.values, frame.value_gap, frame.low),
            (frame.queries, frame.query_gap, frame.high),
        ):
            if gap:
                pen.dots((xs[-2] + xs[-1]) / 2, y)
        if not pen.gradients:
            x = (frame.queries[-1] + frame.values[-1]) / 2 + 12
            pen.label(
                x,
                (frame.high + frame.low) / 2,
                math("a_ij" if self.drawn.sources[0] else "a_j"),
                "start",
                "forecast",
            )

    def _weights(self, pen: Pen, frame: _Frame) -> None:
        """Draw a line from each value to each query that looks at it."""
        layer = self.drawn.layer
        causal = isinstance(layer, Attention) and layer.causal
        role, dash = ("outgoing", "dash") if pen.gradients else ("forecast", "solid")
        for i, x in enumerate(frame.queries):
            for j, other in enumerate(frame.values):
                if causal and j > i:  # both have the same steps
                    continue
                start, end = (other, frame.low - NODE / 2), (x, frame.high + NODE / 2)
                pen.sheet.line(start, end, role=role, width=0.9, dash=dash, head=False)

    def _width(self, columns: int, pitch: float) -> float:
        count = max(len(steps.names(columns)[0]) for steps in self._both())
        return 2 * PAD + QUERY * (len(self.drawn.sources) > 1) + max(pitch, WIDE) * count + 24

    def _both(self) -> tuple[Steps, Steps]:
        """The steps of queries and values; a vector is a query of one step."""
        query, values = (
            self.drawn.sources[0],
            self.drawn.sources[min(1, len(self.drawn.sources) - 1)],
        )
        assert values is not None
        return query or Steps(1, ""), values

    def _content(self) -> float:
        return 2 * STEP + 2 * NODE + FAN

    def _free(self, room: float) -> float:
        frame = _Frame(self, (0.0, 0.0), room, 0.0)
        return frame.queries[-1] - frame.left - 12


class _Frame:
    """Where the pieces of the card are."""

    def __init__(self, card: AttentionCard, centre: Point, room: float, height: float) -> None:
        self.left = centre[0] - room / 2 + PAD
        self.top, self.bottom = centre[1] - height / 2, centre[1] + height / 2
        self.foot = self.bottom - UNDER
        self.low = self.foot - STEP - NODE / 2
        self.high = self.low - NODE - FAN
        self.rail = self.high - NODE / 2 - STEP
        queries, values = card._both()
        columns = card.shown(room)
        self.query_names, self.query_gap = queries.names(columns)
        self.value_names, self.value_gap = values.names(columns)
        if card.drawn.sources[0] is None:
            self.query_names = [""]
        begin = self.left + QUERY * (len(card.drawn.sources) > 1) + NODE / 2
        end = centre[0] + room / 2 - PAD - 24 - NODE / 2
        self.values = _spread(len(self.value_names), begin, end)
        self.queries = _spread(len(self.query_names), begin, end)


def _spread(count: int, begin: float, end: float) -> list[float]:
    if count == 1:
        return [(begin + end) / 2]
    return [begin + (end - begin) * k / (count - 1) for k in range(count)]


def _node(pen: Pen, centre: Point, formula: str) -> None:
    pen.sheet.box(*centre, NODE, NODE, NODE / 2, "ink")
    pen.sheet.text(*centre, math(formula), 13.0)


def attention_card(drawn: DrawnLayer, columns: int, ways: int) -> AttentionCard:
    """The card of an attention layer from whose output ``ways`` lead."""
    # Two steps at least: of one there is nothing to choose.
    return AttentionCard([], ways, drawn=drawn, columns=max(columns, 2))
