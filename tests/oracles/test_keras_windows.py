"""Convolutions and windowed pools equal Keras's: its kernel, and its "same" where strides skip.

Keras pads a sequence of any length for itself, so each length is compared alone and our rows in
one ragged batch. It computes in float32.
"""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest

import throughtime as tt

LENGTHS = [11, 4, 7, 8]


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Import Keras on PyTorch, as test_keras.py does."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        return importlib.import_module("keras")


def compare(theirs, net, longer=0):
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(n + longer, 3)).astype("float32") for n in LENGTHS]
    y, tape = net.forward(x)
    for n, own in enumerate(x):
        expected = np.asarray(theirs(own[None]).detach())[0]
        real = np.ones(y.shape[1], dtype=bool)
        if tape.output_mask is not None:
            real = tape.output_mask[n]
        np.testing.assert_allclose(y[n, real], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4])
def test_convolutions(keras, kernel_size, stride, dilation, padding):
    layer = tt.layers.Conv1D(
        5, kernel_size, stride=stride, dilation=dilation, padding=padding, activation="relu"
    )
    net = tt.Network([layer], n_features=3)
    net.params["0.b"] = np.arange(5.0)
    theirs = keras.layers.Conv1D(
        5, kernel_size, strides=stride, dilation_rate=dilation, padding=padding, activation="relu"
    )
    theirs.build((None, None, 3))
    theirs.set_weights([net.params["0.W"].reshape(kernel_size, 3, 5), net.params["0.b"]])
    compare(theirs, net, longer=6 if padding == "valid" else 0)


@pytest.mark.parametrize("stride", [None, 1, 3])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("name", ["MaxPool1D", "AvgPool1D"])
def test_pools(keras, name, size, stride):
    layer = getattr(tt.layers, name.replace("Avg", "Mean"))(size, stride)
    theirs = getattr(keras.layers, name)(size, stride)
    compare(theirs, tt.Network([layer], n_features=3))
