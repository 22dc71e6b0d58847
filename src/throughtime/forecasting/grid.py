"""The settings of smoothing that compete, and the choice among them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from throughtime.forecasting.horizon import step_weights
from throughtime.forecasting.smoothing import Smoothing, extend, smooth

#: Values of alpha, gamma and (trend, beta, phi) that compete. They are about equally far apart in
#: their effect; finer grids only choose among settings that the history cannot tell apart.
_ALPHAS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
_GAMMAS = (0.05, 0.15, 0.4)
_TRENDS = (
    ("none", 0.0, 1.0),
    ("drift", 0.0, 1.0),
    *(("local", beta, phi) for beta in (0.03, 0.1, 0.3) for phi in (0.9, 0.98, 1.0)),
    *(("return", 0.0, phi) for phi in (0.7, 0.85, 0.95)),
)
#: Origins at which settings are compared, at most. On 80 series of 300 values, 40 origins or 600
#: choose settings whose hold-out errors are the same to 4 %, in both directions.
_MAX_ORIGINS = 150
#: Numbers of seasonal patterns kept at once, for each setting: 294 settings then take 38 MB.
_MAX_PATTERNS = 16_000
#: Share of the error that each part of a model must earn, whatever the length T of the series, and
#: the same over T. On 60 random walks of 34 values the chosen setting is 9 % worse than persistence
#: without any price and 7 % with both; of 114 values 13 % and 2 %. Trends gain 3 %, too. Short
#: autoregressions pay for it: they are taken for walks, at 1.05 instead of 0.94 of persistence.
_PRICE, _PRICE_OF_FEW = 0.02, 2.0
#: Share of the error that a season must earn for each cycle that is missing to three. On 60 noises
#: of 30 values it lets 7 chance seasons through instead of 12; of 60 true seasons it misses 9 more.
_PRICE_OF_SEASON = 0.5


def candidates(period: float, log: bool) -> list[Smoothing]:
    """All settings that compete for one period (1: no season) and one transformation."""
    gammas = _GAMMAS if round(period) > 1 else (0.0,)
    return [
        Smoothing(log, period, alpha, trend, beta, phi, gamma)
        for alpha, (trend, beta, phi), gamma in itertools.product(_ALPHAS, _TRENDS, gammas)
    ]


def choose(
    y: np.ndarray,
    horizon: int,
    periods: Sequence[float],
    logs: Sequence[bool],
    max_steps: int = 3000,
) -> Smoothing:
    """Return the setting whose forecasts of ``y`` from many origins inside it were best.

    The error is the mean absolute error in the units of the data, weighted by
    :func:`step_weights`. Each part of a model must earn its price. Only ``y`` is used, so pass only
    values from before the data that the forecast is judged on.

    Parameters
    ----------
    y : ndarray of shape (T,)
        The values; NaN where one is missing. Only the last ``max_steps`` are used.
    periods : sequence of float
        Periods that may be chosen; 1 stands for no season. A period is skipped if fewer than two of
        its cycles were observed. The others are tried in increasing order, and each is compared
        with the best so far from origins after its own first two cycles.
    logs : sequence of bool
        Whether logarithms are taken, for each transformation that may be chosen; True is skipped if
        a value is not positive.
    """
    y = y[-max_steps:] if len(y) > max_steps else y
    y = y[np.argmax(~np.isnan(y)) :]
    total = len(y)
    fitting = [p for p in sorted(periods) if round(p) <= 1 or total >= 2 * round(p) + 4] or [1.0]
    allowed = [log for log in logs if not log or (y[~np.isnan(y)] > 0).all()]

    def score(period: float, origins: np.ndarray) -> tuple[float, Smoothing]:
        """The smallest error among the settings of one period, and the setting."""
        found = []
        for settings in (candidates(period, log) for log in allowed):
            error = rolling_error(y, horizon, settings, origins)
            error = error * (1.0 + np.array([_price(s, total) for s in settings]))
            i = int(np.argmin(error))
            found.append((float(error[i]), settings[i]))
        return min(found, key=lambda pair: pair[0])

    best: Smoothing | None = None
    for period in fitting:
        origins = _origins(total, round(period))
        error, setting = score(period, origins)
        if best is None or error < score(best.period, origins)[0] * (1.0 - 1e-9):
            best = setting
    return best or Smoothing()


def _origins(total: int, phases: int) -> np.ndarray:
    """Origins to compare settings at, none before the two cycles that give the first pattern."""
    begin = max(4, total // 4, 2 * phases if phases > 1 else 0)
    count = min(_MAX_ORIGINS, max(20, _MAX_PATTERNS // phases))
    last = max(1, total - 1)
    return np.unique(np.linspace(min(begin, max(1, total - 2)), last, count).astype(np.int64))


def _price(setting: Smoothing, total: int) -> float:
    """Share of its error by which a setting must be better than persistence, for its parts.

    Few cycles leave few origins, and among many patterns one fits those by chance.
    """
    price = (_PRICE + _PRICE_OF_FEW / total) * setting.parts
    if setting.phases > 1:
        price += _PRICE_OF_SEASON * max(0.0, 3.0 - total / setting.phases)
    return price


def rolling_error(
    y: np.ndarray, horizon: int, settings: Sequence[Smoothing], origins: np.ndarray
) -> np.ndarray:
    """Mean absolute error of each setting, (C,), over forecasts from ``origins`` inside ``y``."""
    z = settings[0].transform(y)
    top = float(np.nanmax(z))
    states = smooth(z, settings, origins)
    total = np.zeros((horizon, len(settings)))
    count = np.zeros(horizon)
    for row, origin in enumerate(origins):
        actual = y[origin : origin + horizon]
        real = ~np.isnan(actual)
        steps = np.flatnonzero(real) + 1
        forecast = settings[0].restore(extend(settings, states.row(row), steps)[0], top)
        total[steps - 1] += np.abs(forecast - actual[real, None])
        count[steps - 1] += 1
    weight = np.where(count > 0, step_weights(horizon), 0.0)
    if not weight.any():
        return np.zeros(len(settings))
    mean = total / np.maximum(count, 1.0)[:, None]
    return np.asarray((mean * weight[:, None]).sum(axis=0) / weight.sum())
