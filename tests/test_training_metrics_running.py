"""Metrics over batches and pieces of time equal the metric of all at once."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import throughtime as tt
from throughtime.errors import ShapeError
from throughtime.training.metrics import (
    AUC,
    F1,
    MASE,
    METRICS,
    MSE,
    NPV,
    R2,
    Accuracy,
    BalancedAccuracy,
    EditDistance,
    FunctionMetric,
    Metric,
    Perplexity,
    Precision,
    Recall,
    Running,
    SequenceMetric,
    Specificity,
    TopKAccuracy,
)
from throughtime.training.metrics.classification import ClassMetric, OfClasses


def mean_of_largest(y_pred, target):
    return y_pred.max(axis=1).mean() + target.mean()


class MaxError(Metric):
    def score(self, y, target, weight):
        return np.abs(y - target).max()


class WeightedError(MSE):
    """A subclass of a sum that computes its value otherwise."""

    def score(self, y, target, weight):
        return float(np.median(np.abs(y - target)) * weight.sum())


class LongestPath(SequenceMetric):
    def check_target(self, target, y_shape, mask=None):
        return EditDistance().check_target(target, y_shape, mask)

    def score_sequences(self, y, target, mask, weight):
        return float(mask.sum(axis=1).max() + (target >= 0).sum() + weight @ y.sum(axis=(1, 2)))


VARIANTS = {
    "mase": [MASE(scale=2.0), MASE(scale=(1.0, 2.0, 4.0))],
    "top_k_accuracy": [TopKAccuracy(k=1), TopKAccuracy(k=2)],
    "auc": [AUC(), AUC(average="weighted"), AUC(multilabel=True)],
    "edit_distance": [EditDistance(), EditDistance(normalize=False), EditDistance(width=2)],
    "accuracy": [Accuracy(), Accuracy(multilabel=True)],
    "balanced_accuracy": [BalancedAccuracy(), BalancedAccuracy(multilabel=True)],
    **{
        METRICS.name_of(kind()): [
            kind(average=average, multilabel=multilabel)
            for average in ("macro", "micro", "weighted")
            for multilabel in (False, True)
        ]
        for kind in (Precision, Recall, Specificity, NPV, F1)
    },
}
EVERY = [
    metric
    for name in METRICS
    for metric in (VARIANTS[name] if name in VARIANTS else [METRICS[name]()])
]


def named(metric):
    """The name of a case; an address in it would differ from process to process."""
    return metric.name if isinstance(metric, FunctionMetric) else repr(metric)


OTHERS = [FunctionMetric(mean_of_largest), MaxError(), WeightedError(), LongestPath()]


def called(metric):
    """The id of a test; a function would have its address in it."""
    return metric.name if isinstance(metric, FunctionMetric) else repr(metric)


def of_sequences(metric):
    return isinstance(metric, SequenceMetric)


def drawn(metric, rng, n, t, k):
    """Outputs (n, t, k), or (n, k) if t is None, and targets."""
    steps = (n,) if t is None else (n, t)
    y = rng.random((*steps, k))
    if of_sequences(metric):
        return y, [list(rng.integers(1, 3, size=rng.integers(0, 4))) for _ in range(n)]
    if isinstance(metric, OfClasses | TopKAccuracy | Perplexity):
        y /= 1.0 if k == 1 or getattr(metric, "multilabel", False) else y.sum(-1, keepdims=True)
        if getattr(metric, "multilabel", False):
            return y, (rng.random(y.shape) < 0.4).astype(float)
        return y, rng.integers(0, max(k, 2), size=steps)
    return 4.0 * y, rng.normal(100.0, 3.0, size=y.shape) if rng.random() < 0.8 else np.ones(y.shape)


@pytest.mark.parametrize("metric", EVERY + OTHERS, ids=named)
@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 12),
    t=st.sampled_from([None, 1, 5]),
    k=st.sampled_from([1, 3]),
    weights=st.sampled_from(["none", "equal", "rows", "steps", "wild"]),
    masked=st.booleans(),
)
def test_any_cut_gives_the_value_of_the_whole(metric, seed, n, t, k, weights, masked):
    rng = np.random.default_rng(seed)
    if of_sequences(metric):
        t = t or 4
    if of_sequences(metric) or isinstance(metric, TopKAccuracy) or metric == MASE((1.0, 2.0, 4.0)):
        k = 3
    y, target = drawn(metric, rng, n, t, k)
    steps = y.shape[:-1]
    mask = rng.random(steps) < 0.7 if masked else None
    rows = {
        "none": None,
        "equal": np.full(n, 0.3),
        "rows": rng.uniform(0.0, 2.0, size=n) * (rng.random(n) < 0.8),
        "steps": rng.uniform(0.0, 2.0, size=n if of_sequences(metric) else steps),
        "wild": 10.0 ** rng.integers(-3, 4, size=n),
    }[weights]
    whole = metric(y, target, mask, rows)

    running = Running(metric)
    cuts = np.sort(rng.integers(0, n + 1, size=3))
    for begin, end in zip([0, *cuts], [*cuts, n], strict=True):
        where = [(slice(begin, end),)]
        if y.ndim == 3 and not of_sequences(metric):
            cut = rng.integers(0, y.shape[1] + 1)
            where = [(slice(begin, end), slice(0, cut)), (slice(begin, end), slice(cut, None))]
        for own in where:
            part = target[begin:end] if of_sequences(metric) else target[own]
            own_mask = None if mask is None else mask[own]
            running.add(y[own], part, own_mask, None if rows is None else rows[own[: rows.ndim]])
    value = running.value()
    assert type(value) is float
    counted = isinstance(metric, ClassMetric | TopKAccuracy | EditDistance)
    if counted and weights in ("none", "equal"):
        assert value == whole or (math.isnan(value) and math.isnan(whole))
    else:
        assert value == pytest.approx(
            whole, rel=1e-12, abs=1e-12 if metric == R2() else 0.0, nan_ok=True
        )


@pytest.mark.parametrize("metric", EVERY + OTHERS, ids=named)
def test_nothing_and_broken_networks(metric):
    rng = np.random.default_rng(0)
    y, target = drawn(metric, rng, 6, 4, 3)
    running = Running(metric)
    assert math.isnan(running.value())
    running.add(y[:0], target[:0])
    running.add(y[:2], target[:2], np.zeros((2, 4), bool))
    running.add(y[:2], target[:2], None, np.zeros(2))
    assert math.isnan(running.value())
    running.add(y, target)
    assert not math.isnan(running.value())
    broken = y.copy()
    broken[1, 2, 0] = np.nan
    mask = np.ones((6, 4), bool)
    mask[1, 2] = False
    running.add(broken, target, mask)
    assert not math.isnan(running.value())
    running.add(broken, target)
    assert math.isnan(running.value())
    running.add(y, target)
    assert math.isnan(running.value())


def stored(running):
    return sum(part.nbytes for parts in running._kept for part in parts)


@pytest.mark.parametrize("metric", EVERY, ids=named)
def test_sums_need_no_memory(metric):
    rng = np.random.default_rng(0)
    running = Running(metric)
    for _ in range(5):
        running.add(*drawn(metric, rng, 50, 4, 3))
    assert isinstance(metric, AUC) or (not running._kept and running._sums.size <= 21)


def test_what_is_stored_is_what_counts():
    rng = np.random.default_rng(0)
    running = Running("auc")
    y = rng.random((1000, 10, 1), dtype=np.float32)
    mask = rng.random((1000, 10)) < 0.5
    running.add(y, rng.integers(0, 2, size=(1000, 10)), mask)
    assert running._kept[0][0].dtype == np.float32
    assert len(running._kept[0][0]) == mask.sum()
    y[:] = 0.0  # the buffer of a network may be used again
    assert 0.4 < running.value() < 0.6


def test_r2_of_numbers_whose_squares_are_zero_or_infinite():
    for size in (1e-200, 1.0, 1e200):
        y = size * np.array([[0.0], [1.0], [3.0], [2.0], [5.0]])
        target = size * np.array([[1.0], [1.0], [2.0], [4.0], [4.0]])
        running = Running("r2")
        for i in range(5):
            running.add(y[i : i + 1], target[i : i + 1])
        assert running.value() == pytest.approx(R2()(y, target), rel=1e-13)
    near = Running("r2")  # targets that differ by less than the squares of errors can tell
    near.add([[1.0], [2.0]], [0.0, 1e-200])
    near.add([[1.0]], [2.0])
    assert near.value() == pytest.approx(R2()([[1.0], [2.0], [1.0]], [0.0, 1e-200, 2.0]))


def test_many_batches_lose_no_digits():
    rng = np.random.default_rng(0)
    y = rng.normal(1e4, 1.0, size=(20_000, 1))
    target = y + rng.normal(size=y.shape)
    for metric in (R2(), MSE()):
        running = Running(metric)
        for i in range(0, len(y), 2):
            running.add(y[i : i + 2], target[i : i + 2])
        assert running.value() == pytest.approx(metric(y, target), rel=1e-12)


def test_batches_have_as_many_outputs():
    running = Running("mse")
    running.add(np.ones((2, 3)), np.zeros((2, 3)))
    message = "y_pred must have 3 outputs in every batch; got 1."
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        running.add(np.ones((2, 1)), np.zeros((2, 1)))


def test_it_is_public():
    assert tt.metrics.Running is Running
    assert Running("acc").metric == Accuracy()
