"""Where the windows of training and of validation lie."""

import dataclasses

import numpy as np
import pytest

from throughtime.forecasting import Forecaster
from throughtime.forecasting.anchor import fit_average
from throughtime.forecasting.series import Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.windows import (
    TrainingWindows,
    cut_training_windows,
    validation_start,
)


@pytest.mark.parametrize(
    ("horizon", "total", "held"),
    [
        (1, 100, 20),  # a fifth
        (12, 100, 36),  # three paths
        (12, 70, 24),  # two paths, as many as 40 % hold
        (12, 40, 12),  # one path
        (12, 29, 9),  # a third
        (50, 1000, 200),
        (1, 2, 1),
    ],
)
def test_the_validation_block(horizon: int, total: int, held: int) -> None:
    assert total - validation_start(horizon, total) == held


def walk(steps: int, seed: int = 0) -> np.ndarray:
    return 30.0 + np.random.default_rng(seed).normal(size=steps).cumsum()


def windows(horizon: int, *values: np.ndarray) -> TrainingWindows:
    """Windows with eight past steps, of series without a season."""
    model = Forecaster(horizon, season=None)
    names = [field.name for field in dataclasses.fields(Settings)]
    settings = Settings(**{name: getattr(model, name) for name in names})
    series = [Observed(i, y, np.zeros((len(y), 0))) for i, y in enumerate(values)]
    anchors = {one.name: fit_average(one, settings, (1.0,)) for one in series}
    nothing = np.zeros(0)
    return cut_training_windows(settings, series, anchors, (1.0,), 8, nothing, nothing)


def test_validation_windows_are_whole_paths() -> None:
    found = windows(6, walk(60), walk(90))
    assert found.validation.known.all()
    owner, origin = found.blocks.series, found.validation.origin
    assert origin[owner == 1].max() == 90 - 6
    np.testing.assert_array_equal(found.blocks.steps, [18, 18])
    np.testing.assert_array_equal(found.blocks.left, np.array([60, 90])[owner] - origin)


def test_halves_are_early_and_late_or_every_other_series() -> None:
    found = windows(6, walk(60))
    origin = found.validation.origin
    assert origin[found.later].min() > origin[~found.later].max()
    single = windows(8, *(walk(25, seed) for seed in range(4)))  # a block holds one window
    np.testing.assert_array_equal(single.later, [False, True, False, True])


def test_what_is_judged_was_found_before() -> None:
    """The anchors of training windows and of the validation block know nothing of the block."""
    y = walk(60)
    other = y.copy()
    other[42:] = 1000.0
    one, two = windows(6, y), windows(6, other)
    np.testing.assert_array_equal(one.validation.anchor[0], two.validation.anchor[0])
    first, second = (found.train.draw(0, 1) for found in (one, two))
    before = first["sample_weight"] > 0.0
    np.testing.assert_array_equal(first["x"], second["x"])
    np.testing.assert_array_equal(first["y"][before], second["y"][before])
    # What learns from everything knows the block.
    assert (one.everything.draw(0, 1)["x"][:8] != two.everything.draw(0, 1)["x"][:8]).any()


def test_values_without_a_logarithm_that_come_later() -> None:
    y = np.exp(0.05 * np.arange(60.0)) + 5.0
    y[50:] = 0.0
    found = windows(6, y)
    assert not found.earlier[0].anchor.logs
    assert np.isfinite(found.validation.target).all()
