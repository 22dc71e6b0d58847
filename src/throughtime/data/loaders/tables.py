"""Sequences of rows: read from the Parquet files themselves, or from arrays made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from throughtime.data.loaders.arrays import ArrayFiles, open_arrays
from throughtime.data.loaders.npy import BLOCK_BYTES
from throughtime.data.loaders.pool import Key, Pool, Steps, Whole
from throughtime.data.loaders.rows import Rows

__all__ = ["FlatStore", "ParquetStore"]


class ParquetStore:
    """Sequences that lie one after another in Parquet files.

    See :class:`throughtime.data.loaders.loader.Store`.

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
        self.nbytes = len(rows) * rows.row_bytes
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
        done = 0
        for block in blocks:
            first, stop = int(block[0]), int(block[-1]) + 1
            wanted = None
            if stop - first > len(block):
                mark = np.zeros(stop - first, dtype=bool)
                mark[block - first] = True
                wanted = np.repeat(mark, np.diff(starts[first : stop + 1]))
            begin = int(starts[first])
            for chunk in self._rows.chunks(begin, int(starts[stop])):
                at = chunk.first - begin
                here = slice(None) if wanted is None else wanted[at : at + len(chunk.x)]
                part = chunk.x[here]
                x[done : done + len(part)] = part
                for name in ("y", "weight"):
                    values = getattr(chunk, name)
                    if values is not None:
                        shape = (count, *values.shape[1:])
                        flat.setdefault(name, np.empty(shape, values.dtype))
                        flat[name][done : done + len(part)] = values[here]
                done += len(part)
        fields: dict[Key, Whole | Steps] = {"x": Steps(x)}
        heads = np.cumsum(lengths) - lengths
        for name, values in flat.items():
            fields[name] = Steps(values) if roles.by_step else Whole(values[heads])
        return Pool(fields, lengths)

    def ahead(self, blocks: list[np.ndarray]) -> None:
        """Nothing: what is read of a Parquet file is compressed, and decoding takes longer."""


def _merged(edges: np.ndarray, least: int) -> np.ndarray:
    """Some of the edges, so that what lies between is at least ``least`` long where possible."""
    kept = [0]
    for edge in edges[1:-1]:
        if edge - kept[-1] >= least:
            kept.append(int(edge))
    return np.array([*kept, int(edges[-1])])


class FlatStore:
    """Sequences that lie one after another in ``.npy`` files, as :func:`regroup` writes them.

    See :class:`throughtime.data.loaders.loader.Store`.
    """

    def __init__(
        self,
        folder: Path,
        features: tuple[str, ...],
        classes: np.ndarray | None,
        name: str,
        notes: tuple[str, ...],
    ) -> None:
        self._x = open_arrays("x", [str(folder / "x.npy")])
        more = [one for one in ("y", "weight") if (folder / f"{one}.npy").exists()]
        self._more = {one: open_arrays(one, [str(folder / f"{one}.npy")]) for one in more}
        lengths = open_arrays("lengths", [str(folder / "lengths.npy")])
        n = lengths.shape[0]
        self._starts = np.append(0, np.cumsum(lengths.read([range(n)])))
        rows = np.arange(0, self._x.shape[0], max(1, BLOCK_BYTES // self._x.row_bytes))
        self.edges = np.unique(np.append(np.searchsorted(self._starts, rows), n))
        self.nbytes = self._x.nbytes + sum(field.nbytes for field in self._more.values())
        self.features: tuple[str, ...] | None = features
        self.n_features: int | None = len(features)
        self.classes = classes
        self.ragged = True
        self.name, self.notes = name, notes

    def _by_step(self, field: ArrayFiles) -> bool:
        return field.shape[0] == self._x.shape[0]

    def read(self, blocks: list[np.ndarray]) -> Pool:
        """Read sequences."""
        chosen = np.concatenate(blocks)
        steps = [self._steps(block) for block in blocks]
        fields: dict[Key, Whole | Steps] = {"x": Steps(self._x.read(steps))}
        for name, field in self._more.items():
            if self._by_step(field):
                fields[name] = Steps(field.read(steps))
            else:
                fields[name] = Whole(field.read(blocks))
        return Pool(fields, self._starts[chosen + 1] - self._starts[chosen])

    def _steps(self, block: np.ndarray) -> np.ndarray | range:
        """The rows of the sequences of a block."""
        first, stop = int(block[0]), int(block[-1]) + 1
        begin, end = int(self._starts[first]), int(self._starts[stop])
        if stop - first == len(block):
            return range(begin, end)
        mark = np.zeros(stop - first, dtype=bool)
        mark[block - first] = True
        return begin + np.flatnonzero(np.repeat(mark, np.diff(self._starts[first : stop + 1])))

    def ahead(self, blocks: list[np.ndarray]) -> None:
        """Tell the system what is read next."""
        self._x.ahead([self._steps(block) for block in blocks])
