"""Statistics of batches, merged: what one array of all unmasked values would give."""

import re

import numpy as np
import pytest

from throughtime.data.loaders.npy import from_npy
from throughtime.data.scaling import MinMaxScaler, RobustScaler, StandardScaler
from throughtime.errors import DataError, InvalidArgumentError, ShapeError

both = pytest.mark.parametrize("kind", [StandardScaler, MinMaxScaler])


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


def batches(seed=0):
    """Batches of different sizes whose padding is far from the values."""
    rng = np.random.default_rng(seed)
    for n, steps in ((3, 5), (1, 1), (7, 2), (4, 9)):
        x = rng.normal(1e4, [0.1, 10.0, 0.0], size=(n, steps, 3))
        mask = rng.random((n, steps)) < 0.7
        mask[0, 0] = True
        lengths = rng.integers(1, steps + 1, n)
        counted = mask & (np.arange(steps) < lengths[:, None])
        yield {"x": np.where(counted[..., None], x, np.nan), "mask": mask, "lengths": lengths}


@both
def test_batches_are_as_one_array(kind):
    values = [batch["x"].reshape(-1, 3) for batch in batches()]
    values = np.concatenate(values)
    want = kind().fit(values[~np.isnan(values[:, 0])])
    got = kind().fit(batches())
    np.testing.assert_allclose(got.center, want.center, rtol=1e-12)
    np.testing.assert_allclose(got.scale, want.scale, rtol=1e-10)
    assert got.scale[2] == 1.0


@both
def test_arrays_and_pairs_are_batches_too(kind):
    x = np.random.default_rng(0).normal(size=(6, 4, 2))
    want = kind().fit(x)
    for source in (iter(x), ((one, 0) for one in x), ({"x": one} for one in x)):
        got = kind().fit(source)
        np.testing.assert_allclose([got.center, got.scale], [want.center, want.scale], rtol=1e-12)


def test_a_large_mean_costs_no_digits():
    x = 1e8 + np.random.default_rng(0).normal(size=(100, 10, 1))
    got = StandardScaler().fit(iter(x))
    assert got.scale == pytest.approx(StandardScaler().fit(x).scale, rel=1e-9)


def test_sources_that_cannot_be_fitted():
    for error, sentence, source, options in (
        (DataError, "x must have at least one batch; got none.", [], {}),
        (
            ShapeError,
            "x must have 2 features in every batch; got 3.",
            [np.ones((4, 2)), np.ones((4, 3))],
            {},
        ),
        (ShapeError, "a batch must have one array 'x'; got no 'x'.", [{"y": 1}], {}),
        (ShapeError, "a batch must have one array 'x'; got several inputs.", [{"x": {"a": 1}}], {}),
        (
            InvalidArgumentError,
            "mask must be None for a source of batches; got one. Batches have their own.",
            [np.ones((4, 2))],
            {"mask": np.ones(4, bool)},
        ),
        (
            DataError,
            (
                "x must be finite where it is not masked; got nan in feature 1. Fill missing"
                " values, or pass mask=~np.isnan(x)."
            ),
            [np.array([[0.0, np.nan]])],
            {},
        ),
        (
            DataError,
            "x must have at least one unmasked value in every feature; got none in feature 0.",
            [{"x": np.ones((1, 1, 2)), "mask": np.zeros((1, 1), bool)}],
            {},
        ),
        (
            DataError,
            "x must have a spread that float64 can hold; got -1e+300 to 1e+300 in feature 0.",
            [np.array([[1e300], [-1e300]])],
            {},
        ),
    ):  # fmt: skip
        with pytest.raises(error, match=exactly(sentence)):
            StandardScaler().fit(iter(source), **options)
    sentence = (
        "x must be an array for RobustScaler; got a source of batches. It needs all values at once;"
        " StandardScaler and MinMaxScaler do not."
    )
    with pytest.raises(InvalidArgumentError, match=exactly(sentence)):
        RobustScaler().fit(iter([np.array([[1.0], [2.0]])]))


def test_a_fit_does_not_begin_an_epoch(tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 3, 2))
    np.save(tmp_path / "x.npy", x)
    loader = from_npy(tmp_path, batch_size=7)
    first = StandardScaler().fit(loader)
    list(loader)
    assert loader.epoch == 2
    assert StandardScaler().fit(loader) == first  # in each epoch
    np.testing.assert_allclose(first.scale, x.std(axis=(0, 1)), rtol=1e-12)
