r"""What the network reads and what it has to answer.

For an origin o (the number of values known) the network runs over ``window`` past steps and then,
without a break, over ``horizon`` future ones; its outputs at the latter are the forecast. With g_t
the line and season of exponential smoothing at the origin (past and future), z_t the transformed
series and c the mean of |z_t - g_t| over the known part of the window, it reads at each step

    deviation   (z_t - g_t) / c in the past, 0 in the future and where z_t is missing
    seen        1 where z_t was observed, 0 where it is missing, before the start, or future
    ahead       0 in the past, h / horizon in the future
    slope       rise of the line over half a window, in units of c
    pattern     the seasonal pattern, in units of c
    covariates  standardised

and its target is (z_{o+h} - g_{o+h}) / c. All of this is known at the origin, except the
target (and covariates of the future, if they are declared known).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from throughtime.forecasting.smoothing import Smoothing, States, extend, smooth

#: A window that hugs its line has no scale of its own: c is at least this part of the mean step.
_FLOOR = 0.1
#: No target is farther away than this; float32 has room for its square.
_FARTHEST = 1e9
#: Slope and pattern may be large in units of c; beyond this they say nothing more.
_LIMIT = 3.0


@dataclass(frozen=True)
class History:
    """One series, ready to be cut into windows.

    Attributes
    ----------
    z : ndarray of float64 of shape (T,)
        The transformed series, gaps filled by the last value before them.
    seen : ndarray of bool of shape (T,)
        Where z was observed.
    smoothing : Smoothing
        Its anchor.
    raw : ndarray of float64 of shape (T,)
        The transformed series with NaN in the gaps, which smoothing reads.
    covariates : ndarray of float64 of shape (T or more, F)
        Standardised, without NaN; rows from T on are the future.
    """

    z: np.ndarray
    seen: np.ndarray
    smoothing: Smoothing
    raw: np.ndarray
    covariates: np.ndarray

    @classmethod
    def from_values(
        cls, y: np.ndarray, smoothing: Smoothing, covariates: np.ndarray | None = None
    ) -> History:
        """Transform and fill ``y (T,)``, which holds at least one number."""
        raw = smoothing.transform(y)
        seen = ~np.isnan(raw)
        # What fills a gap must be known in it: a window may end there.
        last = np.maximum.accumulate(np.where(seen, np.arange(len(raw)), np.argmax(seen)))
        filled = raw[last]
        extra = np.zeros((len(raw), 0)) if covariates is None else covariates
        return cls(filled, seen, smoothing, raw, extra)


@dataclass(frozen=True)
class Block:
    """Windows of one or many series; N windows, S = window + horizon steps.

    Attributes
    ----------
    x : ndarray of float32 of shape (N, S, F)
    target : ndarray of float32 of shape (N, H)
        0 where there is none.
    known : ndarray of bool of shape (N, H)
        Where the target was observed, and there is a scale to measure it by.
    anchor : ndarray of float64 of shape (N, H)
        What smoothing forecasts, on the transformed scale.
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

    def take(self, rows: slice) -> Block:
        """Some of the windows."""
        return Block(**{f.name: getattr(self, f.name)[rows] for f in dataclasses.fields(self)})

    @classmethod
    def join(cls, blocks: Sequence[Block]) -> Block:
        """All windows of ``blocks``, one after the other."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(b, name) for b in blocks]) for name in names))


def cut(
    history: History,
    origins: np.ndarray,
    window: int,
    horizon: int,
    future_covariates: bool = True,
) -> Block:
    """Cut windows at ``origins (N,)``, increasing, each from 1 to T.

    Parameters
    ----------
    future_covariates : bool
        Whether it may see covariates beyond the origin.
    """
    total = len(history.z)
    steps = np.arange(1 - window, horizon + 1)
    states = smooth(history.raw, [history.smoothing], origins)
    line = extend([history.smoothing], states, steps)[..., 0]
    where = origins[:, None] - 1 + steps
    past = np.broadcast_to(steps <= 0, where.shape)
    inside = (where >= 0) & (where < total)
    held = np.clip(where, 0, total - 1)
    seen = inside & history.seen[held]
    deviation = np.where(seen, history.z[held] - line, 0.0)
    scale, moved = _scale(history.z, deviation, seen & past, origins)
    unit = scale[:, None]
    parts = [
        np.where(past, deviation / unit, 0.0),
        (seen & past).astype(np.float64),
        np.broadcast_to(np.maximum(steps, 0) / horizon, where.shape),
        _bounded(np.broadcast_to(states.slope * (window / 2), where.shape) / unit),
        _bounded((extend([history.smoothing], _pattern(states), steps)[..., 0]) / (4 * unit)),
    ]
    visible = where < (len(history.covariates) if future_covariates else total)
    visible &= (where >= 0) & (past | future_covariates)
    rows = np.clip(where, 0, len(history.covariates) - 1)
    parts += [np.where(visible, column[rows], 0.0) for column in history.covariates.T]
    ahead = steps > 0
    # Where nothing has moved yet, as before the first sale, there is no unit to measure in.
    known = seen[:, ahead] & moved[:, None]
    target = np.clip(np.where(known, deviation[:, ahead] / unit, 0.0), -_FARTHEST, _FARTHEST)
    return Block(
        np.stack(parts, axis=2).astype(np.float32),
        target.astype(np.float32),
        known,
        line[:, ahead],
        scale,
        origins,
    )


def _scale(
    z: np.ndarray, deviation: np.ndarray, used: np.ndarray, origins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The unit c of every window (N,), never zero, and where it means something.

    Only values before the origin count, those that are ``used`` in the window.
    """
    mean = np.abs(np.where(used, deviation, 0.0)).sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(z)))])
    floor = _FLOOR * length[origins - 1] / np.maximum(origins - 1, 1)
    # The deviations of a constant series are rounding errors, a few units of 1e-16.
    tiny = 1e-13 * np.maximum.accumulate(np.abs(z))[origins - 1] + 1e-300
    found = np.maximum(mean, floor)
    return np.maximum(found, tiny), found > tiny


def _bounded(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -_LIMIT, _LIMIT)


def _pattern(states: States) -> States:
    """The seasonal pattern alone."""
    nothing = np.zeros_like(states.level)
    return States(states.origins, nothing, nothing, states.season)
