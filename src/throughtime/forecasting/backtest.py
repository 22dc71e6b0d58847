"""Forecasts of a tail that was held out, and their errors beside those of naive methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from throughtime.errors import DataError, Message, check_int, sentence
from throughtime.forecasting import notes
from throughtime.forecasting.baselines import (
    mase_scale,
    naive_forecasts,
    naive_methods,
    pinball,
    rmsse_scale,
    smape_terms,
)
from throughtime.forecasting.delivery import naive
from throughtime.forecasting.fitted import Fitted, Part
from throughtime.forecasting.fitting import fit
from throughtime.forecasting.intermittent import is_intermittent
from throughtime.forecasting.predicting import forecast
from throughtime.forecasting.results import BacktestReport, Fold, Score
from throughtime.forecasting.series import Group, Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.sharing import for_each

#: Methods without a sentence in the verdict.
_INSIDE = ("forecast", "smoothing alone")
#: Series that a sentence names, at most.
_NAMED = 5


def run(
    settings: Settings, group: Group, holdout: int | None, folds: int | None, refit: bool = False
) -> tuple[BacktestReport, Fitted]:
    """The report, and the model fitted before the hold-out.

    See :meth:`throughtime.forecasting.Forecaster.backtest`.
    """
    held = settings.horizon if holdout is None else check_int("holdout", holdout, 1)
    horizon = min(settings.horizon, held)
    count = -(-held // horizon) if folds is None else check_int("folds", folds, 1)
    tested = [s for s in group.series if not np.isnan(s.y[: max(0, len(s) - held)]).all()]
    if not tested:
        raise DataError(_too_long(held, group))
    count = min(count, held - horizon + 1)  # there are no more origins
    shifts = np.unique(np.linspace(0, held - horizon, count).astype(int)).tolist()
    if all(np.isnan(_actual(s, len(s) - held + i, horizon)).all() for i in shifts for s in tested):
        got = "only missing values"
        raise DataError(
            sentence("the hold-out", "at least one number", got, must="hold", parameter="y")
        )

    def fit_before(shift: int) -> Fitted:
        known = tuple(s.until(len(s) - held + shift) for s in tested)
        return fit(settings, Group(group.kind, known), backtest=True)

    fitted = fit_before(0)
    before = {s.name: s.y[: len(s) - held] for s in tested}
    # The others have no history yet, but ``update`` may bring them one.
    fitted.group = group.map(lambda s: s.until(len(s) - held if s.name in before else 0))
    season = fitted.naive_season
    zeros = {name: is_intermittent(y, fitted.candidates) for name, y in before.items()}
    demand = 2 * sum(zeros.values()) >= len(zeros)
    found: list[Fold] = []
    for shift in shifts:
        here = fit_before(shift) if refit and shift > 0 else fitted
        asked = zip(here.parts(tested), tested, strict=True)
        shared = settings, here.frame, held, shift, horizon, season, demand
        folds_here = for_each(_fold, shared, asked, settings.executor, doing="forecasting")
        found += [dataclasses.replace(f, mostly_zero=zeros[f.series]) for f in folds_here]
        if refit and notes.INTERRUPTED in here.notes:
            # What the reader stopped is not begun again at the next origin.
            break
    report = dataclasses.replace(summarise(found, season, horizon), refitted=refit)
    choices = list((fitted.choices or {}).values())
    delivered = notes.delivered(choices, settings, fitted.corrected, _winner(report))
    report = dataclasses.replace(report, verdict=(*report.verdict, delivered), delivered=delivered)
    left = [s.name for s in group.series if s.name not in before]
    if left:
        verdict = (*report.verdict, _left_out(left, held))
        report = dataclasses.replace(report, verdict=verdict)
    return report, fitted


def _too_long(held: int, group: Group) -> Message:
    """The message if no series has a number before the hold-out."""
    longest = max(group.series, key=len)
    if len(longest) > held:
        return sentence(
            longest.label,
            f"a number before the hold-out of {held} steps",
            "only missing values",
            must="hold",
        )
    got = Message(
        "{held} of the {n} values of {series}", held=held, n=len(longest), series=longest.label
    )
    return sentence("holdout", "something to learn from", got, must="leave", value=held)


def _left_out(names: Sequence[Any], held: int) -> str:
    """A sentence on the series that are not scored."""
    shown = ", ".join(map(str, names[:_NAMED]))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"Not scored: {shown}{more}, without a number before the hold-out of {held} steps."


def _actual(series: Observed, origin: int, horizon: int) -> np.ndarray:
    """The values at the steps that are forecast from ``origin``."""
    return series.y[origin : origin + horizon]


def _fold(
    settings: Settings,
    frame: Fitted,
    held: int,
    shift: int,
    horizon: int,
    season: int,
    demand: bool,
    asked: tuple[Part, Observed],
) -> Fold:
    """The forecasts of one series from ``shift`` steps into the ``held`` last steps.

    Parameters
    ----------
    demand : bool
        Whether demand is mostly zero, so that the intervals of naive methods count, too.
    asked : tuple of Part and Observed
        What is known of the series, and all of it.
    """
    part, series = asked
    first = len(series) - held
    origin = first + shift
    known = series.until(origin)
    ahead = series.covariates[origin : origin + horizon]
    if not settings.future_covariates:
        ahead = ahead[:0]
    steps = np.arange(1, horizon + 1)
    before = series.y[:first]
    return Fold(
        series.name,
        origin,
        _actual(series, origin, horizon),
        forecast(settings, frame.with_part(part), known, ahead, steps, settings.coverages),
        naive_forecasts(known.y, horizon, season),
        mase_scale(before, season),
        rmsse_scale(before),
        mase_scale(before, 1),
        naive_intervals=_naive_intervals(settings, known, horizon, season, frame.floor)
        if demand
        else None,
    )


def _naive_intervals(
    settings: Settings, known: Observed, horizon: int, season: int, floor: float
) -> dict[str, dict[float, tuple[np.ndarray, np.ndarray]]]:
    """Intervals of the naive methods, from their own errors, cut at ``floor``."""
    y, steps = known.from_first_value().y, np.arange(1, horizon + 1)
    found: dict[str, dict[float, tuple[np.ndarray, np.ndarray]]] = {}
    for method in naive_methods(season):
        made = naive(method, y, horizon, season)
        found[method] = {}
        for coverage in settings.coverages:
            low, high = made.interval(coverage, steps)
            found[method][coverage] = np.maximum(low, floor), np.maximum(high, floor)
    return found


def summarise(folds: Sequence[Fold], season: int, horizon: int) -> BacktestReport:
    """Scores of all methods over all folds, and the verdict."""
    methods = ["forecast", *folds[0].naive, "smoothing alone"]
    scores = tuple(_score(method, folds) for method in methods)
    own, many = scores[0], len({fold.series for fold in folds}) > 1
    zero = 2 * sum(fold.mostly_zero for fold in folds) >= len(folds)
    made_by = {fold.forecast.method for fold in folds}
    judgements = {
        s.method: _itself(s.method) if made_by == {s.method} else _judge(own, s, many, zero)
        for s in scores
        if s.method not in _INSIDE
    }
    return BacktestReport(
        scores,
        {method: beaten for method, (beaten, _) in judgements.items()},
        tuple(words for _, words in judgements.values()),
        tuple(folds),
        season,
        horizon,
    )


def _winner(report: BacktestReport) -> str:
    """The best of the naive methods that the forecast does not beat; empty if it beats all."""
    lost = [method for method, beaten in report.beats.items() if not beaten]
    by = "rmsse" if report.mostly_zero else "mae"
    return min(lost, key=lambda method: float(getattr(report[method], by)), default="")


def _itself(method: str) -> tuple[bool, str]:
    """The judgement of a naive forecast that is delivered."""
    return False, f"The forecast is {method} itself."


def _score(method: str, folds: Sequence[Fold]) -> Score:
    """Errors of one method over the known values."""
    errors, terms = [], []
    scaled: dict[Any, list[np.ndarray]] = {}
    for fold in folds:
        guess = _guess(method, fold)
        real = ~np.isnan(fold.actual)
        error = np.abs(guess - fold.actual)[real]
        errors.append(error)
        terms.append(smape_terms(fold.actual[real], guess[real]))
        if np.isfinite(fold.mase_scale):
            scaled.setdefault(fold.series, []).append(error / fold.mase_scale)
    flat = np.concatenate(errors)
    each = [np.concatenate(parts) for parts in scaled.values()]
    means = [float(values.mean()) for values in each if len(values)]
    return Score(
        method,
        float(flat.mean()),
        float(np.sqrt((flat**2).mean())),
        float(np.concatenate(terms).mean()),
        float(np.mean(means)) if means else float("nan"),
        _coverage(folds) if method == "forecast" else {},
        _over_series({n: np.sqrt(np.mean(v)) for n, v in _squares(method, folds).items()}),
        _over_series({n: np.mean(v) for n, v in _pinballs(method, folds).items()}),
    )


def _over_series(means: dict[Any, Any]) -> float:
    """The mean over series; NaN without any."""
    return float(np.mean(list(means.values()))) if means else float("nan")


def _squares(method: str, folds: Sequence[Fold]) -> dict[Any, list[float]]:
    """Squared errors by series, in units of RMSSE's divisor."""
    found: dict[Any, list[float]] = {}
    for fold in folds:
        terms = ((_guess(method, fold) - fold.actual) / fold.rmsse_scale) ** 2
        if np.isfinite(terms).any():
            found.setdefault(fold.series, []).extend(terms[np.isfinite(terms)].tolist())
    return found


