"""The confusion matrix: which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import DataError, ShapeError, check_array, sentence
from throughtime.losses.checks import check_outputs, step_weights
from throughtime.losses.classification import class_numbers
from throughtime.messages import html
from throughtime.training.metrics.base import ratio
from throughtime.training.metrics.classification import ClassMetric


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """How often each class is taken for each other; print it to see a table.

    Attributes
    ----------
    counts : ndarray of float64 of shape (C, C)
        Weighted number of steps by true class (row) and predicted class (column).
    names : tuple of str
        Names of the classes.
    """

    counts: np.ndarray
    names: tuple[str, ...]

    @property
    def support(self) -> np.ndarray:
        """How often each class is true, (C,)."""
        total: np.ndarray = self.counts.sum(axis=1)
        return total

    @property
    def precision(self) -> np.ndarray:
        """Share of the predictions of each class that are right, (C,); 0/0 is 0."""
        return ratio(np.diagonal(self.counts).copy(), self.counts.sum(axis=0))

    @property
    def recall(self) -> np.ndarray:
        """Share of each class that is found, (C,); 0/0 is 0."""
        return ratio(np.diagonal(self.counts).copy(), self.support)

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall of each class, (C,); 0/0 is 0."""
        return ratio(2.0 * np.diagonal(self.counts), self.support + self.counts.sum(axis=0))

    @property
    def accuracy(self) -> float:
        """Share of the steps that are predicted right."""
        return float(ratio(np.trace(self.counts), self.counts.sum()))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.counts, dtype=dtype)

    def _cells(self) -> list[tuple[str, ...]]:
        scores = zip(self.precision, self.recall, self.f1, strict=True)
        return [
            (name, *(f"{n:g}" for n in row), *(f"{value:.3f}" for value in own))
            for name, row, own in zip(self.names, self.counts, scores, strict=True)
        ]

    def _head(self) -> tuple[str, ...]:
        return ("true / predicted", *self.names, "precision", "recall", "f1")

    def _verdict(self) -> str:
        return f"accuracy {self.accuracy:.3f} of {self.counts.sum():g}"

    def __str__(self) -> str:
        lines = [self._head(), *self._cells()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        rows = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        return "\n".join([*rows, self._verdict()])

    def _repr_html_(self) -> str:
        return html.table(self._head(), self._cells(), note=self._verdict())


def confusion_matrix(
    y_pred: Any,
    target: Any,
    mask: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    *,
    threshold: float = 0.5,
    names: Sequence[str] | None = None,
) -> ConfusionMatrix:
    """Count how often each class is taken for each other.

    Parameters
    ----------
    y_pred : array of shape (N, K) or (N, T, K), or of int of the shape of the steps
        Outputs of a network, of which the largest is the prediction; with K = 1, the probability of
        class 1. Or predicted classes: integers of shape (N,) or (N, T), as
        :func:`throughtime.data.crf_viterbi` gives them.
    target : array-like
        Class numbers, or rows of probabilities whose largest is the true class.
    mask : ndarray of bool, of shape (N,) or (N, T), optional
        True at the steps that count.
    weights : ndarray of shape (N,) or (N, T), optional
        Weight of each sequence, or of each step; >= 0.
    threshold : float
        With one output: the probability above which class 1 is predicted.
    names : sequence of str, optional
        Names of the classes; by default their numbers.

    Examples
    --------
    >>> y = [[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]]
    >>> print(confusion_matrix(y, [0, 1, 1, 2], names=["a", "b", "c"]))
    true / predicted  a  b  c  precision  recall     f1
    a                 1  0  0      0.500   1.000  0.667
    b                 1  1  0      1.000   0.500  0.667
    c                 0  0  1      1.000   1.000  1.000
    accuracy 0.750 of 4
    """
    metric = ClassMetric(threshold)
    given, truth = (
        check_array("y_pred", y_pred, finite=False),
        check_array("y", target, finite=False),
    )
    if given.dtype.kind in "iu" and given.shape == truth.shape:  # classes, not outputs
        weight = step_weights(given.shape, mask, weights)
        real = weight > 0.0
        if (given[real] < 0).any():
            got = str(given[real].min())
            raise DataError(sentence("y_pred", "class numbers >= 0", got, must="hold"))
        largest = max(given[real].max(initial=1), np.nanmax(truth[real], initial=1))
        n_classes = max(int(min(largest, 2**31)) + 1, 0 if names is None else len(names))
        said, true = given, class_numbers(truth, n_classes, real)
    else:
        y = check_outputs(given)
        weight = step_weights(y.shape[:-1], mask, weights)
        real, n_classes = weight > 0.0, max(y.shape[-1], 2)
        true = metric.check_target(truth, y.shape, real)
        said = y[..., 0] > threshold if y.shape[-1] == 1 else y.argmax(axis=-1)
    chosen = tuple(map(str, range(n_classes))) if names is None else tuple(map(str, names))
    if len(chosen) != n_classes:
        expected = f"{n_classes} names, one for each class"
        raise ShapeError(sentence("names", expected, f"{len(chosen)}", must="hold"))
    place = true[real] * n_classes + said[real]
    counts = np.bincount(place, weight[real], n_classes**2).astype(np.float64)
    return ConfusionMatrix(counts.reshape(n_classes, n_classes), chosen)
