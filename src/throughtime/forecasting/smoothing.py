r"""Exponential smoothing: the anchor of every forecast, and the line that deviations are from.

One pass over a series z (its logarithm, if that was chosen) with phase p(t) of the season:

    e_t      = z_t - (l_{t-1} + phi b_{t-1} + s_{p(t)})                 (H1)
    l_t      = l_{t-1} + phi b_{t-1} + alpha e_t                        (H2)
    b_t      = 0, or (l_t - l_i) / (t - i), or
               phi b_{t-1} + alpha beta e_t, or
               (m_t - l_t) (1 - phi) / phi                              (H3)
    s_{p(t)} = s_{p(t)} + gamma e_t                                     (H4)
    z_{t+h}  = l_t + (phi + ... + phi^h) b_t + s_{p(t+h)}               (H5)

for trend "none", "drift" (since the first level l_i), "local" and "return", with m_t the mean of
z - s until t: (H5) is then m_t + phi^h (l_t - m_t) + s, an autoregression around the mean. A
missing z_t has e_t = 0. With logarithms a rising trend is continued as a straight line in the units
of the data, with log(1 + (phi + ... + phi^h) b_t) for the second term of (H5), because exponential
growth drawn into the future overshoots; a return to the mean is bounded and stays as it is.

The period may be any number >= 2 (a year has 52.18 weeks); the phase is then the part of the cycle,
in round(period) classes. Holt (1957), Winters (1960), Gardner and McKenzie (1985).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: A forecast of a logarithm may leave the range of the history by this much, no more.
_LOG_ROOM = 5.0

_ALPHAS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
_GAMMAS = (0.05, 0.15, 0.4)
_TRENDS = (
    ("none", 0.0, 1.0),
    ("drift", 0.0, 1.0),
    *(("local", beta, phi) for beta in (0.03, 0.1, 0.3) for phi in (0.9, 0.98, 1.0)),
    *(("return", 0.0, phi) for phi in (0.7, 0.85, 0.95)),
)
#: Origins at which settings are compared, and patterns kept for it (times the number of settings).
_MAX_ORIGINS = 150
_MAX_PATTERNS = 16_000
#: Each part of a model must earn this share of the error: the first, and the second over T.
_PRICE, _PRICE_OF_FEW = 0.02, 2.0
#: And a season this much for each cycle that lacks to three.
_PRICE_OF_SEASON = 0.5


@dataclass(frozen=True)
class Smoothing:
    """One setting of exponential smoothing; the symbols are those of the module's equations."""

    log: bool = False
    period: float = 1.0
    alpha: float = 1.0
    trend: str = "none"
    beta: float = 0.0
    phi: float = 1.0
    gamma: float = 0.0

    @property
    def phases(self) -> int:
        """Number of classes that the cycle has; 1 without a season."""
        return max(1, round(self.period))

    @property
    def parts(self) -> float:
        """How much more it has than persistence."""
        trend = {"none": 0.0, "drift": 1.0, "return": 2.5, "local": 2.0}[self.trend]
        return trend + (self.phases > 1) + 0.5 * (self.alpha < 1.0) + 0.5 * self.log

    def describe(self) -> str:
        """Say in a few words what it is."""
        words = [
            {
                "none": "a level",
                "drift": "a level with drift",
                "return": "a level that returns to its mean",
                "local": "a level with a trend",
            }[self.trend]
        ]
        if self.phases > 1:
            words.append(f"a season of {self.period:g} steps")
        return " and ".join(words) + (", on logarithms" if self.log else "")

    def transform(self, y: np.ndarray) -> np.ndarray:
        """Take values to the scale z on which everything is computed."""
        return np.log(y) if self.log else np.asarray(y, dtype=np.float64)

    def restore(self, z: np.ndarray, ceiling: float = np.inf) -> np.ndarray:
        """Take z back to the units of the data."""
        return np.exp(np.minimum(z, ceiling + _LOG_ROOM)) if self.log else z


@dataclass(frozen=True)
class States:
    """What smoothing knows at O origins; an origin is the number of values that were read.

    Attributes
    ----------
    origins : ndarray of int of shape (O,)
    level, slope : ndarray of shape (O, C)
        One column for each of the C settings.
    season : ndarray of shape (O, C, P)
        The pattern over the P phases.
    """

    origins: np.ndarray
    level: np.ndarray
    slope: np.ndarray
    season: np.ndarray

    def row(self, i: int) -> States:
        """The state at the i-th origin alone."""
        part = slice(i, i + 1)
        return States(self.origins[part], self.level[part], self.slope[part], self.season[part])


def importance(horizon: int) -> np.ndarray:
    """How much each step ahead counts, (H,): h^(-1/2), wherever forecasts are judged or learned.

    Errors grow with the step, so equal weights would leave all say to the far end.
    """
    return np.asarray(np.arange(1.0, horizon + 1.0) ** -0.5)


def phase(t: np.ndarray, period: float) -> np.ndarray:
    """Class of the cycle at the steps ``t``, from 0 to round(period) - 1."""
    count = max(1, round(period))
    # The small number keeps whole periods whole: 3 * (1 / 3) must not fall below 1.
    return np.floor(np.mod(t, period) * (count / period) + 1e-9).astype(np.int64) % count


