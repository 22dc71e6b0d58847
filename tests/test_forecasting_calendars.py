"""Forecasts continue the times of their series."""

import numpy as np
import pandas as pd
import pytest

from throughtime.data import Series, co2
from throughtime.data.series import format_times
from throughtime.errors import DataError
from throughtime.forecasting import Forecaster
from throughtime.forecasting.calendars import Calendar
from throughtime.forecasting.reading import extend, read_group

TINY = {"epochs": 1, "hidden_size": 2, "members": 1, "window": 4}
RNG = np.random.default_rng(0)
VALUES = 10.0 + RNG.normal(size=40)


def months(start="2020-01-31", freq="ME", size=40):
    return pd.Series(VALUES[:size], pd.date_range(start, periods=size, freq=freq))


def observed(y, X=None):
    (one,) = read_group(y, X).series
    return one


def test_a_forecast_carries_on_the_times(tmp_path):
    model = Forecaster(3, **TINY).fit(months())
    expected = ["2023-05-31", "2023-06-30", "2023-07-31"]
    assert format_times(model.predict().times) == expected
    assert format_times(model.predict([2]).times) == expected[1:2]
    model.save(tmp_path / "model.safetensors")
    again = Forecaster.load(tmp_path / "model.safetensors")
    assert format_times(again.predict().times) == expected
    # Without a given season, months suggest a season of one year.
    assert model.fitted.candidates == (1.0, 12.0)
    report = model.backtest(months())
    assert format_times(report.folds[0].forecast.times) == [
        "2023-02-28",
        "2023-03-31",
        "2023-04-30",
    ]
    # Arrays have no times.
    assert Forecaster(3, **TINY).fit(VALUES).predict().times is None


@pytest.mark.parametrize(
    ("index", "first"),
    [
        (pd.date_range("2024-01-01", periods=40, freq="D"), "2024-02-10"),
        (pd.date_range("2024-01-01", periods=40, freq="D", tz="Europe/Vienna"), "2024-02-09 23:00"),
        (pd.period_range("2024-01", periods=40, freq="M"), "2027-05-01"),
        (pd.date_range("2024-01-01", periods=40, freq="15min"), "2024-01-01 10:00"),
    ],
)
def test_every_kind_of_index_of_dates(index, first):
    one = observed(pd.Series(VALUES, index))
    assert format_times(one.calendar.at(np.array([40]))) == [first]


def test_other_indexes_say_nothing():
    assert observed(pd.Series(VALUES)).calendar is None
    assert observed(list(VALUES)).calendar is None
    irregular = pd.to_datetime(
        ["2024-01-01", "2024-01-02", "2024-01-09", "2024-03-01", "2024-03-05"]
    )
    one = observed(pd.Series(VALUES[:5], irregular))
    assert one.calendar is None
    np.testing.assert_array_equal(one.y, VALUES[:5])


def test_dates_are_put_in_order_and_those_left_out_are_missing():
    dates = pd.to_datetime(["2024-01-04", "2024-01-01", "2024-01-02"])
    one = observed(pd.Series([4.0, 1.0, 2.0], dates), np.array([40.0, 10.0, 20.0]))
    np.testing.assert_array_equal(one.y, [1, 2, np.nan, 4])
    np.testing.assert_array_equal(one.covariates[:, 0], [10, 20, np.nan, 40])
    with pytest.raises(DataError) as caught:
        observed(pd.Series([1.0, 2.0], pd.to_datetime(["2024-01-01"] * 2)))
    assert str(caught.value) == (
        "the index of y must not repeat in one series; got 2024-01-01 in rows 0 and 1."
    )


def test_new_values_follow_the_history():
    group = read_group(months(size=36))
    longer = extend(group, months(size=40)[36:])
    np.testing.assert_array_equal(longer.series[0].y, VALUES)
    assert format_times(longer.series[0].calendar.at(np.array([40]))) == ["2023-05-31"]
    # A single value has no step; the history's step counts.
    assert len(extend(group, months(size=37)[36:]).series[0]) == 37
    # Values without times are taken as the next ones.
    assert len(extend(group, [1.0, 2.0]).series[0]) == 38
    for begin, got in ((37, "2023-02-28"), (35, "2022-12-31")):
        with pytest.raises(DataError) as caught:
            extend(group, months(size=40)[begin:])
        assert str(caught.value) == (
            f"y must begin one step after the history, at 2023-01-31; got {got}."
            " Write NaN where values are missing, and leave out those that the model knows."
        )


def test_series_of_this_package_and_several_of_them():
    series = co2()
    one = observed(series)
    assert format_times(one.calendar.at(np.array([len(series)]))) == ["2002-01-05"]
    group = read_group([months(), months("2021-01-31")])
    assert (group.kind, group.frequency) == ("list", "ME")
    assert read_group({"a": series, "b": months()}).frequency is None
    assert read_group([series, series]).kind == "list"
    numbered = observed(Series.from_arrays(VALUES, np.arange(1980, 2020)))
    assert numbered.calendar.at(np.array([40])).tolist() == [2020]


@pytest.mark.parametrize("times", [np.arange(5), pd.date_range("2024-01-01", periods=5, freq="W")])
def test_a_calendar_in_words_of_json(times):
    calendar = observed(Series.from_arrays(VALUES[:5], np.asarray(times))).calendar
    assert Calendar.from_config(calendar.to_config(), 100) == calendar


def test_short_representations():
    forecast = Forecaster(3, **TINY).fit({"a": months()}).predict()["a"]
    assert repr(forecast).startswith("<Forecast of 'a' by network: 3 steps after 40, mean ")
    assert repr(forecast).endswith(", intervals 80 %, 95 %>")
