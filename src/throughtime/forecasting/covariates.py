"""Covariates on a common scale: mean 0 and standard deviation 1 in the history."""

from __future__ import annotations

import numpy as np

from throughtime.forecasting.series import Group

#: A covariate whose standard deviation is smaller, as a share of 1 + its mean, is constant: such
#: variation is rounding error.
SMALLEST_WIDTH = 1e-12
#: Bound of a standardised covariate, so that it fits into float32, whose largest number is 3e38.
_LARGEST_INPUT = 1e30


def mean_and_width(group: Group) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every covariate; the latter is 1 for a constant one."""
    return _mean_and_width(np.concatenate([s.covariates for s in group.series]))


def on_common_scale(rows: np.ndarray) -> np.ndarray:
    """The static numbers (S, K) of S series, with mean 0 and standard deviation 1 over them."""
    return standardise(rows, *_mean_and_width(rows))


def _mean_and_width(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those of every column of ``rows``."""
    if rows.shape[1] == 0:
        return np.zeros(0), np.ones(0)
    known = ~np.isnan(rows)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, rows, 0.0).sum(axis=0) / count
    width = np.sqrt((np.where(known, rows - centre, 0.0) ** 2).sum(axis=0) / count)
    return centre, np.where(width > SMALLEST_WIDTH * (1.0 + np.abs(centre)), width, 1.0)


def standardise(rows: np.ndarray, centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Covariates (T, F) on the common scale; a missing one counts as its mean, 0."""
    scaled = np.nan_to_num((rows - centre) / width)
    return np.clip(scaled, -_LARGEST_INPUT, _LARGEST_INPUT)
