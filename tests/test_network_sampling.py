"""How a token is drawn: against a plain reference, one row and one token at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.network.sampling import distribution, draw, log_probabilities, uniform_numbers


def plain(p, temperature, top_k, top_p):
    """The same distribution in plain Python, from the words of the docstring."""
    weights = [value ** (1 / temperature) for value in p]
    ranking = sorted(range(len(p)), key=lambda i: (-weights[i], i))
    if top_k is not None:
        ranking = ranking[:top_k]
    if top_p is not None:
        total, kept = math.fsum(weights[i] for i in ranking), []
        for i in ranking:
            kept.append(i)
            if math.fsum(weights[j] for j in kept) >= top_p * total:
                break
        ranking = kept
    total = math.fsum(weights[i] for i in ranking)
    return [weights[i] / total if i in ranking else 0.0 for i in range(len(p))]


#: Sixteenths, so that ties are frequent and sums are exact.
rows_of_p = st.lists(st.integers(0, 8), min_size=1, max_size=7).filter(any)


@given(
    parts=rows_of_p,
    temperature=st.sampled_from([0.5, 1.0, 2.0]),
    top_k=st.none() | st.integers(1, 9),
    top_p=st.none() | st.sampled_from([1e-9, 0.125, 0.3, 0.55, 0.8, 0.97]),
)
def test_the_distribution_is_the_plain_one(parts, temperature, top_k, top_p):
    p = np.array([parts]) / sum(parts)
    with np.errstate(divide="ignore"):
        found = distribution(np.log(p), temperature, top_k, top_p)
    np.testing.assert_allclose(found[0], plain(p[0], temperature, top_k, top_p), atol=1e-15)


def test_exact_numbers_of_each_cut():
    log_p = np.log([[0.125, 0.5, 0.25, 0.125]])
    for options, want in [
        ({}, [1 / 8, 4 / 8, 2 / 8, 1 / 8]),
        ({"top_k": 1}, [0, 1, 0, 0]),
        ({"top_k": 3}, [1 / 7, 4 / 7, 2 / 7, 0]),  # of two equal tokens the first
        ({"top_k": 9}, [1 / 8, 4 / 8, 2 / 8, 1 / 8]),
        ({"top_p": 0.5}, [0, 1, 0, 0]),  # the share is reached exactly
        ({"top_p": 0.51}, [0, 2 / 3, 1 / 3, 0]),
        ({"top_p": 1.0}, [1 / 8, 4 / 8, 2 / 8, 1 / 8]),
        ({"top_k": 2, "top_p": 0.66}, [0, 1, 0, 0]),  # 0.66 of the two that are left
    ]:
        np.testing.assert_allclose(distribution(log_p, 1.0, **options)[0], want, rtol=1e-15)


def test_the_temperature_acts_before_the_cuts():
    log_p = np.log([[0.6, 0.3, 0.1]])
    # Squared: 36 : 9 : 1, so that the first has 0.78 of all.
    assert np.count_nonzero(distribution(log_p, 0.5, top_p=0.75)) == 1
    assert np.count_nonzero(distribution(log_p, 1.0, top_p=0.75)) == 2


def test_temperatures_without_end():
    log_p = np.log([[0.2, 0.5, 0.3]])
    np.testing.assert_array_equal(distribution(log_p, 1e-300), [[0, 1, 0]])
    np.testing.assert_allclose(distribution(log_p, 1e300), [[1 / 3, 1 / 3, 1 / 3]])


def test_logits_and_probabilities_are_the_same():
    z = np.random.default_rng(0).normal(size=(4, 6)) * 5
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(log_probabilities(z, True), np.log(p), rtol=1e-12)
    np.testing.assert_allclose(log_probabilities(p, False), np.log(p), rtol=1e-12)
    huge = log_probabilities(np.array([[1e300, 0.0, -np.inf]]), True)
    np.testing.assert_array_equal(huge, [[0.0, -1e300, -np.inf]])
    assert log_probabilities(np.array([[0.0, 1.0]], "float32"), False)[0, 0] == -np.inf


def test_a_token_is_drawn_where_its_share_of_the_line_is():
    q = np.array([0.0, 0.25, 0.0, 0.5, 0.25, 0.0])
    points = np.array([0.0, 0.1, 0.2499, 0.25, 0.7499, 0.75, np.nextafter(1, 0)])
    tokens = draw(np.tile(q, (len(points), 1)), points)
    assert tokens.tolist() == [1, 1, 1, 3, 3, 4, 4]


@given(parts=rows_of_p, u=st.floats(0, 1, exclude_max=True))
def test_what_has_no_probability_is_never_drawn(parts, u):
    q = np.array([parts]) / sum(parts)
    assert q[0, draw(q, np.array([u]))[0]] > 0


def test_the_shares_of_tokens_are_their_probabilities():
    q = np.array([0.1, 0.0, 0.6, 0.3])
    line = (np.arange(10_000) + 0.5) / 10_000  # every part of [0, 1) in turn, without chance
    shares = np.bincount(draw(np.tile(q, (len(line), 1)), line), minlength=4) / len(line)
    np.testing.assert_allclose(shares, q, atol=1e-4)


def test_each_row_has_random_numbers_of_its_own():
    many = uniform_numbers(3, rows=4, steps=5)
    assert many.shape == (4, 5)
    assert np.unique(many).size == 20
    for rows, steps in ((1, 5), (2, 3), (4, 2)):
        np.testing.assert_array_equal(uniform_numbers(3, rows, steps), many[:rows, :steps])
    assert not np.intersect1d(uniform_numbers(4, 4, 5), many).size


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_row_has_its_bits_in_any_batch(rows):
    z = np.random.default_rng(1).normal(size=(7, 33))
    whole = distribution(log_probabilities(z, True), 0.7, 20, 0.9)
    some = distribution(log_probabilities(z[:rows], True), 0.7, 20, 0.9)
    assert some.tobytes() == whole[:rows].tobytes()
