"""Metrics of whole sequences: of the labels that are read from all outputs of each."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.data.decoding import ctc_beam, ctc_greedy, distances
from throughtime.errors import ShapeError, check_bool, check_int, sentence
from throughtime.losses.checks import check_mask, check_outputs, step_weights
from throughtime.losses.labels import END, label_rows
from throughtime.training.metrics.base import METRICS, Metric, Summed


@dataclass(frozen=True)
class SequenceMetric(Metric):
    """Base of the metrics of whole sequences.

    A subclass defines :meth:`check_target` and :meth:`score_sequences`.
    """

    @abstractmethod
    def score_sequences(
        self, y: np.ndarray, target: np.ndarray, mask: np.ndarray, weight: np.ndarray
    ) -> float:
        """Return the value for N sequences that count.

        Parameters
        ----------
        y : ndarray of shape (N, T, K), float64
            Outputs; anything at masked steps.
        target : ndarray of shape (N, ...)
        mask : ndarray of bool of shape (N, T)
            At least one unmasked step in every row.
        weight : ndarray of shape (N,)
        """

    def counted(
        self, y_pred: Any, target: Any, mask: Any = None, weights: Any = None
    ) -> tuple[np.ndarray, ...]:
        """Return what counts: outputs (N, T, K), targets, mask and weights of the sequences."""
        y = check_outputs(y_pred)
        if y.ndim != 3:
            raise ShapeError(
                sentence(
                    f"metric {self.name!r}",
                    "an output at every step, (N, T, K)",
                    f"shape {y.shape}",
                    must="have",
                )
            )
        weight = step_weights(y.shape[:1], None, weights)
        real = check_mask(mask, y.shape[:2])
        real = np.ones(y.shape[:2], dtype=bool) if real is None else real
        rows = (weight > 0.0) & real.any(axis=1)
        target = self.check_target(target, y.shape, real & rows[:, None])
        y, real = y[rows], real[rows]
        y[~real] = 0.0  # anything, but no NaN
        return y, target[rows], real, weight[rows]

    def _value(self, *parts: np.ndarray) -> float:
        return self.score_sequences(*parts)


@METRICS.register("edit_distance", "label_error_rate")
@dataclass(frozen=True)
class EditDistance(Summed, SequenceMetric):
    """Errors of labels that are read from outputs of CTC, for each true label; 0 is perfect.

    The fewest insertions, deletions and replacements (Levenshtein, 1966) of all sequences, divided
    by the number of all true labels: with characters as labels, the character error rate. It may be
    above 1. The targets are those of the loss ``"ctc"``.

    Parameters
    ----------
    blank : int
        Number of the class that means "no label".
    width : int
        Width of a beam search, :func:`throughtime.data.ctc_beam`; with 1, the most probable path is
        read, :func:`throughtime.data.ctc_greedy`, which is much faster.
    normalize : bool
        Whether to divide by the number of true labels; otherwise by the number of sequences.
    """

    blank: int = 0
    width: int = 1
    normalize: bool = True

    def __post_init__(self) -> None:
        check_int("blank", self.blank, 0)
        check_int("width", self.width, 1)
        check_bool("normalize", self.normalize)

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        present = None if mask is None else np.asarray(mask.any(axis=1))
        labels = label_rows("y", target, present)
        if len(labels) != y_shape[0]:
            expected = f"the labels of {y_shape[0]} sequences"
            raise ShapeError(sentence("y", expected, f"{len(labels)}", must="hold"))
        return labels

    def sums(
        self, y: np.ndarray, target: np.ndarray, mask: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """Return the number of errors, and what it is divided by, (2,)."""
        if self.width == 1:
            said = ctc_greedy(y, mask=mask, blank=self.blank)
        else:
            said = ctc_beam(y, mask=mask, blank=self.blank, width=self.width)
        errors = weight @ distances(label_rows("y", said), target)
        whole = weight @ (target != END).sum(axis=1) if self.normalize else weight.sum()
        return np.array([errors, whole], dtype=np.float64)

    def score_of(self, sums: np.ndarray, n_outputs: int) -> float:
        errors, whole = sums
        if whole == 0.0:  # no label is true
            return 0.0 if errors == 0.0 else float("inf")
        return float(errors / whole)
