"""Layer-normalised layers, clipping and zoneout equal the same equations in PyTorch, by autograd.

The equations are written once more here, with ``torch.nn.functional.layer_norm``, and float64.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import layer_norm

import throughtime as tt
from throughtime.layers import GRU, LSTM, RNN

CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def norm(v, gain):
    return gain * layer_norm(v, v.shape[-1:], eps=1e-5)


def rnn(layer, p, x, state):
    (h,) = state
    return (torch.tanh(norm(x @ p["W_x"], p["g_x"]) + p["b"] + norm(h @ p["W_h"], p["g_h"])),)


def gru(layer, p, x, state):
    (h,) = state
    two = 2 * layer.units

    def parts(v, gain):
        return norm(v[:, :two], gain[:two]), norm(v[:, two:], gain[two:])

    a_rz, a_n = parts(x @ p["W_x"], p["g_x"])
    gates = torch.sigmoid(a_rz + p["b"][:two] + norm(h @ p["W_h"][:, :two], p["g_h"][:two]))
    r, z = gates.chunk(2, dim=1)
    W_n, gain = p["W_h"][:, two:], p["g_h"][two:]
    before = not layer.reset_after
    q = norm((r * h) @ W_n, gain) if before else r * (norm(h @ W_n, gain) + p["b_hn"])
    n = torch.tanh(a_n + p["b"][two:] + q)
    return ((1 - z) * n + z * h,)


def lstm(layer, p, x, state):
    h, c = state
    a, r = x @ p["W_x"], h @ p["W_h"]
    if layer.layer_norm:
        a, r = norm(a, p["g_x"]), norm(r, p["g_h"])
    *first, u_g, u_o = (a + p["b"] + r).chunk(len(layer.cell.gates), dim=1)
    if layer.peepholes:
        first = [u + w * c for u, w in zip(first, p["W_c"], strict=False)]
        looks = p["W_c"][-1]
    i = torch.sigmoid(first[0])
    f = 1 - i if layer.coupled_gates else torch.sigmoid(first[1])
    c = f * c + i * torch.tanh(u_g)
    if layer.cell_clip is not None:
        c = c.clamp(-layer.cell_clip, layer.cell_clip)
    o = torch.sigmoid(u_o + looks * c if layer.peepholes else u_o)
    h = o * torch.tanh(norm(c, p["g_c"]) + p["b_c"] if layer.layer_norm else c)
    return (h @ p["W_r"] if layer.proj_size else h), c


STEPS = {RNN: rnn, GRU: gru, LSTM: lstm}
LAYERS = [
    RNN(5, layer_norm=True),
    RNN(4, layer_norm=True, hidden_clip=0.5),
    GRU(5, layer_norm=True),
    GRU(5, layer_norm=True, reset_after=False),
    GRU(4, layer_norm=True, zoneout=0.3, hidden_clip=0.4),
    LSTM(5, layer_norm=True),
    LSTM(5, layer_norm=True, peepholes=True, proj_size=3),
    LSTM(5, coupled_gates=True, layer_norm=True, zoneout=0.2, cell_zoneout=0.4),
    LSTM(4, cell_clip=0.3, hidden_clip=0.1, peepholes=True),
    LSTM(6, proj_size=2, hidden_clip=0.2, zoneout=0.25, cell_clip=0.5),
]


def run(layer, p, x, state):
    """Outputs (N, T, H) and the final state; with clipping and the expectation of zoneout."""
    outputs = []
    rates = layer.hold_rates
    for t in range(x.shape[1]):
        h, *others = STEPS[type(layer)](layer, p, x[:, t], state)
        if layer.hidden_clip is not None:
            h = h.clamp(-layer.hidden_clip, layer.hidden_clip)
        new = zip(rates, state, (h, *others), strict=True)
        state = tuple(z * old + (1 - z) * s for z, old, s in new)
        outputs.append(state[0])
    return torch.stack(outputs, dim=1), state


@pytest.mark.parametrize("engine", tt.kernels.selection.available())
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: tt.layers.base.summary_of(layer))
def test_forward_and_backward(layer, engine):
    rng = np.random.default_rng(layer.units)
    options = {name: value for name, value in vars(layer).items() if name != "cell"}
    own = type(layer)(**options | {"return_sequences": True})
    net = tt.Network([own], 3, "float64")
    net.params.flat = 0.7 * rng.normal(size=net.params.size)
    p = {name[2:]: torch.tensor(value, requires_grad=True) for name, value in net.params.items()}
    x = rng.normal(size=(4, 6, 3))
    state = tuple(rng.normal(size=(4, n)) for n in own.state_widths.values())
    x_torch = torch.tensor(x, requires_grad=True)
    states_torch = tuple(torch.tensor(s, requires_grad=True) for s in state)
    y_torch, final_torch = run(own, p, x_torch, states_torch)
    dy = rng.normal(size=y_torch.shape)
    d_final = tuple(rng.normal(size=s.shape) for s in final_torch)
    total = (y_torch * torch.tensor(dy)).sum()
    for s, d in zip(final_torch, d_final, strict=True):
        total = total + (s * torch.tensor(d)).sum()
    total.backward()

    with tt.engine(engine):
        y, tape = net.forward(x, initial_state=[state])
        dx = net.backward(tape, dy, [d_final])
    np.testing.assert_allclose(y, y_torch.detach(), **CLOSE)
    np.testing.assert_allclose(dx, x_torch.grad, **CLOSE)
    for name, value in p.items():
        np.testing.assert_allclose(net.grads[f"0.{name}"], value.grad, err_msg=name, **CLOSE)
    for got, want in zip(tape.final_state[0], final_torch, strict=True):
        np.testing.assert_allclose(got, want.detach(), **CLOSE)
    for got, want in zip(tape.d_initial_state[0], states_torch, strict=True):
        np.testing.assert_allclose(got, want.grad, **CLOSE)
