"""Scores against values computed by hand, and the bar: weekly CO2, two years ahead."""

import dataclasses
import re

import numpy as np
import pytest

from throughtime.data.datasets import co2
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError
from throughtime.forecasting import BacktestReport, Forecaster, Score
from throughtime.forecasting.backtest import summarise
from throughtime.forecasting.baselines import (
    drift,
    mase_scale,
    naive_forecasts,
    persistence,
    seasonal_naive,
)
from throughtime.forecasting.results import Fold, Forecast
from throughtime.training.callbacks import Callback

QUICK = {"epochs": 2, "members": 1, "hidden_size": 4}


def fold(actual: list[float], mean: list[float], history: list[float], season: int = 2) -> Fold:
    """A fold with an interval of one unit on either side."""
    y, guess = np.array(history), np.array(mean)
    steps = np.arange(1, len(mean) + 1)
    intervals = {0.8: (guess - 1.0, guess + 1.0)}
    forecast = Forecast(steps, guess, intervals, guess + 0.5, len(y))
    naive = naive_forecasts(y, len(mean), season)
    return Fold(None, len(y), np.array(actual), forecast, naive, mase_scale(y, season))


def test_naive_forecasts_by_hand() -> None:
    y = np.array([1.0, 5.0, 2.0, 6.0, 4.0])
    np.testing.assert_array_equal(persistence(y, 3), [4, 4, 4])
    np.testing.assert_array_equal(seasonal_naive(y, 5, 2), [6, 4, 6, 4, 6])
    np.testing.assert_array_equal(seasonal_naive(y, 4, 3), [2, 6, 4, 2])
    np.testing.assert_allclose(drift(y, 3), [4.75, 5.5, 6.25])
    assert list(naive_forecasts(y, 2, 1)) == ["persistence", "drift"]
    assert mase_scale(y, 2) == pytest.approx((1 + 1 + 2) / 3)
    assert mase_scale(y, 7) == pytest.approx((4 + 3 + 4 + 2) / 4)


def test_a_history_of_one_season_is_scaled_by_its_steps() -> None:
    y = np.array([1.0, 5.0, 2.0])
    assert mase_scale(y, 3) == pytest.approx((4 + 3) / 2)
    assert mase_scale(y, 2) == 1.0


def test_naive_forecasts_with_gaps() -> None:
    y = np.array([np.nan, 5.0, 2.0, np.nan, 4.0, np.nan])
    np.testing.assert_array_equal(persistence(y, 2), [4, 4])
    np.testing.assert_array_equal(seasonal_naive(y, 4, 3), [4, 4, 2, 4])
    # The line through (1, 5) and (4, 4) at 6 and 7.
    np.testing.assert_allclose(drift(y, 2), [4 - 2 / 3, 4 - 3 / 3])
    assert np.isnan(mase_scale(np.full(5, 2.0), 1))


def test_scores_by_hand() -> None:
    report = summarise([fold([3.0, 4.0], [2.0, 6.0], [1.0, 5.0, 2.0, 6.0, 4.0])], 2, 2)
    own = report["forecast"]
    assert own.mae == pytest.approx(1.5)
    assert own.rmse == pytest.approx(np.sqrt(2.5))
    assert own.smape == pytest.approx((2 / 5 + 4 / 10) / 2)
    assert own.mase == pytest.approx(1.5 / (4 / 3))
    assert own.coverage == {0.8: 0.5}
    assert report["persistence"].mae == pytest.approx(0.5)
    assert report["seasonal naive"].mae == pytest.approx((3 + 0) / 2)
    assert report["drift"].mae == pytest.approx((1.75 + 1.5) / 2)
    assert report["smoothing alone"].mae == pytest.approx((0.5 + 2.5) / 2)
    assert report.beats == {"persistence": False, "seasonal naive": False, "drift": True}
    assert report.verdict == (
        "The forecast does not beat persistence: MAE 1.5 against 0.5.",
        (
            "The forecast does not clearly beat seasonal naive: its RMSE is smaller, its MAE is not"
            " (MAE 1.5 against 1.5)."
        ),
        "The forecast beats drift: its mean absolute error is 8 % smaller (1.5 against 1.625).",
    )


