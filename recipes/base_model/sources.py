"""Series to learn from: those of two competitions, and others made of them.

The monthly, quarterly and yearly series of M3 and of the tourism competition, those of the odd half
alone and without their hold-outs. Mirrored series rise where the others fall. Sums over quarters
and years are series of lower frequency. Mixtures of two series are new ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.forecasting.collections import Series, load

#: Steps ahead that are asked for, by the period of the season.
HORIZONS = {1: (4, 6, 8), 4: (8,), 5: (24,), 7: (14, 24), 12: (18, 24), 24: (24,), 52: (13,)}
#: Known values of the shortest history, by the period of the season.
SHORTEST = {1: 6, 4: 9, 5: 16, 7: 20, 12: 20, 24: 60, 52: 112}
#: Origins in a series, mirrored, summed and mixed ones, by the period of the season.
_ORIGINS = {1: 24, 4: 30, 12: 42}
_SHARE_MIRRORED, _ORIGINS_SUMMED, _MIXTURES, _ORIGINS_MIXED = 3, 15, 3, 6
#: Steps of a coarser series: of months and quarters the sums over these make another.
_SUMS = {12: ((3, 4), (12, 1)), 4: ((4, 1),), 1: ()}


@dataclass(frozen=True)
class Origin:
    """A place in a series where a forecast is asked for.

    Attributes
    ----------
    source : str
        The series that it was made of.
    kind : str
        "real", "mirrored", "summed", "mixed" or "synthetic".
    period : int
        Steps of the season; 1 is none.
    history, future : ndarray of shape (T,), (at most H,)
        The values before and after.
    horizon : int
        Steps that are asked for, H.
    """

    source: str
    kind: str
    period: int
    history: np.ndarray
    future: np.ndarray
    horizon: int


def competitions() -> list[Series]:
    """The series of the odd half."""
    return load("odd", ("m3", "tourism"))


def origins(series: list[Series], which: int) -> Iterator[Origin]:
    """All origins that are made of one of the ``series``."""
    rng, one = np.random.default_rng(which), series[which]
    y, period, horizon = one.train, one.period, len(one.test)
    count = _ORIGINS[period]
    yield from _cut(rng, one.id, "real", y, period, horizon, count)
    mirrored = y.max() + y.min() - y
    yield from _cut(rng, one.id, "mirrored", mirrored, period, horizon, count // _SHARE_MIRRORED)
    for size, coarse in _SUMS[period]:
        total = len(y) // size
        begin = int(rng.integers(0, len(y) - total * size + 1))
        summed = y[begin : begin + total * size].reshape(total, size).mean(axis=1)
        ahead = int(rng.choice(HORIZONS[coarse]))
        yield from _cut(rng, one.id, "summed", summed, coarse, ahead, _ORIGINS_SUMMED)
    for _ in range(_MIXTURES):
        other = series[rng.integers(len(series))]
        if other.period == period:
            mixed = _mixed(rng, y, other.train)
            yield from _cut(rng, one.id, "mixed", mixed, period, horizon, _ORIGINS_MIXED)


def _mixed(rng: np.random.Generator, y: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A weighted mean of the ends of two series, each in units of its mean size."""
    total, share = min(len(y), len(other)), rng.uniform(0.2, 0.8)
    ends = [values[-total:] / np.abs(values[-total:]).mean() for values in (y, other)]
    return share * ends[0] + (1.0 - share) * ends[1]


def _cut(
    rng: np.random.Generator,
    source: str,
    kind: str,
    y: np.ndarray,
    period: int,
    horizon: int,
    count: int,
) -> Iterator[Origin]:
    """Up to ``count`` origins of one series, later ones more often, because users ask there."""
    first, last = SHORTEST[period], len(y) - max(1, horizon // 2)
    if last <= first:
        return
    places = (first + np.sqrt(rng.random(count)) * (last - first)).astype(int)
    for origin in np.unique(places).tolist():
        ahead = shortened(rng, horizon)
        yield Origin(source, kind, period, y[:origin], y[origin : origin + ahead], ahead)


def shortened(rng: np.random.Generator, horizon: int) -> int:
    """The horizon, or in three of ten cases a shorter one."""
    return horizon if rng.random() < 0.7 else int(rng.integers(1, horizon + 1))
