"""Which column of a table plays which role, decided by all of its cells."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from throughtime.data.tables.cells import Column, Columns, cell_of
from throughtime.data.tables.dates import (
    Times,
    holds_compact_times,
    parse_times,
    share_of_times,
)
from throughtime.data.tables.numbers import (
    Numbers,
    UnreadableError,
    is_missing,
    read_numbers_in,
    share_of_numbers,
)
from throughtime.data.tables.timeforms import foreign_month, take_apart
from throughtime.data.tables.timewriter import PartsWriter, TimeWriter, part_writer
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
    "TimeColumns",
    "bare_number",
    "check_names",
    "find_target",
    "find_time",
    "find_unread_years",
    "quoted",
    "read_numbers",
    "read_times",
]

#: Names of columns that hold times and nothing else, in small letters.
_TIME_NAMES = (
    "time", "date", "datetime", "timestamp", "ds", "day", "week", "month", "quarter", "year",
    "period", "t", "datum", "zeit", "jahr", "fecha",
)  # fmt: skip
#: Of those, names that mean nothing else, so that a column that is no time is a mistake.
_ONLY_TIMES = {"date", "datetime", "timestamp", "ds", "datum", "fecha"}
#: Words in a name ("Order Date") that make it likely.
_TIME_WORDS = {*_TIME_NAMES, "dt", "at", "when", "stamp"} - {"t"}
#: Words in a name that number things.
_NUMBER_WORDS = {"id", "no", "nr", "num", "number", "code", "key", "zip", "sku"}
#: Parts of a date in columns of their own: names, and the largest number.
_PARTS = {
    "month": ("month", "mon", "mm", "mo"),
    "quarter": ("quarter", "qtr", "q"),
    "week": ("week", "wk"),
    "day": ("day", "dd", "dom"),
    "hour": ("hour", "hr", "hh"),
    "clock": ("time", "clock", "zeit"),
}
_YEAR_NAMES = ("year", "yr", "yyyy", "jahr")
#: What only a time looks like, even where it is in no form that is read.
_LOOKS_LIKE_TIMES = re.compile(
    r"(?<!\d)(\d{1,2}:\d{2}(?!\d)|\d{4}([-/.])\d{1,2}\2\d{1,2}(?!\d)"
    r"|\d{1,2}([-/.])\d{1,2}\3(\d{4}|\d{2})(?![\d.]))"
)
_HOLDS_YEARS = re.compile(r"(?<!\d)(19|20)\d\d(?!\d)")
#: The share of cells that must be times, or numbers, for the column to be one of them.
_MOST = 0.5


class TimeColumns(NamedTuple):
    """The column of times, or the columns that make a time together.

    Attributes
    ----------
    names : tuple of str
    others : tuple of str
        Columns that hold times too.
    """

    names: tuple[str, ...]
    others: tuple[str, ...] = ()


def check_names(file: str, source: Columns, named: list[tuple[str, str]]) -> None:
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
        if roles.get(name) == role:
            got = f"{describe(name)} twice"
            raise InvalidArgumentError(sentence(role, "different columns", got, value=name))
        if name in roles:
            other = Message("another column than {other}", other=Argument(roles[name]))
            got = f"{describe(name)} for both"
            raise InvalidArgumentError(sentence(role, other, got, value=name))
        roles[name] = role


def find_time(source: Columns, taken: Sequence[str], one_series: bool) -> TimeColumns | None:
    """The column that bears the name of a time or mostly holds times; None if there is none.

    Plain numbers count as times only under such a name, and only if none of them repeats where
    there is one series. A year that repeats goes together with a month, quarter, week or day.
    """
    free = [name for name in source.columns if name not in taken]
    exact = [name for wanted in _TIME_NAMES for name in free if name.strip().lower() == wanted]
    dated: list[str] = []
    numbered: list[str] = []
    for name in dict.fromkeys([*exact, *free]):
        column = source.columns[name]
        if isinstance(column, np.ndarray):
            (dated if column.dtype.kind == "M" else numbered).append(name)
        elif share_of_times(column) > _MOST:
            dated.append(name)
        elif name in exact or _words(name) & _TIME_WORDS:
            numbered.append(name)
            if name.strip().lower() in _ONLY_TIMES and share_of_numbers(column) <= _MOST:
                return TimeColumns((name,))  # reading it says which cell is no time
            if _foreign(column):
                return TimeColumns((name,))
        elif _foreign(column):
            return TimeColumns((name,))
    named = [name for name in dated if name in exact or _words(name) & _TIME_WORDS]
    ordered = list(dict.fromkeys([*named, *dated]))
    if ordered:
        joined = _with_clock(source, ordered[0], free) if one_series else None
        return TimeColumns(joined or (ordered[0],), tuple(ordered[1:]))
    parts = _year_and_part(source, free)
    if parts is not None:
        return TimeColumns(parts)
    for name in [name for name in exact if name in numbered]:
        # A year or a date that repeats shows that there are several series; it is no other column.
        only = name.strip().lower() in (*_ONLY_TIMES, *_YEAR_NAMES)
        if _counts_steps(source, name, one_series and not only):
            return TimeColumns((name,))
    for name in free:
        if _compact_dates(source, name):
            return TimeColumns((name,))
    # Text that is no time in any form, under a time's name or with the look of one: reading it
    # names the cell. Rows must not become steps in the order of the file because of it.
    for name in [*(name for name in exact if name in numbered), *free]:
        column = source.columns[name]
        if isinstance(column, np.ndarray) or share_of_numbers(column) > _MOST:
            continue
        if name in exact or _share(_LOOKS_LIKE_TIMES, column) > _MOST:
            return TimeColumns((name,))
    return None


def find_unread_years(source: Columns, taken: Sequence[str]) -> str:
    """A cell of a column of different texts with years in them (FY2024); empty without one."""
    for name, column in source.columns.items():
        if name in taken or isinstance(column, np.ndarray) or len(set(column)) < len(column):
            continue
        if share_of_numbers(column) <= _MOST < _share(_HOLDS_YEARS, column):
            return column[0].strip()
    return ""


def _share(pattern: re.Pattern[str], column: Sequence[str], most: int = 400) -> float:
    """The share of cells, missing ones aside, in which a pattern is found."""
    texts = column[:: max(1, len(column) // most)]
    known = [text for text in texts if not is_missing(text)]
    return sum(pattern.search(text[:100]) is not None for text in known) / max(1, len(known))


def _words(name: str) -> set[str]:
    """The words of a name: "OrderDate" and "order_date" hold "date"."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+", name)}


