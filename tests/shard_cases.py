"""Losses and executors for the tests of shards, in a module that a worker finds by its name."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from parallel_cases import Here

import throughtime as tt


class Elsewhere(Here):
    """Computes at once in this process, but as another process would: with a copy of all."""

    def __init__(self, workers):
        super().__init__(lambda ticket: ticket._replace(home="elsewhere"))
        if workers is not None:
            self._max_workers = workers


class Late:
    """Computes the messages that have come in reverse order, in a thread, a little later."""

    def __init__(self, workers=None):
        self._inner, self._waiting, self._lock = Elsewhere(None), [], threading.Lock()
        if workers is not None:
            self._max_workers = workers

    def submit(self, function, *arguments):
        future = Future()
        with self._lock:
            self._waiting.append((future, function, arguments))
        threading.Timer(0.003, self._compute).start()
        return future

    def _compute(self):
        with self._lock:
            waiting, self._waiting = self._waiting, []
            for future, function, arguments in reversed(waiting):
                future.set_result(self._inner.submit(function, *arguments).result())


@dataclass(frozen=True)
class Deadly(tt.losses.MSE):
    """The mean squared error, which kills the worker that computes it, once.

    Attributes
    ----------
    folder : str
        Where a file says that it has happened; ``after`` evaluations must have been before.
    """

    folder: str = ""
    after: int = 3
    caller: int = 0

    def evaluate(self, *arguments, **options):
        folder = Path(self.folder)
        if os.getpid() != self.caller and not (folder / "dead").exists():
            before = len(list(folder.iterdir()))
            if before >= self.after:
                (folder / "dead").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            (folder / f"{os.getpid()}-{before}").touch()
        return super().evaluate(*arguments, **options)


def network(units=4, **options):
    layers = [tt.layers.GRU(units, return_sequences=True, dropout=0.2), tt.layers.Dense(1)]
    return tt.Network(layers, n_features=2, seed=1, **options)


def data(n=24, steps=6):
    x = np.random.default_rng(3).normal(size=(n, steps, 2)).astype("float32")
    return x, np.cumsum(x[..., :1], axis=1)


@dataclass(frozen=True)
class Steep(tt.losses.MSE):
    """The mean squared error, with a gradient that is too large."""

    factor: float = 1.0

    def evaluate(self, *arguments, **options):
        value, dy = super().evaluate(*arguments, **options)
        return value, dy * dy.dtype.type(self.factor)
