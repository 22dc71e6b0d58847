"""Scalers: they give every feature a similar size, and undo it.

All are affine, with one centre and one scale for each feature::

    z = (x - center) / scale        x = z * scale + center

Statistics are computed in float64 from the unmasked values only. A constant feature gets scale 1,
so it becomes exactly zero (or the low end of the range) and is restored exactly. Missing values
(NaN) stay missing under :meth:`~Scaler.transform`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np

from throughtime.data.moments import Moments, is_source, unmasked
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    ShapeError,
    as_array,
    check_array,
    check_float,
    sentence,
)
from throughtime.registry import Registry

__all__ = ["SCALERS", "MinMaxScaler", "RobustScaler", "Scaler", "StandardScaler"]

#: Smallest scale: dividing by a smaller, subnormal number would overflow.
_SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass
class Scaler(ABC):
    """Base class of the scalers; its state is its options, ``center`` and ``scale``.

    Attributes
    ----------
    center, scale : tuple of float of length F, or None
        Set by :meth:`fit`. They are plain numbers, so JSON keeps them unchanged.
    """

    center: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if (self.center is None) != (self.scale is None):
            raise InvalidArgumentError("center and scale must be given together, or neither.")
        if self.center is None or self.scale is None:
            return
        center = check_array("center", self.center, shape=("F",), dtype=np.float64)
        scale = check_array("scale", self.scale, shape=(len(center),), dtype=np.float64)
        if not (scale > 0).all():
            raise InvalidArgumentError(sentence("scale", "> 0", f"{scale.min()}"))
        self.center, self.scale = tuple(center.tolist()), tuple(scale.tolist())

    @abstractmethod
    def _statistics(self, values: np.ndarray) -> tuple[float, float]:
        """Centre and scale of one feature from its unmasked values (float64, not constant)."""

    def _summarised(self, low: float, high: float, mean: float, std: float) -> tuple[float, float]:
        """The same from what one pass over batches can know."""
        raise InvalidArgumentError(
            sentence(
                "x",
                f"an array for {type(self).__name__}",
                "a source of batches",
                "It needs all values at once; StandardScaler and MinMaxScaler do not.",
            )
        )

    def _constant(self, value: float) -> tuple[float, float]:
        """Centre and scale of a feature that has only one value."""
        return value, 1.0

    def fit(self, x: Any, mask: Any = None) -> Self:
        """Compute the centre and the scale of each feature.

        Parameters
        ----------
        x : array of shape (..., F), or (T,) for one feature; or a source of batches
            Batches of a loader (or dicts with ``x`` and, if need be, ``lengths`` and ``mask``, or
            tuples with ``x`` first) are read once, in the memory of one batch. Padding does not
            count.
        mask : bool array of shape (...) or of the shape of ``x``, optional
            True at the values that count; the others are ignored and may be NaN.

        Raises
        ------
        DataError
            If an unmasked value is NaN or infinite, or a feature has no unmasked value.
        ShapeError
            If the mask does not fit.
        """
        pairs = self._of_batches(x, mask) if is_source(x) else self._of_array(x, mask)
        self.center = tuple(c for c, _ in pairs)
        self.scale = tuple(s for _, s in pairs)
        return self

    def _of_array(self, x: Any, mask: Any) -> list[tuple[float, float]]:
        columns, counted = _checked(x, mask)
        pairs = []
        for feature in range(columns.shape[1]):
            values = columns[counted[:, feature], feature]
            if values.size == 0:
                raise _none_unmasked(feature)
            low, high = float(values.min()), float(values.max())
            pairs.append(self._one(feature, low, high, partial(self._statistics, values)))
        return pairs

    def _of_batches(self, source: Any, mask: Any) -> list[tuple[float, float]]:
        if mask is not None:
            raise InvalidArgumentError(
                sentence("mask", "None for a source of batches", "one", "Batches have their own.")
            )
        found: Moments | None = None
        for x, own in unmasked(source):
            columns, counted = _checked(x, own)
            found = Moments(columns.shape[1]) if found is None else found
            if columns.shape[1] != len(found.n):
                expected, got = f"{len(found.n)} features in every batch", f"{columns.shape[1]}"
                raise ShapeError(sentence("x", expected, got, must="have"))
            found.add(columns, counted)
        if found is None:
            raise DataError(sentence("x", "at least one batch", "none", must="have"))
        if not found.n.all():
            raise _none_unmasked(int(np.argmin(found.n)))
        return [
            self._one(k, low, high, partial(self._summarised, low, high, mean, std))
            for k, (low, high, mean, std) in enumerate(
                zip(
                    *(a.tolist() for a in (found.low, found.high, found.mean, found.std)),
                    strict=True,
                )
            )
        ]

    def _one(
        self,
        feature: int,
        low: float,
        high: float,
        statistics: Callable[[], tuple[float, float]],
    ) -> tuple[float, float]:
        if low == high:
            return self._constant(low)
        with np.errstate(over="ignore", invalid="ignore"):
            center, scale = statistics()
        if not (np.isfinite(center) and np.isfinite(scale)):
            raise DataError(
                sentence(
                    "x",
                    "a spread that float64 can hold",
                    f"{low:g} to {high:g} in feature {feature}",
                    must="have",
                )
            )
        return float(center), float(scale) if scale >= _SMALLEST else 1.0

    def transform(self, x: Any) -> np.ndarray:
        """Return ``(x - center) / scale`` in the float type of ``x`` (float64 for integers)."""
        array, columns, center, scale = self._prepare(x)
        return _like(array, (columns - center) / scale)

    def inverse_transform(self, z: Any) -> np.ndarray:
        """Return ``z * scale + center`` in the float type of ``z``."""
        array, columns, center, scale = self._prepare(z)
        return _like(array, columns * scale + center)

    def fit_transform(self, x: Any, mask: Any = None) -> np.ndarray:
        """Fit, then transform the same data."""
        return self.fit(x, mask).transform(x)

    def _prepare(self, x: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        if self.center is None or self.scale is None:
            raise InvalidArgumentError(
                f"{type(self).__name__} must be fitted first. Call fit(x) before transform."
            )
        array = check_array("x", x, finite=False)
        columns = _columns(array)
        if columns.shape[1] != len(self.center):
            raise ShapeError(
                sentence(
                    "x",
                    f"{len(self.center)} features in its last axis, as at fit",
                    f"shape {array.shape}",
                    must="have",
                )
            )
        return array, columns, np.array(self.center), np.array(self.scale)

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description; :meth:`from_config` builds an equal scaler from it."""
        return SCALERS.to_config(self)

    @staticmethod
    def from_config(config: Any) -> Scaler:
        """The scaler that :meth:`to_config` described; ModelFileError for anything else."""
        return SCALERS.from_config(config)


