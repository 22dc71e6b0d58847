"""The base of all metrics: which steps count, and how a metric is chosen by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from throughtime.errors import (
    InvalidTypeError,
    ShapeError,
    check_function,
    describe,
    sentence,
)
from throughtime.losses.base import quiet
from throughtime.losses.checks import check_outputs, refuse, shaped_target, step_weights
from throughtime.registry import Registry, Words


@dataclass(frozen=True)
class Metric:
    """Base of all metrics; a subclass defines :meth:`check_target` and :meth:`score`."""

    #: Whether a larger value is a better one.
    greater_is_better: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The column of the history: the name in the registry."""
        try:
            return METRICS.name_of(self)
        except KeyError:  # a user-defined class
            return type(self).__name__

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return ``target`` as the array that this metric uses, or say what is wrong with it.

        Parameters
        ----------
        target : array-like
            Class numbers, one axis less than the outputs, or an array of their shape.
        y_shape : tuple of int
            Shape of the outputs, (N, K) or (N, T, K).
        mask : ndarray of bool, of shape y_shape[:-1], optional
            True at the steps that count. The others may hold anything.

        Raises
        ------
        ShapeError, DataError
            If shape or values do not fit; messages call the target ``y``, as training does.
        """
        array = shaped_target(target, y_shape)
        refuse(~np.isfinite(array), mask, array, "finite", "Mask missing steps, or fill them.")
        return array

    def score(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        """Return the value for the M steps that count, with y (M, K) in float64 and weight (M,)."""
        raise NotImplementedError

    def __call__(
        self,
        y_pred: np.ndarray,
        target: Any,
        mask: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> float:
        """Return the value over all steps that count.

        Parameters
        ----------
        y_pred : ndarray of shape (N, K) or (N, T, K)
            Outputs of the network.
        target : array-like
            Their targets, as :meth:`check_target` describes them.
        mask : ndarray of bool, of shape y_pred.shape[:-1], optional
            True at the steps that count.
        weights : ndarray of shape (N,) or y_pred.shape[:-1], optional
            Weight of each sequence, or of each step; >= 0.

        Returns
        -------
        float
            NaN if no step counts or an output is NaN.

        Raises
        ------
        ShapeError, InvalidTypeError, DataError, InvalidArgumentError
            If an argument does not fit; the message says which, and what would.
        """
        y, *others, weight = self.counted(y_pred, target, mask, weights)
        if not weight.size or np.isnan(y).any():
            return float("nan")
        # Divided by the largest, weights cannot overflow in a sum, and equal ones are exactly 1.
        with quiet():
            return float(self._value(y.astype(np.float64), *others, weight / weight.max()))

    def counted(
        self, y_pred: Any, target: Any, mask: Any = None, weights: Any = None
    ) -> tuple[np.ndarray, ...]:
        """Return what counts: outputs (M, K), targets (M, ...) and weights (M,) of the steps."""
        y = check_outputs(y_pred)
        weight = step_weights(y.shape[:-1], mask, weights)
        real = weight > 0.0
        target = self.check_target(target, y.shape, real)
        return y[real], target[real], weight[real]

    def _value(self, *parts: np.ndarray) -> Any:
        """The value of what counts, as :meth:`counted` returns it, in float64."""
        return self.score(*parts)


class Summed:
    """Mixin of the metrics whose value is a function of sums over what counts.

    A subclass defines :meth:`sums` and :meth:`score_of`. The sums of two batches can be added, so
    the value over any number of batches needs no memory for their outputs.
    """

    def sums(self, *parts: Any, **named: Any) -> np.ndarray:
        """Return the sums over y, target (, mask) and weight, the arguments of ``score``."""
        raise NotImplementedError

    def score_of(self, sums: np.ndarray, n_outputs: int) -> float:
        """Return the value for the sums over all outputs, of which there are K = n_outputs."""
        raise NotImplementedError

    def add(self, sums: np.ndarray, more: np.ndarray, share: float = 1.0) -> np.ndarray:
        """Return the sums over both, the weights of the first being multiplied by ``share``."""
        return share * sums + more

    def score(self, *parts: np.ndarray) -> float:
        """Return the value for what counts."""
        return self.score_of(self.sums(*parts), parts[0].shape[-1])

    score_sequences = score


#: What other libraries call the options.
OTHER_NAMES: Words = {
    "seasonality": ("m", "season_length", "sp"),
    "training": ("y_train",),
    "width": ("beam_width", "beam"),
    "k": ("top_k",),
}

METRICS: Registry[Metric] = Registry("metric", Metric, OTHER_NAMES)


def get(spec: Any) -> Metric:
    """Return the metric that ``spec`` means: a name, a metric, or a user-defined function.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If there is no metric of that name, or ``spec`` is none of the three.

    Examples
    --------
    >>> get("mae")([[1.0], [3.0]], [1.0, 1.0])
    1.0
    """
    hint = METRICS.hint(spec)
    if isinstance(spec, (Metric, str)):
        return METRICS.get(spec)
    if callable(spec) and not isinstance(spec, type) and not hint:
        return FunctionMetric(spec)
    names = ", ".join(map(repr, METRICS))
    expected = f"one of {names}, a Metric or a function"
    raise InvalidTypeError(sentence("metric", expected, describe(spec), hint))


@dataclass(frozen=True)
class FunctionMetric(Metric):
    """A user-defined function as a metric.

    Parameters
    ----------
    function : callable
        ``function(y_pred, target) -> float``. It receives only the M steps that count: ``y_pred``
        (M, K) in float64, and ``target`` (M,) or (M, ...) as it was given. It does not receive
        sample weights, but steps of weight zero are omitted.
    greater_is_better : bool
        Whether early stopping looks for large values.
    """

    function: Callable[[np.ndarray, np.ndarray], Any]
    # For the other metrics a fact about the class; here an option.
    greater_is_better: bool = field(default=False, kw_only=True)  # type: ignore[misc]

    def __post_init__(self) -> None:
        check_function("metric", self.function, ("y_pred", "target"))

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        array = np.asarray(target)
        if array.shape[: len(y_shape) - 1] != y_shape[:-1]:
            expected, got = f"the axes {y_shape[:-1]} of the outputs", f"shape {array.shape}"
            raise ShapeError(sentence("y", expected, got, must="have", value=target))
        return array

    def score(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        value = self.function(y, target)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise InvalidTypeError(
                sentence(f"metric {self.name!r}", "a number", describe(value), must="return")
            ) from None


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, and 0.0 where ``whole`` is zero."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0.0)
