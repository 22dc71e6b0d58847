"""The time loops on the native engine, with the functions of :mod:`throughtime.bptt`.

The loops themselves are in ``native/``; those of cells without W_h are reached through
:mod:`throughtime.engines.scan`, those of cells with options through
:mod:`throughtime.engines.options`. User-defined cells and activations run on the reference loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime import bptt as reference
from throughtime.cells import Diagonal
from throughtime.cells.base import Cell, State
from throughtime.cells.update import Update
from throughtime.engines import options, scan
from throughtime.engines.forms import native_form
from throughtime.kernels import selection
from throughtime.kernels.arrays import alike, packed, strided


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
        scanned = scan.unroll(cell, p, x, state, mask=mask, reverse=reverse, keep=keep)
        if scanned is not None:
            return scanned
    form = None if kernels is None or update is not None else native_form(cell)
    if kernels is None or form is None or not alike(x, p.W_x, *state):
        every: dict[str, Any] = {
            "mask": mask, "started": started, "drop": drop, "update": update, "reverse": reverse,
            "keep": keep,
        }  # fmt: skip
        found = options.unroll(cell, p, x, state, **every)
        return reference.unroll(cell, p, x, state, **every) if found is None else found
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
    if isinstance(tape, options.OptionTape):
        return options.bptt(tape, grad, dy, d_final, inputs)
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
