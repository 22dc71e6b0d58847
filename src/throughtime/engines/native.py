"""The time loops on the native engine, with the functions of :mod:`throughtime.bptt`.

The loops themselves are in ``native/``; those of cells without W_h are reached through
:mod:`throughtime.engines.scan`. User-defined cells and activations run on the reference loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from throughtime import bptt as reference
from throughtime.activations import Softmax, native_kind
from throughtime.cells import Diagonal
from throughtime.cells.base import Cell, State
from throughtime.cells.update import Update
from throughtime.engines import scan
from throughtime.kernels import selection
from throughtime.kernels.arrays import alike, packed, strided
from throughtime.kernels.rule import own_kernel

if TYPE_CHECKING:
    from throughtime._native import Form


@dataclass
class NativeTape:
    """What :func:`unroll` keeps for :func:`bptt`.

    Attributes
    ----------
    kept : Tape
        The tape of the extension: arrays, and values of each step.
    x, state, p, drop
        The arguments of the pass.
    """

    kept: Any
    x: np.ndarray
    state: State
    p: Any
    drop: np.ndarray | None
    engine: ClassVar[str] = "native"


def unroll(
    cell: Cell,
    p: Any,
    x: np.ndarray,
    state: State,
    *,
    mask: np.ndarray | None = None,
    started: np.ndarray | None = None,
    drop: np.ndarray | None = None,
    update: Update | None = None,
    reverse: bool = False,
    keep: bool = True,
) -> tuple[np.ndarray, State, Any]:
    """Run a cell over time; see :func:`throughtime.bptt.unroll`."""
    kernels = selection.kernels()
    bare = drop is None and update is None and not hasattr(p, "b_time")
    if isinstance(cell, Diagonal) and bare:
        found = scan.unroll(cell, p, x, state, mask=mask, reverse=reverse, keep=keep)
        if found is not None:
            return found
    form = None if kernels is None else native_form(cell)
    plain = form is not None and update is None
    if kernels is None or not plain or not alike(x, p.W_x, *state):
        return reference.unroll(
            cell, p, x, state,
            mask=mask, started=started, drop=drop, update=update, reverse=reverse, keep=keep,
        )  # fmt: skip
    x = strided(x)
    first = tuple(map(packed, state))
    y = np.empty((*x.shape[:2], first[0].shape[1]), x.dtype)
    final = tuple(map(np.empty_like, first))
    own = vars(p)
    c_0, c_T = (first[1], final[1]) if len(first) > 1 else (None, None)
    kept = kernels.unroll(
        form,
        reverse=reverse,
        keep=keep,
        x=x,
        W_x=p.W_x,
        W_h=p.W_h,
        b=own.get("b"),
        b_time=own.get("b_time"),
        b_hn=own.get("b_hn"),
        h_0=first[0],
        c_0=c_0,
        mask=mask,
        started=None if started is None else packed(started),
        drop=None if drop is None else packed(drop),
        y=y,
        h_T=final[0],
        c_T=c_T,
    )
    return y, final, NativeTape(kept, x, first, p, drop) if keep else None


def bptt(
    tape: Any,
    grad: Any,
    dy: np.ndarray | None,
    d_final: State | None = None,
    inputs: bool = True,
) -> tuple[np.ndarray | None, State]:
    """Backpropagate through time; see :func:`throughtime.bptt.bptt`."""
    if isinstance(tape, scan.ScanTape):
        return scan.bptt(tape, grad, dy, d_final, inputs)
    kernels = selection.extension()
    assert kernels is not None  # the extension wrote the tape
    dx = np.empty(tape.x.shape, tape.x.dtype) if inputs else None
    d_first = tuple(map(np.empty_like, tape.state))
    dh_T, dc_T = (None, None) if d_final is None else _pair(map(packed, d_final))
    dh_0, dc_0 = _pair(d_first)
    own = vars(grad)
    kernels.bptt(
        tape.kept,
        dy=None if dy is None else strided(dy),
        dh_T=dh_T,
        dc_T=dc_T,
        dW_x=grad.W_x,
        dW_h=grad.W_h,
        db=own.get("b"),
        db_time=own.get("b_time"),
        db_hn=own.get("b_hn"),
        dx=dx,
        dh_0=dh_0,
        dc_0=dc_0,
    )
    return dx, d_first


def _pair(state: Any) -> tuple[Any, Any]:
    h, *rest = state
    return h, rest[0] if rest else None


def native_form(cell: Cell) -> Form | None:
    """The cell as the extension takes it; None if it runs on the reference loops."""
    try:
        return _form_of(cell)
    except TypeError:  # a user-defined activation that has no hash
        return None


@lru_cache(maxsize=256)
def _form_of(cell: Cell) -> Form | None:
    kernels, kernel = selection.extension(), own_kernel(cell)
    if kernels is None or kernel is None:
        return None
    form = cell.kernel_form()
    f, gate_f = native_kind(form.activation), native_kind(form.gate_activation)
    if f is None or gate_f is None:
        return None
    softmax = isinstance(form.activation, Softmax) or isinstance(form.gate_activation, Softmax)
    if softmax and not form.takes_softmax:
        return None
    return kernels.Form(kernel, *f, *gate_f, form.reset_after)
