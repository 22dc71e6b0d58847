"""Scalers: round trips, masks, constant features, exact configurations."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from throughtime.data.scaling import (
    SCALERS,
    MinMaxScaler,
    RobustScaler,
    Scaler,
    StandardScaler,
)
from throughtime.errors import DataError, InvalidArgumentError, ModelFileError, ShapeError


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


every = pytest.mark.parametrize("name", list(SCALERS))
numbers = st.floats(-1e6, 1e6, allow_subnormal=True)


@every
@given(x=arrays(np.float64, (7, 3), elements=numbers))
def test_round_trip(name, x):
    scaler = SCALERS[name]().fit(x)
    z = scaler.transform(x)
    assert np.isfinite(z).all()
    # A feature of huge offset and tiny spread loses digits of the offset, never of the spread.
    np.testing.assert_allclose(scaler.inverse_transform(z), x, rtol=1e-12, atol=1e-9)


@every
@given(x=arrays(np.float64, (5, 2), elements=st.floats(-1e300, 1e300)))
def test_config_is_exact_through_json(name, x):
    try:
        scaler = SCALERS[name]().fit(x)
    except DataError as error:  # the variance of numbers near 1e300 is no float64
        assert "spread that float64 can hold" in str(error)  # noqa: PT017
        return
    again = Scaler.from_config(json.loads(json.dumps(scaler.to_config())))
    assert type(again) is type(scaler)
    assert again == scaler
    np.testing.assert_array_equal(again.transform(x), scaler.transform(x))


@every
def test_masked_values_do_not_count(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 6, 2))
    mask = rng.random((4, 6)) < 0.6
    hidden = np.where(mask[..., None], x, np.nan)
    want = SCALERS[name]().fit(x[mask])
    assert SCALERS[name]().fit(hidden, mask) == want
    assert SCALERS[name]().fit(hidden, ~np.isnan(hidden)) == want
    z = want.transform(hidden)
    np.testing.assert_array_equal(np.isnan(z), np.isnan(hidden))


@every
@pytest.mark.parametrize("value", [0.1, 0.0, -1e300, 5e-324])
def test_constant_feature_is_exact(name, value):
    x = np.full((9, 1), value)
    scaler = SCALERS[name]().fit(x)
    assert not scaler.transform(x).any()
    np.testing.assert_array_equal(scaler.inverse_transform(np.zeros((9, 1))), x)


@every
def test_subnormal_spread_stays_finite(name):
    x = np.array([0.0, 5e-324, 1e-323])
    assert np.isfinite(SCALERS[name]().fit_transform(x)).all()


@every
def test_float32_statistics_are_taken_in_float64(name):
    x = (1e6 + np.random.default_rng(0).normal(size=(1000, 1))).astype(np.float32)
    scaler = SCALERS[name]().fit(x)
    assert scaler == SCALERS[name]().fit(x.astype(np.float64))
    z = scaler.transform(x)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, scaler.transform(x.astype(np.float64)), rtol=1e-6, atol=1e-6)
    assert scaler.inverse_transform(z).dtype == np.float32
    assert scaler.transform(np.ones((2, 1), int)).dtype == np.float64


@every
def test_one_axis_is_one_feature(name):
    x = np.arange(5.0)
    z = SCALERS[name]().fit_transform(x)
    assert z.shape == (5,)
    np.testing.assert_array_equal(z, SCALERS[name]().fit_transform(x[:, None])[:, 0])


def test_standard_statistics():
    x = np.random.default_rng(1).normal(3.0, 2.0, size=(50, 2))
    scaler = StandardScaler().fit(x)
    np.testing.assert_allclose(scaler.center, x.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(scaler.scale, x.std(axis=0), rtol=1e-14)


def test_minmax_range():
    z = MinMaxScaler(low=-1.0, high=3.0).fit_transform([2.0, 4.0, 6.0])
    assert z.tolist() == [-1.0, 1.0, 3.0]
    assert MinMaxScaler(low=-1.0, high=3.0).fit_transform([2.0, 2.0]).tolist() == [-1.0, -1.0]
    with pytest.raises(
        InvalidArgumentError, match=exactly("high must be a finite number > 1; got 0.")
    ):
        MinMaxScaler(low=1, high=0)


def test_robust_uses_quartiles_and_falls_back_on_the_deviation():
    assert RobustScaler().fit([1.0, 2.0, 3.0, 4.0, 1e9]).center == (3.0,)
    x = np.array([0.0] * 9 + [10.0])
    assert RobustScaler().fit(x).scale == (float(x.std()),)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: StandardScaler().fit([[1.0, 2.0], [3.0, np.nan]]),
            DataError,
            (
                "x must be finite where it is not masked; got nan in feature 1. Fill missing"
                " values, or pass mask=~np.isnan(x)."
            ),
        ),
        (
            lambda: StandardScaler().fit([[1.0, np.nan]], np.array([[True, False]])),
            DataError,
            "x must have at least one unmasked value in every feature; got none in feature 1.",
        ),
        (
            lambda: StandardScaler().fit([-1e308, 1e308]),
            DataError,
            "x must have a spread that float64 can hold; got -1e+308 to 1e+308 in feature 0.",
        ),
        (
            lambda: StandardScaler().transform([1.0]),
            InvalidArgumentError,
            "StandardScaler must be fitted first. Call fit(x) before transform.",
        ),
        (
            lambda: StandardScaler().fit(np.ones((3, 2))).transform(np.ones((3, 4))),
            ShapeError,
            "x must have 2 features in its last axis, as at fit; got shape (3, 4).",
        ),
        (
            lambda: StandardScaler().fit(np.ones((3, 2)), np.ones(2, bool)),
            ShapeError,
            "mask must be of shape (3,) or (3, 2); got shape (2,).",
        ),
        (
            lambda: StandardScaler().fit(np.ones(3), np.ones(3)),
            ShapeError,
            "mask must hold booleans; got an array of dtype float64.",
        ),
        (
            lambda: StandardScaler().fit(2.0),
            ShapeError,
            "x must have at least one axis; got a single number.",
        ),
        (
            lambda: StandardScaler(center=(1.0,)),
            InvalidArgumentError,
            "center and scale must be given together, or neither.",
        ),
        (
            lambda: Scaler.from_config({"name": "standard", "center": [0.0], "scale": [0.0]}),
            ModelFileError,
            "the file holds a bad scaler: scale must be > 0; got 0.0.",
        ),
        (
            lambda: Scaler.from_config({"name": "standard", "center": ["a"], "scale": [1.0]}),
            ModelFileError,
            "the file holds a bad scaler: center must hold numbers; got text.",
        ),
        (
            lambda: Scaler.from_config({"name": "standard", "center": 3, "scale": 4}),
            ModelFileError,
            "the file holds a bad scaler: center must be of shape (F,); got shape ().",
        ),
    ],
)
def test_errors_are_whole_sentences(call, error, sentence):
    with pytest.raises(error, match=exactly(sentence)):
        call()
