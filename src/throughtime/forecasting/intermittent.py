"""Demand that is mostly zero."""

from __future__ import annotations

import numpy as np

#: Mean distance of two demands, in steps, above which demand is called intermittent: the bound of
#: Syntetos, Boylan and Croston (2005), Journal of the Operational Research Society 56.
_INTERVAL = 1.32


def is_intermittent(y: np.ndarray) -> bool:
    """Whether a series is never below 0, and so often 0 that demands are far apart.

    Parameters
    ----------
    y : ndarray of float64 of shape (T,)
        The values; NaN where one is missing.

    Examples
    --------
    >>> is_intermittent(np.array([0.0, 3.0, 0.0, 0.0, 1.0])), is_intermittent(np.arange(9.0))
    (True, False)
    """
    known = y[~np.isnan(y)]
    demands = int((known > 0.0).sum())
    return bool(demands and (known >= 0.0).all() and len(known) > _INTERVAL * demands)
