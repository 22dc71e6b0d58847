"""The plan of a network: which layers it has, and who feeds whom. Plain data, nothing computed.

A signal has a number: the inputs come first, then the output of each call, in the order of the
calls. A call names its layer (a unit, which owns parameters), the signals that it takes, and what
its initial state is made of. A plan comes from a list of layers or from symbols, and goes into
files and pickles; :class:`throughtime.network.graph.Topology` checks that it fits together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    check_int,
    describe,
    sentence,
)
from throughtime.layers import Embedding, Layer, Recurrent, RepeatVector
from throughtime.layers.forms import Form, Steps, check_name
from throughtime.layers.symbols import (
    LayerCall,
    Placeholder,
    StateSymbol,
    Symbol,
    check_symbols,
)
from throughtime.network.containers import Container


class Unit(NamedTuple):
    """A layer with parameters of its own: several calls may share it.

    Attributes
    ----------
    owner : str
        What the names of its parameters begin with.
    layer : Layer
    """

    owner: str
    layer: Layer


class Call(NamedTuple):
    """One place of a layer in the network.

    Attributes
    ----------
    unit : int
        The number of its unit.
    sources : tuple of int
        The numbers of the signals that it takes.
    state : int, tuple of int, or None
        What its initial state is: the final state of the call of that number, or the signals of
        those numbers; None for the layer's own.
    """

    unit: int
    sources: tuple[int, ...]
    state: int | tuple[int, ...] | None = None


class Planned(Protocol):
    """What a plan asks of a :class:`throughtime.Network` that stands in another one."""

    name: str | None

    @property
    def plan(self) -> Plan: ...


class Loan(NamedTuple):
    """Initial weights that come from a network which stands in another one.

    Attributes
    ----------
    owner : str
        The owner of the parameters in the new network.
    net : Network
        Where they come from.
    local : str
        Their owner there.
    """

    owner: str
    net: Any
    local: str


@dataclass(frozen=True)
class Plan:
    """Inputs, units, calls and outputs.

    Attributes
    ----------
    inputs : Container
        The names of the inputs.
    forms : tuple of Form
        The form of each input.
    units : tuple of Unit
    calls : tuple of Call
    outputs : Container
        The names of the outputs.
    signals : tuple of int
        The signal that each output is.
    stack : bool
        Whether the plan is a list of layers, and of networks with one input and one output.
    """

    inputs: Container
    forms: tuple[Form, ...]
    units: tuple[Unit, ...]
    calls: tuple[Call, ...]
    outputs: Container
    signals: tuple[int, ...]
    stack: bool = False


def stack(layers: Any, n_features: int | None) -> tuple[Plan, list[Loan]]:
    """Plan a list of layers: an object that is listed twice gets two sets of parameters."""
    found = _check_layers(layers)
    units: list[Unit] = []
    calls: list[Call] = []
    loans: list[Loan] = []
    handed: int | None = None
    for i, layer in enumerate(found):
        if not isinstance(layer, Layer):
            inner, lent = _inner(layer, i, str(i))
            calls += _moved(inner.calls, len(units), len(calls))
            units += inner.units
            loans += lent
            continue
        state = None
        if isinstance(layer, Recurrent):
            state, handed = handed, len(calls) if layer.return_state else None
        calls.append(Call(len(units), (len(calls),), state))
        units.append(Unit(str(i), layer))
    first = None if isinstance(found[0], Layer) else found[0].plan
    given = None if first is None or first.stack else first.forms[0]
    form = _input_form([unit.layer for unit in units], n_features, given)
    plan = Plan(
        Container.single(),
        (form,),
        tuple(units),
        tuple(calls),
        Container.single(),
        (len(calls),),
        True,
    )
    return plan, loans


def _check_layers(layers: Any) -> tuple[Any, ...]:
    if isinstance(layers, Layer):
        layers = [layers]
    if not isinstance(layers, list | tuple) or not layers:
        hint = ""
        if isinstance(layers, Symbol):
            hint = "A graph is tt.Network(inputs=..., outputs=...)."
        expected = "a list of at least one layer"
        raise InvalidTypeError(sentence("layers", expected, describe(layers), hint))
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer) and not isinstance(getattr(layer, "plan", None), Plan):
            raise InvalidTypeError(sentence(f"layers[{i}]", "a layer", describe(layer)))
    names = [layer.name for layer in layers if layer.name is not None]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise InvalidArgumentError(
            f"two layers are called {double!r}. Give them names of their own: each has its own"
            " parameters, also one object that is listed twice."
        )
    return tuple(layers)


def _inner(net: Planned, i: int, owner: str) -> tuple[Plan, list[Loan]]:
    """The plan of a network in a list, with owners that say where it stands."""
    plan = net.plan
    if len(plan.forms) != 1 or len(plan.signals) != 1:
        raise InvalidArgumentError(
            sentence(
                f"layers[{i}]",
                "a network of one input and one output",
                f"one of {len(plan.forms)} and {len(plan.signals)}",
                "Build a graph: tt.Network(inputs=..., outputs=...).",
            )
        )
    if plan.signals != (len(plan.calls),):
        raise InvalidArgumentError(
            sentence(
                f"layers[{i}]",
                "a network whose last layer is its output",
                "another one",
                "Build a graph: tt.Network(inputs=..., outputs=...).",
            )
        )
    units = tuple(Unit(f"{owner}/{unit.owner}", unit.layer) for unit in plan.units)
    loans = [Loan(new.owner, net, old.owner) for new, old in zip(units, plan.units, strict=True)]
    return replace(plan, units=units), loans


def _moved(calls: Sequence[Call], units: int, signals: int) -> list[Call]:
    """``calls`` of a network of one input, with ``signals`` calls and ``units`` before it."""
    result = []
    for call in calls:
        state = call.state
        if isinstance(state, int):
            state += signals
        elif state is not None:
            state = tuple(s + signals for s in state)
        sources = tuple(s + signals for s in call.sources)
        result.append(Call(call.unit + units, sources, state))
    return result


def _input_form(layers: Sequence[Layer], n_features: int | None, given: Form | None) -> Form:
    """Form of the input: the first layer that takes one kind of signal only decides.

    ``given`` is that of the input of a graph, if one begins the list: it has the same kind and
    steps.
    """
    if isinstance(layers[0], Embedding):
        if n_features is not None:
            raise InvalidArgumentError(
                sentence(
                    "n_features",
                    "left out where the first layer is an Embedding",
                    describe(n_features),
                )
            )
        return Form("tokens", 1, Steps())
    if n_features is None:
        raise InvalidArgumentError("n_features must be given: the number of features of a step.")
    features = check_int("n_features", n_features, 1)
    if given is not None:
        return replace(given, features=features)
    strict = next((layer for layer in layers if len(layer.takes) == 1), None)
    kind = "vector" if isinstance(strict, RepeatVector) else "sequence"
    steps = None if kind == "vector" else Steps()
    return Form(kind, features, steps)


def graph(inputs: Any, outputs: Any) -> tuple[Plan, list[Loan]]:
    """Plan what leads from the symbols ``inputs`` to the symbols ``outputs``."""
    taken, begin = _ends("inputs", inputs)
    given, end = _ends("outputs", outputs)
    for one in begin:
        if not isinstance(one.source, Placeholder):
            raise InvalidArgumentError(
                sentence(
                    "inputs", "symbols that tt.Input made", "the output of a layer", must="hold"
                )
            )
    names = taken.names if taken.kind == "dict" else [_name(one) for one in begin]
    signals: dict[int, int] = {}
    for k, one in enumerate(begin):
        if id(one.source) in signals:
            raise InvalidArgumentError(
                sentence("inputs", "one symbol once", "it twice", must="hold")
            )
        signals[id(one.source)] = k
    found = _calls_of(end)
    units: list[Unit] = []
    owned: dict[Any, int] = {}
    loans: list[Loan] = []
    called: dict[int, str] = {}
    calls: list[Call] = []
    for call in found:
        key = _key(call.owner)
        if key not in owned:
            owned[key] = len(units)
            owner = _owner(call, called)
            units.append(Unit(owner, call.layer))
            if isinstance(call.owner, tuple):
                loans.append(Loan(owner, *call.owner))
        state = call.state
        if isinstance(state, StateSymbol):
            state = signals[id(state.source)] - len(begin)
        elif state is not None:
            state = tuple(_signal(s, signals) for s in state)
        sources = tuple(_signal(s, signals) for s in call.sources)
        signals[id(call)] = len(begin) + len(calls)
        calls.append(Call(owned[key], sources, state))
    used = {s for call in calls for s in (*call.sources, *signals_of(call.state))}
    ends = tuple(_signal(one, signals) for one in end)
    box = _named(taken, names)
    if len(begin) == 1 and box.kind == "list":  # a list of one array would look like ragged data
        box = box._replace(kind="single")
    if any(s < len(begin) for s in ends):
        raise InvalidArgumentError(
            sentence("outputs", "outputs of layers", "an input of the network", must="hold")
        )
    for k in range(len(begin)):
        if k not in used:
            raise InvalidArgumentError(
                f"input {box.names[k]!r} is not used: no output depends on it. Leave it out, or"
                " call a layer on it."
            )
    forms = tuple(one.source.form for one in begin)
    return Plan(box, forms, tuple(units), tuple(calls), given, ends), loans


def _ends(name: str, value: Any) -> tuple[Container, list[Any]]:
    """The inputs or the outputs that the caller gave, and the container they came in."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            check_name(key)
            if isinstance(one, list | tuple):
                raise InvalidTypeError(sentence(f"{name}[{key!r}]", "one symbol", describe(one)))
        symbols = [check_symbols(f"{name}[{key!r}]", one)[0] for key, one in value.items()]
        box = Container("dict", tuple(value))
    else:
        symbols = list(check_symbols(name, value))
        numbers = tuple(str(k) for k in range(len(symbols)))
        box = Container("list" if isinstance(value, list | tuple) else "single", numbers)
    if not symbols:
        raise InvalidArgumentError(sentence(name, "at least one symbol", "none", must="hold"))
    return box, symbols