def _foreign(column: Column) -> bool:
    """Whether most of the cells hold a month's name that is not English."""
    if isinstance(column, np.ndarray):
        return False
    texts = column[:: max(1, len(column) // 50)]
    if not any(c.isalpha() for text in texts[:8] for c in text):
        return False
    sample = [cell for text in texts if (cell := take_apart(text))]
    mixed = [cell for cell in sample if any(run[0].isdigit() for run in cell.runs)]
    return bool(mixed) and sum(
        foreign_month(cell.runs) is not None for cell in mixed
    ) > _MOST * len(sample)


def _counts_steps(source: Columns, name: str, one_series: bool) -> bool:
    """Whether a column of numbers can be the times: most cells are numbers, and none repeats."""
    column = source.columns[name]
    if isinstance(column, list) and share_of_numbers(column) <= _MOST:
        return False
    texts = [text for text in source.texts(name) if not is_missing(text)]
    return not one_series or len(set(texts)) == len(texts)


def _compact_dates(source: Columns, name: str) -> bool:
    """Whether a column holds dates in one run of digits, or counts since 1970."""
    column = source.columns[name]
    if isinstance(column, np.ndarray) and column.dtype.kind not in "iu":
        return False
    if _words(name) & _NUMBER_WORDS:
        return False
    return holds_compact_times(source.texts(name), bool(_words(name) & _TIME_WORDS))


def _with_clock(source: Columns, date: str, free: Sequence[str]) -> tuple[str, str] | None:
    """The date and the column of its clock, where dates repeat and have no clock of their own."""
    column = source.columns[date]
    if isinstance(column, np.ndarray) or len(set(column)) == len(column):
        return None
    if any(":" in text for text in column[:50]):
        return None
    for name in free:
        if name == date or isinstance(source.columns[name], np.ndarray):
            continue
        cells = source.texts(name)
        word = name.strip().lower()
        clocks = word in (*_PARTS["clock"], *_PARTS["hour"]) or _words(name) & {"time", "hour"}
        if clocks and all(re.fullmatch(r"\s*\d{1,2}([:.]\d{2}){0,2}\s*", cell) for cell in cells):
            return (date, name)
    return None


def _year_and_part(source: Columns, free: Sequence[str]) -> tuple[str, ...] | None:
    """A year that repeats, and the month, quarter, week or day that tells its rows apart."""
    by_name = {name.strip().lower(): name for name in reversed(free)}
    year = next((by_name[name] for name in _YEAR_NAMES if name in by_name), None)
    if year is None:
        return None
    years = [text.strip() for text in source.texts(year)]
    whole = all(re.fullmatch(r"\d{4}", text) for text in years)
    if not whole or len(set(years)) == len(years):
        return None

    def named(part: str) -> str | None:
        return next((by_name[name] for name in _PARTS[part] if name in by_name), None)

    month, day, hour = named("month"), named("day"), named("hour")
    if month is not None:
        return tuple(name for name in (year, month, day, hour if day else None) if name is not None)
    for part in ("quarter", "week"):
        other = named(part)
        if other is not None:
            return (year, other)
    return None


def find_target(file: str, source: Columns, taken: Sequence[str | None]) -> str:
    """The only free column most of whose cells are numbers."""
    free = [name for name in source.columns if name not in taken]
    found = [name for name in free if mostly_numbers(source, name)]
    if len(found) == 1:
        return found[0]
    if found:
        bad = next((said for name in found if (said := _first_bad(source, name))), "")
        raise InvalidArgumentError(
            sentence(
                "target",
                f"one of the columns of numbers of {file} ({quoted(found)})",
                "nothing",
                bad or Message("{all_targets} takes every one of them as a series."),
            )
        )
    for name in free:
        cell, row = _first_unreadable(source, name)
        if any(character.isdigit() for character in cell):
            raise DataError(
                sentence(
                    file,
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
            file,
            "a column of numbers to forecast",
            f"none in the columns {quoted(source.columns)}",
            must="hold",
            parameter="path",
        )
    )


def mostly_numbers(source: Columns, name: str) -> bool:
    column = source.columns[name]
    if isinstance(column, np.ndarray):
        return column.dtype.kind != "M" and not np.isnan(column.astype(np.float64)).all()
    if name.startswith("column ") and _counts_rows(column):
        return False  # the index that a program wrote beside the rows
    return share_of_numbers(column) > _MOST >= share_of_times(column)


def _counts_rows(column: Sequence[str]) -> bool:
    first = column[0].strip()
    if first not in ("0", "1"):
        return False
    return all(text.strip() == str(i) for i, text in enumerate(column, int(first)))


def _first_bad(source: Columns, name: str) -> str:
    cell, row = _first_unreadable(source, name)
    return f"Column {name!r} holds {describe(cell)} in row {row}." if row else ""


def _first_unreadable(source: Columns, name: str) -> tuple[str, int]:
    """The first cell that is no number, and its row; row 0 where there is none."""
    try:
        read_numbers(source.columns[name], source.separator)
    except UnreadableError as error:
        return cell_of(source.columns[name], error.index), int(source.rows[error.index])
    return "", 0


def bare_number(cell: str) -> str:
    """What to do about a number with something around it, else nothing."""
    if cell.startswith("<"):  # a type that a file names, <list<int64>>
        return ""
    found = re.fullmatch(r"[^\d.,+-]*([+-]?[\d.,]*\d)[^\d]*", cell)
    if found is None or found[1] == cell:
        return ""
    # Accountants put what is below zero into brackets.
    minus = "-" if cell.startswith("(") else ""
    return f"Write a bare number, here {minus}{found[1]}."


def read_numbers(
    column: Column,
    separator: str,
    decimal: str | None = None,
    thousands: str | None = None,
) -> Numbers:
    """A column as float64, or UnreadableError."""
    if isinstance(column, list):
        return read_numbers_in(column, separator, decimal=decimal, thousands=thousands)
    if column.dtype.kind == "M":
        raise UnreadableError(0)
    values = column.astype(np.float64)
    if np.isinf(values).any():
        raise UnreadableError(int(np.argmax(np.isinf(values))))
    return Numbers(values)


def read_times(
    source: Columns,
    names: Sequence[str],
    dayfirst: bool | None = None,
    date_format: str | None = None,
    form: str | None = None,
) -> Times:
    """Columns as times, or UnreadableError."""
    column = source.columns[names[0]]
    if len(names) == 1 and isinstance(column, np.ndarray) and column.dtype.kind == "M":
        if np.isnat(column).any():
            raise UnreadableError(int(np.argmax(np.isnat(column))))
        return Times(column)
    european = source.separator == ";"
    cells = _joined(source, names) if len(names) > 1 else source.texts(names[0])
    times = parse_times(
        cells, dayfirst=dayfirst, european=european, date_format=date_format, form=form
    )
    if len(names) > 1:
        times = times._replace(writer=_parts_writer(source, names, times.writer, times.form))
    return times


def _parts_writer(
    source: Columns, names: Sequence[str], whole: TimeWriter, form: str
) -> PartsWriter:
    """Writes each column as its cells are written."""
    words = [name.strip().lower() for name in names]
    if words[0] not in _YEAR_NAMES:
        return PartsWriter(whole, (), " ")
    found = [
        next((r for part, r in _ROLES.items() if word in _PARTS[part]), "") for word in words[1:]
    ]
    roles = ["Y", *found] if all(found) else list(form)
    if len(roles) != len(names):
        raise UnreadableError(0)
    writers = []
    for name, role in zip(names, roles, strict=True):
        cells = [text.strip() for text in source.texts(name)]
        writers.append(part_writer(role, cells))
    return PartsWriter(whole, tuple(writers))


_ROLES = {"month": "m", "quarter": "q", "week": "w", "day": "d", "hour": "H"}


def _joined(source: Columns, names: Sequence[str]) -> list[str]:
    parts = [[text.strip() for text in source.texts(name)] for name in names]
    words = [name.strip().lower() for name in names]
    if words[1] in _PARTS["quarter"]:
        return [f"{a}Q{b.upper().lstrip('Q')}" for a, b in zip(*parts, strict=True)]
    if words[1] in _PARTS["week"]:
        return [f"{a}W{int(b):02d}" if b.isdigit() else b for a, b in zip(*parts, strict=True)]
    if words[0] not in _YEAR_NAMES:
        return [
            f"{a} {b.replace('.', ':') if re.search(r'[:.]', b) else f'{b}:00'}"
            for a, b in zip(*parts, strict=True)
        ]
    return ["-".join(row) for row in zip(*parts, strict=True)]


def quoted(names: Sequence[str] | dict[str, Column], most: int = 10) -> str:
    """The names, and how many more there are."""
    shown = ", ".join(repr(name) for name in list(names)[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
