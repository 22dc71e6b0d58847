"""Norm and finiteness of a flat vector, on the engine in use.

Sums are taken in float64, block by block. A block is so long that the loop costs little, and so
short that its float64 copy stays in the cache.
"""

from __future__ import annotations

import math

import numpy as np

from throughtime.kernels import selection

BLOCK = 32768


def norm(vector: np.ndarray) -> float:
    """Return the Euclidean norm of ``vector (P,)``, float32 or float64.

    Squares may be larger than the largest float or smaller than the smallest one: a finite vector
    has a finite norm, unless the norm itself exceeds float64. The norm is NaN if a number is NaN,
    else infinite if one is infinite.
    """
    kernels = selection.kernels()
    found = None if kernels is None else kernels.norm(vector)
    return _norm(vector) if found is None else found


def _norm(vector: np.ndarray) -> float:
    if vector.size == 0:
        return 0.0
    largest = max(-float(vector.min()), float(vector.max()))
    if largest == 0.0 or not math.isfinite(largest):
        return abs(largest)
    # A power of two, so that dividing by it rounds nothing.
    unit = math.ldexp(1.0, math.frexp(largest)[1] - 1)
    total = 0.0
    with np.errstate(under="ignore"):  # of a number that is nothing beside the largest
        for start in range(0, vector.size, BLOCK):
            block = vector[start : start + BLOCK].astype(np.float64)
            block /= unit
            total += float(np.sum(np.square(block, out=block)))
    return unit * math.sqrt(total)


def finite(array: np.ndarray) -> bool:
    """Whether no number of the array, of any float dtype, is infinite or NaN."""
    kernels = selection.kernels()
    found = None if kernels is None else kernels.finite(array)
    if found is not None:
        return found
    rows = array.reshape(-1)
    return all(
        np.isfinite(rows[start : start + BLOCK]).all() for start in range(0, rows.size, BLOCK)
    )
