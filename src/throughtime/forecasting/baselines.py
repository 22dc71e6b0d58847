"""The naive forecasts that a model must beat, and the errors to compare them by."""

from __future__ import annotations

import numpy as np

#: The naive methods, in the order in which they are shown.
PERSISTENCE, SEASONAL_NAIVE, DRIFT = NAIVE = ("persistence", "seasonal naive", "drift")


def ahead(y: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
    """The values of ``y`` at the H steps after each of ``origins``, (O, H); NaN beyond its end."""
    where = origins[:, None] + np.arange(horizon)
    return np.where(where < len(y), y[np.minimum(where, len(y) - 1)], np.nan)


def naive_paths(
    method: str, y: np.ndarray, origins: np.ndarray, horizon: int, season: int
) -> np.ndarray:
    """The forecasts of one naive method from ``origins`` inside ``y``.

    Parameters
    ----------
    method : str
        One of :data:`NAIVE`.
    y : ndarray of float64 of shape (T,)
        The values; NaN where one is missing. At least one is known before the first origin.
    origins : ndarray of int of shape (O,)
        Origins from 1 to T. An origin is the number of values that are known there.
    season : int
        The season of seasonal naive, in steps.

    Returns
    -------
    forecasts : ndarray of float64 of shape (O, H)
    """
    seen = ~np.isnan(y)
    last = np.maximum.accumulate(np.where(seen, np.arange(len(y)), 0))[origins - 1]
    level = np.repeat(y[last][:, None], horizon, axis=1)
    steps = np.arange(horizon)
    if method == PERSISTENCE:
        return level
    if method == DRIFT:
        first = int(np.argmax(seen))
        slope = (y[last] - y[first]) / np.maximum(last - first, 1)
        return np.asarray(level + slope[:, None] * (origins[:, None] - last[:, None] + steps))
    cycles = y.copy()
    for t in np.flatnonzero(~seen):
        if t >= season:
            cycles[t] = cycles[t - season]
    place = origins[:, None] - season + steps % season
    found = np.where(place >= 0, cycles[np.maximum(place, 0)], np.nan)
    return np.where(np.isnan(found), level, found)


def persistence(y: np.ndarray, horizon: int) -> np.ndarray:
    """The last known value, H times.

    Examples
    --------
    >>> persistence(np.array([1.0, 4.0, np.nan]), 2)
    array([4., 4.])
    """
    return naive_paths(PERSISTENCE, y, np.array([len(y)]), horizon, 1)[0]


def seasonal_naive(y: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """For each step, the last known value that lies a whole number of seasons before it.

    If a phase was never observed, the last known value is used.

    Examples
    --------
    >>> seasonal_naive(np.array([1.0, 2.0, 3.0, 5.0, np.nan]), 4, season=3)
    array([3., 5., 2., 3.])
    """
    return naive_paths(SEASONAL_NAIVE, y, np.array([len(y)]), horizon, season)[0]


def drift(y: np.ndarray, horizon: int) -> np.ndarray:
    """The straight line through the first and the last known value, extended.

    Examples
    --------
    >>> drift(np.array([1.0, 2.0, 5.0]), 2)
    array([7., 9.])
    """
    return naive_paths(DRIFT, y, np.array([len(y)]), horizon, 1)[0]


def naive_forecasts(y: np.ndarray, horizon: int, season: int) -> dict[str, np.ndarray]:
    """All naive forecasts by name; seasonal naive only if ``season`` is 2 or more."""
    origin = np.array([len(y)])
    return {
        method: naive_paths(method, y, origin, horizon, season)[0]
        for method in naive_methods(season)
    }


def naive_methods(season: int) -> list[str]:
    """The naive methods that there are with this season; 1 is none."""
    return [method for method in NAIVE if season > 1 or method != SEASONAL_NAIVE]


def mase_scale(y: np.ndarray, season: int) -> float:
    """Mean absolute difference of values one season apart: what MASE divides by; NaN if none."""
    step = season if len(y) > season else 1
    moved = np.abs(y[step:] - y[:-step])
    moved = moved[~np.isnan(moved)]
    scale = float(moved.mean()) if len(moved) else 0.0
    return scale if scale > 0.0 else float("nan")


def rmsse_scale(y: np.ndarray) -> float:
    """Root of the mean squared one-step difference: the divisor of (I9); NaN if none."""
    moved = np.diff(y)
    moved = moved[~np.isnan(moved)]
    scale = float(np.sqrt((moved**2).mean())) if len(moved) else 0.0
    return scale if scale > 0.0 else float("nan")


def pinball(actual: np.ndarray, quantile: np.ndarray, level: float) -> np.ndarray:
    """(I10), the loss of a quantile: ``level (y - q)`` above it, ``(1 - level) (q - y)`` below.

    Examples
    --------
    >>> pinball(np.array([5.0, 1.0]), np.array([3.0, 3.0]), 0.9).round(2)
    array([1.8, 0.2])
    """
    over = actual - quantile
    return np.asarray(np.maximum(level * over, (level - 1.0) * over))


def smape_terms(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """``2 |f - y| / (|f| + |y|)`` of each pair; two zeros give 0."""
    size = np.abs(actual) + np.abs(forecast)
    return np.asarray(2.0 * np.abs(forecast - actual) / np.where(size > 0.0, size, 1.0))
