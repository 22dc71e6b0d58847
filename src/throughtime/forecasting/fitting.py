"""Fitting: seasons, smoothing, windows, networks and calibration, in this order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from throughtime.errors import DataError, Message, Setting, sentence
from throughtime.forecasting import adjusting, effects, networks, notes, trust
from throughtime.forecasting.adjustment import Adjustment
from throughtime.forecasting.anchor import FEWEST_TO_SMOOTH, fit_average, prepare
from throughtime.forecasting.averaging import Average
from throughtime.forecasting.calibration import Calibration, improvement
from throughtime.forecasting.correcting import corrections_of_windows, fit_base, networks_of
from throughtime.forecasting.covariates import mean_and_width
from throughtime.forecasting.delivery import decide, long_enough, mostly_zero
from throughtime.forecasting.fitted import Fitted
from throughtime.forecasting.holidays import check_country
from throughtime.forecasting.inputs import N_INPUTS
from throughtime.forecasting.networks import Notify, TrainedNetwork
from throughtime.forecasting.results import Progress, Stage
from throughtime.forecasting.seasonality import LONGEST_FOUND, cycles, detect
from throughtime.forecasting.series import Group, Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.sharing import for_each
from throughtime.forecasting.windows import TrainingWindows, cut_training_windows
from throughtime.network import Network

#: Numbers that a series must hold to be learned from: two to start from, and a few on either side
#: of the validation block.
_SHORTEST = 8
#: Steps that a series needs beyond its window and its horizon: origins to train and to validate on.
_ORIGINS_NEEDED = 4
#: Targets up to this size, in units of the window's scale, are rounding errors of float32.
_ROUNDING = 1e-6
#: Series, at most, that vote on the season that all share; more would only cost time.
_VOTERS = 50
#: The window covers a whole season if that is no longer than this. Smoothing already follows the
#: season, and a window of a year of days would be slow to train.
_LONGEST_SEASON_IN_WINDOW = 100
#: Bounds of the window in steps: what it has where the series is long enough, what twice the
#: horizon may ask for, and the least.
_USUAL_WINDOW, _FARTHEST_BACK, _SHORTEST_WINDOW = 16, 24, 4


def fit(settings: Settings, group: Group, backtest: bool = False) -> Fitted:
    """Fit a model to ``group``; the progress says whether that belongs to a ``backtest``."""
    _check_lengths(settings, group, backtest)
    others = networks_of(settings)  # first, because a file that cannot be read ends the fit
    if settings.holidays is not None:
        check_country(settings.holidays)
    periods = _candidates(settings, group)
    candidates = adjusting.left_to_smoothing(periods)
    shared = settings, periods, candidates
    found = for_each(_smooth, shared, group.series, settings.executor, doing="smoothing")
    both = list(zip(group.names, found, strict=True))
    adjustments = {name: removed for name, (removed, _) in both if removed is not None}
    anchors = {name: average for name, (_, average) in both}
    adjusted = adjusting.remove_all(adjustments, group)
    centre, width = mean_and_width(group)
    zeros = {
        s.name
        for s in adjusted.series
        if mostly_zero(settings, s, s.name in adjustments, candidates)
    }
    need = _need(settings)
    enough = [series for series in adjusted.series if _length(series) >= need]
    longest = max(map(len, enough), default=0)
    window = settings.window or _window(settings.horizon, candidates, longest)
    fitted = Fitted(
        group,
        anchors,
        candidates,
        window,
        centre,
        width,
        [],
        Calibration.of(settings.horizon),
        _floor(settings, group),
        [
            *notes.on_data(group.series),
            *notes.on_adjustments(adjustments, group.series),
            *effects.notes_on(group, adjustments),
            *effects.on_holidays(group, adjustments, settings.holidays),
        ],
        adjustments=adjustments,
        long_seasons=tuple(p for p in periods if p not in candidates),
        base=fit_base(settings, others, adjusted.series, candidates, zeros),
    )
    _learn(settings, fitted, enough, all(s.name in zeros for s in enough), backtest)
    if not fitted.based:
        fitted.base = dataclasses.replace(fitted.base, networks=())
    if fitted.calibration.weight < 1.0:
        fitted.notes += notes.on_base(list(fitted.base.shares.values()))
    _choose(settings, fitted, adjusted)
    return fitted


def _smooth(
    settings: Settings, periods: Sequence[float], candidates: Sequence[float], series: Observed
) -> tuple[Adjustment | None, Average]:
    """The adjustment of one series, and the average of smoothing of what that leaves."""
    adjustment = adjusting.adjust(settings, series, periods)
    rest = series if adjustment is None else adjustment.remove(series)
    return adjustment, fit_average(rest, settings, candidates)


def _choose(settings: Settings, fitted: Fitted, adjusted: Group) -> None:
    """Choose what is delivered for each series of ``fitted``.

    Parameters
    ----------
    adjusted : Group
        The series without the effects of columns.
    """
    known = long_enough(fitted.group.series)
    histories = [
        prepare(one, fitted.anchors[one.name], fitted.centre, fitted.width)
        for one in long_enough(adjusted.series)
    ]
    chosen = decide(settings, fitted, known, histories, fitted.adjustments)
    fitted.choices = dict(zip([one.name for one in known], chosen, strict=True))
    fitted.notes += notes.on_choices(chosen, settings, fitted.corrected)


def _learn(
    settings: Settings,
    fitted: Fitted,
    several: Sequence[Observed],
    zeros: bool,
    backtest: bool,
) -> None:
    """Train the networks of ``fitted`` on ``several`` series, and calibrate what forecasts.

    Parameters
    ----------
    zeros : bool
        Whether all of them are mostly zero, so that a network would learn nothing else.
    """
    centre, width = fitted.centre, fitted.width
    asked_not = _not_asked_for(settings)
    if asked_not or not several:
        n_inputs = N_INPUTS + len(centre) + len(fitted.group.series[0].static)
        fitted.networks = [networks.build(settings, n_inputs, settings.seed)]
        fitted.notes.append(asked_not or notes.TOO_FEW_VALUES)
        return
    windows = cut_training_windows(
        settings, several, fitted.anchors, fitted.candidates, fitted.window, centre, width
    )
    based = corrections_of_windows(
        settings,
        fitted.base,
        [s.name for s in several],
        windows.earlier,
        windows.validation,
        windows.blocks.series,
        fitted.candidates,
    )
    judge = Judge(windows, based)
    reason = _reason_not_to_train(settings, windows)
    if reason is None and zeros:
        reason = notes.MOSTLY_ZERO
    if reason is None:
        fitted.networks, fitted.calibration, more = _train_members(
            settings, windows, judge, backtest
        )
        fitted.notes += more
    else:
        fitted.networks = [networks.build(settings, windows.train.n_inputs, settings.seed)]
        fitted.calibration = judge.calibrate([])
        fitted.notes.append(reason)


def _check_lengths(settings: Settings, group: Group, backtest: bool) -> None:
    """Refuse a group of which no series is long enough for what was asked for."""
    longest = max(group.series, key=lambda s: (_length(s), s.count))
    which = longest.label if len(group.series) == 1 else "the longest series"
    before = " before the hold-out" if backtest else ""
    if longest.count < FEWEST_TO_SMOOTH:
        expected: str = Message("at least {least} numbers", least=FEWEST_TO_SMOOTH)
        got = f"{longest.count or 'none'}{before}"
        raise DataError(sentence(which, expected, got, must="hold", parameter="y"))
    need = _need(settings)
    if settings.window and _length(longest) < need:
        horizon, window = (Setting(name, getattr(settings, name)) for name in ("horizon", "window"))
        words = "at least {need} values for {horizon} and {window}"
        expected = Message(words, need=need, horizon=horizon, window=window)
        got = f"{_length(longest) or longest.count}{before}"
        hint = Message("Use a shorter {horizon} or {window}, or bring more data.")
        raise DataError(sentence(which, expected, got, hint, must="have", parameter="y"))


def _need(settings: Settings) -> int:
    """Values of a series that a network can learn from."""
    return max(settings.horizon + (settings.window or 0) + _ORIGINS_NEEDED, _SHORTEST)


def _length(series: Observed) -> int:
    """Steps from the first known value on; 0 if too few of them are known."""
    return len(series.from_first_value()) if series.count >= _SHORTEST else 0


def _candidates(settings: Settings, group: Group) -> tuple[float, ...]:
    """The seasons that the series may have, 1 standing for none."""
    if settings.periods is not None:
        return settings.periods or (1.0,)
    frequency = settings.frequency or group.frequency
    longest = max(map(len, group.series))
    usual = () if frequency is None else cycles(frequency)
    known = [p for p in usual if p <= LONGEST_FOUND or 2.0 * p <= longest]
    if known:
        return (1.0, *known)
    voters = group.series[:: max(1, len(group.series) // _VOTERS)]
    votes = [found for s in voters if (found := detect(s.from_first_value().y)) is not None]
    best = max(set(votes), key=lambda p: (votes.count(p), -p), default=1.0)
    return (1.0, best) if 3 * votes.count(best) >= len(voters) and best > 1.0 else (1.0,)


def _window(horizon: int, periods: Sequence[float], longest: int) -> int:
    """Past steps to read: a season, or back as far as twice the horizon, if there are so many."""
    season = max((round(p) for p in periods if p <= _LONGEST_SEASON_IN_WINDOW), default=1)
    wanted = max(season, min(2 * horizon, _FARTHEST_BACK), _USUAL_WINDOW)
    return int(np.clip(wanted, _SHORTEST_WINDOW, max(_SHORTEST_WINDOW, longest // 4)))


def _floor(settings: Settings, group: Group) -> float:
    """0 where forecasts are cut at 0, otherwise minus infinity."""
    if settings.nonnegative == "auto":
        return 0.0 if all(np.nanmin(s.y) >= 0.0 for s in group.series) else -np.inf
    return 0.0 if settings.nonnegative else -np.inf


def _not_asked_for(settings: Settings) -> str | None:
    """A sentence where no network is wanted."""
    if settings.delivers == "naive":
        return notes.NAIVE_ASKED_FOR
    return notes.NETWORK_NOT_ASKED_FOR if settings.delivers == "smoothing" else None


def _reason_not_to_train(settings: Settings, windows: TrainingWindows) -> str | None:
    """A sentence where training is not wanted or would change nothing."""
    if not len(windows.train):
        return notes.TOO_FEW_VALUES
    paths = int(windows.blocks.paths(settings.horizon).sum())
    if paths < trust.FEWEST_PATHS:
        return notes.too_few_paths(paths, settings.horizon)
    first = windows.train.draw(settings.seed, 1)
    if np.abs(first["y"][..., 0] * (first["sample_weight"] > 0.0)).max() < _ROUNDING:
        return notes.NOTHING_TO_LEARN
    return None


def _train_members(
    settings: Settings, windows: TrainingWindows, judge: Judge, backtest: bool
) -> tuple[list[Network], Calibration, list[str]]:
    """The networks, what the validation block says of them, and sentences for the reader."""
    trained = _train_first(settings, windows, backtest)
    found = judge.calibrate(trained)
    interrupted = any(t.interrupted for t in trained)
    if found.weight > 0 and not interrupted:
        trained = _retrain(settings, windows, trained, backtest)
        interrupted = any(t.interrupted for t in trained)
    remarks = [notes.INTERRUPTED] if interrupted else []
    return [t.network for t in trained], found, [*remarks, notes.on_trust(found.weight)]


def _train_first(
    settings: Settings, windows: TrainingWindows, backtest: bool
) -> list[TrainedNetwork]:
    """Train the members; after an interruption those that have not begun are missing."""
    trained: list[TrainedNetwork] = []
    for i in range(settings.members):
        begin = Progress(Stage.TRAINING, 0, settings.max_epochs, member=i + 1, backtest=backtest)
        notify = _announce(settings, begin)
        seed = _seed(settings, i)
        trained.append(networks.train_with_validation(settings, windows, seed, notify))
        if trained[-1].interrupted:
            break
    return trained


def _retrain(
    settings: Settings, windows: TrainingWindows, trained: list[TrainedNetwork], backtest: bool
) -> list[TrainedNetwork]:
    """Train the members again on all data; those that learned nothing stay as they are."""
    again: list[TrainedNetwork] = []
    for i, first in enumerate(trained):
        if first.epochs == 0 or any(t.interrupted for t in again):
            again.append(first)
            continue
        stage = Stage.TRAINING_ON_ALL_DATA
        begin = Progress(stage, 0, first.epochs, member=i + 1, backtest=backtest)
        notify = _announce(settings, begin)
        again.append(networks.retrain_on_all(settings, windows, first, _seed(settings, i), notify))
    return again


def _seed(settings: Settings, member: int) -> int:
    """Different for all members, also for those of forecasters with neighbouring seeds."""
    return settings.seed * settings.members + member


def _announce(settings: Settings, begin: Progress) -> Notify:
    """A function of epoch, loss and validation loss that reports them as progress."""
    begin = dataclasses.replace(begin, members=settings.members)

    def notify(done: int, loss: float, val_loss: float | None) -> None:
        if settings.progress is not None:
            step = dataclasses.replace(begin, done=done, loss=loss, val_loss=val_loss)
            settings.progress(step)

    return notify


@dataclass(frozen=True)
class Judge:
    """What the validation block says of networks, and how wide intervals must be.

    Attributes
    ----------
    windows : TrainingWindows
    based : ndarray of shape (M, H)
        What the base networks add to the anchors of the validation windows, in units of their
        scales; NaN for windows that do not judge.
    """

    windows: TrainingWindows
    based: np.ndarray

    def calibrate(self, trained: Sequence[TrainedNetwork]) -> Calibration:
        """Find the weight of the correction and the width of the intervals."""
        check, blocks = self.windows.validation, self.windows.blocks
        factor = (check.scale / self.windows.units[blocks.series])[:, None]
        judges = check.known & ~np.isnan(self.based)
        truth = np.where(judges, check.target.astype(np.float64), np.nan)
        judged = [t.judged for t in trained] or [np.zeros(truth.shape)]
        moved = np.mean(judged, axis=0)
        error = np.abs(truth - moved)
        gain = (np.abs(truth) - error) * factor
        over_base = (np.abs(truth - self.based) - error) * factor
        used = bool(np.nan_to_num(self.based).any())
        weight, validated = trust.weigh(gain, blocks, over_base if used else None)
        if all(t.epochs == 0 for t in trained):
            weight = 0.0
        mixed = (1.0 - weight) * self.based + weight * moved
        gained = improvement(truth * factor, (truth - mixed) * factor, validated)
        return Calibration.of(truth.shape[1], weight, gained)
