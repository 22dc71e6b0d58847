"""Every way to write a time is read, and written again in the same way."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from throughtime.data.series import format_times
from throughtime.data.tables.dates import parse_times
from throughtime.data.tables.numbers import UnreadableError


def steps(pattern, count=100, start=(2024, 1, 5), **step):
    moments = [datetime(*start) + i * timedelta(**step) for i in range(count)]
    return [moment.strftime(pattern) for moment in moments]


HOURS = {"hours": 1}
DAYS = {"days": 1}
COLUMNS = {
    "no leading zeros": (
        [f"2024/1/{d} {h}:00" for d in range(5, 15) for h in range(24)],
        "2024-01-05",
    ),
    "month without zero": (
        [f"{y}-{m}" for y in (2023, 2024) for m in range(1, 13)],
        "2023-01-01",
    ),
    "2010M01": ([f"2010M{m:02d}" for m in range(1, 13)], "2010-01-01"),
    "2024W01": ([f"2024W{w:02d}" for w in range(1, 53)], "2024-01-01"),
    "2024-W01": ([f"2024-W{w:02d}" for w in range(1, 53)], "2024-01-01"),
    "2024-W01-1": ([f"2024-W{w:02d}-1" for w in range(1, 53)], "2024-01-01"),
    "W1 2024": ([f"W{w} 2024" for w in range(1, 53)], "2024-01-01"),
    "Q1 2001": ([f"Q{q} {y}" for y in (2001, 2002) for q in (1, 2, 3, 4)], "2001-01-01"),
    "1Q01": ([f"{q}Q{y}" for y in ("01", "02") for q in (1, 2, 3, 4)], "2001-01-01"),
    "2001-Q1": ([f"{y}-Q{q}" for y in (2001, 2002) for q in (1, 2, 3, 4)], "2001-01-01"),
    "2008H1": (["2008H1", "2008H2", "2009H1"], "2008-01-01"),
    "2008/09": (["2008/09", "2009/10", "2010/11", "2011/12"], "2008-01-01"),
    "2024-005": (["2024-005", "2024-006"], "2024-01-05"),
    "full months": (steps("%d %B %Y", 120, (2024, 5, 1), **DAYS), "2024-05-01"),
    "May alone": (steps("%d %b %Y", 31, (2024, 5, 1), **DAYS), "2024-05-01"),
    "Sept": (
        [t.replace("Sep", "Sept") for t in steps("%d-%b-%y", 90, (2024, 7, 1), **DAYS)],
        "2024-07-01",
    ),
    "month first": (steps("%b %d, %Y", **DAYS), "2024-01-05"),
    "capitals": ([t.upper() for t in steps("%d-%b-%Y", **DAYS)], "2024-01-05"),
    "months and years": (["Jan-24", "Feb-24", "Mar-24"], "2024-01-01"),
    "ordinals": (["1st January 2024", "2nd January 2024", "3rd January 2024"], "2024-01-01"),
    "half days": (
        ["1/5/2024 11:00 AM", "1/5/2024 12:00 PM", "1/5/2024 1:00 PM"],
        "2024-01-05 11:00",
    ),
    "trailing points": (steps("%d.%m.%Y.", **DAYS), "2024-01-05"),
    "points and blanks": ([f"{d}. 7. 2024" for d in range(1, 32)], "2024-07-01"),
    "ctime": (steps("%a %b %d %H:%M:%S %Y", 40, (2024, 1, 10), **HOURS), "2024-01-10"),
    "ctime with UTC": (
        steps("%a %b %d %H:%M:%S UTC %Y", 40, (2024, 1, 10), **HOURS),
        "2024-01-10",
    ),
    "UTC as a word": (steps("%Y-%m-%d %H:%M:%S UTC", **HOURS), "2024-01-05"),
    "RFC 2822": (steps("%a, %d %b %Y %H:%M:%S GMT", **DAYS), "2024-01-05"),
    "Apache": (steps("%d/%b/%Y:%H:%M:%S +0000", **HOURS), "2024-01-05"),
    "hours without zeros": (
        ["2024-01-01 9:00", "2024-01-01 10:00", "2024-01-01 11:00"],
        "2024-01-01 09:00",
    ),
    "24:00": (
        ["2024-01-01 22:00", "2024-01-01 23:00", "2024-01-01 24:00", "2024-01-02 01:00"],
        "2024-01-01 22:00",
    ),
    "year first, two digits": (steps("%y-%m-%d", **DAYS), "2024-01-05"),
    "ten digits": (steps("%Y%m%d%H", **HOURS), "2024-01-05"),
    "twelve digits": (steps("%Y%m%d%H%M", **HOURS), "2024-01-05"),
    "fourteen digits": (steps("%Y%m%d%H%M%S", **HOURS), "2024-01-05"),
    "ISO, short": (steps("%Y%m%dT%H%M%SZ", **HOURS), "2024-01-05"),
    "day first, eight digits": (steps("%d%m%Y", **DAYS), "2024-01-05"),
    "seconds": ([str(1704412800 + 3600 * i) for i in range(50)], "2024-01-05"),
    "milliseconds": ([f"{1704412800 + 3600 * i}000" for i in range(50)], "2024-01-05"),
    "microseconds": ([f"{1704412800 + 3600 * i}000000" for i in range(50)], "2024-01-05"),
    "nanoseconds": ([f"{1704412800 + 3600 * i}000000000" for i in range(50)], "2024-01-05"),
    "years": (["1700", "1701", "1702"], "1700"),
    "fractions": (
        ["2024-01-01 00:00:00.25", "2024-01-01 00:00:00.50"],
        "2024-01-01 00:00:00.250000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_times_are_read_and_written_again(name):
    texts, first = COLUMNS[name]
    times = parse_times(texts)
    want = int(first) if len(first) == 4 else np.datetime64(first, "us")
    assert times.values[0] == want
    assert times.writer.write(times.values) == texts


def test_days_of_one_month_are_no_months():
    """01/02/2024 to 12/02/2024: twelve days in a row, or the second day of twelve months."""
    times = parse_times([f"{day:02d}/02/2024" for day in range(1, 13)])
    assert format_times(times.values)[-1] == "2024-02-12"
    assert times.note == (
        "Dates like 01/02/2024 are read as day, month, year, which makes them daily."
        " dayfirst=False reads them the other way."
    )


@pytest.mark.parametrize("bad", ["2024-02-30", "2024-13-01", "Total", "2024/01/06", "5", "24:00"])
def test_one_bad_cell_is_named(bad):
    texts = steps("%Y-%m-%d", **DAYS)
    for place in (0, 7, len(texts) - 1):
        with pytest.raises(UnreadableError) as caught:
            parse_times([*texts[:place], bad, *texts[place + 1 :]])
        assert caught.value.index == place


@pytest.mark.parametrize(
    ("texts", "bad"),
    [
        ([f"2024Q{q}" for q in (1, 2, 3, 4)], "2024W2"),
        ([f"2024W{w:02d}" for w in range(1, 20)], "2024M02"),
        (steps("%Y%m%dT%H%M", **HOURS), "20240106X0000"),
        (steps("%d %b %Y", **DAYS), "05 Foo 2024"),
        (steps("%a %d %b %Y", **DAYS), "Tue 05 Jan 2024"),
    ],
)
def test_letters_count(texts, bad):
    """A marker of another kind, no month, a weekday that is not that of the date."""
    with pytest.raises(UnreadableError) as caught:
        parse_times([*texts[:2], bad, *texts[2:]])
    assert caught.value.index == 2
