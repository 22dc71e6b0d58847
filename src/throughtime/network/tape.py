"""The tape: what a forward pass of a network keeps for its backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from throughtime.network.containers import Container

#: The container of one input.
ALONE = Container.single()


@dataclass(repr=False)
class Tape:
    """What a forward pass keeps for the backward pass, and for inspection.

    Attributes
    ----------
    outputs : list of ndarray
        Output of each layer; of a layer that is called several times, of each call.
    mask : ndarray of bool of shape (N, T), or None
        Unmasked steps of the input; None if no step is masked. Of several inputs, a tuple.
    output_mask : ndarray of bool of shape (N, T), or None
        Unmasked steps of the output, which has fewer steps than the input after some layers; None
        if no step is masked, or if the output is a vector. Of several outputs, a tuple.
    final_state : list
        For each layer None, or its state after each sequence's last unmasked step.
    d_initial_state : list
        After ``backward``, for each layer: None, or dL/d(initial state), in the form of the state.
    d_outputs : list of ndarray
        After ``backward``: dL/d(output) of each layer; of the last one, where the loss was fused
        with its activation, dL/d(pre-activation).
    """

    outputs: list[np.ndarray] = field(default_factory=list)
    mask: Any = None
    output_mask: Any = None
    final_state: list[Any] = field(default_factory=list)
    d_initial_state: list[Any] = field(default_factory=list)
    d_outputs: list[np.ndarray | None] = field(default_factory=list)
    caches: list[Any] = field(default_factory=list)
    masks: list[Any] = field(default_factory=list)
    given: list[bool] = field(default_factory=list)
    taped: bool = True
    #: The container of the inputs: dL/dx comes back in the same.
    container: Container = ALONE

    def __repr__(self) -> str:
        return f"<Tape of layers with outputs {', '.join(str(y.shape) for y in self.outputs)}>"


def add_states(a: Any, b: Any) -> Any:
    """Sum of two gradients of a state, either of which may be None."""
    if a is None or b is None:
        return b if a is None else a
    return tuple(
        add_states(x, y) if isinstance(x, tuple) else x + y for x, y in zip(a, b, strict=True)
    )


def cut_state(state: Any, rows: slice | np.ndarray) -> Any:
    """Return some rows of a state."""
    if state is None:
        return None
    if isinstance(state, tuple):
        return tuple(cut_state(part, rows) for part in state)
    return state[rows]


def copy_state(state: Any) -> Any:
    """Return a state of its own memory."""
    if state is None:
        return None
    return tuple(map(copy_state, state)) if isinstance(state, tuple) else state.copy()


def join_states(states: Sequence[Any]) -> Any:
    """Join the states of parts of the rows; the inverse of :func:`cut_state`."""
    if isinstance(states[0], tuple):
        return tuple(join_states(parts) for parts in zip(*states, strict=True))
    return np.concatenate(states)
