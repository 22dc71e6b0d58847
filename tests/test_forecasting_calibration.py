"""The width of intervals, on errors with a known answer."""

import numpy as np
import pytest

from throughtime.forecasting.calibration import LEVELS, Calibration, Errors, spread


def errors(scale: float, n: int = 200, horizon: int = 5, seed: int = 0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(n, horizon))


def test_growth_of_a_random_walk_and_of_noise() -> None:
    steps = np.random.default_rng(0).normal(size=(4000, 20))
    walk, noise = steps.cumsum(axis=1), steps
    for values, power in ((walk, 0.5), (noise, 0.0)):
        past = Errors(values, 1e6)
        found = spread(past, past, past, 0.0)
        growth = np.log(found.spread[-1] / found.spread[0]) / np.log(20.0)
        assert growth == pytest.approx(power, abs=0.03)


def test_bounds_cover_as_they_promise() -> None:
    values = np.random.default_rng(0).normal(size=(4000, 12)).cumsum(axis=1)
    past = Errors(values[:2000], 1e6)
    found = spread(past, past, past, 0.0)
    for coverage in (0.5, 0.8, 0.95):
        low, high = found.bounds(coverage, np.arange(1, 13))
        inside = ((low <= values[2000:]) & (values[2000:] <= high)).mean()
        assert inside == pytest.approx(coverage, abs=0.02)


def test_bounds_are_nested_and_hold_the_forecast() -> None:
    # All errors are on one side: the interval must reach from the forecast to them.
    found = Calibration(0.0, np.array([1.0, 2.0]), np.linspace(1.0, 3.0, len(LEVELS)))
    steps = np.array([1, 2])
    before = (np.zeros(2), np.zeros(2))
    for coverage in (0.01, 0.3, 0.8, 0.95, 0.999):
        low, high = found.bounds(coverage, steps)
        assert (low <= before[0]).all()
        assert (high >= before[1]).all()
        np.testing.assert_allclose(high[1], 2 * high[0])
        before = low, high


def test_few_paths_widen_and_a_better_forecast_narrows() -> None:
    past = errors(1.0)
    many = spread(Errors(past, 1e6), Errors(past, 1e6), Errors(past, 1e6), 0.0)
    few = spread(Errors(past, 4.0), Errors(past, 1e6), Errors(past, 1e6), 0.0)
    # Their mean is that of the errors; only its course over h is drawn towards the usual one.
    assert np.exp(np.log(few.spread / many.spread).mean()) == pytest.approx(1.5, rel=1e-3)
    assert few.spread[-1] / few.spread[0] > many.spread[-1] / many.spread[0]
    better = spread(Errors(past, 1e6), Errors(past, 1e6), Errors(0.5 * past, 1e6), 1.0)
    np.testing.assert_allclose(better.spread, 0.5 * many.spread, rtol=1e-4)
    unsure = spread(Errors(past, 1e6), Errors(past, 5.0), Errors(0.5 * past, 5.0), 1.0)
    np.testing.assert_allclose(unsure.spread, 0.5**0.5 * many.spread, rtol=1e-4)


def test_a_gain_that_is_no_luck_is_hardly_drawn_towards_none() -> None:
    past = errors(1.0)
    anchor, final = Errors(past, 7.0), Errors(0.05 * past, 7.0)
    plain = spread(Errors(past, 1e6), anchor, anchor, 0.0)
    found = spread(Errors(past, 1e6), anchor, final, 1.0)
    # Seven paths beside the usual five would make it 0.05^(7/12) = 0.17.
    factor = 0.05 ** (1.0 - 2.0 / (7.0 * np.log(0.05) ** 2))
    np.testing.assert_allclose(found.spread, factor * plain.spread)
    assert factor < 0.06
    worse = spread(Errors(past, 1e6), anchor, Errors(2.0 * past, 7.0), 0.5)
    np.testing.assert_array_equal(worse.spread, plain.spread)


def test_no_errors_give_no_width() -> None:
    nothing = Errors(np.zeros((5, 3)), 2.0)
    found = spread(nothing, nothing, nothing, 0.0)
    low, high = found.bounds(0.95, np.array([1, 3]))
    np.testing.assert_array_equal(low, 0.0)
    np.testing.assert_array_equal(high, 0.0)
