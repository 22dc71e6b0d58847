"""Metrics of classes, from the counts of right and wrong predictions; and perplexity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from throughtime.errors import DataError, check_bool, check_choice, check_float
from throughtime.losses.checks import refuse, shaped_target
from throughtime.losses.classification import BinaryCrossentropy, CategoricalCrossentropy
from throughtime.training.metrics.base import METRICS, Metric, Summed, ratio

#: Differences of weighted counts below this part of the whole are rounding errors, and count as
#: zero: the sum of a million float64 weights is off by about 1e-13.
ROUNDING = 1e-12


class Counts(NamedTuple):
    """TP, FP, FN and TN of equation (M1) for each class, (C,) each, in float64."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray

    @classmethod
    def of_classes(cls, tp: np.ndarray, said: np.ndarray, is_so: np.ndarray) -> Counts:
        """Return the counts of what :func:`count` counts, (C,) each."""
        total = is_so.sum()

        def left(difference: np.ndarray) -> np.ndarray:
            return np.where(difference > ROUNDING * total, difference, 0.0)

        return cls(tp, left(said - tp), left(is_so - tp), left(total - is_so - said + tp))


def count(
    predicted: np.ndarray, actual: np.ndarray, weight: np.ndarray, n_classes: int
) -> np.ndarray:
    """Count for each class how often it is predicted and right, predicted, and true, (3, C).

    Parameters
    ----------
    predicted, actual : ndarray of int of shape (M,)
        Class numbers below ``n_classes``.
    weight : ndarray of shape (M,)
        Weight of each step.
    """
    # A wrong prediction has weight 0.0 here. Were it dropped, nothing might be left to count, and
    # bincount would return integers.
    tp = np.bincount(actual, np.where(predicted == actual, weight, 0.0), n_classes)
    said = np.bincount(predicted, weight, n_classes)
    is_so = np.bincount(actual, weight, n_classes)
    return np.stack([tp, said, is_so])


