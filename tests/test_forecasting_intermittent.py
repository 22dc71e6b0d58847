"""Demand that is mostly zero: against values by hand, by brute force, and of known chances."""

import math

import numpy as np
import pytest

from throughtime.forecasting import Forecaster
from throughtime.forecasting.baselines import pinball, rmsse_scale
from throughtime.forecasting.intermittent import (
    Demand,
    is_intermittent,
    mean_demand,
    rates,
    weights,
)

RNG = np.random.default_rng
HAND = np.array([0.0, 2.0, 0.0, 0.0, 4.0, 1.0])


def demand(steps: int = 300, chance: float = 0.15, seed: int = 0) -> np.ndarray:
    """Demand at random steps, of sizes 1, 2, 3 ... that halve in frequency."""
    rng = RNG(seed)
    return np.where(rng.random(steps) < chance, rng.geometric(0.5, steps), 0).astype(float)


def test_members_by_hand() -> None:
    # Sizes 2, 4, 1 after 2, 3, 1 steps; the gains are 1, 1/2, 1/3, more than every alpha.
    found = rates(HAND)
    assert found.shape == (6, 26)
    np.testing.assert_array_equal(found[0], 0.0)
    size, gap = 7 / 3, 2.0
    np.testing.assert_allclose(found[-1, :3], size / gap)  # Croston
    # Syntetos and Boylan, alpha 0.05, 0.1 and 0.2
    np.testing.assert_allclose(found[-1, 3:6], np.array([0.975, 0.95, 0.9]) * size / gap)
    # TSB with beta 0 and 0.2: the share of steps with demand is 3/6, and 0, 0.5, 1/3, 0.25, then
    # 0.25 + 0.2 (1 - 0.25) = 0.4 and 0.4 + 0.2 (1 - 0.4) = 0.52.
    share = found[-1, 6:].reshape(4, 5) / size
    np.testing.assert_allclose(share[:, 0], 0.5)
    np.testing.assert_allclose(share[:, 4], 0.52)


def test_the_gain_of_many_demands_is_alpha() -> None:
    y = demand(2000)
    size, gap, steps = 0.0, 1.0, 0
    known = y[y > 0.0]
    places = np.flatnonzero(y > 0.0)
    for n, (value, step) in enumerate(zip(known, np.diff(places, prepend=-1), strict=True), 1):
        gain = max(0.1, 1.0 / n)
        size, gap = size + gain * (value - size), gap + gain * (step - gap)
        steps += int(step)
    assert rates(y)[-1, 1] == pytest.approx(size / gap)


def test_a_missing_value_is_no_step_without_demand() -> None:
    holes = np.insert(HAND, [1, 3, 6], np.nan)
    np.testing.assert_array_equal(rates(holes)[-1], rates(HAND)[-1])


def test_weights_are_those_of_squared_errors_until_then() -> None:
    y = demand(40)
    y[[7, 19]] = np.nan
    members, horizon = rates(y), 3
    found = weights(y, members, horizon)
    total = np.zeros(members.shape[1])
    for t, value in enumerate(y):
        for back in range(1, min(horizon, t) + 1):
            if not np.isnan(value):
                total += (value - members[t - back]) ** 2
        expected = np.ones(len(total))
        if total.min() > 0.0:
            expected = np.exp(-(total / total.min() - 1.0) / 0.02)
        np.testing.assert_allclose(found[t], expected / expected.sum(), rtol=1e-6)


def test_a_forecast_from_inside_a_history_sees_nothing_after_it() -> None:
    y = demand(120)
    origins = np.array([30, 77, 120])
    found = mean_demand(y, origins, 6)
    for value, origin in zip(found, origins, strict=True):
        assert mean_demand(y[:origin], np.array([origin]), 6)[0] == value
    # 0.15 of the steps, with a mean size of 2
    assert mean_demand(demand(3000), np.array([3000]), 6)[0] == pytest.approx(0.3, rel=0.2)


def test_demand_that_ends_is_forecast_less() -> None:
    y = np.concatenate([demand(200, 0.4), np.zeros(60)])
    before, after = mean_demand(y, np.array([200, 260]), 10)
    assert after < 0.2 * before


