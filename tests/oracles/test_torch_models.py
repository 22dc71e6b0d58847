"""Whole models, from tokens or sequences to a masked loss, equal PyTorch to 1e-10 in float64.

The forms of a task: one to many, many to one, many to many, encoder and decoder; each with the
layers that stand around the recurrent ones, through ``objective``, which training uses.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # as everyone writes it
from oracles.torch_modules import CLOSE, make_module, parameters, run_module

import throughtime as tt
from throughtime import losses
from throughtime.training import objective

BATCH, STEPS, FEATURES, UNITS = 5, 6, 3, 4
LENGTHS = np.array([4, 6, 1, 3, 5])
REAL = np.arange(STEPS) < LENGTHS[:, None]
REAL_TORCH = torch.from_numpy(REAL)
SEQUENCE = {"return_sequences": True}
RNG = np.random.default_rng(11)
X = RNG.normal(size=(BATCH, STEPS, FEATURES))
WEIGHTS = RNG.uniform(0.2, 2.0, size=BATCH)
STEP_WEIGHTS = RNG.uniform(0.2, 2.0, size=(BATCH, STEPS))


def linear(inputs, outputs):
    return torch.nn.Linear(inputs, outputs, dtype=torch.float64)


def torch_parameters(parts, gradients=False):
    """Parameters or gradients of {our index: module} by our names."""
    result = {}
    for first, module in parts.items():
        if isinstance(module, torch.nn.RNNBase):
            result |= parameters(module, first, gradients)
            continue
        names = {"weight": "W", "bias": "b"}
        for name, p in module.named_parameters():
            value = (p.grad if gradients else p).detach().numpy()
            transposed = isinstance(module, torch.nn.Linear)
            result[f"{first}.{names[name]}"] = value.T if transposed else value
    return result


def check(layers, parts, expected, x, y, loss, *, weights=None, mask=None, dx=None):
    """Compare value and gradients of our layers with the PyTorch loss ``expected``."""
    features = None if isinstance(layers[0], tt.layers.Embedding) else x.shape[-1]
    net = tt.Network(layers, n_features=features, dtype="float64")
    for name, value in torch_parameters(parts).items():
        net.params[name] = value
    expected.backward()
    array, real = net.check_input(x, mask=mask)
    found = objective.evaluate_and_backward(net, array, y, loss, mask=real, sample_weight=weights)
    np.testing.assert_allclose(found.value, expected.item(), **CLOSE)
    gradients = torch_parameters(parts, gradients=True)
    assert gradients.keys() == net.grads.keys()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(net.grads[name], gradient, err_msg=name, **CLOSE)
    if dx is not None:
        np.testing.assert_allclose(found.dx, dx.grad, **CLOSE)


def weighted(terms, weights, real):
    """Mean of the terms (N, T) over real steps."""
    total = weights * real
    return (terms * total).sum() / total.sum()


# -- many to many -----------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, WEIGHTS, STEP_WEIGHTS], ids=["", "rows", "steps"])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_a_class_for_every_token(temperature, weights):
    torch.manual_seed(0)
    table = torch.nn.Embedding(7, FEATURES, dtype=torch.float64)
    both = make_module("gru", FEATURES, UNITS, 1, bidirectional=True)
    after = make_module("lstm", 2 * UNITS, UNITS, 1)
    out = linear(UNITS, 3)
    tokens, classes = RNG.integers(0, 7, (BATCH, STEPS)), RNG.integers(0, 3, (BATCH, STEPS))
    h, _ = run_module(both, table(torch.from_numpy(tokens)), LENGTHS, None)
    h, _ = run_module(after, h, LENGTHS, None)
    logits = out(h) / temperature
    terms = F.cross_entropy(logits.movedim(-1, 1), torch.from_numpy(classes), reduction="none")
    factor = np.ones((BATCH, STEPS)) if weights is None else weights.reshape(BATCH, -1)
    layers = [
        tt.layers.Embedding(7, FEATURES),
        tt.layers.GRU(UNITS, bidirectional=True, **SEQUENCE),
        tt.layers.LSTM(UNITS, **SEQUENCE),
        tt.layers.Dense(3, activation=tt.activations.Softmax(temperature)),
    ]
    parts = {0: table, 1: both, 2: after, 3: out}
    expected = weighted(terms, torch.from_numpy(factor), REAL_TORCH)
    loss = "categorical_crossentropy"
    check(layers, parts, expected, tokens, classes, loss, weights=weights, mask=REAL)


def squared(y, t):
    return ((y - t) ** 2).mean(-1)


def bernoulli(y, t):
    return F.binary_cross_entropy_with_logits(y, t, reduction="none").mean(-1)


def poisson(y, t):
    return F.poisson_nll_loss(y, t, log_input=True, full=False, reduction="none").mean(-1)


def gaussian(y, t):
    variance = F.softplus(y[..., 2:], threshold=1000.0) + 1e-6
    return F.gaussian_nll_loss(y[..., :2], t, variance, eps=1e-12, reduction="none").mean(-1)


def pinball(y, t):
    error = t[..., None] - y.reshape(*t.shape, 3)
    levels = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    return torch.maximum(levels * error, (levels - 1) * error).mean((-1, -2))


NORMAL = RNG.normal(size=(BATCH, STEPS, 2))
HEADS = {
    "mse": ("mse", None, 2, squared, NORMAL),
    "huber": ("huber", None, 2, lambda y, t: F.huber_loss(y, t, reduction="none").mean(-1), NORMAL),
    "mse of a sigmoid": ("mse", "sigmoid", 2, lambda y, t: squared(torch.sigmoid(y), t), NORMAL),
    "mse of softmax": ("mse", "softmax", 2, lambda y, t: squared(torch.softmax(y, -1), t), NORMAL),
    "bernoulli": ("binary_crossentropy", "sigmoid", 2, bernoulli, (NORMAL > 0).astype(float)),
    "poisson": ("poisson", "exp", 2, poisson, RNG.poisson(2.0, NORMAL.shape).astype(float)),
    "gaussian": ("gaussian_nll", None, 4, gaussian, NORMAL),
    "quantile": (losses.Quantile((0.1, 0.5, 0.9)), None, 6, pinball, NORMAL),
}


@pytest.mark.parametrize("weights", [None, STEP_WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("head", HEADS)
def test_losses_at_every_step(head, weights):
    loss, activation, outputs, terms, target = HEADS[head]
    torch.manual_seed(1)
    before, module, out = (
        linear(FEATURES, 5),
        make_module("lstm", 5, UNITS, 2),
        linear(UNITS, outputs),
    )
    x = torch.from_numpy(X).requires_grad_()
    h, _ = run_module(module, F.softplus(before(x)), LENGTHS, None)
    factor = torch.from_numpy(np.ones((BATCH, STEPS)) if weights is None else weights)
    expected = weighted(terms(out(h), torch.from_numpy(target)), factor, REAL_TORCH)
    layers = [
        tt.layers.Dense(5, activation="softplus"),
        tt.layers.LSTM(UNITS, **SEQUENCE),
        tt.layers.LSTM(UNITS, **SEQUENCE),
        tt.layers.Dense(outputs, activation=activation),
    ]
    parts = {0: before, 1: module, 3: out}
    check(layers, parts, expected, X, target, loss, weights=weights, mask=REAL, dx=x)


# -- many to one ------------------------------------------------------------------------------


def last(h):
    return h[torch.arange(BATCH), torch.from_numpy(LENGTHS - 1)]


def mean(h):
    return h.sum(1) / torch.from_numpy(LENGTHS)[:, None]


def maximum(h):
    return torch.where(REAL_TORCH[..., None], h, -torch.inf).amax(1)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize(
    ("pool", "its"),
    [(tt.layers.LastStep, last), (tt.layers.MeanPool, mean), (tt.layers.MaxPool, maximum)],
    ids=["last", "mean", "max"],
)
def test_pools(pool, its, weights):
    torch.manual_seed(2)
    module = make_module("rnn", FEATURES, UNITS, 1, bidirectional=True)
    out, target = linear(2 * UNITS, 1), RNG.normal(size=(BATCH, 1))
    x = torch.from_numpy(X).requires_grad_()
    h, _ = run_module(module, x, LENGTHS, None)
    terms = squared(out(its(h)), torch.from_numpy(target))
    factor = torch.from_numpy(np.ones(BATCH) if weights is None else weights)
    layers = [
        tt.layers.RNN(UNITS, bidirectional=True, **SEQUENCE), pool(), tt.layers.Dense(1),
    ]  # fmt: skip
    expected = weighted(terms, factor, 1.0)
    parts = {0: module, 2: out}
    check(layers, parts, expected, X, target, "mse", weights=weights, mask=REAL, dx=x)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_class_for_each_sequence(cell):
    # Without return_sequences a layer puts out the state in which each direction ends.
    torch.manual_seed(3)
    module = make_module(cell, FEATURES, UNITS, 1, bidirectional=True)
    out, classes = linear(2 * UNITS, 3), RNG.integers(0, 3, BATCH)
    x = torch.from_numpy(X).requires_grad_()
    _, final = run_module(module, x, LENGTHS, None)
    h = final[0] if cell == "lstm" else final
    expected = F.cross_entropy(out(torch.cat([h[0], h[1]], dim=-1)), torch.from_numpy(classes))
    layer = {"rnn": tt.layers.RNN, "gru": tt.layers.GRU, "lstm": tt.layers.LSTM}[cell]
    layers = [layer(UNITS, bidirectional=True), tt.layers.Dense(3, activation="softmax")]
    parts = {0: module, 1: out}
    loss = "categorical_crossentropy"
    check(layers, parts, expected, X, classes, loss, mask=REAL, dx=x)


# -- one to many, encoder and decoder ---------------------------------------------------------


def test_one_to_many():
    torch.manual_seed(4)
    before, module, out = linear(3, 2), make_module("gru", 2, UNITS, 1), linear(UNITS, 2)
    vectors = RNG.normal(size=(BATCH, 3))
    x = torch.from_numpy(vectors).requires_grad_()
    h, _ = module(torch.tanh(before(x))[:, None].expand(-1, STEPS, -1))
    expected = squared(out(h), torch.from_numpy(NORMAL)).mean()
    layers = [
        tt.layers.Dense(2, activation="tanh"), tt.layers.RepeatVector(STEPS),
        tt.layers.GRU(UNITS, **SEQUENCE), tt.layers.Dense(2),
    ]  # fmt: skip
    check(layers, {0: before, 2: module, 3: out}, expected, vectors, NORMAL, "mse", dx=x)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_encoder_and_decoder(cell, bidirectional):
    torch.manual_seed(5)
    width = UNITS * (2 if bidirectional else 1)
    encoder = make_module(cell, FEATURES, UNITS, 1, bidirectional=bidirectional)
    decoder = make_module(cell, width, UNITS, 1, bidirectional=bidirectional)
    out = linear(width, 2)
    x = torch.from_numpy(X).requires_grad_()
    _, final = run_module(encoder, x, LENGTHS, None)
    h = final[0] if cell == "lstm" else final
    code = torch.cat(list(h), dim=-1)
    y, _ = decoder(code[:, None].expand(-1, STEPS, -1), final)
    expected = squared(out(y), torch.from_numpy(NORMAL)).mean()
    layer = {"rnn": tt.layers.RNN, "gru": tt.layers.GRU, "lstm": tt.layers.LSTM}[cell]
    layers = [
        layer(UNITS, bidirectional=bidirectional, return_state=True),
        tt.layers.RepeatVector(STEPS),
        layer(UNITS, bidirectional=bidirectional, **SEQUENCE),
        tt.layers.Dense(2),
    ]
    parts = {0: encoder, 2: decoder, 3: out}
    check(layers, parts, expected, X, NORMAL, "mse", mask=REAL, dx=x)
