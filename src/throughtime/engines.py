"""Chooses who runs the time loops: every engine has the functions of :mod:`throughtime.bptt`.

The reference engine is that module itself, readable NumPy, and defines what is right. Layers call
:func:`unroll` and :func:`bptt` here and do not know which engine answers.
"""

from __future__ import annotations

import os
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np

from throughtime import bptt as reference
from throughtime.cells.base import Cell, State
from throughtime.errors import check_choice

#: Engines by name. An engine is a module with ``unroll`` and ``bptt``.
ENGINES: dict[str, ModuleType] = {"reference": reference}


class engine:  # noqa: N801  # a verb to its users: with tt.engine("reference"): ...
    """Choose the engine, for good or for the length of a ``with`` block.

    Parameters
    ----------
    name : str
        ``"reference"``: the readable NumPy loops.

    Raises
    ------
    InvalidArgumentError
        If there is no engine of that name in this installation.

    Examples
    --------
    >>> with engine("reference"):
    ...     current_engine()
    'reference'
    """

    def __init__(self, name: str) -> None:
        global _current
        check_choice("engine", name, ENGINES)
        self._previous = _current
        _current = name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        global _current
        _current = self._previous


def current_engine() -> str:
    """Name of the engine in use."""
    return _current


def unroll(
    cell: Cell, p: Any, x: np.ndarray, state: State, **options: Any
) -> tuple[np.ndarray, State, Any]:
    """Run a cell over time on the current engine; see :func:`throughtime.bptt.unroll`."""
    y, final, tape = ENGINES[_current].unroll(cell, p, x, state, **options)
    return y, final, tape


def bptt(
    tape: Any, grad: Any, dy: np.ndarray | None, d_final: State | None = None
) -> tuple[np.ndarray, State]:
    """Backpropagate through time; see :func:`throughtime.bptt.bptt`."""
    # A tape goes back to the engine that wrote it, whichever is chosen by now.
    dx, d_initial = ENGINES[tape.engine].bptt(tape, grad, dy, d_final)
    return dx, d_initial


_current = check_choice(
    "THROUGHTIME_ENGINE", os.environ.get("THROUGHTIME_ENGINE", "reference"), ENGINES
)
