"""Losses of probabilities, and of logits to which a sigmoid or a softmax is applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import Sigmoid
from throughtime.errors import (
    InvalidArgumentError,
    Message,
    ShapeError,
    check_array,
    check_float,
    sentence,
)
from throughtime.losses.base import LOSSES, Loss, Terms
from throughtime.losses.checks import label_hint, refuse, shape_hint
from throughtime.losses.domain import Domain
from throughtime.losses.floors import log_floored, smallest

#: How far above 1 a probability, or the sum of several, may be: they are often rounded to 4 digits.
ROUNDING = 1e-4
#: How far the sum of the outputs of a step may be from 1. That of a softmax in float32 is within
#: 1e-5; outputs of other layers are not this close by chance.
SLACK = 1e-3


@dataclass(frozen=True)
class YesNo(Loss):
    """Base of the losses of K independent yes/no outputs, each with a target t from 0 to 1."""

    label_smoothing: float = 0.0

    activation: ClassVar[str | None] = "sigmoid"
    domain: ClassVar[Domain | None] = Domain(0.0, 1.0, "from 0 to 1", "sigmoid")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_float("label_smoothing", self.label_smoothing, 0.0, 1.0, inclusive="low")

    def _smooth(self, target: np.ndarray) -> np.ndarray:
        s = self.label_smoothing
        return target if s == 0.0 else (1.0 - s) * target + 0.5 * s

    def check_values(self, target: np.ndarray, mask: np.ndarray | None) -> None:
        super().check_values(target, mask)
        outside = (target < 0.0) | (target > 1.0)
        hint = label_hint(target if mask is None else target[mask], 2)
        refuse(outside, mask, target, f"from 0 to 1 for loss {self.name!r}", hint)

    def classes(self, target: np.ndarray) -> np.ndarray | None:
        """With one output, "no" is class 0 and "yes" is class 1; several outputs name no class."""
        return None if target.shape[-1] > 1 else np.concatenate((1.0 - target, target), axis=-1)


@LOSSES.register("binary_crossentropy", "bce")
@dataclass(frozen=True)
class BinaryCrossentropy(YesNo):
    """Cross-entropy of K independent yes/no outputs, each with a target t from 0 to 1.

    l = -t log(y) - (1 - t) log(1 - y); fused with ``sigmoid``,

    l = max(z, 0) - t z + log(1 + exp(-abs(z))), dl/dz = sigmoid(z) - t.

    From probabilities: where y, or 1 - y, is too small for its dtype, the logarithm is continued
    as in :func:`~throughtime.losses.floors.log_floored`. So the loss of a certain but wrong answer
    is finite (float32: 72 at y = 0, 18 at y = 1), and that of a certain right answer is 0.

    Parameters
    ----------
    label_smoothing : float
        Share s, from 0 to below 1, of each target that is drawn to the middle: t (1 - s) + s / 2.
        Szegedy et al. (2016), CVPR.
    """

    logits_kernel: ClassVar[str | None] = "sigmoid_crossentropy"

    @property
    def compiled(self) -> bool:
        return self.label_smoothing == 0.0

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        target = self._smooth(target)
        log_yes, slope_yes = log_floored(y, smallest(limits))
        log_no, slope_no = log_floored(1.0 - y, float(limits.epsneg))
        # 1 - y rounds a small y away; log1p does not.
        small = y < 0.5
        log_no = np.where(small, np.log1p(-np.where(small, y, 0.0)), log_no)
        return -target * log_yes - (1.0 - target) * log_no, (
            -target * slope_yes + (1.0 - target) * slope_no
        )

    def terms_from_logits(self, z: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        target = self._smooth(target)
        term = np.maximum(z, 0.0) - target * z + np.log1p(np.exp(-np.abs(z)))
        # sigmoid(z) - t, in a form without cancellation where the answer is nearly right
        sigmoid = Sigmoid()
        return term, (1.0 - target) * sigmoid(z) - target * sigmoid(-z)


@dataclass(frozen=True)
class OneOfMany(Loss):
    """Base of the losses of one class out of K, with probabilities as outputs."""

    label_smoothing: float = 0.0

    activation: ClassVar[str | None] = "softmax"
    domain: ClassVar[Domain | None] = Domain(
        0.0, 1.0 + ROUNDING, "that are probabilities", "softmax"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_float("label_smoothing", self.label_smoothing, 0.0, 1.0, inclusive="low")

    def outside_domain(self, y: np.ndarray) -> tuple[str, float] | None:
        found = super().outside_domain(y)
        if found is None:
            total = y.sum(axis=1, dtype=np.float64)
            off = np.abs(total - 1.0) > SLACK
            if off.any():
                found = "that sum to 1 at every step", float(total[off][0])
        return found

    def check_n_outputs(self, n_outputs: int) -> None:
        if n_outputs < 2:
            raise InvalidArgumentError(
                Message(
                    "{loss} {name!r} needs at least 2 outputs, one a class; got {n_outputs}.",
                    parameter="loss",
                    value=self,
                    hint="Use 'binary_crossentropy' for a single yes/no output.",
                    name=self.name,
                    n_outputs=n_outputs,
                )
            )

    def _smooth(self, target: np.ndarray, n_classes: int) -> np.ndarray:
        """Targets (M,) or (M, K) as they count; smoothed ones are rows (M, K)."""
        s = self.label_smoothing
        if s == 0.0:
            return target
        rows = shares(target, n_classes)
        return (1.0 - s) * rows + s / n_classes

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return class numbers (integer) or probabilities (float), or say what is wrong.

        Parameters
        ----------
        target : array-like of shape (N,), (N, T), (N, K) or (N, T, K)
            Class numbers, with one axis less than the outputs, or probabilities of the classes.
        y_shape : tuple of int
            Shape of the outputs, (N, K) or (N, T, K).
        mask : ndarray of bool, of shape y_shape[:-1], optional
            True at the steps that count. The others may hold anything: NaN, -1, -100.

        Returns
        -------
        ndarray
            Class numbers in int64, of shape ``y_shape[:-1]``, or floats of shape ``y_shape``.
        """
        steps, n_classes = tuple(y_shape[:-1]), y_shape[-1]
        self.check_n_outputs(n_classes)
        array = check_array("y", target, finite=False, hint="Number the classes 0, 1, 2 ... first.")
        if array.shape == steps:
            return class_numbers(array, n_classes, mask)
        if array.shape != tuple(y_shape):
            raise ShapeError(
                sentence(
                    "y",
                    f"class numbers of shape {steps} or probabilities of shape {tuple(y_shape)}",
                    f"shape {array.shape}",
                    class_shape_hint(array, tuple(y_shape)),
                )
            )
        array = array if array.dtype.kind == "f" else array.astype(np.float64)
        self.check_values(array, mask)
        return array

    def classes(self, target: np.ndarray) -> np.ndarray | None:
        return target

    def check_values(self, target: np.ndarray, mask: np.ndarray | None) -> None:
        super().check_values(target, mask)
        refuse((target < 0.0) | (target > 1.0 + ROUNDING), mask, target, "from 0 to 1")
        with np.errstate(invalid="ignore", over="ignore"):  # steps that do not count hold anything
            total = target.sum(axis=-1, dtype=np.float64)
        refuse(np.abs(total - 1.0) > ROUNDING, mask, total, "probabilities that sum to 1")


