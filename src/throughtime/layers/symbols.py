"""Symbols: the signals of a graph before there is a network.

``tt.Input(3)`` is a symbol; a layer that is called on symbols returns a symbol. Nothing is computed
and no parameter exists until :class:`throughtime.Network` makes a graph of them. A symbol knows the
call that it comes from, and the call knows its sources, so the outputs alone hold the whole graph.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    check_bool,
    check_int,
    describe,
    sentence,
)
from throughtime.layers.forms import Form, Steps, check_name
from throughtime.registry import translate

if TYPE_CHECKING:
    from throughtime.layers.base import Layer

#: Calls are numbered in the order in which they are made: a source is always before its taker.
_ORDER = itertools.count()


@dataclass(frozen=True, eq=False)
class Placeholder:
    """What an input of a network holds.

    Attributes
    ----------
    form : Form
        The kind of the input, its features, its steps.
    name : str or None
        The name of the input.
    """

    form: Form
    name: str | None = None


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a layer on symbols.

    Attributes
    ----------
    layer : Layer
        The layer.
    sources : tuple of Symbol
        What it was called on.
    state : StateSymbol, tuple of Symbol, or None
        What its initial state is made of.
    owner : object
        What owns the parameters: calls with the same owner share them. The layer itself or, for a
        layer of a network that was called, a pair of that network and the owner's name there.
    order : int
        The number of the call.
    """

    layer: Layer
    sources: tuple[Symbol, ...]
    state: Any
    owner: Any
    order: int = field(init=False)

    def __post_init__(self) -> None:
        # A source that was pickled has a number of another process, which may be higher.
        before = [one.source for one in self.sources]
        if isinstance(self.state, StateSymbol):
            before.append(self.state.source)
        elif self.state is not None:
            before += [one.source for one in self.state]
        last = max((one.order for one in before if isinstance(one, LayerCall)), default=-1)
        object.__setattr__(self, "order", max(next(_ORDER), last + 1))


class Symbol:
    """A signal that a network will compute: an input, or the output of a layer.

    Attributes
    ----------
    source : Placeholder or LayerCall
        Where the signal comes from.
    """

    __slots__ = ("source",)

    def __init__(self, source: Placeholder | LayerCall) -> None:
        self.source = source

    def __iter__(self) -> Any:
        raise InvalidTypeError(
            "a symbol is one signal. A recurrent layer gives two, its output and its state, with"
            " return_state=True."
        )

    def __bool__(self) -> bool:
        raise InvalidTypeError("a symbol has no value: a network computes it from arrays.")

    def __add__(self, other: Any) -> Any:
        raise InvalidTypeError("symbols are added by a layer: write Add()([a, b]).")

    def __mul__(self, other: Any) -> Any:
        raise InvalidTypeError("symbols are multiplied by a layer: write Multiply()([a, b]).")

    def __getitem__(self, key: Any) -> Any:
        raise InvalidTypeError(
            "a symbol is cut by a layer: write SliceSteps(start, stop) or SliceFeatures(start,"
            " stop)."
        )

    __radd__, __rmul__ = __add__, __mul__

    def __repr__(self) -> str:
        source = self.source
        if isinstance(source, Placeholder):
            return f"<Input {'' if source.name is None else source.name + ' '}{source.form}>"
        return f"<Output of {source.layer.kind}>"


class StateSymbol:
    """The final state of a recurrent layer, as the ``initial_state`` of another one.

    Attributes
    ----------
    source : LayerCall
        The call whose state it is.
    """

    __slots__ = ("source",)

    def __init__(self, source: LayerCall) -> None:
        self.source = source

    def __iter__(self) -> Any:
        raise InvalidTypeError(
            "the states of a layer are one object, also the h and c of an LSTM: pass it on as"
            " initial_state=. The last h is the layer's output, without return_sequences=True."
        )

    def __getitem__(self, key: Any) -> Any:
        return self.__iter__()

    def __repr__(self) -> str:
        return f"<State of {self.source.layer.kind}>"


