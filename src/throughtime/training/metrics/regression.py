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
from throughtime.training.metrics.base import METRICS, Metric, ratio


def _mean(values: np.ndarray, weight: np.ndarray) -> float:
    """The weighted mean of ``values`` (M, K) over steps and outputs."""
    return float(np.sum(weight * values.mean(axis=1)) / np.sum(weight))


@METRICS.register("mse")
@dataclass(frozen=True)
class MSE(Metric):
    """Mean squared error, in the square of the unit of y; 0 is perfect."""

    def score(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        return _mean((y - target) ** 2, weight)


@METRICS.register("rmse")
@dataclass(frozen=True)
class RMSE(Metric):
    """Root of the mean squared error over all outputs together, in the unit of y; 0 is perfect."""

    def score(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        return float(np.sqrt(_mean((y - target) ** 2, weight)))


@METRICS.register("mae")
@dataclass(frozen=True)
class MAE(Metric):
    """Mean absolute error, in the unit of y; 0 is perfect."""

    def score(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        return _mean(np.abs(y - target), weight)


@METRICS.register("smape")
@dataclass(frozen=True)
class SMAPE(Metric):
    """Symmetric relative error, the mean of 2 abs(y - t) / (abs(y) + abs(t)), from 0 to 2.

    It is a fraction, not a percentage. A term is 0.0 if output and target are both zero.
    """

    def score(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        return _mean(ratio(np.abs(y - target), (np.abs(y) + np.abs(target)) / 2.0), weight)


@METRICS.register("mase")
@dataclass(frozen=True)
class MASE(Metric):
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

    def score(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        scale = np.atleast_1d(np.asarray(self.scale))
        if scale.size not in (1, y.shape[1]):
            expected = f"one number, or one for each of the {y.shape[1]} outputs"
            raise InvalidArgumentError(
                sentence("scale", expected, f"{scale.size}", value=self.scale)
            )
        return _mean(np.abs(y - target) / scale, weight)


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


@METRICS.register("r2")
@dataclass(frozen=True)
class R2(Metric):
    """Coefficient of determination, 1 - sum (y - t)^2 / sum (t - mean t)^2, mean over outputs.

    It is at most 1; 0 is as good as the mean of the targets. If all targets are equal it is 1.0 for
    perfect outputs and 0.0 for others.
    """

    greater_is_better: ClassVar[bool] = True

    def score(self, y: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        w = weight[:, None] / weight.sum()
        span = target.max(axis=0) - target.min(axis=0)
        unit = np.where(span > 0.0, span, 1.0)  # the square of a small span could be zero
        error = np.sum(w * ((y - target) / unit) ** 2, axis=0)
        spread = np.sum(w * ((target - np.sum(w * target, axis=0)) / unit) ** 2, axis=0)
        part = ratio(error, np.where(span > 0.0, spread, 0.0))
        return float(np.mean(np.where(span > 0.0, 1.0 - part, error == 0.0)))
