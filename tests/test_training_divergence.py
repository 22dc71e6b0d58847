"""Divergence: its origin, the advice, and finite weights at the end."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.layers import GRU, LSTM, RNN, Dense, Dropout
from throughtime.optimizers import SGD, Adagrad, Adam, RMSProp
from throughtime.serialization.container import read_container
from throughtime.training import Callback, EarlyStopping, train

TRY = "Try a lower learning rate (it is 0.1), or clip_norm=1.0, or a network of dtype='float64'."
BACK = "the last weights with a finite loss are restored"


def linear(**options):
    """h_t = x_t + 1e10 h_{t-1}: beyond float32 four steps after the first impulse."""
    layers = [RNN(1, activation="identity", **options), Dense(1)]
    net = tt.Network(layers, n_features=1)
    for name in net.params:
        net.params[name] = 0.0 if "b" in name.rpartition(".")[2] else 1.0
        if name.endswith("W_h"):
            net.params[name] = 1e10
    return net


def impulse(n=4, steps=8, row=3, at=2):
    x = np.zeros((n, steps, 1))
    x[row, at] = 1.0
    return x


def diverges(net, x, y, **options):
    defaults = {"optimizer": SGD(0.1), "shuffle": False, "batch_size": 2, "epochs": 3}
    with pytest.raises(tt.errors.DivergedError) as caught:
        train(net, x, y, **(defaults | options))
    assert np.isfinite(net.params.flat).all()
    assert caught.value.history.stopped == "diverged"
    return str(caught.value)


@pytest.mark.parametrize("return_sequences", [True, False])
def test_forward(return_sequences):
    net = linear(return_sequences=return_sequences)
    y = np.zeros((4, 8, 1) if return_sequences else (4, 1))
    assert diverges(net, impulse(), y) == (
        "training diverged in epoch 1, batch 2 of 2: the output of layer 0 (RNN) became infinite"
        f" at time step 6; {BACK}. {TRY}"
    )


@pytest.mark.parametrize("return_sequences", [True, False])
def test_forward_in_a_layer_that_runs_in_reverse(return_sequences):
    net = linear(return_sequences=return_sequences, reverse=True)
    y = np.zeros((4, 8, 1) if return_sequences else (4, 1))
    message = diverges(net, impulse(at=6), y)
    assert "the output of layer 0 (RNN) became infinite at time step 2;" in message


@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_forward_in_the_backward_half(return_sequences, merge):
    net = linear(return_sequences=return_sequences, bidirectional=True, merge=merge)
    net.params["0.forward.W_x"] = 0.0
    y = np.zeros((4, 8, 1) if return_sequences else (4, 1))
    message = diverges(net, impulse(at=6), y)
    assert "the output of layer 0 (RNN) became infinite at time step 2;" in message


def test_forward_in_a_later_layer_after_dropout():
    layers = [
        GRU(3, return_sequences=True, dropout=0.5),
        RNN(1, activation="identity"),
        Dense(1),
    ]
    net = tt.Network(layers, n_features=1)
    net.params["1.W_x"], net.params["1.W_h"], net.params["1.b"] = 0.0, 1e10, 1.0
    message = diverges(net, np.zeros((4, 8, 1)), np.zeros((4, 1)))
    assert "batch 1 of 2: the output of layer 1 (RNN) became infinite at time step 4;" in message


def test_forward_at_a_masked_length():
    net = linear()
    x = impulse(at=0)
    lengths = [8, 8, 8, 5]
    message = diverges(net, x, np.zeros((4, 1)), lengths=lengths)
    assert "became infinite at time step 4;" in message


def test_forward_in_the_output_layer():
    net = linear(return_sequences=True)
    net.params["0.W_h"], net.params["1.W"] = 0.0, 3e38
    x = impulse()
    x[3, 5] = 10.0
    message = diverges(net, x, np.zeros((4, 8, 1)))
    assert "batch 2 of 2: the output of layer 1 (Dense) became infinite at time step 5;" in message


def test_a_loss_that_overflows_alone():
    net = tt.Network([RNN(2), Dense(1)], n_features=1, dtype="float64")
    message = diverges(net, impulse(), np.full((4, 1), 1e200))
    assert message == (
        "training diverged in epoch 1, batch 1 of 2: the outputs are finite, but their loss"
        f" is not; {BACK}. Try a lower learning rate (it is 0.1), or clip_norm=1.0."
    )


@pytest.mark.parametrize("return_sequences", [True, False])
def test_backward(return_sequences):
    # The input is zero, so the forward pass stays at zero; backward, a step multiplies by 1e10.
    net = linear(return_sequences=return_sequences)
    y = np.zeros((4, 8, 1) if return_sequences else (4, 1))
    y[2:, -1] = 1.0
    before = net.params.flat.copy()
    message = diverges(net, np.zeros((4, 8, 1)), y, optimizer=SGD(1e-30))
    assert message == (
        "training diverged in epoch 1, batch 2 of 2: the gradient of 0.W_x, in layer 0 (RNN)"
        f" became NaN at time step 3; {BACK}. Try a lower learning rate (it is 1e-30), or"
        " clip_norm=1.0, or a network of dtype='float64'."
    )
    np.testing.assert_array_equal(net.params.flat, before)


def test_backward_in_a_later_layer():
    layers = [
        LSTM(2, return_sequences=True),
        RNN(1, activation="identity", return_sequences=True, use_bias=False),
        Dense(1),
    ]
    net = tt.Network(layers, n_features=1)
    net.params["1.W_x"], net.params["1.W_h"], net.params["2.W"] = 0.0, 1e10, 1.0
    y = np.zeros((2, 8, 1))
    y[:, 6] = 1.0
    message = diverges(net, np.zeros((2, 8, 1)), y)
    assert "layer 1 (RNN) became NaN at time step 2;" in message


def test_backward_at_the_loss():
    class Steep(tt.losses.MSE):
        def terms(self, y, target, *limits):
            return y * 0.0, np.full_like(y, np.inf)

    net = tt.Network([RNN(2), Dense(1)], n_features=1)
    message = diverges(net, impulse(), np.zeros((4, 1)), loss=Steep())
    assert "batch 1 of 2: the derivative of the loss is infinite;" in message


def test_an_update_that_is_too_large():
    net = tt.Network([RNN(2), Dense(1)], n_features=1, seed=1)
    before = net.params.flat.copy()
    y = np.full((4, 1), 1e3)
    message = diverges(net, impulse(), y, optimizer=SGD(1e38))
    assert message == (
        "training diverged in epoch 1, batch 1 of 2: the update made 0.b, of layer 0 (RNN),"
        f" infinite; {BACK}. Try a lower learning rate (it is 1e+38), or clip_norm=1.0, or a"
        " network of dtype='float64'."
    )
    np.testing.assert_array_equal(net.params.flat, before)


@pytest.mark.parametrize(
    ("optimizer", "moment"),
    [
        (Adam(1e-3), "square_mean"),
        (RMSProp(1e-3), "square_mean"),
        (Adagrad(1e-3), "square_sum"),
    ],
)
def test_a_gradient_whose_square_overflows(optimizer, moment):
    net = tt.Network([RNN(2), Dense(1)], n_features=1, seed=1)
    before = net.params.flat.copy()
    y = np.full((4, 1), -1e20)
    message = diverges(net, impulse(), y, optimizer=optimizer, loss="half_mse", batch_size=4)
    assert message == (
        f"training diverged in epoch 1, batch 1 of 1: the optimizer's {moment} for 1.b, of layer 1"
        f" (Dense), overflowed with a gradient of norm 1.03e+20; {BACK}. Try a lower learning rate"
        " (it is 0.001), or clip_norm=1.0, or a network of dtype='float64'."
    )
    np.testing.assert_array_equal(net.params.flat, before)
    train(net, impulse(), y, optimizer=optimizer, loss="half_mse", epochs=1, clip_norm=1.0)


def test_a_large_gradient_alone_is_no_divergence():
    net = tt.Network([RNN(2), Dense(1)], n_features=1, seed=1)
    history = train(net, impulse(), np.full((4, 1), -1e20), optimizer=SGD(1e-20), epochs=2)
    assert history["grad_norm"][0] > 1e19


def test_large_inputs_are_named_first():
    net = linear()
    message = diverges(net, 1e6 * impulse(), np.zeros((4, 1)), clip_norm=1.0)
    assert message.endswith(
        "Try scaled inputs (the largest is 1e+06), or a lower learning rate (it is 0.1)."
    )


class Break(Callback):
    """Spoils the network at the end of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch
        self.weights = {}

    def on_epoch_end(self, run):
        self.weights[run.epoch] = run.net.params.flat.copy()
        if run.epoch == self.epoch:
            run.net.params["0.W_h"] = 1e30


