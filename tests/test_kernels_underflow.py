"""Underflow is never an error, whatever ``np.seterr`` says: in passes, training and streams."""

from __future__ import annotations

import numpy as np
import pytest
from loss_cases import CASES, distribution
from network_cases import CELLS, FUNCTIONS

import throughtime as tt
from throughtime.kernels import selection
from throughtime.optimizers import OPTIMIZERS

TINY = np.float32(1e-38)


@pytest.fixture(autouse=True)
def _strict():
    with np.errstate(under="raise"):
        yield


def run_all(net, x, y, **options):
    """Call everything that computes outputs or gradients."""
    net.predict(x)
    out, tape = net.forward(x)
    net.backward(tape, np.full_like(out, TINY))
    net.stream(len(x)).step(x[:, 0])
    net.stream(len(x)).warm_up(x)
    tt.evaluate(net, x, y, loss=options.get("loss", "mse"))
    tt.inspect.hidden_states(net, x)
    tt.inspect.trace(net, x, y, loss=options.get("loss", "mse"))
    tt.train(net, x, y, epochs=1, seed=0, **options)


def shrunk(layers, dtype="float32"):
    """Parameters and inputs whose products are below the smallest float."""
    net = tt.Network(layers, n_features=2, seed=0, dtype=dtype)
    with np.errstate(under="ignore"):
        net.params.flat *= np.asarray(TINY, dtype)
    return net


x_small = np.full((3, 4, 2), TINY)
x_large = np.array([-800.0, 800.0], "float32") * np.ones((3, 4, 1), "float32")


def test_the_inputs_underflow():
    with pytest.raises(FloatingPointError):
        np.exp(x_large.min())
    with pytest.raises(FloatingPointError):
        x_small * x_small


@pytest.mark.parametrize("x", [x_small, x_large], ids=["small", "large"])
@pytest.mark.parametrize("engine", selection.available())
@pytest.mark.parametrize("cell", CELLS)
def test_cells(cell, engine, x):
    layer, own = CELLS[cell]
    layers = [layer(3, return_sequences=True, **own), tt.layers.Dense(1)]
    with tt.engine(engine):
        net = shrunk(layers) if x is x_small else tt.Network(layers, n_features=2, seed=0)
        run_all(net, x, np.zeros((3, 4, 1), "float32"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_activations(name):
    f = FUNCTIONS[name]
    overflows = name in ("exp", "custom")  # of 800, which is another matter
    for x in [x_small] if overflows else [x_small, x_large]:
        for layers in ([tt.layers.Dense(2, activation=f)], [tt.layers.RNN(2, activation=f)]):
            net = tt.Network([tt.layers.Conv1D(2, 1), *layers], n_features=2, seed=0)
            with tt.engine("reference"):
                y, tape = net.forward(x)
                net.backward(tape, np.full_like(y, TINY))
                net.predict(x)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses(case, dtype):
    """Outputs near the smallest number, and weights that make products smaller still."""
    y, target = case.data((3, 4))
    with np.errstate(under="ignore"):
        small = (y * np.finfo(dtype).tiny).astype(dtype)
    weights = np.array([1e-300, 1e-200, 1.0])
    with tt.engine("reference"):
        for outputs in (y, small) if case.outputs is not distribution else (y,):
            case.loss()(outputs.astype(dtype), target, weights=weights)


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_optimizers(optimizer):
    layers = [tt.layers.GRU(3, return_sequences=True), tt.layers.Dense(1)]
    with tt.engine("reference"):
        run_all(
            shrunk(layers), x_small, np.full((3, 4, 1), TINY), optimizer=OPTIMIZERS[optimizer](),
            clip_norm=1e-3, l1=1e-30, l2=1e-30,
        )  # fmt: skip


def test_numbers_too_small_for_the_type_of_the_network_are_zero():
    net = tt.Network([tt.layers.RNN(2)], n_features=2, seed=0)
    np.testing.assert_array_equal(net.predict(np.full((1, 3, 2), 1e-60)), 0.0)


def test_gradients_can_be_checked():
    net = shrunk([tt.layers.GRU(2), tt.layers.Dense(1)], "float64")
    with tt.engine("reference"):
        tt.check_gradients(net, x_small.astype("float64"), np.zeros((3, 1)), l2=1e-300)
