"""Functions that fit, in a module of their own: a worker finds them by its name."""

import os
import signal
from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.training.interrupt import CLEAN_END


def network(seed):
    layers = [tt.layers.GRU(4, return_sequences=True), tt.layers.Dense(1)]
    return tt.Network(layers, n_features=2, seed=seed)


def data(n=24, steps=40):
    x = np.random.default_rng(3).normal(size=(n, steps, 2)).astype("float32")
    return x, np.cumsum(x[..., :1], axis=1)


def fit(x, y, seed, units=4):
    """A fit as a user writes one."""
    layers = [tt.layers.GRU(units, return_sequences=True), tt.layers.Dense(1)]
    net = tt.Network(layers, n_features=2, seed=seed)
    history = tt.train(net, x, y, epochs=2, seed=seed)
    return net.params.flat.copy(), history["loss"]


def ends_cleanly():
    """Whether the first Ctrl-C would end a run of training and not the fit."""
    return CLEAN_END.get()


def fail(number):
    raise ValueError(f"no {number}")


class OddEnd(BaseException):
    """An exception that is no Exception, and has no text."""

    def __str__(self):
        raise RuntimeError("no text")


def end_oddly():
    raise OddEnd


def is_writeable(x):
    return x.flags.writeable


def die_once(flag, caller, number):
    if os.getpid() != caller and not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def ctrl_c(number, at):
    """Press Ctrl-C in one of the fits."""
    if number == at:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10**9):
            pass
    return number


class Source:
    """Batches that can be run through again."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __iter__(self):
        for start in range(0, len(self.x), 8):
            yield self.x[start : start + 8], self.y[start : start + 8]
