r"""Clipping: a bound on the gradient, so that one steep place of the loss moves nothing far.

    by norm     g <- g min(1, limit / |g|),   |g| = sqrt(sum g^2) over all parameters      (K1)
    by value    g <- min(max(g, -limit), limit)                                            (K2)

(K1) keeps the direction of the gradient, (K2) changes it. Pascanu, Mikolov and Bengio (2013), "On
the difficulty of training recurrent neural networks", algorithm 1.

Clipping helps against gradients that explode. It does nothing for gradients that vanish: a number
near zero is below every limit and stays as it is. Against those, use gated cells, an orthogonal or
identity initialisation, or shorter sequences.
"""

from __future__ import annotations

import math

import numpy as np

from throughtime.errors import InvalidTypeError, check_float, describe, sentence
from throughtime.kernels import selection, vectors


def global_norm(grads: np.ndarray) -> float:
    """Return the Euclidean norm of all gradients together.

    Squares may be larger than the largest float or smaller than the smallest: the norm of a finite
    gradient is finite, unless it exceeds the largest float64.

    Parameters
    ----------
    grads : ndarray of shape (P,)
        The flat gradient, float32 or float64.

    Returns
    -------
    float
        NaN if a number is NaN, infinite if one is infinite.

    Examples
    --------
    >>> round(global_norm(np.array([3e30, 4e30], dtype="float32")) / 1e30, 6)
    5.0
    """
    return vectors.norm(grads)


def clip_norm(grads: np.ndarray, limit: float) -> float:
    """Scale the gradient down to the norm ``limit`` if it is larger, in place; equation (K1).

    Parameters
    ----------
    grads : ndarray of shape (P,)
        The flat gradient, changed in place.
    limit : float
        The largest norm allowed, > 0.

    Returns
    -------
    float
        The norm before. If it is not finite, ``grads`` is not changed: no scaling removes a NaN,
        and the search for its origin must find it.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If ``limit`` is not a number > 0 or ``grads`` not an array of floats.
    """
    limit = _check(grads, "clip_norm", limit)
    kernels = selection.kernels()
    found = None if kernels is None else kernels.clip_norm(grads, limit)
    if found is not None:
        return found
    norm = vectors.norm(grads)
    if limit < norm < math.inf:
        # In float64: as a float32 the factor, or its inverse, could be no normal number.
        with np.errstate(under="ignore"):
            np.multiply(grads, np.float64(limit / norm), out=grads, casting="same_kind")
    return norm


def clip_value(grads: np.ndarray, limit: float) -> float:
    """Cut every number of the gradient to [-limit, limit], in place; equation (K2).

    Parameters
    ----------
    grads : ndarray of shape (P,)
        The flat gradient, changed in place.
    limit : float
        The largest size allowed, > 0.

    Returns
    -------
    float
        The norm before. If it is not finite, ``grads`` is not changed: an infinity cut to ``limit``
        would look like a gradient.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If ``limit`` is not a number > 0 or ``grads`` not an array of floats.
    """
    limit = _check(grads, "clip_value", limit)
    kernels = selection.kernels()
    found = None if kernels is None else kernels.clip_value(grads, limit)
    if found is not None:
        return found
    norm = vectors.norm(grads)
    # A limit above the largest number of this dtype cuts nothing, and could not be converted.
    if math.isfinite(norm) and limit < min(norm, float(np.finfo(grads.dtype).max)):
        np.clip(grads, -limit, limit, out=grads)
    return norm


def _check(grads: np.ndarray, name: str, limit: float) -> float:
    if not isinstance(grads, np.ndarray) or grads.dtype.kind != "f":
        expected = "an array of floats, to be changed in place"
        raise InvalidTypeError(sentence("grads", expected, describe(grads), "Pass net.grads.flat."))
    return check_float(name, limit, 0.0, inclusive="neither")
