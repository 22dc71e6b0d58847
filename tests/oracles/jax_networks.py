"""Recurrent layers written with ``jax.lax.scan`` and differentiated by JAX.

An oracle of backpropagation through time for what PyTorch's modules lack: masks
with holes, the GRU's older form, the time bias, learned initial states, recurrent dropout, any
activation. Parameters have our names and shapes, so their gradients need no translation.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": lambda z: jax.nn.leaky_relu(z, 0.01),
    "elu": jax.nn.elu,
    "softplus": jax.nn.softplus,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "exp": jnp.exp,
    "softmax": jax.nn.softmax,
}


def cell_step(kind: str, f: Any, s: Any, p: dict[str, Any], a: Any, state: Any, drop: Any) -> Any:
    """Return the states after one step, from a = x W_x + b and the states before it."""
    h = state[0]
    units = h.shape[-1]
    used = h * drop
    W = [p["W_h"][:, k * units : (k + 1) * units] for k in range(p["W_h"].shape[1] // units)]
    parts = [a[:, k * units : (k + 1) * units] for k in range(len(W))]
    if kind == "rnn":
        return (f(parts[0] + used @ W[0]),)
    if kind == "lstm":
        i, forget, o = (s(parts[k] + used @ W[k]) for k in (0, 1, 3))
        c = forget * state[1] + i * f(parts[2] + used @ W[2])
        return o * f(c), c
    r, z = (s(parts[k] + used @ W[k]) for k in (0, 1))
    if kind == "gru":
        n = f(parts[2] + r * (used @ W[2] + p.get("b_hn", 0.0)))
    else:
        n = f(parts[2] + (r * used) @ W[2])
    return ((1 - z) * n + z * h,)


def direction(
    kind: str,
    f: Any,
    s: Any,
    p: dict[str, Any],
    x: Any,
    mask: Any,
    state: Any,
    drops: tuple[Any, Any],
    *,
    reverse: bool,
) -> Any:
    """Return outputs (N, T, H) and final states of one direction; ``state`` None starts anew."""
    batch, units = x.shape[0], p["W_h"].shape[0]
    names = ("h_0", "c_0")[: 2 if kind == "lstm" else 1]
    started = jnp.full((batch, 1), state is not None)
    if state is None:
        zeros = jnp.zeros((batch, units), x.dtype)
        state = tuple(zeros + p.get(name, 0.0) for name in names)
    drop_x, drop_h = drops

    def step(carry: Any, now: Any) -> Any:
        old, started = carry
        x_t, real = now
        a = (x_t * drop_x) @ p["W_x"] + p.get("b", 0.0)
        if "b_time" in p:
            a = a + jnp.where(started, p["b_time"], 0.0)
        new = cell_step(kind, f, s, p, a, old, drop_h)
        new = tuple(jnp.where(real, n, o) for n, o in zip(new, old, strict=True))
        return (new, started | real), jnp.where(real, new[0], 0.0)

    over_time = (x.swapaxes(0, 1), mask.T[..., None])
    (final, _), y = jax.lax.scan(step, (state, started), over_time, reverse=reverse)
    return y.swapaxes(0, 1), final


def stack(
    kind: str,
    names: tuple[str, str],
    directions: tuple[tuple[str, bool], ...],
    params: dict[str, Any],
    x: Any,
    mask: Any,
    states: list[Any],
    drops: list[Any],
) -> Any:
    """Run layers one on the other; return the last outputs and the final states of all."""
    f, s = (ACTIVATIONS[name] for name in names)
    finals = []
    for k, given in enumerate(states):
        outputs, ends = [], []
        for d, (group, reverse) in enumerate(directions):
            start = f"{k}.{group}".rstrip(".") + "."
            p = {n[len(start) :]: v for n, v in params.items() if n.startswith(start)}
            own = None if given is None else given[d]
            y, final = direction(kind, f, s, p, x, mask, own, drops[k][d], reverse=reverse)
            outputs.append(y)
            ends.append(final)
        x = jnp.concatenate(outputs, axis=-1)
        finals.append(tuple(ends))
    return x, finals
