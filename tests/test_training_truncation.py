"""Truncated backpropagation against its definition: windows that start from a constant state."""

import numpy as np
import pytest
from network_cases import CELLS, Case, offered
from test_gradients import error_along

import throughtime as tt
from throughtime import losses
from throughtime.errors import InvalidArgumentError
from throughtime.layers import (
    GRU,
    LSTM,
    RNN,
    Conv1D,
    Dense,
    Dropout,
    Flatten,
    LastStep,
    MeanPool,
    MeanPool1D,
    RepeatVector,
)
from throughtime.network import Network
from throughtime.network.params import Params
from throughtime.training.objective import evaluate, evaluate_and_backward
from throughtime.training.truncation import check_chunks, truncated

MSE = losses.get("mse")
T = 7
MASK = np.array(
    [[1, 1, 1, 1, 1, 1, 1], [1, 1, 0, 1, 1, 0, 0], [0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]],
    dtype=bool,
)


def problem(cell="lstm", vector=False, mask=True, windows=False, **options):
    layer, own = CELLS[cell]
    options = offered(layer, **options)
    layers = [
        *([Conv1D(2, 2, dilation=2, padding="causal", activation="tanh")] if windows else []),
        layer(3, return_sequences=True, **own, **options),
        layer(2, return_sequences=not vector, **own, **options),
        Conv1D(2, 2, padding="causal") if windows and not vector else Dense(2),
    ]
    case = Case("", layers)
    rng = np.random.default_rng(1)
    net = case.network()
    x, real = net.check_input(rng.normal(size=(4, T, 2)), mask=MASK if mask else None)
    return net, x, rng.normal(size=(4, 2) if vector else (4, T, 2)), real


def run(net, x, y, real, tbptt, **options):
    """(value, gradient, weight) of every chunk."""
    found = []
    for chunk in truncated(net, x, y, MSE, tbptt, mask=real, **options):
        found.append((chunk.value, net.grads.flat.copy(), chunk.weight))
        net.grads.flat = 0.0
    return found


every_cell = pytest.mark.parametrize("cell", CELLS)


@every_cell
@pytest.mark.parametrize("vector", [False, True], ids=["sequences", "vectors"])
@pytest.mark.parametrize("tbptt", [(T, T), (T, T + 5), (T + 2, T + 2)], ids=str)
def test_one_window_of_all_steps_is_full_bptt(cell, vector, tbptt):
    bare = {"time_bias": True, "learn_initial_state": True}
    net, x, y, real = problem(cell, vector, windows=cell == "lstm", **bare)
    options = {"l1": 0.1, "l2": 0.2, "sample_weight": np.array([1.0, 0.5, 2.0, 3.0])}
    ((value, gradient, weight),) = run(net, x, y, real, tbptt, **options)
    full = evaluate_and_backward(net, x, y, MSE, mask=real, **options)
    assert value == pytest.approx(full.value, rel=1e-14)
    assert weight == full.weight
    np.testing.assert_allclose(gradient, net.grads.flat, rtol=1e-11, atol=1e-14)


