"""What every loader has, whatever its files are: scaling."""

import pickle
import re

import numpy as np
import pytest

from throughtime.data.loaders.npy import from_npy
from throughtime.data.scaling import MinMaxScaler, StandardScaler
from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


@pytest.fixture
def loader(tmp_path):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 6, 40)
    x = rng.normal([100.0, 0.1], [10.0, 0.01], size=(lengths.sum(), 2)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "lengths.npy", lengths)
    np.save(tmp_path / "y.npy", np.arange(40))
    return from_npy(tmp_path, layout="rows", batch_size=6)


def test_x_is_scaled_and_nothing_else(loader):
    scaler = StandardScaler().fit(loader)
    for plain, scaled in zip(loader, loader.scaled(scaler), strict=True):
        steps = np.arange(plain["x"].shape[1]) < plain["lengths"][:, None]
        assert scaled["x"].dtype == np.float32
        np.testing.assert_array_equal(scaled["x"][steps], scaler.transform(plain["x"][steps]))
        assert not scaled["x"][~steps].any()
        np.testing.assert_array_equal(plain["y"], scaled["y"])
        np.testing.assert_array_equal(plain["lengths"], scaled["lengths"])


def test_scaled_data_have_mean_0_and_deviation_1(loader):
    scaler = StandardScaler().fit(loader)
    again = StandardScaler().fit(loader.scaled(scaler))
    np.testing.assert_allclose(again.center, 0.0, atol=1e-5)
    np.testing.assert_allclose(again.scale, 1.0, rtol=1e-5)


def test_the_scaler_stays_with_the_loader(loader):
    scaler = MinMaxScaler().fit(loader)
    scaled = loader.scaled(scaler)
    assert repr(scaled) == repr(loader).replace(">", ", scaled by MinMaxScaler>")
    train, validation = scaled.split(0.25)
    for one in (train, validation, pickle.loads(pickle.dumps(scaled)), scaled.in_order()):
        assert one.scaler == scaler
        assert max(batch["x"].max() for batch in one) <= 1.0
    assert loader.scaler is None
    scaler.fit([[1.0, 2.0]])  # the loader has its own
    assert scaled.scaler != scaler


def test_scalers_that_do_not_fit(loader, tmp_path):
    fitted = StandardScaler().fit(loader)
    with pytest.raises(InvalidTypeError, match=exactly("scaler must be a scaler; got 3.")):
        loader.scaled(3)
    sentence = "scaler must be fitted; got one that is not. Call scaler.fit(train)."
    with pytest.raises(InvalidArgumentError, match=exactly(sentence)):
        loader.scaled(StandardScaler())
    sentence = (
        "the loader must be one without a scaler; got one scaled by StandardScaler. Scale the"
        " loader that this one was made of."
    )
    with pytest.raises(InvalidArgumentError, match=exactly(sentence)):
        loader.scaled(fitted).scaled(fitted)
    sentence = "scaler must be fitted to 2 features, as the loader has; got 3."
    with pytest.raises(ShapeError, match=exactly(sentence)):
        loader.scaled(StandardScaler().fit(np.eye(3)))
    np.save(tmp_path / "tokens.npy", np.ones((4, 3)))
    sentence = "x of the loader must be one array (N, T, F); got other axes, or several inputs."
    with pytest.raises(ShapeError, match=exactly(sentence)):
        from_npy({"x": tmp_path / "tokens.npy"}).scaled(fitted)
