"""Untidy tables: remarks, missing names, currency signs, dates in any order."""

import re

import pytest

from throughtime.data.series import format_times
from throughtime.data.tables.files import read_table
from throughtime.data.tables.frequency import Frequency
from throughtime.errors import DataError


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write a file and read it: ``table(text, **arguments of read_table)``."""
    monkeypatch.chdir(tmp_path)

    def read(text, **arguments):
        (tmp_path / "data.csv").write_text(text, encoding="utf-8")
        return read_table("data.csv", **arguments)

    return read


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (
            "2024-01-01,5\n2024-01-02,6\n",
            {},
            (
                "data.csv must begin with a row of column names; got the values '2024-01-01,5'."
                " Write names above them, for example 'time,value'."
            ),
        ),
        (
            "day,y\n2024-01-01,1004 apples\n2024-01-02,1005 apples\n",
            {},
            (
                "data.csv must hold a column of numbers to forecast; got '1004 apples' in row 2 of"
                " column 'y'. Write a bare number, here 1004."
            ),
        ),
        (
            "day,y\n2024-01-01,1\n2024-01-02,1004 m\n",
            {"target": "y"},
            (
                "target column 'y' of data.csv must hold numbers; got '1004 m' in row 3. Write a"
                " bare number, here 1004."
            ),
        ),
        (
            "day,y\n01/13/2024,1\n01/14/2024,2\n",
            {"target": "y", "time": "day", "dayfirst": True},
            (
                "time column 'day' of data.csv must hold times, all in one form; got '01/13/2024'"
                " in row 2. dayfirst=False reads dates the other way."
            ),
        ),
    ],
)
def test_tables_that_need_a_hand(table, content, arguments, sentence):
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        table(content, **arguments)


def test_lines_of_comment_before_the_names_are_left_out(table):
    text = "# made by a shop, 2024\n# in euro\nday,y\n2024-01-01,1\n2024-01-02,x\n"
    got = table(text.replace("x", "2"))
    assert got.columns == ("day", "y")
    assert got.notes[0] == "2 lines that start with # before the column names left out."
    with pytest.raises(DataError, match=r"got 'x' in row 5\."):
        table(text, target="y")
    # A line of names may begin with the comment sign.
    assert table("# a remark\n#day,y\n2024-01-01,1\n2024-01-02,2\n").columns == ("#day", "y")


def test_names_that_look_like_values_are_said(table):
    got = table("shop,2019\na,5\nb,6\n", target="2019")
    assert got.notes == ("The first row, 'shop,2019', is taken as the column names.",)


def test_the_step_that_is_expected_is_used_where_it_fits(table):
    monthly = Frequency("month")
    one = table("month,y\n2024-05-01,1\n", target="y", frequency=monthly)
    assert one.frequency == monthly
    assert format_times(one.series[0].future_times(1)) == ["2024-06-01"]
    two = table("month,y\n2024-05-01,1\n2024-07-01,2\n", target="y", frequency=monthly)
    assert (two.frequency, two.gaps) == (monthly, 1)
    daily = table("month,y\n2024-05-01,1\n2024-05-02,2\n", target="y", frequency=monthly)
    assert daily.frequency.name == "daily"


def test_a_table_in_short(table):
    assert repr(table("y\n1\n2\n")) == "<Table of data.csv: 2 rows, 1 series>"
