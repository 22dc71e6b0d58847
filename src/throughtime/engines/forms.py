"""Cells as the extension takes them: which kernel runs a cell, and with which activations."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from throughtime.activations import Softmax, native_kind
from throughtime.cells.base import Cell
from throughtime.kernels import selection
from throughtime.kernels.rule import own_kernel

if TYPE_CHECKING:
    from throughtime._native import Form


def native_form(cell: Cell) -> Form | None:
    """The cell for the loops of plain cells; None if they cannot run it."""
    return _hashed(cell, False)


def option_form(cell: Cell) -> Form | None:
    """The cell for the loops of cells with options; None if they cannot run it."""
    return _hashed(cell, True)


def _hashed(cell: Cell, options: bool) -> Form | None:
    try:
        return _form_of(cell, options)
    except TypeError:  # a user-defined activation that has no hash
        return None


@lru_cache(maxsize=256)
def _form_of(cell: Cell, options: bool) -> Form | None:
    kernels, kernel = selection.extension(), own_kernel(cell)
    if options and kernel is None:
        kernel = own_kernel(cell, "option_kernel")
    if kernels is None or kernel is None:
        return None
    form = cell.kernel_form()
    f, gate_f = native_kind(form.activation), native_kind(form.gate_activation)
    if f is None or gate_f is None:
        return None
    softmax = isinstance(form.activation, Softmax) or isinstance(form.gate_activation, Softmax)
    if softmax and (options or not form.takes_softmax):
        return None
    if options and not form.reset_after:
        return None
    return kernels.Form(kernel, *f, *gate_f, form.reset_after)
