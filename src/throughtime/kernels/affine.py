"""The dense layer's product for many rows, and its gradients, on either engine.

    z = x W + b                                                     (D1)
    dL/dW += x^T dz,   dL/db += sum over rows of dz,   dL/dx = dz W^T   (D1')

The native engine sums each number of z in one order, so that the bits of a row do not depend on the
other rows.
"""

from __future__ import annotations

import numpy as np

from throughtime.kernels import selection
from throughtime.kernels.arrays import alike, packed_rows
from throughtime.kernels.extension import Kernels


def affine(x: np.ndarray, W: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Return (D1).

    Parameters
    ----------
    x : ndarray of shape (..., F)
    W : ndarray of shape (F, K)
    b : ndarray of shape (K,), optional

    Returns
    -------
    z : ndarray of shape (..., K)
    """
    kernels = _kernels(x, W)
    if kernels is None:
        z = x @ W
        if b is not None:
            z += b
        return z
    rows = packed_rows(x)
    z = np.empty((len(rows), W.shape[1]), x.dtype)
    kernels.affine(rows, W, b, z)
    return z if x.ndim == 2 else z.reshape(*x.shape[:-1], W.shape[1])


def add_product(y: np.ndarray, x: np.ndarray, W: np.ndarray) -> None:
    """Add x W to the contiguous ``y (..., K)``: the bits of ``y += affine(x, W)``."""
    kernels = _kernels(x, W)
    if kernels is None:
        y += x @ W
    else:
        kernels.affine(packed_rows(x), W, None, y.reshape(-1, y.shape[-1]), add=True)


def affine_backward(
    x: np.ndarray,
    W: np.ndarray,
    dz: np.ndarray,
    dW: np.ndarray,
    db: np.ndarray | None,
    inputs: bool = True,
) -> np.ndarray | None:
    """ADD to ``dW`` and ``db`` as (D1') says, and return dL/dx; None if not ``inputs``.

    Parameters
    ----------
    x, W :
        Those of :func:`affine`.
    dz : ndarray of shape (..., K)
        dL/dz.
    dW, db : ndarray of the shapes of W and b
        Contiguous; ``db`` may be None.
    """
    kernels = _kernels(x, W)
    if kernels is None:
        rows = dz.reshape(-1, dz.shape[-1])
        dW += x.reshape(-1, x.shape[-1]).T @ rows
        if db is not None:
            db += rows.sum(axis=0)
        return dz @ W.T if inputs else None
    own = packed_rows(x)
    dx = np.empty_like(own) if inputs else None
    kernels.affine_back(x=own, W=W, dz=packed_rows(dz), dW=dW, db=db, dx=dx)
    return None if dx is None else dx.reshape(x.shape)


def _kernels(x: np.ndarray, W: np.ndarray) -> Kernels | None:
    """The native engine, if it is in use and has this type of numbers."""
    kernels = selection.kernels()
    return kernels if kernels is not None and alike(x, W) else None
