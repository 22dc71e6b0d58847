"""Rows that share a time, events that become steps, and what is left out."""

import numpy as np
import pytest

from throughtime.data.series import format_times
from throughtime.data.tables.files import read_table
from throughtime.data.tables.rows import parse_step
from throughtime.errors import DataError, InvalidArgumentError


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write a file and read it: ``table(text, **arguments of read_table)``."""
    monkeypatch.chdir(tmp_path)

    def read(text, **arguments):
        (tmp_path / "data.csv").write_text(text, encoding="utf-8")
        return read_table("data.csv", **arguments)

    return read


TWICE = "date,y,x\n2024-01-01,1,5\n2024-01-02,2,6\n2024-01-02,4,8\n2024-01-03,9,7\n"


@pytest.mark.parametrize(
    ("how", "want", "covariate"),
    [("mean", 3, 7), ("sum", 6, 7), ("first", 2, 6), ("last", 4, 8)],
)
def test_rows_that_share_a_time(table, how, want, covariate):
    got = table(TWICE, target="y", covariates=["x"], duplicates=how)
    np.testing.assert_array_equal(got.series[0].values, [1, want, 9])
    assert got.series[0].covariates[1, 0] == covariate
    assert got.notes[-1] == f"1 row shared a time with another one: the {how} is taken."


def test_rows_that_share_a_time_are_refused_unless_a_way_is_asked_for(table):
    with pytest.raises(
        DataError,
        match=r"^time column 'date' must not repeat in one series; got 2024-01-02 in rows 3 and 4\."
        r" If the table holds several series, name their column \(id\); otherwise"
        r" duplicates='mean' takes the mean of such rows\.$",
    ):
        table(TWICE, target="y")
    with pytest.raises(InvalidArgumentError, match=r"^duplicates must be one of 'error', 'mean',"):
        table(TWICE, target="y", duplicates="median")


def test_equal_rows_count_once(table):
    text = "date,y\n2024-01-01,1\n2024-01-02,2\n2024-01-02,2\n2024-01-03,3\n"
    got = table(text)
    np.testing.assert_array_equal(got.series[0].values, [1, 2, 3])
    assert got.notes[-1] == "1 row repeats an earlier one in every column and counts once."


EVENTS = (
    "when,y\n2024-01-01 03:10,1\n2024-01-01 17:00,5\n2024-01-03 00:00,2\n2024-01-03 23:59,4\n"
    "2024-01-04 08:00,\n"
)


@pytest.mark.parametrize(
    ("how", "want"),
    [
        ("sum", [6, 0, 6, np.nan]),
        ("mean", [3, np.nan, 3, np.nan]),
        ("last", [5, np.nan, 4, np.nan]),
        ("count", [2, 0, 2, 1]),
    ],
)
def test_events_become_steps(table, how, want):
    got = table(EVENTS, freq="D", aggregate=how)
    np.testing.assert_array_equal(got.series[0].values, want)
    assert format_times(got.series[0].times)[0] == "2024-01-01"
    assert got.frequency.name == "daily"
    words = {"sum": "sums", "mean": "means", "last": "last values", "count": "counts"}[how]
    assert got.notes[-1] == f"Rows were turned into steps, daily: {words}."


def test_steps_have_names():
    assert [parse_step(t).name for t in ("h", "15min", "D", "W", "M", "Q", "2Y")] == [
        "hourly", "every 15 minutes", "daily", "weekly", "monthly", "quarterly", "every 24 months",
    ]  # fmt: skip
    week = parse_step("W").floor(np.array(["2024-01-03T05:00"], "datetime64[us]"))
    assert str(week[0])[:10] == "2024-01-01"  # a Monday
    for wrong in ("", "0D", "fortnight", "3", 3, "1000000D", "9" * 30 + "D"):
        with pytest.raises(InvalidArgumentError, match=r"^freq must be a number and one of s,"):
            parse_step(wrong)


def test_a_series_without_a_value_is_left_out(table):
    got = table("i,date,y\na,2024-01-01,1\nb,2024-01-01,\na,2024-01-02,2\n", target="y", id="i")
    assert [one.name for one in got.series] == ["a"]
    assert got.left_out == {"b": "all its values are missing"}
    assert got.notes[-1] == "Series 'b' is left out: all values are missing."


def test_wide_tables(table):
    text = "date,a,b,name\n2024-01-01,1,4,x\n2024-01-02,2,5,y\n"
    for arguments in ({"target": ["a", "b"]}, {"all_targets": True}):
        got = table(text, **arguments)
        assert [(one.name, one.values.tolist()) for one in got.series] == [
            ("a", [1, 2]),
            ("b", [4, 5]),
        ]
        assert (got.target, got.id) == ("a, b", "series")


def test_an_hour_that_comes_twice(table):
    hours = ["00:00", "01:00", "02:00", "02:00", "03:00"]
    text = "time,y\n" + "".join(f"2024-10-27 {hour},{i}\n" for i, hour in enumerate(hours))
    got = table(text, tz="Europe/Berlin")
    assert format_times(got.series[0].times)[:3] == [
        "2024-10-26 22:00", "2024-10-26 23:00", "2024-10-27 00:00",
    ]  # fmt: skip
    assert got.frequency.name == "hourly"
    assert got.writer.write(got.series[0].times) == [f"2024-10-27 {hour}" for hour in hours]
    assert "Times are those of Europe/Berlin." in got.notes
    with pytest.raises(InvalidArgumentError, match=r"^tz must be a time zone; got 'Berlin'\."):
        table(text, tz="Berlin")


@pytest.mark.parametrize(
    ("text", "names", "first", "written"),
    [
        ("year,month,y\n2023,12,1\n2024,1,2\n2024,2,3\n", ("year", "month"), "2023-12-01",
         ("2023", "12")),
        ("Year,Quarter,y\n2023,Q4,1\n2024,Q1,2\n2024,Q2,3\n", ("Year", "Quarter"), "2023-10-01",
         ("2023", "Q4")),
        ("year,month,day,y\n2023,1,1,1\n2023,1,2,2\n2023,1,3,3\n", ("year", "month", "day"),
         "2023-01-01", ("2023", "1", "1")),
        ("Date;Time;y\n10/03/2004;18:00;1\n10/03/2004;19:00;2\n10/03/2004;20:00;2\n",
         ("Date", "Time"), "2004-03-10T18:00", ("10/03/2004", "18:00")),
    ],
)  # fmt: skip
def test_times_of_several_columns(table, text, names, first, written):
    got = table(text, target="y")
    assert got.time_columns == names
    assert got.series[0].times[0] == np.datetime64(first, "us")
    assert got.writer.write_parts(got.series[0].times[:1]) == [written]


def test_a_way_to_aggregate_needs_steps(table):
    with pytest.raises(
        InvalidArgumentError,
        match=r"^aggregate must be given with a step; got none\. Add for example freq='D'\.$",
    ):
        table(EVENTS, aggregate="sum")
