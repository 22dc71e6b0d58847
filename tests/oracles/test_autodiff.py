"""User-defined activations and losses, differentiated by JAX, inside networks."""

from __future__ import annotations

import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from throughtime.activations import Custom
from throughtime.errors import DataError, InvalidTypeError, MissingDependencyError

RNG = np.random.default_rng(17)
X = RNG.normal(size=(4, 5, 3))
MASK = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0, 1, 1, 1, 0]], dtype=bool)
TARGET = RNG.normal(size=(4, 5, 2))


def swish(z):
    return z / (1 + jnp.exp(-z))


def bump(z):
    return jnp.sin(2 * z) * jnp.exp(-(z**2))


def my_softmax(z):
    e = jnp.exp(z - jnp.max(z))
    return e / jnp.sum(e)


def layer_norm(z):
    centred = z - jnp.mean(z)
    return centred / jnp.sqrt(jnp.mean(centred**2) + 0.1)


def neighbours(z):
    """Every output depends on two inputs, and not symmetrically."""
    return jnp.tanh(z + 0.5 * jnp.roll(z, 1) ** 2)


ACTIVATIONS = [swish, bump, my_softmax, layer_norm, neighbours]


def asymmetric(y, t):
    return jnp.logaddexp(3 * (y - t), t - y)


def whole_row(y, t):
    return jnp.sqrt(jnp.sum((y - t) ** 2) + 1.0)


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def network(layer, dtype="float64", **out):
    return tt.Network([layer, tt.layers.Dense(2, **out)], n_features=3, dtype=dtype)


PLACES = ("rnn", "gru, reset after", "gru, reset before", "lstm", "both ways", "dense")


def layers_with(f):
    """Return a layer with activation ``f`` for each of PLACES."""
    options = {"return_sequences": True, "activation": f}
    return {
        "rnn": tt.layers.RNN(4, **options),
        "gru, reset after": tt.layers.GRU(4, **options),
        "gru, reset before": tt.layers.GRU(4, reset_after=False, **options),
        "lstm": tt.layers.LSTM(4, **options),
        "both ways": tt.layers.GRU(4, bidirectional=True, **options),
        "dense": tt.layers.Dense(4, activation=f),
    }


@pytest.mark.parametrize("loss", ["mse", asymmetric, whole_row])
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("f", ACTIVATIONS)
def test_gradients(f, name, loss):
    net = network(layers_with(f)[name])
    report = tt.check_gradients(net, X, TARGET, loss, mask=MASK, max_numbers=60)
    assert report.ok, report
    assert report.worst.error < 1e-6


@pytest.mark.parametrize("layer", [tt.layers.GRU, tt.layers.LSTM])
@pytest.mark.parametrize("f", ACTIVATIONS)
def test_gradients_of_gates(f, layer):
    net = network(layer(3, return_sequences=True, recurrent_activation=f))
    report = tt.check_gradients(net, X, TARGET, mask=MASK, max_numbers=60)
    assert report.ok, report


WRITTEN_OUT = {
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "elu": jax.nn.elu,
    "relu": jax.nn.relu,
    "exp": jnp.exp,
    "softmax": my_softmax,
}


@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("name", WRITTEN_OUT)
@pytest.mark.parametrize("place", PLACES)
def test_equals_the_one_that_ships(place, name, dtype, close):
    results = []
    for f in name, WRITTEN_OUT[name]:
        net = network(layers_with(f)[place], dtype)
        net.params.flat *= 0.2  # exp of a recurrent sum grows fast
        y, tape = net.forward(X, mask=MASK)
        dx = net.backward(tape, TARGET)
        assert y.dtype == dx.dtype == dtype
        results.append((y, dx, net.grads.flat))
    for its, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours, its, rtol=close, atol=close)


def test_training_with_both():
    net = network(tt.layers.RNN(6, activation=swish, return_sequences=True), "float32")
    history = tt.train(
        net, X, TARGET, loss=whole_row, mask=MASK, epochs=30, optimizer=tt.optimizers.Adam(0.05),
        verbose=False,
    )  # fmt: skip
    assert history["loss"][-1] < 0.8 * history["loss"][0]


# -- JAX's own settings -------------------------------------------------------------------------


