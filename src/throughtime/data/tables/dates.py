"""A column of cells to times: every form is tried on all cells, and the one that fits all wins.

Where several fit, the times decide: those that are regular and in order. Where that does not
decide either, a note says which was taken and how to choose another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from throughtime.data.tables.frequency import Frequency, infer_frequency
from throughtime.data.tables.numbers import (
    UnreadableError,
    is_missing,
    is_number,
    parse_numbers,
)
from throughtime.data.tables.ranges import RANGE, holds_range, read_ranges
from throughtime.data.tables.timeforms import (
    Cell,
    TimeForm,
    as_strptime,
    foreign_month,
    forms_of,
    take_apart,
    without_clock,
)
from throughtime.data.tables.timewriter import (
    EpochWriter,
    FormatWriter,
    NumberWriter,
    StampWriter,
    TimeWriter,
    writer_of,
)
from throughtime.data.tables.zones import with_offsets
from throughtime.errors import Message, Setting

__all__ = ["Times", "holds_compact_times", "parse_times", "share_of_times"]

#: Digits of numbers that count from 1970 (one less before 2001), and the nanoseconds of one.
_EPOCHS = {10: 10**9, 13: 10**6, 16: 10**3, 19: 1}
_MINUTE = 60_000_000
#: The share of cells of a column of dates in one number that may not be damaged.
_MOST_COMPACT = 0.9
#: Cells that show what a column does not hold.
_FEW = 16
#: Years that a date written as one number can have: others are more likely no dates.
_CENTURIES = range(15, 23)
_YEARS = {str(century) for century in _CENTURIES}
#: Dates in one number of which one can be seen to be damaged.
_FEWEST = 5
#: Lengths of a step, in microseconds, that people choose: the divisors of a day, days, weeks.
_NATURAL = {
    1_000_000 * s for s in (1, 5, 10, 15, 30, 60, 300, 600, 900, 1200, 1800, 3600, 7200, 10800,
                            14400, 21600, 28800, 43200, 86400, 7 * 86400)
}  # fmt: skip


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
    writer : TimeWriter
        Writes times as the cells are written.
    form : str
        The roles of the form that was read; empty for numbers.
    """

    values: np.ndarray
    note: str = ""
    dayfirst: bool | None = None
    writer: TimeWriter = NumberWriter()
    form: str = ""


class _Reading(NamedTuple):
    """A form that fits all cells, and the times that it gives."""

    form: TimeForm
    times: np.ndarray
    step: Frequency | None
    regular: int
    ordered: bool


def parse_times(
    texts: Sequence[str],
    *,
    dayfirst: bool | None = None,
    european: bool = False,
    date_format: str | None = None,
    form: str | None = None,
    named: bool = True,
) -> Times:
    """Read a column of times.

    Understood are ISO 8601, dates of three numbers in any usual order, names of months, quarters,
    weeks, half-years, dates and times in one run of digits, and counts since 1970; any other
    numbers count as steps.

    Parameters
    ----------
    dayfirst : bool, optional
        Whether 01/02/2024 is the first of February. By default the column decides (a number above
        12 is a day), then what makes the times regular; where both readings do, or none, a point
        (01.02.2024) and ``european`` speak for the day.
    european : bool
        The file has a decimal comma or semicolons.
    date_format : str, optional
        How to read every cell, as :meth:`datetime.datetime.strptime` says it.
    form : str, optional
        The roles of the form that the cells are thought to have, as :attr:`Times.form` has them.
    named : bool
        Whether the name of the column says that it holds times: numbers are dates sooner then.

    Raises
    ------
    UnreadableError
        At the first cell that is no time, a missing one included.
    """
    cells = [text.strip() for text in texts]
    for index, cell in enumerate(cells):
        if is_missing(cell):
            raise UnreadableError(index)
    if 2 * sum(map(holds_range, cells)) > len(cells):

        def read(texts: list[str]) -> Times:
            return parse_times(
                texts, dayfirst=dayfirst, european=european, date_format=date_format, form=form
            )

        return read_ranges(cells, read)
    kinds = list(dict.fromkeys(cells))
    place = {kind: i for i, kind in enumerate(kinds)}
    which = np.array([place[cell] for cell in cells])
    first_row = dict(zip(reversed(cells), reversed(range(len(cells))), strict=True))
    if date_format is not None:
        return _by_format(kinds, which, first_row, date_format)
    if mostly_numbers(kinds):
        found = _numbers(kinds, which, named)
        if found is not None:
            return found
        try:
            values = parse_numbers(cells, ";" if european else ",")
        except UnreadableError as error:
            raise UnreadableError(error.index) from None
        whole = bool((values % 1 == 0).all()) and bool((np.abs(values) < 2**53).all())
        return Times(values.astype(np.int64) if whole else values)
    apart = [take_apart(kind) for kind in kinds]
    readings, best = _fitting(kinds, apart, which)
    readings = [r for r in readings if _agrees(r.form, dayfirst)]
    if not readings:
        index = min(first_row[kinds[i]] for i in best) if best else 0
        raise UnreadableError(index, foreign_month(take_runs(kinds)))
    asked = [reading for reading in readings if reading.form.roles == form]
    readings = asked or readings
    habit = european if dayfirst is None else dayfirst
    chosen = _choose(readings, habit or "." in kinds[0])
    return _finished(chosen, readings, kinds, apart, which)