SCALERS: Registry[Scaler] = Registry("scaler", Scaler)


@SCALERS.register("standard")
@dataclass
class StandardScaler(Scaler):
    """Mean 0 and standard deviation 1 (of the population, as scikit-learn's).

    Examples
    --------
    >>> StandardScaler().fit_transform([1.0, 2.0, 3.0]).round(3)
    array([-1.225,  0.   ,  1.225])
    """

    def _statistics(self, values: np.ndarray) -> tuple[float, float]:
        return float(values.mean()), float(values.std())

    def _summarised(self, low: float, high: float, mean: float, std: float) -> tuple[float, float]:
        return mean, std


@SCALERS.register("minmax")
@dataclass
class MinMaxScaler(Scaler):
    """The smallest value at ``low`` and the largest at ``high``.

    Examples
    --------
    >>> MinMaxScaler().fit_transform([2.0, 3.0, 6.0])
    array([0.  , 0.25, 1.  ])
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.low = check_float("low", self.low)
        self.high = check_float("high", self.high, self.low, inclusive="neither")

    def _statistics(self, values: np.ndarray) -> tuple[float, float]:
        return self._summarised(float(values.min()), float(values.max()), np.nan, np.nan)

    def _summarised(self, low: float, high: float, mean: float, std: float) -> tuple[float, float]:
        scale = (high - low) / (self.high - self.low)
        return low - self.low * scale, scale

    def _constant(self, value: float) -> tuple[float, float]:
        return value - self.low, 1.0


@SCALERS.register("robust")
@dataclass
class RobustScaler(Scaler):
    """Median 0 and interquartile range 1, which a few outliers do not change.

    If the quartiles coincide or nearly so (most values are equal), the standard deviation is used
    in place of the range.

    Examples
    --------
    >>> RobustScaler().fit_transform([1.0, 2.0, 3.0, 4.0, 1000.0])
    array([ -1. ,  -0.5,   0. ,   0.5, 498.5])
    """

    def _statistics(self, values: np.ndarray) -> tuple[float, float]:
        first, median, third = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
        spread = float(values.std())
        return median, third - first if third - first > 1e-9 * spread else spread


def _columns(array: np.ndarray) -> np.ndarray:
    """All values as float64 rows of features ``(M, F)``."""
    if array.ndim == 0:
        raise ShapeError(sentence("x", "at least one axis", "a single number", must="have"))
    width = 1 if array.ndim == 1 else array.shape[-1]
    return array.reshape(-1, width).astype(np.float64, copy=False)


def _checked(x: Any, mask: Any) -> tuple[np.ndarray, np.ndarray]:
    """The values as ``(M, F)`` and the mask of the same shape; unmasked values are finite."""
    array = check_array("x", x, finite=False)
    columns = _columns(array)
    counted = _counted(mask, array, columns)
    bad = counted & ~np.isfinite(columns)
    if bad.any():
        row, feature = np.argwhere(bad)[0]
        raise DataError(
            sentence(
                "x",
                "finite where it is not masked",
                f"{columns[row, feature]} in feature {feature}",
                "Fill missing values, or pass mask=~np.isnan(x).",
            )
        )
    return columns, counted


def _none_unmasked(feature: int) -> DataError:
    return DataError(
        sentence(
            "x",
            "at least one unmasked value in every feature",
            f"none in feature {feature}",
            must="have",
        )
    )


def _counted(mask: Any, array: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The mask as ``(M, F)``."""
    if mask is None:
        return np.ones(columns.shape, dtype=bool)
    own = as_array("mask", mask)
    if own.dtype != np.bool_:
        raise ShapeError(
            sentence("mask", "booleans", f"an array of dtype {own.dtype}", must="hold")
        )
    if own.shape == array.shape:
        return own.reshape(columns.shape)
    if own.shape != array.shape[:-1]:
        raise ShapeError(
            sentence("mask", f"of shape {array.shape[:-1]} or {array.shape}", f"shape {own.shape}")
        )
    return np.broadcast_to(own.reshape(-1, 1), columns.shape)


def _like(array: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``values`` in the shape of ``array``, and in its dtype if that is a float type."""
    dtype = array.dtype if array.dtype.kind == "f" else np.float64
    return values.reshape(array.shape).astype(dtype, copy=False)
