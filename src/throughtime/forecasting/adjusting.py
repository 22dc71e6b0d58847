"""Which covariates, lags and long seasons earn their place in the forecast of a series.

Each is judged inside the history by forecasts of values that its effects were not learned from:
the first half (or more) is learned from and the next part forecast from many origins, then that
part is learned from too, and so on. The measure is the mean absolute error, weighted by
:func:`step_weights`, beside a level with the pattern of the shortest season.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from throughtime.forecasting.adjustment import Adjustment, columns_of
from throughtime.forecasting.covariates import mean_and_width
from throughtime.forecasting.regression import Problem, Trial, trial_errors
from throughtime.forecasting.rows import Rows
from throughtime.forecasting.series import Group, Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.smoothing import phase
from throughtime.forecasting.terms import Covariate, Season, Term

#: Known values that a choice among terms needs.
FEWEST = 24
#: Known values that are used, at most: three years of hours.
_MOST = 26_000
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
_PRICE = 0.02
#: The same for a long season, and for each cycle that is missing to four, as a year that was seen
#: twice is judged once. Of 20 random walks of three to four years of days 0 to 2 then have a year,
#: of as many noises, autoregressions and trends none.
_PRICE_OF_SEASON, _PRICE_OF_CYCLE = 0.04, 0.08
#: Lags of a covariate that make a term.
_LAGS = 3
#: Longest season whose pattern smoothing follows value by value.
LONGEST_PATTERN = 200
#: Harmonics of a long season: sets that compete.
_HARMONICS = (2, 5, 10)


def adjust_all(settings: Settings, group: Group, periods: Sequence[float]) -> dict[Any, Adjustment]:
    """The adjustments of the series of ``group`` that have one, by name."""
    found = {s.name: adjust(settings, s, periods) for s in group.series}
    return {name: one for name, one in found.items() if one is not None}


def remove_all(adjustments: Mapping[Any, Adjustment], group: Group) -> Group:
    """``group`` without the effects of the adjustments."""
    return group.map(lambda s: adjustments[s.name].remove(s) if s.name in adjustments else s)


def left_to_smoothing(periods: Sequence[float]) -> tuple[float, ...]:
    """The seasons that smoothing may follow value by value."""
    return tuple(p for p in periods if p <= LONGEST_PATTERN) or (1.0,)


def adjust(settings: Settings, series: Observed, periods: Sequence[float]) -> Adjustment | None:
    """The adjustment of one series, or None where nothing earns its place.

    Parameters
    ----------
    periods : sequence of float
        All seasons that the series may have.
    """
    known = np.flatnonzero(~np.isnan(series.y))
    groups = _candidates(settings, series, periods, known)
    if not groups or len(known) < FEWEST:
        return None
    known = known[-_MOST:]
    centre, width = mean_and_width(Group("one", (series,)))
    rows = Rows.of(series, centre, width)
    terms = tuple(term for group in groups for term in group)
    columns = columns_of(terms, rows)
    best: tuple[float, Adjustment] | None = None
    positive = bool((series.y[known] > 0.0).all())
    logs = {"auto": (False, True), "log": (True,), "none": (False,)}[settings.transform]
    for log in logs:
        if log and not positive:
            continue
        found = _Search(settings, series, known, groups, terms, columns, periods, log).run()
        if found is not None and (best is None or found[0] < best[0] * (1.0 - _PRICE)):
            error, used, effects, widening = found
            chosen = tuple(term for term, use in zip(terms, used, strict=True) if use)
            inside = np.repeat(used, [len(t.widths) for t in terms])
            part = effects[inside]
            offset = float((columns[known][:, inside] @ part).mean())
            best = error, Adjustment(log, chosen, part, offset, centre, width, widening)
    return None if best is None else best[1]


def _candidates(
    settings: Settings, series: Observed, periods: Sequence[float], known: np.ndarray
) -> list[tuple[Term, ...]]:
    """Groups of terms; of each group one term at most is chosen."""
    groups: list[tuple[Term, ...]] = []
    span = known[-1] - known[0] + 1 if len(known) else 0
    for period in [p for p in _long(periods) if span >= 2 * p]:
        waves = [tuple(range(1, k + 1)) for k in _HARMONICS if 2 * k < period]
        groups.append(tuple(Season(period, harmonics) for harmonics in waves))
    far = 0 if settings.future_covariates else settings.horizon
    for column in range(series.covariates.shape[1]):
        seen = series.covariates[known, column]
        if np.nanmin(seen, initial=np.inf) < np.nanmax(seen, initial=-np.inf):
            if far == 0:
                groups.append((Covariate(column),))
                far_lags = tuple(range(1, _LAGS + 1))
            else:
                far_lags = tuple(range(far, far + _LAGS))
            groups.append((Covariate(column, far_lags),))
    return groups


def _long(periods: Sequence[float]) -> list[float]:
    """All seasons but the shortest, and that too if smoothing cannot follow it."""
    seasons = sorted(p for p in periods if p > 1.0)
    return [p for p in seasons if p > seasons[0] or p > LONGEST_PATTERN]


DEBUG = False


class _Search:
    """The choice among the terms for the values or for their logarithms."""

    def __init__(
        self,
        settings: Settings,
        series: Observed,
        known: np.ndarray,
        groups: Sequence[tuple[Term, ...]],
        terms: Sequence[Term],
        columns: np.ndarray,
        periods: Sequence[float],
        log: bool,
    ) -> None:
        y = series.y[known]
        z = np.log(y) if log else y
        widths = np.concatenate([t.widths for t in terms])
        nuisance = _nuisance(known, periods)
        self.problem = Problem(z, log, nuisance, columns[known], widths, known)
        first = len(known) // 2
        self.trial = Trial.of(known, first, _CUTOFFS, _ORIGINS, settings.horizon)
        self.sizes = [len(t.widths) for t in terms]
        place, self.groups = 0, []
        for group in groups:
            self.groups.append(list(range(place, place + len(group))))
            place += len(group)
        self.count = place
        self.filtered = {a: self.problem.filtered(a) for a in _ALPHAS}
        self.products = {a: f.T @ f for a, f in self.filtered.items()}
        self.terms, self.span = terms, int(known[-1] - known[0]) + 1

    def errors(self, sets: Sequence[np.ndarray], penalty: float) -> np.ndarray:
        """The error of each set of terms, with the best alpha: (N,)."""
        return self._by_alpha(sets, penalty).min(axis=0)

    def _by_alpha(self, sets: Sequence[np.ndarray], penalty: float) -> np.ndarray:
        wide = [np.repeat(used, self.sizes) for used in sets]
        return np.stack(
            [
                np.nanmean(
                    trial_errors(self.problem, self.trial, filtered, a, wide, penalty), axis=1
                )
                for a, filtered in self.filtered.items()
            ]
        )

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
            return _PRICE_OF_SEASON + _PRICE_OF_CYCLE * max(0.0, 4.0 - self.span / term.period)
        rows = len(self.problem.z)
        gain = rows * np.log(self._squares(before) / self._squares(after))
        fair = self.sizes[new] * np.log(rows) + 2.0 * np.log(len(self.groups))
        return _PRICE if gain > fair else np.inf

    def _squares(self, used: np.ndarray) -> float:
        """The sum of squared errors for one step ahead, with the best alpha."""
        wide = np.repeat(used, self.sizes)
        return min(self.problem.squares(p, wide, _PENALTIES[0]) for p in self.products.values())

    def run(self) -> tuple[float, np.ndarray, np.ndarray, float] | None:
        """Error, terms used, effects and widening; None where no term earns its place."""
        used = np.zeros(self.count, dtype=bool)
        error = float(self.errors([used], _PENALTIES[0])[0])
        while options := self._with_one_more(used):
            found = self.errors(options, _PENALTIES[0])
            costs = np.array([self._cost(used, option) for option in options])
            i = int(np.argmin(found * (1.0 + costs)))
            if not found[i] * (1.0 + costs[i]) < error:
                break
            used, error = options[i], float(found[i])
        if not used.any():
            return None
        tables = np.stack([self._by_alpha([used], p)[:, 0] for p in _PENALTIES])
        tables[1:] *= 1.0 + _PRICE_OF_PENALTY
        i, j = (int(k) for k in np.unravel_index(int(np.argmin(tables)), tables.shape))
        penalty, alpha = _PENALTIES[i], _ALPHAS[j]
        filtered = self.filtered[alpha]
        wide = np.repeat(used, self.sizes)
        effects = self.problem.effects(filtered, wide, penalty)
        free = self.problem.nuisance.shape[1]
        return float(tables[i, j]), used, effects[free:], 1.0


def _nuisance(known: np.ndarray, periods: Sequence[float]) -> np.ndarray:
    """A constant, a straight line and the pattern of the shortest season, at the known steps."""
    line = (known - known.mean()) / max(1.0, float(np.ptp(known)))
    parts = [np.ones(len(known)), line]
    short = min((p for p in periods if round(p) > 1), default=1.0)
    if 1.0 < short <= LONGEST_PATTERN and len(known) >= 2 * short + 4:
        place = phase(known, short)
        parts += [(place == p).astype(np.float64) for p in range(1, round(short))]
    return np.stack(parts, axis=1)
