"""Which forecast each series gets, and what it is computed from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from throughtime.forecasting import widths
from throughtime.forecasting.adjustment import Adjustment
from throughtime.forecasting.anchor import FEWEST_TO_SMOOTH, spaced
from throughtime.forecasting.baselines import ahead, naive_paths
from throughtime.forecasting.calibration import Calibration
from throughtime.forecasting.choosing import CROSTON, USUAL, Choice, Contest, choose
from throughtime.forecasting.fitted import Fitted
from throughtime.forecasting.inputs import PreparedSeries
from throughtime.forecasting.intermittent import Demand, is_intermittent
from throughtime.forecasting.series import Observed
from throughtime.forecasting.settings import Settings

#: What ``Forecast.method`` calls the usual forecast, with and without the correction of networks.
NETWORK, SMOOTHING = "network", "smoothing"
#: Lower and upper bounds.
Bounds = tuple[np.ndarray, np.ndarray]
#: The coverages of the quantiles of the base networks, and which of them are the bounds.
_PAIRS = {0.8: (1, 3), 0.95: (0, 4)}
#: Origins at which the errors of a naive forecast are taken, at most, as for the anchor.
_ORIGINS = 200


class Delivered(Protocol):
    """A forecast with its intervals, all on one scale."""

    @property
    def centre(self) -> np.ndarray:
        """The point forecast (H,)."""

    def interval(self, coverage: float, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bound at some steps ahead."""


@dataclass(frozen=True)
class Shape:
    """What the base networks say of the errors of a forecast.

    Attributes
    ----------
    share : float
        The share of their correction that the forecast has.
    quantiles : ndarray of shape (H, Q)
        Quantiles less the median, at the levels of ``base_network.QUANTILES``.
    """

    share: float
    quantiles: np.ndarray

    def factor(self, coverage: float, steps: np.ndarray, usual: Callable[..., Bounds]) -> Bounds:
        """What the ``usual`` bounds are multiplied by, (S2) of :mod:`.widths`."""
        lower, upper = [], []
        for known, (i, j) in _PAIRS.items():
            low, high = usual(known, steps)
            lower.append(widths.blend(self.quantiles[steps - 1, i], low, self.share))
            upper.append(widths.blend(self.quantiles[steps - 1, j], high, self.share))
        place = float(np.interp(coverage, tuple(_PAIRS), (0.0, 1.0)))
        low, high = ((1.0 - place) * few + place * many for few, many in (lower, upper))
        return low, high


@dataclass(frozen=True)
class Calibrated:
    """A forecast whose intervals are quantiles of past errors.

    Attributes
    ----------
    centre : ndarray of shape (H,)
    size : ndarray of shape (H,)
        The size of its errors; see ``Calibration.expected``.
    calibration : Calibration
    shape : Shape or None
        What base networks say of its errors, if they correct it.
    """

    centre: np.ndarray
    size: np.ndarray
    calibration: Calibration
    shape: Shape | None = None

    def interval(self, coverage: float, steps: np.ndarray) -> Bounds:
        """Lower and upper bound at some steps ahead."""
        low, high = self._usual(coverage, steps)
        if self.shape is not None:
            narrower = self.shape.factor(coverage, steps, self._usual)
            low, high = low * narrower[0], high * narrower[1]
        chosen = self.centre[steps - 1]
        return chosen + low, chosen + high

    def _usual(self, coverage: float, steps: np.ndarray) -> Bounds:
        """How far the bounds are from the forecast, without base networks."""
        low, high = self.calibration.bounds(coverage, steps)
        return low * self.size[steps - 1], high * self.size[steps - 1]


@dataclass(frozen=True)
class MostlyZero:
    """The mean of demand that is mostly zero, with its quantiles.

    Attributes
    ----------
    demand : Demand
    horizon : int
    """

    demand: Demand
    horizon: int

    @property
    def centre(self) -> np.ndarray:
        """The mean demand of every step (H,)."""
        return np.full(self.horizon, self.demand.mean)

    def interval(self, coverage: float, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Quantiles of the demand of a step, the same at every step, and the mean between them.

        The mean may lie beyond a quantile: above it after one huge demand, below it where there is
        demand at every step.
        """
        levels = (1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0
        low, high = (self.demand.quantile(level) for level in levels)
        return (
            np.full(len(steps), min(low, self.demand.mean)),
            np.full(len(steps), max(high, self.demand.mean)),
        )


def mostly_zero(
    settings: Settings, series: Observed, adjusted: bool, seasons: Sequence[float]
) -> bool:
    """Whether a series is forecast by its mean demand.

    It is not where columns explain it, or where it is said to be able to fall below 0.
    """
    wanted = settings.delivers in ("best", "smoothing") and settings.nonnegative is not False
    return wanted and not adjusted and is_intermittent(series.y, seasons)


def decide(
    settings: Settings,
    fitted: Fitted,
    several: Sequence[Observed],
    histories: Sequence[PreparedSeries],
    adjustments: Mapping[Any, Adjustment | None],
) -> list[Choice]:
    """What is delivered for each of ``several`` series, from their first known value on.

    Parameters
    ----------
    histories : sequence of PreparedSeries
        The same series without the effects of columns.
    adjustments : mapping
        What was removed from them, by name.
    """
    contests = []
    for one, history in zip(several, histories, strict=True):
        adjustment = adjustments.get(one.name)
        zero = mostly_zero(settings, one, adjustment is not None, fitted.candidates)
        factor = np.ones(len(one))
        if adjustment is not None and adjustment.log:
            factor = one.y / history.y
        past, gain = fitted.base.past.get(one.name), 1.0
        if fitted.calibration.weight > 0.0:
            # Trained on the history, the network has no forecasts from inside it that are as fair.
            gain = fitted.calibration.gain
            gain = gain if past is None else gain / fitted.base.shares[one.name].ratio
        contests.append(Contest(one.y, history, factor, zero, past, gain))
    season = fitted.naive_season
    return choose(contests, settings.horizon, season, settings.delivers, settings.executor)


def method_of(
    settings: Settings,
    fitted: Fitted,
    series: Observed,
    history: PreparedSeries,
    adjustment: Adjustment | None,
) -> str:
    """What forecasts a series: "network", "smoothing", "croston" or a naive method.

    The parameters are those of :func:`decide`, for one series.
    """
    choice = Choice()
    if fitted.choices is not None and series.name in fitted.choices:
        choice = fitted.choices[series.name]
    elif fitted.choices is not None:
        (choice,) = decide(settings, fitted, [series], [history], {series.name: adjustment})
    # The history may be another one than that of the choice.
    demand = not (series.y < 0.0).any() and (series.y > 0.0).any()
    if choice.method != USUAL and (choice.method != CROSTON or demand):
        return choice.method
    return NETWORK if fitted.corrects(series.name) else SMOOTHING


def long_enough(several: Sequence[Observed]) -> list[Observed]:
    """The series that something can be chosen for, from their first known value on."""
    return [s.from_first_value() for s in several if s.count >= FEWEST_TO_SMOOTH]


def naive(method: str, y: np.ndarray, horizon: int, season: int) -> Calibrated:
    """A naive forecast of ``y``, whose first value is known, with intervals from its own errors."""
    total = len(y)
    origins = spaced(min(max(season, min(8, total // 3), 1), total), max(total - 1, 1), _ORIGINS)
    paths = naive_paths(method, y, np.append(origins, total), horizon, season)
    errors = ahead(y, origins, horizon) - paths[:-1]
    size = widths.expected_errors(errors, origins, y, season, paths[-1])
    return Calibrated(paths[-1], size, Calibration.of(horizon))
