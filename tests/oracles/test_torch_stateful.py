"""``carry_state=True`` equals PyTorch with states handed on by hand, to 1e-10 in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles.test_torch_truncated import Model, detached, squared_error
from oracles.torch_modules import CLOSE, make_module

import throughtime as tt

ROWS, CHUNKS, STEPS, EPOCHS = 4, 3, 5, 6
RNG = np.random.default_rng(0)
X = RNG.normal(size=(CHUNKS * ROWS, STEPS, 3))
Y = RNG.normal(size=(CHUNKS * ROWS, STEPS, 2))
LENGTHS = np.array([5, 2, 4, 1, 3, 5, 5, 5, 1, 2, 5, 4])
RESET = RNG.random(CHUNKS * ROWS) < 0.3
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, tt.optimizers.SGD),
    "adam": (torch.optim.Adam, tt.optimizers.Adam),
}


def anew(state, rows):
    """The state of all layers, zero in the rows that begin anew."""
    return None if state is None else tuple(s * ~torch.from_numpy(rows)[:, None] for s in state)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("masked", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_training_with_states_that_go_on(cell, masked, optimizer):
    # No biases in the recurrent part: PyTorch has two where we have one, which optimisers feel.
    torch.manual_seed(3)
    model = Model(cell)
    model.recurrent = make_module(cell, 3, 4, 2, bias=False)
    net = model.our_network(sequences=True)
    theirs, ours = OPTIMIZERS[optimizer]
    its = theirs(model.parameters(), 0.05)
    mask = np.arange(STEPS) < LENGTHS[:, None] if masked else np.ones((len(X), STEPS), bool)
    losses, states = [], []
    for _ in range(EPOCHS):
        state, total = None, 0.0
        for first in range(0, len(X), ROWS):
            rows = slice(first, first + ROWS)
            x, y, real = (torch.from_numpy(a[rows]) for a in (X, Y, mask))
            h, state = model(x, real, anew(detached(state), RESET[rows]))
            model.zero_grad()
            loss = squared_error(model.linear(h), y, real)
            loss.backward()
            its.step()
            total += loss.item() * int(real.sum())
        losses.append(total / mask.sum())
        states.append(state)
    options = {"batch_size": ROWS, "carry_state": True, "reset": RESET}
    options |= {"lengths": LENGTHS} if masked else {}
    history = tt.train(net, X, Y, epochs=EPOCHS, optimizer=ours(0.05), **options)
    np.testing.assert_allclose(history["loss"], losses, **CLOSE)
    for name, value in model.our_parameters(gradients=False).items():
        np.testing.assert_allclose(net.params[name], value, err_msg=name, **CLOSE)
    with torch.no_grad():  # and without training
        state, total = None, 0.0
        for first in range(0, len(X), ROWS):
            rows = slice(first, first + ROWS)
            x, y, real = (torch.from_numpy(a[rows]) for a in (X, Y, mask))
            h, state = model(x, real, anew(state, RESET[rows]))
            total += squared_error(model.linear(h), y, real).item() * int(real.sum())
    scores = tt.evaluate(net, X, Y, **options)
    np.testing.assert_allclose(scores["loss"], total / mask.sum(), **CLOSE)
