"""Every sequence mode learns: many-to-many, many-to-one, one-to-many, encoder-decoder."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.layers import (
    GRU,
    LSTM,
    RNN,
    Dense,
    Embedding,
    LastStep,
    MaxPool,
    MeanPool,
    RepeatVector,
)


def learn(net, x, y, *, epochs, lr=0.01, **options):
    history = tt.train(
        net, x, y, epochs=epochs, optimizer=tt.optimizers.Adam(lr), clip_norm=1.0, **options
    )
    return history["loss"]


def waves(rng, n=96, steps=12):
    """A frequency and a phase, and the wave they mean."""
    code = rng.uniform([0.3, 0.0], [0.8, 3.0], (n, 2))
    return code, np.sin(code[:, :1] * np.arange(steps) + code[:, 1:])[..., None]


def test_many_to_many_learns_a_running_mean():
    x = np.random.default_rng(1).normal(size=(64, 10, 1))
    y = np.cumsum(x, axis=1) / np.arange(1, 11)[:, None]
    net = tt.Network([LSTM(16, return_sequences=True), Dense(1)], n_features=1)
    assert learn(net, x, y, epochs=60)[-1] < 0.02


@pytest.mark.parametrize("pool", [LastStep(), MeanPool(), MaxPool()], ids=lambda p: p.name)
def test_many_to_one_learns_the_mean_of_ragged_sequences(pool):
    rng = np.random.default_rng(2)
    x = [rng.normal(size=(int(n), 1)) for n in rng.integers(2, 9, 96)]
    y = np.array([row.mean() for row in x])[:, None]
    net = tt.Network([GRU(16, return_sequences=True), pool, Dense(1)], n_features=1)
    losses = learn(net, x, y, epochs=60)
    assert losses[-1] < 0.1 * np.var(y)


def test_one_to_many_draws_the_wave_that_a_vector_names():
    code, y = waves(np.random.default_rng(3))
    layers = [RepeatVector(12), GRU(32, return_sequences=True), Dense(1)]
    net = tt.Network(layers, n_features=2)
    assert learn(net, code, y, epochs=150)[-1] < 0.02


@pytest.mark.parametrize("cell", [RNN, GRU, LSTM])
def test_an_encoder_hands_its_state_to_its_decoder(cell):
    # The decoder's input is constant: it knows the sequence only from the state.
    rng = np.random.default_rng(4)
    tokens = rng.integers(0, 4, (128, 3))
    layers = [
        Embedding(4, 8, initializer="glorot_uniform"),
        cell(32, return_state=True),
        Dense(1, initializer="zeros", lr_multiplier=0.0),
        RepeatVector(3),
        cell(32, return_sequences=True),
        Dense(4, activation="softmax"),
    ]
    net = tt.Network(layers)
    learn(net, tokens, tokens[:, ::-1], epochs=120, loss="categorical_crossentropy")
    assert (net.predict(tokens).argmax(axis=-1) == tokens[:, ::-1]).mean() > 0.95


def test_two_networks_make_an_encoder_decoder_with_teacher_forcing():
    # The decoder reads the true previous value; gradients reach the encoder only by the state.
    rng = np.random.default_rng(5)
    _, wave = waves(rng, steps=16)
    past, future = wave[:, :12].astype("float32"), wave[:, 12:].astype("float32")
    forced = wave[:, 11:15].astype("float32")
    encoder = tt.Network([GRU(24)], n_features=1)
    decoder = tt.Network([GRU(24, return_sequences=True), Dense(1)], n_features=1, seed=1)
    loss = tt.losses.get("mse")
    steps = [tt.optimizers.Adam(0.01), tt.optimizers.Adam(0.01)]
    values = []
    for _ in range(150):
        _, seen = encoder.forward(past)
        y, tape = decoder.forward(forced, initial_state={0: seen.final_state[0]})
        value, dy = loss(y, future)
        values.append(value)
        for net in (encoder, decoder):
            net.grads.flat[...] = 0
        decoder.backward(tape, dy)
        encoder.backward(seen, np.zeros((len(past), 24)), {0: tape.d_initial_state[0]})
        for net, optimizer in zip((encoder, decoder), steps, strict=True):
            optimizer.step(net.params.flat, net.grads.flat)
    assert np.abs(encoder.grads.flat).max() > 0
    assert values[-1] < 0.01 * values[0]
