"""JAX: the whole training step under one jit; the scan holds nothing but what depends on the state.

The data are given time first, as a scan wants them, so that nothing is transposed in the measured
time. Parameters and the moments of Adam are donated: XLA may update them in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.tasks import LEARNING_RATE, Arrays, Task, time_first

VARIANTS = {
    "train": ["unroll-1", "unroll-4", "unroll-16"],
    "predict": ["unroll-1", "unroll-4", "unroll-16"],
}
Tree = Any


def start(threads: int) -> None:
    """Nothing: XLA makes as many threads as the process may use cores, and the server binds it."""


def versions() -> dict[str, str]:
    """Releases in use."""
    return {"jax": jax.__version__}


def _rnn(p: Tree, state: Tree, a: jax.Array) -> tuple[Tree, jax.Array]:
    (h,) = state
    h = jnp.tanh(a + h @ p["W_h"])
    return (h,), h


def _gru(p: Tree, state: Tree, a: jax.Array) -> tuple[Tree, jax.Array]:
    (h,) = state
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    q_r, q_z, q_n = jnp.split(h @ p["W_h"], 3, axis=-1)
    r, z = jax.nn.sigmoid(a_r + q_r), jax.nn.sigmoid(a_z + q_z)
    n = jnp.tanh(a_n + r * (q_n + p["b_hn"]))
    h = n + z * (h - n)
    return (h,), h


def _lstm(p: Tree, state: Tree, a: jax.Array) -> tuple[Tree, jax.Array]:
    h, c = state
    i, f, g, o = jnp.split(a + h @ p["W_h"], 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


STEPS = {"rnn": _rnn, "gru": _gru, "lstm": _lstm}


def _forward(p: Tree, x: jax.Array, cell: str, unroll: int) -> jax.Array:
    """(T, N, F) to (T, N, H)."""
    zero = jnp.zeros((x.shape[1], p["W_h"].shape[0]), x.dtype)
    start_state = (zero, zero) if cell == "lstm" else (zero,)
    projected = x @ p["W_x"] + p["b"]
    return jax.lax.scan(partial(STEPS[cell], p), start_state, projected, unroll=unroll)[1]


def _train_step(
    state: Tree, x: jax.Array, target: jax.Array, cell: str, unroll: int
) -> tuple[Tree, jax.Array]:
    """Gradient and Adam, whose equations are those of Kingma and Ba."""
    p, m, v, count = state

    def objective(p: Tree) -> jax.Array:
        return jnp.mean(jnp.square(_forward(p, x, cell, unroll) - target))

    loss, grads = jax.value_and_grad(objective)(p)
    count = count + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
    one, two = 1 - 0.9**count, jnp.sqrt(1 - 0.999**count)
    rate = LEARNING_RATE / one
    p = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / two + 1e-8), p, m, v)
    return (p, m, v, count), loss


class Train:
    """A training step."""

    def __init__(self, task: Task, variant: str) -> None:
        p = {name: jnp.array(a) for name, a in task.weights.items()}
        self.x, self.target = (jnp.array(time_first(a)) for a in (task.x, task.target))
        self.state = (p, *(jax.tree.map(jnp.zeros_like, p) for _ in "mv"), jnp.float32(0))
        step = partial(_train_step, cell=task.cell, unroll=int(variant.rpartition("-")[2]))
        self.step = jax.jit(step, donate_argnums=0)

    def run(self, repeats: int) -> None:
        """So many steps; they follow from each other, and the last one is waited for."""
        for _ in range(repeats):
            self.state, loss = self.step(self.state, self.x, self.target)
        jax.block_until_ready((self.state, loss))

    def answers(self) -> Arrays:
        """Loss of one step and the parameters after it."""
        self.state, loss = self.step(self.state, self.x, self.target)
        return {"loss": np.array(loss)} | {n: np.array(a) for n, a in self.state[0].items()}


class Predict:
    """The forward pass."""

    def __init__(self, task: Task, variant: str) -> None:
        p = {name: jnp.array(a) for name, a in task.weights.items()}
        self.p, self.x = p, jnp.array(time_first(task.x))
        unroll = int(variant.rpartition("-")[2])
        self.forward = jax.jit(partial(_forward, cell=task.cell, unroll=unroll))

    def run(self, repeats: int) -> None:
        """So many passes."""
        for _ in range(repeats):
            jax.block_until_ready(self.forward(self.p, self.x))

    def answers(self) -> Arrays:
        """The output (N, T, H)."""
        return {"y": np.swapaxes(np.array(self.forward(self.p, self.x)), 0, 1)}


JOBS: dict[str, Callable[[Task, str], object]] = {"train": Train, "predict": Predict}
