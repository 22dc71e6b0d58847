"""What a regression removes from a series before smoothing, and what earns its place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from throughtime.cli.requests import ForecastRequest
from throughtime.cli.wording import Wording
from throughtime.data import Series
from throughtime.forecasting import Forecaster
from throughtime.forecasting.adjusting import adjust
from throughtime.forecasting.adjustment import Adjustment
from throughtime.forecasting.series import Observed
from throughtime.forecasting.terms import Covariate, Season

RNG = np.random.default_rng
NO_NETWORK: dict[str, Any] = {"network": "never"}


def sales(steps: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Sales of 100 + 60 promo + 2 temperature, and noise of 3; and the two covariates."""
    rng = RNG(0)
    promo = (rng.random(steps) < 0.2).astype(float)
    temperature = (
        15.0 + 8.0 * np.cos(2 * np.pi * np.arange(steps) / 365.25) + rng.normal(size=steps)
    )
    y = 100.0 + 60.0 * promo + 2.0 * temperature + rng.normal(0, 3, steps)
    return y, np.stack([promo, temperature], axis=1)


def chosen(y: np.ndarray, X: np.ndarray, periods: tuple[float, ...] = (1.0,), **settings: Any):
    model = Forecaster(14, **NO_NETWORK, **settings)
    return adjust(model._settings(), Observed(None, y, X), periods)


def test_known_covariates_forecast_like_least_squares() -> None:
    y, X = sales()
    report = Forecaster(14, frequency="D", **NO_NETWORK).backtest(y, X)
    design = np.c_[np.ones(300), X]
    effects = np.linalg.lstsq(design[:286], y[:286], rcond=None)[0]
    fair = np.abs(y[286:] - design[286:] @ effects).mean()
    assert report["forecast"].mae < 1.2 * fair
    assert report["persistence"].mae > 5.0 * fair


def test_effects_in_units_of_the_data() -> None:
    found = chosen(*sales())
    assert found is not None
    assert found.terms == (Covariate(0), Covariate(1))
    promo, temperature = found.effects / found.width
    assert abs(promo - 60.0) < 2.0  # the standard error is 3 / sqrt(300 * 0.16) = 0.4
    assert abs(temperature - 2.0) < 0.2


@pytest.mark.parametrize("kind", ["noise", "walk"])
def test_what_does_not_help_is_left_out(kind: str) -> None:
    for seed in range(5):
        rng = RNG(seed)
        noise = rng.normal(size=150)
        y = 100.0 + (np.cumsum(noise) if kind == "walk" else noise)
        assert chosen(y, rng.normal(size=(150, 3))) is None


def test_where_no_step_ahead_is_known_nothing_is_chosen() -> None:
    y, X = sales()
    y[1::2] = np.nan
    model = Forecaster(1, **NO_NETWORK)
    assert adjust(model._settings(), Observed(None, y, X), (1.0,)) is None


def test_a_trend_is_left_to_smoothing() -> None:
    rng = RNG(0)
    steps = np.arange(200.0)
    # The covariate rises as the series does; its own effect is in what is left of it.
    x = steps / 10.0 + rng.normal(0, 3, 200)
    y = 50.0 + 0.5 * steps + 2.0 * x + rng.normal(0, 1, 200)
    found = chosen(y, x[:, None])
    assert found is not None
    assert abs(found.effects[0] / found.width[0] - 2.0) < 0.15


def test_a_lag_is_found() -> None:
    rng = RNG(0)
    x = rng.normal(size=202)
    y = 50.0 + 5.0 * x[:-2] + rng.normal(0, 1, 200)
    found = chosen(y, x[2:, None])
    assert found is not None
    assert found.terms == (Covariate(0, (1, 2, 3)),)
    np.testing.assert_allclose(found.effects, [0.0, 5.0, 0.0], atol=0.5)


def test_of_covariates_of_the_past_only_lags_of_the_horizon_are_read() -> None:
    rng = RNG(0)
    x = rng.normal(size=215)
    y = 50.0 + 5.0 * x[:-15] + rng.normal(0, 1, 200)
    found = chosen(y, x[15:, None], future_covariates=False)
    assert found is not None
    assert found.terms == (Covariate(0, (14, 15, 16)),)
    model = Forecaster(14, future_covariates=False, **NO_NETWORK)
    report = model.backtest(y, x[15:])
    assert report["forecast"].mae < 1.5  # noise of 1 has a mean absolute error of 0.8


