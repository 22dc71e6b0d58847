"""What a layer is: a fixed description, with its forward and backward pass as functions.

A layer holds options and no arrays. The network owns the parameters. It passes each layer its
parameters as a namespace ``p``, and their gradients as ``grad``, so one layer object may be used in
many networks. ``forward`` returns everything that the backward pass needs; nothing is kept on
``self``.
"""

from __future__ import annotations

import dataclasses
import html
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np

from throughtime import activations, initializers
from throughtime.activations import ACTIVATIONS
from throughtime.cells.base import State
from throughtime.errors import (
    InvalidArgumentError,
    check_float,
    describe,
    sentence,
)
from throughtime.initializers import INITIALIZERS
from throughtime.kernels.extension import Kernels
from throughtime.layers.forms import Form, Steps, check_name
from throughtime.layers.symbols import call_layer
from throughtime.registry import Registry, Words


def chosen(default: Any, registry: Registry[Any]) -> Any:
    """Declare an option that takes a name in ``registry``, an object of it, or a function."""
    return field(default=default, metadata={"registry": registry})


class Call(NamedTuple):
    """How one forward pass runs.

    Attributes
    ----------
    training : bool
        Whether dropout acts.
    rng : Generator or None
        Source of the random numbers; never None if a layer draws in training.
    keep : bool
        Whether to keep what the backward pass needs.
    logits : bool, or frozenset of int
        Whether to skip the activation of the output layer, for a loss that is fused with it and
        takes the pre-activation. In the call of a network with several outputs: the numbers of the
        layers that skip it.
    offset : int
        Number of steps before the first one of this pass, in truncated backpropagation. Dropout
        that differs from step to step continues from there.
    readable : bool
        Whether to run the time loops on the reference engine, whose tape holds every state,
        whichever engine is in use.
    """

    training: bool = False
    rng: np.random.Generator | None = None
    keep: bool = True
    logits: bool | frozenset[int] = False
    offset: int = 0
    readable: bool = False


#: A pass that computes the output only.
UNTAPED = Call(keep=False)


@dataclass
class Result:
    """What a layer's forward pass returns.

    Attributes
    ----------
    y : ndarray
        The output, zero at masked steps.
    mask : ndarray of bool of shape (N, T), or None
        Unmasked steps of the output; None if no step is masked.
    cache : object
        What the layer's backward pass needs.
    final_state : tuple or None
        State after the last unmasked step, for layers that have one: see
        :class:`throughtime.layers.Recurrent` and :class:`throughtime.layers.Conv1D`.
    """

    y: np.ndarray
    mask: np.ndarray | None
    cache: Any = None
    final_state: Any = None


def drawn(shape: tuple[int, ...], call: Call, *, by_step: bool = False) -> np.ndarray:
    """Draw uniform random numbers in [0, 1) for a training pass.

    With ``by_step`` the first axis is time, and the numbers of ``call.offset`` earlier steps are
    skipped.
    """
    rng = call.rng
    assert rng is not None  # the network provides one whenever it trains
    if by_step and call.offset:
        generator = rng.bit_generator
        assert isinstance(generator, np.random.PCG64)  # the network makes the layers' streams
        generator.advance(call.offset * shape[1] * shape[2])
    return rng.random(shape)


def keep_mask(
    rate: float,
    shape: tuple[int, ...],
    dtype: np.dtype,
    call: Call,
    *,
    by_step: bool = False,
) -> np.ndarray | None:
    """Inverted dropout: 0 with probability ``rate``, else 1 / (1 - rate); None outside training.

    ``by_step`` is that of :func:`drawn`.
    """
    if rate == 0.0 or not call.training:
        return None
    return (drawn(shape, call, by_step=by_step) >= rate).astype(dtype) / dtype.type(1.0 - rate)


