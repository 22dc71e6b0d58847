"""What smoothing says of a series at one origin, in the form that the base network reads.

Lengths are in units of u, the error that the average of smoothing makes inside the history. So a
series of sales and one of temperatures look alike, and one network can read both.

The network runs over :data:`PAST` past steps and then, without a break, over :data:`AHEAD` future
ones. At each past step it reads how far the value is from the last one, from the value a season
before, and from the forecast one step ahead; and whether it is known. At each future step it reads
how far the forecasts of every group of settings and of four naive methods are from the average, and
how far ahead the step is. At all steps it reads what is known of the whole series: its length, its
season, the weight and the error of every group, how errors grow, how they follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from throughtime.forecasting.averaging import Average, Block
from throughtime.forecasting.baselines import drift, persistence, seasonal_naive
from throughtime.forecasting.rolling import rolling_means
from throughtime.forecasting.smoothing import TRENDS, Grid

#: Past and future steps that the network runs over, at most.
PAST, AHEAD = 24, 24
#: Groups of settings: trend by season by logarithms.
_GROUPS = 4 * len(TRENDS)
#: Bounds of what is read, in units of u. Beyond them it only says "far".
_FARTHEST_PAST, _FARTHEST_AHEAD = 10.0, 8.0
_N_PAST, _N_METHODS, _N_PLACES, _N_FACTS = 4, 4, 4, 15
#: Numbers that the network reads at each step.
N_INPUTS = _N_PAST + _GROUPS + _N_METHODS + _N_PLACES + _N_FACTS + 2 * _GROUPS
#: Logarithm of the ratio of errors for a group that cannot be used.
_UNUSED = 2.0


@dataclass(frozen=True, eq=False)
class Outlook:
    """What is known at one origin.

    Attributes
    ----------
    anchor : ndarray of float64 of shape (H,)
        The forecast of the average, in the units of the data.
    unit : float
        u, the mean error of the average inside the history; positive.
    inputs : ndarray of float32 of shape (PAST + AHEAD, N_INPUTS)
        What the network reads.
    """

    anchor: np.ndarray
    unit: float
    inputs: np.ndarray


def look(
    y: np.ndarray, horizon: int, season: float, blocks: Sequence[Block], average: Average
) -> Outlook | None:
    """The outlook of a series from its end; None where smoothing makes no error to correct.

    Parameters
    ----------
    y : ndarray of float64 of shape (T,)
        The values; NaN where one is missing. y[0] is known.
    horizon : int
        Steps ahead, H.
    season : float
        The period that such series usually have; 1 is none.
    blocks : sequence of Block
        The settings, compared on ``y``.
    average : Average
        The average that is to be corrected.
    """
    if len(y) < 2 or not len(blocks[0].errors):
        return None
    unit, recent = _size_of_errors(blocks)
    if not unit > 1e-9 * float(np.nanmax(y) - np.nanmin(y)):
        return None
    anchor = average.paths(y, np.array([len(y)]), horizon)[0]
    steps = min(horizon, AHEAD)
    groups, weights = _groups(y, steps, blocks)
    lag = round(season) if 1 < round(season) < len(y) else 1
    past = _past(y, lag, average, unit)
    usable = (weights > 0.0) & np.isfinite(groups).all(axis=0)
    apart = np.where(usable, groups - anchor[:steps, None], 0.0)
    methods = _naive(y, steps, lag) - anchor[:steps, None]
    ahead = np.clip(np.hstack([apart, methods]) / unit, -_FARTHEST_AHEAD, _FARTHEST_AHEAD)
    inputs = np.zeros((PAST + AHEAD, N_INPUTS), dtype=np.float32)
    inputs[PAST - len(past) : PAST, :_N_PAST] = past
    until = _N_PAST + _GROUPS + _N_METHODS
    inputs[PAST : PAST + steps, _N_PAST:until] = ahead
    inputs[PAST : PAST + steps, until : until + _N_PLACES] = _places(steps, horizon, season)
    facts = _facts(y, horizon, season, lag, anchor[:steps], unit, recent, past[:, 2])
    inputs[:, until + _N_PLACES :] = np.concatenate([facts, weights, _group_errors(blocks)])
    return Outlook(anchor, unit, inputs)


def _size_of_errors(blocks: Sequence[Block]) -> tuple[float, float]:
    """The mean error of all settings by their weights, and that of the last third over it."""
    total = sum(float(block.weights.sum()) for block in blocks)
    whole = late = 0.0
    for block in blocks:
        used = block.weights > 0.0
        errors, own = block.errors[:, used], block.weights[used]
        whole += float(errors.mean(axis=0) @ own) / total
        late += float(errors[-max(1, len(errors) // 3) :].mean(axis=0) @ own) / total
    return whole, late / whole if whole > 0.0 else 1.0


def _group_of(grid: Grid) -> np.ndarray:
    """The group of every setting, (C,)."""
    first = grid[0]
    return 4 * grid.trends + 2 * (first.phases > 1) + first.log


def _groups(y: np.ndarray, horizon: int, blocks: Sequence[Block]) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts of the groups (H, G), and the shares of their weights (G,)."""
    total, share = np.zeros((horizon, _GROUPS)), np.zeros(_GROUPS)
    for block in blocks:
        group = _group_of(block.settings)
        # The best of a group far behind the others still forecasts; what exploded does not.
        weights = np.where(np.isfinite(block.scores), np.maximum(block.weights, 1e-30), 0.0)
        found = rolling_means(
            y, block.settings, np.array([len(y)]), horizon, weights[None], group, _GROUPS
        )
        total += found[0]
        share += np.bincount(group, weights, _GROUPS)
    return total / np.maximum(share, 1e-300), share / share.sum()


