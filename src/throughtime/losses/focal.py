"""Focal losses: cross-entropies in which answers that are right already count less.

Lin et al. (2017), ICCV: with p the probability of the true answer, l = -(1 - p)^gamma log(p).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from throughtime.activations import Sigmoid
from throughtime.errors import check_float
from throughtime.losses.base import LOSSES, Terms
from throughtime.losses.classification import OneOfMany, YesNo, log_softmax, shares
from throughtime.losses.floors import log_floored, smallest


@LOSSES.register("binary_focal_crossentropy", "binary_focal")
@dataclass(frozen=True)
class BinaryFocalCrossentropy(YesNo):
    """Focal loss of K independent yes/no outputs, each with a target t from 0 to 1.

    l = -a t (1 - y)^g log(y) - (1 - a) (1 - t) y^g log(1 - y), fused with ``sigmoid``. Lin et al.
    (2017), ICCV. Logarithms of zero are continued as in :class:`BinaryCrossentropy`, which is this
    loss with g = 0 and without a.

    Parameters
    ----------
    label_smoothing : float
        As in :class:`BinaryCrossentropy`.
    gamma : float
        Exponent g; >= 0. With 2, an answer with the probability 0.9 counts 100 times less.
    alpha : float, optional
        Weight a of "yes", from 0 to 1; "no" has 1 - a. By default both have 1.
    """

    gamma: float = 2.0
    alpha: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_float("gamma", self.gamma, 0.0)
        if self.alpha is not None:
            check_float("alpha", self.alpha, 0.0, 1.0)

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        yes, no = self._weights(target)
        log_y, slope_y = log_floored(y, smallest(limits))
        log_n, slope_n = log_floored(1.0 - y, float(limits.epsneg))
        small = y < 0.5  # 1 - y rounds a small y away; log1p does not
        log_n = np.where(small, np.log1p(-np.where(small, y, 0.0)), log_n)
        fade_y, fade_n = (1.0 - y) ** self.gamma, y**self.gamma
        derivative = yes * fade_y * (self.gamma * _ratio(log_y, 1.0 - y) - slope_y)
        derivative -= no * fade_n * (self.gamma * _ratio(log_n, y) - slope_n)
        return -yes * fade_y * log_y - no * fade_n * log_n, derivative

    def terms_from_logits(self, z: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        yes, no = self._weights(target)
        sigmoid = Sigmoid()
        y, n = sigmoid(z), sigmoid(-z)
        tail = np.log1p(np.exp(-np.abs(z)))
        log_y, log_n = np.minimum(z, 0.0) - tail, -np.maximum(z, 0.0) - tail
        fade_y, fade_n = n**self.gamma, y**self.gamma
        derivative = yes * fade_y * (self.gamma * y * log_y - n)
        derivative -= no * fade_n * (self.gamma * n * log_n - y)
        return -yes * fade_y * log_y - no * fade_n * log_n, derivative

    def _weights(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What "yes" and "no" count in each target."""
        t = self._smooth(target)
        yes, no = (1.0, 1.0) if self.alpha is None else (self.alpha, 1.0 - self.alpha)
        return yes * t, no * (1.0 - t)


@LOSSES.register("categorical_focal_crossentropy", "categorical_focal", "focal")
@dataclass(frozen=True)
class CategoricalFocalCrossentropy(OneOfMany):
    """Focal loss of one class out of K; one term for each step.

    l = -sum_k t_k (1 - y_k)^g log(y_k), fused with ``softmax``. Lin et al. (2017), ICCV. Targets
    and logarithms of zero are as in :class:`CategoricalCrossentropy`, which is this loss with
    g = 0. Weights of classes are ``class_weight`` of :func:`throughtime.train`.

    Parameters
    ----------
    label_smoothing : float
        As in :class:`CategoricalCrossentropy`.
    gamma : float
        Exponent g; >= 0. With 2, an answer with the probability 0.9 counts 100 times less.
    """

    gamma: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_float("gamma", self.gamma, 0.0)

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        t = shares(self._smooth(target, y.shape[1]), y.shape[1])
        y += 0.0 * y.sum(axis=1, keepdims=True)  # a NaN in any class makes its step NaN
        log, slope = log_floored(y, smallest(limits))
        rest = np.maximum(1.0 - y, 0.0)
        fade = rest**self.gamma
        derivative = t * fade * (self.gamma * _ratio(log, rest) - slope)
        return -(t * fade * log).sum(axis=1, keepdims=True), derivative

    def terms_from_logits(self, z: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        t = shares(self._smooth(target, z.shape[1]), z.shape[1])
        log_p, p, not_p = log_softmax(z)
        log_p = np.where(t == 0.0, 0.0, log_p)  # -inf at an excluded class, which counts only if t
        fade = not_p**self.gamma
        g = t * fade * (self.gamma * p * _ratio(log_p, not_p) - 1.0)
        # g - p sum(g), in a form without cancellation where the answer is nearly right
        dz = g * not_p - p * (g.sum(axis=1, keepdims=True) - g)
        return -(t * fade * log_p).sum(axis=1, keepdims=True), dz


def _ratio(log: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """log(p) / (1 - p), whose limit is -1 where the rest 1 - p is zero."""
    return np.where(rest == 0.0, -1.0, log / np.where(rest == 0.0, 1.0, rest))
