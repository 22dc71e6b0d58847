"""The network: ordered layers, one vector of parameters, the forward and backward pass."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from throughtime.activations import Activation
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
    check_array,
    check_int,
    describe,
    sentence,
)
from throughtime.kernels.underflow import ignore_underflow
from throughtime.layers import Dense, Layer, Recurrent
from throughtime.layers.base import LAYERS, UNTAPED, Call, own_call
from throughtime.network.generation import extrapolate
from throughtime.network.graph import FEWEST_ROWS, Topology
from throughtime.network.inputs import check_input, check_states
from throughtime.network.other_names import AnswersOtherNames
from throughtime.network.params import Params, check_dtype
from throughtime.network.stream import Stream
from throughtime.network.summary import html_table, table
from throughtime.network.tape import Tape, add_states, cut_state, join_states
from throughtime.registry import translate


@translate(
    {
        "n_features": ("input_shape", "input_size", "input_dim", "in_features"),
        "seed": ("random_state", "random_seed"),
    }
)
class Network(AnswersOtherNames):
    """An ordered stack of layers with one flat vector of parameters.

    Parameters
    ----------
    layers : sequence of Layer
        The layers, in the order of the forward pass. A layer is only a description: an object that
        is listed twice gets two sets of parameters.
    n_features : int, optional
        Number of features F of the input; not needed if the first layer is an Embedding.
    dtype : {"float32", "float64"}
        Type of the parameters and of all computation.
    seed : int
        Seed for the initial parameters; each layer has its own stream of random numbers.

    Attributes
    ----------
    params : Params
        ``net.params["0.W_x"]``, ``net.params.flat``.
    grads : Params
        Gradients, by the same names; ``backward`` ADDS to them.
    trained_with : dict
        The loss and the metrics of the last training, described in words of JSON; empty before.
        A file keeps them, and :func:`throughtime.evaluate` uses them.

    Raises
    ------
    InvalidArgumentError
        If the layers do not fit together.

    Examples
    --------
    >>> import throughtime as tt
    >>> layers = [tt.layers.GRU(8, return_sequences=True), tt.layers.Dense(1)]
    >>> net = tt.Network(layers, n_features=3)
    >>> y, tape = net.forward(np.zeros((2, 5, 3)))
    >>> y.shape
    (2, 5, 1)
    """

    trained_with: dict[str, Any]

    def __init__(
        self,
        layers: Sequence[Layer],
        n_features: int | None = None,
        dtype: str = "float32",
        seed: int = 0,
    ) -> None:
        self._prepare(Topology(layers, n_features), check_dtype(dtype), check_int("seed", seed, 0))
        self.reset_parameters()

    def _prepare(self, topology: Topology, dtype: np.dtype, seed: int) -> None:
        """Set up everything; all parameters are zero."""
        self.topology, self.layers = topology, topology.layers
        self.dtype, self.seed = dtype, seed
        self.params = Params(topology.param_shapes(), dtype)
        self.grads = self.params.zeros_like()
        self.trained_with = {}
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
        streams = np.random.SeedSequence(self.seed).spawn(len(self.layers))
        every = zip(self.layers, self.topology.owners, streams, strict=True)
        for layer, owner, stream in every:
            own = {Params.local(name): array for name, array in self.params.owned(owner).items()}
            layer.initialize(own, np.random.default_rng(stream))

    # -- form ---------------------------------------------------------------------------------

    @property
    def n_features(self) -> int:
        """F of the input; 1 for tokens."""
        return self.topology.input_form.features

    @property
    def n_outputs(self) -> int:
        """K of the output."""
        return self.topology.forms[-1].features

    @property
    def output_activation(self) -> Activation | None:
        """Activation of the last layer if it is a Dense layer, otherwise None."""
        last = self.layers[-1]
        return last.activation if isinstance(last, Dense) else None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the output for an input of ``input_shape``; nothing is computed."""
        return self.topology.dry_run(input_shape)

    def lr_multipliers(self) -> np.ndarray | None:
        """Factor on the learning rate for each number in ``params.flat``; None if all are 1."""
        factors = [layer.lr_multiplier for layer in self.layers]
        if all(factor == 1.0 for factor in factors):
            return None
        result = np.ones(self.params.size, dtype=self.dtype)
        for name, part in self.params.slices.items():
            result[part] = factors[self.topology.layer_of(name)]
        return result

    def weight_mask(self) -> np.ndarray:
        """Which numbers in ``params.flat`` are weights; penalties apply to no others."""
        result = np.zeros(self.params.size, dtype=bool)
        for name, part in self.params.slices.items():
            result[part] = Params.is_weight(name)
        return result

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
        states = self.check_states(initial_state, array.shape[0])
        if not isinstance(rng, np.random.Generator | None):
            hint = "Write numpy.random.default_rng(seed)."
            raise InvalidTypeError(sentence("rng", "a numpy.random.Generator", describe(rng), hint))
        if training and rng is None:
            rng = np.random.default_rng(self.seed)
        # The caller may change x or y afterwards, which must not change the tape.
        if isinstance(x, np.ndarray) and np.may_share_memory(array, x):
            array = array.copy()
        y, tape = self.run(array, real, states, Call(training=bool(training), rng=rng))
        return y.copy(), tape

    def run(
        self, x: np.ndarray, mask: np.ndarray | None, states: list[Any], call: Call
    ) -> tuple[np.ndarray, Tape]:
        """Forward pass on what :meth:`check_input` and :meth:`check_states` returned.

        The caller ignores underflow; see :mod:`throughtime.kernels.underflow`.
        """
        tape = Tape(mask=mask, taped=call.keep)
        handed = None
        for i, layer in enumerate(self.layers):
            state = states[i]
            if isinstance(layer, Recurrent):  # a given state replaces the one passed on
                state, handed = handed if state is None else state, None
            own = own_call(call, layer, i + 1 == len(self.layers))
            result = layer.forward(self.groups[i], x, mask, state, own)
            if self.topology.hands_state[i]:
                handed = result.final_state
            x, mask = result.y, result.mask
            tape.outputs.append(x)
            tape.final_state.append(result.final_state)
            tape.given.append(states[i] is not None)
            if call.keep:
                tape.caches.append(result.cache)
        tape.output_mask = mask
        return x, tape

    @ignore_underflow
    def backward(
        self, tape: Tape, dy: Any, d_final_state: Any = None, *, input_gradient: bool = True
    ) -> np.ndarray | None:
        """Backpropagate: ADD dL/dparams to ``net.grads`` and return dL/dx.

        Parameters
        ----------
        tape : Tape
            The tape from :meth:`forward`. It may be used again; gradients then add.
        dy : array of the shape of the output
            dL/dy; values at masked steps are ignored.
        d_final_state : list or dict, optional
            dL/d(final state), in the form of ``tape.final_state``; None means zero.
        input_gradient : bool
            Whether to compute dL/dx. Training does not need it, and is faster without.

        Returns
        -------
        dx : ndarray of the shape of x, or None
            dL/dx, zero at masked steps; None if x are tokens, or without ``input_gradient``.
        """
        if not tape.taped:
            raise InvalidArgumentError(
                "tape must come from net.forward; got one of a pass that kept nothing."
            )
        d_states = self.check_states(d_final_state, tape.outputs[0].shape[0], "d_final_state")
        shape = tape.outputs[-1].shape
        dx = check_array("dy", dy, shape=shape, dtype=self.dtype, finite=False)
        return self.run_back(tape, dx, d_states, input_gradient)

    def run_back(
        self, tape: Tape, dx: np.ndarray | None, d_states: list[Any], input_gradient: bool
    ) -> np.ndarray | None:
        """Backward pass from checked dL/dy and states; ``d_states`` is changed in place."""
        handed = None
        tape.d_initial_state = [None] * len(self.layers)
        tape.d_outputs = [None] * len(self.layers)
        for i in reversed(range(len(self.layers))):
            tape.d_outputs[i] = dx
            if self.topology.hands_state[i]:
                d_states[i], handed = add_states(d_states[i], handed), None
            dx, d_initial = self.layers[i].backward(
                self.grad_groups[i], tape.caches[i], dx, d_states[i], i > 0 or input_gradient
            )
            tape.d_initial_state[i] = d_initial
            if isinstance(self.layers[i], Recurrent):
                handed = None if tape.given[i] else d_initial
        return dx if input_gradient else None

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
        array, real = self.check_input(x, lengths, mask)
        states = self.check_states(initial_state, len(array))
        if batch_size is not None:
            check_int("batch_size", batch_size, 1)
        keeper = self.topology.returns_state
        size = batch_size or self.topology.rows_at_once(array.shape, self.dtype.itemsize)
        if len(array) <= size:
            y, tape = self.run(array, real, states, UNTAPED)
            return y if keeper is None else (y, tape.final_state[keeper])
        whole: np.ndarray | None = None
        finals = []
        for rows in self.row_parts(array, size):
            own = [cut_state(state, rows) for state in states]
            y, tape = self.run(array[rows], None if real is None else real[rows], own, UNTAPED)
            if whole is None:
                whole = np.empty((len(array), *y.shape[1:]), y.dtype)
            whole[rows] = y
            finals.append(None if keeper is None else tape.final_state[keeper])
        return whole if keeper is None else (whole, join_states(finals))

    def row_parts(self, x: np.ndarray, batch_size: int | None = None) -> list[slice]:
        """Cut the rows of a checked input into parts that run together without a tape.

        Without ``batch_size`` a part needs 64 MiB or has 16 rows, and small inputs are one part.
        """
        if batch_size is None and len(x) <= FEWEST_ROWS:
            return [slice(0, FEWEST_ROWS)]
        size = batch_size or self.topology.rows_at_once(x.shape, self.dtype.itemsize)
        return [slice(first, first + size) for first in range(0, max(len(x), 1), size)]

    def stream(self, rows: int = 1) -> Stream:
        """Start a stream, which takes single steps; see :class:`~throughtime.network.Stream`."""
        return Stream(self, rows)

    def extrapolate(self, x: Any, steps: int, lengths: Any = None, *, feedback: Any = None) -> Any:
        """Feed outputs back as inputs; see :func:`throughtime.network.generation.extrapolate`."""
        return extrapolate(self, x, steps, lengths, feedback)

    def check_input(
        self, x: Any, lengths: Any = None, mask: Any = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return ``x`` in the network's dtype, zero at masked steps, and the mask or None."""
        return check_input(self.topology, x, lengths, mask, self.dtype)

    def check_states(self, states: Any, batch: int, name: str = "initial_state") -> list[Any]:
        """Return one checked state, or None, for each layer."""
        return check_states(self.topology, states, batch, self.dtype, name)

    # -- copies, files, words -----------------------------------------------------------------

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description of the architecture."""
        return {
            "layers": [LAYERS.to_config(layer) for layer in self.layers],
            "n_features": None if self.topology.input_form.kind == "tokens" else self.n_features,
            "dtype": str(self.dtype),
            "seed": self.seed,
        }

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
        if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
            raise ModelFileError(f"the file describes no network; got {describe(config)}.")
        unknown = sorted(config.keys() - {"layers", "n_features", "dtype", "seed"})
        if unknown:
            raise ModelFileError(f"the file gives a network an unknown entry {unknown[0]!r}.")
        layers = [LAYERS.from_config(layer) for layer in config["layers"]]
        try:
            topology = Topology(layers, config.get("n_features"))
            dtype = check_dtype(config.get("dtype"))
            seed = check_int("seed", config.get("seed"), 0)
            wanted = sum(math.prod(shape) for shape in topology.param_shapes().values())
        # The description may say anything, and a user-defined layer may fail on it in any way.
        except Exception as error:
            raise ModelFileError(f"the file describes no valid network: {error}") from None
        if size is not None and wanted != size:
            many = wanted if wanted < 2**63 else "more than 2**63"  # Python prints no huge number
            raise ModelFileError(
                f"the file describes a network of {many} parameters and holds {size}."
            )
        net = cls.__new__(cls)
        net._prepare(topology, dtype, seed)
        if size is None:
            net.reset_parameters()
        return net

    def copy(self) -> Network:
        """An independent network with the same parameters."""
        return self.astype(str(self.dtype))

    def astype(self, dtype: str) -> Network:
        """An independent network with the same parameters in another dtype."""
        other = Network.__new__(Network)
        other._prepare(self.topology, check_dtype(dtype), self.seed)
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
        self.trained_with = {}  # a pickle of 0.1 has none
        self.__dict__.update(state)
        self._bind()

    def __str__(self) -> str:
        return table(self.topology, self.params)

    def _repr_html_(self) -> str:
        return html_table(self.topology, self.params)

    def __repr__(self) -> str:
        names = ", ".join(layer.kind for layer in self.layers)
        return f"<Network of {names}; {self.params.size} parameters, {self.dtype}>"