@pytest.mark.parametrize("callbacks", [[], [EarlyStopping(patience=50)]])
def test_the_best_weights_are_put_back(callbacks):
    net = linear()
    net.params["0.W_h"] = 0.5
    x = np.random.default_rng(0).normal(size=(8, 8, 1))
    spoil = Break(4)
    message = diverges(
        net, x, x.sum(axis=1), epochs=9, validation=(x, x.sum(axis=1)), optimizer=Adam(0.01),
        callbacks=[*callbacks, spoil],
    )  # fmt: skip
    assert message.startswith("training diverged in epoch 5, batch 1 of 4: the output of layer 0 ")
    assert "the weights of epoch 4, the best so far, are restored." in message
    np.testing.assert_array_equal(net.params.flat, spoil.weights[4])


def test_what_happened_before_is_kept():
    net = linear()
    net.params["0.W_h"] = 0.5
    x = np.random.default_rng(0).normal(size=(8, 8, 1))
    with pytest.raises(tt.errors.DivergedError) as caught:
        train(net, x, x.sum(axis=1), epochs=9, callbacks=[Break(2)])
    history = caught.value.history
    assert history.epochs == [1, 2]
    assert history.stopped == "diverged"
    assert "diverged" in repr(history)


def test_on_the_validation_data():
    net = linear()
    net.params["0.W_h"], net.params["0.W_x"] = 0.5, 2.0
    x = impulse()
    message = diverges(net, x, np.zeros((4, 1)), validation=(3e38 * impulse(), np.zeros((4, 1))))
    assert message.startswith(
        "training diverged on the validation data after epoch 1: the output of layer 0 (RNN)"
        " became infinite at time step 2; the last weights"
    )


