r"""Exponential smoothing: the anchor of every forecast, and the line that deviations refer to.

One pass over a series z (its logarithm, if that was chosen) with phase p(t) of the season:

    e_t      = z_t - (l_{t-1} + phi b_{t-1} + s_{p(t)})                 (H1)
    l_t      = l_{t-1} + phi b_{t-1} + alpha e_t                        (H2)
    b_t      = 0, or (l_t - l_i) / (t - i), or
               phi b_{t-1} + alpha beta e_t, or
               (m_t - l_t) (1 - phi) / phi, or
               c_t / 2                                                  (H3)
    s_{p(t)} = s_{p(t)} + gamma e_t                                     (H4)
    z_{t+h}  = l_t + (phi + ... + phi^h) b_t + s_{p(t+h)}               (H5)

for trend "none", "drift" (since the first level l_i), "local", "return" and "theta", with m_t the
mean of z - s until t and c_t the slope of the least-squares line through z until t: theta is
smoothing with half that slope, the method of Assimakopoulos and Nikolopoulos (2000) as Hyndman and
Billah (2003) write it. For "return" (H5) is then m_t + phi^h (l_t - m_t) + s, an autoregression
around the mean. A missing z_t has e_t = 0. With logarithms a rising trend is continued as a
straight line in the units of the data, with log(1 + (phi + ... + phi^h) b_t) for the second term of
(H5), because exponential growth drawn into the future overshoots; a return to the mean is bounded
and stays as it is.

The period may be any number >= 2 (a year has 52.18 weeks); the phase is then the part of the cycle,
in round(period) classes. Holt (1957), Winters (1960), Gardner and McKenzie (1985).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from throughtime.errors import check_bool, check_choice, check_float
from throughtime.kernels import selection
from throughtime.kernels.arrays import packed
from throughtime.kernels.extension import Kernels

#: Bound of a forecast on logarithms, above the largest value of the history: a factor of
#: e^5 = 148. It only stops an explosion; no sensible forecast is near it.
_LOG_ROOM = 5.0
#: The trends, and how many parts each adds to a model; the grid charges a price for every part.
_PARTS = {"none": 0.0, "drift": 1.0, "return": 2.5, "local": 2.0, "theta": 1.0}
#: The trends in an order that files keep.
TRENDS = tuple(_PARTS)
#: Smallest phi of a file, far below those of the grid: (1 - phi) / phi must not become huge.
_SMALLEST_PHI = 0.1


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

    @classmethod
    def from_config(cls, config: Any, label: str, length: int) -> Smoothing:
        """The setting that a file describes, checked.

        Parameters
        ----------
        config : dict
            The fields by name.
        label : str
            Name of its series in messages.
        length : int
            Steps of its series, which must hold two cycles.
        """
        found = cls(**config)
        numbers = {
            name: check_float(f"{name} of {label}", getattr(found, name), low, high)
            for name, (low, high) in cls.limits(length).items()
        }
        trend = check_choice(f"trend of {label}", found.trend, _PARTS)
        return cls(log=check_bool(f"log of {label}", found.log), trend=trend, **numbers)

    @staticmethod
    def limits(length: int) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of every number, for a series of ``length`` steps."""
        return {
            "period": (1.0, max(1.0, length / 2)),
            "alpha": (0.0, 1.0),
            "beta": (0.0, 1.0),
            "phi": (_SMALLEST_PHI, 1.0),
            "gamma": (0.0, 1.0),
        }

    @property
    def phases(self) -> int:
        """Number of classes that the cycle has; 1 without a season."""
        return max(1, round(self.period))

    @property
    def parts(self) -> float:
        """Number of parts that it has beyond persistence, which has none."""
        return _PARTS[self.trend] + (self.phases > 1) + 0.5 * (self.alpha < 1.0) + 0.5 * self.log

    def describe(self) -> str:
        """The model in a few words."""
        words = [
            {
                "none": "a level",
                "drift": "a level with drift",
                "return": "a level that returns to its mean",
                "local": "a level with a trend",
                "theta": "a level with half the slope of a line",
            }[self.trend]
        ]
        if self.phases > 1:
            words.append(f"a season of {self.period:g} steps")
        return " and ".join(words) + (", on logarithms" if self.log else "")

    def transform(self, y: np.ndarray) -> np.ndarray:
        """Values on the scale z on which everything is computed."""
        return np.log(y) if self.log else np.asarray(y, dtype=np.float64)

    def transform_forecast(self, forecast: np.ndarray, y: np.ndarray) -> np.ndarray:
        """A forecast of ``y`` on the scale z; with logarithms it is kept positive."""
        if not self.log:
            return forecast
        return np.asarray(np.log(np.maximum(forecast, np.nanmin(y) * np.exp(-_LOG_ROOM))))

    def restore(self, z: np.ndarray, ceiling: float = np.inf) -> np.ndarray:
        """Values of z in the units of the data."""
        return np.exp(np.minimum(z, ceiling + _LOG_ROOM)) if self.log else z


#: Numbers that describe a setting.
N_COLUMNS = len(dataclasses.fields(Smoothing))


