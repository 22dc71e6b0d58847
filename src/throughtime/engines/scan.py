"""The scans of the native engine: the time loops of cells without W_h.

Same functions as :mod:`throughtime.bptt`. The parameters of the cell become those of the scan, and
the gradients go back the same way: see :class:`throughtime.cells.Diagonal`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from throughtime.activations import Softmax, native_kind
from throughtime.cells import Diagonal
from throughtime.cells.base import State
from throughtime.cells.diagonal import Scanned
from throughtime.kernels import selection
from throughtime.kernels.arrays import alike, packed, strided
from throughtime.kernels.rule import own_kernel

if TYPE_CHECKING:
    from throughtime._native import ScanForm


@dataclass
class ScanTape:
    """What :func:`unroll` keeps for :func:`bptt`.

    Attributes
    ----------
    kept : ScanTape of the extension
        Arrays, and values of each step.
    own : Scanned
        The parameters of the scan.
    cell, p, x, state
        The arguments of the pass.
    """

    kept: Any
    own: Scanned
    cell: Diagonal
    p: Any
    x: np.ndarray
    state: State
    engine: ClassVar[str] = "native"


def unroll(
    cell: Diagonal,
    p: Any,
    x: np.ndarray,
    state: State,
    *,
    mask: np.ndarray | None,
    reverse: bool,
    keep: bool,
) -> tuple[np.ndarray, State, ScanTape | None] | None:
    """Run a scan over time; see :func:`throughtime.bptt.unroll`. None if no kernel can."""
    kernels, form = selection.kernels(), scan_form(cell)
    if kernels is None or form is None or not alike(x, p.W_x, *state):
        return None
    x, own = strided(x), cell.scanned(p)
    first = tuple(map(packed, state))
    y = np.empty((*x.shape[:2], cell.outputs * first[0].shape[1]), x.dtype)
    final = tuple(map(np.empty_like, first))
    kept = kernels.scan(
        form,
        reverse=reverse,
        keep=keep,
        x=x,
        W=own.W,
        b=own.b,
        c=own.c,
        first=first[0],
        first_2=_second(first),
        mask=mask,
        y=y,
        last=final[0],
        last_2=_second(final),
    )
    return y, final, ScanTape(kept, own, cell, p, x, first) if keep else None


def bptt(
    tape: ScanTape, grad: Any, dy: np.ndarray | None, d_final: State | None, inputs: bool
) -> tuple[np.ndarray | None, State]:
    """Backpropagate through time; see :func:`throughtime.bptt.bptt`."""
    kernels = selection.extension()
    assert kernels is not None  # the extension wrote the tape
    d_own = tape.cell.scanned_gradients(grad, tape.own)
    d_last = () if d_final is None else tuple(map(packed, d_final))
    d_first = tuple(map(np.empty_like, tape.state))
    dx = np.empty(tape.x.shape, tape.x.dtype) if inputs else None
    kernels.scan_back(
        tape.kept,
        dy=None if dy is None else strided(dy),
        d_last=d_last[0] if d_last else None,
        d_last_2=_second(d_last),
        dW=d_own.W,
        db=d_own.b,
        dc=d_own.c,
        dx=dx,
        d_first=d_first[0],
        d_first_2=_second(d_first),
    )
    tape.cell.add_gradients(tape.p, grad, d_own)
    return dx, d_first


def _second(state: State) -> np.ndarray | None:
    return state[1] if len(state) > 1 else None


def scan_form(cell: Diagonal) -> ScanForm | None:
    """The cell as the extension takes it; None if it runs on the reference loops."""
    kernels, scan = selection.extension(), own_kernel(cell, "scan")
    kind = native_kind(cell.activation)
    if kernels is None or scan is None or kind is None or isinstance(cell.activation, Softmax):
        return None
    return kernels.ScanForm(scan, *kind)
