"""What the cells without a product in their time loop have in common.

Such a cell has no W_h: each unit depends on its own past alone. So all products of a layer are
taken for all steps at once, and what is left of the loop is a scan over single numbers.

    a = x W + b                    for all steps, with the W and b of :meth:`Diagonal.scanned`
    s_t = scan(a_t, s_{t-1}, c)    with coefficients c (k, H), of which a cell may have none

The kernels in ``native/level/scan.cpp`` compute both at once.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from throughtime.cells.base import Cell


class Scanned(NamedTuple):
    """The parameters of a cell as its scan takes them, or their gradients.

    Attributes
    ----------
    W : ndarray of shape (F, G*H)
    b : ndarray of shape (G*H,), or None
    c : ndarray of shape (k, H), or None
    """

    W: np.ndarray
    b: np.ndarray | None = None
    c: np.ndarray | None = None


class Diagonal(Cell):
    """Base of the cells without W_h."""

    recurrent_weights: ClassVar[bool] = False
    #: The number of the scan in native/ that must equal the cell (``ScanKind`` in
    #: native/base/scan.hpp); None runs on the reference loops.
    scan: ClassVar[int | None] = None

    def scanned(self, p: Any) -> Scanned:
        """The parameters ``p`` as the scan takes them."""
        return Scanned(p.W_x, getattr(p, "b", None))

    def scanned_gradients(self, grad: Any, own: Scanned) -> Scanned:
        """Arrays that the scan adds the gradients of ``own`` to."""
        return Scanned(grad.W_x, getattr(grad, "b", None))

    def add_gradients(self, p: Any, grad: Any, d: Scanned) -> None:
        """Add to ``grad`` what is not there yet of ``d``, the result of the scan."""
