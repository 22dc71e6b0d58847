"""Gradients of the objective: every loss after a network, with masks, weights and penalties."""

import numpy as np
import pytest
from loss_cases import CASES as LOSS_CASES
from network_cases import FUNCTIONS, Case
from sequence_loss_cases import CASES as SEQUENCE_CASES
from sequence_loss_cases import mask_and_weights
from test_gradients import error_along, largest_error

from throughtime.activations import Softmax
from throughtime.layers import (
    GRU,
    LSTM,
    RNN,
    Dense,
    Dropout,
    Embedding,
    LastStep,
    MeanPool,
    RepeatVector,
)
from throughtime.losses import LOSSES, Custom
from throughtime.training import objective

REAL = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], dtype=bool)

#: Last activations for each loss: first the fused one, then one that is not fused.
ENDS = {
    "ctc": ["softmax", "softmax, not fused", Softmax(temperature=2.5)],
    "msle": ["softplus", "sigmoid"],
    "contrastive": ["softplus", "sigmoid"],
    "poisson": ["exp", "softplus"],
    "binary_crossentropy": ["sigmoid", "softmax"],
    "categorical_crossentropy": ["softmax", "softmax, not fused", Softmax(temperature=2.5)],
    "binary_focal_crossentropy": ["sigmoid", "softmax"],
    "categorical_focal_crossentropy": ["softmax", "softmax, not fused"],
}
ALL = [
    (name, end)
    for name, case in LOSS_CASES.items()
    for end in ENDS.get(case.name, ["identity", "tanh"])
]


def check(net, x, y, loss, options, one_by_one=False):
    def value():
        return objective.evaluate(net, x, y, loss, **options()).value

    result = objective.evaluate_and_backward(net, x, y, loss, **options())
    assert result.value == pytest.approx(value(), rel=1e-14)
    error = largest_error if one_by_one else error_along
    arrays = [(name, net.params[name], net.grads[name]) for name in net.params]
    if result.dx is not None:
        arrays.append(("x", x, result.dx))
    errors = {name: error(value, array, gradient) for name, array, gradient in arrays}
    assert max(errors.values()) < 1e-6, errors


def data(case, steps, end):
    """A target of the right kind; distributions only where the outputs are one."""
    _, target = case.data(steps, seed=4)
    columns = case.loss().outputs(case.columns)
    return target, columns


@pytest.mark.parametrize("one_by_one", [True])
@pytest.mark.parametrize("shape", ["sequences", "vectors"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("name", "end"), ALL, ids=lambda v: v if isinstance(v, str) else "warm")
def test_every_loss(name, end, reduction, shape, one_by_one):
    case = LOSS_CASES[name]
    vectors = shape == "vectors"
    target, columns = data(case, (4,) if vectors else (4, 4), end)
    f = "softmax" if end == "softmax, not fused" else end
    layers = [RNN(2, return_sequences=not vectors), Dense(columns, activation=f)]
    if f != end:
        layers.append(Dropout(0.5))  # not active, but the last layer has no activation now
    net = Case("", layers).network()
    rng = np.random.default_rng(9)
    x, real = net.check_input(rng.normal(size=(4, 4, 2)), mask=REAL)
    weights = rng.uniform(0.2, 2.0, size=4 if vectors else (4, 4))
    y = case.loss().check_target(target, (4, columns) if vectors else (4, 4, columns))
    options = {"mask": real, "sample_weight": weights, "l1": 0.03, "l2": 0.05}
    check(net, x, y, case.loss(reduction), lambda: options, one_by_one)


SEQUENCES = [
    (name, end)
    for name, case in SEQUENCE_CASES.items()
    for end in ENDS.get(case.name, ["identity", "tanh"])
]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("name", "end"), SEQUENCES, ids=lambda v: v if isinstance(v, str) else "warm"
)
def test_every_loss_of_sequences(name, end, reduction):
    case = SEQUENCE_CASES[name]
    f = "softmax" if end == "softmax, not fused" else end
    layers = [RNN(2, return_sequences=True), Dense(case.columns, activation=f)]
    if f != end:
        layers.append(Dropout(0.5))  # not active, but the last layer has no activation now
    net = Case("", layers).network()
    rng = np.random.default_rng(9)
    mask, weights = mask_and_weights("both")
    x, real = net.check_input(rng.normal(size=(*mask.shape, 2)), mask=mask)
    y, target = case.data()
    checked = case.loss().check_target(target, y.shape, real)
    options = {"mask": real, "sample_weight": weights, "l1": 0.03, "l2": 0.05}
    check(net, x, checked, case.loss(reduction), lambda: options, one_by_one=True)


