"""Every metric: values by hand, masks and weights, the value of 0/0, refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.training import metrics
from throughtime.training.metrics import (
    AUC,
    F1,
    MAE,
    MASE,
    METRICS,
    MSE,
    NPV,
    R2,
    RMSE,
    SMAPE,
    Accuracy,
    BalancedAccuracy,
    FunctionMetric,
    Metric,
    Perplexity,
    Precision,
    Recall,
    SequenceMetric,
    Specificity,
    TopKAccuracy,
)
from throughtime.training.metrics.classification import ClassMetric, OfClasses

# Six steps, three classes: predicted are 0 three times (2 correct), 1 once (wrong), 2 twice
# (correct).
TRUE = np.array([0, 0, 1, 2, 2, 0])
SAID = np.array([0, 1, 0, 2, 2, 0])
SCORES = np.full((6, 3), 0.25)
SCORES[np.arange(6), SAID] = 0.5
RANKED = SCORES.copy()
RANKED[2] = [0.5, 0.2, 0.3]  # the true class, 1, is the last one
# TP 2 0 2, FP 1 1 0, FN 1 1 0, TN 2 4 4

# Eight steps of yes or no: TP 3, FP 1, FN 2, TN 2.
YES = np.array([[0.9], [0.8], [0.7], [0.6], [0.5], [0.4], [0.2], [0.1]])
IS = np.array([1, 1, 1, 0, 1, 1, 0, 0])

NUMBERS = np.array([[1.0, 10.0], [2.0, 20.0], [6.0, 30.0]])
MEANT = np.array([[1.0, 12.0], [4.0, 18.0], [4.0, 33.0]])
# errors 0 -2 2 and -2 2 -3

CASES = {
    "accuracy": [(Accuracy(), SCORES, TRUE, 4 / 6), (Accuracy(), YES, IS, 5 / 8)],
    "balanced_accuracy": [
        (BalancedAccuracy(), SCORES, TRUE, (2 / 3 + 0 + 1) / 3),
        (BalancedAccuracy(), YES, IS, (3 / 5 + 2 / 3) / 2),
    ],
    "precision": [
        (Precision(), SCORES, TRUE, (2 / 3 + 0 + 1) / 3),
        (Precision(average="weighted"), SCORES, TRUE, (3 * 2 / 3 + 0 + 2 * 1) / 6),
        (Precision(average="micro"), SCORES, TRUE, 4 / 6),
        (Precision(), YES, IS, 3 / 4),
    ],
    "recall": [
        (Recall(), SCORES, TRUE, (2 / 3 + 0 + 1) / 3),
        (Recall(average="micro"), SCORES, TRUE, 4 / 6),
        (Recall(), YES, IS, 3 / 5),
    ],
    "specificity": [
        (Specificity(), SCORES, TRUE, (2 / 3 + 4 / 5 + 1) / 3),
        (Specificity(average="weighted"), SCORES, TRUE, (3 * 2 / 3 + 4 / 5 + 2 * 1) / 6),
        (Specificity(average="micro"), SCORES, TRUE, 10 / 12),
        (Specificity(), YES, IS, 2 / 3),
    ],
    "f1": [
        (F1(), SCORES, TRUE, (4 / 6 + 0 + 1) / 3),
        (F1(average="weighted"), SCORES, TRUE, (3 * 4 / 6 + 0 + 2 * 1) / 6),
        (F1(), YES, IS, 6 / 9),
    ],
    "npv": [
        (NPV(), SCORES, TRUE, (2 / 3 + 4 / 5 + 1) / 3),
        (NPV(average="micro"), SCORES, TRUE, 10 / 12),
        (NPV(), YES, IS, 2 / 4),
    ],
    # pairs in the right order: of class 0 6 of 9, of class 1 2 of 5, of class 2 all
    "auc": [
        (AUC(), SCORES, TRUE, (6 / 9 + 2 / 5 + 1) / 3),
        (AUC(average="weighted"), SCORES, TRUE, (3 * 6 / 9 + 2 / 5 + 2 * 1) / 6),
        (AUC(), YES, IS, 13 / 15),
    ],
    "top_k_accuracy": [
        (TopKAccuracy(k=1), SCORES, TRUE, 4 / 6),
        (TopKAccuracy(k=2), RANKED, TRUE, 5 / 6),
    ],
    # sum (t - mean)^2: 6 and 9 + 9 + 144 = 234 around 21
    "r2": [(R2(), NUMBERS, MEANT, ((1 - 8 / 6) + (1 - 17 / 234)) / 2)],
    "mae": [(MAE(), NUMBERS, MEANT, 11 / 6)],
    "mse": [(MSE(), NUMBERS, MEANT, 25 / 6)],
    "rmse": [(RMSE(), NUMBERS, MEANT, math.sqrt(25 / 6))],
    "smape": [
        (
            SMAPE(),
            NUMBERS,
            MEANT,
            (0 + 2 * 2 / 6 + 2 * 2 / 10 + 2 * 2 / 22 + 2 * 2 / 38 + 2 * 3 / 63) / 6,
        )
    ],
    "mase": [
        (MASE(scale=2.0), NUMBERS, MEANT, 11 / 12),
        (MASE(scale=(2.0, 7.0)), NUMBERS, MEANT, (4 / 2 + 7 / 7) / 6),
        # a season ago: 2, 3, 1 further off
        (MASE(training=[1.0, 5.0, 3.0, 8.0, 4.0], seasonality=2), NUMBERS, MEANT, 11 / 6 / 2),
    ],
    "perplexity": [
        (Perplexity(), SCORES, TRUE, (2**4 * 4**2) ** (1 / 6)),
        (Perplexity(), np.full((5, 7), 1 / 7), np.arange(5), 7.0),
        (Perplexity(), np.array([[0.25], [0.25]]), np.array([1, 0]), (4 * 4 / 3) ** 0.5),
    ],
}
ALL = [
    pytest.param(*case, id=f"{name}-{i}")
    for name, cases in CASES.items()
    for i, case in enumerate(cases)
]


def test_the_cases_are_the_whole_registry():
    assert set(CASES) == {name for name in METRICS if not issubclass(METRICS[name], SequenceMetric)}
    for name, cases in CASES.items():
        assert all(type(case[0]) is METRICS[name] for case in cases)


@pytest.mark.parametrize(("metric", "y", "target", "expected"), ALL)
def test_value_by_hand(metric, y, target, expected):
    value = metric(y, target)
    assert type(value) is float
    assert value == pytest.approx(expected, rel=1e-14)
    assert metric(y.astype("float32"), target) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("metric", "y", "target", "expected"), ALL)
def test_the_time_axis_is_one_more_axis_of_steps(metric, y, target, expected):
    """And K = 1 targets may have their last axis or not."""
    assert metric(y[:, None], target[:, None]) == pytest.approx(expected, rel=1e-14)
    assert metric(y[None], target[None]) == pytest.approx(expected, rel=1e-14)
    if y.shape[1] == 1:
        assert metric(y, target[:, None]) == metric(y, target)


@pytest.mark.parametrize(("metric", "y", "target", "expected"), ALL)
def test_masked_steps_hold_anything(metric, y, target, expected):
    n = len(y)
    wide_y = np.full((2, n, *y.shape[1:]), np.nan)
    wide_target = np.full((2, n, *target.shape[1:]), np.nan)
    mask = np.zeros((2, n), bool)
    mask[0, ::2] = mask[1, 1::2] = True
    wide_y[0, ::2], wide_y[1, 1::2] = y[::2], y[1::2]
    wide_target[0, ::2], wide_target[1, 1::2] = target[::2], target[1::2]
    assert metric(wide_y, wide_target, mask) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("metric", "y", "target", "expected"), ALL)
def test_a_weight_is_a_count(metric, y, target, expected):
    counts = np.arange(len(y)) % 3
    repeated = metric(np.repeat(y, counts, axis=0), np.repeat(target, counts, axis=0))
    for scale in (1.0, 0.1, 8e307):
        assert metric(y, target, None, counts * scale) == pytest.approx(repeated, rel=1e-12)
    whole = metric(y[None], target[None], None, np.array([0.3]))  # one a sequence
    assert whole == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("metric", "y", "target", "expected"), ALL)
def test_no_score_for_nothing_or_for_a_broken_network(metric, y, target, expected):
    assert math.isnan(metric(y, target, np.zeros(len(y), bool)))
    assert math.isnan(metric(y, target, None, np.zeros(len(y))))
    assert math.isnan(metric(y[:0], target[:0]))
    broken = y.copy()
    broken[1, 0] = np.nan
    assert math.isnan(metric(broken, target))


@pytest.mark.parametrize(("metric", "y", "target", "expected"), ALL)
def test_config_survives_json(metric, y, target, expected):
    restored = METRICS.from_config(json.loads(json.dumps(METRICS.to_config(metric))))
    assert restored == metric
    assert restored(y, target) == metric(y, target)


@pytest.mark.parametrize(("metric", "y", "target", "expected"), ALL)
def test_greater_is_better_says_what_perfect_outputs_have(metric, y, target, expected):
    perfect = np.array(target, float).reshape(y.shape) if target.size == y.size else np.eye(3)[SAID]
    goal = target if target.size == y.size else SAID
    value = metric(perfect, goal)
    best = 1.0 if metric.greater_is_better or metric.name == "perplexity" else 0.0
    assert value == best
    worse = metric(y, target) < value
    assert worse if metric.greater_is_better else not worse


@pytest.mark.parametrize(
    "name", [name for name in METRICS if issubclass(METRICS[name], OfClasses | TopKAccuracy)]
)
def test_class_numbers_one_hot_and_soft_targets_agree(name):
    metric = METRICS[name]()
    value = metric(SCORES, TRUE)
    assert metric(SCORES, TRUE.astype(float)) == value
    assert metric(SCORES, np.eye(3)[TRUE]) == value
    assert metric(SCORES, 0.1 + 0.7 * np.eye(3)[TRUE]) == value


@pytest.mark.parametrize(
    ("metric", "y", "target", "expected"),
    [
        (Precision(), [[0.1], [0.2]], [1, 0], 0.0),  # "yes" is never predicted
        (Recall(), [[0.9], [0.2]], [0, 0], 0.0),  # it is never "yes"
        (F1(), [[0.1], [0.2]], [0, 0], 0.0),  # neither
        (Specificity(), [[0.9], [0.2]], [1, 1], 0.0),  # it is never "no"
        (NPV(), [[0.9], [0.8]], [1, 0], 0.0),  # "no" is never predicted
        (BalancedAccuracy(), [[0.9], [0.2]], [1, 1], 0.5),  # only classes that occur
        # class 2 does not occur and is not part of the mean; 1 is never predicted
        (Precision(), [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1]], [0, 1], (1 / 2 + 0) / 2),
        (Recall(), [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1]], [0, 1], (1 + 0) / 2),
        (Specificity(), [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1]], [0, 1], (0 + 1) / 2),
        (Specificity(average="micro"), [[0.9, 0.1], [0.8, 0.1]], [0, 0], 0.0),
        (SMAPE(), [[0.0], [1.0]], [0.0, 0.0], (0 + 2) / 2),
        (R2(), [[2.0], [2.0]], [2.0, 2.0], 1.0),
        (R2(), [[2.0], [2.5]], [2.0, 2.0], 0.0),
        (R2(), [[0.0], [1e-200]], [1e-200, 0.0], -3.0),  # squares below the smallest float
    ],
)
def test_what_zero_by_zero_is(metric, y, target, expected):
    assert metric(y, target) == pytest.approx(expected)


def test_rounding_of_weights_makes_no_false_counts():
    """All are predicted positive, but 3.4 - 1.8 - 3.4 + 1.8 is 4e-16 here, not zero."""
    weights = np.array([0.9, 1.0, 0.7, 0.8])
    assert NPV()(np.full((4, 1), 0.9), [1, 0, 1, 0], None, weights) == 0.0


def test_threshold_and_ties():
    assert Accuracy()([[0.5], [0.51]], [0, 1]) == 1.0
    assert Recall(threshold=0.3)([[0.5], [0.2]], [1, 1]) == 0.5
    assert Accuracy()([[0.5, 0.5]], [0]) == 1.0


def test_an_impossible_class_costs_much_but_not_everything():
    value = Perplexity()([[1.0, 0.0]], [1])
    assert 1e30 < value < math.inf


def test_infinite_outputs_have_an_infinite_error():
    assert MSE()([[math.inf]], [0.0]) == math.inf
    assert R2()([[math.inf], [0.0]], [0.0, 1.0]) == -math.inf
    assert MSE()([[1e200]], [0.0]) == math.inf


@pytest.mark.parametrize(
    ("training", "season", "scale"),
    [
        ([1.0, 2.0, 4.0], 1, (1.5,)),
        (np.array([1.0, 2.0, 4.0]), 2, (3.0,)),
        ([[1.0, 10.0], [2.0, 30.0]], 1, (18.5,)),  # a list of rows is a list of series
        (np.array([[1.0, 10.0], [2.0, 30.0], [4.0, 20.0]]), 1, (1.5, 15.0)),
        ([np.array([1.0, 2.0, 4.0]), np.array([0.0, 3.0])], 1, (2.0,)),
        (np.array([1.0, np.nan, 4.0, 6.0]), 1, (2.0,)),
    ],
)
def test_scale_of_the_naive_forecast(training, season, scale):
    assert MASE(training=training, seasonality=season).scale == scale


def test_get_and_names():
    assert metrics.get("mae") == MAE()
    assert metrics.get("sensitivity") == Recall()
    assert metrics.get(F1(average="micro")).name == "f1_micro"
    assert F1().name == "f1"
    with pytest.raises(InvalidArgumentError) as caught:
        metrics.get("acuracy")
    assert str(caught.value).endswith("got 'acuracy'. Did you mean 'accuracy'?")
    with pytest.raises(InvalidTypeError) as caught:
        metrics.get(3)
    assert str(caught.value) == (
        f"metric must be one of {', '.join(map(repr, METRICS))}, a Metric or a function; got 3."
    )


def test_a_function_of_your_own():
    def worst(y_pred, target):
        return np.abs(y_pred[:, 0] - target).max()

    metric = metrics.get(worst)
    assert (metric.name, metric.greater_is_better) == ("worst", False)
    y = np.array([[1.0], [5.0], [np.nan]])
    assert metric(y, [1.0, 2.0, 0.0], np.array([True, True, False])) == 3.0
    assert metric(y, [1.0, 2.0, 0.0], None, np.array([1.0, 0.0, 0.0])) == 0.0
    assert FunctionMetric(worst, greater_is_better=True).greater_is_better
    with pytest.raises(InvalidTypeError) as caught:
        FunctionMetric(lambda y_pred, target: "good")(y[:2], [1.0, 2.0])
    assert str(caught.value) == "metric '<lambda>' must return a number; got 'good'."
    with pytest.raises(ShapeError) as caught:
        metric(y, [1.0, 2.0])
    assert str(caught.value) == "y must have the axes (3,) of the outputs; got shape (2,)."
    with pytest.raises(InvalidTypeError, match="is your own object and cannot be written"):
        METRICS.to_config(metric)


def test_a_class_of_your_own_needs_no_registration():
    class Largest(Metric):
        def score(self, y, target, weight):
            return y.max()

    assert metrics.get(Largest()).name == "Largest"
    assert Largest()([[1.0], [3.0]], [0.0, 0.0]) == 3.0
    with pytest.raises(NotImplementedError):
        Metric()([[1.0]], [0.0])
    with pytest.raises(NotImplementedError):
        ClassMetric()([[1.0]], [0.0])