def test_which_series_are_intermittent() -> None:
    assert is_intermittent(demand())
    assert not is_intermittent(demand(chance=0.9))
    assert not is_intermittent(demand() - 1.0)
    assert not is_intermittent(np.zeros(50))
    assert not is_intermittent(demand()[:9])
    holes = demand()
    holes[::7] = np.nan
    assert is_intermittent(holes)
    # Zeros that are foreseen: weekends, and the time before the first sale.
    weekdays = np.where(np.arange(140) % 7 < 4, 5.0 + RNG(0).random(140), 0.0)
    assert not is_intermittent(weekdays, [7.0])
    assert not is_intermittent(np.concatenate([np.zeros(100), 5.0 + RNG(0).random(100)]))


def test_quantiles_of_a_step_by_hand() -> None:
    one = Demand(mean=0.5, chance=0.25, sizes=np.array([1.0, 1.0, 2.0, 4.0]))
    for level, value in ((0.1, 0), (0.75, 0), (0.8, 1), (0.875, 1), (0.9, 2), (0.95, 4), (1.0, 4)):
        assert one.quantile(level) == value, level
    # Demand at every step, and larger than ever before
    y = np.concatenate([np.tile([1.0, 0.0, 0.0], 30), np.tile([4.0], 60)])
    grown = Demand.from_history(y, 3)
    assert grown.chance == 1.0
    assert grown.mean == pytest.approx(grown.sizes.mean())


def test_quantiles_of_sums_are_those_of_the_binomial() -> None:
    steps, chance = 20, 0.15
    one = Demand(mean=chance, chance=chance, sizes=np.ones(3))
    each = [math.comb(steps, k) * chance**k * (1 - chance) ** (steps - k) for k in range(steps + 1)]
    for level in (0.5, 0.8, 0.95):
        assert one.quantile_of_sum(level, steps, 0) == int(np.searchsorted(np.cumsum(each), level))
    assert one.quantile_of_sum(0.9, 4, 5) == one.quantile_of_sum(0.9, 4, 5)


def test_rmsse_and_pinball_by_hand() -> None:
    assert rmsse_scale(np.array([0.0, 3.0, np.nan, 1.0, 5.0])) == pytest.approx(
        np.sqrt((9 + 16) / 2)
    )
    assert np.isnan(rmsse_scale(np.full(4, 2.0)))
    np.testing.assert_allclose(pinball(np.array([5.0, 1.0]), np.array([3.0, 3.0]), 0.9), [1.8, 0.2])


def test_a_forecast_of_demand() -> None:
    y = demand()
    model = Forecaster(14, frequency="D")
    forecast = model.fit(y).predict()
    assert forecast.method == "croston"
    assert model.choices_[None].method == "croston"
    assert "Demand is mostly zero, so no network is trained." in model.notes_
    assert model.weight_ == 0.0
    expected = mean_demand(y, np.array([300]), 14)[0]
    np.testing.assert_array_equal(forecast.mean, expected)
    np.testing.assert_array_equal(forecast.anchor, forecast.mean)
    # P(y = 0) is 0.85, P(y <= 1) 0.925, P(y <= 3) 0.98.
    np.testing.assert_array_equal(forecast.lower(0.95), 0.0)
    np.testing.assert_array_equal(forecast.upper(0.8), 1.0)
    assert 2.0 <= forecast.upper(0.95)[0] <= 4.0
    (note,) = [one for one in forecast.notes if "mean demand" in one]
    share = 100 * np.mean(y > 0)
    assert note.startswith(
        f"y is 0 but for {share:.0f} % of its values, so the forecast is its mean demand of a step,"
        f" {expected:.3g}, and not an amount to order. For stock, read an upper quantile, or the"
        f" sum over the 14 steps ahead: {14 * expected:.3g} in the mean, and at most "
    )
    (low, high) = model.predict_interval(coverage=0.9)
    assert (low[0], high[0]) == (0.0, 2.0)
    asked = Forecaster(14, frequency="D", use="network", epochs=2, members=1, hidden_size=4)
    assert asked.fit(y).predict().method in ("network", "smoothing")
    short = Forecaster(14, frequency="D", network="never").fit(y).predict()
    np.testing.assert_array_equal(short.mean, forecast.mean)


