"""States over time, and every node's share of the gradient."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import pytest

import throughtime as tt
from throughtime.activations import Activation, Tanh
from throughtime.cells import Cell, Elman
from throughtime.errors import InvalidArgumentError
from throughtime.inspect import hidden_states, saturation, trace
from throughtime.kernels import selection
from throughtime.layers import GRU, LSTM, RNN, Dense, MeanPool, Recurrent, RepeatVector

LENGTHS = [5, 2, 4]


def jittered(layers, n_features=2, seed=0):
    """A network none of whose parameters is zero."""
    net = tt.Network(layers, n_features=n_features, dtype="float64", seed=seed)
    net.params.flat[...] += 0.3 * np.random.default_rng(seed).normal(size=net.params.size)
    return net


def data(net, shape, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), rng.normal(size=net.output_shape(shape))


NETWORKS = {
    "last step": lambda cell: [cell(3, time_bias=True), Dense(2)],
    "stacked": lambda cell: [cell(3, return_sequences=True), cell(4, time_bias=True), Dense(2)],
    "both ways": lambda cell: [cell(3, bidirectional=True, return_sequences=True), MeanPool()],
    "a product of both ways": lambda cell: [cell(3, bidirectional=True, merge="mul"), Dense(2)],
    "reversed": lambda cell: [cell(3, reverse=True, return_sequences=True), Dense(1)],
    "learned start": lambda cell: [cell(3, learn_initial_state=True), Dense(1)],
    "decoder": lambda cell: [
        cell(3, return_state=True), RepeatVector(5), cell(3, return_sequences=True), Dense(1),
    ],
}  # fmt: skip


#: Layers with options, as functions of their units.
OPTIONED = {
    "rnn": partial(RNN, layer_norm=True, hidden_clip=0.8),
    "gru": partial(GRU, layer_norm=True, zoneout=0.2),
    "lstm": partial(
        LSTM, layer_norm=True, peepholes=True, proj_size=2, cell_clip=0.9, cell_zoneout=0.1
    ),
    "lstm, coupled": partial(LSTM, coupled_gates=True, zoneout=0.3),
}


def without_time_bias(layer, units, time_bias=False, **options):
    return layer(units, **options)


SCANS = {
    layer.__name__: partial(without_time_bias, layer)
    for layer in (tt.layers.MinGRU, tt.layers.MinLSTM, tt.layers.IndRNN)
}


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("form", NETWORKS)
@pytest.mark.parametrize("cell", [RNN, GRU, LSTM, *OPTIONED.values(), *SCANS.values()])
def test_the_shares_of_all_nodes_make_the_gradient(cell, form, ragged):
    net = jittered(NETWORKS[form](cell))
    x, y = data(net, (3, 5, 2))
    found = trace(net, x, y, loss="mse", lengths=LENGTHS if ragged else None)
    checked = 0
    for i, layer in enumerate(net.layers):
        for group, _ in getattr(layer, "directions", ()):
            nodes = found.nodes(i, group or "forward")
            assert [node.t for node in nodes] == [1, 2, 3, 4, 5]
            for name in nodes[0].gradients:
                whole = found.gradients[f"{i}.{group}.{name}".replace("..", ".")]
                if name.endswith("_0"):
                    continue  # an initial state belongs to no step
                shares = sum(node.gradients[name] for node in nodes)
                np.testing.assert_allclose(shares, whole, rtol=1e-11, atol=1e-14)
                checked += 1
    assert checked >= 2


def test_the_gradients_are_those_of_the_network_and_leave_it_alone():
    net = jittered([GRU(3, return_sequences=True), Dense(1)])
    x, y = data(net, (2, 4, 2))
    net.grads.flat[...] = 7.0
    found = trace(net, x, y, loss="half_mse")
    assert (net.grads.flat == 7.0).all()
    net.grads.flat[...] = 0
    out, tape = net.forward(x)
    net.backward(tape, tt.losses.get("half_mse")(out, y)[1])
    np.testing.assert_allclose(found.gradients.flat, net.grads.flat, rtol=1e-12, atol=1e-15)


def test_an_elman_node_by_hand():
    net = jittered([RNN(3, return_sequences=True, time_bias=True), Dense(1)])
    p = net.params
    x, y = data(net, (2, 4, 2))
    found = trace(net, x, y)
    node, later = found.node(0, 2), found.node(0, 3)
    z = node.x @ p["0.W_x"] + p["0.b"] + node.previous["h"] @ p["0.W_h"] + p["0.b_time"]
    np.testing.assert_allclose(node.z, z, rtol=1e-14)
    np.testing.assert_allclose(node.state["h"], np.tanh(z), rtol=1e-14)
    np.testing.assert_allclose(node.dh_later, later.delta @ p["0.W_h"].T, rtol=1e-12)
    delta = (node.dh_above + node.dh_later) * (1 - np.tanh(z) ** 2)
    np.testing.assert_allclose(node.delta, delta, rtol=1e-12)
    np.testing.assert_allclose(node.dx, delta @ p["0.W_x"].T, rtol=1e-12)
    np.testing.assert_allclose(node.d_previous["h"], delta @ p["0.W_h"].T, rtol=1e-12)
    for name, share in {
        "W_x": node.x.T @ delta, "W_h": node.previous["h"].T @ delta,
        "b": delta.sum(axis=0), "b_time": delta.sum(axis=0),
    }.items():  # fmt: skip
        np.testing.assert_allclose(node.gradients[name], share, rtol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
def test_one_node_is_that_of_all(reverse):
    net = jittered([LSTM(3, reverse=reverse, return_sequences=True), Dense(1)])
    found = trace(net, *data(net, (2, 4, 2)), lengths=[4, 3])
    for t, of_all in enumerate(found.nodes(0), start=1):
        alone = found.node(0, t)
        assert alone.t == of_all.t == t
        for name in ("delta", "dx", "dh_later", "dh_above", "z"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(of_all, name))


def test_the_time_term_is_absent_at_the_first_step():
    net = jittered([RNN(3, time_bias=True)])
    x, y = data(net, (2, 4, 2))
    first = trace(net, x, y).node(0, 1)
    expected = x[:, 0] @ net.params["0.W_x"] + net.params["0.b"]
    np.testing.assert_allclose(first.z, expected, rtol=1e-14)
    assert not first.gradients["b_time"].any()
    assert not first.gradients["W_h"].any()
    assert first.gradients["b"].any()


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_preactivation_of_a_gru_gives_its_gates(reset_after):
    net = jittered([GRU(3, reset_after=reset_after)])
    x, y = data(net, (2, 4, 2))
    node = trace(net, x, y).node(0, 3)
    r, z, n = (node.gates[name] for name in "rzn")
    np.testing.assert_allclose(1 / (1 + np.exp(-node.z[:, :6])), np.hstack([r, z]), rtol=1e-13)
    np.testing.assert_allclose(np.tanh(node.z[:, 6:]), n, rtol=1e-13)
    h = n + z * (node.previous["h"] - n)
    np.testing.assert_allclose(node.state["h"], h, rtol=1e-13)


def test_the_gates_of_an_lstm_give_its_states():
    net = jittered([LSTM(3)])
    x, y = data(net, (2, 4, 2))
    node = trace(net, x, y).node(0, 2)
    i, f, g, o = (node.gates[name] for name in "ifgo")
    c = f * node.previous["c"] + i * g
    np.testing.assert_allclose(node.state["c"], c, rtol=1e-13)
    np.testing.assert_allclose(node.state["h"], o * np.tanh(c), rtol=1e-13)


def test_the_preactivations_of_a_normalised_layer_give_its_gates():
    net = jittered([LSTM(3, layer_norm=True, peepholes=True)])
    node = trace(net, *data(net, (2, 4, 2))).node(0, 3)
    i, f, g, o = (node.gates[name] for name in "ifgo")
    sigmoid = 1 / (1 + np.exp(-node.z))
    np.testing.assert_allclose(sigmoid[:, :6], np.hstack([i, f]), rtol=1e-13)
    np.testing.assert_allclose(np.tanh(node.z[:, 6:9]), g, rtol=1e-13)
    np.testing.assert_allclose(sigmoid[:, 9:], o, rtol=1e-13)
    np.testing.assert_allclose(node.state["c"], f * node.previous["c"] + i * g, rtol=1e-13)


@pytest.mark.parametrize("cell", [RNN, GRU, LSTM, *OPTIONED.values()])
def test_states_of_a_layer_that_puts_out_the_last_one(cell):
    net, whole = jittered([cell(3)]), jittered([cell(3, return_sequences=True)])
    x, _ = data(net, (3, 5, 2))
    np.testing.assert_allclose(hidden_states(net, x)[0]["h"], whole.predict(x), rtol=1e-12)


def test_states_in_the_order_of_time_and_held_where_masked():
    net = jittered([RNN(3, bidirectional=True, return_sequences=True)])
    x, _ = data(net, (3, 5, 2))
    states = hidden_states(net, x, LENGTHS)[0]
    y = net.predict(x, LENGTHS)
    np.testing.assert_allclose(states["forward.h"][1, :2], y[1, :2, :3], rtol=1e-12)
    np.testing.assert_allclose(states["backward.h"][1, :2], y[1, :2, 3:], rtol=1e-12)
    assert (states["forward.h"][1, 2:] == states["forward.h"][1, 1]).all()


@dataclass(frozen=True)
class Own(Cell):
    """Elman's cell, by somebody who names no gates' values."""

    gates: ClassVar[tuple[str, ...]] = ("h",)
    activation: Activation = Tanh()

    def step(self, p, a, state, drop=None):
        return Elman().step(p, a, state, drop)

    def step_backward(self, p, dstate, state_prev, state, saved, drop=None):
        return Elman().step_backward(p, dstate, state_prev, state, saved, drop)


@dataclass(frozen=True)
class OwnLayer(Recurrent):
    @property
    def cell(self):
        return Own()


def test_a_cell_of_ones_own_can_be_looked_into():
    own, ours = jittered([OwnLayer(3), Dense(1)]), jittered([RNN(3), Dense(1)])
    x, y = data(own, (2, 4, 2))
    ours.params.flat[...] = own.params.flat
    for node, other in zip(trace(own, x, y).nodes(0), trace(ours, x, y).nodes(0), strict=True):
        assert node.gates == {}
        np.testing.assert_allclose(node.z, other.z, rtol=1e-13)
        np.testing.assert_allclose(node.gradients["W_h"], other.gradients["W_h"], rtol=1e-12)


def test_what_reaches_a_last_output_comes_from_above():
    last, all_steps = jittered([LSTM(3), Dense(1)]), jittered([LSTM(3), Dense(1)])
    all_steps = tt.Network(
        [LSTM(3, return_sequences=True), tt.layers.LastStep(), Dense(1)], n_features=2,
        dtype="float64",
    )  # fmt: skip
    all_steps.params.flat[...] = last.params.flat
    x, y = data(last, (3, 5, 2))
    found, expected = (trace(net, x, y, lengths=LENGTHS) for net in (last, all_steps))
    for node, other in zip(found.nodes(0), expected.nodes(0), strict=True):
        np.testing.assert_allclose(node.dh_above, other.dh_above, rtol=1e-13)
        np.testing.assert_allclose(node.dh_later, other.dh_later, rtol=1e-13)
    assert found.node(0, 5).dh_above[0].any()
    assert not found.node(0, 5).dh_later.any()


HOLES = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("cell", [RNN, GRU, LSTM])
def test_the_shares_make_the_gradient_with_holes_and_a_given_state(cell, sequences, reverse):
    layer = cell(3, return_sequences=sequences, reverse=reverse, learn_initial_state=True)
    net = jittered([layer, Dense(2)])
    x, y = data(net, (3, 5, 2))
    start = tuple(np.full((3, 3), 0.3) for _ in layer.cell.states)
    for given in (None, [start, None]):
        found = trace(net, x, y, mask=HOLES, initial_state=given)
        nodes = found.nodes(0)
        for name in nodes[0].gradients:
            if not name.endswith("_0"):
                shares = sum(node.gradients[name] for node in nodes)
                np.testing.assert_allclose(shares, found.gradients[f"0.{name}"], atol=1e-15)
        assert not nodes[1].delta.any()
        first = nodes[-1 if reverse else 0]
        np.testing.assert_allclose(
            first.d_previous["h"], found.tape.d_initial_state[0][0], atol=1e-15
        )


@pytest.mark.parametrize("size", [1.0, 60.0])
def test_the_objective_is_that_of_training(size):
    net = tt.Network([RNN(4), Dense(3, activation="softmax")], n_features=2, seed=1)
    net.params["1.W"] *= size
    x, y = np.random.default_rng(0).normal(size=(6, 5, 2)), [0, 1, 2, 0, 1, 2]
    found = trace(net, x, y, loss="categorical_crossentropy")
    reached = []
    tt.train(
        net, x, y, loss="categorical_crossentropy", optimizer=tt.optimizers.SGD(1.0), epochs=1,
        batch_size=None, callbacks=[lambda run: reached.append(run.history["loss"][-1])],
    )  # fmt: skip
    assert found.loss == pytest.approx(reached[0], rel=1e-6)
    moved = found.net.params.flat - net.params.flat
    np.testing.assert_allclose(moved, found.gradients.flat, rtol=1e-3, atol=1e-5 * size)
    np.testing.assert_allclose(found.outputs[-1].sum(axis=1), 1.0, rtol=1e-5)


def test_a_sequence_without_a_step_counts_for_nothing_and_targets_may_be_ragged():
    net = jittered([GRU(3), Dense(1)])
    x, y = data(net, (2, 4, 2))
    alone = trace(net, x[:1], y[:1])
    assert trace(net, x, y, lengths=[4, 0]).loss == pytest.approx(alone.loss, rel=1e-14)
    each = jittered([GRU(3, return_sequences=True), Dense(1)])
    ragged = trace(each, [x[0], x[1, :2]], [y[:1].repeat(4, 0), y[1:].repeat(2, 0)])
    assert [node.t for node in ragged.nodes(0)] == [1, 2, 3, 4]


def test_a_trace_is_a_snapshot():
    net = jittered([GRU(3, return_sequences=True), Dense(1)])
    x, y = data(net, (1, 4, 2))
    found = trace(net, x, y)
    before = found.node(0, 2)
    net.params.flat[...] = 0
    x[...] = 0
    after = found.node(0, 2)
    np.testing.assert_array_equal(before.dx, after.dx)
    np.testing.assert_array_equal(before.x, after.x)


def test_the_engine_in_use_stays():
    net = jittered([GRU(3), Dense(1)])
    x, y = data(net, (2, 4, 2))
    before = tt.inspect.nodes.bptt.unroll
    engines = set()

    def watch(*arguments, **options):
        engines.add(selection.current())
        return before(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("throughtime.bptt.unroll", watch)
        trace(net, x, y)
        hidden_states(net, x)
    assert engines == {selection.current()}


def test_words_for_a_trace_and_a_node():
    net = jittered([RNN(3, bidirectional=True, return_sequences=True), Dense(1)])
    found = trace(net, *data(net, (2, 4, 2)))
    assert repr(found.node(0, 2, "backward")) == "Node(layer 0, backward, t=2; N=2, H=3)"
    assert repr(found) == f"Trace(loss {found.loss:.6g}; outputs (2, 4, 6) -> (2, 4, 1))"


def test_saturation_is_the_share_of_units_near_the_ends():
    h = np.array([[[0.98, -0.99, 0.5, 0.0], [0.0, 0.0, 0.0, 1.0]]])
    np.testing.assert_array_equal(saturation(h), [[0.5, 0.25]])
    assert saturation(h, limit=0.4).tolist() == [[0.75, 0.25]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 1), "layer must be an integer from 0 to 1; got 2."),
        ((1, 1), "layer must be a recurrent layer, one of [0]; got 1, which is Dense."),
        ((0, 0), "t must be an integer from 1 to 4; got 0."),
        ((0, 5), "t must be an integer from 1 to 4; got 5."),
        (
            (0, 1, "backward"),
            "direction must be 'forward', the only direction of layer 0 (RNN); got 'backward'.",
        ),
    ],
)
def test_a_node_that_is_not_there(arguments, message):
    net = jittered([RNN(3), Dense(1)])
    found = trace(net, *data(net, (2, 4, 2)))
    with pytest.raises(InvalidArgumentError) as caught:
        found.node(*arguments)
    assert str(caught.value) == message


def test_a_layer_whose_output_is_not_its_state_has_no_nodes():
    net = jittered([tt.layers.LRU(3, state_size=2), Dense(1)])
    x, y = data(net, (2, 4, 2))
    with pytest.raises(InvalidArgumentError) as caught:
        trace(net, x, y).node(0, 1)
    assert str(caught.value) == (
        "layer must be a layer that puts out h; got 0, which is LRU. inspect.hidden_states has its"
        " states."
    )
    assert hidden_states(net, x)[0]["re"].shape == (2, 4, 2)


@pytest.mark.parametrize("cell", [tt.layers.RNN, tt.layers.GRU, tt.layers.LSTM])
def test_an_underflow_is_no_error(cell):
    net = tt.Network([cell(3), tt.layers.Dense(1)], n_features=2)
    net.params.flat[::2] = 1e-38
    x = np.full((2, 4, 2), 1e-30)
    with np.errstate(all="raise"):
        found = tt.inspect.trace(net, x, np.ones((2, 1)))
        nodes = found.nodes(0)
        assert found.node(0, 2).t == nodes[1].t
        assert len(tt.inspect.hidden_states(net, x)[0]["h"]) == 2
        tt.evaluate(net, x, np.ones((2, 1)), metrics=["mae", "r2"])
