"""A graph, folded or unfolded: a card for each layer, and the signals between them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from throughtime.drawing.attention_card import AttentionCard, attention_card
from throughtime.drawing.cards import Card, end_card, layer_card
from throughtime.drawing.drawn_layer import DrawnLayer, input_words, output_words, read
from throughtime.drawing.levels import Levels, Link, Part, Slot, arrange
from throughtime.drawing.pen import Pen
from throughtime.drawing.routes import BESIDE, GAP, PASSING, Places, Shape, place
from throughtime.drawing.sheet import MARGIN, WIDTH, Point, Sheet
from throughtime.drawing.text import plain, shorten
from throughtime.drawing.unfolded_card import THICK, UnfoldedCard
from throughtime.errors import InvalidArgumentError, sentence
from throughtime.layers.forms import Form
from throughtime.network import Network

#: Distance of the way back of a gradient.
BACK = 7.0
#: Width of a picture without its margins.
ROOM = WIDTH - 2 * MARGIN


def graph(net: Network, columns: int | None, gradients: bool) -> Sheet:
    """Lay out the picture: unfolded with at most ``columns`` columns, or folded with None."""
    layers = read(net)
    names = ", ".join(drawn.title for drawn in layers)
    what = "gradients through time" if gradients else "unfolded in time"
    sheet = Sheet(
        f"{shorten(names, 600, 14)}, {'folded' if columns is None else what}",
        _words(net, layers, gradients),
    )
    pen = Pen(sheet, gradients, False, False, owners=False)
    cards, links, forms = _graph(net, layers, columns, gradients)
    levels = _levels(cards, links, len(cards) - len(net.plan.signals), gradients)
    shapes = _shapes(cards, levels)
    places = place(levels, shapes, MARGIN, BACK if gradients else 0.0)
    sheet.height = places.height
    for card, shape, part in zip(cards, shapes, range(len(cards)), strict=True):
        card.ground(pen, places.centres[part], shape)
    for link, way, form in zip(links, places.ways, forms, strict=True):
        if way:
            out = link.target >= len(cards) - len(net.plan.signals)
            _draw_way(pen, way, form, link, out, shapes[link.source].through and not link.state)
        else:
            _draw_beside(pen, places, shapes, link)
    for drawn in layers:
        part = len(net.plan.forms) + drawn.index
        _put_roles(sheet, drawn, part, links, places, shapes[part])
    for card, shape, part in zip(cards, shapes, range(len(cards)), strict=True):
        card.content(pen, places.centres[part], shape)
    _footer(sheet, layers, forms, columns, gradients)
    return sheet


def _graph(
    net: Network, layers: list[DrawnLayer], columns: int | None, apart: bool
) -> tuple[list[Card], list[Link], list[Form | None]]:
    """The cards, the links between them, and what each link carries; None for a state."""
    topology, plan = net.topology, net.plan
    cards = [
        end_card(input_words(topology.label(k)), _shown(form), _takers(net, k) if apart else 1)
        for k, form in enumerate(topology.input_forms)
    ]
    signals = [*topology.input_forms, *topology.forms]
    links: list[Link] = []
    forms: list[Form | None] = []
    for i, (drawn, call) in enumerate(zip(layers, plan.calls, strict=True)):
        number = len(plan.forms) + i
        cards.append(_card(drawn, columns, max(len(drawn.above), 1) if apart else 1))
        for k, s in enumerate(call.sources):
            links.append(Link(s, number, aside=_aside(cards[-1], k)))
            forms.append(signals[s])
        if isinstance(call.state, int):
            links.append(Link(len(plan.forms) + call.state, number, True, _forward(drawn)))
            forms.append(None)
        for s in call.state if isinstance(call.state, tuple) else ():
            links.append(Link(s, number, True))
            forms.append(None)
    for k, signal in enumerate(plan.signals):
        words = output_words(net, signal)
        own = [s for s in plan.signals[:k] if s == signal]
        cards.append(end_card(words[len(own)], _shown(signals[signal])))
        links.append(Link(signal, len(cards) - 1))
        forms.append(signals[signal])
    return cards, links, forms


def _takers(net: Network, signal: int) -> int:
    """How many calls take a signal."""
    states = [call.state for call in net.plan.calls if isinstance(call.state, tuple)]
    sources = [call.sources for call in net.plan.calls]
    return sum(own.count(signal) for own in (*sources, *states))


def _card(drawn: DrawnLayer, columns: int | None, ways: int) -> Card:
    """The card of a layer, unfolded if it has steps and we know what it does at each."""
    weights = any(direction.params for direction in drawn.directions)
    if columns is None or drawn.kind not in ("recurrent", "step", "attention"):
        return layer_card(drawn, ways)
    if drawn.kind == "attention":
        return attention_card(drawn, columns, ways)
    if drawn.before is None or not weights:
        return layer_card(drawn, ways)
    return UnfoldedCard([], ways, drawn=drawn, columns=columns)


def _aside(card: Card, k: int) -> bool:
    """Whether input ``k`` of a card ends on the left: the query of attention unfolded."""
    return isinstance(card, AttentionCard) and k == 0 and len(card.drawn.sources) > 1


def _forward(drawn: DrawnLayer) -> bool:
    """Whether a layer runs forward in time alone, so that its start is on its left."""
    return len(drawn.directions) == 1 and not drawn.directions[0].reverse


def _shown(form: Form) -> str:
    return str(form).replace("'", "\u2032")


# -- sizes --------------------------------------------------------------------------------------


def _levels(cards: Sequence[Card], links: list[Link], ends: int, apart: bool) -> Levels:
    """The levels, none of them wider than the picture."""
    parts = [Part(card.least + card.beyond, i >= ends) for i, card in enumerate(cards)]
    room = ROOM
    while room > 0:
        levels = arrange(parts, links, room, GAP, apart=apart)
        if all(_spare(levels, row, cards) >= 0 for row in levels.rows):
            return levels
        room -= 60
    raise InvalidArgumentError(
        sentence(
            "net",
            "fewer signals side by side, to be drawn",
            "too many for the width of a page",
            "print(net) says who feeds whom.",
            must="have",
        )
    )


def _spare(levels: Levels, row: list[Slot], cards: Sequence[Card]) -> float:
    """The width that a level leaves if each card has its least."""
    need = sum(
        PASSING if slot.passes else cards[slot.part].least + cards[slot.part].beyond for slot in row
    )
    for one, two in itertools.pairwise(row):
        beside = not one.passes and not two.passes and (one.part, two.part) in levels.beside
        need += BESIDE if beside else PASSING if one.passes or two.passes else GAP
    return ROOM - need


def _shapes(cards: Sequence[Card], levels: Levels) -> list[Shape]:
    """The sizes: cards that can be wider share what their level leaves."""
    shapes: dict[int, Shape] = {}
    for row in levels.rows:
        spare = _spare(levels, row, cards)
        own = [slot.part for slot in row if not slot.passes]
        own.sort(key=lambda part: cards[part].most - cards[part].least)
        for k, part in enumerate(own):
            more = min(cards[part].most - cards[part].least, spare / (len(own) - k))
            spare -= more
            shapes[part] = cards[part].shape(cards[part].least + more)
    return [shapes[part] for part in range(len(cards))]


# -- signals ------------------------------------------------------------------------------------


def _draw_way(
    pen: Pen, way: list[Point], form: Form | None, link: Link, out: bool, through: bool
) -> None:
    """Draw a signal, or what flows back on it."""
    thick = form is not None and form.steps is not None
    role, dash, width = ("history", "solid", THICK if thick else 1.5)
    if link.state:
        role, dash, width = "backtest", "dash", 2.0
    if not pen.gradients:
        pen.sheet.line(*way, role=role, dash=dash, width=width)
        return
    pen.sheet.line(*way, role="naive", dash=dash, width=width)
    if form is not None and form.kind == "tokens":
        return  # whole numbers, which have no gradient
    back = []
    for k, (x, y) in enumerate(way):
        flat = [abs(y - way[n][1]) < 0.1 for n in (k - 1, k + 1) if 0 <= n < len(way)]
        back.append((x - BACK * (not all(flat)), y - BACK * any(flat)))
    role, dash = ("forecast", "solid") if out else ("outgoing", "dash")
    pen.sheet.line(*reversed(back), role=role, dash=dash, width=1.6, head=not through)


def _draw_beside(pen: Pen, places: Places, shapes: list[Shape], link: Link) -> None:
    """Draw the state that goes to the layer on the right."""
    one, two = shapes[link.source], shapes[link.target]
    (x1, y1), (x2, y2) = places.centres[link.source], places.centres[link.target]
    start = (x1 + one.width / 2 - one.beside_out, y1 + one.height / 2 - one.beside)
    end = (x2 - two.width / 2 + two.beside_into, y2 + two.height / 2 - two.beside)
    middle = (x1 + one.width / 2 + x2 - two.width / 2) / 2
    way = [start, end]
    if abs(start[1] - end[1]) > 0.5:
        way = [start, (middle, start[1]), (middle, end[1]), end]
    pen.connect(*way, role="backtest", width=2.0, dash="dash", back=(0.0, BACK))
    if not pen.gradients:
        y = min(start[1], end[1]) - 9
        pen.sheet.text(middle, y, plain("state"), 11.5, role="backtest")


def _put_roles(
    sheet: Sheet,
    drawn: DrawnLayer,
    part: int,
    links: list[Link],
    places: Places,
    shape: Shape,
) -> None:
    """Write beside the inputs of a layer what each is for."""
    ways = zip(links, places.ways, strict=True)
    own = [way for link, way in ways if link.target == part and not link.state]
    for way, role in zip(own, drawn.roles, strict=False):
        tail = shape.tail is not None and role == drawn.roles[0]
        x, y = way[-2 if tail else -1][0], places.centres[part][1] + shape.height / 2
        sheet.text(x + 6, y + 7, plain(role), 11, "start", "muted", halo=True)


def _footer(
    sheet: Sheet,
    layers: list[DrawnLayer],
    forms: list[Form | None],
    columns: int | None,
    gradients: bool,
) -> None:
    lines = []
    kinds = {form.steps is None for form in forms if form is not None}
    if len(kinds) == 2:
        lines.append("Thick lines carry all steps of a sequence, thin ones a vector.")
    if any(drawn.shared for drawn in layers):
        lines.append("Blue boxes with the same name share one set of weights.")
    recurrent = any(drawn.kind == "recurrent" for drawn in layers)
    if gradients:
        lines.append("Dashed arrows carry gradients: from the loss down, and back in time.")
        lines.append("A d before a name is dL/d of it.")
        lines.append(
            "Gradients add where a signal has several takers, and over all uses of a parameter."
        )
    elif columns is None:
        if recurrent:
            lines.append("A loop carries the state of a layer to its next step.")
    else:
        if any(drawn.kind == "attention" for drawn in layers):
            lines.append("Thin blue lines are weights: how much a query looks at each step.")
        if recurrent:
            lines.append(
                "Orange arrows carry the state from step to step, and from layer to layer."
            )
    sheet.height += 14
    for line in lines:
        sheet.height += 16
        sheet.text(MARGIN, sheet.height - 8, plain(line), 11.5, "start", "muted")
    sheet.height += 8


def _words(net: Network, layers: list[DrawnLayer], gradients: bool) -> str:
    """The description of the picture."""
    parts = []
    for drawn in layers:
        text = f"Layer {drawn.label} is {drawn.title}, on {' and '.join(drawn.below)}"
        if drawn.roles:
            text += f" as its {' and '.join(drawn.roles)}"
        if drawn.call:
            text += f", with the parameters of layer {drawn.owner}"
        if drawn.receives is not None:
            what = "the final state of " if drawn.giver is not None else ""
            text += f", and starts from {what}{drawn.receives}"
        parts.append(f"{text}; its output has the shape {drawn.shape}.")
    for signal in dict.fromkeys(net.plan.signals):
        words = " and ".join(output_words(net, signal))
        source = net.topology.label(signal)
        parts.append(f"The {words} is that of layer {source}.")
    if gradients:
        parts.append(
            "Gradients flow from the outputs to the inputs and from later to earlier steps."
        )
    return " ".join(parts)
