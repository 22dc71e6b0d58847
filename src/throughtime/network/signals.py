"""One array, or a tuple of arrays of the same samples: what goes into and comes out of a network.

A network of one input works on arrays; one of several inputs on tuples in the order of the inputs.
The same holds for masks, whose entries may be None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Arrays = np.ndarray | tuple[np.ndarray, ...]


def mapped(function: Callable[[Any], Any], x: Any) -> Any:
    """``function`` of an array, or of every array of a tuple; None stays None.

    Examples
    --------
    >>> mapped(len, (np.zeros(3), None))
    (3, None)
    """
    if isinstance(x, tuple):
        return tuple(mapped(function, one) for one in x)
    return None if x is None else function(x)


def cut(x: Any, rows: Any) -> Any:
    """The rows of every array."""
    if isinstance(x, tuple):
        return tuple([None if a is None else a[rows] for a in x])
    return None if x is None else x[rows]


def first_of(x: Any) -> np.ndarray:
    """The array, or the first one of several."""
    found: np.ndarray = x[0] if isinstance(x, tuple) else x
    return found


def each(x: Any) -> tuple[Any, ...]:
    """The arrays as a tuple, also one alone."""
    return x if isinstance(x, tuple) else (x,)


def alike(arrays: tuple[Any, ...]) -> Any:
    """The inverse of :func:`each`: one alone is no tuple."""
    return arrays[0] if len(arrays) == 1 else arrays
