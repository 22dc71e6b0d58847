"""A language model trains as PyTorch's: same weights, same batches, the same loss each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # as everyone writes it
from oracles.torch_modules import copy_parameters, make_module

import throughtime as tt

WINDOW, BATCH, UNITS, WIDTH = 32, 16, 24, 12
TEXT = tt.data.alice()[: 12 * BATCH * WINDOW + 1]
VOCABULARY = tt.data.Vocabulary.from_texts([TEXT])
X, Y = tt.data.next_tokens(VOCABULARY.encode(TEXT), WINDOW)
V = len(VOCABULARY)
CLIP = 0.15  # shorter than most gradients here


class Model(torch.nn.Module):
    """Embedding, recurrent layer, logits."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(V, WIDTH, dtype=torch.float64)
        self.cell = make_module(cell, WIDTH, UNITS, 1)
        self.out = torch.nn.Linear(UNITS, V, dtype=torch.float64)

    def forward(self, tokens: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
        h, state = self.cell(self.table(tokens), state)
        return self.out(h), state

    def adjust_gradients(self) -> None:
        """Where two biases are added, ours is one: PyTorch's second one does not move here.

        The gradient is clipped here, because PyTorch's own function adds 1e-6 to the norm.
        """
        gru = isinstance(self.cell, torch.nn.GRU)
        self.cell.bias_hh_l0.grad[: 2 * UNITS if gru else None] = 0
        gradients = [p.grad for p in self.parameters()]
        norm = torch.sqrt(sum((g**2).sum() for g in gradients))
        for g in gradients:
            g *= min(1.0, CLIP / norm)


def network(model: Model) -> tt.Network:
    kind = {"GRU": tt.layers.GRU, "LSTM": tt.layers.LSTM, "RNN": tt.layers.RNN}
    layer = kind[type(model.cell).__name__](UNITS, return_sequences=True)
    head = tt.layers.Dense(V, activation="softmax")
    net = tt.Network([tt.layers.Embedding(V, WIDTH), layer, head], dtype="float64")
    net.params["0.W"] = model.table.weight.detach().numpy()
    copy_parameters(model.cell, net, first=1)
    net.params["2.W"] = model.out.weight.detach().numpy().T
    net.params["2.b"] = model.out.bias.detach().numpy()
    return net


@pytest.mark.parametrize("carried", [False, True], ids=["windows", "the state goes on"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_loss_of_every_epoch(cell, carried):
    """Windows in batches; or long rows in chunks, as the tutorial trains (``tbptt``)."""
    torch.manual_seed(0)
    model = Model(cell)  # PyTorch's initialisation, N(0, 1) for the table
    net = network(model)
    x, y = (a.reshape(BATCH, -1) for a in (X, Y)) if carried else (X, Y)
    chunks = [np.split(a, 12, axis=1 if carried else 0) for a in (x, y)]
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    theirs = []
    for _ in range(3):
        state = None
        for tokens, classes in zip(*chunks, strict=True):
            logits, _ = model(torch.from_numpy(tokens.copy()), state)
            loss = F.cross_entropy(logits.movedim(-1, 1), torch.from_numpy(classes.copy()))
            adam.zero_grad()
            loss.backward()
            model.adjust_gradients()
            adam.step()
            theirs.append(loss.item())
            if carried:  # the state at the end of the chunk is that of the new weights, as ours is
                with torch.no_grad():
                    _, state = model(torch.from_numpy(tokens.copy()), state)
    history = tt.train(
        net, x, y, loss="crossentropy", optimizer=tt.optimizers.Adam(0.01), epochs=3,
        batch_size=BATCH, clip_norm=CLIP, shuffle=False, verbose=False,
        tbptt=(WINDOW, WINDOW) if carried else None,
    )  # fmt: skip
    assert min(history["grad_norm"]) > CLIP
    epochs = np.mean(np.split(np.array(theirs), 3), axis=1)
    np.testing.assert_allclose(history["loss"], epochs, rtol=1e-10)
    with torch.no_grad():
        p = torch.softmax(model(torch.from_numpy(X.copy()))[0], -1).numpy()
    np.testing.assert_allclose(net.predict(X), p, rtol=1e-8)
