"""Predictions in parts: as much memory as the budget says, and the same numbers."""

import tracemalloc

import numpy as np
import pytest
from network_cases import CASES, leaves

import throughtime as tt
from throughtime.cells import Diagonal
from throughtime.engines.forms import native_form, option_form
from throughtime.engines.scan import scan_form
from throughtime.kernels import selection
from throughtime.layers import (
    GRU,
    LSTM,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Recurrent,
    RepeatVector,
)
from throughtime.network import Network, graph

PLAIN = [case for case in CASES if "custom" not in case.name]


@pytest.fixture
def small(monkeypatch):
    """A budget that makes parts of one row of whatever is predicted."""
    monkeypatch.setattr(graph, "FEWEST_ROWS", 1)
    monkeypatch.setattr(graph, "PASS_BYTES", 1)


def same(one, two, native=True):
    """Bits on the native engine; on the reference engine, whose products are BLAS's, rounding."""
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert a.shape == b.shape
        if native and selection.current() == "native":
            assert a.tobytes() == b.tobytes()
        else:
            rounding = 1e-12 if a.dtype == np.float64 else 1e-5
            np.testing.assert_allclose(a, b, rtol=rounding, atol=rounding / 100)


def is_native(layer):
    """Whether the native engine does not leave the layer to the reference loops."""
    if not isinstance(layer, Recurrent):
        return True
    cell = layer.cell
    if isinstance(cell, Diagonal):
        return scan_form(cell) is not None
    plain = layer.update(1, 1, tt.layers.Call()) is None
    return option_form(cell) is not None or (plain and native_form(cell) is not None)


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_parts_give_what_the_whole_gives(case, small):
    net = case.network()
    x, mask = case.batch(net)
    state = case.initial_state(net, len(x))
    native = all(map(is_native, net.layers))
    y, tape = net.run(x, mask, state, tt.layers.Call(keep=False))
    options = {"mask": mask} if net.topology.input_form.kind != "vector" else {}
    found = net.predict(x, **options, initial_state=state)
    keeper = net.topology.returns_state
    if keeper is not None:
        found, final = found
        same(leaves(final), leaves(tape.final_state[keeper]), native)
    same([found], [y], native)
    again = net.predict(x, **options, initial_state=state, batch_size=2)
    same([again if keeper is None else again[0]], [y], native)


@pytest.mark.parametrize(
    "layers",
    [
        [LSTM(32), Dense(1)],
        [GRU(16, bidirectional=True, return_sequences=True), GRU(16), Dense(1)],
        [Conv1D(8, 9, padding="causal"), Dense(16), Dense(16), GRU(2)],
        [Dense(64, activation="tanh"), Dropout(0.5), Dense(64), LSTM(2)],
        [LSTM(4), RepeatVector(300), GRU(8)],
    ],
    ids=lambda layers: layers[0].kind,
)
def test_memory_does_not_grow_with_the_rows(layers, monkeypatch):
    budget = 2**20
    monkeypatch.setattr(graph, "PASS_BYTES", budget)
    monkeypatch.setattr(graph, "FEWEST_ROWS", 1)
    net = Network(layers, 2)
    x = np.zeros((400, 50, 2), "float32")
    net.predict(x[:1])
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        net.predict(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 1.5 * budget


def test_a_large_prediction_runs_in_parts_and_a_small_one_at_once():
    net = Network([LSTM(128), Dense(1)], 8)
    parts = net.row_parts(np.zeros((4000, 200, 8)))
    assert 16 < parts[0].stop < 200
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert parts[-1].stop >= 4000
    assert len(net.row_parts(np.zeros((1000, 10, 8)))) == 1
    tokens = Network([Embedding(5, 64), LSTM(128)])
    assert tokens.row_parts(np.zeros((4000, 200)))[0].stop < 200


def test_very_long_sequences_still_run_a_few_together():
    net = Network([LSTM(128)], 1)
    x = np.broadcast_to(np.zeros(1), (100, 10**6, 1))
    assert net.row_parts(x)[0] == slice(0, 16)


def test_a_stream_is_warmed_up_in_parts(small):
    net = Network([GRU(3, return_sequences=True), Conv1D(2, 3, padding="causal")], 2, seed=1)
    x = np.random.default_rng(0).normal(size=(5, 6, 2))
    whole, stream = net.predict(x), net.stream(rows=5)
    same([stream.warm_up(x[:, :4])], [whole[:, 3]])
    same([stream.step(x[:, 4])], [whole[:, 4]])
    lengths = [4, 1, 6, 2, 3]
    found = stream.warm_up(x, lengths)
    same([found], [np.stack([whole[i, n - 1] for i, n in enumerate(lengths)])])
