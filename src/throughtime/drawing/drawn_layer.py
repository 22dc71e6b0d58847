"""The layers of a network as a picture needs them, and the steps of their inputs and outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from throughtime.activations import ACTIVATIONS, Softmax
from throughtime.initializers import INITIALIZERS
from throughtime.layers import (
    Dense,
    Dropout,
    Embedding,
    LastStep,
    Layer,
    LayerNorm,
    Recurrent,
    RepeatVector,
    RMSNorm,
    SliceFeatures,
)
from throughtime.layers.attention import Attention
from throughtime.layers.forms import Form
from throughtime.layers.pooling import Pool
from throughtime.network import Network, Params

#: Layers that act on each step separately.
STEPWISE = (Dense, Dropout, Embedding, LayerNorm, RMSNorm, SliceFeatures)

#: What multiplies the state of the step before, in the cells of the package that have such weights.
RECURRENT_WEIGHTS = ("W_h", "u")

#: Options that have no note in a picture: it shows them otherwise, or they do not change it.
SHOWN = {
    "return_sequences",
    "return_state",
    "bidirectional",
    "reverse",
    "use_bias",
    "time_bias",
    "learn_initial_state",
    "initializer",
    "recurrent_initializer",
    "forget_bias",
    "lr_multiplier",
    "l1",
    "l2",
}


@dataclass(frozen=True)
class Steps:
    """The time steps of a layer's input or output.

    Attributes
    ----------
    total : int or None
        Their number; None if it is that of the data.
    last : str
        The index of the last step: ``"T"``, or the number.
    """

    total: int | None = None
    last: str = "T"

    def names(self, columns: int) -> tuple[list[str], bool]:
        """The index of each step that is drawn, and whether steps are omitted before the last one.

        >>> Steps().names(4)
        (['1', '2', '3', 'T'], True)
        >>> Steps(3, "3").names(4)
        (['1', '2', '3'], False)
        """
        if self.total is not None and self.total <= columns:
            return [str(t + 1) for t in range(self.total)], False
        if columns == 1:
            return ["1"], False
        return [*(str(t + 1) for t in range(columns - 1)), self.last], True


@dataclass(frozen=True)
class Direction:
    """One direction of a recurrent layer, or the whole of any other layer.

    Attributes
    ----------
    group : str
        ``"forward"``, ``"backward"``, or empty if there is one direction.
    reverse : bool
        Whether it runs backward in time.
    params : tuple
        Name in the network and shape of each parameter.
    """

    group: str
    reverse: bool
    params: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def leaves(self) -> set[str]:
        """The names of the parameters without layer and direction."""
        return {Params.leaf(name) for name, _ in self.params}


@dataclass(frozen=True)
class DrawnLayer:
    """A layer as a picture needs it; in a graph, a call of a layer.

    Attributes
    ----------
    index : int
        Its number in the network.
    owner : str
        What the names of its parameters begin with.
    label : str
        What it is called in words, after "layer": its owner, and which call it is.
    call, calls : int
        Which call of the owner it is, from 0, and how many there are.
    layer : Layer
        The layer itself.
    kind : str
        ``"recurrent"``, ``"attention"``, ``"step"`` (acts on each step separately), ``"last"``,
        ``"pool"``, ``"repeat"``, or ``"other"`` (nothing is known about it).
    features, units : int
        Features of the input, of several the first one, and of the output.
    before, after : Steps or None
        Steps of the input, of several the first one, and of the output; None for a vector.
    sources : tuple of Steps or None
        Steps of each input.
    roles : tuple of str
        What each input is for, where that is not the same for all; empty otherwise.
    directions : tuple of Direction
        The directions of a recurrent layer; one for any other layer.
    receives : str or None
        Where its initial state comes from, in words; None for its own.
    giver : int or None
        The number of the layer whose final state it starts from.
    hands : tuple of str
        The labels of the layers that start from its final state.
    returns : bool
        Whether ``net.predict`` returns its final state.
    below, above : tuple of str
        Where its inputs come from and where its output goes, in words.
    takers : tuple of int
        The numbers of the layers that take its output.
    """

    index: int
    owner: str
    label: str
    call: int
    calls: int
    layer: Layer
    kind: str
    features: int
    units: int
    before: Steps | None
    after: Steps | None
    sources: tuple[Steps | None, ...]
    roles: tuple[str, ...]
    directions: tuple[Direction, ...]
    receives: str | None = None
    giver: int | None = None
    hands: tuple[str, ...] = ()
    returns: bool = False
    below: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    takers: tuple[int, ...] = ()

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states; empty if the layer has none."""
        return self.layer.cell.states if isinstance(self.layer, Recurrent) else ()

    @property
    def title(self) -> str:
        """Its name and the options without a default: ``"GRU(8)"``."""
        fields = [f for f in dataclasses.fields(self.layer) if f.default is dataclasses.MISSING]
        options = ", ".join(str(getattr(self.layer, f.name)) for f in fields)
        return f"{self.layer.kind}({options})" if options else self.layer.kind

    @property
    def shared(self) -> bool:
        """Whether several calls have the same parameters."""
        return self.calls > 1 and any(direction.params for direction in self.directions)

    @property
    def shape(self) -> str:
        """The shape of the output."""
        return shape_of(self.after, self.units)

    def notes(self) -> Iterator[str]:
        """Other options that differ from their defaults and that the picture does not show."""
        for f in dataclasses.fields(self.layer):
            if f.default is dataclasses.MISSING or f.name in SHOWN:
                continue
            if f.name == "name" and self.layer.name == self.owner:
                continue  # the title begins with it
            value, registry = getattr(self.layer, f.name), f.metadata.get("registry")
            default = f.default if registry is None else registry.get(f.default)
            if value == default:
                continue
            if registry is not None:
                value = name_of(value)
            yield f"{f.name} {value}"


