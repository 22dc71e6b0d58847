"""Exponential smoothing against values computed by hand, and the choice between settings."""

import dataclasses

import numpy as np
import pytest

from throughtime.forecasting.averaging import average, compare
from throughtime.forecasting.grid import candidates, origins_of
from throughtime.forecasting.rolling import rolling_errors
from throughtime.forecasting.smoothing import Smoothing, extend, phase, smooth

RNG = np.random.default_rng


def ahead(y: np.ndarray, setting: Smoothing, horizon: int) -> np.ndarray:
    """Forecast with one setting from the end of ``y``."""
    states = smooth(setting.transform(y), [setting], np.array([len(y)]))
    return setting.restore(extend([setting], states, np.arange(1, horizon + 1))[0, :, 0])


def choose(y, horizon, periods, logs) -> Smoothing:
    """The setting of the largest weight."""
    return average(compare(y, horizon, periods, logs)).principal


def test_level_by_hand() -> None:
    states = smooth(np.array([1.0, 2.0, 4.0]), [Smoothing(alpha=0.5)], np.array([1, 2, 3]))
    np.testing.assert_array_equal(states.level[:, 0], [1.0, 1.5, 2.75])


def test_local_trend_by_hand() -> None:
    setting = Smoothing(alpha=0.5, trend="local", beta=0.5, phi=0.5)
    states = smooth(np.array([1.0, 2.0, 4.0]), [setting], np.array([2, 3]))
    # t=1: e=1, l=1.5, b=.25; t=2: l=1.5+.125, e=2.375, l=1.625+1.1875, b=.125+.59375
    np.testing.assert_allclose(states.level[:, 0], [1.5, 2.8125])
    np.testing.assert_allclose(states.slope[:, 0], [0.25, 0.71875])
    forecast = extend([setting], states, np.array([1, 2, 3]))[1, :, 0]
    np.testing.assert_allclose(forecast, 2.8125 + 0.71875 * np.array([0.5, 0.75, 0.875]))


def test_return_to_the_mean_by_hand() -> None:
    setting = Smoothing(alpha=0.5, trend="return", phi=0.8)
    y = np.array([1.0, 2.0, np.nan, 6.0])
    states = smooth(y, [setting], np.arange(1, 5))
    # t=1: l = 1 + .5 (2 - 1), m = 1.5; t=2: l = m + .8 (l - m) = 1.5; t=3: l = 1.5 + .5 (6 - 1.5)
    np.testing.assert_allclose(states.level[:, 0], [1.0, 1.5, 1.5, 3.75])
    # From l = 3.75 back to the mean of the history, 3.
    expected = 3.0 + 0.75 * 0.8 ** np.arange(1, 6)
    np.testing.assert_allclose(ahead(y, setting, 5), expected)
    logged = dataclasses.replace(setting, log=True)
    np.testing.assert_allclose(ahead(np.exp(y), logged, 5), np.exp(expected))
    np.testing.assert_allclose(ahead(np.exp(-y), logged, 5), np.exp(-expected))


def test_half_the_slope_of_a_line_by_hand() -> None:
    y, setting = np.array([1.0, 2.0, np.nan, 6.0, 3.0]), Smoothing(alpha=0.5, trend="theta")
    states = smooth(y, [setting], np.arange(1, 6))
    # Least-squares lines through the known values: slopes 1, 12/7 (of 1, 2, 6), 0.8 (of all).
    slopes = np.array([0.0, 0.5, 0.5, 6.0 / 7.0, 0.4])
    np.testing.assert_allclose(states.slope[:, 0], slopes, rtol=1e-14)
    # Levels: 1; 1 + 1/2; + 1/2 over the gap; (2.5 + 6) / 2; (4.25 + 6/7 + 3) / 2.
    levels = [1.0, 1.5, 2.0, 4.25, (4.25 + 6.0 / 7.0 + 3.0) / 2.0]
    np.testing.assert_allclose(states.level[:, 0], levels, rtol=1e-14)
    np.testing.assert_allclose(ahead(y, setting, 2), levels[-1] + 0.4 * np.array([1.0, 2.0]))