def test_every_loss_is_in_the_suite():
    by_step = {name for name in LOSSES if not LOSSES[name].whole}
    assert {LOSS_CASES[name].name for name, _ in ALL} == by_step
    assert {case.name for case in SEQUENCE_CASES.values()} == set(LOSSES) - by_step
    assert {loss for loss in LOSSES if LOSSES[loss].activation} <= ENDS.keys()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_squares_after_every_activation(name):
    net = Case("", [GRU(2, return_sequences=True), Dense(3, activation=FUNCTIONS[name])]).network()
    rng = np.random.default_rng(2)
    x, real = net.check_input(rng.normal(size=(4, 4, 2)), mask=REAL)
    check(net, x, rng.normal(size=(4, 4, 3)), "mse", lambda: {"mask": real})


def test_a_users_own_loss():
    loss = Custom(lambda y, t: (y - t) ** 4, gradient=lambda y, t: 4 * (y - t) ** 3)
    net = Case("", [LSTM(2, return_sequences=True), Dense(2)]).network()
    rng = np.random.default_rng(2)
    x, real = net.check_input(rng.normal(size=(4, 4, 2)), mask=REAL)
    weights = rng.uniform(0.2, 2.0, size=4)
    options = {"mask": real, "sample_weight": weights}
    check(net, x, rng.normal(size=(4, 4, 2)), loss, lambda: options)


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "learn_initial_state": True},
                                     {"time_bias": True, "l1": 0.2, "l2": None}],
                         ids=["", "bidirectional", "time bias"])  # fmt: skip
def test_penalties_of_layers_and_of_the_call(layer, options):
    """On weights only: biases and learned states are left alone; once for a batch."""
    layers = [layer(2, **{"l1": 0.1, "l2": 0.3, **options}), Dense(2, l2=0.7), Dense(1, l1=0.4)]
    net = Case("", layers).network()
    rng = np.random.default_rng(2)
    x, real = net.check_input(rng.normal(size=(4, 4, 2)), mask=REAL)
    call = {"l1": 0.05, "l2": 0.11}
    y = rng.normal(size=(4, 1))
    check(net, x, y, "mse", lambda: {"mask": real, **call})
    got = objective.evaluate(net, x, y, "mse", mask=real, **call)
    expected = 0.0
    for name, array in net.params.items():
        own = net.layers[int(name[0])]
        if name.split(".")[-1] in ("W", "W_x", "W_h"):
            expected += (call["l1"] + (own.l1 or 0)) * np.abs(array).sum()
            expected += (call["l2"] + (own.l2 or 0)) / 2 * (array**2).sum()
    assert got.penalty == pytest.approx(expected, rel=1e-13)
    assert got.value == got.data_loss + got.penalty


def test_the_penalty_of_an_embedding():
    net = Case("", [Embedding(3, 2, l1=0.2, l2=0.3), MeanPool(), Dense(1)], None).network()
    x, real = net.check_input(np.array([[0, 1, 2, 0]] * 4), mask=REAL)
    check(net, x, np.ones((4, 1)), "mse", lambda: {"mask": real}, one_by_one=True)


@pytest.mark.parametrize("cell", [RNN, GRU, LSTM])
def test_dropout_with_fixed_random_numbers(cell):
    layers = [
        cell(3, return_sequences=True, dropout=0.3, recurrent_dropout=0.4, bidirectional=True),
        cell(2, dropout=0.5, recurrent_dropout=0.2),
        Dense(1),
    ]
    net = Case("", layers).network()
    rng = np.random.default_rng(2)
    x, real = net.check_input(rng.normal(size=(4, 4, 2)), mask=REAL)
    y = rng.normal(size=(4, 1))
    check(net, x, y, "mse", lambda: {
        "mask": real, "training": True, "rng": np.random.default_rng(0), "l2": 0.1,
    })  # fmt: skip


@pytest.mark.parametrize(
    "layers",
    [[LSTM(2, return_state=True), RepeatVector(3), LSTM(2, return_sequences=True), Dense(2)],
     [RNN(2, return_sequences=True), LastStep(), RepeatVector(3), Dense(2)]],
    ids=["decoder", "repeat"],
)  # fmt: skip
@pytest.mark.parametrize("weights", ["none", "sequences", "steps"])
def test_an_empty_sequence_does_not_count(layers, weights):
    """The fourth row has no real step: its outputs are made of nothing."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(4, 4, 2)), rng.normal(size=(4, 3, 2))
    w = {"none": None, "sequences": rng.random(4), "steps": rng.random((4, 3))}[weights]
    results = []
    for rows in (slice(0, 3), slice(0, 4)):
        net = Case("", layers).network()
        array, real = net.check_input(x[rows], mask=REAL[rows])
        own = None if w is None else w[rows]
        done = objective.evaluate_and_backward(net, array, y[rows], "mse", mask=real,
                                               sample_weight=own)  # fmt: skip
        results.append((done.value, done.weight, net.grads.flat.copy()))
    assert results[0][:2] == pytest.approx(results[1][:2], rel=1e-14)
    np.testing.assert_allclose(results[0][2], results[1][2], rtol=1e-12, atol=1e-14)
