"""Class metrics of several independent yes/no outputs."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import DataError, InvalidTypeError
from throughtime.layers import GRU, Dense
from throughtime.training.metrics import (
    F1,
    NPV,
    Accuracy,
    BalancedAccuracy,
    Precision,
    Recall,
    Specificity,
)

RNG = np.random.default_rng(0)
Y = RNG.random((40, 3))
IS = (RNG.random((40, 3)) < [0.2, 0.5, 0.8]).astype(float)
MASK = RNG.random(40) < 0.8
WEIGHT = RNG.uniform(0.5, 2.0, size=40)
RATIOS = [Precision, Recall, Specificity, NPV, F1]


@pytest.mark.parametrize("metric", [Accuracy, BalancedAccuracy, *RATIOS])
@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_each_label_is_a_question_of_its_own(metric, threshold):
    single = metric(threshold=threshold)
    each = [single(Y[:, k : k + 1], IS[:, k], MASK, WEIGHT) for k in range(3)]
    value = metric(threshold=threshold, multilabel=True)(Y, IS, MASK, WEIGHT)
    assert value == pytest.approx(np.mean(each), rel=1e-12)


@pytest.mark.parametrize("metric", RATIOS)
def test_averages(metric):
    single = metric()
    each = [single(Y[:, k : k + 1], IS[:, k], weights=WEIGHT) for k in range(3)]
    often = WEIGHT @ IS
    value = metric(multilabel=True, average="weighted")(Y, IS, weights=WEIGHT)
    assert value == pytest.approx(np.sum(each * often) / often.sum(), rel=1e-12)
    value = metric(multilabel=True, average="micro")(Y, IS, weights=WEIGHT)
    pooled = single(Y.reshape(-1, 1), IS.reshape(-1), weights=np.repeat(WEIGHT, 3))
    assert value == pytest.approx(pooled, rel=1e-12)


def test_nothing_true_and_nothing_said():
    y, target = np.full((4, 2), 0.1), np.zeros((4, 2))
    assert Accuracy(multilabel=True)(y, target) == 1.0
    assert BalancedAccuracy(multilabel=True)(y, target) == 1.0
    for average in ("macro", "micro", "weighted"):
        assert F1(multilabel=True, average=average)(y, target) == 0.0


def test_everything_true_and_everything_said():
    y, target = np.full((4, 2), 0.9), np.ones((4, 2))
    for metric in (Accuracy, BalancedAccuracy, F1):
        assert metric(multilabel=True)(y, target) == 1.0


@pytest.mark.parametrize("metric", [Accuracy, BalancedAccuracy])
def test_a_label_at_the_threshold_is_not_said(metric):
    assert metric(multilabel=True)([[0.5, 0.5], [0.51, 0.51]], [[0, 0], [1, 1]]) == 1.0


def test_training_with_several_sigmoids():
    layers = [GRU(4), Dense(3, activation="sigmoid")]
    net = tt.Network(layers, n_features=2)
    x = RNG.normal(size=(40, 5, 2))
    metrics = [Accuracy(multilabel=True), F1(multilabel=True)]
    history = tt.train(net, x, IS, loss="bce", metrics=metrics, epochs=2, validation=(x, IS))
    right = (net.predict(x) > 0.5) == (IS == 1.0)
    assert history["val_accuracy"][-1] == pytest.approx(right.mean(), rel=1e-6)
    with pytest.raises(DataError) as caught:
        tt.train(net, x, IS, loss="bce", metrics=["accuracy"])
    assert str(caught.value) == (
        "metric 'accuracy' needs one class a step; got rows of y with several ones or none. For"
        " independent yes/no outputs write Accuracy(multilabel=True)."
    )


def test_labels_are_refused_where_they_are_seen():
    target = np.array([[1.0, 1.0], [0.0, 1.0]])
    assert Accuracy()(np.array([[0.6, 0.4], [0.3, 0.7]]), target, np.array([False, True])) == 1.0
    with pytest.raises(DataError) as caught:
        Accuracy(multilabel=True)(Y[:, :2], IS[:, :2] + 0.5)
    assert str(caught.value).startswith("y must be 0 or 1; got ")
    with pytest.raises(InvalidTypeError) as caught:
        F1(multilabel=1)
    assert str(caught.value) == "multilabel must be True or False; got 1."
