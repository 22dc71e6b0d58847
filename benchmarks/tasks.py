"""A task: one job, one cell, one shape; and the numbers that all libraries start from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: Blocks of H columns in the weights of a cell; LSTM i f g o, GRU r z n.
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
LEARNING_RATE = 1e-3
#: (N, T, F, H) of the rows of training and of prediction.
SHAPES = [
    (1, 200, 1, 500),
    (10, 10, 3, 100),
    (64, 4, 1, 50),
    (32, 50, 8, 64),
    (64, 100, 32, 128),
    (128, 100, 64, 256),
    (32, 784, 1, 128),
]
STREAM_SHAPES = [(1, 1, 8, 64), (1, 1, 8, 256)]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Task:
    """One job on one recurrent layer, in float32.

    Attributes
    ----------
    job : {"train", "predict", "stream"}
        ``"train"``: forward, mean squared loss on every step, backward, Adam. ``"predict"``: the
        forward pass alone. ``"stream"``: one step of one sequence from the state of the step
        before it.
    cell : {"rnn", "gru", "lstm"}
    N, T, F, H : int
        Sequences, steps, features, units.
    """

    job: str
    cell: str
    N: int
    T: int
    F: int
    H: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The four sizes."""
        return self.N, self.T, self.F, self.H

    @property
    def name(self) -> str:
        """The name for ``--rows``: ``train-lstm-64,100,32,128``."""
        return f"{self.job}-{self.cell}-{','.join(map(str, self.shape))}"

    @property
    def flops(self) -> int:
        """Operations of the matrix products, without dL/dx; a multiply-add counts as two."""
        products = {"train": (2, 3), "predict": (1, 1), "stream": (1, 1)}[self.job]
        per_step = products[0] * self.F + products[1] * self.H
        return 2 * self.N * self.T * GATES[self.cell] * self.H * per_step

    @cached_property
    def weights(self) -> Arrays:
        """W_x (F, gH), W_h (H, gH), b (gH,), and b_hn (H,) of a GRU, as PyTorch would draw them."""
        rng, columns = np.random.default_rng(1), GATES[self.cell] * self.H
        shapes = {"W_x": (self.F, columns), "W_h": (self.H, columns), "b": (columns,)}
        if self.cell == "gru":
            shapes["b_hn"] = (self.H,)
        bound = self.H**-0.5
        return {n: rng.uniform(-bound, bound, s).astype("float32") for n, s in shapes.items()}

    @cached_property
    def x(self) -> np.ndarray:
        """Input (N, T, F)."""
        return np.random.default_rng(2).normal(size=(self.N, self.T, self.F)).astype("float32")

    @cached_property
    def target(self) -> np.ndarray:
        """Target (N, T, H)."""
        return np.random.default_rng(3).normal(size=(self.N, self.T, self.H)).astype("float32")


def all_tasks() -> list[Task]:
    """Every row."""
    return [
        Task(job, cell, *shape)
        for job in ("train", "predict", "stream")
        for cell in GATES
        for shape in (STREAM_SHAPES if job == "stream" else SHAPES)
    ]


def time_first(array: np.ndarray) -> np.ndarray:
    """(N, T, ...) to (T, N, ...), contiguous."""
    return np.ascontiguousarray(np.swapaxes(array, 0, 1))
