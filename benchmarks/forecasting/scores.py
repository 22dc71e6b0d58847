"""Errors of forecasts, and how methods compare over many series.

For a series with history y, season m, hold-out x (H,) and forecast f (H,):

    q     = mean |y_t - y_{t-m}|                                    (1)
    MASE  = mean |x - f| / q                                        (2)
    sMAPE = 100 mean 2 |x - f| / (|x| + |f|), 0 where both are 0    (3)
    S_a   = (u - l) + 2/a (l - x) [x < l] + 2/a (x - u) [x > u]     (4)
    MSIS  = mean S_a / q                                            (5)

l and u are the bounds of the interval of level 1 - a. (1), (2): Hyndman and Koehler (2006),
International Journal of Forecasting 22; (4): Gneiting and Raftery (2007), JASA 102; (5) is the
measure of the M4 competition.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchmarks.forecasting.collections import Series
from benchmarks.forecasting.methods import LEVELS, Forecasts

#: A smaller MASE counts as this one in ratios: else one series that is forecast exactly would make
#: a geometric mean 0. It is a hundredth of the error of the naive forecast.
FLOOR = 0.01
#: Draws of the bootstrap, and its seed.
DRAWS, SEED = 1000, 20061


def scale(series: Series) -> float:
    """The divisor (1); differences of one step if the history is no longer than its season."""
    period = series.period if len(series.train) > series.period else 1
    return float(np.mean(np.abs(series.train[period:] - series.train[:-period])))


def smape(actual: np.ndarray, forecast: np.ndarray) -> float:
    """(3), in percent."""
    size = np.abs(actual) + np.abs(forecast)
    share = np.divide(
        2.0 * np.abs(actual - forecast), size, out=np.zeros_like(size), where=size > 0
    )
    return float(100.0 * share.mean())


def interval_score(x: np.ndarray, low: np.ndarray, high: np.ndarray, level: int) -> float:
    """The mean of (4); the level is in percent."""
    rate = 2.0 / (1.0 - level / 100.0)
    below, above = np.maximum(low - x, 0.0), np.maximum(x - high, 0.0)
    return float(np.mean(high - low + rate * (below + above)))


@dataclass(frozen=True)
class Scores:
    """What one method reached on one series.

    Attributes
    ----------
    mase, smape : float
    coverage, msis : dict of int to float
        By the level in percent: the share of values inside, and (5).
    seconds : float
    """

    mase: float
    smape: float
    coverage: dict[int, float]
    msis: dict[int, float]
    seconds: float


def score(series: Series, forecasts: Forecasts, seconds: float = 0.0) -> Scores:
    """Score the forecasts of a series whose scale (1) is not zero."""
    x, divisor = series.test, scale(series)
    bounds = {level: (forecasts[f"lo{level}"], forecasts[f"hi{level}"]) for level in LEVELS}
    return Scores(
        float(np.mean(np.abs(x - forecasts["mean"]))) / divisor,
        smape(x, forecasts["mean"]),
        {level: float(np.mean((low <= x) & (x <= high))) for level, (low, high) in bounds.items()},
        {level: interval_score(x, *pair, level) / divisor for level, pair in bounds.items()},
        seconds,
    )


@dataclass(frozen=True)
class Ratio:
    """A geometric mean of ratios with its interval of confidence (95 %)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def ratio(mine: np.ndarray, base: np.ndarray, sources: list[str], draws: int = DRAWS) -> Ratio:
    """The geometric mean of MASE / MASE of the base, with a bootstrap over sources.

    Hold-outs of the same series count as one draw: their errors are not independent.

    Parameters
    ----------
    mine, base : ndarray of shape (n,)
        MASE of two methods on the same series.
    sources : list of str
        The series of each hold-out.
    draws : int
        Number of samples of the bootstrap.
    """
    logs = np.log(np.maximum(mine, FLOOR) / np.maximum(base, FLOOR))
    _, place = np.unique(sources, return_inverse=True)
    sums, counts = np.bincount(place, logs), np.bincount(place)
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, len(sums), (draws, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Ratio(*(float(np.exp(v)) for v in (logs.mean(), low, high)))


def ranks(mase: np.ndarray) -> np.ndarray:
    """The mean rank of each method, of shape (M,), from MASE (M, n); ties share their ranks."""
    below = (mase[:, None, :] > mase[None, :, :]).sum(1)
    equal = (mase[:, None, :] == mase[None, :, :]).sum(1)
    return np.asarray((below + (equal + 1) / 2.0).mean(1))


@dataclass(frozen=True)
class Summary:
    """One row of a table: a method on a group of series.

    Attributes
    ----------
    method : str
    mean, median, smape, rank, seconds : float
        Mean and median MASE, mean sMAPE, mean rank, mean seconds for a series.
    ratio : Ratio
        To the base.
    coverage, msis : dict of int to float
        Means, by the level.
    """

    method: str
    mean: float
    median: float
    smape: float
    rank: float
    ratio: Ratio
    coverage: dict[int, float]
    msis: dict[int, float]
    seconds: float


@dataclass
class Board:
    """Scores of several methods on the same series.

    Attributes
    ----------
    series : list of Series
    scores : dict of str to list of Scores
        For each method, in the order of ``series``.
    """

    series: list[Series]
    scores: dict[str, list[Scores]] = field(default_factory=dict)

    def mase(self, method: str) -> np.ndarray:
        """MASE on every series, of shape (n,)."""
        return np.array([one.mase for one in self.scores[method]])

    def only(self, chosen: list[bool]) -> Board:
        """The same for some of the series."""
        part = [one for one, keep in zip(self.series, chosen, strict=True) if keep]
        return Board(
            part,
            {
                name: [one for one, keep in zip(found, chosen, strict=True) if keep]
                for name, found in self.scores.items()
            },
        )

    def compare(self, method: str, base: str, draws: int = DRAWS) -> Ratio:
        """MASE of one method by MASE of another."""
        sources = [one.source for one in self.series]
        return ratio(self.mase(method), self.mase(base), sources, draws)

    def summaries(self, base: str, draws: int = DRAWS) -> list[Summary]:
        """A row for each method."""
        every = ranks(np.array([self.mase(name) for name in self.scores]))
        rows = []
        for (name, found), rank in zip(self.scores.items(), every, strict=True):
            errors = self.mase(name)
            rows.append(
                Summary(
                    name,
                    float(errors.mean()),
                    float(np.median(errors)),
                    float(np.mean([one.smape for one in found])),
                    float(rank),
                    self.compare(name, base, draws),
                    {k: float(np.mean([one.coverage[k] for one in found])) for k in LEVELS},
                    {k: float(np.mean([one.msis[k] for one in found])) for k in LEVELS},
                    float(np.mean([one.seconds for one in found])),
                )
            )
        return rows