def test_choice_of_what_returns_to_its_mean() -> None:
    better = []
    for seed in range(8):
        y = RNG(seed).normal(size=240)
        for t in range(1, 240):
            y[t] += 0.8 * y[t - 1]
        setting = choose(y[:228], 12, [1.0], [False])
        error = np.abs(ahead(y[:228], setting, 12) - y[228:]).mean()
        better.append((setting.trend == "return", error < np.abs(y[227] - y[228:]).mean()))
    # A slow level, the other model for such series, does not follow it.
    assert sum(found for found, _ in better) >= 6
    assert sum(beats for _, beats in better) >= 5


def test_drift_continues_a_line_exactly() -> None:
    y = np.arange(1.0, 11.0)
    np.testing.assert_allclose(ahead(y, Smoothing(trend="drift"), 3), [11, 12, 13], rtol=1e-14)


def test_season_and_line_are_continued_exactly() -> None:
    t = np.arange(34)
    truth = 5.0 + 0.5 * t + np.array([0.0, 2.0, -3.0, 1.0])[t % 4]
    setting = Smoothing(period=4.0, alpha=0.3, trend="drift", gamma=0.2)
    np.testing.assert_allclose(ahead(truth[:26], setting, 8), truth[26:], rtol=1e-12)


def test_logarithms_of_a_growing_season() -> None:
    t = np.arange(36)
    truth = 10.0 * np.array([1.0, 2.0, 0.5])[t % 3]
    setting = Smoothing(log=True, period=3.0, alpha=0.2, gamma=0.4)
    np.testing.assert_allclose(ahead(truth[:30], setting, 6), truth[30:], rtol=1e-12)


def test_exponential_growth_goes_on_as_a_straight_line() -> None:
    y = np.exp(0.1 * np.arange(30))
    forecast = ahead(y, Smoothing(log=True, trend="drift"), 3)
    np.testing.assert_allclose(forecast, y[-1] * (1.0 + 0.1 * np.arange(1, 4)), rtol=1e-10)
    decay = ahead(1.0 / y, Smoothing(log=True, trend="drift"), 3)
    np.testing.assert_allclose(decay, np.exp(-0.1 * np.arange(30, 33)), rtol=1e-10)


def test_missing_values_leave_the_line_as_it_is() -> None:
    y = np.arange(1.0, 21.0)
    y[[7, 8, 15]] = np.nan
    np.testing.assert_allclose(ahead(y, Smoothing(trend="drift"), 2), [21, 22], rtol=1e-13)
    y[-2:] = np.nan
    np.testing.assert_allclose(ahead(y, Smoothing(trend="drift"), 2), [21, 22], rtol=1e-13)


def test_settings_side_by_side_equal_settings_alone() -> None:
    y = RNG(0).normal(size=60).cumsum() + 50.0
    y[13] = np.nan
    settings = candidates(7.0, log=False)
    origins = np.array([20, 41, 60])
    together = extend(settings, smooth(y, settings, origins), np.arange(-3, 5))
    for i in range(0, len(settings), 17):
        alone = extend([settings[i]], smooth(y, [settings[i]], origins), np.arange(-3, 5))
        np.testing.assert_allclose(together[:, :, i], alone[:, :, 0], rtol=1e-12)


def test_states_are_those_of_the_series_cut_off() -> None:
    y = RNG(1).normal(size=80)
    setting = Smoothing(period=6.5, alpha=0.2, trend="local", beta=0.1, gamma=0.3)
    whole = smooth(y, [setting], np.array([30, 55]))
    short = smooth(y[:55], [setting], np.array([55]))
    np.testing.assert_array_equal(whole.season[1], short.season[0])
    np.testing.assert_array_equal(whole.level[1], short.level[0])


def test_phase_of_a_period_that_is_not_whole() -> None:
    found = phase(np.arange(3653), 365.25 / 7)
    assert found.min() == 0
    assert found.max() == 51
    # Seventy years have about 3653 weeks; every class occurs in each of them.
    assert np.bincount(found).min() >= 69
    np.testing.assert_array_equal(phase(np.arange(24), 12.0), np.tile(np.arange(12), 2))


