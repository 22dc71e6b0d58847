"""Merge modes, merging layers and repetition equal Keras's, in float64 on PyTorch."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest
import torch
from oracles.torch_modules import CLOSE

import throughtime as tt

ROWS, STEPS, FEATURES, UNITS = 3, 5, 2, 4


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Import Keras on PyTorch, as test_keras.py does."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        return importlib.import_module("keras")


def compare(net, x, theirs, close=CLOSE):
    """Compare outputs and gradients of the inputs; ``theirs`` takes and returns tensors."""
    own = [torch.tensor(a, requires_grad=True) for a in x.values()]
    expected = theirs(*own)
    single = len(x) == 1
    y, tape = net.forward(*x.values()) if single else net.forward(x)
    np.testing.assert_allclose(y, expected.detach(), **close)
    dy = np.random.default_rng(3).normal(size=y.shape)
    expected.backward(torch.from_numpy(dy))
    dx = net.backward(tape, dy)
    for d, t in zip([dx] if single else dx.values(), own, strict=True):
        np.testing.assert_allclose(d, t.grad, **close)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave"])
def test_directions_are_merged_as_in_keras(keras, merge, sequences):
    rng = np.random.default_rng(0)
    layer = tt.layers.LSTM(UNITS, bidirectional=True, merge=merge, return_sequences=sequences)
    net = tt.Network([layer], FEATURES, dtype="float64")
    net.params.flat = 0.5 * rng.normal(size=net.params.size)
    module = keras.layers.Bidirectional(
        keras.layers.LSTM(UNITS, return_sequences=sequences, dtype="float64"),
        merge_mode=merge,
        dtype="float64",
    )
    module.build((None, None, FEATURES))
    names = [f"0.{way}.{name}" for way in ("forward", "backward") for name in ("W_x", "W_h", "b")]
    module.set_weights([net.params[name] for name in names])  # i f g o is Keras's i f c o
    compare(net, {"x": rng.normal(size=(ROWS, STEPS, FEATURES))}, module)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("name", ["Concatenate", "Add", "Multiply", "Average"])
def test_merging_layers(keras, name, count):
    rng = np.random.default_rng(1)
    inputs = [tt.Input(FEATURES, name=f"x{k}") for k in range(count)]
    y = getattr(tt.layers, name)()(inputs)
    net = tt.Network(inputs=inputs, outputs=y, dtype="float64")
    x = {f"x{k}": rng.normal(size=(ROWS, STEPS, FEATURES)) for k in range(count)}
    module = getattr(keras.layers, name)(dtype="float64")
    compare(net, x, lambda *own: module(list(own)))


@pytest.mark.parametrize("times", [1, 2, 3])
def test_repetition_of_steps(keras, times):
    x = np.random.default_rng(2).normal(size=(ROWS, STEPS, FEATURES))
    net = tt.Network([tt.layers.Repeat(times)], FEATURES, dtype="float64")
    module = keras.layers.UpSampling1D(times, dtype="float64")
    compare(net, {"x": x}, module)


@pytest.mark.parametrize("key_dim", [2, 5])
@pytest.mark.parametrize("output", [None, 3])
def test_heads_of_any_size(keras, key_dim, output):
    """Heads need not share the features of the query. Keras multiplies in float32 here."""
    rng = np.random.default_rng(4)
    inputs = [tt.Input(4, name="query"), tt.Input(FEATURES, name="value")]
    y = tt.layers.MultiHeadAttention(2, output, head_units=key_dim)(inputs)
    net = tt.Network(inputs=inputs, outputs=y, dtype="float64")
    net.params.flat = rng.normal(size=net.params.size)
    module = keras.layers.MultiHeadAttention(
        2, key_dim, output_shape=output, dtype="float64", flash_attention=False
    )
    module.build((None, STEPS, 4), (None, 6, FEATURES))
    for name, theirs in zip(("q", "k", "v"), ("query", "key", "value"), strict=True):
        dense = getattr(module, f"_{theirs}_dense")
        W, b = net.params[f"0.W_{name}"], net.params[f"0.b_{name}"]
        dense.set_weights([W.reshape(-1, 2, key_dim), b.reshape(2, key_dim)])
    W = net.params["0.W_o"]
    module._output_dense.set_weights([W.reshape(2, key_dim, -1), net.params["0.b_o"]])
    x = {
        "query": rng.normal(size=(ROWS, STEPS, 4)),
        "value": rng.normal(size=(ROWS, 6, FEATURES)),
    }
    compare(net, x, lambda query, value: module(query, value), {"rtol": 1e-5, "atol": 1e-5})
