"""Arrays as kernels take them: the array itself if it has the layout, else a copy.

A kernel reads float32 or float64, aligned. It needs all of an array contiguous, or the last axis.
"""

from __future__ import annotations

import numpy as np


def packed(array: np.ndarray) -> np.ndarray:
    """The array, contiguous and aligned."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else array.copy()


def packed_rows(array: np.ndarray) -> np.ndarray:
    """The array ``(..., K)`` as contiguous, aligned rows ``(M, K)``."""
    return packed(array if array.ndim == 2 else array.reshape(-1, array.shape[-1]))


def strided(array: np.ndarray) -> np.ndarray:
    """The array, aligned and with a contiguous last axis; other axes may have any stride."""
    good = array.flags.aligned and (array.shape[-1] < 2 or array.strides[-1] == array.itemsize)
    return array if good else array.copy()


def alike(first: np.ndarray, *others: np.ndarray) -> bool:
    """Whether all arrays have one type, which kernels have: float32 or float64."""
    dtype = first.dtype
    for array in others:
        if array.dtype is not dtype and array.dtype != dtype:
            return False
    return dtype.char in "fd"
