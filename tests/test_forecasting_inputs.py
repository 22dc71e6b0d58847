"""The inputs of the network are known at the origin, and stand at the correct step."""

import dataclasses

import numpy as np

from throughtime.forecasting.averaging import Average
from throughtime.forecasting.inputs import PreparedSeries, WindowBatch, cut, measurable
from throughtime.forecasting.smoothing import Grid, Smoothing

SETTING = Average.of(Smoothing(period=5.0, alpha=0.4, trend="local", beta=0.2, phi=0.9, gamma=0.3))
ORIGINS = np.array([12, 20, 31])
WINDOW, HORIZON = 6, 4


def history(seed: int = 0, steps: int = 40, gap: int | None = None) -> PreparedSeries:
    rng = np.random.default_rng(seed)
    y = 10.0 + rng.normal(size=steps).cumsum()
    if gap is not None:
        y[gap] = np.nan
    return PreparedSeries.from_values(y, SETTING, rng.normal(size=(steps, 2)))


def changed(old: PreparedSeries, step: int) -> PreparedSeries:
    """``old`` with other values, and other covariates, from ``step`` on."""
    z, raw, extra = old.z.copy(), old.raw.copy(), old.covariates.copy()
    z[step:] += 100.0
    raw[step:] += 100.0
    extra[step:] += 100.0
    return dataclasses.replace(old, z=z, raw=raw, covariates=extra)


def test_shapes() -> None:
    block = cut(history(), ORIGINS, WINDOW, HORIZON)
    assert block.x.shape == (3, WINDOW + HORIZON, 7)
    assert block.x.dtype == np.float32
    assert block.target.shape == block.known.shape == block.anchor.shape == (3, HORIZON)
    assert block.known.all()


def test_nothing_after_the_origin_is_read() -> None:
    old = history()
    for i, origin in enumerate(ORIGINS):
        one = cut(old, ORIGINS, WINDOW, HORIZON, future_covariates=False)
        two = cut(changed(old, origin), ORIGINS, WINDOW, HORIZON, future_covariates=False)
        for name in ("x", "anchor", "scale"):
            np.testing.assert_array_equal(getattr(one, name)[i], getattr(two, name)[i])
        assert (one.target[i] != two.target[i]).all()


def test_covariates_of_the_future_are_read_if_they_are_known() -> None:
    old = history()
    one = cut(old, ORIGINS, WINDOW, HORIZON)
    for column in (0, 1):
        expected = old.covariates[ORIGINS[1] - WINDOW : ORIGINS[1] + HORIZON, column]
        np.testing.assert_allclose(one.x[1, :, 5 + column], expected, rtol=1e-6)
    hidden = cut(old, ORIGINS, WINDOW, HORIZON, future_covariates=False)
    np.testing.assert_array_equal(hidden.x[:, WINDOW:, 5:], 0.0)
    np.testing.assert_array_equal(hidden.x[:, :WINDOW], one.x[:, :WINDOW])


def test_target_of_step_one_is_the_value_right_after_the_history() -> None:
    old = history()
    block = cut(old, ORIGINS, WINDOW, HORIZON)
    for i, origin in enumerate(ORIGINS):
        values = block.anchor[i] + block.target[i] * block.scale[i]
        np.testing.assert_allclose(values, old.z[origin : origin + HORIZON], rtol=1e-6)


def test_the_last_step_of_the_window_is_the_last_known_value() -> None:
    line = PreparedSeries.from_values(np.arange(30.0), Average.of(Smoothing(alpha=0.5)))
    block = cut(line, np.array([20]), WINDOW, HORIZON)
    level = block.anchor[0, 0]
    deviation = block.x[0, :WINDOW, 0] * block.scale[0]
    np.testing.assert_allclose(level + deviation, np.arange(14.0, 20.0), rtol=1e-6)
    np.testing.assert_array_equal(block.x[0, WINDOW:, 0], 0.0)


