"""Base networks that are trained further on one's own series."""

import re
from pathlib import Path

import numpy as np
import pytest

from throughtime.errors import DataError, InvalidArgumentError
from throughtime.forecasting import Forecaster, base_network, tune_base_model
from throughtime.forecasting.base_training import Examples, example, gain, learn
from throughtime.forecasting.outlook import AHEAD

RNG = np.random.default_rng


def sawtooth(seed: int, total: int = 70) -> np.ndarray:
    """A level that rises and falls back every nine steps, which no setting of smoothing knows."""
    t = np.arange(total) + 2 * seed
    return 30.0 + 3.0 * (t % 9) + RNG(seed).normal(0.0, 0.3, total)


def test_an_example_is_what_came_after_the_origin() -> None:
    y = sawtooth(0)
    found = example(y[:50], y[50:56], 6, 1.0)
    assert found is not None
    inputs, target = found
    assert target.shape == (6,)
    other = example(y[:50], y[50:56] + 1.0, 6, 1.0)
    np.testing.assert_array_equal(other[0], inputs)
    assert (np.diff([target, other[1]], axis=0) > 0.0).all()
    stacked = Examples.stack([found, (inputs, np.array([np.nan, 2.0]))])
    assert stacked.known.sum() == 6 + 1
    assert stacked.target.shape == (2, AHEAD)


def test_networks_learn_what_all_series_share() -> None:
    series = [sawtooth(seed) for seed in range(16)]
    found = [example(y[:o], y[o : o + 6], 6, 1.0) for y in series for o in range(40, 64, 3)]
    examples = Examples.stack([one for one in found if one is not None])
    network = base_network.build(16, seed=0)
    assert gain([network], examples) == pytest.approx(1.0)
    learn(network, examples, epochs=150, lr=0.01, seed=0)
    assert gain([network], examples) < 0.6


def test_tuning_writes_a_file_that_a_forecaster_takes(tmp_path: Path) -> None:
    series = {str(seed): sawtooth(seed) for seed in range(20)}
    path = tmp_path / "own.safetensors"
    tuned = tune_base_model(series, path, 6, season=1, epochs=15)
    assert tuned.after < 0.9 * tuned.before
    assert tuned.examples > 200
    assert str(tuned).startswith("error over that of smoothing: ")
    forecast = Forecaster(6, season=None, base_model=path, use="network").fit(sawtooth(99))
    assert forecast.shares_[None] > 0.0
    again = tmp_path / "again.safetensors"
    tune_base_model(series, again, 6, season=1, epochs=15)
    assert again.read_bytes() == path.read_bytes()


def test_a_season_is_checked_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^season must be 1 \(none\) or at least 2; "):
        tune_base_model([sawtooth(0)], tmp_path / "own.safetensors", 6, season=1.5)


def test_too_few_series_are_refused(tmp_path: Path) -> None:
    message = "y must hold at least 200 origins in ten series or more; got 26 in 1."
    with pytest.raises(DataError, match=f"^{re.escape(message[:60])}"):
        tune_base_model([sawtooth(0)], tmp_path / "own.safetensors", 6)
    assert not (tmp_path / "own.safetensors").exists()
