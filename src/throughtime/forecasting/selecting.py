"""Which terms of a regression earn their place, by forecasts inside the history.

Effects are learned from the first half of the history and the next part is forecast from many
origins; then that part is learned from too, and so on. Terms are added one by one, each time the
one with the smallest error, as long as it saves its price. The error is the mean absolute error in
the units of the data, weighted by :func:`~throughtime.forecasting.horizon.step_weights`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from throughtime.forecasting.regression import Problem, Trial, learned_before, trial_errors
from throughtime.forecasting.terms import Season, Term

#: Values of alpha that compete: with the same terms, the best of them counts.
_ALPHAS = (0.02, 0.1, 0.3, 0.7, 1.0)
#: Penalties that compete once the terms are chosen; the first is that of the choice. It shrinks the
#: effect of a column of standard deviation 1 by a thousandth if 100 values are known. Another one
#: must save a share of the error.
_PENALTIES = (0.1, 1.0, 10.0, 100.0)
_PRICE_OF_PENALTY = 0.01
#: Cutoffs, and origins after each.
_CUTOFFS, _ORIGINS = 5, 16
#: Share of the error that each term must save.
PRICE = 0.02
#: The same for a long season, and for each cycle that is missing to four, as a year that was seen
#: twice is judged once. Of 20 random walks of three to four years of days 0 to 2 then have a year,
#: of as many noises, autoregressions and trends none.
_PRICE_OF_SEASON, _PRICE_OF_CYCLE = 0.04, 0.08
#: Largest widening of intervals.
_WIDEST = 2.0


@dataclass(frozen=True)
class Selection:
    """The terms that were chosen.

    Attributes
    ----------
    used : ndarray of bool
        Which of the terms.
    before, error : float
        The error without any term and with those.
    effects : ndarray of shape (P,)
        Of all columns, zero for those of other terms, from the whole history.
    widening : float
        How much larger the error is, at least 1, when effects come from values before it.
    """

    used: np.ndarray
    before: float
    error: float
    effects: np.ndarray
    widening: float


class Search:
    """The choice among the terms for one series.

    Parameters
    ----------
    problem : Problem
    groups : sequence of tuple of Term
        The terms, whose columns the problem has in this order; of a group one at most is chosen.
    horizon : int
    """

    def __init__(self, problem: Problem, groups: Sequence[tuple[Term, ...]], horizon: int) -> None:
        self.problem = problem
        self.terms = [term for group in groups for term in group]
        self.sizes = [len(term.widths) for term in self.terms]
        ends = np.cumsum([len(group) for group in groups]).tolist()
        self.groups = [
            list(range(end - len(group), end)) for end, group in zip(ends, groups, strict=True)
        ]
        steps = problem.steps
        self.span = int(steps[-1] - steps[0]) + 1
        self.trial = Trial.of(steps, len(steps) // 2, _CUTOFFS, _ORIGINS, horizon)
        self.filtered = {alpha: problem.filtered(alpha) for alpha in _ALPHAS}
        self.products = {alpha: f.T @ f for alpha, f in self.filtered.items()}

    def run(self) -> Selection:
        """Add terms as long as they earn their place."""
        used = np.zeros(len(self.terms), dtype=bool)
        before = error = float(self._errors([used], _PENALTIES[0]).min())
        while options := self._with_one_more(used):
            found = self._errors(options, _PENALTIES[0]).min(axis=0)
            costs = np.array([self._cost(used, option) for option in options])
            i = int(np.argmin(found * (1.0 + costs)))
            if not found[i] * (1.0 + costs[i]) < error:
                break
            used, error = options[i], float(found[i])
        if not used.any():
            return Selection(used, before, before, np.zeros(sum(self.sizes)), 1.0)
        return self._finish(used, before)

    def _finish(self, used: np.ndarray, before: float) -> Selection:
        """The effects with the best penalty and alpha."""
        table = np.stack([self._errors([used], penalty)[:, 0] for penalty in _PENALTIES])
        table[1:] *= 1.0 + _PRICE_OF_PENALTY
        i, j = (int(k) for k in np.unravel_index(int(np.argmin(table)), table.shape))
        penalty, alpha = _PENALTIES[i], _ALPHAS[j]
        wide = np.repeat(used, self.sizes)
        effects = self.problem.solve(self.products[alpha], wide, penalty)
        known = [effects[:, None]] * len(self.trial.cutoffs)
        known_errors = trial_errors(self.problem, self.trial, self.filtered[alpha], alpha, known)
        ratio = float(table[i, j]) / max(float(np.nanmean(known_errors)), 1e-300)
        free = self.problem.nuisance.shape[1]
        widening = min(max(ratio, 1.0), _WIDEST)
        return Selection(used, before, float(table[i, j]), effects[free:], widening)

    def _errors(self, sets: Sequence[np.ndarray], penalty: float) -> np.ndarray:
        """The error of each set of terms with each alpha: (A, N)."""
        wide = [np.repeat(used, self.sizes) for used in sets]
        found = []
        for alpha, filtered in self.filtered.items():
            effects = learned_before(self.problem, self.trial, filtered, wide, penalty)
            errors = trial_errors(self.problem, self.trial, filtered, alpha, effects)
            judged = errors[:, ~np.isnan(errors[0])]
            # Where a value is missing after every origin, nothing can be chosen.
            nothing = np.full(len(sets), np.inf)
            found.append(judged.mean(axis=1) if judged.size else nothing)
        return np.stack(found)

    def _with_one_more(self, used: np.ndarray) -> list[np.ndarray]:
        """The sets with one more term, from a group that has none yet."""
        options = []
        for group in self.groups:
            for term in [] if used[group].any() else group:
                options.append(used.copy())
                options[-1][term] = True
        return options

    def _cost(self, before: np.ndarray, after: np.ndarray) -> float:
        """Share of the error that the new term must save; infinite where chance explains it.

        By chance the best of many terms forecasts a short stretch better. So a covariate must also
        lower the extended information criterion of Chen and Chen (2008). A long season need not:
        it hardly matters one step ahead, and only one is tried.
        """
        new = int(np.flatnonzero(after & ~before)[0])
        term = self.terms[new]
        if isinstance(term, Season):
            missing = max(0.0, 4.0 - self.span / term.period)
            return _PRICE_OF_SEASON + _PRICE_OF_CYCLE * missing
        rows = len(self.problem.z)
        gain = rows * np.log(self._squares(before) / self._squares(after))
        fair = self.sizes[new] * np.log(rows) + 2.0 * np.log(len(self.groups))
        return PRICE if gain > fair else np.inf

    def _squares(self, used: np.ndarray) -> float:
        """The sum of squared errors for one step ahead, with the best alpha."""
        wide = np.repeat(used, self.sizes)
        return min(self.problem.squares(p, wide, _PENALTIES[0]) for p in self.products.values())
