"""Where the parts of a graph stand, and the ways of the signals between them.

A way goes up from its part to a track between two levels, along it, and up again. Each signal has a
track of its own where it would meet another one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from throughtime.drawing.levels import Levels, Slot, Wire
from throughtime.drawing.sheet import MARGIN, WIDTH, Point

#: Width of the place of a signal that passes a level.
PASSING = 10.0
#: Least distance of two places, and of two parts with a state between them.
GAP, BESIDE = 26.0, 58.0
#: Distance of two tracks, and of the outer tracks from the levels.
TRACK, EDGE = 11.0, 17.0
#: Largest distance of two signals that enter or leave a part.
PORTS = 24.0
#: Least distance of two signals that enter a part.
CLOSE = 16.0
#: More signals between two levels are not tried in every order.
TRIED = 6


@dataclass(frozen=True)
class Shape:
    """The size of a part, and where signals enter and leave it.

    Attributes
    ----------
    width, height : float
        The size.
    into, out : tuple of float
        Where signals end and start: right of the middle, and above the lower end (``into``) or
        below the upper end (``out``).
    reach : float
        How far from there, to either side, a signal may end.
    rail : bool
        Whether signals end on a rail, where one place is as good as another; others start at the
        right end of one.
    through : bool
        Whether the way of the output goes on inside the box.
    loose : bool
        Whether the part moves to where its signals are straight: an input or an output.
    aside, state_out : tuple of float
        Where states, and other signals that end on the left, end, and where states start.
    tail : float, optional
        Where, right of the middle, a signal that ends on the left goes on to, at that height.
    ports : float
        Distance of two signals that end or start beside each other.
    state_start : float, optional
        Where, right of the middle, the way of a state begins at the height of its port.
    beside : float
        How far above the lower end a state leaves for a part on the right, or comes from the left.
    beside_into, beside_out : float
        How far inside the box that is.
    right : float
        Space on the right that the part needs outside of its box.
    """

    width: float
    height: float
    into: Point = (0.0, 0.0)
    out: Point = (0.0, 0.0)
    reach: float = 0.0
    rail: bool = False
    through: bool = False
    loose: bool = False
    aside: Point = (0.0, 0.0)
    state_out: Point = (0.0, 0.0)
    tail: float | None = None
    ports: float = PORTS
    state_start: float | None = None
    beside: float = 0.0
    beside_into: float = 0.0
    beside_out: float = 0.0
    right: float = 0.0


@dataclass
class Places:
    """Where everything stands.

    Attributes
    ----------
    centres : dict of int to tuple of float
        The middle of each part.
    ways : list of list of tuple of float
        The points of each link; none for one within a level.
    height : float
        Height of the whole.
    """

    centres: dict[int, Point]
    ways: list[list[Point]] = field(default_factory=list)
    height: float = 0.0


def place(levels: Levels, shapes: Sequence[Shape], top: float, back: float) -> Places:
    """Place the parts of ``levels`` below ``top``, and find the ways between them.

    ``back`` is the distance of a second way beside each.
    """
    track_height = TRACK + back
    ends = _ends(levels, shapes)
    xs = _positions(levels, shapes, ends)
    legs = _legs(levels, shapes, ends, xs)
    tracks = [
        _tracks([wire for wire in levels.wires if wire.low.level == level], legs)
        for level in range(len(levels.rows))
    ]
    centres: dict[int, Point] = {}
    channels: dict[int, float] = {}
    y = top
    for level in reversed(range(len(levels.rows))):
        row = levels.rows[level]
        own = [shapes[slot.part].height for slot in row if not slot.passes]
        tall = max(own, default=0.0)
        for slot in row:
            if not slot.passes:
                centres[slot.part] = xs[slot], y + tall - shapes[slot.part].height / 2
        y += tall
        if level:
            channels[level - 1] = y + EDGE + back
            count = 1 + max(tracks[level - 1].values(), default=-1)
            y += 2 * EDGE + back + track_height * max(count - 1, 0)
    found = Places(centres, height=y)
    for way in levels.ways:
        points: list[Point] = []
        for wire in way:
            one, two = legs[wire]
            if not points:
                shape, (_, middle) = shapes[wire.low.part], centres[wire.low.part]
                dy = (shape.state_out if wire.state else shape.out)[1]
                start = middle - shape.height / 2 + dy
                if wire.state and shape.state_start is not None:
                    points.append((xs[wire.low] + shape.state_start, start))
                points.append((one, start))
            if abs(one - two) > 0.5:
                count = 1 + max(tracks[wire.low.level].values())
                track = channels[wire.low.level] + track_height * (
                    count - 1 - tracks[wire.low.level][wire.signal]
                )
                points += [(one, track), (two, track)]
            if not wire.high.passes:
                shape, (_, middle) = shapes[wire.high.part], centres[wire.high.part]
                dy = (shape.aside if wire.aside else shape.into)[1]
                points.append((two, middle + shape.height / 2 - dy))
                if wire.aside and shape.tail is not None:
                    points.append((xs[wire.high] + shape.tail, points[-1][1]))
        found.ways.append(points)
    return found


def _ends(levels: Levels, shapes: Sequence[Shape]) -> dict[Wire, Point]:
    """Where each wire leaves and enters its slots, right of their middle."""
    at = {slot: k for row in levels.rows for k, slot in enumerate(row)}
    lows: dict[Wire, float] = {}
    highs: dict[Wire, float] = {}
    for row in levels.rows:
        for slot in row:
            shape = None if slot.passes else shapes[slot.part]
            for state in (False, True):
                into = [w for w in levels.wires if w.high is slot and w.aside == state]
                into.sort(key=lambda wire: at[wire.low])
                dx = 0.0 if shape is None else (shape.aside if state else shape.into)[0]
                for wire, port in zip(into, _spread(len(into), shape), strict=True):
                    highs[wire] = dx + port
                out = [w for w in levels.wires if w.low is slot and w.state == state]
                signals = list(dict.fromkeys(wire.signal for wire in out))
                signals.sort(key=lambda s: min(at[w.high] for w in out if w.signal == s))
                dx = 0.0 if shape is None else (shape.state_out if state else shape.out)[0]
                places = _spread(len(signals), shape)
                if shape is not None and shape.rail and not state:
                    places = [x - places[-1] for x in places] if places else []
                ports = dict(zip(signals, places, strict=True))
                for wire in out:
                    lows[wire] = dx + ports[wire.signal]
    return {wire: (lows[wire], highs[wire]) for wire in levels.wires}


def _spread(count: int, shape: Shape | None) -> list[float]:
    """``count`` places around the middle."""
    apart = 0.0 if shape is None else min(shape.ports, (shape.width - 20) / max(count, 1))
    return [(k - (count - 1) / 2) * apart for k in range(count)]


def _legs(
    levels: Levels, shapes: Sequence[Shape], ends: dict[Wire, Point], xs: dict[Slot, float]
) -> dict[Wire, Point]:
    """Where each wire leaves its level below and enters the one above.

    A signal that comes from below the part that takes it goes straight up.
    """
    legs = {wire: (xs[wire.low] + low, xs[wire.high] + high) for wire, (low, high) in ends.items()}
    for row in levels.rows:
        for slot in row:
            into = [w for w in levels.wires if w.high is slot and not w.aside]
            if slot.passes or not into:
                continue
            shape = shapes[slot.part]
            middle = xs[slot] + shape.into[0]
            into.sort(key=lambda wire: ends[wire][1])
            wanted = [
                legs[w][0] if shape.rail or abs(legs[w][0] - middle) <= shape.reach else legs[w][1]
                for w in into
            ]
            close = shape.ports * CLOSE / PORTS
            apart = min(close, 2 * shape.reach / len(into))
            offsets = [k * apart for k in range(len(into))]
            low, high = middle - shape.reach, middle + shape.reach
            found = _settle(wanted, [1.0] * len(into), offsets, low, high)
            for k, wire in enumerate(into):
                others = [
                    legs[w][0]
                    for w in levels.wires
                    if w.low.level == wire.low.level and w.signal != wire.signal
                ]
                found[k] = _beside(found, k, legs[wire][0], others, (low, high), close - 6.0)
                legs[wire] = legs[wire][0], found[k]
    return legs


def _beside(
    ports: list[float],
    k: int,
    start: float,
    others: list[float],
    limits: tuple[float, float],
    close: float,
) -> float:
    """Port ``k``, or one beside it, if a way that comes from below there would be in its way.

    It stays within ``limits``, and not nearer to another port than ``close``.
    """
    for shift in (0.0, 10.0, -10.0, 20.0, -20.0):
        x = ports[k] + shift
        apart = all(abs(x - port) > close for j, port in enumerate(ports) if j != k)
        free = abs(x - start) <= 0.5 or all(abs(x - other) > 7 for other in others)
        if limits[0] <= x <= limits[1] and apart and free:
            return x
    return ports[k]


# -- positions from left to right ---------------------------------------------------------------


def _positions(
    levels: Levels, shapes: Sequence[Shape], ends: dict[Wire, Point]
) -> dict[Slot, float]:
    """The middle of each slot: near its neighbours, in the order of its level."""
    xs: dict[Slot, float] = {}
    offsets = [_offsets(levels, row, shapes) for row in levels.rows]
    for row, own in zip(levels.rows, offsets, strict=True):
        shift = WIDTH / 2 - (own[0] + own[-1]) / 2
        xs |= {slot: offset + shift for slot, offset in zip(row, own, strict=True)}
    rounds = ["up", "down"] * 4 + ["both"] * 4 + ["passing"] * 2
    for number, way in enumerate(rounds):
        order = range(len(levels.rows))
        for level in reversed(order) if number % 2 else order:
            row = levels.rows[level]
            still = [
                way == "passing" and not slot.passes and not shapes[slot.part].loose for slot in row
            ]
            wanted = [
                xs[slot] if fixed else _wanted(levels, slot, shapes, xs, ends, way)
                for slot, fixed in zip(row, still, strict=True)
            ]
            weights = [1000.0 if fixed else 1.0 for fixed in still]
            low = MARGIN + _width(row[0], shapes) / 2
            high = WIDTH - MARGIN - _width(row[-1], shapes) / 2 - _right(row[-1], shapes)
            settled = _settle(wanted, weights, offsets[level], low, high)
            xs |= dict(zip(row, settled, strict=True))
    for row in levels.rows[1:]:
        _step_aside(levels, row, shapes, ends, xs)
    left = min(x - _width(slot, shapes) / 2 for slot, x in xs.items())
    right = max(x + _width(slot, shapes) / 2 + _right(slot, shapes) for slot, x in xs.items())
    return {slot: x + (WIDTH - left - right) / 2 for slot, x in xs.items()}


def _step_aside(
    levels: Levels,
    row: list[Slot],
    shapes: Sequence[Shape],
    ends: dict[Wire, Point],
    xs: dict[Slot, float],
) -> None:
    """Move signals that pass a level out of the way of others that come from below."""
    for k, slot in enumerate(row):
        if not slot.passes:
            continue
        own = [wire for wire in levels.wires if wire.high is slot]
        others = [
            xs[wire.low] + ends[wire][0]
            for wire in levels.wires
            if wire.low.level == slot.level - 1 and wire.signal != own[0].signal
        ]
        if any(abs(xs[wire.low] + ends[wire][0] - xs[slot]) <= 0.5 for wire in own):
            continue
        low, high = MARGIN, WIDTH - MARGIN
        if k:
            low = xs[row[k - 1]] + _width(row[k - 1], shapes) / 2 + _right(row[k - 1], shapes) + 8
        if k + 1 < len(row):
            high = xs[row[k + 1]] - _width(row[k + 1], shapes) / 2 - 8
        for shift in (0.0, 8.0, -8.0, 16.0, -16.0):
            x = xs[slot] + shift
            if low <= x <= high and all(abs(x - other) > 6 for other in others):
                xs[slot] = x
                break


def _width(slot: Slot, shapes: Sequence[Shape]) -> float:
    return PASSING if slot.passes else shapes[slot.part].width


def _right(slot: Slot, shapes: Sequence[Shape]) -> float:
    return 0.0 if slot.passes else shapes[slot.part].right


def _offsets(levels: Levels, row: list[Slot], shapes: Sequence[Shape]) -> list[float]:
    """The least distances of the slots of a level from its first one."""
    found = [0.0]
    for one, two in itertools.pairwise(row):
        beside = not one.passes and not two.passes and (one.part, two.part) in levels.beside
        gap = BESIDE if beside else PASSING if one.passes or two.passes else GAP
        half = (_width(one, shapes) + _width(two, shapes)) / 2
        found.append(found[-1] + half + gap + _right(one, shapes))
    return found


def _wanted(
    levels: Levels,
    slot: Slot,
    shapes: Sequence[Shape],
    xs: dict[Slot, float],
    ends: dict[Wire, Point],
    way: str,
) -> float:
    """Where a slot would stand best: where its wires would be straight."""
    below, above = [], []
    for wire in levels.wires:
        if slot not in (wire.low, wire.high):
            continue
        low, high = ends[wire]
        loose = wire.low is slot and not slot.passes and shapes[slot.part].loose
        off = xs[wire.low] + low - xs[wire.high] - high
        if not (loose or wire.high.passes or wire.aside) and shapes[wire.high.part].rail:
            reach = shapes[wire.high.part].reach
            off -= max(-reach, min(reach, off))
        if wire.high is slot:
            below.append(off)
        else:
            above.append(-off)
    moves = {"up": below, "down": above, "both": below + above, "passing": below or above}[way]
    return xs[slot] + (sum(moves) / len(moves) if moves else 0.0)


def _settle(
    wanted: list[float], weights: list[float], offsets: list[float], low: float, high: float
) -> list[float]:
    """The positions nearest to ``wanted`` that keep the distances of ``offsets``.

    They are the solution of an isotonic regression, found by pooling neighbours that violate it.
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, count = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, heavy, members = pools.pop()
            mean = (mean * total + other * heavy) / (total + heavy)
            total, count = total + heavy, count + members
        pools.append((mean, total, count))
    free = [mean for mean, _, count in pools for _ in range(count)]
    last = high - offsets[-1]
    return [max(low, min(last, x)) + offset for x, offset in zip(free, offsets, strict=True)]


