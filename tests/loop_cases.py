"""Cases for the time loops alone: a cell with random arrays for all its inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from network_cases import FUNCTIONS

import throughtime as tt
from throughtime import cells, engines
from throughtime.activations import Custom, Softmax, Tanh
from throughtime.cells import Cell
from throughtime.cells.update import Update
from throughtime.kernels import selection

needs_native = pytest.mark.skipif(
    bool(selection.problem()), reason=f"there is no native engine here: {selection.problem()}"
)

#: Every cell of the registry, and every form of it.
CELLS: dict[str, Cell] = {
    "rnn": cells.Elman(),
    "gru": cells.GRU(),
    "gru, reset before": cells.GRU(reset_after=False),
    "lstm": cells.LSTM(),
    "mingru": cells.MinGRU(),
    "minlstm": cells.MinLSTM(),
    "indrnn": cells.IndRNN(Tanh()),
    "lru": cells.LRU(),
    "lstm, options": cells.GeneralLSTM(peepholes=True, proj_size=6, cell_clip=0.7),
    "lstm, coupled": cells.CoupledLSTM(peepholes=True),
}

#: What may follow a step: clipping of h, and zoneout, as in prediction or drawn for training.
UPDATES = ("none", "clipped", "expected", "drawn")

#: Cells with every activation in every position that takes one.
ACTIVE: dict[str, Cell] = {f"rnn of {name}": cells.Elman(f) for name, f in FUNCTIONS.items()}
for _name, _f in FUNCTIONS.items():
    for _cell in ("gru", "gru, reset before", "lstm", "lstm, options"):
        ACTIVE[f"{_cell} of {_name}"] = replace(CELLS[_cell], activation=_f)
        ACTIVE[f"{_cell}, gates of {_name}"] = replace(CELLS[_cell], recurrent_activation=_f)
    for _cell in ("mingru", "minlstm", "indrnn"):
        ACTIVE[f"{_cell} of {_name}"] = replace(CELLS[_cell], activation=_f)


def scale_of(name: str) -> float:
    """A scale of the parameters of ``ACTIVE[name]`` at which nothing overflows."""
    return 0.1 if name.endswith(" exp") else 0.6


def is_native(cell: Cell) -> bool:
    """Whether the native engine runs ``cell`` itself instead of the reference loop.

    It cannot run user-defined functions, nor softmax in a cell with several gates.
    """
    functions = [getattr(cell, name, None) for name in ("activation", "recurrent_activation")]
    foreign = Custom if isinstance(cell, cells.Elman) else Custom | Softmax
    return not any(isinstance(f, foreign) for f in functions)


MASKS = ("none", "whole", "lengths", "holes", "empty row", "nothing")


def mask_of(kind: str, rows: int, steps: int, rng: np.random.Generator) -> np.ndarray | None:
    if kind == "none":
        return None
    mask = np.ones((rows, steps), dtype=bool)
    if kind == "lengths":
        mask = np.arange(steps) < rng.integers(0, steps + 1, size=(rows, 1))
    elif kind in ("holes", "empty row"):
        mask = rng.random((rows, steps)) < 0.6
        if kind == "empty row":
            mask[rows // 2 : rows // 2 + 1] = False
    elif kind == "nothing":
        mask[...] = False
    return mask


@dataclass(frozen=True)
class Loop:
    """The options of one run of the loops; ``shape`` is (N, T, F, H).

    A cell without W_h has no ``time_bias`` and no ``drop``.
    """

    cell: Cell
    shape: tuple[int, int, int, int] = (3, 5, 2, 3)
    mask: str = "none"
    bias: bool = True
    time_bias: bool = False
    started: bool = False
    drop: bool = False
    reverse: bool = False
    scale: float = 0.6
    seed: int = 0
    size: float = 1.0  # scale of the numbers in x
    update: str = "none"

    def data(self, dtype: str = "float64") -> Data:
        """Random arrays; both dtypes hold the same numbers, which float32 can represent."""
        rng = np.random.default_rng([self.seed, *self.shape])
        N, T, F, H = self.shape
        width = len(self.cell.gates) * H
        P = getattr(self.cell, "proj_size", None) or H  # numbers in h
        widths = (P, *[H] * (len(self.cell.states) - 1))

        def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
            return (scale * rng.normal(size=shape)).astype("float32").astype(dtype)

        p = {"W_x": normal(F, width, scale=self.scale)}
        if self.cell.recurrent_weights:
            p["W_h"] = normal(P, width, scale=self.scale / np.sqrt(max(P, 1)))
        extra = self.cell.extra_shapes(H)
        p |= {name: normal(*shape, scale=self.scale) for name, shape in extra.items()}
        if self.bias:
            p["b"] = normal(width, scale=self.scale)
            extra = self.cell.bias_shapes(H)
            p |= {name: normal(*shape, scale=self.scale) for name, shape in extra.items()}
        timed = self.time_bias and self.cell.recurrent_weights
        dropped = self.drop and self.cell.recurrent_weights
        if timed:
            p["b_time"] = normal(width, scale=self.scale)
        mask = mask_of(self.mask, N, T, rng)
        x = normal(N, T, F, scale=self.size)
        state = tuple(normal(N, n, scale=self.scale) for n in widths)
        if mask is not None:
            x[~mask] = 0  # as a network passes it to its layers
        started, kept = rng.random(N) < 0.5, rng.random((N, P)) < 0.7
        options = {
            "mask": mask,
            "started": started if self.started and timed else None,
            "drop": (1.5 * kept).astype(dtype) if dropped else None,
            "reverse": self.reverse,
            "update": _update(self.update, (T, N), widths, rng),
        }
        dy = normal(N, T, self.cell.outputs * P)
        d_final = tuple(normal(N, n) for n in widths)
        return Data(self.cell, p, x, state, options, dy, d_final)


def _update(
    kind: str, steps: tuple[int, int], widths: tuple[int, ...], rng: np.random.Generator
) -> Update | None:
    """An update of UPDATES for states of ``widths``."""
    rates = (0.3, 0.2)[: len(widths)]
    if kind == "drawn":
        hold = (rng.random((*steps, n)) < rate for n, rate in zip(widths, rates, strict=True))
        return Update(0.5, tuple(hold))
    return {
        "none": None,
        "clipped": Update(0.2, (None,) * len(widths)),
        "expected": Update(None, rates),
    }[kind]


@dataclass
class Data:
    """The arrays of one run."""

    cell: Cell
    p: dict[str, np.ndarray]
    x: np.ndarray
    state: tuple[np.ndarray, ...]
    options: dict[str, Any]
    dy: np.ndarray | None
    d_final: tuple[np.ndarray, ...] | None

    def forward(self, keep: bool = True) -> tuple[dict[str, np.ndarray], Any]:
        """Outputs by name, and the tape, on the engine in use."""
        p = SimpleNamespace(**self.p)
        y, final, tape = engines.unroll(self.cell, p, self.x, self.state, **self.options, keep=keep)
        return {"y": y} | {f"final {i}": s for i, s in enumerate(final)}, tape

    def backward(self, tape: Any, inputs: bool = True, start: float = 0.0) -> dict[str, np.ndarray]:
        """Gradients by name; those of the parameters are added to ``start``."""
        grad = {name: np.full_like(value, start) for name, value in self.p.items()}
        dx, d_initial = engines.bptt(tape, SimpleNamespace(**grad), self.dy, self.d_final, inputs)
        found = {f"d{name}": value for name, value in grad.items()}
        found |= {f"d initial {i}": d for i, d in enumerate(d_initial)}
        return found if dx is None else found | {"dx": dx}

    def run(self) -> dict[str, np.ndarray]:
        """All outputs and gradients by name, on the engine in use."""
        found, tape = self.forward()
        return found | self.backward(tape)


def run(loop: Loop, engine: str, dtype: str = "float64") -> dict[str, np.ndarray]:
    """All outputs and gradients of a run on ``engine``, by name."""
    with tt.engine(engine):
        return loop.data(dtype).run()


def error(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference, relative to the largest number if that is no rounding of zero."""
    assert got.shape == want.shape
    largest = np.abs(want).max(initial=0.0)
    difference = np.abs(got.astype("float64") - want).max(initial=0.0)
    return float(difference / largest) if largest > 1e-12 else float(difference)


def same_bits(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> None:
    assert got.keys() == want.keys()
    for name, array in want.items():
        assert got[name].dtype == array.dtype
        assert got[name].shape == array.shape
        assert got[name].tobytes() == array.tobytes(), name
