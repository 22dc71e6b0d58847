"""Options of RNN, GRU and LSTM: first values, what they do, training, streams, files, messages."""

from __future__ import annotations

import numpy as np
import pytest
from network_cases import leaves
from option_cases import OPTIONS

import throughtime as tt
from throughtime import cells
from throughtime.cells.update import Update
from throughtime.errors import InvalidArgumentError
from throughtime.inspect import hidden_states, trace
from throughtime.layers import GRU, LSTM, RNN, Call, Dense

every_option = pytest.mark.parametrize("name", OPTIONS)


def network(layer, dtype="float64", seed=0):
    """A network with random numbers in every parameter."""
    net = tt.Network([layer, Dense(2)], 3, dtype)
    net.params.flat = 0.6 * np.random.default_rng(seed).normal(size=net.params.size)
    return net


def data(rows=4, steps=6, seed=1):
    return np.random.default_rng(seed).normal(size=(rows, steps, 3))


def optioned(name, **more):
    layer, own = OPTIONS[name]
    return layer(5, return_sequences=True, **own, **more)


# -- first values -----------------------------------------------------------------------------


def test_without_options_the_cells_are_the_plain_ones():
    assert type(RNN(3).cell) is cells.Elman
    assert type(GRU(3).cell) is cells.GRU
    assert type(LSTM(3).cell) is cells.LSTM
    for layer in (RNN(3), GRU(3), LSTM(3)):
        assert layer.update(5, 2, Call(training=True)) is None


def test_gains_begin_at_one_and_peepholes_at_zero():
    layer = LSTM(4, layer_norm=True, peepholes=True, proj_size=3, bidirectional=True)
    net = tt.Network([layer], 2, seed=0)
    for group in ("0.forward", "0.backward"):
        for leaf, shape in {"g_x": (16,), "g_h": (16,), "g_c": (4,)}.items():
            assert net.params[f"{group}.{leaf}"].shape == shape
            assert (net.params[f"{group}.{leaf}"] == 1).all()
        assert net.params[f"{group}.W_c"].shape == (3, 4)
        assert not net.params[f"{group}.W_c"].any()
        assert not net.params[f"{group}.b_c"].any()
        assert net.params[f"{group}.W_h"].shape == (3, 16)
        W_r = net.params[f"{group}.W_r"]
        assert W_r.shape == (4, 3)
        assert 0 < abs(W_r).max() <= np.sqrt(6 / 7)  # glorot_uniform


def test_peepholes_and_the_projection_are_weights_and_gains_are_not():
    net = tt.Network([LSTM(4, layer_norm=True, peepholes=True, proj_size=3)], 2)
    assert {name for name in net.params if net.params.is_weight(name)} == {
        "0.W_x", "0.W_h", "0.W_c", "0.W_r",
    }  # fmt: skip


def test_a_coupled_gate_begins_as_open_as_a_forget_gate():
    """f = 1 - s(-1) = s(1)."""
    net = tt.Network([LSTM(3, coupled_gates=True, forget_bias=1.0)], 2)
    np.testing.assert_array_equal(net.params["0.b"], [-1, -1, -1, 0, 0, 0, 0, 0, 0])
    assert net.params["0.W_x"].shape == (2, 9)


def test_without_a_bias_there_is_none():
    net = tt.Network([LSTM(3, layer_norm=True, use_bias=False)], 2)
    assert {net.params.leaf(name) for name in net.params} == {"W_x", "W_h", "g_x", "g_h", "g_c"}


# -- what they do -----------------------------------------------------------------------------

#: An option that does nothing, and the parameters that make it so.
IDLE = {
    "peepholes": (LSTM, {"peepholes": True}, {"W_c": 0.0}),
    "projection": (LSTM, {"proj_size": 5}, {"W_r": np.eye(5)}),
    "wide cell clip": (LSTM, {"cell_clip": 1e6}, {}),
    "wide hidden clip": (GRU, {"hidden_clip": 2.0}, {}),
}


@pytest.mark.parametrize("name", IDLE)
def test_an_idle_option_changes_nothing(name):
    layer, own, values = IDLE[name]
    plain, net = network(layer(5)), network(layer(5, **own))
    for leaf in plain.params:
        net.params[leaf] = plain.params[leaf]
    for leaf, value in values.items():
        net.params[f"0.{leaf}"] = value
    np.testing.assert_allclose(net.predict(data()), plain.predict(data()), rtol=1e-12)


