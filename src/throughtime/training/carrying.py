"""States that go on from batch to batch: the rows of a batch continue those of the one before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import InvalidArgumentError, ShapeError, sentence
from throughtime.network.tape import cut_state, join_states
from throughtime.training.samples import Samples

if TYPE_CHECKING:
    from throughtime.network import Network


class Carried:
    """The states with which the next batch begins.

    The state goes on, the gradient does not: it ends at the start of each batch.

    Parameters
    ----------
    net : Network
    initial : list or dict, optional
        The states with which the first batch of an epoch begins, as ``net.check_states`` takes
        them.
    """

    def __init__(self, net: Network, initial: Any = None) -> None:
        self.net, self.initial = net, initial
        self.begin()

    def begin(self) -> None:
        """Forget what was carried: an epoch begins."""
        self.states: list[Any] | None = None
        self.rows: int | None = None

    def give(self, parts: list[Samples]) -> list[Samples]:
        """The parts of the next batch, with the states that their rows begin with.

        Raises
        ------
        ShapeError
            If the batch has not as many rows as the one before.
        InvalidArgumentError
            If it brings states of its own.
        """
        rows = sum(map(len, parts))
        if any(part.states is not None for part in parts):
            hint = "Mark the rows that begin anew with 'reset'."
            expected = "None in a batch where carry_state=True"
            raise InvalidArgumentError(sentence("initial_state", expected, "a state", hint))
        if self.rows is not None and rows != self.rows:
            hint = "Its rows continue those of the batch before."
            expected = f"{self.rows} rows where carry_state=True, as the batch before"
            raise ShapeError(sentence("x", expected, f"{rows}", hint, must="have"))
        if self.rows is None and self.initial is not None:
            self.states = self.net.check_states(self.initial, rows)
        self.rows = rows
        if self.states is None:
            return parts
        given, first = [], 0
        for part in parts:
            own = slice(first, first + len(part))
            states = [cut_state(state, own) for state in self.states]
            if part.reset is not None:
                states = [_anew(state, part.reset) for state in states]
            given.append(replace(part, states=states))
            first += len(part)
        return given

    def take(self, finals: list[list[Any]]) -> None:
        """Keep the states at the end of the parts of a batch."""
        self.states = [
            None if states[0] is None else join_states(states)
            for states in zip(*finals, strict=True)
        ]


def _anew(state: Any, reset: np.ndarray) -> Any:
    """The state, zero in the rows that begin anew."""
    if state is None:
        return None
    if isinstance(state, tuple):
        return tuple(_anew(part, reset) for part in state)
    return np.where(reset.reshape(-1, *(1,) * (state.ndim - 1)), state.dtype.type(0), state)
