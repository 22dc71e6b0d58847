"""The time loops against a naive version of the equations, and the meaning of masks."""

from types import SimpleNamespace

import numpy as np
import pytest
from naive import row_of, run
from network_cases import CASES, leaves
from test_gradients import largest_error

from throughtime import cells
from throughtime.bptt import bptt, unroll

WITHOUT_DROPOUT = [case for case in CASES if not case.training]


@pytest.mark.parametrize("case", WITHOUT_DROPOUT, ids=str)
def test_forward_is_the_equations(case):
    net = case.network()
    x, mask = case.batch(net)
    states = case.initial_state(net, len(x))
    y, tape = case.run(net, x, mask, states)
    expected, finals = run(net, x, mask, states)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)
    for n, final in enumerate(finals):
        for got, want in zip(tape.final_state, final, strict=True):
            for a, b in zip(leaves(row_of(got, n)), leaves(want), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_stands_in_fresh_memory_changes_nothing(case, monkeypatch):
    """Buffers full of NaN: whatever is read has been written before."""

    def poisoned(shape, dtype=float, **options):
        return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 1, dtype, **options)

    results = []
    for empty in (np.empty, poisoned):
        net = case.network()
        x, mask = case.batch(net)
        states = case.initial_state(net, len(x))
        with monkeypatch.context() as patch:
            patch.setattr(np, "empty", empty)
            patch.setattr(np, "empty_like", lambda a, f=empty: f(a.shape, a.dtype))
            y, tape = case.run(net, x, mask, states)
            dx = net.backward(tape, np.cos(y))
        results.append([y, net.grads.flat, *leaves(tape.d_initial_state)])
        results[-1] += [] if dx is None else [dx]
    for clean, dirty in zip(*results, strict=True):
        assert np.array_equal(clean, dirty)


@pytest.mark.parametrize("cell", [cells.Elman(), cells.GRU(), cells.GRU(reset_after=False),
                                  cells.LSTM()], ids=repr)  # fmt: skip
@pytest.mark.parametrize("reverse", [False, True])
def test_the_loops_without_layers(cell, reverse):
    """``unroll`` and ``bptt`` as an engine offers them, with nothing but arrays."""
    rng = np.random.default_rng(0)
    gates, H, F = len(cell.gates), 3, 2
    p = SimpleNamespace(W_x=rng.normal(size=(F, gates * H)), W_h=rng.normal(size=(H, gates * H)))
    grad = SimpleNamespace(W_x=np.zeros_like(p.W_x), W_h=np.zeros_like(p.W_h))
    x = rng.normal(size=(4, 5, F))
    state = tuple(rng.normal(size=(4, H)) for _ in cell.states)
    mask = rng.random((4, 5)) < 0.7
    options = {"mask": mask, "reverse": reverse}
    y, final, tape = unroll(cell, p, x, state, **options)
    u, v = rng.normal(size=y.shape), tuple(rng.normal(size=s.shape) for s in final)
    dx, d_state = bptt(tape, grad, u, v)

    def value():
        y, final, tape = unroll(cell, p, x, state, keep=False, **options)
        assert tape is None
        ends = zip(v, final, strict=True)
        return float((u * y).sum()) + sum(float((a * b).sum()) for a, b in ends)

    pairs = [(x, dx), (p.W_x, grad.W_x), (p.W_h, grad.W_h), *zip(state, d_state, strict=True)]
    assert max(largest_error(value, array, gradient) for array, gradient in pairs) < 1e-6
    only_final, _ = bptt(tape, grad, None, v)  # no output is used
    with_zeros, _ = bptt(tape, grad, np.zeros_like(u), v)
    np.testing.assert_array_equal(only_final, with_zeros)


@pytest.mark.parametrize("cell", [cells.Elman(), cells.GRU(), cells.GRU(reset_after=False),
                                  cells.LSTM()], ids=repr)  # fmt: skip
@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 0, 2), (3, 4, 0), (0, 0, 0)], ids=str)
def test_no_rows_no_steps_and_no_features(cell, shape):
    """What is empty adds nothing, and the state goes through."""
    rng = np.random.default_rng(0)
    (N, T, F), H = shape, 2
    width = len(cell.gates) * H
    p = SimpleNamespace(W_x=rng.normal(size=(F, width)), W_h=rng.normal(size=(H, width)))
    grad = SimpleNamespace(W_x=np.zeros_like(p.W_x), W_h=np.zeros_like(p.W_h))
    state = tuple(rng.normal(size=(N, H)) for _ in cell.states)
    y, final, tape = unroll(
        cell, p, rng.normal(size=shape), state, mask=np.ones((N, T), dtype=bool)
    )
    assert y.shape == (N, T, H)
    u, v = rng.normal(size=y.shape), tuple(rng.normal(size=s.shape) for s in final)
    dx, d_state = bptt(tape, grad, u, v)
    assert dx.shape == shape
    if 0 in (N, T):
        assert not grad.W_h.any()
        for got, want in zip([*final, *d_state], [*state, *v], strict=True):
            np.testing.assert_array_equal(got, want)
    else:  # only the recurrent part is left
        wide = rng.normal(size=(N, T, 1))
        p.W_x, other = np.zeros((1, width)), SimpleNamespace(W_x=0.0, W_h=np.zeros_like(p.W_h))
        y2, _, tape2 = unroll(cell, p, wide, state)
        bptt(tape2, other, u, v)
        np.testing.assert_array_equal(y, y2)
        np.testing.assert_array_equal(grad.W_h, other.W_h)
