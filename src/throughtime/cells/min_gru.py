r"""Minimal GRU: one time step and its derivative.

    a_t = x_t W_x + b = [a_z, a_n]             (P)
    z_t = s(a_z)                               (MG1)
    n_t = f(a_n)                               (MG2)
    h_t = (1 - z_t) * h_{t-1} + z_t * n_t      (MG3)

with s the sigmoid. Neither the gate nor the candidate sees h_{t-1}. Feng, Tung, Ahmed, Bengio,
Hajimirsadeghi (2024), arXiv:2410.01201, where f is the identity. Here z weighs the candidate, as in
that paper, where the z of the GRU here weighs the old state. The derivative, from dh = dL/dh_t:

    dz = dh * (n - h_{t-1}),  dn = dh * z,  dh_{t-1} = dh * (1 - z)    (MG3')
    da_n = f' dn                                                       (MG2')
    da_z = z (1 - z) dz                                                (MG1')

The kernel in ``native/level/scan.cpp`` must equal it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import Activation, Identity, Sigmoid
from throughtime.cells.base import Saved, State
from throughtime.cells.diagonal import Diagonal

GATE = Sigmoid()


@dataclass(frozen=True)
class MinGRU(Diagonal):
    """Minimal gated recurrent unit. ``saved`` is ``(z, n)``, and a_n if f' needs it."""

    activation: Activation = Identity()

    gates: ClassVar[tuple[str, ...]] = ("z", "n")
    scan: ClassVar[int | None] = 0

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        (h_prev,) = state
        a_z, a_n = np.split(a, 2, axis=1)
        z = GATE(a_z)  # (MG1)
        n = self.activation(a_n)  # (MG2)
        h = h_prev + z * (n - h_prev)  # (MG3)
        return (h,), ((z, n, a_n) if self.activation.needs_input else (z, n))

    def step_backward(
        self,
        p: Any,
        dstate: State,
        state_prev: State,
        state: State,
        saved: Saved,
        drop: np.ndarray | None = None,
    ) -> tuple[np.ndarray, State]:
        (dh,), (h_prev,) = dstate, state_prev
        z, n, *a_n = saved
        da_z = GATE.backward(dh * (n - h_prev), z)  # (MG3'), (MG1')
        da_n = self.activation.backward(dh * z, n, *a_n)  # (MG3'), (MG2')
        return np.concatenate([da_z, da_n], axis=1), (dh * (1 - z),)

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        return saved[:2]