def _pinballs(method: str, folds: Sequence[Fold]) -> dict[Any, list[float]]:
    """Losses of the ends of all intervals by series, in units of their divisor."""
    found: dict[Any, list[float]] = {}
    for fold in folds:
        own = fold.forecast.intervals if method == "forecast" else {}
        for coverage, ends in (own or (fold.naive_intervals or {}).get(method, {})).items():
            levels = (1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0
            for level, quantile in zip(levels, ends, strict=True):
                terms = pinball(fold.actual, quantile, level) / fold.pinball_scale
                if np.isfinite(terms).any():
                    found.setdefault(fold.series, []).extend(terms[np.isfinite(terms)].tolist())
    return found


def _guess(method: str, fold: Fold) -> np.ndarray:
    if method == "forecast":
        return fold.forecast.mean
    return fold.forecast.anchor if method == "smoothing alone" else fold.naive[method]


def _coverage(folds: Sequence[Fold]) -> dict[float, float]:
    """Share of the values inside each interval, its bounds included."""
    shares = {}
    for nominal in folds[0].forecast.intervals:
        inside: list[Any] = []
        for fold in folds:
            real = ~np.isnan(fold.actual)
            low, high = fold.forecast.intervals[nominal]
            inside.append(((low <= fold.actual) & (fold.actual <= high))[real])
        shares[nominal] = float(np.concatenate(inside).mean())
    return shares


def _judge(own: Score, rival: Score, many: bool, zero: bool) -> tuple[bool, str]:
    """Whether ``own`` beats ``rival``, and a sentence that says so.

    One series is judged by MAE and RMSE, several, whose units may differ, by MASE; demand that is
    mostly ``zero`` by RMSSE and the pinball loss.
    """
    if zero and np.isfinite(own.rmsse) and np.isfinite(rival.rmsse):
        return _judge_demand(own, rival)
    if many and np.isfinite(own.mase) and np.isfinite(rival.mase):
        return _compare(rival.method, "MASE", "mean scaled error", own.mase, rival.mase)
    beaten, words = _compare(rival.method, "MAE", "mean absolute error", own.mae, rival.mae)
    if (own.rmse < rival.rmse) == beaten:
        return beaten, words
    smaller, larger = ("MAE", "RMSE") if beaten else ("RMSE", "MAE")
    return False, (
        f"The forecast does not clearly beat {rival.method}: its {smaller} is smaller, its"
        f" {larger} is not (MAE {own.mae:.4g} against {rival.mae:.4g})."
    )


def _judge_demand(own: Score, rival: Score) -> tuple[bool, str]:
    """The judgement where demand is mostly zero."""
    name = "root mean squared scaled error"
    beaten, words = _compare(rival.method, "RMSSE", name, own.rmsse, rival.rmsse)
    if not np.isfinite(rival.pinball) or (own.pinball < rival.pinball) == beaten:
        return beaten, words
    smaller, larger = ("RMSSE", "pinball loss") if beaten else ("pinball loss", "RMSSE")
    return False, (
        f"The forecast does not clearly beat {rival.method}: its {smaller} is smaller, its {larger}"
        f" is not (RMSSE {own.rmsse:.4g} against {rival.rmsse:.4g}, pinball loss"
        f" {own.pinball:.4g} against {rival.pinball:.4g})."
    )


def _compare(rival: str, letters: str, name: str, own: float, other: float) -> tuple[bool, str]:
    """Compare one error."""
    if own < other:
        less = 100.0 * (1.0 - own / other)
        return True, (
            f"The forecast beats {rival}: its {name} is {less:.0f} % smaller"
            f" ({own:.4g} against {other:.4g})."
        )
    if own == other:
        return False, f"The forecast does not beat {rival}: it is as good ({letters} {own:.4g})."
    return False, (f"The forecast does not beat {rival}: {letters} {own:.4g} against {other:.4g}.")
