"""From outputs to labels: against brute force, and by hand."""

import itertools
import re

import numpy as np
import pytest
from sequence_loss_cases import collapsed

import throughtime as tt
from throughtime.data import crf_marginals, crf_viterbi, ctc_beam, ctc_greedy, edit_distance
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError

RNG = np.random.default_rng(0)
MASK = np.array([[1, 1, 0, 1, 1], [0, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
Y = np.full((2, 3, 4), 0.25)


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def all_labels(y, blank):
    """Every list of labels with the sum of the probabilities of its paths."""
    found = {}
    for path in itertools.product(range(y.shape[1]), repeat=len(y)):
        key = tuple(collapsed(path, blank))
        found[key] = found.get(key, 0.0) + np.prod([y[t, k] for t, k in enumerate(path)])
    return sorted(found.items(), key=lambda item: -item[1])


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_is_exact(blank, seed):
    y = np.random.default_rng(seed).dirichlet(np.ones(3), size=(4, 5))
    found, scores = ctc_beam(y, mask=MASK, blank=blank, width=200, best=3, return_scores=True)
    for n in range(3):
        expected = all_labels(y[n, MASK[n]], blank)[:3]
        assert [tuple(labels.tolist()) for labels in found[n]] == [key for key, _ in expected]
        np.testing.assert_allclose(np.exp(scores[n]), [p for _, p in expected], rtol=1e-12)
    assert [labels.tolist() for labels in found[3]] == [[]]  # no step, no label
    assert scores[3] == [0.0]
    one = ctc_beam(y, mask=MASK, blank=blank, width=200)
    assert [labels.tolist() for labels in one] == [each[0].tolist() for each in found]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_the_score_of_a_beam_is_at_most_the_probability(width):
    y = RNG.dirichlet(np.ones(4), size=(3, 8))
    labels, scores = ctc_beam(y, width=width, return_scores=True)
    loss = tt.losses.CTC(reduction="sum")
    for n in range(3):
        exact = -loss(y[n : n + 1], labels[n : n + 1])[0]
        assert scores[n] <= exact + 1e-12


def test_scores_are_those_of_the_loss():
    y = RNG.dirichlet(np.ones(4), size=(3, 7))
    labels, scores = ctc_beam(y, width=5000, return_scores=True)
    value, _ = tt.losses.CTC(reduction="sum")(y, labels)
    assert value == pytest.approx(-sum(scores), rel=1e-12)


def test_beams_of_certain_outputs():
    y = np.eye(3)[[[0, 1, 1, 0, 1, 2]]]
    assert ctc_beam(y)[0].tolist() == [1, 1, 2]
    assert ctc_beam(y.astype(np.float32))[0].tolist() == [1, 1, 2]
    assert ctc_beam(y.astype(int))[0].tolist() == [1, 1, 2]


def test_greedy_merges_and_removes():
    paths = [[1, 1, 0, 1, 2], [0, 0, 0, 0, 0], [2, 2, 2, 1, 1], [1, 2, 1, 2, 1]]
    y = np.eye(3)[paths]
    found = ctc_greedy(y)
    assert [labels.tolist() for labels in found] == [[1, 1, 2], [], [2, 1], [1, 2, 1, 2, 1]]
    assert all(labels.dtype == np.int64 for labels in found)
    found = ctc_greedy(y, [2, 1, 4, 0], blank=1)
    assert [labels.tolist() for labels in found] == [[], [0], [2], []]
    found = ctc_greedy(y, mask=MASK)
    assert [labels.tolist() for labels in found] == [[1, 2], [], [2, 1], []]
    assert [labels.tolist() for labels in ctc_greedy([*y[:2], y[2, :2]])] == [[1, 1, 2], [], [2]]


@pytest.mark.parametrize("seed", range(4))
def test_tags_against_all_tags(seed):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(4, 5, 9))
    tags, p = crf_viterbi(y, mask=MASK), crf_marginals(y, mask=MASK)
    assert tags.dtype == np.int64
    assert (tags[~MASK] == -1).all()
    assert not p[~MASK].any()
    for n in range(3):
        m = y[n, MASK[n]].reshape(-1, 3, 3)
        every = list(itertools.product(range(3), repeat=len(m)))
        scores = np.array(
            [sum(m[t][pair] for t, pair in enumerate(itertools.pairwise((0, *s)))) for s in every]
        )
        assert tags[n, MASK[n]].tolist() == list(every[int(scores.argmax())])
        share = np.exp(scores - scores.max())
        expected = np.zeros((len(m), 3))
        for own, w in zip(every, share / share.sum(), strict=True):
            expected[np.arange(len(m)), own] += w
        np.testing.assert_allclose(p[n, MASK[n]], expected, rtol=1e-12)


def test_tags_of_ragged_outputs():
    y = RNG.normal(size=(2, 6, 4))
    ragged = crf_viterbi([y[0], y[1, :3]])
    np.testing.assert_array_equal(ragged, crf_viterbi(y, [6, 3]))
    np.testing.assert_array_equal(ragged[1, :3], crf_viterbi(y[1:, :3])[0])
    np.testing.assert_array_equal(crf_marginals(y, [6, 3])[1, :3], crf_marginals(y[1:, :3])[0])


def test_many_sequences_are_looked_at_in_parts(monkeypatch):
    y = RNG.normal(size=(5, 6, 4))
    whole = crf_marginals(y)
    monkeypatch.setattr("throughtime.losses.crf.BLOCK", 60)
    np.testing.assert_array_equal(crf_marginals(y), whole)


def slow_distance(a, b):
    if not a or not b:
        return len(a) + len(b)
    same = slow_distance(a[1:], b[1:]) + (a[0] != b[0])
    return min(same, slow_distance(a[1:], b) + 1, slow_distance(a, b[1:]) + 1)


def test_distances_against_a_recursion():
    a = [RNG.integers(0, 3, size=n).tolist() for n in RNG.integers(0, 6, size=60)]
    b = [RNG.integers(0, 3, size=n).tolist() for n in RNG.integers(0, 6, size=60)]
    expected = [slow_distance(*pair) for pair in zip(a, b, strict=True)]
    np.testing.assert_array_equal(edit_distance(a, b), expected)
    np.testing.assert_array_equal(edit_distance(b, a), expected)
    assert not edit_distance(a, a).any()


def test_distances_by_hand():
    kitten, sitting = [[ord(c) for c in word] for word in ("kitten", "sitting")]
    assert edit_distance([kitten], [sitting]).tolist() == [3]
    padded = np.array([[1, 2, -1], [3, -1, -1]])
    assert edit_distance(padded, [[1], [3, 4, 5]]).tolist() == [1, 2]
    assert edit_distance([], []).tolist() == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ctc_greedy(Y, blank=4),
            InvalidArgumentError,
            "blank must be an integer from 0 to 3; got 4.",
        ),
        (
            lambda: ctc_beam(2 * Y + 0.6),
            DataError,
            "y must hold probabilities; got 1.1.",
        ),
        (lambda: ctc_beam(Y - 0.5), DataError, "y must hold probabilities; got -0.25."),
        (
            lambda: ctc_beam(Y, width=0),
            InvalidArgumentError,
            "width must be an integer >= 1; got 0.",
        ),
        (
            lambda: ctc_beam(Y, width=3, best=4),
            InvalidArgumentError,
            "best must be an integer from 1 to 3; got 4.",
        ),
        (
            lambda: ctc_beam(Y, return_scores=1),
            InvalidTypeError,
            "return_scores must be True or False; got 1.",
        ),
        (
            lambda: crf_viterbi(Y[..., :3]),
            ShapeError,
            "y must have K * K outputs of a step, for K tags; got 3.",
        ),
        (
            lambda: edit_distance([[1]], [[1], [2]]),
            ShapeError,
            "b must hold as many lists of labels as a, 1; got 2.",
        ),
    ],
)
def test_refusals(call, error, message):
    with refuses(error, message):
        call()
