"""Networks: states, dropout, initial parameters, descriptions."""

import json

import numpy as np
import pytest
from network_cases import CASES, Case, leaves

from throughtime.initializers import Custom
from throughtime.layers import (
    GRU,
    LSTM,
    RNN,
    Dense,
    Dropout,
)
from throughtime.network import Network

SEQ = {"return_sequences": True}


def refused(error, action, *args, **options):
    with pytest.raises(error) as caught:
        action(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?", ")"))
    return message


# -- states ---------------------------------------------------------------------------------


def test_a_state_by_layer_number_and_without_its_tuple():
    net = Case("", [Dense(2), GRU(3)]).network()
    x, h = np.ones((4, 5, 2)), np.full((4, 3), 0.3)
    a, _ = net.forward(x, initial_state=[None, (h,)])
    b, _ = net.forward(x, initial_state={1: h})
    np.testing.assert_array_equal(a, b)


def test_a_state_with_a_time_bias_goes_on_unless_it_says_otherwise():
    net = Case("", [GRU(3, time_bias=True)]).network()
    x, h = np.ones((4, 5, 2)), np.full((4, 3), 0.3)
    results = [
        net.forward(x, initial_state=[state])[0]
        for state in (h, (h, np.ones((4, 1))), (h, np.zeros((4, 1))))
    ]
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.allclose(results[0], results[2])


def test_a_given_state_replaces_the_one_handed_on_and_goes_no_further():
    layers = [
        GRU(3, return_state=True, **SEQ), GRU(3, **SEQ), GRU(3, **SEQ), Dense(1),
    ]  # fmt: skip
    net = Case("", layers).network()
    x, h = np.random.default_rng(0).normal(size=(2, 4, 2)), np.full((2, 3), 0.3)
    plain = [GRU(3, **SEQ), *layers[1:]]
    other = Case("", plain).network()
    y, tape = net.forward(x, initial_state={1: h})
    expected, other_tape = other.forward(x, initial_state={1: h})
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(net.backward(tape, y), other.backward(other_tape, y))
    np.testing.assert_array_equal(net.grads.flat, other.grads.flat)


# -- dropout ----------------------------------------------------------------------------------


def test_dropout_drops_its_share_and_keeps_the_mean():
    net = Network([Dropout(0.3)], 50, "float64")
    x = np.ones((40, 30, 50))
    y, _ = net.forward(x, training=True)
    assert set(np.unique(y)) == {0.0, 1 / 0.7}
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert (y != y[:, :1]).any()
    np.testing.assert_array_equal(net.predict(x), x)


@pytest.mark.parametrize(
    "before",
    [Dropout(0.0), RNN(2, return_sequences=True), GRU(2, dropout=0.0, return_sequences=True)],
    ids=str,
)
def test_what_drops_nothing_draws_nothing(before):
    """The random numbers of the next layer are those that it draws alone."""
    x = np.ones((3, 4, 2))
    dropped = [
        Network([*layers, Dropout(0.5)], 2).forward(x, training=True)[0] == 0.0
        for layers in ([], [before])
    ]
    np.testing.assert_array_equal(*dropped)
    assert 0 < dropped[0].sum() < dropped[0].size


def test_variational_dropout_is_one_mask_for_all_steps():
    x = np.ones((40, 30, 50))
    y, _ = Network([Dropout(0.3, variational=True)], 50).forward(x, training=True)
    assert (y == y[:, :1]).all()
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
def test_dropout_of_recurrent_layers_acts_in_training_alone(layer):
    net = Case("", [layer(3, dropout=0.4, recurrent_dropout=0.4, **SEQ)]).network()
    x = np.ones((4, 5, 2))
    at_rest, one, two, again, other = (
        net.forward(x)[0],
        net.forward(x, training=True)[0],
        net.forward(x, training=True)[0],
        net.forward(x, training=True, rng=np.random.default_rng(1))[0],
        net.forward(x, training=True, rng=np.random.default_rng(2))[0],
    )
    np.testing.assert_array_equal(at_rest, net.predict(x))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, at_rest)
    assert not np.array_equal(again, other)


# -- itself -----------------------------------------------------------------------------------


def test_layers_draw_their_own_numbers():
    """Two equal layers start apart, and a layer does not depend on its neighbours' sizes."""
    net = Network([GRU(4, **SEQ), GRU(4, **SEQ), Dense(4), Dense(4)], 4, seed=3)
    for name in ("W_x", "W_h"):
        assert not np.array_equal(net.params[f"0.{name}"], net.params[f"1.{name}"])
    assert not np.array_equal(net.params["2.W"], net.params["3.W"])
    wider = Network([GRU(4, **SEQ), GRU(5, **SEQ), Dense(4)], 4, seed=3)
    np.testing.assert_array_equal(net.params["0.W_x"], wider.params["0.W_x"])


