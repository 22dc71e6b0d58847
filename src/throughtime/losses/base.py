r"""The base of all losses: which steps count, how much, and how terms become one number.

A loss has terms ``l_1 .. l_E`` for each step (one for each output, or one in all), and

    value = sum_s c_s sum_e l_se                                      (J1)
    c_s   = w_s                      for reduction "sum"              (J2)
    c_s   = w_s / (E sum_s w_s)      for reduction "mean"             (J3)
    dvalue/dy_s = c_s d(sum_e l_se)/dy_s                              (J4)

where s runs over the steps of the batch that count: those that are not masked and whose weight is
not zero. Targets and outputs at the other steps are never read, so they may hold anything, even
NaN. All is computed in float64; the gradient is returned in the dtype of ``y``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import ACTIVATIONS, Activation
from throughtime.errors import InvalidArgumentError, check_choice
from throughtime.kernels import selection, vectors
from throughtime.kernels.arrays import packed
from throughtime.kernels.extension import LossKernel
from throughtime.kernels.rule import own_kernel
from throughtime.kernels.underflow import ignore_underflow
from throughtime.losses.checks import (
    check_mask,
    check_outputs,
    coefficients,
    refuse,
    shaped_target,
    step_weights,
)
from throughtime.losses.domain import Domain
from throughtime.registry import Registry, Words

Terms = tuple[np.ndarray, np.ndarray]

#: Number of outputs that are computed at once: their float64 copies, 1 MiB, stay in the cache.
BLOCK = 2**17


@dataclass(frozen=True)
class Loss(ABC):
    """Base of all losses: a number that training makes small, and its gradient.

    For a user-defined loss, subclass it and define :meth:`terms`; for a plain function, use
    :class:`~throughtime.losses.Custom`.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        ``"mean"``: the weighted mean over all elements that count (of class losses: over all
        steps). ``"sum"``: the weighted sum.
    """

    reduction: str = field(default="mean", kw_only=True)

    #: Name of the output activation that :meth:`from_logits` is fused with, or None.
    activation: ClassVar[str | None] = None

    #: The outputs for which the loss is defined; None for any.
    domain: ClassVar[Domain | None] = None

    #: Whether :meth:`terms` may be called with the steps of a batch in several parts.
    separable: ClassVar[bool] = True

    #: Whether a term belongs to a whole sequence; see
    #: :class:`~throughtime.losses.sequence.SequenceLoss`.
    whole: ClassVar[bool] = False

    #: Whether a target has the time steps of the output, where the output has some.
    aligned: ClassVar[bool] = True

    #: Names of the native kernels that compute value and gradient, from the outputs as
    #: :meth:`terms` does and from logits as :meth:`terms_from_logits` does; None for NumPy.
    kernel: ClassVar[str | None] = None
    logits_kernel: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        check_choice("reduction", self.reduction, ("mean", "sum"))

    @property
    def compiled(self) -> bool:
        """Whether the native kernels compute the loss with these options."""
        return True

    @property
    def parameter(self) -> float:
        """The option that the kernel needs beside the reduction."""
        return 0.0

    @property
    def name(self) -> str:
        """The name of this loss in messages."""
        try:
            return LOSSES.name_of(self)
        except KeyError:  # a user-defined class
            return type(self).__name__

    @abstractmethod
    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        """Return the terms of each step and their derivative.

        Parameters
        ----------
        y : ndarray of shape (M, K), float64
            Outputs of the network at M steps that count: all of the batch or, if there are very
            many, a part. They are a copy that may be overwritten.
        target : ndarray of shape (M, ...)
            Their targets, checked.
        limits : numpy.finfo
            Limits of the dtype in which the network computed ``y``.

        Returns
        -------
        terms : ndarray of shape (M, E)
            Any number E of terms for each step.
        derivative : ndarray of shape (M, K)
            d(sum of the terms of a step)/dy.
        """

    def terms_from_logits(self, z: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        """:meth:`terms` of ``activation(z)``, and their derivative with respect to ``z``."""
        raise self._not_fused()

    def _not_fused(self) -> InvalidArgumentError:
        return InvalidArgumentError(
            f"loss {self.name!r} has no activation to be fused with; call it on the outputs."
        )

    def outside_domain(self, y: np.ndarray) -> tuple[str, float] | None:
        """Return the domain in words and the first of the outputs ``y (M, K)`` outside of it.

        None if all are inside. NaN counts as inside: training reports a diverged network as such.
        """
        if self.domain is None:
            return None
        outside = (y < self.domain.low) | (y > self.domain.high)
        return (self.domain.words, float(y[outside][0])) if outside.any() else None

    def check_n_outputs(self, n_outputs: int) -> None:  # noqa: B027  # most losses take any
        """Refuse a network with a number of outputs for which this loss has no meaning."""

    def outputs(self, n_targets: int) -> int:
        """Return the number of outputs that targets of ``n_targets`` columns need."""
        return n_targets

    def classes(self, target: np.ndarray) -> np.ndarray | None:
        """Return the classes that a checked target names; None if it names none.

        Either class numbers, integers of the shape of the steps, or the shares of all classes, with
        one more axis. ``class_weight`` of :func:`throughtime.train` needs them.
        """
        return None

    def point(self, y: np.ndarray) -> np.ndarray:
        """Return the point forecast that the outputs ``y (..., K)`` contain."""
        return y

    def answers(self, y: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """Return what metrics compare with the targets: the point forecasts.

        Parameters
        ----------
        y : ndarray of shape (N, K) or (N, T, K)
            Outputs of the network.
        mask : ndarray of bool, of shape (N,) or (N, T), or None
            True at the unmasked steps.
        """
        return self.point(y)

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
            Their targets, as :meth:`check_target` describes them.
        mask : ndarray of bool, of shape (N,) or (N, T), optional
            True at the steps that count.
        weights : ndarray of shape (N,) or (N, T), optional
            Weight of each sequence, or of each step; >= 0.

        Returns
        -------
        value : float
            The loss: 0.0 if no step counts, infinite if it exceeds the largest float64.
        dy : ndarray of the shape and dtype of ``y``
            Zero at every step that does not count.

        Raises
        ------
        ShapeError, InvalidTypeError, DataError, InvalidArgumentError
            If an argument does not fit; the message says which, and what would.
        """
        return self._check_and_evaluate(y, target, mask, weights, logits=False)

    def from_logits(
        self,
        z: np.ndarray,
        target: Any,
        mask: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> tuple[float, np.ndarray]:
        """Return ``self(activation(z), ...)`` and the gradient with respect to ``z``.

        Both are one formula, so that nothing underflows or overflows between them. The arguments
        are those of :meth:`__call__`.

        Raises
        ------
        InvalidArgumentError
            If this loss has no such activation (:attr:`activation` is None).
        """
        return self._check_and_evaluate(z, target, mask, weights, logits=True)

    def fuses_with(self, activation: Activation | None) -> bool:
        """Whether :meth:`from_logits` is fused with exactly this output activation.

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
        """Return the weight of a batch in a mean over batches: the sum of its steps' weights.

        With ``reduction="mean"``, the loss of all data is the mean of the losses of the batches,
        with these weights.
        """
        steps = tuple(y_shape[:-1])
        if weights is not None:
            return float(step_weights(steps, mask, weights).sum())
        real = check_mask(mask, steps)
        return float(math.prod(steps) if real is None else np.count_nonzero(real))

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return ``target`` as the array that this loss uses, or say what is wrong with it.

        Parameters
        ----------
        target : array-like of shape y_shape
            The targets; with one output, the last axis may be absent.
        y_shape : tuple of int
            Shape of the outputs, (N, K) or (N, T, K).
        mask : ndarray of bool, of shape y_shape[:-1], optional
            True at the steps that count. The others may hold anything.

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
        """Refuse a target outside the domain of this loss at a step that counts."""
        if not vectors.finite(target):
            hint = "Mask missing steps, or fill them."
            refuse(~np.isfinite(target), mask, target, "finite", hint)

    def evaluate(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        *,
        logits: bool = False,
    ) -> tuple[float, np.ndarray]:
        """Compute :meth:`__call__`, or with ``logits`` :meth:`from_logits`, for a checked target.

        The targets are the same in every epoch: training checks them once and then calls this.

        Parameters
        ----------
        target : ndarray
            The array that :meth:`check_target` returned, or the part of it that belongs to ``y``.
        """
        y = check_outputs(y)
        weight = None if weights is None else step_weights(y.shape[:-1], mask, weights)
        found = self._fused(y, target, mask, weight, logits)
        if found is not None:
            return found
        if weight is None:
            weight = step_weights(y.shape[:-1], mask, None)
        return self._evaluate(y, target, weight, weight > 0.0, logits)

    def _fused(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        weight: np.ndarray | None,
        logits: bool,
    ) -> tuple[float, np.ndarray] | None:
        """Value and gradient by a native kernel; None if there is none for this call.

        Weights, if there are any, are zero at masked steps.
        """
        kernels = selection.kernels()
        name = own_kernel(self, "logits_kernel" if logits else "kernel")
        if kernels is None or name is None or not self.compiled:
            return None
        function: LossKernel = getattr(kernels, name)
        mean, parameter = self.reduction == "mean", self.parameter
        found = function(y, target, mask, weight, mean, parameter)
        if found is None:  # not contiguous, as chunks of longer sequences are
            real = None if mask is None else packed(mask)
            arrays = packed(y), packed(target), real
            found = function(*arrays, weight, mean, parameter)
        return found

    @ignore_underflow
    def _check_and_evaluate(
        self,
        y: np.ndarray,
        target: Any,
        mask: np.ndarray | None,
        weights: np.ndarray | None,
        logits: bool,
    ) -> tuple[float, np.ndarray]:
        y = check_outputs(y)
        steps = y.shape[:-1]
        if weights is None:
            real = check_mask(mask, steps)
        else:
            real = step_weights(steps, mask, weights) > 0.0
        wanted = self.check_target(target, y.shape, real)
        return self.evaluate(y, wanted, mask, weights, logits=logits)

    def _evaluate(
        self, y: np.ndarray, target: np.ndarray, weight: np.ndarray, real: np.ndarray, logits: bool
    ) -> tuple[float, np.ndarray]:
        """Value and gradient by NumPy; ``real`` is where ``weight`` is above zero."""
        dy = np.zeros_like(y, order="C")
        rows = np.flatnonzero(real)
        if not rows.size:
            return 0.0, dy
        outputs, slope = y.reshape(-1, y.shape[-1]), dy.reshape(-1, y.shape[-1])
        wanted = target.reshape(-1, *target.shape[real.ndim :])
        terms = self.terms_from_logits if logits else self.terms
        size = max(1, BLOCK // y.shape[-1]) if self.separable else len(rows)
        limits, value, c = np.finfo(y.dtype), 0.0, None
        with quiet():
            for start in range(0, len(rows), size):
                part = slice(start, start + size)
                here = part if len(rows) == real.size else rows[part]  # a slice copies nothing
                own = outputs[here].astype(np.float64)
                if not logits:
                    self._check_domain(own)
                aim = wanted[here]
                if aim.dtype.kind == "f":  # float32 would round 1 - target, or a sum of targets
                    aim = aim.astype(np.float64, copy=False)
                term, derivative = terms(own, aim, limits)
                if c is None:
                    c = coefficients(weight[real], self.reduction, term.shape[1])[:, None]
                slope[here] = c[part] * derivative  # (J4)
                value += float(np.sum(c[part] * term))  # (J1)
        return value, dy

    def _check_domain(self, y: np.ndarray) -> None:
        found = self.outside_domain(y)
        if found is not None and self.domain is not None:
            words, value = found
            raise InvalidArgumentError(
                f"loss {self.name!r} needs outputs {words}; got {value:g}."
                f" End the network with activation={self.domain.activation!r}."
            )


def quiet() -> Any:
    """Silence NumPy for the outputs of a diverged network.

    A value above the largest float is infinite, and a value computed from infinite outputs may be
    NaN. These are the right results, and training reports them. Division by zero is not silenced,
    because no loss divides by a number that can be zero.
    """
    return np.errstate(over="ignore", under="ignore", invalid="ignore")


#: What other libraries call the options, and where options are that belong elsewhere here.
OTHER_NAMES: Words = {
    "reduction": ("reduce", "size_average"),
    "delta": ("beta", "threshold"),
    "levels": ("alpha", "q", "quantile", "quantiles", "tau"),
    "min_variance": ("eps",),
    "label_smoothing": ("smoothing",),
    "gamma": ("focal_gamma", "focusing"),
    "alpha": ("focal_alpha",),
    "class_weight= or sample_weight= of tt.train": (
        "class_weight", "pos_weight", "weight", "weights",
    ),
    "mask= or sample_weight= of tt.train": ("ignore_class", "ignore_index"),
    "the loss as it is: it takes the logits of an output layer with softmax or sigmoid": (
        "from_logits",
    ),
}  # fmt: skip

LOSSES: Registry[Loss] = Registry("loss", Loss, OTHER_NAMES)
