r"""LSTM cell: one time step and its derivative.

    a_t = x_t W_x + b = [a_i, a_f, a_g, a_o]                        (P)
    [u_i, u_f, u_g, u_o] = a_t + h_{t-1} W_h                        (L1)
    i = s(u_i),  f = s(u_f),  g = phi(u_g),  o = s(u_o)             (L2)
    c_t = f * c_{t-1} + i * g                                       (L3)
    h_t = o * phi(c_t)                                              (L4)

with s the gates' sigmoid and phi = tanh. Hochreiter and Schmidhuber (1997), Neural Computation
9(8), with the forget gate of Gers, Schmidhuber, Cummins (2000). The derivative, from dL/dh_t and
dL/dc_t (the letter d before a name is dL/d of it):

    do = dh * phi(c_t),   dc += dh * o * phi'(c_t)                  (L4')
    di = dc * g,  dg = dc * i,  df = dc * c_{t-1},  dc_{t-1} = dc * f   (L3')
    du = [s'(u_i) di, s'(u_f) df, phi'(u_g) dg, s'(u_o) do]         (L2')
    dh_{t-1} = du W_h^T                                             (L1')

The kernel in ``native/level/lstm.cpp`` must equal it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import Activation, Sigmoid, Tanh
from throughtime.cells.base import Cell, KernelForm, Saved, State, dropped, gates, gates_backward


@dataclass(frozen=True)
class LSTM(Cell):
    """Long short-term memory.

    ``saved`` is ``(if, g, o, phi(c_t), u)``, i and f side by side; u of (L1) is kept only for an
    activation whose derivative needs it.
    """

    activation: Activation = Tanh()
    recurrent_activation: Activation = Sigmoid()

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    kernel: ClassVar[int | None] = 2  # native/level/lstm.cpp

    def kernel_form(self) -> KernelForm:
        return KernelForm(self.activation, self.recurrent_activation)

    @property
    def keeps_input(self) -> bool:
        """Whether an activation needs its pre-activation for the derivative."""
        return self.activation.needs_input or self.recurrent_activation.needs_input

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        h_prev, c_prev = state
        u = a + dropped(h_prev, drop) @ p.W_h  # (L1)
        units = c_prev.shape[1]
        u_if, u_g, u_o = _blocks(u, units)
        i_f = gates(self.recurrent_activation, u_if, 2)  # (L2)
        i, f = i_f[:, :units], i_f[:, units:]
        g = self.activation(u_g)
        o = self.recurrent_activation(u_o)
        c = f * c_prev + i * g  # (L3)
        phi = self.activation(c)
        saved = (i_f, g, o, phi)
        return (o * phi, c), ((*saved, u) if self.keeps_input else saved)  # (L4)

    def step_backward(
        self,
        p: Any,
        dstate: State,
        state_prev: State,
        state: State,
        saved: Saved,
        drop: np.ndarray | None = None,
    ) -> tuple[np.ndarray, State]:
        dh, dc = dstate
        _, c_prev = state_prev
        i_f, g, o, phi = saved[:4]
        units = g.shape[1]
        i, f = i_f[:, :units], i_f[:, units:]
        u_if, u_g, u_o = _blocks(saved[4], units) if self.keeps_input else (None, None, None)

        dc = dc + self.activation.backward(dh * o, phi, state[1])  # (L4')
        d_if = np.concatenate([dc * g, dc * c_prev], axis=1)  # (L3')
        du = np.concatenate(  # (L3'), (L2')
            [
                gates_backward(self.recurrent_activation, d_if, i_f, u_if, 2),
                self.activation.backward(dc * i, g, u_g),
                self.recurrent_activation.backward(dh * phi, o, u_o),
            ],
            axis=1,
        )
        return du, (dropped(du @ p.W_h.T, drop), dc * f)  # (L1')

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        i_f, g, o = saved[:3]
        units = g.shape[1]
        return i_f[:, :units], i_f[:, units:], g, o


def _blocks(u: np.ndarray, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The blocks [i f], g and o of (L1)."""
    return u[:, : 2 * units], u[:, 2 * units : 3 * units], u[:, 3 * units :]
