r"""Elman cell with layer normalisation: one time step and its derivative.

    a_t = g_x * w + b,  w of (L6), v = x_t W_x                      (L7)
    z_t = a_t + g_h * w,  w of (L6), v = h_{t-1} W_h                (L17)
    h_t = f(z_t)                                                    (E2)

The two products are normalised each by itself, as those of the gated cells in Ba, Kiros and Hinton
(2016), arXiv:1607.06450, equations 20 to 29; their equation 4 normalises the sum. The derivative,
from dL/dh_t:

    dz = f'(z_t) dh_t                                               (E2')
    dv = (L6') of dz * g_h,  dh_{t-1} = dv W_h^T                    (L17')

The kernel in ``native/level/options.cpp`` must equal it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import Activation, Tanh
from throughtime.cells.base import Cell, Saved, State, dropped
from throughtime.cells.normalisation import normalise, normalise_backward


@dataclass(frozen=True)
class NormElman(Cell):
    """Elman's cell, normalised; ``saved`` is z_t, and w and k of h_{t-1} W_h."""

    activation: Activation = Tanh()

    gates: ClassVar[tuple[str, ...]] = ("h",)
    normalised = (1,)
    option_kernel: ClassVar[int | None] = 0

    def extra_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        return {"g_x": (units,), "g_h": (units,)}

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        w, k = normalise(dropped(state[0], drop) @ p.W_h, self.normalised)
        z = a + w * p.g_h  # (L17)
        return (self.activation(z),), (z, w, k)  # (E2)

    def step_backward(
        self,
        p: Any,
        dstate: State,
        state_prev: State,
        state: State,
        saved: Saved,
        drop: np.ndarray | None = None,
    ) -> tuple[Any, ...]:
        z, w, k = saved
        dz = self.activation.backward(dstate[0], state[0], z)  # (E2')
        dv = normalise_backward(dz * p.g_h, w, k, self.normalised)
        return dz, (dropped(dv @ p.W_h.T, drop),), dv  # (L17')

    def recurrent_gradients(
        self, grad: Any, h_used: np.ndarray, da: np.ndarray, saved: Saved, *more: np.ndarray
    ) -> None:
        grad.W_h += h_used.T @ more[0]
        grad.g_h += (da * saved[1]).sum(axis=0)

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        return (state[0],)

    def preactivation(self, p: Any, a: np.ndarray, h_used: np.ndarray, saved: Saved) -> np.ndarray:
        return saved[0]
