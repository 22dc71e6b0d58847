"""Fitting: seasons, smoothing, windows, networks, calibration, in this order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from throughtime.errors import DataError
from throughtime.forecasting import calibration
from throughtime.forecasting.calibration import Calibration, Errors
from throughtime.forecasting.inputs import Block, cut
from throughtime.forecasting.learning import Lesson, announce, build, correction, teach
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
#: Steps that one epoch runs over, at most, and the windows it has at least.
_BUDGET, _FEWEST = 60_000, 256
#: A season up to this long fits into the window.
_LONGEST_WINDOW = 100


def fit(plan: Plan, group: Group, stage: str = "") -> Fitted:
    """Fit a model to ``group`` and nothing else."""
    need = plan.horizon + (plan.window or 0) + 4
    enough = [s for s in group.series if len(start(s)) >= max(need, 8)]
    if not enough:
        raise DataError(_too_short(plan, group, max(need, 8)))
    candidates = _candidates(plan, group)
    logs = {"auto": (False, True), "log": (True,), "none": (False,)}[plan.transform]
    smoothing = {
        s.name: pick(s, plan.horizon, candidates, logs, plan.transform) for s in group.series
    }
    longest = max(len(start(s)) for s in enough)
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
    lesson, units = _lesson(plan, fitted, enough)
    if not lesson.train.target.any():
        fitted.notes.append("The values never leave their line, so there is nothing to learn.")
        _learn_nothing(plan, fitted, lesson)
    else:
        _learn(plan, fitted, lesson, stage)
    _calibrate(plan, fitted, enough, lesson.validation, units)
    return fitted


def _too_short(plan: Plan, group: Group, need: int) -> str:
    longest = max(group.series, key=lambda s: len(start(s)))
    got = len(start(longest))
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
    if plan.frequency is not None:
        return (1.0, *cycles(plan.frequency))
    # Every series has one vote; a sample of them settles it.
    voters = group.series[:: max(1, len(group.series) // 50)]
    votes = [found for s in voters if (found := detect(start(s).y)) is not None]
    best = max(set(votes), key=lambda p: (votes.count(p), -p), default=1.0)
    return (1.0, best) if 3 * votes.count(best) >= len(voters) and best > 1.0 else (1.0,)


def _window(horizon: int, periods: Sequence[float], longest: int) -> int:
    """Past steps to read: a season, or as far back as twice the way ahead, if there is that much."""
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


def _lesson(plan: Plan, fitted: Fitted, enough: Sequence[Observed]) -> tuple[Lesson, np.ndarray]:
    """Windows to learn from and to be judged by, and the one-step error of each of the latter."""
    span = fitted.window + plan.horizon
    share = max(_FEWEST, _BUDGET // span) // len(enough)
    train, allowed, check, units = [], [], [], []
    for series in enough:
        known = start(series)
        history = history_of(fitted, known, fitted.smoothing[series.name])
        total, cutoff = len(known), _split(plan.horizon, len(known))
        begin = first_origin(history.smoothing, cutoff)
        taught = spaced(begin, cutoff - 1, max(share, 4))
        judged = spaced(cutoff, total - 1, max(share // 4, 2))
        block = cut(
            history,
            np.concatenate([taught, judged]),
            fitted.window,
            plan.horizon,
            plan.future_covariates,
        )
        mine = block.take(slice(0, len(taught)))
        train.append(mine)
        where = mine.origin[:, None] + np.arange(plan.horizon)
        allowed.append(mine.known & (where < cutoff))
        check.append(block.take(slice(len(taught), None)))
        units.append(np.full(len(judged), one_step(anchor_errors(history, plan.horizon))))
    lesson = Lesson(Block.join(train), np.concatenate(allowed), Block.join(check))
    return lesson, np.concatenate(units)


def _learn(plan: Plan, fitted: Fitted, lesson: Lesson, stage: str) -> None:
    """Train the members."""
    for member in range(plan.members):
        words = f"{stage}training network {member + 1} of {plan.members}"
        net, interrupted = teach(
            plan.recipe,
            lesson,
            plan.seed * plan.members + member,
            plan.callbacks,
            announce(plan.progress, words, plan.recipe.epochs),
        )
        fitted.networks.append(net)
        if interrupted:
            fitted.notes.append("Training was interrupted; the best weights until then are used.")
            return


def _learn_nothing(plan: Plan, fitted: Fitted, lesson: Lesson) -> None:
    """An untrained network, whose correction is zero."""
    fitted.networks.append(build(plan.recipe, lesson.train.x.shape[2], plan.seed))


def _calibrate(
    plan: Plan,
    fitted: Fitted,
    enough: Sequence[Observed],
    check: Block,
    units: np.ndarray,
) -> None:
    """Find the weight of the correction and the width of the intervals."""
    factor = (check.scale / units)[:, None]
    truth = np.where(check.known, check.target.astype(np.float64), np.nan)
    moved = correction(fitted.networks, check)
    lengths = [len(start(s)) for s in enough]
    paths = sum(max(1.0, (n - _split(plan.horizon, n)) / plan.horizon) for n in lengths)
    anchor = Errors(truth * factor, paths)
    weight = calibration.weigh(anchor, Errors((truth - moved) * factor, paths))
    final = Errors((truth - weight * moved) * factor, paths)
    past = []
    for series in enough:
        known = start(series)
        errors = anchor_errors(
            history_of(fitted, known, fitted.smoothing[series.name]), plan.horizon
        )
        past.append(errors / one_step(errors))
    total = sum(max(1.0, n / plan.horizon - 1.0) for n in lengths)
    whole = Errors(np.concatenate(past), total)
    fitted.calibration = calibration.spread(whole, anchor, final, weight)
    fitted.notes.append(_trust_note(weight))


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


