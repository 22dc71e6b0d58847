"""Padding, order, halves and repeated runs do not change results, for every network case."""

import copy
import pickle

import numpy as np
import pytest
from network_cases import CASES, keeps_steps, leaves, noise

from throughtime.errors import InvalidArgumentError
from throughtime.layers import GRU, AdditiveAttention, LastStep, Recurrent
from throughtime.layers.base import Call
from throughtime.network import Network
from throughtime.training.truncation import check_chunks

PLAIN = [case for case in CASES if not case.training]
SEQUENCES = [case for case in PLAIN if case.network().topology.input_form.kind != "vector"]
FLOATS = [case for case in SEQUENCES if case.features is not None]


def can_be_cut(case):
    """Whether two halves one after the other are the whole."""
    net = case.network()
    try:
        check_chunks(net)
    except InvalidArgumentError:
        return False
    return net.topology.forms[-1].kind == "sequence" and case.steps > 1


CUT = [case for case in SEQUENCES if can_be_cut(case)]


def same(a, b, tolerance=1e-13):
    for one, two in zip(leaves(a), leaves(b), strict=True):
        np.testing.assert_allclose(one, two, rtol=tolerance, atol=tolerance)


def real_steps(x, mask):
    return np.ones(x.shape[:2], dtype=bool) if mask is None else mask


