"""Smoothing from many origins: the meaning of the numbers, on every engine."""

from __future__ import annotations

import numpy as np
import pytest
from rolling_cases import drawn, every_case, series

import throughtime as tt
from throughtime.forecasting.rolling import rolling_errors, rolling_means
from throughtime.forecasting.smoothing import Smoothing, extend, smooth
from throughtime.kernels import selection


@pytest.fixture(params=selection.available())
def engine(request):
    with tt.engine(request.param):
        yield request.param


# -- what the numbers mean


def test_errors_by_hand(engine) -> None:
    y = np.array([1.0, 2.0, np.nan, 6.0, 7.0])
    settings = [Smoothing(), Smoothing(alpha=0.5)]  # persistence, and half the way
    found = rolling_errors(y, settings, np.array([2, 3, 5]), 2)
    second = 2.0**-0.5  # the weight of the second step
    expected = [
        [6 - 2, 6 - 1.5],  # from t=1, t=2 is missing
        [(4 + second * 5) / (1 + second), (4.5 + second * 5.5) / (1 + second)],
        [np.nan, np.nan],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_means_by_hand(engine) -> None:
    y = np.array([1.0, 2.0, 4.0])
    settings = [Smoothing(), Smoothing(alpha=0.5), Smoothing(trend="drift")]
    weights = np.array([[0.25, 0.5, 2.0], [1.0, 0.0, 3.0]])
    found = rolling_means(y, settings, np.array([2, 3]), 2, weights, np.array([1, 1, 0]), 3)
    # From 2 the forecasts are 2, 1.5 and 3, 4; from 4 they are 4, 2.75 and 5.5, 7.
    expected = [[[6, 1.25, 0], [8, 1.25, 0]], [[16.5, 4, 0], [21, 4, 0]]]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@every_case
def test_forecasts_are_those_of_smoothing(seed, period, steps, horizon, engine) -> None:
    y = series(seed, steps, period)
    settings, origins = drawn(seed, steps, period)
    states = smooth(settings[0].transform(y), settings, origins)
    line = extend(settings, states, np.arange(1, horizon + 1))
    ceiling = float(np.nanmax(settings[0].transform(y)))
    expected = settings[0].restore(line, ceiling)  # (O, H, C)
    found = rolling_means(y, settings, origins, horizon, np.ones(states.level.shape),
                          np.arange(len(settings)), len(settings))  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.nanmax(y))


def test_a_forecast_on_logarithms_has_a_ceiling(engine) -> None:
    y = np.exp(np.arange(60.0))
    setting = Smoothing(log=True, trend="local", alpha=1.0, beta=1.0)
    found = rolling_means(y, [setting], np.array([60]), 400, np.ones((1, 1)), np.array([0]), 1)
    np.testing.assert_allclose(found[0, [0, -1], 0], np.exp([59 + np.log(2), 64]), rtol=1e-12)


def test_a_fall_on_logarithms_stays_positive(engine) -> None:
    y = np.exp(-0.5 * np.arange(60.0))
    setting = Smoothing(log=True, trend="local", alpha=1.0, beta=1.0)
    found = rolling_means(y, [setting], np.array([60]), 3, np.ones((1, 1)), np.array([0]), 1)
    np.testing.assert_allclose(found[0, :, 0], np.exp([-30, -30.5, -31]), rtol=1e-12)


def test_the_largest_numbers_have_no_ceiling(engine) -> None:
    y = np.array([1e307, 1e308, 1.5e308])
    found = rolling_means(y, [Smoothing(log=True)], np.array([3]), 2, np.ones((1, 1)),
                          np.array([0]), 1)  # fmt: skip
    np.testing.assert_allclose(found[0, :, 0], 1.5e308, rtol=1e-12)
