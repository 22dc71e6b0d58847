"""Files whose columns have types: Parquet, Arrow, JSON lines."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from throughtime.data.tables.cells import (
    MAX_CELLS,
    MAX_COLUMNS,
    Column,
    Columns,
    too_many_columns,
    unique_names,
)
from throughtime.errors import DataError, import_extra

__all__ = ["read_arrow", "read_json", "read_parquet"]


def read_parquet(name: str, data: bytes) -> Columns:
    """Read a Parquet file."""
    parquet = import_extra("pyarrow.parquet", "cli", "Reading a Parquet file")
    return _from_arrow(name, "Parquet", lambda: parquet.read_table(io.BytesIO(data)))


def read_arrow(name: str, data: bytes) -> Columns:
    """Read an Arrow (Feather) file or stream."""
    ipc = import_extra("pyarrow.ipc", "cli", "Reading an Arrow file")
    if data.startswith(b"ARROW1"):
        return _from_arrow(name, "Arrow", lambda: ipc.open_file(data).read_all())
    return _from_arrow(name, "Arrow", lambda: ipc.open_stream(data).read_all())


def _from_arrow(name: str, kind: str, read: Any) -> Columns:
    try:
        table = read()
    except Exception as error:  # pyarrow has its own kinds, and OSError, for one damaged file
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise DataError(f"{name} must be a whole {kind} file; got: {reason}.") from None
    if table.num_rows == 0 or table.num_columns == 0:
        raise DataError(f"{name} must hold rows; got a table of {table.num_rows} rows.")
    header = ["" if one.startswith("__index_level_") else one for one in table.column_names]
    names, notes = unique_names(header)
    columns: dict[str, Column] = {}
    for place, key in enumerate(names):
        columns[key] = _arrow_column(name, key, table.column(place))
    return Columns(columns, np.arange(1, table.num_rows + 1), "", tuple(notes))


def _arrow_column(name: str, key: str, column: Any) -> Column:
    pa = import_extra("pyarrow", "cli", "Reading a table")
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _arrow_times(name, key, column)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    if pa.types.is_integer(kind) and column.null_count == 0:
        values = column.to_numpy()
        if values.dtype == np.uint64 and len(values) and int(values.max()) > np.iinfo(np.int64).max:
            return values.astype(np.float64)
        return values.astype(np.int64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or column.type == pa.int8():
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    if pa.types.is_nested(kind) or "binary" in str(kind):
        # Text that is no number: who asks for this column is told what it holds.
        return [f"<{kind}>"] * len(column)
    return ["" if cell is None else str(cell) for cell in column.to_pylist()]


def _arrow_times(name: str, key: str, column: Any) -> np.ndarray:
    pa = import_extra("pyarrow", "cli", "Reading a table")
    try:
        # Nanoseconds may be cut off; seconds that do not fit must not become other ones.
        nano = pa.types.is_timestamp(column.type) and column.type.unit == "ns"
        micro = column.cast(pa.timestamp("us"), safe=not nano)
    except pa.ArrowException as error:
        raise DataError(
            f"column {key!r} of {name} must hold times between the years 1 and 9999; got: {error}."
        ) from None
    values = micro.to_numpy().astype("datetime64[us]")
    known = values[~np.isnat(values)]
    limits = np.array(["0001-01-01", "9999-12-31"], dtype="datetime64[us]")
    if len(known) and (known.min() < limits[0] or known.max() > limits[1]):
        odd = known.min() if known.min() < limits[0] else known.max()
        raise DataError(
            f"column {key!r} of {name} must hold times between the years 1 and 9999; got {odd}."
        )
    return values


def read_json(name: str, text: str) -> Columns:
    """Read JSON: one object a line, or one array of objects."""
    if text.lstrip().startswith("["):
        found, lines = _array(name, text), None
    else:
        pairs = [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
        lines = [i for i, _ in pairs]
        found = [_object(name, i, line) for i, line in pairs]
    if isinstance(found, list) and found and all(isinstance(row, dict) for row in found):
        keys = list(dict.fromkeys(key for row in found for key in row))
        if len(keys) > MAX_COLUMNS:
            raise DataError(too_many_columns(name, len(keys)))
        if len(keys) * len(found) > MAX_CELLS:
            raise DataError(
                f"{name} must have at most {MAX_CELLS:,} cells; got {len(found):,} objects with"
                f" {len(keys):,} different names in them."
            )
        names, notes = unique_names(keys)
        columns: dict[str, Column] = {
            own: _json_column([row.get(key) for row in found])
            for own, key in zip(names, keys, strict=True)
        }
        rows = np.arange(1, len(found) + 1) if lines is None else np.array(lines)
        return Columns(columns, rows, "", tuple(notes))
    raise DataError(
        f"{name} must hold one JSON object a line, or an array of objects; got other JSON."
    )


def _array(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: a number of 5,000 digits
        place = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(
            f"{name} must hold one JSON object a line, or an array of objects; it is damaged"
            f"{place}."
        ) from None


def _object(name: str, line: int, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(
            f"{name} must hold one JSON object a line; line {line} is damaged."
        ) from None


def _json_column(cells: list[Any]) -> Column:
    """Numbers where all cells are, else text."""
    plain = all(
        cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))
        for cell in cells
    )
    if plain and any(cell is not None for cell in cells):
        if all(isinstance(cell, int) and abs(cell) < 2**63 for cell in cells):
            return np.array(cells, dtype=np.int64)
        return np.array([np.nan if cell is None else _float(cell) for cell in cells])
    texts = []
    for cell in cells:
        nested = isinstance(cell, dict | list)
        texts.append(f"<{type(cell).__name__}>" if nested else "" if cell is None else str(cell))
    return texts


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number of more than 308 digits
        return np.inf
