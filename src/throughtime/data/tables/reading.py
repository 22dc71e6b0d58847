"""A file to columns: text as it stands for CSV, typed arrays for Parquet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from throughtime.data.tables.dates import parse_times
from throughtime.data.tables.numbers import UnreadableError, is_missing, parse_numbers
from throughtime.errors import DataError, import_extra

__all__ = ["Column", "Columns", "read_columns"]

Column = list[str] | np.ndarray

_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_JSON = re.compile(r'\s*(\{\s*"|\[\s*[\[{])')
_EXAMPLE = ("time", "value", "name")
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"\x89PNG": "a PNG picture",
    b"%PDF": "a PDF document",
}


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a file, by name and in order.

    Attributes
    ----------
    columns : dict of str to (list of str, or ndarray)
    rows : ndarray of int of shape (T,)
        The number of each row as people count it: in a CSV file the line it ends on.
    separator : str
        Empty for Parquet.
    notes : tuple of str
        Sentences about what had to be assumed or left out.
    """

    columns: dict[str, Column]
    rows: np.ndarray
    separator: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)


def read_columns(path: Path) -> Columns:
    """Read a CSV or a Parquet file; which of the two, its first bytes say.

    Raises
    ------
    DataError
        There is no such file, it cannot be read, it is empty, or it is no table.
    """
    if path.is_dir():
        raise DataError(f"{path} must be a file; got a folder.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} must be a CSV or Parquet file; there is no such file.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{path} must be readable; got: {reason}.") from None
    if data[:4] == b"PAR1":
        return _read_parquet(path, data)
    if path.suffix.lower() in (".parquet", ".pq"):
        raise DataError(f"{path} must be a Parquet file; its content is something else.")
    for signature, what in _SIGNATURES.items():
        if data.startswith(signature):
            raise DataError(f"{path} must be a CSV or Parquet file; it is {what}.")
    return _read_csv(path, _decode(path, data))


