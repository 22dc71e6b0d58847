"""How far apart the rows of a series are: found from its times, and continued beyond them.

Times are ``datetime64[us]``, or numbers (a year, a step). Four kinds of step are known: a fixed
length of time, months (of 28 to 31 days), business days (Monday to Friday), and a number. A step
counts as found if at least half of the rows it implies are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import check_choice, check_float, check_int

__all__ = ["Frequency", "infer_frequency"]

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
#: The lengths that have a name: microseconds, name of one, plural of several, letters of pandas.
_LENGTHS = (
    (7 * _DAY, "weekly", "weeks", "W"),
    (_DAY, "daily", "days", "D"),
    (3600 * _SECOND, "hourly", "hours", "h"),
    (60 * _SECOND, "every minute", "minutes", "min"),
    (_SECOND, "every second", "seconds", "s"),
    (1000, "every millisecond", "milliseconds", "ms"),
    (1, "every microsecond", "microseconds", "us"),
)
#: A Monday, from 1970 on.
_MONDAY = 4 * _DAY
_UNITS = ("microsecond", "month", "business day", "number")
_MONTHS = {1: "monthly", 3: "quarterly", 6: "half-yearly", 12: "yearly"}
#: How far a step may be off, as a share of itself, and still be that step: clocks jitter, and
#: local days have 23 to 25 hours.
_TOLERANCE = 0.1


@dataclass(frozen=True)
class Frequency:
    """The step of a series.

    Attributes
    ----------
    unit : {"microsecond", "month", "business day", "number"}
    count : float
        Units in one step.
    day : int
        With months: the day of the month, cut to the month's length; so 31 is the last day.

    Examples
    --------
    >>> weekly = Frequency("microsecond", 7 * 86_400_000_000)
    >>> weekly.name, weekly.alias, weekly.season
    ('weekly', 'W', 52)
    >>> weekly.after(np.datetime64("2001-12-29T00:00", "us"), 2).astype("datetime64[D]")
    array(['2002-01-05', '2002-01-12'], dtype='datetime64[D]')
    """

    unit: str
    count: float = 1
    day: int = 1

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, _UNITS)
        check_float("count", self.count, 0.0, inclusive="neither")
        if self.unit in ("month", "business day"):
            check_int("count", self.count, 1)
        check_int("day", self.day, 1, 31)

    @property
    def name(self) -> str:
        """What a person calls it: ``"weekly"``, ``"every 15 minutes"``."""
        if self.unit == "month":
            return _MONTHS.get(int(self.count), f"every {self.count:g} months")
        if self.unit == "business day":
            return "every business day"
        if self.unit == "number":
            return f"a step of {self.count:g}"
        length, single, plural, _ = self._length()
        return single if self.count == length else f"every {self.count / length:g} {plural}"

    @property
    def alias(self) -> str | None:
        """What pandas calls it: ``"W"``, ``"15min"``, ``"MS"``; None for numbers."""
        if self.unit == "number":
            return None
        if self.unit == "business day":
            return "B"
        if self.unit == "month":
            times, letter = (
                (self.count // 12, "Y")
                if self.count % 12 == 0
                else (self.count // 3, "Q")
                if self.count == 3
                else (self.count, "M")
            )
            letters = letter + ("E" if self.day == 31 else "S")
        else:
            length, _, _, letters = self._length()
            if letters == "W" and self.count != length:
                length, letters = _DAY, "D"  # "2W" would mean every other Sunday
            times = self.count / length
        return letters if times == 1 else f"{times:g}{letters}"

    @property
    def season(self) -> int:
        """Steps in the natural cycle: of the day, the week (daily rows) or the year; 1 if none."""
        if self.unit == "month":
            return 12 // int(self.count) if 12 % self.count == 0 else 1
        if self.unit == "business day":
            return 5
        if self.unit == "number":
            return 1
        if self.count >= 7 * _DAY:
            return max(1, round(365.25 * _DAY / self.count))
        cycle = _DAY if self.count < _DAY else 7 * _DAY
        return int(cycle // self.count) if cycle % self.count == 0 else 1

    def _length(self) -> tuple[int, str, str, str]:
        """The longest named length that the step is a whole multiple of."""
        return next((row for row in _LENGTHS if self.count % row[0] == 0), _LENGTHS[-1])

    def positions(self, times: np.ndarray) -> np.ndarray:
        """Steps of each of the sorted ``times (T,)`` from the first, int64."""
        if self.unit == "month":
            months = times.astype("datetime64[M]").astype(np.int64)
            return np.asarray((months - months[0]) // int(self.count))
        if self.unit == "business day":
            days = times.astype("datetime64[D]")
            return np.busday_count(days[0], days)
        gaps = np.rint(np.diff(times).astype(np.float64) / self.count)
        return np.concatenate([[0], np.cumsum(gaps)]).astype(np.int64)

    def at(self, first: Any, positions: np.ndarray) -> np.ndarray:
        """The times that lie ``positions`` steps from the time ``first``."""
        steps = np.asarray(positions, dtype=np.int64)
        if self.unit == "number":
            return first + steps * (int(self.count) if self.count % 1 == 0 else self.count)
        start = np.datetime64(first, "us")
        if self.unit == "microsecond":
            return start + np.rint(steps * self.count).astype("timedelta64[us]")
        start_day = start.astype("datetime64[D]")
        clock = start - start_day
        if self.unit == "business day":
            return np.busday_offset(start_day, steps, roll="forward") + clock
        months = start.astype("datetime64[M]") + steps * int(self.count)
        first_day = months.astype("datetime64[D]")
        length = (months + np.timedelta64(1, "M")).astype("datetime64[D]") - first_day
        day = np.minimum(self.day, length.astype(np.int64)) - 1
        return first_day + day + clock

    def floor(self, times: np.ndarray) -> np.ndarray:
        """The start of the step in which each of ``times (T,)`` lies; weeks start on Monday."""
        if self.unit == "month":
            months = times.astype("datetime64[M]").astype(np.int64)
            floors = months - months % int(self.count)
            return floors.astype("datetime64[M]").astype("datetime64[us]")
        if self.unit == "number":
            return np.floor(times / self.count) * self.count
        micro, length = times.astype("datetime64[us]").astype(np.int64), int(self.count)
        start = _MONDAY if length % (7 * _DAY) == 0 else 0
        return (micro - (micro - start) % length).astype("datetime64[us]")

    def fits(self, times: np.ndarray) -> bool:
        """Whether the sorted ``times (T,)`` can be rows of this step, of which some may be missing.

        No two may fall on one step, none between two, and at least half must be there.
        """
        if len(times) < 2:
            return True
        if self.unit in ("microsecond", "number"):
            multiples = np.diff(times).astype(np.float64) / self.count
            if (np.abs(multiples - np.rint(multiples)) > _TOLERANCE).any():
                return False
        return _dense(self, times) is not None

    def after(self, last: Any, n: int) -> np.ndarray:
        """The ``n`` times that follow ``last``."""
        return self.at(last, np.arange(1, n + 1))


def infer_frequency(times: np.ndarray) -> Frequency | None:
    """The step of ``times (T,)``, sorted and without repeats; None if there is no regular one.

    Examples
    --------
    >>> days = np.array(["2024-01-31", "2024-02-29", "2024-04-30"], dtype="datetime64[us]")
    >>> infer_frequency(days)
    Frequency(unit='month', count=1, day=31)
    >>> infer_frequency(np.array([1700, 1701, 1703])).name
    'a step of 1'
    """
    if len(times) < 2:
        return None
    rules: tuple[Callable[[np.ndarray], Frequency | None], ...] = (_fixed,)
    if times.dtype.kind == "M":
        rules = (_monthly, _business, _fixed)
    return next((found for rule in rules if (found := rule(times)) is not None), None)


def _dense(frequency: Frequency, times: np.ndarray) -> Frequency | None:
    """``frequency`` if no two times fall on one step and at least half of its steps are there."""
    positions = frequency.positions(times)
    distinct = bool((np.diff(positions) > 0).all())
    return frequency if distinct and positions[-1] < 2 * len(times) else None


def _monthly(times: np.ndarray) -> Frequency | None:
    """Months, if every time is in another one and the days of the month hardly differ."""
    months = times.astype("datetime64[M]")
    gaps = np.diff(months.astype(np.int64))
    if gaps.min() < 1 or np.median(np.diff(times).astype(np.int64)) < 28 * _DAY:
        return None
    day = (times.astype("datetime64[D]") - months).astype(np.int64) + 1
    first_of_next = (months + np.timedelta64(1, "M")).astype("datetime64[D]")
    length = (first_of_next - months.astype("datetime64[D]")).astype(np.int64)
    from_end = length - day
    latest = int(day.max())
    if (from_end == 0).all():
        anchor = 31
    elif (day == np.minimum(latest, length)).all():
        # The 28th to the 30th of every month are not its end, though never far from it.
        anchor = latest
    elif from_end.max() <= 3 and from_end[length == 31].min(initial=31) <= 1:
        anchor = 31
    elif day.max() - day.min() <= 3:
        anchor = int(np.bincount(day).argmax())
    else:
        return None
    return _dense(Frequency("month", int(np.gcd.reduce(gaps)), anchor), times)


def _business(times: np.ndarray) -> Frequency | None:
    """Business days, if there are days in a row but, over two weekends or more, no weekend."""
    days = times.astype("datetime64[D]")
    gaps = np.diff(days).astype(np.int64)
    one_a_day = gaps.min() == 1 and len({int(c) for c in (times - days).astype(np.int64)}) == 1
    if not one_a_day or gaps.sum() < 12 or not np.is_busday(days).all():
        return None
    return _dense(Frequency("business day"), times)


def _fixed(times: np.ndarray) -> Frequency | None:
    """A fixed step: the smallest gap if all are multiples of it, else the middle one, roughly."""
    unit = "microsecond" if times.dtype.kind == "M" else "number"
    gaps = np.diff(times).astype(np.int64 if times.dtype.kind in "Miu" else np.float64)
    smallest, middle = gaps.min().item(), float(np.median(gaps))
    middle = int(middle) if middle % 1 == 0 else middle
    for step, tolerance in ((smallest, 1e-6), (middle, _TOLERANCE)):
        multiples = gaps / step
        if (np.abs(multiples - np.rint(multiples)) <= tolerance).all():
            found = _dense(Frequency(unit, step), times)
            if found is not None:
                return found
    return None
