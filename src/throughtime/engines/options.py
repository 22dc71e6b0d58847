"""The native loops of cells with options: the functions of :mod:`throughtime.bptt` once more.

The kernel runs the steps. What stands around them is as in the reference: the input's part before
the loop, and the gradients of the weights after it, as products over all steps. Arrays inside are
time-major, in the order of the loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from throughtime.bptt import begun
from throughtime.cells.base import Cell, State, dropped
from throughtime.cells.update import Hold, Update
from throughtime.engines.forms import option_form
from throughtime.kernels import selection
from throughtime.kernels.arrays import alike, packed
from throughtime.kernels.extension import Kernels

if TYPE_CHECKING:
    from throughtime._native import Form

#: Parameters that the kernel reads.
PARAMETERS = ("W_h", "W_c", "W_r", "g_h", "g_c", "b_c", "b_hn")


@dataclass
class OptionTape:
    """What :func:`unroll` keeps for :func:`bptt`.

    Attributes
    ----------
    form : Form
        The cell, for the kernel.
    numbers : tuple of float
        The bounds of c and h, and the probabilities of zoneout.
    arrays : dict
        What the kernel reads, and what it kept of each step.
    normalised : tuple of ndarray
        w and k of the input's part (T*N, ...); empty if it is not normalised.
    started : ndarray of bool of shape (T, N), or None
    x : ndarray of shape (T, N, F)
    """

    form: Form
    numbers: tuple[float, float, float, float]
    arrays: dict[str, np.ndarray]
    normalised: tuple[np.ndarray, ...]
    started: np.ndarray | None
    x: np.ndarray
    cell: Cell
    p: Any
    drop: np.ndarray | None
    reverse: bool
    engine: ClassVar[str] = "native"


def unroll(
    cell: Cell,
    p: Any,
    x: np.ndarray,
    state: State,
    *,
    mask: np.ndarray | None,
    started: np.ndarray | None,
    drop: np.ndarray | None,
    update: Update | None,
    reverse: bool,
    keep: bool,
) -> tuple[np.ndarray, State, OptionTape | None] | None:
    """Run a cell over time; see :func:`throughtime.bptt.unroll`. None if no kernel can."""
    kernels, form = selection.kernels(), option_form(cell)
    if kernels is None or form is None or not alike(x, p.W_x, *state):
        return None
    order = slice(None, None, -1 if reverse else 1)
    x_time = packed(x.swapaxes(0, 1)[order])
    steps, batch = x_time.shape[:2]
    mask_time = None if mask is None else np.ascontiguousarray(mask.T[order])
    a, normalised = _input_part(kernels, cell, p, x_time)
    started_time = None
    if hasattr(p, "b_time"):
        started_time = begun(steps, batch, mask_time, started)
        a += started_time[..., None] * p.b_time

    own = vars(p)
    arrays = {name: own[name] for name in PARAMETERS if name in own} | {"a": a}
    arrays |= {} if mask_time is None else {"mask": mask_time}
    arrays |= {} if drop is None else {"drop": packed(drop)}
    hold = _hold(arrays, update)
    cell_clip, clip = getattr(cell, "cell_clip", None), None if update is None else update.clip
    bound_c, bound_h = (inf if bound is None else bound for bound in (cell_clip, clip))
    numbers = (bound_c, bound_h, *hold)
    _make_slots(arrays, cell, state, steps if keep else 1, update is None)
    kernels.option_forward(form, arrays, *numbers, keep)

    h = arrays["h"]
    y = h[1:] if mask_time is None else np.where(mask_time[..., None], h[1:], 0)
    final = tuple(arrays[name][steps].copy() for name in cell.states)
    tape = OptionTape(
        form, numbers, arrays, normalised, started_time, x_time, cell, p, drop, reverse
    )
    return y[order].swapaxes(0, 1), final, tape if keep else None


def bptt(
    tape: OptionTape,
    grad: Any,
    dy: np.ndarray | None,
    d_final: State | None,
    inputs: bool,
) -> tuple[np.ndarray | None, State]:
    """Backpropagate through time; see :func:`throughtime.bptt.bptt`."""
    kernels = selection.extension()
    assert kernels is not None  # the extension wrote the tape
    cell, p, kept = tape.cell, tape.p, tape.arrays
    order = slice(None, None, -1 if tape.reverse else 1)
    a, states = kept["a"], [kept[name] for name in cell.states]
    back = {"W_h_T": np.ascontiguousarray(p.W_h.T)}
    if "W_r" in kept:
        back["W_r_T"] = np.ascontiguousarray(p.W_r.T)
    if dy is not None:
        back["dy"] = packed(dy.swapaxes(0, 1)[order])
    for k, slots in enumerate(states):
        back[f"d{cell.states[k]}"] = (
            np.zeros_like(slots[0]) if d_final is None else np.array(d_final[k], order="C")
        )
    back["da"] = np.empty_like(a)
    back["du"] = np.empty_like(a) if cell.gates == ("r", "z", "n") else back["da"]
    back["dr"] = np.empty_like(a) if "g_h" in kept else back["du"]
    back["dp"] = np.empty((len(a), *states[0].shape[1:]), a.dtype)
    if "c" in kept:
        back["dv"] = np.empty((len(a), *states[1].shape[1:]), a.dtype)
    kernels.option_backward(tape.form, kept | back, *tape.numbers)

    _add_gradients(kernels, tape, grad, {name: _rows(d) for name, d in back.items() if d.ndim == 3})
    dx = _input_part_back(kernels, tape, grad, _rows(back["da"]), inputs)
    d_initial = tuple(back[f"d{name}"] for name in cell.states)
    return None if dx is None else dx[order].swapaxes(0, 1), d_initial


def _rows(a: np.ndarray) -> np.ndarray:
    """``a (T, N, ...)`` as rows (T*N, ...)."""
    return a.reshape(a.shape[0] * a.shape[1], *a.shape[2:])


# -- the input's part -------------------------------------------------------------------------


def _input_part(
    kernels: Kernels, cell: Cell, p: Any, x: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """a_t of (B1) or (L7), without b_time, for ``x (T, N, F)``; w and k if it is normalised."""
    rows, bias = _rows(x), getattr(p, "b", None)
    a = np.empty((len(rows), p.W_x.shape[1]), x.dtype)
    kernels.affine(rows, p.W_x, None if cell.normalised else bias, a)
    normalised: tuple[np.ndarray, ...] = ()
    if cell.normalised:
        normalised = np.empty_like(a), np.empty((len(a), 2), a.dtype)
        w, k = normalised
        arrays = {"v": a, "g": p.g_x, "w": w, "k": k, "a": a}
        kernels.normalise(arrays if bias is None else arrays | {"b": bias}, _cut(cell, a))
    return a.reshape(*x.shape[:2], a.shape[1]), normalised


def _input_part_back(
    kernels: Kernels, tape: OptionTape, grad: Any, da: np.ndarray, inputs: bool
) -> np.ndarray | None:
    """Add the gradients of the input's part, and return dL/dx (T, N, F)."""
    p, own = tape.p, vars(grad)
    db = own.get("b")
    if "b_time" in own:
        assert tape.started is not None
        grad.b_time += da[tape.started.ravel()].sum(axis=0)
    if tape.normalised:
        w, k = tape.normalised
        kernels.column_sums(da, w, grad.g_x)
        if db is not None:
            kernels.column_sums(da, None, db)
            db = None
        dv = np.empty_like(da)
        arrays = {"da": da, "g": p.g_x, "w": w, "k": k, "dv": dv}
        kernels.normalise_back(arrays, _cut(tape.cell, da))
        da = dv
    rows = _rows(tape.x)
    dx = np.empty_like(rows) if inputs else None
    kernels.affine_back(x=rows, W=p.W_x, dz=da, dW=grad.W_x, db=db, dx=dx)
    return None if dx is None else dx.reshape(tape.x.shape)


