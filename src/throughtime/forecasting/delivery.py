"""Which forecast each series gets, and the naive one with intervals of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from throughtime.forecasting.anchor import FEWEST_TO_SMOOTH, one_step, origins_in
from throughtime.forecasting.baselines import ahead, naive_paths
from throughtime.forecasting.calibration import Calibration, Errors, spread
from throughtime.forecasting.choosing import Choice, choose
from throughtime.forecasting.fitted import Fitted
from throughtime.forecasting.inputs import PreparedSeries
from throughtime.forecasting.series import Observed
from throughtime.forecasting.settings import Settings

#: Forecasts that are not naive, as ``Forecast.method`` calls them.
NETWORK, SMOOTHING = "network", "smoothing"


@dataclass(frozen=True)
class Delivered:
    """A forecast and the calibration of its intervals, on the scale of the forecast.

    Attributes
    ----------
    centre : ndarray of shape (H,)
    unit : float
        The one-step error.
    calibration : Calibration
    """

    centre: np.ndarray
    unit: float
    calibration: Calibration


def decide(settings: Settings, fitted: Fitted, histories: Sequence[PreparedSeries]) -> list[Choice]:
    """What is delivered for each series."""
    return choose(
        histories,
        settings.horizon,
        fitted.naive_season,
        fitted.calibration.gain,
        settings.delivers,
    )


def long_enough(several: Sequence[Observed]) -> list[Observed]:
    """The series that something can be chosen for, from their first known value on."""
    return [s.from_first_value() for s in several if s.count >= FEWEST_TO_SMOOTH]


def naive(method: str, history: PreparedSeries, horizon: int, season: int) -> Delivered:
    """A naive forecast, with intervals from its own errors inside the history."""
    origins, y = origins_in(history), history.y
    paths = naive_paths(method, y, np.append(origins, len(y)), horizon, season)
    errors = ahead(y, origins, horizon) - paths[:-1]
    unit = one_step(errors)
    count = max(1.0, (len(y) - max(int(origins[0]), horizon)) / horizon)
    own = Errors(errors / (unit or 1.0), count)
    return Delivered(paths[-1], unit, spread(own, own, own, 0.0))
