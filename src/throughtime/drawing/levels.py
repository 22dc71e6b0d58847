"""The levels of a graph: which parts stand side by side, and in which order.

As in Sugiyama, Tagawa and Toda (1981), IEEE Trans. SMC 11: the longest path to a part gives its
level, a link over several levels passes the ones between, and barycenters order each level so that
few links cross. The same graph always has the same levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

#: How often the levels are ordered, upward and downward.
SWEEPS = 8


@dataclass(frozen=True)
class Part:
    """A box of the picture: an input, a layer or an output.

    Attributes
    ----------
    width : float
        The least width that it needs.
    end : bool
        Whether it is an output, which stands on the highest level.
    """

    width: float
    end: bool = False


@dataclass(frozen=True)
class Link:
    """A signal from one part to another, both by number.

    Attributes
    ----------
    state : bool
        Whether it is the state of a layer, for another one to start from.
    beside : bool
        Whether the taker may stand on the same level, to the right.
    aside : bool
        Whether it ends on the left, apart from other signals, as states do.
    """

    source: int
    target: int
    state: bool = False
    beside: bool = False
    aside: bool = False


@dataclass(eq=False)
class Slot:
    """A place in a level: that of a part, or of a signal that passes the level.

    Attributes
    ----------
    part : int
        The number of the part; of a signal that passes, of the part that it comes from.
    level : int
        The level, from 0 at the bottom.
    passes : bool
        Whether it is the place of a signal.
    """

    part: int
    level: int
    passes: bool = False


@dataclass(eq=False)
class Wire:
    """The piece of a link between two levels.

    Attributes
    ----------
    low, high : Slot
        Its ends.
    state : bool
        Whether it is a state.
    aside : bool
        Whether it ends on the left.
    signal : int
        The number of the signal: wires with the same one may share their way.
    """

    low: Slot
    high: Slot
    state: bool
    aside: bool
    signal: int

    @property
    def shift(self) -> float:
        """How much further on the left it ends than others that end in the same slot."""
        return 0.001 * self.aside


@dataclass
class Levels:
    """The parts in levels, and what connects them.

    Attributes
    ----------
    rows : list of list of Slot
        The levels from bottom to top, each from left to right.
    wires : list of Wire
        The pieces of all links between levels.
    ways : list of list of Wire
        The pieces of each link, from bottom to top; none for one within a level.
    beside : list of tuple of int
        The pairs of parts with a link within a level, the second one right of the first.
    """

    rows: list[list[Slot]]
    wires: list[Wire] = field(default_factory=list)
    ways: list[list[Wire]] = field(default_factory=list)
    beside: list[tuple[int, int]] = field(default_factory=list)


def arrange(
    parts: Sequence[Part], links: Sequence[Link], room: float, gap: float, *, apart: bool
) -> Levels:
    """Place the parts, which come in an order in which sources stand before their takers.

    Parameters
    ----------
    room : float
        The largest sum of the widths of a level, with ``gap`` between two parts.
    apart : bool
        Whether every link has its own way, also where several come from one part.
    """
    level, beside = _heights(parts, links, room, gap)
    rows: list[list[Slot]] = [[] for _ in range(max(level) + 1)]
    slots = [Slot(i, at) for i, at in enumerate(level)]
    for slot in slots:
        rows[slot.level].append(slot)
    found = Levels(rows, beside=beside)
    passing: dict[tuple[object, int], Slot] = {}
    signals: dict[object, int] = {}
    pieces: dict[tuple[int, int, int], Wire] = {}
    for number, link in enumerate(links):
        key: object = number if apart else (link.source, link.state)
        signal = signals.setdefault(key, len(signals))
        way: list[Wire] = []
        low = slots[link.source]
        if (link.source, link.target) in beside and link.state:
            found.ways.append(way)
            continue
        for height in range(low.level + 1, level[link.target] + 1):
            high = slots[link.target]
            if height < high.level:
                if (key, height) not in passing:
                    passing[key, height] = Slot(link.source, height, True)
                    rows[height].append(passing[key, height])
                high = passing[key, height]
            piece = (signal, id(low), id(high))
            if piece not in pieces or not high.passes:
                pieces[piece] = Wire(low, high, link.state, link.aside or link.state, signal)
                found.wires.append(pieces[piece])
            way.append(pieces[piece])
            low = high
        found.ways.append(way)
    _order(found)
    return found


def _heights(
    parts: Sequence[Part], links: Sequence[Link], room: float, gap: float
) -> tuple[list[int], list[tuple[int, int]]]:
    """The level of each part, and the links within a level."""
    level = [0] * len(parts)
    used: dict[int, float] = {}
    beside: list[tuple[int, int]] = []
    given: set[int] = set()
    for i, part in enumerate(parts):
        if part.end:
            continue
        own = [link for link in links if link.target == i]
        near = [link for link in own if link.beside and link.source not in given]
        far = max((level[link.source] + 1 for link in own if link not in near), default=0)
        close = max((level[link.source] for link in near), default=0)
        at = max(far, close)
        while at and at in used and used[at] + part.width > room:
            at += 1
        for link in near:
            if level[link.source] == at:
                beside.append((link.source, i))
                given.add(link.source)
        level[i] = at
        used[at] = used.get(at, 0.0) + part.width + gap
    top = max(level) + 1
    return [top if part.end else at for part, at in zip(parts, level, strict=True)], beside


# -- the order in each level --------------------------------------------------------------------


def _order(levels: Levels) -> None:
    """Order the slots of each level so that few wires cross."""
    rows = levels.rows
    _keep_beside(levels)
    best, fewest = [list(row) for row in rows], _crossings(levels)
    for sweep in range(SWEEPS):
        upward = sweep % 2 == 0
        for row in rows if upward else reversed(rows):
            _sort(levels, row, upward)
        _keep_beside(levels)
        count = _crossings(levels)
        if count < fewest:
            best, fewest = [list(row) for row in rows], count
    levels.rows = best


def _places(levels: Levels) -> dict[Slot, float]:
    """Where each slot stands in its level, from 0 to 1."""
    return {slot: (k + 0.5) / len(row) for row in levels.rows for k, slot in enumerate(row)}


def _sort(levels: Levels, row: list[Slot], upward: bool) -> None:
    """Sort a level by the mean of the places of its neighbours below, or above."""
    place = _places(levels)
    near: dict[Slot, list[float]] = {slot: [] for slot in row}
    for wire in levels.wires:
        own, other = (wire.high, wire.low) if upward else (wire.low, wire.high)
        if own in near:
            near[own].append(place[other] - (0.0 if upward else wire.shift))
    mean = {slot: sum(near[slot]) / len(near[slot]) if near[slot] else place[slot] for slot in row}
    row.sort(key=lambda slot: mean[slot])


def _keep_beside(levels: Levels) -> None:
    """Put each taker of a link within its level directly behind its giver."""
    at = {slot.part: slot for row in levels.rows for slot in row if not slot.passes}
    for giver, taker in levels.beside:
        row = levels.rows[at[giver].level]
        row.remove(at[taker])
        row.insert(row.index(at[giver]) + 1, at[taker])


def _crossings(levels: Levels) -> int:
    """How many pairs of wires cross."""
    place = _places(levels)
    count = 0
    for i, one in enumerate(levels.wires):
        for two in levels.wires[:i]:
            if one.low.level == two.low.level and one.signal != two.signal:
                low = place[one.low] - place[two.low]
                high = place[one.high] - one.shift - place[two.high] + two.shift
                count += low * high < 0
    return count
