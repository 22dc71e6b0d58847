"""Times written as the cells of a column are, so that a forecast joins back to its table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Protocol

import numpy as np

from throughtime.data.tables.timeforms import (
    BEFORE_CLOCK,
    CLOCK,
    MARKS,
    MONTHS,
    RUNS,
    WEEKDAYS,
    ZONE,
    TimeForm,
)

__all__ = [
    "EpochWriter",
    "FormatWriter",
    "NumberWriter",
    "PartsWriter",
    "RangeWriter",
    "StampWriter",
    "TimeWriter",
    "fixed_zone",
    "part_writer",
    "writer_of",
]


class TimeWriter(Protocol):
    """Writes the times of a series."""

    def write(self, times: np.ndarray) -> list[str]:
        """One text for each time."""


@dataclass(frozen=True)
class NumberWriter:
    """Times that are numbers: years, steps."""

    def write(self, times: np.ndarray) -> list[str]:
        """Whole numbers without a point, others with all their digits."""
        return [f"{time:.15g}" for time in times.tolist()]


@dataclass(frozen=True)
class EpochWriter:
    """Times that are counted from 1970.

    Attributes
    ----------
    unit : int
        The length of one in nanoseconds.
    decimals : int
        Digits behind the point.
    """

    unit: int
    decimals: int = 0

    def write(self, times: np.ndarray) -> list[str]:
        """The counts, as whole numbers where those of the column were."""
        counts = times.astype("datetime64[us]").astype(np.int64).tolist()
        if self.decimals:
            return [f"{count * 1000 / self.unit:.{self.decimals}f}" for count in counts]
        return [str(count * 1000 // self.unit) for count in counts]


@dataclass(frozen=True)
class RangeWriter:
    """Times that begin a range: 01.01.2024 00:00 - 01.01.2024 01:00.

    Attributes
    ----------
    start, end : TimeWriter
    mark : str
        What stands between the two.
    length : int
        Microseconds from one to the other.
    """

    start: TimeWriter
    end: TimeWriter
    mark: str
    length: int

    def write(self, times: np.ndarray) -> list[str]:
        """One range for each time."""
        ends = times + np.timedelta64(self.length, "us")
        pairs = zip(self.start.write(times), self.end.write(ends), strict=True)
        return [f"{start}{self.mark}{end}" for start, end in pairs]


@dataclass(frozen=True)
class FormatWriter:
    """Times by a format of ``strftime``."""

    date_format: str

    def write(self, times: np.ndarray) -> list[str]:
        """One text for each time."""
        return [time.strftime(self.date_format) for time in times.astype("datetime64[us]").tolist()]


@dataclass(frozen=True)
class PartsWriter:
    """Times whose parts stand in several columns.

    Attributes
    ----------
    whole : TimeWriter
        Writes the parts as one text.
    columns : tuple of TimeWriter
        Writes each column; empty where ``mark`` cuts the whole text into them.
    mark : str
    """

    whole: TimeWriter
    columns: tuple[TimeWriter, ...]
    mark: str = ""

    def write(self, times: np.ndarray) -> list[str]:
        """One text for each time."""
        return self.whole.write(times)

    def write_parts(self, times: np.ndarray) -> list[tuple[str, ...]]:
        """One text for each time and column."""
        if not self.columns:
            return [tuple(text.rsplit(self.mark, 1)) for text in self.write(times)]
        return list(zip(*(column.write(times) for column in self.columns), strict=True))


#: A piece of a written time: a role of :class:`TimeForm` and how it is written, or a mark.
Piece = tuple[str, str]


@dataclass(frozen=True)
class StampWriter:
    """Dates, with a clock or without.

    Attributes
    ----------
    pieces : tuple of (role, style)
        The role is empty for a mark, whose style is its text.
    midnight_is_24 : bool
        Whether a day ends at 24:00.
    midnight : tuple of (role, style)
        The pieces of a time at midnight, where its cells show no clock; else empty.
    zone : tzinfo or None
        Where the column is written in local time.
    utc : bool
        Whether the times given are in UTC and are to be written in ``zone``.
    """

    pieces: tuple[Piece, ...]
    midnight_is_24: bool = False
    midnight: tuple[Piece, ...] = ()
    zone: tzinfo | None = None
    utc: bool = False

    def write(self, times: np.ndarray) -> list[str]:
        """One text for each time."""
        return [self._one(time) for time in times.astype("datetime64[us]").tolist()]

    def _one(self, time: datetime) -> str:
        if self.zone is not None:
            aware = time.replace(tzinfo=UTC).astimezone(self.zone) if self.utc else None
            local = time.replace(tzinfo=self.zone) if aware is None else aware
            offset = local.utcoffset()
            time = local.replace(tzinfo=None)
        else:
            offset = timedelta(0)
        midnight = (time.hour, time.minute, time.second, time.microsecond) == (0, 0, 0, 0)
        ended = self.midnight_is_24 and midnight
        day = time - timedelta(days=1) if ended else time
        return "".join(
            style if not role else _piece(role, style, day, 24 if ended else time.hour, offset)
            for role, style in (self.midnight if midnight and self.midnight else self.pieces)
        )


def _piece(role: str, style: str, day: datetime, hour: int, offset: timedelta | None) -> str:
    if role == "b":
        return _name(style, MONTHS[day.month - 1])
    if role == "a":
        return _name(style, WEEKDAYS[day.weekday()])
    if role == "p":
        return style[0 if hour < 12 else 1]
    if role == "f":
        return f"{day.microsecond:06d}".ljust(9, "0")[: int(style)]
    if role == "Z":
        return _zone(style, offset)
    iso_year, week, weekday = day.isocalendar()
    year = iso_year if style.endswith("w") else day.year
    values = {
        "Y": year, "y": year % 100, "m": day.month, "d": day.day, "j": day.timetuple().tm_yday,
        "q": (day.month + 2) // 3, "w": week, "u": weekday, "h": (day.month + 5) // 6,
        "z": day.year + 1, "H": hour, "I": (hour - 1) % 12 + 1, "M": day.minute, "S": day.second,
    }  # fmt: skip
    if role == "o":
        number = values[style]
        return {1: "st", 2: "nd", 3: "rd"}.get(number % 10 * (number // 10 % 10 != 1), "th")
    width = int(style.rstrip("w"))
    value = values[role] % 10**width if role == "z" else values[role]
    return f"{value:0{width}d}"


def _name(style: str, name: str) -> str:
    """A month or a weekday in the length and the case of ``style``: the name of another one."""
    length = len(style.rstrip("."))
    full = style.rstrip(".").lower() in (*MONTHS, *WEEKDAYS) and length > 3
    short = "sept" if name == "september" and length == 4 else name[: max(2, min(length, 3))]
    text = (name if full else short) + ("." if style.endswith(".") else "")
    return text.upper() if style.isupper() else text if style.islower() else text.capitalize()


def _zone(style: str, offset: timedelta | None) -> str:
    prefix = style.rstrip("0123456789:+-")
    digits = style[len(prefix) :].lstrip("+-").replace(":", "")
    if not digits:
        return style
    minutes = round((offset or timedelta(0)).total_seconds() / 60)
    sign, minutes = "-" if minutes < 0 else "+", abs(minutes)
    hours = f"{minutes // 60:0{2 - len(digits) % 2}d}"
    rest = f"{':' if ':' in style else ''}{minutes % 60:02d}" if len(digits) > 2 else ""
    return f"{prefix}{sign}{hours}{rest}"


def writer_of(
    form: TimeForm, texts: Sequence[str], zone: tzinfo | None = None, utc: bool = False
) -> StampWriter:
    """A writer of times like ``texts``, which ``form`` reads."""
    example = _longest_name(form, texts)
    clock = CLOCK.search(example)
    before, after = example, ""
    middle: list[Piece] = []
    if clock is not None:
        end = clock.end()
        middle = _clock_pieces(clock, texts)
        found = ZONE.match(example, end)
        if found is not None:
            gap = found[0][: len(found[0]) - len(found[1])]
            middle += [("", gap), ("Z", found[1])]
            end = found.end()
        before, after = example[: clock.start()], example[end:]
        date = before.rstrip(BEFORE_CLOCK)
        middle.insert(0, ("", before[len(date) :]))
        before = date
    roles, padded = iter(form.roles), _padded(form, texts)
    digits = list(zip(form.roles, map(str, form.widths), strict=False))
    start = _date_pieces(before, form, roles, padded, digits)
    rest = _date_pieces(after, form, roles, padded, digits)
    pieces = [*start, *middle, *rest]
    clocks = [found for text in texts if (found := CLOCK.search(text)) is not None]
    midnight = (*start, *rest) if 0 < len(clocks) < len(texts) else ()
    late = any(found[1] == "24" for found in clocks)
    early = any(found[0].lstrip("0:") == "" for found in clocks)
    return StampWriter(tuple(pieces), late and not early, midnight, zone, utc)


def part_writer(role: str, texts: Sequence[str]) -> StampWriter:
    """A writer of a column that holds one part of a date: a year, a month or its name, a day."""
    example = max(texts, key=len)
    if role == "m" and example[0].isalpha():
        return StampWriter((("b", example),))
    digits = example.lstrip("Qq")
    padded = all(len(text.lstrip("Qq")) == len(digits) for text in texts) and len(digits) > 1
    width = "4" if role == "Y" else "2" if padded else "1"
    style = width + ("w" if role == "w" else "")
    return StampWriter((("", example[: len(example) - len(digits)]), (role, style)))


def fixed_zone(minutes: int) -> tzinfo:
    """A place that is always so many minutes east of Greenwich."""
    return timezone(timedelta(minutes=minutes))


def _longest_name(form: TimeForm, texts: Sequence[str]) -> str:
    """A cell that shows most: with a clock, and the longest where May could hide short names."""
    stripped = [text.strip() for text in texts]
    clocked = [text for text in stripped if CLOCK.search(text)] or stripped
    return max(clocked, key=len) if "b" in form.roles else clocked[0]


def _padded(form: TimeForm, texts: Sequence[str]) -> set[str]:
    """The roles that are written with leading zeros, or of which no cell shows the opposite."""
    short: set[str] = set()
    for text in texts:
        clock = CLOCK.search(text)
        if clock is not None:
            text = f"{text[: clock.start()].rstrip(BEFORE_CLOCK)} {text[clock.end() :]}"
        runs = [run for run in RUNS.findall(text) if run[0].isdigit() or run[0].isalpha()]
        for role, run in zip(form.roles, runs, strict=False):
            if run[0].isdigit() and len(run) == 1:
                short.add(role)
    return set("mdqwuhHMS") - short


def _date_pieces(
    text: str, form: TimeForm, roles: Iterator[str], padded: set[str], digits: list[Piece]
) -> list[Piece]:
    pieces: list[Piece] = []
    week = "w" if "w" in form.roles else ""
    for run in RUNS.findall(text):
        if form.widths and run[0].isdigit():
            left = len(run)
            while left > 0:
                role, width = digits.pop(0)
                pieces.append((role, width))
                left -= int(width)
        elif form.widths or not (run[0].isdigit() or run[0].isalpha()):
            pieces.append(("", run))
        else:
            role = next(roles, "")
            if role in MARKS or not role:
                pieces.append(("", run))
            elif role == "o":  # its style is the role of the number that it ends
                pieces.append((role, next(r for r, _ in reversed(pieces) if r)))
            elif role in "ab":
                pieces.append((role, run))
            else:
                own = {"Y": 4, "y": 2, "j": 3, "z": len(run)}.get(role)
                width = str(own or (2 if role in padded else 1))
                pieces.append((role, f"{width}{week if role in 'Yy' else ''}"))
    return pieces


def _clock_pieces(clock: re.Match[str], texts: Sequence[str]) -> list[Piece]:
    _, minute, second, fraction, half, _, bare_half = clock.groups()
    half = half or bare_half
    hours = [found[1] or found[6] for text in texts if (found := CLOCK.search(text))]
    width = "1" if any(len(one) == 1 for one in hours) else "2"
    pieces: list[Piece] = [("H" if half is None else "I", width)]
    if minute is not None:
        pieces += [("", ":"), ("M", "2")]
    if second is not None:
        pieces += [("", ":"), ("S", "2")]
    if fraction is not None:
        mark = clock[0][clock[0].rindex(fraction) - 1]
        pieces += [("", mark), ("f", str(len(fraction)))]
    if half is not None:
        start = clock[0].lower().rindex(half.lower())
        tail = clock[0][start:]
        gap = clock[0][:start]
        pieces.append(("", gap[len(gap.rstrip()) :]))
        morning, evening = ("a", "p") if half.islower() else ("A", "P")
        pieces += [("p", morning + evening), ("", tail[1:])]
    return pieces
