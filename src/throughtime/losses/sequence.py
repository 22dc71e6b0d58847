r"""The base of losses that see whole sequences: one value for each, from its outputs at all steps.

Equations (J1) to (J4) of :mod:`throughtime.losses.base` hold with sequences in the place of steps
and one term for each: ``"mean"`` is the weighted mean over the sequences that have an unmasked
step. How many steps a sequence has does not change its weight.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from throughtime.errors import InvalidArgumentError, ShapeError, sentence
from throughtime.losses.base import Loss, Terms, quiet
from throughtime.losses.checks import check_mask, check_outputs, coefficients, step_weights

#: Number of outputs that are computed at once: their float64 copies take 8 MiB.
BLOCK = 2**20


@dataclass(frozen=True)
class SequenceLoss(Loss):
    """Base of the losses that see whole sequences.

    For a user-defined loss, subclass it and define :meth:`sequence_terms`; for a plain function,
    use :class:`~throughtime.losses.CustomSequence`. A weight belongs to a sequence, so sample
    weights have shape (N,), and truncated backpropagation is refused.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        ``"mean"``: the weighted mean over the sequences. ``"sum"``: the weighted sum.
    """

    whole: ClassVar[bool] = True

    @abstractmethod
    def sequence_terms(
        self, y: np.ndarray, target: np.ndarray, mask: np.ndarray, limits: np.finfo
    ) -> Terms:
        """Return the term of each sequence and its derivative.

        Parameters
        ----------
        y : ndarray of shape (N, T, K), float64
            Outputs of the network for N sequences that count: all of the batch or, if they are very
            large, a part. They are a copy that may be overwritten, zero at masked steps.
        target : ndarray of shape (N, ...)
            Their targets, checked.
        mask : ndarray of bool of shape (N, T)
            True at the unmasked steps, at least one in every row; holes are allowed.
        limits : numpy.finfo
            Limits of the dtype in which the network computed ``y``.

        Returns
        -------
        terms : ndarray of shape (N,)
        derivative : ndarray of shape (N, T, K)
            d(term of the sequence)/dy. What it holds at masked steps is ignored.
        """

    def sequence_terms_from_logits(
        self, z: np.ndarray, target: np.ndarray, mask: np.ndarray, limits: np.finfo
    ) -> Terms:
        """:meth:`sequence_terms` of ``activation(z)``, and the derivative with respect to ``z``."""
        raise self._not_fused()

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        """Refuse: a single step has no term."""
        raise InvalidArgumentError(f"loss {self.name!r} has no term for a single step.")

    def check_axes(self, y_shape: tuple[int, ...]) -> None:
        """Refuse the outputs of a network that has none at every step."""
        if len(y_shape) != 3:
            raise ShapeError(
                sentence(
                    f"loss {self.name!r}",
                    "an output at every step, (N, T, K)",
                    f"shape {tuple(y_shape)}",
                    "Let the last recurrent layer have return_sequences=True.",
                    must="have",
                )
            )

    def batch_weight(
        self,
        y_shape: tuple[int, ...],
        mask: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> float:
        return float(self._weights(y_shape, mask, weights).sum())

    def evaluate(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        *,
        logits: bool = False,
    ) -> tuple[float, np.ndarray]:
        y = check_outputs(y)
        weight = self._weights(y.shape, mask, weights)
        dy = np.zeros_like(y, order="C")
        rows = np.flatnonzero(weight > 0.0)
        if not rows.size:
            return 0.0, dy
        c = coefficients(weight[rows], self.reduction, 1)
        share = np.zeros(len(y))
        share[rows] = c
        found = self._compiled_terms(y, target, mask, share, dy, logits)
        if found is not None:
            return float(np.sum(c * found[rows])), dy  # (J1)
        real = np.ones(y.shape[:2], dtype=bool) if mask is None else mask
        terms = self.sequence_terms_from_logits if logits else self.sequence_terms
        size = max(1, BLOCK // (y.shape[1] * y.shape[2])) if self.separable else len(rows)
        limits, value = np.finfo(y.dtype), 0.0
        with quiet():
            for start in range(0, len(rows), size):
                part, own_c = rows[start : start + size], c[start : start + size]
                own, here = y[part].astype(np.float64), real[part]
                if not logits:
                    self._check_domain(own[here])
                own[~here] = 0.0
                term, derivative = terms(own, target[part], here, limits)
                slope = own_c[:, None, None] * derivative
                dy[part] = np.where(here[..., None], slope, 0.0)  # (J4)
                value += float(np.sum(own_c * term))  # (J1)
        return value, dy

    def _compiled_terms(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        share: np.ndarray,
        dy: np.ndarray,
        logits: bool,
    ) -> np.ndarray | None:
        """The terms (N,) by a native kernel, which fills ``dy``; None if there is none.

        ``share`` (N,) holds c_n, and 0 for a sequence that does not count.
        """
        return None

    def _weights(
        self, y_shape: tuple[int, ...], mask: np.ndarray | None, weights: np.ndarray | None
    ) -> np.ndarray:
        """Return the weight of every sequence, float64 (N,): 0 where all its steps are masked."""
        self.check_axes(y_shape)
        weight = step_weights(tuple(y_shape[:1]), None, weights)
        real = check_mask(mask, tuple(y_shape[:2]))
        if real is not None:
            weight[~real.any(axis=1)] = 0.0
        return weight if y_shape[1] else np.zeros_like(weight)