@pytest.mark.parametrize("case", FLOATS, ids=str)
def test_padding_adds_nothing_whatever_it_holds(case):
    """Three steps more in the middle, at the start and at the end, of NaN."""
    net = case.network()
    x, mask = case.batch(net)
    states = case.initial_state(net, len(x))
    where = [0, x.shape[1] // 2, x.shape[1]]
    padded = np.insert(x, where, np.nan, axis=1)
    real = np.insert(real_steps(x, mask), where, False, axis=1)
    net2 = case.network()
    y, tape = net.forward(x, mask=mask, initial_state=states)
    y2, tape2 = net2.forward(padded, mask=real, initial_state=states)
    u = np.random.default_rng(3).normal(size=y.shape)
    in_time = y.ndim == 3 and keeps_steps(net)
    u2 = np.insert(u, where, np.nan, axis=1) if in_time else at_front(u, y2.shape, np.nan)
    v = [noise(np.random.default_rng(4), final) for final in tape.final_state]
    dx, dx2 = net.backward(tape, u, v), net2.backward(tape2, u2, v)
    if in_time:
        inserted = np.ones(padded.shape[1], dtype=bool)
        inserted[np.array(where) + np.arange(3)] = False
        assert (y2[:, ~inserted] == 0).all()
        y2 = y2[:, inserted]
    same(at_front(y, y2.shape, 0.0), y2)
    same(tape.final_state, tape2.final_state)
    same(tape.d_initial_state, tape2.d_initial_state)
    same(net.grads.flat, net2.grads.flat, 1e-12)
    assert (dx2[~real] == 0).all()
    same(dx[real_steps(x, mask)], dx2[real])


def at_front(y, shape, filler):
    """``y`` with more steps behind its own, where the output has steps of its own."""
    wide = np.full(shape, filler)
    wide[tuple(map(slice, y.shape))] = y
    return wide


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_rows_do_not_see_each_other(case):
    """In another order, and each by itself: the same outputs, and gradients that add up."""
    net = case.network()
    x, mask = case.batch(net)
    states = case.initial_state(net, len(x))
    y, tape = net.run(x, mask, states, Call())
    u = np.random.default_rng(3).normal(size=y.shape)
    dx = net.backward(tape, u)
    order = np.random.default_rng(5).permutation(len(x))
    alone = case.network()
    for rows in [order[:2], order[2:3], order[3:]]:
        if not len(rows):
            continue
        part = [take(state, rows) for state in states]
        y1, tape1 = alone.run(x[rows], None if mask is None else mask[rows], part, Call())
        same(y1, y[rows])
        same([take(final, rows) for final in tape.final_state], tape1.final_state)
        dx1 = alone.backward(tape1, u[rows])
        assert (dx1 is None) == (dx is None)
        if dx is not None:
            same(dx1, dx[rows])
    same(alone.grads.flat, net.grads.flat, 1e-12)


def take(state, rows):
    if state is None:
        return None
    return tuple(take(s, rows) for s in state) if isinstance(state, tuple) else state[rows]


@pytest.mark.parametrize("case", CUT, ids=str)
def test_two_halves_with_the_state_carried_are_the_whole(case):
    """Forwards and backwards: the second half's dL/d(initial state) ends the first half."""
    whole, net = case.network(), case.network()
    x, mask = case.batch(net)
    states = case.initial_state(net, len(x))
    real = real_steps(x, mask)
    cut = x.shape[1] // 2
    y, tape = whole.forward(x, mask=real, initial_state=states)
    u = np.random.default_rng(3).normal(size=y.shape)
    v = [noise(np.random.default_rng(4), final) for final in tape.final_state]
    dx = whole.backward(tape, u, v)

    y1, tape1 = net.forward(x[:, :cut], mask=real[:, :cut], initial_state=states)
    y2, tape2 = net.forward(x[:, cut:], mask=real[:, cut:], initial_state=tape1.final_state)
    dx2 = net.backward(tape2, u[:, cut:], v)
    dx1 = net.backward(tape1, u[:, :cut], tape2.d_initial_state)
    same(y, np.concatenate([y1, y2], axis=1))
    same(tape.final_state, tape2.final_state)
    same(tape.d_initial_state, tape1.d_initial_state, 1e-12)
    same(whole.grads.flat, net.grads.flat, 1e-12)
    if dx is not None:
        same(dx, np.concatenate([dx1, dx2], axis=1), 1e-12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_run_twice_gradients_add_and_nothing_is_changed(case):
    net = case.network()
    x, mask = case.batch(net)
    states = case.initial_state(net, len(x))
    kept = [array.copy() for array in [x, net.params.flat, *leaves(states)]]
    y, tape = case.run(net, x, mask, states)
    u = np.random.default_rng(3).normal(size=y.shape)
    v = [noise(np.random.default_rng(4), final) for final in tape.final_state]
    kept += [array.copy() for array in [u, *leaves(v)]]
    first = net.backward(tape, u, v)
    once, start = net.grads.flat.copy(), copy.deepcopy(tape.d_initial_state)
    second = net.backward(tape, u, v)
    same(net.grads.flat, 2 * once)
    assert np.array_equal(first, second)
    for a, b in zip(leaves(start), leaves(tape.d_initial_state), strict=True):
        assert np.array_equal(a, b)
    for before, after in zip(
        kept, [x, net.params.flat, *leaves(states), u, *leaves(v)], strict=True
    ):
        assert np.array_equal(before, after)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_without_a_tape_the_bits_are_the_same(case):
    net = case.network()
    x, mask = case.batch(net)
    states = case.initial_state(net, len(x))
    y, tape = case.run(net, x, mask, states)
    y2, tape2 = case.run(net, x, mask, states, keep=False)
    assert np.array_equal(y, y2)
    for a, b in zip(leaves(tape.final_state), leaves(tape2.final_state), strict=True):
        assert np.array_equal(a, b)
    assert y.shape == net.output_shape(x.shape)
    if not case.training and not case.states:
        predicted = net.predict(x, mask=mask)
        keeper = net.topology.returns_state
        if keeper is not None:
            predicted, state = predicted
            for a, b in zip(leaves(state), leaves(tape.final_state[keeper]), strict=True):
                assert np.array_equal(a, b)
        assert np.array_equal(y, predicted)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float32_is_float64_rounded(case):
    net, single = case.network(), case.network("float32")
    x, mask = case.batch(net)
    states = case.initial_state(net, len(x))
    y, tape = case.run(net, x, mask, states)
    small = x if x.dtype.kind == "i" else x.astype("float32")
    y32, tape32 = case.run(single, small, mask, single.check_states(states, len(x)))
    u = np.random.default_rng(3).normal(size=y.shape)
    dx, dx32 = net.backward(tape, u), single.backward(tape32, u)
    pairs = [(y, y32), (net.grads.flat, single.grads.flat)]
    pairs += zip(leaves(tape.final_state), leaves(tape32.final_state), strict=True)
    pairs += [] if dx is None else [(dx, dx32)]
    for double, float_ in pairs:
        assert float_.dtype == np.float32
        np.testing.assert_allclose(
            float_, double, rtol=1e-3, atol=2e-5 * (1 + abs(double).max(initial=0.0))
        )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_copies_are_whole_and_independent(case):
    net = case.network()
    x, mask = case.batch(net)
    states = case.initial_state(net, len(x))
    y, _ = case.run(net, x, mask, states)
    copies = [net.copy(), copy.deepcopy(net)]
    if "custom" not in case.name:
        copies.append(pickle.loads(pickle.dumps(net)))
    for other in copies:
        assert np.array_equal(case.run(other, x, mask, states)[0], y)
        other.params.flat = 0.0  # its views are its own, and still views
        assert not any(view.any() for view in other.params.values())
        changed, tape = case.run(other, x, mask, states)
        # Additive attention to one step puts out that step, whatever its parameters are.
        idle = any(isinstance(layer, AdditiveAttention) for layer in case.layers) and case.steps < 2
        assert net.params.size == 0 or idle or not np.array_equal(changed, y)
        other.backward(tape, np.ones_like(changed))
        assert np.array_equal(np.concatenate([g.ravel() for g in other.grads.values()] or [[]]),
                              other.grads.flat)  # fmt: skip
    assert np.array_equal(case.run(net, x, mask, states)[0], y)
    assert not net.grads.flat.any()


@pytest.mark.parametrize("case", SEQUENCES, ids=str)
def test_masked_steps_leave_the_state_alone(case):
    net = case.network()
    x, _ = case.batch(net)
    states = case.initial_state(net, len(x))
    nothing = np.zeros(x.shape[:2], dtype=bool)
    y, tape = net.forward(x, mask=nothing, initial_state=states)
    if keeps_steps(net) or isinstance(net.layers[-1], LastStep):
        assert not y.any()
    first = next((i for i, layer in enumerate(net.layers) if isinstance(layer, Recurrent)), None)
    if first is not None and states[first] is not None:
        same(tape.final_state[first], states[first])
    dx = net.backward(tape, np.ones_like(y))
    assert dx is None or not dx.any()
    if first is not None and keeps_steps(net):
        assert not net.grads.flat.any()


def test_what_becomes_of_the_mask_after_the_forward_pass_changes_no_gradient():
    net = Network([GRU(3, return_sequences=True)], n_features=2, seed=0)
    x, mask = np.ones((2, 4, 2)), np.array([[True] * 4, [True, False, True, False]])
    y, tape = net.forward(x, mask=mask)
    net.backward(tape, np.ones_like(y))
    wanted = net.grads.flat.copy()
    net.grads.flat[...] = 0
    y, tape = net.forward(x, mask=mask)
    mask[...] = False
    net.backward(tape, np.ones_like(y))
    assert wanted.any()
    assert (net.grads.flat == wanted).all()