def _decode(path: Path, data: bytes) -> str:
    """Text in UTF-8, UTF-16 with a mark, or Windows-1252."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise DataError(f"{path} must be a CSV or Parquet file; it is binary.") from None
    control = sum(data.count(code) for code in range(32) if code not in (9, 10, 12, 13))
    if control > len(data) // 1000:
        raise DataError(f"{path} must be a CSV or Parquet file; it is binary.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _read_csv(path: Path, text: str) -> Columns:
    if not text.strip():
        raise DataError(f"{path} must hold a table; the file is empty.")
    if _JSON.match(text):
        raise DataError(f"{path} must be a CSV or Parquet file; it is JSON. Save it as CSV.")
    text, comments = _without_comments(text)
    separator = _sniff(text)
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    header: list[str] = []
    cells: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = row
                continue
            # A separator at the end of every line makes one empty cell more than there are names.
            while len(row) > len(header) and not row[-1].strip():
                row.pop()
            if len(row) != len(header):
                raise DataError(
                    f"{path} must have {len(header)} cells in every row, as its first row has; got"
                    f" {len(row)} in row {reader.line_num}."
                )
            cells.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(
            f"{path} must be a CSV file; row {reader.line_num} is damaged: {error}."
            " Look for a quotation mark that is never closed."
        ) from None
    if all(_is_number(name) for name in header):
        raise DataError(
            f"{path} must begin with a row of column names; got the numbers"
            f" {separator.join(header)!r}."
        )
    if not cells:
        raise DataError(f"{path} must hold rows below its column names; got none.")
    notes = _check_header(path, header, cells[0], separator)
    if comments:
        said = "line that starts" if comments == 1 else "lines that start"
        notes.append(f"{comments} {said} with # before the column names left out.")
    names = _unique(header)
    columns: dict[str, Column] = {
        name: list(column) for name, column in zip(names, zip(*cells, strict=True), strict=True)
    }
    return Columns(columns, np.array(lines), separator, tuple(notes))


def _without_comments(text: str) -> tuple[str, int]:
    """Blank the lines that start with # before the column names; how many there are.

    A last such line with as many cells as the next line has is the column names.
    """
    lines = text.splitlines(keepends=True)
    count = next((i for i, line in enumerate(lines) if not line.startswith("#")), 0)
    if count and count < len(lines):
        separator = _sniff("".join(lines[count:]))
        widths = [len(line.split(separator)) for line in lines[count - 1 : count + 1]]
        if widths[0] == widths[1] > 1:
            count -= 1
    # The lines stay, empty, so that rows keep their numbers.
    return "\n" * count + "".join(lines[count:]), count


def _check_header(path: Path, header: list[str], first: list[str], separator: str) -> list[str]:
    """Refuse, or mention, a first row that looks like the rows below it."""
    if any(_is_date(name) and _is_date(cell) for name, cell in zip(header, first, strict=True)):
        raise DataError(
            f"{path} must begin with a row of column names; got the values"
            f" {separator.join(header)!r}. Write names above them, for example"
            f" {separator.join(_EXAMPLE[: len(header)])!r}."
        )
    if any(_is_number(name) and _is_number(cell) for name, cell in zip(header, first, strict=True)):
        return [f"The first row, {separator.join(header)!r}, is taken as the column names."]
    return []


def _is_date(text: str) -> bool:
    try:
        return not _is_number(text) and parse_times([text]).values.dtype.kind == "M"
    except UnreadableError:
        return False


def _sniff(text: str) -> str:
    """The separator that cuts most of the first rows into as many cells as the first one."""
    sample = [line for line in text[:20_000].splitlines()[:50] if line.strip()]
    best, most = "\t", (0.0, 1)
    for separator in _SEPARATORS:
        try:
            widths = [len(row) for row in csv.reader(sample, delimiter=separator)]
        except csv.Error:
            continue
        fit = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if widths[0] > 1 and fit > most:
            best, most = separator, fit
    return best


def _is_number(text: str) -> bool:
    try:
        return not is_missing(text) and bool(np.isfinite(parse_numbers([text])).all())
    except UnreadableError:
        return False


def _unique(header: Iterable[str]) -> list[str]:
    """Names without blanks around them; an empty one gets a number, a repeated one too."""
    names: list[str] = []
    for place, cell in enumerate(header, 1):
        wanted = cell.strip() or f"column {place}"
        name, times = wanted, 1
        while name in names:
            times += 1
            name = f"{wanted} ({times})"
        names.append(name)
    return names


def _read_parquet(path: Path, data: bytes) -> Columns:
    pandas = import_extra("pandas", "cli", "Reading a Parquet file")
    import_extra("pyarrow", "cli", "Reading a Parquet file")
    try:
        frame = pandas.read_parquet(io.BytesIO(data), engine="pyarrow")
    except Exception as error:  # pyarrow has its own kinds, and OSError, for one damaged file
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise DataError(f"{path} must be a whole Parquet file; got: {reason}.") from None
    if any(name is not None for name in frame.index.names) or frame.index.dtype.kind == "M":
        frame = frame.reset_index()
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise DataError(f"{path} must hold rows; got a table of {frame.shape[0]} rows.")
    columns: dict[str, Column] = {}
    for place, name in enumerate(_unique(str(name) for name in frame.columns)):
        column = frame.iloc[:, place]
        kind = getattr(column.dtype, "kind", "O")
        if kind == "M":
            if getattr(column.dtype, "tz", None) is not None:
                column = column.dt.tz_convert("UTC").dt.tz_localize(None)
            columns[name] = column.to_numpy(dtype="datetime64[us]")
        elif kind in "iu" and not column.isna().any():
            columns[name] = column.to_numpy(dtype=np.int64)
        elif kind in "biuf":
            columns[name] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            columns[name] = ["" if pandas.isna(cell) else str(cell) for cell in column]
    return Columns(columns, np.arange(1, len(frame) + 1))
