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
    state_into, state_out : tuple of float
        The same for states.
    beside : float
        Where the state for a part on the right leaves, and that of one on the left enters, below
        the upper end.
    beside_out, beside_into : float
        How far inside the box that is.
    """

    width: float
    height: float
    into: Point = (0.0, 0.0)
    out: Point = (0.0, 0.0)
    state_into: Point = (0.0, 0.0)
    state_out: Point = (0.0, 0.0)
    beside: float = 0.0
    beside_out: float = 0.0
    beside_into: float = 0.0


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


def place(levels: Levels, shapes: Sequence[Shape], top: float) -> Places:
    """Place the parts of ``levels`` below ``top``, and find the ways between them."""
    ends = _ends(levels, shapes)
    xs = _positions(levels, shapes, ends)
    legs = {wire: (xs[wire.low] + low, xs[wire.high] + high) for wire, (low, high) in ends.items()}
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
                centres[slot.part] = xs[slot], y + tall / 2
        y += tall
        if level:
            channels[level - 1] = y + EDGE
            count = 1 + max(tracks[level - 1].values(), default=-1)
            y += 2 * EDGE + TRACK * max(count - 1, 0)
    found = Places(centres, height=y)
    for way in levels.ways:
        points: list[Point] = []
        for wire in way:
            one, two = legs[wire]
            if not points:
                shape, (_, middle) = shapes[wire.low.part], centres[wire.low.part]
                dy = (shape.state_out if wire.state else shape.out)[1]
                points.append((one, middle - shape.height / 2 + dy))
            if abs(one - two) > 0.5:
                count = 1 + max(tracks[wire.low.level].values())
                track = channels[wire.low.level] + TRACK * (
                    count - 1 - tracks[wire.low.level][wire.signal]
                )
                points += [(one, track), (two, track)]
            if not wire.high.passes:
                shape, (_, middle) = shapes[wire.high.part], centres[wire.high.part]
                dy = (shape.state_into if wire.state else shape.into)[1]
                points.append((two, middle + shape.height / 2 - dy))
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
                into = [w for w in levels.wires if w.high is slot and w.state == state]
                into.sort(key=lambda wire: at[wire.low])
                dx = 0.0 if shape is None else (shape.state_into if state else shape.into)[0]
                for wire, port in zip(into, _spread(len(into), shape), strict=True):
                    highs[wire] = dx + port
                out = [w for w in levels.wires if w.low is slot and w.state == state]
                signals = list(dict.fromkeys(wire.signal for wire in out))
                signals.sort(key=lambda s: min(at[w.high] for w in out if w.signal == s))
                dx = 0.0 if shape is None else (shape.state_out if state else shape.out)[0]
                ports = dict(zip(signals, _spread(len(signals), shape), strict=True))
                for wire in out:
                    lows[wire] = dx + ports[wire.signal]
    return {wire: (lows[wire], highs[wire]) for wire in levels.wires}


def _spread(count: int, shape: Shape | None) -> list[float]:
    """``count`` places around the middle."""
    apart = 0.0 if shape is None else min(PORTS, (shape.width - 20) / max(count, 1))
    return [(k - (count - 1) / 2) * apart for k in range(count)]


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
    for sweep in range(12):
        upward = sweep % 2 == 0
        both = sweep >= 8
        order = range(len(levels.rows))
        for level in order if upward else reversed(order):
            row = levels.rows[level]
            wanted = [_wanted(levels, slot, xs, ends, upward, both) for slot in row]
            weights = [6.0 if slot.passes else 1.0 for slot in row]
            ends_ = [_width(slot, shapes) / 2 for slot in (row[0], row[-1])]
            settled = _settle(
                wanted, weights, offsets[level], MARGIN + ends_[0], WIDTH - MARGIN - ends_[1]
            )
            xs |= dict(zip(row, settled, strict=True))
    return xs


def _width(slot: Slot, shapes: Sequence[Shape]) -> float:
    return PASSING if slot.passes else shapes[slot.part].width


def _offsets(levels: Levels, row: list[Slot], shapes: Sequence[Shape]) -> list[float]:
    """The least distances of the slots of a level from its first one."""
    found = [0.0]
    for one, two in itertools.pairwise(row):
        beside = not one.passes and not two.passes and (one.part, two.part) in levels.beside
        gap = BESIDE if beside else PASSING if one.passes or two.passes else GAP
        half = (_width(one, shapes) + _width(two, shapes)) / 2
        found.append(found[-1] + half + gap)
    return found


def _wanted(
    levels: Levels,
    slot: Slot,
    xs: dict[Slot, float],
    ends: dict[Wire, Point],
    upward: bool,
    both: bool,
) -> float:
    """Where a slot would stand best: where its wires would be straight."""
    found = []
    for wire in levels.wires:
        low, high = ends[wire]
        if wire.high is slot and (upward or both):
            found.append(xs[wire.low] + low - high)
        if wire.low is slot and (not upward or both):
            found.append(xs[wire.high] + high - low)
    return sum(found) / len(found) if found else xs[slot]


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
