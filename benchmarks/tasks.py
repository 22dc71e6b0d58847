"""A task: one job, one cell, one shape; and the numbers that all libraries start from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: Blocks of H columns in the weights of a cell; LSTM i f g o, GRU r z n.
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
LEARNING_RATE = 1e-3
#: Cells without a product in their time loop, which are trained only.
SCANS = ("mingru", "lru")
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
SCAN_SHAPES = [*SHAPES[-3:], (1, 20000, 8, 128)]
#: Losses of whole sequences, from logits: (N, T, K, labels) of each row. Longer sequences would be
#: refused: PyTorch computes in float32, and is off by more than the agreement allows.
LOSSES = {"ctc": [(4, 100, 80, 30), (32, 200, 40, 30), (64, 100, 30, 10)]}
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Task:
    """One job on one recurrent layer, in float32.

    Attributes
    ----------
    job : {"train", "predict", "stream", "scan", "loss"}
        ``"train"``: forward, mean squared loss on every step, backward, Adam. ``"predict"``: the
        forward pass alone. ``"stream"``: one step of one sequence from the state of the step
        before it. ``"scan"``: ``"train"`` of a cell of SCANS. ``"loss"``: value and gradient of
        a loss of LOSSES alone.
    cell : str
    N, T, F, H : int
        Sequences, steps, features, units; of a loss the last two are classes and labels.
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
        if self.job == "loss":
            return 0
        if self.job == "scan":
            # x W_x and dW_x; of a linear recurrent unit also x W_d, h W_y, dW_d, dW_y and dh.
            per_step = 2 * sum(self.weights[n].size for n in ("W_x", "W_d") if n in self.weights)
            per_step += 3 * self.weights["W_y"].size if self.cell == "lru" else 0
            return 2 * self.N * self.T * per_step
        products = {"train": (2, 3), "predict": (1, 1), "stream": (1, 1)}[self.job]
        per_step = products[0] * self.F + products[1] * self.H
        return 2 * self.N * self.T * GATES[self.cell] * self.H * per_step

    @cached_property
    def weights(self) -> Arrays:
        """W_x (F, gH), W_h (H, gH), b (gH,), and b_hn (H,) of a GRU, as PyTorch would draw them."""
        if self.cell in SCANS:
            return self._scan_weights()
        rng, columns = np.random.default_rng(1), GATES[self.cell] * self.H
        shapes = {"W_x": (self.F, columns), "W_h": (self.H, columns), "b": (columns,)}
        if self.cell == "gru":
            shapes["b_hn"] = (self.H,)
        bound = self.H**-0.5
        return {n: rng.uniform(-bound, bound, s).astype("float32") for n, s in shapes.items()}

    def _scan_weights(self) -> Arrays:
        """Those of a minGRU, or of a linear recurrent unit with ``state`` complex numbers."""
        rng, H, n = np.random.default_rng(1), self.H, self.state
        if self.cell == "mingru":
            shapes: dict[str, tuple[int, ...]] = {"W_x": (self.F, 2 * H), "b": (2 * H,)}
        else:
            shapes = {"W_x": (self.F, 2 * n), "nu": (n,), "theta": (n,), "gamma": (n,)}
            shapes |= {"W_y": (2 * n, H), "W_d": (self.F, H), "b_y": (H,)}
        found = {name: rng.uniform(-(H**-0.5), H**-0.5, s) for name, s in shapes.items()}
        if self.cell == "lru":
            size = rng.uniform(0.5, 0.99, n)
            found["nu"] = np.log(-np.log(size))
            found["theta"] = np.log(rng.uniform(0.01, np.pi, n))
            found["gamma"] = 0.5 * np.log(1 - size**2)
        return {name: array.astype("float32") for name, array in found.items()}

    @property
    def state(self) -> int:
        """Complex numbers in the state of a linear recurrent unit: the default of ours."""
        return max(32, self.H // 4)

    @cached_property
    def x(self) -> np.ndarray:
        """Input (N, T, F)."""
        return np.random.default_rng(2).normal(size=(self.N, self.T, self.F)).astype("float32")

    @cached_property
    def labels(self) -> np.ndarray:
        """Labels (N, H), of which F - 1 kinds exist; 0 is the blank."""
        return np.random.default_rng(4).integers(1, self.F, size=(self.N, self.H))

    @cached_property
    def target(self) -> np.ndarray:
        """Target (N, T, H)."""
        return np.random.default_rng(3).normal(size=(self.N, self.T, self.H)).astype("float32")


def all_tasks() -> list[Task]:
    """Every row."""
    return [
        *(
            Task(job, cell, *shape)
            for job in ("train", "predict", "stream")
            for cell in GATES
            for shape in (STREAM_SHAPES if job == "stream" else SHAPES)
        ),
        Task("train", "gru", *SCAN_SHAPES[-1]),  # beside the scans
        *(Task("scan", cell, *shape) for cell in SCANS for shape in SCAN_SHAPES),
        *(Task("loss", name, *shape) for name, shapes in LOSSES.items() for shape in shapes),
    ]


def time_first(array: np.ndarray) -> np.ndarray:
    """(N, T, ...) to (T, N, ...), contiguous."""
    return np.ascontiguousarray(np.swapaxes(array, 0, 1))
