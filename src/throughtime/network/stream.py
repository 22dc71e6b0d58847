"""One step at a time: streams with an explicit state."""

from __future__ import annotations

import copy
from typing import Any, Protocol

import numpy as np

from throughtime.cells.base import State
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    as_array,
    check_array,
    check_int,
    describe,
    sentence,
)
from throughtime.kernels import selection
from throughtime.kernels.arrays import packed
from throughtime.kernels.extension import Kernels
from throughtime.kernels.rule import own_kernel
from throughtime.kernels.underflow import ignore_underflow
from throughtime.layers import Layer
from throughtime.layers.base import UNTAPED, Call
from throughtime.layers.pooling import Pool
from throughtime.network.graph import Topology
from throughtime.network.tape import Tape, join_states

#: Up to this number of rows, one native call for each row is faster than NumPy for all of them.
_FEW = 8


class Streamable(Protocol):
    """What a stream asks of a :class:`throughtime.Network`."""

    topology: Topology
    layers: tuple[Layer, ...]
    groups: list[Any]
    dtype: np.dtype

    @property
    def n_features(self) -> int: ...

    @property
    def n_outputs(self) -> int: ...

    def check_input(
        self, x: Any, lengths: Any = None, mask: Any = None
    ) -> tuple[np.ndarray, np.ndarray | None]: ...

    def run(
        self, x: np.ndarray, mask: np.ndarray | None, states: list[Any], call: Call
    ) -> tuple[np.ndarray, Tape]: ...

    def row_parts(self, x: np.ndarray) -> list[slice]: ...