def _cut(cell: Cell, a: np.ndarray) -> int:
    """How many columns of ``a`` the first group of gates has."""
    return a.shape[1] * cell.normalised[0] // len(cell.gates)


# -- the loop ----------------------------------------------------------------------------------


def _hold(arrays: dict[str, np.ndarray], update: Update | None) -> tuple[float, float]:
    """The probabilities of zoneout of h and c; 0 where it was drawn, which goes to ``arrays``."""
    holds: tuple[Hold, ...] = (None, None) if update is None else (*update.hold, None)[:2]
    for name, z in zip(("hold", "cell_hold"), holds, strict=True):
        if isinstance(z, np.ndarray):
            arrays[name] = packed(z)
    h, c = (0.0 if z is None or isinstance(z, np.ndarray) else z for z in holds)
    return h, c


def _make_slots(
    arrays: dict[str, np.ndarray], cell: Cell, state: State, slots: int, plain: bool
) -> None:
    """Add the arrays that the kernel fills: all states, and what it keeps of ``slots`` steps."""
    a = arrays["a"]
    steps, batch, width = a.shape

    def empty(*shape: int) -> np.ndarray:
        return np.empty((slots, batch, *shape), a.dtype)

    for name, first in zip(cell.states, state, strict=True):
        arrays[name] = np.empty((steps + 1, *first.shape), a.dtype)
        arrays[name][0] = first
        # Without an update (`plain`), what the cell proposes is the state itself.
        own = not plain or slots != steps
        arrays[f"{name}_new"] = empty(first.shape[1]) if own else arrays[name][1:]
    units = state[-1].shape[1]
    if len(cell.gates) > 1:
        arrays["gates"], arrays["phi"] = empty(width), empty(units)
    if "g_h" in arrays:
        arrays["w"], arrays["k"] = empty(width), empty(2)
    if "W_r" in arrays:
        arrays["m"] = empty(units)
    if "g_c" in arrays:
        arrays["w_c"], arrays["k_c"] = empty(units), empty()