def test_a_normalised_layer_does_not_see_the_scale_of_its_weights():
    net = network(LSTM(5, layer_norm=True, return_sequences=True))
    before = net.predict(data())
    net.params["0.W_x"] = 100 * net.params["0.W_x"]
    net.params["0.W_h"] = 100 * net.params["0.W_h"]
    np.testing.assert_allclose(net.predict(data()), before, rtol=0.01, atol=0.005)


def test_clips_bound_the_states():
    net = network(LSTM(5, cell_clip=0.2, hidden_clip=0.05, return_sequences=True))
    states = hidden_states(net, data())[0]
    assert abs(states["c"]).max() == 0.2
    assert abs(states["h"]).max() == 0.05


def test_a_projection_makes_h_small_and_leaves_c():
    net = network(LSTM(5, proj_size=2, return_state=True, return_sequences=True))
    assert net.output_shape((4, 6, 3)) == (4, 6, 2)
    _, (h, c) = net.predict(data())
    assert h.shape == (4, 2)
    assert c.shape == (4, 5)


def test_zoneout_predicts_with_the_expectation():
    net = network(GRU(5, zoneout=0.25, return_sequences=True))
    node = trace(net, data(), np.zeros((4, 6, 2))).node(0, 3)
    z, n, before = node.gates["z"], node.gates["n"], node.previous["h"]
    proposed = n + z * (before - n)
    np.testing.assert_allclose(node.state["h"], 0.25 * before + 0.75 * proposed, rtol=1e-13)


def test_zoneout_keeps_units_in_training():
    layer = LSTM(50, zoneout=0.3, cell_zoneout=0.6, return_sequences=True)
    net = network(layer)
    call = Call(training=True, rng=np.random.default_rng(0), readable=True)
    _, tape = net.run(data(rows=20), None, [None, None], call)
    h, c = tape.caches[0][0][0].states
    for states, rate in ((h, 0.3), (c, 0.6)):
        kept = states[1:] == states[:-1]
        assert kept.mean() == pytest.approx(rate, abs=0.02)
        assert 0.2 < np.std(kept.mean(axis=(1, 2))) / 0.02 < 2.5  # drawn anew at each step


def test_zoneout_of_one_state_leaves_the_other():
    update = LSTM(4, cell_zoneout=0.5).update(3, 2, Call(training=True, rng=_generator()))
    assert update.hold[0] is None
    assert update.hold[1].shape == (3, 2, 4)
    assert LSTM(4, cell_zoneout=0.5).update(3, 2, Call()) == Update(None, (None, 0.5))


def _generator():
    return np.random.Generator(np.random.PCG64(0))


@pytest.mark.parametrize("cut", [1, 3])
def test_a_later_chunk_finds_the_draws_of_the_whole(cut):
    layer = LSTM(4, zoneout=0.4, cell_zoneout=0.2, dropout=0.3, recurrent_dropout=0.3)
    whole = layer.update(7, 3, Call(training=True, rng=_generator()))
    part = layer.update(7 - cut, 3, Call(training=True, rng=_generator(), offset=cut))
    for all_steps, later in zip(whole.hold, part.hold, strict=True):
        np.testing.assert_array_equal(all_steps[cut:], later)


