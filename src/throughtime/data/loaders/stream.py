"""Sequences that lie one after another in Parquet files."""

from __future__ import annotations

import numpy as np

from throughtime.data.loaders.flat import BLOCK_BYTES, rows_of
from throughtime.data.loaders.pool import Key, Pool, Steps, Whole
from throughtime.data.loaders.rows import Rows

__all__ = ["RowStore"]


class RowStore:
    """Rows of which each sequence has some; see :class:`throughtime.data.loaders.loader.Store`.

    Parameters
    ----------
    rows : Rows
    starts : ndarray of int64 of shape (N + 1,)
        The first row of each sequence, and the number of rows.
    """

    def __init__(self, rows: Rows, starts: np.ndarray, name: str, notes: tuple[str, ...]) -> None:
        self._rows = rows
        self._starts = starts
        # A block is some row groups, with all sequences that begin in them.
        groups = _merged(rows.group_edges, BLOCK_BYTES // rows.row_bytes)
        self.edges = np.unique(np.searchsorted(starts, groups))
        self.block_bytes = np.diff(starts[self.edges]) * rows.row_bytes
        self.features: tuple[str, ...] | None = rows.roles.features
        self.n_features: int | None = len(rows.roles.features)
        self.ragged = True
        self.classes = rows.classes
        self.name, self.notes = name, notes

    def read(self, blocks: list[np.ndarray]) -> Pool:
        """Read sequences."""
        starts, roles = self._starts, self._rows.roles
        chosen = np.concatenate(blocks)
        lengths = starts[chosen + 1] - starts[chosen]
        count = int(lengths.sum())
        x = np.empty((count, len(roles.features)), roles.dtype)
        flat: dict[str, np.ndarray] = {}
        for few in self._rows.slices:
            done = 0
            for block in blocks:
                wanted = rows_of(starts, block)
                begin, end = int(wanted[0]), int(wanted[-1]) + 1
                for chunk in self._rows.chunks(begin, end, features=few):
                    here: slice | np.ndarray = slice(None)
                    if not isinstance(wanted, range):
                        stop = chunk.first + len(chunk.x)
                        a, b = np.searchsorted(wanted, [chunk.first, stop])
                        here = wanted[a:b] - chunk.first
                    part = chunk.x[here]
                    to = slice(done, done + len(part))
                    x[to, few] = part
                    for name, values in (("y", chunk.y), ("weight", chunk.weight)):
                        if values is not None:
                            if name not in flat:
                                flat[name] = np.empty((count, *values.shape[1:]), values.dtype)
                            flat[name][to] = values[here]
                    done += len(part)
        fields: dict[Key, Whole | Steps] = {"x": Steps(x)}
        heads = np.cumsum(lengths) - lengths
        for name, values in flat.items():
            fields[name] = Steps(values) if roles.by_step else Whole(values[heads])
        return Pool(fields, lengths)

    def ids(self) -> np.ndarray:
        """The ids of the table."""
        return self._rows.ids(self._starts[:-1])

    def ahead(self, blocks: list[np.ndarray]) -> None:
        """Nothing: what is read of a Parquet file is compressed, and decoding takes longer."""


def _merged(edges: np.ndarray, least: int) -> np.ndarray:
    """Some of the edges, so that what lies between is at least ``least`` long where possible."""
    kept = [0]
    for edge in edges[1:-1]:
        if edge - kept[-1] >= least:
            kept.append(int(edge))
    return np.array([*kept, int(edges[-1])])