def count_labels(predicted: np.ndarray, actual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Count TP, FP, FN and TN of each label, (4, C).

    Parameters
    ----------
    predicted, actual : ndarray of bool of shape (M, C)
        Whether each label is predicted, and whether it is true.
    weight : ndarray of shape (M,)
        Weight of each step.
    """
    pairs = [
        (predicted, actual), (predicted, ~actual), (~predicted, actual), (~predicted, ~actual)
    ]  # fmt: skip
    return np.stack([weight @ (said & is_so) for said, is_so in pairs])


@dataclass(frozen=True)
class OfClasses(Metric):
    """Base of the metrics whose targets are classes, or labels each of which is true or not.

    The target holds class numbers, or rows of probabilities (one-hot for certainty) whose largest
    is the true class. With one output, or with ``multilabel``, it holds 0 or 1 for each output.

    Parameters
    ----------
    multilabel : bool
        Whether every output is an independent yes/no, as with several sigmoids and binary
        cross-entropy; any number of them may be true.
    """

    greater_is_better: ClassVar[bool] = True
    multilabel: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check_bool("multilabel", self.multilabel)

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return class numbers, int64 of shape ``y_shape[:-1]``, or labels, bool of ``y_shape``."""
        if y_shape[-1] > 1 and not self.multilabel:
            self._refuse_labels(target, y_shape, mask)
            array = CategoricalCrossentropy().check_target(target, y_shape, mask)
            return array.argmax(axis=-1) if array.ndim == len(y_shape) else array
        array = shaped_target(target, y_shape)
        hint = "Class metrics need classes; for numbers use 'mae' or 'r2'."
        refuse((array != 0.0) & (array != 1.0), mask, array, "0 or 1", hint)
        labels = array == 1.0
        return labels if self.multilabel else labels[..., 0].astype(np.int64)

    def _refuse_labels(self, target: Any, y_shape: tuple[int, ...], mask: Any) -> None:
        """Refuse rows of 0 and 1 that are not one-hot, because they are no single class."""
        array = np.asarray(target)
        if array.shape != tuple(y_shape) or array.dtype.kind not in "biuf":
            return
        rows = array[slice(None) if mask is None else mask]
        if ((rows == 0) | (rows == 1)).all() and (rows.sum(axis=-1) != 1).any():
            raise DataError(
                f"metric {self.name!r} needs one class a step; got rows of y with several ones or"
                f" none. For independent yes/no outputs write {type(self).__name__}"
                "(multilabel=True)."
            )


@dataclass(frozen=True)
class ClassMetric(Summed, OfClasses):
    """Base of the metrics that compare predicted classes with true ones.

    Parameters
    ----------
    threshold : float
        With one output, or with ``multilabel``: the probability above which "yes" is predicted.
    multilabel : bool
        As in :class:`OfClasses`.
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        check_float("threshold", self.threshold, 0.0, 1.0)
        super().__post_init__()

    def sums(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the counts of all classes, (3, C), or labels, (4, C)."""
        if self.multilabel:
            return count_labels(y > self.threshold, target, weight)
        binary = y.shape[1] == 1
        predicted = (y[:, 0] > self.threshold).astype(np.int64) if binary else y.argmax(axis=1)
        return count(predicted, target, weight, max(y.shape[1], 2))

    def score_of(self, sums: np.ndarray, n_outputs: int) -> float:
        if self.multilabel:
            return self.from_labels(Counts(*sums))
        return self.from_counts(Counts.of_classes(*sums), n_outputs == 1)

    def from_counts(self, counts: Counts, binary: bool) -> float:
        """Return the value for the counts of all classes."""
        raise NotImplementedError

    def from_labels(self, counts: Counts) -> float:
        """Return the value for the counts of all labels, each of which is an independent yes/no."""
        raise NotImplementedError


@METRICS.register(
    "accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"
)
@dataclass(frozen=True)
class Accuracy(ClassMetric):
    """Share of the steps, or of all labels, that are predicted right, from 0 to 1."""

    def from_counts(self, counts: Counts, binary: bool) -> float:
        return float(counts.tp.sum() / (counts.tp + counts.fn).sum())

    def from_labels(self, counts: Counts) -> float:
        return float((counts.tp + counts.tn).sum() / sum(part.sum() for part in counts))


@METRICS.register("balanced_accuracy")
@dataclass(frozen=True)
class BalancedAccuracy(ClassMetric):
    """Mean recall of the classes that occur in the target, from 0 to 1; class sizes do not matter.

    With one output it is the mean over "yes" and "no", and with several labels the mean of that
    over the labels. Guessing gives 1 / number of classes.
    """

    def from_counts(self, counts: Counts, binary: bool) -> float:
        size = counts.tp + counts.fn
        return float(np.mean(ratio(counts.tp, size)[size > 0.0]))

    def from_labels(self, counts: Counts) -> float:
        yes, no = counts.tp + counts.fn, counts.tn + counts.fp
        recalls = ratio(counts.tp, yes) + ratio(counts.tn, no)
        return float(np.mean(recalls / ((yes > 0.0) + 1.0 * (no > 0.0))))


@dataclass(frozen=True)
class AveragedMetric(ClassMetric):
    """Base of the metrics that are a ratio of counts for each class.

    Parameters
    ----------
    threshold : float
        With one output, or with ``multilabel``: the probability above which "yes" is predicted.
    multilabel : bool
        Whether every output is an independent yes/no.
    average : {"macro", "micro", "weighted"}
        With several outputs: how the values of all labels, or of all classes that occur in the
        target or the prediction, become one. ``"macro"``: their mean. ``"weighted"``: their mean,
        weighted by how often each is true. ``"micro"``: the ratio of the summed counts.
    """

    average: str = "macro"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("average", self.average, ("macro", "micro", "weighted"))

    @property
    def name(self) -> str:
        """The column of the history: ``"f1"``, ``"f1_micro"``."""
        return super().name + ("" if self.average == "macro" else f"_{self.average}")

    def parts(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        """Return numerator and denominator of the ratio."""
        raise NotImplementedError

    def from_counts(self, counts: Counts, binary: bool) -> float:
        if binary:
            return float(ratio(*self.parts(counts))[1])
        seen = counts.tp + counts.fp + counts.fn > 0.0
        return self.from_labels(Counts(*(of_class[seen] for of_class in counts)))

    def from_labels(self, counts: Counts) -> float:
        if self.average == "micro":
            counts = Counts(*(of_class.sum(keepdims=True) for of_class in counts))
        values = ratio(*self.parts(counts))
        size = counts.tp + counts.fn if self.average == "weighted" else np.ones_like(values)
        return float(ratio(np.sum(values * size), np.sum(size)))


@METRICS.register("precision")
@dataclass(frozen=True)
class Precision(AveragedMetric):
    """TP / (TP + FP), from 0 to 1: the share of the predictions of a class that are right.

    It is 0.0 for a class that is never predicted.
    """

    def parts(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        return counts.tp, counts.tp + counts.fp


@METRICS.register("recall", "sensitivity")
@dataclass(frozen=True)
class Recall(AveragedMetric):
    """TP / (TP + FN), from 0 to 1: the share of a class that is found.

    It is 0.0 for a class that is predicted but never true.
    """

    def parts(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        return counts.tp, counts.tp + counts.fn


@METRICS.register("specificity")
@dataclass(frozen=True)
class Specificity(AveragedMetric):
    """TN / (TN + FP), from 0 to 1: the share of the other classes that is excluded.

    It is the recall of "no", and 0.0 if all steps are of the class.
    """

    def parts(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        return counts.tn, counts.tn + counts.fp


@METRICS.register("npv")
@dataclass(frozen=True)
class NPV(AveragedMetric):
    """TN / (TN + FN), negative predictive value, from 0 to 1: the precision of "no".

    It is 0.0 if all steps are predicted as the class.
    """

    def parts(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        return counts.tn, counts.tn + counts.fn


@METRICS.register("f1", "f1_score")
@dataclass(frozen=True)
class F1(AveragedMetric):
    """2 TP / (2 TP + FP + FN), from 0 to 1: the harmonic mean of precision and recall.

    It is 0.0 for a class without a right prediction.
    """

    def parts(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        return 2.0 * counts.tp, 2.0 * counts.tp + counts.fp + counts.fn


@METRICS.register("perplexity")
@dataclass(frozen=True)
class Perplexity(Summed, Metric):
    """exp(mean negative log-likelihood of the true class), at least 1; 1 is perfect.

    The network is as uncertain as a fair choice among so many classes: K for a network that knows
    nothing. The outputs must be probabilities; with one output, the probability of class 1. If a
    true class has the probability zero, the perplexity is very large, but not infinite.
    """

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        return self._loss(y_shape[-1]).check_target(target, y_shape, mask)

    def sums(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the sum of the weights and the mean negative log-likelihood, (2,)."""
        value, _ = self._loss(y.shape[1])(y, target, weights=weight)
        return np.array([weight.sum(), value])

    def add(self, sums: np.ndarray, more: np.ndarray, share: float = 1.0) -> np.ndarray:
        whole = share * sums[0] + more[0]
        return np.array([whole, sums[1] + (more[1] - sums[1]) * (more[0] / whole)])

    def score_of(self, sums: np.ndarray, n_outputs: int) -> float:
        return float(np.exp(sums[1]))

    def _loss(self, n_outputs: int) -> BinaryCrossentropy | CategoricalCrossentropy:
        return BinaryCrossentropy() if n_outputs == 1 else CategoricalCrossentropy()
