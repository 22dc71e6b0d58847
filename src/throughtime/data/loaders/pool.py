"""The sequences that are in memory, from which batches are cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Key", "Pool", "Steps", "Whole", "join"]

#: The name of a field; of several inputs or outputs, with the name of one.
Key = str | tuple[str, str]


class Whole(NamedTuple):
    """A field with one entry a sequence.

    Attributes
    ----------
    values : ndarray of shape (S, ...)
    """

    values: np.ndarray


class Steps(NamedTuple):
    """A field with one entry a time step, the sequences one after another.

    Attributes
    ----------
    values : ndarray of shape (R, ...)
        ``R`` is the sum of the lengths of all sequences.
    """

    values: np.ndarray


class Pool(NamedTuple):
    """``S`` sequences.

    Attributes
    ----------
    fields : dict of Key to Whole or Steps
    lengths : ndarray of shape (S,), or None
        Their numbers of steps, where they are known; fields of steps need them.
    """

    fields: dict[Key, Whole | Steps]
    lengths: np.ndarray | None

    def __len__(self) -> int:
        first = next(iter(self.fields.values()))
        return len(first.values) if self.lengths is None else len(self.lengths)

    def batch(self) -> dict[str, Any]:
        """The arrays of a batch of all sequences; steps are padded with zeros to the longest."""
        lengths = self.lengths
        found: dict[str, Any] = {}
        for key, field in self.fields.items():
            values = field.values
            if isinstance(field, Steps):
                assert lengths is not None
                values = _padded(values, lengths)
            if isinstance(key, str):
                found[key] = values
            else:
                found.setdefault(key[0], {})[key[1]] = values
        if lengths is not None and (lengths != lengths[0]).any():
            found["lengths"] = lengths
        return found


def _padded(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Rows (R, ...) as sequences (S, T, ...)."""
    longest = int(lengths.max())
    shape = (len(lengths), longest, *values.shape[1:])
    if (lengths == longest).all():
        return values.reshape(shape)
    x = np.zeros(shape, values.dtype)
    stop = 0
    for row, length in zip(x, lengths, strict=True):
        start, stop = stop, stop + length
        row[:length] = values[start:stop]
    return x


def join(parts: Sequence[tuple[Pool, np.ndarray]]) -> Pool:
    """Copy some sequences of each pool into a new one."""
    parts = [(pool, rows) for pool, rows in parts if len(rows)]
    first = parts[0][0]
    ends = [None if p.lengths is None else np.cumsum(p.lengths) for p, _ in parts]
    fields: dict[Key, Whole | Steps] = {}
    for key, field in first.fields.items():
        pieces = []
        for (pool, rows), end in zip(parts, ends, strict=True):
            values = pool.fields[key].values
            if isinstance(field, Steps):
                assert end is not None
                assert pool.lengths is not None
                stops = end[rows]
                starts = stops - pool.lengths[rows]
                pieces += [values[a:b] for a, b in zip(starts, stops, strict=True)]
            else:
                pieces.append(values[rows])
        values = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        if isinstance(field, Steps) and len(pieces) == 1:
            values = values.copy()  # a view of the pool
        fields[key] = type(field)(values)
    if first.lengths is None:
        return Pool(fields, None)
    return Pool(fields, np.concatenate([pool.lengths[rows] for pool, rows in parts]))  # type: ignore[index]