@pytest.mark.parametrize("chunk", [3, 4])
def test_forward_in_a_chunk_of_truncated_backpropagation(chunk):
    net = linear(return_sequences=True)
    net.params["1.W"] = 1e-30
    message = diverges(net, impulse(), np.zeros((4, 8, 1)), tbptt=(chunk, chunk))
    assert "the output of layer 0 (RNN) became infinite at time step 6;" in message


@pytest.mark.parametrize("k2", [2, 5, 8])
def test_forward_where_only_the_last_steps_are_differentiated(k2):
    net = linear()
    x = impulse()
    x[2, 0] = 1.0  # shorter, and so the first to overflow
    message = diverges(net, x, np.zeros((4, 1)), tbptt=(2, k2), lengths=[8, 8, 5, 8])
    assert "the output of layer 0 (RNN) became infinite at time step 4;" in message


def test_forward_in_a_window_longer_than_its_chunk():
    net = linear(return_sequences=True)
    net.params["1.W"] = 1e-30
    message = diverges(net, impulse(), np.zeros((4, 8, 1)), tbptt=(2, 5), optimizer=SGD(1e-30))
    assert "the output of layer 0 (RNN) became infinite at time step 6;" in message


def dropped(return_sequences):
    """An accumulator behind dropout: where it overflows depends on which steps are dropped."""
    layers = [
        Dropout(0.8),
        Dropout(0.3),
        RNN(1, activation="identity", return_sequences=return_sequences),
        Dense(1),
    ]
    net = tt.Network(layers, n_features=1)
    net.params["2.W_x"], net.params["2.W_h"], net.params["2.b"] = 1e30, 1e3, 0.0
    net.params["3.W"] = 1e-38
    return net


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("tbptt", [None, (2, 2), (3, 5)])
def test_forward_with_dropout_before_it(seed, tbptt):
    x = np.ones((1, 40, 1))
    rng = np.random.default_rng([3, seed, 1, 1])  # that of the first batch of the first epoch
    if tbptt is not None:
        rng = np.random.default_rng(int(rng.integers(2**63)))
    with np.errstate(over="ignore", invalid="ignore"):
        _, tape = dropped(True).forward(x, training=True, rng=rng)
    first = int(np.argmin(np.isfinite(tape.outputs[2][0, :, 0])))
    assert first > 0
    message = diverges(dropped(False), x, np.zeros((1, 1)), tbptt=tbptt, seed=seed)
    assert f"the output of layer 2 (RNN) became infinite at time step {first};" in message


