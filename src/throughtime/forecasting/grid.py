"""The settings of smoothing that compete, and where and at what price."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from throughtime.forecasting.smoothing import Grid, Smoothing

#: Values of alpha, gamma and (trend, beta, phi) that compete. They are about equally far apart in
#: their effect; finer grids only choose among settings that the history cannot tell apart.
_ALPHAS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
_GAMMAS = (0.05, 0.15, 0.4)
_TRENDS = (
    ("none", 0.0, 1.0),
    ("drift", 0.0, 1.0),
    ("theta", 0.0, 1.0),
    *(("local", beta, phi) for beta in (0.03, 0.1, 0.3) for phi in (0.9, 0.98, 1.0)),
    *(("return", 0.0, phi) for phi in (0.7, 0.85, 0.95)),
)
#: Origins at which settings are compared, at most. On 80 series of 300 values, 40 origins or 600
#: choose settings whose hold-out errors are the same to 4 %, in both directions.
_MAX_ORIGINS = 150
#: Numbers of seasonal patterns that the reference engine keeps at once, for each setting: 315
#: settings then take 40 MB.
_MAX_PATTERNS = 16_000
#: Share of the error that each part of a model must earn, whatever the length T of the series, and
#: the same over T. On 60 random walks of 34 values the chosen setting is 9 % worse than persistence
#: without any price and 7 % with both; of 114 values 13 % and 2 %. Trends gain 3 %, too. Short
#: autoregressions pay for it: they are taken for walks, at 1.05 instead of 0.94 of persistence.
_PRICE, _PRICE_OF_FEW = 0.02, 2.0
#: Share of the error that a season must earn for each cycle that is missing to three. On 60 noises
#: of 30 values it lets 7 chance seasons through instead of 12; of 60 true seasons it misses 9 more.
_PRICE_OF_SEASON = 0.5


@functools.lru_cache(maxsize=64)
def candidates(period: float, log: bool) -> Grid:
    """All settings that compete for one period (1: no season) and one transformation."""
    gammas = _GAMMAS if round(period) > 1 else (0.0,)
    return Grid(
        Smoothing(log, period, alpha, trend, beta, phi, gamma)
        for alpha, (trend, beta, phi), gamma in itertools.product(_ALPHAS, _TRENDS, gammas)
    )


def origins_of(total: int, phases: int) -> np.ndarray:
    """Origins to compare settings at, none before the two cycles that give the first pattern."""
    begin = max(4, total // 4, 2 * phases if phases > 1 else 0)
    count = min(_MAX_ORIGINS, max(20, _MAX_PATTERNS // phases))
    last = max(1, total - 1)
    return np.unique(np.linspace(min(begin, max(1, total - 2)), last, count).astype(np.int64))


def prices(grid: Grid, total: int) -> np.ndarray:
    """Share of its error by which each setting must be better than persistence, for its parts.

    Few cycles leave few origins, and among many patterns one fits those by chance.
    """
    price = (_PRICE + _PRICE_OF_FEW / total) * grid.parts
    phases = grid[0].phases
    return price + (_PRICE_OF_SEASON * max(0.0, 3.0 - total / phases) if phases > 1 else 0.0)
