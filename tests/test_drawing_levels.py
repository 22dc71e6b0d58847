"""Levels of graphs, and the ways between them, on drawn graphs of all kinds."""

import itertools

import numpy as np
import pytest

from throughtime.drawing.levels import Link, Part, arrange
from throughtime.drawing.routes import GAP, Shape, place
from throughtime.drawing.sheet import MARGIN, WIDTH

SEEDS = range(40)


def drawn(seed):
    """A graph drawn by lot: its parts, its links, and whether each link has its own way."""
    rng = np.random.default_rng(seed)
    parts = [Part(float(rng.integers(60, 110))) for _ in range(rng.integers(1, 4))]
    inputs, links = len(parts), []
    for _ in range(rng.integers(2, 10)):
        me = len(parts)
        parts.append(Part(float(rng.integers(80, 160))))
        first = max(0, me - 4) if rng.random() < 0.7 else 0
        count = rng.integers(1, 4) if rng.random() < 0.5 else 1
        sources = sorted(set(rng.integers(first, me, size=count).tolist()))
        links += [Link(source, me) for source in sources]
        if me > inputs + 1 and rng.random() < 0.25:
            giver = int(rng.integers(inputs, me))
            links.append(Link(giver, me, True, bool(rng.random() < 0.6)))
    used = {link.source for link in links if not link.state}
    for part in set(range(inputs, len(parts))) - used:
        links.append(Link(part, len(parts)))
        parts.append(Part(80.0, True))
    return parts, links, bool(rng.random() < 0.4)


def laid_out(seed):
    parts, links, apart = drawn(seed)
    levels = arrange(parts, links, 430.0, GAP, apart=apart)
    shapes = [
        Shape(
            part.width,
            60.0 + 7 * (i % 5),
            reach=part.width / 2 - 34,
            aside=(14 - part.width / 2, 0),
            state_out=(part.width / 2 - 14, 0),
        )
        for i, part in enumerate(parts)
    ]
    places = place(levels, shapes, MARGIN, 7.0 * apart)
    return parts, links, levels, shapes, places


@pytest.mark.parametrize("seed", SEEDS)
def test_sources_stand_below_their_takers_and_no_level_is_too_wide(seed):
    parts, links, levels, *_ = laid_out(seed)
    level = {slot.part: slot.level for row in levels.rows for slot in row if not slot.passes}
    assert sorted(level) == list(range(len(parts)))
    for link in links:
        beside = link.state and (link.source, link.target) in levels.beside
        rise = level[link.target] - level[link.source]
        assert rise == 0 if beside else rise > 0
    top = max(level.values())
    assert all(level[i] == top for i, part in enumerate(parts) if part.end)
    for row in levels.rows[1:-1]:
        own = [parts[slot.part].width + GAP for slot in row if not slot.passes]
        assert sum(own) - GAP <= 430.0
    for giver, taker in levels.beside:
        order = [slot.part for slot in levels.rows[level[giver]] if not slot.passes]
        assert order.index(taker) == order.index(giver) + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_keep_apart_and_ways_go_around_them(seed):
    _, links, _, shapes, places = laid_out(seed)
    boxes = []
    for i, shape in enumerate(shapes):
        (x, y), w, h = places.centres[i], shape.width / 2, shape.height / 2
        boxes.append((x - w, y - h, x + w, y + h))
    for one, two in itertools.combinations(boxes, 2):
        across = min(one[2], two[2]) - max(one[0], two[0])
        down = min(one[3], two[3]) - max(one[1], two[1])
        assert across < -20 or down < 0
    for box in boxes:
        assert box[0] >= MARGIN - 0.1
        assert box[2] <= WIDTH - MARGIN + 0.1
    for link, way in zip(links, places.ways, strict=True):
        for (x1, y1), (x2, y2) in itertools.pairwise(way):
            assert abs(x1 - x2) < 0.6 or y1 == y2
            for i, box in enumerate(boxes):
                across = min(max(x1, x2), box[2] + 3) - max(min(x1, x2), box[0] - 3)
                down = min(max(y1, y2), box[3] + 3) - max(min(y1, y2), box[1] - 3)
                assert i in (link.source, link.target) or across < 0 or down < 0


def test_ways_of_different_signals_rarely_lie_on_each_other():
    bad = 0
    for seed in range(100):
        _, links, apart = drawn(seed)
        *_, places = laid_out(seed)
        pieces = [
            (k if apart else (link.source, link.state), one, two)
            for k, (link, way) in enumerate(zip(links, places.ways, strict=True))
            for one, two in itertools.pairwise(way)
        ]
        bad += any(
            one[0] != two[0] and lie_on_each_other(one[1:], two[1:])
            for one, two in itertools.combinations(pieces, 2)
        )
    assert bad <= 4


def lie_on_each_other(one, two):
    for axis in (0, 1):
        (a, b), (c, d) = (sorted(point[1 - axis] for point in piece) for piece in (one, two))
        fixed = [point[axis] for piece in (one, two) for point in piece]
        if max(fixed) - min(fixed) < 2 and min(b, d) - max(a, c) > 3:
            return True
    return False


def test_few_ways_cross():
    # Two inputs, each with two takers, listed so that the first order is the worst.
    parts = [Part(80.0)] * 2 + [Part(80.0)] * 4 + [Part(80.0, True)] * 4
    links = [Link(0, 2), Link(1, 3), Link(0, 4), Link(1, 5)]
    links += [Link(k, k + 4) for k in range(2, 6)]
    levels = arrange(parts, links, 600.0, GAP, apart=False)
    order = [slot.part for slot in levels.rows[1]]
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset({2, 4}), frozenset({3, 5})}


def test_links_of_one_signal_share_their_way_unless_they_are_apart():
    parts = [Part(80.0), Part(80.0), Part(80.0), Part(80.0), Part(80.0, True)]
    links = [Link(0, 1), Link(1, 2), Link(2, 3), Link(0, 3), Link(0, 2), Link(3, 4)]
    for apart, passing in ((False, 2), (True, 3)):
        levels = arrange(parts, links, 600.0, GAP, apart=apart)
        assert sum(slot.passes for row in levels.rows for slot in row) == passing


def test_a_part_that_is_wider_than_the_room_still_has_a_place():
    parts = [Part(80.0), Part(900.0), Part(900.0), Part(80.0, True), Part(80.0, True)]
    links = [Link(0, 1), Link(0, 2), Link(1, 3), Link(2, 4)]
    levels = arrange(parts, links, 100.0, GAP, apart=False)
    assert [len([s for s in row if not s.passes]) for row in levels.rows] == [1, 1, 1, 2]