def test_factors_where_they_forecast_better() -> None:
    rng = RNG(0)
    promo = (rng.random(300) < 0.3).astype(float)
    level = np.exp(np.linspace(3.0, 6.0, 300))
    y = level * 1.5**promo * np.exp(rng.normal(0, 0.05, 300))
    found = chosen(y, promo[:, None])
    assert found is not None
    assert found.log
    np.testing.assert_allclose(np.exp(found.effects[0] / found.width[0]), 1.5, rtol=0.03)


def test_a_series_that_came_later_is_forecast_as_if_it_had_been_fitted() -> None:
    """With its own effects, the widening of its intervals, and a choice in its own units."""
    rng = RNG(1)
    promo = (rng.random(220) < 0.3).astype(float)[:, None]
    level = np.exp(np.linspace(3.0, 6.0, 220))
    y = level * 1.5 ** promo[:, 0] * np.exp(rng.normal(0, 0.05, 220))
    settings: dict[str, Any] = {"base_model": "none", "epochs": 1, "members": 1, "season": None}
    first = {"a": RNG(2).normal(50.0, 1.0, 80)}
    model = Forecaster(14, **settings, use="smoothing").fit(first, {"a": promo[:80]})
    ahead = {"b": promo[:14]}
    later = model.predict(y={"b": y}, X={"b": promo}, X_future=ahead)["b"]
    fitted = Forecaster(14, **settings, use="smoothing").fit({"b": y}, {"b": promo})
    assert fitted.fitted.adjustments["b"].log
    same = fitted.predict(X_future=ahead)["b"]
    assert later.method == same.method
    np.testing.assert_allclose(later.mean, same.mean)
    np.testing.assert_allclose(later.lower(0.8), same.lower(0.8))


def temperatures(years: int = 4) -> np.ndarray:
    days = np.arange(round(365.25 * years))
    rest = np.zeros(len(days))
    for t, shock in enumerate(RNG(0).normal(0, 2, len(days))):
        rest[t] = 0.6 * rest[t - 1] + shock
    return 12.0 - 9.0 * np.cos(2 * np.pi * (days - 20) / 365.25) + rest


def test_a_year_of_days_is_a_smooth_wave() -> None:
    y = temperatures()
    model = Forecaster(180, frequency="D", **NO_NETWORK)
    report = model.backtest(y)
    assert model.season_ == 365.25
    assert all(report.beats.values())
    forecast = report.folds[0].forecast
    # The wave moves by at most 9 * 2 pi / 365 = 0.15 a day; the rest is a weak pattern of the week.
    assert np.abs(forecast.mean[17:] - forecast.mean[10:-7]).max() < 1.4
    assert np.abs(np.diff(forecast.mean)).max() < 1.0
    low, high = forecast.intervals[0.95]
    assert (high - low).max() < 25.0  # 4 standard deviations of 2.5, and what is not known of them


def test_without_covariates_and_long_seasons_nothing_happens() -> None:
    y = 50.0 + RNG(0).normal(size=120)
    for periods in ((1.0,), (1.0, 12.0), (1.0, 4.0), (1.0, 7.0, 365.25)):
        assert chosen(y, np.zeros((120, 0)), periods) is None


def an_adjustment(log: bool = False) -> Adjustment:
    terms = (Covariate(0, (0, 2)), Season(30.5, (1, 2)))
    effects = np.array([0.5, -0.2, 0.3, 0.1, 0.0, -0.4])
    return Adjustment(log, terms, effects, 0.1, np.array([1.0]), np.array([2.0]), 1.1)


@pytest.mark.parametrize("log", [False, True])
def test_what_is_removed_is_restored(log: bool) -> None:
    y, X = 10.0 + RNG(0).random(80), RNG(1).normal(size=(80, 1))
    y[5], X[7] = np.nan, np.nan
    found, whole = an_adjustment(log), Observed(None, y, X)
    steps = np.array([1, 2, 5])
    effects = found.ahead(whole.until(70), steps, X[70:])
    bare = found.remove(whole).y
    np.testing.assert_allclose(found.restore(bare[[70, 71, 74]], effects), y[[70, 71, 74]])
    assert np.isnan(bare[5])
    assert np.isfinite(bare[7])


def test_times_tell_the_place_in_the_season() -> None:
    days = np.datetime64("2020-01-01") + np.arange(900)
    y = temperatures(3)[:900]
    model = Forecaster(30, **NO_NETWORK).fit(Series.from_arrays(y, days))
    assert model.season_ == 365.25
    part = model.predict(y=Series.from_arrays(y[400:], days[400:])).mean
    np.testing.assert_allclose(part, model.predict().mean, atol=1.0)


