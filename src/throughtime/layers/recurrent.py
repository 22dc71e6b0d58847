"""Recurrent layers: a cell that runs over time, with its parameters, states and dropout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime import bptt as reference
from throughtime import engines
from throughtime.activations import ACTIVATIONS
from throughtime.cells import Cell
from throughtime.cells.base import State
from throughtime.cells.update import Update
from throughtime.engines.forms import native_form
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    check_bool,
    check_choice,
    check_float,
    check_int,
    describe,
    sentence,
)
from throughtime.initializers import INITIALIZERS
from throughtime.kernels.extension import Kernels
from throughtime.layers.base import UNTAPED, Call, Layer, Result, chosen, keep_mask
from throughtime.layers.forms import Form
from throughtime.layers.merge import WAYS, merge, slopes, unmerge
from throughtime.layers.states import check_state
from throughtime.layers.symbols import LayerCall, StateSymbol, call_layer


@dataclass(frozen=True)
class Recurrent(Layer):
    """Options that all recurrent layers share.

    Parameters
    ----------
    units : int
        Number of hidden units H (of each direction).
    activation : str, Activation or callable
        Activation f of the cell.
    return_sequences : bool
        Whether the output is h_t at every step, (N, T, H), instead of the last one, (N, H).
    return_state : bool
        Whether to pass the final state on. The next recurrent layer starts from it (an encoder and
        its decoder); if there is none, ``net.predict`` returns ``(y, state)``.
    bidirectional : bool
        Whether a second set of weights runs from the end of each sequence to its start.
    merge : {"concat", "sum", "mul", "ave"}
        How the outputs of the two directions of a bidirectional layer become one: side by side,
        forward first, or their sum, product or mean; see :mod:`throughtime.layers.merge`.
    reverse : bool
        Whether to run from the end of each sequence to its start.
    initializer, recurrent_initializer : str, Initializer or callable
        Initializers of W_x and W_h, which are filled gate by gate.
    use_bias : bool
        Whether to add a bias b.
    time_bias : bool
        Whether to add b_time, a second bias that belongs to the recurrent term: like that term, it
        is absent at the first step of a sequence. The state then has one more entry, ``started``
        (N, 1): 1 if there was a step before.
    learn_initial_state : bool
        Whether the initial state is a parameter (h_0, and c_0 for an LSTM), used if none is given.
    dropout : float
        Probability that an input feature is dropped in training, for all steps of a sequence.
    recurrent_dropout : float
        Probability that a unit of h_{t-1} is dropped before the product with W_h, with one mask for
        all steps (Gal and Ghahramani, 2016, arXiv:1512.05287).
    lr_multiplier : float
        Factor on the learning rate of this layer; 0 freezes the layer.
    l1, l2 : float, optional
        Penalties on this layer's weights, added to those of the training call.

    Notes
    -----
    The state of a layer is a tuple of arrays (N, H): ``(h,)``, or ``(h, c)`` for an LSTM. The state
    of a bidirectional layer is the pair of the states of its directions.
    """

    units: int
    _: KW_ONLY
    activation: Any = chosen("tanh", ACTIVATIONS)
    return_sequences: bool = False
    return_state: bool = False
    bidirectional: bool = False
    merge: str = "concat"
    reverse: bool = False
    initializer: Any = chosen("glorot_uniform", INITIALIZERS)
    recurrent_initializer: Any = chosen("orthogonal", INITIALIZERS)
    use_bias: bool = True
    time_bias: bool = False
    learn_initial_state: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    lr_multiplier: float = 1.0
    l1: float | None = None
    l2: float | None = None

    takes: ClassVar[tuple[str, ...]] = ("sequence",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("units", self.units, 1)
        for name in ("return_sequences", "return_state", "bidirectional", "reverse", "use_bias"):
            check_bool(name, getattr(self, name))
        for name in ("time_bias", "learn_initial_state"):
            check_bool(name, getattr(self, name))
        check_float("dropout", self.dropout, 0.0, 1.0, inclusive="low")
        check_float("recurrent_dropout", self.recurrent_dropout, 0.0, 1.0, inclusive="low")
        if self.bidirectional and self.reverse:
            raise InvalidArgumentError(
                sentence(
                    "reverse",
                    "False in a bidirectional layer",
                    "True",
                    "A bidirectional layer already runs both ways.",
                )
            )
        check_choice("merge", self.merge, WAYS)
        if self.merge != "concat" and not self.bidirectional:
            hint = "There is one direction, and nothing to merge."
            expected = "'concat' in a layer that is not bidirectional"
            raise InvalidArgumentError(sentence("merge", expected, describe(self.merge), hint))

    @property
    def draws(self) -> bool:
        return self.dropout > 0 or self.recurrent_dropout > 0

    @property
    def cell(self) -> Cell:
        """The cell with this layer's options."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "cell"}

    def __call__(self, inputs: Any, *, initial_state: Any = None) -> Any:
        y = call_layer(self, inputs, initial_state)
        if not self.return_state:
            return y
        assert isinstance(y.source, LayerCall)
        return y, StateSymbol(y.source)

    # -- form and parameters ------------------------------------------------------------------

    @property
    def state_units(self) -> int:
        """Width of each state of the cell, without options."""
        return self.units

    @property
    def output_units(self) -> int:
        """Width of the output of one direction."""
        return self.units

    @property
    def state_widths(self) -> dict[str, int]:
        """Names and widths of the arrays of a state: those of the cell, then others."""
        widths = dict.fromkeys(self.cell.states, self.state_units)
        return widths | {"started": 1} if self.time_bias else widths

    @property
    def directions(self) -> tuple[tuple[str, bool], ...]:
        """For each direction: name of its parameter group, and whether it runs in reverse."""
        if self.bidirectional:
            return ("forward", False), ("backward", True)
        return (("", self.reverse),)

    def output_form(self, form: Form) -> Form:
        features = self.output_units * (len(self.directions) if self.merge == "concat" else 1)
        if self.return_sequences:
            return Form("sequence", features, form.steps)
        return Form("vector", features)

    def pass_size(self, form: Form, after: Form) -> int:
        # The input in the order of time, a_t, and the states and the output at every step.
        steps = form.size // form.features
        inner = len(self.cell.gates) + len(self.cell.states) + 1
        return len(self.directions) * (form.size + steps * inner * self.units) + after.size

    def param_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        shapes = self.direction_shapes(form)
        return {
            in_group(group, leaf): shape
            for group, _ in self.directions
            for leaf, shape in shapes.items()
        }

    def direction_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        """Name and shape of the parameters of one direction."""
        cell, units = self.cell, self.state_units
        width = len(cell.gates) * units
        shapes: dict[str, tuple[int, ...]] = {"W_x": (form.features, width)}
        if cell.recurrent_weights:
            shapes["W_h"] = (self.output_units, width)
        if self.use_bias:
            shapes |= {"b": (width,), **cell.bias_shapes(units)}
        shapes |= cell.extra_shapes(units)
        if self.time_bias:
            shapes["b_time"] = (width,)
        if self.learn_initial_state:
            shapes |= {f"{state}_0": (self.state_widths[state],) for state in cell.states}
        return shapes

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        drawn = {"W_x": self.initializer}
        if self.cell.recurrent_weights:
            drawn["W_h"] = self.recurrent_initializer
        for group, _ in self.directions:
            for leaf, init in drawn.items():
                array = params[in_group(group, leaf)]
                for gate in range(len(self.cell.gates)):
                    block = array[:, gate * self.state_units : (gate + 1) * self.state_units]
                    block[...] = init(block.shape, rng, array.dtype)
            if in_group(group, "b") in params:
                self.initialize_bias(params[in_group(group, "b")])

    def initialize_bias(self, b: np.ndarray) -> None:
        """Fill b, which is zero so far."""

    # -- states -------------------------------------------------------------------------------

    def check_state(self, state: Any, form: Form, batch: int, dtype: np.dtype, where: str) -> Any:
        """Return ``state`` as tuples of arrays, or raise."""
        if not self.bidirectional:
            return check_state(state, self.state_widths, batch, dtype, where)
        if not isinstance(state, (tuple, list)) or len(state) != 2:
            raise InvalidTypeError(
                sentence(
                    where,
                    "the pair of states (forward, backward) of a bidirectional layer",
                    type(state).__name__,
                )
            )
        names = ("forward", "backward")
        return tuple(
            check_state(s, self.state_widths, batch, dtype, f"{where}, {n}")
            for n, s in zip(names, state, strict=True)
        )

    def initial_state(self, p: Any, batch: int, dtype: np.dtype) -> State:
        """The initial state of one direction if none is given: zero, or the learned one."""
        learned = self.cell.states if self.learn_initial_state else ()
        return tuple(
            np.repeat(getattr(p, f"{name}_0")[None], batch, axis=0)
            if name in learned
            else np.zeros((batch, width), dtype)
            for name, width in self.state_widths.items()
        )

    # -- forward and backward -----------------------------------------------------------------

    def update(self, steps: int, batch: int, call: Call) -> Update | None:
        """What the loop does to the states that the cell proposes; None if nothing."""
        return None

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        real = mask if self.return_sequences else None
        if not self.bidirectional:
            y, final, cache = self._run(p, x, mask, state, self.reverse, call)
            return Result(y, real, [(*cache, None)], final)
        outputs, finals, caches = [], [], []
        for d, (group, reverse) in enumerate(self.directions):
            start = None if state is None else state[d]
            y, final, cache = self._run(getattr(p, group), x, mask, start, reverse, call)
            outputs.append(y)
            finals.append(final)
            caches.append(cache)
        between = zip(caches, slopes(self.merge, outputs), strict=True)
        kept = [(*cache, slope) for cache, slope in between]
        return Result(merge(self.merge, outputs), real, kept, tuple(finals))

    def _run(
        self,
        p: Any,
        x: np.ndarray,
        mask: np.ndarray | None,
        state: State | None,
        reverse: bool,
        call: Call,
    ) -> tuple[np.ndarray, State, Any]:
        """Run one direction: its output, its final state, and what :meth:`_run_back` needs."""
        batch = x.shape[0]
        given = state is not None
        start: State = state if state is not None else self.initial_state(p, batch, x.dtype)
        n = len(self.cell.states)
        start, other = start[:n], start[n:]
        started = other[0][:, 0] > 0.5 if self.time_bias else None
        drop_x = keep_mask(self.dropout, (batch, 1, x.shape[2]), x.dtype, call)
        drop_h = keep_mask(self.recurrent_dropout, start[0].shape, x.dtype, call)
        loops = reference if call.readable else engines
        x = x if drop_x is None else x * drop_x
        h, final, tape = loops.unroll(
            self.cell,
            p,
            x,
            start,
            mask=mask,
            started=started,
            drop=drop_h,
            update=self.update(x.shape[1], batch, call),
            reverse=reverse,
            keep=call.keep,
        )
        if started is not None:
            seen = np.ones(batch, dtype=bool) if mask is None else mask.any(axis=1)
            final = (*final, (started | seen)[:, None].astype(x.dtype))
        y, final, of_output = self._output(p, x, mask, h, final, other, reverse)
        return y, final, (tape, drop_x, given, of_output)

    def _output(
        self,
        p: Any,
        x: np.ndarray,
        mask: np.ndarray | None,
        h: np.ndarray,
        final: State,
        other: State,
        reverse: bool,
    ) -> tuple[np.ndarray, State, Any]:
        """The output of one direction, its final state, and what :meth:`_output_back` needs.

        Parameters
        ----------
        x : ndarray of shape (N, T, F)
            The input, dropout applied.
        h : ndarray of shape (N, T, H)
            The output of the cell at each step, zero where masked.
        final : tuple of ndarray
            The final state of the cell.
        other : tuple of ndarray
            The initial state without that of the cell.
        """
        return (h if self.return_sequences else final[0].copy()), final, None

    def _output_back(
        self, grad: Any, kept: Any, dy: np.ndarray | None, d_final: State | None, inputs: bool
    ) -> tuple[np.ndarray | None, State | None, np.ndarray | None, State]:
        """Add to ``grad``; return dL/dh, dL/d(final state of the cell), the part of dL/dx beside
        the loop, and dL/d(``other`` of :meth:`_output`). All but the last may be None, for zero.
        """
        n = len(self.cell.states)
        d_cell = None if d_final is None else d_final[:n]
        if not self.return_sequences and dy is not None:
            # The output is the final h, so its gradient joins that of the final state.
            widths = list(self.state_widths.values())[:n]
            rest = d_cell or tuple(np.zeros((len(dy), width), dy.dtype) for width in widths)
            d_cell, dy = (rest[0] + dy, *rest[1:]), None
        return dy, d_cell, None, ()

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        if not self.bidirectional:
            return self._run_back(grad, cache[0], dy, d_final, inputs)
        dx, d_initials = None, []
        for d, (group, _) in enumerate(self.directions):
            d_end = None if d_final is None else d_final[d]
            d_out = None if dy is None else self.of_direction(cache, d, dy)
            own = getattr(grad, group)
            d_part, d_initial = self._run_back(own, cache[d], d_out, d_end, inputs)
            dx = d_part if dx is None or d_part is None else dx + d_part
            d_initials.append(d_initial)
        return dx, tuple(d_initials)

    def of_direction(self, cache: Any, d: int, dy: np.ndarray) -> np.ndarray:
        """The gradient of the output of direction ``d``, where ``dy`` is that of the layer's."""
        width = self.output_units
        half = slice(d * width, (d + 1) * width)
        return unmerge(self.merge, dy, cache[d][-1], half)

    def _run_back(
        self, grad: Any, cache: Any, dy: np.ndarray | None, d_final: State | None, inputs: bool
    ) -> tuple[np.ndarray | None, State]:
        tape, drop_x, given, of_output, _ = cache
        dh, d_cell, dx_beside, d_other = self._output_back(grad, of_output, dy, d_final, inputs)
        dx, d_initial = engines.bptt(tape, grad, dh, d_cell, inputs)
        if dx is not None and dx_beside is not None:
            dx += dx_beside
        if self.learn_initial_state and not given:
            for name, d in zip(self.cell.states, d_initial, strict=True):
                getattr(grad, f"{name}_0")[...] += d.sum(axis=0)
        if self.time_bias:
            d_other = (np.zeros_like(d_initial[0][:, :1]),)
        d_initial = (*d_initial, *d_other)
        return (dx if dx is None or drop_x is None else dx * drop_x), d_initial

    # -- streams ------------------------------------------------------------------------------

    def stream_start(self, p: Any, rows: int, dtype: np.dtype) -> State:
        return self.initial_state(p, rows, dtype)

    def stream_step(self, p: Any, x: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        y, final, _ = self._run(p, x[:, None], None, state, False, UNTAPED)
        return (y[:, 0] if self.return_sequences else y), final

    def stream_native(self, kernels: Kernels, stepper: Any, p: Any, state: State) -> bool:
        form = native_form(self.cell)
        if form is None or not self.cell.kernel_form().streams:
            return False
        if self.update(1, len(state[0]), UNTAPED) is not None:
            return False
        own = vars(p)
        started = state[-1] if self.time_bias else None
        c = state[1] if len(self.cell.states) > 1 else None
        stepper.add(
            form,
            dense=False,
            W_x=p.W_x,
            W_h=p.W_h,
            b=own.get("b"),
            b_time=own.get("b_time"),
            b_hn=own.get("b_hn"),
            h=state[0],
            c=c,
            started=started,
        )
        return True

    def stream_after(self, x: np.ndarray, mask: np.ndarray | None, final_state: Any) -> State:
        return tuple(final_state)

    def stream_refusal(self) -> str | None:
        if self.bidirectional or self.reverse:
            return "it reads each sequence from its end, which a stream has not seen yet"
        return None


def in_group(group: str, leaf: str) -> str:
    """The name of a parameter of one direction."""
    return f"{group}.{leaf}" if group else leaf