@every_option
def test_chunks_give_the_states_of_the_whole(name):
    """In training: chunks that start from the state before draw what the whole draws."""
    net, x = network(optioned(name)), data()

    def run(part, states, offset):
        call = Call(training=True, rng=np.random.default_rng(3), offset=offset)
        return net.run(part, None, states, call)

    whole, tape = run(x, [None, None], 0)
    first, middle = run(x[:, :2], [None, None], 0)
    second, end = run(x[:, 2:], middle.final_state, 2)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=1e-12)
    for got, want in zip(leaves(end.final_state), leaves(tape.final_state), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


# -- streams, files ---------------------------------------------------------------------------


@every_option
@pytest.mark.parametrize("more", [{}, {"learn_initial_state": True, "time_bias": True}], ids=str)
def test_a_stream_predicts_as_the_network(name, more):
    net, x = network(optioned(name, **more)), data()
    whole, stream = net.predict(x), net.stream(4)
    for t in range(6):
        np.testing.assert_allclose(stream.step(x[:, t]), whole[:, t], rtol=1e-12, atol=1e-14)


@every_option
def test_a_file_keeps_the_options(name, tmp_path):
    net = network(optioned(name))
    net.save(tmp_path / "model.safetensors")
    again = tt.load(tmp_path / "model.safetensors")
    assert again.layers == net.layers
    assert again.predict(data()).tobytes() == net.predict(data()).tobytes()


@every_option
def test_it_learns(name):
    layer, own = OPTIONS[name]
    x = data(rows=40)
    y = np.cumsum(x[..., :1], axis=1) / 4
    net = tt.Network([layer(12, return_sequences=True, **own), Dense(1)], 3, seed=0)
    history = tt.train(
        net, x, y, epochs=25, batch_size=20, seed=0, optimizer=tt.optimizers.Adam(0.02)
    )
    assert history["loss"][-1] < 0.6 * history["loss"][0]


# -- messages ---------------------------------------------------------------------------------

WRONG = {
    "layer_norm=True over one unit": (
        lambda: LSTM(1, layer_norm=True),
        (
            "layer_norm must be False in a layer of one unit; got True. "
            "A single unit has nothing to be normalised over, and would be constant."
        ),
    ),
    "zoneout": (lambda: GRU(3, zoneout=1.0), "zoneout must be a number in [0, 1); got 1.0."),
    "cell_zoneout": (
        lambda: LSTM(3, cell_zoneout=-0.1), "cell_zoneout must be a number in [0, 1); got -0.1.",
    ),
    "hidden_clip": (
        lambda: RNN(3, hidden_clip=0), "hidden_clip must be a finite number > 0; got 0.",
    ),
    "cell_clip": (
        lambda: LSTM(3, cell_clip=-1.0), "cell_clip must be a finite number > 0; got -1.0.",
    ),
    "proj_size": (lambda: LSTM(3, proj_size=0), "proj_size must be an integer >= 1; got 0."),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options(name):
    make, message = WRONG[name]
    with pytest.raises(InvalidArgumentError) as caught:
        make()
    assert str(caught.value) == message


def test_a_decoder_must_have_the_sizes_of_its_encoder():
    with pytest.raises(InvalidArgumentError) as caught:
        tt.Network([LSTM(4, return_state=True, return_sequences=True), LSTM(4, proj_size=2)], 2)
    assert str(caught.value) == (
        "layer 0 (LSTM) hands its state to layer 1 (LSTM), which must have the same units, states"
        " and directions. Make them equal, or set return_state=False in layer 0."
    )


# -- graphs -----------------------------------------------------------------------------------


def test_a_projected_layer_starts_from_vectors_of_its_two_widths():
    x = tt.Input(3, name="x")
    h, c = tt.Input(2, name="h", time=False), tt.Input(4, name="c", time=False)
    net = tt.Network(inputs=[x, h, c], outputs=LSTM(4, proj_size=2)(x, initial_state=(h, c)))
    start = {"h": np.ones((4, 2)), "c": np.ones((4, 4))}
    assert net.predict({"x": data(), **start}).shape == (4, 2)
    with pytest.raises(InvalidArgumentError) as caught:
        tt.Network(inputs=[x, c], outputs=LSTM(4, proj_size=2)(x, initial_state=(c, c)))
    assert str(caught.value) == (
        "layer 0 (LSTM) needs an initial_state of vectors (h, c) of (2, 4) features;"
        " got (N, 4) and (N, 4)."
    )


def test_an_encoder_with_options_hands_its_state_to_a_decoder():
    x = tt.Input(3)
    options = {"proj_size": 2, "layer_norm": True, "zoneout": 0.1, "cell_clip": 0.5}
    y, state = LSTM(4, return_state=True, **options)(x)
    outputs = LSTM(4, return_sequences=True, **options)(x, initial_state=state)
    net = tt.Network(inputs=x, outputs=[outputs, y], dtype="float64", seed=0)
    targets = [np.ones((4, 6, 2)), np.zeros((4, 2))]
    report = tt.check_gradients(net, data(), targets)
    assert report.ok, str(report)
