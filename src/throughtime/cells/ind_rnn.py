r"""Independently recurrent cell: one time step and its derivative.

    a_t = x_t W_x + b                      (P)
    z_t = a_t + u * h_{t-1}                (IR1)
    h_t = f(z_t)                           (IR2)

with u (H,): an Elman cell whose recurrent weights are a diagonal. Li, Li, Cook, Zhu, Gao (2018),
arXiv:1803.04831, with f = relu. The derivative, from dL/dh_t:

    dL/dz_t     = f'(z_t) dL/dh_t          (IR2')
    dL/dh_{t-1} = u * dL/dz_t              (IR1')
    dL/du      += h_{t-1} * dL/dz_t        (IR1'')

The kernel in ``native/level/scan.cpp`` must equal it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import Activation, ReLU
from throughtime.cells.base import Saved, State
from throughtime.cells.diagonal import Diagonal, Scanned


@dataclass(frozen=True)
class IndRNN(Diagonal):
    """Independently recurrent cell with any activation f."""

    activation: Activation = ReLU()

    gates: ClassVar[tuple[str, ...]] = ("h",)
    scan: ClassVar[int | None] = 2

    def extra_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        return {"u": (units,)}

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        (h_prev,) = state
        z = a + p.u * h_prev  # (IR1)
        return (self.activation(z),), ((z,) if self.activation.needs_input else ())

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
        dz = self.activation.backward(dh, h, *saved)  # (IR2')
        return dz, (p.u * dz,)  # (IR1')

    def recurrent_gradients(
        self, grad: Any, h_used: np.ndarray, da: np.ndarray, saved: Saved, *more: np.ndarray
    ) -> None:
        grad.u += (h_used * da).sum(axis=0)  # (IR1'')

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        return (state[0],)

    def preactivation(self, p: Any, a: np.ndarray, h_used: np.ndarray, saved: Saved) -> np.ndarray:
        return a + p.u * h_used

    def scanned(self, p: Any) -> Scanned:
        return super().scanned(p)._replace(c=p.u[None])

    def scanned_gradients(self, grad: Any, own: Scanned) -> Scanned:
        return super().scanned_gradients(grad, own)._replace(c=grad.u[None])
