"""A file to columns, whatever kind of file it is: its first bytes say which."""

from __future__ import annotations

import re
from pathlib import Path

from throughtime.data.tables.cells import Columns
from throughtime.data.tables.delimited import decode, read_delimited
from throughtime.data.tables.sources import not_a_table, read_bytes
from throughtime.data.tables.typed import read_arrow, read_json, read_parquet
from throughtime.data.tables.workbooks import read_workbook
from throughtime.errors import DataError

__all__ = ["read_columns"]

_JSON = re.compile(r'\s*(\{\s*"|\[\s*\{)')
_FOREIGN = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as .xlsx or CSV",
    b"\x89PNG": "a PNG picture",
    b"%PDF": "a PDF document",
}


def read_columns(path: Path) -> Columns:
    """Read a table: delimited text, Parquet, Arrow, JSON lines, a spreadsheet; packed or not.

    Raises
    ------
    DataError
        There is no such file, it cannot be read, it is empty, or it is no table.
    """
    source = read_bytes(path)
    name, data = source.name, source.data
    if data[:4] == b"PAR1":
        return read_parquet(name, data)
    if data[:6] == b"ARROW1" or source.suffix == ".arrows":
        return read_arrow(name, data)
    if source.suffix in (".parquet", ".pq"):
        raise DataError(f"{name} must be a Parquet file; its content is something else.")
    if data[:4] == b"PK\x03\x04":
        return read_workbook(name, data)
    for signature, what in _FOREIGN.items():
        if data.startswith(signature):
            raise not_a_table(name, what)
    text = decode(name, data)
    if _JSON.match(text[:10_000]):
        return read_json(name, text)
    return read_delimited(name, text)
