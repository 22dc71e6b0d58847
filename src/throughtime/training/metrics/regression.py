"""Metrics of numbers: errors in the unit of y, relative errors, and errors of a naive forecast."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    ShapeError,
    check_array,
    check_float,
    check_int,
    sentence,
)
from throughtime.training.metrics.base import METRICS, Metric, Summed, ratio


@dataclass(frozen=True)
class MeanMetric(Summed, Metric):
    """Base of the metrics that are a weighted mean over steps and outputs."""

    def values(self, y: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return what the mean is taken of, (M, K)."""
        raise NotImplementedError

    def sums(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the weighted sum of the values, and of the weights, (2,)."""
        values = self.values(y, target).mean(axis=1)
        return np.array([np.sum(weight * values), np.sum(weight)])

    def score_of(self, sums: np.ndarray, n_outputs: int) -> float:
        return float(sums[0] / sums[1])


@METRICS.register("mse", "mean_squared_error")
@dataclass(frozen=True)
class MSE(MeanMetric):
    """Mean squared error, in the square of the unit of y; 0 is perfect."""

    def values(self, y: np.ndarray, target: np.ndarray) -> np.ndarray:
        return (y - target) ** 2


@METRICS.register("rmse", "root_mean_squared_error")
@dataclass(frozen=True)
class RMSE(MeanMetric):
    """Root of the mean squared error over all outputs together, in the unit of y; 0 is perfect."""

    def values(self, y: np.ndarray, target: np.ndarray) -> np.ndarray:
        return (y - target) ** 2

    def score_of(self, sums: np.ndarray, n_outputs: int) -> float:
        return float(np.sqrt(sums[0] / sums[1]))


@METRICS.register("mae", "mean_absolute_error")
@dataclass(frozen=True)
class MAE(MeanMetric):
    """Mean absolute error, in the unit of y; 0 is perfect."""

    def values(self, y: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.abs(y - target)


@METRICS.register("smape")
@dataclass(frozen=True)
class SMAPE(MeanMetric):
    """Symmetric relative error, the mean of 2 abs(y - t) / (abs(y) + abs(t)), from 0 to 2.

    It is a fraction, not a percentage. A term is 0.0 if output and target are both zero.
    """

    def values(self, y: np.ndarray, target: np.ndarray) -> np.ndarray:
        return ratio(np.abs(y - target), (np.abs(y) + np.abs(target)) / 2.0)


@METRICS.register("mase")
@dataclass(frozen=True)
class MASE(MeanMetric):
    """Mean absolute error, divided by the error of a naive forecast of the training series.

    The naive forecast is the value one season before. The metric has no unit; below 1 the network
    is better than that forecast was in the training series. Hyndman and Koehler (2006),
    International Journal of Forecasting 22.

    Parameters
    ----------
    scale : float or sequence of float, optional
        Error to divide by, or one error for each output.
    seasonality : int
        Number of steps in a season; with 1 the naive forecast is the last value.
    training : array-like of shape (T,) or (T, K), or a list of such, optional
        Training series from which ``scale`` is computed: one for each output, over all series of a
        list together. Pairs with a NaN are omitted.

    Raises
    ------
    InvalidArgumentError
        Unless exactly one of ``scale`` and ``training`` is given.
    DataError
        If the series is too short, or repeats itself exactly.
    """

    scale: float | tuple[float, ...] | None = None
    seasonality: int = 1
    training: InitVar[Any] = None

    def __post_init__(self, training: Any) -> None:
        object.__setattr__(self, "seasonality", check_int("seasonality", self.seasonality, 1))
        if (self.scale is None) == (training is None):
            got = "neither" if training is None else "both"
            raise InvalidArgumentError(
                sentence(
                    "metric 'mase'",
                    "given one of scale and training, the series whose naive forecast it compares"
                    " with",
                    got,
                    "Write MASE(training=series).",
                    parameter="training",
                )
            )
        if training is not None:
            scale: Any = _naive_error(training, self.seasonality)
        elif isinstance(self.scale, (list, tuple)):
            scale = tuple(_check_scale(value) for value in self.scale)
        else:
            scale = _check_scale(self.scale)
        object.__setattr__(self, "scale", scale)

    def values(self, y: np.ndarray, target: np.ndarray) -> np.ndarray:
        scale = np.atleast_1d(np.asarray(self.scale))
        if scale.size not in (1, y.shape[1]):
            expected = f"one number, or one for each of the {y.shape[1]} outputs"
            raise InvalidArgumentError(
                sentence("scale", expected, f"{scale.size}", value=self.scale)
            )
        return np.abs(y - target) / scale


def _check_scale(value: Any) -> float:
    return check_float("scale", value, 0.0, inclusive="neither")


def _naive_error(training: Any, season: int) -> tuple[float, ...]:
    """Mean of abs(t_i - t_(i - season)) over all series together, for each output."""
    listed = (
        isinstance(training, (list, tuple))
        and len(training) > 0
        and hasattr(training[0], "__len__")
    )
    steps: list[np.ndarray] = []
    for series in training if listed else [training]:
        array = check_array("training", series, dtype=np.float64, finite=False)
        columns = array[:, None] if array.ndim == 1 else array
        if columns.ndim != 2:
            got = f"shape {array.shape}"
            raise ShapeError(sentence("training", "of shape (T,) or (T, K)", got, value=series))
        if steps and columns.shape[1] != steps[0].shape[1]:
            got = f"{steps[0].shape[1]} and {columns.shape[1]}"
            expected = "as many columns in every series"
            raise ShapeError(sentence("training", expected, got, must="have", value=training))
        steps.append(np.abs(columns[season:] - columns[:-season]))
    every = np.concatenate(steps)
    known = np.isfinite(every)
    if not known.any(axis=0).all():
        expected = f"two values that lie {season} steps apart"
        hint = "Give a longer series or a smaller seasonality."
        raise DataError(sentence("training", expected, "none", hint, must="hold", value=training))
    error = np.where(known, every, 0.0).sum(axis=0) / known.sum(axis=0)
    if not error.all():
        expected = (
            f"itself every {season} steps exactly, because its naive forecast is then perfect and"
            " cannot be divided by"
        )
        raise DataError(sentence("training", expected, "such a series", must="not repeat"))
    return tuple(error.tolist())


@METRICS.register("r2", "r2_score")
@dataclass(frozen=True)
class R2(Summed, Metric):
    """Coefficient of determination, 1 - sum (y - t)^2 / sum (t - mean t)^2, mean over outputs.

    It is at most 1; 0 is as good as the mean of the targets. If all targets are equal it is 1.0 for
    perfect outputs and 0.0 for others.
    """

    greater_is_better: ClassVar[bool] = True

    def sums(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return for each output what :meth:`add` can add up, (7, K).

        The sum of weights, the smallest, the largest and the mean target, the mean square of
        ``target - mean`` in units of the span (largest - smallest), the unit of errors, and the
        mean square of the errors in that unit.
        """
        w = weight[:, None] / weight.sum()
        low, high = target.min(axis=0), target.max(axis=0)
        span, largest = high - low, np.abs(y - target).max(axis=0)
        mean = np.sum(w * target, axis=0)
        spread = np.sum(w * ((target - mean) / _nonzero(span)) ** 2, axis=0)
        unit = _unit(span, largest)
        error = np.sum(w * ((y - target) / _nonzero(unit)) ** 2, axis=0)
        return np.stack([np.full_like(low, weight.sum()), low, high, mean, spread, unit, error])

    def add(self, sums: np.ndarray, more: np.ndarray, share: float = 1.0) -> np.ndarray:
        """Return the sums over both, by the update of Chan, Golub and LeVeque (1983)."""
        w_a, low_a, high_a, mean_a, spread_a, unit_a, error_a = sums
        w_b, low_b, high_b, mean_b, spread_b, unit_b, error_b = more
        w_a = share * w_a
        weight = w_a + w_b
        a, b = w_a / weight, w_b / weight
        low, high = np.minimum(low_a, low_b), np.maximum(high_a, high_b)
        span = high - low
        unit = _unit(span, np.maximum(unit_a, unit_b))
        spread = (
            a * _rescaled(spread_a, high_a - low_a, span)
            + b * _rescaled(spread_b, high_b - low_b, span)
            + a * b * ((mean_b - mean_a) / _nonzero(span)) ** 2
        )
        error = a * _rescaled(error_a, unit_a, unit) + b * _rescaled(error_b, unit_b, unit)
        mean = mean_a + b * (mean_b - mean_a)
        return np.stack([weight, low, high, mean, spread, unit, error])

    def score_of(self, sums: np.ndarray, n_outputs: int) -> float:
        _, low, high, _, spread, unit, error = sums
        span = high - low
        known = span > 0.0
        part = ratio(_rescaled(error, unit, span), np.where(known, spread, 0.0))
        return float(np.mean(np.where(known, 1.0 - part, error == 0.0)))


#: Numbers up to this have finite squares.
SQUARABLE = 1e154


def _unit(span: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """The unit of errors: the span of targets, or the largest error if that is far above it.

    Its square is neither infinite, nor zero where the errors are not. It is zero if both are.
    """
    far = (largest > SQUARABLE * span) & (largest < np.inf)
    return np.where(far, largest, span)


def _nonzero(unit: np.ndarray) -> np.ndarray:
    return np.where(unit > 0.0, unit, 1.0)


def _rescaled(square: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """A mean square in units of ``new`` instead of ``old``."""
    factor = old / _nonzero(new)
    return square * factor * factor