@dataclass(frozen=True)
class Layer:
    """Base of all layers; a subclass is a frozen dataclass whose fields are its options.

    Parameters
    ----------
    name : str, optional
        Name of the layer, by which a graph calls its parameters, and messages and pictures call
        the layer. It has no dot and no slash, and is not a number.
    """

    name: str | None = field(default=None, kw_only=True, repr=False)

    #: Whether :meth:`stream_native` is that of exactly this class.
    native_stream: ClassVar[bool] = False
    #: Kinds of signal the layer takes.
    takes: ClassVar[tuple[str, ...]] = ("sequence", "vector")
    #: Whether the layer takes several inputs. Its functions then get tuples: of forms, arrays and
    #: masks; ``backward`` returns a tuple of dL/dx, one for each.
    several: ClassVar[bool] = False
    #: The least and the greatest number of inputs; None where there is no limit.
    sources: ClassVar[tuple[int, int | None]] = (1, 1)
    #: Whether several inputs must have the same steps, those that are vectors apart.
    aligned: ClassVar[bool] = True

    # Values of layers without these options. A layer with parameters has fields of these names.
    lr_multiplier = 1.0
    l1 = l2 = cast("float | None", None)

    def __post_init__(self) -> None:
        find: dict[Any, Callable[[Any], Any]] = {
            ACTIVATIONS: activations.get,
            INITIALIZERS: initializers.get,
        }
        for f in dataclasses.fields(self):
            if "registry" in f.metadata:
                value, registry = getattr(self, f.name), f.metadata["registry"]
                # A layer can be called, on symbols, but is no function of arrays.
                value = registry.get(value) if isinstance(value, Layer) else find[registry](value)
                object.__setattr__(self, f.name, value)
        if self.name is not None:
            check_name(self.name)
        check_float("lr_multiplier", self.lr_multiplier, 0.0)
        for name, penalty in (("l1", self.l1), ("l2", self.l2)):
            if penalty is not None:
                check_float(name, penalty, 0.0)

    @property
    def draws(self) -> bool:
        """Whether the layer draws random numbers in training."""
        return False

    def __init_subclass__(cls) -> None:
        old = cls.__dict__.get("name")
        if isinstance(old, property):  # before 0.3 it was the name of the class
            warnings.warn(
                f"{cls.__name__}.name is the name of one layer now: call the property kind. The old"
                " one goes with version 0.4.",
                DeprecationWarning,
                stacklevel=2,
            )
            cls.kind = old  # type: ignore[method-assign,assignment]  # as the subclass means it
            del cls.name

    @property
    def kind(self) -> str:
        """What the layer is, in the table of a network and in messages: the name of its class."""
        return type(self).__name__

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(summary_of(self))}</code>"

    def __call__(self, inputs: Any, *, initial_state: Any = None) -> Any:
        """Put the layer into a graph.

        One layer object that is called twice shares its parameters between the calls.

        Parameters
        ----------
        inputs : Symbol, or list of Symbol
            What the layer works on: from ``tt.Input`` or from another layer.
        initial_state : StateSymbol, Symbol or tuple of Symbol, optional
            For a recurrent layer: the state that another one returned, or a vector for each of its
            states.

        Returns
        -------
        Symbol
            The output; with it, for a recurrent layer with ``return_state=True``, its final state.

        Raises
        ------
        InvalidTypeError, InvalidArgumentError
            If the inputs are no symbols, or not as many as the layer takes.
        """
        if initial_state is not None:
            raise InvalidArgumentError(
                sentence("initial_state", f"left out: {self.kind} has no state", "one")
            )
        return call_layer(self, inputs, None)

    def refusal(self, forms: tuple[Form, ...]) -> str | None:
        """Why the layer cannot take inputs of these forms together; None if it can."""
        return None

    def output_form(self, form: Any) -> Form:
        """Form of the output for an input of ``form``, its time steps included.

        A layer that takes several inputs gets a tuple of forms, here and in the next two.
        """
        found: Form = form
        return found

    def output_steps(self, steps: int | None) -> int | None:
        """Time steps of the output for an input of ``steps``; None for a vector.

        .. deprecated:: 0.2
            They are part of :meth:`output_form`.
        """
        warnings.warn(
            "Layer.output_steps goes with version 0.3: the steps are in layer.output_form(form).",
            DeprecationWarning,
            stacklevel=2,
        )
        if steps is None:
            found = self.output_form(Form("vector", 1)).steps
        else:  # below zero: that of the network's input (-1), or another unknown number (-2)
            own = Steps(steps) if steps >= 0 else Steps(changed=steps < -1)
            found = self.output_form(Form("sequence", 1, own)).steps
        if found is None or found.count is not None:
            return None if found is None else found.count
        return -2 if found.changed else -1

    def pass_size(self, form: Any, after: Form) -> int:
        """How many numbers a pass over one sample of ``form`` takes, those of ``after`` included.

        An estimate: a prediction is cut into parts by it.
        """
        return 2 * after.size

    def steps_refusal(self, steps: int) -> tuple[str, str] | None:
        """What the layer needs, and the way out, if it cannot take ``steps`` unmasked steps."""
        return None

    def param_shapes(self, form: Any) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter.

        A dot makes a sub-group. A name whose last part begins with ``W`` is that of weights, which
        penalties apply to.
        """
        return {}

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        """Fill the parameters, given by the names of :meth:`param_shapes`."""

    def check_state(
        self, state: Any, form: Any, batch: int, dtype: np.dtype, where: str
    ) -> State | None:
        """Return ``state`` as :meth:`forward` takes it, for an input of ``form``, or raise."""
        raise InvalidArgumentError(
            sentence(where, f"None: {self.kind} has no state", describe(state))
        )

    def forward(self, p: Any, x: Any, mask: Any, state: Any, call: Call) -> Result:
        """Compute the output from ``x``; ``state`` is the initial state of a layer that has one."""
        raise NotImplementedError

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[Any, Any]:
        """Add to ``grad``; return dL/dx and dL/d(initial state) (None where there is none).

        Without ``inputs``, dL/dx is not needed, and None may be returned instead.
        """
        raise NotImplementedError

    def stream_start(self, p: Any, rows: int, dtype: np.dtype) -> State:
        """State of a stream before its first step: arrays whose first axis is the row."""
        return ()

    def stream_native(self, kernels: Kernels, stepper: Any, p: Any, state: State) -> bool:
        """Add the layer to a native ``Stepper``, if it can be one; return whether it can.

        ``stepper`` changes the arrays of ``state`` in place at every step.
        """
        return False

    def stream_step(self, p: Any, x: Any, state: State) -> tuple[np.ndarray, State]:
        """One step ``x (N, F)`` of a stream; return the output ``(N, K)`` and the new state."""
        mask = (None,) * len(x) if self.several else None
        result = self.forward(p, x, mask, None, UNTAPED)
        return result.y, state

    def stream_after(self, x: Any, mask: Any, final_state: Any) -> State:
        """State of a stream that has seen the input ``x`` of a forward pass."""
        return ()

    def stream_refusal(self) -> str | None:
        """Why the layer cannot run one step at a time; None if it can."""
        return None

    def stream_select(self, chosen: np.ndarray, new: State, old: State) -> State:
        """State of a stream whose ``chosen (N,)`` rows have the state ``new``, the others ``old``.

        ``new`` comes from :meth:`stream_start`.
        """
        pairs = zip(new, old, strict=True)
        return tuple(np.where(chosen[:, None], one, other) for one, other in pairs)

    def stream_fits(self, given: State, own: State) -> bool:
        """Whether ``given`` has the shapes of a state of this stream, whose state is ``own``."""
        return [a.shape for a in given] == [b.shape for b in own]

    def chunk_refusal(self) -> str | None:
        """Why :meth:`forward` cannot run in chunks of time, from state to state; None if it can."""
        return self.stream_refusal()


def own_call(call: Call, layer: Layer, logits: bool) -> Call:
    """Return how one layer of a forward pass runs: with its own random numbers.

    They do not depend on how many numbers the layers before have drawn. So a dropout mask for all
    steps of a sequence is the same, however many steps there are.
    """
    if call.rng is None and logits == call.logits:
        return call
    rng = None
    if call.training and layer.draws:
        assert call.rng is not None  # the caller provides it in training
        rng = np.random.Generator(np.random.PCG64(call.rng.integers(2**63)))
    return Call(call.training, rng, call.keep, logits, call.offset, call.readable)


#: What other libraries call the options, and where options are that belong elsewhere here.
OTHER_NAMES: Words = {
    "units": ("hidden_size", "hidden_dim", "hidden_units", "n_units", "out_features",
              "embedding_dim", "output_dim", "embed_dim", "d_model"),
    "n_tokens": ("num_embeddings", "input_dim", "vocab_size"),
    "filters": ("out_channels", "n_filters"),
    "size": ("pool_size",),
    "stride": ("strides",),
    "dilation": ("dilation_rate",),
    "rate": ("p",),
    "heads": ("num_heads", "n_heads", "nhead"),
    "head_units": ("key_dim", "head_dim"),
    "causal": ("is_causal", "use_causal_mask"),
    "epsilon": ("eps",),
    "times": ("repeats",),
    "steps": ("n",),
    "activation": ("nonlinearity",),
    "use_bias": ("bias",),
    "reverse": ("go_backwards",),
    "proj_size": ("num_proj", "projection_size"),
    "peepholes": ("use_peepholes",),
    "coupled_gates": ("input_forget",),
    "layer_norm": ("use_layer_norm", "layer_normalization"),
    "merge": ("merge_mode",),
    "initializer": ("kernel_initializer", "embeddings_initializer", "init"),
    "l2": ("kernel_regularizer", "weight_decay"),
    "n_features= of tt.Network": (
        "input_shape", "input_size", "input_dim", "in_features", "in_channels", "n_features",
    ),
    "one layer for each in the list of tt.Network": ("num_layers", "n_layers"),
    "arrays with the batch first": ("batch_first", "time_major"),
    "carry_state=True and reset= of tt.train, or net.stream() to predict": ("stateful",),
    "forget_bias=1.0": ("unit_forget_bias",),
    "dtype= of tt.Network": ("dtype",),
    "seed= of tt.Network": ("seed", "random_state"),
    "a mask= where the network runs": ("mask_zero", "padding_idx"),
    "lr_multiplier=0 to freeze a layer": ("trainable",),
}  # fmt: skip

LAYERS: Registry[Layer] = Registry("layer", Layer, OTHER_NAMES)


def summary_of(layer: Layer, *, named: bool = True) -> str:
    """Return the layer as Python code, with the options that differ from their defaults.

    The name of the layer is left out unless ``named``.

    Examples
    --------
    >>> from throughtime.layers import GRU
    >>> print(summary_of(GRU(8, activation="relu", dropout=0.1)))
    GRU(8, activation='relu', dropout=0.1)
    """
    parts = []
    # Fields of a base class come first. As in a call, what needs no keyword stands before the rest;
    # the name of the layer stands last.
    fields = dataclasses.fields(layer)
    for f in sorted(fields, key=lambda f: (f.default is not dataclasses.MISSING, f.name == "name")):
        value, registry = getattr(layer, f.name), f.metadata.get("registry")
        if f.name == "name" and not named:
            continue
        if f.default is dataclasses.MISSING:
            parts.append(str(value))
        elif value != (f.default if registry is None else registry.get(f.default)):
            parts.append(f"{f.name}={_shown(value, registry)}")
    return f"{layer.kind}({', '.join(parts)})"


def _shown(value: Any, registry: Registry[Any] | None) -> str:
    """Return the shortest text for a value: its name, if the name means the same object."""
    if registry is None:
        return repr(value)
    if hasattr(value, "function"):  # a user-defined function
        return getattr(value.function, "__name__", repr(value.function))
    name = registry.name_of(value)
    return repr(name) if registry.get(name) == value else repr(value)
