"""Whole unrolled networks equal ``jax.lax.scan`` and ``jax.grad``, to 1e-10 in float64."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
from oracles.jax_networks import ACTIVATIONS, stack

import throughtime as tt

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
BATCH, STEPS, FEATURES, UNITS = 4, 6, 3, 4
HOLES = np.random.default_rng(4).random((BATCH, STEPS)) < 0.6
HOLES[3] = False  # a sequence without a single real step
MASKS = {
    "full": np.ones((BATCH, STEPS), dtype=bool),
    "ragged": np.arange(STEPS) < np.array([[6], [1], [4], [3]]),
    "holes": HOLES,
}
LAYERS = {
    "rnn": (tt.layers.RNN, {}),
    "gru": (tt.layers.GRU, {}),
    "gru, reset before": (tt.layers.GRU, {"reset_after": False}),
    "lstm": (tt.layers.LSTM, {}),
}
WAYS = {
    "forward": {},
    "reverse": {"reverse": True},
    "both ways": {"bidirectional": True},
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@functools.partial(
    jax.jit,
    static_argnames=("kind", "names", "directions"),
    # Compilation takes most of the time, so the compiler optimises little.
    compiler_options={"xla_backend_optimization_level": 0},
)
def solution(kind, names, directions, params, x, mask, given, drops, dy, d_final):
    """Return the gradients of the parameters, x and the initial states; the outputs and states."""

    def objective(params, x, given):
        y, finals = stack(kind, names, directions, params, x, mask, given, drops)
        flat = zip(jax.tree.leaves(finals), jax.tree.leaves(d_final), strict=True)
        return (y * dy).sum() + sum((s * d).sum() for s, d in flat), (y, finals)

    return jax.grad(objective, argnums=(0, 1, 2), has_aux=True)(params, x, given)


def compare(kind, masks=("ragged",), depth=1, names=None, scale=0.5, **options):
    """Assert that outputs, states and all gradients agree, and that a second pass adds."""
    initial, training = options.pop("initial", False), options.pop("training", False)
    layer, own = LAYERS[kind]
    if names is not None:
        own = own | {"activation": names[0]}
        own |= {} if kind == "rnn" else {"recurrent_activation": names[1]}
    layers = [layer(UNITS, return_sequences=True, **own, **options) for _ in range(depth)]
    net = tt.Network(layers, n_features=FEATURES, dtype="float64")
    rng = np.random.default_rng(depth)
    net.params.flat[...] = rng.normal(size=net.params.size) * scale
    directions, count = layers[0].directions, len(layers[0].cell.states)
    params = {name: np.array(value) for name, value in net.params.items()}

    def some_states():
        shape = (count, BATCH, UNITS)
        return [tuple(tuple(rng.normal(size=shape)) for _ in directions) for _ in layers]

    x, dy = (rng.normal(size=(BATCH, STEPS, n)) for n in (FEATURES, UNITS * len(directions)))
    given, d_final = some_states() if initial else [None] * depth, some_states()
    for mask in masks:
        real = MASKS[mask]
        y, tape = net.forward(
            np.where(real[..., None], x, np.nan),
            mask=real,
            initial_state=ours(given, layers[0]) if initial else None,
            training=training,
            rng=np.random.default_rng(8),
        )
        # The masks of dropout are taken from the tape; the test compares their effect.
        drops = [
            [
                (1.0 if dx is None else dx[:, 0], 1.0 if t.drop is None else t.drop)
                for t, dx, *_ in c
            ]
            for c in tape.caches
        ]
        (d_params, dx_jax, d_given), (y_jax, final_jax) = solution(
            kind, names or ("tanh", "sigmoid"), directions, params, x, real, given, drops, dy,
            d_final,
        )  # fmt: skip
        net.grads.flat[...] = 0.0
        dx = net.backward(tape, dy, ours(d_final, layers[0]))
        np.testing.assert_allclose(y, y_jax, **CLOSE)
        np.testing.assert_allclose(dx, dx_jax, **CLOSE)
        for name, value in d_params.items():
            np.testing.assert_allclose(net.grads[name], value, err_msg=name, **CLOSE)
        same_states(tape.final_state, final_jax, layers[0])
        if initial:
            same_states(tape.d_initial_state, d_given, layers[0])
        once = net.grads.flat.copy()
        net.backward(tape, dy, ours(d_final, layers[0]))
        np.testing.assert_allclose(net.grads.flat, 2 * once, rtol=1e-12, atol=1e-12)


def ours(states, layer):
    """Put [layer][direction][state] into our form, with ``started`` where there is a time bias."""
    if layer.time_bias:
        states = [tuple((*s, np.ones((BATCH, 1))) for s in pair) for pair in states]
    return states if layer.bidirectional else [s[0] for s in states]


def same_states(found, expected, layer):
    for mine, its in zip(found, expected, strict=True):
        for a, b in zip(mine if layer.bidirectional else (mine,), its, strict=True):
            for k, array in enumerate(b):  # without the entry of a time bias, which comes last
                np.testing.assert_allclose(a[k], array, **CLOSE)


@pytest.mark.parametrize("initial", [False, True], ids=["from zero", "initial state"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", LAYERS)
def test_masks(kind, way, initial):
    compare(kind, masks=MASKS, initial=initial, depth=1 if way == "both ways" else 2, **WAYS[way])


OPTIONS = {
    "time bias": {"time_bias": True},
    "time bias, given state": {"time_bias": True, "initial": True, "masks": ["holes"]},
    "time bias alone": {"time_bias": True, "use_bias": False, "masks": ["holes"]},
    "learned state": {"learn_initial_state": True, "masks": ["holes"]},
    "learned state, given one": {"learn_initial_state": True, "initial": True},
    "no bias": {"use_bias": False},
    "dropout": {"dropout": 0.4, "recurrent_dropout": 0.5, "training": True, "masks": ["holes"]},
    "all at once": {
        "time_bias": True,
        "learn_initial_state": True,
        "dropout": 0.3,
        "recurrent_dropout": 0.3,
        "training": True,
        "masks": ["holes"],
        "depth": 2,
    },
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("way", ["forward", "both ways"])
@pytest.mark.parametrize("kind", LAYERS)
def test_options(kind, way, option):
    compare(kind, **OPTIONS[option], **WAYS[way])


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("kind", LAYERS)
def test_activations(kind, name):
    # Softmax and hard sigmoid as gates, too: the derivative of one need not be that of the other.
    gate = {"softmax": "softmax", "relu": "hard_sigmoid", "elu": "softplus"}.get(name, "sigmoid")
    # exp of a recurrent sum grows fast.
    compare(kind, names=(name, gate), initial=True, scale=0.1 if name == "exp" else 0.5)