def test_seeds_decide_the_parameters():
    def start(seed, dtype="float64"):
        return Network([LSTM(4), Dense(2)], 3, dtype, seed)

    assert start(1).params == start(1).params
    assert start(1).params != start(2).params
    again = start(2)
    again.reset_parameters(1)
    assert (again.params, again.seed) == (start(1).params, 1)
    np.testing.assert_array_equal(start(1, "float32").params.flat,
                                  start(1).params.flat.astype("float32"))  # fmt: skip


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
def test_every_gate_is_initialised_by_itself(layer):
    seen = []

    def remember(shape, rng):
        seen.append(shape)
        return np.full(shape, len(seen))

    net = Network([layer(3, initializer=remember, recurrent_initializer=Custom(remember),
                         bidirectional=True)], 2)  # fmt: skip
    gates = len(net.layers[0].cell.gates)
    assert seen == ([(2, 3)] * gates + [(3, 3)] * gates) * 2
    assert sorted({*net.params["0.forward.W_x"][0]}) == list(range(1, gates + 1))
    assert net.params["0.backward.W_h"].max() == 4 * gates


def test_orthogonal_gates_and_forget_bias_are_the_defaults():
    net = Network([LSTM(5, time_bias=True, learn_initial_state=True)], 2, "float64")
    for gate in range(4):
        W = net.params["0.W_h"][:, 5 * gate : 5 * (gate + 1)]
        np.testing.assert_allclose(W.T @ W, np.eye(5), atol=1e-14)
    assert net.params["0.b"].reshape(4, 5).tolist() == [[0] * 5, [1] * 5, [0] * 5, [0] * 5]
    for name in ("b_time", "h_0", "c_0"):
        assert not net.params[f"0.{name}"].any()
    half = Network([LSTM(2, forget_bias=0.5)], 2)
    assert half.params["0.b"].tolist() == [0, 0, 0.5, 0.5, 0, 0, 0, 0]


def test_multipliers_and_weights_by_parameter():
    net = Network([GRU(2, lr_multiplier=0.5), Dense(1), Dense(1, lr_multiplier=0)], 2)
    factors, weights = net.lr_multipliers(), net.weight_mask()
    for name, part in net.params.slices.items():
        assert set(factors[part]) == {{"0": 0.5, "1": 1.0, "2": 0.0}[name[0]]}
        assert set(weights[part]) == {name[2] == "W"}
    assert Network([GRU(2)], 2).lr_multipliers() is None


@pytest.mark.parametrize("rows", [1, 2, 4, 9])
def test_predict_in_parts_is_predict(rows):
    net = Case("", [GRU(3, bidirectional=True, **SEQ), Dense(2)]).network()
    x = np.random.default_rng(0).normal(size=(7, 4, 2))
    lengths = [4, 2, 0, 1, 4, 3, 3]
    whole = net.predict(x, lengths)
    np.testing.assert_allclose(net.predict(x, lengths, batch_size=rows), whole, atol=1e-15)


def test_predict_gives_the_state_that_is_asked_for():
    net = Case("", [LSTM(3, return_state=True), Dense(1)]).network()
    x = np.random.default_rng(0).normal(size=(7, 4, 2))
    y, (h, c) = net.predict(x)
    _, tape = net.forward(x)
    np.testing.assert_array_equal(h, tape.final_state[0][0])
    np.testing.assert_array_equal(c, tape.final_state[0][1])
    assert y.shape == (7, 1)


@pytest.mark.parametrize("case", [c for c in CASES if "custom" not in c.name], ids=str)
def test_a_description_makes_the_same_network(case):
    net = case.network()
    config = json.loads(json.dumps(net.to_config()))
    twin = Network.from_config(config)
    assert twin.layers == net.layers
    assert twin.params == Network(list(net.layers), case.features, "float64").params
    assert twin.to_config() == net.to_config()


def test_one_layer_needs_no_list():
    assert Network(GRU(4), 2).layers == (GRU(4),)


def test_repr_and_leaves():
    net = Network([GRU(4), Dense(1)], 2)
    assert repr(net) == "<Network of GRU, Dense; 93 parameters, float32>"
    assert (net.n_features, net.n_outputs, net.output_shape((5, 7, 2))) == (2, 1, (5, 1))
    assert leaves(net.forward(np.zeros((1, 1, 2)))[1].final_state)[0].shape == (1, 4)
