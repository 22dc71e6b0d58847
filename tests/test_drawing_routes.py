"""Pictures of graphs drawn by lot: every label can be read, whatever the layers and their order."""

import numpy as np
import pytest
from drawing_cases import check_readable

import throughtime as tt
from throughtime.layers import (
    GRU,
    LSTM,
    RNN,
    Add,
    AdditiveAttention,
    Concatenate,
    Conv1D,
    Dense,
    LayerNorm,
    MeanPool,
    MultiHeadAttention,
)
from throughtime.network import Network
from throughtime.plotting import draw

F = 4
VIEWS = ({"view": "folded"}, {}, {"gradients": True}, {"steps": 1}, {"steps": 4, "gradients": True})


class Lot:
    """Signals of a graph that grows by lot: sequences, vectors and states."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.inputs = [tt.Input(F, name=f"in{k}") for k in range(self.rng.integers(1, 4))]
        self.sequences = [(x, k) for k, x in enumerate(self.inputs)]
        self.vectors, self.states = [MeanPool()(self.inputs[0])], []
        self.shared = GRU(F, return_sequences=True, return_state=True, name="shared")

    def one_of(self, things):
        return things[self.rng.integers(len(things))]

    def recur(self, x):
        cell = self.one_of([RNN, GRU, LSTM])
        kind = self.rng.integers(4)
        if kind == 0:
            return cell(F // 2, bidirectional=True, return_sequences=True)(x)
        if kind == 1:
            self.vectors.append(cell(F, reverse=bool(self.rng.integers(2)))(x))
        if kind == 2 and self.states:
            return GRU(F, return_sequences=True)(x, initial_state=self.one_of(self.states))
        y, state = (
            self.shared(x) if kind == 2 else GRU(F, return_sequences=True, return_state=True)(x)
        )
        self.states.append(state)
        return y

    def grow(self):
        x, steps = self.one_of(self.sequences)
        alike = [y for y, other in self.sequences if other == steps]
        make = self.one_of([
            lambda: Dense(F)(x),
            lambda: self.recur(x),
            lambda: self.recur(x),
            lambda: Add()([x, self.one_of(alike)]),
            lambda: AdditiveAttention(3)([x, self.one_of(self.sequences)[0]]),
            lambda: MultiHeadAttention(2, causal=True)(x),
            lambda: LayerNorm()(x),
            lambda: Conv1D(F, 2, padding="causal")(x),
        ])  # fmt: skip
        self.sequences.append((make(), steps))
        if self.rng.random() < 0.3:
            self.vectors.append(Dense(F)(Concatenate()([self.one_of(self.vectors), MeanPool()(x)])))

    def network(self):
        ends = [x for x, _ in self.sequences[-2:]] + self.vectors[-2:] + self.inputs
        return Network(inputs=self.inputs, outputs=[Dense(1)(end) for end in ends])


@pytest.mark.parametrize("seed", range(6))
def test_graphs_drawn_by_lot_can_be_read(seed):
    lot = Lot(seed)
    for _ in range(lot.rng.integers(3, 11)):
        lot.grow()
    net = lot.network()
    for options in VIEWS:
        check_readable(f"{seed} {options}", draw(net, **options))
