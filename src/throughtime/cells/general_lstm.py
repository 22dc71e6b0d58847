r"""LSTM with the options of the literature: one time step and its derivative.

    a_t = x_t W_x + b, or normalised: (P), (L7)
    u = a_t + r,  r = h_{t-1} W_h,  or g_r * w of (L6), v = h_{t-1} W_h         (L8)
    u_i += p_i * c_{t-1},  u_f += p_f * c_{t-1}                     peepholes   (L9)
    i = s(u_i),  f = s(u_f),  g = phi(u_g)                                      (L2)
    f = 1 - i                                                   coupled gates   (L10)
    c_t = min(max(f * c_{t-1} + i * g, -kappa), kappa)              cell clip   (L11)
    o = s(u_o + p_o * c_t)                                          peepholes   (L12)
    m_t = o * phi(v_t),  v_t = c_t, or g_c * w + b_c with w of (L6), v = c_t    (L13)
    h_t = m_t, or m_t W_r                                          projection   (L14)

Layer normalisation: Ba, Kiros and Hinton (2016), arXiv:1607.06450, equations 20 to 22, whose two
biases of the sums are one here, b. Peepholes: Gers, Schraudolph and Schmidhuber (2002), JMLR 3.
Coupled gates: Greff et al. (2017), arXiv:1503.04069. Projection: Sak, Senior and Beaufays (2014),
arXiv:1402.1128. The derivative, from dL/dh_t and dL/dc_t (the letter d before a name is dL/d of
it):

    dm = dh W_r^T,  dW_r += m_t^T dh                                            (L14')
    do = dm * phi(v_t),  dv = dm * o * phi'(v_t),  dc += dv, or (L6') of dv * g_c   (L13')
    du_o = s' do,  dc += du_o * p_o,  dp_o += du_o * c_t                        (L12')
    dc = dc where |c_t| < kappa, else 0;  dg = dc * i,  dc_{t-1} = dc * f       (L11')
    di = dc * g,  df = dc * c_{t-1};  coupled, di = dc * (g - c_{t-1})          (L10')
    dc_{t-1} += du_i * p_i + du_f * p_f,  dp_i += du_i * c_{t-1}, ...           (L9')
    da_t = du,  dr = du, or (L6') of du * g_r,  dh_{t-1} = dr W_h^T             (L8')

W_c holds the rows p_i, p_f and p_o, (3, H), or p_i and p_o if the gates are coupled; g_r is ``g_h``
and has G*H numbers. The kernel in ``native/level/options.cpp`` must equal it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from throughtime.activations import Activation, Sigmoid, Tanh
from throughtime.cells.base import Cell, KernelForm, Saved, State, dropped, gates, gates_backward
from throughtime.cells.normalisation import normalise, normalise_backward

#: The numbers of c_t are normalised together, (L13).
WHOLE = (1,)


class Kept(NamedTuple):
    """What a step keeps, (N, ...) each; of width 0 where an option is off."""

    i_f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    phi: np.ndarray
    u: np.ndarray
    r: np.ndarray  # w and k of h_{t-1} W_h
    r_scale: np.ndarray
    c: np.ndarray  # w and k of c_t
    c_scale: np.ndarray


@dataclass(frozen=True)
class GeneralLSTM(Cell):
    """Long short-term memory with options; without any it equals :class:`LSTM`."""

    activation: Activation = Tanh()
    recurrent_activation: Activation = Sigmoid()
    layer_norm: bool = False
    peepholes: bool = False
    proj_size: int | None = None
    cell_clip: float | None = None

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    option_kernel: ClassVar[int | None] = 2

    def kernel_form(self) -> KernelForm:
        return KernelForm(self.activation, self.recurrent_activation)

    @property
    def normalised(self) -> tuple[int, ...]:  # type: ignore[override]  # an option of this cell
        return (len(self.gates),) if self.layer_norm else ()

    @property
    def coupled(self) -> bool:
        """Whether f = 1 - i, (L10)."""
        return "f" not in self.gates

    def extra_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        width = len(self.gates) * units
        found: dict[str, tuple[int, ...]] = {}
        if self.layer_norm:
            found |= {"g_x": (width,), "g_h": (width,), "g_c": (units,)}
        if self.peepholes:
            found["W_c"] = (len(self.gates) - 1, units)
        if self.proj_size is not None:
            found["W_r"] = (units, self.proj_size)
        return found

    def bias_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        return {"b_c": (units,)} if self.layer_norm else {}

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        h_prev, c_prev = state
        units = c_prev.shape[1]
        r = dropped(h_prev, drop) @ p.W_h
        r_hat, r_scale, c_hat, c_scale = (r[:, :0],) * 4
        if self.layer_norm:
            r_hat, r_scale = normalise(r, self.normalised)
            r = r_hat * p.g_h
        u = a + r  # (L8)
        u_if, u_g, u_o = self._blocks(u, units)
        n = u_if.shape[1] // units
        if self.peepholes:
            u_if += np.tile(c_prev, n) * p.W_c[:n].ravel()  # (L9)
        i_f = gates(self.recurrent_activation, u_if, n)  # (L2)
        g = self.activation(u_g)
        i, f = self._input_and_forget(i_f, units)
        c = f * c_prev + i * g
        if self.cell_clip is not None:
            c = np.clip(c, -self.cell_clip, self.cell_clip)  # (L11)
        if self.peepholes:
            u_o += p.W_c[n] * c
        o = self.recurrent_activation(u_o)  # (L12)
        v = c
        if self.layer_norm:
            c_hat, c_scale = normalise(c, WHOLE)
            v = self._shifted(p, c_hat)
        phi = self.activation(v)
        m = o * phi  # (L13)
        h = m if self.proj_size is None else m @ p.W_r  # (L14)
        return (h, c), Kept(i_f, g, o, phi, u, r_hat, r_scale, c_hat, c_scale)

    def step_backward(
        self,
        p: Any,
        dstate: State,
        state_prev: State,
        state: State,
        saved: Saved,
        drop: np.ndarray | None = None,
    ) -> tuple[Any, ...]:
        """Return da_t, ds_{t-1}, and for the parameters dr, dh_t, dv_t and the shares of W_c."""
        dh, dc = dstate
        c_prev, c = state_prev[1], state[1]
        k = Kept(*saved)
        units = c.shape[1]
        i, f = self._input_and_forget(k.i_f, units)
        n = k.i_f.shape[1] // units
        u_if, u_g, u_o = self._blocks(k.u, units)

        dm = dh if self.proj_size is None else dh @ p.W_r.T  # (L14')
        v = self._shifted(p, k.c) if self.layer_norm else c
        dv = self.activation.backward(dm * k.o, k.phi, v)  # (L13')
        dc = dc + (normalise_backward(dv * p.g_c, k.c, k.c_scale, WHOLE) if self.layer_norm else dv)
        du_o = self.recurrent_activation.backward(dm * k.phi, k.o, u_o)
        if self.peepholes:
            dc = dc + du_o * p.W_c[n]  # (L12')
        if self.cell_clip is not None:
            dc = np.where(abs(c) < self.cell_clip, dc, 0)  # (L11')
        if self.coupled:
            d_if = dc * (k.g - c_prev)  # (L10')
        else:
            d_if = np.concatenate([dc * k.g, dc * c_prev], axis=1)
        du_if = gates_backward(self.recurrent_activation, d_if, k.i_f, u_if, n)
        du_g = self.activation.backward(dc * i, k.g, u_g)
        dc_prev = dc * f
        shares = dc[:, :0]
        if self.peepholes:
            dc_prev = dc_prev + sum(np.split(du_if, n, axis=1) * p.W_c[:n, None])  # (L9')
            shares = np.concatenate([du_if * np.tile(c_prev, n), du_o * c], axis=1)
        da = np.concatenate([du_if, du_g, du_o], axis=1)
        dr = da
        if self.layer_norm:
            dr = normalise_backward(da * p.g_h, k.r, k.r_scale, self.normalised)
        dh_prev = dropped(dr @ p.W_h.T, drop)  # (L8')
        return da, (dh_prev, dc_prev), dr, dh, dv, shares

    def recurrent_gradients(
        self, grad: Any, h_used: np.ndarray, da: np.ndarray, saved: Saved, *more: np.ndarray
    ) -> None:
        k = Kept(*saved)
        dr, dh, dv, shares = more
        grad.W_h += h_used.T @ dr
        if self.layer_norm:
            grad.g_h += (da * k.r).sum(axis=0)
            grad.g_c += (dv * k.c).sum(axis=0)
            if hasattr(grad, "b_c"):
                grad.b_c += dv.sum(axis=0)
        if self.proj_size is not None:
            grad.W_r += (k.o * k.phi).T @ dh
        if self.peepholes:
            grad.W_c += shares.sum(axis=0).reshape(grad.W_c.shape)

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        k = Kept(*saved)
        return *np.split(k.i_f, k.i_f.shape[1] // k.g.shape[1], axis=1), k.g, k.o

    def preactivation(self, p: Any, a: np.ndarray, h_used: np.ndarray, saved: Saved) -> np.ndarray:
        return Kept(*saved).u

    def _blocks(self, u: np.ndarray, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The blocks [i f] (or i, if coupled), g and o of (L8)."""
        return u[:, : -2 * units], u[:, -2 * units : -units], u[:, -units:]

    def _input_and_forget(self, i_f: np.ndarray, units: int) -> tuple[np.ndarray, np.ndarray]:
        i = i_f[:, :units]
        return i, (1 - i if self.coupled else i_f[:, units:])  # (L10)

    def _shifted(self, p: Any, c_hat: np.ndarray) -> np.ndarray:
        """v_t of (L13)."""
        v = c_hat * p.g_c
        return v + p.b_c if hasattr(p, "b_c") else v


@dataclass(frozen=True)
class CoupledLSTM(GeneralLSTM):
    """:class:`GeneralLSTM` with coupled gates, f = 1 - i: three gates, and weights for three."""

    gates: ClassVar[tuple[str, ...]] = ("i", "g", "o")
    option_kernel: ClassVar[int | None] = 2
