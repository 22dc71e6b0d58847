"""A fitted model as plain data, and the forecasts that follow from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import DataError
from throughtime.forecasting.calibration import Calibration
from throughtime.forecasting.inputs import History, cut
from throughtime.forecasting.learning import Recipe, correction
from throughtime.forecasting.results import Forecast, Progress
from throughtime.forecasting.seasonality import check_season
from throughtime.forecasting.series import Group, Observed
from throughtime.forecasting.smoothing import Smoothing, choose, extend, smooth
from throughtime.network import Network

if TYPE_CHECKING:
    from throughtime.forecasting.forecaster import Forecaster

#: Passes over the data, at most, where none are asked for.
EPOCHS = 40
#: Of a history with fewer numbers the last one is repeated, if other series say how well that does.
_FEWEST = 4
#: Series, at most, that lend such a history the size of their errors.
_LENDERS = 50
#: Origins inside the history at which the anchor's errors are taken.
_ORIGINS = 200


@dataclass(frozen=True)
class Plan:
    """The settings of a forecaster, checked; the names are those of its parameters."""

    horizon: int
    recipe: Recipe
    window: int | None
    season: tuple[float, ...] | None
    frequency: str | None
    transform: str
    members: int
    network: str
    future_covariates: bool
    nonnegative: bool | str
    seed: int
    callbacks: Sequence[Any]
    progress: Callable[[Progress], None] | None

    @classmethod
    def of(cls, forecaster: Forecaster) -> Plan:
        """The settings of ``forecaster`` as they are now."""

        def own(kind: type) -> dict[str, Any]:
            names = [f.name for f in dataclasses.fields(kind) if f.name not in ("recipe", "season")]
            return {name: getattr(forecaster, name) for name in names}

        recipe = Recipe(**own(Recipe) | {"epochs": forecaster.epochs or EPOCHS})
        return cls(recipe=recipe, season=check_season(forecaster.season), **own(cls))


@dataclass
class Fitted:
    """What fitting leaves.

    Attributes
    ----------
    group : Group
        The history, which ``update`` extends.
    smoothing : dict
        Name of each series to its smoothing.
    candidates : tuple of float
        Seasons that smoothing could choose from; 1 is none.
    window : int
    centre, width : ndarray of shape (F,)
        Mean and standard deviation of the covariates.
    networks : list of Network
    calibration : Calibration
    floor : float
        0 where forecasts are cut at 0, else minus infinity.
    notes : list of str
    """

    group: Group
    smoothing: dict[Any, Smoothing]
    candidates: tuple[float, ...]
    window: int
    centre: np.ndarray
    width: np.ndarray
    networks: list[Network]
    calibration: Calibration
    floor: float
    notes: list[str] = field(default_factory=list)

    @property
    def season(self) -> float | None:
        """The period that most series have; None if that is none."""
        found = [s.period for s in self.smoothing.values()]
        common = max(set(found), key=lambda p: (found.count(p), p))
        return None if common <= 1.0 else common

    @property
    def naive_season(self) -> int:
        """The season of seasonal naive and of MASE; 1 is none."""
        if self.season is not None:
            return round(self.season)
        longest = max(len(s) for s in self.group.series)
        fitting = [round(p) for p in self.candidates if 1.0 < p < longest]
        return fitting[0] if fitting else 1

    @property
    def transform(self) -> str:
        """What most series are transformed by: "log" or "none"."""
        logs = [s.log for s in self.smoothing.values()]
        return "log" if 2 * sum(logs) > len(logs) else "none"


def start(series: Observed) -> Observed:
    """The series from its first known value on."""
    first = int(np.argmax(~np.isnan(series.y)))
    return Observed(series.name, series.y[first:], series.covariates[first:])


def pick(series: Observed, plan: Plan, candidates: Sequence[float]) -> Smoothing:
    """Choose the smoothing of one series."""
    y = start(series).y
    if plan.transform == "log" and (y[~np.isnan(y)] <= 0).any():
        raise DataError(
            f"{series.said} must be positive for transform='log'; got {np.nanmin(y):g}."
            " Write transform='auto'."
        )
    logs = {"auto": (False, True), "log": (True,), "none": (False,)}[plan.transform]
    if _numbers(series) < _FEWEST:
        return Smoothing()
    return choose(y, plan.horizon, candidates, logs)


def forecast(
    plan: Plan,
    fitted: Fitted,
    series: Observed,
    future: np.ndarray,
    steps: np.ndarray,
    coverages: Sequence[float],
) -> Forecast:
    """Forecast one series from its last step.

    Parameters
    ----------
    future : ndarray of shape (S, F)
        Covariates of the steps ahead; S is 0 where they are not known.
    steps : ndarray of int
        Steps ahead, from 1 to H.
    """
    count = _numbers(series)
    least, few = _FEWEST if series.name is None else 1, count < _FEWEST
    if count < least:
        held = "one number" if least == 1 else f"{least} numbers"
        raise DataError(
            f"{series.said} must hold at least {held} to be forecast from; got {count or 'none'}."
        )
    known = start(series)
    smoothing, notes = _smoothing(plan, fitted, known)
    history = history_of(fitted, known, smoothing, future)
    here = np.array([len(known)])
    block = cut(history, here, fitted.window, plan.horizon, plan.future_covariates)
    trust = 0.0 if few else fitted.calibration.weight
    moved = trust * correction(fitted.networks, block)[0] if trust > 0.0 else 0.0
    centre = block.anchor[0] + moved * block.scale[0]
    unit = _borrowed(plan, fitted, known) if few else one_step(anchor_errors(history, plan.horizon))
    top = float(np.max(history.z))
    # A history that went below 0 after fitting has shown that there is no floor.
    floor = -np.inf if plan.nonnegative == "auto" and np.nanmin(known.y) < 0 else fitted.floor
    cuts = 0

    def back(z: np.ndarray) -> np.ndarray:
        nonlocal cuts
        free = smoothing.restore(z, top)
        cuts += int((free < floor).sum())
        return np.maximum(free, floor)

    chosen = centre[steps - 1]
    intervals = {}
    for coverage in coverages:
        low, high = fitted.calibration.bounds(coverage, steps)
        intervals[float(coverage)] = back(chosen + low * unit), back(chosen + high * unit)
    mean = back(chosen)
    if cuts and plan.nonnegative == "auto":
        notes.append(
            f"{series.said} was never below 0, so its forecast is cut there; nonnegative=False lets"
            " it go lower."
        )
    notes = data_notes(Group("one", (series,))) + notes
    anchor = back(block.anchor[0][steps - 1])
    origin, calendar = len(series), series.calendar
    times = None if calendar is None else calendar.at(origin + steps - 1)
    return Forecast(steps, mean, intervals, anchor, origin, series.name, tuple(notes), times)


def _smoothing(plan: Plan, fitted: Fitted, known: Observed) -> tuple[Smoothing, list[str]]:
    """The smoothing to forecast ``known`` with, and what is to be said of it."""
    if _numbers(known) < _FEWEST:
        return Smoothing(), []
    smoothing = fitted.smoothing.get(known.name)
    if smoothing is None:
        return pick(known, plan, fitted.candidates), []
    if not (smoothing.log and (known.y <= 0).any()):
        return smoothing, []
    # New values left the range of logarithms, of which the choice at fitting knew nothing.
    note = f"{known.said} is no longer positive, so it is forecast without logarithms."
    return pick(known, plan, fitted.candidates), [note]


def _borrowed(plan: Plan, fitted: Fitted, known: Observed) -> float:
    """A one-step error for a series too short to have one: as large beside its level as others'."""
    shares = []
    lenders = [s for s in fitted.group.series if _numbers(s) >= _FEWEST]
    for other in lenders[:_LENDERS]:
        level = float(np.nanmean(np.abs(other.y)))
        if level > 0.0:
            history = history_of(fitted, start(other), Smoothing())
            shares.append(one_step(anchor_errors(history, plan.horizon)) / level)
    return float(np.median(shares) if shares else 0.0) * float(np.nanmean(np.abs(known.y)))


