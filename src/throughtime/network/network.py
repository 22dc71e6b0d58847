"""The network: a stack or a graph of layers with one vector of parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    check_int,
    describe,
    sentence,
)
from throughtime.kernels.underflow import ignore_underflow
from throughtime.layers import Layer
from throughtime.layers.base import UNTAPED, Call
from throughtime.layers.forms import check_name
from throughtime.layers.symbols import Symbol
from throughtime.network import passes
from throughtime.network import plan as planning
from throughtime.network.description import described, read
from throughtime.network.ends import Ends
from throughtime.network.freezing import Freezing
from throughtime.network.generation import extrapolate
from throughtime.network.graph import FEWEST_ROWS, Topology
from throughtime.network.inputs import (
    BY_BATCH,
    OF_ONE,
    OF_PREDICT,
    check_input,
    check_no_batch,
    check_slopes,
    check_states,
)
from throughtime.network.other_names import AnswersOtherNames
from throughtime.network.params import Params, check_dtype
from throughtime.network.signals import Arrays, alike, each, first_of
from throughtime.network.stream import Stream
from throughtime.network.summary import html_table, table
from throughtime.network.tape import Tape, join_states
from throughtime.registry import translate


@translate(
    {
        "n_features": ("input_shape", "input_size", "input_dim", "in_features"),
        "seed": ("random_state", "random_seed"),
    }
)
class Network(Freezing, Ends, AnswersOtherNames):
    """Layers with one flat vector of parameters: a stack, or a graph.

    Parameters
    ----------
    layers : sequence of Layer, optional
        The layers of a stack, in the order of the forward pass. A layer is only a description: an
        object that is listed twice gets two sets of parameters.
    n_features : int, optional
        Number of features F of the input of a stack; not needed if the first layer is an Embedding.
    dtype : {"float32", "float64"}
        Type of the parameters and of all computation.
    seed : int
        Seed for the initial parameters; each layer has its own stream of random numbers.
    inputs, outputs : Symbol, list of Symbol or dict of str to Symbol, optional
        The ends of a graph, instead of ``layers``: symbols that ``tt.Input`` made, and what layers
        that were called on them returned. A layer object that is called twice has one set of
        parameters, whose gradients add. Arrays go in and come out in these containers; inputs may
        be a list or a dict by their names in any case.
    name : str, optional
        Name of the network, by which another network that it stands in calls its parameters.

    Attributes
    ----------
    params : Params
        ``net.params["0.W_x"]``, ``net.params.flat``.
    grads : Params
        Gradients, by the same names; ``backward`` ADDS to them.
    trained_with : dict
        The loss and the metrics of the last training, described in words of JSON; empty before.
        A file keeps them, and :func:`throughtime.evaluate` uses them.
    frozen : frozenset of str
        The owners of the parameters that training leaves as they are; see :meth:`freeze`.

    Raises
    ------
    InvalidArgumentError
        If the layers do not fit together.

    Notes
    -----
    A network can stand in another one as a layer, in its list or called on symbols. It begins there
    with the weights that it has; the new network has parameters of its own.

    Examples
    --------
    >>> import throughtime as tt
    >>> layers = [tt.layers.GRU(8, return_sequences=True), tt.layers.Dense(1)]
    >>> net = tt.Network(layers, n_features=3)
    >>> y, tape = net.forward(np.zeros((2, 5, 3)))
    >>> y.shape
    (2, 5, 1)

    A graph with two inputs:

    >>> signal, static = tt.Input(3, name="signal"), tt.Input(4, name="static", time=False)
    >>> h = tt.layers.GRU(8)(signal)
    >>> z = tt.layers.Concatenate()([h, static])
    >>> net = tt.Network(inputs=[signal, static], outputs=tt.layers.Dense(1)(z))
    >>> net.predict({"signal": np.zeros((2, 5, 3)), "static": np.zeros((2, 4))}).shape
    (2, 1)
    """

    trained_with: dict[str, Any]

    def __init__(
        self,
        layers: Sequence[Layer | Network] | None = None,
        n_features: int | None = None,
        dtype: str = "float32",
        seed: int = 0,
        *,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
    ) -> None:
        if inputs is None and outputs is None:
            if layers is None:
                raise InvalidTypeError(
                    sentence(
                        "layers",
                        "a list of at least one layer",
                        "None",
                        "Or give inputs and outputs.",
                    )
                )
            plan, loans = planning.stack(layers, n_features)
        elif layers is not None or n_features is not None:
            given = "layers" if layers is not None else "n_features"
            raise InvalidArgumentError(
                sentence(
                    given, "left out of a graph, which inputs and outputs describe", "it as well"
                )
            )
        else:
            plan, loans = planning.graph(inputs, outputs)
        self.name = None if name is None else check_name(name)
        self._prepare(Topology(plan), check_dtype(dtype), check_int("seed", seed, 0))
        self.reset_parameters()
        self._borrow(loans)

    def _prepare(self, topology: Topology, dtype: np.dtype, seed: int) -> None:
        """Set up everything; all parameters are zero."""
        self.topology, self.layers = topology, topology.layers
        self.dtype, self.seed = dtype, seed
        self.params = Params(topology.param_shapes(), dtype)
        self.grads = self.params.zeros_like()
        self.trained_with = {}
        self.frozen: frozenset[str] = frozenset()
        self._bind()

    def _bind(self) -> None:
        """Make one namespace of views for each layer; the views stay valid."""
        self.groups = [self.params.group(owner) for owner in self.topology.owners]
        self.grad_groups = [self.grads.group(owner) for owner in self.topology.owners]

    def reset_parameters(self, seed: int | None = None) -> None:
        """Draw new initial parameters, from ``seed`` or from the network's own seed."""
        if seed is not None:
            self.seed = check_int("seed", seed, 0)
        self.params.flat[...] = 0
        self.trained_with = {}
        units = self.plan.units
        streams = np.random.SeedSequence(self.seed).spawn(len(units))
        for (owner, layer), stream in zip(units, streams, strict=True):
            own = {Params.local(name): array for name, array in self.params.owned(owner).items()}
            layer.initialize(own, np.random.default_rng(stream))

    def __call__(self, inputs: Any = None, *others: Any, **options: Any) -> Any:
        """Put the network into a graph, as a layer that is called on symbols.

        A network that is called twice shares its parameters between the calls.

        Returns
        -------
        Symbol, or the container of the outputs with a symbol for each
        """
        found = list(inputs.values()) if isinstance(inputs, Mapping) else inputs
        found = found if isinstance(found, list | tuple) else (found,)
        if others or options or not any(isinstance(one, Symbol) for one in found):
            return super().__call__(inputs, *others, **options)
        return planning.inline(self, inputs)

    # -- forward and backward -----------------------------------------------------------------

    @ignore_underflow
    def forward(
        self,
        x: Any,
        lengths: Any = None,
        initial_state: Any = None,
        training: bool = False,
        *,
        mask: Any = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[np.ndarray, Tape]:
        """Compute the output, and the tape that :meth:`backward` needs.

        Parameters
        ----------
        x : array of shape (N, T, F), or list of arrays (T_i, F)
            The input: integers (N, T) if the first layer is an Embedding, (N, F) if it takes
            vectors. Values at masked steps are ignored.
        lengths : array of int of shape (N,), optional
            Number of steps of each sequence.
        initial_state : list or dict, optional
            Initial states: a list with one entry for each layer, which is None or a state as in
            ``tape.final_state``, or a dict ``{layer: state}``.
        training : bool
            Whether dropout acts.
        mask : array of bool of shape (N, T), optional
            True at the steps that count; holes are allowed. A masked step has the output zero,
            leaves the state unchanged, and has no gradient.
        rng : Generator, optional
            Random numbers for dropout; by default a fixed stream from the network's seed.

        Returns
        -------
        y : ndarray of shape (N, T, K) or (N, K)
        tape : Tape

        Raises
        ------
        ShapeError, DataError, InvalidArgumentError, InvalidTypeError
            If an argument is wrong; the message says which one, and what is expected.
        """
        array, real = self.check_input(x, lengths, mask)
        states = self.check_states(initial_state, len(first_of(array)))
        if not isinstance(rng, np.random.Generator | None):
            hint = "Write numpy.random.default_rng(seed)."
            raise InvalidTypeError(sentence("rng", "a numpy.random.Generator", describe(rng), hint))
        if training and rng is None:
            rng = np.random.default_rng(self.seed)
        box = self.plan.inputs
        # The caller may change x or y afterwards, which must not change the tape.
        array = alike(tuple(map(_apart, each(array), box.spread("x", x))))
        kind = "dict" if isinstance(x, Mapping) else "list" if len(box.names) > 1 else "single"
        y, tape = self.run(array, real, states, Call(training=bool(training), rng=rng))
        tape.container = box._replace(kind=kind)
        return self.plan.outputs.gather([one.copy() for one in each(y)]), tape

    def run(
        self, x: np.ndarray, mask: np.ndarray | None, states: list[Any], call: Call
    ) -> tuple[np.ndarray, Tape]:
        """Forward pass on what :meth:`check_input` and :meth:`check_states` returned.

        The caller ignores underflow; see :mod:`throughtime.kernels.underflow`.
        """
        return passes.run(self, x, mask, states, call)

    @ignore_underflow
    def backward(
        self, tape: Tape, dy: Any, d_final_state: Any = None, *, input_gradient: bool = True
    ) -> Any:
        """Backpropagate: ADD dL/dparams to ``net.grads`` and return dL/dx.

        Parameters
        ----------
        tape : Tape
            The tape from :meth:`forward`. It may be used again; gradients then add.
        dy : array of the shape of the output
            dL/dy; values at masked steps are ignored. Of several outputs, in their container; None
            means zero.
        d_final_state : list or dict, optional
            dL/d(final state), in the form of ``tape.final_state``; None means zero.
        input_gradient : bool
            Whether to compute dL/dx. Training does not need it, and is faster without.

        Returns
        -------
        dx : ndarray of the shape of x, or None
            dL/dx, zero at masked steps; None if x are tokens, if no gradient reaches it, or without
            ``input_gradient``. Of several inputs, in the container that ``forward`` got.
        """
        if not tape.taped:
            raise InvalidArgumentError(
                "tape must come from net.forward; got one of a pass that kept nothing."
            )
        d_states = self.check_states(d_final_state, tape.outputs[0].shape[0], "d_final_state")
        checked = check_slopes(self.topology, dy, tape, self.dtype)
        dx = self.run_back(tape, checked, d_states, input_gradient)
        return tape.container.gather(each(dx)) if input_gradient else None

    def run_back(self, tape: Tape, dy: Any, d_states: list[Any], input_gradient: bool) -> Any:
        """Backward pass from checked dL/dy and states; ``d_states`` is changed in place."""
        return passes.run_back(self, tape, dy, d_states, input_gradient)

    @translate(OF_PREDICT)
    @ignore_underflow
    def predict(
        self,
        x: Any,
        lengths: Any = None,
        *,
        mask: Any = None,
        initial_state: Any = None,
        batch_size: int | None = None,
    ) -> Any:
        """Compute the output only, without a tape.

        Parameters
        ----------
        x, lengths, mask, initial_state :
            As in :meth:`forward`.
        batch_size : int, optional
            Number of rows that run at once; by default as many as fit into 64 MiB together.

        Returns
        -------
        y : ndarray of shape (N, T, K) or (N, K)
            The output. If the last recurrent layer has ``return_state``, the pair of the output and
            its final state.
        """
        if type(x) is not np.ndarray:
            check_no_batch(self.plan.inputs.names, x, OF_ONE, BY_BATCH)
        array, real = self.check_input(x, lengths, mask)
        count = len(first_of(array))
        states = self.check_states(initial_state, count)
        if batch_size is not None:
            check_int("batch_size", batch_size, 1)
        keeper = self.topology.returns_state
        size = batch_size or FEWEST_ROWS
        if batch_size is None and count > size:
            size = self.topology.rows_at_once(array, self.dtype.itemsize)
        if count <= size:
            y, tape = self.run(array, real, states, UNTAPED)
            found = y if self.plan.outputs.kind == "single" else self.plan.outputs.gather(each(y))
            return found if keeper is None else (found, tape.final_state[keeper])
        whole, finals = passes.run_parts(self, array, real, states, self.row_parts(array, size))
        found = self.plan.outputs.gather(whole)
        return found if keeper is None else (found, join_states([one[keeper] for one in finals]))

    def row_parts(self, x: Arrays, batch_size: int | None = None) -> list[slice]:
        """Cut the rows of a checked input into parts that run together without a tape.

        Without ``batch_size`` a part needs 64 MiB or has 16 rows, and small inputs are one part.
        """
        count = len(first_of(x))
        if batch_size is None and count <= FEWEST_ROWS:
            return [slice(0, FEWEST_ROWS)]
        size = batch_size or self.topology.rows_at_once(x, self.dtype.itemsize)
        return [slice(first, first + size) for first in range(0, max(count, 1), size)]

    def stream(
        self, rows: int = 1, fixed: Any = None, *, lengths: Any = None, mask: Any = None
    ) -> Stream:
        """Start a stream, which takes single steps; see :class:`~throughtime.network.Stream`."""
        return Stream(self, rows, fixed, lengths, mask)

    def extrapolate(self, x: Any, steps: int, lengths: Any = None, *, feedback: Any = None) -> Any:
        """Feed outputs back as inputs; see :func:`throughtime.network.generation.extrapolate`."""
        return extrapolate(self, x, steps, lengths, feedback)

    def check_input(self, x: Any, lengths: Any = None, mask: Any = None) -> tuple[Any, Any]:
        """Return ``x`` in the network's dtype, zero at masked steps, and the mask or None.

        Of several inputs, tuples of arrays and of masks.
        """
        return check_input(self.topology, x, lengths, mask, self.dtype)

    def check_states(self, states: Any, batch: int, name: str = "initial_state") -> list[Any]:
        """Return one checked state, or None, for each layer."""
        return check_states(self.topology, states, batch, self.dtype, name)

    # -- copies, files, words -----------------------------------------------------------------

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description of the architecture."""
        return described(self)

    @classmethod
    def from_config(cls, config: Any, size: int | None = None) -> Network:
        """Build the network that :meth:`to_config` described.

        Parameters
        ----------
        config : dict
        size : int, optional
            Number of parameters that the caller will fill in. A description of another number is
            refused before memory is taken for it, and the parameters are zero instead of initial.
        """
        topology, dtype, seed, name, frozen = read(config, size)
        net = cls.__new__(cls)
        net.name = name
        net._prepare(topology, dtype, seed)
        net.frozen = frozen
        if size is None:
            net.reset_parameters()
        return net

    def copy(self) -> Network:
        """An independent network with the same parameters."""
        return self.astype(str(self.dtype))

    def astype(self, dtype: str) -> Network:
        """An independent network with the same parameters in another dtype."""
        other = Network.__new__(Network)
        other.name = self.name
        other._prepare(self.topology, check_dtype(dtype), self.seed)
        other.frozen = self.frozen
        other.params.flat[...] = self.params.flat
        other.trained_with = dict(self.trained_with)
        return other

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one safetensors file; :func:`throughtime.load` reads it."""
        from throughtime.network.storage import save

        save(self, path)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["groups"], state["grad_groups"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle of 0.1 does not say what the network was trained with; one of 0.2 has no name.
        self.trained_with, self.name, self.frozen = {}, None, frozenset()
        self.__dict__.update(state)
        self.layers = self.topology.layers
        self._bind()

    def __str__(self) -> str:
        return table(self.topology, self.params)

    def _repr_html_(self) -> str:
        return html_table(self.topology, self.params)

    def __repr__(self) -> str:
        names = ", ".join(layer.kind if layer.name is None else layer.name for layer in self.layers)
        return f"<Network of {names}; {self.params.size} parameters, {self.dtype}>"


def _apart(array: np.ndarray, given: Any) -> np.ndarray:
    """``array``, or a copy of it if it shares memory with what the caller gave."""
    shared = isinstance(given, np.ndarray) and np.may_share_memory(array, given)
    return array.copy() if shared else array
