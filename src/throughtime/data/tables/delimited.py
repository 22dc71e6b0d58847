"""Text to columns: the separator, the row of names, the lines above it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

import numpy as np

from throughtime.data.tables.cells import (
    MAX_COLUMNS,
    Column,
    Columns,
    too_many_columns,
    unique_names,
)
from throughtime.data.tables.dates import share_of_times
from throughtime.data.tables.numbers import is_missing, is_number
from throughtime.data.tables.sources import not_a_table
from throughtime.errors import DataError

__all__ = ["decode", "read_delimited"]

_SEPARATORS = ",;\t|"
_EXAMPLE = ("time", "value", "name")
_SEP_LINE = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
#: Lines that are looked at to find the separator.
_SAMPLE = 60


def decode(name: str, data: bytes) -> str:
    """Text in UTF-8, UTF-16 with a mark, or Windows-1252."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            raise not_a_table(name, "binary") from None
        if data[2:4] == b"\0\0":
            raise DataError(f"{name} must be in UTF-8 or UTF-16; it is in UTF-32.")
        return text
    sample = data[: 1 << 20]
    control = sum(sample.count(code) for code in range(32) if code not in (0, 9, 10, 12, 13, 26))
    if control > len(sample) // 1000 or sample.count(0) > len(sample) // 20:
        raise not_a_table(name, "binary")
    try:
        return data.decode("utf-8-sig").lstrip("\ufeff")  # some programs write the mark twice
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def read_delimited(name: str, text: str) -> Columns:
    """Read a table of text.

    Raises
    ------
    DataError
        It is empty, has rows of different lengths, or no row of names.
    """
    if not text.strip():
        raise DataError(f"{name} must hold a table; the file is empty.")
    notes: list[str] = []
    if "\r" in text:  # of Windows, of old Macintosh programs, or of both in one file
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.rstrip("\x1a")  # the end of a file, to DOS
    text, told = _separator_line(text)
    text, comments = _without_comments(text, told)
    separator = told or _sniff(text)
    rows, lines = _rows(name, text, separator)
    if not rows:
        raise DataError(f"{name} must hold a table; the file is empty.")
    start = _header_row(rows)
    if start:
        said = "line" if start == 1 else f"{start} lines"
        notes.append(f"The {said} above the column names ({', '.join(rows[0])[:60]!r}) left out.")
    header, cells, lines = rows[start], rows[start + 1 :], lines[start + 1 :]
    cells = _even(name, header, cells, lines)
    if all(_is_number(cell) for cell in header):
        raise DataError(
            f"{name} must begin with a row of column names; got the numbers"
            f" {separator.join(header)!r}."
        )
    if not cells:
        raise DataError(f"{name} must hold rows below its column names; got none.")
    notes += _check_header(name, header, cells[0], separator)
    if comments:
        said = "line that starts" if comments == 1 else "lines that start"
        notes.append(f"{comments} {said} with # before the column names left out.")
    names, renamed = unique_names(header)
    notes += renamed
    columns: dict[str, Column] = {
        key: list(column) for key, column in zip(names, zip(*cells, strict=True), strict=True)
    }
    return Columns(columns, np.array(lines), separator, tuple(notes))


def _separator_line(text: str) -> tuple[str, str]:
    """The text with its line ``sep=;`` blanked, and the separator that it names."""
    first, end, rest = text.partition("\n")
    found = _SEP_LINE.fullmatch(first)
    return (f"{end}{rest}", found[1]) if found else (text, "")


def _rows(name: str, text: str, separator: str) -> tuple[list[list[str]], list[int]]:
    """The rows that hold something, and the line on which each ends."""
    _check_width(name, text, separator)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if any(map(str.strip, row)):
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(
            f"{name} must be a CSV file; row {reader.line_num} is damaged: {error}."
            " Look for a quotation mark that is never closed."
        ) from None
    return rows, lines


def _check_width(name: str, text: str, separator: str) -> None:
    """Refuse a text one of whose lines has more cells than a table has columns."""
    start = 0
    while len(text) - start > MAX_COLUMNS:
        cut = text.rfind("\n", start, start + MAX_COLUMNS + 1)
        if cut < 0:  # a long line; all others are passed in steps of as many characters
            cut = text.find("\n", start)
            cut = len(text) if cut < 0 else cut
            columns = text.count(separator, start, cut) + 1
            if columns > MAX_COLUMNS:
                raise DataError(too_many_columns(name, columns))
        start = cut + 1