def _name(one: Symbol) -> str | None:
    assert isinstance(one.source, Placeholder)
    return one.source.name


def _named(box: Container, names: Sequence[str | None]) -> Container:
    """The container with the names of its inputs; those without a name have a number."""
    given = tuple(name if name is not None else str(k) for k, name in enumerate(names))
    double = next((name for name in given if given.count(name) > 1), None)
    if double is not None:
        raise InvalidArgumentError(
            f"two inputs are called {double!r}; give them names of their own."
        )
    return Container(box.kind, given)


def _calls_of(ends: Sequence[Symbol]) -> list[LayerCall]:
    """All calls that lead to ``ends``, in the order in which they were made."""
    found: dict[int, LayerCall] = {}
    waiting: list[Any] = [one.source for one in ends]
    while waiting:
        source = waiting.pop()
        if isinstance(source, Placeholder) or id(source) in found:
            continue
        found[id(source)] = source
        waiting += [one.source for one in source.sources]
        if isinstance(source.state, StateSymbol):
            waiting.append(source.state.source)
        elif source.state is not None:
            waiting += [one.source for one in source.state]
    return sorted(found.values(), key=lambda call: call.order)


def _signal(one: Symbol, signals: Mapping[int, int]) -> int:
    """The number of a symbol whose source is planned already."""
    if id(one.source) not in signals:
        assert isinstance(one.source, Placeholder)  # a call is planned before its takers
        named = "" if one.source.name is None else f" {one.source.name!r}"
        raise InvalidArgumentError(
            f"an output depends on the input{named}, which inputs= does not hold. Add it."
        )
    return signals[id(one.source)]


