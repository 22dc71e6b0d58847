"""The methods: throughtime, its last release, naive forecasts, and models of statsforecast.

Every method receives a :class:`Series` with its frequency or period, and nothing else: defaults.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.forecasting.collections import Series

#: Nominal coverages of the intervals, in percent.
LEVELS = (80, 95)
#: Quantiles of the standard normal distribution at (1 + level / 100) / 2.
_NORMAL = {80: 1.2815515655446004, 95: 1.959963984540054}
#: Longest season, in steps, that ETS estimates; longer ones are the business of MSTL.
_LONGEST_ETS = 24
#: More seasons of a frequency than its first, in steps.
_SECOND = {"D": 365, "h": 168, "30min": 336}
#: The release that `make bench-forecast` installs here, to be measured beside ours.
RELEASE = Path("build/forecast-release")

#: "mean", "lo80", "hi80", "lo95", "hi95", each of shape (H,).
Forecasts = dict[str, np.ndarray]


@dataclass(frozen=True)
class Method:
    """One way to forecast.

    Attributes
    ----------
    title : str
        The name in the tables.
    package : str or None
        The package whose version belongs to stored results.
    forecast : callable
        Forecasts of a series.
    path : Path or None
        Folder from which the package is imported, if it is not the installed one.
    """

    title: str
    package: str | None
    forecast: Callable[[Series], Forecasts]
    path: Path | None = None

    def version(self) -> str:
        """The version of its package; "0" of a method of this file."""
        if self.package is None:
            return "0"
        found = [] if self.path is None else [str(self.path)]
        for one in importlib.metadata.distributions(name=self.package, path=found or sys.path):
            return one.version
        raise SystemExit(f"{self.title} needs {self.package}. Run make bench-forecast.")


def _spread(mean: np.ndarray, sigma: np.ndarray) -> Forecasts:
    """Normal intervals."""
    found = {"mean": mean}
    for level, z in _NORMAL.items():
        found |= {f"lo{level}": mean - z * sigma, f"hi{level}": mean + z * sigma}
    return found


def seasonal_naive(series: Series) -> Forecasts:
    """The value one season before; normal intervals whose variance grows season by season."""
    y, horizon = series.train, len(series.test)
    period = series.period if len(y) > series.period else 1
    steps = np.arange(horizon)
    change = y[period:] - y[:-period]
    sigma = np.sqrt(np.mean(change**2) * (steps // period + 1))
    return _spread(y[len(y) - period + steps % period], sigma)


def seasons(series: Series) -> list[int]:
    """Seasons in steps of which two were observed."""
    found = [series.period, _SECOND.get(series.alias or "", 1)]
    return [period for period in found if 1 < period <= len(series.train) // 2]


def _statsforecast(model: Any, series: Series) -> Forecasts:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.forecast(y=series.train, h=len(series.test), level=list(LEVELS))
    forecasts = {"mean": found["mean"]}
    for level in LEVELS:
        forecasts |= {f"lo{level}": found[f"lo-{level}"], f"hi{level}": found[f"hi-{level}"]}
    return {name: np.asarray(values, float) for name, values in forecasts.items()}


def _ets(series: Series) -> Forecasts:
    """AutoETS; MSTL, whose trend is AutoETS, if there are several seasons or a long one."""
    from statsforecast.models import MSTL, AutoETS

    cycles = seasons(series)
    if len(cycles) > 1 or max(cycles, default=1) > _LONGEST_ETS:
        return _statsforecast(MSTL(season_length=cycles), series)
    return _statsforecast(AutoETS(season_length=max(cycles, default=1)), series)


def _theta(series: Series) -> Forecasts:
    from statsforecast.models import AutoTheta

    return _statsforecast(AutoTheta(season_length=(seasons(series) or [1])[0]), series)


def _arima(series: Series) -> Forecasts:
    from statsforecast.models import AutoARIMA

    return _statsforecast(AutoARIMA(season_length=(seasons(series) or [1])[0]), series)


def _ours(series: Series, **settings: Any) -> Forecasts:
    from throughtime.forecasting import Forecaster

    model = Forecaster(len(series.test), frequency=series.alias, **settings)
    found = model.fit(series.train).predict()
    forecasts = {"mean": found.mean}
    for level in LEVELS:
        low, high = found.intervals[level / 100]
        forecasts |= {f"lo{level}": low, f"hi{level}": high}
    return forecasts


def _smoothing(series: Series) -> Forecasts:
    return _ours(series, network="never")


METHODS = {
    "ours": Method("throughtime", "throughtime", _ours),
    "smoothing": Method("throughtime, no network", "throughtime", _smoothing),
    "release": Method("release", "throughtime", _ours, RELEASE),
    "release-smoothing": Method("release, no network", "throughtime", _smoothing, RELEASE),
    "ets": Method("AutoETS or MSTL", "statsforecast", _ets),
    "theta": Method("AutoTheta", "statsforecast", _theta),
    "arima": Method("AutoARIMA", "statsforecast", _arima),
    "snaive": Method("seasonal naive", None, seasonal_naive),
}
