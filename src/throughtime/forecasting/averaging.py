r"""The average of many settings of smoothing: the anchor of every forecast.

A winner among hundreds of settings is chosen by a few origins, and wins partly by chance. Instead
the forecasts of all settings are averaged, in the units of the data, with the weights

    w_c = exp(-(q_c / min q - 1) / tau)                                 (H6)

where q_c is the error of setting c at origins inside the history, with a price for each of its
parts, and tau is 0.1. Settings as good as the best count fully, one that is 20 % worse counts 0.14.
Weights of errors in this form are those of Bates and Granger (1969), sharpened.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from throughtime.errors import check_float, check_int
from throughtime.forecasting.grid import candidates, origins_of, prices
from throughtime.forecasting.rolling import rolling_errors, rolling_means
from throughtime.forecasting.smoothing import TRENDS, Grid, Smoothing

#: tau of (H6).
_TEMPERATURE = 0.1
#: Weights below this share of the largest are 0, to save time and space.
_SMALLEST_WEIGHT = 0.01
#: Steps at the end of a series that settings are compared on, at most.
_MAX_STEPS = 3000
#: Numbers that describe a setting.
N_COLUMNS = len(dataclasses.fields(Smoothing))


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
            The settings, as :meth:`to_rows` writes them.
        label, length : str, int
            Name and steps of the series.
        """
        names = [f.name for f in dataclasses.fields(Smoothing)]
        settings = []
        for row in rows.tolist():
            config: dict[str, Any] = dict(zip(names, row, strict=True))
            config["log"] = config["log"] == 1.0
            code = check_int(f"trend of {label}", int(config["trend"]), 0, len(TRENDS) - 1)
            config["trend"] = TRENDS[code]
            settings.append(Smoothing.from_config(config, label, length))
        total = float(weights.sum())
        check_float(f"the sum of the weights of {label}", total, 1.0 - 1e-9, 1.0 + 1e-9)
        blocks, begin = [], 0
        for _, members in itertools.groupby(settings, key=lambda s: (s.period, s.log)):
            grid = Grid(members)
            blocks.append((grid, weights[begin : begin + len(grid)]))
            begin += len(grid)
        return cls(tuple(blocks))

    def to_rows(self) -> np.ndarray:
        """The settings as numbers (C, N_COLUMNS), in the order of the fields of Smoothing."""
        columns = [
            [TRENDS.index(v) if isinstance(v, str) else float(v) for v in dataclasses.astuple(s)]
            for s in self.settings
        ]
        return np.array(columns, dtype=np.float64)

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
        """The setting of the largest weight."""
        grid, own = max(self.blocks, key=lambda block: block[1].max())
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
    errors : ndarray of float64 of shape (C,)
        Mean error of each, with the price of its parts: q of (H6).
    """

    settings: Grid
    errors: np.ndarray


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
    blocks = []
    for period, log in itertools.product(fitting, allowed):
        settings = candidates(period, log)
        errors = rolling_errors(y, settings, origins, horizon)
        known = ~np.isnan(errors[:, 0])
        mean = errors[known].mean(axis=0) if known.any() else np.zeros(len(settings))
        blocks.append(Block(settings, mean * (1.0 + prices(settings, total))))
    return blocks


def average(blocks: Sequence[Block]) -> Average:
    """The average of all settings of ``blocks`` by (H6)."""
    best = min(float(block.errors.min()) for block in blocks)
    if best <= 0.0:
        # Of settings that forecast every value exactly, the simplest says it without rounding.
        exact = [b.settings[i] for b in blocks for i in np.flatnonzero(b.errors <= 0.0).tolist()]
        return Average.of(min(exact, key=lambda s: s.parts))
    weights = [np.exp(-(block.errors / best - 1.0) / _TEMPERATURE) for block in blocks]
    kept = [np.where(w >= _SMALLEST_WEIGHT, w, 0.0) for w in weights]
    total = sum(float(w.sum()) for w in kept)
    used = [(b.settings, w / total) for b, w in zip(blocks, kept, strict=True) if w.any()]
    return Average(tuple(used))