def test_one_error_smaller_and_one_larger_is_no_victory() -> None:
    report = summarise([fold([4.0, 8.0], [4.0, 4.5], [4.0, 5.0, 2.0, 6.0, 5.0], 1)], 1, 2)
    assert report["forecast"].mae == 1.75
    assert report["persistence"].mae == 2.0
    assert not report.beats["persistence"]
    assert report.verdict[0] == (
        "The forecast does not clearly beat persistence: its MAE is smaller, its RMSE is not"
        " (MAE 1.75 against 2)."
    )


def test_series_in_different_units_are_judged_by_scaled_errors() -> None:
    small = fold([3.0, 4.0], [3.0, 4.0], [1.0, 5.0, 2.0, 6.0, 4.0])
    large = fold([300.0, 400.0], [298.0, 405.0], [100.0, 500.0, 200.0, 600.0, 400.0])
    folds = [dataclasses.replace(small, series="a"), dataclasses.replace(large, series="b")]
    report = summarise(folds, 2, 2)
    assert report["forecast"].mase == pytest.approx((0.0 + 3.5 / (400 / 3)) / 2)
    assert report.beats["persistence"]
    assert report.verdict[0] == (
        "The forecast beats persistence: its mean scaled error is 96 % smaller"
        " (0.01312 against 0.375)."
    )


def test_a_tie_is_no_victory() -> None:
    report = summarise([fold([3.0], [4.0], [1.0, 5.0, 2.0, 6.0, 4.0], 1)], 1, 1)
    assert not report.beats["persistence"]
    assert report.verdict[0] == ("The forecast does not beat persistence: it is as good (MAE 1).")


def test_missing_values_of_the_hold_out_are_not_scored() -> None:
    folds = [
        fold([3.0, np.nan], [2.0, 900.0], [1.0, 5.0, 2.0]),
        fold([np.nan, 1.0], [900.0, 1.0], [1.0, 5.0, 2.0]),
    ]
    own = summarise(folds, 2, 2)["forecast"]
    assert own.mae == pytest.approx(0.5)
    assert own.coverage == {0.8: 1.0}


def test_a_value_on_a_bound_is_inside() -> None:
    for actual, held in (([1.0, 3.0], 1.0), ([0.9, 3.0], 0.5), ([1.0, 3.1], 0.5)):
        own = summarise([fold(actual, [2.0, 2.0], [1.0, 5.0, 2.0])], 2, 2)["forecast"]
        assert own.coverage == {0.8: held}


def test_two_zeros_are_no_error() -> None:
    assert summarise([fold([0.0, 2.0], [0.0, 0.0], [1.0, 2.0, 1.0])], 2, 2)["forecast"].smape == 1.0


def test_report_in_words_and_json() -> None:
    report = summarise([fold([3.0, 4.0], [2.0, 6.0], [4.0] * 5)], 2, 2)
    lines = str(report).splitlines()
    assert lines[0].split() == ["method", "MAE", "RMSE", "sMAPE", "MASE"]
    assert lines[1].split() == ["forecast", "1.5", "1.5811", "40.00", "%", "nan"]
    assert "80 % intervals held 50.0 % of the values." in lines
    plain = report.to_dict()
    assert plain["scores"][0]["mase"] is None
    assert plain["scores"][0]["coverage"] == {"0.8": 0.5}
    assert plain["n_forecasts"] == 1
    with pytest.raises(KeyError, match="no method 'magic' in this report"):
        report["magic"]


