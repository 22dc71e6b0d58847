"""Divergence in graphs: its origin by the name of the layer."""

import numpy as np
import pytest
from test_training_divergence import BACK, TRY, diverges

import throughtime as tt
from throughtime.layers import GRU, RNN, Add, Concatenate, Dense, Dropout

RNG = np.random.default_rng(0)


def explode(net, owner, at=1e10):
    """Let the layer compute h_t = sum(x_t) + 1e10 h_{t-1}."""
    for name in net.params.owned(owner):
        net.params[name] = 0.0 if "b" in name.rpartition(".")[2] else 1.0
        if name.endswith("W_h"):
            net.params[name] = at


def two(**options):
    """Two sequences with steps of their own; the second is read by a layer that explodes."""
    one, other = tt.Input(2, name="one"), tt.Input(1, name="other")
    h = GRU(3, name="calm")(one)
    bad = RNN(1, activation="identity", name="wild", **options)(Dropout(0.5)(other))
    end = Dense(1, name="end")(Concatenate()([h, bad]))
    net = tt.Network(inputs=[one, other], outputs={"price": end, "size": Dense(1)(h)})
    explode(net, "wild")
    return net


@pytest.mark.parametrize("reverse", [False, True])
def test_forward(reverse):
    x = {"one": RNG.normal(size=(4, 5, 2)), "other": np.ones((4, 9, 1))}
    net = two(reverse=reverse)
    y = {"price": np.zeros((4, 1)), "size": np.zeros((4, 1))}
    message = diverges(net, x, y, batch_size=4)
    start = "training diverged in epoch 1, batch 1 of 1: the output of layer 'wild' (RNN) became"
    assert message.startswith(f"{start} infinite at time step ")
    assert message.endswith(f"; {BACK}. {TRY}")


@pytest.mark.parametrize("again", [False, True])
def test_the_call_of_a_shared_layer_is_named(again):
    one, other = tt.Input(1, name="one"), tt.Input(1, name="other")
    twin = RNN(1, activation="identity", name="twin")
    end = Dense(1)(Concatenate()([twin(one), twin(other)]))
    net = tt.Network(inputs=[one, other], outputs=end)
    explode(net, "twin")
    x = {name: np.zeros((4, 8, 1)) for name in ("one", "other")}
    x["other" if again else "one"][2, 3] = 1.0
    message = diverges(net, x, np.zeros((4, 1)), batch_size=4)
    named = "layer 'twin' (RNN, call 2)" if again else "layer 'twin' (RNN)"
    assert f": the output of {named} became infinite at time step 7;" in message


def test_a_layer_that_starts_from_a_state():
    one = tt.Input(1, name="one")
    h, state = RNN(1, activation="identity", return_state=True, name="first")(one)
    other = RNN(1, activation="identity", name="second")(one, initial_state=state)
    net = tt.Network(inputs=one, outputs=Dense(1)(Add()([h, other])))
    explode(net, "first", 0.0)
    explode(net, "second")
    x = np.zeros((4, 8, 1))
    x[1, 7] = 1e-3
    message = diverges(net, x, np.zeros((4, 1)), batch_size=4)
    assert ": the output of layer 'second' (RNN) became infinite at time step 4;" in message


def test_in_chunks_the_step_is_that_of_the_sequence():
    one, static = tt.Input(1, name="one"), tt.Input(1, name="static", time=False)
    z = Concatenate()([one, static])
    h = RNN(1, activation="identity", return_sequences=True, name="wild")(z)
    net = tt.Network(inputs=[one, static], outputs=Dense(1)(h))
    explode(net, "wild")
    x = {"one": np.zeros((4, 8, 1)), "static": np.zeros((4, 1))}
    x["one"][3, 2] = 1.0
    late = np.repeat([[0.0] * 6 + [1.0] * 2], 4, axis=0)  # the others teach nothing
    message = diverges(net, x, np.zeros((4, 8, 1)), tbptt=(3, 3), sample_weight=late)
    assert ": the output of layer 'wild' (RNN) became infinite at time step 6;" in message


def test_the_loss_of_one_output():
    one = tt.Input(1, name="one")
    h = GRU(2)(one)
    net = tt.Network(
        inputs=one, outputs={"price": Dense(1)(h), "size": Dense(1)(h)}, dtype="float64"
    )
    y = {"price": np.zeros((4, 1)), "size": np.full((4, 1), 1e200)}
    message = diverges(net, np.zeros((4, 3, 1)), y)
    assert ": the outputs are finite, but the loss of output 'size' is not;" in message


