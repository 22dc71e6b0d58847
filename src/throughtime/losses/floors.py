"""The logarithm of what may be zero."""

from __future__ import annotations

import numpy as np


def log_floored(q: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    r"""Logarithm and its derivative, continued below ``floor`` by its tangent there.

        f(q) = log(r) + (q - r) / r,   f'(q) = 1 / r,   r = max(q, floor)

    Down to the floor this is log(q) exactly. Below, it stays finite, concave and smooth, and the
    derivative stays that of the value: a probability of exactly zero costs much and pulls hard,
    and ``0 * f(0)`` is 0.
    """
    r = np.maximum(q, floor)
    return np.log(r) + (q - r) / r, 1.0 / r


def smallest(limits: np.finfo) -> float:
    """Return the floor of :func:`log_floored` for numbers near zero: 1e-31 for float32.

    Not the smallest float itself: its inverse, a gradient, has to survive being multiplied by
    sample weights.
    """
    return float(limits.tiny) / float(limits.eps)
