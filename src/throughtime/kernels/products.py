"""The products of many pairs of matrices, on either engine.

    y_b = x_b W_b   or, where W holds the transposes,   y_b = x_b W_b^T

The native engine sums each number of y in one order, over the rows of W one after the other. So a
row of x that ends in zeros has the bits of the shorter row.
"""

from __future__ import annotations

import numpy as np

from throughtime.kernels import selection
from throughtime.kernels.arrays import alike, packed


def products(x: np.ndarray, W: np.ndarray, transposed: bool = False) -> np.ndarray:
    """Return the products of all pairs.

    Parameters
    ----------
    x : ndarray of shape (B, M, F)
    W : ndarray of shape (B, F, K), or (B, K, F) if transposed
    transposed : bool
        Whether W holds the transposes.

    Returns
    -------
    y : ndarray of shape (B, M, K)
    """
    kernels = selection.kernels()
    if kernels is None or not alike(x, W):
        return x @ (W.swapaxes(1, 2) if transposed else W)
    y = np.empty((*x.shape[:2], W.shape[1 if transposed else 2]), x.dtype)
    kernels.products(packed(x), packed(W), y, transposed)
    return y
