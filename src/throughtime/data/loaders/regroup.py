"""The rows of a table, brought together by id in files of their own, in bounded memory.

Rows are first dealt into buckets by a hash of their id, so that all rows of an id are in one of
them. Then each bucket is sorted by id and time, and appended to the arrays of the result.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from throughtime.data.loaders.rows import Chunk, Rows
from throughtime.data.loaders.scan import check_neighbours
from throughtime.errors import DataError, sentence

__all__ = ["regroup"]

#: Bytes of a bucket. Sorting it needs some times as much memory.
_BUCKET = 24 << 20


def regroup(rows: Rows, folder: Path) -> None:
    """Write ``x.npy``, ``y.npy``, ``weight.npy`` and ``lengths.npy`` into an empty folder.

    Also ``rows.npy``, the number of the first row of each sequence in the table.
    Sequences come in an order that depends on their ids alone.

    Raises
    ------
    DataError
        If a cell cannot be used, or there is no room on the disk.
    """
    first = next(rows.chunks(0, 1, ordering=True))
    record = _record(first)
    wanted, free = len(rows) * record.itemsize, shutil.disk_usage(folder).free
    if wanted > free:
        hint = "Name a folder on another disk: cache=..."
        expected, got = f"{wanted / 1e9:.1f} GB free to regroup rows", f"{free / 1e9:.1f} GB"
        raise DataError(
            sentence(f"the disk of {folder}", expected, got, hint, must="have", parameter="cache")
        )
    count = -(-wanted // _BUCKET)
    buckets = [folder / f"bucket-{k}" for k in range(count)]
    try:
        held: list[np.ndarray] = []
        for chunk in rows.chunks(0, len(rows), ordering=True):
            rows.see(chunk, slice(None))
            held.append(_as_records(chunk, record))
            if sum(map(len, held)) * record.itemsize >= _BUCKET:
                _deal(held, buckets)
        _deal(held, buckets)
        _collect(rows, folder, buckets, record)
    except OSError as error:  # reading has errors of its own
        got = error.strerror or str(error)
        raise DataError(
            sentence(f"the disk of {folder}", "writable", got, parameter="cache")
        ) from None


def _record(chunk: Chunk) -> np.dtype:
    """The dtype of a row in a bucket."""
    fields: list[tuple[Any, ...]] = [("number", np.int64)]
    for name, part in chunk._asdict().items():
        if name != "first" and part is not None:
            fields.append((name, part.dtype, part.shape[1:]))
    return np.dtype(fields)


def _as_records(chunk: Chunk, record: np.dtype) -> np.ndarray:
    found = np.empty(len(chunk.x), record)
    found["number"] = chunk.first + np.arange(len(chunk.x))
    for name in record.names or ():
        if name != "number":
            found[name] = getattr(chunk, name)
    return found


def _deal(held: list[np.ndarray], buckets: list[Path]) -> None:
    """Append rows to the buckets of their ids."""
    if not held:
        return
    records = np.concatenate(held)
    held.clear()
    keys = records["keys"]
    mixed = (keys[:, 0] ^ keys[:, 1]) * np.uint64(0x9E3779B97F4A7C15)  # spreads ids that count up
    own = (mixed >> np.uint64(32)) % np.uint64(len(buckets))
    order = np.argsort(own, kind="stable")
    bounds = np.searchsorted(own[order], np.arange(len(buckets) + 1))
    for path, a, b in zip(buckets, bounds[:-1], bounds[1:], strict=True):
        if b > a:
            with path.open("ab") as stream:
                records[order[a:b]].tofile(stream)


def _collect(rows: Rows, folder: Path, buckets: list[Path], record: np.dtype) -> None:
    """Sort each bucket, and append its sequences to the result."""
    by_step = rows.roles.by_step
    flat = ["x"] + [name for name in ("y", "weight") if by_step and name in (record.names or ())]
    whole = [name for name in ("y", "weight") if not by_step and name in (record.names or ())]
    lengths: list[np.ndarray] = []
    firsts: list[np.ndarray] = []
    entries: dict[str, list[np.ndarray]] = {name: [] for name in whole}
    for name in flat:
        _begin(folder / f"{name}.npy", record[name], len(rows))
    for path in buckets:
        if not path.exists():
            continue
        records = np.fromfile(path, record)
        path.unlink()
        keys = records["keys"]
        by = (keys[:, 0], keys[:, 1])
        names = record.names or ()
        records = records[np.lexsort((records["time"], *by) if "time" in names else by)]
        parts: list[Any] = [records[one] if one in names else None for one in Chunk._fields[1:]]
        chunk = Chunk(0, *parts)
        same, _ = check_neighbours(rows, records["number"], chunk)
        starts = np.append(0, np.flatnonzero(~same) + 1)
        lengths.append(np.diff(np.append(starts, len(records))))
        firsts.append(records["number"][starts])
        for name in flat:
            with (folder / f"{name}.npy").open("ab") as stream:
                np.ascontiguousarray(records[name]).tofile(stream)
        for name in whole:
            entries[name].append(records[name][starts])
    np.save(folder / "lengths.npy", np.concatenate(lengths))
    np.save(folder / "rows.npy", np.concatenate(firsts))
    for name, values in entries.items():
        np.save(folder / f"{name}.npy", np.concatenate(values))


def _begin(path: Path, kind: np.dtype, rows: int) -> None:
    """Write the header of an array whose rows are appended later."""
    base, shape = kind.subdtype if kind.subdtype is not None else (kind, ())
    header = {
        "descr": np.lib.format.dtype_to_descr(base),
        "fortran_order": False,
        "shape": (rows, *shape),
    }
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
