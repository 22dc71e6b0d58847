"""Lists of labels of different lengths: as targets of a loss, and for the distance between two."""

from __future__ import annotations

from typing import Any

import numpy as np

from throughtime.errors import Argument, DataError, ShapeError, check_array, sentence

#: What stands after the last label of a row.
END = -1


def label_rows(name: str, value: Any, real: np.ndarray | None = None) -> np.ndarray:
    """Return lists of labels as one array.

    Parameters
    ----------
    name : str
        What messages call ``value``.
    value : list of arrays of int, or array of int of shape (N, L)
        Labels of each sequence. A number below 0 ends a list.
    real : ndarray of bool of shape (N,), optional
        False for lists that may hold anything; they become empty.

    Returns
    -------
    ndarray of int64 of shape (N, L)
        The labels, END after the last one; L is at least 1.
    """
    rows: Any = value
    if not isinstance(value, list | tuple) and not _listed(value):
        rows = check_array(name, value, finite=False)
        if rows.ndim != 2:
            raise ShapeError(
                sentence(
                    name,
                    "a list of labels for each sequence, or an array of shape (N, L)",
                    f"shape {rows.shape}",
                )
            )
    if real is None or len(real) != len(rows):  # a wrong number of rows is the caller's to refuse
        real = np.ones(len(rows), dtype=bool)
    found = [
        _labels(Argument(name, i), row) if counts else np.empty(0, dtype=np.int64)
        for i, (row, counts) in enumerate(zip(rows, real, strict=True))
    ]
    labels = np.full((len(found), max(map(len, found), default=0) or 1), END)
    for i, own in enumerate(found):
        labels[i, : len(own)] = own
    return labels


def _listed(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 1


def _labels(name: Argument, value: Any) -> np.ndarray:
    """Return one list of labels, without what stands after its end."""
    if isinstance(value, list | tuple) and not value:
        return np.empty(0, dtype=np.int64)
    array = check_array(name, value, finite=False)
    if array.ndim != 1:
        raise ShapeError(sentence(name, "a list of labels", f"shape {array.shape}"))
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # an infinity has no remainder, and is refused too
            bad = array % 1.0 != 0.0
        if bad.any():
            got = f"{array[bad][0]:g} at place {int(np.argmax(bad))}"
            raise DataError(sentence(name, "integers", got, must="hold"))
    ends = array < 0
    if ends.any():
        first = int(np.argmax(ends))
        if not ends[first:].all():
            place = first + int(np.argmin(ends[first:]))
            got = f"{array[place]:g} at place {place}"
            raise DataError(sentence(name, "no label after a number below 0", got, must="hold"))
        array = array[:first]
    return array.astype(np.int64)
