"""Which column of a file plays which role, and what its cells say."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from throughtime.data.tables.dates import Times, parse_times
from throughtime.data.tables.numbers import UnreadableError, parse_numbers
from throughtime.data.tables.reading import Column, Columns
from throughtime.errors import (
    Argument,
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    Message,
    describe,
    sentence,
)

__all__ = [
    "bare_number",
    "cell_of",
    "check_names",
    "find_target",
    "find_time",
    "quoted",
    "read_numbers",
    "read_times",
]

#: Names that a column of times is known by, in small letters.
_TIME_NAMES = (
    "time", "date", "datetime", "timestamp", "ds", "day", "week", "month", "quarter", "year",
    "period", "t", "datum", "zeit", "jahr", "fecha",
)  # fmt: skip


def check_names(file: Path, source: Columns, named: list[tuple[str, str]]) -> None:
    """Every named column exists, and none has two roles."""
    roles: dict[str, str] = {}
    for role, name in named:
        if not isinstance(name, str):
            raise InvalidTypeError(sentence(role, "a column", describe(name), must="name"))
        if name not in source.columns:
            lower = {column.lower(): column for column in source.columns}
            near = difflib.get_close_matches(name.lower(), lower, n=1)
            hint = f"Did you mean {lower[near[0]]!r}? " if near else ""
            hint += f"The columns are {quoted(source.columns)}."
            raise InvalidArgumentError(
                sentence(role, f"a column of {file}", describe(name, limit=300), hint)
            )
        if name in roles:
            other = Message("another column than {other}", other=Argument(roles[name]))
            got = f"{describe(name)} for both"
            raise InvalidArgumentError(sentence(role, other, got, value=name))
        roles[name] = role


def find_time(
    source: Columns, taken: Sequence[str], one_series: bool, dayfirst: bool | None
) -> str | None:
    """A column with the name of a time, else the first that holds dates; None if there is none.

    Numbers count as times only under such a name, and only if none of them repeats where there is
    one series: the month beside a year does, and says nothing alone.
    """
    free = [name for name in source.columns if name not in taken]
    by_name = [name for wanted in _TIME_NAMES for name in free if name.lower() == wanted]
    for name in [*by_name, *free]:
        if name not in by_name and _holds_numbers(source, name):
            continue
        try:
            times = read_times(source, name, dayfirst).values
        except UnreadableError:
            continue
        if times.dtype.kind == "M" or not one_series or len(np.unique(times)) == len(times):
            return name
    return None


def _holds_numbers(source: Columns, name: str) -> bool:
    try:
        return not np.isnan(read_numbers(source.columns[name], source.separator)).all()
    except UnreadableError:
        return False


def find_target(file: Path, source: Columns, taken: Sequence[str | None]) -> str:
    """The only free column that holds numbers."""
    free = [name for name in source.columns if name not in taken]
    found = [name for name in free if _holds_numbers(source, name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidArgumentError(
            sentence(
                "target",
                f"one of the columns of numbers of {file} ({quoted(found)})",
                "nothing",
            )
        )
    for name in free:
        cell, row = _first_unreadable(source, name)
        if any(character.isdigit() for character in cell):
            raise DataError(
                sentence(
                    f"{file}",
                    "a column of numbers to forecast",
                    f"{describe(cell)} in row {row} of column {name!r}",
                    bare_number(cell),
                    must="hold",
                    parameter="path",
                    value=cell,
                )
            )
    raise DataError(
        sentence(
            f"{file}",
            "a column of numbers to forecast",
            f"none in the columns {quoted(source.columns)}",
            must="hold",
            parameter="path",
        )
    )


def _first_unreadable(source: Columns, name: str) -> tuple[str, int]:
    """The first cell that is no number, and its row; empty where all are missing."""
    try:
        read_numbers(source.columns[name], source.separator)
    except UnreadableError as error:
        return cell_of(source.columns[name], error.index), int(source.rows[error.index])
    return "", 0


def bare_number(cell: str) -> str:
    """What to do about a number with something around it, else nothing."""
    found = re.fullmatch(r"[^\d.,+-]*([+-]?[\d.,]*\d)[^\d]*", cell)
    if found is None or found[1] == cell:
        return ""
    # Accountants put what is below zero into brackets.
    minus = "-" if cell.startswith("(") else ""
    return f"Write a bare number, here {minus}{found[1]}."


def read_numbers(column: Column, separator: str) -> np.ndarray:
    """A column as float64, or UnreadableError."""
    if isinstance(column, list):
        return parse_numbers(column, separator)
    if column.dtype.kind == "M":
        raise UnreadableError(0)
    values = column.astype(np.float64)
    if np.isinf(values).any():
        raise UnreadableError(int(np.argmax(np.isinf(values))))
    return values


def read_times(source: Columns, name: str, dayfirst: bool | None) -> Times:
    """A column as times, or UnreadableError."""
    column = source.columns[name]
    if isinstance(column, np.ndarray):
        if column.dtype.kind == "M":
            if np.isnat(column).any():
                raise UnreadableError(int(np.argmax(np.isnat(column))))
            return Times(column)
        column = [cell_of(column, index) for index in range(len(column))]
    return parse_times(column, dayfirst=dayfirst, european=source.separator == ";")


def cell_of(column: Column, index: int) -> str:
    """A cell as text, whole numbers without a point."""
    cell = column[index]
    if isinstance(cell, str):
        return cell
    if isinstance(cell, np.datetime64):
        return str(cell)
    return "" if np.isnan(cell) else f"{cell:.15g}"


def quoted(names: Sequence[str] | dict[str, Column], most: int = 10) -> str:
    """The names, and how many more there are."""
    shown = ", ".join(repr(name) for name in list(names)[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
