"""A column of a chunk of a Parquet file to an array of NumPy, or a sentence that says why not."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np

from throughtime.data.loaders.roles import kind_of, plain
from throughtime.errors import DataError, describe, import_extra, sentence

__all__ = ["Place", "class_ids", "entries", "keys", "numbers", "texts", "times"]

#: Classes that a message names.
_MOST_NAMED = 10


class Place(NamedTuple):
    """Where a chunk of a column stands, for messages.

    Attributes
    ----------
    file : str
    role, name : str
        What the column is for, and its name.
    row : int
        The number of the chunk's first row in the file, from 1.
    """

    file: str
    role: str
    name: str
    row: int

    def refuse(
        self, expected: str, got: str, index: int, hint: str = "", more: str = ""
    ) -> DataError:
        """The error for the entry ``index`` of the chunk; ``more`` follows its row."""
        return DataError(
            sentence(
                f"{self.role} column {self.name!r} of {self.file}",
                expected,
                f"{got} in row {self.row + index}{more}",
                hint,
                must="hold",
                parameter=self.role,
            )
        )


def _others(place: Place) -> str:
    """How many more rows of the file lack a value, as far as its footer knows."""
    parquet = import_extra("pyarrow.parquet", "cli", "Reading a Parquet file")
    footer = parquet.read_metadata(place.file)
    paths = [footer.schema.column(k).path for k in range(footer.num_columns)]
    k = paths.index(place.name)
    count = -1  # without the first one
    for g in range(footer.num_row_groups):
        statistics = footer.row_group(g).column(k).statistics
        if statistics is None or not statistics.has_null_count:
            return ""
        count += statistics.null_count
    return f", and in {count:,} more" if count > 0 else ""


def _whole(place: Place, column: Any, hint: str) -> Any:
    """The column without its dictionary; nulls are refused."""
    pa = import_extra("pyarrow", "cli", "Reading a Parquet file")
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.cast(plain(column.type))
    if column.null_count:
        index = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        more = f", counted from 1{_others(place)}"
        raise place.refuse("a value in every row", "nothing", index, hint, more)
    return column


def numbers(place: Place, column: Any, dtype: np.dtype) -> np.ndarray:
    """A column of numbers or booleans; what is missing or does not fit ``dtype`` is refused."""
    pa = import_extra("pyarrow", "cli", "Reading a Parquet file")
    hint = "Fill missing values, or drop these rows, before."
    column = _whole(place, column, hint)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    values = column.to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore", under="ignore"):
        found = values.astype(dtype, copy=False)
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        index = int(np.argmin(np.isfinite(found)))
        cell = values[index]
        if np.isfinite(cell):
            way = "Scale the column, or use dtype='float64'."
            raise place.refuse(f"numbers that fit into {dtype}", f"{cell}", index, way)
        raise place.refuse("finite numbers", f"{cell}", index, hint)
    if values.dtype == np.uint64 and found.dtype == np.int64 and (found < 0).any():
        index = int(np.argmax(found < 0))
        raise place.refuse("integers that fit into int64", f"{values[index]}", index)
    return found


def texts(place: Place, column: Any) -> set[Any]:
    """The different entries of a column of classes."""
    column = _whole(place, column, "Drop rows without a class before.")
    return set(column.unique().to_pylist())


def class_ids(place: Place, column: Any, ids: dict[Any, int]) -> np.ndarray:
    """A column of classes as their numbers."""
    column = _whole(place, column, "Drop rows without a class before.").dictionary_encode()
    entries = column.dictionary.to_pylist()
    table = np.array([ids.get(entry, -1) for entry in entries], dtype=np.int64)
    found = table[column.indices.to_numpy(zero_copy_only=False)]
    if (table < 0).any():
        index = int(np.argmax(found < 0))
        known = [describe(entry) for entry in ids]
        words = ", ".join(known[:_MOST_NAMED]) + (", ..." if len(known) > _MOST_NAMED else "")
        raise place.refuse(
            f"one of the classes {words}",
            describe(column[index].as_py()),
            index,
            "Drop such rows before, or train with this class too.",
        )
    return found


def entries(place: Place, column: Any, rows: np.ndarray) -> np.ndarray:
    """Some entries of a column as they are."""
    return _whole(place, column, "").take(rows).to_numpy(zero_copy_only=False)


def times(place: Place, column: Any) -> np.ndarray:
    """A column that orders rows, as int64 or float64. A time zone makes no difference."""
    pa = import_extra("pyarrow", "cli", "Reading a Parquet file")
    column = _whole(place, column, "Drop rows without a time before.")
    if kind_of(column.type) == "time":
        if column.type.bit_width == 32:
            column = column.cast(pa.int32())
        return column.cast(pa.int64()).to_numpy()
    return numbers(place, column, np.dtype("int64" if kind_of(column.type) == "integer" else "f8"))


def keys(place: Place, column: Any) -> np.ndarray:
    """A column of ids as 128-bit keys, of shape (n, 2) and dtype uint64: equal ids, equal keys.

    Whole numbers and times are their own key. Text has a hash of so many bits that no two texts
    share one.
    """
    pa = import_extra("pyarrow", "cli", "Reading a Parquet file")
    column = _whole(place, column, "Drop rows without an id before.")
    found = np.zeros((len(column), 2), dtype=np.uint64)
    kind = kind_of(column.type)
    if kind in ("text", "bytes") or pa.types.is_decimal(column.type):
        if kind == "number":
            column = column.cast(pa.string())
        encoded = column.cast(pa.large_binary()).dictionary_encode()
        hashes = [
            hashlib.blake2b(entry, digest_size=16).digest()
            for entry in encoded.dictionary.to_pylist()
        ]
        table = np.frombuffer(b"".join(hashes), dtype="<u8").reshape(-1, 2)
        return table[encoded.indices.to_numpy(zero_copy_only=False)].astype(np.uint64, copy=False)
    if kind == "number":
        values = numbers(place, column, np.dtype("float64")) + 0.0  # -0.0 is 0.0
        found[:, 0] = values.view(np.uint64)
    elif kind == "bool":
        found[:, 0] = column.to_numpy(zero_copy_only=False)
    elif kind == "integer":
        found[:, 0] = column.to_numpy().astype(np.uint64)
    else:
        found[:, 0] = times(place, column).view(np.uint64)
    return found
