"""AUC and top-k accuracy: against all pairs, ties, weights, classes that do not occur."""

import math
import re

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError
from throughtime.training.metrics import AUC, TopKAccuracy

RNG = np.random.default_rng(0)


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def by_pairs(y, truth, weight):
    """The area of one class, pair by pair."""
    total = right = 0.0
    for a in np.flatnonzero(truth):
        for b in np.flatnonzero(~truth):
            total += weight[a] * weight[b]
            right += weight[a] * weight[b] * ((y[a] > y[b]) + 0.5 * (y[a] == y[b]))
    return right / total


@pytest.mark.parametrize("average", ["macro", "weighted"])
@pytest.mark.parametrize("kind", ["binary", "classes", "labels"])
def test_area_by_pairs(kind, average):
    y = RNG.integers(0, 6, size=(40, 1 if kind == "binary" else 3)) / 6.0  # with ties
    weight = RNG.uniform(0.2, 2.0, size=40)
    target = RNG.integers(0, 3 if kind == "classes" else 2, size=40)
    truth = {
        "binary": target[:, None] == 1,
        "classes": target[:, None] == np.arange(3),
        "labels": RNG.random((40, 3)) < 0.4,
    }[kind]
    areas = [by_pairs(y[:, k], truth[:, k], weight) for k in range(y.shape[1])]
    size = weight @ truth if average == "weighted" else np.ones(y.shape[1])
    metric = AUC(average=average, multilabel=kind == "labels")
    value = metric(y, truth * 1 if kind == "labels" else target, None, weight)
    assert value == pytest.approx(np.average(areas, weights=size), rel=1e-12)


def test_two_probabilities_are_one():
    p = RNG.random(30)
    target = RNG.integers(0, 2, size=30)
    both = AUC()(np.stack((1 - p, p), axis=1), target)
    assert both == pytest.approx(AUC()(p[:, None], target), rel=1e-12)


def test_order_alone_counts():
    y, target = RNG.normal(size=(50, 1)), RNG.integers(0, 2, size=50)
    value = AUC()(y, target)
    assert AUC()(np.exp(3 * y), target) == value
    assert AUC()(-y, target) == pytest.approx(1.0 - value, rel=1e-12)


def test_classes_that_do_not_occur():
    y = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]])
    assert AUC()(y, [0, 1, 0]) == 1.0
    assert math.isnan(AUC()(y, [1, 1, 1]))
    assert math.isnan(AUC()([[0.5], [0.7]], [1, 1]))


def test_names_and_columns():
    assert AUC().name == "auc"
    assert AUC(average="weighted").name == "auc_weighted"
    assert TopKAccuracy(3).name == "top_3_accuracy"
    assert tt.metrics.get("roc_auc") == AUC()
    net = tt.Network([tt.layers.GRU(3), tt.layers.Dense(3, activation="softmax")], n_features=1)
    x, y = RNG.normal(size=(9, 4, 1)), np.arange(9) % 3
    metrics = ["auc", TopKAccuracy(2)]
    history = tt.train(net, x, y, loss="cce", metrics=metrics, epochs=1, verbose=False)
    assert 0.0 <= history["auc"][-1] <= 1.0
    assert 0.0 <= history["top_2_accuracy"][-1] <= 1.0
    assert tt.evaluate(net, x, y).keys() == {"loss", "auc", "top_2_accuracy"}


def test_ties_among_the_largest():
    y = np.array([[0.2, 0.4, 0.4, 0.0]])
    values = [[TopKAccuracy(k)(y, [c]) for c in range(4)] for k in (1, 2, 3, 4, 5)]
    assert values == [[0, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: TopKAccuracy(0), InvalidArgumentError, "k must be an integer >= 1; got 0."),
        (
            lambda: AUC(average="micro"),
            InvalidArgumentError,
            "average must be one of 'macro', 'weighted'; got 'micro'. Did you mean 'macro'?",
        ),
        (
            lambda: AUC(multilabel=2),
            InvalidTypeError,
            "multilabel must be True or False; got 2.",
        ),
        (
            lambda: AUC()(np.ones((2, 3)), [[1, 1, 0], [0, 0, 1]]),
            DataError,
            (
                "metric 'auc' needs one class a step; got rows of y with several ones or none. For"
                " independent yes/no outputs write AUC(multilabel=True)."
            ),
        ),
        (
            lambda: TopKAccuracy()(np.ones((2, 1)), [0, 1]),
            InvalidArgumentError,
            (
                "loss 'categorical_crossentropy' needs at least 2 outputs, one a class; got 1."
                " Use 'binary_crossentropy' for a single yes/no output."
            ),
        ),
    ],
)
def test_refusals(make, error, message):
    with refuses(error, message):
        make()
