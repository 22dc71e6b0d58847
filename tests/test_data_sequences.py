"""Ragged to padded and back; the check that every network input goes through."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.masks import mask_from_lengths
from throughtime.data.sequences import (
    check_sequences,
    from_channels_first,
    from_nan_padded,
    is_ragged,
    pad,
    unpad,
)
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


@st.composite
def ragged(draw):
    features = draw(st.integers(1, 3))
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    return [rng.normal(size=(n, features)) for n in lengths]


@given(ragged())
def test_pad_and_unpad_are_inverse(sequences):
    x, lengths = pad(sequences)
    back = unpad(x, lengths)
    assert len(back) == len(sequences)
    for got, want in zip(back, sequences, strict=True):
        np.testing.assert_array_equal(got, want)
    assert not x[~mask_from_lengths(lengths, x.shape[1])].any()


@given(ragged())
def test_list_and_padded_array_mean_the_same(sequences):
    x, lengths = pad(sequences, length=8, value=np.nan)
    padded, mask = check_sequences(x, lengths)
    listed, listed_mask = check_sequences(sequences)
    steps = listed.shape[1]
    np.testing.assert_array_equal(padded[:, :steps], listed)
    assert not padded[:, steps:].any()
    assert mask is not None
    if listed_mask is None:
        listed_mask = np.ones(listed.shape[:2], bool)
    np.testing.assert_array_equal(mask[:, :steps], listed_mask)


def test_pad_options():
    x, lengths = pad([[1, 2], [3]], length=4, value=-1)
    assert x.dtype.kind == "i"
    assert x[..., 0].tolist() == [[1, 2, -1, -1], [3, -1, -1, -1]]
    assert lengths.dtype == np.int64
    with pytest.raises(
        ShapeError, match=exactly("length must be at least the longest sequence, 2 steps; got 1.")
    ):
        pad([[1, 2], [3]], length=1)


def test_unpad_gives_copies():
    x = np.zeros((1, 3))
    unpad(x, [2])[0][:] = 1
    assert not x.any()


def test_check_keeps_memory_when_nothing_changes():
    x = np.ones((2, 3, 1), np.float32)
    x.setflags(write=False)
    got, mask = check_sequences(x, [3, 3], dtype="float32")
    assert mask is None
    assert np.shares_memory(got, x)


def test_masked_steps_may_hold_anything_and_come_back_zero():
    x = np.ones((1, 4, 2))
    x[0, 1] = np.nan
    x[0, 3] = np.inf
    got, mask = check_sequences(x, mask=[[True, False, True, False]], dtype="float32")
    assert got[0, :, 0].tolist() == [1, 0, 1, 0]
    assert mask.tolist() == [[True, False, True, False]]
    assert np.isnan(x[0, 1]).all()


def test_lengths_and_mask_together_must_both_agree():
    _, mask = check_sequences(np.ones((1, 3, 1)), lengths=[2], mask=[[False, True, True]])
    assert mask.tolist() == [[False, True, False]]


def test_a_mask_works_with_a_list():
    _, mask = check_sequences([[1, 2, 3], [4]], mask=np.array([[1, 0, 1], [1, 1, 1]], bool))
    assert mask.tolist() == [[True, False, True], [True, False, False]]


def test_fully_masked_rows_are_allowed():
    x, mask = check_sequences(np.full((2, 2, 1), np.nan), lengths=[0, 0])
    assert not x.any()
    assert not mask.any()
    x, mask = check_sequences([np.zeros((0, 2)), np.ones((1, 2))])
    assert x.shape == (2, 1, 2)
    assert mask.tolist() == [[False], [True]]


def test_univariate_arrays_only_where_said():
    x, mask = check_sequences(np.ones((2, 5)), univariate=True, n_features=1)
    assert x.shape == (2, 5, 1)
    assert mask is None
    with pytest.raises(
        ShapeError,
        match=exactly(
            "x must have 3 axes (N, T, F); got shape (2, 5). Write x[None] for a single sequence"
            " (T, F). Write x[..., None] for a single feature."
        ),
    ):
        check_sequences(np.ones((2, 5)))


def test_object_arrays_of_arrays_are_lists():
    x = np.empty(2, dtype=object)
    x[0], x[1] = np.ones(3), np.ones(2)
    assert is_ragged(x)
    assert check_sequences(x)[0].shape == (2, 3, 1)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: check_sequences([]), DataError, "x must hold at least one sequence; got nothing."),
        (
            lambda: check_sequences(np.ones((2, 0, 1))),
            DataError,
            "x must have at least one time step; got shape (2, 0, 1).",
        ),
        (
            lambda: check_sequences(np.ones((0, 3, 1))),
            DataError,
            "x must have at least one sequence; got shape (0, 3, 1).",
        ),
        (
            lambda: check_sequences(np.ones(3)),
            ShapeError,
            "x must have 3 axes (N, T, F); got shape (3,).",
        ),
        (
            lambda: check_sequences(np.ones(3), univariate=True),
            ShapeError,
            "x must have 3 axes (N, T, F) or 2 axes (N, T); got shape (3,).",
        ),
        (
            lambda: check_sequences([1.0, 2.0]),
            ShapeError,
            (
                "x[0] must be a sequence of shape (T_i, F) or (T_i,); got the number 1.0. Wrap a"
                " single sequence in a list: [x]."
            ),
        ),
        (
            lambda: check_sequences([np.ones((1, 2, 3))]),
            ShapeError,
            "x[0] must be a sequence of shape (T_i, F) or (T_i,); got shape (1, 2, 3).",
        ),
        (
            lambda: check_sequences([np.ones((2, 0))]),
            ShapeError,
            "x[0] must have at least one feature; got shape (2, 0).",
        ),
        (
            lambda: check_sequences([np.ones((2, 3)), np.ones((2, 4))]),
            ShapeError,
            (
                "x must have the same number of features in every sequence; got 3 in x[0] and 4 in"
                " x[1]."
            ),
        ),
        (
            lambda: check_sequences([["a", "b"]]),
            DataError,
            "x[0] must hold numbers; got text.",
        ),
        (
            lambda: check_sequences([[1.0]], lengths=[1]),
            InvalidArgumentError,
            "lengths must be left out when x is a list of sequences, which has its own; got [1].",
        ),
        (
            lambda: check_sequences(np.ones((2, 3, 4)), n_features=2),
            ShapeError,
            "x must have 2 features a step, the last axis; got shape (2, 3, 4).",
        ),
        (
            lambda: check_sequences(np.ones((2, 3, 4)), n_features=1, name="X"),
            ShapeError,
            "X must have 1 feature a step, the last axis; got shape (2, 3, 4).",
        ),
        (
            lambda: check_sequences(np.array([[[1.0], [np.nan]]])),
            DataError,
            (
                "x must be finite; got nan at index (0, 1, 0). Fill missing values, or mask their"
                " steps."
            ),
        ),
        (
            lambda: check_sequences(np.array([[[1.0], [1e300]]]), dtype="float32"),
            DataError,
            (
                "x must fit into float32; got 1e+300 at index (0, 1, 0). Scale the data, or use"
                " dtype='float64'."
            ),
        ),
        (
            lambda: pad(np.ones((2, 3))),
            InvalidTypeError,
            (
                "x must be a list of arrays of shape (T_i, F); got an array of shape (2, 3) and"
                " dtype float64."
            ),
        ),
        (
            lambda: unpad(np.ones(3), [1]),
            ShapeError,
            "x must have the axes (N, T, ...); got shape (3,).",
        ),
        (
            lambda: from_nan_padded([[1.0, np.nan, 2.0]], univariate=True),
            DataError,
            (
                "x must hold NaN only after the end of a sequence; got NaN at index (0, 1, 0). Fill"
                " missing values, or mask their steps."
            ),
        ),
        (
            lambda: from_channels_first([np.ones(3)]),
            ShapeError,
            "x[0] must be of shape (F, T_i); got shape (3,).",
        ),
        (
            lambda: from_channels_first(np.ones((2, 3))),
            ShapeError,
            "x must be of shape (N, F, T); got shape (2, 3).",
        ),
    ],
)
def test_errors_are_whole_sentences(call, error, sentence):
    with pytest.raises(error, match=exactly(sentence)):
        call()


@given(ragged())
def test_nan_padded_form(sequences):
    x, lengths = pad(sequences, value=np.nan)
    got, got_lengths = from_nan_padded(x)
    np.testing.assert_array_equal(got_lengths, lengths)
    np.testing.assert_array_equal(got, pad(sequences)[0])


def test_nan_in_one_feature_is_missing_not_padding():
    x = np.ones((1, 2, 2))
    x[0, 1, 0] = np.nan
    with pytest.raises(DataError, match="only after the end"):
        from_nan_padded(x)


def test_channels_first():
    x = np.arange(24).reshape(2, 3, 4)
    assert from_channels_first(x).shape == (2, 4, 3)
    listed = from_channels_first([x[0], x[1, :, :2]])
    assert [s.shape for s in listed] == [(4, 3), (2, 3)]
    np.testing.assert_array_equal(listed[0], from_channels_first(x)[0])
