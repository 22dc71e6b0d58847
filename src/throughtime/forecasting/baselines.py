"""The naive forecasts that a model must beat, and the errors to compare them by."""

from __future__ import annotations

import numpy as np


def persistence(y: np.ndarray, horizon: int) -> np.ndarray:
    """The last known value, H times.

    Examples
    --------
    >>> persistence(np.array([1.0, 4.0, np.nan]), 2)
    array([4., 4.])
    """
    return np.full(horizon, y[~np.isnan(y)][-1])


def seasonal_naive(y: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """For each step, the last known value that lies a whole number of seasons before it.

    If a phase was never observed, the last known value is used.

    Examples
    --------
    >>> seasonal_naive(np.array([1.0, 2.0, 3.0, 5.0, np.nan]), 4, season=3)
    array([3., 5., 2., 3.])
    """
    known = np.flatnonzero(~np.isnan(y))
    by_phase = {int(t % season): y[t] for t in known}
    ahead = len(y) + np.arange(horizon)
    return np.array([by_phase.get(int(t % season), y[known[-1]]) for t in ahead])


def drift(y: np.ndarray, horizon: int) -> np.ndarray:
    """The straight line through the first and the last known value, extended.

    Examples
    --------
    >>> drift(np.array([1.0, 2.0, 5.0]), 2)
    array([7., 9.])
    """
    known = np.flatnonzero(~np.isnan(y))
    first, last = known[0], known[-1]
    slope = 0.0 if first == last else (y[last] - y[first]) / (last - first)
    return np.asarray(y[last] + slope * (len(y) - last + np.arange(horizon)))


def naive_forecasts(y: np.ndarray, horizon: int, season: int) -> dict[str, np.ndarray]:
    """All naive forecasts by name; seasonal naive only if ``season`` is 2 or more."""
    found = {"persistence": persistence(y, horizon)}
    if season > 1:
        found["seasonal naive"] = seasonal_naive(y, horizon, season)
    found["drift"] = drift(y, horizon)
    return found


def mase_scale(y: np.ndarray, season: int) -> float:
    """Mean absolute difference of values one season apart: what MASE divides by; NaN if none."""
    step = season if len(y) > season else 1
    moved = np.abs(y[step:] - y[:-step])
    moved = moved[~np.isnan(moved)]
    scale = float(moved.mean()) if len(moved) else 0.0
    return scale if scale > 0.0 else float("nan")


def smape_terms(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """``2 |f - y| / (|f| + |y|)`` of each pair; two zeros give 0."""
    size = np.abs(actual) + np.abs(forecast)
    return np.asarray(2.0 * np.abs(forecast - actual) / np.where(size > 0.0, size, 1.0))
