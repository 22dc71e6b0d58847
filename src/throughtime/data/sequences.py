"""Ragged lists and padded arrays of sequences, and the check of every network input.

The package works on one form: ``x (N, T, F)`` with a boolean mask ``(N, T)``. A user may pass

* a list of arrays ``(T_i, F)``, or ``(T_i,)`` for one feature, in any order of lengths;
* a padded array ``(N, T, F)`` with ``lengths (N,)`` or with a mask, which may have holes;
* an array ``(N, T)`` of univariate sequences, only where the caller allows it
  (``univariate=True``).

A list is always read as a list of sequences, and an array always by its axes. Nothing is guessed
from sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from throughtime.data.masks import (
    check_lengths,
    check_mask,
    lengths_from_mask,
    mask_from_lengths,
)
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_array,
    check_int,
    describe,
    sentence,
)
from throughtime.kernels import vectors

__all__ = [
    "check_sequences",
    "from_channels_first",
    "from_nan_padded",
    "is_ragged",
    "pad",
    "unpad",
]


def is_ragged(x: Any) -> bool:
    """Whether ``x`` is a list of sequences (a list, a tuple, or a 1-D object array of arrays)."""
    if isinstance(x, np.ndarray):
        return x.dtype == object and x.ndim == 1
    return isinstance(x, (list, tuple))


def pad(
    sequences: Sequence[Any], *, length: int | None = None, value: float = 0.0, name: str = "x"
) -> tuple[np.ndarray, np.ndarray]:
    """Put sequences of different lengths into one array.

    Parameters
    ----------
    sequences : list of array of shape (T_i, F) or (T_i,)
        In any order of lengths; ``T_i`` may be 0. ``(T_i,)`` means one feature.
    length : int, optional
        ``T`` of the result; by default the longest sequence (at least 1).
    value : float
        Padding after the end of a sequence.
    name : str
        Name of the argument in messages.

    Returns
    -------
    x : ndarray of shape (N, T, F)
        In the common dtype of the sequences.
    lengths : ndarray of shape (N,)
        ``T_i`` of each sequence, as int64.

    Raises
    ------
    DataError
        If there is no sequence, or one holds text.
    ShapeError
        If the sequences differ in their number of features, or ``length`` is too short.

    Examples
    --------
    >>> x, lengths = pad([[1.0, 2.0, 3.0], [4.0]])
    >>> x[..., 0]
    array([[1., 2., 3.],
           [4., 0., 0.]])
    >>> lengths
    array([3, 1])
    """
    if not is_ragged(sequences):
        raise InvalidTypeError(
            sentence(name, "a list of arrays of shape (T_i, F)", describe(sequences))
        )
    if len(sequences) == 0:
        raise DataError(sentence(name, "at least one sequence", "nothing", must="hold"))
    arrays = [_one_sequence(f"{name}[{i}]", s) for i, s in enumerate(sequences)]
    features = arrays[0].shape[1]
    for i, array in enumerate(arrays):
        if array.shape[1] != features:
            raise ShapeError(
                sentence(
                    name,
                    "the same number of features in every sequence",
                    f"{features} in {name}[0] and {array.shape[1]} in {name}[{i}]",
                    must="have",
                )
            )
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidTypeError(sentence("value", "a number", describe(value)))
    longest = int(lengths.max())
    steps = max(longest, 1) if length is None else check_int("length", length, 1)
    if steps < longest:
        raise ShapeError(
            sentence(
                "length", f"at least the longest sequence, {longest} steps", f"{steps}", value=steps
            )
        )
    x = np.full((len(arrays), steps, features), value, dtype=np.result_type(*arrays))
    for row, array in zip(x, arrays, strict=True):
        row[: len(array)] = array
    return x, lengths


def _one_sequence(name: str, value: Any) -> np.ndarray:
    """One sequence as an array ``(T_i, F)``."""
    array = check_array(name, value, finite=False)
    if array.ndim == 0:
        raise ShapeError(
            sentence(
                name,
                "a sequence of shape (T_i, F) or (T_i,)",
                f"the number {array}",
                "Wrap a single sequence in a list: [x].",
            )
        )
    if array.ndim > 2:
        raise ShapeError(
            sentence(name, "a sequence of shape (T_i, F) or (T_i,)", f"shape {array.shape}")
        )
    if array.ndim == 1:
        return array[:, None]
    if array.shape[1] == 0:
        raise ShapeError(
            sentence(name, "at least one feature", f"shape {array.shape}", must="have")
        )
    return array


def unpad(x: Any, lengths: Any) -> list[np.ndarray]:
    """Cut a padded array ``(N, T, ...)`` into a list of copies ``(T_i, ...)``.

    Examples
    --------
    >>> unpad([[1, 2, 3], [4, 0, 0]], [3, 1])
    [array([1, 2, 3]), array([4])]
    """
    array = check_array("x", x, finite=False)
    if array.ndim < 2:
        raise ShapeError(sentence("x", "the axes (N, T, ...)", f"shape {array.shape}", must="have"))
    ends = check_lengths(lengths, array.shape[0], array.shape[1])
    return [row[:end].copy() for row, end in zip(array, ends, strict=True)]


def check_sequences(
    x: Any,
    lengths: Any = None,
    mask: Any = None,
    *,
    dtype: Any = None,
    n_features: int | None = None,
    univariate: bool = False,
    finite: bool = True,
    name: str = "x",
) -> tuple[np.ndarray, np.ndarray | None]:
    """Turn any allowed form of a batch of sequences into ``x (N, T, F)`` and a mask.

    Parameters
    ----------
    x : list of array (T_i, F) or (T_i,); or array of shape (N, T, F); or (N, T) if ``univariate``
        Values at masked steps are ignored and may be NaN.
    lengths : array of shape (N,), optional
        Number of steps of each row of a padded array. Not allowed with a list, which has its own.
    mask : bool array of shape (N, T), optional
        True at the steps that count. With ``lengths`` as well, a step must count in both.
    dtype : dtype, optional
        Dtype of the result.
    n_features : int, optional
        The ``F`` that is required.
    univariate : bool
        Whether an array of 2 axes is read as ``(N, T)``, N sequences of one feature.
    finite : bool
        Whether NaN and infinities at unmasked steps are refused.
    name : str
        Name of the argument in messages.

    Returns
    -------
    x : ndarray of shape (N, T, F)
        Zero at masked steps. Shares memory with the input where nothing had to change.
    mask : ndarray of shape (N, T), or None
        None if every step counts.

    Raises
    ------
    ShapeError, DataError, InvalidTypeError, InvalidArgumentError
        If the data do not fit; the message names the argument, its value and the way out.
    """
    wanted = None if dtype is None else check_float_dtype(dtype)
    if is_ragged(x):
        if lengths is not None:
            raise InvalidArgumentError(
                sentence(
                    "lengths",
                    f"left out when {name} is a list of sequences, which has its own",
                    describe(lengths),
                )
            )
        array, ends = pad(x, name=name)
        counted: np.ndarray | None = mask_from_lengths(ends, array.shape[1])
    else:
        array = _check_axes(check_array(name, x, finite=False), univariate, name)
        counted = None
        if lengths is not None:
            ends = check_lengths(lengths, array.shape[0], array.shape[1])
            counted = mask_from_lengths(ends, array.shape[1])
    if n_features is not None and array.shape[2] != n_features:
        raise ShapeError(
            sentence(
                name,
                f"{n_features} feature{'' if n_features == 1 else 's'} a step, the last axis",
                f"shape {array.shape}",
                must="have",
            )
        )
    if mask is not None:
        own = check_mask(mask, array.shape[0], array.shape[1])
        # A copy, because the caller may write into the mask later.
        counted = own.copy() if counted is None else counted & own
    if counted is not None and counted.all():
        counted = None
    if counted is not None:
        array = np.where(counted[..., None], array, np.zeros((), array.dtype))
    return _convert(array, wanted, finite, name), counted


def check_float_dtype(dtype: Any) -> np.dtype:
    """Return ``dtype`` as a NumPy dtype if it is a float type."""
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        return dtype
    named = isinstance(dtype, str | type | np.dtype)
    try:
        found = np.dtype(dtype) if named else None
    except (TypeError, ValueError):
        found = None
    if found is None or found.kind != "f":
        raise InvalidArgumentError(sentence("dtype", "a float type", describe(dtype)))
    return found


def _check_axes(array: np.ndarray, univariate: bool, name: str) -> np.ndarray:
    """An array with the axes ``(N, T, F)``, none of them empty."""
    if univariate and array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        hint = " Write x[..., None] for a single feature." if array.ndim == 2 else ""
        hint = " Write x[None] for a single sequence (T, F)." + hint if array.ndim == 2 else hint
        raise ShapeError(
            f"{name} must have 3 axes (N, T, F)"
            f"{' or 2 axes (N, T)' if univariate else ''}; got shape {array.shape}.{hint}"
        )
    if 0 in array.shape:
        what = ("sequence", "time step", "feature")[array.shape.index(0)]
        raise DataError(sentence(name, f"at least one {what}", f"shape {array.shape}", must="have"))
    return array


def _convert(array: np.ndarray, dtype: np.dtype | None, finite: bool, name: str) -> np.ndarray:
    """Convert to ``dtype``; refuse values that are not finite, or that it cannot hold."""
    if finite and not vectors.finite(array):
        check_array(name, array, hint="Fill missing values, or mask their steps.")
    if dtype is None or array.dtype == dtype:
        return array
    with np.errstate(over="ignore", under="ignore"):
        converted = array.astype(dtype)
    if finite and not vectors.finite(converted):
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(converted))[0])
        raise DataError(
            sentence(
                name,
                f"into {converted.dtype}",
                f"{array[first]} at index {first}",
                "Scale the data, or use dtype='float64'.",
                must="fit",
            )
        )
    return converted


def from_nan_padded(x: Any, *, univariate: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Read an array that is padded with NaN at the end of each sequence, as tslearn does.

    Parameters
    ----------
    x : array of shape (N, T, F), or (N, T) if ``univariate``
        A step is padding if all its features are NaN and all later steps are padding too.

    Returns
    -------
    x : ndarray of shape (N, T, F)
        A copy with zeros in place of the padding.
    lengths : ndarray of shape (N,)

    Raises
    ------
    DataError
        If there is NaN before the end of a sequence: such a value is missing, not padding.

    Examples
    --------
    >>> from_nan_padded([[1.0, 2.0], [3.0, np.nan]], univariate=True)[1]
    array([2, 1])
    """
    array = _check_axes(check_array("x", x, dtype=None, finite=False), univariate, "x")
    missing = np.isnan(array)
    lengths = lengths_from_mask(~missing.all(axis=2))
    counted = mask_from_lengths(lengths, array.shape[1])
    inside = missing & counted[..., None]
    if inside.any():
        first = tuple(int(i) for i in np.argwhere(inside)[0])
        raise DataError(
            sentence(
                "x",
                "NaN only after the end of a sequence",
                f"NaN at index {first}",
                "Fill missing values, or mask their steps.",
                must="hold",
            )
        )
    return np.where(counted[..., None], array, np.zeros((), array.dtype)), lengths


def from_channels_first(x: Any) -> Any:
    """Turn ``(N, F, T)`` into ``(N, T, F)``, or a list of ``(F, T_i)`` into one of ``(T_i, F)``.

    sktime and aeon store data with the features first. The results are views.
    """
    if is_ragged(x):
        items = [check_array(f"x[{i}]", item, finite=False) for i, item in enumerate(x)]
        for i, item in enumerate(items):
            if item.ndim != 2:
                raise ShapeError(sentence(f"x[{i}]", "of shape (F, T_i)", f"shape {item.shape}"))
        return [item.T for item in items]
    return np.swapaxes(check_array("x", x, shape=("N", "F", "T"), finite=False), 1, 2)
