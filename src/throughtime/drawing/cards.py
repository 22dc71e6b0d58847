"""The cards of a graph: what each layer, input and output shows, and how large it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from throughtime.drawing.drawn_layer import DrawnLayer
from throughtime.drawing.pen import Pen
from throughtime.drawing.routes import PORTS, Shape
from throughtime.drawing.sheet import Point
from throughtime.drawing.text import Label, bold, code, plain, shorten, width, wrap
from throughtime.network import Params

#: Space around the words of a card, its least width, and the largest width of its words.
PAD, LEAST, ROOM = 11.0, 104.0, 178.0
LINE = 15.5
#: Distance of two signals whose roles stand beside them.
ROLES = 68.0
#: Space that the loop of a state takes beside a card.
LOOP = 22.0
TITLE, WORDS, NAMES = 13.0, 11.5, 11.0

Lines = list[tuple[Label, float, str]]


@dataclass(frozen=True)
class Card:
    """What all cards have: an input or an output is no more than its words.

    Attributes
    ----------
    lines : list of tuple
        The words, as (label, size, role).
    ways : int
        How many ways lead from it.
    """

    lines: Lines
    ways: int = 1

    @property
    def least(self) -> float:
        """The least width."""
        words = max(width(label, size) for label, size, _ in self.lines)
        return max(words + 4, PORTS * self.ways)

    @property
    def beyond(self) -> float:
        """The space that it needs on its right."""
        return 0.0

    @property
    def most(self) -> float:
        """The largest width that helps."""
        return self.least

    def shape(self, room: float) -> Shape:
        """The size if the card is ``room`` wide."""
        return Shape(room, LINE * len(self.lines) + 6, reach=room / 2 - 10, loose=True)

    def ground(self, pen: Pen, centre: Point, shape: Shape) -> None:
        """Draw what lies below the signals."""

    def content(self, pen: Pen, centre: Point, shape: Shape) -> None:
        """Draw what lies over the signals."""
        top = centre[1] - LINE * len(self.lines) / 2
        for number, (label, size, role) in enumerate(self.lines):
            pen.sheet.text(centre[0], top + (number + 0.5) * LINE, label, size, "middle", role)


def end_card(name: str, form: str, ways: int = 1) -> Card:
    """The card of an input or an output."""
    title = bold(shorten(name, ROOM, TITLE, "bold"))
    return Card([(title, TITLE, "ink"), (plain(form), WORDS, "muted")], ways)


@dataclass(frozen=True)
class LayerCard(Card):
    """A layer as a box with its words; a recurrent one with a loop for its state."""

    drawn: DrawnLayer = field(kw_only=True)

    @property
    def least(self) -> float:
        words = max(width(label, size) for label, size, _ in self.lines)
        roles = ROLES * len(self.drawn.roles)
        return max(LEAST, words + 2 * PAD, PORTS * self.ways, roles)

    @property
    def beyond(self) -> float:
        return LOOP if self.drawn.kind == "recurrent" else 0.0

    def shape(self, room: float) -> Shape:
        height = LINE * len(self.lines) + 2 * PAD - 4
        return Shape(
            room,
            height,
            reach=room / 2 - (34 if self.beyond else 18),
            aside=(14 - room / 2, 0.0),
            state_out=(room / 2 - 14, 0.0),
            beside=14.0,
            right=self.beyond,
            ports=ROLES if self.drawn.roles else PORTS,
        )

    def ground(self, pen: Pen, centre: Point, shape: Shape) -> None:
        draw_box(pen, centre, shape, self.drawn)
        if self.drawn.kind != "recurrent" or pen.gradients:
            return
        x, y = centre[0] + shape.width / 2, centre[1] - shape.height / 2 + 19
        for place, direction in enumerate(self.drawn.directions):
            sign, at = (-1 if direction.reverse else 1), y + 34 * place
            pen.sheet.line(
                (x, at - 7 * sign), (x + 15, at - 14 * sign), (x + LOOP - 3, at),
                (x + 15, at + 14 * sign), (x, at + 7 * sign),
                role="backtest", width=2.0, radius=11,
            )  # fmt: skip

    def content(self, pen: Pen, centre: Point, shape: Shape) -> None:
        left, top = centre[0] - shape.width / 2 + PAD, centre[1] - shape.height / 2 + PAD - 2
        put_lines(pen, self.lines, left, top)


def draw_box(pen: Pen, centre: Point, shape: Shape, drawn: DrawnLayer) -> None:
    """Draw the box of a layer, in blue if it shares its weights."""
    role = "forecast" if drawn.shared else "naive"
    pen.sheet.box(*centre, shape.width, shape.height, 8, role, "panel", 1.4)


def put_lines(pen: Pen, lines: Lines, left: float, top: float) -> None:
    """Write lines from the left; ``top`` is the upper end of the first one."""
    for number, (label, size, role) in enumerate(lines):
        pen.sheet.text(left, top + (number + 0.5) * LINE, label, size, "start", role)


def layer_card(drawn: DrawnLayer, ways: int = 1) -> LayerCard:
    """The card of a layer, from whose output ``ways`` lead."""
    lines = [*title(drawn, ROOM), *parameters(drawn), *notes(drawn, ROOM)]
    return LayerCard(lines, ways, drawn=drawn)


def title(drawn: DrawnLayer, room: float) -> Lines:
    """The name of a layer and the shape of its output."""
    lines: Lines = [
        (bold(text), TITLE, "ink")
        for text in wrap(f"{drawn.owner} {drawn.title}", room, TITLE, "bold")
    ]
    return [*lines, (plain(f"\u2192 {drawn.shape}"), WORDS, "muted")]


def parameters(drawn: DrawnLayer) -> Lines:
    """The parameters of a layer, one a line; of a shared one only its first call has them."""
    if drawn.call:
        return []
    return [
        (code(shorten(text, ROOM, NAMES, "code")), NAMES, "ink")
        for direction in drawn.directions
        for text in (f"{Params.local(name)} {shape}" for name, shape in direction.params)
    ]


def notes(drawn: DrawnLayer, room: float) -> Lines:
    """Which call of a shared layer it is, and options that are not the default."""
    lines: Lines = []
    if drawn.shared:
        words = f"call {drawn.call + 1} of {drawn.calls}, one set of weights"
        lines += [(plain(text), WORDS, "forecast") for text in wrap(words, room, WORDS)]
    for note in drawn.notes():
        lines += [(plain(text), WORDS, "muted") for text in wrap(note, room, WORDS)]
    return lines
