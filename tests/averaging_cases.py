"""A small run with an average of the weights."""

import re

import numpy as np
import pytest

import throughtime as tt
from throughtime.layers import LSTM, Dense
from throughtime.optimizers import Adam
from throughtime.training import Callback, train


def data(n=12, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 6, 2))
    return x, np.cumsum(x[..., :1], axis=1)


def network(dtype="float32", **options):
    layers = [LSTM(5, return_sequences=True, dropout=0.2, **options), Dense(1)]
    return tt.Network(layers, n_features=2, dtype=dtype, seed=4)


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


class Path(Callback):
    """The weights after every batch."""

    def __init__(self):
        self.weights = []

    def on_batch_end(self, run):
        self.weights.append(run.net.params.flat.astype(np.float64))


def run(average=None, *others, net=None, **options):
    x, y = data()
    net = network() if net is None else net
    defaults = {"epochs": 8, "batch_size": 5, "validation": data(6, seed=1), "seed": 2}
    options = defaults | {"verbose": False} | options
    optimizer = options.pop("optimizer", None) or Adam(0.02)
    callbacks = [*([] if average is None else [average]), *others]
    history = train(
        net, x, y, optimizer=optimizer, callbacks=callbacks, **options
    )  # fmt: skip
    return net, history
