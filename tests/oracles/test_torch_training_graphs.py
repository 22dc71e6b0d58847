"""Training of graphs equals PyTorch's, step by step, to 1e-10 in float64.

Two heads with losses of their own, of which one is masked, weighted sequences, momentum, and a
frozen layer; every batch has other steps and weights.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles.test_torch_graphs import Modules, two_heads
from oracles.torch_modules import CLOSE, run_module

import throughtime as tt

LENGTHS = np.array([5, 2, 1, 4, 3, 5, 2])
ROWS = len(LENGTHS)


@pytest.mark.parametrize("frozen", ["", "trunk"])
def test_training_of_two_heads(frozen: str) -> None:
    (inputs, outputs), model = two_heads()
    net = tt.Network(inputs=inputs, outputs=outputs, dtype="float64")
    rng = np.random.default_rng(0)
    net.params.flat = 0.6 * rng.normal(size=net.params.size)
    if frozen:
        net.freeze(frozen)
    m = Modules(net)
    x = rng.normal(size=(ROWS, 5, 3))
    y = [rng.normal(size=(ROWS, 5, 2)), rng.integers(0, 3, ROWS)]
    weight = rng.uniform(0.2, 2.0, size=ROWS)
    learned = [
        value
        for owner, module in m.items()
        for name, value in module.named_parameters()
        # Ours have one bias.
        if owner != frozen and "bias_hh" not in name
    ]
    history = tt.train(
        net, x, y, loss=["mse", "crossentropy"], loss_weights=[0.7, 1.5], lengths=LENGTHS,
        sample_weight={"1": weight}, epochs=4, batch_size=3, shuffle=False,
        optimizer=tt.optimizers.SGD(0.1, momentum=0.9),
    )  # fmt: skip
    optimizer = torch.optim.SGD(learned, lr=0.1, momentum=0.9)
    given, aims = torch.from_numpy(x), [torch.from_numpy(one) for one in y]
    counts = torch.from_numpy(weight)
    for epoch in range(4):
        totals, sizes = np.zeros(2), np.zeros(2)
        for first in range(0, ROWS, 3):
            rows = slice(first, first + 3)
            lengths = LENGTHS[rows]

            def run(name, x, _, state=None, lengths=lengths):
                return run_module(m[name], x, lengths, state)

            steps, end = model(m, run, given[rows])
            real = torch.from_numpy(np.arange(5) < lengths[:, None])
            squares = ((steps - aims[0][rows]) ** 2)[real]
            picked = -torch.log(end[torch.arange(len(end)), aims[1][rows]])
            own = counts[rows]
            one, two = squares.mean(), (own * picked).sum() / own.sum()
            optimizer.zero_grad()
            (0.7 * one + 1.5 * two).backward()
            optimizer.step()
            size = np.array([real.sum(), own.sum()])
            totals += size * np.array([one.item(), two.item()])
            sizes += size
        wanted = totals / sizes
        np.testing.assert_allclose(history["0_loss"][epoch], wanted[0], **CLOSE)
        np.testing.assert_allclose(history["1_loss"][epoch], wanted[1], **CLOSE)
        np.testing.assert_allclose(history["loss"][epoch], wanted @ [0.7, 1.5], **CLOSE)
    for owner in m:
        for name, value in m.ours(owner).items():
            np.testing.assert_allclose(net.params[name], value, err_msg=name, **CLOSE)
