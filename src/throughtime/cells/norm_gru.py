r"""GRU cell with layer normalisation, in both forms: one time step and its derivative.

    a_t = g_x * w + b,  w of (L6), v = x_t W_x                                     (L7)
    [v_r, v_z] = h_{t-1} W_h[r,z],  v_n = h_{t-1} W_hn,  or (r_t * h_{t-1}) W_hn   (L18)
    r_t = s(a_r + g_r * w_r),  z_t = s(a_z + g_z * w_z),  [w_r, w_z] of (L6)       (L19)
    q_t = g_n * w_n + b_hn,  n_t = f(a_n + r_t * q_t)         reset_after=True     (L20)
    q_t = g_n * w_n,         n_t = f(a_n + q_t)               reset_after=False    (L20b)
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}                                          (G4)

The sums of r and z are normalised together and those of n by themselves, with x and with h, as in
Ba, Kiros and Hinton (2016), arXiv:1607.06450, equations 27 to 29; [g_r, g_z, g_n] is ``g_h``. The
derivative, from dh = dL/dh_t (the letter d before a name is dL/d of it):

    dn = dh * (1 - z),  dz = dh * (h_{t-1} - n),  dh_{t-1} = dh * z                (G4')
    da_n = f' dn,  dq = da_n * r,  dr = da_n * q,  or dq = da_n                    (L20')
    dv_n = (L6') of dq * g_n,  dused = dv_n W_hn^T                                 (L18')
    reset_after=False: dr = dused * h_{t-1},  dused = dused * r                    (G5b')
    da_r = s' dr,  da_z = s' dz,  [dv_r, dv_z] = (L6') of [da_r, da_z] * [g_r, g_z]  (L19')
    dh_{t-1} += dused + [dv_r, dv_z] W_h[r,z]^T

The kernel in ``native/level/options.cpp`` must equal the first form; the second one runs on the
reference loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from throughtime.activations import Activation, Sigmoid, Tanh
from throughtime.cells.base import Cell, KernelForm, Saved, State, dropped, gates, gates_backward
from throughtime.cells.normalisation import normalise, normalise_backward

#: (L19): r and z are one group; and n is another.
BOTH, ONE = (2,), (1,)


class Kept(NamedTuple):
    """What a step keeps, (N, ...) each."""

    rz: np.ndarray
    n: np.ndarray
    q: np.ndarray
    pre_rz: np.ndarray
    pre_n: np.ndarray
    w_rz: np.ndarray
    k_rz: np.ndarray
    w_n: np.ndarray
    k_n: np.ndarray


@dataclass(frozen=True)
class NormGRU(Cell):
    """Gated recurrent unit, normalised."""

    activation: Activation = Tanh()
    recurrent_activation: Activation = Sigmoid()
    reset_after: bool = True

    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")
    normalised = (2, 1)
    option_kernel: ClassVar[int | None] = 1

    def kernel_form(self) -> KernelForm:
        return KernelForm(self.activation, self.recurrent_activation, self.reset_after)

    def extra_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        return {"g_x": (3 * units,), "g_h": (3 * units,)}

    def bias_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        return {"b_hn": (units,)} if self.reset_after else {}

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        (h_prev,) = state
        units = h_prev.shape[1]
        two = 2 * units
        used = dropped(h_prev, drop)
        w_rz, k_rz = normalise(used @ p.W_h[:, :two], BOTH)  # (L18)
        pre_rz = a[:, :two] + w_rz * p.g_h[:two]
        rz = gates(self.recurrent_activation, pre_rz, 2)  # (L19)
        r, z = rz[:, :units], rz[:, units:]
        left = used if self.reset_after else r * used
        w_n, k_n = normalise(left @ p.W_h[:, two:], ONE)
        q = w_n * p.g_h[two:]
        if hasattr(p, "b_hn"):
            q = q + p.b_hn
        pre_n = a[:, two:] + (r * q if self.reset_after else q)  # (L20), (L20b)
        n = self.activation(pre_n)
        h = n + z * (h_prev - n)  # (G4)
        return (h,), Kept(rz, n, q, pre_rz, pre_n, w_rz, k_rz, w_n, k_n)

    def step_backward(
        self,
        p: Any,
        dstate: State,
        state_prev: State,
        state: State,
        saved: Saved,
        drop: np.ndarray | None = None,
    ) -> tuple[Any, ...]:
        """Return da_t, dh_{t-1}, and for the parameters [dv_r, dv_z, dv_n] and dq."""
        (dh,), (h_prev,), kept = dstate, state_prev, Kept(*saved)
        units = h_prev.shape[1]
        two = 2 * units
        r, z = kept.rz[:, :units], kept.rz[:, units:]
        dz = dh * (h_prev - kept.n)  # (G4')
        da_n = self.activation.backward(dh * (1 - z), kept.n, kept.pre_n)
        dq = da_n * r if self.reset_after else da_n  # (L20')
        dv_n = normalise_backward(dq * p.g_h[two:], kept.w_n, kept.k_n, ONE)
        dused = dv_n @ p.W_h[:, two:].T  # (L18')
        if self.reset_after:
            dr = da_n * kept.q
        else:
            dr, dused = dused * dropped(h_prev, drop), dused * r  # (G5b')
        drz = np.concatenate([dr, dz], axis=1)
        da_rz = gates_backward(self.recurrent_activation, drz, kept.rz, kept.pre_rz, 2)
        dv_rz = normalise_backward(da_rz * p.g_h[:two], kept.w_rz, kept.k_rz, BOTH)  # (L19')
        dused = dused + dv_rz @ p.W_h[:, :two].T
        da, dv = (np.concatenate(parts, axis=1) for parts in ([da_rz, da_n], [dv_rz, dv_n]))
        return da, (dh * z + dropped(dused, drop),), dv, dq

    def recurrent_gradients(
        self, grad: Any, h_used: np.ndarray, da: np.ndarray, saved: Saved, *more: np.ndarray
    ) -> None:
        kept, (dv, dq) = Kept(*saved), more
        two = kept.rz.shape[1]
        left = h_used if self.reset_after else kept.rz[:, : two // 2] * h_used
        grad.W_h[:, :two] += h_used.T @ dv[:, :two]
        grad.W_h[:, two:] += left.T @ dv[:, two:]
        grad.g_h[:two] += (da[:, :two] * kept.w_rz).sum(axis=0)
        grad.g_h[two:] += (dq * kept.w_n).sum(axis=0)
        if hasattr(grad, "b_hn"):
            grad.b_hn += dq.sum(axis=0)

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        kept = Kept(*saved)
        units = kept.n.shape[1]
        return kept.rz[:, :units], kept.rz[:, units:], kept.n

    def preactivation(self, p: Any, a: np.ndarray, h_used: np.ndarray, saved: Saved) -> np.ndarray:
        kept = Kept(*saved)
        return np.concatenate([kept.pre_rz, kept.pre_n], axis=1)