@LOSSES.register(
    "categorical_crossentropy", "cce", "crossentropy", "sparse_categorical_crossentropy"
)
@dataclass(frozen=True)
class CategoricalCrossentropy(OneOfMany):
    """Cross-entropy of one class out of K; one term for each step.

    l = -sum_k t_k log(y_k); fused with ``softmax``, l = sum_k t_k (logsumexp(z) - z_k),
    dl/dz_k = softmax(z)_k sum_j t_j - t_k.

    The target is a class number from 0 to K - 1, or K probabilities (one-hot for certainty). From
    probabilities y, the logarithm of zero is continued as in
    :func:`~throughtime.losses.floors.log_floored`: in float32, the loss of certainty in a wrong
    class is 72. The outputs must sum to 1: otherwise the network could make all classes likely at
    once.

    Parameters
    ----------
    label_smoothing : float
        Share s, from 0 to below 1, of each target that is spread over all classes:
        t (1 - s) + s / K. Szegedy et al. (2016), CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[800.0, 0.0, -800.0], [0.0, 0.0, 0.0]])
    >>> value, dz = CategoricalCrossentropy().from_logits(logits, [0, 2])
    >>> round(value, 4), dz.round(4).tolist()
    (0.5493, [[0.0, 0.0, 0.0], [0.1667, 0.1667, -0.3333]])
    """

    logits_kernel: ClassVar[str | None] = "softmax_crossentropy"

    @property
    def compiled(self) -> bool:
        return self.label_smoothing == 0.0

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        target = self._smooth(target, y.shape[1])
        if target.ndim == 1:
            y += 0.0 * y.sum(axis=1, keepdims=True)  # a NaN in any class makes its step NaN
            place = np.arange(len(y)), target
            log, slope = log_floored(y[place], smallest(limits))
            derivative = np.zeros_like(y)
            derivative[place] = -slope
            return -log[:, None], derivative
        log, slope = log_floored(y, smallest(limits))
        return -(target * log).sum(axis=1, keepdims=True), -target * slope

    def terms_from_logits(self, z: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        t = self._smooth(target, z.shape[1])
        if t.ndim == 1:
            return certain_terms(z, t)
        log_p, p, not_p = log_softmax(z)
        # A logit of -inf excludes a class: log p = -inf, which counts only if t is not 0.
        term = -(t * np.where(t == 0.0, 0.0, log_p)).sum(axis=1, keepdims=True)
        # p sum(t) - t, in a form without cancellation where the answer is nearly right
        return term, p * (t.sum(axis=1, keepdims=True) - t) - t * not_p


def shares(target: np.ndarray, n_classes: int) -> np.ndarray:
    """Return class numbers (M,) as one-hot rows (M, K), and rows as they are."""
    if target.ndim > 1:
        return target
    rows = np.zeros((len(target), n_classes))
    rows[np.arange(len(target)), target] = 1.0
    return rows


def class_numbers(
    array: np.ndarray,
    n_classes: int,
    mask: np.ndarray | None,
    way: str = "For {n} classes give the network as many outputs.",
) -> np.ndarray:
    """Return class numbers as int64, 0 where ``mask`` is False; refuse others than 0 .. C-1.

    ``way`` says what to do for the ``n`` classes that the numbers ask for.
    """
    real = array if mask is None else np.where(mask, array, 0)
    expected = f"class numbers from 0 to {n_classes - 1}"
    if real.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # an infinity has no remainder, and is refused too
            refuse(real % 1.0 != 0.0, None, real, expected)
    # Compared in the dtype given: a cast could wrap a large number into the range.
    hint = label_hint(array if mask is None else array[mask], n_classes)
    if not hint and real.size and n_classes <= real.max() < 2**31 and real.min() >= 0:
        hint = way.format(n=int(real.max()) + 1)
    refuse((real < 0) | (real >= n_classes), None, real, expected, hint)
    return real.astype(np.int64)


def class_shape_hint(array: np.ndarray, shape: tuple[int, ...]) -> str:
    """Say what to do about a target that holds neither class numbers nor probabilities."""
    same_steps = array.ndim == len(shape) and array.shape[:-1] == shape[:-1]
    if same_steps and array.shape[-1] == 1:
        return f"For class numbers write y[{', '.join(':' * (array.ndim - 1))}, 0]."
    if same_steps and np.allclose(array.sum(axis=-1), 1.0, atol=ROUNDING):  # one-hot, it seems
        return f"For {array.shape[-1]} classes give the network as many outputs."
    return shape_hint(array[..., None], shape)


def log_softmax(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log p, p and 1 - p of p = softmax(z), z (M, K), each to full relative precision."""
    peak, log_p, p, s = _softmax_parts(z)
    log_p -= np.log1p(s)[:, None]
    not_p = 1.0 - p
    not_p[peak] = s / (1.0 + s)
    return log_p, p, not_p


def certain_terms(z: np.ndarray, target: np.ndarray) -> Terms:
    """Return -log p_t (M, 1) and p - one-hot (M, K) of p = softmax(z), for class numbers (M,).

    These are the same numbers as from one-hot rows.
    """
    peak, shifted, p, s = _softmax_parts(z)
    place = peak[0], target
    not_p = np.where(peak[1] == target, s / (1.0 + s), 1.0 - p[place])
    p[place] = 0.0 - not_p  # never -0.0
    return (np.log1p(s) - shifted[place])[:, None], p


def _softmax_parts(
    z: np.ndarray,
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Return the place of the largest logit of each row, z minus the largest, p, and the sum s.

    After the largest logit is subtracted, its exponential is exactly 1. The sum s of the other
    exponentials then gives log(sum) = log1p(s), and 1 - p = s / (1 + s) at the largest, so neither
    vanishes when the largest class is nearly certain.
    """
    peak = np.arange(len(z)), z.argmax(axis=1)
    shifted = z - z[peak][:, None]
    p = np.exp(shifted)
    p[peak] = 0.0
    s = p.sum(axis=1)
    p /= (1.0 + s)[:, None]
    p[peak] = 1.0 / (1.0 + s)
    return peak, shifted, p, s
