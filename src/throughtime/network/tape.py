"""What one forward pass of a network leaves for its backward pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Tape:
    """What one forward pass leaves for the backward pass, and for those who look inside.

    Attributes
    ----------
    outputs : list of ndarray
        The output of each layer.
    mask : ndarray of bool of shape (N, T), or None
        Real steps of the input; None if all are.
    output_mask : ndarray of bool of shape (N, T), or None
        Real steps of the output, which has steps of its own where a layer makes fewer of them;
        None if all are, or if it is a vector.
    final_state : list
        Of each layer: None, or its state after each sequence's last real step.
    d_initial_state : list
        After ``backward``, of each layer: None, or dL/d(initial state), in the form of the state.
    d_outputs : list of ndarray
        After ``backward``: dL/d(output) of each layer; of the last one, where the loss was fused
        with its activation, dL/d(pre-activation).
    """

    outputs: list[np.ndarray] = field(default_factory=list)
    mask: np.ndarray | None = None
    output_mask: np.ndarray | None = None
    final_state: list[Any] = field(default_factory=list)
    d_initial_state: list[Any] = field(default_factory=list)
    d_outputs: list[np.ndarray | None] = field(default_factory=list)
    caches: list[Any] = field(default_factory=list)
    given: list[bool] = field(default_factory=list)
    taped: bool = True


def add_states(a: Any, b: Any) -> Any:
    """Sum of two gradients of a state, either of which may be None."""
    if a is None or b is None:
        return b if a is None else a
    return tuple(
        add_states(x, y) if isinstance(x, tuple) else x + y for x, y in zip(a, b, strict=True)
    )