@dataclass(frozen=True)
class States:
    """The states of smoothing at O origins; an origin is the number of values that were read.

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


@dataclass(frozen=True)
class Columns:
    """The numbers of C settings side by side, each of shape (C,).

    Attributes
    ----------
    alpha, phi, gamma : ndarray of float64
        Those of the settings.
    step, back : ndarray of float64
        The factors of (H3): alpha beta of a local trend, (1 - phi) / phi of a return to the mean;
        0 for others.
    drift, theta, sloping, straight : ndarray of bool
        Whether (H3) is that of a drift, or of theta; whether it has a first slope; whether a rise
        of logarithms is continued as a straight line.
    """

    alpha: np.ndarray
    phi: np.ndarray
    gamma: np.ndarray
    step: np.ndarray
    back: np.ndarray
    drift: np.ndarray
    theta: np.ndarray
    sloping: np.ndarray
    straight: np.ndarray

    @classmethod
    def of(cls, settings: Sequence[Smoothing]) -> Columns:
        """The numbers of ``settings``; a :class:`Grid` has them already."""
        if isinstance(settings, Grid):
            return settings.columns
        rows = [(s.alpha, s.beta, s.phi, s.gamma) for s in settings]
        alpha, beta, phi, gamma = np.array(rows, dtype=np.float64).T.copy()
        trend = np.array([s.trend for s in settings])
        local, back = trend == "local", np.where(trend == "return", (1.0 - phi) / phi, 0.0)
        return cls(
            alpha=alpha,
            phi=phi,
            gamma=gamma,
            step=np.where(local, alpha * beta, 0.0),
            back=back,
            drift=trend == "drift",
            theta=trend == "theta",
            sloping=(trend != "none") & ~(back > 0),
            straight=trend != "return",
        )

    @cached_property
    def _rows(self) -> np.ndarray:
        rows = (self.alpha, self.phi, self.gamma, self.step, self.back, self.sloping)
        return np.stack([*rows, self.drift, self.theta, ~self.straight]).astype(np.float64)

    def packed(self, slope: float) -> np.ndarray:
        """Rows of numbers for the kernel, (9, C), with the first slope of the series."""
        rows = self._rows.copy()
        rows[5] = np.where(self.sloping, slope, 0.0)
        return rows


class Grid(tuple[Smoothing, ...]):  # noqa: SLOT001  # what is looked up needs a dict
    """Settings of one period and one transformation, whose numbers are looked up once."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Hundreds of settings that a thousand series share: short, and shared again when read.
        return _grid_of, (self.numbers.tobytes(),)

    @cached_property
    def numbers(self) -> np.ndarray:
        """The settings as rows of numbers, (C, N_COLUMNS), in the order of their fields."""
        rows = [
            (s.log, s.period, s.alpha, TRENDS.index(s.trend), s.beta, s.phi, s.gamma) for s in self
        ]
        return np.array(rows, dtype=np.float64)

    @cached_property
    def columns(self) -> Columns:
        """The numbers side by side."""
        return Columns.of(list(self))

    @cached_property
    def parts(self) -> np.ndarray:
        """The ``parts`` of every setting, (C,)."""
        return np.array([s.parts for s in self])

    @cached_property
    def trends(self) -> np.ndarray:
        """The trend of every setting, as its place in :data:`TRENDS`, (C,)."""
        return np.array([TRENDS.index(s.trend) for s in self])


@functools.lru_cache(maxsize=256)
def _grid_of(rows: bytes) -> Grid:
    """The grid of a pickle."""
    numbers = np.frombuffer(rows).reshape(-1, N_COLUMNS).tolist()
    return Grid(
        Smoothing(log == 1.0, period, alpha, TRENDS[int(trend)], *rest)
        for log, period, alpha, trend, *rest in numbers
    )


@functools.lru_cache(maxsize=256)
def places(steps: int, period: float) -> np.ndarray:
    """:func:`phase` of the steps 0, 1, ..., read-only, because many series have as many."""
    found = phase(np.arange(steps), period)
    found.flags.writeable = False
    return found


def phase(t: np.ndarray, period: float) -> np.ndarray:
    """Class of the cycle at the steps ``t``, from 0 to round(period) - 1."""
    count = max(1, round(period))
    # The small number keeps whole periods exact: 3 * (1 / 3) must not fall below 1.
    return np.floor(np.mod(t, period) * (count / period) + 1e-9).astype(np.int64) % count


