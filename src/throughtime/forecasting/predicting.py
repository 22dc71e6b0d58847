"""The forecast of one series from a fitted model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from throughtime.errors import DataError, sentence
from throughtime.forecasting import adjusting, base_network, correcting, delivery, notes
from throughtime.forecasting.anchor import (
    FEWEST_TO_SMOOTH,
    error_unit,
    expected_errors,
    fit_average,
    prepare,
)
from throughtime.forecasting.averaging import Average
from throughtime.forecasting.baselines import PERSISTENCE
from throughtime.forecasting.choosing import CROSTON
from throughtime.forecasting.delivery import Calibrated, Delivered, MostlyZero, Shape
from throughtime.forecasting.fitted import LENDERS, Fitted, Part
from throughtime.forecasting.inputs import PreparedSeries, cut, measurable
from throughtime.forecasting.intermittent import Demand
from throughtime.forecasting.limits import Limits
from throughtime.forecasting.networks import correction
from throughtime.forecasting.results import Forecast
from throughtime.forecasting.seasonality import shortest
from throughtime.forecasting.series import Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.sharing import for_each
from throughtime.forecasting.smoothing import Smoothing
from throughtime.forecasting.widths import expected_of_few


class Asked(NamedTuple):
    """One series to forecast.

    Attributes
    ----------
    part : Part
        What is known of it.
    series : Observed
        The history to forecast from.
    future : ndarray of shape (S, F)
        Covariates of the steps ahead; S is 0 where they are not known.
    """

    part: Part
    series: Observed
    future: np.ndarray


def forecast_all(
    settings: Settings,
    fitted: Fitted,
    several: Sequence[Observed],
    futures: Sequence[np.ndarray],
    steps: np.ndarray,
    coverages: Sequence[float],
) -> list[Forecast]:
    """Forecast each of some series; the parameters are those of :func:`forecast`."""
    asked = map(Asked, fitted.parts(several), several, futures)
    shared = settings, fitted.frame, steps, coverages
    return for_each(_forecast_asked, shared, asked, settings.executor, doing="forecasting")


def _forecast_asked(
    settings: Settings, frame: Fitted, steps: np.ndarray, coverages: Sequence[float], asked: Asked
) -> Forecast:
    part, series, future = asked
    return forecast(settings, frame.with_part(part), series, future, steps, coverages)


def forecast(
    settings: Settings,
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
    coverages : sequence of float
        Coverages of the intervals.
    """
    _check_count(series)
    observed, adjustment = series, adjusting.adjustment_of(settings, fitted, series)
    if adjustment is not None:
        effects = adjustment.ahead(series, steps, future)
        series = adjustment.remove(series)
    known, seen = series.from_first_value(), observed.from_first_value()
    average, remarks = _average(settings, fitted, known)
    smoothing = average.principal
    history = prepare(known, average, fitted.centre, fitted.width, future)
    smoothed = history.anchor_at(np.array([len(known)]), settings.horizon)[0]
    few = known.count < FEWEST_TO_SMOOTH
    method = PERSISTENCE if few else delivery.method_of(settings, fitted, seen, history, adjustment)
    # Smoothing and networks work on the transformed scale without the effects of columns.
    transformed = few or method in (delivery.NETWORK, delivery.SMOOTHING)
    made: Delivered
    if method == CROSTON:
        demand = Demand.from_history(seen.y, settings.horizon)
        made = MostlyZero(demand, settings.horizon)
        remarks.append(notes.mostly_zero(seen, demand, settings))
    elif transformed:
        centre, shape = smoothed, None
        if method == delivery.NETWORK:
            centre, shape = _corrected(settings, fitted, known, history, smoothed)
        size = _size_of_errors(settings, fitted, known, history, smoothed)
        if adjustment is not None:
            size = size * adjustment.widening
        made = Calibrated(centre, size, fitted.calibration, shape)
    else:
        made = delivery.naive(method, seen.y, settings.horizon, fitted.naive_season)
    top = float(np.max(history.z))
    limits = Limits(settings, fitted.floor, seen.y, smoothing.period, steps)

    def with_effects(z: np.ndarray) -> np.ndarray:
        free = smoothing.restore(z, top)
        return free if adjustment is None else adjustment.restore(free, effects)

    def in_units_of_the_data(values: np.ndarray) -> np.ndarray:
        return limits.apply(with_effects(values) if transformed else values)

    intervals = {}
    for coverage in coverages:
        low, high = map(in_units_of_the_data, made.interval(coverage, steps))
        intervals[float(coverage)] = low, high
    mean = in_units_of_the_data(made.centre[steps - 1])
    remarks += limits.remarks(series)
    anchor = mean
    if method != CROSTON:  # which is the anchor itself
        anchor = limits.apply(with_effects(smoothed[steps - 1]))
    _check_finite(series, [mean, anchor, *itertools.chain(*intervals.values())])
    origin, calendar = len(series), series.calendar
    times = None if calendar is None else calendar.at(origin + steps - 1)
    sentences = tuple(notes.on_data([observed]) + remarks)
    name = series.name
    return Forecast(steps, mean, intervals, anchor, origin, name, sentences, times, method)