def signals_of(state: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """The signals that an initial state is made of."""
    return state if isinstance(state, tuple) else ()


def _key(owner: Any) -> Any:
    """What tells owners apart: identity, because equal layers are not the same layer."""
    return (id(owner[0]), owner[1]) if isinstance(owner, tuple) else id(owner)


def _owner(call: LayerCall, called: dict[int, str]) -> str:
    """The owner of a new unit: the name or number of its layer, or of the network it stands in.

    ``called`` holds those of the layers and networks before, in the order of their first call.
    """
    inside = isinstance(call.owner, tuple)
    outer, local = call.owner if inside else (call.layer, "")
    if id(outer) not in called:
        name = str(len(called)) if outer.name is None else outer.name
        if name in called.values():
            raise InvalidArgumentError(
                f"two layers or networks are called {name!r}. Give them names of their own, or call"
                " one of them twice to share its parameters."
            )
        called[id(outer)] = name
    return f"{called[id(outer)]}/{local}" if inside else called[id(outer)]


def inline(net: Any, inputs: Any) -> Any:
    """Put a network into a graph, as a layer: return the symbols of its outputs.

    A network that is called twice shares its parameters between the calls.
    """
    plan: Plan = net.plan
    if isinstance(inputs, Mapping):
        given = plan.inputs.spread("inputs", inputs)
    else:
        given = check_symbols("the input of the network", inputs)
        if len(given) != len(plan.forms):
            wanted = "1 symbol" if len(plan.forms) == 1 else f"{len(plan.forms)} symbols"
            raise InvalidArgumentError(
                sentence("the input of the network", wanted, str(len(given)))
            )
    symbols = list(check_symbols("the input of the network", list(given)))
    made: list[LayerCall] = []
    for call in plan.calls:
        unit = plan.units[call.unit]
        state: Any = call.state
        if isinstance(state, int):
            state = StateSymbol(made[state])
        elif state is not None:
            state = tuple(symbols[s] for s in state)
        sources = tuple(symbols[s] for s in call.sources)
        made.append(LayerCall(unit.layer, sources, state, (net, unit.owner)))
        symbols.append(Symbol(made[-1]))
    return plan.outputs.gather([symbols[s] for s in plan.signals])


def called(owner: str, layer: Layer) -> str:
    """What a user calls a layer: its name, also in a stack, where the owner is its number."""
    return owner if layer.name is None or "/" in owner else layer.name