@pytest.mark.parametrize("k2", [2, 3, 9])
def test_forward_within_a_network_that_gives_one_output(k2):
    layers = [RNN(1, activation="identity", return_sequences=True), RNN(1), Dense(1)]
    net = tt.Network(layers, n_features=1)
    net.params["0.W_x"], net.params["0.W_h"], net.params["0.b"] = 1.0, 1e10, 0.0
    x = impulse(steps=9)
    message = diverges(net, x, np.zeros((4, 1)), tbptt=(1, k2))
    assert "the output of layer 0 (RNN) became infinite at time step 6;" in message
    hole = np.ones((4, 9), bool)
    hole[:, 4:6] = False
    message = diverges(net, x, np.zeros((4, 1)), tbptt=(1, k2), mask=hole)
    assert "the output of layer 0 (RNN) became infinite at time step 8;" in message


@pytest.mark.parametrize("k2", [4, 6, 9])
def test_backward_where_only_the_last_steps_are_differentiated(k2):
    net = linear()
    y = np.zeros((4, 1))
    y[2:] = 1.0
    x = np.zeros((4, 9, 1))
    options = {"optimizer": SGD(1e-30), "tbptt": (2, k2)}
    net.params["0.W_h"] = 1e20
    message = diverges(net, x, y, **options)
    assert "the gradient of 0.W_x, in layer 0 (RNN) became NaN at time step 6;" in message
    message = diverges(net, x, y, lengths=[9, 9, 7, 7], **options)
    assert "the gradient of 0.W_x, in layer 0 (RNN) became NaN at time step 4;" in message


def test_backward_in_a_chunk_of_truncated_backpropagation():
    net = linear(return_sequences=True)
    y = np.zeros((4, 9, 1))
    y[:, 8] = 1.0
    net.params["1.W"] = 1e20
    message = diverges(net, np.zeros((4, 9, 1)), y, tbptt=(3, 3), optimizer=SGD(1e-30))
    assert (
        "batch 1 of 2: the gradient of 0.W_x, in layer 0 (RNN) became NaN at time step 6;"
        in message
    )


def test_a_checkpoint_is_left_as_it_was(tmp_path):
    net = linear()
    net.params["0.W_h"] = 0.5
    x = np.random.default_rng(0).normal(size=(8, 8, 1))
    path = tmp_path / "run.ckpt"
    diverges(
        net, x, x.sum(axis=1), epochs=9, callbacks=[Break(3)], checkpoint=path, optimizer=Adam(0.01)
    )
    assert read_container(path, "checkpoint")[1]["epoch"] == 3
