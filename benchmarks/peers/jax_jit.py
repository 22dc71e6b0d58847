"""JAX: the whole training step under one jit; the scan computes only what depends on the state.

The data are time first, as a scan wants them, so nothing is transposed in the measured time.
Parameters and the moments of Adam are donated: XLA may update them in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers import scan_jax
from benchmarks.tasks import LEARNING_RATE, Arrays, Task, time_first

#: How the gradients of the weights are made, and how many steps of the loop are unrolled.
VARIANTS = {
    "train": ["scan-1", "product-1", "product-4", "product-16"],
    "predict": ["scan-1", "scan-4", "scan-16"],
    "scan": scan_jax.VARIANTS,
}
Tree = Any


def start(threads: int) -> None:
    """Do nothing: XLA makes one thread for each core that the server allows."""


def versions() -> dict[str, str]:
    """Releases in use."""
    return {"jax": jax.__version__}


def _rnn(_p: Tree, _state: Tree, a: jax.Array, q: jax.Array) -> Tree:
    return (jnp.tanh(a + q),)


def _gru(p: Tree, state: Tree, a: jax.Array, q: jax.Array) -> Tree:
    (h,) = state
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    q_r, q_z, q_n = jnp.split(q, 3, axis=-1)
    r, z = jax.nn.sigmoid(a_r + q_r), jax.nn.sigmoid(a_z + q_z)
    n = jnp.tanh(a_n + r * (q_n + p["b_hn"]))
    return (n + z * (h - n),)


def _lstm(_p: Tree, state: Tree, a: jax.Array, q: jax.Array) -> Tree:
    _, c = state
    i, f, g, o = jnp.split(a + q, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


#: Functions that return the new state from the old one, a_t = x_t W_x + b and q_t = h_{t-1} W_h.
STEPS = {"rnn": _rnn, "gru": _gru, "lstm": _lstm}


def _scan(p: Tree, a: jax.Array, dq: jax.Array | None, cell: str, unroll: int) -> jax.Array:
    """All h (T, N, H) from all a (T, N, gH); ``dq``, if given, is added to all q."""
    zero = jnp.zeros((a.shape[1], p["W_h"].shape[0]), a.dtype)
    begin = (zero, zero) if cell == "lstm" else (zero,)

    def step(state: Tree, given: Tree) -> tuple[Tree, jax.Array]:
        a_t, dq_t = given
        q = state[0] @ p["W_h"]
        state = STEPS[cell](p, state, a_t, q if dq_t is None else q + dq_t)
        return state, state[0]

    return jax.lax.scan(step, begin, (a, dq), unroll=unroll)[1]


def _project(p: Tree, x: jax.Array) -> jax.Array:
    return x @ p["W_x"] + p["b"]


def _plain(
    p: Tree, x: jax.Array, target: jax.Array, cell: str, unroll: int
) -> tuple[jax.Array, Tree]:
    """Loss and gradient as JAX finds them; the gradient of W_h is a sum over the steps."""

    def objective(p: Tree) -> jax.Array:
        h = _scan(p, _project(p, x), None, cell, unroll)
        return jnp.mean(jnp.square(h - target))

    return jax.value_and_grad(objective)(p)


def _product(
    p: Tree, x: jax.Array, target: jax.Array, cell: str, unroll: int
) -> tuple[jax.Array, Tree]:
    """The same with each gradient of weights as one matrix product over all steps.

    JAX differentiates the scan by a and q alone, and no longer carries dL/dW_h from step to step.
    """

    def objective(a: jax.Array, dq: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = _scan(p, a, dq, cell, unroll)
        return jnp.mean(jnp.square(h - target)), h

    a = _project(p, x)
    both = jax.value_and_grad(objective, argnums=(0, 1), has_aux=True)
    (loss, h), (da, dq) = both(a, jnp.zeros_like(a))
    before = jnp.concatenate([jnp.zeros_like(h[:1]), h[:-1]])
    da, dq = (d.reshape(-1, d.shape[-1]) for d in (da, dq))
    grads = {
        "W_x": x.reshape(-1, x.shape[-1]).T @ da,
        "W_h": before.reshape(-1, h.shape[-1]).T @ dq,
        "b": da.sum(axis=0),
    }
    if cell == "gru":
        grads["b_hn"] = dq[:, -h.shape[-1] :].sum(axis=0)
    return loss, grads


GRADIENTS = {"scan": _plain, "product": _product}


def _train_step(
    state: Tree, x: jax.Array, target: jax.Array, cell: str, variant: str
) -> tuple[Tree, jax.Array]:
    """Gradient and Adam, whose equations are those of Kingma and Ba."""
    p, m, v, count = state
    if cell in scan_jax.LAYERS:
        loss, grads = scan_jax.loss_and_gradient(p, x, target, cell, variant)
    else:
        form, unroll = variant.split("-")
        loss, grads = GRADIENTS[form](p, x, target, cell, int(unroll))
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
        step = partial(_train_step, cell=task.cell, variant=variant)
        self.step = jax.jit(step, donate_argnums=0)

    def run(self, repeats: int) -> None:
        """Take ``repeats`` steps, each from the one before it, and wait for the last one."""
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
        self.forward = jax.jit(lambda p, x: _scan(p, _project(p, x), None, task.cell, unroll))

    def run(self, repeats: int) -> None:
        """Compute ``repeats`` forward passes."""
        for _ in range(repeats):
            jax.block_until_ready(self.forward(self.p, self.x))

    def answers(self) -> Arrays:
        """The output (N, T, H)."""
        return {"y": np.swapaxes(np.array(self.forward(self.p, self.x)), 0, 1)}


JOBS: dict[str, Callable[[Task, str], object]] = {"train": Train, "predict": Predict, "scan": Train}
