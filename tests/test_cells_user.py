"""User-defined cells: without recurrent weights, and with parameters of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

import throughtime as tt
from throughtime import inspect
from throughtime.cells import Cell
from throughtime.cells.base import dropped
from throughtime.errors import ThroughtimeError


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@dataclass(frozen=True)
class MinGRU(Cell):
    """z = sigmoid(a_z), h_t = (1 - z) h_{t-1} + z a_n (Feng et al., 2024): no W_h."""

    gates = ("z", "n")
    recurrent_weights = False

    def step(self, p, a, state, drop=None):
        (h,) = state
        a_z, n = np.split(a, 2, axis=1)
        z = sigmoid(a_z)
        return (h + z * (n - h),), (z, n)

    def step_backward(self, p, dstate, state_prev, state, saved, drop=None):
        (dh,), (h,), (z, n) = dstate, state_prev, saved
        da = np.concatenate([dh * (n - h) * z * (1 - z), dh * z], axis=1)
        return da, (dh * (1 - z),)


@dataclass(frozen=True)
class Leaky(Cell):
    """h_t = tanh(a_t + h_{t-1} W_h) + v h_{t-1}, with a vector v of its own and a bias c."""

    gates = ("h",)

    def extra_shapes(self, units):
        return {"v": (units,)}

    def bias_shapes(self, units):
        return {"c": (units,)}

    def step(self, p, a, state, drop=None):
        (h,) = state
        f = np.tanh(a + dropped(h, drop) @ p.W_h + getattr(p, "c", 0.0))
        return (f + p.v * h,), (f,)

    def step_backward(self, p, dstate, state_prev, state, saved, drop=None):
        (dh,), (h,), (f,) = dstate, state_prev, saved
        da = dh * (1 - f**2)
        dv = dh * h  # of each row; `recurrent_gradients` receives it
        return da, (dropped(da @ p.W_h.T, drop) + dh * p.v,), dv

    def recurrent_gradients(self, grad, h_used, da, saved, dv):
        super().recurrent_gradients(grad, h_used, da, saved)
        if hasattr(grad, "c"):
            grad.c += da.sum(axis=0)
        grad.v += dv.sum(axis=0)


@dataclass(frozen=True)
class MinLayer(tt.layers.Recurrent):
    @cached_property
    def cell(self):
        return MinGRU()


@dataclass(frozen=True)
class LeakyLayer(tt.layers.Recurrent):
    @cached_property
    def cell(self):
        return Leaky()


LAYERS = {"without W_h": MinLayer, "with parameters": LeakyLayer}
every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


def network(layer, **options):
    net = tt.Network([layer(3, return_sequences=True, **options), tt.layers.Dense(2)], 2, "float64")
    net.params.flat = 0.4 * np.random.default_rng(0).normal(size=net.params.size)
    return net


def data():
    rng = np.random.default_rng(1)
    return rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 5, 2))


def leaves(net):
    return {net.params.leaf(name) for name in net.params}


@every_layer
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_gradients_agree(layer, use_bias, bidirectional):
    net = network(layer, use_bias=use_bias, bidirectional=bidirectional)
    report = tt.check_gradients(net, *data(), lengths=[5, 1, 3, 4])
    assert report.ok, str(report)


@every_layer
def test_it_trains_and_streams_as_it_predicts(layer):
    net = network(layer)
    x, y = data()
    history = tt.train(net, x, y, epochs=5, seed=0)
    assert history["loss"][-1] < history["loss"][0]
    stream, expected = net.stream(4), net.predict(x)
    for t in range(5):
        np.testing.assert_allclose(stream.step(x[:, t]), expected[:, t], rtol=1e-12)


@every_layer
def test_it_can_be_looked_into(layer):
    net = network(layer)
    node = inspect.trace(net, *data()).node(0, t=2)
    assert node.gradients.keys() == leaves(net) - {"W"} | {"b"}


@every_layer
def test_an_unregistered_layer_is_refused_by_a_file(layer, tmp_path):
    with pytest.raises(ThroughtimeError, match=rf"{layer.__name__}"):
        network(layer).save(tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_without_recurrent_weights_there_are_none():
    assert leaves(tt.Network([MinLayer(3)], 2)) == {"W_x", "b"}


def test_without_a_bias_other_parameters_stay():
    assert leaves(tt.Network([LeakyLayer(3)], 2)) == {"W_x", "W_h", "b", "c", "v"}
    assert leaves(tt.Network([LeakyLayer(3, use_bias=False)], 2)) == {"W_x", "W_h", "v"}
    assert leaves(tt.Network([tt.layers.GRU(3, use_bias=False)], 2)) == {"W_x", "W_h"}