def smooth(z: np.ndarray, settings: Sequence[Smoothing], origins: np.ndarray) -> States:
    """Run equations (H1) to (H4) for all settings at once and keep the states at ``origins``.

    Parameters
    ----------
    z : ndarray of float64 of shape (T,)
        The transformed series; NaN where a value is missing.
    settings : sequence of C Smoothing
        The settings, all with the same period.
    origins : ndarray of int of shape (O,)
        Increasing origins from 1 to T.
    """
    first = settings[0]
    kernels = selection.kernels()
    if kernels is not None:
        return _smooth_native(kernels, z, settings, origins)
    column = Columns.of(settings)
    alpha, phi, gamma, step, back = (
        column.alpha, column.phi, column.gamma, column.step, column.back
    )  # fmt: skip
    begin, start, slope_start, pattern = first_states(z, first.period)
    level = np.full(len(settings), start)
    slope = np.where(column.sloping, slope_start, 0.0)
    mean, seen = np.zeros(len(settings)), 0
    middle = height = square = product = 0.0
    season = np.tile(pattern, (len(settings), 1))
    kept = States(
        origins,
        np.empty((len(origins), len(settings))),
        np.empty((len(origins), len(settings))),
        np.empty((len(origins), len(settings), len(pattern))),
    )
    where = {int(origin): i for i, origin in enumerate(origins)}
    phases = places(len(z), first.period)
    for t in range(int(origins[-1])):
        if t > begin:
            level = level + phi * slope
            slope = phi * slope
        if not np.isnan(z[t]):
            p = phases[t]
            seen += 1
            apart = t - middle
            middle += apart / seen
            square += apart * (t - middle)
            product += (t - middle) * (z[t] - height)
            height += (z[t] - height) / seen
            error = z[t] - level - season[:, p]  # (H1)
            level = level + alpha * error  # (H2)
            slope = slope + step * error  # (H3), local
            own = season[:, p].copy()
            season[:, p] = own + gamma * error  # (H4)
            if t > begin:
                slope = np.where(column.drift, (level - start) / (t - begin), slope)  # (H3), drift
            half = 0.5 * (product / square) if square > 0.0 else 0.0
            slope = np.where(column.theta, half, slope)  # (H3), theta
            mean = mean + (z[t] - own - mean) / seen
            slope = np.where(back > 0, back * (mean - level), slope)  # (H3), return
        i = where.get(t + 1)
        if i is not None:
            kept.level[i], kept.slope[i], kept.season[i] = level, slope, season
    return kept


def _smooth_native(
    kernels: Kernels, z: np.ndarray, settings: Sequence[Smoothing], origins: np.ndarray
) -> States:
    """The same states, to the last bit."""
    z = packed(np.asarray(z, dtype=np.float64))
    begin, start, slope, pattern = first_states(z, settings[0].period)
    sizes = len(origins), len(settings)
    kept = States(origins, np.empty(sizes), np.empty(sizes), np.empty((*sizes, len(pattern))))
    kernels.rolling_states(
        z=z,
        place=places(len(z), settings[0].period),
        origins=packed(np.asarray(origins, dtype=np.int64)),
        pattern=pattern,
        columns=Columns.of(settings).packed(slope),
        begin=begin,
        start=start,
        level=kept.level,
        slope=kept.slope,
        season=kept.season,
    )
    return kept


def first_states(z: np.ndarray, period: float) -> tuple[int, float, float, np.ndarray]:
    """The step i of the first level, that level, and the first slope and pattern.

    With a season they are those of a line through the first two cycles, i = -1; without, the level
    is the first value.
    """
    count = max(1, round(period))
    found = _line_and_pattern(z[: 2 * count].tobytes(), period) if count > 1 else None
    if found is None:
        first = int(np.argmax(~np.isnan(z)))
        return first, float(z[first]), 0.0, np.zeros(count)
    return -1, *found


@functools.lru_cache(maxsize=64)
def _line_and_pattern(head: bytes, period: float) -> tuple[float, float, np.ndarray] | None:
    """Level, slope and pattern of the first two cycles; None if one of them is empty.

    A fit and its forecasts begin with the same values again and again.
    """
    z, count = np.frombuffer(head), round(period)
    seen = ~np.isnan(z)
    earlier, later = int(seen[:count].sum()), int(seen[count:].sum())
    if earlier == 0 or later == 0:
        return None
    values, steps, place = z[seen], np.flatnonzero(seen), places(len(z), period)[seen]
    slope = (values[earlier:].sum() / later - values[:earlier].sum() / earlier) / count
    centre = (values.sum() - slope * steps.sum()) / len(steps)
    total = np.bincount(place, weights=values - centre - slope * steps, minlength=count)
    pattern = total / np.maximum(np.bincount(place, minlength=count), 1)
    pattern -= pattern.sum() / count
    pattern.flags.writeable = False
    return float(centre - slope), float(slope), pattern


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
    column = Columns.of(settings)
    phi = column.phi
    below = np.where(phi < 1.0, phi, 0.0)
    damped = below * (1.0 - below ** np.maximum(h, 0.0)) / (1.0 - below)
    rise = np.where((h > 0) & (phi < 1.0), damped, h) * states.slope[:, None, :]
    straight = (settings[0].log & column.straight) & (h > 0) & (rise > 0)
    rise = np.where(straight, np.log1p(np.maximum(rise, 0.0)), rise)
    place = phase(states.origins[:, None] - 1 + steps, settings[0].period)
    pattern = np.take_along_axis(states.season, place[:, None, :], axis=2)
    return states.level[:, None, :] + rise + pattern.transpose(0, 2, 1)
