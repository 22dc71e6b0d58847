"""Cells of text to times; a cell that cannot be read raises an error with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from functools import partial
from typing import NamedTuple

import numpy as np

from throughtime.data.tables.frequency import infer_frequency
from throughtime.data.tables.numbers import UnreadableError, is_missing, parse_numbers
from throughtime.errors import Message, Setting

__all__ = ["Times", "parse_times"]

_QUARTER = re.compile(r"(\d{4})[ -]?Q([1-4])", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,4})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?:[T ]\s*(.+))?")
_CLOCK = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,6})?)?(?:\s*([AP])\.?M\.?)?", re.IGNORECASE
)
#: Dates with the name of a month, and months alone.
_NAMED = (
    "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %y", "%b %d, %Y", "%B %d, %Y",
    "%b %d %Y", "%B %d %Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%Y %b", "%Y-%b", "%m/%Y", "%Y/%m",
    "%a, %d %b %Y", "%d/%b/%Y", "%d %b %Y %H:%M", "%d %b %Y %H:%M:%S", "%d-%b-%Y %H:%M:%S",
)  # fmt: skip
_UTC_NOTE = "Times with an offset were converted to UTC."


class Times(NamedTuple):
    """A column of times that was read.

    Attributes
    ----------
    values : ndarray of shape (T,)
        ``datetime64[us]``, int64 or float64.
    note : str
        A sentence for the reader where something had to be assumed; else empty.
    dayfirst : bool or None
        Which of the first two numbers of a date is the day; None for times of another form.
    """

    values: np.ndarray
    note: str = ""
    dayfirst: bool | None = None


def parse_times(
    texts: Sequence[str], *, dayfirst: bool | None = None, european: bool = False
) -> Times:
    """Read a column of times.

    Understood are ISO 8601 (with an offset: converted to UTC), 20240131, 202401, 2024Q1, seconds
    (10 digits) or milliseconds (13 digits) since 1970, 31/01/2024, 01/31/2024, 31.01.24,
    31 Jan 2024 and their like, with a time of day or without; any other numbers count as steps.

    Parameters
    ----------
    dayfirst : bool, optional
        Whether 01/02/2024 is the first of February. By default the column decides (a number above
        12 is a day), then what makes the times regular; where both readings do, or none, a point
        (01.02.2024) and ``european`` speak for the day.
    european : bool
        The file has a decimal comma or semicolons.

    Raises
    ------
    UnreadableError
        At the first cell that is no time, a missing one included.
    """
    cells = [text.strip() for text in texts]
    for index, cell in enumerate(cells):
        if is_missing(cell):
            raise UnreadableError(index)
    first = cells[0] if cells else ""
    if _is_number(first):
        return Times(_numeric(cells, european))
    if _QUARTER.fullmatch(first):
        return Times(_each(cells, _quarter))
    try:
        _iso(first)
    except ValueError:
        pass
    else:
        return Times(_each(cells, _iso), _UTC_NOTE if any(map(_has_offset, cells)) else "")
    if _DATE.fullmatch(first):
        return _split_dates(cells, dayfirst, european)
    for pattern in _NAMED:
        try:
            datetime.strptime(first, pattern)
        except ValueError:
            continue
        return Times(_each(cells, partial(_by_pattern, pattern)))
    raise UnreadableError(0)


def _each(cells: Sequence[str], read: Callable[[str], datetime]) -> np.ndarray:
    """Read every cell, or say which cannot be read."""
    times = np.empty(len(cells), dtype="datetime64[us]")
    for index, cell in enumerate(cells):
        try:
            times[index] = read(cell)
        except ValueError:
            raise UnreadableError(index) from None
    return times


def _by_pattern(pattern: str, cell: str) -> datetime:
    return datetime.strptime(cell, pattern)


def _iso(cell: str) -> datetime:
    moment = datetime.fromisoformat(cell if len(cell) != 7 else f"{cell}-01")
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _has_offset(cell: str) -> bool:
    return len(cell) > 10 and datetime.fromisoformat(cell).tzinfo is not None


def _quarter(cell: str) -> datetime:
    match = _QUARTER.fullmatch(cell)
    if match is None:
        raise ValueError(cell)
    return datetime(int(match[1]), 3 * int(match[2]) - 2, 1)


def _is_number(text: str) -> bool:
    try:
        parse_numbers([text], ";")
    except UnreadableError:
        return False
    return True


def _numeric(cells: Sequence[str], european: bool) -> np.ndarray:
    """Dates written as one number, or plain numbers."""
    if all(cell.isascii() and cell.isdigit() for cell in cells):
        widths = {len(cell) for cell in cells}
        recent = all("15" <= cell[:2] <= "22" for cell in cells)
        try:
            if recent and widths == {8}:
                return _each(cells, partial(_by_pattern, "%Y%m%d"))
            if recent and widths == {6}:
                return _each([f"{cell}01" for cell in cells], partial(_by_pattern, "%Y%m%d"))
        except UnreadableError:
            pass  # numbers of six or eight digits that are no dates: steps
        if widths in ({10}, {13}):
            unit = 1_000_000 if widths == {10} else 1000
            return (np.array(cells, dtype=np.int64) * unit).astype("datetime64[us]")
    values = parse_numbers(cells, ";" if european else ",")
    whole = bool((values % 1 == 0).all()) and bool((np.abs(values) < 2**53).all())
    return values.astype(np.int64) if whole else values


def _split_dates(cells: Sequence[str], dayfirst: bool | None, european: bool) -> Times:
    """Dates of three numbers, in the order that all of them allow."""
    parts = []
    for index, cell in enumerate(cells):
        match = _DATE.fullmatch(cell)
        if match is None:
            raise UnreadableError(index)
        parts.append(match.groups())
    rows = [(int(a), int(b), int(c)) for a, _, b, c, _ in parts]
    clocks = [clock for *_, clock in parts]
    if len(parts[0][0]) == 4:
        return Times(_dates(rows, (0, 1, 2), clocks))
    if dayfirst is not None:
        return Times(_dates(rows, _order(dayfirst), clocks), "", dayfirst)
    first, second = (max(row[place] for row in rows) for place in (0, 1))
    if max(first, second) > 12:
        return Times(_dates(rows, _order(first > 12), clocks), "", first > 12)
    return _ambiguous(cells[0], rows, clocks, parts[0][1] == "." or european)


def _order(dayfirst: bool) -> tuple[int, int, int]:
    """The places of year, month and day."""
    return (2, 1, 0) if dayfirst else (2, 0, 1)


def _dates(
    rows: Sequence[Sequence[int]], order: tuple[int, int, int], clocks: Sequence[str | None]
) -> np.ndarray:
    year, month, day = order
    times = np.empty(len(rows), dtype="datetime64[us]")
    for index, row in enumerate(rows):
        century = 0 if row[year] >= 100 else 1900 if row[year] >= 69 else 2000
        try:
            date = datetime(century + row[year], row[month], row[day])
            times[index] = datetime.combine(date, _clock(clocks[index]))
        except ValueError:
            raise UnreadableError(index) from None
    return times


def _ambiguous(
    example: str, rows: Sequence[Sequence[int]], clocks: Sequence[str | None], habit: bool
) -> Times:
    """Dates that both orders allow: the one that makes them regular, else ``habit``."""
    readings = {dayfirst: _dates(rows, _order(dayfirst), clocks) for dayfirst in (False, True)}
    steps = {dayfirst: infer_frequency(np.unique(t)) for dayfirst, t in readings.items()}
    regular = [dayfirst for dayfirst, step in steps.items() if step is not None]
    chosen = regular[0] if len(regular) == 1 else habit
    step = steps[chosen] if len(regular) == 1 else None
    order = "day, month, year" if chosen else "month, day, year"
    reason = "" if step is None else f", which makes them {step.name}"
    note = Message(
        "Dates like {example} are read as {order}{reason}.",
        hint=Message("{other} reads them the other way.", other=Setting("dayfirst", not chosen)),
        example=example,
        order=order,
        reason=reason,
    )
    return Times(readings[chosen], note, chosen)


def _clock(text: str | None) -> time:
    """The time of day; midnight if there is none."""
    if text is None:
        return time()
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    hour, minute, second, fraction, half = match.groups()
    hours = int(hour)
    if half is not None:
        if not 1 <= hours <= 12:
            raise ValueError(text)
        hours = hours % 12 + (12 if half.upper() == "P" else 0)
    micro = int((fraction or ".0")[1:].ljust(6, "0"))
    return time(hours, int(minute), int(second or 0), micro)
