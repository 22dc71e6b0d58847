"""Minibatches: every sample occurs once, in an order that depends on the seed alone."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.batches import count_batches, minibatches
from throughtime.errors import InvalidArgumentError, InvalidTypeError


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


@given(st.integers(1, 60), st.integers(1, 20), st.booleans(), st.booleans(), st.integers(0, 9))
def test_every_sample_exactly_once(n, batch_size, shuffle, bucket, seed):
    lengths = np.random.default_rng(seed).integers(0, 9, size=n)
    batches = list(
        minibatches(
            n,
            batch_size,
            np.random.default_rng(seed),
            shuffle=shuffle,
            lengths=lengths,
            bucket=bucket,
        )
    )
    assert len(batches) == count_batches(n, batch_size)
    assert sorted(np.concatenate(batches).tolist()) == list(range(n))
    sizes = sorted(len(batch) for batch in batches)
    assert sizes[1:] == [batch_size] * (len(batches) - 1)
    assert sizes[0] == n - batch_size * (len(batches) - 1)
    if bucket:  # the ranges of lengths of two batches meet at most in one value
        ranges = sorted((lengths[batch].min(), lengths[batch].max()) for batch in batches)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(ranges))


@pytest.mark.parametrize("bucket", [False, True])
def test_the_generator_decides(bucket):
    lengths = np.arange(50) % 7

    def draw(rng):
        return [b.tolist() for b in minibatches(50, 8, rng, lengths=lengths, bucket=bucket)]

    assert draw(np.random.default_rng(3)) == draw(np.random.default_rng(3))
    assert draw(np.random.default_rng(3)) != draw(np.random.default_rng(4))
    rng = np.random.default_rng(3)
    assert draw(rng) != draw(rng)


def test_the_generator_is_used_at_the_call():
    first, second = np.random.default_rng(0), np.random.default_rng(0)
    minibatches(9, 2, first)
    list(minibatches(9, 2, second))
    assert first.bit_generator.state == second.bit_generator.state


def test_buckets_are_shuffled_and_ties_are_too():
    lengths = np.repeat([1, 2, 3, 4], 4)
    runs = {
        tuple(
            lengths[b[0]]
            for b in minibatches(16, 4, np.random.default_rng(seed), lengths=lengths, bucket=True)
        )
        for seed in range(20)
    }
    assert len(runs) > 5
    partners = {
        frozenset(b.tolist())
        for seed in range(20)
        for b in minibatches(16, 3, np.random.default_rng(seed), lengths=lengths, bucket=True)
    }
    assert len(partners) > 10


def test_in_order_and_all_in_one():
    assert [b.tolist() for b in minibatches(3, None, shuffle=False)] == [[0, 1, 2]]
    sorted_once = minibatches(3, 2, shuffle=False, lengths=[5, 1, 3], bucket=True)
    assert [b.tolist() for b in sorted_once] == [[1, 2], [0]]


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: minibatches(0, 2, shuffle=False),
            InvalidArgumentError,
            "n must be an integer >= 1; got 0.",
        ),
        (
            lambda: minibatches(4, 0, shuffle=False),
            InvalidArgumentError,
            "batch_size must be an integer >= 1; got 0.",
        ),
        (
            lambda: minibatches(4, 2),
            InvalidTypeError,
            (
                "rng must be a numpy.random.Generator when shuffle=True; got None. Write"
                " numpy.random.default_rng(seed)."
            ),
        ),
        (
            lambda: minibatches(4, 2, shuffle=False, bucket=True),
            InvalidArgumentError,
            "lengths must be given when bucket=True; got None. Bucketing sorts by length.",
        ),
        (
            lambda: minibatches(4, 2, shuffle=1),
            InvalidTypeError,
            "shuffle must be True or False; got 1.",
        ),
    ],
)
def test_errors_are_whole_sentences_at_the_call(call, error, sentence):
    with pytest.raises(error, match=exactly(sentence)):
        call()


def test_a_batch_larger_than_any_integer_of_the_machine_is_all():
    batches = minibatches(5, 10**400, shuffle=False)
    assert [batch.tolist() for batch in batches] == [[0, 1, 2, 3, 4]]
