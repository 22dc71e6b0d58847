"""Times in cells of text, in the many ways people write them."""

import numpy as np
import pytest

from throughtime.data.series import format_times
from throughtime.data.tables.dates import parse_times, share_of_times
from throughtime.data.tables.numbers import UnreadableError

JANUARY = ["2024-01-30", "2024-01-31"]


@pytest.mark.parametrize(
    ("texts", "want"),
    [
        (["2024-01-30", "2024-01-31"], JANUARY),
        (["20240130", "20240131"], JANUARY),
        (["2024/01/30", "2024/1/31"], JANUARY),
        (["30.01.2024", "31.01.2024"], JANUARY),
        (["30.1.24", "31.1.24"], JANUARY),
        (["30/01/2024", "31/01/2024"], JANUARY),
        (["1/30/2024", "1/31/2024"], JANUARY),
        (["30 Jan 2024", "31 Jan 2024"], JANUARY),
        (["30-Jan-24", "31-Jan-24"], JANUARY),
        (["January 30, 2024", "January 31, 2024"], JANUARY),
        (["2024-W05-2", "2024-W05-3"], JANUARY),
        (["1/30/2024 12:00 AM", "1/31/2024 12:00 am"], JANUARY),
        (["2024-01-30T01:00:00+01:00", "2024-01-31T00:00:00Z"], JANUARY),
        (["1706572800", "1706659200"], JANUARY),
        (["1706572800000", "1706659200000"], JANUARY),
        (["2024-01", "2024-02"], ["2024-01-01", "2024-02-01"]),
        (["202401", "202402"], ["2024-01-01", "2024-02-01"]),
        (["Jan 2024", "Feb 2024"], ["2024-01-01", "2024-02-01"]),
        (["01/2024", "02/2024"], ["2024-01-01", "2024-02-01"]),
        (["2024Q1", "2024 q2"], ["2024-01-01", "2024-04-01"]),
        (["31/12/69 23:59:59.5"], ["1969-12-31 23:59:59.500000"]),
        (["2024-01-30 10:15", "2024-01-30 10:30"], ["2024-01-30 10:15", "2024-01-30 10:30"]),
        (["30.01.2024 1:15 PM", "31.01.2024 01:15 p.m."], ["2024-01-30 13:15", "2024-01-31 13:15"]),
        (["1700", "1701"], ["1700", "1701"]),
        (["1.5", "2.5"], ["1.5", "2.5"]),
        (["123456", "999999"], ["123456", "999999"]),
    ],
)
def test_ways_to_write_times(texts, want):
    assert format_times(parse_times(texts)[0]) == want


def test_which_number_is_the_day():
    texts = ["01/02/2024", "03/02/2024"]
    month_first = (
        "Dates like 01/02/2024 are read as month, day, year. dayfirst=True reads them the other"
        " way."
    )
    day_first = (
        "Dates like 01/02/2024 are read as day, month, year. dayfirst=False reads them the other"
        " way."
    )
    times, note, *_ = parse_times(texts)
    assert (format_times(times)[0], note) == ("2024-01-02", month_first)
    times, note, *_ = parse_times(texts, european=True)
    assert (format_times(times)[0], note) == ("2024-02-01", day_first)
    times, note, *_ = parse_times(texts, dayfirst=True)
    assert (format_times(times)[0], note) == ("2024-02-01", "")
    times, note, *_ = parse_times([*texts, "13/02/2024"])
    assert (format_times(times)[0], note) == ("2024-02-01", "")
    assert parse_times(["2024-01-01T00:00+01:00"])[1] == ""


