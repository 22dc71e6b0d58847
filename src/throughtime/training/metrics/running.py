"""The value of a metric over data that come in parts, in bounded memory where that is possible."""

from __future__ import annotations

from typing import Any

import numpy as np

from throughtime.errors import ShapeError, sentence
from throughtime.losses.base import quiet
from throughtime.losses.labels import END
from throughtime.training.metrics.base import Metric, Summed, get


class Running:
    """The value of a metric over everything that was added to it.

    It equals the value of the metric for all parts at once: exactly if it counts steps of equal
    weights, otherwise up to the rounding of sums. A metric whose value is a function of sums
    (:class:`~throughtime.training.metrics.base.Summed`; all registered ones but ``"auc"``) needs a
    few numbers. For any other, and for user-defined functions, the outputs, targets and weights of
    the steps that count are stored, in the order in which they were added.

    Parameters
    ----------
    metric : str, Metric or callable
        As in :func:`throughtime.train`.

    Examples
    --------
    >>> running = Running("rmse")
    >>> for y, target in [([[1.0], [2.0]], [1.0, 4.0]), ([[5.0]], [4.0])]:
    ...     running.add(y, target)
    >>> round(running.value(), 3)
    1.291
    """

    def __init__(self, metric: Any) -> None:
        self.metric: Metric = get(metric)
        self._summed = _is_summed(self.metric)
        self._n_outputs = 0
        self._broken = False
        self._sums: np.ndarray | None = None
        self._scale = 0.0  # by which the weights in the sums are divided: the largest so far
        self._kept: list[tuple[np.ndarray, ...]] = []

    def add(self, y_pred: Any, target: Any, mask: Any = None, weights: Any = None) -> None:
        """Add a batch, or some time steps of one.

        Parameters
        ----------
        y_pred, target, mask, weights :
            As in a call of the metric. A metric of sequences, such as ``"edit_distance"``, needs
            all time steps of a sequence at once.

        Raises
        ------
        ShapeError, InvalidTypeError, DataError, InvalidArgumentError
            If an argument does not fit; the message says which, and what would.
        """
        y, *others, weight = self.metric.counted(y_pred, target, mask, weights)
        if not weight.size:
            return
        if self._n_outputs not in (0, y.shape[-1]):
            expected = f"{self._n_outputs} outputs in every batch"
            raise ShapeError(sentence("y_pred", expected, f"{y.shape[-1]}", must="have"))
        self._n_outputs = y.shape[-1]
        if self._broken or np.isnan(y).any():
            self._broken, self._sums, self._kept = True, None, []
        elif self._summed:
            self._add_sums(y, others, weight)
        else:
            self._kept.append((y, *others, _compact(weight)))

    def _add_sums(self, y: np.ndarray, others: list[np.ndarray], weight: np.ndarray) -> None:
        metric: Any = self.metric
        scale = max(self._scale, float(weight.max()))
        with quiet():
            sums = metric.sums(y.astype(np.float64), *others, weight / scale)
            if self._sums is not None:
                sums = metric.add(self._sums, sums, self._scale / scale)
        self._sums, self._scale = sums, scale

    def value(self) -> float:
        """Return the value over everything so far; NaN if no step counts or an output is NaN."""
        metric: Any = self.metric
        if self._sums is not None:
            with quiet():
                return float(metric.score_of(self._sums, self._n_outputs))
        if not self._kept:
            return float("nan")
        parts = list(zip(*self._kept, strict=True))
        if len(parts) == 4:  # of sequences
            parts = list(map(_padded, parts))
        y, target, *mask, weight = map(np.concatenate, parts)
        return float(metric(y, target, mask[0] if mask else None, weight))


def _is_summed(metric: Metric) -> bool:
    """Whether the value comes from sums; a user-defined subclass may compute it otherwise."""
    kind: Any = type(metric)
    return (
        isinstance(metric, Summed)
        and kind.__call__ is Metric.__call__
        and kind.score is Summed.score
        and getattr(kind, "score_sequences", None) is Summed.score_sequences
    )


def _compact(weight: np.ndarray) -> np.ndarray:
    """``weight`` (M,), with the memory of one number if all are equal."""
    return np.broadcast_to(weight[:1].copy(), weight.shape) if np.ptp(weight) == 0.0 else weight


def _padded(parts: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """The parts of all batches, whose sequences or lists of labels end at the longest one's end."""
    if parts[0].ndim < 2:
        return parts
    longest = max(part.shape[1] for part in parts)
    filled = []
    for part in parts:
        fill = END if part.dtype.kind == "i" else 0
        wide = np.full((len(part), longest, *part.shape[2:]), fill, part.dtype)
        wide[:, : part.shape[1]] = part
        filled.append(wide)
    return tuple(filled)
