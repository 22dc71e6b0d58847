r"""Minimal LSTM: one time step and its derivative.

    a_t = x_t W_x + b = [a_i, a_f, a_g]                       (P)
    i_t = s(a_i) / (s(a_i) + s(a_f)),  f_t = 1 - i_t          (ML1)
    g_t = phi(a_g)                                            (ML2)
    h_t = f_t * h_{t-1} + i_t * g_t                           (ML3)

with s the sigmoid: the two gates of an LSTM, divided by their sum. No gate sees h_{t-1}. Feng,
Tung, Ahmed, Bengio, Hajimirsadeghi (2024), arXiv:2410.01201, with the identity for phi. Where both
sigmoids underflow their quotient is still right in the form

    i_t = s(ln s(a_i) - ln s(a_f))                            (ML1b)

The derivative, from dh = dL/dh_t:

    di = dh * (g - h_{t-1}),  dg = dh * i,  dh_{t-1} = dh * (1 - i)          (ML3')
    da_g = phi' dg                                                           (ML2')
    da_i = i (1 - i) s(-a_i) di,  da_f = -i (1 - i) s(-a_f) di               (ML1')

The kernel in ``native/level/scan.cpp`` must equal it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import Activation, Identity, Sigmoid, Softplus
from throughtime.cells.base import Saved, State
from throughtime.cells.diagonal import Diagonal

GATE, SOFTPLUS = Sigmoid(), Softplus()


@dataclass(frozen=True)
class MinLSTM(Diagonal):
    """Minimal long short-term memory.

    ``saved`` is ``(i, not_i, not_f, g)`` with s(-a_i) and s(-a_f) in the middle, and a_g if phi'
    needs it.
    """

    activation: Activation = Identity()

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g")
    scan: ClassVar[int | None] = 1

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        (h_prev,) = state
        a_i, a_f, a_g = np.split(a, 3, axis=1)
        i = GATE(SOFTPLUS(-a_f) - SOFTPLUS(-a_i))  # (ML1b); softplus(-a) = -ln s(a)
        g = self.activation(a_g)  # (ML2)
        h = h_prev + i * (g - h_prev)  # (ML3)
        saved = (i, GATE(-a_i), GATE(-a_f), g)
        return (h,), ((*saved, a_g) if self.activation.needs_input else saved)

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
        i, not_i, not_f, g, *a_g = saved
        d = GATE.backward(dh * (g - h_prev), i)  # (ML3'), (ML1')
        da_g = self.activation.backward(dh * i, g, *a_g)  # (ML3'), (ML2')
        return np.concatenate([d * not_i, -d * not_f, da_g], axis=1), (dh * (1 - i),)

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        i, _, _, g = saved[:4]
        return i, 1 - i, g
