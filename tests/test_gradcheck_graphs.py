"""The public gradient check of networks with several inputs and outputs."""

import numpy as np
import pytest
from training_graphs import LOSSES, forked, forked_data, pair, stepwise, stepwise_data, translator

import throughtime as tt
from throughtime.activations import Custom
from throughtime.errors import InvalidArgumentError
from throughtime.gradcheck import check_gradients
from throughtime.layers import GRU, LSTM, Add, Dense, Dropout

WRONG = Custom(np.sin, derivative=lambda z: np.cos(z) * 1.001)


def names(report):
    return [row.name for row in report.rows if not row.name.startswith("direction")]


def test_inputs_have_their_names():
    net = forked("float32")
    x, y = forked_data(3, 4)
    before = net.params.flat.copy()
    report = check_gradients(net, x, y, LOSSES, loss_weights={"kind": 0.2}, l2=0.1)
    assert report.ok, str(report)
    assert names(report)[-2:] == ["x['signal']", "x['static']"]
    np.testing.assert_array_equal(net.params.flat, before)
    alone = [
        check_gradients(
            net, x, y, LOSSES, loss_weights={"price": 0.0, "kind": 0.0, name: 1.0}
        ).value
        for name in ("price", "kind")
    ]
    penalty = report.value - alone[0] - 0.2 * alone[1]
    weights = [net.params[name] for name in net.params if net.params.is_weight(name)]
    assert penalty == pytest.approx(0.05 * sum((W.astype(float) ** 2).sum() for W in weights))


def test_every_output_with_its_own_steps_and_weights():
    x, y = stepwise_data(4)
    y["price"][1, 5:] = np.nan
    report = check_gradients(
        stepwise(dropout=0.3), x, y, LOSSES, lengths={"right": [7, 5, 1, 0]}, training=True,
        sample_weight={"kind": [1.0, 2.0, 0.5, 1.0]},
    )  # fmt: skip
    assert report.ok, str(report)


def test_inputs_of_different_lengths_and_shared_parameters():
    rng = np.random.default_rng(0)
    x = {"first": list(rng.normal(size=(3, 5, 2))), "second": list(rng.normal(size=(3, 4, 2)))}
    x["first"][1] = x["first"][1][:2]
    x["second"][2] = x["second"][2][:1]
    report = check_gradients(pair(), x, [0, 1, 1], "binary_crossentropy")
    assert report.ok, str(report)
    assert names(report) == [
        "twin.W_x", "twin.W_h", "twin.b", "twin.b_hn", "same.W", "same.b", "x['first']",
        "x['second']",
    ]  # fmt: skip


def test_tokens_have_no_gradient_and_states_have_names():
    net = translator(5, 3)
    rng = np.random.default_rng(0)
    x = {"source": rng.integers(0, 5, (2, 4)), "target": rng.integers(0, 5, (2, 3))}
    y = rng.integers(0, 5, (2, 3))
    report = check_gradients(net, x, y, "categorical_crossentropy")
    assert report.ok, str(report)
    assert not any(name.startswith("x") for name in names(report))
    state = {"encoder": (rng.normal(size=(2, 3)),)}
    report = check_gradients(net, x, y, "categorical_crossentropy", initial_state=state)
    assert report.ok, str(report)
    assert names(report)[-1] == "initial_state['encoder'][0]"


def test_a_second_call_has_its_number():
    one = tt.Input(2)
    twin = LSTM(2, return_sequences=True, name="twin")
    net = tt.Network(inputs=one, outputs=Add()([twin(one), GRU(2, return_sequences=True)(one)]))
    x, y = np.zeros((2, 3, 2)), np.ones((2, 3, 2))
    _, tape = net.forward(x)
    report = check_gradients(net, x, y, initial_state=tape.final_state)
    assert report.ok, str(report)
    assert names(report)[-4:] == [
        "x", "initial_state['twin'][0]", "initial_state['twin'][1]", "initial_state[1][0]",
    ]  # fmt: skip


def test_vectors_as_states_and_dropout():
    signal, static = tt.Input(2, name="signal"), tt.Input(3, name="static", time=False)
    begin = Dropout(0.4)(Dense(4, activation="tanh", name="begin")(static))
    h = GRU(4, return_sequences=True)(signal, initial_state=begin)
    net = tt.Network(inputs=[signal, static], outputs=[Dense(1)(h), begin])
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 3))]
    y = [rng.normal(size=(3, 4, 1)), rng.normal(size=(3, 4))]
    report = check_gradients(net, x, y, training=True)
    assert report.ok, str(report)


@pytest.mark.parametrize("where", ["price", "kind"])
def test_a_wrong_derivative_in_one_head_is_found(where):
    signal = tt.Input(2, name="signal")
    h = GRU(3, name="base")(signal)
    ends = {
        name: Dense(1, activation=WRONG if name == where else "tanh", name=name)(h)
        for name in LOSSES
    }
    net = tt.Network(inputs=signal, outputs=ends)
    rng = np.random.default_rng(0)
    y = {name: rng.normal(size=(3, 1)) for name in LOSSES}
    report = check_gradients(net, rng.normal(size=(3, 4, 2)), y)
    wrong = {row.name for row in report.rows if row.error > report.tolerance}
    other = "kind" if where == "price" else "price"
    assert {f"{where}.W", f"{where}.b", "base.W_x", "x", "direction 1"} <= wrong
    assert not {f"{other}.W", f"{other}.b"} & wrong


def test_the_loss_of_the_training():
    net = forked()
    x, y = forked_data()
    tt.train(
        net, x, y, loss=LOSSES, loss_weights={"kind": 0.5}, metrics={"price": ["mae"]}, epochs=1
    )
    wanted = check_gradients(net, x, y, LOSSES, loss_weights={"kind": 0.5}, max_numbers=1)
    assert check_gradients(net, x, y, max_numbers=1).value == wanted.value


def test_what_is_not_finite():
    x, y = forked_data()
    y["price"] = np.full_like(y["price"], 1e200)
    with pytest.raises(InvalidArgumentError) as caught:
        check_gradients(forked(), x, y, LOSSES)
    assert str(caught.value) == "the objective must be finite to be differentiated; got inf."
