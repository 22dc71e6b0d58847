"""Losses of real-valued outputs: y and target (M, K), a term for each element.

Every class documents its term l and dl/dy, with d = y - target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from throughtime.errors import check_float
from throughtime.losses.base import LOSSES, Loss, Terms
from throughtime.losses.checks import refuse
from throughtime.losses.domain import Domain
from throughtime.losses.floors import log_floored, smallest


@LOSSES.register("mse", "mean_squared_error")
@dataclass(frozen=True)
class MSE(Loss):
    """Squared error: l = d^2, dl/dy = 2 d.

    Examples
    --------
    >>> import numpy as np
    >>> value, dy = MSE()(np.array([[1.0], [3.0]]), [[0.0], [0.0]])
    >>> value, dy.tolist()
    (5.0, [[1.0], [3.0]])
    """

    kernel: ClassVar[str | None] = "squared_error"

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        d = y - target
        return d * d, 2.0 * d


@LOSSES.register("half_mse", "msse")
@dataclass(frozen=True)
class HalfMSE(Loss):
    """Half the squared error: l = d^2 / 2, dl/dy = d. For one sequence, 1/(2T) sum_t d_t^2."""

    kernel: ClassVar[str | None] = "half_squared_error"

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        d = y - target
        return 0.5 * d * d, d


@LOSSES.register("mae", "mean_absolute_error")
@dataclass(frozen=True)
class MAE(Loss):
    """Absolute error: l = abs(d), dl/dy = sign(d), which is 0 at d = 0."""

    kernel: ClassVar[str | None] = "absolute_error"

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        d = y - target
        return np.abs(d), np.sign(d)


@LOSSES.register("huber")
@dataclass(frozen=True)
class Huber(Loss):
    """Huber's loss: squared near zero, linear beyond ``delta``. Huber (1964), Ann. Math. Stat. 35.

    With a = min(abs(d), delta): l = a (abs(d) - a / 2), dl/dy = clip(d, -delta, delta).

    Parameters
    ----------
    delta : float
        Error at which the square ends and the line begins; > 0.
    """

    delta: float = 1.0

    kernel: ClassVar[str | None] = "huber_error"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_float("delta", self.delta, 0.0, inclusive="neither")

    @property
    def parameter(self) -> float:
        return self.delta

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        d = y - target
        size = np.abs(d)
        inner = np.minimum(size, self.delta)
        return inner * (size - 0.5 * inner), np.clip(d, -self.delta, self.delta)


@LOSSES.register("msle", "mean_squared_logarithmic_error")
@dataclass(frozen=True)
class MSLE(Loss):
    """Squared error of logarithms: l = e^2, dl/dy = 2 e / (1 + y).

    e = log(1 + y) - log(1 + target), for targets > -1 and outputs >= -1. End the network with a
    non-negative activation such as softplus. At an output of exactly -1 the logarithm is continued
    as in :func:`~throughtime.losses.floors.log_floored`.
    """

    domain: ClassVar[Domain | None] = Domain(-1.0, np.inf, ">= -1", "softplus")

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        log, slope = log_floored(1.0 + y, float(limits.epsneg))
        # log1p keeps the digits of small outputs, which 1 + y would round away.
        safe = 1.0 + y >= limits.epsneg
        log = np.where(safe, np.log1p(np.where(safe, y, 0.0)), log)
        e = log - np.log1p(target)
        return e * e, 2.0 * e * slope

    def check_values(self, target: np.ndarray, mask: np.ndarray | None) -> None:
        super().check_values(target, mask)
        refuse(target <= -1.0, mask, target, "> -1 for loss 'msle'")


@LOSSES.register("poisson")
@dataclass(frozen=True)
class Poisson(Loss):
    """Negative log-likelihood of counts, without the part that depends only on the target.

    l = y - target log(y), dl/dy = 1 - target / y for a rate y >= 0; fused with ``exp``,
    l = exp(z) - target z, dl/dz = exp(z) - target. At a rate of exactly 0 the logarithm is
    continued as in :func:`~throughtime.losses.floors.log_floored`. The fused value is infinite from
    z = 710 on, where the rate exceeds the largest float64.
    """

    activation: ClassVar[str | None] = "exp"
    domain: ClassVar[Domain | None] = Domain(0.0, np.inf, ">= 0", "exp")

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        log, slope = log_floored(y, smallest(limits))
        return y - target * log, 1.0 - target * slope

    def terms_from_logits(self, z: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        rate = np.exp(z)
        # An infinite rate is larger than target * z, which may be infinite too: not inf - inf.
        return np.where(np.isposinf(rate), rate, rate - target * z), rate - target

    def check_values(self, target: np.ndarray, mask: np.ndarray | None) -> None:
        super().check_values(target, mask)
        refuse(target < 0.0, mask, target, ">= 0 for loss 'poisson'")


@LOSSES.register("contrastive")
@dataclass(frozen=True)
class Contrastive(Loss):
    """Loss of the distance of a pair: l = t y^2 / 2 + (1 - t) h^2 / 2, h = max(margin - y, 0).

    dl/dy = t y - (1 - t) h. The target t is 1 for two that belong together, which are drawn to each
    other, and 0 for others, which are pushed apart until their distance is ``margin``. Hadsell,
    Chopra and LeCun (2006), CVPR, whose Y is 1 - t. End the network with
    :class:`throughtime.layers.Distance`.

    Parameters
    ----------
    margin : float
        Distance from which on a pair that does not belong together has no loss; > 0.
    """

    margin: float = 1.0

    domain: ClassVar[Domain | None] = Domain(0.0, np.inf, ">= 0", "softplus")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_float("margin", self.margin, 0.0, inclusive="neither")

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        h = np.maximum(self.margin - y, 0.0)
        term = 0.5 * (target * y * y + (1.0 - target) * h * h)
        return term, target * y - (1.0 - target) * h

    def check_values(self, target: np.ndarray, mask: np.ndarray | None) -> None:
        super().check_values(target, mask)
        outside = (target < 0.0) | (target > 1.0)
        refuse(outside, mask, target, "from 0 to 1 for loss 'contrastive'")

    def classes(self, target: np.ndarray) -> np.ndarray | None:
        """With one output, class 1 are the pairs that belong together."""
        return None if target.shape[-1] > 1 else np.concatenate((1.0 - target, target), axis=-1)
