"""Networks of several inputs and outputs, with data, for the tests of training."""

from __future__ import annotations

from typing import Any

import numpy as np

import throughtime as tt
from throughtime.layers import GRU, LSTM, Concatenate, Dense, LastStep

#: A loss for each output of :func:`forked` and :func:`stepwise`.
LOSSES = {"price": "mse", "kind": "categorical_crossentropy"}


def forked(dtype: str = "float64", **options: Any) -> tt.Network:
    """A sequence and a vector in, a number and a class out."""
    signal, static = tt.Input(3, name="signal"), tt.Input(4, name="static", time=False)
    h = GRU(5, name="encoder", **options)(signal)
    z = Concatenate()([h, static])
    outputs = {
        "price": Dense(1, name="number")(z),
        "kind": Dense(3, activation="softmax", name="class")(z),
    }
    return tt.Network(inputs=[signal, static], outputs=outputs, dtype=dtype)


def forked_data(n: int = 12, steps: int = 6, seed: int = 0) -> tuple[dict, dict]:
    """Sequences and vectors, numbers and classes."""
    rng = np.random.default_rng(seed)
    x = {"signal": rng.normal(size=(n, steps, 3)), "static": rng.normal(size=(n, 4))}
    price = x["signal"].mean(axis=(1, 2))[:, None] + x["static"][:, :1]
    return x, {"price": price, "kind": rng.integers(0, 3, n)}


def stepwise(dtype: str = "float64", **options: Any) -> tt.Network:
    """A number at every step, and a class of the whole sequence, from two inputs of equal steps."""
    left, right = tt.Input(2, name="left"), tt.Input(1, name="right")
    z = Concatenate()([left, right])
    h = LSTM(4, return_sequences=True, name="memory", **options)(z)
    outputs = {
        "price": Dense(1, name="number")(h),
        "kind": Dense(3, activation="softmax", name="class")(LastStep()(h)),
    }
    return tt.Network(inputs=[left, right], outputs=outputs, dtype=dtype)


def stepwise_data(n: int = 9, steps: int = 7, seed: int = 0) -> tuple[dict, dict]:
    """Two sequences of equal steps, a number at every step, a class."""
    rng = np.random.default_rng(seed)
    x = {"left": rng.normal(size=(n, steps, 2)), "right": rng.normal(size=(n, steps, 1))}
    return x, {"price": np.cumsum(x["left"][..., :1], axis=1), "kind": rng.integers(0, 3, n)}


def pair(dtype: str = "float64") -> tt.Network:
    """Two sequences of different lengths, read by one shared layer."""
    first, second = tt.Input(2, name="first"), tt.Input(2, name="second")
    twin = GRU(4, name="twin")
    z = Concatenate()([twin(first), twin(second)])
    end = Dense(1, activation="sigmoid", name="same")(z)
    return tt.Network(inputs=[first, second], outputs=end, dtype=dtype)


def translator(tokens: int = 8, units: int = 24, seed: int = 0) -> tt.Network:
    """An encoder, and a decoder that starts from its state."""
    source, target = tt.Input(tokens=True, name="source"), tt.Input(tokens=True, name="target")
    embed = tt.layers.Embedding(tokens, 8, name="embedding")
    _, state = GRU(units, return_state=True, name="encoder")(embed(source))
    h = GRU(units, return_sequences=True, name="decoder")(embed(target), initial_state=state)
    end = Dense(tokens, activation="softmax", name="word")(h)
    return tt.Network(inputs=[source, target], outputs=end, seed=seed)
