"""The time loops on the native engine, with the functions of :mod:`throughtime.bptt`.

``native/`` holds the loops themselves. What they cannot do, a cell or an activation of the user's
own, runs on the reference loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from throughtime import bptt as reference
from throughtime.activations import Softmax, native_kind
from throughtime.cells import GRU, LSTM, Elman
from throughtime.cells.base import Cell, State
from throughtime.kernels import selection

# Cells by the numbers that native/base/loops.hpp gives them.
_CELLS: dict[type[Cell], int] = {Elman: 0, GRU: 1, LSTM: 2}


@dataclass
class NativeTape:
    """What :func:`unroll` keeps for :func:`bptt`.

    Attributes
    ----------
    kept : Tape
        The native side's own: arrays and values of every step.
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
    reverse: bool = False,
    keep: bool = True,
) -> tuple[np.ndarray, State, Any]:
    """Run a cell over time; see :func:`throughtime.bptt.unroll`."""
    kernels = selection.kernels()
    form = native_form(cell, kernels)
    if kernels is None or form is None or not _alike(x, p.W_x, *state):
        return reference.unroll(
            cell, p, x, state, mask=mask, started=started, drop=drop, reverse=reverse, keep=keep
        )
    x = _rows(x)
    first = tuple(map(_whole, state))
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
        started=None if started is None else _whole(started),
        drop=None if drop is None else _whole(drop),
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
    kernels = selection.extension()
    assert kernels is not None  # it wrote the tape
    dx = np.empty(tape.x.shape, tape.x.dtype) if inputs else None
    d_first = tuple(map(np.empty_like, tape.state))
    dh_T, dc_T = (None, None) if d_final is None else _pair(map(_whole, d_final))
    dh_0, dc_0 = _pair(d_first)
    own = vars(grad)
    kernels.bptt(
        tape.kept,
        dy=None if dy is None else _rows(dy),
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


def _alike(first: np.ndarray, *others: np.ndarray) -> bool:
    """Whether all are of one type that the native engine has."""
    dtype = first.dtype
    for array in others:
        if array.dtype is not dtype and array.dtype != dtype:
            return False
    return dtype.char in "fd"


def _rows(array: np.ndarray) -> np.ndarray:
    """The array itself, if its last axis is contiguous and its numbers are aligned, else a copy."""
    good = array.flags.aligned and (array.shape[-1] < 2 or array.strides[-1] == array.itemsize)
    return array if good else array.copy()


def _whole(array: np.ndarray) -> np.ndarray:
    """The array itself, if all of it is contiguous and aligned, else a copy."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else array.copy()


def native_form(cell: Cell, kernels: ModuleType | None) -> Any:
    """The native description of a cell; None if it has none."""
    if type(cell) not in _CELLS or kernels is None:
        return None
    try:
        return _form_of(cell, kernels)
    except TypeError:  # an activation without a hash is nobody's but the user's
        return None


@lru_cache(maxsize=256)
def _form_of(cell: Cell, kernels: ModuleType) -> Any:
    number = _CELLS[type(cell)]
    body = native_kind(cell.activation)
    gates = native_kind(getattr(cell, "recurrent_activation", cell.activation))
    if body is None or gates is None:
        return None
    # Only Elman's cell can wait for all units of a row, which softmax needs.
    softmax = native_kind(Softmax())
    if number > 0 and softmax is not None and softmax[0] in (body[0], gates[0]):
        return None
    return kernels.Form(number, *body, *gates, getattr(cell, "reset_after", True))
