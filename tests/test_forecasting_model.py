"""Origins for training, and a fitted model on histories of every kind."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from throughtime.errors import DataError
from throughtime.forecasting import Forecaster, networks
from throughtime.forecasting.anchor import anchor_errors, first_origin
from throughtime.forecasting.averaging import Average
from throughtime.forecasting.inputs import N_INPUTS, PreparedSeries, cut
from throughtime.forecasting.networks import BestWeights
from throughtime.forecasting.smoothing import Smoothing
from throughtime.layers import Dense
from throughtime.network import Network

QUICK: dict[str, Any] = {"epochs": 3, "members": 1, "hidden_size": 8}
RNG = np.random.default_rng


def test_nothing_is_learned_inside_the_cycles_that_a_season_is_read_off() -> None:
    season = Smoothing(period=12.0, alpha=0.1, gamma=0.05)
    assert [first_origin(season, cutoff) for cutoff in (10, 24, 90)] == [24, 24, 24]
    assert [first_origin(Smoothing(), cutoff) for cutoff in (1, 5, 90)] == [1, 4, 8]
    y = RNG(0).normal(size=36)
    assert len(anchor_errors(PreparedSeries.from_values(y, Average.of(season)), 6)) == 12


def test_errors_after_a_pattern_was_read_off_are_as_large_as_later_ones() -> None:
    season = Average.of(Smoothing(period=12.0, alpha=0.05, gamma=0.05))
    errors = [
        anchor_errors(PreparedSeries.from_values(RNG(seed).normal(size=40), season), 1)
        for seed in range(60)
    ]
    size = np.abs(np.concatenate([e[:8] for e in errors])).mean()
    later = np.abs(np.concatenate([e[-8:] for e in errors])).mean()
    # Inside the first two cycles, where origins were once, it is a third less.
    assert size > 0.9 * later


def test_two_cycles_and_little_more_leave_nothing_to_learn_from() -> None:
    t = np.arange(30)
    y = 10.0 + 3.0 * np.sin(2 * np.pi * t / 12) + RNG(0).normal(0, 0.2, 30)
    model = Forecaster(6, season=12, base_model="none", **QUICK).fit(y)
    assert model.weight_ == 0.0
    assert model.notes_[0] == "Too few values are left to train a network on these data."
    truth = 10.0 + 3.0 * np.sin(2 * np.pi * np.arange(30, 36) / 12)
    np.testing.assert_allclose(model.predict().mean, truth, atol=1.0)
    assert (np.diff(model.predict().intervals[0.8], axis=0) > 0.4).all()


def test_no_network_where_nothing_could_judge_it() -> None:
    """Of 30 steps at most 40 %, 12, are held back: two paths of five steps, or three of four."""
    y = 10.0 + RNG(0).normal(size=30)
    epochs: list[int] = []
    options: dict[str, Any] = QUICK | {
        "season": None,
        "base_model": "none",
        "callbacks": [lambda run: epochs.append(run.epoch)],
    }
    model = Forecaster(5, **options).fit(y)
    assert model.weight_ == 0.0
    assert epochs == []
    assert model.notes_[0] == (
        "No network was trained on these data: what is held back to judge it holds 2 stretches of"
        " horizon=5, and 3 are needed. Use a shorter horizon, or bring more data."
    )
    Forecaster(4, **options).fit(y)
    assert epochs == [1, 2, 3]
    # Beside a second series there are four paths.
    epochs.clear()
    Forecaster(5, **options).fit([y, y[::-1]])
    assert epochs[:3] == [1, 2, 3]


def test_a_floor_is_lifted_by_what_went_below() -> None:
    y = 5.0 + RNG(0).normal(0, 0.5, 60)
    model = Forecaster(3, season=None, **QUICK).fit(y)
    assert model.predict().notes == ()
    forecast = model.update(-np.arange(1.0, 61.0)).predict()
    assert (forecast.mean < 0).all()
    low, high = forecast.intervals[0.95]
    assert (low < high).all()
    asked = Forecaster(3, season=None, nonnegative=True, **QUICK).fit(y)
    assert (asked.update(-np.arange(1.0, 61.0)).predict().mean == 0.0).all()


def test_a_cut_at_zero_is_said() -> None:
    y = RNG(0).poisson(1.7, 80).astype(float)
    model = Forecaster(6, **QUICK).fit({"shop": y})
    assert (model.predict()["shop"].lower(0.95) == 0.0).any()
    (note,) = model.predict()["shop"].notes
    assert note == (
        "y['shop'] was never below 0, so its forecast is cut there. Set nonnegative=False to let"
        " it go lower."
    )


def test_logarithms_are_given_up_where_a_later_value_has_none() -> None:
    t = np.arange(120)
    y = np.exp(4 + 0.02 * t + 0.3 * np.sin(2 * np.pi * t / 12) + RNG(0).normal(0, 0.02, 120))
    model = Forecaster(6, frequency="MS", **QUICK).fit(y)
    assert model.transform_ == "log"
    forecast = model.update([0.0]).predict()
    assert np.isfinite(forecast.mean).all()
    assert forecast.notes[0] == ("y is no longer positive, so it is forecast without logarithms.")
    y[-10] = 0.0
    report = Forecaster(6, frequency="MS", **QUICK).backtest(y, holdout=12)
    assert [fold.origin for fold in report.folds] == [108, 114]


def test_a_series_of_few_numbers_is_repeated_beside_others() -> None:
    y = {"long": 50.0 + RNG(0).normal(size=60), "new": [4.0, None, 6.0], "one": [30.0]}
    model = Forecaster(3, season=None, **QUICK).fit(y)
    answer = model.predict()
    for name, value, held in (("new", 6.0, "2 numbers"), ("one", 30.0, "one number")):
        np.testing.assert_array_equal(answer[name].mean, value)
        low, high = answer[name].intervals[0.8]
        # The long one varies by a few hundredths of its level.
        assert (high - low > 0.02 * value).all()
        assert (high - low < 0.3 * value).all()
        note = (
            f"y['{name}'] holds only {held}, so the last one is repeated, with intervals like"
            " those of the other series."
        )
        assert note in answer[name].notes
        assert note in model.notes_


def test_each_half_of_the_validation_block_is_judged_at_the_best_epoch_of_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = PreparedSeries.from_values(RNG(0).normal(size=40), Average.of(Smoothing(alpha=0.2)))
    block = cut(history, np.arange(20, 24), 6, 2)
    later = np.array([False, False, True, True])
    # Epoch 1 is right for the earlier half, epoch 2 for the later one, epoch 3 for none.
    guesses = [np.zeros((4, 2)), np.where(later[:, None], 5.0, block.target)]
    guesses += [np.where(later[:, None], block.target, -5.0), np.full((4, 2), 9.0)]
    net = Network([Dense(1)], n_features=block.x.shape[2])
    best = BestWeights(block, later, 10, lambda *_: None)
    for epoch, guess in enumerate(guesses):
        monkeypatch.setattr(networks, "correction", lambda *_, guess=guess: guess)
        best._consider(net, epoch)
    np.testing.assert_array_equal(best.judged[later], 5.0)
    np.testing.assert_array_equal(best.judged[~later], -5.0)


def test_a_network_of_other_series_adds_nothing_to_one_that_never_moved() -> None:
    chaos = [0.3]
    while len(chaos) < 120:
        chaos.append(3.9 * chaos[-1] * (1.0 - chaos[-1]))
    model = Forecaster(2, epochs=15, members=1, season=None)
    model.fit([np.array(chaos), np.zeros(40)])
    assert model.weight_ > 0.5  # the network is used
    np.testing.assert_array_equal(model.predict()[1].mean, 0.0)


def test_an_error_that_is_nearly_zero_beside_large_ones() -> None:
    """Errors of 1e-300 and of 1e99 cannot be divided by each other, and need not be."""
    y = np.zeros(60)
    y[3] = 1e99
    model = Forecaster(6, epochs=2, members=1, hidden_size=4).fit(y)
    mean = model.update([1e-300]).predict().mean
    assert ((mean >= 0.0) & (mean < 1e-299)).all()


def test_a_forecast_that_is_not_finite_is_refused() -> None:
    model = Forecaster(3, season=None, **QUICK).fit(RNG(0).normal(size=40))
    model.fitted.calibration.spread[1] = np.inf
    message = (
        "y must have a finite forecast; got -inf. Divide the series by a constant first, or fit"
        " again."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        model.predict()
    assert np.isfinite(model.predict(1).upper(0.8)).all()


def test_the_network_reads_what_is_static(tmp_path: Path) -> None:
    y = [10.0 + RNG(i).normal(size=40) for i in range(6)]
    model = Forecaster(2, season=None, use="network", **QUICK)
    model.fit(y, static=[0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    model.fitted.calibration = dataclasses.replace(model.fitted.calibration, weight=1.0)
    model.save(tmp_path / "model.safetensors")
    loaded = Forecaster.load(tmp_path / "model.safetensors")
    assert loaded.networks_[0].n_features == N_INPUTS + 1
    for one, two in zip(model.predict(), loaded.predict(), strict=True):
        np.testing.assert_array_equal(one.mean, two.mean)
    loaded.fitted.group = model.fitted.group.map(lambda s: dataclasses.replace(s, static=-s.static))
    for one, two in zip(model.predict(), loaded.predict(), strict=True):
        assert (one.mean != two.mean).all()


@pytest.mark.parametrize(
    ("count", "horizon"), [(3, 6), (4, 6), (5, 6), (6, 6), (9, 6), (5, 24), (20, 100)]
)
def test_a_short_series_is_forecast_with_intervals(
    count: int, horizon: int, tmp_path: Path
) -> None:
    y = 50.0 + RNG(count).normal(size=count).cumsum()
    model = Forecaster(horizon, season=None).fit(y)
    forecast = model.predict()
    low, high = forecast.intervals[0.8]
    assert (low <= forecast.mean).all()
    assert (forecast.mean <= high).all()
    assert high[5] - low[5] > high[0] - low[0] > 0.0
    model.save(tmp_path / "model.safetensors")
    again = Forecaster.load(tmp_path / "model.safetensors").predict()
    np.testing.assert_array_equal(again.mean, forecast.mean)
