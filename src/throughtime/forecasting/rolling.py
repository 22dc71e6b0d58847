"""Forecasts of many settings of smoothing from many origins inside a series, at once.

The native engine walks through the series once for a few settings at a time, without the GIL: what
it holds does not grow with origins or settings. Here is the same in NumPy, its reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from throughtime.forecasting.horizon import step_weights
from throughtime.forecasting.smoothing import (
    Columns,
    Smoothing,
    States,
    extend,
    first_states,
    places,
    smooth,
)
from throughtime.kernels import selection
from throughtime.kernels.arrays import packed, strided


def rolling_errors(
    y: np.ndarray, settings: Sequence[Smoothing], origins: np.ndarray, horizon: int
) -> np.ndarray:
    """Mean absolute error of every setting from every origin, weighted by :func:`step_weights`.

    Parameters
    ----------
    y : ndarray of float64 of shape (T,)
        The values in the units of the data; NaN where one is missing. y[0] is known.
    settings : sequence of C Smoothing
        The settings, all with the same period and the same ``log``.
    origins : ndarray of int of shape (O,)
        Increasing origins from 1 to T. An origin is the number of values that are known there.
    horizon : int
        Steps ahead, H; those beyond T do not count.

    Returns
    -------
    errors : ndarray of float64 of shape (O, C)
        NaN where no step ahead of the origin is known.
    """
    weight = step_weights(horizon)
    errors = np.full((len(origins), len(settings)), np.nan)
    kernels = selection.kernels()
    if kernels is not None:
        kernels.rolling_errors(**_call(y, settings, origins, horizon), weight=weight, errors=errors)
        return errors
    for i, (origin, ahead) in enumerate(_forecasts(y, settings, origins, horizon)):
        actual = y[origin : origin + horizon]
        known = np.flatnonzero(~np.isnan(actual))
        if len(known):
            size = np.abs(ahead[known] - actual[known, None])
            errors[i] = weight[known] @ size / weight[known].sum()
    return errors


def rolling_means(
    y: np.ndarray,
    settings: Sequence[Smoothing],
    origins: np.ndarray,
    horizon: int,
    weights: np.ndarray,
    groups: np.ndarray,
    count: int,
) -> np.ndarray:
    """Weighted sums of the forecasts of the settings of each group, from every origin.

    Parameters
    ----------
    y, settings, origins, horizon :
        As in :func:`rolling_errors`.
    weights : ndarray of float64 of shape (O, C)
        The weight of every setting at every origin. Settings without any take no time.
    groups : ndarray of int of shape (C,)
        The group of every setting, from 0 to ``count`` - 1.
    count : int
        Number of groups, G.

    Returns
    -------
    means : ndarray of float64 of shape (O, H, G)
        In the units of the data.
    """
    means = np.zeros((len(origins), horizon, count))
    kernels = selection.kernels()
    if kernels is not None:
        kernels.rolling_means(
            **_call(y, settings, origins, horizon),
            weights=strided(np.asarray(weights, dtype=np.float64)),
            groups=packed(np.asarray(groups, dtype=np.int64)),
            means=means,
        )
        return means
    used = np.flatnonzero((weights != 0.0).any(axis=0))
    if len(used) == 0:
        return means
    settings, weights = [settings[c] for c in used.tolist()], weights[:, used]
    member = (groups[used, None] == np.arange(count)).astype(np.float64)
    for i, (_, ahead) in enumerate(_forecasts(y, settings, origins, horizon)):
        means[i] = (ahead * weights[i]) @ member
    return means


def _call(
    y: np.ndarray, settings: Sequence[Smoothing], origins: np.ndarray, horizon: int
) -> dict[str, Any]:
    """What both kernels are called with."""
    first = settings[0]
    z = packed(first.transform(y))
    begin, start, slope, pattern = first_states(z, first.period)
    with np.errstate(over="ignore"):  # no bound is needed where it is no number of the type
        ceiling = float(first.restore(np.array(np.inf), float(np.fmax.reduce(z))))
    return {
        "z": z,
        "y": packed(np.asarray(y, dtype=np.float64)),
        "place": places(len(z) + horizon, first.period),
        "origins": packed(np.asarray(origins, dtype=np.int64)),
        "pattern": pattern,
        "columns": Columns.of(settings).packed(slope),
        "begin": begin,
        "start": start,
        "log": first.log,
        "ceiling": ceiling,
    }


def _forecasts(
    y: np.ndarray, settings: Sequence[Smoothing], origins: np.ndarray, horizon: int
) -> list[tuple[int, np.ndarray]]:
    """Every origin, with the forecasts (H, C) from there in the units of the data."""
    z = settings[0].transform(y)
    top = float(np.nanmax(z))
    states: States = smooth(z, settings, origins)
    steps = np.arange(1, horizon + 1)
    return [
        (int(origin), settings[0].restore(extend(settings, states.row(i), steps)[0], top))
        for i, origin in enumerate(origins)
    ]
