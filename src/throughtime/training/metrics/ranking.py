"""Metrics of the order of outputs: whether the right ones are above the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.errors import check_choice, check_int
from throughtime.losses.classification import CategoricalCrossentropy
from throughtime.training.metrics.base import METRICS, Metric, Summed
from throughtime.training.metrics.classification import OfClasses


@METRICS.register("auc", "roc_auc")
@dataclass(frozen=True)
class AUC(OfClasses):
    """Area under the ROC curve, from 0 to 1: guessing gives 0.5.

    It is the probability that a step of the class has a larger output than a step of another one;
    of equal outputs, half of the pairs count. With several outputs it is that of each class
    against all others, for the classes that are true at some steps and not at others. NaN if there
    is no such class.

    Parameters
    ----------
    average : {"macro", "weighted"}
        With several outputs: ``"macro"``, the mean of the classes, or ``"weighted"``, their mean,
        weighted by how often each is true.
    multilabel : bool
        Whether every output is an independent yes/no.
    """

    average: str = "macro"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("average", self.average, ("macro", "weighted"))

    @property
    def name(self) -> str:
        """The column of the history: ``"auc"``, ``"auc_weighted"``."""
        return super().name + ("" if self.average == "macro" else f"_{self.average}")

    def score(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        if self.multilabel or y.shape[1] == 1:
            truth = target.reshape(y.shape) > 0
        else:
            truth = target[:, None] == np.arange(y.shape[1])
        found = [_area(y[:, k], truth[:, k], weight) for k in range(y.shape[1])]
        size = weight @ truth if self.average == "weighted" else np.ones(y.shape[1])
        areas, known = np.array(found), ~np.isnan(found)
        if not known.any():
            return float("nan")
        return float(np.average(areas[known], weights=size[known]))


def _area(y: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """The area of one class; NaN if it is true everywhere or nowhere."""
    _, place = np.unique(y, return_inverse=True)
    yes = np.bincount(place, np.where(truth, weight, 0.0))
    no = np.bincount(place, np.where(truth, 0.0, weight))
    pairs = yes.sum() * no.sum()
    below = np.cumsum(no) - no
    return float(np.sum(yes * (below + 0.5 * no)) / pairs) if pairs > 0.0 else float("nan")


@METRICS.register("top_k_accuracy")
@dataclass(frozen=True)
class TopKAccuracy(Summed, Metric):
    """Share of the steps whose true class is among the k largest outputs, from 0 to 1.

    Of equal outputs the first ones count as larger. The target holds class numbers, or rows of
    probabilities whose largest is the true class.

    Parameters
    ----------
    k : int
        Number of outputs to look at.
    """

    greater_is_better: ClassVar[bool] = True
    k: int = 5

    def __post_init__(self) -> None:
        check_int("k", self.k, 1)

    @property
    def name(self) -> str:
        """The column of the history: ``"top_5_accuracy"``."""
        return f"top_{self.k}_accuracy"

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        array = CategoricalCrossentropy().check_target(target, y_shape, mask)
        return array.argmax(axis=-1) if array.ndim == len(y_shape) else array

    def sums(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the weight of the right steps, and of all, (2,)."""
        own = np.take_along_axis(y, target[:, None], axis=1)
        before = np.arange(y.shape[1]) < target[:, None]
        rank = np.sum((y > own) | ((y == own) & before), axis=1)
        return np.array([np.sum(weight[rank < self.k]), np.sum(weight)])

    def score_of(self, sums: np.ndarray, n_outputs: int) -> float:
        return float(sums[0] / sums[1])
