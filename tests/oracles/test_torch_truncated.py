"""Truncated BPTT and whole training runs equal PyTorch with ``detach``, to 1e-10 in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles.torch_modules import CLOSE, copy_parameters, make_module, parameters, recurrent_layers

import throughtime as tt
from throughtime.training import truncation

STEPS = 7
LENGTHS = np.array([4, 7, 1, 3, 6])
HOLES = np.random.default_rng(5).random((5, STEPS)) < 0.7
MASKS = {"full": None, "ragged": np.arange(STEPS) < LENGTHS[:, None], "holes": HOLES}
L2, LIMIT = 0.01, 0.5


class Model(torch.nn.Module):
    """A recurrent module of two layers and a linear one, run step by step, masked steps too."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.recurrent = make_module(cell, 3, 4, 2)
        self.linear = torch.nn.Linear(4, 2, dtype=torch.float64)

    def forward(self, x, mask, state):
        """Return outputs of the recurrent part (N, T, H) and its final state (a tuple)."""
        outputs = []
        for t in range(x.shape[1]):
            given = state if state is None or len(state) == 2 else state[0]
            h, new = self.recurrent(x[:, t : t + 1], given)
            new = new if isinstance(new, tuple) else (new,)
            if mask is not None:
                real = mask[:, t, None]
                old = state or tuple(torch.zeros_like(n) for n in new)
                new = tuple(torch.where(real, n, o) for n, o in zip(new, old, strict=True))
                h = torch.where(real[:, None], h, 0.0)
            outputs.append(h)
            state = new
        return torch.cat(outputs, dim=1), state

    def our_network(self, *, sequences: bool) -> tt.Network:
        layers = recurrent_layers(self.recurrent)
        if not sequences:
            layers[-1] = type(layers[-1])(4)
        net = tt.Network([*layers, tt.layers.Dense(2)], n_features=3, dtype="float64")
        copy_parameters(self.recurrent, net)
        net.params["2.W"] = self.linear.weight.detach().numpy().T
        net.params["2.b"] = self.linear.bias.detach().numpy()
        return net

    def our_parameters(self, gradients: bool) -> dict[str, np.ndarray]:
        W, b = self.linear.weight, self.linear.bias
        return parameters(self.recurrent, gradients=gradients) | {
            "2.W": (W.grad if gradients else W.detach()).numpy().T,
            "2.b": (b.grad if gradients else b.detach()).numpy(),
        }


def cut(mask, start, end):
    return None if mask is None else mask[:, start:end]


def detached(state):
    return None if state is None else tuple(s.detach() for s in state)


def squared_error(y, target, mask):
    """Mean over the real steps; the loss of a chunk without one is zero."""
    terms = (y - target) ** 2
    if mask is None:
        return terms.mean()
    return (terms * mask[..., None]).sum() / max(1, 2 * int(mask.sum()))


def chunks(model, x, y, mask, k1, k2):
    """Yield the loss of every chunk after its backward pass; the caller may step in between."""
    carried, begin = None, 0
    for first in range(0, x.shape[1], k1):
        end = min(first + k1, x.shape[1])
        start = max(0, end - max(k2, end - first))
        with torch.no_grad():
            if start > begin:
                _, carried = model(x[:, begin:start], cut(mask, begin, start), carried)
        begin = start
        h, _ = model(x[:, start:end], cut(mask, start, end), detached(carried))
        output = model.linear(h[:, first - start :])
        model.zero_grad()
        loss = squared_error(output, y[:, first:end], cut(mask, first, end))
        loss.backward()
        yield loss.item()


def data(seed=0, columns=(STEPS, 2)):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(5, STEPS, 3)), rng.normal(size=(5, *columns))


