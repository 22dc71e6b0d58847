"""Lengths and masks of batches of sequences: checks, and conversion both ways.

A mask ``(N, T)`` is True at the steps that count and may have holes. ``lengths (N,)`` describe
sequences that begin at step 0 and have no holes. A length of 0, or a row of the mask without a
True, is allowed: the outputs of that sequence are zero, and it adds nothing to a loss or a
gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    as_array,
    check_int,
    sentence,
)

__all__ = ["check_lengths", "check_mask", "lengths_from_mask", "mask_from_lengths"]


def mask_from_lengths(lengths: Any, steps: int | None = None) -> np.ndarray:
    """The mask ``(N, T)`` of sequences of ``lengths``; ``T`` is the longest by default.

    Examples
    --------
    >>> mask_from_lengths([2, 0, 3]).astype(int)
    array([[1, 1, 0],
           [0, 0, 0],
           [1, 1, 1]])
    """
    ends = check_lengths(lengths)
    width = max(int(ends.max(initial=0)), 1) if steps is None else check_int("steps", steps, 1)
    check_lengths(ends, ends.shape[0], width)
    return np.arange(width) < ends[:, None]


def lengths_from_mask(mask: Any) -> np.ndarray:
    """One past the last unmasked step of each row of ``mask (N, T)``; 0 for a row without any.

    Examples
    --------
    >>> lengths_from_mask([[True, False, True], [False, False, False]])
    array([3, 0])
    """
    checked = check_mask(mask)
    last = checked.shape[1] - np.argmax(checked[:, ::-1], axis=1)
    return np.where(checked.any(axis=1), last, 0)


def check_lengths(
    lengths: Any, n: int | None = None, steps: int | None = None, name: str = "lengths"
) -> np.ndarray:
    """Return ``lengths`` as int64 ``(N,)`` with ``0 <= lengths <= T``, in any order.

    Raises
    ------
    ShapeError
        If there is not one length for each sequence.
    InvalidTypeError
        If they are not integers.
    InvalidArgumentError
        If a length is below 0 or above ``T``.
    """
    array = as_array(name, lengths)
    wanted = f"({'N' if n is None else n},)"
    if array.ndim != 1 or (n is not None and array.shape[0] != n):
        raise ShapeError(
            sentence(name, f"of shape {wanted}, one for each sequence", f"shape {array.shape}")
        )
    if array.size and array.dtype.kind not in "iu":
        raise InvalidTypeError(
            sentence(name, "integers", f"an array of dtype {array.dtype}", must="hold")
        )
    bad = (array < 0) if steps is None else (array < 0) | (array > steps)
    if bad.any():
        row = int(np.argmax(bad))
        allowed = "0 or more" if steps is None else f"from 0 to {steps}, the steps of x"
        raise InvalidArgumentError(sentence(name, allowed, f"{array[row]} in row {row}"))
    return array.astype(np.int64, copy=False)


def check_mask(
    mask: Any, n: int | None = None, steps: int | None = None, name: str = "mask"
) -> np.ndarray:
    """Return ``mask`` as booleans ``(N, T)``, True at the steps that count; holes are allowed.

    Raises
    ------
    ShapeError
        If it does not have two axes, or not the sizes of ``x``.
    InvalidTypeError
        If it does not hold booleans. 0 and 1 are refused, because in other libraries 1 can mean
        "hidden".
    """
    array = as_array(name, mask)
    fits = array.ndim == 2 and n in (None, array.shape[0]) and steps in (None, array.shape[1])
    if not fits:
        wanted = f"({'N' if n is None else n}, {'T' if steps is None else steps})"
        raise ShapeError(sentence(name, f"of shape {wanted}", f"shape {array.shape}"))
    if array.dtype != np.bool_:
        raise InvalidTypeError(
            sentence(
                name,
                "booleans, True at the steps that count",
                f"an array of dtype {array.dtype}",
                must="hold",
            )
        )
    return array
