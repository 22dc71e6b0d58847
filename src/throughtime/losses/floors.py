"""The logarithm of a number that may be zero."""

from __future__ import annotations

import numpy as np


def log_floored(q: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    r"""Logarithm and its derivative, continued below ``floor`` by the tangent there.

        f(q) = log(r) + (q - r) / r,   f'(q) = 1 / r,   r = max(q, floor)

    Above the floor this is log(q) exactly. Below, it is finite, concave and smooth, and the
    derivative is that of the value: a probability of exactly zero has a large loss and a large
    gradient, and ``0 * f(0)`` is 0.
    """
    r = np.maximum(q, floor)
    return np.log(r) + (q - r) / r, 1.0 / r


def smallest(limits: np.finfo) -> float:
    """Return the floor of :func:`log_floored` for numbers near zero: 1e-31 for float32.

    It is not the smallest float itself: its inverse, a gradient, must not overflow when it is
    multiplied by sample weights.
    """
    return float(limits.tiny) / float(limits.eps)
