"""One step at a time: streams with an explicit state."""

from __future__ import annotations

import copy
import warnings
from typing import Any

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
from throughtime.layers.base import UNTAPED
from throughtime.network.containers import Container
from throughtime.network.fixed import Fixed, run_fixed
from throughtime.network.inputs import check_one
from throughtime.network.passes import Streamable, initial_state, run_call
from throughtime.network.signals import cut, each, first_of
from throughtime.network.tape import join_states

#: Up to this number of rows, one native call for each row is faster than NumPy for all of them.
_FEW = 8


class Stream:
    """A network that takes one step at a time, with the results of a batch.

    The output after step t is that of ``net.predict(x[:, :t + 1])`` at its last step.

    Parameters
    ----------
    net : Network
        The network; each step uses its parameters of that moment.
    rows : int
        Number N of independent sequences that run in parallel.
    fixed : dict of str to array, optional
        Inputs of a graph that are known before the first step and stay the same, by name: vectors,
        and whole sequences, for example the source of a decoder. What depends on them alone is
        computed once, here. Steps bring the other inputs.
    lengths, mask : dict of str to array, optional
        Those of fixed sequences.

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

    def __init__(
        self,
        net: Streamable,
        rows: int = 1,
        fixed: Any = None,
        lengths: Any = None,
        mask: Any = None,
    ) -> None:
        self.net = net
        self.rows = check_int("rows", rows, 1)
        self._know(run_fixed(net, self.rows, fixed, lengths, mask))
        if all(net.topology.input_forms[k].kind == "vector" for k in self._taken):
            raise InvalidArgumentError(
                "the network takes one vector a sequence, so it cannot be run as a stream."
            )
        for i in self._live:
            self._check_call(i)
        self._adopt(self._start(self.rows))

    def _know(self, fixed: Fixed) -> None:
        """Sort the inputs and the calls: what is known before the first step, and what is not."""
        topology, self._fixed = self.net.topology, fixed
        #: The inputs that every step brings, and the calls that every step runs.
        self._taken = [k for k in range(len(topology.input_forms)) if k not in fixed.values]
        self._live = [i for i in range(len(topology.layers)) if i not in fixed.finals]
        self._lookups = {i for i in self._live if self._looks_up(i)}
        self._takes_tokens = topology.input_forms[self._taken[0]].kind == "tokens"
        self._n_outputs = topology.output_forms[0].features

    def _check_call(self, i: int) -> None:
        """Refuse a call that needs more than the steps so far."""
        topology, known = self.net.topology, self._fixed
        reason = None if i in self._lookups else self.net.layers[i].stream_refusal()
        if reason is not None:
            raise InvalidArgumentError(f"{topology.named(i)} cannot be run as a stream: {reason}.")
        state = topology.plan.calls[i].state
        if isinstance(state, int) and state not in known.finals:
            raise InvalidArgumentError(
                "a decoder starts from the end of its encoder's input, which a stream has not"
                " seen yet: stream the two as networks of their own."
                + ("" if topology.plan.stack else " Or give that input as fixed=.")
            )
        if isinstance(state, tuple) and not all(s in known.values for s in state):
            raise InvalidArgumentError(
                f"{topology.named(i)} starts from a vector, which a stream must know before its"
                " first step: give that input as fixed=."
            )
        for s in topology.plan.calls[i].sources:
            if s in known.values and known.values[s].ndim == 3 and i not in self._lookups:
                raise InvalidArgumentError(
                    f"{topology.named(i)} cannot be run as a stream: it takes a whole sequence and"
                    " single steps."
                )

    def _looks_up(self, i: int) -> bool:
        """Whether call ``i`` takes steps and, beside them, fixed sequences: attention does."""
        layer, sources = self.net.layers[i], self.net.topology.plan.calls[i].sources
        others = [self._fixed.values.get(s) for s in sources[1:]]
        return (
            layer.several
            and not layer.aligned
            and len(others) > 0
            and sources[0] not in self._fixed.values
            and all(one is not None for one in others)
        )

    def _adopt(self, state: list[State]) -> None:
        self._state = state
        # The stepper changes the arrays of this state in place, so a new state needs a new one.
        self._stepper: Any = None

    def _native_stepper(self, kernels: Kernels) -> Any:
        """The calls of a step as one native object; False if there is none.

        A first layer that takes tokens looks them up in NumPy: the object is that of the others.
        """
        net, first = self.net, int(self._takes_tokens)
        if self.rows > _FEW or not self._is_chain() or len(self._live) == first:
            return False
        if first and self._state[self._live[0]]:
            return False
        stepper = kernels.Stepper(self.rows, net.dtype == np.float64)
        fits = all(
            own_kernel(net.layers[i], "native_stream")
            and net.layers[i].stream_native(kernels, stepper, net.groups[i], self._state[i])
            for i in self._live[first:]
        )
        return stepper if fits else False

    def _is_chain(self) -> bool:
        """Whether each call of a step takes what the one before it gives, and the last one ends."""
        plan = self.net.topology.plan
        inputs, (before, *more) = len(plan.forms), self._taken
        for i in self._live:
            if plan.calls[i].sources != (before,):
                return False
            before = inputs + i
        return not more and plan.signals == (before,)

    def _start(self, rows: int) -> list[State]:
        net, known = self.net, self._fixed
        state: list[State] = []
        for i, (layer, p) in enumerate(zip(net.layers, net.groups, strict=True)):
            if i not in self._live:
                state.append(())
            elif net.topology.plan.calls[i].state is None:
                state.append(layer.stream_start(p, rows, net.dtype))
            else:
                given = initial_state(net, i, known.values, known.finals)
                state.append(tuple(part.copy() for part in given))
        return state

    def step(self, x: Any) -> Any:
        """Take one step.

        Parameters
        ----------
        x : array of shape (N, F), or (F,) for one row
            One step of each row; integers (N,) for tokens. Of several inputs that are not fixed, a
            dict or a list.

        Returns
        -------
        y : ndarray of shape (N, K), or (K,)
            The output; of several, in the container that the network was made with.
        """
        kernels = selection.kernels()
        if kernels is not None:
            if self._stepper is None:
                self._stepper = self._native_stepper(kernels)
            if self._stepper:
                return self._native_step(x)
        return self._reference_step(x)

    @ignore_underflow
    def _reference_step(self, x: Any) -> Any:
        net, plan, inputs = self.net, self.net.topology.plan, len(self.net.topology.plan.forms)
        arrays, single = self._prepare(x)
        values = {**self._fixed.values, **dict(zip(self._taken, arrays, strict=True))}
        state = list(self._state)
        for i in self._live:
            layer, sources = net.layers[i], plan.calls[i].sources
            if i in self._lookups:
                masks = {**dict.fromkeys(sources), **self._fixed.masks}
                values[inputs + i] = run_call(net, i, values, masks, {}, None, UNTAPED).y
                continue
            taken: Any = tuple(values[s] for s in sources) if layer.several else values[sources[0]]
            values[inputs + i], state[i] = layer.stream_step(net.groups[i], taken, self._state[i])
        self._adopt(state)
        outputs = [values[s] for s in plan.signals]
        return plan.outputs.gather([y[0] for y in outputs] if single else outputs)

    def _native_step(self, x: Any) -> Any:
        net = self.net
        outputs, box = self._n_outputs, net.topology.plan.outputs
        if type(x) is np.ndarray and not self._takes_tokens:
            y = np.empty(outputs if x.ndim == 1 else (self.rows, outputs), net.dtype)
            if self._stepper.step(x, y):
                return y if box.kind == "single" else box.gather([y])
        (array,), single = self._prepare(x)
        if self._takes_tokens:
            i = self._live[0]
            array, _ = net.layers[i].stream_step(net.groups[i], array, ())
        y = np.empty((self.rows, outputs), net.dtype)
        self._stepper.step(packed(array), y)
        return box.gather([y[0] if single else y])

    def _prepare(self, x: Any) -> tuple[list[np.ndarray], bool]:
        """One step of each input that is not fixed, and whether it is that of one row alone."""
        names = self.net.topology.plan.inputs.names
        several = len(self._taken) > 1
        kind = "list" if several else "single"
        box = Container(kind, tuple(names[k] for k in self._taken))
        found = [
            self._prepare_one(k, one, f"x[{names[k]!r}]" if several else "x")
            for k, one in zip(self._taken, box.spread("x", x), strict=True)
        ]
        return [array for array, _ in found], all(single for _, single in found)

    def _prepare_one(self, k: int, x: Any, name: str) -> tuple[np.ndarray, bool]:
        net, form = self.net, self.net.topology.input_forms[k]
        if form.kind == "tokens":
            array = as_array(name, x)
            tokens, _ = check_one(net.topology, k, array.reshape(-1, 1), None, None, net.dtype)
            if len(tokens) != self.rows:
                raise ShapeError(
                    sentence(name, f"{self.rows} tokens, one a row", tokens.size, must="hold")
                )
            return tokens[:, 0], array.ndim == 0
        array = check_array(name, x, dtype=net.dtype)
        single = array.ndim == 1
        if single:
            array = array[None]
        if array.shape != (self.rows, form.features):
            raise ShapeError(
                sentence(
                    name,
                    f"of shape {(self.rows, form.features)}, one step of each row",
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
            if not self.net.layers[i].stream_fits(parts, own):
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
                layer.stream_select(chosen, new, old)
                for layer, new, old in zip(self.net.layers, fresh, self._state, strict=True)
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
        self.rows, self._fixed = len(chosen), self._fixed.take(chosen)
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
    def warm_up(self, x: Any, lengths: Any = None, *, mask: Any = None) -> Any:
        """Reset, take all steps of ``x (N, T, F)`` at once, and return the last output (N, K).

        Rows may differ in length; each row is at its own end afterwards.
        """
        net = self.net
        if self._fixed.values:
            raise InvalidArgumentError(
                "a stream with fixed inputs cannot be warmed up: take its first steps one by one."
            )
        array, real = net.check_input(x, lengths, mask)
        count = len(first_of(array))
        if count != self.rows:
            raise ShapeError(
                sentence("x", f"{self.rows} rows, those of the stream", count, must="have")
            )
        ends, states = [], []
        for rows in net.row_parts(array):
            y, state = self._after(cut(array, rows), cut(real, rows))
            ends.append(y)
            states.append(state)
        self._adopt([join_states(parts) for parts in zip(*states, strict=True)])
        joined = [np.concatenate(parts) for parts in zip(*ends, strict=True)]
        return net.topology.plan.outputs.gather(joined)

    def _after(self, x: Any, mask: Any) -> tuple[list[np.ndarray], list[State]]:
        """The last outputs and the state of every layer after the sequences ``x``."""
        net, plan = self.net, self.net.topology.plan
        y, tape = net.run(x, mask, [None] * len(net.layers), UNTAPED)
        values, masks, state = [*each(x), *tape.outputs], tape.masks, []
        for i, layer in enumerate(net.layers):
            sources = plan.calls[i].sources
            taken: Any = tuple(values[s] for s in sources)
            real: Any = tuple(masks[s] for s in sources)
            if not layer.several:
                taken, real = taken[0], real[0]
            state.append(layer.stream_after(taken, real, tape.final_state[i]))
        pairs = zip(each(y), each(tape.output_mask), strict=True)
        return [_last_step(one, real) for one, real in pairs], state

    def copy(self) -> Stream:
        """Return an independent stream of the same network, in the same state."""
        return copy.copy(self)

    def __getstate__(self) -> dict[str, Any]:
        # A native stepper cannot be copied. The copy makes its own at its first step.
        return self.__dict__ | {"_state": self.state, "_stepper": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._know(state.get("_fixed", Fixed()))  # a pickle of 0.2 has none

    def __repr__(self) -> str:
        rows = "1 row" if self.rows == 1 else f"{self.rows} rows"
        return f"<Stream of {rows} through {', '.join(layer.kind for layer in self.net.layers)}>"


def _last_step(y: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The output at the last unmasked step of each row; a vector has none."""
    if y.ndim == 2:
        return y
    last = np.full(len(y), y.shape[1] - 1)
    if mask is not None:
        last -= mask[:, ::-1].argmax(axis=1)
    return y[np.arange(len(y)), last]


def __getattr__(name: str) -> Any:
    if name == "extrapolate":
        from throughtime.network.generation import extrapolate

        warnings.warn(
            "throughtime.network.stream.extrapolate is in throughtime.network.generation; the old"
            " path goes with version 0.4.",
            DeprecationWarning,
            stacklevel=2,
        )
        return extrapolate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
