"""Convolution and windowed pools equal PyTorch's to 1e-10 in float64: outputs, every gradient.

PyTorch has no masks here, so each sequence of a ragged batch is compared alone; its layout is
(N, F, T), and its weight (K, F, k) is our W (k F, K) with other axes.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # as everyone writes it
from oracles.torch_modules import CLOSE

import throughtime as tt
from throughtime.training import objective

BATCH, FEATURES, FILTERS = 4, 3, 5
LENGTHS = np.array([9, 12, 7, 10])


def padded(x, kernel_size, stride, dilation, padding):
    """The input (N, F, T) with the zeros of Keras' "same" and "causal" around it."""
    span, steps = (kernel_size - 1) * dilation + 1, x.shape[2]
    if padding == "valid":
        return x
    if padding == "causal":
        return F.pad(x, (span - 1, 0))
    missing = max((-(-steps // stride) - 1) * stride + span - steps, 0)
    return F.pad(x, (missing // 2, missing - missing // 2))


def compare(layer, function, lengths, seed=0):
    """Compare a layer with ``function(x (N, F, T), parameters)``, with random dL/dy."""
    rng = np.random.default_rng(seed)
    net = tt.Network([layer], n_features=FEATURES, dtype="float64")
    net.params.flat = rng.normal(size=net.params.size)
    p = {name: torch.tensor(array, requires_grad=True) for name, array in net.params.items()}
    x = rng.normal(size=(BATCH, 12, FEATURES))
    real = np.arange(12) < LENGTHS[:, None] if lengths else np.ones((BATCH, 12), dtype=bool)
    y, tape = net.forward(np.where(real[..., None], x, np.nan), mask=real)
    dy = rng.normal(size=y.shape)
    dx = net.backward(tape, dy)
    rows = [slice(n, n + 1) for n in range(BATCH)] if lengths else [slice(None)]
    for row in rows:
        steps = real[row].sum(axis=1)[0]
        own = torch.tensor(x[row, :steps].swapaxes(1, 2).copy(), requires_grad=True)
        expected = function(own, p).transpose(1, 2)
        count = expected.shape[1]
        np.testing.assert_allclose(y[row, :count], expected.detach(), **CLOSE)
        assert not y[row, count:].any()
        assert tape.output_mask is None or tape.output_mask[row].sum() == count
        expected.backward(torch.from_numpy(dy[row, :count]))
        np.testing.assert_allclose(dx[row, :steps], own.grad.transpose(1, 2), **CLOSE)
        assert not dx[row, steps:].any()
    for name, value in p.items():
        np.testing.assert_allclose(net.grads[name], value.grad, err_msg=name, **CLOSE)


lengths = pytest.mark.parametrize("lengths", [False, True], ids=["full", "ragged"])


@lengths
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4])
def test_convolutions(kernel_size, stride, dilation, padding, bias, lengths):
    def function(x, p):
        W = p["0.W"].reshape(kernel_size, FEATURES, FILTERS).permute(2, 1, 0)
        x = padded(x, kernel_size, stride, dilation, padding)
        return torch.tanh(F.conv1d(x, W, p.get("0.b"), stride, dilation=dilation))

    layer = tt.layers.Conv1D(
        FILTERS, kernel_size, stride=stride, dilation=dilation, padding=padding,
        activation="tanh", use_bias=bias,
    )  # fmt: skip
    compare(layer, function, lengths, kernel_size)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, 13])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_is_that_of_pytorch(kernel_size, dilation):
    """Where PyTorch has it: with stride 1."""

    def function(x, p):
        W = p["0.W"].reshape(kernel_size, FEATURES, FILTERS).permute(2, 1, 0)
        return F.conv1d(x, W, p["0.b"], padding="same", dilation=dilation)

    layer = tt.layers.Conv1D(FILTERS, kernel_size, dilation=dilation, padding="same")
    compare(layer, function, lengths=True, seed=dilation)


@lengths
@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [None, 1, 2, 4])
@pytest.mark.parametrize(
    ("layer", "function"),
    [(tt.layers.MaxPool1D, F.max_pool1d), (tt.layers.MeanPool1D, F.avg_pool1d)],
    ids=["maximum", "mean"],
)
def test_pools(layer, function, size, stride, lengths):
    compare(layer(size, stride), lambda x, p: function(x, size, stride), lengths, size)


@pytest.mark.parametrize("steps", [1, 4])
def test_flatten(steps):
    rng = np.random.default_rng(steps)
    x, dy = rng.normal(size=(3, steps, 2)), rng.normal(size=(3, 2 * steps))
    net = tt.Network([tt.layers.Flatten(steps)], n_features=2, dtype="float64")
    own = torch.tensor(x, requires_grad=True)
    expected = torch.nn.Flatten()(own)
    expected.backward(torch.from_numpy(dy))
    y, tape = net.forward(x)
    np.testing.assert_array_equal(y, expected.detach())
    np.testing.assert_array_equal(net.backward(tape, dy), own.grad)


def test_a_network_of_all_of_them():
    """Causal convolution, pool, convolution, Flatten and Dense, and a loss."""
    rng, keep = np.random.default_rng(5), {"dtype": torch.float64}
    torch.manual_seed(5)
    first, second = torch.nn.Conv1d(2, 4, 3, **keep), torch.nn.Conv1d(4, 3, 2, stride=2, **keep)
    last = torch.nn.Linear(6, 1, **keep)
    layers = [
        tt.layers.Conv1D(4, 3, padding="causal", activation="relu"), tt.layers.MaxPool1D(2),
        tt.layers.Conv1D(3, 2, stride=2, activation="tanh"), tt.layers.Flatten(2),
        tt.layers.Dense(1),
    ]  # fmt: skip
    net = tt.Network(layers, n_features=2, dtype="float64")
    modules = {"0": first, "2": second, "4": last}
    for i, module in modules.items():
        weight = module.weight.detach().numpy()
        net.params[f"{i}.W"] = weight.T.reshape(-1, weight.shape[0])
        net.params[f"{i}.b"] = module.bias.detach().numpy()
    x, target = rng.normal(size=(6, 8, 2)), rng.normal(size=(6, 1))
    h = F.max_pool1d(F.relu(first(F.pad(torch.from_numpy(x).transpose(1, 2), (2, 0)))), 2)
    h = torch.tanh(second(h)).transpose(1, 2)
    loss = F.mse_loss(last(h.flatten(1)), torch.from_numpy(target))
    loss.backward()
    found = objective.evaluate_and_backward(net, x, target, "mse")
    np.testing.assert_allclose(found.value, loss.item(), **CLOSE)
    for i, module in modules.items():
        gradient = module.weight.grad.numpy()
        wanted = gradient.T.reshape(-1, gradient.shape[0])
        np.testing.assert_allclose(net.grads[f"{i}.W"], wanted, err_msg=i, **CLOSE)
        np.testing.assert_allclose(net.grads[f"{i}.b"], module.bias.grad, err_msg=i, **CLOSE)
