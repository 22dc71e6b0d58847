"""Layers without a product in their time loop equal the same written with JAX's associative scan
and as a loop in PyTorch: outputs, final states and every gradient, to 1e-10 in float64.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import throughtime as tt

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
BATCH, STEPS, FEATURES, UNITS = 4, 9, 3, 5
LAYERS = {
    "mingru": tt.layers.MinGRU(UNITS, return_sequences=True),
    "mingru, tanh": tt.layers.MinGRU(UNITS, return_sequences=True, activation="tanh"),
    "minlstm": tt.layers.MinLSTM(UNITS, return_sequences=True),
    "indrnn": tt.layers.IndRNN(UNITS, return_sequences=True),
    "indrnn, tanh": tt.layers.IndRNN(UNITS, return_sequences=True, activation="tanh"),
    "lru": tt.layers.LRU(UNITS, return_sequences=True, state_size=4),
    "lru, no bias": tt.layers.LRU(UNITS, return_sequences=True, state_size=2, use_bias=False),
}
HOLES = np.random.default_rng(4).random((BATCH, STEPS)) < 0.6
HOLES[3] = False  # a sequence without a single unmasked step
MASKS = {
    "full": np.ones((BATCH, STEPS), dtype=bool),
    "ragged": np.arange(STEPS) < np.array([[9], [1], [4], [6]]),
    "holes": HOLES,
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


class Case:
    """A layer with random parameters, data and upstream gradients, and our results."""

    def __init__(self, name: str, mask: str, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.layer, self.mask, self.kind = LAYERS[name], MASKS[mask], name.partition(",")[0]
        net = tt.Network([self.layer], n_features=FEATURES, dtype="float64")
        net.params.flat[...] = 0.7 * rng.normal(size=net.params.size)
        self.p = {name.removeprefix("0."): array.copy() for name, array in net.params.items()}
        self.x = rng.normal(size=(BATCH, STEPS, FEATURES))
        widths = self.layer.state_widths.values()
        self.given, self.d_final = (
            tuple(rng.normal(size=(BATCH, width)) for width in widths) for _ in range(2)
        )
        self.dy = rng.normal(size=(BATCH, STEPS, UNITS))
        y, tape = net.forward(self.x, mask=self.mask, initial_state=[self.given])
        dx = net.backward(tape, self.dy, [self.d_final])
        self.outputs = [y, *tape.final_state[0]]
        self.gradients = {name.removeprefix("0."): array for name, array in net.grads.items()}
        self.gradients |= {"x": dx}
        self.gradients |= {f"given {i}": d for i, d in enumerate(tape.d_initial_state[0])}

    def agree(self, outputs: list[np.ndarray], gradients: dict[str, np.ndarray]) -> None:
        for got, want in zip(self.outputs, outputs, strict=True):
            np.testing.assert_allclose(got, want, **CLOSE)
        assert gradients.keys() == self.gradients.keys()
        for name, want in gradients.items():
            np.testing.assert_allclose(self.gradients[name], want, err_msg=name, **CLOSE)


# -- JAX --------------------------------------------------------------------------------------


def combine(earlier, later):
    (A, B), (C, D) = earlier, later
    return C * A, C * B + D


def in_jax(case, p, x, given):
    """The output and the final state, by an associative scan over (N, T, H)."""
    real = case.mask[..., None]
    a = x @ p["W_x"] + p.get("b", 0.0)
    f = {"Identity": lambda z: z, "Tanh": jnp.tanh}[type(case.layer.activation).__name__]
    h_0 = given[0]
    if case.kind == "mingru":
        z, n = jnp.split(a, 2, axis=-1)
        z = jax.nn.sigmoid(z)
        A, B = 1 - z, z * f(n)
    elif case.kind == "minlstm":
        i, forget, g = jnp.split(a, 3, axis=-1)
        i, forget = jax.nn.sigmoid(i), jax.nn.sigmoid(forget)
        A, B = forget / (forget + i), i / (forget + i) * f(g)
    else:
        size, phase = jnp.exp(-jnp.exp(p["nu"])), jnp.exp(p["theta"])
        B = jnp.exp(p["gamma"]) * jax.lax.complex(*jnp.split(a, 2, axis=-1))
        A = jnp.broadcast_to(size * jnp.exp(1j * phase), B.shape)
        h_0 = jax.lax.complex(*given[:2])
    A, B = jnp.where(real, A, 1), jnp.where(real, B, 0)
    products, sums = jax.lax.associative_scan(combine, (A, B), axis=1)
    h = products * h_0[:, None] + sums
    if case.kind != "lru":
        return jnp.where(real, h, 0), h[:, -1]
    skip = x @ p["W_d"]
    n = len(p["nu"])
    C = jax.lax.complex(p["W_y"][:n], -p["W_y"][n:])
    y = (h @ C).real + skip + p.get("b_y", 0.0)
    last = given[2]
    for t in range(STEPS):
        last = jnp.where(case.mask[:, t, None], skip[:, t], last)
    return jnp.where(real, y, 0), h[:, -1].real, h[:, -1].imag, last


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", [n for n in LAYERS if "indrnn" not in n])
def test_associative_scan_of_jax(name, mask):
    case = Case(name, mask)

    def objective(p, x, given):
        found = in_jax(case, p, x, given)
        upstream = (case.dy, *case.d_final)
        return sum((a * b).sum() for a, b in zip(found, upstream, strict=True)), found

    gradient = jax.jit(jax.grad(objective, argnums=(0, 1, 2), has_aux=True))
    (dp, dx, d_given), outputs = gradient(case.p, case.x, case.given)
    case.agree(outputs, dp | {"x": dx} | {f"given {i}": d for i, d in enumerate(d_given)})


# -- PyTorch ----------------------------------------------------------------------------------


def step(case, p, x, state):
    """One step of a loop, of all rows: the new state."""
    a = x @ p["W_x"] + p.get("b", 0.0)
    f = {"Identity": lambda z: z, "Tanh": torch.tanh, "ReLU": torch.relu}[
        type(case.layer.activation).__name__
    ]
    h = state[0]
    if case.kind == "indrnn":
        return (f(a + p["u"] * h),)
    if case.kind == "mingru":
        z, n = a.chunk(2, -1)
        return (torch.lerp(h, f(n), z.sigmoid()),)
    if case.kind == "minlstm":
        i, forget, g = a.chunk(3, -1)
        i, forget = i.sigmoid(), forget.sigmoid()
        return ((forget * h + i * f(g)) / (forget + i),)
    eigenvalues = torch.polar(torch.exp(-p["nu"].exp()), p["theta"].exp())
    h = eigenvalues * torch.complex(h, state[1])
    h = h + p["gamma"].exp() * torch.complex(*a.chunk(2, -1))
    return h.real, h.imag, x @ p["W_d"]


def output(case, p, state):
    if case.kind != "lru":
        return state[0]
    return torch.cat(state[:2], -1) @ p["W_y"] + state[2] + p.get("b_y", 0.0)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_loop_in_pytorch(name, mask):
    case = Case(name, mask)
    real = torch.from_numpy(case.mask)[..., None]
    p = {n: torch.tensor(a, requires_grad=True) for n, a in case.p.items()}
    x = torch.tensor(case.x, requires_grad=True)
    given = [torch.tensor(s, requires_grad=True) for s in case.given]
    state, found = tuple(given), []
    for t in range(STEPS):
        new = step(case, p, x[:, t], state)
        state = tuple(torch.where(real[:, t], a, b) for a, b in zip(new, state, strict=True))
        found.append(torch.where(real[:, t], output(case, p, state), 0.0))
    outputs = [torch.stack(found, 1), *state]
    upstream = (case.dy, *case.d_final)
    sum((a * torch.from_numpy(b)).sum() for a, b in zip(outputs, upstream, strict=True)).backward()
    gradients = {name: tensor.grad for name, tensor in p.items()} | {"x": x.grad}
    gradients |= {f"given {i}": s.grad for i, s in enumerate(given)}
    case.agree(
        [one.detach().numpy() for one in outputs],
        {name: np.zeros(1) if g is None else g.numpy() for name, g in gradients.items()},
    )
