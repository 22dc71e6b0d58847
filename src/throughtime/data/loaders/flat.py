"""Sequences that lie one after another in ``.npy`` files, each with its own number of steps."""

from __future__ import annotations

import numpy as np

from throughtime.data.loaders.arrays import ArrayFiles
from throughtime.data.loaders.pool import Key, Pool, Steps, Whole
from throughtime.data.loaders.rows import Rows

__all__ = ["BLOCK_BYTES", "FlatStore", "rows_of"]

#: Bytes of a block: a disk with a head reads it in about the time in which it finds it.
BLOCK_BYTES = 1 << 20


class FlatStore:
    """Rows of which each sequence has some; see :class:`throughtime.data.loaders.loader.Store`.

    Parameters
    ----------
    x : ArrayFiles
        Of shape (R, F): the steps of all sequences.
    more : dict of str to ArrayFiles
        Other fields, with R rows or with one for each sequence.
    lengths : ndarray of int64 of shape (N,)
        Their sum is R.
    by_step : bool, optional
        Whether the other fields have R rows; by default their shapes say so.
    block_size : int, optional
        Sequences in a block; by default as many as have :data:`BLOCK_BYTES`.
    table : pair of Rows and ArrayFiles, optional
        The table of which the sequences were made, and the first row of each.
    """

    def __init__(
        self,
        x: ArrayFiles,
        more: dict[str, ArrayFiles],
        lengths: np.ndarray,
        name: str,
        *,
        by_step: bool | None = None,
        block_size: int | None = None,
        features: tuple[str, ...] | None = None,
        classes: np.ndarray | None = None,
        notes: tuple[str, ...] = (),
        table: tuple[Rows, ArrayFiles] | None = None,
    ) -> None:
        self._table = table
        self._x, self._more = x, more
        n = len(lengths)
        whole = [name for name, field in more.items() if field.shape[0] == n]
        self._whole = [] if by_step else whole
        self._starts = np.append(0, np.cumsum(lengths, dtype=np.int64))
        if block_size is None:
            rows = np.arange(0, x.shape[0], max(1, BLOCK_BYTES // x.row_bytes))
            self.edges = np.unique(np.append(np.searchsorted(self._starts, rows), [0, n]))
        else:
            self.edges = np.append(np.arange(0, n, block_size), n)
        total = x.nbytes + sum(field.nbytes for field in more.values())
        self.block_bytes = np.diff(self._starts[self.edges]) * (total / x.shape[0])
        self.n_features: int | None = x.shape[1] if len(x.shape) == 2 else None
        self.ragged = True
        self.features, self.classes = features, classes
        self.name, self.notes = name, notes

    def read(self, blocks: list[np.ndarray]) -> Pool:
        """Read sequences."""
        chosen = np.concatenate(blocks)
        steps = [rows_of(self._starts, block) for block in blocks]
        fields: dict[Key, Whole | Steps] = {"x": Steps(self._x.read(steps))}
        for name, field in self._more.items():
            if name in self._whole:
                fields[name] = Whole(field.read(blocks))
            else:
                fields[name] = Steps(field.read(steps))
        return Pool(fields, self._starts[chosen + 1] - self._starts[chosen])

    def ids(self) -> np.ndarray:
        """The ids of the table, or else the places of the sequences, from 0."""
        if self._table is None:
            return np.arange(self.edges[-1])
        rows, first = self._table
        return rows.ids(first.read([range(first.shape[0])]))

    def ahead(self, blocks: list[np.ndarray]) -> None:
        """Tell the system what is read next."""
        self._x.ahead([rows_of(self._starts, block) for block in blocks])


def rows_of(starts: np.ndarray, block: np.ndarray) -> np.ndarray | range:
    """The rows of the sequences ``block``, ascending; ``starts`` has the first one of each."""
    first, stop = int(block[0]), int(block[-1]) + 1
    begin = int(starts[first])
    if stop - first == len(block):
        return range(begin, int(starts[stop]))
    mark = np.zeros(stop - first, dtype=bool)
    mark[block - first] = True
    return begin + np.flatnonzero(np.repeat(mark, np.diff(starts[first : stop + 1])))
