"""The ways in which people write a time.

A cell is taken apart into runs of digits and of letters, with the marks between them and at most
one clock::

    29-Aug-2024 9:05      9-A-9@       digits 29, 2024; letters Aug; clock 9:05
    Q1 2001               A99          digits 1, 2001; letters Q

That skeleton is the same in all cells of a column. A :class:`TimeForm` says what each run means: a
year, a month, a day. :func:`forms_of` lists every form that a column could be in;
:mod:`throughtime.data.tables.dates` tries them on all cells.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

__all__ = [
    "BEFORE_CLOCK",
    "CLOCK",
    "RUNS",
    "ZONE",
    "Cell",
    "TimeForm",
    "as_strptime",
    "foreign_month",
    "forms_of",
    "take_apart",
]

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH_OF = {name[:3]: i for i, name in enumerate(MONTHS, 1)} | {"sept": 9}
_MONTH_OF |= {name: i for i, name in enumerate(MONTHS, 1)}
_WEEKDAY_OF = {name[:n]: i for i, name in enumerate(WEEKDAYS) for n in (2, 3)}
_WEEKDAY_OF |= {name: i for i, name in enumerate(WEEKDAYS)} | {"tues": 1, "thur": 3, "thurs": 3}
#: Month names that English does not have, so that a sentence can name the language.
_FOREIGN = {
    language: set(months.split())
    for language, months in {
        "German": "januar februar märz maerz mai juni juli oktober dezember jän mrz okt dez",
        "French": "janvier février fevrier mars avril mai juin juillet août aout septembre octobre"
        " novembre décembre decembre janv févr fevr avr juil déc",
        "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre"
        " diciembre ene abr ago dic",
        "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre"
        " novembre dicembre gen mag giu lug ago set ott dic",
        "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro"
        " novembro dezembro fev abr mai ago set out dez",
        "Dutch": "januari februari maart mei juni juli augustus oktober mrt okt",
        "Swedish": "januari februari mars maj juni juli augusti oktober",
        "Polish": "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik"
        " listopad grudzień sty lut kwi cze lip sie wrz paź lis gru",
    }.items()
}
_MARKERS = {
    "q": "Q", "qtr": "Q", "quarter": "Q", "w": "W", "wk": "W", "week": "W", "kw": "W", "m": "M",
    "h": "H", "s": "H", "t": "T",
}  # fmt: skip
_ORDINALS = {"st", "nd", "rd", "th"}
CLOCK = re.compile(
    r"(?<!\d)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:\s*([ap])\.?\s?m\b\.?)?"
    r"|(?<!\d)(\d{1,2})\s*([ap])\.?\s?m\b\.?",
    re.IGNORECASE,
)
ZONE = re.compile(r"\s*((?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?|Z|UTC|GMT)(?![\w:])", re.IGNORECASE)
_OFFSET = re.compile(r"([+-])(\d{1,2}?):?(\d{2})?$")
#: Kiribati is that far ahead of Greenwich.
_MOST_HOURS = 14
#: The short form of ISO 8601 in UTC.
_BASIC = re.compile(r"(\d{8}T\d{2,6})Z", re.IGNORECASE)
RUNS = re.compile(r"\d+|[^\W\d_]+\.?|\s+|.", re.DOTALL)
#: What may stand between a date and its clock.
BEFORE_CLOCK = " T,_:"
#: Two digits of a year from here on belong to the last century.
_LAST_CENTURY = 69


class Clock(NamedTuple):
    """A time of day as it is written; ``hour`` is 24 at the end of a day."""

    hour: int
    minute: int
    microsecond: int  # seconds included


class Cell(NamedTuple):
    """A cell, taken apart.

    Attributes
    ----------
    skeleton : str
        Its marks, with 9 for digits, A for letters, @ for the clock, and no blanks.
    runs : tuple of str
        Its digits and letters, in order.
    clock : Clock or None
    offset : int or None
        Minutes east of Greenwich, where a zone is written.
    """

    skeleton: str
    runs: tuple[str, ...]
    clock: Clock | None
    offset: int | None


def take_apart(text: str) -> Cell | None:
    """Take a cell apart; None where it cannot hold a time."""
    text = text.strip().rstrip(".")
    clock = offset = None
    found = CLOCK.search(text)
    if found is not None:
        clock = _clock(found)
        if clock is None:
            return None
        end = found.end()
        zone = ZONE.match(text, end)
        if zone is not None:
            offset, end = _offset(zone[1]), zone.end()
            if offset is None:
                return None
        text = f"{text[: found.start()].rstrip(BEFORE_CLOCK)} @ {text[end:].lstrip(' ,')}".strip()
    elif (basic := _BASIC.fullmatch(text)) is not None:
        text, offset = basic[1], 0
    skeleton, runs = [], []
    for run in RUNS.findall(text):
        if run[0].isdigit():
            skeleton.append("9")
        elif run[0].isalpha():
            skeleton.append("A")
            run = run.rstrip(".").lower()
        else:
            skeleton.append(run.strip())  # blanks may differ from cell to cell
            continue
        runs.append(run)
    return Cell("".join(skeleton), tuple(runs), clock, offset) if runs else None


def _clock(found: re.Match[str]) -> Clock | None:
    hour, minute, second, fraction, half, bare, bare_half = found.groups()
    hours, minutes, seconds = int(hour or bare), int(minute or 0), int(second or 0)
    half = half or bare_half
    if half is not None:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half.lower() == "p" else 0)
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    end_of_day = hours == 24 and half is None and minutes == seconds == micro == 0
    if (hours > 23 and not end_of_day) or minutes > 59 or seconds > 59:
        return None
    return Clock(hours, minutes, seconds * 1_000_000 + micro)


def _offset(zone: str) -> int | None:
    """Minutes east of Greenwich; None where no place has them."""
    found = _OFFSET.search(zone)
    if found is None:
        return 0
    hours, rest = int(found[2]), int(found[3] or 0)
    if hours > _MOST_HOURS or rest > 59:
        return None
    return (60 * hours + rest) * (-1 if found[1] == "-" else 1)


#: Roles of letters that mark a quarter, a week, a month, a half-year, a clock.
MARKS = {"1": "Q", "2": "W", "3": "M", "4": "H", "5": "T"}
_ROLE_OF_MARK = {mark: role for role, mark in MARKS.items()}
#: The most digits that a part may have.
_MOST = {
    "Y": 4, "y": 2, "m": 2, "d": 2, "j": 3, "q": 2, "w": 2, "u": 1, "h": 1, "z": 4, "H": 2, "M": 2,
    "S": 2,
}  # fmt: skip


@dataclass(frozen=True)
class TimeForm:
    """What each run of a skeleton means.

    Attributes
    ----------
    skeleton : str
        Without the clock, which every form may have.
    roles : str
        One letter a run. Y: year of four digits, y: of two, m: month, b: its name, d: day,
        j: day of the year, a: name of a weekday, q: quarter, w: week (ISO 8601), u: its weekday,
        h: half-year, z: the year after Y (2019/20), H M S: parts of a clock, o: the ending of an
        ordinal (1st), 1 to 5: a letter that marks what stands beside it (see ``MARKS``).
    widths : tuple of int
        Of one run of digits that holds all parts (20240131): the digits of each.
    """

    skeleton: str
    roles: str
    widths: tuple[int, ...] = ()

    def read(self, cell: Cell) -> datetime | None:
        """The time of a cell; None where it has another skeleton, or is no time of this form.

        A written offset is not applied.
        """
        if without_clock(cell.skeleton) != self.skeleton:
            return None
        runs: Sequence[str] = cell.runs
        if self.widths:
            whole = "".join(run for run in cell.runs if run != "t")
            if len(whole) != sum(self.widths):
                return None
            ends = list(accumulate(self.widths))
            runs = [whole[end - n : end] for end, n in zip(ends, self.widths, strict=True)]
        try:
            return self._build(runs, cell.clock)
        except (ValueError, KeyError, OverflowError):
            return None

    def _build(self, runs: Sequence[str], clock: Clock | None) -> datetime:
        part: dict[str, int] = {}
        for role, run in zip(self.roles, runs, strict=True):
            if role == "b":
                part["m"] = _MONTH_OF[run]
            elif role == "a":
                part["a"] = _WEEKDAY_OF[run]
            elif role in MARKS:
                if _MARKERS.get(run) != MARKS[role]:
                    raise ValueError(run)
            elif role != "o":
                exact = {"Y": 4, "y": 2, "j": 3}.get(role)
                if len(run) > _MOST[role] or (exact and len(run) != exact):
                    raise ValueError(run)
                part[role] = int(run)
        year = part["Y"] if "Y" in part else _full_year(part["y"])
        if "z" in part and part["z"] % 100 != (year + 1) % 100:
            raise ValueError(year)
        start = _day(year, part)
        if "a" in part and start.weekday() != part["a"]:
            raise ValueError(start)
        if "H" in part:
            if clock is not None:
                raise ValueError(clock)
            seconds = part.get("S", 0)
            clock = Clock(part["H"], part.get("M", 0), seconds * 1_000_000)
            if clock.hour > 24 or clock.minute > 59 or seconds > 59:
                raise ValueError(clock)
            if clock.hour == 24 and clock[1:] != (0, 0):
                raise ValueError(clock)
        moment = datetime(start.year, start.month, start.day)
        if clock is None:
            return moment
        return moment + timedelta(
            hours=clock.hour, minutes=clock.minute, microseconds=clock.microsecond
        )


def without_clock(skeleton: str) -> str:
    """The skeleton of the date alone."""
    return skeleton.replace("@", "")


def _full_year(two: int) -> int:
    return two + (1900 if two >= _LAST_CENTURY else 2000)


def _within(number: int, most: int) -> int:
    if not 1 <= number <= most:
        raise ValueError(number)
    return number


def _day(year: int, part: dict[str, int]) -> date:
    """The first day of what the parts of a date name."""
    if "q" in part:
        return date(year, 3 * _within(part["q"], 4) - 2, 1)
    if "h" in part:
        return date(year, 6 * _within(part["h"], 2) - 5, 1)
    if "w" in part:
        return date.fromisocalendar(year, part["w"], part.get("u", 1))
    if "j" in part:
        return date(year, 1, 1) + timedelta(days=_within(part["j"], 365 + isleap(year)) - 1)
    return date(year, part.get("m", 1), part.get("d", 1))


def forms_of(cells: Sequence[Cell]) -> list[TimeForm]:
    """Every form that cells of one skeleton could have, the most usual first."""
    skeleton = without_clock(cells[0].skeleton)
    # A damaged cell must not decide which forms there are.
    shapes = [tuple(max(2, len(run)) for run in cell.runs if run[0].isdigit()) for cell in cells]
    usual = Counter(shapes).most_common(1)[0][0]
    kept = [cell.runs for cell, shape in zip(cells, shapes, strict=True) if shape == usual]
    columns = list(zip(*kept, strict=True))
    digits = [i for i, column in enumerate(columns) if column[0][0].isdigit()]
    roles = ["."] * len(columns)
    markers: dict[str, int] = {}
    for i, column in enumerate(columns):
        if i in digits:
            continue
        # Most cells decide here too; the others then do not read.
        most = Counter(map(_kind_of_word, column)).most_common(1)[0][0]
        if most == "b" and "b" not in roles:
            roles[i] = "b"
        elif most in ("a", "o"):
            roles[i] = most
        elif most in _MARKERS.values():
            markers[most] = i
        else:
            return []
    wide = [{len(run) for run in columns[i]} for i in digits]
    if _compact(digits, wide, markers, roles):
        return [TimeForm(skeleton, *found) for found in _one_run(sum(min(w) for w in wide))]
    found = []
    for order in _orders(digits, wide, markers, "b" in roles):
        own = list(roles)
        for i, role in zip(digits, order, strict=True):
            own[i] = role
        for mark, i in markers.items():
            own[i] = _ROLE_OF_MARK[mark]
        found.append(TimeForm(skeleton, "".join(own)))
    return found


def _kind_of_word(word: str) -> str:
    """The role of letters in a time; a capital for a marker, empty for what is none."""
    if word in _MONTH_OF:
        return "b"
    if word in _WEEKDAY_OF:
        return "a"
    return "o" if word in _ORDINALS else _MARKERS.get(word, "")


def _compact(
    digits: list[int], wide: list[set[int]], markers: dict[str, int], roles: list[str]
) -> bool:
    """Whether one run, or a date and a clock beside T, holds all digits (20240131T1200)."""
    one = len(digits) == 1 or (len(digits) == 2 and min(wide[0]) == 8)
    return (
        one and set(roles) == {"."} and markers.keys() <= {"T"} and all(len(w) == 1 for w in wide)
    )


def _one_run(width: int) -> list[tuple[str, tuple[int, ...]]]:
    """Roles and widths of the dates that are written in so many digits."""
    found = {
        2: ["y"], 4: ["Y"], 6: ["Ym", "ymd", "dmy", "mdy"], 7: ["Yj"], 8: ["Ymd", "dmY", "mdY"],
        10: ["YmdH"], 12: ["YmdHM"], 14: ["YmdHMS"],
    }  # fmt: skip
    return [(roles, tuple(_MOST[role] for role in roles)) for roles in found.get(width, [])]


def _orders(
    digits: list[int], wide: list[set[int]], markers: dict[str, int], named: bool
) -> list[str]:
    """What the runs of digits may mean, one letter each."""
    kinds = ["Y" if w == {4} else "j" if w == {3} else "y" if w == {2} else "d" for w in wide]
    count, four = len(digits), [i for i, w in enumerate(wide) if w == {4}]
    dates, clock = kinds[:3], "HMS"[: max(0, count - 3)]
    if markers.keys() & {"Q", "W", "M", "H"}:
        return _marked(digits, wide, markers)
    if count > 6 or len(four) > 2 or (len(four) == 2 and count != 2):
        return []
    year = four[0] if four else None
    if named:
        years = [year] if year is not None else [i for i in (1, 0) if i < count and kinds[i] == "y"]
        if count == 1:
            return ["Y" if kinds[0] == "Y" else "y"] if kinds[0] in "Yy" else []
        if count != 2:
            return []
        return ["".join(kinds[i] if i == at else "d" for i in range(2)) for at in years]
    if count == 2:
        if year == 0:
            return ["Ym", "Yz"] if dates[1] != "j" else ["Yj"]
        return ["mY"] if year == 1 else []
    if count < 3:
        return []
    if year == 0:
        return ["Ymd" + clock]
    if year == 2:
        return ["mdY" + clock, "dmY" + clock]
    if (year is None and len(wide[2]) == 1 == len(wide[0])) or kinds[2] == "y" or kinds[0] == "y":
        return [order + clock for order in ("mdy", "dmy", "ymd")]
    return []


def _marked(digits: list[int], wide: list[set[int]], markers: dict[str, int]) -> list[str]:
    """Quarters, weeks, months and half-years that a letter marks: 2001Q1, W1 2024, 2010M01."""
    marker = next(m for m in "QWMH" if m in markers)
    role, at = {"Q": "q", "W": "w", "M": "m", "H": "h"}[marker], markers[marker]
    years = [k for k, w in enumerate(wide) if w == {4}]
    if marker == "W" and len(digits) == 3 and years == [0]:
        return ["Ywu"]
    if len(digits) != 2:
        return []
    if years:
        return ["Y" + role if years[0] == 0 else role + "Y"]
    # Of two short numbers, the one behind the letter is what it marks, if the other can be a year.
    behind = next((k for k, i in enumerate(digits) if i > at), 0)
    own = [k for k in (behind, 1 - behind) if wide[1 - k] == {2} and max(wide[k]) <= 2]
    return [role + "y" if k == 0 else "y" + role for k in own]


def as_strptime(form: TimeForm) -> str:
    """The form as ``strptime`` writes it, for a reader who wants another one."""
    code = {
        "Y": "%Y", "y": "%y", "m": "%m", "b": "%b", "d": "%d", "j": "%j", "H": "%H", "M": "%M",
        "S": "%S", "a": "%a",
    }  # fmt: skip
    if form.widths:
        return "".join(code[role] for role in form.roles)
    roles = iter(form.roles)
    return "".join(code.get(next(roles), "") if c in "9A" else c for c in form.skeleton)


def foreign_month(runs: Iterable[str]) -> str | None:
    """The language of a month's name that is not English; None if there is none."""
    words = {run for run in runs if run[0].isalpha() and run not in _MONTH_OF}
    return next((name for name, months in _FOREIGN.items() if words & months), None)
