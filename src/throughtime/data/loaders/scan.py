"""The first look at a table: where its sequences begin, and whether it can be read in its order."""

from __future__ import annotations

import numpy as np

from throughtime.data.loaders.rows import Chunk, Rows
from throughtime.errors import DataError, sentence

__all__ = ["INTERLEAVED", "LARGE_GROUPS", "UNSORTED", "check_neighbours", "find_sequences"]

#: Why rows are regrouped.
INTERLEAVED = "The rows of one id do not lie together"
UNSORTED = "The rows of an id are not in the order of time"
LARGE_GROUPS = "The row groups are too large to be read one at a time"
#: Sequences after which ids are first searched for one that came before.
_FIRST_SEARCH = 1 << 18


def find_sequences(rows: Rows, most_bytes: int) -> np.ndarray | str:
    """Read the table once, and check every cell on the way.

    Parameters
    ----------
    most_bytes : int
        The largest row group that may be in memory as a whole.

    Returns
    -------
    ndarray of int64 of shape (N + 1,), or str
        The first row of each sequence, and the number of rows; or the reason why the rows must be
        regrouped.
    """
    if int(np.diff(rows.group_edges).max()) * rows.row_bytes > most_bytes:
        return LARGE_GROUPS
    starts: list[np.ndarray] = []
    seen: list[np.ndarray] = []
    count, search_at = 0, _FIRST_SEARCH
    last: Chunk | None = None
    few, *others = rows.slices
    for chunk in rows.chunks(0, len(rows), ordering=True, features=few):
        rows.see(chunk, few)
        joined = chunk if last is None else _after(last, chunk)
        assert joined.keys is not None
        numbers = joined.first + np.arange(len(joined.keys))
        same, backwards = check_neighbours(rows, numbers, joined)
        if backwards:
            return UNSORTED
        new = np.flatnonzero(~same) + 1
        if last is None:
            new = np.append(0, new)
        starts.append(joined.first + new)
        seen.append(_short(joined.keys[new]))
        count += len(new)
        last = _last_row(chunk)
        if count >= search_at:
            if _repeats(seen):
                return INTERLEAVED
            search_at = 2 * count
    if _repeats(seen):
        return INTERLEAVED
    for few in others:
        for chunk in rows.chunks(0, len(rows), features=few):  # it is checked
            rows.see(chunk, few)
    return np.concatenate([*starts, [len(rows)]])


def check_neighbours(rows: Rows, numbers: np.ndarray, chunk: Chunk) -> tuple[np.ndarray, bool]:
    """Compare each row with the one before it.

    Parameters
    ----------
    numbers : ndarray of shape (n,)
        The rows' numbers in the table.
    chunk : Chunk
        With keys.

    Returns
    -------
    same : ndarray of bool of shape (n - 1,)
        Whether a row has the id of the row before it.
    backwards : bool
        Whether the time of such a row is earlier.

    Raises
    ------
    DataError
        If a time comes twice within an id, or what belongs to a sequence is not the same in all
        of its rows.
    """
    roles = rows.roles
    assert chunk.keys is not None
    same = (chunk.keys[1:] == chunk.keys[:-1]).all(axis=1)
    backwards = False
    if chunk.time is not None:
        twice = same & (chunk.time[1:] == chunk.time[:-1])
        if twice.any():
            raise _twice(rows, numbers, int(np.argmax(twice)))
        backwards = bool((same & (chunk.time[1:] < chunk.time[:-1])).any())
    if not roles.by_step:
        for role, values in (("target", chunk.y), ("weight", chunk.weight)):
            if values is not None:
                other = values[1:] != values[:-1]
                differs = same & (other if other.ndim == 1 else other.any(axis=1))
                if differs.any():
                    raise _differs(rows, numbers, int(np.argmax(differs)), role)
    return same, backwards


def _twice(rows: Rows, numbers: np.ndarray, index: int) -> DataError:
    roles = rows.roles
    assert roles.time is not None
    one, other = (int(n) for n in numbers[index : index + 2])
    cell, name = rows.cell(roles.time, other), rows.cell(roles.id, other)
    return DataError(
        sentence(
            f"time column {roles.time!r}",
            "each time once within an id",
            f"{cell} twice for id {name}, in {_rows(rows, one, other)}",
            "Drop or combine such rows before.",
            must="hold",
            parameter="time",
        )
    )


def _differs(rows: Rows, numbers: np.ndarray, index: int, role: str) -> DataError:
    roles = rows.roles
    names = roles.targets if role == "target" else (roles.weight or "",)
    one, other = (int(n) for n in numbers[index : index + 2])
    cells = [(name, rows.cell(name, one), rows.cell(name, other)) for name in names]
    name, a, b = next((c for c in cells if c[1] != c[2]), cells[0])
    return DataError(
        sentence(
            f"{role} column {name!r}",
            "one value for each id",
            f"{a} and {b} for id {rows.cell(roles.id, other)}, in {_rows(rows, one, other)}",
            "If there is one for each row, write target_per='step'.",
            must="hold",
            parameter=role,
        )
    )


def _rows(rows: Rows, one: int, other: int) -> str:
    """Two rows in words."""
    (file, a), (last, b) = rows.where(one), rows.where(other)
    if file == last:
        return f"rows {min(a, b)} and {max(a, b)} of {file}"
    return f"row {a} of {file} and row {b} of {last}"


def _last_row(chunk: Chunk) -> Chunk:
    parts = [None if part is None else part[-1:].copy() for part in chunk[1:]]
    # Columns that a chunk always has are not None; a list of all says less.
    return Chunk(chunk.first + len(chunk.x) - 1, *parts)  # type: ignore[arg-type]


def _after(last: Chunk, chunk: Chunk) -> Chunk:
    """A chunk, with the row before it."""
    pairs = zip(last[2:], chunk[2:], strict=True)  # the features are not compared
    parts = [None if b is None else np.concatenate([a, b]) for a, b in pairs]
    return Chunk(last.first, chunk.x, *parts)


def _short(keys: np.ndarray) -> np.ndarray:
    """Keys in 64 bits: a mistake here only has rows regrouped that need not be."""
    return keys[:, 0] ^ (keys[:, 1] * np.uint64(0x9E3779B97F4A7C15))


def _repeats(seen: list[np.ndarray]) -> bool:
    seen[:] = [np.sort(np.concatenate(seen))]
    return bool((seen[0][1:] == seen[0][:-1]).any())