# -- tracks between two levels ------------------------------------------------------------------


@dataclass(frozen=True)
class _Run:
    """What one signal does between two levels: where it comes from below, and where it goes up."""

    signal: int
    below: tuple[float, ...]
    above: tuple[float, ...]

    @property
    def low(self) -> float:
        return min(self.below + self.above)

    @property
    def high(self) -> float:
        return max(self.below + self.above)

    def covers(self, x: float) -> bool:
        """Whether the track passes ``x``."""
        return self.low - 4 < x < self.high + 4


def _tracks(wires: list[Wire], legs: dict[Wire, Point]) -> dict[int, int]:
    """The number of the track of each signal, from 0 at the bottom; straight ones have none."""
    runs = []
    for signal in dict.fromkeys(wire.signal for wire in wires):
        own = [legs[wire] for wire in wires if wire.signal == signal]
        if any(abs(one - two) > 0.5 for one, two in own):
            runs.append(_Run(signal, tuple(x for x, _ in own), tuple(x for _, x in own)))
    runs.sort(key=lambda run: (run.low, run.high, run.signal))
    best: tuple[_Run, ...] = tuple(runs)
    if len(runs) <= TRIED:
        best = min(itertools.permutations(runs), key=_cost)
    tracks: dict[int, int] = {}
    for k, run in enumerate(best):
        meets = [
            tracks[other.signal]
            for other in best[:k]
            if other.low - 8 < run.high and run.low < other.high + 8
        ]
        tracks[run.signal] = 1 + max(meets, default=-1)
    return tracks


def _cost(order: Sequence[_Run]) -> float:
    """How bad an order of tracks is: ways on top of each other, then ways that cross."""
    return sum(_between(low, high) for low, high in itertools.combinations(order, 2))


def _between(low: _Run, high: _Run) -> float:
    """What it costs that one signal has a lower track than another one."""
    cost = 0.0
    for x in high.below:  # the way up to the higher track passes the lower one
        cost += low.covers(x)
        cost += 100 * sum(abs(x - other) < 6 for other in low.above)
    return cost + sum(high.covers(x) for x in low.above)
