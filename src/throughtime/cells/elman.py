r"""Elman cell: one time step and its derivative.

    a_t = x_t W_x + b                          (P)
    z_t = a_t + h_{t-1} W_h                    (E1)
    h_t = f(z_t)                               (E2)

with x_t (N, F), h_t (N, H), W_x (F, H), W_h (H, H), b (H,). Elman (1990), Cognitive Science 14.
The derivative, from dL/dh_t:

    dL/dz_t     = f'(z_t) dL/dh_t              (E2')
    dL/dh_{t-1} = dL/dz_t W_h^T                (E1')
    dL/dW_h    += h_{t-1}^T dL/dz_t            (E1'')

The kernel in ``native/level/elman.cpp`` must equal it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import Activation, Tanh
from throughtime.cells.base import Cell, KernelForm, Saved, State, dropped


@dataclass(frozen=True)
class Elman(Cell):
    """Elman's simple recurrent cell with any activation f."""

    activation: Activation = Tanh()

    gates: ClassVar[tuple[str, ...]] = ("h",)
    kernel: ClassVar[int | None] = 0  # native/level/elman.cpp

    def kernel_form(self) -> KernelForm:
        return KernelForm(self.activation, self.activation, takes_softmax=True)

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        (h_prev,) = state
        z = a + dropped(h_prev, drop) @ p.W_h  # (E1)
        h = self.activation(z)  # (E2)
        return (h,), ((z,) if self.activation.needs_input else ())

    def step_backward(
        self,
        p: Any,
        dstate: State,
        state_prev: State,
        state: State,
        saved: Saved,
        drop: np.ndarray | None = None,
    ) -> tuple[np.ndarray, State]:
        (dh,), (h,) = dstate, state
        dz = self.activation.backward(dh, h, *saved)  # (E2')
        return dz, (dropped(dz @ p.W_h.T, drop),)  # (E1')

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        return (state[0],)
