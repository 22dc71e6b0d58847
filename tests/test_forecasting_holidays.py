"""Holidays in the regression, with a package of two countries in place of the real one."""

import re
import sys
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from throughtime.data import Series
from throughtime.errors import InvalidArgumentError, MissingDependencyError
from throughtime.forecasting import Forecaster
from throughtime.forecasting.adjustment import Adjustment
from throughtime.forecasting.holidays import Holidays

RNG = np.random.default_rng
COUNTRIES = {"DE": ["BY", "BE"], "DK": []}


def country_holidays(country: str, subdiv: str | None, years: range) -> dict[date, str]:
    """Two holidays in each year, and one more in Bavaria."""
    found = {date(year, 5, 1): "May Day" for year in years}
    found |= {date(year, 12, 25): "Christmas" for year in years}
    return found | ({date(year, 1, 6): "Epiphany" for year in years} if subdiv == "BY" else {})


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    known = SimpleNamespace(
        list_supported_countries=lambda: COUNTRIES, country_holidays=country_holidays
    )
    monkeypatch.setitem(sys.modules, "holidays", known)


def shop(years: int = 4) -> Series:
    """Daily sales of 100; 40 less on a holiday, 20 more on the day before, twice that in May."""
    days = np.datetime64("2020-01-01") + np.arange(round(365.25 * years))
    y = 100.0 + RNG(0).normal(0, 3, len(days))
    for i, day in enumerate(days.tolist()):
        for shift, effect in ((0, -40.0), (1, 20.0)):
            later = day + timedelta(shift)
            if (later.month, later.day) in ((5, 1), (12, 25)):
                y[i] += effect * (2.0 if later.month == 5 else 1.0)
    return Series.from_arrays(y, days)


@pytest.mark.usefixtures("package")
def test_holidays_are_found_and_forecast(tmp_path: Any) -> None:
    series = shop()
    end = int(np.flatnonzero(series.times == np.datetime64("2023-12-20"))[0])
    known = Series.from_arrays(series.values[:end], series.times[:end])
    model = Forecaster(10, network="never", season=None, holidays="DE").fit(known)
    (found,) = model.fitted.adjustments.values()
    assert [term.country for term in found.terms if isinstance(term, Holidays)] == ["DE"]
    mean = model.predict().mean
    actual = series.values[end : end + 10]
    assert mean[5] < 80.0 < 110.0 < mean[4]  # Christmas, and the day before
    assert np.abs(mean - actual).mean() < 8.0
    assert "holidays of DE" in model.notes_[1]
    model.save(tmp_path / "model.safetensors")
    again = Forecaster.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict().mean, mean)
    assert Adjustment.from_config(found.to_config(), "y", 0).terms == found.terms


@pytest.mark.usefixtures("package")
def test_holidays_that_cannot_be_used() -> None:
    y = 100.0 + RNG(0).normal(0, 3, 400)
    for values, reason in (
        (y, "the values have no times."),
        (
            Series.from_arrays(y, np.datetime64("2020-01-01") + np.arange(400)),
            "the history is not forecast better with them, or its steps are longer than a day.",
        ),
    ):
        model = Forecaster(10, network="never", holidays="DE").fit(values)
        assert f"The holidays of DE are not used: {reason}" in model.notes_


@pytest.mark.usefixtures("package")
def test_countries_that_are_not_known() -> None:
    unknown = "holidays must be a country that the package holidays knows; got 'DX'."
    no_code = "holidays must be None or the code of a country, such as 'DE' or 'DE-BY'; got"
    for code, message in (
        ("DX", f"{unknown} Like it: DK, DE."),
        ("DE-XX", "holidays must be DE alone or with one of its parts (BY, BE); got 'DE-XX'."),
        ("Germany", f"{no_code} 'Germany'."),
    ):
        with pytest.raises(InvalidArgumentError, match=f"^{re.escape(message)}$"):
            Forecaster(10, holidays=code).fit(shop(1))


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(MissingDependencyError, match=r"throughtime\[holidays\]"):
        Forecaster(10, holidays="DE").fit(shop(1))