@every_cell
@pytest.mark.parametrize("tbptt", [(1, 1), (2, 2), (3, 4), (2, 5), (1, T), (4, 6)], ids=str)
@pytest.mark.parametrize(
    "options",
    [{}, {"time_bias": True, "learn_initial_state": True}, {"windows": True}],
    ids=["", "time bias", "convolutions"],
)
def test_every_chunk_is_its_window_from_a_constant_state(cell, tbptt, options):
    """Differences of the loss of a chunk's steps, run from the state at the window's start."""
    net, x, y, real = problem(cell, **options)
    k1, k2 = tbptt
    weights = np.random.default_rng(2).uniform(0.5, 2.0, size=(4, T))
    chunks = run(net, x, y, real, tbptt, sample_weight=weights)
    assert len(chunks) == -(-T // k1)
    for number, (value, gradient, _) in enumerate(chunks):
        first, end = number * k1, min((number + 1) * k1, T)
        start = max(0, end - max(k2, end - first))
        carried = None
        if start:
            _, tape = net.forward(x[:, :start], mask=real[:, :start])
            carried = tape.final_state

        def objective(start=start, first=first, end=end, carried=carried):
            out, _ = net.forward(x[:, start:end], mask=real[:, start:end], initial_state=carried)
            loss, _ = MSE(out[:, first - start :], y[:, first:end], real[:, first:end],
                          weights[:, first:end])  # fmt: skip
            return loss

        assert value == pytest.approx(objective(), rel=1e-12)
        grads = net.grads.zeros_like()
        grads.flat = gradient
        for name in net.params:
            assert error_along(objective, net.params[name], grads[name]) < 1e-6, (number, name)


def test_a_vector_without_a_mask_sees_the_last_steps():
    net, x, y, _ = problem("gru", vector=True, mask=False)
    ((value, gradient, _),) = run(net, x, y, None, (3, 3))
    _, tape = net.forward(x[:, :-3])
    carried = net.check_states(tape.final_state, 4)
    part = evaluate_and_backward(net, x[:, -3:], y, MSE, initial_state=carried)
    assert value == pytest.approx(part.value, rel=1e-14)
    np.testing.assert_allclose(gradient, net.grads.flat, rtol=1e-12, atol=1e-14)


@every_cell
@pytest.mark.parametrize("windows", [False, True], ids=["", "convolution"])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_vector_sees_the_last_real_steps_of_each_row(cell, steps, windows):
    """Row by row, without its masked steps: a state, then the last k2 of what is left."""
    net, x, y, real = problem(cell, vector=True, windows=windows)
    ((value, gradient, weight),) = run(net, x, y, real, (1, steps))
    assert weight == 3  # the fourth sequence is empty
    expected, total = net.grads.zeros_like(), 0.0
    for row in range(3):
        own = x[row : row + 1, real[row]]
        cut = max(0, own.shape[1] - steps)
        carried = None
        if cut:
            _, tape = net.forward(own[:, :cut])
            carried = net.check_states(tape.final_state, 1)
        net.grads.flat = 0.0
        part = evaluate_and_backward(net, own[:, cut:], y[row : row + 1], MSE,
                                     initial_state=carried)  # fmt: skip
        expected.flat += net.grads.flat / 3
        total += part.value / 3
    assert value == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(gradient, expected.flat, rtol=1e-11, atol=1e-14)


def test_the_state_is_carried_with_the_parameters_of_the_moment():
    """An update between two chunks changes what the window before the second is run with."""
    net, x, y, real = problem("rnn")
    values = []
    for chunk in truncated(net, x, y, MSE, (2, 3), mask=real):
        values.append(chunk.value)
        net.grads.flat = 0.0
        net.params.flat += 0.1
    other, *_ = problem("rnn")
    carried, at = None, 0
    for first, value in zip(range(0, T, 2), values, strict=True):
        end = min(first + 2, T)
        start = max(0, end - 3)
        if start > at:
            _, tape = other.forward(x[:, at:start], mask=real[:, at:start], initial_state=carried)
            carried, at = tape.final_state, start
        out, _ = other.forward(x[:, start:end], mask=real[:, start:end], initial_state=carried)
        expected, _ = MSE(out[:, first - start :], y[:, first:end], real[:, first:end])
        assert value == pytest.approx(expected, rel=1e-12)
        other.params.flat += 0.1


def test_the_chunks_outputs_are_the_whole_output():
    net, x, y, real = problem(windows=True)
    chunks = [chunk.y for chunk in truncated(net, x, y, MSE, (2, 5), mask=real)]
    np.testing.assert_allclose(np.concatenate(chunks, axis=1), net.predict(x, mask=real),
                               rtol=1e-12, atol=1e-14)  # fmt: skip


def test_a_variational_mask_is_one_mask_for_all_chunks():
    """Whatever the lengths of the windows, and whatever draws random numbers before."""
    layers = [
        Dropout(0.5),
        RNN(3, return_sequences=True, activation="identity"),
        Dropout(0.5, variational=True),
        Dense(64),
        Dropout(0.5, variational=True),
    ]
    net = Case("", layers).network()
    x = np.random.default_rng(0).normal(size=(2, T, 2))
    rng = np.random.default_rng(1)
    for tbptt in [(2, 2), (2, 5), (3, 4)]:
        chunks = truncated(net, x, np.zeros((2, T, 64)), MSE, tbptt, training=True, rng=rng)
        y = np.concatenate([chunk.y for chunk in chunks], axis=1)
        alive = y != 0
        assert (alive.any(axis=1) == alive[:, -1]).all()
        assert 0 < alive[:, -1].mean() < 1


@pytest.mark.parametrize("tbptt", [(2, 2), (2, 5), (3, 4), (1, 1)], ids=str)
def test_dropout_does_not_depend_on_where_the_chunks_are_cut(tbptt):
    """The same random numbers at the same steps, in every window that runs over them."""
    layers = [
        Dropout(0.3),
        LSTM(4, return_sequences=True, dropout=0.2, recurrent_dropout=0.3),
        Dropout(0.2, variational=True),
        GRU(3, return_sequences=True, recurrent_dropout=0.2),
        Dropout(0.4),
        Dense(2),
    ]
    net = Case("", layers).network()
    x = np.random.default_rng(0).normal(size=(3, T, 2))
    y = np.zeros((3, T, 2))
    outputs = []
    for pair in (tbptt, (T, T)):
        options = {"training": True, "rng": np.random.default_rng(1)}
        chunks = [chunk.y for chunk in truncated(net, x, y, MSE, pair, **options)]
        outputs.append(np.concatenate(chunks, axis=1))
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (RNN(2, return_sequences=True, bidirectional=True),
         "it reads each sequence from its end, which a stream has not seen yet"),
        (GRU(2, reverse=True),
         "it reads each sequence from its end, which a stream has not seen yet"),
        (MeanPool(), "it looks at all steps at once"),
        (Flatten(3), "it needs all steps of a sequence at once"),
        (MeanPool1D(2), "it does not put out one step for each step that it takes"),
        (Conv1D(2, 3, padding="same"),
         ("with padding 'same' its output at a step depends on later ones; with padding='causal' it"
          " does not")),
        (Conv1D(2, 1, stride=3), "with stride 3 it does not put out one step for each it takes"),
    ],
    ids=["bidirectional", "reverse", "pool", "flatten", "windows", "same", "stride"],
)  # fmt: skip
def test_networks_that_cannot_be_cut_are_refused(layer, reason):
    net = Network([layer], 2)
    with pytest.raises(InvalidArgumentError) as caught:
        check_chunks(net)
    assert str(caught.value) == (
        f"tbptt must be None for this network: layer 0 ({layer.kind}) cannot be cut into chunks of"
        f" time, because {reason}."
    )


