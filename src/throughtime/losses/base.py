r"""What every loss shares: which steps count, how much, and how terms become one number.

A loss gives each step its terms ``l_1 .. l_E`` (one for each output, or one in all), and

    value = sum_s c_s sum_e l_se                                      (J1)
    c_s   = w_s                      for reduction "sum"              (J2)
    c_s   = w_s / (E sum_s w_s)      for reduction "mean"             (J3)
    dvalue/dy_s = c_s d(sum_e l_se)/dy_s                              (J4)

where s runs over the real steps of the batch: those that the mask keeps and whose weight is not
zero. Only they are ever looked at, so whatever stands at the other steps, NaN included, has no
influence. All is computed in float64; the gradient is returned in the dtype of ``y``.
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
from throughtime.losses.checks import (
    check_mask,
    check_outputs,
    coefficients,
    refuse,
    shaped_target,
    step_weights,
)
from throughtime.registry import Registry, Words

Terms = tuple[np.ndarray, np.ndarray]

#: Outputs that are looked at in one go: so many that their float64 copies stay in the cache.
BLOCK = 2**17


@dataclass(frozen=True)
class Domain:
    """Outputs that a loss is defined for.

    Attributes
    ----------
    low, high : float
        Their limits, both included.
    words : str
        The same for a message: ``"from 0 to 1"``.
    activation : str
        An activation that gives such outputs.
    """

    low: float
    high: float
    words: str
    activation: str


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

    #: Which outputs the loss is defined for; None for any.
    domain: ClassVar[Domain | None] = None

    #: Whether :meth:`terms` may be given the steps of a batch in several parts.
    separable: ClassVar[bool] = True

    #: Name of the native kernel that computes :meth:`terms`, or from logits
    #: :meth:`terms_from_logits`, and what follows from them; None for NumPy.
    kernel: ClassVar[str | None] = None
    logits_kernel: ClassVar[str | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Terms of one's own are not what the kernel of the class above computes.
        own = vars(cls).keys()
        if "kernel" not in own and own & {"terms", "domain", "outside_domain"}:
            cls.kernel = None
        if "logits_kernel" not in own and "terms_from_logits" in own:
            cls.logits_kernel = None

    def __post_init__(self) -> None:
        check_choice("reduction", self.reduction, ("mean", "sum"))

    @property
    def parameter(self) -> float:
        """What the kernel has to know of the options beside the reduction."""
        return 0.0

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
            Outputs of the network at M real steps of the batch, all of them or, where there are
            very many, a part; a copy that may be overwritten.
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

    def outside_domain(self, y: np.ndarray) -> tuple[str, float] | None:
        """Return what outputs ``y (M, K)`` should be, in words, and the first that is not.

        None where all are in the domain. NaN is: a diverged network must be reported as such, by
        training.
        """
        if self.domain is None:
            return None
        outside = (y < self.domain.low) | (y > self.domain.high)
        return (self.domain.words, float(y[outside][0])) if outside.any() else None

    def check_n_outputs(self, n_outputs: int) -> None:  # noqa: B027  # most losses take any
        """Refuse a network with a number of outputs for which this loss has no meaning."""

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
        return self._check_and_evaluate(y, target, mask, weights, logits=False)

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
        return self._check_and_evaluate(z, target, mask, weights, logits=True)

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
        steps = tuple(y_shape[:-1])
        if weights is not None:
            return float(step_weights(steps, mask, weights).sum())
        real = check_mask(mask, steps)
        return float(math.prod(steps) if real is None else np.count_nonzero(real))

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
        """:meth:`__call__`, or with ``logits`` :meth:`from_logits`, of a target checked before.

        A target is the same in every epoch: training checks it once and then calls this.

        Parameters
        ----------
        target : ndarray
            What :meth:`check_target` returned, or the part of it that belongs to ``y``.
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
        """Value and gradient by a native kernel; None where there is none for this call.

        Weights, if there are any, are zero at masked steps.
        """
        kernels, name = selection.kernels(), self.logits_kernel if logits else self.kernel
        if kernels is None or name is None:
            return None
        function = getattr(kernels, name)
        mean, parameter = self.reduction == "mean", self.parameter
        found = function(y, target, mask, weight, mean, parameter)
        if found is None:  # a part of longer sequences, perhaps, as truncation cuts them
            real = None if mask is None else np.ascontiguousarray(mask)
            arrays = np.ascontiguousarray(y), np.ascontiguousarray(target), real
            found = function(*arrays, weight, mean, parameter)
        return found

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
        """Value and gradient for the steps ``real``, where ``weight`` is above zero."""
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
                if aim.dtype.kind == "f":  # a difference from 1, or a sum, of float32 is rounded
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
    """Silence NumPy where outputs of a diverged network arrive.

    A value beyond the largest float is infinite and one computed from infinite outputs may be
    NaN: those are the answers, and training reports them in words. Division by zero is not
    silenced; no loss divides by what can be zero.
    """
    return np.errstate(over="ignore", under="ignore", invalid="ignore")


#: What other libraries call the options, and where options are that belong elsewhere here.
OTHER_NAMES: Words = {
    "reduction": ("reduce", "size_average"),
    "delta": ("beta", "threshold"),
    "levels": ("alpha", "q", "quantile", "quantiles", "tau"),
    "min_variance": ("eps",),
    "sample_weight= of tt.train": ("class_weight", "pos_weight", "weight", "weights"),
    "mask= or sample_weight= of tt.train": ("ignore_class", "ignore_index"),
    "the loss as it is: it takes the logits of an output layer with softmax or sigmoid": (
        "from_logits",
    ),
}

LOSSES: Registry[Loss] = Registry("loss", Loss, OTHER_NAMES)
