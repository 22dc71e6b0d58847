r"""What every loss shares: which steps count, how much, and how terms become one number.

A loss gives each step its terms ``l_1 .. l_E`` (one for each output, or one in all), and

    value = sum_s c_s sum_e l_se                                      (1)
    c_s   = w_s                      for reduction "sum"              (2)
    c_s   = w_s / (E sum_s w_s)      for reduction "mean"             (3)
    dvalue/dy_s = c_s d(sum_e l_se)/dy_s                              (4)

where s runs over the real steps of the batch: those that the mask keeps and whose weight is not
zero. Only they are ever looked at, so whatever stands at the other steps, NaN included, has no
influence. All is computed in float64; the gradient is returned in the dtype of ``y``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import ACTIVATIONS, Activation
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_array,
    check_choice,
    describe,
    sentence,
)
from throughtime.registry import Registry

Terms = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Loss(ABC):
    """Base of all losses: a number to be made small, and its gradient.

    To write one, subclass it and define :meth:`terms`; to use a plain function, see
    :class:`~throughtime.losses.Custom`.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        ``"mean"``: the weighted mean over the real elements (class losses: over the real steps).
        ``"sum"``: the weighted sum.
    """

    reduction: str = field(default="mean", kw_only=True)

    #: Name of the output activation that :meth:`from_logits` contains, or None.
    activation: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        check_choice("reduction", self.reduction, ("mean", "sum"))

    @property
    def name(self) -> str:
        """What messages call this loss."""
        try:
            return LOSSES.name_of(self)
        except KeyError:  # a user's own class
            return type(self).__name__

    @abstractmethod
    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        """Return the terms of each step and their derivative.

        Parameters
        ----------
        y : ndarray of shape (M, K), float64
            Outputs of the network at the M real steps of the batch.
        target : ndarray of shape (M, ...)
            Their targets, checked.
        limits : numpy.finfo
            Limits of the dtype in which the network computed ``y``.

        Returns
        -------
        terms : ndarray of shape (M, E)
            Any number E of terms a step.
        derivative : ndarray of shape (M, K)
            d(sum of the step's terms)/dy.
        """

    def terms_from_logits(self, z: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        """:meth:`terms` of ``activation(z)``, and their derivative with respect to ``z``."""
        raise InvalidArgumentError(
            f"loss {self.name!r} has no activation to be fused with; call it on the outputs."
        )

    def outputs(self, n_targets: int) -> int:
        """How many outputs the network must have for targets of ``n_targets`` columns."""
        return n_targets

    def point(self, y: np.ndarray) -> np.ndarray:
        """Return the point forecast that the outputs ``y (..., K)`` contain."""
        return y

    def __call__(
        self,
        y: np.ndarray,
        target: Any,
        mask: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> tuple[float, np.ndarray]:
        """Return the value and the gradient with respect to ``y``.

        Parameters
        ----------
        y : ndarray of shape (N, K) or (N, T, K)
            Outputs of the network.
        target : array-like
            What they should be, as :meth:`check_target` describes it.
        mask : ndarray of bool, of shape (N,) or (N, T), optional
            True at real steps.
        weights : ndarray of shape (N,) or (N, T), optional
            How much each sequence, or each step, counts; >= 0.

        Returns
        -------
        value : float
            0.0 where no step counts. Infinite where the true value exceeds the largest float64.
        dy : ndarray of the shape and dtype of ``y``
            Zero at every step that does not count.

        Raises
        ------
        ShapeError, InvalidTypeError, DataError, InvalidArgumentError
            If an argument does not fit; the message says which, and what would.
        """
        return self._evaluate(self.terms, y, target, mask, weights)

    def from_logits(
        self,
        z: np.ndarray,
        target: Any,
        mask: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> tuple[float, np.ndarray]:
        """Return ``self(activation(z), ...)`` and the gradient with respect to ``z``.

        One formula for both, so nothing under- or overflows between them. Arguments as in
        :meth:`__call__`.

        Raises
        ------
        InvalidArgumentError
            If this loss has no such activation (:attr:`activation` is None).
        """
        return self._evaluate(self.terms_from_logits, z, target, mask, weights)

    def fuses_with(self, activation: Activation | None) -> bool:
        """Whether :meth:`from_logits` contains exactly this output activation.

        Examples
        --------
        >>> import throughtime.losses as losses, throughtime.activations as activations
        >>> losses.get("categorical_crossentropy").fuses_with(activations.get("softmax"))
        True
        >>> losses.get("categorical_crossentropy").fuses_with(activations.Softmax(temperature=2.0))
        False
        """
        return self.activation is not None and activation == ACTIVATIONS[self.activation]()

    def batch_weight(
        self,
        y_shape: tuple[int, ...],
        mask: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> float:
        """Return the weight of one batch in a mean over batches: the sum over its real steps.

        Where ``reduction="mean"``, the loss of the whole is the mean of the values of its parts
        with these weights.
        """
        return float(step_weights(tuple(y_shape[:-1]), mask, weights).sum())

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return ``target`` as the array this loss works with, or say what is wrong with it.

        Parameters
        ----------
        target : array-like of shape y_shape
            With one output, ``y_shape[:-1]`` will do.
        y_shape : tuple of int
            Shape of the outputs, (N, K) or (N, T, K).
        mask : ndarray of bool, of shape y_shape[:-1], optional
            True at real steps. The others may hold anything.

        Returns
        -------
        ndarray of shape y_shape

        Raises
        ------
        ShapeError, DataError
            If shape or values do not fit; messages call the target ``y``.
        """
        array = shaped_target(target, tuple(y_shape))
        self.check_values(array, mask)
        return array

    def check_values(self, target: np.ndarray, mask: np.ndarray | None) -> None:
        """Refuse a target outside the domain of this loss at a real step."""
        refuse(~np.isfinite(target), mask, target, "finite", "Mask missing steps, or fill them.")

    def _evaluate(
        self,
        terms: Callable[[np.ndarray, np.ndarray, np.finfo], Terms],
        y: np.ndarray,
        target: Any,
        mask: np.ndarray | None,
        weights: np.ndarray | None,
    ) -> tuple[float, np.ndarray]:
        y = check_outputs(y)
        weight = step_weights(y.shape[:-1], mask, weights)
        real = weight > 0
        target = self.check_target(target, y.shape, real)
        dy = np.zeros_like(y)
        if not real.any():
            return 0.0, dy
        with quiet():
            term, derivative = terms(y[real].astype(np.float64), target[real], np.finfo(y.dtype))
            c = coefficients(weight[real], self.reduction, term.shape[1])[:, None]
            dy[real] = c * derivative  # (4)
            return float(np.sum(c * term)), dy  # (1)


def quiet() -> Any:
    """Silence NumPy where outputs of a diverged network arrive.

    A value beyond the largest float is infinite and one computed from infinite outputs may be
    NaN: those are the answers, and training reports them in words. Division by zero is not
    silenced; no loss divides by what can be zero.
    """
    return np.errstate(over="ignore", under="ignore", invalid="ignore")


def coefficients(weight: np.ndarray, reduction: str, n_terms: int) -> np.ndarray:
    """Return c_s of (2) or (3) for the weights (M,) of the real steps."""
    if reduction == "sum":
        return weight
    scaled = weight / weight.max()  # the sum of weights may overflow, this one cannot
    return scaled / (scaled.sum() * n_terms)


def step_weights(
    steps: tuple[int, ...], mask: np.ndarray | None, weights: np.ndarray | None
) -> np.ndarray:
    """Return the weight of every step, float64 of shape ``steps``: 0 where the mask is False.

    Parameters
    ----------
    steps : tuple of int
        (N,) or (N, T).
    mask : ndarray of bool, of shape ``steps``, or None
    weights : ndarray of shape (N,) or ``steps``, or None
    """
    weight = np.ones(steps)
    if weights is not None:
        given = check_array("weights", weights, dtype=np.float64, finite=False)
        if given.shape not in (steps, steps[:1]):
            shapes = " or ".join(str(s) for s in dict.fromkeys((steps[:1], steps)))
            raise ShapeError(sentence("weights", f"of shape {shapes}", f"shape {given.shape}"))
        weight *= given.reshape(given.shape + (1,) * (len(steps) - given.ndim))
    if mask is not None:
        mask = np.asarray(mask)
        if mask.dtype != np.bool_:
            raise InvalidTypeError(
                sentence("mask", "a boolean array", f"dtype {mask.dtype}", "Write mask != 0.")
            )
        if mask.shape != steps:
            raise ShapeError(sentence("mask", f"of shape {steps}", f"shape {mask.shape}"))
        weight[~mask] = 0.0
    if not (np.isfinite(weight) & (weight >= 0)).all():
        bad = weight[~(np.isfinite(weight) & (weight >= 0))][0]
        raise DataError(sentence("weights", "finite numbers >= 0", f"{bad:g}"))
    return weight


def check_outputs(y: Any) -> np.ndarray:
    """Return outputs of a network as a float array (N, K) or (N, T, K)."""
    y = np.asarray(y)
    if y.dtype.kind not in "biuf":
        raise InvalidTypeError(sentence("the network's output", "an array of numbers", describe(y)))
    if y.ndim not in (2, 3):
        raise ShapeError(
            sentence("the network's output", "of shape (N, K) or (N, T, K)", f"shape {y.shape}")
        )
    return y if y.dtype.kind == "f" else y.astype(np.float64)


def shaped_target(target: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return ``target`` as a float array of ``shape``, its last axis added where that is 1."""
    array = check_array("y", target, finite=False)
    if shape[-1] == 1 and array.shape == shape[:-1]:
        array = array[..., None]
    if array.shape != shape:
        raise ShapeError(
            sentence("y", f"of shape {shape}", f"shape {array.shape}", shape_hint(array, shape))
        )
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def shape_hint(array: np.ndarray, shape: tuple[int, ...]) -> str:
    """Say what to do about a target that does not have the ``shape`` of the outputs."""
    if len(shape) == 3 and array.ndim == 2 and array.shape[0] == shape[0]:
        return (
            "The network gives an output at every step; for one a sequence, let its last"
            " recurrent layer have return_sequences=False."
        )
    if len(shape) == 2 and array.ndim == 3 and array.shape[0] == shape[0]:
        return (
            "The network gives one output a sequence; for one at every step, let its last"
            " recurrent layer have return_sequences=True."
        )
    return ""


def refuse(
    bad: np.ndarray, mask: np.ndarray | None, target: np.ndarray, expected: str, hint: str = ""
) -> None:
    """Raise for the first element of ``target`` that is ``bad`` at a real step."""
    if mask is not None:
        bad = bad & mask.reshape(mask.shape + (1,) * (bad.ndim - mask.ndim))
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(sentence("y", expected, f"{target[index]:g} at index {index}", hint))


def check_domain(
    loss: Loss, y: np.ndarray, outside: np.ndarray, expected: str, activation: str
) -> None:
    """Raise where outputs ``y`` lie ``outside`` what a loss is defined for.

    NaN is not outside: a diverged network must be reported as such, by training.
    """
    if outside.any():
        raise InvalidArgumentError(
            f"loss {loss.name!r} needs outputs {expected}; got {y[outside][0]:g}."
            f" End the network with activation={activation!r}."
        )


def log_floored(q: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    r"""Logarithm and its derivative, continued below ``floor`` by its tangent there.

        f(q) = log(r) + (q - r) / r,   f'(q) = 1 / r,   r = max(q, floor)

    Down to the floor this is log(q) exactly. Below, it stays finite, concave and smooth, and the
    derivative stays that of the value: a probability of exactly zero costs much and pulls hard,
    and ``0 * f(0)`` is 0.
    """
    r = np.maximum(q, floor)
    return np.log(r) + (q - r) / r, 1.0 / r


def smallest(limits: np.finfo) -> float:
    """Return the floor of :func:`log_floored` for numbers near zero: 1e-31 for float32.

    Not the smallest float itself: its inverse, a gradient, has to survive being multiplied by
    sample weights.
    """
    return float(limits.tiny) / float(limits.eps)


LOSSES: Registry[Loss] = Registry("loss", Loss)