def test_a_description_and_back() -> None:
    found = an_adjustment()
    again = Adjustment.from_config(found.to_config(), "y", 1)
    assert again.to_config() == found.to_config()
    assert again.terms == found.terms
    for key, value in (
        ("effects", [1.0]),
        ("terms", [{"covariate": 1, "lags": [0]}]),
        ("terms", [{"period": 0.0, "harmonics": [1]}]),
        ("terms", [{"what": 1}]),
        ("width", [0.0]),
        ("widening", 0.5),
        ("effects", [1e200] * 6),
    ):
        with pytest.raises((ValueError, KeyError)):
            Adjustment.from_config(found.to_config() | {key: value}, "y", 1)


def test_few_years_of_weeks_are_waves_and_many_are_a_pattern() -> None:
    weeks = np.arange(400)
    rng = RNG(0)
    y = 100.0 + 10.0 * np.cos(2 * np.pi * weeks / 52.18) + rng.normal(0, 3, 400)
    for end, waves in ((150, 1), (400, 0)):
        model = Forecaster(20, frequency="W", **NO_NETWORK).fit(y[:end])
        assert len(model.fitted.adjustments) == waves
        assert round(model.season_ or 1) == 52


def test_a_week_of_hours_whose_days_differ() -> None:
    hours = np.arange(24 * 7 * 6)
    day = np.sin(2 * np.pi * hours / 24)
    weekend = (hours // 24) % 7 >= 5
    y = 50.0 + 10.0 * np.where(weekend, 0.3 * day - 1.0, day) + RNG(0).normal(0, 1, len(hours))
    model = Forecaster(168, frequency="h", **NO_NETWORK)
    report = model.backtest(y)
    (found,) = model.fitted.adjustments.values()
    (season,) = found.terms
    assert isinstance(season, Season)
    assert season.period == 168.0
    assert not any(k % 7 == 0 for k in season.harmonics)  # those are the day's
    assert report["forecast"].mae < 1.1  # noise of 1 has 0.8


def test_the_notes_say_what_is_used_and_with_what_effect() -> None:
    y, X = sales()
    noise = RNG(5).normal(size=300)
    model = Forecaster(14, **NO_NETWORK).fit(y, np.c_[X, noise])
    note = model.notes_[1]
    assert note == (
        "Its effects: covariate[0] +59.3 for each unit; covariate[1] +1.99 for each unit. Not used:"
        " covariate[2]."
    )
    words = Wording(ForecastRequest, "sales", ("promo", "temp", "noise"))
    assert words.say(note) == (
        "Its effects: 'promo' +59.3 for each unit; 'temp' +1.99 for each unit. Not used: 'noise'."
    )
    many = Forecaster(14, **NO_NETWORK).fit({"a": y, "b": y[::-1]}, {"a": X, "b": X})
    assert many.notes_[1] == (
        "Its terms and the series that have them: covariate[0] in 1; covariate[1] in 1."
    )
    wave = Forecaster(30, frequency="D", **NO_NETWORK).fit(temperatures())
    assert wave.notes_[1].startswith("Its effects: a season of 365.25 steps -")


def test_a_history_without_times_that_begins_elsewhere_has_its_own_season() -> None:
    y = temperatures()
    model = Forecaster(30, frequency="D", **NO_NETWORK).fit(y)
    same = model.predict(y=y).mean
    np.testing.assert_array_equal(same, model.predict().mean)
    # Half a year later; the wave would be upside down if it began with the history.
    np.testing.assert_allclose(model.predict(y=y[180:]).mean, same, atol=1.0)


def test_a_series_that_came_later_has_its_own_effects() -> None:
    y, X = sales()
    model = Forecaster(14, **NO_NETWORK).fit({"a": y[:286]}, {"a": X[:286]})
    asked = {"X_future": {"b": X[286:]}, "y": {"b": 3.0 * y[:286]}, "X": {"b": X[:286]}}
    error = np.abs(model.predict(**asked)["b"].mean - 3.0 * y[286:]).mean()
    assert error < 15.0  # three times the noise of 3 has 7; without the promotions it is 60


def test_a_file_holds_the_adjustments(tmp_path: Path) -> None:
    y, X = sales()
    model = Forecaster(14, frequency="D", **NO_NETWORK).fit(y, X)
    model.save(tmp_path / "model.safetensors")
    again = Forecaster.load(tmp_path / "model.safetensors")
    assert again.fitted.long_seasons == (365.25,)
    ahead = X[:14]
    np.testing.assert_array_equal(
        again.predict(X_future=ahead).mean, model.predict(X_future=ahead).mean
    )
    model.update(y[:5], X[:5])
    again.update(y[:5], X[:5])
    np.testing.assert_array_equal(
        again.predict(X_future=ahead).mean, model.predict(X_future=ahead).mean
    )
