"""Series that were never observed: what is rare in the competitions, and what nobody can forecast.

Trends that are damped, levels that shift, seasons that evolve, autoregressions, outliers, demand
that is mostly zero; and white noise and random walks, which teach the network to leave them alone.
They also bring the frequencies of days, weeks and hours, which the competitions lack.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recipes.base_model.sources import HORIZONS, SHORTEST, Origin, shortened

#: Longest history, by the period of the season.
_LONGEST = {1: 80, 4: 120, 5: 400, 7: 400, 12: 400, 24: 400, 52: 400}
#: How often each period is drawn.
_PERIODS = {1: 0.2, 4: 0.2, 5: 0.03, 7: 0.07, 12: 0.4, 24: 0.05, 52: 0.05}


def origins(count: int, seed: int) -> Iterator[Origin]:
    """``count`` origins, each in a series of its own."""
    rng = np.random.default_rng([seed, 1])
    for i in range(count):
        period = int(rng.choice(list(_PERIODS), p=list(_PERIODS.values())))
        horizon = shortened(rng, int(rng.choice(HORIZONS[period])))
        bounds = np.log([SHORTEST[period], _LONGEST[period]])
        total = int(np.exp(rng.uniform(*bounds)))
        y = series(rng, period, total + horizon)
        name = f"synthetic:{seed}.{i}"
        yield Origin(name, "synthetic", period, y[:total], y[total:], horizon)


def series(rng: np.random.Generator, period: int, total: int) -> np.ndarray:
    """One series of some kind."""
    kinds = (
        _trend, _shifts, _season, _autoregression, _noise, _noise, _walk, _walk, _outliers,
        _demand, _mixture,
    )  # fmt: skip
    kind = kinds[rng.integers(len(kinds))]
    error = rng.standard_t(5, total) if rng.random() < 0.3 else rng.normal(size=total)
    y = kind(rng, period, error)
    scale = np.exp(rng.normal(0.0, 0.7))
    if kind is _demand:
        return y * scale
    if rng.random() < 0.5:
        return y
    # Above zero, and half of these with a season and errors that grow with the level.
    base = 20.0 * scale * np.exp(rng.normal())
    if rng.random() < 0.4:
        return base * np.exp((y - y.mean()) / (y.std() + 1e-9) * rng.uniform(0.05, 0.5))
    return base + y * rng.uniform(0.3, 3.0)


def _pattern(
    rng: np.random.Generator, period: int, total: int, size: float, evolve: float
) -> np.ndarray:
    """A season of this size whose places wander."""
    if period == 1 or size == 0.0:
        return np.zeros(total)
    pattern = rng.normal(size=period)
    pattern = (pattern - pattern.mean()) * size / (pattern.std() + 1e-9)
    found = np.empty(total)
    for t in range(total):
        found[t] = pattern[t % period]
        pattern[t % period] += evolve * rng.normal()
    return found


def _recursive(error: np.ndarray, share: float) -> np.ndarray:
    """An autoregression of first order."""
    found, last = np.empty(len(error)), 0.0
    for t, e in enumerate(error):
        last = share * last + e
        found[t] = last
    return found


def _trend(rng: np.random.Generator, period: int, error: np.ndarray) -> np.ndarray:
    phi = rng.choice([0.8, 0.9, 0.95, 0.98, 1.0])
    alpha, beta = rng.uniform(0.02, 0.8), rng.uniform(0.0, 0.3)
    slope, level, levels = 0.3 * rng.normal(), 0.0, np.empty(len(error))
    for t, e in enumerate(error):
        levels[t] = level + phi * slope
        level = levels[t] + alpha * e
        slope = phi * slope + 0.3 * alpha * beta * e
    size = rng.choice([0.0, 1.0, 3.0, 8.0])
    return levels + error * rng.uniform(0.2, 1.5) + _pattern(rng, period, len(error), size, 0.05)


def _shifts(rng: np.random.Generator, period: int, error: np.ndarray) -> np.ndarray:
    level = np.zeros(len(error))
    for _ in range(rng.integers(1, 4)):
        level[rng.integers(2, len(error)) :] += rng.normal(0.0, 4.0)
    return level + error + _pattern(rng, period, len(error), rng.choice([0.0, 2.0, 4.0]), 0.0)


def _season(rng: np.random.Generator, period: int, error: np.ndarray) -> np.ndarray:
    total = len(error)
    pattern = _pattern(rng, period, total, rng.uniform(2.0, 8.0), rng.choice([0.0, 0.1, 0.4]))
    wander = np.cumsum(rng.normal(0.0, rng.choice([0.0, 0.1, 0.3]), total))
    return pattern + error + wander + 0.05 * rng.normal() * np.arange(total)


def _autoregression(rng: np.random.Generator, period: int, error: np.ndarray) -> np.ndarray:
    pattern = _pattern(rng, period, len(error), rng.choice([0.0, 0.0, 1.0, 3.0]), 0.0)
    return _recursive(error, rng.uniform(-0.3, 0.97)) + pattern


def _noise(rng: np.random.Generator, period: int, error: np.ndarray) -> np.ndarray:
    return error + _pattern(rng, period, len(error), rng.choice([0.0, 0.0, 0.0, 2.0]), 0.0)


def _walk(rng: np.random.Generator, period: int, error: np.ndarray) -> np.ndarray:
    pattern = _pattern(rng, period, len(error), rng.choice([0.0, 0.0, 0.0, 3.0]), 0.0)
    return np.cumsum(error) + pattern


def _outliers(rng: np.random.Generator, period: int, error: np.ndarray) -> np.ndarray:
    y = np.cumsum(rng.normal(0.0, rng.choice([0.0, 0.2, 0.5]), len(error))) + 0.5 * error
    y += _pattern(rng, period, len(error), rng.choice([0.0, 2.0]), 0.0)
    wild = rng.random(len(error)) < 0.04
    y[wild] += rng.normal(0.0, 8.0, wild.sum())
    return y


def _demand(rng: np.random.Generator, _: int, error: np.ndarray) -> np.ndarray:
    total = len(error)
    return (rng.random(total) < rng.uniform(0.2, 0.7)) * rng.gamma(2.0, 2.0, total)


def _mixture(rng: np.random.Generator, period: int, error: np.ndarray) -> np.ndarray:
    total = len(error)
    y = _recursive(error, rng.uniform(0.3, 0.95)) + np.cumsum(rng.normal(0.0, 0.2, total))
    y += 0.03 * rng.normal() * np.arange(total)
    return y + _pattern(rng, period, total, rng.choice([0.0, 2.0, 5.0]), 0.05)
