"""Lengths and masks: both ways, and what is refused."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.masks import check_lengths, check_mask, lengths_from_mask, mask_from_lengths
from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_lengths_and_masks_are_inverse(lengths):
    mask = mask_from_lengths(lengths, 9)
    assert mask.shape == (len(lengths), 9)
    np.testing.assert_array_equal(mask.sum(axis=1), lengths)
    np.testing.assert_array_equal(lengths_from_mask(mask), lengths)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: check_lengths([1, 2], 3),
            ShapeError,
            "lengths must be of shape (3,), one for each sequence; got shape (2,).",
        ),
        (
            lambda: check_lengths([1.0, 2.0]),
            InvalidTypeError,
            "lengths must hold integers; got an array of dtype float64.",
        ),
        (
            lambda: check_lengths([1, 9], 2, 5),
            InvalidArgumentError,
            "lengths must be from 0 to 5, the steps of x; got 9 in row 1.",
        ),
        (
            lambda: check_lengths([-1]),
            InvalidArgumentError,
            "lengths must be 0 or more; got -1 in row 0.",
        ),
        (
            lambda: check_mask(np.ones((2, 3), bool), 2, 4),
            ShapeError,
            "mask must be of shape (2, 4); got shape (2, 3).",
        ),
        (
            lambda: check_mask([1, 0]),
            ShapeError,
            "mask must be of shape (N, T); got shape (2,).",
        ),
        (
            lambda: check_mask([[1, 0]]),
            InvalidTypeError,
            "mask must hold booleans, True at the steps that count; got an array of dtype int64.",
        ),
    ],
)
def test_errors_are_whole_sentences(call, error, sentence):
    with pytest.raises(error, match=f"^{re.escape(sentence)}$"):
        call()