def _group_errors(blocks: Sequence[Block]) -> np.ndarray:
    """Logarithm of the smallest error of each group over the smallest of all, (G,), bounded."""
    least = np.full(_GROUPS, np.inf)
    for block in blocks:
        np.minimum.at(least, _group_of(block.settings), block.scores)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(least / least.min())
    return np.nan_to_num(np.minimum(found, _UNUSED), nan=_UNUSED)


def _past(y: np.ndarray, lag: int, average: Average, unit: float) -> np.ndarray:
    """What is read of the last steps, (n, 4)."""
    total = len(y)
    steps = np.arange(total - min(PAST, total - 1), total)
    before = np.where(steps >= lag, y[np.maximum(steps - lag, 0)], np.nan)
    forecast = average.paths(y, steps, 1)[:, 0]
    seen = ~np.isnan(y[steps])
    moved = np.stack([y[steps] - persistence(y, 1)[0], y[steps] - before, y[steps] - forecast])
    moved = np.clip(np.nan_to_num(moved / unit), -_FARTHEST_PAST, _FARTHEST_PAST)
    return np.vstack([moved, seen]).T


def _naive(y: np.ndarray, horizon: int, lag: int) -> np.ndarray:
    """Four forecasts that need no model, (H, 4)."""
    methods = (persistence(y, horizon), seasonal_naive(y, horizon, lag), drift(y, horizon))
    return np.stack([*methods, np.full(horizon, np.nanmean(y))], axis=1)


def _places(steps: int, horizon: int, season: float) -> np.ndarray:
    """Where the future steps stand, (steps, 4)."""
    h = np.arange(1.0, steps + 1.0)
    cycles = np.minimum(h / season, 3.0)
    return np.stack([np.ones(steps), h / horizon, np.log1p(h) / 3.0, cycles], axis=1)


def _facts(
    y: np.ndarray,
    horizon: int,
    season: float,
    lag: int,
    anchor: np.ndarray,
    unit: float,
    recent: float,
    residuals: np.ndarray,
) -> np.ndarray:
    """What is known of the whole series, (15,)."""
    total, level = len(y), float(np.nanmean(y))
    moves = [_mean_move(y, 1), _mean_move(y, lag)]
    return np.array(
        [
            np.log(total) / 5.0,
            np.log(season) / 4.0,
            min(total / season, 12.0) / 12.0,
            min(horizon, AHEAD) / AHEAD,
            *(np.clip(np.log((move + 1e-12 * unit) / unit), -3.0, 3.0) for move in moves),
            np.clip(np.log(recent + 1e-9), -2.0, 2.0),
            *(_autocorrelation(residuals, k) for k in (1, 2, lag)),
            float(np.nanmin(y) > 0.0),
            np.clip(np.log((abs(level) + 1e-12 * unit) / unit), -3.0, 6.0) / 3.0,
            min(float(np.abs(residuals[-6:]).mean()), 3.0),
            np.clip((anchor[-1] - anchor[0]) / unit, -5.0, 5.0),
            np.clip((persistence(y, 1)[0] - level) / unit, -5.0, 5.0),
        ]
    )


def _mean_move(y: np.ndarray, lag: int) -> float:
    """Mean absolute difference of values ``lag`` steps apart; 0 if none is known."""
    moved = np.abs(y[lag:] - y[:-lag])
    moved = moved[~np.isnan(moved)]
    return float(moved.mean()) if len(moved) else 0.0


def _autocorrelation(values: np.ndarray, lag: int) -> float:
    """Autocorrelation around 0 of the last residuals; 0 where they are too few."""
    power = float(values @ values)
    if len(values) <= lag + 2 or power <= 0.0:
        return 0.0
    return float(values[lag:] @ values[:-lag]) / power
