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

from throughtime import activations as a
from throughtime import bptt as reference
from throughtime import runtime
from throughtime.cells import GRU, LSTM, Elman
from throughtime.cells.base import Cell, State

# Cells by the numbers that native/loops.hpp gives them.
_CELLS: dict[type[Cell], int] = {Elman: 0, GRU: 1, LSTM: 2}
_KINDS = [
    a.Identity, a.Sigmoid, a.Tanh, a.ReLU, a.LeakyReLU, a.ELU, a.Softplus, a.HardSigmoid, a.Exp,
    a.Softmax,
]  # fmt: skip
def native_kind(f: a.Activation) -> tuple[int, float] | None:
    if type(f) not in _KINDS:
        return None
    return _KINDS.index(type(f)), next(iter(vars(f).values()), 0.0)


@dataclass
class NativeTape:
    """What :func:`unroll` keeps for :func:`bptt`.

    Attributes
    ----------
    kept : Tape
        The native side's own: arrays and values of every step.
    """

    kept: Any
    x: np.ndarray
    state: State
    p: Any
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
    kernels = runtime.kernels()
    form = _form(cell, kernels)
    if kernels is None or form is None or len({x.dtype, p.W_x.dtype, state[0].dtype}) > 1:
        return reference.unroll(
            cell, p, x, state, mask=mask, started=started, drop=drop, reverse=reverse, keep=keep
        )
    x = _rows(x)
    first = tuple(map(np.ascontiguousarray, state))
    units = first[0].shape[1]
    y = np.empty((*x.shape[:2], units), x.dtype)
    final = tuple(map(np.empty_like, first))
    c_0, c_T = (first[1], final[1]) if len(first) > 1 else (None, None)
    own = vars(p)
    kept = kernels.unroll(
        form, reverse, keep, x, p.W_x, p.W_h, own.get("b"), own.get("b_time"), own.get("b_hn"),
        first[0], c_0, mask, None if started is None else np.ascontiguousarray(started),
        None if drop is None else np.ascontiguousarray(drop),
        y, final[0], c_T,
    )  # fmt: skip
    return y, final, NativeTape(kept, x, first, p) if keep else None


def bptt(
    tape: Any,
    grad: Any,
    dy: np.ndarray | None,
    d_final: State | None = None,
    inputs: bool = True,
) -> tuple[np.ndarray | None, State]:
    """Backpropagate through time; see :func:`throughtime.bptt.bptt`."""
    kernels = runtime.extension()
    assert kernels is not None  # it wrote the tape
    dx = np.empty(tape.x.shape, tape.x.dtype) if inputs else None
    d_first = tuple(map(np.empty_like, tape.state))
    dh_T, dc_T = (None, None) if d_final is None else _pair(map(np.ascontiguousarray, d_final))
    dh_0, dc_0 = _pair(d_first)
    own = vars(grad)
    kernels.bptt(
        tape.kept, None if dy is None else _rows(dy), dh_T, dc_T,
        grad.W_x, grad.W_h, own.get("b"), own.get("b_time"), own.get("b_hn"),
        dx, dh_0, dc_0,
    )  # fmt: skip
    return dx, d_first


def _pair(state: Any) -> tuple[Any, Any]:
    h, *rest = state
    return h, rest[0] if rest else None


def _rows(array: np.ndarray) -> np.ndarray:
    """The array itself, if its last axis is contiguous and its numbers are aligned, else a copy."""
    good = array.flags.aligned and (array.shape[-1] < 2 or array.strides[-1] == array.itemsize)
    return array if good else np.ascontiguousarray(array)


@lru_cache(maxsize=256)
def _form(cell: Cell, kernels: ModuleType | None) -> Any:
    """The native description of a cell; None if it has none."""
    number = _CELLS.get(type(cell))
    if kernels is None or number is None:
        return None
    body = native_kind(cell.activation)
    gates = native_kind(getattr(cell, "recurrent_activation", cell.activation))
    if body is None or gates is None:
        return None
    # Only Elman's cell can wait for all units of a row, which softmax needs.
    if number > 0 and a.Softmax in (type(cell.activation), type(cell.recurrent_activation)):  # type: ignore[attr-defined]  # gated cells have it
        return None
    return kernels.Form(number, *body, *gates, getattr(cell, "reset_after", True))