def take_runs(kinds: Sequence[str]) -> list[str]:
    """All runs of digits and letters in some cells."""
    return [run for kind in kinds[:1000] if (cell := take_apart(kind)) for run in cell.runs]


def holds_compact_times(texts: Sequence[str], named: bool) -> bool:
    """Whether most cells are dates in one number, or counts since 1970, that go on regularly.

    Without a name that says so, the steps must be ones that people choose, of a minute at least.
    """
    cells = [text.strip() for text in texts]
    digits = [cell for cell in cells if cell.isascii() and cell.isdigit()]
    if len(digits) < max(3, min(_MOST_COMPACT * len(cells), len(cells) - 1)):
        return False
    width = Counter(map(len, digits)).most_common(1)[0][0]
    if width < 6:
        return False
    kept = [cell for cell in digits if abs(len(cell) - width) <= (width > 8)]
    try:
        values = parse_times(kept, named=True).values
    except UnreadableError:
        return False
    if values.dtype.kind != "M":
        return False
    if named:
        return True
    moves = np.diff(values.astype(np.int64))
    step = infer_frequency(np.unique(values))
    long = step is not None and (step.unit != "microsecond" or step.count >= _MINUTE)
    return long and _regular(step) == 2 and bool((moves >= 0).all() or (moves <= 0).all())