@pytest.mark.parametrize("wide", [False, True])
def test_settings_of_jax_are_left_alone(wide):
    def settings():
        return jax.config.jax_enable_x64, jnp.ones(1).dtype

    with jax.enable_x64(wide):
        before = settings()
        net = network(layers_with(swish)["gru, reset after"])
        y, tape = net.forward(X)
        net.backward(tape, TARGET)
        assert y.dtype == "float64"
        assert settings() == before
        with pytest.raises(InvalidTypeError):
            tt.activations.get(np.sin)(np.ones((2, 3)))
        assert settings() == before
    assert not jax.config.jax_enable_x64


# -- what is refused ----------------------------------------------------------------------------


def numpy_inside(z):
    return np.tanh(z)


def choosing(z):
    return z if z[0] > 0 else -z


def counting(z):
    return z * float(z[0])


def total(z):
    return jnp.sum(z)


def logistic(z):
    return 1 / (1 + jnp.exp(-z))


MUST = "must be written with jax.numpy to be differentiated automatically; it"
VALUE = (
    "asks for the value of a number (if, while, float). Write jax.numpy.where for a choice,"
    " or give its derivative."
)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            numpy_inside,
            f"'numpy_inside' {MUST} calls NumPy. Replace np by jax.numpy, or give its derivative.",
        ),
        (choosing, f"'choosing' {MUST} {VALUE}"),
        (counting, f"'counting' {MUST} {VALUE}"),
        (total, "'total' must return as many numbers as it takes; got () for a row of (4,)."),
    ],
)
@pytest.mark.parametrize("place", ["rnn", "dense"])
def test_functions_that_cannot_be_used(place, function, message):
    net = network(layers_with(function)[place])
    with refuses(InvalidTypeError, message):
        net.forward(X)


def test_numpy_is_fine_with_a_derivative():
    f = Custom(numpy_inside, derivative=lambda z: 1 - np.tanh(z) ** 2)
    assert tt.check_gradients(network(layers_with(f)["lstm"]), X, TARGET, max_numbers=60).ok


@pytest.mark.parametrize(
    ("dtype", "z", "fine"), [("float32", -100.0, -40.0), ("float64", -800.0, -100.0)]
)
def test_a_derivative_that_overflows_on_the_way(dtype, z, fine):
    # The value is right, 0, but the derivative of 1 / (1 + inf) is inf / inf.
    f = tt.activations.get(logistic)
    array = np.array([[0.5, z, 1.0]], dtype=dtype)
    y = f(array)
    assert y[0, 1] == 0.0
    message = (
        f"the automatic derivative of 'logistic' is not finite at {z:g}, where the function is."
        " Write it in a form that does not overflow, or give its derivative."
    )
    with refuses(DataError, message):
        f.backward(np.ones_like(array), y, array)
    array[0, 1] = fine
    found = f.backward(np.ones_like(array), f(array), array)
    expected = tt.activations.get("sigmoid").backward(np.ones_like(array), f(array))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_derivative_that_overflows_inside_a_network():
    net = network(tt.layers.Dense(4, activation=logistic), "float32")
    net.params["0.b"] = -100.0
    y, tape = net.forward(X)
    with pytest.raises(
        DataError, match=r"^the automatic derivative of 'logistic' is not finite at"
    ):
        net.backward(tape, np.ones_like(y))


@pytest.mark.parametrize("place", ["rnn", "dense"])
def test_without_jax(monkeypatch, place):
    net = network(layers_with(swish)[place])
    monkeypatch.setitem(sys.modules, "jax", None)
    message = (
        "The automatic derivative of 'swish' needs the package 'jax', which is not installed."
        " Run: pip install 'throughtime[autodiff]' (in a clone: pip install '.[autodiff]'). Or"
        " write the derivative yourself, which needs nothing: activations.Custom(f, derivative=...)"
    )
    with refuses(MissingDependencyError, message):
        net.forward(X)


def test_without_jax_a_loss(monkeypatch):
    loss = tt.losses.get(asymmetric)
    monkeypatch.setitem(sys.modules, "jax", None)
    message = (
        "The automatic derivative of 'asymmetric' needs the package 'jax', which is not installed."
        " Run: pip install 'throughtime[autodiff]' (in a clone: pip install '.[autodiff]'). Or"
        " write the derivative yourself, which needs nothing: losses.Custom(f, gradient=...)"
    )
    with refuses(MissingDependencyError, message):
        loss(np.ones((2, 1)), np.zeros((2, 1)))
