r"""Demand that is mostly zero: its mean by Croston's method and TSB, and its quantiles.

Let d_t be 1 where there is demand, y_t > 0, and 0 elsewhere. Croston (1972) smooths the sizes of
demands and the steps q_t from one to the next,

    z_t = z_{t-1} + alpha (y_t - z_{t-1})    where d_t = 1              (I1)
    p_t = p_{t-1} + alpha (q_t - p_{t-1})    where d_t = 1              (I2)
    f_t = z_t / p_t                                                     (I3)
    f_t = (1 - alpha / 2) z_t / p_t                                     (I4)

with (I4) the approximation of Syntetos and Boylan (2005), which has hardly any bias. Teunter,
Syntetos and Babai (2011) smooth the share of steps with demand instead, at every step, so that the
forecast falls where demand ends:

    s_t = s_{t-1} + beta (d_t - s_{t-1})                                (I5)
    f_t = s_t z_t                                                       (I6)

The gains are at least 1 / n at the n-th update, so each average begins as a plain mean; with alpha
and beta 0 it stays one. Every f_t is the forecast for all steps ahead: the mean demand of a step.

The forecasts of all members are averaged with the weights

    w_c = exp(-(q_c / min q - 1) / tau)                                 (I7)

where q_c is the mean squared error of member c over the steps 1 to H ahead, until now. The mean has
the smallest squared error; the smallest absolute error would have zero.

A step has demand with probability P = f / mean(y | d = 1), of a size drawn from those of the
history. So the quantile at level u is

    0 for u <= 1 - P,    otherwise quantile (u - 1 + P) / P of the sizes    (I8)

which is the bootstrap of Willemain, Smart and Schwarz (2004) without drawing. Sums over several
steps are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Mean distance of two demands, in steps, above which demand is called intermittent: the bound of
#: Syntetos, Boylan and Croston (2005), Journal of the Operational Research Society 56.
_INTERVAL = 1.32
#: Fewest known values, and demands among them, of a series that is called intermittent.
_FEWEST, _FEWEST_DEMANDS = 10, 2
#: Cohen's kappa of "demand now" with "demand a step, or a season, before" from which on zeros are
#: foreseen: nights, weekends, the time before the first sale. Of 229 daily series, kappa is at most
#: 0.4 for cancelled and late flights and rain, and at least 0.6 for flights that have a timetable.
_FORESEEN = 0.5
#: Values of alpha and beta.
_ALPHAS, _BETAS = (0.05, 0.1, 0.2), (0.0, 0.02, 0.05, 0.1, 0.2)
#: tau of (I7). On those series the error changes by less than 1 % from 0.005 to 0.1.
_TEMPERATURE = 0.02
#: Steps at the end of a series that are used, at most.
_MAX_STEPS = 3000
#: Sums that are drawn: the error of a 95 % quantile's level is then 0.5 %.
_DRAWS = 2000


def is_intermittent(y: np.ndarray, seasons: Sequence[float] = ()) -> bool:
    """Whether a series is never below 0, often 0, and its zeros are not foreseen.

    Parameters
    ----------
    y : ndarray of float64 of shape (T,)
        The values; NaN where one is missing.
    seasons : sequence of float
        Seasons in steps that the zeros may have.

    Examples
    --------
    >>> y = np.array([0, 0, 3, 0, 0, 0, 1, 0, 1, 0, 0, 4.0])
    >>> is_intermittent(y), is_intermittent(y + 1.0), is_intermittent(np.tile([0, 0, 5.0], 9), [3])
    (True, False, False)
    """
    known = y[~np.isnan(y)]
    demands = int((known > 0.0).sum())
    if len(known) < _FEWEST or demands < _FEWEST_DEMANDS or (known < 0.0).any():
        return False
    if len(known) <= _INTERVAL * demands:
        return False
    lags = {1, *map(round, seasons)}
    return all(_kappa(y, lag) < _FORESEEN for lag in lags if lag < len(y) // 2)


def _kappa(y: np.ndarray, lag: int) -> float:
    """Agreement of demand with that ``lag`` steps before, 1 if always, 0 if as by chance."""
    both = ~np.isnan(y[lag:]) & ~np.isnan(y[:-lag])
    now, before = y[lag:][both] > 0.0, y[:-lag][both] > 0.0
    if not len(now):
        return 0.0
    chance = now.mean() * before.mean() + (1.0 - now.mean()) * (1.0 - before.mean())
    return float(((now == before).mean() - chance) / (1.0 - chance)) if chance < 1.0 else 0.0


def rates(y: np.ndarray) -> np.ndarray:
    """The forecasts of all members after each value: (T, M); 0 before the first demand.

    The members are Croston (I3) and then (I4) for every alpha, and (I6) for every alpha, 0 among
    them, and every beta.
    """
    alphas = (0.0, *_ALPHAS)
    size, gap, share = [0.0] * len(alphas), [1.0] * len(alphas), [0.0] * len(_BETAS)
    states: list[list[float]] = []
    demands, known, steps = 0, 0, 0
    for value in y.tolist():  # plain numbers: so few that arrays would cost ten times as much
        if not math.isnan(value):
            known, steps, demand = known + 1, steps + 1, float(value > 0.0)
            share = [  # (I5)
                s + max(b, 1.0 / known) * (demand - s) for b, s in zip(_BETAS, share, strict=True)
            ]
            if demand:
                demands += 1
                gains = [max(a, 1.0 / demands) for a in alphas]
                # (I1) and (I2)
                size = [z + g * (value - z) for g, z in zip(gains, size, strict=True)]
                gap = [p + g * (steps - p) for g, p in zip(gains, gap, strict=True)]
                steps = 0
        states.append([*size, *gap, *share])
    z, p, s = np.split(np.array(states), [len(alphas), 2 * len(alphas)], axis=1)
    croston = z[:, 1:] / p[:, 1:]  # (I3)
    unbiased = (1.0 - np.array(_ALPHAS) / 2.0) * croston  # (I4)
    product = (z[:, :, None] * s[:, None, :]).reshape(len(y), -1)  # (I6)
    return np.concatenate([croston, unbiased, product], axis=1)


def weights(y: np.ndarray, members: np.ndarray, horizon: int) -> np.ndarray:
    """(I7) after each value, from the values until then: (T, M)."""
    total, count = len(y), members.shape[1]
    # Sums over the forecasts that were made for y_t, 1 to H steps before it.
    first, second = (
        np.concatenate([np.zeros((1, count)), np.cumsum(power, axis=0)])
        for power in (members, members**2)
    )
    now = np.arange(total)
    from_, made = np.maximum(now - horizon, 0), np.minimum(now, horizon)[:, None]
    seen = ~np.isnan(y)[:, None]
    value = np.where(seen[:, 0], y, 0.0)[:, None]
    error = (
        made * value**2 - 2.0 * value * (first[now] - first[from_]) + second[now] - second[from_]
    )
    error = np.cumsum(np.where(seen, np.maximum(error, 0.0), 0.0), axis=0)
    best = error.min(axis=1, keepdims=True)
    ratio = error / np.where(best > 0.0, best, 1.0)
    found = np.where(best > 0.0, np.exp(-(ratio - 1.0) / _TEMPERATURE), 1.0)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def mean_demand(y: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
    """The average of all members at every origin, from the values until then: (O,).

    Parameters
    ----------
    y : ndarray of float64 of shape (T,)
        Values of at least 0; NaN where one is missing.
    origins : ndarray of int of shape (O,)
        Numbers of values that are known, from 1 to T.
    horizon : int
        Steps ahead, H, by which the members are weighed.
    """
    skipped = max(0, min(int(origins[0]) - 1, len(y) - _MAX_STEPS))
    y = y[skipped:]
    members = rates(y)
    average = (weights(y, members, horizon) * members).sum(axis=1)
    return np.asarray(average[origins - skipped - 1])


@dataclass(frozen=True)
class Demand:
    """What is known of the demand of a step.

    Attributes
    ----------
    mean : float
        The mean demand, zeros included.
    chance : float
        P of (I8).
    sizes : ndarray of float64 of shape (S,)
        The sizes that demand may have, in order.
    """

    mean: float
    chance: float
    sizes: np.ndarray

    @classmethod
    def from_history(cls, y: np.ndarray, horizon: int) -> Demand:
        """The demand after the last value of ``y``, in which there is some."""
        mean = float(mean_demand(y, np.array([len(y)]), horizon)[0])
        sizes = np.sort(y[y > 0.0])
        chance = min(mean / float(sizes.mean()), 1.0)
        # Where sizes have grown, there is demand at every step, and it is larger.
        grown = 1.0 if chance < 1.0 else mean / float(sizes.mean())
        return cls(mean, chance, grown * sizes)

    def quantile(self, level: float) -> float:
        """(I8): the value that demand in a step exceeds with probability 1 - ``level``."""
        if level <= 1.0 - self.chance:
            return 0.0
        inside = (level - 1.0 + self.chance) / self.chance
        place = int(np.ceil(inside * len(self.sizes) - 1e-9)) - 1
        return float(self.sizes[min(max(place, 0), len(self.sizes) - 1)])

    def quantile_of_sum(self, level: float, steps: int, seed: int) -> float:
        """The same for the sum over several steps, by drawing."""
        rng = np.random.default_rng(seed)
        sizes = self.sizes[rng.integers(len(self.sizes), size=(_DRAWS, steps))]
        sums = np.where(rng.random((_DRAWS, steps)) < self.chance, sizes, 0.0).sum(axis=1)
        return float(np.quantile(sums, level, method="inverted_cdf"))