def test_backward_from_the_loss_of_one_output():
    def value(y, target):
        return np.abs(y - target)

    def slope(y, target):
        return np.full_like(y, np.inf)

    one = tt.Input(1, name="one")
    h = GRU(2, return_sequences=True)(one)
    net = tt.Network(inputs=one, outputs={"price": Dense(1)(h), "size": Dense(1)(h)})
    loss = {"price": "mse", "size": tt.losses.Custom(value, slope)}
    y = {name: np.zeros((4, 3, 1)) for name in loss}
    message = diverges(net, np.zeros((4, 3, 1)), y, loss=loss)
    assert ": the derivative of the loss of output 'size' is infinite at time step 2;" in message


def steep(branch):
    """Finite outputs whose gradient overflows in one of two branches."""
    one = tt.Input(1, name="one")
    h = RNN(1, activation="identity", return_sequences=True, name="base")(one)
    left = RNN(1, activation="identity", return_sequences=True, name="left")(h)
    right = RNN(1, activation="identity", return_sequences=True, name="right")(h)
    net = tt.Network(inputs=one, outputs=Dense(1, name="end")(Add()([left, right])))
    for name in ("base", "left", "right"):
        explode(net, name, 1e10 if name == branch else 0.0)
    return net


@pytest.mark.parametrize("branch", ["left", "right", "base"])
def test_backward_in_a_branch(branch):
    message = diverges(steep(branch), np.zeros((4, 8, 1)), np.ones((4, 8, 1)))
    assert f": the gradient of {branch}.W_x, in layer '{branch}' (RNN) became NaN at" in message


@pytest.mark.parametrize("again", [False, True])
def test_backward_in_a_call_of_a_shared_layer(again):
    one, other = tt.Input(1, name="one"), tt.Input(1, name="other")
    twin = RNN(1, activation="identity", return_sequences=True, name="twin")
    calm, wild = twin(one), twin(other)
    ends = {"calm": Dense(1)(wild if again else calm), "other": Dense(1)(calm if again else wild)}
    net = tt.Network(inputs=[one, other], outputs=ends)
    explode(net, "twin")
    x = {name: np.zeros((4, 8, 1)) for name in ("one", "other")}
    y = {"calm": np.ones((4, 8, 1)), "other": np.zeros((4, 8, 1))}
    message = diverges(net, x, y)
    named = "layer 'twin' (RNN, call 2)" if again else "layer 'twin' (RNN)"
    assert f": the gradient of twin.W_x, in {named} became NaN at time step " in message


def test_backward_through_a_state():
    one, other = tt.Input(1, name="one"), tt.Input(1, name="other")
    _, state = RNN(1, activation="identity", return_state=True, name="encoder")(one)
    h = RNN(1, activation="identity", return_sequences=True, name="decoder")(
        other, initial_state=state
    )
    net = tt.Network(inputs=[one, other], outputs=Dense(1)(h))
    explode(net, "decoder", 1.0)
    explode(net, "encoder")
    x = {name: np.zeros((4, 8, 1)) for name in ("one", "other")}
    message = diverges(net, x, np.ones((4, 8, 1)))
    assert ": the gradient of encoder.W_x, in layer 'encoder' (RNN) became NaN at" in message
    explode(net, "decoder", 1e10)
    explode(net, "encoder", 0.0)
    message = diverges(net, x, np.ones((4, 8, 1)))
    assert ": the gradient of decoder.W_x, in layer 'decoder' (RNN) became NaN at" in message


def test_a_sum_of_gradients_that_overflows():
    one = tt.Input(1, name="one")
    h = Dense(1, name="base")(one)
    net = tt.Network(
        inputs=one,
        outputs={"a": Dense(1, name="a")(h), "b": Dense(1, name="b")(h)},
        dtype="float64",
    )
    net.params.flat = 0.0
    net.params["a.W"] = net.params["b.W"] = 1.5e308
    y = {"a": -np.ones((1, 1, 1)), "b": -np.ones((1, 1, 1))}
    message = diverges(net, np.zeros((1, 1, 1)), y, loss=tt.losses.MAE())
    assert message.startswith(
        "training diverged in epoch 1, batch 1 of 1: the gradient of the output of layer 'base'"
        " (Dense), a sum, became infinite at time step 0;"
    )


def test_vectors_that_become_infinite_before_they_are_a_state():
    signal, static = tt.Input(2, name="signal"), tt.Input(1, name="static", time=False)
    begin = Dense(3, name="begin")(static)
    net = tt.Network(inputs=[signal, static], outputs=Dense(1)(GRU(3)(signal, initial_state=begin)))
    net.params["begin.W"] = 1e30
    x = {"signal": np.zeros((4, 3, 2)), "static": np.full((4, 1), 1e30)}
    message = diverges(net, x, np.zeros((4, 1)))
    assert ": the output of layer 'begin' (Dense) became infinite;" in message
