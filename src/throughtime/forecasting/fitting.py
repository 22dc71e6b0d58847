"""Fitting: seasons, smoothing, windows, networks, calibration, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from throughtime.errors import DataError
from throughtime.forecasting import calibration
from throughtime.forecasting.calibration import Calibration, Errors
from throughtime.forecasting.inputs import Block, cut
from throughtime.forecasting.learning import (
    Lesson,
    Taught,
    announce,
    build,
    reteach,
    teach,
)
from throughtime.forecasting.model import (
    Fitted,
    Plan,
    anchor_errors,
    data_notes,
    first_origin,
    history_of,
    one_step,
    pick,
    spaced,
    start,
)
from throughtime.forecasting.seasonality import cycles, detect
from throughtime.forecasting.series import Group, Observed

#: Share of each series, at its end, that validates; at least the horizon, at most a third.
_VALIDATION = 0.2
#: Numbers that a series must hold to be learned from.
_SHORTEST = 8
#: Deviations in units of the window's scale that are rounding errors.
_NOTHING = 1e-6
#: Steps that one epoch runs over, at most, and the windows it has at least.
_BUDGET, _FEWEST = 60_000, 256
_NO_ORIGINS = np.zeros(0, dtype=np.int64)
#: A season up to this long fits into the window.
_LONGEST_WINDOW = 100


def fit(plan: Plan, group: Group, stage: str = "") -> Fitted:
    """Fit a model to ``group`` and nothing else."""
    need = plan.horizon + (plan.window or 0) + 4
    enough = [s for s in group.series if _length(s) >= max(need, _SHORTEST)]
    if not enough:
        raise DataError(_too_short(plan, group, max(need, _SHORTEST)))
    candidates = _candidates(plan, group)
    smoothing = {s.name: pick(s, plan, candidates) for s in group.series}
    longest = max(map(_length, enough))
    centre, width = _standard(group)
    fitted = Fitted(
        group,
        smoothing,
        candidates,
        plan.window or _window(plan.horizon, candidates, longest),
        centre,
        width,
        [],
        Calibration(0.0, np.zeros(plan.horizon), np.zeros(len(calibration.LEVELS))),
        _floor(plan, group),
        data_notes(group),
    )
    lesson, past = _lesson(plan, fitted, enough)
    why = _nothing_to_learn(plan, lesson)
    if why is not None:
        fitted.notes.append(why)
        fitted.networks.append(build(plan.recipe, lesson.train.x.shape[2], plan.seed))
        _calibrate(plan, fitted, lesson.validation, past, [])
        return fitted
    taught = _learn(plan, lesson, stage)
    fitted.networks[:] = [t.network for t in taught]
    _calibrate(plan, fitted, lesson.validation, past, taught)
    interrupted = any(t.interrupted for t in taught)
    if lesson.train.x[..., 0].size < _BUDGET and fitted.calibration.weight > 0 and not interrupted:
        taught = _learn_all(plan, lesson, taught, stage)
        fitted.networks[:] = [t.network for t in taught]
        interrupted = any(t.interrupted for t in taught)
    if interrupted:
        fitted.notes.append("Training was interrupted; the best weights until then are used.")
    fitted.notes.append(_trust_note(fitted.calibration.weight))
    return fitted


def _nothing_to_learn(plan: Plan, lesson: Lesson) -> str | None:
    """A sentence where training would be in vain, or is not wanted."""
    if plan.network == "never":
        return "The network is left out, as was asked: the forecast is exponential smoothing alone."
    if not lesson.allowed.any():
        return "Too few values are left to learn from, so the forecast is exponential smoothing."
    if np.abs(lesson.train.target * lesson.allowed).max() < _NOTHING:
        return "No value leaves the line of smoothing, so there is nothing to learn."
    return None


def _length(series: Observed) -> int:
    """Steps from the first known value on; 0 if too few of them are known."""
    known = start(series).y
    return len(known) if (~np.isnan(known)).sum() >= _SHORTEST else 0


def _too_short(plan: Plan, group: Group, need: int) -> str:
    known = {s: int((~np.isnan(s.y)).sum()) for s in group.series}
    longest = max(group.series, key=lambda s: (_length(s), known[s]))
    got = _length(longest) or known[longest]
    window = f" and window={plan.window}" if plan.window else ""
    shorter = "horizon or window" if plan.window else "horizon"
    which = longest.said if len(group.series) == 1 else "the longest series"
    return (
        f"{which} must have at least {need} values for horizon={plan.horizon}{window};"
        f" got {got}. Use a shorter {shorter}, or bring more data."
    )


def _candidates(plan: Plan, group: Group) -> tuple[float, ...]:
    """Periods that smoothing may choose from, 1 standing for none."""
    if plan.season is not None:
        return plan.season or (1.0,)
    frequency = plan.frequency or group.frequency
    known = () if frequency is None else cycles(frequency)
    if known:
        return (1.0, *known)
    # Every series has one vote; a sample of them settles it.
    voters = group.series[:: max(1, len(group.series) // 50)]
    votes = [found for s in voters if (found := detect(start(s).y)) is not None]
    best = max(set(votes), key=lambda p: (votes.count(p), -p), default=1.0)
    return (1.0, best) if 3 * votes.count(best) >= len(voters) and best > 1.0 else (1.0,)


def _window(horizon: int, periods: Sequence[float], longest: int) -> int:
    """Past steps to read: a season, or as far back as twice the way ahead, if there are so many."""
    season = max((round(p) for p in periods if p <= _LONGEST_WINDOW), default=1)
    return int(np.clip(max(season, min(2 * horizon, 24), 16), 4, max(4, longest // 4)))


def _standard(group: Group) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every covariate."""
    rows = np.concatenate([s.covariates for s in group.series])
    if rows.shape[1] == 0:
        return np.zeros(0), np.ones(0)
    real = ~np.isnan(rows)
    count = np.maximum(real.sum(axis=0), 1)
    centre = np.where(real, rows, 0.0).sum(axis=0) / count
    width = np.sqrt((np.where(real, rows - centre, 0.0) ** 2).sum(axis=0) / count)
    return centre, np.where(width > 1e-12 * (1.0 + np.abs(centre)), width, 1.0)