def share_of_times(texts: Sequence[str], most: int = 400) -> float:
    """The share of cells, plain numbers aside, that read as times of the form that most have.

    At most ``most`` cells, from all parts of the column, are looked at.
    """
    if any(map(holds_range, texts[:: max(1, len(texts) // _FEW)])):
        texts = [RANGE.sub(r"\1", text.strip()) for text in texts]
    few = texts[:: max(1, len(texts) // _FEW)]
    if all(is_missing(text) or is_number(text) for text in few):
        return 0.0  # one of thousands of columns of numbers
    step = max(1, len(texts) // most)
    kinds = [text.strip() for text in texts[::step] if not is_missing(text)]
    cells = [take_apart(kind) for kind in kinds if not is_number(kind)]
    known = [cell for cell in cells if cell is not None]
    if not known:
        return 0.0
    ((skeleton, _),) = Counter(_pattern(cell) for cell in known).most_common(1)
    group = [cell for cell in known if _pattern(cell) == skeleton]
    read = [sum(form.read(cell) is not None for cell in group) for form in forms_of(group)]
    return max(read, default=0) / len(kinds)


def _pattern(cell: Cell) -> str:
    return without_clock(cell.skeleton)


def _fitting(
    kinds: Sequence[str], apart: Sequence[Cell | None], which: np.ndarray
) -> tuple[list[_Reading], list[int]]:
    """Every form that reads all cells; and the cells that the best form cannot read."""
    known = [cell for cell in apart if cell is not None]
    if not known:
        return [], [0]
    ((pattern, _),) = Counter(_pattern(cell) for cell in known).most_common(1)
    group = [cell for cell in known if _pattern(cell) == pattern]
    readings, fewest = [], list(range(len(kinds)))
    for form in forms_of(group):
        times = [None if cell is None else form.read(cell) for cell in apart]
        bad = [i for i, time in enumerate(times) if time is None]
        if not bad:
            readings.append(_reading(form, times, which))
        if len(bad) < len(fewest):
            fewest = bad
    if not fewest:
        odd = {cell.offset is None for cell in known}
        if len(odd) > 1:  # a zone in some cells alone
            few = Counter(cell.offset is None for cell in known).most_common()[-1][0]
            return [], [i for i, c in enumerate(apart) if c and (c.offset is None) == few]
    return readings, fewest


def _reading(form: TimeForm, times: Sequence[datetime | None], which: np.ndarray) -> _Reading:
    values = np.array(times, dtype="datetime64[us]")
    rows = values[which]
    step = infer_frequency(np.unique(values))
    moves = np.diff(rows.astype(np.int64))
    ordered = bool((moves >= 0).all() or (moves <= 0).all())
    return _Reading(form, values, step, _regular(step), ordered)


def _regular(step: Frequency | None) -> int:
    """2 for a step that people choose, 1 for another one, 0 for none."""
    if step is None:
        return 0
    if step.unit == "month":
        return 2 if step.count in (1, 3, 6, 12) and step.day in (1, 31) else 1
    return 2 if step.unit == "business day" or step.count in _NATURAL else 1


def _agrees(form: TimeForm, dayfirst: bool | None) -> bool:
    """Whether a form has day and month in the order that was asked for."""
    first = _dayfirst(form)
    return dayfirst is None or first is None or first == dayfirst


def _dayfirst(form: TimeForm) -> bool | None:
    """Whether the day stands before the month; None where nobody could doubt it."""
    if not {"m", "d"} <= set(form.roles) or form.roles[0] in "Yy":
        return None
    return form.roles.index("d") < form.roles.index("m")


def _choose(readings: Sequence[_Reading], habit: bool) -> _Reading:
    """One of a usual step, then one in order, then one of any step, then what is usual there."""
    usual = sorted(
        readings, key=lambda r: _dayfirst(r.form) is not None and _dayfirst(r.form) != habit
    )
    return max(usual, key=lambda r: (r.regular == 2, r.ordered, r.regular))


_WORDS = {
    "Y": "year", "y": "year", "m": "month", "b": "month", "d": "day", "j": "day of the year",
    "q": "quarter", "w": "week", "u": "weekday", "h": "half-year", "z": "next year", "H": "hour",
    "M": "minute", "S": "second",
}  # fmt: skip


def _finished(
    chosen: _Reading,
    readings: Sequence[_Reading],
    kinds: Sequence[str],
    apart: Sequence[Cell | None],
    which: np.ndarray,
) -> Times:
    values, notes = chosen.times, []
    first = _dayfirst(chosen.form)
    others = [r for r in readings if not np.array_equal(r.times, values)]
    if others:
        notes.append(_ambiguity(chosen, others, kinds[0], first))
    offsets = [cell.offset for cell in apart if cell is not None]
    zone, utc = None, False
    if offsets[0] is not None:
        values, zone, utc, note = with_offsets(values, [o or 0 for o in offsets])
        notes += [note] if note else []
    writer = writer_of(chosen.form, kinds, zone, utc)
    text = notes[0] if len(notes) == 1 else " ".join(notes)
    return Times(values[which], text, first, writer, chosen.form.roles)


def _ambiguity(
    chosen: _Reading, others: Sequence[_Reading], example: str, first: bool | None
) -> str:
    order = ", ".join(_WORDS[role] for role in chosen.form.roles if role in _WORDS)
    decided = chosen.regular > max(r.regular for r in others) and chosen.step is not None
    reason = f", which makes them {chosen.step.name}" if decided and chosen.step else ""
    other = others[0].form
    setting: Setting = Setting("date_format", as_strptime(other))
    if first is not None and _dayfirst(other) is not None:
        setting = Setting("dayfirst", not first)
    return Message(
        "Dates like {example} are read as {order}{reason}.",
        hint=Message("{other} reads them the other way.", other=setting),
        example=example,
        order=order,
        reason=reason,
    )


def _by_format(
    kinds: Sequence[str], which: np.ndarray, first_row: dict[str, int], date_format: str
) -> Times:
    """Every cell by the format that the caller gave."""
    times = []
    for kind in kinds:
        try:
            time = datetime.strptime(kind, date_format)
        except ValueError:
            raise UnreadableError(first_row[kind]) from None
        times.append(time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time)
    values = np.array(times, dtype="datetime64[us]")
    return Times(values[which], "", None, FormatWriter(date_format))


def _numbers(kinds: Sequence[str], which: np.ndarray, named: bool) -> Times | None:
    """Dates written as one number, or counts since 1970; None if the numbers are neither."""
    decimals = max(len(kind.partition(".")[2]) for kind in kinds)
    if decimals:  # 202401.0, as programs write a whole number
        wholes, _, fractions = zip(*(kind.partition(".") for kind in kinds), strict=True)
        if not all(whole.isascii() and whole.isdigit() for whole in wholes):
            return None
        if {len(whole) for whole in wholes} <= {9, 10}:
            seconds = np.array(kinds, dtype=np.float64)
            values = np.rint(seconds * 1e6).astype(np.int64).astype("datetime64[us]")
            return Times(values[which], "", None, EpochWriter(10**9, decimals))
        if any(fraction.strip("0") for fraction in fractions):
            return None
        found = _numbers(wholes, which, named)
        if found is None or not isinstance(found.writer, StampWriter):
            return None
        pieces = (*found.writer.pieces, ("", "." + "0" * decimals))
        return found._replace(writer=replace(found.writer, pieces=pieces))
    if not all(kind.isascii() and kind.isdigit() for kind in kinds):
        return None
    widths = Counter(map(len, kinds))
    width = widths.most_common(1)[0][0]
    apart = [take_apart(kind) for kind in kinds]
    if len(widths) == 1 and (width > 4 or (width == 2 and not _regular_numbers(kinds))):
        readings, _ = _fitting(kinds, apart, which)
        kept = [r for r in readings if _credible(r, width, named)]
        if kept:
            return _finished(_choose(kept, False), kept, kinds, apart, which)
    unit = next(
        (unit for usual, unit in _EPOCHS.items() if widths.keys() <= {usual - 1, usual}), None
    )
    if unit is not None:
        counts = np.array(kinds, dtype=np.int64)
        micro = counts * (unit // 1000) if unit >= 1000 else counts // 1000
        values = micro.astype("datetime64[us]")
        if max(widths) in _EPOCHS or _regular(infer_frequency(np.unique(values))) == 2:
            return Times(values[which], "", None, EpochWriter(unit))
    if named:
        _refuse_odd_dates(kinds, apart, which, width)
    return None


def _regular_numbers(kinds: Sequence[str]) -> bool:
    return infer_frequency(np.unique(np.array(kinds, dtype=np.int64))) is not None


def _refuse_odd_dates(
    kinds: Sequence[str], apart: Sequence[Cell | None], which: np.ndarray, width: int
) -> None:
    """Raise UnreadableError where nearly all numbers are dates, or none can be steps."""
    if len(kinds) < _FEWEST:
        return
    if width == 4:
        odd = [i for i, kind in enumerate(kinds) if len(kind) != 4 or kind[:2] not in _YEARS]
    elif width in (6, 8, 12, 14):
        group = [cell for cell in apart if cell is not None and len(cell.runs[0]) == width]
        by_form = []
        for form in forms_of(group):
            times = [None if cell is None else form.read(cell) for cell in apart]
            by_form.append([
                i for i, t in enumerate(times) if t is None or t.year // 100 not in _CENTURIES
            ])  # fmt: skip
        odd = min(by_form, key=len, default=[])
    else:
        return
    if 0 < len(odd) <= max(1, (1 - _MOST_COMPACT) * len(kinds)):
        raise UnreadableError(min(int(np.argmax(which == i)) for i in odd))
    moves = np.diff(np.array(kinds, dtype=np.float64)[which])
    if width >= 6 and not _regular_numbers(kinds) and moves.min() < 0 < moves.max():
        raise UnreadableError(int(np.argmax(moves < 0)) + 1)


def _credible(reading: _Reading, width: int, named: bool) -> bool:
    """Whether numbers of ``width`` digits are dates rather than steps or counts."""
    years = reading.times.astype("datetime64[Y]").astype(np.int64) + 1970
    if not all(int(year) // 100 in _CENTURIES for year in (years.min(), years.max())):
        return False
    usual = reading.form.roles.startswith("Y") and width != 7
    return usual or (named and reading.regular == 2 and reading.ordered)


def mostly_numbers(kinds: Sequence[str], most: int = 400) -> bool:
    sample = kinds[:: max(1, len(kinds) // most)]
    return 2 * sum(map(is_number, sample)) >= len(sample)