def name_of(function: Any) -> str:
    """The name of an activation or an initialiser, which may be user-defined."""
    own = getattr(function, "function", None)
    if own is not None:
        return str(getattr(own, "__name__", own))
    for registry in (ACTIVATIONS, INITIALIZERS):
        for name in registry:
            if registry[name] is type(function):
                return name
    return type(function).__name__


def words_of(function: Any) -> str:
    """The name for a formula, in which an underscore would begin a subscript."""
    return name_of(function).replace("_", " ")


def slope_of(function: Any) -> str:
    """The factor of dL/dy in dL/dz: f', or the Jacobian of a softmax."""
    return "J" if isinstance(function, Softmax) else "f\u2032"


def shape_of(steps: Steps | None, features: int) -> str:
    """The shape ``(N, T, F)`` with the numbers that are known."""
    return f"(N, {features})" if steps is None else f"(N, {steps.last}, {features})"


def read(net: Network) -> list[DrawnLayer]:
    """The layers of ``net``, in order; in a graph, its calls."""
    topology, plan = net.topology, net.plan
    inputs = len(plan.forms)
    signals = [*topology.input_forms, *topology.forms]
    names = [input_words(topology.label(k)) for k in range(inputs)]
    labels = [topology.label(inputs + i) for i in range(len(net.layers))]
    words = [
        f"layer {label}, {layer.kind}" for label, layer in zip(labels, net.layers, strict=True)
    ]
    layers: list[DrawnLayer] = []
    for i, (layer, call) in enumerate(zip(net.layers, plan.calls, strict=True)):
        before, after, state = signals[call.sources[0]], signals[inputs + i], call.state
        receives = None
        if isinstance(state, int):
            receives = f"layer {labels[state]}"
        elif state is not None:
            own = [*names, *(f"layer {label}" for label in labels)]
            receives = " and ".join(own[s] for s in state)
        takers = [j for j, one in enumerate(plan.calls) if inputs + i in one.sources]
        drawn = DrawnLayer(
            i,
            topology.owners[i],
            labels[i],
            topology.owners[:i].count(topology.owners[i]),
            topology.owners.count(topology.owners[i]),
            layer,
            _kind(layer),
            before.features,
            after.features,
            _steps_of(before),
            _steps_of(after),
            tuple(_steps_of(signals[s]) for s in call.sources),
            _roles(layer, len(call.sources)),
            tuple(_directions(net, i, layer)),
            receives,
            state if isinstance(state, int) else None,
            tuple(labels[j] for j, one in enumerate(plan.calls) if one.state == i),
            topology.returns_state == i,
            tuple([*names, *words][s] for s in call.sources),
            (*(words[j] for j in takers), *output_words(net, inputs + i)),
            tuple(takers),
        )
        layers.append(drawn)
    return layers


def input_words(label: str) -> str:
    """What an input is called whose short name is ``label``."""
    return label if label.split()[0] == "input" else f"input {label}"


def output_words(net: Network, signal: int) -> list[str]:
    """What the outputs of the network are called that a signal is."""
    plan = net.plan
    alone = len(plan.signals) == 1 and plan.outputs.kind != "dict"
    named = zip(plan.outputs.names, plan.signals, strict=True)
    return ["output" if alone else f"output {name}" for name, s in named if s == signal]


def input_steps(net: Network) -> Steps | None:
    """The steps of the network's input; None if it is a vector."""
    return _steps_of(net.topology.input_form)


def _kind(layer: Layer) -> str:
    kinds: dict[str, tuple[type[Layer], ...]] = {
        "recurrent": (Recurrent,),
        "attention": (Attention,),
        "step": STEPWISE,
        "last": (LastStep,),
        "pool": (Pool,),
        "repeat": (RepeatVector,),
    }
    return next((kind for kind, types in kinds.items() if isinstance(layer, types)), "other")


def _roles(layer: Layer, inputs: int) -> tuple[str, ...]:
    if not isinstance(layer, Attention) or inputs == 1:
        return ()
    return ("query", "values", "keys")[:inputs]


def _directions(net: Network, index: int, layer: Layer) -> Iterator[Direction]:
    own = net.params.owned(net.topology.owners[index])
    directions = layer.directions if isinstance(layer, Recurrent) else (("", False),)
    for group, reverse in directions:
        inner = f"{group}." if group else ""
        params = [(n, a.shape) for n, a in own.items() if Params.local(n).startswith(inner)]
        yield Direction(group, reverse, tuple(params))


def _steps_of(form: Form) -> Steps | None:
    if form.steps is None:
        return None
    return Steps(form.steps.count, str(form.steps).replace("'", "\u2032"))
