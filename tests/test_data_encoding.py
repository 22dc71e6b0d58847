"""One-hot vectors and characters: encoding and decoding."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.encoding import Vocabulary, labels, one_hot
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=5))
def test_one_hot_and_labels_are_inverse(ids):
    hot = one_hot(ids, 5)
    assert hot.shape == (len(ids), 3, 5)
    assert hot.dtype == np.float32
    np.testing.assert_array_equal(hot.sum(axis=-1), 1.0)
    np.testing.assert_array_equal(labels(hot), ids)


@given(st.text(alphabet="ACGT", max_size=20))
def test_texts_round_trip(text):
    dna = Vocabulary("ACGT")
    assert dna.decode(dna.encode(text)) == text
    (hot,) = dna.one_hot([text])
    assert hot.shape == (len(text), 4)


def test_vocabulary_from_texts():
    vocabulary = Vocabulary.from_texts(["banana", "é"])
    assert vocabulary == Vocabulary(("a", "b", "n", "é"))
    assert len(vocabulary) == 4
    assert one_hot([1]).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: one_hot([3], 3), InvalidArgumentError, "ids must be from 0 to 2; got 3."),
        (lambda: one_hot([0, -1], 3), InvalidArgumentError, "ids must be from 0 to 2; got -1."),
        (
            lambda: one_hot([0.0]),
            InvalidTypeError,
            "ids must hold integers; got an array of dtype float64.",
        ),
        (
            lambda: one_hot([]),
            InvalidArgumentError,
            "n_classes must be given when ids is empty; got None.",
        ),
        (lambda: labels(1.0), ShapeError, "scores must be of shape (..., K); got shape ()."),
        (
            lambda: Vocabulary(""),
            InvalidArgumentError,
            "symbols must hold at least one character; got nothing.",
        ),
        (
            lambda: Vocabulary("AA"),
            InvalidArgumentError,
            "symbols must be all different; got 'A' twice.",
        ),
        (
            lambda: Vocabulary(("AB",)),
            InvalidArgumentError,
            "symbols must hold single characters; got 'AB'.",
        ),
        (
            lambda: Vocabulary("ACGT").encode("ACX"),
            DataError,
            "text must be made of 'ACGT'; got 'X' at position 2.",
        ),
        (lambda: Vocabulary("A").encode(1), InvalidTypeError, "text must be a string; got 1."),
        (
            lambda: Vocabulary("A").one_hot("AA"),
            InvalidTypeError,
            "texts must be a list of strings; got 'AA'.",
        ),
        (
            lambda: Vocabulary("AB").decode([2]),
            InvalidArgumentError,
            "ids must be from 0 to 1; got 2.",
        ),
        (
            lambda: Vocabulary("AB").decode([0.5]),
            InvalidTypeError,
            "ids must hold integers; got an array of dtype float64.",
        ),
    ],
)
def test_errors_are_whole_sentences(call, error, sentence):
    with pytest.raises(error, match=exactly(sentence)):
        call()