@pytest.mark.parametrize("masking", MASKS)
@pytest.mark.parametrize(
    "tbptt", [(1, 1), (2, 2), (3, 3), (7, 7), (20, 20), (1, 3), (2, 5), (3, 4), (2, 30)], ids=str
)
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_chunks_with_updates_between(cell, tbptt, masking):
    torch.manual_seed(0)
    model, mask = Model(cell), MASKS[masking]
    net = model.our_network(sequences=True)
    x, y = data()
    clean = x if mask is None else np.where(mask[..., None], x, 0.0)
    mask_torch = None if mask is None else torch.from_numpy(mask)
    expected = chunks(model, torch.from_numpy(x), torch.from_numpy(y), mask_torch, *tbptt)
    found = truncation.truncated(net, clean, y, "mse", tbptt, mask=mask)
    count = 0
    for value, evaluation in zip(expected, found, strict=True):
        np.testing.assert_allclose(evaluation.value, value, **CLOSE)
        for name, gradient in model.our_parameters(gradients=True).items():
            np.testing.assert_allclose(net.grads[name], gradient, err_msg=name, **CLOSE)
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.2 * p.grad
        net.grads.flat[...] = 0.0
        # PyTorch has two biases where we have one, so its sum of them moves twice as far.
        for name, moved in model.our_parameters(gradients=False).items():
            net.params[name] = moved
        count += 1
    assert count == -(-STEPS // tbptt[0])


@pytest.mark.parametrize("masking", MASKS)
@pytest.mark.parametrize("k2", [1, 2, 3, 7])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_one_output_a_sequence_goes_back_k2_real_steps(cell, k2, masking):
    torch.manual_seed(1)
    model, mask = Model(cell), MASKS[masking]
    net = model.our_network(sequences=False)
    x, y = data(1, (2,))
    outputs = []
    for row in range(5):
        real = np.ones(STEPS, dtype=bool) if mask is None else mask[row]
        steps = np.flatnonzero(real)
        recent = np.arange(len(steps)) >= len(steps) - k2
        x_row = torch.from_numpy(x[row : row + 1])
        with torch.no_grad():
            state = None
            if not recent.all():
                _, state = model(x_row[:, steps[~recent]], None, None)
        h, _ = model(x_row[:, steps[recent]], None, state)
        outputs.append(model.linear(h[:, -1]))
    loss = squared_error(torch.cat(outputs), torch.from_numpy(y), None)
    loss.backward()
    clean = x if mask is None else np.where(mask[..., None], x, 0.0)
    (evaluation,) = truncation.truncated(net, clean, y, "mse", (1, k2), mask=mask)
    np.testing.assert_allclose(evaluation.value, loss.item(), **CLOSE)
    for name, gradient in model.our_parameters(gradients=True).items():
        np.testing.assert_allclose(net.grads[name], gradient, err_msg=name, **CLOSE)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("tbptt", [(STEPS, STEPS), (3, 3), (2, 4)], ids=str)
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_training(cell, tbptt, optimizer):
    # No biases in the recurrent part: PyTorch has two where we have one, which optimisers feel.
    torch.manual_seed(2)
    model = Model(cell)
    model.recurrent = make_module(cell, 3, 4, 2, bias=False)
    net = model.our_network(sequences=True)
    x, y = data(2)
    its = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer](model.parameters(), 0.05)
    ours = {"sgd": tt.optimizers.SGD, "adam": tt.optimizers.Adam}[optimizer](0.05)
    losses, epochs = [], 12
    for _ in range(epochs):
        total = weight = 0.0
        for rows in slice(0, 3), slice(3, 5):
            arrays = (torch.from_numpy(a[rows]) for a in (x, y, MASKS["ragged"]))
            for value, real in train_on(model, its, *arrays, tbptt):
                total, weight = total + real * value, weight + real
        losses.append(total / weight)
    history = tt.train(
        net, x, y, loss="mse", optimizer=ours, epochs=epochs, batch_size=3, lengths=LENGTHS,
        clip_norm=LIMIT, l2=L2, tbptt=None if tbptt == (STEPS, STEPS) else tbptt, shuffle=False,
        verbose=False,
    )  # fmt: skip
    assert losses[-1] < losses[0]
    np.testing.assert_allclose(history["loss"], losses, **CLOSE)
    for name, value in model.our_parameters(gradients=False).items():
        np.testing.assert_allclose(net.params[name], value, err_msg=name, **CLOSE)


def train_on(model, optimizer, x, y, mask, tbptt):
    """Update from every chunk of a batch, with penalty and clipping; yield loss and real steps."""
    for i, value in enumerate(chunks(model, x, y, mask, *tbptt)):
        real = int(cut(mask, i * tbptt[0], (i + 1) * tbptt[0]).sum())
        if real == 0:  # padding alone moves nothing
            continue
        gradients = [p.grad for p in model.parameters()]
        for p in model.parameters():
            if p.ndim == 2:
                p.grad += L2 * p.detach()
        norm = float(torch.sqrt(sum((g**2).sum() for g in gradients)))
        for gradient in gradients:
            gradient *= min(1.0, LIMIT / norm)
        optimizer.step()
        yield value, real