def _floor(plan: Plan, group: Group) -> float:
    if plan.nonnegative == "auto":
        return 0.0 if all(np.nanmin(s.y) >= 0.0 for s in group.series) else -np.inf
    return 0.0 if plan.nonnegative else -np.inf


def _split(horizon: int, total: int) -> int:
    """Where the validation block of a series of ``total`` steps begins."""
    return total - max(1, int(_VALIDATION * total), min(horizon, total // 3))


@dataclass(frozen=True)
class _Past:
    """The anchor's errors in the history of all series, in units of each one's one-step error.

    Attributes
    ----------
    errors : ndarray of shape (O, H)
    unit : ndarray of shape (N,)
        The one-step error of the series that each validation window is from.
    length : list of int
        Steps of every series.
    first : list of int
        The first origin of every series.
    """

    errors: np.ndarray
    unit: np.ndarray
    length: list[int]
    first: list[int]


def _lesson(plan: Plan, fitted: Fitted, enough: Sequence[Observed]) -> tuple[Lesson, _Past]:
    """Windows to learn from and to be judged by."""
    span = fitted.window + plan.horizon
    share = max(_FEWEST, _BUDGET // span) // len(enough)
    train, allowed, check, later, units, errors, firsts = [], [], [], [], [], [], []
    for series in enough:
        known = start(series)
        history = history_of(fitted, known, fitted.smoothing[series.name])
        total, cutoff = len(known), _split(plan.horizon, len(known))
        begin = first_origin(history.smoothing, cutoff)
        # After two long cycles there may be nothing left before the validation block.
        taught = spaced(begin, cutoff - 1, max(share, 4)) if begin < cutoff else _NO_ORIGINS
        judged = spaced(max(begin, cutoff), total - 1, max(share // 4, 2))
        origins = np.concatenate([taught, judged])
        block = cut(history, origins, fitted.window, plan.horizon, plan.future_covariates)
        mine = block.take(slice(0, len(taught)))
        train.append(mine)
        allowed.append(mine.known & (mine.origin[:, None] + np.arange(plan.horizon) < cutoff))
        check.append(block.take(slice(len(taught), None)))
        later.append(2 * np.arange(len(judged)) >= len(judged))
        past = anchor_errors(history, plan.horizon)
        unit = one_step(past) or 1.0
        errors.append(past / unit)
        firsts.append(begin)
        units.append(np.full(len(judged), unit))
    lesson = Lesson(
        Block.join(train), np.concatenate(allowed), Block.join(check), np.concatenate(later)
    )
    lengths = [_length(s) for s in enough]
    return lesson, _Past(np.concatenate(errors), np.concatenate(units), lengths, firsts)


def _learn(plan: Plan, lesson: Lesson, stage: str) -> list[Taught]:
    """Train the members; an interruption leaves out those that have not begun."""
    taught: list[Taught] = []
    for i in range(plan.members):
        words = f"{stage}training network {i + 1} of {plan.members}"
        notify = announce(plan.progress, words, plan.recipe.epochs)
        taught.append(teach(plan.recipe, lesson, _seed(plan, i), plan.callbacks, notify))
        if taught[-1].interrupted:
            break
    return taught


def _learn_all(plan: Plan, lesson: Lesson, taught: list[Taught], stage: str) -> list[Taught]:
    """Train the members again on all data; those that learned nothing stay as they are."""
    again: list[Taught] = []
    for i, first in enumerate(taught):
        if first.epochs == 0 or any(t.interrupted for t in again):
            again.append(first)
            continue
        words = f"{stage}network {i + 1} of {plan.members} on all data"
        notify = announce(plan.progress, words, first.epochs)
        seed = _seed(plan, i)
        again.append(reteach(plan.recipe, lesson, first, seed, plan.callbacks, notify))
    return again


def _seed(plan: Plan, member: int) -> int:
    """Members of neighbouring seeds differ, too."""
    return plan.seed * plan.members + member


def _calibrate(
    plan: Plan, fitted: Fitted, check: Block, past: _Past, taught: Sequence[Taught]
) -> None:
    """Find the weight of the correction and the width of the intervals."""
    horizon = plan.horizon
    factor = (check.scale / past.unit)[:, None]
    truth = np.where(check.known, check.target.astype(np.float64), np.nan)
    moved = np.mean([np.zeros(truth.shape)] if not taught else [t.judged for t in taught], axis=0)
    judged = sum(max(1.0, (n - _split(horizon, n)) / horizon) for n in past.length)
    anchor = Errors(truth * factor, judged)
    weight = calibration.weigh(anchor, Errors((truth - moved) * factor, judged))
    final = Errors((truth - weight * moved) * factor, judged)
    # The first of the paths that fit into a series starts from next to nothing.
    paths = sum(
        max(1.0, (n - max(first, horizon)) / horizon)
        for n, first in zip(past.length, past.first, strict=True)
    )
    whole = Errors(past.errors, paths, len(past.length))
    fitted.calibration = calibration.spread(whole, anchor, final, weight)


def _trust_note(weight: float) -> str:
    if weight == 0.0:
        return (
            "The network's correction is not used: on the validation data it was no better than"
            " exponential smoothing alone."
        )
    share = "is used whole" if weight == 1.0 else f"counts {100 * weight:.0f} %"
    return (
        f"The network's correction of exponential smoothing {share}, by how sure its gain on the"
        " validation data is."
    )
