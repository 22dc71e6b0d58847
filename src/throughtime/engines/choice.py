"""Who runs the time loops: every engine has the functions of :mod:`throughtime.bptt`.

The reference engine is that module itself: readable NumPy, which defines what is right. Layers call
:func:`unroll` and :func:`bptt` here and do not know which engine runs.
"""

from __future__ import annotations

from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np

from throughtime import bptt as reference
from throughtime.cells.base import Cell, State
from throughtime.engines import native
from throughtime.kernels import selection

#: Engine -> the module with its ``unroll`` and ``bptt``.
LOOPS: dict[str, ModuleType] = {"native": native, "reference": reference}


class engine:  # noqa: N801  # a verb to its users: with tt.engine("reference"): ...
    """Choose the engine, from now on or within a ``with`` block.

    By default it is the engine that the environment variable ``THROUGHTIME_ENGINE`` names, else the
    native engine if it is installed. The choice holds for the whole process: threads that choose
    different engines disturb each other.

    Parameters
    ----------
    name : str
        ``"native"``: compiled kernels. ``"reference"``: the readable NumPy loops.

    Raises
    ------
    InvalidArgumentError
        If there is no engine of that name in this installation.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.GRU(4)], n_features=2, seed=0)
    >>> with tt.engine("reference"):
    ...     net.predict(np.zeros((1, 5, 2))).shape
    (1, 4)
    """

    def __init__(self, name: str) -> None:
        self._previous, self._name = selection.current(), name
        selection.use(name)

    def __enter__(self) -> Self:
        selection.use(self._name)  # the object may be older than the last choice
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        selection.use(self._previous)


def unroll(
    cell: Cell, p: Any, x: np.ndarray, state: State, **options: Any
) -> tuple[np.ndarray, State, Any]:
    """Run a cell over time on the engine in use; see :func:`throughtime.bptt.unroll`."""
    y, final, tape = LOOPS[selection.current()].unroll(cell, p, x, state, **options)
    return y, final, tape


def bptt(
    tape: Any,
    grad: Any,
    dy: np.ndarray | None,
    d_final: State | None = None,
    inputs: bool = True,
) -> tuple[np.ndarray | None, State]:
    """Backpropagate through time; see :func:`throughtime.bptt.bptt`."""
    # A tape goes back to the engine that wrote it, whichever is chosen by now.
    dx, d_initial = LOOPS[tape.engine].bptt(tape, grad, dy, d_final, inputs)
    return dx, d_initial
