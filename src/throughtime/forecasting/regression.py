r"""A regression beside a level that moves: the effect of columns on a series, and honest errors.

The series z (its logarithm, if that was chosen) is a pattern and a trend, columns x with their
effects b, and a level that exponential smoothing follows:

    z_t = n_t' c + x_t' b + l_{t-1} + e_t                               (Z1)
    l_t = l_{t-1} + alpha e_t                                           (Z2)

with n_t a constant, a straight line and the phases of the shortest season. For a given alpha the
errors are linear in z, n and x: each column goes through the same filter,

    F(v)_t = (1 - alpha) F(v)_{t-1} + v_t - v_{t-1}                     (Z3)

so that e = F(z) - F(n) c - F(x) b. alpha = 1 takes differences, alpha = 0 is a regression with a
straight line; between them the level takes what varies slowly, and no column swallows the trend.
c and b minimise

    sum e_t^2 + lambda sum (b_j / w_j)^2                                (Z4)

with the widths w_j that the columns are expected to have in common. This is generalised least
squares in the innovations form of Hyndman et al. (2008), chapter 9, with the penalty of Hoerl and
Kennard (1970).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from throughtime.forecasting.horizon import step_weights

#: Factors below this are rounding errors beside 1.
_NOTHING = 1e-13
#: Penalty of the nuisance columns, as a share of their energy: it only keeps equations solvable.
_JITTER = 1e-9
#: Steps ahead, at most, that are judged: closer together they say the same.
_STEPS = 24
#: Bound of a forecast on logarithms, above the largest value: it only stops an explosion.
_ROOM = 5.0


def innovations(values: np.ndarray, alpha: float) -> np.ndarray:
    """F(v) of (Z3) for each column of ``values (T, P)``, in log2(T) passes.

    1 / (1 - q L) = (1 + q L) (1 + q^2 L^2) (1 + q^4 L^4) ... with the lag operator L.
    """
    found = np.diff(values, axis=0, prepend=0.0)
    keep, step = 1.0 - alpha, 1
    while step < len(found) and keep**step > _NOTHING:
        found[step:] += keep**step * found[:-step]
        step *= 2
    return found


@dataclass(frozen=True)
class Problem:
    """One series and the columns that may explain it, at its T known steps.

    Attributes
    ----------
    z : ndarray of shape (T,)
        The values, or their logarithms.
    log : bool
        Whether they are logarithms.
    nuisance : ndarray of shape (T, Q)
        n of (Z1).
    columns : ndarray of shape (T, P)
        x of (Z1).
    widths : ndarray of shape (P,)
        w of (Z4).
    steps : ndarray of int of shape (T,)
        Where in the series each row is; they increase.
    """

    z: np.ndarray
    log: bool
    nuisance: np.ndarray
    columns: np.ndarray
    widths: np.ndarray
    steps: np.ndarray

    @cached_property
    def design(self) -> np.ndarray:
        """The nuisance and the columns, side by side: (T, Q + P)."""
        return np.concatenate([self.nuisance, self.columns], axis=1)

    def filtered(self, alpha: float) -> np.ndarray:
        """F of z, of the nuisance and of the columns, side by side: (T, 1 + Q + P)."""
        return innovations(np.concatenate([self.z[:, None], self.design], axis=1), alpha)

    def squares(self, products: np.ndarray, used: np.ndarray, penalty: float) -> float:
        """The sum of e_t^2 of (Z4), from the ``products`` of the filtered columns."""
        sides = np.concatenate([[1.0], -self.solve(products, used, penalty)])
        return float(sides @ products @ sides)

    def solve(self, products: np.ndarray, used: np.ndarray, penalty: float) -> np.ndarray:
        """The effects c and b of (Z4), (Q + P,), zero for columns that are not ``used (P,)``.

        Parameters
        ----------
        products : ndarray of shape (1 + Q + P, 1 + Q + P)
            Sums of products of the filtered columns over the rows to learn from.
        """
        free = self.nuisance.shape[1]
        there = np.concatenate([np.ones(free, dtype=bool), used])
        place = 1 + np.flatnonzero(there)
        energy = np.diagonal(products)
        ridge = np.concatenate([_JITTER * (energy[1 : 1 + free] + 1e-12), penalty * self._unit()])
        left = products[np.ix_(place, place)] + np.diag(ridge[there])
        found = np.zeros(len(there))
        found[there] = np.linalg.solve(left, products[place, 0])
        return found

    def _unit(self) -> np.ndarray:
        """The penalty of each column for lambda = 1."""
        return 1.0 / self.widths**2


@dataclass(frozen=True)
class Trial:
    """Origins inside a series to judge effects at that were learned before them.

    Attributes
    ----------
    cutoffs : tuple of int
        Rows that are learned from; the origins up to the next cutoff are judged.
    origins : tuple of ndarray
        Rows known at the origins of each cutoff.
    ahead : tuple of ndarray of shape (O, S)
        The rows that are forecast, or -1 where the step is not known.
    weights : ndarray of shape (S,)
    """

    cutoffs: tuple[int, ...]
    origins: tuple[np.ndarray, ...]
    ahead: tuple[np.ndarray, ...]
    weights: np.ndarray

    @classmethod
    def of(cls, steps: np.ndarray, first: int, cutoffs: int, origins: int, horizon: int) -> Trial:
        """Spread cutoffs evenly over the rows from ``first`` on, and origins over each part.

        Parameters
        ----------
        steps : ndarray of int of shape (T,)
            Where in the series each row is.
        """
        edges = np.unique(np.linspace(first, len(steps), cutoffs + 1).astype(int))
        row_at = np.full(int(steps[-1]) + 1, -1)
        row_at[steps] = np.arange(len(steps))
        far = np.unique(np.linspace(1, horizon, min(horizon, _STEPS)).round().astype(int))
        starts, ahead = [], []
        for begin, end in itertools.pairwise(edges):
            rows = np.unique(np.linspace(begin, end - 1, min(origins, end - begin)).astype(int))
            where = steps[rows - 1][:, None] + far
            inside = where < len(row_at)
            starts.append(rows)
            ahead.append(np.where(inside, row_at[np.where(inside, where, 0)], -1))
        # Each step stands for those around it.
        share = np.gradient(far.astype(float)) if len(far) > 1 else np.ones(1)
        weights = step_weights(horizon)[far - 1] * share
        return cls(tuple(edges[:-1].tolist()), tuple(starts), tuple(ahead), weights)


def learned_before(
    problem: Problem,
    trial: Trial,
    filtered: np.ndarray,
    sets: Sequence[np.ndarray],
    penalty: float,
) -> list[np.ndarray]:
    """The effects that the rows before each cutoff give, (Q + P, N), for each set of columns.

    Parameters
    ----------
    filtered : ndarray of shape (T, 1 + Q + P)
        :meth:`Problem.filtered`.
    sets : sequence of N ndarray of bool of shape (P,)
        Which columns are used.
    """
    found: list[np.ndarray] = []
    products, done = np.zeros((filtered.shape[1],) * 2), 0
    for cutoff in trial.cutoffs:
        part = filtered[done:cutoff]
        products, done = products + part.T @ part, cutoff
        found.append(np.stack([problem.solve(products, used, penalty) for used in sets], axis=1))
    return found


def trial_errors(
    problem: Problem,
    trial: Trial,
    filtered: np.ndarray,
    alpha: float,
    effects: Sequence[np.ndarray],
) -> np.ndarray:
    """Mean absolute errors, in the units of the data, of forecasts with some effects.

    Parameters
    ----------
    filtered : ndarray of shape (T, 1 + Q + P)
        :meth:`Problem.filtered` for ``alpha``.
    effects : sequence of C ndarray of shape (Q + P, N)
        N vectors of effects for each cutoff.

    Returns
    -------
    errors : ndarray of shape (N, C)
        NaN where no step is known.
    """
    errors = np.full((effects[0].shape[1], len(trial.cutoffs)), np.nan)
    for j, (origins, ahead) in enumerate(zip(trial.origins, trial.ahead, strict=True)):
        places = np.nonzero(ahead >= 0)
        if not len(places[0]):
            continue
        last, rows = origins - 1, ahead[places]
        moved = filtered[last, :1] - filtered[last, 1:] @ effects[j]
        rest = problem.z[last, None] - problem.design[last] @ effects[j]
        level = rest - (1.0 - alpha) * moved  # l_t = z_t - x_t' b - e_t + alpha e_t, (Z1) and (Z2)
        forecast = level[places[0]] + problem.design[rows] @ effects[j]
        actual = problem.z[rows]
        if problem.log:
            forecast, actual = np.exp(np.minimum(forecast, problem.z.max() + _ROOM)), np.exp(actual)
        weight = trial.weights[places[1]]
        errors[:, j] = weight @ np.abs(forecast - actual[:, None]) / weight.sum()
    return errors
