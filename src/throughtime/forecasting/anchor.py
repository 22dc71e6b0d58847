"""The anchor of one series: its average of smoothing, and how well that forecasts its history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from throughtime.errors import DataError, Message, Setting, sentence
from throughtime.forecasting import widths
from throughtime.forecasting.averaging import Average, average, compare
from throughtime.forecasting.baselines import ahead
from throughtime.forecasting.covariates import standardise
from throughtime.forecasting.inputs import PreparedSeries
from throughtime.forecasting.series import Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.smoothing import Smoothing

#: Numbers that a comparison of settings needs: two to forecast from, and one to compare with. The
#: last value of a shorter history is repeated, if other series say how well that does.
FEWEST_TO_SMOOTH = 3
#: Origins inside the history, at most, at which the errors of the anchor are taken. From 200 errors
#: a tail of 10 % is found with a standard error of sqrt(0.1 * 0.9 / 200) = 2 %.
_ORIGINS = 200


def fit_average(series: Observed, settings: Settings, candidates: Sequence[float]) -> Average:
    """The average of smoothing of one series; ``candidates`` are periods, 1 standing for none."""
    y = series.from_first_value().y
    if settings.transform == "log" and (y[~np.isnan(y)] <= 0).any():
        raise DataError(
            sentence(
                series.label,
                Message("positive for {log}", log=Setting("transform", "log")),
                f"{np.nanmin(y):g}",
                Message("Write {auto}.", auto=Setting("transform", "auto")),
            )
        )
    if series.count < FEWEST_TO_SMOOTH:
        return Average.of(Smoothing())
    return average(compare(y, settings.horizon, candidates, logs_of(settings)))


def logs_of(settings: Settings) -> tuple[bool, ...]:
    """Whether logarithms are taken, for each transformation that smoothing may use."""
    return {"auto": (False, True), "log": (True,), "none": (False,)}[settings.transform]


def prepare(
    series: Observed,
    anchor: Average,
    centre: np.ndarray,
    width: np.ndarray,
    future: np.ndarray | None = None,
) -> PreparedSeries:
    """``series`` in the form that windows are cut from; a missing covariate counts as its mean.

    Parameters
    ----------
    centre, width : ndarray of shape (F,)
        Mean and standard deviation of the covariates.
    future : ndarray of shape (S, F), optional
        Covariates of the steps ahead.
    """
    rows = series.covariates if future is None else np.concatenate([series.covariates, future])
    covariates = standardise(rows, centre, width)
    return PreparedSeries.from_values(series.y, anchor, covariates, series.static)


def first_origin(smoothing: Smoothing, cutoff: int) -> int:
    """The first origin that anything is learned from, if there is one before ``cutoff``.

    Without a season there always is one. With a season it never lies inside the two cycles that
    the first pattern is read off: forecasts from there would be of values already seen.
    """
    early = max(1, min(8, cutoff - 1))
    return max(2 * smoothing.phases, early) if smoothing.phases > 1 else early


def spaced(first: int, last: int, count: int) -> np.ndarray:
    """At most ``count`` whole numbers from ``first`` to ``last``."""
    return np.unique(np.linspace(first, max(first, last), min(count, last - first + 1)).astype(int))


def origins_in(series: PreparedSeries) -> np.ndarray:
    """Origins (O,) all over the history of ``series``, at which errors are taken."""
    total = len(series.z)
    first = first_origin(series.anchor.principal, max(2, total // 3))
    # A history that is given to ``predict`` may be shorter than the season.
    return spaced(min(first, total - 1), total - 1, _ORIGINS)


def anchor_errors(series: PreparedSeries, horizon: int) -> np.ndarray:
    """Errors of the anchor from origins all over the history: (O, H), NaN where unknown."""
    if len(series.z) < 2:
        return np.full((1, horizon), np.nan)
    origins = origins_in(series)
    return np.asarray(ahead(series.raw, origins, horizon) - series.anchor_at(origins, horizon))


def expected_errors(
    series: PreparedSeries, horizon: int, season: int, forecast: np.ndarray
) -> np.ndarray:
    """The errors to expect of the anchor ``forecast``, (H,); see :mod:`.widths`."""
    if len(series.z) < 2:
        return np.zeros(horizon)
    errors, origins = anchor_errors(series, horizon), origins_in(series)
    return widths.expected_errors(errors, origins, series.raw, season, forecast)


def error_unit(series: PreparedSeries, horizon: int) -> float:
    """:func:`one_step` of the anchor's errors; those of later steps are computed if needed."""
    return one_step(anchor_errors(series, 1)) or one_step(anchor_errors(series, horizon))


def one_step(errors: np.ndarray) -> float:
    """The mean absolute one-step error; that of all steps where it is zero or unknown."""
    for part in (errors[:, 0], errors):
        size = np.abs(part[~np.isnan(part)])
        if len(size) and size.mean() > 0.0:
            return float(size.mean())
    return 0.0
