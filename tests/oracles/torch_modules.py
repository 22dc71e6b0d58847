"""The same recurrent network in throughtime and in PyTorch: parameters and gradients side by side.

PyTorch stores ``weight_ih (gates*H, F)``, the transpose of our W_x, in the same order of gates
(LSTM i f g o, GRU r z n), and two biases. Ours is their sum, except that the GRU's candidate keeps
the recurrent one separate, as b_hn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import throughtime as tt

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
MODULES = {"rnn": torch.nn.RNN, "relu": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


def make_module(cell: str, *sizes: int, **options: Any) -> torch.nn.RNNBase:
    """Return PyTorch's batch-first float64 module of ``(F, H, layers)``."""
    if cell == "relu":
        options["nonlinearity"] = "relu"
    return MODULES[cell](*sizes, batch_first=True, dtype=torch.float64, **options)


def recurrent_layers(module: torch.nn.RNNBase, **options: Any) -> list[tt.layers.Layer]:
    """Return our layers of the same form; all put out sequences."""
    layer = {"RNN": tt.layers.RNN, "GRU": tt.layers.GRU, "LSTM": tt.layers.LSTM}[
        type(module).__name__
    ]
    if getattr(module, "nonlinearity", "tanh") == "relu":
        options["activation"] = "relu"
    if module.proj_size:
        options["proj_size"] = module.proj_size
    return [
        layer(
            module.hidden_size,
            return_sequences=True,
            bidirectional=module.bidirectional,
            use_bias=module.bias,
            **options,
        )
        for _ in range(module.num_layers)
    ]


def make_network(module: torch.nn.RNNBase) -> tt.Network:
    """Return our network of the module's layers, with the module's parameters."""
    net = tt.Network(recurrent_layers(module), n_features=module.input_size, dtype="float64")
    copy_parameters(module, net)
    return net


def parameters(module: torch.nn.RNNBase, first: int = 0, gradients: bool = False) -> dict[str, Any]:
    """Return the module's parameters, or their gradients, by our names and in our form."""
    result = {}
    gru = isinstance(module, torch.nn.GRU)
    keep = 2 * module.hidden_size if gru else None

    def array(name: str) -> np.ndarray:
        value = getattr(module, name)
        return (value.grad if gradients else value).detach().numpy()

    for k in range(module.num_layers):
        for suffix, group in ("", "forward."), ("_reverse", "backward."):
            if suffix and not module.bidirectional:
                continue
            own = f"{first + k}.{group if module.bidirectional else ''}"
            result[f"{own}W_x"] = array(f"weight_ih_l{k}{suffix}").T
            result[f"{own}W_h"] = array(f"weight_hh_l{k}{suffix}").T
            if module.proj_size:
                result[f"{own}W_r"] = array(f"weight_hr_l{k}{suffix}").T
            if not module.bias:
                continue
            b_ih, b_hh = array(f"bias_ih_l{k}{suffix}"), array(f"bias_hh_l{k}{suffix}")
            # The gradient of a sum is that of each of its terms.
            result[f"{own}b"] = b_ih.copy()
            if not gradients:
                result[f"{own}b"][:keep] += b_hh[:keep]
            if gru:
                result[f"{own}b_hn"] = b_hh[keep:]
    return result


def copy_parameters(module: torch.nn.RNNBase, net: tt.Network, first: int = 0) -> None:
    """Give layers ``first``, ``first + 1``, ... of ``net`` the parameters of ``module``."""
    for name, value in parameters(module, first).items():
        net.params[name] = value


def split_states(states: Any, module: torch.nn.RNNBase) -> list[Any]:
    """Turn h, or (h, c), of shape (layers * directions, N, H) into our list of states."""
    arrays = [np.asarray(s.detach()) for s in (states if isinstance(states, tuple) else (states,))]
    if not module.bidirectional:
        return [tuple(a[k] for a in arrays) for k in range(module.num_layers)]
    return [
        (tuple(a[2 * k] for a in arrays), tuple(a[2 * k + 1] for a in arrays))
        for k in range(module.num_layers)
    ]


def flatten(states: Any) -> list[np.ndarray]:
    """List the arrays of our nested states."""
    if isinstance(states, np.ndarray):
        return [states]
    return [a for part in states if part is not None for a in flatten(part)]


def random_states(module: torch.nn.RNNBase, batch: int, rng: np.random.Generator) -> Any:
    """Return a random h, or (h, c), of PyTorch's form."""
    count = module.num_layers * (2 if module.bidirectional else 1)
    widths = module.proj_size or module.hidden_size, module.hidden_size
    states = tuple(torch.from_numpy(rng.normal(size=(count, batch, n))) for n in widths)
    return states if isinstance(module, torch.nn.LSTM) else states[0]


def run_module(
    module: torch.nn.RNNBase, x: torch.Tensor, lengths: np.ndarray | None, states: Any
) -> tuple[torch.Tensor, Any]:
    """Return the module's outputs, padded with zeros, and final states."""
    if lengths is None:
        return module(x, states)
    packed = pack_padded_sequence(
        x, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False
    )
    y, final = module(packed, states)
    padded, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
    return padded, final


def leaves(states: Any) -> list[torch.Tensor]:
    """List PyTorch's states."""
    if states is None:
        return []
    return list(states) if isinstance(states, tuple) else [states]


def compare(
    module: torch.nn.RNNBase,
    x: np.ndarray,
    lengths: np.ndarray | None,
    states: Any,
    rng: np.random.Generator,
) -> None:
    """Assert that outputs, final states and every gradient agree.

    The gradient that comes from above is random, on every output and every final state; at padded
    steps too, where it must not count.
    """
    net = make_network(module)
    x_torch = torch.from_numpy(x).requires_grad_()
    for state in leaves(states):
        state.requires_grad_()
    y_torch, final_torch = run_module(module, x_torch, lengths, states)
    dy = rng.normal(size=y_torch.shape)
    d_final = tuple(torch.from_numpy(rng.normal(size=s.shape)) for s in leaves(final_torch))
    total = (y_torch * torch.from_numpy(dy)).sum()
    for s, d in zip(leaves(final_torch), d_final, strict=True):
        total = total + (s * d).sum()
    module.zero_grad()
    total.backward()

    given = None if states is None else split_states(states, module)
    ours = x if lengths is None else np.where(_real(lengths, x)[..., None], x, np.nan)
    y, tape = net.forward(ours, lengths, given)
    dx = net.backward(tape, dy, split_states(d_final, module))

    np.testing.assert_allclose(y, y_torch.detach(), **CLOSE)
    for mine, its in zip(
        flatten(tape.final_state), flatten(split_states(final_torch, module)), strict=True
    ):
        np.testing.assert_allclose(mine, its, **CLOSE)
    np.testing.assert_allclose(dx, x_torch.grad, **CLOSE)
    expected = parameters(module, gradients=True)
    assert expected.keys() == net.grads.keys()
    for name, gradient in expected.items():
        np.testing.assert_allclose(net.grads[name], gradient, err_msg=name, **CLOSE)
    if states is not None:
        d_initial = tuple(s.grad for s in leaves(states))
        for mine, its in zip(
            flatten(tape.d_initial_state), flatten(split_states(d_initial, module)), strict=True
        ):
            np.testing.assert_allclose(mine, its, **CLOSE)


def _real(lengths: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.arange(x.shape[1]) < lengths[:, None]