def test_windows_at_the_ends_know_what_is_missing() -> None:
    block = cut(history(steps=20), np.array([3, 19, 20]), WINDOW, HORIZON)
    seen = block.x[..., 1]
    np.testing.assert_array_equal(seen[0, :WINDOW], [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(block.known[1], [True, False, False, False])
    np.testing.assert_array_equal(block.known[2], False)
    np.testing.assert_array_equal(block.target[2], 0.0)
    assert np.isfinite(block.x).all()


def test_a_gap_is_marked_and_never_a_target() -> None:
    block = cut(history(gap=17), np.array([15, 20]), WINDOW, HORIZON)
    np.testing.assert_array_equal(block.known[0], [True, True, False, True])
    np.testing.assert_array_equal(block.x[1, :WINDOW, 1], [1, 1, 1, 0, 1, 1])


def test_a_gap_is_filled_by_nothing_that_came_later() -> None:
    y = 10.0 + np.random.default_rng(0).normal(size=40).cumsum()
    y[16:22] = np.nan
    other = y.copy()
    other[22:] += 500.0
    origins = np.array([17, 20, 22])  # two of them inside the gap
    one, two = (
        cut(PreparedSeries.from_values(values, SETTING), origins, WINDOW, HORIZON)
        for values in (y, other)
    )
    for name in ("x", "anchor", "scale"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    # Windows that hold only a gap: no deviation, and the scale before the gap.
    np.testing.assert_array_equal(one.x[2, :WINDOW, :2], 0.0)
    assert one.scale[2] > 0.01


def test_a_missing_step_does_not_count_in_the_scale() -> None:
    y = np.array([0.0, 1.0, 0.0, 2.0, np.nan, np.nan, 4.0, 0.0])
    block = cut(
        PreparedSeries.from_values(y, Average.of(Smoothing(alpha=0.0))), np.array([8]), 5, 1
    )
    assert block.scale[0] == (2.0 + 4.0 + 0.0) / 3
    np.testing.assert_array_equal(block.x[0, :5, 0] * block.scale[0], [2.0, 0.0, 0.0, 4.0, 0.0])


def test_a_forecast_reads_what_training_read() -> None:
    old = history()
    short = PreparedSeries(
        old.z[:20], old.seen[:20], old.y[:20], SETTING, old.raw[:20], old.covariates[: 20 + HORIZON]
    )
    inside = cut(old, np.array([20]), WINDOW, HORIZON)
    at_the_end = cut(short, np.array([20]), WINDOW, HORIZON)
    np.testing.assert_array_equal(inside.x, at_the_end.x)
    np.testing.assert_array_equal(inside.anchor, at_the_end.anchor)


def test_a_constant_series_has_a_scale() -> None:
    block = cut(
        PreparedSeries.from_values(np.full(20, 3.0), Average.of(Smoothing())), np.array([9]), 4, 2
    )
    assert block.scale[0] > 0
    np.testing.assert_array_equal(block.target, 0.0)
    zero = cut(
        PreparedSeries.from_values(np.zeros(20), Average.of(Smoothing())), np.array([9]), 4, 2
    )
    assert zero.scale[0] > 0
    assert np.isfinite(zero.x).all()


def test_before_anything_moved_there_is_nothing_to_learn() -> None:
    y = np.concatenate([np.zeros(15), np.random.default_rng(0).normal(5.0, 1.0, 15)])
    block = cut(
        PreparedSeries.from_values(y, Average.of(Smoothing())),
        np.array([10, 15, 25]),
        WINDOW,
        HORIZON,
    )
    np.testing.assert_array_equal(block.known.all(axis=1), [False, False, True])
    assert np.isfinite(block.target).all()


def test_small_moves_on_a_high_level_are_moves() -> None:
    y = 1e9 + np.random.default_rng(0).normal(size=40)
    block = cut(PreparedSeries.from_values(y, Average.of(Smoothing())), ORIGINS, WINDOW, HORIZON)
    assert block.known.all()
    assert 0.1 < block.scale.min() < block.scale.max() < 10.0


def test_units_do_not_matter() -> None:
    y = 10.0 + np.random.default_rng(3).normal(size=40).cumsum()
    one = cut(PreparedSeries.from_values(y, SETTING), ORIGINS, WINDOW, HORIZON)
    two = cut(PreparedSeries.from_values(1e6 * y - 3e6, SETTING), ORIGINS, WINDOW, HORIZON)
    np.testing.assert_allclose(one.x, two.x, atol=1e-5)
    np.testing.assert_allclose(one.target, two.target, atol=1e-5)


def test_static_numbers_stand_at_every_step() -> None:
    plain = cut(history(0), ORIGINS, WINDOW, HORIZON)
    own = dataclasses.replace(history(0), static=np.array([0.5, -2.0]))
    found = cut(own, ORIGINS, WINDOW, HORIZON)
    assert own.n_inputs == history(0).n_inputs + 2
    np.testing.assert_array_equal(found.x[..., :-2], plain.x)
    np.testing.assert_array_equal(found.x[..., -2], 0.5)
    np.testing.assert_array_equal(found.x[..., -1], -2.0)


def test_windows_are_measured_once_the_series_has_moved() -> None:
    y = np.array([4.0, 4.0, 4.0, 7.0, 7.0])
    np.testing.assert_array_equal(measurable(y), [False, False, False, True, True])
    assert not measurable(np.full(5, 1e9)).any()


def test_the_future_shows_how_far_the_anchor_is_from_the_line() -> None:
    y = history().y
    alone = cut(PreparedSeries.from_values(y, SETTING), ORIGINS, WINDOW, HORIZON)
    np.testing.assert_allclose(alone.x[:, WINDOW:, 0], 0.0, atol=1e-6)
    other = Smoothing(period=5.0, alpha=1.0)
    rows = Grid([*SETTING.settings, other]).numbers
    both = Average.from_rows(rows, np.array([0.6, 0.4]), "y", len(y))
    found = cut(PreparedSeries.from_values(y, both), ORIGINS, WINDOW, HORIZON)
    np.testing.assert_array_equal(found.x[:, :WINDOW], alone.x[:, :WINDOW])
    distance = (found.anchor - alone.anchor) / found.scale[:, None]
    assert np.abs(distance).max() > 0.1
    np.testing.assert_allclose(found.x[:, WINDOW:, 0], np.clip(distance, -5, 5), atol=1e-6)


def test_join() -> None:
    one = cut(history(0), ORIGINS, WINDOW, HORIZON)
    two = cut(history(1), ORIGINS[:2], WINDOW, HORIZON)
    both = WindowBatch.join([one, two])
    assert len(both.x) == 5
    np.testing.assert_array_equal(both.x[3:], two.x)