def _add_gradients(
    kernels: Kernels, tape: OptionTape, grad: Any, back: dict[str, np.ndarray]
) -> None:
    """Add the gradients of the cell's parameters; ``back`` holds rows (T*N, ...)."""
    p, own, kept = tape.p, vars(grad), tape.arrays
    rows = {name: _rows(array) for name, array in kept.items() if array.ndim == 3}
    before = {name: _rows(kept[name][:-1]) for name in tape.cell.states}
    used = before["h"]
    if tape.drop is not None:
        used = _rows(dropped(kept["h"][:-1], tape.drop))
    kernels.affine_back(x=used, W=p.W_h, dz=back["dr"], dW=grad.W_h, db=None, dx=None)
    if "g_h" in own:
        kernels.column_sums(back["du"], rows["w"], grad.g_h)
    if "b_hn" in own:
        units = len(grad.b_hn)
        kernels.column_sums(back["du"][:, 2 * units :], None, grad.b_hn)
    if "W_r" in own:
        kernels.affine_back(x=rows["m"], W=p.W_r, dz=back["dp"], dW=grad.W_r, db=None, dx=None)
    if "g_c" in own:
        kernels.column_sums(back["dv"], rows["w_c"], grad.g_c)
    if "b_c" in own:
        kernels.column_sums(back["dv"], None, grad.b_c)
    if "W_c" in own:
        looking, units = grad.W_c.shape  # the gates i, f (or i alone), and o
        for k in range(looking - 1):
            part = back["da"][:, k * units : (k + 1) * units]
            kernels.column_sums(part, before["c"], grad.W_c[k])
        kernels.column_sums(back["da"][:, -units:], rows["c_new"], grad.W_c[looking - 1])
