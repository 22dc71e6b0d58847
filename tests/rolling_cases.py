"""Series and settings of smoothing that are forecast from many origins."""

from __future__ import annotations

import numpy as np
import pytest

from throughtime.forecasting.grid import candidates
from throughtime.forecasting.smoothing import TRENDS, Smoothing

#: (period, steps of the series, horizon): cycles shorter and longer than the horizon.
SHAPES = [(1.0, 40, 1), (1.0, 57, 9), (2.5, 33, 8), (4.0, 30, 3), (12.0, 90, 18), (52.18, 160, 7),
          (7.0, 61, 20)]  # fmt: skip


def series(seed: int, steps: int, period: float) -> np.ndarray:
    """Positive values with a season, a trend that turns, and gaps."""
    rng = np.random.default_rng(seed)
    t = np.arange(steps)
    walk = np.cumsum(rng.normal(0.0, 0.05, steps)) + 0.02 * np.abs(t - steps / 2)
    y = 10.0 ** rng.uniform(-2, 4) * np.exp(walk + 0.4 * np.sin(2 * np.pi * t / period))
    y[1:][rng.random(steps - 1) < 0.1 * (seed % 3)] = np.nan
    return y


def drawn(seed: int, steps: int, period: float) -> tuple[list[Smoothing], np.ndarray]:
    """Settings of the grid and others, of every trend, in any order; and some origins."""
    rng = np.random.default_rng(seed)
    grid = candidates(period, seed % 2 == 1)
    chosen = [grid[i] for i in rng.permutation(len(grid))[: int(rng.integers(1, 70))]]
    for trend in TRENDS:
        alpha, beta, gamma = rng.random(3)
        phi = float(rng.choice([1.0, 0.5 + rng.random() / 2]))
        chosen.append(Smoothing(seed % 2 == 1, period, alpha, trend, beta, phi, gamma))
    origins = np.flatnonzero(rng.random(steps) < 0.4) + 1
    return chosen, origins if seed % 4 else np.arange(1, steps + 1)


CASES = [(seed, *shape) for seed, shape in enumerate(4 * SHAPES)]
every_case = pytest.mark.parametrize(("seed", "period", "steps", "horizon"), CASES)
