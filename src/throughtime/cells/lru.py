r"""Linear recurrent unit: one time step and its derivative.

    a_t = x_t W_x                               (P)
    lambda = exp(-e^nu + i e^theta)             (LR1)
    g = e^gamma                                 (LR2)
    h_t = lambda * h_{t-1} + g * a_t            (LR3)

with complex a_t, h_t (N, n) and real nu, theta, gamma (n,). A complex number is a pair of gates and
of states, re and im, so that W_x is (F, 2n). abs(lambda) = exp(-e^nu) < 1 for any nu, so the
recurrence is stable. Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu, De (2023), arXiv:2303.06349.
The layer makes the output, Re(h C) + x D. The derivative, from d = dL/d(re h_t) + i dL/d(im h_t),
with conj for the complex conjugate:

    dL/da_t = g d,  dL/dh_{t-1} = conj(lambda) d                                  (LR3')
    dL/dgamma += Re(conj(d) g a_t)                                                (LR2'')
    dL/dnu += Re(conj(d) v),  v = -e^nu lambda h_{t-1}                            (LR1'')
    dL/dtheta += Re(conj(d) w),  w = i e^theta lambda h_{t-1}                     (LR1'')

The kernel in ``native/level/scan.cpp`` must equal it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import Identity
from throughtime.cells.base import Saved, State
from throughtime.cells.diagonal import Diagonal, Scanned


@dataclass(frozen=True)
class LRU(Diagonal):
    """Linear recurrent unit: a complex diagonal recurrence.

    ``saved`` is ``(a, v / g, w / g)`` of (LR2'') and (LR1''), each (N, 2n).
    """

    activation = Identity()
    gates: ClassVar[tuple[str, ...]] = ("re", "im")
    states: ClassVar[tuple[str, ...]] = ("re", "im")
    outputs: ClassVar[int] = 2
    scan: ClassVar[int | None] = 3

    def extra_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        return {"nu": (units,), "theta": (units,), "gamma": (units,)}

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        h_prev, g = _complex(*state), np.exp(p.gamma)
        past = eigenvalues(p) * h_prev
        h = past + g * _complex(*np.split(a, 2, axis=1))  # (LR3)
        v, w = -np.exp(p.nu) * past, 1j * np.exp(p.theta) * past
        return (h.real, h.imag), (a, _pair(v / g), _pair(w / g))

    def step_backward(
        self,
        p: Any,
        dstate: State,
        state_prev: State,
        state: State,
        saved: Saved,
        drop: np.ndarray | None = None,
    ) -> tuple[np.ndarray, State]:
        d = _complex(*dstate)
        d_prev = eigenvalues(p).conj() * d  # (LR3')
        return _pair(np.exp(p.gamma) * d), (d_prev.real, d_prev.imag)  # (LR3')

    def recurrent_gradients(
        self, grad: Any, h_used: np.ndarray, da: np.ndarray, saved: Saved, *more: np.ndarray
    ) -> None:
        a, v, w = saved
        grad.gamma += _real(da * a)  # (LR2''), where da = g d
        grad.nu += _real(da * v)  # (LR1'')
        grad.theta += _real(da * w)  # (LR1'')

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        return state

    def scanned(self, p: Any) -> Scanned:
        found, g = eigenvalues(p), np.tile(np.exp(p.gamma), 2)
        b = p.b * g if hasattr(p, "b") else None
        return Scanned(p.W_x * g, b, np.stack([found.real, found.imag]))

    def scanned_gradients(self, grad: Any, own: Scanned) -> Scanned:
        b = None if own.b is None else np.zeros_like(own.b)
        return Scanned(np.zeros_like(own.W), b, np.zeros_like(own.c))

    def add_gradients(self, p: Any, grad: Any, d: Scanned) -> None:
        g = np.tile(np.exp(p.gamma), 2)
        for name, part in (("W_x", d.W), ("b", d.b)):
            if part is not None:
                d_own = part * g
                getattr(grad, name)[...] += d_own
                grad.gamma += _real(np.atleast_2d(d_own * getattr(p, name)))  # (LR2'')
        assert d.c is not None
        past = eigenvalues(p) * _complex(*d.c).conj()  # of all steps
        grad.nu += (-np.exp(p.nu) * past).real  # (LR1'')
        grad.theta += (1j * np.exp(p.theta) * past).real  # (LR1'')


def eigenvalues(p: Any) -> np.ndarray:
    """The complex lambda (n,) of (LR1)."""
    found: np.ndarray = np.exp(-np.exp(p.nu) + 1j * np.exp(p.theta))
    return found


def _complex(re: np.ndarray, im: np.ndarray) -> np.ndarray:
    return re + 1j * im


def _pair(h: np.ndarray) -> np.ndarray:
    """Complex numbers (N, n) as (N, 2n), the real parts first."""
    return np.concatenate([h.real, h.imag], axis=1)


def _real(products: np.ndarray) -> np.ndarray:
    """Re(conj(d) v), summed over rows, from the products (M, 2n) of real and imaginary parts."""
    re, im = np.split(products.sum(axis=0), 2)
    total: np.ndarray = re + im
    return total