def smooth(z: np.ndarray, settings: Sequence[Smoothing], origins: np.ndarray) -> States:
    """Run equations (H1) to (H4) for all settings at once and keep the states at ``origins``.

    Parameters
    ----------
    z : ndarray of float64 of shape (T,)
        The transformed series; NaN where missing.
    settings : sequence of C Smoothing
        All of one period.
    origins : ndarray of int of shape (O,)
        Increasing, from 1 to T.
    """
    first = settings[0]
    column = {
        f.name: np.array([getattr(s, f.name) for s in settings])
        for f in dataclasses.fields(Smoothing)
    }
    alpha, phi, gamma = column["alpha"], column["phi"], column["gamma"]
    drift = column["trend"] == "drift"
    back = np.where(column["trend"] == "return", (1.0 - phi) / phi, 0.0)
    step = np.where(column["trend"] == "local", alpha * column["beta"], 0.0)
    begin, start, slope_start, pattern = _first_states(z, first.period)
    level = np.full(len(settings), start)
    slope = np.where((column["trend"] == "none") | (back > 0), 0.0, slope_start)
    mean, seen = np.zeros(len(settings)), 0
    season = np.tile(pattern, (len(settings), 1))
    kept = States(
        origins,
        np.empty((len(origins), len(settings))),
        np.empty((len(origins), len(settings))),
        np.empty((len(origins), len(settings), len(pattern))),
    )
    where = {int(origin): i for i, origin in enumerate(origins)}
    phases = phase(np.arange(len(z)), first.period)
    for t in range(int(origins[-1])):
        if t > begin:
            level = level + phi * slope
            slope = phi * slope
        if not np.isnan(z[t]):
            p = phases[t]
            seen += 1
            mean = mean + (z[t] - season[:, p] - mean) / seen
            error = z[t] - level - season[:, p]  # (H1)
            level = level + alpha * error  # (H2)
            slope = slope + step * error  # (H3), local
            season[:, p] += gamma * error  # (H4)
            if t > begin:
                slope = np.where(drift, (level - start) / (t - begin), slope)  # (H3), drift
            slope = np.where(back > 0, back * (mean - level), slope)  # (H3), return
        i = where.get(t + 1)
        if i is not None:
            kept.level[i], kept.slope[i], kept.season[i] = level, slope, season
    return kept


def _first_states(z: np.ndarray, period: float) -> tuple[int, float, float, np.ndarray]:
    """The step i of the first level, that level, and the first slope and pattern.

    With a season they are those of a line through the first two cycles, i = -1; without, the level
    is the first value.
    """
    count = max(1, round(period))
    known = np.flatnonzero(~np.isnan(z))
    steps = np.arange(min(len(z), 2 * count))
    head = z[: len(steps)]
    seen = ~np.isnan(head)
    halves = [head[:count][seen[:count]], head[count:][seen[count:]]]
    if count == 1 or min(map(len, halves)) == 0:
        return int(known[0]), float(z[known[0]]), 0.0, np.zeros(count)
    slope = (halves[1].mean() - halves[0].mean()) / count
    centre = head[seen].mean() - slope * steps[seen].mean()
    rest = np.where(seen, head - centre - slope * steps, 0.0)
    place = phase(steps, period)
    total = np.bincount(place, weights=rest, minlength=count)
    pattern = total / np.maximum(np.bincount(place[seen], minlength=count), 1)
    return -1, float(centre - slope), float(slope), pattern - pattern.mean()


def extend(settings: Sequence[Smoothing], states: States, steps: np.ndarray) -> np.ndarray:
    """Equation (H5): the line and the season of every state, at some steps from it.

    Parameters
    ----------
    steps : ndarray of int of shape (S,)
        Steps from the last value read: 1 is the first forecast; 0, -1, ... are the past, to which
        the straight line through the last level is drawn back.

    Returns
    -------
    z : ndarray of shape (O, S, C)
    """
    h = steps[:, None].astype(np.float64)
    phi = np.array([s.phi for s in settings])
    below = np.where(phi < 1.0, phi, 0.0)
    damped = below * (1.0 - below ** np.maximum(h, 0.0)) / (1.0 - below)
    rise = np.where((h > 0) & (phi < 1.0), damped, h) * states.slope[:, None, :]
    straight = np.array([s.log and s.trend != "return" for s in settings]) & (h > 0) & (rise > 0)
    rise = np.where(straight, np.log1p(np.maximum(rise, 0.0)), rise)
    place = phase(states.origins[:, None] - 1 + steps, settings[0].period)
    pattern = np.take_along_axis(states.season, place[:, None, :], axis=2)
    return states.level[:, None, :] + rise + pattern.transpose(0, 2, 1)


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

    The error is the mean absolute one in the units of the data, weighted by :func:`importance`;
    each part that a model has must earn its price. Only ``y`` is looked at, so pass what
    was known before the data that the forecast will be judged on.

    Parameters
    ----------
    y : ndarray of shape (T,)
        NaN where missing; the last ``max_steps`` count.
    periods : sequence of float
        1 stands for no season. Periods of which fewer than two cycles were seen are left out; each
        longer one challenges what was best without it, from origins after its first two cycles.
    logs : sequence of bool
        Which transformations may be chosen; True is left out where a value is not positive.
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
    """Where settings are compared: never before the two cycles that a first pattern is read off."""
    begin = max(4, total // 4, 2 * phases if phases > 1 else 0)
    count = min(_MAX_ORIGINS, max(20, _MAX_PATTERNS // phases))
    last = max(1, total - 1)
    return np.unique(np.linspace(min(begin, max(1, total - 2)), last, count).astype(np.int64))


def _price(setting: Smoothing, total: int) -> float:
    """By what share of its error a setting must be better than persistence, for what it has more.

    Few cycles leave few origins, and one of many patterns fits those by chance.
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
    weight = np.where(count > 0, importance(horizon), 0.0)
    if not weight.any():
        return np.zeros(len(settings))
    mean = total / np.maximum(count, 1.0)[:, None]
    return np.asarray((mean * weight[:, None]).sum(axis=0) / weight.sum())