def _header_row(rows: Sequence[Sequence[str]]) -> int:
    """The row of names: the first one as wide as the rows below it, where titles stand above."""
    sample = [len(_stripped(row)) for row in rows[:_SAMPLE]]
    usual = max(set(sample), key=lambda width: (sample.count(width), width))
    if usual < 2 or sample[0] == usual or sample.count(usual) * 2 < len(sample):
        return 0
    start = next(i for i, width in enumerate(sample) if width == usual)
    narrow = all(width < usual and width <= 2 for width in sample[:start])
    return start if narrow else 0


def _stripped(row: Sequence[str]) -> list[str]:
    """A row without the empty cells at its end."""
    cells = list(row)
    while cells and not cells[-1].strip():
        cells.pop()
    return cells


def _even(
    name: str, header: list[str], cells: list[list[str]], lines: Sequence[int]
) -> list[list[str]]:
    """Rows as wide as the row of names, in place; a separator at the end of a line is no cell."""
    wide = len(header)
    if (
        wide > 1
        and not header[-1].strip()
        and all(len(row) < wide or not row[-1].strip() for row in cells)
    ):
        header.pop()
        wide -= 1
    for row, line in zip(cells, lines, strict=True):
        while len(row) > wide and not row[-1].strip():
            row.pop()
        if len(row) != wide:
            raise DataError(
                f"{name} must have {wide} cells in every row, as its first row has; got"
                f" {len(row)} in row {line}."
            )
    return cells


def _without_comments(text: str, separator: str) -> tuple[str, int]:
    """Blank the lines that start with # before the column names; how many there are.

    A last such line with as many cells as the next line has is the column names.
    """
    if "#" not in text[:1000]:
        return text, 0
    lines = text.splitlines(keepends=True)
    skipped = next((i for i, line in enumerate(lines) if line.strip()), 0)
    count = next((i for i, line in enumerate(lines[skipped:]) if not line.startswith("#")), 0)
    end = skipped + count
    if count and end < len(lines):
        mark = separator or _sniff("".join(lines[end : end + _SAMPLE]))
        widths = [len(line.split(mark)) for line in lines[end - 1 : end + 1]]
        if widths[0] == widths[1] > 1:
            count, end = count - 1, end - 1
    # The lines stay, empty, so that rows keep their numbers.
    return "\n" * end + "".join(lines[end:]), count


def _check_header(name: str, header: list[str], first: list[str], separator: str) -> list[str]:
    """Refuse, or mention, a first row that looks like the rows below it."""
    if any(_is_date(cell) and _is_date(below) for cell, below in zip(header, first, strict=True)):
        raise DataError(
            f"{name} must begin with a row of column names; got the values"
            f" {separator.join(header)!r}. Write names above them, for example"
            f" {separator.join(_EXAMPLE[: len(header)])!r}."
        )
    if any(_is_number(a) and _is_number(b) for a, b in zip(header, first, strict=True)):
        return [f"The first row, {separator.join(header)!r}, is taken as the column names."]
    return []


def _is_date(text: str) -> bool:
    return not is_missing(text) and share_of_times([text]) == 1.0


def _is_number(text: str) -> bool:
    return not is_missing(text) and is_number(text)


def _sniff(text: str) -> str:
    """The separator that cuts most of the first rows into as many cells as most rows have."""
    sample = list(_first_lines(text))
    best, most = "\t", (0.0, 1)
    for separator in _SEPARATORS:
        try:
            widths = [len(row) for row in csv.reader(sample, delimiter=separator)]
        except csv.Error:
            continue
        usual = max(set(widths), key=lambda width: (widths.count(width), width), default=0)
        fit = (widths.count(usual) / max(1, len(widths)), usual)
        if usual > 1 and fit > most:
            best, most = separator, fit
    return best


def _first_lines(text: str) -> Iterable[str]:
    found = 0
    for line in io.StringIO(text[:200_000]):
        if line.strip():
            found += 1
            yield line
        if found == _SAMPLE:
            return
