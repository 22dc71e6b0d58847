"""Tables as programs export them: each is read as what it is, or refused, or a note says what not.

Every case here was once read wrong without a word.
"""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from throughtime.data.series import format_times
from throughtime.data.tables.files import read_table
from throughtime.errors import DataError, InvalidArgumentError


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write a file and read it: ``table(content, **arguments of read_table)``."""
    monkeypatch.chdir(tmp_path)

    def read(content, name="data.csv", **arguments):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return read_table(name, **arguments)

    return read


def of(times, header="date,y"):
    return "\n".join([header, *(f"{time},{y}" for y, time in enumerate(times))]) + "\n"


def hours(pattern, count):
    start = np.datetime64("2024-01-05T00", "h")
    return [time.strftime(pattern) for time in (start + np.arange(count)).tolist()]


def days(pattern, count):
    start = np.datetime64("2024-01-05")
    return [time.strftime(pattern) for time in (start + np.arange(count)).tolist()]


@pytest.mark.parametrize(
    ("times", "first", "step"),
    [
        (days("%d%m%y", 40), "2024-01-05", "daily"),
        (["98", "99", "00", "01"], "1998-01-01", "yearly"),
        (["202311.0", "202312.0", "202401.0", "202402.0"], "2023-11-01", "monthly"),
        (["1704412800.0", "1704416400.0", "1704420000.0"], "2024-01-05 00:00", "hourly"),
        (["2024-01-05 00:00 GMT+1", "2024-01-06 00:00 GMT+1"], "2024-01-05", "daily"),
        (["2024-01-05 00:00 UTC+01:00", "2024-01-06 00:00 UTC+01:00"], "2024-01-05", "daily"),
        (["1st Qtr 2023", "2nd Qtr 2023", "3rd Qtr 2023"], "2023-01-01", "quarterly"),
        (["04.01.2024 23:00", "05.01.2024", "05.01.2024 01:00"], "2024-01-04 23:00", "hourly"),
        (["01/02/2024", "03/02/2024", "11/02/2024", "07/05/2024"], "2024-02-01", None),
    ],
)
def test_times_are_read_and_written_again(table, times, first, step):
    got = table(of(times))
    (series,) = got.series
    assert series.time_labels()[0] == first
    assert (got.frequency and got.frequency.name) == step
    assert [text for (text,) in got.write_times(series.times)] == times
    np.testing.assert_array_equal(series.values, np.arange(len(times)))


def test_ranges_of_time_stand_for_their_start(table):
    stamps = hours("%d.%m.%Y %H:%M", 31)
    ranges = [f"{a} - {b}" for a, b in pairwise(stamps)]
    got = table(of(ranges, "MTU,price"))
    assert (got.time, got.frequency.name) == ("MTU", "hourly")
    assert got.write_times(got.series[0].times) == [(text,) for text in ranges]
    assert got.notes[-1].endswith(
        " Each cell of times names a range, such as 05.01.2024 00:00 - 05.01.2024 01:00, and stands"
        " for its start."
    )
    with pytest.raises(DataError, match=r"got '05.01.2024 07:00' in row 9\."):
        table(of([*ranges[:7], stamps[7], *ranges[8:]], "MTU,price"))
    with pytest.raises(
        DataError, match=r"got '05.01.2024 00:00 - 05.01.2024 01:00 \(CET\)' in row 2"
    ):
        table(of([f"{text} (CET)" for text in ranges], "MTU,price"))


@pytest.mark.parametrize(
    ("header", "times", "bad"),
    [
        ("date,y", [*days("%Y%m%d", 20), "20241301"], "'20241301' in row 22"),
        ("date,y", ["99999999", *days("%Y%m%d", 20)], "'99999999' in row 2"),
        ("Year,y", [*map(str, range(2000, 2010)), "20222"], "'20222' in row 12"),
        ("date,y", [str(int(text)) for text in days("%d%m%Y", 40)], "'1022024' in row 29"),
        ("Zeit,y", hours("%H:%M", 20), "'00:00' in row 2"),
        ("what,y", hours("%H:%M", 20), "'00:00' in row 2"),
        ("month,y", ["Jan", "Feb", "Mar"], "'Jan' in row 2"),
        ("day,y", ["Mon", "Tue", "Wed"], "'Mon' in row 2"),
        ("date,y", ["2024-01-05 00:00+99:00", "2024-01-05 01:00+99:00"], "+99:00' in row 2"),
        ("date,y", ["2024-01-05 13:00-14:00", "2024-01-05 14:00-15:00"], "-15:00' in row 3"),
    ],
)
def test_the_cell_that_is_no_time_is_named(table, header, times, bad):
    name = header.partition(",")[0]
    start = f"time column '{name}' of data.csv must hold times, all in one form; got"
    with pytest.raises(DataError, match=rf"^{re.escape(start)} .*{re.escape(bad)}\."):
        table(of(times, header), target="y")


def test_texts_with_years_that_are_not_read_are_mentioned(table):
    got = table(of([f"FY{year}" for year in range(2024, 2010, -1)], "what,y"))
    assert got.time is None
    assert got.notes[0] == (
        "Texts like 'FY2024' are not read as times; rows count as equal steps in the order of the"
        " file."
    )


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf\xef\xbb\xbfdate,y\n2024-01-05,0\n2024-01-06,1\n",
        b"date,y\r\n2024-01-05,0\n2024-01-06,1\r",
        b"date,y\r2024-01-05,0\r2024-01-06,1\r\n",
    ],
)
def test_marks_of_programs(table, content):
    got = table(content)
    assert (got.time, got.columns) == ("date", ("date", "y"))
    assert format_times(got.series[0].times) == ["2024-01-05", "2024-01-06"]


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        ('[{"date":"2024-01-05","y":' + "9" * 5000 + "}]", "a.json", "it is damaged."),
        ('{"date":"2024-01-05","y":' + "9" * 5000 + "}", "a.json", "line 1 is damaged."),
        ('[{"date":"2024-01-05","y":' + "9" * 400 + "}]", "a.json",
         "got 'inf' in row 1. Leave the cell empty if its value is missing."),
        ("".join(f'{{"k{i}":1}}\n' for i in range(8000)), "a.json",
         "got 8,000 objects with 8,000 different names in them."),
        ("date,y\n".encode("utf-32"), "a.csv", "must be in UTF-8 or UTF-16; it is in UTF-32."),
        ("date,y\n2024-01-05," + "1 " * 50_000 + "x\n", "a.csv", "... in row 2."),
    ],
)  # fmt: skip
def test_hostile_texts_end_in_a_sentence(table, content, name, sentence):
    with pytest.raises(DataError, match=rf"{re.escape(sentence)}$") as caught:
        table(content, name, target="y")
    assert "\n" not in str(caught.value)


def test_counts_keep_their_digits_in_files_with_types(table):
    """Nanoseconds since 1970 have 19 digits, a float 16."""
    rows = [f'{{"time":{1704412800000000000 + i * 10**10},"y":{i}}}' for i in range(3)]
    got = table("\n".join(rows), "a.jsonl")
    assert got.frequency.name == "every 10 seconds"
    assert got.write_times(got.series[0].times[-1:]) == [("1704412820000000000",)]


def test_a_panic_of_the_spreadsheet_library_is_a_damaged_file(table, monkeypatch):
    calamine = pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")

    class Panic(BaseException):
        pass

    def panic(*_):
        raise Panic("index out of bounds")

    openpyxl.Workbook().save("a.xlsx")
    data = Path("a.xlsx").read_bytes()
    monkeypatch.setattr(calamine.CalamineWorkbook, "from_filelike", panic, raising=False)
    with pytest.raises(
        DataError, match=r"^a\.xlsx must be a whole spreadsheet; got: index out of bounds\.$"
    ):
        table(data, "a.xlsx")


def test_memory_that_ends_is_said(table, monkeypatch):
    def full(_):
        raise MemoryError

    monkeypatch.setattr("throughtime.data.tables.files.read_columns", full)
    with pytest.raises(
        DataError, match=r"^data\.csv must be a table that fits into memory; got a larger one\.$"
    ):
        table("date,y\n")


def test_steps_that_would_fill_the_memory_are_refused(table):
    with pytest.raises(
        DataError,
        match=r"^freq must be a step of which the table spans at most 10,000,000; got"
        r" 63,113,904,001 steps\.$",
    ):
        table("date,y\n0001-01-01,1\n2001-01-01,1\n", freq="s")


def test_a_format_with_a_directive_twice_is_refused(table):
    with pytest.raises(
        InvalidArgumentError, match=r"^date_format must be a format with % as strptime reads it;"
    ):
        table("date,y\n2001-01-01,1\n", date_format="%Y %Y")


def test_numbers_under_a_time_s_name_are_the_time(table):
    """A panel of years without the name of its series is no single series in the file's order."""
    with pytest.raises(DataError, match=r"^time column 'Year' must not repeat .* rows 2 and 4\."):
        table(of(["2001", "2002", "2001", "2002"], "Year,y"), target="y")
    with pytest.raises(DataError, match=r"time column 'ts' of .* got an empty cell in row 3\."):
        table(of(["1704412800", "", "1704412920", "1704412980"], "ts,y"), target="y")


def test_a_year_and_a_column_of_another_name(table):
    got = table("year,Monat,y\n2023,11,1\n2023,12,2\n2024,1,3\n", time=["year", "Monat"])
    assert got.frequency.name == "monthly"
    assert got.write_times(got.series[0].times[-1:]) == [("2024", "1")]


def test_seconds_beyond_64_bits_of_microseconds_are_refused(table):
    pa = pytest.importorskip("pyarrow")
    times = pa.array([0, 86400, 2**62], pa.timestamp("s"))
    sink = pa.BufferOutputStream()
    data = pa.table({"date": times, "y": [1, 2, 3]})
    with pa.ipc.new_file(sink, data.schema) as writer:
        writer.write_table(data)
    with pytest.raises(
        DataError, match=r"^column 'date' of a\.arrow must hold times between the years 1 and 9999;"
    ):
        table(sink.getvalue().to_pybytes(), "a.arrow")
