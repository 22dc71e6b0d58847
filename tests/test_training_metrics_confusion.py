"""The confusion matrix: counts, weights, tags, and its table."""

import re

import numpy as np
import pytest

from throughtime.errors import DataError, ShapeError
from throughtime.training.metrics import F1, Accuracy, Precision, Recall, confusion_matrix

RNG = np.random.default_rng(0)
Y = RNG.dirichlet(np.ones(3), size=(6, 5))
TRUE = RNG.integers(0, 3, size=(6, 5))
MASK = RNG.random((6, 5)) < 0.7
WEIGHTS = RNG.uniform(0.5, 2.0, size=(6, 5))


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def test_counts_by_hand():
    found = confusion_matrix([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], [0, 1, 1, 1])
    np.testing.assert_array_equal(found.counts, [[1, 0], [2, 1]])
    np.testing.assert_array_equal(np.asarray(found), found.counts)
    assert np.asarray(found, dtype=int).dtype == int
    assert found.accuracy == 0.5
    assert found.support.tolist() == [1, 3]


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_scores_are_those_of_the_metrics(mask, weights):
    found = confusion_matrix(Y, TRUE, mask, weights)
    for metric, values in ((Precision(), found.precision), (Recall(), found.recall),
                           (F1(), found.f1)):  # fmt: skip
        assert values.mean() == pytest.approx(metric(Y, TRUE, mask, weights), rel=1e-12)
    assert found.accuracy == pytest.approx(Accuracy()(Y, TRUE, mask, weights), rel=1e-12)
    assert found.counts.sum() == pytest.approx(
        (np.ones_like(WEIGHTS) if weights is None else weights)[
            MASK if mask is not None else ...
        ].sum()
    )


def test_one_output_and_rows():
    y = np.array([[0.9], [0.4], [0.6], [0.1]])
    np.testing.assert_array_equal(confusion_matrix(y, [1, 1, 0, 0]).counts, [[1, 1], [1, 1]])
    found = confusion_matrix(y, [1, 1, 0, 0], threshold=0.3)
    np.testing.assert_array_equal(found.counts, [[1, 1], [0, 2]])
    rows = confusion_matrix(Y, np.eye(3)[TRUE])
    np.testing.assert_array_equal(rows.counts, confusion_matrix(Y, TRUE).counts)


def test_predicted_classes():
    said = np.where(MASK, Y.argmax(axis=2), -1)
    truth = np.where(MASK, TRUE, -100)
    found = confusion_matrix(said, truth, MASK)
    np.testing.assert_array_equal(found.counts, confusion_matrix(Y, TRUE, MASK).counts)
    assert confusion_matrix([0, 1], [0, 1]).names == ("0", "1")
    assert confusion_matrix([0, 1], [0, 4]).counts.shape == (5, 5)
    assert confusion_matrix([0, 1], [0, 1], names=["a", "b", "c"]).counts.shape == (3, 3)


def test_a_class_that_does_not_occur():
    found = confusion_matrix([0, 0, 1], [0, 0, 0], names=["a", "b", "c"])
    assert found.precision.tolist() == [1.0, 0.0, 0.0]
    assert found.recall.tolist() == [2 / 3, 0.0, 0.0]
    assert found.f1.tolist() == [0.8, 0.0, 0.0]
    assert confusion_matrix(Y, TRUE, np.zeros((6, 5), bool)).accuracy == 0.0


def test_the_table():
    found = confusion_matrix([0, 1, 1, 0], [0, 1, 0, 0], names=["no", "<yes>"])
    assert str(found).splitlines() == [
        "true / predicted  no  <yes>  precision  recall     f1",
        "no                 2      1      1.000   0.667  0.800",
        "<yes>              0      1      0.500   1.000  0.667",
        "accuracy 0.750 of 4",
    ]
    assert "<td>&lt;yes&gt;</td><td>0</td><td>1</td><td>0.500</td>" in found._repr_html_()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: confusion_matrix(Y, TRUE, names=["a", "b"]),
            ShapeError,
            "names must hold 3 names, one for each class; got 2.",
        ),
        (
            lambda: confusion_matrix([0, -1], [0, 1]),
            DataError,
            "y_pred must hold class numbers >= 0; got -1.",
        ),
        (
            lambda: confusion_matrix([0, 1], [0, -1]),
            DataError,
            "y must be class numbers from 0 to 1; got -1 at index (1,).",
        ),
        (
            lambda: confusion_matrix(Y, TRUE, np.ones(6, bool)),
            ShapeError,
            "mask must be of shape (6, 5); got shape (6,).",
        ),
    ],
)
def test_refusals(call, error, message):
    with refuses(error, message):
        call()
