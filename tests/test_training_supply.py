"""What each update is made from: parts, their rows, and how many updates there are."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from source_cases import CASES, LAST, Everywhere, N, X, vector

from throughtime.training.heads import check_heads
from throughtime.training.samples import check_samples
from throughtime.training.sources import Source
from throughtime.training.supply import FromData, FromSource

NET = vector()
HEADS = check_heads(NET, "mse")


def options(**changes: Any) -> Any:
    given = {"batch_size": 4, "accumulate": 1, "shards": None, "seed": 0, "shuffle": False,
             "bucket": False}  # fmt: skip
    return SimpleNamespace(**{**given, **changes})


def from_data(**changes: Any) -> FromData:
    return FromData(check_samples(NET, HEADS, X, LAST), options(**changes))


def from_source(sizes: list[int], **changes: Any) -> FromSource:
    ends = np.cumsum([0, *sizes])
    batches = [(X[a:b], LAST[a:b]) for a, b in itertools.pairwise(ends)]
    source = Source(NET, HEADS, changes.pop("given", lambda b: b)(batches), "batches", 0)
    return FromSource(source, options(**changes))


def sizes(supply: FromData | FromSource, epoch: int = 1) -> list[list[int]]:
    return [[len(part) for part in group.parts] for group in supply.groups(epoch)]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, [[4], [4], [2]]),
        ({"batch_size": None}, [[10]]),
        ({"batch_size": 99}, [[10]]),
        ({"shards": 1}, [[4], [4], [2]]),
        ({"shards": 2}, [[2, 2], [2, 2], [2]]),
        ({"shards": 3}, [[2, 2], [2, 2], [2]]),
        ({"shards": 9}, [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1]]),
        ({"accumulate": 2}, [[4, 4], [2]]),
        ({"accumulate": 5}, [[4, 4, 2]]),
        ({"accumulate": 2, "shards": 2}, [[2, 2, 2, 2], [2]]),
        ({"batch_size": None, "shards": 4}, [[3, 3, 3, 1]]),
        ({"batch_size": None, "accumulate": 4}, [[3, 3, 3, 1]]),
        ({"batch_size": 99, "shards": 4}, [[10]]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_data_are_cut_into_parts(changes, wanted):
    supply = from_data(**changes)
    assert sizes(supply) == wanted
    assert supply.count() == len(wanted)
    groups = list(supply.groups(1))
    rows = np.concatenate([own for group in groups for own in group.rows])
    np.testing.assert_array_equal(rows, np.arange(N))
    for group in groups:
        for own, part in zip(group.rows, group.parts, strict=True):
            np.testing.assert_array_equal(part.x, X[own].astype("f4"))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, [[4], [4], [2]]),
        ({"shards": 2}, [[2, 2], [2, 2], [1, 1]]),
        ({"shards": 3}, [[2, 2], [2, 2], [1, 1]]),
        ({"accumulate": 2}, [[4, 4], [2]]),
        ({"accumulate": 5}, [[4, 4, 2]]),
        ({"accumulate": 2, "shards": 2}, [[2, 2, 2, 2], [1, 1]]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_batches_are_cut_into_parts(changes, wanted):
    supply = from_source([4, 4, 2], **changes)
    assert supply.count() == len(wanted)
    assert sizes(supply) == wanted
    for group in supply.groups(1):
        assert group.rows == [None] * len(group.parts)
    unknown = from_source([4, 4, 2], given=Everywhere, **changes)
    assert unknown.count() is None
    assert sizes(unknown) == wanted
    assert unknown.count() == len(wanted)  # as many as in the epoch before


class Sized(Everywhere):
    """A loader that says how large its batches are."""

    batch_size: Any = 4


@pytest.mark.parametrize("changes", [{}, {"shards": 2}, {"shards": 3}, {"accumulate": 2},
                                     {"accumulate": 2, "shards": 2}], ids=str)  # fmt: skip
def test_a_loader_with_a_batch_size_is_cut_as_data_in_memory(changes):
    supply = from_source([4, 4, 2], given=Sized, **changes)
    assert sizes(supply) == sizes(from_data(**changes))


@pytest.mark.parametrize("size", [None, True, "4", 0, -3, 4.0], ids=str)
def test_a_batch_size_that_says_nothing(size, monkeypatch):
    monkeypatch.setattr(Sized, "batch_size", size)
    supply = from_source([4, 4, 2], given=Sized, shards=2)
    assert sizes(supply) == [[2, 2], [2, 2], [1, 1]]


def test_a_stopped_epoch_counts_nothing():
    supply = from_source([4, 4, 2], given=Everywhere)
    groups = supply.groups(1)
    next(groups)
    groups.close()
    assert supply.count() is None


def test_the_order_is_drawn_anew_for_every_epoch():
    supply = from_data(shuffle=True)
    orders = [np.concatenate([g.rows[0] for g in supply.groups(epoch)]) for epoch in (1, 2, 1)]
    np.testing.assert_array_equal(orders[0], orders[2])
    assert (orders[0] != orders[1]).any()
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(N))


def test_buckets_hold_sequences_of_similar_length():
    data = CASES["lengths"].data
    samples = check_samples(NET, HEADS, data["x"], LAST, data["lengths"])
    supply = FromData(samples, options(shuffle=True, bucket=True, batch_size=5))
    spread = [np.ptp(data["lengths"][group.rows[0]]) for group in supply.groups(3)]
    assert max(spread) <= 3
    for group in supply.groups(3):  # and are only as long as the longest
        assert group.parts[0].x.shape[1] == data["lengths"][group.rows[0]].max()


def test_later_epochs_are_renewed():
    asked = []

    def renew(epoch: int) -> Any:
        asked.append(epoch)
        return check_samples(NET, HEADS, X[:epoch], LAST[:epoch])

    supply = FromData(check_samples(NET, HEADS, X, LAST), options(), renew)
    found = []
    for epoch in (1, 2, 5):
        supply.begin(epoch)
        found.append((supply.count(), sizes(supply, epoch)))
    assert asked == [2, 5]
    assert found == [(3, [[4], [4], [2]]), (1, [[2]]), (2, [[4], [1]])]
