"""Losses whose outputs describe a distribution of the target: its moments, or its quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.activations import Sigmoid, Softplus
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_bool,
    check_float,
    sentence,
)
from throughtime.losses.base import LOSSES, Loss, Terms
from throughtime.losses.checks import shaped_target


class _PerTarget(Loss):
    """A loss with several outputs for each column of the target."""

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return ``target`` as a float array (N, K) or (N, T, K), or say what is wrong with it.

        Parameters
        ----------
        target : array-like of shape (N, K) or (N, T, K)
            The targets; with K = 1 the last axis may be absent.
        y_shape : tuple of int
            Shape of the outputs, with ``outputs(K)`` in the last axis.
        mask : ndarray of bool, of shape y_shape[:-1], optional
            True at the steps that count. The others may hold anything.
        """
        each = self.outputs(1)
        if y_shape[-1] % each or not y_shape[-1]:
            raise ShapeError(
                f"loss {self.name!r} needs {each} outputs for each column of y; got {y_shape[-1]}"
                f" outputs. Give the network {each} * K for K columns."
            )
        array = shaped_target(target, (*y_shape[:-1], y_shape[-1] // each))
        self.check_values(array, mask)
        return array


@LOSSES.register("gaussian_nll")
@dataclass(frozen=True)
class GaussianNLL(_PerTarget):
    """Negative log-likelihood of a normal distribution whose two moments are the outputs.

    Of 2K outputs y the first K are the mean m, the others, u, give the variance
    v = softplus(u) + min_variance. With r = (target - m) / sqrt(v):

    l = (log(v) + r^2) / 2, dl/dm = -r / sqrt(v), dl/du = (1 - r^2) / (2 v) sigmoid(u).

    Nix and Weigend (1994), Proc. IEEE ICNN.

    Parameters
    ----------
    min_variance : float
        Number added to every variance; > 0. It bounds the gradient when the network is certain.
    full : bool
        Whether to add log(2 pi) / 2, with which the value is the exact negative log-likelihood.
    """

    min_variance: float = 1e-6
    full: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_float("min_variance", self.min_variance, 0.0, inclusive="neither")
        check_bool("full", self.full)

    def moments(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance, each (..., K), that the outputs ``y (..., 2K)`` describe."""
        k = y.shape[-1] // 2
        return y[..., :k], Softplus()(y[..., k:]) + y.dtype.type(self.min_variance)

    def point(self, y: np.ndarray) -> np.ndarray:
        return self.moments(y)[0]

    def outputs(self, n_targets: int) -> int:
        return 2 * n_targets

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        mean, variance = self.moments(y)
        r = (target - mean) / np.sqrt(variance)
        term = 0.5 * (np.log(variance) + r * r) + 0.5 * math.log(2.0 * math.pi) * self.full
        slope = 0.5 * Sigmoid()(y[:, mean.shape[1] :]) / variance
        # r (r slope), not r^2 slope: r^2 may overflow where the slope is zero
        return term, np.hstack((-r / np.sqrt(variance), slope - r * (r * slope)))


@LOSSES.register("quantile", "pinball")
@dataclass(frozen=True)
class Quantile(_PerTarget):
    """Quantile (pinball) loss: one output for each level q of each column of the target.

    Output k * Q + j is the quantile ``levels[j]`` of column k. With d = target - y:

    l = max(q d, (q - 1) d), dl/dy = -q for d > 0, 1 - q for d < 0, 0 for d = 0.

    The mean is taken over all K * Q outputs. Koenker and Bassett (1978), Econometrica 46.

    Parameters
    ----------
    levels : sequence of float
        Levels of the quantiles, increasing, each between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> loss = Quantile(levels=(0.1, 0.5, 0.9))
    >>> loss.outputs(2)
    6
    >>> loss.quantiles(np.zeros((8, 12, 6))).shape
    (8, 12, 2, 3)
    """

    levels: tuple[float, ...] = (0.1, 0.5, 0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.levels, (str, bytes)) or not np.iterable(self.levels):
            raise InvalidTypeError(sentence("levels", "a sequence of numbers", self.levels))
        levels = tuple(check_float("levels", q, 0.0, 1.0, inclusive="neither") for q in self.levels)
        if not levels or list(levels) != sorted(set(levels)):
            raise InvalidArgumentError(
                sentence("levels", "one or more increasing numbers", str(levels))
            )
        # A list, as JSON gives it, becomes the tuple that equality and hashing need.
        object.__setattr__(self, "levels", levels)

    def quantiles(self, y: np.ndarray) -> np.ndarray:
        """Return the outputs ``y (..., K*Q)`` as (..., K, Q)."""
        return y.reshape(*y.shape[:-1], -1, len(self.levels))

    def point(self, y: np.ndarray) -> np.ndarray:
        middle = int(np.argmin([abs(q - 0.5) for q in self.levels]))
        return self.quantiles(y)[..., middle]

    def outputs(self, n_targets: int) -> int:
        return len(self.levels) * n_targets

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        q = np.array(self.levels)
        d = target[..., None] - self.quantiles(y)
        term = np.maximum(q * d, (q - 1.0) * d)
        # Otherwise d, which is NaN: the gradient of a diverged network must be NaN too.
        derivative = np.select([d > 0.0, d < 0.0, d == 0.0], [-q, 1.0 - q, 0.0], d)
        return term.reshape(y.shape), derivative.reshape(y.shape)