def test_folds_cover_the_hold_out() -> None:
    y = 10.0 + np.random.default_rng(0).normal(size=60)
    report = Forecaster(4, **QUICK).backtest(y, holdout=10)
    assert [f.origin for f in report.folds] == [50, 53, 56]
    for one in report.folds:
        np.testing.assert_array_equal(one.actual, y[one.origin : one.origin + 4])
        assert one.forecast.origin == one.origin
        np.testing.assert_array_equal(one.naive["persistence"], y[one.origin - 1])
    few = Forecaster(4, **QUICK).backtest(y, holdout=10, folds=1)
    assert [f.origin for f in few.folds] == [50]
    short = Forecaster(4, **QUICK).backtest(y, holdout=2)
    assert short.horizon == 2
    assert len(short.folds[0].forecast.mean) == 2


def test_folds_of_many_series_of_different_length() -> None:
    rng = np.random.default_rng(0)
    y = {"a": rng.normal(size=50), "b": rng.normal(size=40)}
    report = Forecaster(4, **QUICK).backtest(y)
    assert [(f.series, f.origin) for f in report.folds] == [("a", 46), ("b", 36)]


def test_series_too_short_for_the_hold_out_are_not_scored_and_named() -> None:
    rng = np.random.default_rng(0)
    y = {name: rng.normal(size=50) for name in "ab"}
    short = {"new": np.array([1.0, 2.0]), "late": np.array([*[np.nan] * 9, 1.0, 2.0, 3.0])}
    model = Forecaster(4, **QUICK)
    report = model.backtest({**y, **short})
    assert [f.series for f in report.folds] == ["a", "b"]
    assert report["forecast"] == Forecaster(4, **QUICK).backtest(y)["forecast"]
    assert report.verdict[-1] == (
        "Not scored: new, late, without a number before the hold-out of 4 steps."
    )
    message = "y['new'] must hold at least one number to be forecast from; got none."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        model.predict()
    tails = {name: values[-4:] for name, values in y.items()}
    answer = model.update(tails | short).predict()
    assert [f.origin for f in answer.values()] == [50, 50, 2, 12]
    five = {f"s{i}": np.zeros(3) for i in range(5)}
    assert Forecaster(4, **QUICK).backtest(y | five).verdict[-1] == (
        "Not scored: s0, s1, s2, s3, s4, without a number before the hold-out of 4 steps."
    )
    many = {f"s{i}": np.zeros(3) for i in range(7)}
    assert Forecaster(4, **QUICK).backtest(y | many).verdict[-1] == (
        "Not scored: s0, s1, s2, s3, s4 and 2 more, without a number before the hold-out of 4"
        " steps."
    )


def test_hold_outs_that_leave_nothing() -> None:
    y = np.arange(20.0)
    message = "holdout must leave something to learn from; got 20 of the 20 values of y."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Forecaster(4).backtest(y, holdout=20)
    with pytest.raises(InvalidArgumentError, match=r"^holdout must be an integer >= 1; got 0.$"):
        Forecaster(4).backtest(y, holdout=0)
    message = "y must hold at least 3 numbers; got 2 before the hold-out."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Forecaster(4).backtest(y, holdout=18)
    message = "the hold-out must hold at least one number; got only missing values."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Forecaster(4, **QUICK).backtest([*y, None, None, None, None])


def test_a_random_walk_is_forecast_near_persistence() -> None:
    ratios = []
    for seed in range(6):
        y = 100.0 + np.random.default_rng(seed).normal(size=212).cumsum()
        report = Forecaster(12, members=1, hidden_size=16).backtest(y)
        ratios.append(report["forecast"].mae / report["persistence"].mae)
    assert np.exp(np.mean(np.log(ratios))) < 1.15


def test_the_network_earns_its_place_on_a_nonlinear_series() -> None:
    y = [0.4]
    for _ in range(299):
        y.append(3.8 * y[-1] * (1.0 - y[-1]))  # chaos, which no trend and no season predicts
    model = Forecaster(1, season=None, members=1, hidden_size=16)
    report = model.backtest(np.array(y), holdout=30)
    assert model.weight_ == 1.0
    assert report["forecast"].mae < 0.4 * report["smoothing alone"].mae
    assert all(report.beats.values())


