"""Calendars: the step is found, gaps are inserted, times are continued; filling gaps."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.series import Series, fill, format_times
from throughtime.data.tables.frequency import Frequency, infer_frequency
from throughtime.errors import DataError, InvalidArgumentError, ShapeError


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


def dates(*texts):
    return np.array(texts, dtype="datetime64[us]")


#: Letters of pandas, our name, the natural season.
CALENDARS = [
    ("s", "every second", 86400),
    ("15min", "every 15 minutes", 96),
    ("h", "hourly", 24),
    ("6h", "every 6 hours", 4),
    ("D", "daily", 7),
    ("2D", "every 2 days", 1),
    ("B", "every business day", 5),
    ("W-SAT", "weekly", 52),
    ("14D", "every 2 weeks", 26),
    ("28D", "every 4 weeks", 13),
    ("MS", "monthly", 12),
    ("ME", "monthly", 12),
    ("QS", "quarterly", 4),
    ("QE", "quarterly", 4),
    ("6MS", "half-yearly", 2),
    ("YS", "yearly", 1),
    ("YE", "yearly", 1),
    ("5MS", "every 5 months", 1),
]


@pytest.mark.parametrize(("letters", "name", "season"), CALENDARS)
def test_calendars_of_pandas(letters, name, season):
    index = pd.date_range("2019-12-07 00:00", periods=60, freq=letters)
    times = index.to_numpy().astype("datetime64[us]")
    found = infer_frequency(times[:40])
    assert found.name == name
    assert found.season == season
    np.testing.assert_array_equal(found.after(times[39], 20), times[40:])
    np.testing.assert_array_equal(found.positions(times), np.arange(60))
    again = pd.date_range(index[0], periods=60, freq=found.alias)
    assert (again == index).all() or letters == "W-SAT"


@pytest.mark.parametrize(("letters", "name", "season"), CALENDARS)
@given(data=st.data())
def test_gaps_are_found_whatever_is_left_out(letters, name, season, data):
    whole = pd.date_range("2019-12-07", periods=40, freq=letters).to_numpy().astype("M8[us]")
    inner = data.draw(st.lists(st.integers(2, 38), unique=True, max_size=8))
    keep = np.setdiff1d(np.arange(40), inner)
    if letters == "B" and not (np.diff(whole[keep]) == np.timedelta64(1, "D")).any():
        return
    if letters not in ("B", "MS", "ME", "QS", "QE", "6MS", "YS", "YE", "5MS"):
        keep = np.union1d(keep, [0, 1])  # the smallest step must be there
    series = Series.from_arrays(keep.astype(float), whole[keep])
    assert series.frequency.name == name
    np.testing.assert_array_equal(series.times, whole)
    assert series.gaps == 40 - len(keep)
    np.testing.assert_array_equal(np.flatnonzero(series.inserted), np.setdiff1d(inner, keep))
    np.testing.assert_array_equal(series.values[~series.inserted], keep)
    assert np.isnan(series.values[series.inserted]).all()
    assert series.missing == 0


def test_clocks_may_jitter():
    rng = np.random.default_rng(0)
    clean = np.datetime64("2024-01-01T00:00:00", "us") + np.arange(50) * np.timedelta64(60, "s")
    times = clean + rng.integers(-900_000, 900_000, 50).astype("m8[us]")
    found = infer_frequency(np.delete(times, [20, 21]))
    assert found.unit == "microsecond"
    assert found.count == pytest.approx(60e6, rel=0.02)
    series = Series.from_arrays(np.arange(48.0), np.delete(times, [20, 21]))
    assert np.flatnonzero(series.inserted).tolist() == [20, 21]
    np.testing.assert_array_equal(series.times[~series.inserted], np.delete(times, [20, 21]))


def test_days_of_23_and_25_hours_are_days():
    local = pd.date_range("2024-03-01", "2024-11-20", freq="D", tz="Europe/Oslo")
    times = local.tz_convert("UTC").tz_localize(None).to_numpy().astype("M8[us]")
    series = Series.from_arrays(np.ones(len(times)), times)
    assert series.frequency.name == "daily"
    assert series.gaps == 0


def test_irregular_times_stay_as_they_are():
    times = dates("2024-01-01", "2024-01-02", "2024-01-09", "2024-03-01", "2024-03-03")
    series = Series.from_arrays([1, 2, 3, 4, 5], times)
    assert series.frequency is None
    assert series.gaps == 0
    np.testing.assert_array_equal(series.times, times)
    assert format_times(series.future_times(2)) == ["2024-03-07 12:00", "2024-03-12 00:00"]


@pytest.mark.parametrize(
    ("times", "name", "following"),
    [
        (None, "a step of 1", ["4", "5"]),
        ([1700, 1701, 1703, 1704], "a step of 1", ["1705", "1706"]),
        ([0.0, 0.5, 1.0, 1.5], "a step of 0.5", ["2", "2.5"]),
        ([10, 20, 30, 50], "a step of 10", ["60", "70"]),
    ],
)
def test_numbers_as_times(times, name, following):
    series = Series.from_arrays([1, 2, 3, 4], times)
    assert series.frequency.name == name
    assert series.frequency.alias is None
    assert series.frequency.season == 1
    assert format_times(series.future_times(2)) == following


def test_decimal_years_are_monthly_steps():
    days = pd.date_range("1980-01-15", periods=48, freq="MS")
    times = (days.year + (days.day_of_year - 1) / 365.25).to_numpy()
    series = Series.from_arrays(np.ones(48), times)
    assert series.gaps == 0
    assert series.frequency.count == pytest.approx(1 / 12, abs=0.003)


def test_rows_are_sorted_with_their_covariates():
    series = Series.from_arrays(
        [3.0, 1.0, 4.0],
        dates("2024-01-03", "2024-01-01", "2024-01-04"),
        [[30.0], [10.0], [40.0]],
        covariate_names=["price"],
    )
    assert series.reordered
    assert series.covariate_names == ("price",)
    np.testing.assert_array_equal(series.values, [1, np.nan, 3, 4])
    np.testing.assert_array_equal(series.covariates[:, 0], [10, np.nan, 30, 40])
    assert series.time_labels()[0] == "2024-01-01"


def test_missing_values_are_not_gaps():
    series = Series.from_arrays([1.0, np.nan, 3.0], [1, 2, 4])
    assert (series.missing, series.gaps, len(series)) == (1, 1, 4)


def test_a_single_row():
    assert Series.from_arrays([1.0]).future_times(2).tolist() == [1, 2]
    assert Series.from_arrays([1.0], dates("2024-01-01")).frequency is None


@given(st.integers(1, 30), st.sampled_from([("MS", 1), ("ME", 31), ("QS", 1), ("QE", 31)]))
def test_months_after_equal_those_of_pandas(n, kind):
    letters, day = kind
    index = pd.date_range("2023-11-30", periods=n + 1, freq=letters)
    frequency = Frequency("month", 3 if letters[0] == "Q" else 1, day)
    got = frequency.after(index[0].to_datetime64(), n)
    np.testing.assert_array_equal(got, index[1:].to_numpy())


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (dates("2024-01-01", "2024-01-02"), ["2024-01-01", "2024-01-02"]),
        (dates("2024-01-01", "2024-01-01T10:30"), ["2024-01-01 00:00", "2024-01-01 10:30"]),
        (dates("2024-01-01T10:30:05"), ["2024-01-01 10:30:05"]),
        (dates("2024-01-01T10:30:05.25"), ["2024-01-01 10:30:05.250000"]),
        (np.array([1, 20_000_000]), ["1", "20000000"]),
        (np.array([0.1, 2.0]), ["0.1", "2"]),
    ],
)
def test_times_as_text(times, text):
    assert format_times(times) == text


@given(st.integers(0, 500), st.sampled_from(["linear", "previous", "mean"]))
def test_fill_changes_only_what_is_missing(seed, method):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(12, 2))
    values[rng.random(values.shape) < 0.4] = np.nan
    values[rng.integers(12)] = 1.0
    before = values.copy()
    filled, missing = fill(values, method)
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(missing, np.isnan(values))
    np.testing.assert_array_equal(filled[~missing], values[~missing])
    assert np.isfinite(filled).all()
    assert filled.min() >= np.nanmin(values)
    assert filled.max() <= np.nanmax(values)


@pytest.mark.parametrize(
    ("method", "edges", "want"),
    [
        ("linear", "nearest", [1, 1, 2, 3, 3]),
        ("linear", "keep", [np.nan, 1, 2, 3, np.nan]),
        ("previous", "nearest", [1, 1, 1, 3, 3]),
        ("previous", "keep", [np.nan, 1, 1, 3, 3]),
        ("mean", "nearest", [2, 1, 2, 3, 2]),
        ("mean", "keep", [2, 1, 2, 3, 2]),
    ],
)
def test_fill_methods_and_edges(method, edges, want):
    filled, missing = fill([np.nan, 1, np.nan, 3, np.nan], method, edges=edges)
    np.testing.assert_array_equal(filled, want)
    assert missing.tolist() == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: Series.from_arrays([1, 2, 3], [5, 4, 5], time_name="time column 'ds'"),
            DataError,
            "time column 'ds' must not repeat in one series; got 5 in rows 0 and 2.",
        ),
        (
            lambda: Series.from_arrays([1, 2], np.array(["2024-01-01", "NaT"], "M8[D]")),
            DataError,
            "times must have no missing time; got one at index 1.",
        ),
        (
            lambda: Series.from_arrays([1, 2], [1.0, np.nan]),
            DataError,
            "times must have no missing time; got one at index 1.",
        ),
        (
            lambda: Series.from_arrays([1, 2], [1, 2, 3]),
            ShapeError,
            "times must be of shape (2,); got shape (3,).",
        ),
        (
            lambda: Series.from_arrays([]),
            DataError,
            "values must hold at least one value; got nothing.",
        ),
        (
            lambda: Series.from_arrays([1.0, np.inf]),
            DataError,
            "values and covariates must be finite or NaN; got an infinity.",
        ),
        (
            lambda: Series.from_arrays([1.0], dates("2024-01-01"), name="a").future_times(1),
            DataError,
            "series 'a' must have at least 2 rows to continue its times; got 1.",
        ),
        (
            lambda: fill([np.nan, np.nan]),
            DataError,
            "values must hold at least one known value; got none.",
        ),
        (
            lambda: fill([[1.0, np.nan]]),
            DataError,
            "values must hold at least one known value; got none in column 1.",
        ),
        (
            lambda: fill([1.0], "cubic"),
            InvalidArgumentError,
            "method must be one of 'linear', 'previous', 'mean'; got 'cubic'.",
        ),
        (
            lambda: fill(np.ones((1, 1, 1))),
            ShapeError,
            "values must be of shape (T,) or (T, C); got shape (1, 1, 1).",
        ),
    ],
)
def test_errors_are_whole_sentences(call, error, sentence):
    with pytest.raises(error, match=exactly(sentence)):
        call()


@pytest.mark.parametrize("day", [26, 28, 29, 30, 31])
@pytest.mark.parametrize("year", [2023, 2024])
def test_a_day_of_the_month_is_kept_and_cut_to_short_months(day, year):
    wanted = Frequency("month", 1, day).at(f"{year}-01-{day}", np.arange(18))
    found = infer_frequency(wanted[:10])
    assert found == Frequency("month", 1, day)
    np.testing.assert_array_equal(found.after(wanted[9], 8), wanted[10:])


def test_days_near_the_end_of_months_are_the_end_only_if_some_long_month_says_so():
    business = pd.date_range("2023-01-01", periods=12, freq="BME").to_numpy("datetime64[us]")
    assert infer_frequency(business) == Frequency("month", 1, 31)
    yearly = dates(*(f"{year}-02-28" for year in range(2001, 2010)))
    assert infer_frequency(yearly) == Frequency("month", 12, 28)
    quarters = dates("2023-06-30", "2023-09-30")
    assert infer_frequency(quarters) == Frequency("month", 3, 31)
    jitter = dates("2023-01-28", "2023-02-27", "2023-03-28", "2023-04-28", "2023-05-28")
    assert infer_frequency(jitter) == Frequency("month", 1, 28)
