"""The base networks in a forecaster: files, new series, and what is said of them."""

from pathlib import Path

import numpy as np
import pytest

from throughtime.errors import InvalidTypeError, ModelFileError
from throughtime.forecasting import Forecaster, base_network
from throughtime.forecasting.base_network import QUANTILES, build

RNG = np.random.default_rng
QUICK = {"epochs": 2, "members": 1, "hidden_size": 4}


def walk(total: int = 60, seed: int = 0) -> np.ndarray:
    return 50.0 + RNG(seed).normal(size=total).cumsum()


@pytest.fixture
def upwards(tmp_path: Path) -> Path:
    """A file of base networks that add one unit to every forecast."""
    network = build(2, seed=0)
    network.params.flat[-len(QUANTILES) :] = 1.0
    base_network.save([network], tmp_path / "upwards.safetensors")
    return tmp_path / "upwards.safetensors"


def test_a_file_takes_the_place_of_the_shipped_networks(upwards: Path) -> None:
    y = np.arange(28.0) + RNG(0).normal(size=28) + 0.05 * np.arange(28.0) ** 2
    # At most eleven steps judge a network of its own, two paths: none is trained.
    model = Forecaster(4, season=None, base_model=upwards, use="network", **QUICK).fit(y)
    forecast = model.predict()
    assert model.shares_[None] > 0.0
    assert model.weight_ == 0.0  # so nothing but the base networks corrects the anchor
    added = forecast.mean - forecast.anchor
    np.testing.assert_allclose(added, added[0], rtol=1e-6)
    assert added[0] > 0.0


def test_none_and_smoothing_take_no_correction() -> None:
    y = walk()
    for options in ({"base_model": "none", "use": "network"}, {"use": "smoothing"}):
        model = Forecaster(4, season=None, epochs=2, members=1, **options).fit(y)
        assert model.shares_ == {}
        assert model.weight_ == 0.0
        forecast = model.predict()
        np.testing.assert_array_equal(forecast.mean, forecast.anchor)
        assert forecast.method == "smoothing"


def test_a_saved_forecaster_keeps_its_own_base_networks(upwards: Path, tmp_path: Path) -> None:
    y = {"a": walk(), "b": walk(seed=1), "short": [1.0, 2.0, 4.0]}
    model = Forecaster(4, season=None, base_model=upwards, **QUICK).fit(y)
    model.save(tmp_path / "model.safetensors")
    upwards.unlink()
    again = Forecaster.load(tmp_path / "model.safetensors")
    assert again.shares_ == model.shares_
    for name, forecast in model.predict().items():
        np.testing.assert_array_equal(again.predict()[name].mean, forecast.mean)
    new = again.predict(y=walk(seed=7))
    np.testing.assert_array_equal(new.mean, model.predict(y=walk(seed=7)).mean)


def test_a_file_says_that_no_share_is_taken(tmp_path: Path) -> None:
    """The networks, which change nothing, are not in it, nor in the forecaster that wrote it."""
    model = Forecaster(4, season=None, **QUICK).fit(np.arange(60.0))
    assert model.shares_ == {None: 0.0}
    assert model.notes_[-1] == (
        "The base networks, which learned from other series, are not used: the series is too short,"
        " or smoothing fits every value."
    )
    model.save(tmp_path / "model.safetensors")
    assert (tmp_path / "model.safetensors").stat().st_size < 100_000
    again = Forecaster.load(tmp_path / "model.safetensors")
    assert again.shares_ == model.shares_
    assert again.fitted.base.networks == model.fitted.base.networks == ()


def test_what_is_said_of_them() -> None:
    (note,) = (n for n in Forecaster(4, season=None, **QUICK).fit(walk()).notes_ if "other" in n)
    assert note.startswith("The base networks, which learned from other series,")
    several = Forecaster(4, season=None, **QUICK).fit([walk(), walk(seed=1)])
    assert any("of 2 series" in n for n in several.notes_)


def test_a_source_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidTypeError, match=r"^base_model must be 'shipped', 'none' or a path; got 3"
    ):
        Forecaster(4, base_model=3)
    with pytest.raises(ModelFileError, match=r"^base_model must be"):
        Forecaster(4, base_model=tmp_path / "nothing").fit(walk())