@translate({"n_features": ("shape", "input_shape", "input_size", "input_dim", "in_features")})
def Input(  # noqa: N802  # as in Keras: it stands where a class would
    n_features: int | None = None,
    *,
    name: str | None = None,
    time: bool = True,
    tokens: bool = False,
    steps: int | None = None,
) -> Symbol:
    """Start a graph: a symbol for an input of the network.

    Parameters
    ----------
    n_features : int, optional
        Number of features F; left out for tokens.
    name : str, optional
        Name of the input, by which dictionaries and messages call it.
    time : bool
        Whether the input is a sequence (N, T, F), and not a vector (N, F).
    tokens : bool
        Whether the input is tokens, integers (N, T), for an Embedding.
    steps : int, optional
        Number of time steps, where it is always the same. Two inputs with their own numbers of
        steps can meet where the numbers are known.

    Returns
    -------
    Symbol

    Examples
    --------
    >>> import throughtime as tt
    >>> signal, static = tt.Input(3, name="signal"), tt.Input(5, name="static", time=False)
    >>> h = tt.layers.GRU(8)(signal)
    >>> z = tt.layers.Concatenate()([h, static])
    >>> net = tt.Network(inputs=[signal, static], outputs=tt.layers.Dense(1)(z))
    >>> net.output_shape({"signal": (2, 9, 3), "static": (2, 5)})
    (2, 1)
    """
    time, tokens = check_bool("time", time), check_bool("tokens", tokens)
    if name is not None:
        check_name(name)
    if tokens and not time:
        raise InvalidArgumentError(sentence("time", "True for tokens, which are steps", "False"))
    if tokens and n_features is not None:
        raise InvalidArgumentError(
            sentence("n_features", "left out for tokens", describe(n_features))
        )
    if not tokens and n_features is None:
        raise InvalidArgumentError("n_features must be given: the number of features of a step.")
    if not time and steps is not None:
        raise InvalidArgumentError(
            sentence("steps", "left out for a vector, which has none", describe(steps))
        )
    features = 1 if n_features is None else check_int("n_features", n_features, 1)
    count = None if steps is None else check_int("steps", steps, 1)
    kind = "tokens" if tokens else "sequence" if time else "vector"
    return Symbol(Placeholder(Form(kind, features, Steps(count) if time else None), name))


def call_layer(layer: Layer, inputs: Any, initial_state: Any) -> Symbol:
    """Return the symbol of what ``layer`` makes of ``inputs``; see :meth:`Layer.__call__`."""
    sources = check_symbols(f"the input of {layer.kind}", inputs)
    least, most = layer.sources
    if len(sources) < least or (most is not None and len(sources) > most):
        number = str(least) if most == least else f"{least} or more"
        if most is not None and most != least:
            number = f"{least} to {most}"
        noun = "symbol" if number == "1" else "symbols"
        raise InvalidArgumentError(
            sentence(f"the input of {layer.kind}", f"{number} {noun}", str(len(sources)))
        )
    return Symbol(LayerCall(layer, sources, _check_state(layer, initial_state), layer))


def check_symbols(name: str, inputs: Any) -> tuple[Symbol, ...]:
    """Return one symbol, or a list or tuple of symbols, as a tuple."""
    found = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
    for one in found:
        if isinstance(one, StateSymbol):
            raise InvalidTypeError(
                sentence(
                    name,
                    "a symbol, the output of a layer",
                    "a state",
                    "A state goes to another recurrent layer as initial_state=.",
                )
            )
        if not isinstance(one, Symbol):
            raise InvalidTypeError(
                sentence(
                    name,
                    "a symbol, or a list of symbols",
                    describe(one),
                    "A graph begins with tt.Input(n_features). Arrays go to net.predict.",
                )
            )
    if not found:
        raise InvalidTypeError(sentence(name, "a symbol, or a list of symbols", "none"))
    return found


def _check_state(layer: Layer, state: Any) -> StateSymbol | tuple[Symbol, ...] | None:
    if state is None or isinstance(state, StateSymbol):
        return state
    name = f"initial_state of {layer.kind}"
    found: Sequence[Any] = state if isinstance(state, list | tuple) else [state]
    if not found or not all(isinstance(one, Symbol) for one in found):
        raise InvalidTypeError(
            sentence(
                name,
                "the state that another layer returned, or symbols of vectors",
                describe(state),
                "h, state = GRU(8, return_state=True)(x) gives a state.",
            )
        )
    return tuple(found)
