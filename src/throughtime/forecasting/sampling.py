"""Windows to train on, drawn anew for every epoch into the same arrays.

A panel has more windows than an epoch should run over: each series has one at every step. An epoch
takes a share of them, and the next epoch another one. Memory holds the series and one epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from throughtime.forecasting.horizon import step_weights
from throughtime.forecasting.inputs import PreparedSeries, cut, measurable

#: Steps that an epoch runs over, at most: so many for a single series, and more for each further
#: one up to a bound. With 32 hidden units the native engine runs over a million steps in a second,
#: forward and backward, on one core; the reference engine over 12,000.
_STEPS_OF_ONE, _STEPS_OF_EACH, _MOST_STEPS = 60_000, 8_000, 400_000
#: Windows allowed whatever their length: four updates of 64 windows in each epoch.
_ALWAYS_ALLOWED = 256
#: Series that an epoch draws from, at most; cutting the windows of one costs a few milliseconds.
_MOST_SERIES = 128
#: First word of the seed for the draws, so that they are not those of training or of weights.
_DRAW = 11


def step_budget(series: int) -> int:
    """Steps that an epoch of a model of so many series runs over, at most."""
    return min(_STEPS_OF_ONE + _STEPS_OF_EACH * (series - 1), _MOST_STEPS)


class Sampler:
    """Draws the windows of an epoch from many series.

    Parameters
    ----------
    series : sequence of S PreparedSeries
    first, end : sequence of int
        The first origin of each series, and the step from which on nothing may be learned.
    window, horizon : int
        Past and future steps of a window.
    future_covariates : bool
        Whether covariates of the future are read.
    """

    def __init__(
        self,
        series: Sequence[PreparedSeries],
        first: Sequence[int],
        end: Sequence[int],
        window: int,
        horizon: int,
        future_covariates: bool,
    ) -> None:
        self.series = list(series)
        self.end = list(end)
        self.window = window
        self.horizon = horizon
        self.future_covariates = future_covariates
        self.origins = [_origins(*parts, horizon) for parts in zip(series, first, end, strict=True)]
        available = np.array([len(found) for found in self.origins])
        length = window + horizon
        budget = max(_ALWAYS_ALLOWED, step_budget(len(self.series)) // length)
        count = min(int(available.sum()), budget)
        #: Whether an epoch holds all windows there are, so that no other one need be drawn.
        self.complete = count == available.sum() and len(self.series) <= _MOST_SERIES
        features = series[0].n_inputs
        self._x = np.zeros((count, length, features), dtype=np.float32)
        self._target = np.zeros((count, length, 1), dtype=np.float32)
        self._weight = np.zeros((count, length))

    def __len__(self) -> int:
        """Windows in an epoch, at most."""
        return len(self._x)

    @property
    def n_inputs(self) -> int:
        """Numbers that a step of a window holds."""
        return self._x.shape[2]

    def draw(self, seed: int, epoch: int) -> dict[str, Any]:
        """The windows of an epoch as arguments of :func:`throughtime.train`.

        The series take turns; each gives as many windows as the others, if it has so many. The
        arrays are those of the epoch before, filled anew.

        Returns
        -------
        x : ndarray of float32 of shape (N, S, F)
        y : ndarray of float32 of shape (N, S, 1)
            The targets, at the last H steps.
        sample_weight : ndarray of float64 of shape (N, S)
            0 at past steps, where a target is unknown, and where it must not be learned from.
        """
        filled = 0
        for i, origins in self._draw_origins(seed, epoch):
            filled += self._fill(i, origins, filled)
        rows = slice(0, filled)
        return {"x": self._x[rows], "y": self._target[rows], "sample_weight": self._weight[rows]}

    def _draw_origins(self, seed: int, epoch: int) -> list[tuple[int, np.ndarray]]:
        """The series whose turn it is in ``epoch``, and the origins of its windows."""
        turn = self._turn(seed, epoch)
        share = _share(np.array([len(self.origins[i]) for i in turn]), len(self))
        rng = np.random.default_rng([_DRAW, seed, epoch])
        found = []
        for i in turn.tolist():
            origins = self.origins[i]
            if len(origins) > share:
                origins = np.sort(rng.choice(origins, share, replace=False))
            found.append((i, origins))
        return found

    def _turn(self, seed: int, epoch: int) -> np.ndarray:
        """Numbers of the series whose turn it is in ``epoch``."""
        usable = np.flatnonzero([len(found) > 0 for found in self.origins])
        count = min(len(usable), _MOST_SERIES)
        order = np.random.default_rng([_DRAW, seed]).permutation(usable)
        return order[(np.arange(count) + (epoch - 1) * count) % max(len(usable), 1)]

    def _fill(self, i: int, origins: np.ndarray, begin: int) -> int:
        """Cut the windows of series ``i`` at ``origins`` into the arrays; return their number."""
        horizon = self.horizon
        windows = cut(self.series[i], origins, self.window, horizon, self.future_covariates)
        rows = slice(begin, begin + len(origins))
        self._x[rows] = windows.x
        self._target[rows, -horizon:, 0] = windows.target
        allowed = windows.known & (origins[:, None] + np.arange(horizon) < self.end[i])
        self._weight[rows, -horizon:] = allowed * step_weights(horizon)
        return len(origins)


def _origins(series: PreparedSeries, first: int, end: int, horizon: int) -> np.ndarray:
    """The origins from ``first`` on that have a known target before ``end`` and a unit for it."""
    origins = np.arange(first, end)
    known = np.concatenate([[0], np.cumsum(series.seen[:end])])
    ahead = known[np.minimum(origins + horizon, end)] > known[origins]
    return origins[ahead & measurable(series.z)[origins - 1]]


def _share(available: np.ndarray, count: int) -> int:
    """The largest number n for which the sum of min(n, available) is at most ``count``."""
    ordered = np.sort(available)
    left = count
    for i, found in enumerate(ordered.tolist()):
        share = left // (len(ordered) - i)
        if found > share:
            return int(share)
        left -= found
    return int(ordered.max(initial=0))
