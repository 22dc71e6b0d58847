r"""What the network reads and what it must predict.

An origin o is the number of values that are known. For it the network runs over ``window`` past
steps and then, without a break, over ``horizon`` future ones; its outputs at the future steps are
the forecast. Let z_t be the transformed series, g_t the line and the season of the principal
setting of smoothing at the origin (past and future), a_t the anchor, which is the average of all
settings, and c the mean of |z_t - g_t| over the observed part of the window. At each step the
network reads

    deviation   (z_t - g_t) / c in the past, 0 where z_t is missing; (a_t - g_t) / c in the future
    seen        1 where z_t was observed; 0 where it is missing, before the start, or in the future
    ahead       0 in the past, h / horizon in the future
    slope       rise of the line over half a window, in units of c
    pattern     the seasonal pattern, in units of c
    covariates  standardised
    static      what is known of the series as a whole, the same at every step

and its target is (z_{o+h} - a_{o+h}) / c. All of this is known at the origin, except the target,
and except covariates of the future, which are read only if they are declared known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from throughtime.forecasting.averaging import Average
from throughtime.forecasting.smoothing import Smoothing, States, extend, smooth

#: What the network reads besides the covariates and the static numbers.
N_INPUTS = 5
#: The smallest c, as a share of the mean absolute step of the series. A window that lies on its
#: line would otherwise be measured in units of rounding errors.
_SMALLEST_SCALE = 0.1
#: Bound of the targets. Its square, 1e18, is far inside float32, whose largest number is 3e38.
_LARGEST_TARGET = 1e9
#: Bound of slope and pattern, in units of c. Beyond it they only say "steep" or "seasonal", and a
#: larger input would saturate the gates.
_LARGEST_SHAPE = 3.0
#: Bound of the distance from the line to the anchor, in units of c. Farther ones are of settings
#: that explode, and the network need not follow them.
_FARTHEST = 5.0


@dataclass(frozen=True)
class PreparedSeries:
    """One series, transformed and filled, ready to be cut into windows.

    Attributes
    ----------
    z : ndarray of float64 of shape (T,)
        The transformed series, gaps filled by the last value before them.
    seen : ndarray of bool of shape (T,)
        Where z was observed.
    y : ndarray of float64 of shape (T,)
        The values in the units of the data; NaN in the gaps.
    anchor : Average
        What forecasts it; its principal setting gives the transformation and the line.
    raw : ndarray of float64 of shape (T,)
        The transformed series with NaN in the gaps, which smoothing reads.
    covariates : ndarray of float64 of shape (T or more, F)
        Standardised, without NaN; rows from T on are the future.
    static : ndarray of float64 of shape (K,)
        Numbers that belong to the series, such as the category that it is in.
    """

    z: np.ndarray
    seen: np.ndarray
    y: np.ndarray
    anchor: Average
    raw: np.ndarray
    covariates: np.ndarray
    static: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))

    @classmethod
    def from_values(
        cls,
        y: np.ndarray,
        anchor: Average,
        covariates: np.ndarray | None = None,
        static: np.ndarray | None = None,
    ) -> PreparedSeries:
        """Transform and fill ``y (T,)``, which holds at least one number."""
        raw = anchor.principal.transform(y)
        seen = ~np.isnan(raw)
        # The filling must be known inside the gap, because a window may end there.
        last = np.maximum.accumulate(np.where(seen, np.arange(len(raw)), np.argmax(seen)))
        filled = raw[last]
        extra = np.zeros((len(raw), 0)) if covariates is None else covariates
        own = np.zeros(0) if static is None else static
        return cls(filled, seen, y, anchor, raw, extra, own)

    @property
    def n_inputs(self) -> int:
        """Numbers that a network reads at each step."""
        return N_INPUTS + self.covariates.shape[1] + len(self.static)

    @property
    def smoothing(self) -> Smoothing:
        """The principal setting of the anchor."""
        return self.anchor.principal

    def anchor_at(self, origins: np.ndarray, horizon: int) -> np.ndarray:
        """The anchor from every origin, on the transformed scale: (O, H)."""
        return self.smoothing.transform_forecast(
            self.anchor.paths(self.y, origins, horizon), self.y
        )


@dataclass(frozen=True)
class WindowBatch:
    """Windows of one or many series; N windows, S = window + horizon steps.

    Attributes
    ----------
    x : ndarray of float32 of shape (N, S, F)
    target : ndarray of float32 of shape (N, H)
        0 where there is none.
    known : ndarray of bool of shape (N, H)
        Where the target was observed and there is a scale to measure it in.
    anchor : ndarray of float64 of shape (N, H)
        The forecast of smoothing, on the transformed scale.
    scale : ndarray of float64 of shape (N,)
        c.
    origin : ndarray of int of shape (N,)
    """

    x: np.ndarray
    target: np.ndarray
    known: np.ndarray
    anchor: np.ndarray
    scale: np.ndarray
    origin: np.ndarray

    @classmethod
    def join(cls, batches: Sequence[WindowBatch]) -> WindowBatch:
        """All windows of ``batches``, one after the other."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(b, name) for b in batches]) for name in names))