def test_zero_is_not_taken_for_a_forecast_of_demand() -> None:
    """Most stretches have little demand, and there persistence, mostly zero, has little error."""
    for seed in range(6):
        for steps in (60, 100, 300):
            model = Forecaster(5).fit(demand(steps, seed=seed))
            assert model.predict().method == "croston"
            # Mean squared errors of persistence are twice the variance, but for chance.
            assert 1.1 < model.choices_[None].ratio("persistence") < 1.6


def test_a_history_that_has_no_demand_any_more(tmp_path) -> None:
    model = Forecaster(5).fit(demand(100))
    model.save(tmp_path / "model.safetensors")
    loaded = Forecaster.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict().mean, model.predict().mean)
    assert loaded.predict(y=np.zeros(40)).method == "smoothing"
    assert loaded.predict(y=demand(100) - 1.0).method == "smoothing"


def test_values_below_zero_after_demand_are_forecast_the_same_from_a_file(tmp_path) -> None:
    model = Forecaster(5).fit(demand(100))
    model.update([-5.0])
    forecast = model.predict()
    assert forecast.method == "smoothing"
    model.save(tmp_path / "model.safetensors")
    loaded = Forecaster.load(tmp_path / "model.safetensors").predict()
    assert loaded.method == "smoothing"
    np.testing.assert_array_equal(loaded.mean, forecast.mean)


def test_the_mean_is_inside_its_interval() -> None:
    """After one huge demand it is above most quantiles, with demand at every step below all."""
    model = Forecaster(5).fit(demand(100))
    often = model.predict(y=np.full(40, 7.0))
    assert often.mean[0] < 7.0
    np.testing.assert_array_equal(often.lower(0.8), often.mean)
    np.testing.assert_array_equal(often.upper(0.8), 7.0)
    huge = model.predict(y=np.append(demand(100), 1e9))
    assert huge.mean[0] > 1e6
    np.testing.assert_array_equal(huge.lower(0.8), 0.0)
    np.testing.assert_array_equal(huge.upper(0.8), huge.mean)


def test_a_backtest_of_demand_is_judged_by_squared_errors_and_quantiles() -> None:
    y = demand(400, seed=4)
    report = Forecaster(14, frequency="D").backtest(y, holdout=140)
    assert report.mostly_zero
    own, last = report["forecast"], report["persistence"]
    # Zero is the better forecast by mean absolute error, and no forecast of demand.
    actual = y[-140:]
    assert own.rmsse == pytest.approx(own.rmse / rmsse_scale(y[:-140]))
    assert own.mae > np.abs(actual).mean()
    assert own.rmsse < last.rmsse
    assert own.pinball < last.pinball
    assert report.beats["persistence"]
    assert report.verdict[0].startswith(
        "The forecast beats persistence: its root mean squared scaled error is "
    )
    assert "Use " not in " ".join(report.verdict)
    plain = report.to_dict()["scores"][0]
    assert (plain["rmsse"], plain["pinball"]) == (own.rmsse, own.pinball)
    assert str(report).splitlines()[0].split()[-2:] == ["RMSSE", "pinball"]
    # By hand: the bounds of 80 % and 95 % intervals are quantiles of 10, 90, 2.5 and 97.5 %.
    losses = [
        pinball(fold.actual, bound, level)
        for fold in report.folds
        for coverage, ends in fold.forecast.intervals.items()
        for level, bound in zip(((1 - coverage) / 2, (1 + coverage) / 2), ends, strict=True)
    ]
    assert own.pinball == pytest.approx(np.mean(losses) / np.abs(np.diff(y[:-140])).mean())


def test_a_series_that_is_not_mostly_zero_keeps_its_errors() -> None:
    report = Forecaster(4, network="never").backtest(10.0 + RNG(0).normal(size=60))
    assert not report.mostly_zero
    assert str(report).splitlines()[0].split() == ["method", "MAE", "RMSE", "sMAPE", "MASE"]
    assert np.isnan(report["persistence"].pinball)
    assert report["forecast"].pinball > 0.0