def _size_of_errors(
    settings: Settings,
    fitted: Fitted,
    known: Observed,
    history: PreparedSeries,
    smoothed: np.ndarray,
) -> np.ndarray:
    """The size of the errors to expect of a forecast without the effects of columns: (H,)."""
    horizon = settings.horizon
    if known.count < FEWEST_TO_SMOOTH:
        return expected_of_few(_borrowed_error(settings, fitted, known), horizon)
    if fitted.calibration.expected:
        season = round(shortest(fitted.candidates))
        return expected_errors(history, horizon, season, smoothed)
    return np.full(horizon, error_unit(history, horizon))


def _corrected(
    settings: Settings,
    fitted: Fitted,
    known: Observed,
    history: PreparedSeries,
    smoothed: np.ndarray,
) -> tuple[np.ndarray, Shape | None]:
    """The forecast of smoothing with what the networks add, on the transformed scale: (H,).

    Also what the base networks say of its errors.
    """
    weight, here = fitted.calibration.weight, np.array([len(known)])
    found, shape = smoothed, None
    if weight < 1.0:
        anchor, base = history.anchor, fitted.base
        share, apart = correcting.answer(settings, base, known, anchor, fitted.candidates)
        if share > 0.0:
            plain = anchor.paths(history.y, here, settings.horizon)[0][:, None]
            moved = np.hstack([share * apart[:, [base_network.MEDIAN]], apart])
            moved = history.smoothing.transform_forecast(plain + moved, history.y)
            found, median = moved[:, 0], moved[:, [1 + base_network.MEDIAN]]
            shape = Shape((1.0 - weight) * share, moved[:, 1:] - median)
    # A series that has never moved has no unit for the network's answer.
    if weight > 0.0 and measurable(history.z)[-1]:
        window = cut(history, here, fitted.window, settings.horizon, settings.future_covariates)
        own = smoothed + correction(fitted.networks, window)[0] * window.scale[0]
        found = (1.0 - weight) * found + weight * own
    return found, shape


def _check_finite(series: Observed, forecasts: Sequence[np.ndarray]) -> None:
    """Refuse what float64 cannot hold."""
    for values in forecasts:
        if not np.isfinite(values).all():
            got = f"{values[~np.isfinite(values)][0]}"
            hint = "Divide the series by a constant first, or fit again."
            raise DataError(sentence(series.label, "a finite forecast", got, hint, must="have"))


def _check_count(series: Observed) -> None:
    """Refuse a series of too few numbers; beside others, one number is enough."""
    least = FEWEST_TO_SMOOTH if series.name is None else 1
    if series.count < least:
        held = "one number" if least == 1 else f"{least} numbers"
        raise DataError(
            sentence(
                series.label,
                f"at least {held} to be forecast from",
                f"{series.count or 'none'}",
                must="hold",
            )
        )


def _average(settings: Settings, fitted: Fitted, known: Observed) -> tuple[Average, list[str]]:
    """The average to forecast ``known`` with, and remarks on it."""
    if known.count < FEWEST_TO_SMOOTH:
        return Average.of(Smoothing()), []
    found = fitted.anchors.get(known.name)
    if found is None:
        return fit_average(known, settings, fitted.candidates), []
    if not (found.logs and (known.y <= 0).any()):
        return found, []
    # Values that came after fitting have no logarithm.
    return fit_average(known, settings, fitted.candidates), [notes.without_logarithms(known)]


def _borrowed_error(settings: Settings, fitted: Fitted, known: Observed) -> float:
    """A one-step error for a series too short to have one, from the other series.

    It is the same share of the mean absolute value as theirs.
    """
    shares = []
    lenders = (s for s in fitted.group.series if s.count >= FEWEST_TO_SMOOTH)
    for other in itertools.islice(lenders, LENDERS):
        level = float(np.nanmean(np.abs(other.y)))
        if level > 0.0:
            start = other.from_first_value()
            history = prepare(start, Average.of(Smoothing()), fitted.centre, fitted.width)
            shares.append(error_unit(history, settings.horizon) / level)
    return float(np.median(shares) if shares else 0.0) * float(np.nanmean(np.abs(known.y)))