def test_the_past_is_drawn_back_along_the_line() -> None:
    t = np.arange(40)
    y = 3.0 + 2.0 * t + np.array([1.0, -1.0])[t % 2]
    setting = Smoothing(period=2.0, alpha=0.5, trend="drift", gamma=0.1)
    states = smooth(y, [setting], np.array([40]))
    np.testing.assert_allclose(extend([setting], states, np.arange(-9, 1))[0, :, 0], y[30:])


def test_choice_of_a_random_walk_is_persistence() -> None:
    chosen = [choose(RNG(seed).normal(size=300).cumsum(), 10, [1.0], [False]) for seed in range(10)]
    assert sum(s == Smoothing() for s in chosen) >= 8


def test_choice_of_noise_is_a_slow_level() -> None:
    setting = choose(RNG(0).normal(10.0, 1.0, 300), 10, [1.0, 12.0], [False])
    assert setting.alpha <= 0.1
    assert setting.trend == "none"
    assert setting.phases == 1


def test_choice_finds_season_and_logarithms() -> None:
    t = np.arange(120)
    season = np.exp(0.3 * np.sin(2 * np.pi * t / 12))
    y = np.exp(0.01 * t) * season * np.exp(RNG(0).normal(0, 0.02, 120))
    setting = choose(100 * y, 6, [1.0, 12.0], [False, True])
    assert setting.period == 12.0
    assert setting.log
    assert setting.trend != "none"
    assert setting.describe().endswith("and a season of 12 steps, on logarithms")


def test_choice_without_logarithms_where_a_value_is_zero() -> None:
    y = np.exp(0.05 * np.arange(60))
    y[3] = 0.0
    assert not choose(y, 4, [1.0], [False, True]).log


@pytest.mark.parametrize("length", [4, 5, 7, 12])
def test_choice_of_very_short_series_works(length: int) -> None:
    setting = choose(np.arange(1.0, length + 1.0), 12, [1.0, 12.0], [False, True])
    assert np.isfinite(ahead(np.arange(1.0, length + 1.0), setting, 12)).all()


def test_rolling_error_by_hand() -> None:
    y = np.array([1.0, 3.0, 2.0, 6.0])
    found = rolling_errors(y, [Smoothing()], np.array([2, 3]), 2)
    # From 2: errors 1 and 3, with the weights 1 and 1/sqrt(2); from 3: error 4.
    np.testing.assert_allclose(found, [[(1.0 + 3.0 * 0.5**0.5) / (1.0 + 0.5**0.5)], [4.0]])


def test_few_cycles_of_noise_are_no_season_and_those_of_a_season_are() -> None:
    t, drawn, kept = np.arange(30), 0, 0
    for seed in range(15):
        noise = RNG(seed).normal(size=30)
        truth = 10.0 + 3.0 * np.sin(2 * np.pi * t / 12) + 0.5 * noise
        for walk in (noise, noise.cumsum()):
            drawn += choose(walk, 6, [1.0, 12.0], [False]).phases > 1
        kept += choose(truth, 6, [1.0, 12.0], [False]).phases > 1
    # With origins inside the two cycles that the pattern is read off, 16 of 30 and 15 of 15.
    assert drawn <= 8
    assert kept >= 11


def test_a_season_is_judged_after_the_cycles_it_was_read_off() -> None:
    for total in (28, 30, 36, 300):
        assert origins_of(total, 12)[0] >= 24
        assert origins_of(total, 12)[-1] == total - 1
    assert origins_of(30, 1)[0] == 7


def test_a_setting_that_explodes_is_no_candidate() -> None:
    # With alpha 1, gamma .4 and a steep local trend, level and season fight until they overflow.
    y = np.exp(1.0 + 0.3 * RNG(3).normal(size=3000))
    with np.errstate(all="ignore"):
        blocks = compare(y, 20, [1.0, 7.0], [True])
    assert max(block.errors.max() for block in blocks) > 100.0 * y.max()
    found = average(blocks)
    np.testing.assert_allclose(found.weights.sum(), 1.0)
    path = found.paths(y, np.array([3000]), 20)
    np.testing.assert_allclose(path, y.mean(), rtol=0.3)
