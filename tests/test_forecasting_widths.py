"""How large errors are expected to be, and how much intervals cover."""

from __future__ import annotations

import numpy as np
import pytest

from throughtime.forecasting import Forecaster
from throughtime.forecasting.calibration import Calibration
from throughtime.forecasting.delivery import Calibrated, Shape
from throughtime.forecasting.widths import (
    blend,
    expected_errors,
    expected_of_few,
    facts,
    quantiles,
    sigma,
)

RNG = np.random.default_rng


def walk(seed: int, steps: int, horizon: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random walk, origins, and the errors of persistence."""
    z = np.cumsum(RNG(seed).normal(size=steps))
    origins = np.arange(4, steps)
    where = origins[:, None] + np.arange(horizon)
    actual = np.where(where < steps, z[np.minimum(where, steps - 1)], np.nan)
    return z, origins, actual - z[origins - 1, None]


def expected(seed: int = 0, steps: int = 400, horizon: int = 12, period: int = 1) -> np.ndarray:
    z, origins, errors = walk(seed, steps, horizon)
    return expected_errors(errors, origins, z, period, np.full(horizon, z[-1]))


def test_facts_by_hand() -> None:
    z = np.array([0.0, 1.0, 3.0, np.nan, 7.0, 6.0])
    errors = np.array([[1.0, 2.0], [-2.0, np.nan], [0.5, np.nan]])
    found = facts(errors, np.array([2, 4, 5]), z, 1, np.array([8.0, 5.0]))
    assert found is not None
    a, paths, few, many = found
    q = (1 + 2 + 1) / 3  # differences of neighbours that are known
    assert a == pytest.approx((3.5 + q) / 4)
    np.testing.assert_allclose(paths, [3, 0.5])
    mean = np.array([3.5 / 3, 2.0])
    weight = 0.5 ** (np.array([4, 2, 1]) / (1.5 * 6**0.5))
    recent = np.array([weight @ [1, 2, 0.5] / weight.sum(), 2.0])
    log_2 = np.log(2)
    np.testing.assert_allclose(
        few, [[1, 1], [0, log_2], [0, 0], [np.log(q / a)] * 2, [0, np.log(q / a) * log_2]]
    )
    moved = np.array([2.0, 1.0])  # from the last value, 6
    np.testing.assert_allclose(
        many,
        [
            np.log(mean / a),
            np.log(recent / mean),
            [np.log(recent[0] / a)] * 2,
            np.log1p(moved / (a * np.sqrt([1, 2]))),
            [np.log(mean[0] / recent[0])] * 2,
        ],
    )


def test_a_season_compares_with_the_season_before() -> None:
    z = np.tile([0.0, 10.0, 20.0], 4) + np.arange(12.0)
    errors = np.ones((3, 5))
    found = facts(errors, np.array([6, 7, 8]), z, 3, np.zeros(5))
    assert found is not None
    a, _, few, many = found
    assert a == pytest.approx((3 + 3) / 4)  # q = 3
    np.testing.assert_allclose(few[2], np.log(np.arange(1, 6)))
    before = np.array([9.0, 20.0, 31.0, 9.0, 20.0])
    np.testing.assert_allclose(many[3], np.log1p(before / (a * np.sqrt(np.arange(1, 6)))))


def test_sigma_weighs_the_history_by_its_paths() -> None:
    p = np.array([2.0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0])
    few, many = np.zeros((5, 3)), np.zeros((5, 3))
    few[0], many[0] = 1.0, np.log(4.0)
    found = sigma(3.0, np.array([0.0, 2.0, 1e9]), few, many, p)
    np.testing.assert_allclose(found, 3.0 * np.exp([0.5, (0.5 + np.log(4.0)) / 2, np.log(4.0)]))


def test_errors_of_a_random_walk_grow_with_the_root_of_the_step() -> None:
    ratio = np.mean([np.log(expected(seed)[[0, 11]]) for seed in range(20)], axis=0)
    assert (ratio[1] - ratio[0]) / np.log(12.0) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_sigma_has_the_scale_of_the_series(factor) -> None:
    z, origins, errors = walk(1, 60, 5)
    forecast = np.linspace(z[-1], z[-1] + 2.0, 5)
    plain = expected_errors(errors, origins, z, 4, forecast)
    scaled = expected_errors(factor * errors, origins, factor * z, 4, factor * forecast)
    np.testing.assert_allclose(scaled, factor * plain)


def test_recent_errors_count_more() -> None:
    z, origins, errors = walk(2, 100, 5)
    early, late = errors.copy(), errors.copy()
    early[:48] *= 3.0
    late[48:] *= 3.0
    sizes = [expected_errors(e, origins, z, 1, np.full(5, z[-1])) for e in (early, late)]
    assert (sizes[1] > 1.5 * sizes[0]).all()


def test_steps_without_an_error_are_guessed_from_the_others() -> None:
    z, origins, errors = walk(3, 12, 4)
    errors[:, 2:] = np.nan
    found = expected_errors(errors, origins, z, 1, np.full(4, z[-1]))
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()


def test_what_does_not_move_has_no_error() -> None:
    found = expected_errors(np.zeros((4, 3)), np.arange(4, 8), np.ones(8), 1, np.ones(3))
    np.testing.assert_array_equal(found, 0.0)


def test_few_values_have_errors_that_grow() -> None:
    found = expected_of_few(2.0, 4)
    assert found[0] == pytest.approx(2.0 * np.exp(0.619))
    assert (np.diff(found) > 0).all()


def test_quantiles_increase_through_zero() -> None:
    found = quantiles(np.linspace(0.0, 1.0, 101))
    assert (np.diff(found) > 0).all()
    assert found[0] < -10.0
    assert found[-1] > 10.0
    assert abs(found[50]) < 0.1


def coverage(make, horizon: int = 6, **settings) -> tuple[float, float]:
    """The share of values in intervals of 80 and 95 %, over 150 series."""
    inside = []
    for seed in range(150):
        y = make(seed)
        model = Forecaster(horizon, use="smoothing", season=None, transform="none", **settings)
        found = model.fit(y[:-horizon]).predict()
        inside.append(
            [
                (found.lower(c) <= y[-horizon:]) & (y[-horizon:] <= found.upper(c))
                for c in (0.8, 0.95)
            ]
        )
    low, high = np.mean(inside, axis=(0, 2))
    return float(low), float(high)


@pytest.mark.parametrize("steps", [12, 24, 100])
def test_random_walks_are_covered_as_promised(steps) -> None:
    found = coverage(lambda seed: 100.0 + np.cumsum(RNG(seed).normal(size=steps + 6)))
    # 150 series, whose six errors are as good as two: a standard error of 2.3 and 1.3 points.
    assert found == pytest.approx((0.80, 0.95), abs=0.07)


def test_three_values_have_intervals_around_the_forecast() -> None:
    found = Forecaster(3, use="smoothing").fit([10.0, 12.0, 11.0]).predict()
    assert (found.lower(0.8) < found.mean - 0.5).all()
    assert (found.upper(0.8) > found.mean + 0.5).all()
    assert (np.diff(found.upper(0.8) - found.lower(0.8)) > 0).all()


def test_a_share_of_the_base_networks_shapes_the_bounds() -> None:
    steps, size = np.arange(1, 4), np.array([1.0, 2.0, 3.0])
    plain = Calibrated(np.zeros(3), size, Calibration.of(3))
    # Their lower quantiles are those of (S1), their upper ones twice as far.
    far = {c: plain.interval(c, steps) for c in (0.8, 0.95)}
    quantile = np.stack([far[0.95][0], far[0.8][0], np.zeros(3), 2 * far[0.8][1], 2 * far[0.95][1]])
    for share in (0.0, 0.6, 1.0):
        found = Calibrated(np.zeros(3), size, Calibration.of(3), Shape(share, quantile.T))
        for coverage in (0.5, 0.8, 0.9, 0.95, 0.99):
            usual, mixed = plain.interval(coverage, steps), found.interval(coverage, steps)
            np.testing.assert_allclose(mixed[0], usual[0] * (1 + share / 2 * (1.1 - 1)))
            np.testing.assert_allclose(mixed[1], usual[1] * (1 + share / 2 * (2.2 - 1)))


def test_wild_quantiles_of_the_base_networks_are_bounded() -> None:
    np.testing.assert_allclose(blend(np.array([1e6, 0.0]), np.ones(2), 1.0), [3.25, 0.61])
    np.testing.assert_allclose(blend(np.array([-3.0]), np.zeros(1), 1.0), [1.05])


def test_base_networks_keep_intervals_around_the_forecast() -> None:
    t = np.arange(96)
    y = 100.0 + t + 10.0 * np.sin(2 * np.pi * t / 12) + 3.0 * RNG(0).normal(size=96)
    found = Forecaster(12, frequency="MS", epochs=1).fit(y).predict()
    edges = [*(found.lower(c) for c in (0.95, 0.8)), found.mean]
    edges += [found.upper(c) for c in (0.8, 0.95)]
    assert (np.diff(edges, axis=0) > 0).all()
