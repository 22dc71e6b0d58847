"""The forecaster from outside: correct steps, no leaks, honest scores, files that keep all bits."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from throughtime.errors import InvalidArgumentError, Message, ModelFileError
from throughtime.forecasting import Forecast, Forecaster, Progress, Stage, fitting
from throughtime.forecasting.averaging import Average
from throughtime.forecasting.smoothing import Smoothing

QUICK: dict[str, Any] = {"epochs": 3, "members": 1, "hidden_size": 8}


def wave(steps: int = 90, seed: int = 0, period: int = 6) -> np.ndarray:
    """A season, a drift and noise."""
    t = np.arange(steps)
    noise = np.random.default_rng(seed).normal(0, 0.5, steps)
    return 20.0 + 0.1 * t + 4.0 * np.sin(2 * np.pi * t / period) + noise


def same(one: Forecast, two: Forecast) -> None:
    """Assert that two forecasts have the same bits."""
    np.testing.assert_array_equal(one.steps, two.steps)
    np.testing.assert_array_equal(one.mean, two.mean)
    np.testing.assert_array_equal(one.anchor, two.anchor)
    assert one.intervals.keys() == two.intervals.keys()
    for coverage, bounds in one.intervals.items():
        np.testing.assert_array_equal(bounds, two.intervals[coverage])


@pytest.fixture(scope="module")
def fitted() -> Forecaster:
    return Forecaster(6, season=6, **QUICK).fit(wave())


# -- steps ------------------------------------------------------------------------------------


def test_one_two_three_goes_on_with_four_five_six() -> None:
    for length in (10, 33):
        forecast = Forecaster(3, **QUICK).fit(np.arange(1, length + 1)).predict()
        np.testing.assert_array_equal(forecast.steps, [1, 2, 3])
        np.testing.assert_allclose(forecast.mean, length + np.array([1, 2, 3]), rtol=1e-9)
        np.testing.assert_array_equal(forecast.index, length + np.array([0, 1, 2]))


def test_a_pulse_comes_back_at_its_step() -> None:
    y = np.tile([9.0, 0.0, 0.0, 0.0, 0.0], 12)[:-3]
    forecast = Forecaster(8, season=5, **QUICK).fit(y).predict()
    np.testing.assert_array_equal(np.flatnonzero(forecast.mean > 4.5) + 1, [4])


def test_steps_that_are_asked_for(fitted: Forecaster) -> None:
    everything = fitted.predict()
    assert len(everything.mean) == 6
    for fh, rows in ((2, [0, 1]), ([1, 6], [0, 5]), ([4], [3]), (np.array([3, 2]), [2, 1])):
        part = fitted.predict(fh)
        np.testing.assert_array_equal(part.steps, np.array(rows) + 1)
        np.testing.assert_array_equal(part.mean, everything.mean[rows])
        np.testing.assert_array_equal(part.lower(0.8), everything.lower(0.8)[rows])


def test_columns(fitted: Forecaster) -> None:
    columns = fitted.predict(2).to_columns()
    assert list(columns) == [
        "step",
        "mean",
        "lower_80",
        "upper_80",
        "lower_95",
        "upper_95",
        "method",
    ]
    assert {len(column) for column in columns.values()} == {2}


# -- what it looks at -------------------------------------------------------------------------


def test_the_hold_out_does_not_change_the_fit() -> None:
    y, X = wave(), np.random.default_rng(1).normal(size=(90, 2))
    other, covariates = y.copy(), X.copy()
    other[-6:] = [1e6, -1e6, 0.0, 5.0, np.nan, 7.0]
    covariates[-6:] = -3.0
    models = [Forecaster(6, future_covariates=False, **QUICK) for _ in range(2)]
    one = models[0].backtest(y, X)
    two = models[1].backtest(other, covariates)
    same(one.folds[0].forecast, two.folds[0].forecast)
    np.testing.assert_array_equal(
        models[0].networks_[0].params.flat, models[1].networks_[0].params.flat
    )
    assert models[0].weight_ == models[1].weight_
    assert one.folds[0].mase_scale == two.folds[0].mase_scale
    for name, naive in one.folds[0].naive.items():
        np.testing.assert_array_equal(naive, two.folds[0].naive[name])


def test_backtest_is_fit_and_predict_on_what_is_before() -> None:
    y = wave()
    report = Forecaster(6, **QUICK).backtest(y)
    same(report.folds[0].forecast, Forecaster(6, **QUICK).fit(y[:-6]).predict())


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    one, two = (Forecaster(6, seed=3, **QUICK).fit(wave()) for _ in range(2))
    same(one.predict(), two.predict())
    other = Forecaster(6, seed=4, **QUICK).fit(wave())
    assert (one.networks_[0].params.flat != other.networks_[0].params.flat).any()


def test_the_validation_block_is_not_learned_from(monkeypatch) -> None:
    """Of 60 steps it is the last 12, from which the first training takes no target."""
    # The weights of the anchor follow from all steps, and are kept out of it here.
    monkeypatch.setattr(fitting, "fit_average", lambda *_: Average.of(Smoothing()))

    def first_loss(y: np.ndarray) -> float:
        losses: list[float] = []
        callbacks = [lambda run: losses.extend(run.history["loss"])]
        Forecaster(4, season=None, transform="none", callbacks=callbacks, **QUICK).fit(y)
        return losses[0]

    y = wave(60)
    expected = first_loss(y)
    taken = []
    for step in range(40, 60):
        other = y.copy()
        other[step] += 1e-3
        taken.append(first_loss(other) != expected)
    assert taken == [True] * 8 + [False] * 12


def test_units_do_not_matter() -> None:
    y = wave() - 25.0
    one = Forecaster(6, **QUICK).fit(y).predict()
    two = Forecaster(6, **QUICK).fit(1000.0 * y).predict()
    np.testing.assert_allclose(two.mean, 1000.0 * one.mean, rtol=1e-4, atol=1.0)


# -- history ----------------------------------------------------------------------------------


def test_update_and_another_history_forecast_alike(fitted: Forecaster, tmp_path: Path) -> None:
    new = wave(97)[90:]
    fitted.save(tmp_path / "model.safetensors")
    updated = Forecaster.load(tmp_path / "model.safetensors").update(new)
    forecast = updated.predict()
    same(forecast, fitted.predict(y=np.concatenate([wave(), new])))
    assert forecast.origin == 97
    assert (forecast.mean != fitted.predict().mean).any()


def test_gaps_are_filled_and_said() -> None:
    y = wave()
    y[[0, 1, 40, 41, 70, 89]] = np.nan
    model = Forecaster(6, season=6, **QUICK).fit(y)
    forecast = model.predict()
    assert forecast.origin == 90
    truth = 20.0 + 0.1 * np.arange(90, 96) + 4.0 * np.sin(2 * np.pi * np.arange(90, 96) / 6)
    np.testing.assert_allclose(forecast.mean, truth, atol=1.0)
    assert model.notes_[0] == (
        "y lacks 4 of 88 values; gaps are marked in the input, and never learned from or scored."
    )


@pytest.mark.parametrize("value", [0.0, 7.0, -3.5, 1e9, 1e-9])
def test_a_constant_series_is_forecast_as_constant(value: float) -> None:
    model = Forecaster(5, **QUICK).fit(np.full(30, value))
    forecast = model.predict()
    np.testing.assert_array_equal(forecast.mean, value)
    np.testing.assert_array_equal(forecast.lower(0.95), value)
    np.testing.assert_array_equal(forecast.upper(0.95), value)
    assert model.notes_[0] == "y is constant, and so is its forecast."


def test_a_late_start_after_zeros_is_learned_from() -> None:
    y = np.concatenate([np.zeros(40), 20.0 + np.random.default_rng(0).normal(size=40)])
    forecast = Forecaster(4, **QUICK).fit(y).predict()
    np.testing.assert_allclose(forecast.mean, 20.0, atol=2.0)


def test_training_data_without_a_target_train_nothing() -> None:
    y = np.full(40, np.nan)
    y[[0, 2, 3, 33, 35, 36, 37, 39]] = [1.0, 2.0, 4.0, 3.0, 5.0, 4.0, 6.0, 5.0]
    forecast = Forecaster(2, **QUICK).fit(y).predict()
    assert np.isfinite(forecast.mean).all()
    assert (forecast.lower(0.95) < forecast.upper(0.95)).all()


def test_never_below_zero_where_nothing_was() -> None:
    rng = np.random.default_rng(0)
    y = rng.poisson(0.7, 80).astype(float)
    assert (Forecaster(6, **QUICK).fit(y).predict().lower(0.95) >= 0).all()
    free = Forecaster(6, nonnegative=False, **QUICK).fit(y).predict()
    assert (free.lower(0.95) < 0).any()


# -- many series, covariates ------------------------------------------------------------------


def test_many_series_share_one_network() -> None:
    y = {"a": wave(60), "b": 100.0 * wave(50, 1), "flat": np.full(40, 2.0), "new": wave(5)}
    model = Forecaster(6, season=6, **QUICK).fit(y)
    forecasts = model.predict()
    assert list(forecasts) == ["a", "b", "flat", "new"]
    assert [f.origin for f in forecasts.values()] == [60, 50, 40, 5]
    assert forecasts["b"].series == "b"
    np.testing.assert_allclose(forecasts["flat"].mean, 2.0)
    np.testing.assert_allclose(forecasts["b"].mean / 100.0, 25.0, atol=6.0)
    listed = Forecaster(6, season=6, **QUICK).fit(list(y.values())).predict()
    for one, two in zip(forecasts.values(), listed, strict=True):
        same(one, two)


def test_a_series_that_came_later_can_be_forecast() -> None:
    model = Forecaster(6, season=6, **QUICK).fit({"a": wave(60), "b": wave(60, 1)})
    answer = model.predict(y={"c": wave(70, 2)})
    assert list(answer) == ["c"]
    assert np.isfinite(answer["c"].mean).all()


def test_covariates_known_ahead_move_the_forecast() -> None:
    rng = np.random.default_rng(0)
    promotion = (rng.random(160) < 0.3).astype(float)
    y = 50.0 + 10.0 * promotion + rng.normal(0, 0.5, 160)
    model = Forecaster(4, season=None, network="never").fit(y, promotion)
    low, high = (model.predict(X_future=np.full(4, x)).mean for x in (0.0, 1.0))
    # Least squares finds the effect with a standard error of 0.5 / sqrt(160 * 0.3 * 0.7) = 0.09.
    np.testing.assert_allclose(high - low, 10.0, atol=0.3)
    np.testing.assert_allclose(low, 50.0, atol=0.5)


def test_the_network_adds_what_is_not_linear() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 200)
    y = 50.0 + 20.0 * np.abs(x) + rng.normal(0, 0.5, 200)
    model = Forecaster(4, season=None, members=1, lr=0.03, hidden_size=16)
    model.fit(y, x)
    assert not model.fitted.adjustments
    assert model.weight_ == 1.0
    low, high = (model.predict(X_future=np.full(4, x)).mean for x in (0.0, -0.9))
    np.testing.assert_allclose(high - low, 18.0, atol=6.0)


def test_covariates_known_only_in_the_past() -> None:
    y, X = wave(), np.arange(90.0)
    model = Forecaster(4, future_covariates=False, **QUICK).fit(y, X)
    assert np.isfinite(model.predict().mean).all()
    message = "X_future must be left out: the forecaster has future_covariates=False."
    with pytest.raises(InvalidArgumentError, match=f"^{re.escape(message)}$"):
        model.predict(X_future=np.arange(4))


# -- intervals --------------------------------------------------------------------------------


def test_intervals_are_nested_and_hold_the_forecast(fitted: Forecaster) -> None:
    mean = fitted.predict().mean
    before = (mean, mean)
    for coverage in (0.05, 0.5, 0.8, 0.9, 0.95, 0.99):
        low, high = fitted.predict_interval(coverage=coverage)
        assert (low <= before[0]).all()
        assert (high >= before[1]).all()
        before = low, high
    np.testing.assert_array_equal(
        fitted.predict_interval(coverage=0.8), fitted.predict().intervals[0.8]
    )


def test_an_interval_that_the_forecast_does_not_hold(fitted: Forecaster) -> None:
    message = (
        "coverage must be one of those that the forecast has (0.8, 0.95); got 0.5. For another one,"
        " call predict_interval."
    )
    with pytest.raises(InvalidArgumentError, match=f"^{re.escape(message)}$"):
        fitted.predict().lower(0.5)


# -- files, progress --------------------------------------------------------------------------


def test_a_file_keeps_every_bit(tmp_path: Path) -> None:
    y = {"a": wave(60), "b": wave(50, 1)}
    y["a"][7] = np.nan
    X = {name: np.arange(float(len(values))) for name, values in y.items()}
    ahead = {"a": np.arange(60.0, 66.0), "b": np.arange(50.0, 56.0)}
    model = Forecaster(6, season=(6.0,), frequency="MS", coverages=(0.5,), **QUICK).fit(y, X)
    model.metadata = {"target": "sales"}
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = Forecaster.load(path)
    assert loaded.metadata == {"target": "sales"}
    assert loaded.to_config() == model.to_config()
    assert loaded.notes_ == model.notes_
    assert (loaded.season_, loaded.transform_, loaded.window_, loaded.weight_) == (
        model.season_, model.transform_, model.window_, model.weight_
    )  # fmt: skip
    for name, forecast in model.predict(X_future=ahead).items():
        same(forecast, loaded.predict(X_future=ahead)[name])
    loaded.save(tmp_path / "again.safetensors")
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_a_file_keeps_what_its_notes_are_about(tmp_path: Path) -> None:
    y = {"a": wave(60), "b": wave(60, 1)}
    y["a"][7] = np.nan
    model = Forecaster(6, **QUICK).fit(y)
    path = tmp_path / "model.safetensors"
    model.save(path)
    notes = Forecaster.load(path).notes_
    assert notes == model.notes_
    assert notes[0].startswith("y['a'] lacks 1 of 60 values; gaps")
    renamed = Message.of(notes[0]).render(lambda argument: f"{argument.name}!")
    assert renamed.startswith("y! lacks 1 of 60 values; gaps")


def test_files_that_are_none(tmp_path: Path, fitted: Forecaster) -> None:
    with pytest.raises(ModelFileError, match="cannot be read: No such file or directory"):
        Forecaster.load(tmp_path / "missing.safetensors")
    path = tmp_path / "model.safetensors"
    fitted.save(path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ModelFileError, match="is not a usable forecaster file"):
        Forecaster.load(path)


def test_a_file_that_says_something_else(tmp_path: Path, fitted: Forecaster) -> None:
    from throughtime.forecasting.storage import VERSION
    from throughtime.serialization.container import read_container, write_container

    path = tmp_path / "model.safetensors"
    fitted.save(path)
    arrays, meta = read_container(path, "forecaster", VERSION)
    short = dict(arrays) | {"calibration.spread": np.ones(2)}
    for changed, words in (
        ((short, meta), "calibration.spread has another shape."),
        ((arrays, meta | {"settings": {}}), "the setting 'horizon' is missing."),
        ((arrays, meta | {"settings": {"horizon": 0}}), "horizon must be an integer >= 1; got 0."),
        ((arrays, meta | {"smoothing": [{"period": -1.0}]}), "the smoothing of y is damaged."),
        ((arrays, {}), "'settings' is missing."),
    ):
        write_container(path, *changed, "forecaster")
        message = f"{path} is not a usable forecaster file: {words}"
        with pytest.raises(ModelFileError, match=f"^{re.escape(message)}$"):
            Forecaster.load(path)


def test_progress_and_callbacks_hear_of_every_epoch() -> None:
    heard: list[Progress] = []
    epochs: list[int] = []
    model = Forecaster(
        6, epochs=3, members=2, hidden_size=4, progress=heard.append,
        callbacks=[lambda run: epochs.append(run.epoch)],
    )  # fmt: skip
    model.fit(wave())
    assert {step.stage for step in heard[:4]} == {Stage.TRAINING}
    assert [step.member for step in heard[:4]] == [1, 1, 1, 2]
    assert {step.members for step in heard} == {2}
    assert not any(step.backtest for step in heard)
    assert str(heard[0]) == "training network 1 of 2"
    assert [step.done for step in heard[:4]] == [1, 2, 3, 1]
    assert all(step.done <= step.total for step in heard)
    assert all(step.loss is not None for step in heard)
    assert len(epochs) == len(heard)


def test_an_interruption_keeps_what_was_learned() -> None:
    def stop(run: Any) -> None:
        run.stop("interrupted")

    model = Forecaster(6, epochs=5, members=2, hidden_size=4, callbacks=[stop]).fit(wave())
    assert len(model.networks_) == 1
    assert "Training was interrupted; the best weights until then are used." in model.notes_
    assert np.isfinite(model.predict().mean).all()


def test_a_forecast_is_a_table_in_notebooks() -> None:
    days = np.array(["2024-01-31", "2024-02-29"], dtype="datetime64[us]")
    mean = np.array([1.5, 2.0])
    intervals = {0.8: (mean - 1, mean + 1)}
    forecast = Forecast(np.array([1, 2]), mean, intervals, mean, 7, "<b>", ("a < b.",), days)
    assert forecast._repr_html_() == (
        "<div>Forecast of &lt;b&gt;</div><table><thead><tr><th>time</th><th>step</th><th>mean</th>"
        "<th>lower_80</th><th>upper_80</th></tr></thead><tbody><tr><td>2024-01-31</td><td>1</td>"
        "<td>1.5</td><td>0.5</td><td>2.5</td></tr><tr><td>2024-02-29</td><td>2</td><td>2</td>"
        "<td>1</td><td>3</td></tr></tbody></table><div>a &lt; b.</div>"
    )


def test_nights_of_solar_power_are_zero():
    """Where the history is 0 in every season, and not by chance, so is the forecast."""
    hours = np.arange(24 * 20)
    sun = np.maximum(0.0, np.sin((hours % 24 - 6) / 12 * np.pi)) * 50
    power = np.where(sun > 1e-9, sun + np.random.default_rng(0).normal(0, 3, len(hours)), 0.0)
    power = np.maximum(power, 0.0)
    night = power.reshape(20, 24).max(axis=0) == 0
    model = Forecaster(24, frequency="h", network="never").fit(power)
    forecast = model.predict()
    assert model.season_ == 24
    assert not forecast.mean[night].any()
    assert (forecast.mean[~night] > 0).any()
    assert not forecast.intervals[0.8][1][night].any()
    (note,) = [note for note in forecast.notes if "always 0" in note]
    assert note == (
        f"y was always 0 at that place of the season for {night.sum()} of 24 steps ahead, so they"
        " are forecast as 0. Set nonnegative=True to let them differ."
    )
    free = Forecaster(24, frequency="h", network="never", nonnegative=True).fit(power).predict()
    assert free.intervals[0.8][1][night].any()


def test_a_series_that_is_mostly_zero_keeps_its_forecast():
    rare = np.where(np.random.default_rng(3).random(70) < 0.12, 5.0, 0.0)
    forecast = Forecaster(7, frequency="D", season=7, network="never").fit(rare).predict()
    assert not any("always 0" in note for note in forecast.notes)
