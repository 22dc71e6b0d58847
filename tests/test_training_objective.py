"""A training step does not compute what is not needed."""

from __future__ import annotations

import numpy as np
import pytest
from network_cases import leaves

import throughtime as tt
from throughtime.kernels import selection
from throughtime.layers import GRU, LSTM, RNN, Dense, Dropout, Embedding
from throughtime.training.objective import evaluate, evaluate_and_backward

NETWORKS = {
    "rnn": ([RNN(4, return_sequences=True)], 3),
    "dropout": ([GRU(4, return_sequences=True, dropout=0.4, time_bias=True)], 3),
    "bidirectional": ([LSTM(2, bidirectional=True, return_sequences=True)], 3),
    "learned": ([RNN(4, return_sequences=True, learn_initial_state=True), Dense(4)], 3),
    "dense": ([Dense(5, activation="tanh"), GRU(4, return_sequences=True)], 3),
    "dropout layer": ([Dropout(0.3), RNN(4, return_sequences=True)], 3),
    "tokens": ([Embedding(6, 3), RNN(4, return_sequences=True)], None),
}


def problem(name):
    layers, features = NETWORKS[name]
    net = tt.Network(layers, n_features=features, dtype="float64", seed=3)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, (5, 7)) if features is None else rng.normal(size=(5, 7, 3))
    return net, x, rng.normal(size=(5, 7, 4))


@pytest.mark.parametrize("engine", selection.available())
@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_of_the_input_may_be_left_out(name, engine):
    net, x, y = problem(name)
    results = []
    with tt.engine(engine):
        for wanted in (True, False):
            net.grads.flat[...] = 0
            rng = np.random.default_rng(1)
            found = evaluate_and_backward(
                net, x, y, "mse", training=True, rng=rng, input_gradient=wanted
            )
            assert (found.dx is None) == (not wanted or name == "tokens")
            arrays = leaves([net.grads.flat, found.tape.d_initial_state])
            results.append([found.value, *map(np.array, arrays)])
    for with_it, without in zip(*results, strict=True):
        np.testing.assert_array_equal(with_it, without)


def test_a_user_gets_it_unless_told_otherwise():
    net, x, _ = problem("rnn")
    y, tape = net.forward(x)
    assert net.backward(tape, np.ones_like(y)).shape == x.shape
    assert net.backward(tape, np.ones_like(y), input_gradient=False) is None


def test_a_network_that_draws_nothing_needs_no_generator():
    net, x, y = problem("rnn")
    rng = np.random.default_rng(5)
    before = rng.bit_generator.state
    value = evaluate_and_backward(net, x, y, "mse", training=True, rng=rng).value
    assert rng.bit_generator.state == before
    assert evaluate_and_backward(net, x, y, "mse", training=True).value == value


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_an_activation_in_the_loss_waits_until_the_output_is_asked_for(temperature):
    calls = []

    class Counted(tt.activations.Softmax):
        def __call__(self, z):
            calls.append(z.shape)
            return super().__call__(z)

    layers = [GRU(4, return_sequences=True), Dense(3, activation=Counted(temperature=temperature))]
    net = tt.Network(layers, n_features=2)
    x = np.random.default_rng(2).normal(size=(4, 5, 2)).astype("float32")
    mask = np.arange(5) < np.array([[5], [2], [4], [0]])
    found = evaluate(net, x * mask[..., None], np.zeros((4, 5), int), "cce", mask=mask)
    assert calls == []
    y = found.y
    assert found.y is not found.tape.outputs[-1]
    assert calls == [(4, 5, 3)]
    np.testing.assert_array_equal(y, net.predict(x, mask=mask))
