"""The sequences that are in memory, from which batches are cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


class Pool:
    """``S`` sequences.

    Attributes
    ----------
    fields : dict of Key to Whole or Steps
    lengths : ndarray of int of shape (S,), or None
        Their numbers of steps, where they are known; fields of steps need them.
    """

    def __init__(self, fields: dict[Key, Whole | Steps], lengths: np.ndarray | None) -> None:
        self.fields = fields
        self.lengths = lengths
        # One past the last row of each sequence.
        self._ends = None if lengths is None else np.cumsum(lengths)

    def __len__(self) -> int:
        first = next(iter(self.fields.values()))
        return len(first.values) if self.lengths is None else len(self.lengths)

    def pieces(self, key: Key, rows: np.ndarray) -> list[np.ndarray]:
        """A field of the sequences at ``rows``: a copy of all, or a view of the steps of each."""
        values = self.fields[key].values
        if isinstance(self.fields[key], Whole):
            return [values[rows]]
        assert self.lengths is not None
        assert self._ends is not None
        stops = self._ends[rows]
        return [values[a:b] for a, b in zip(stops - self.lengths[rows], stops, strict=True)]

    def change(self, key: Key, function: Callable[[np.ndarray], np.ndarray]) -> None:
        """Apply a function to the values of a field, without padding."""
        field = self.fields[key]
        self.fields[key] = type(field)(function(field.values))

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
    fields: dict[Key, Whole | Steps] = {}
    for key, field in parts[0][0].fields.items():
        pieces = [piece for pool, rows in parts for piece in pool.pieces(key, rows)]
        alone = pieces[0].copy() if isinstance(field, Steps) else pieces[0]
        fields[key] = type(field)(alone if len(pieces) == 1 else np.concatenate(pieces))
    lengths = [pool.lengths[rows] for pool, rows in parts if pool.lengths is not None]
    return Pool(fields, np.concatenate(lengths) if lengths else None)