def _numbers(series: Observed) -> int:
    """How many values are known."""
    return int((~np.isnan(series.y)).sum())


def data_notes(group: Group) -> list[str]:
    """Sentences on gaps, on short series and on series that do not vary."""
    notes = []
    for series in group.series:
        y = start(series).y
        gaps = int(np.isnan(y).sum())
        if gaps:
            values = "value" if gaps == 1 else "values"
            notes.append(
                f"{series.said} lacks {gaps} of {len(y)} {values}; a gap is marked in the"
                " input, and never learned from or scored."
            )
        if _numbers(series) < _FEWEST and series.name is not None:
            held = "one number" if _numbers(series) == 1 else f"{_numbers(series)} numbers"
            notes.append(
                f"{series.said} holds only {held}, so the last one is repeated, with intervals like"
                " those of the other series."
            )
        elif np.nanmin(y) == np.nanmax(y):
            notes.append(f"{series.said} is constant, and so is its forecast.")
    return notes if len(notes) <= 5 else [*notes[:5], f"... and {len(notes) - 5} notes more."]


def history_of(
    fitted: Fitted, known: Observed, smoothing: Smoothing, future: np.ndarray | None = None
) -> History:
    """``known`` in the form that windows are cut from; a missing covariate counts as its mean."""
    rows = known.covariates if future is None else np.concatenate([known.covariates, future])
    standard = np.nan_to_num((rows - fitted.centre) / fitted.width)
    return History.from_values(known.y, smoothing, standard)


def first_origin(smoothing: Smoothing, cutoff: int) -> int:
    """The first origin that anything is learned from, if there is one before ``cutoff``.

    Without a season it always is before. With one it never lies inside the two cycles that the
    first pattern is read off, where forecasts would be of what was already seen.
    """
    early = max(1, min(8, cutoff - 1))
    return max(2 * smoothing.phases, early) if smoothing.phases > 1 else early


def spaced(first: int, last: int, count: int) -> np.ndarray:
    """At most ``count`` whole numbers from ``first`` to ``last``."""
    return np.unique(np.linspace(first, max(first, last), min(count, last - first + 1)).astype(int))


def anchor_errors(history: History, horizon: int) -> np.ndarray:
    """Errors of the anchor from origins all over the history: (O, H), NaN where unknown."""
    total = len(history.z)
    if total < 2:
        return np.full((1, horizon), np.nan)
    first = first_origin(history.smoothing, max(2, total // 3))
    # A history that is handed to ``predict`` may be shorter than the season.
    origins = spaced(min(first, total - 1), total - 1, _ORIGINS)
    states = smooth(history.raw, [history.smoothing], origins)
    line = extend([history.smoothing], states, np.arange(1, horizon + 1))[..., 0]
    where = origins[:, None] + np.arange(horizon)
    actual = np.where(where < total, history.raw[np.minimum(where, total - 1)], np.nan)
    return np.asarray(actual - line)


def one_step(errors: np.ndarray) -> float:
    """The mean absolute one-step error; that of all steps where it is zero or not known."""
    for part in (errors[:, 0], errors):
        size = np.abs(part[~np.isnan(part)])
        if len(size) and size.mean() > 0.0:
            return float(size.mean())
    return 0.0