def test_two_years_of_co2_beat_persistence_and_seasonal_naive() -> None:
    y = np.asarray(co2().values)
    model = Forecaster(104, frequency="W")
    report = model.backtest(y)
    assert model.season_ == pytest.approx(365.25 / 7)
    assert report.season == 52
    assert len(report.folds[0].actual) == 104
    own = report["forecast"]
    for rival in ("persistence", "seasonal naive"):
        assert own.mae < 0.5 * report[rival].mae
        assert own.rmse < 0.5 * report[rival].rmse
    assert report.beats == {"persistence": True, "seasonal naive": True, "drift": True}
    assert 0.6 <= own.coverage[0.8] <= own.coverage[0.95]
    assert own.coverage[0.95] >= 0.85


def test_a_notebook_shows_the_errors_with_everything_escaped() -> None:
    scores = (Score("<b>forecast</b>", 1.0, 2.0, 0.5, float("nan"), {0.8: 0.75}),)
    report = BacktestReport(scores, {}, ("Better than <i>drift</i>.",), (), 1, 7)
    page = report._repr_html_()
    assert "<td>&lt;b&gt;forecast&lt;/b&gt;</td><td>1</td><td>2</td><td>50.00 %</td>" in page
    assert page.endswith(
        "<div>80 % intervals held 75.0 % of the values. Better than &lt;i&gt;drift&lt;/i&gt;.</div>"
    )


def test_a_hold_out_without_a_number_is_refused_before_training() -> None:
    heard: list[object] = []
    model = Forecaster(4, **QUICK, progress=heard.append)
    with pytest.raises(DataError, match=r"^the hold-out must hold at least one number"):
        model.backtest([*np.random.default_rng(0).normal(size=30), None, None, None, None])
    assert heard == []
    assert repr(model).endswith("not fitted>")


def test_more_folds_than_origins_are_all_origins() -> None:
    y = np.random.default_rng(0).normal(size=40)
    report = Forecaster(2, **QUICK, network="never").backtest(y, holdout=5, folds=10**30)
    assert [fold.origin for fold in report.folds] == [35, 36, 37, 38]


def test_refitting_forecasts_from_each_origin_as_a_fit_of_what_is_before_it() -> None:
    y = 10.0 + np.random.default_rng(0).normal(size=60).cumsum()
    report = Forecaster(4, **QUICK, network="never").backtest(y, holdout=12, refit=True)
    assert report.refitted
    assert report.origins == (0, 4, 8)
    for fold in report.folds:
        alone = Forecaster(4, **QUICK, network="never").fit(y[: fold.origin]).predict()
        np.testing.assert_array_equal(fold.forecast.mean, alone.mean)
        np.testing.assert_array_equal(fold.forecast.lower(0.8), alone.lower(0.8))
    once = Forecaster(4, **QUICK, network="never").backtest(y, holdout=12)
    lower = [[f.forecast.lower(0.8).tolist() for f in one.folds] for one in (once, report)]
    assert lower[0][0] == lower[1][0]
    assert lower[0][1:] != lower[1][1:]
    message = "refit must be True or False; got 'yes'."
    with pytest.raises(InvalidTypeError, match=f"^{re.escape(message)}$"):
        Forecaster(4).backtest(y, refit="yes")


def test_refitting_ends_where_training_was_interrupted() -> None:
    class Stop(Callback):
        def on_batch_end(self, run):
            run.stop("interrupted")

    y = 10.0 + np.random.default_rng(0).normal(size=60).cumsum()
    stopped = Forecaster(4, **QUICK, callbacks=[Stop()]).backtest(y, holdout=12, refit=True)
    assert stopped.origins == (0,)