def test_a_decoder_is_refused():
    net = Network([LSTM(2, return_state=True), RepeatVector(3), LSTM(2)], 2)
    with pytest.raises(InvalidArgumentError, match=r"its decoder starts from its end\.$"):
        check_chunks(net)


def test_the_last_step_of_many_can_be_cut():
    check_chunks(Network([RNN(2, return_sequences=True), LastStep(), Dense(1)], 2))


def test_nothing_real_in_a_chunk_costs_nothing():
    net, x, y, _ = problem()
    real = np.zeros((4, T), dtype=bool)
    for value, gradient, weight in run(net, x, y, real, (3, 3)):
        assert (value, weight) == (0.0, 0.0)
        assert not gradient.any()


@pytest.mark.parametrize("tbptt", [(2, 2), (2, 5), (3, 3), (99, 99)])
def test_a_sum_and_its_penalty_are_shared_by_the_chunks(tbptt):
    layers = [RNN(3, return_sequences=True, l2=0.1), Dense(2)]
    net = tt.Network(layers, n_features=2, dtype="float64")
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(3, 7, 2)), rng.normal(size=(3, 7, 2))
    real = np.arange(7) < np.array([[7], [4], [2]])
    options = {"mask": real, "l1": 0.2, "sample_weight": rng.uniform(0.5, 2.0, size=(3, 7))}
    loss = tt.losses.MSE(reduction="sum")
    whole = evaluate(net, x, y, loss, **options)
    chunks = list(truncated(net, x, y, loss, tbptt, **options))
    assert sum(chunk.data_loss for chunk in chunks) == pytest.approx(whole.data_loss, rel=1e-12)
    assert sum(chunk.penalty for chunk in chunks) == pytest.approx(whole.penalty, rel=1e-12)
    for chunk in chunks:
        part = chunk.weight / whole.weight
        assert chunk.penalty == pytest.approx(part * whole.penalty, rel=1e-12)
    for chunk in truncated(
        net, x, y, MSE, tbptt, **options
    ):  # a mean: each chunk has its own objective
        assert chunk.penalty == pytest.approx(whole.penalty, rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_penalty_of_an_epoch_does_not_depend_on_the_chunks(reduction):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(4, 6, 2)), rng.normal(size=(4, 6, 2))
    found = []
    for tbptt in (None, (2, 2)):
        net = tt.Network([RNN(3, return_sequences=True), Dense(2)], n_features=2)
        history = tt.train(
            net, x, y, epochs=1, batch_size=2, loss=tt.losses.MSE(reduction=reduction), l2=0.1,
            tbptt=tbptt, optimizer=tt.optimizers.SGD(1e-30),
        )  # fmt: skip
        found.append(history["penalty"][0])
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_evaluate_is_evaluate_and_backward_without_gradients():
    net, x, y, real = problem()
    options = {"mask": real, "l1": 0.3, "l2": 0.2}
    before = net.grads.flat.copy()
    value = evaluate(net, x, y, MSE, **options)
    assert np.array_equal(net.grads.flat, before)
    both = evaluate_and_backward(net, x, y, MSE, **options)
    assert (value.value, value.data_loss, value.penalty) == (
        both.value, both.data_loss, both.penalty,
    )  # fmt: skip
    assert isinstance(net.grads, Params)
