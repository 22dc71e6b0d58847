"""Spreadsheets: the first sheet of an .xlsx or .ods workbook that holds a table."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from typing import Any

import numpy as np

from throughtime.data.tables.cells import MAX_CELLS, Column, Columns, unique_names
from throughtime.data.tables.sources import MAX_UNPACKED
from throughtime.errors import DataError, import_extra

__all__ = ["read_workbook"]

_CHUNK = 1 << 20
_REFERENCE = re.compile(
    rb'<c [^>]*?r="([A-Z]{1,3})(\d{1,7})"|<dimension ref="[A-Z0-9]*:?([A-Z]{1,3})(\d{1,7})"'
)


def read_workbook(name: str, data: bytes) -> Columns:
    """Read the first sheet that is not empty.

    Raises
    ------
    DataError
        It is damaged, unpacks to too much, or holds no table.
    """
    calamine = import_extra("python_calamine", "tables", "Reading a spreadsheet")
    _check_size(name, data)
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = [(sheet, book.get_sheet_by_name(sheet).to_python()) for sheet in book.sheet_names]
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # calamine has kinds of its own, and panics are no Exception
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else "damaged"
        raise DataError(f"{name} must be a whole spreadsheet; got: {reason}.") from None
    filled = [
        (sheet, rows) for sheet, rows in sheets if any(any(_text(c) for c in r) for r in rows)
    ]
    if not filled:
        raise DataError(f"{name} must hold a table; all its sheets are empty.")
    sheet, rows = filled[0]
    notes = []
    if len(filled) > 1:
        others = ", ".join(repr(other) for other, _ in filled[1:4])
        notes.append(f"The sheet {sheet!r} is read; {others} not.")
    return _table(name, rows, notes)


def _check_size(name: str, data: bytes) -> None:
    """Refuse a workbook that unpacks to too much, or a sheet with too many cells."""
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for part in archive.infolist():
                sheet = "worksheets/" in part.filename
                width = height = 0
                tail = b""
                with archive.open(part) as stream:
                    while chunk := stream.read(_CHUNK):
                        total += len(chunk)
                        if total > MAX_UNPACKED:
                            raise DataError(
                                f"{name} must unpack to at most {MAX_UNPACKED >> 20} MiB; got more."
                            )
                        if b"<!ENTITY" in tail + chunk:
                            raise DataError(
                                f"{name} must be a plain spreadsheet; it defines XML entities."
                            )
                        if sheet:
                            for found in _REFERENCE.finditer(tail + chunk):
                                column, row = found[1] or found[3], found[2] or found[4]
                                width = max(width, _number_of(column))
                                height = max(height, int(row))
                            if width * height > MAX_CELLS:
                                raise DataError(
                                    f"{name} must have at most {MAX_CELLS:,} cells in a sheet; got"
                                    f" {width:,} columns of {height:,} rows."
                                )
                        tail = chunk[-100:]
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{name} must be a whole spreadsheet; got: {error}.") from None


def _number_of(column: bytes) -> int:
    number = 0
    for letter in column:
        number = number * 26 + letter - 64
    return number


def _table(name: str, rows: list[list[Any]], notes: list[str]) -> Columns:
    filled = [(i, row) for i, row in enumerate(rows, 1) if any(_text(cell) for cell in row)]
    widths = [max(k for k, cell in enumerate(row, 1) if _text(cell)) for _, row in filled]
    usual = max(set(widths), key=lambda width: (widths.count(width), width))
    start = next((k for k, width in enumerate(widths) if width >= usual), 0)
    if start:
        said = "line" if start == 1 else f"{start} lines"
        notes.append(f"The {said} above the column names left out.")
    _, header = filled[start]
    body = filled[start + 1 :]
    width = widths[start]
    if not body:
        raise DataError(f"{name} must hold rows below its column names; got none.")
    for (line, _), own in zip(body, widths[start + 1 :], strict=True):
        if own > width:
            raise DataError(
                f"{name} must have {width} cells in every row, as its row of names has; got {own}"
                f" in row {line}."
            )
    names, renamed = unique_names(_text(cell) for cell in header[:width])
    columns: dict[str, Column] = {
        key: _column([row[place] for _, row in body]) for place, key in enumerate(names)
    }
    return Columns(columns, np.array([line for line, _ in body]), "", (*notes, *renamed))


def _column(cells: list[Any]) -> Column:
    """Times or numbers where all cells are, else text."""
    known = [cell for cell in cells if _text(cell)]
    if known and all(isinstance(cell, dt.date) for cell in known):
        return np.array([cell if _text(cell) else "NaT" for cell in cells], dtype="datetime64[us]")
    numbers = all(isinstance(cell, int | float) for cell in known)
    if known and numbers:
        return np.array([float(cell) if _text(cell) else np.nan for cell in cells])
    return [_text(cell) for cell in cells]


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.15g}"
    return str(cell).strip()
