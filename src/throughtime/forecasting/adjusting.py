"""The adjustments of series: which covariates, lags and long seasons, and with what effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from throughtime.forecasting.adjustment import Adjustment, columns_of
from throughtime.forecasting.covariates import mean_and_width
from throughtime.forecasting.fitted import Fitted
from throughtime.forecasting.holidays import tried
from throughtime.forecasting.regression import Problem
from throughtime.forecasting.rows import Rows
from throughtime.forecasting.selecting import PRICE, Search
from throughtime.forecasting.series import Group, Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.smoothing import phase
from throughtime.forecasting.terms import Covariate, Season, Term

#: Known values that a choice among terms needs.
FEWEST = 24
#: Known values that are used, at most, unless that is less than some cycles of the longest season.
_MOST, _MOST_CYCLES = 4000, 3
#: Lags of a covariate that make a term.
_LAGS = 3
#: Longest season that smoothing follows value by value.
_LONGEST_PATTERN = 200.0
#: Shortest season that is tried as waves where smoothing may follow it, too, and fewest cycles with
#: which it is not. Of 40 weekly series of 130 to 400 values with a smooth or a spiky year forecasts
#: of half a year are 10 to 30 % better with waves up to 180 values, and as good from 260 on.
_SHORTEST_WAVES, _FEW_CYCLES = 30.0, 4.0
#: Harmonics of a long season: sets that compete. The last of a week of hours has the first five
#: waves of the day, and of each how it differs among the days.
_HARMONICS, _MULTIPLES = (2, 5, 10), (1, 2, 5)
#: Largest number of shorter seasons in a longer one that make it one of days in a week; the days of
#: a year differ smoothly.
_FEW = 30


def remove_all(adjustments: Mapping[Any, Adjustment], group: Group) -> Group:
    """``group`` without the effects of the adjustments."""
    return group.map(lambda s: adjustments[s.name].remove(s) if s.name in adjustments else s)


def left_to_smoothing(periods: Sequence[float]) -> tuple[float, ...]:
    """The seasons that smoothing may follow value by value."""
    return tuple(p for p in periods if p <= _LONGEST_PATTERN) or (1.0,)


def adjustment_of(settings: Settings, fitted: Fitted, series: Observed) -> Adjustment | None:
    """The adjustment that ``series`` is forecast with, if any.

    A series that came after fitting gets its own. So does a history without times that begins
    elsewhere than the known one: nothing says where in a long season it stands.
    """
    periods = (*fitted.candidates, *fitted.long_seasons)
    if series.name not in fitted.anchors:
        return adjust(settings, series, periods)
    found = fitted.adjustments.get(series.name)
    if found is None or found.season <= 1.0 or series.calendar is not None:
        return found
    known = next(one for one in fitted.group.series if one.name == series.name)
    common = min(len(known), len(series))
    if np.array_equal(known.y[:common], series.y[:common], equal_nan=True):
        return found
    return adjust(settings, series, periods)


def adjust(settings: Settings, series: Observed, periods: Sequence[float]) -> Adjustment | None:
    """The adjustment of one series, or None where nothing earns its place.

    Parameters
    ----------
    periods : sequence of float
        All seasons that the series may have.
    """
    known = np.flatnonzero(~np.isnan(series.y))
    if len(known) < FEWEST:
        return None
    known = known[-max(_MOST, int(_MOST_CYCLES * max(periods))) :]
    centre, width = mean_and_width(Group("one", (series,)))
    rows = Rows.of(series, centre, width)
    span = int(known[-1] - known[0]) + 1
    seasons = [p for p in sorted(periods) if p > 1.0 and 2.0 * p <= span]
    others = _covariates(settings, series, known)
    if settings.holidays is not None and (days := tried(settings.holidays, rows, known)):
        others.append(days)
    best: tuple[float, Adjustment] | None = None
    without = np.inf
    for pattern in _patterns(seasons, span):
        groups = [*_waves(seasons, pattern), *others]
        terms = [term for group in groups for term in group]
        columns = columns_of(tuple(terms), rows)[known]
        for log in _logs(settings, series.y[known]) if terms else ():
            y = np.log(series.y[known]) if log else series.y[known]
            widths = np.concatenate([term.widths for term in terms])
            problem = Problem(y, log, _nuisance(known, pattern), columns, widths, known)
            found = Search(problem, groups, settings.horizon).run()
            without = min(without, found.before)
            if found.used.any() and (best is None or found.error < best[0] * (1.0 - PRICE)):
                chosen = tuple(t for t, use in zip(terms, found.used, strict=True) if use)
                inside = np.repeat(found.used, [len(term.widths) for term in terms])
                effects = found.effects[inside]
                offset = float((columns[:, inside] @ effects).mean())
                best = (
                    found.error,
                    Adjustment(log, chosen, effects, offset, centre, width, found.widening),
                )
    return best[1] if best is not None and best[0] < without * (1.0 - PRICE) else None


def _logs(settings: Settings, y: np.ndarray) -> list[bool]:
    """Whether effects may be factors, and whether they may be sums."""
    allowed = {"auto": [False, True], "log": [True], "none": [False]}[settings.transform]
    return [log for log in allowed if not log or bool((y > 0.0).all())]


def _patterns(seasons: Sequence[float], span: int) -> list[float]:
    """The season that smoothing follows, 1 for none; where there are two, both are tried."""
    short = seasons[0] if seasons and seasons[0] <= _LONGEST_PATTERN else 1.0
    few = short >= _SHORTEST_WAVES and span < _FEW_CYCLES * short
    return [short, 1.0] if few else [short]


def _waves(seasons: Sequence[float], pattern: float) -> list[tuple[Term, ...]]:
    """The seasons beside the pattern, each with few harmonics or many."""
    groups: list[tuple[Term, ...]] = []
    for period in [p for p in seasons if p > pattern]:
        shorter = max((p for p in seasons if p < period), default=1.0)
        ratio = round(period / shorter)
        if shorter > 1.0 and ratio <= _FEW and abs(period - ratio * shorter) < 1e-9 * period:
            # The harmonics of the shorter season are not among those of the longer one.
            sets = [[k for k in range(1, m * ratio) if k % ratio] for m in _MULTIPLES]
        else:
            sets = [list(range(1, k + 1)) for k in _HARMONICS]
        fitting = [tuple(k for k in waves if 2 * k < period) for waves in sets]
        groups.append(tuple(Season(period, waves) for waves in dict.fromkeys(fitting) if waves))
    return groups


def _covariates(settings: Settings, series: Observed, known: np.ndarray) -> list[tuple[Term, ...]]:
    """The covariates that vary, and lags of them that are known when the forecast is made."""
    groups: list[tuple[Term, ...]] = []
    first = 1 if settings.future_covariates else settings.horizon
    for column in range(series.covariates.shape[1]):
        values = series.covariates[known, column]
        if np.nanmin(values, initial=np.inf) < np.nanmax(values, initial=-np.inf):
            if settings.future_covariates:
                groups.append((Covariate(column),))
            groups.append((Covariate(column, tuple(range(first, first + _LAGS))),))
    return groups


def _nuisance(known: np.ndarray, pattern: float) -> np.ndarray:
    """A constant, a straight line and the phases of a season, at the known steps."""
    line = (known - known.mean()) / max(1.0, float(np.ptp(known)))
    place = phase(known, pattern)
    phases = [(place == p).astype(np.float64) for p in range(1, round(pattern))]
    return np.stack([np.ones(len(known)), line, *phases], axis=1)
