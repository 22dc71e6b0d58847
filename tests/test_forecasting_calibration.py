"""How errors turn into intervals."""

import numpy as np
import pytest

from throughtime.forecasting.calibration import LEVELS, Calibration, improvement

RNG = np.random.default_rng


def test_bounds_are_nested_and_hold_the_forecast() -> None:
    found = Calibration.of(4)
    low, high = zip(
        *(found.bounds(c, np.arange(1, 5)) for c in (0.5, 0.8, 0.95, 0.99)), strict=True
    )
    assert (np.diff(low, axis=0) < 0).all()
    assert (np.diff(high, axis=0) > 0).all()
    assert (np.array(low) < 0).all()
    assert (np.array(high) > 0).all()


def test_bounds_are_quantiles_times_the_spread() -> None:
    spread = np.array([1.0, 2.0])
    found = Calibration(0.0, spread, 10.0 * (LEVELS - 0.25))
    low, high = found.bounds(0.8, np.array([1, 2]))
    np.testing.assert_allclose(low, -1.5 * spread)
    np.testing.assert_allclose(high, 6.5 * spread)
    # Both bounds would lie above the forecast.
    low, _ = found.bounds(0.2, np.array([1]))
    assert low == 0.0


def test_a_gain_narrows_the_intervals() -> None:
    steps = np.arange(1, 4)
    plain, better = Calibration.of(3), Calibration.of(3, 0.5, 0.8)
    for whole, part in zip(plain.bounds(0.9, steps), better.bounds(0.9, steps), strict=True):
        np.testing.assert_allclose(part, 0.8 * whole)


def test_a_gain_is_drawn_towards_none() -> None:
    errors = RNG(0).normal(size=(400, 10))
    assert improvement(errors, 0.5 * errors, 1e6) == pytest.approx(0.5, rel=1e-4)
    # Five paths against a prior of five.
    assert improvement(errors, 0.9 * errors, 5.0) == pytest.approx(0.9**0.5, rel=1e-4)


def test_a_gain_that_is_no_luck_is_hardly_drawn_towards_none() -> None:
    errors = RNG(1).normal(size=(50, 5))
    found = improvement(errors, 0.05 * errors, 7.0)
    # The logarithm of 0.05 is 8 times its error of 1 / sqrt(7): 1 - 2 / 63 of it counts.
    assert found == pytest.approx(0.05 ** (1 - 2 / (7 * np.log(0.05) ** 2)))


def test_worse_or_unknown_is_no_gain() -> None:
    errors = RNG(1).normal(size=(50, 5))
    assert improvement(errors, 2.0 * errors, 7.0) == 1.0
    assert improvement(np.full((3, 2), np.nan), np.full((3, 2), np.nan), 7.0) == 1.0
    assert improvement(np.zeros((3, 2)), np.zeros((3, 2)), 7.0) == 1.0
    # Without any error left some is expected all the same.
    assert improvement(errors, 0.0 * errors, 7.0) == 0.01
