r"""The average of many settings of smoothing: the anchor of every forecast.

A winner among hundreds of settings is chosen by a few origins, and wins partly by chance. Instead
the forecasts of all settings are averaged, in the units of the data, with the weights

    w_c = pi_c exp(-(q_c / min q - 1) / tau)                            (H6)

where q_c is the error of setting c at origins inside the history, with a price for each of its
parts. Errors e(o, c) from origin o are divided by the square root of their mean over all settings,
so that a few wild stretches do not decide alone. tau is 0.1 (1 + 20 / T): a short history tells the
settings apart less. pi_c is 3 for the trend "theta", which is seldom far off, and 1 for others.
Combinations weighted by past errors are those of Bates and Granger (1969).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from throughtime.errors import check_float, check_int
from throughtime.forecasting.grid import candidates, origins_of, prices
from throughtime.forecasting.rolling import rolling_errors, rolling_means
from throughtime.forecasting.smoothing import TRENDS, Grid, Smoothing

#: tau of (H6) for long histories, and the length at which it is twice as large. On half of M1, M3
#: and Tourism the mean error is 0.994 of that with 0.1 throughout.
_TEMPERATURE, _FEW = 0.1, 20.0
#: pi of (H6) for the trend "theta"; without it the mean error there is 0.4 % larger.
_PRIOR_OF_THETA = 3.0
#: Weights below this share of the largest are 0, to save time and space.
_SMALLEST_WEIGHT = 0.01
#: Steps at the end of a series that settings are compared on, at most.
_MAX_STEPS = 3000


@dataclass(frozen=True, eq=False)
class Average:
    """Settings of smoothing and their weights.

    Attributes
    ----------
    blocks : tuple of (Grid, ndarray of float64)
        The settings of one period and one transformation with their weights, which are 0 or more;
        the sum of all is 1. Many series share their grids.
    """

    blocks: tuple[tuple[Grid, np.ndarray], ...]

    @classmethod
    def from_rows(cls, rows: np.ndarray, weights: np.ndarray, label: str, length: int) -> Average:
        """The average that a file describes, checked.

        Parameters
        ----------
        rows : ndarray of shape (C, N_COLUMNS)
            The settings, as ``Grid.numbers`` has them.
        label, length : str, int
            Name and steps of the series.
        """
        names = [f.name for f in dataclasses.fields(Smoothing)]
        columns = dict(zip(names, rows.T, strict=True))
        # There are hundreds of settings a series: their extremes are checked, not each of them.
        for extreme in (np.min, np.max):
            code = int(extreme(columns["trend"]))
            check_int(f"trend of {label}", code, 0, len(TRENDS) - 1)
            for name, (low, high) in Smoothing.limits(length).items():
                check_float(f"{name} of {label}", float(extreme(columns[name])), low, high)
        columns |= {
            "log": columns["log"] == 1.0,
            "trend": np.array(TRENDS)[columns["trend"].astype(int)],
        }
        settings = [
            Smoothing(*row)
            for row in zip(*(column.tolist() for column in columns.values()), strict=True)
        ]
        total = float(weights.sum())
        check_float(f"the sum of the weights of {label}", total, 1.0 - 1e-9, 1.0 + 1e-9)
        blocks, begin = [], 0
        for _, members in itertools.groupby(settings, key=lambda s: (s.period, s.log)):
            grid = Grid(members)
            blocks.append((grid, weights[begin : begin + len(grid)]))
            begin += len(grid)
        return cls(tuple(blocks))

    @classmethod
    def of(cls, smoothing: Smoothing) -> Average:
        """A single setting."""
        return cls(((Grid([smoothing]), np.ones(1)),))

    @property
    def settings(self) -> list[Smoothing]:
        """The C settings that have a weight."""
        return [grid[i] for grid, own in self.blocks for i in np.flatnonzero(own).tolist()]

    @property
    def weights(self) -> np.ndarray:
        """Their weights, (C,)."""
        return np.concatenate([own[own > 0.0] for _, own in self.blocks])

    @cached_property
    def principal(self) -> Smoothing:
        """The setting that was best inside the history."""
        plain = [(grid, own / _priors(grid)) for grid, own in self.blocks]
        grid, own = max(plain, key=lambda block: block[1].max())
        return grid[int(np.argmax(own))]

    @cached_property
    def logs(self) -> bool:
        """Whether a setting takes logarithms."""
        return any(grid[0].log for grid, _ in self.blocks)

    def paths(self, y: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
        """The forecasts of ``y`` from ``origins``, with these weights, in the units of the data.

        Parameters
        ----------
        y : ndarray of float64 of shape (T,)
            The values; NaN where one is missing. y[0] is known.
        origins : ndarray of int of shape (O,)
            Increasing origins from 1 to T.
        horizon : int
            Steps ahead, H.

        Returns
        -------
        forecasts : ndarray of float64 of shape (O, H)
        """
        total = np.zeros((len(origins), horizon))
        for grid, own in self.blocks:
            weights = np.broadcast_to(own, (len(origins), len(grid)))
            groups = np.zeros(len(grid), dtype=np.int64)
            total += rolling_means(y, grid, origins, horizon, weights, groups, 1)[..., 0]
        return total


@dataclass(frozen=True, eq=False)
class Block:
    """The settings of one period and one transformation, and how well they forecast a history.

    Attributes
    ----------
    settings : Grid of C Smoothing
    errors : ndarray of float64 of shape (O, C)
        The error of each from each origin, in the units of the data.
    scores : ndarray of float64 of shape (C,)
        q of (H6).
    weights : ndarray of float64 of shape (C,)
        (H6), not normalised.
    """

    settings: Grid
    errors: np.ndarray
    scores: np.ndarray
    weights: np.ndarray


def compare(
    y: np.ndarray, horizon: int, periods: Sequence[float], logs: Sequence[bool]
) -> list[Block]:
    """All settings, with their errors at origins inside ``y``.

    The error is the mean absolute error in the units of the data, weighted by
    :func:`~throughtime.forecasting.horizon.step_weights`. Only ``y`` is used, so pass only values
    from before the data that the forecast is judged on.

    Parameters
    ----------
    y : ndarray of shape (T,)
        The values; NaN where one is missing. Only the last 3000 are used.
    periods : sequence of float
        Periods that may be used; 1 stands for no season. A period is skipped if fewer than two of
        its cycles were observed. All are compared from origins after the first two cycles of the
        longest.
    logs : sequence of bool
        Whether logarithms are taken, for each transformation that may be used; True is skipped if
        a value is not positive.
    """
    y = y[-_MAX_STEPS:]
    y = y[np.argmax(~np.isnan(y)) :]
    total = len(y)
    fitting = [p for p in sorted(periods) if round(p) <= 1 or total >= 2 * round(p) + 4] or [1.0]
    allowed = [log for log in logs if not log or (y[~np.isnan(y)] > 0).all()]
    origins = origins_of(total, round(fitting[-1]))
    grids = [candidates(*pair) for pair in itertools.product(fitting, allowed)]
    errors = [rolling_errors(y, grid, origins, horizon) for grid in grids]
    known = ~np.isnan(errors[0][:, 0])
    if not known.all():
        errors = [found[known] for found in errors]
    # A setting that explodes beyond all numbers is no candidate.
    errors = [_finite_or_infinite(found) for found in errors]
    size = _sizes(errors)
    scores = [
        (1.0 / size) @ found * (1.0 + prices(grid, total))
        for grid, found in zip(grids, errors, strict=True)
    ]
    best = min(float(score.min()) for score in scores)
    tau = _TEMPERATURE * (1.0 + _FEW / total)
    return [
        Block(grid, found, score, _weights(grid, score, best, tau))
        for grid, found, score in zip(grids, errors, scores, strict=True)
    ]


def _finite_or_infinite(errors: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(errors), np.inf, errors) if np.isnan(errors.sum()) else errors


def _sizes(errors: Sequence[np.ndarray]) -> np.ndarray:
    """What the errors from each origin are divided by, (O,)."""
    least = np.min([found.min(axis=1, initial=np.inf) for found in errors], axis=0)
    # A setting that explodes is bounded, so that it does not hide the differences of the others.
    bounded = [np.minimum(found, 10.0 * least[:, None]).mean(axis=1) for found in errors]
    mean = np.mean(bounded, axis=0)
    # No single origin counts more than twenty usual ones: where nothing moves all errors are small.
    return np.sqrt(np.maximum(mean, 0.05 * mean.mean())) if mean.any() else np.ones(len(mean))


def _weights(grid: Grid, scores: np.ndarray, best: float, tau: float) -> np.ndarray:
    """(H6); of settings without an error, each the same."""
    if best <= 0.0:
        return (scores <= 0.0).astype(np.float64)
    with np.errstate(over="ignore"):  # beside a tiny error others are infinitely large
        return _priors(grid) * np.exp(-(scores / best - 1.0) / tau)


def _priors(grid: Grid) -> np.ndarray:
    """Pi of (H6) of every setting."""
    return np.where(grid.columns.theta, _PRIOR_OF_THETA, 1.0)


def average(blocks: Sequence[Block]) -> Average:
    """The average of all settings of ``blocks`` by (H6)."""
    if min(float(block.scores.min()) for block in blocks) <= 0.0:
        # Of settings that forecast every value exactly, the simplest says it without rounding.
        exact = [b.settings[i] for b in blocks for i in np.flatnonzero(b.scores <= 0.0).tolist()]
        return Average.of(min(exact, key=lambda s: s.parts))
    kept = [np.where(b.weights >= _SMALLEST_WEIGHT, b.weights, 0.0) for b in blocks]
    total = sum(float(w.sum()) for w in kept)
    used = [(b.settings, w / total) for b, w in zip(blocks, kept, strict=True) if w.any()]
    return Average(tuple(used))
