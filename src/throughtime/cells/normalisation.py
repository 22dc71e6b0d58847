r"""Layer normalisation of the sums of a cell, and its derivative.

A row v of numbers is cut into groups. With the mean over the D numbers of a group,

    m = mean(v),   k = 1 / sqrt(mean((v - m)^2) + epsilon)             (L5)
    w = k (v - m)                                                      (L6)

and from dL/dw (the letter d before a name is dL/d of it)

    dv = k (dw - mean(dw) - w mean(dw * w))                            (L6')

Ba, Kiros and Hinton (2016), arXiv:1607.06450. The gain of each number, and the bias, are those of
the cell. The kernel in ``native/level/options.cpp`` must equal it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

#: epsilon of (L5), that of PyTorch's LayerNorm.
EPSILON = 1e-5


def normalise(v: np.ndarray, groups: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return w of (L6) and k of (L5).

    Parameters
    ----------
    v : ndarray of shape (..., G*H)
    groups : tuple of int
        How many gates each group holds; together all G.

    Returns
    -------
    w : ndarray of shape (..., G*H)
    k : ndarray of shape (..., number of groups)
    """
    w = np.empty_like(v)
    k = np.empty((*v.shape[:-1], len(groups)), v.dtype)
    for j, part in enumerate(_parts(v, groups)):
        centred = v[..., part] - v[..., part].mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        k[..., j : j + 1] = 1 / np.sqrt(variance + EPSILON)  # (L5)
        w[..., part] = k[..., j : j + 1] * centred  # (L6)
    return w, k


def normalise_backward(
    dw: np.ndarray, w: np.ndarray, k: np.ndarray, groups: tuple[int, ...]
) -> np.ndarray:
    """Return dL/dv from dL/dw and what :func:`normalise` returned, (L6')."""
    dv = np.empty_like(dw)
    for j, part in enumerate(_parts(w, groups)):
        d, y = dw[..., part], w[..., part]
        mean, along = d.mean(axis=-1, keepdims=True), (d * y).mean(axis=-1, keepdims=True)
        dv[..., part] = k[..., j : j + 1] * (d - mean - y * along)
    return dv


def _parts(v: np.ndarray, groups: tuple[int, ...]) -> Iterator[slice]:
    """The columns of each group."""
    units = v.shape[-1] // sum(groups)
    first = 0
    for gates in groups:
        yield slice(first * units, (first + gates) * units)
        first += gates