def test_offsets():
    """One offset stays; a changing one becomes UTC, except where days or months go on locally."""
    same = parse_times(["2024-01-01T00:00:00+01:00", "2024-01-02T00:00:00+01:00"])
    assert format_times(same.values) == ["2024-01-01", "2024-01-02"]
    assert same.writer.write(same.values + np.timedelta64(1, "D"))[1] == "2024-01-03T00:00:00+01:00"
    hours = [
        "2024-03-31T00:00:00+01:00", "2024-03-31T01:00:00+01:00", "2024-03-31T03:00:00+02:00",
    ]  # fmt: skip
    changing = parse_times(hours)
    assert format_times(changing.values) == [
        "2024-03-30 23:00", "2024-03-31 00:00", "2024-03-31 01:00",
    ]  # fmt: skip
    assert changing.note == (
        "Times with an offset were converted to UTC and are written for Europe/Berlin."
    )
    assert changing.writer.write(changing.values) == hours
    months = [f"2024-{m:02d}-01T00:00:00+0{1 + (4 <= m <= 10)}:00" for m in range(1, 13)]
    local = parse_times(months)
    assert format_times(local.values)[6] == "2024-07-01"
    assert local.note == "Times are local ones; their offset changes with the season."
    assert local.writer.write(local.values) == months


def test_what_is_no_time_in_english_is_named():
    with pytest.raises(UnreadableError) as caught:
        parse_times(["1 Januar 2024", "2 Februar 2024"])
    assert caught.value.language == "German"


def test_a_format_can_be_asked_for():
    times = parse_times(["03|02|24", "04|02|24"], date_format="%d|%m|%y")
    assert format_times(times.values) == ["2024-02-03", "2024-02-04"]
    assert times.writer.write(times.values) == ["03|02|24", "04|02|24"]
    with pytest.raises(UnreadableError) as caught:
        parse_times(["03|02|24", "04.02.24"], date_format="%d|%m|%y")
    assert caught.value.index == 1


def test_the_share_of_times():
    assert share_of_times(["2024-01-01", "2024-01-02", "Total", ""]) == pytest.approx(2 / 3)
    assert share_of_times(["1", "2"]) == 0.0
    assert share_of_times(["red", "blue"]) == 0.0


@pytest.mark.parametrize(
    ("texts", "index"),
    [
        (["2024-01-01", "01/02/2024"], 1),
        (["13/13/2024"], 0),
        (["2024-01-01", "soon"], 1),
        (["soon"], 0),
        (["01/02/2024", "01/02/2024 25:00"], 1),
        (["01/02/2024 13:00 PM"], 0),
        (["01/02/2024", "2 Feb 2024"], 1),
        (["2024Q1", "2024Q5"], 1),
        (["2 Feb 2024", "31 Feb 2024"], 1),
        (["5", "x"], 1),
        (["5", ""], 1),
    ],
)
def test_what_is_no_time(texts, index):
    with pytest.raises(UnreadableError) as caught:
        parse_times(texts)
    assert caught.value.index == index


def test_dates_are_read_the_way_that_makes_them_regular():
    months = [f"01/{month:02d}/{year}" for year in (2020, 2021) for month in range(1, 13)]
    values, note, dayfirst, *_ = parse_times(months)
    assert dayfirst is True
    assert format_times(values[:3]) == ["2020-01-01", "2020-02-01", "2020-03-01"]
    assert note == (
        "Dates like 01/01/2020 are read as day, month, year, which makes them monthly."
        " dayfirst=False reads them the other way."
    )
    american = [f"{month:02d}.01.{year}" for year in (2020, 2021) for month in range(1, 13)]
    values, note, dayfirst, *_ = parse_times(american)
    assert dayfirst is False
    assert "read as month, day, year, which makes them monthly" in note
    # An order given by the user is not questioned.
    assert parse_times(months, dayfirst=False).dayfirst is False


def test_the_end_of_an_hour_is_no_offset():
    """10:00-11:00 says when an hour ends, not how far Greenwich is."""
    ranges = [f"2024-01-01 {hour:02d}:00-{hour + 1:02d}:00" for hour in range(8, 13)]
    with pytest.raises(UnreadableError):
        parse_times(ranges)