class Stream:
    """A network that takes one step at a time, with the results of a batch.

    The output after step t is that of ``net.predict(x[:, :t + 1])`` at its last step.

    Parameters
    ----------
    net : Network
        The network; each step uses its parameters of that moment.
    rows : int
        Number N of independent sequences that run in parallel.

    Raises
    ------
    InvalidArgumentError
        If a layer needs steps that a stream has not seen yet.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.GRU(4), tt.layers.Dense(2)], n_features=3)
    >>> stream = net.stream()
    >>> stream.step([0.1, 0.2, 0.3]).shape
    (2,)
    """

    def __init__(self, net: Streamable, rows: int = 1) -> None:
        self.net = net
        self.rows = check_int("rows", rows, 1)
        if net.topology.input_form.kind == "vector":
            raise InvalidArgumentError(
                "the network takes one vector a sequence, so it cannot be run as a stream."
            )
        for i, layer in enumerate(net.layers):
            reason = layer.stream_refusal()
            if reason is not None:
                raise InvalidArgumentError(
                    f"layer {i} ({layer.kind}) cannot be run as a stream: {reason}."
                )
        if any(net.topology.hands_state):
            raise InvalidArgumentError(
                "a decoder starts from the end of its encoder's input, which a stream has not"
                " seen yet: stream the two as networks of their own."
            )
        self._adopt(self._start(self.rows))

    def _adopt(self, state: list[State]) -> None:
        self._state = state
        # The stepper changes the arrays of this state in place, so a new state needs a new one.
        self._stepper: Any = None

    def _native_stepper(self, kernels: Kernels) -> Any:
        """The whole network as one native object; False if there is none.

        A first layer that takes tokens looks them up in NumPy: the object is that of the others.
        """
        net, first = self.net, int(self._takes_tokens)
        if self.rows > _FEW or len(net.layers) == first or (first and self._state[0]):
            return False
        stepper = kernels.Stepper(self.rows, net.dtype == np.float64)
        every = zip(net.layers[first:], net.groups[first:], self._state[first:], strict=True)
        fits = all(
            own_kernel(layer, "native_stream") and layer.stream_native(kernels, stepper, p, own)
            for layer, p, own in every
        )
        return stepper if fits else False

    def _start(self, rows: int) -> list[State]:
        net = self.net
        return [
            layer.stream_start(p, rows, net.dtype)
            for layer, p in zip(net.layers, net.groups, strict=True)
        ]

    def step(self, x: Any) -> np.ndarray:
        """Take one step.

        Parameters
        ----------
        x : array of shape (N, F), or (F,) for one row
            One step of each row; integers (N,) if the first layer is an Embedding.

        Returns
        -------
        y : ndarray of shape (N, K), or (K,)
        """
        kernels = selection.kernels()
        if kernels is not None:
            if self._stepper is None:
                self._stepper = self._native_stepper(kernels)
            if self._stepper:
                return self._native_step(x)
        return self._reference_step(x)

    @ignore_underflow
    def _reference_step(self, x: Any) -> np.ndarray:
        y, single = self._prepare(x)
        state = []
        for layer, p, own in zip(self.net.layers, self.net.groups, self._state, strict=True):
            y, new = layer.stream_step(p, y, own)
            state.append(new)
        self._adopt(state)
        return y[0] if single else y

    def _native_step(self, x: Any) -> np.ndarray:
        net = self.net
        if type(x) is np.ndarray and not self._takes_tokens:
            y = np.empty(net.n_outputs if x.ndim == 1 else (self.rows, net.n_outputs), net.dtype)
            if self._stepper.step(x, y):
                return y
        array, single = self._prepare(x)
        if self._takes_tokens:
            array, _ = net.layers[0].stream_step(net.groups[0], array, ())
        y = np.empty((self.rows, net.n_outputs), net.dtype)
        self._stepper.step(packed(array), y)
        return y[0] if single else y

    @property
    def _takes_tokens(self) -> bool:
        return self.net.topology.input_form.kind == "tokens"

    def _prepare(self, x: Any) -> tuple[np.ndarray, bool]:
        net = self.net
        if self._takes_tokens:
            array = as_array("x", x)
            tokens, _ = net.check_input(array.reshape(-1, 1))
            if len(tokens) != self.rows:
                raise ShapeError(
                    sentence("x", f"{self.rows} tokens, one a row", tokens.size, must="hold")
                )
            return tokens[:, 0], array.ndim == 0
        array = check_array("x", x, dtype=net.dtype)
        single = array.ndim == 1
        if single:
            array = array[None]
        if array.shape != (self.rows, net.n_features):
            raise ShapeError(
                sentence(
                    "x",
                    f"of shape {(self.rows, net.n_features)}, one step of each row",
                    f"shape {np.shape(x)}",
                )
            )
        return array, single

    @property
    def state(self) -> list[State]:
        """Copy of the state: for each layer a tuple of arrays whose first axis is the row.

        Assign it to return to that moment, or to start another stream there.
        """
        return [tuple(part.copy() for part in own) for own in self._state]

    @state.setter
    def state(self, state: Any) -> None:
        if not isinstance(state, list | tuple) or len(state) != len(self._state):
            raise InvalidTypeError(
                sentence(
                    "state",
                    f"a list of {len(self._state)} tuples, as stream.state gives it",
                    describe(state),
                )
            )
        new: list[State] = []
        for i, (given, own) in enumerate(zip(state, self._state, strict=True)):
            if not isinstance(given, tuple | list | None):
                raise InvalidTypeError(
                    sentence(f"state[{i}]", "a tuple of arrays", describe(given))
                )
            parts = tuple(  # None means no state, as in tape.final_state
                check_array(f"state[{i}][{k}]", part, dtype=self.net.dtype).copy()
                for k, part in enumerate(given or ())
            )
            # A pool's state has its full width only after a step, so widths may differ there.
            pool = isinstance(self.net.layers[i], Pool)
            fits = len(parts) == len(own) and all(
                a.shape == b.shape
                or (pool and a.ndim == 2 and len(a) == self.rows and 1 in (a.shape[1], b.shape[1]))
                for a, b in zip(parts, own, strict=True)
            )
            if not fits:
                raise ShapeError(
                    sentence(
                        f"state[{i}]",
                        f"the shapes {[b.shape for b in own]}",
                        f"{[a.shape for a in parts]}",
                        must="have",
                    )
                )
            new.append(parts)
        self._adopt(new)

    def reset(self, rows: Any = None) -> None:
        """Reset to the initial state: all rows, or those of an index, a list or a mask."""
        fresh = self._start(self.rows)
        if rows is None:
            self._adopt(fresh)
            return
        chosen = np.zeros(self.rows, dtype=bool)
        chosen[self._selected(rows)] = True
        self._adopt(
            [
                tuple(np.where(chosen[:, None], new, old) for new, old in zip(a, b, strict=True))
                for a, b in zip(fresh, self._state, strict=True)
            ]
        )

    def take(self, rows: Any) -> None:
        """Go on with some of the rows, in the order given; a row listed twice goes on twice.

        Parameters
        ----------
        rows : array of int of shape (M,), or of bool of shape (N,)
            The stream has these M rows afterwards.
        """
        chosen = self._selected(rows)
        if not len(chosen):
            raise InvalidArgumentError(sentence("rows", "at least one row", "none", must="select"))
        self.rows = len(chosen)
        self._adopt([tuple(part[chosen] for part in own) for own in self._state])

    def _selected(self, rows: Any) -> np.ndarray:
        """The numbers of the rows that an index, a list or a mask selects."""
        index = as_array("rows", rows)
        try:
            every = np.arange(self.rows)
            return np.atleast_1d(every[index]) if index.size > 0 else every[:0]
        except IndexError:
            raise InvalidArgumentError(
                f"rows must select rows from 0 to {self.rows - 1}; got {describe(rows)}."
            ) from None

    @ignore_underflow
    def warm_up(self, x: Any, lengths: Any = None, *, mask: Any = None) -> np.ndarray:
        """Reset, take all steps of ``x (N, T, F)`` at once, and return the last output (N, K).

        Rows may differ in length; each row is at its own end afterwards.
        """
        net = self.net
        array, real = net.check_input(x, lengths, mask)
        if len(array) != self.rows:
            raise ShapeError(
                sentence("x", f"{self.rows} rows, those of the stream", len(array), must="have")
            )
        ends, states = [], []
        for rows in net.row_parts(array):
            y, state = self._after(array[rows], None if real is None else real[rows])
            ends.append(y)
            states.append(state)
        self._adopt([join_states(parts) for parts in zip(*states, strict=True)])
        return np.concatenate(ends)

    def _after(self, x: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, list[State]]:
        """The last output and the state of every layer after the sequences ``x``."""
        net = self.net
        y, tape = net.run(x, mask, [None] * len(net.layers), UNTAPED)
        state = []
        for i, layer in enumerate(net.layers):
            state.append(layer.stream_after(x, mask, tape.final_state[i]))
            x = tape.outputs[i]
            mask = mask if x.ndim == 3 else None
        if y.ndim == 2:
            return y, state
        last = np.full(len(y), y.shape[1] - 1)
        if tape.output_mask is not None:
            last -= tape.output_mask[:, ::-1].argmax(axis=1)
        return y[np.arange(len(y)), last], state

    def copy(self) -> Stream:
        """Return an independent stream of the same network, in the same state."""
        return copy.copy(self)

    def __getstate__(self) -> dict[str, Any]:
        # A native stepper cannot be copied. The copy makes its own at its first step.
        return self.__dict__ | {"_state": self.state, "_stepper": None}

    def __repr__(self) -> str:
        rows = "1 row" if self.rows == 1 else f"{self.rows} rows"
        return f"<Stream of {rows} through {', '.join(layer.kind for layer in self.net.layers)}>"