def cut(
    series: PreparedSeries,
    origins: np.ndarray,
    window: int,
    horizon: int,
    future_covariates: bool = True,
) -> WindowBatch:
    """Cut windows at ``origins (N,)``, which increase and lie from 1 to T.

    Parameters
    ----------
    future_covariates : bool
        Whether a window may read covariates beyond its origin.
    """
    total = len(series.z)
    steps = np.arange(1 - window, horizon + 1)
    states = smooth(series.raw, [series.smoothing], origins)
    anchor = series.anchor_at(origins, horizon)
    line = extend([series.smoothing], states, steps)[..., 0]
    where = origins[:, None] - 1 + steps
    past = np.broadcast_to(steps <= 0, where.shape)
    inside = (where >= 0) & (where < total)
    held = np.clip(where, 0, total - 1)
    seen = inside & series.seen[held]
    deviation = np.where(seen, series.z[held] - line, 0.0)
    scale, moved = _scale(series.z, deviation, seen & past, origins)
    unit, ahead = scale[:, None], steps > 0
    moves = np.where(past, deviation, 0.0)
    moves[:, ahead] = np.clip(anchor - line[:, ahead], -_FARTHEST * unit, _FARTHEST * unit)
    parts = [
        moves / unit,
        (seen & past).astype(np.float64),
        np.broadcast_to(np.maximum(steps, 0) / horizon, where.shape),
        _bounded(np.broadcast_to(states.slope * (window / 2), where.shape) / unit),
        _bounded((extend([series.smoothing], _pattern(states), steps)[..., 0]) / (4 * unit)),
    ]
    visible = where < (len(series.covariates) if future_covariates else total)
    visible &= (where >= 0) & (past | future_covariates)
    rows = np.clip(where, 0, len(series.covariates) - 1)
    parts += [np.where(visible, column[rows], 0.0) for column in series.covariates.T]
    parts += [np.broadcast_to(value, where.shape) for value in series.static]
    # Where nothing has moved yet, as before the first sale, there is no unit to measure in.
    known = seen[:, ahead] & moved[:, None]
    beyond = np.where(known, series.z[held[:, ahead]] - anchor, 0.0)
    deviation = np.where(known, beyond / unit, 0.0)
    target = np.clip(deviation, -_LARGEST_TARGET, _LARGEST_TARGET)
    return WindowBatch(
        np.stack(parts, axis=2).astype(np.float32),
        target.astype(np.float32),
        known,
        anchor,
        scale,
        origins,
    )


def _scale(
    z: np.ndarray, deviation: np.ndarray, used: np.ndarray, origins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The unit c of every window (N,), never zero, and whether it is more than rounding error.

    Only values before the origin count, those that are ``used`` in the window.
    """
    mean = np.abs(np.where(used, deviation, 0.0)).sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    floor, tiny = (bound[origins - 1] for bound in _bounds_of_scale(z))
    found = np.maximum(mean, floor)
    return np.maximum(found, tiny), found > tiny


def measurable(z: np.ndarray) -> np.ndarray:
    """Whether ``z (T,)`` has moved before the origins 1 ... T, so that there is a unit: (T,)."""
    floor, tiny = _bounds_of_scale(z)
    return np.asarray(floor > tiny)


def _bounds_of_scale(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest c at the origins 1 ... T, and what is rounding error there, both (T,)."""
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(z)))])
    floor = _SMALLEST_SCALE * length / np.maximum(np.arange(len(z)), 1)
    # The deviations of a constant series are rounding errors, a few units of 1e-16.
    return floor, 1e-13 * np.maximum.accumulate(np.abs(z)) + 1e-300


def _bounded(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -_LARGEST_SHAPE, _LARGEST_SHAPE)


def _pattern(states: States) -> States:
    """The seasonal pattern alone."""
    nothing = np.zeros_like(states.level)
    return States(states.origins, nothing, nothing, states.season)
