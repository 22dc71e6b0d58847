"""What is delivered: the usual forecast, or a naive one that did clearly better."""

import re

import numpy as np
import pytest

from throughtime.errors import InvalidArgumentError
from throughtime.forecasting import Forecaster, notes
from throughtime.forecasting.baselines import naive_forecasts, naive_paths
from throughtime.forecasting.choosing import (
    Choice,
    gains,
    in_stretches,
    mean_errors,
    posterior,
)

RNG = np.random.default_rng
QUICK = {"epochs": 2, "members": 1, "hidden_size": 4}


def seasonal_walk(steps: int, seed: int = 0) -> np.ndarray:
    """Every phase of a season of 6 goes its own way: the last season is the best forecast."""
    moves = RNG(seed).normal(size=(steps // 6 + 1, 6))
    return 50.0 + moves.cumsum(axis=0).ravel()[:steps]


def test_naive_forecasts_from_all_origins_are_those_of_each() -> None:
    y = RNG(0).normal(size=30)
    y[[3, 4, 11, 17, 29]] = np.nan
    origins = np.arange(1, 31)
    for season in (1, 4, 7):
        for method in naive_forecasts(y, 9, season):
            found = naive_paths(method, y, origins, 9, season)
            for row, origin in zip(found, origins, strict=True):
                np.testing.assert_array_equal(
                    row, naive_forecasts(y[:origin], 9, season)[method], err_msg=method
                )


def test_errors_are_averaged_over_stretches() -> None:
    errors = np.array([[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan], [2.0, 2.0], [4.0, 4.0]])
    half = 2.0**-0.5  # the weight of the second step
    each = mean_errors(errors)
    np.testing.assert_allclose(each[[0, 1, 3, 4]], [(1 + 2 * half) / (1 + half), 3.0, 2.0, 4.0])
    assert np.isnan(each[2])
    np.testing.assert_allclose(mean_errors(errors, squared=True)[3:], [4.0, 16.0])
    # Origins 5 and 6, 7 and 8, 9: the second stretch has one known error.
    found = in_stretches(each, np.arange(5, 10), 2)
    np.testing.assert_allclose(found, [(each[0] + 3.0) / 2.0, 2.0, 4.0])


def test_gains_by_hand() -> None:
    usual, naive = np.array([3.0, 1.0, 0.0, 2.0]), np.array([1.0, 3.0, 0.0, 0.0])
    np.testing.assert_array_equal(gains(usual, naive), [0.5, -0.5, 0.0, 1.0])
    assert Choice("drift", {"drift": 0.5, "persistence": -1.0}).ratio("drift") == pytest.approx(
        1 / 3
    )
    assert Choice("drift", {"drift": 0.5, "persistence": -1.0}).ratio("persistence") == np.inf
    assert Choice().rival == ""


def test_one_series_is_judged_by_the_prior() -> None:
    # m ~ N(0, 0.1^2) counts as 4 series. Without any gain it stays as it is.
    (mean,), (doubt,) = posterior([np.zeros(0)])
    assert (mean, doubt) == (0.0, pytest.approx(0.1))
    # 2 gains of 0.2: little is known of m, and it is near 0; of 200 gains it is near 0.2.
    few, many = (posterior([np.full(n, 0.2)])[0][0] for n in (2, 200))
    assert 0.0 < few < 0.13
    assert many == pytest.approx(0.2, abs=0.01)


def test_a_panel_is_judged_together() -> None:
    rng = RNG(0)
    bad = [rng.normal(-0.2, 0.1, 10) for _ in range(40)]
    lucky = np.array([0.15, 0.0, 0.2])
    alone = posterior([lucky])[0][0]
    among = posterior([*bad, lucky])[0][-1]
    assert alone > 0.02
    assert among < 0.0
    # The common mean and the noise of 41 series are those that they were drawn with.
    mean, doubt = posterior(bad)
    assert mean.mean() == pytest.approx(-0.2, abs=0.02)
    assert doubt.mean() < 0.1 / np.sqrt(10) + 0.005


@pytest.mark.parametrize("use", ["best", "naive"])
def test_a_naive_forecast_that_is_clearly_better_is_delivered(use: str) -> None:
    y = seasonal_walk(240)
    model = Forecaster(6, season=6, use=use, **QUICK)
    forecast = model.fit(y).predict()
    assert forecast.method == "seasonal naive"
    np.testing.assert_array_equal(forecast.mean, y[-6:])
    assert set(forecast.to_columns()["method"].tolist()) == {"seasonal naive"}
    # The errors of one season ahead are N(0, 1): the 80 % interval reaches to 1.28 on either side.
    width = (forecast.upper(0.8) - forecast.lower(0.8)) / 2.0
    assert width[0] == pytest.approx(1.28, rel=0.25)
    choice = model.choices_[None]
    assert choice.method == "seasonal naive"
    # As many origins as the correction of the base networks is tried at; "naive" tries none.
    assert choice.stretches == {"best": 12, "naive": 38}[use]
    assert choice.gains["seasonal naive"] > 0.05 > choice.gains["persistence"]


def test_other_uses_of_the_same_series() -> None:
    y = seasonal_walk(240)
    for use, methods in (("network", ("network", "smoothing")), ("smoothing", ("smoothing",))):
        model = Forecaster(6, season=6, use=use, **QUICK).fit(y)
        assert model.predict().method in methods
        assert model.choices_[None].method == "usual"
    short = Forecaster(6, season=6, network="never").fit(y)
    one, other = short.predict(), model.predict()
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.lower(0.8), other.lower(0.8))


def test_a_naive_forecast_that_wins_by_chance_is_not_taken() -> None:
    # 14 values leave one stretch of 6 steps before the end, however well persistence did there.
    y = np.array([1.0, 9.0, 2.0, 8.0, 1.0, 9.0, 3.0, 7.0, *[5.0] * 6])
    for seed in range(20):
        walk = 100.0 + RNG(seed).normal(size=14).cumsum()
        for values in (walk, y):
            model = Forecaster(6, **QUICK).fit(values)
            assert model.choices_[None].method == "usual"
            assert model.choices_[None].stretches < 3
    noises = [Forecaster(4, season=None, **QUICK).fit(RNG(i).normal(size=60)) for i in range(10)]
    assert {model.choices_[None].method for model in noises} == {"usual"}


def test_the_scored_forecast_is_the_delivered_one() -> None:
    y = seasonal_walk(240)
    model = Forecaster(6, season=6, **QUICK)
    report = model.backtest(y)
    assert [fold.forecast.method for fold in report.folds] == ["seasonal naive"]
    assert report["forecast"].mae == report["seasonal naive"].mae
    assert "The forecast is seasonal naive itself." in report.verdict
    assert report.verdict[-1] == report.delivered
    assert re.fullmatch(
        r"Delivered is seasonal naive: in 12 stretches of 6 steps inside the history the error of"
        r" exponential smoothing(, corrected by networks)? was \d+ % larger\.",
        report.delivered,
    )
    assert report.to_dict()["made_by"] == {"seasonal naive": 1}
    assert not any("instead" in sentence for sentence in report.verdict)


def test_why_a_forecast_is_delivered_that_lost_on_the_hold_out() -> None:
    """The sentence is about the naive method that won there, not about the nearest one."""
    settings = Forecaster(6)._settings()
    choice = Choice("usual", {"persistence": -0.2, "seasonal naive": 0.02, "drift": -0.5}, 9)
    said = {
        winner: notes.delivered([choice], settings, False, winner)
        for winner in ("persistence", "seasonal naive", "drift", "")
    }
    where = "in 9 stretches of 6 steps inside the history"
    begin = "Delivered is exponential smoothing: "
    assert said["persistence"] == f"{begin}{where} the error of persistence was 50 % larger."
    assert said["drift"] == f"{begin}{where} the error of drift was 200 % larger."
    assert said["seasonal naive"] == said[""]
    assert said[""] == (
        f"{begin}seasonal naive had 4 % less error {where}, but may owe that to chance."
    )
    exact = Choice("seasonal naive", {"seasonal naive": 1.0}, 9)
    assert notes.delivered([exact], settings, True) == (
        f"Delivered is seasonal naive: {where} the error of exponential smoothing corrected by"
        " networks was more than 10 times as large."
    )
    assert notes.delivered([choice, exact], settings, False) == (
        "Delivered: exponential smoothing for 1 of 2 series, seasonal naive for 1, by their errors"
        " inside the histories."
    )
    short = notes.delivered([Choice()], settings, False, "drift")
    assert short.endswith("the history is too short to compare it with another forecast.")


def test_a_choice_survives_in_a_file_and_follows_new_values(tmp_path) -> None:
    y = seasonal_walk(252)
    panel = {"a": y[:240], "b": 10.0 + 0.1 * RNG(1).normal(size=240), "c": np.array([1.0, 2.0])}
    model = Forecaster(6, season=6, **QUICK).fit(panel)
    before = model.predict()
    assert [f.method for f in before.values()] == [
        "seasonal naive",
        before["b"].method,
        "persistence",
    ]
    assert before["b"].method in ("network", "smoothing")
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = Forecaster.load(path)
    assert loaded.choices_ == model.choices_
    assert loaded.use == "best"
    for name, forecast in loaded.predict().items():
        np.testing.assert_array_equal(forecast.mean, before[name].mean)
        np.testing.assert_array_equal(forecast.lower(0.95), before[name].lower(0.95))
        assert forecast.method == before[name].method
    loaded.update({"a": y[240:], "b": [10.0], "c": [3.0]})
    np.testing.assert_array_equal(loaded.predict()["a"].mean, y[-6:])
    # A series that the model has not seen is chosen for as those that it was fitted on.
    assert loaded.predict(y={"new": seasonal_walk(240, 3)})["new"].method == "seasonal naive"


def test_uses_that_do_not_go_together() -> None:
    message = (
        "use must be 'best' or 'smoothing' with network='never'; got 'naive'. Leave network='never'"
        " out."
    )
    with pytest.raises(InvalidArgumentError, match=f"^{re.escape(message)}$"):
        Forecaster(3, network="never", use="naive")
    with pytest.raises(InvalidArgumentError, match=r"^use must be one of 'best', 'network', "):
        Forecaster(3, use="mine")
