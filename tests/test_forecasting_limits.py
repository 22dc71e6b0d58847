"""Where a forecast is 0, and no less."""

from typing import Any

import numpy as np
import pytest

from throughtime.forecasting import Forecaster
from throughtime.forecasting.limits import Limits, always_zero
from throughtime.forecasting.series import Observed

STEPS = np.array([1, 2, 4])


def limits(y: np.ndarray, floor: float = 0.0, **settings: Any) -> Limits:
    return Limits(Forecaster(4, **settings)._settings(), floor, y, 4.0, STEPS)


def test_a_place_that_was_always_zero_stays_zero() -> None:
    y = np.tile([0.0, 3.0, 5.0, 2.0], 6)
    np.testing.assert_array_equal(always_zero(y, 4.0, np.arange(1, 6)), [1, 0, 0, 0, 1])
    # A quarter of all values is 0: of n at one place all are by chance with 1/4^n, 1/1024 for 5.
    np.testing.assert_array_equal(always_zero(y[:16], 4.0, np.arange(1, 6)), False)
    np.testing.assert_array_equal(always_zero(y[:20], 4.0, np.arange(1, 6)), [1, 0, 0, 0, 1])
    # The place of a season that is no whole number moves.
    np.testing.assert_array_equal(always_zero(y, 4.5, np.arange(1, 6)), False)


@pytest.mark.parametrize(("floor", "lowest"), [(0.0, 0.0), (-np.inf, -2.0)])
def test_what_is_cut_is_said(floor: float, lowest: float) -> None:
    found = limits(np.array([1.0, 2.0, 1.5]), floor)
    series = Observed(None, np.ones(3), np.zeros((3, 0)))
    np.testing.assert_array_equal(found.apply(np.array([3.0, 1.0, 2.0])), [3.0, 1.0, 2.0])
    assert found.remarks(series) == []
    np.testing.assert_array_equal(found.apply(np.array([3.0, -2.0, 2.0])), [3.0, lowest, 2.0])
    assert len(found.remarks(series)) == (lowest == 0.0)


def test_a_history_that_fell_below_zero_has_no_floor() -> None:
    y = np.array([1.0, -0.5, 1.5])
    np.testing.assert_array_equal(limits(y).apply(np.full(3, -1.0)), -1.0)
    # Unless one was asked for.
    np.testing.assert_array_equal(limits(y, nonnegative=True).apply(np.full(3, -1.0)), 0.0)
