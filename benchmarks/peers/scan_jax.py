"""JAX: minGRU and linear recurrent units, as recurrences h_t = A_t h_{t-1} + B_t.

The recurrence is ``jax.lax.associative_scan``, which combines steps as a tree, or ``jax.lax.scan``.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

#: How the recurrence runs; the number says how many steps of a loop are unrolled.
VARIANTS = ["associative", "scan-1", "scan-16"]
Tree = Any


def _combine(earlier: Tree, later: Tree) -> Tree:
    (A, B), (C, D) = earlier, later
    return C * A, C * B + D


def recurrence(A: jax.Array, B: jax.Array, variant: str) -> jax.Array:
    """All h_t from A and B (T, N, H), with h_0 = 0."""
    if variant == "associative":
        return jax.lax.associative_scan(_combine, (A, B))[1]

    def step(h: jax.Array, given: Tree) -> Tree:
        h = given[0] * h + given[1]
        return h, h

    unroll = int(variant.rpartition("-")[2])
    return jax.lax.scan(step, jnp.zeros_like(B[0]), (A, B), unroll=unroll)[1]


def _mingru(p: Tree, x: jax.Array, variant: str) -> jax.Array:
    z, n = jnp.split(x @ p["W_x"] + p["b"], 2, axis=-1)
    z = jax.nn.sigmoid(z)
    return recurrence(1 - z, z * n, variant)


def _lru(p: Tree, x: jax.Array, variant: str) -> jax.Array:
    eigenvalues = jnp.exp(-jnp.exp(p["nu"]) + 1j * jnp.exp(p["theta"]))
    a = jax.lax.complex(*jnp.split(x @ p["W_x"], 2, axis=-1)) * jnp.exp(p["gamma"])
    h = recurrence(jnp.broadcast_to(eigenvalues, a.shape), a, variant)
    return jnp.concatenate([h.real, h.imag], -1) @ p["W_y"] + x @ p["W_d"] + p["b_y"]


LAYERS = {"mingru": _mingru, "lru": _lru}


def loss_and_gradient(
    p: Tree, x: jax.Array, target: jax.Array, cell: str, variant: str
) -> tuple[jax.Array, Tree]:
    """The mean squared loss over all steps, and its gradient."""

    def objective(p: Tree) -> jax.Array:
        return jnp.mean(jnp.square(LAYERS[cell](p, x, variant) - target))

    return jax.value_and_grad(objective)(p)
