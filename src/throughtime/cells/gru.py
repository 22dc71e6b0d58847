r"""GRU cell: one time step and its derivative, in both forms.

    a_t = x_t W_x + b = [a_r, a_z, a_n]                    (P)
    r_t = s(a_r + h_{t-1} W_hr)                            (G1)
    z_t = s(a_z + h_{t-1} W_hz)                            (G2)
    n_t = f(a_n + r_t * q_t),  q_t = h_{t-1} W_hn + b_hn   (G3)  reset_after=True
    n_t = f(a_n + (r_t * h_{t-1}) W_hn)                    (G3b) reset_after=False
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}                  (G4)

with W_h = [W_hr, W_hz, W_hn] (H, 3H), s the gate's sigmoid, f = tanh. (G3b) is the original of
Cho et al. (2014), arXiv:1406.1078; (G3) is the form of arXiv:1406.1078v1 that cuDNN, PyTorch and
Keras use. The derivative, from dh = dL/dh_t (the letter d before a name is dL/d of it):

    dn = dh * (1 - z),  dz = dh * (h_{t-1} - n),  dh_{t-1} = dh * z       (G4')
    da_n = f' dn                                                          (G3')
    dr = da_n * q,   dq = da_n * r,   dh_{t-1} += dq W_hn^T               (G5')  reset_after=True
    du = da_n W_hn^T,  dr = du * h_{t-1},  dh_{t-1} += du * r             (G5b') reset_after=False
    da_z = s' dz,  da_r = s' dr,  dh_{t-1} += [da_r, da_z] W_h[r,z]^T     (G1'), (G2')

The kernel in ``native/level/gru.cpp`` must equal it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import Activation, Sigmoid, Tanh
from throughtime.cells.base import Cell, KernelForm, Saved, State, dropped, gates, gates_backward


@dataclass(frozen=True)
class GRU(Cell):
    """Gated recurrent unit.

    ``saved`` is ``(rz, n, q, pre_rz, pre_n)``: r and z side by side; q is (G3)'s recurrent part
    with ``reset_after`` and r * h_{t-1} (dropout applied) without; the last two are the
    pre-activations, kept only for an activation whose derivative needs them.
    """

    activation: Activation = Tanh()
    recurrent_activation: Activation = Sigmoid()
    reset_after: bool = True

    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")
    kernel: ClassVar[int | None] = 1  # native/level/gru.cpp

    def kernel_form(self) -> KernelForm:
        after = self.reset_after
        return KernelForm(self.activation, self.recurrent_activation, after, streams=after)

    def bias_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        return {"b_hn": (units,)} if self.reset_after else {}

    @property
    def keeps_input(self) -> bool:
        """Whether an activation needs its pre-activation for the derivative."""
        return self.activation.needs_input or self.recurrent_activation.needs_input

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        (h_prev,) = state
        two = 2 * h_prev.shape[1]
        used = dropped(h_prev, drop)
        if self.reset_after:
            recurrent = used @ p.W_h
            pre_rz = a[:, :two] + recurrent[:, :two]
        else:
            pre_rz = a[:, :two] + used @ p.W_h[:, :two]
        rz = gates(self.recurrent_activation, pre_rz, 2)  # (G1), (G2)
        r, z = rz[:, : two // 2], rz[:, two // 2 :]
        if self.reset_after:
            q = recurrent[:, two:]
            if hasattr(p, "b_hn"):
                q = q + p.b_hn
            pre_n = a[:, two:] + r * q  # (G3)
        else:
            q = r * used
            pre_n = a[:, two:] + q @ p.W_h[:, two:]  # (G3b)
        n = self.activation(pre_n)
        h = n + z * (h_prev - n)  # (G4)
        saved = (rz, n, q)
        return (h,), ((*saved, pre_rz, pre_n) if self.keeps_input else saved)

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
        rz, n, q = saved[:3]
        pre_rz, pre_n = saved[3:] if self.keeps_input else (None, None)
        two = rz.shape[1]
        r, z = rz[:, : two // 2], rz[:, two // 2 :]
        W_rz, W_n = p.W_h[:, :two], p.W_h[:, two:]

        dz = dh * (h_prev - n)  # (G4')
        da_n = self.activation.backward(dh * (1 - z), n, pre_n)  # (G3')
        if self.reset_after:
            dr = da_n * q
            dused = (da_n * r) @ W_n.T
        else:
            du = da_n @ W_n.T
            dr = du * dropped(h_prev, drop)
            dused = du * r
        drz = np.concatenate([dr, dz], axis=1)
        da_rz = gates_backward(self.recurrent_activation, drz, rz, pre_rz, 2)  # (G1'), (G2')
        dused += da_rz @ W_rz.T
        return np.concatenate([da_rz, da_n], axis=1), (dh * z + dropped(dused, drop),)

    def recurrent_gradients(
        self, grad: Any, h_used: np.ndarray, da: np.ndarray, saved: Saved, *more: np.ndarray
    ) -> None:
        rz, q = saved[0], saved[2]
        two = rz.shape[1]
        da_n = da[:, two:]
        grad.W_h[:, :two] += h_used.T @ da[:, :two]
        if self.reset_after:
            dq = da_n * rz[:, : two // 2]
            grad.W_h[:, two:] += h_used.T @ dq
            if hasattr(grad, "b_hn"):
                grad.b_hn += dq.sum(axis=0)
        else:
            grad.W_h[:, two:] += q.T @ da_n

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        rz, n = saved[:2]
        units = n.shape[1]
        return rz[:, :units], rz[:, units:], n

    def preactivation(self, p: Any, a: np.ndarray, h_used: np.ndarray, saved: Saved) -> np.ndarray:
        rz, _, q = saved[:3]
        two = rz.shape[1]
        recurrent = rz[:, : two // 2] * q if self.reset_after else q @ p.W_h[:, two:]
        return np.concatenate(
            [a[:, :two] + h_used @ p.W_h[:, :two], a[:, two:] + recurrent], axis=1
        )
