"""Recurrent layers equal PyTorch's to 1e-10 in float64: outputs, final states, every gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles.torch_modules import MODULES, compare, make_module, random_states

# Unsorted; the longest does not fill the array, one sequence has a single step.
LENGTHS = np.array([4, 6, 1, 3, 6])


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("initial", [False, True], ids=["from zero", "initial state"])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("cell", MODULES)
def test_layers(cell, bidirectional, layers, ragged, initial, bias):
    rng = np.random.default_rng(layers)
    torch.manual_seed(layers)
    module = make_module(cell, 3, 4, layers, bidirectional=bidirectional, bias=bias)
    x = rng.normal(size=(5, 7, 3))
    states = random_states(module, 5, rng) if initial else None
    compare(module, x, LENGTHS if ragged else None, states, rng)


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (1, 9, 2, 3), (6, 1, 3, 2), (2, 40, 5, 11)])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("cell", MODULES)
def test_sizes(cell, bidirectional, sizes):
    batch, steps, features, units = sizes
    rng = np.random.default_rng(steps)
    torch.manual_seed(steps)
    module = make_module(cell, features, units, 2, bidirectional=bidirectional)
    states = random_states(module, batch, rng)
    compare(module, rng.normal(size=(batch, steps, features)), None, states, rng)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("proj_size", [1, 3])
def test_projected(proj_size, bidirectional, layers, ragged, bias):
    rng = np.random.default_rng(layers)
    torch.manual_seed(layers)
    options = {"bidirectional": bidirectional, "bias": bias, "proj_size": proj_size}
    module = make_module("lstm", 3, 5, layers, **options)
    states = random_states(module, 5, rng)
    compare(module, rng.normal(size=(5, 7, 3)), LENGTHS if ragged else None, states, rng)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_saturated(cell):
    # Weights and inputs so large that gates are exactly 0 or 1 on most steps.
    rng = np.random.default_rng(7)
    module = make_module(cell, 3, 4, 2, bidirectional=True)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.from_numpy(rng.normal(size=p.shape) * 5))
    x = rng.normal(size=(5, 7, 3)) * 30
    compare(module, x, LENGTHS, random_states(module, 5, rng), rng)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("cell", MODULES)
def test_random_forms(cell, seed):
    rng = np.random.default_rng(1000 + seed)
    torch.manual_seed(seed)
    batch, steps, features, units = (int(n) for n in rng.integers(1, 9, size=4))
    layers = int(rng.integers(1, 4))
    module = make_module(
        cell, features, units, layers, bidirectional=bool(seed % 2), bias=bool(seed % 3)
    )
    lengths = rng.integers(1, steps + 1, size=batch)
    states = random_states(module, batch, rng)
    compare(module, rng.normal(size=(batch, steps, features)), lengths, states, rng)


# -- the configurations that PyTorch tests its own modules on ---------------------------------

CONFIGURATIONS = {
    "nn.RNN": 32, "nn.GRU": 16, "nn.LSTM": 32, "nn.RNNCell": 3, "nn.GRUCell": 2, "nn.LSTMCell": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def module_db():
    # Imported here: it takes seconds, which only these tests should cost.
    from torch.testing._internal.common_modules import module_db

    return {info.name: info for info in module_db}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configurations_of_pytorch(module_db, name):
    info = module_db[name]
    inputs = info.module_inputs_func(
        info, device="cpu", dtype=torch.float64, requires_grad=True, training=True
    )
    assert len(inputs) == CONFIGURATIONS[name]
    rng = np.random.default_rng(3)
    for case in inputs:
        arguments = case.constructor_input
        module = info.module_cls(*arguments.args, **arguments.kwargs, dtype=torch.float64)
        x, *states = (_detached(a) for a in case.forward_input.args)
        module, x, state = _one_form(module, x, *states)
        compare(module, x.numpy(), None, state, rng)


def _detached(value):
    return (
        tuple(v.detach() for v in value)
        if isinstance(value, (tuple, list))
        else value.detach().clone()
    )


def _one_form(module, x, state=None):
    """Turn a cell into a module of one step, and an input without a batch into a batch of one."""
    if isinstance(module, torch.nn.modules.rnn.RNNCellBase):
        cell = module
        kind = {"RNNCell": cell.__dict__.get("nonlinearity"), "GRUCell": "gru", "LSTMCell": "lstm"}
        kind = {"tanh": "rnn"}.get(kind[type(cell).__name__], kind[type(cell).__name__])
        module = make_module(kind, cell.input_size, cell.hidden_size, 1, bias=cell.bias)
        with torch.no_grad():
            for name, value in cell.named_parameters():
                getattr(module, f"{name}_l0").copy_(value)
        x = x[None]
        state = None if state is None else _map(state, lambda s: s[None])
    else:
        module.batch_first = True  # of a batch of one, the two layouts hold the same numbers
    return module, x[None], None if state is None else _map(state, lambda s: s[:, None].clone())


def _map(state, function):
    return tuple(function(s) for s in state) if isinstance(state, tuple) else function(state)
