"""Cases of networks that are hard to get right; the gradient, naive and file tests run them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from option_cases import OPTIONS, VARIANTS

from throughtime import activations
from throughtime.activations import ACTIVATIONS, Custom
from throughtime.layers import (
    CRF,
    GRU,
    LRU,
    LSTM,
    RNN,
    AdditiveAttention,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    IndRNN,
    LastStep,
    Layer,
    LayerNorm,
    MaxPool,
    MaxPool1D,
    MeanPool,
    MeanPool1D,
    MinGRU,
    MinLSTM,
    MultiHeadAttention,
    Repeat,
    RepeatVector,
    RMSNorm,
    SliceFeatures,
    SliceSteps,
    TimeReverse,
)
from throughtime.layers.base import Call
from throughtime.layers.forms import Steps
from throughtime.network import Network

HOLES = [[1, 0, 1, 1, 0], [0, 0, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]
RAGGED = (5, 2, 0, 3)


@dataclass(frozen=True)
class Case:
    """One network with its data; ``mask`` is None, "ragged" or "holes"."""

    name: str
    layers: Sequence[Layer]
    features: int | None = 2
    rows: int = 3
    steps: int = 4
    mask: str | None = None
    states: bool = False
    training: bool = False
    seed: int = 0
    scale: float = 0.7
    loss: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def network(self, dtype: str = "float64") -> Network:
        """The network with random numbers in every parameter, also biases and learned states."""
        net = Network(list(self.layers), self.features, dtype)
        net.params.flat = self.scale * np.random.default_rng(self.seed).normal(size=net.params.size)
        return net

    def batch(self, net: Network) -> tuple[np.ndarray, np.ndarray | None]:
        rng = np.random.default_rng(self.seed + 100)
        kind = net.topology.input_form.kind
        rows, steps = (4, 5) if self.mask else (self.rows, self.steps)
        if kind == "vector":
            return rng.normal(size=(rows, self.features)), None
        real = None
        if self.mask == "ragged":
            real = np.arange(steps) < np.array(RAGGED)[:, None]
        elif self.mask == "holes":
            real = np.array(HOLES, dtype=bool)
        if kind == "tokens":
            x = rng.integers(0, net.layers[0].n_tokens, size=(rows, steps))
        else:
            x = rng.normal(size=(rows, steps, self.features))
        return net.check_input(x, mask=real)

    def initial_state(self, net: Network, rows: int) -> list[Any]:
        """A non-zero state for every layer that has a state and does not receive one."""
        rng = np.random.default_rng(self.seed + 200)
        result: list[Any] = [None] * len(net.layers)
        if self.states:
            _, tape = self.run(net, *self.batch(net), result)
            for i, final in enumerate(tape.final_state):
                if final is not None and not (i and net.topology.hands_state[i - 1]):
                    result[i] = noise(rng, final)
        return net.check_states(result, rows)

    def run(self, net: Network, x: Any, mask: Any, states: Any, keep: bool = True) -> Any:
        call = Call(self.training, np.random.default_rng(7) if self.training else None, keep)
        return net.run(x, mask, states, call)


def noise(rng: np.random.Generator, like: Any) -> Any:
    """Random numbers with the shapes of a state; for ``started`` (N, 1), zeros and ones."""
    if like is None:
        return None
    if isinstance(like, tuple):
        return tuple(noise(rng, part) for part in like)
    if like.shape[1] == 1:
        return (rng.random(like.shape) < 0.5).astype(like.dtype)
    return rng.normal(size=like.shape).astype(like.dtype)


def leaves(state: Any) -> list[np.ndarray]:
    """The arrays of a state, or of a list of states, in order."""
    if state is None:
        return []
    if isinstance(state, np.ndarray):
        return [state]
    return [leaf for part in state for leaf in leaves(part)]


def keeps_steps(net: Network) -> bool:
    """Whether the output has the same steps as the input."""
    return net.topology.forms[-1].steps == Steps()


def swish(z: np.ndarray) -> np.ndarray:
    return z / (1 + np.exp(-z))


def swish_derivative(z: np.ndarray) -> np.ndarray:
    s = 1 / (1 + np.exp(-z))
    return s + z * s * (1 - s)


#: Every registered activation, some with options, and a user-defined one.
FUNCTIONS = {name: ACTIVATIONS[name]() for name in ACTIVATIONS} | {
    "softmax, warm": activations.Softmax(temperature=2.5),
    "softmax, cold": activations.Softmax(temperature=0.4),
    "leaky_relu, steep": activations.LeakyReLU(slope=0.3),
    "elu, low": activations.ELU(alpha=0.6),
    "custom": Custom(swish, derivative=swish_derivative),
}

CELLS: dict[str, tuple[type[Layer], dict[str, Any]]] = {
    "rnn": (RNN, {}),
    "gru": (GRU, {}),
    "gru, reset before": (GRU, {"reset_after": False}),
    "lstm": (LSTM, {}),
    "mingru": (MinGRU, {}),
    "minlstm": (MinLSTM, {}),
    "indrnn": (IndRNN, {"activation": "tanh"}),  # the default has a kink
    "lru": (LRU, {"state_size": 2}),
    "lru, large state": (LRU, {"state_size": 4}),
    **VARIANTS,
}


def offered(layer: type[Layer], **options: Any) -> dict[str, Any]:
    """Those of the options that the layer has."""
    names = {f.name for f in dataclasses.fields(layer)}
    return {name: value for name, value in options.items() if name in names}


def cell_cases() -> list[Case]:
    """Every cell with every option, with every pattern of lengths and masks."""
    found = []
    for name, (layer, own) in CELLS.items():

        def add(what: str, *layers: Layer, name: str = name, **data: Any) -> None:
            found.append(Case(f"{name}: {what}", layers, **data))

        def make(units: int = 3, layer: Any = layer, own: Any = own, **options: Any) -> Layer:
            return layer(units, **own, **offered(layer, **options))

        sequence = {"return_sequences": True}
        add("all outputs, given state", make(**sequence), states=True)
        add("holes, given state", make(**sequence), states=True, mask="holes")
        add("last output, ragged", make(), mask="ragged", states=True)
        add("one step", make(**sequence), steps=1, states=True)
        add("one row", make(**sequence), rows=1, steps=6, states=True)
        few = 2 if "layer_norm" in own else 1
        add("one of each", make(few), rows=1, steps=1, features=1)
        add("reverse", make(reverse=True, **sequence), mask="ragged", states=True)
        add("reverse, last output", make(reverse=True), mask="holes")
        add("bidirectional", make(2, bidirectional=True, **sequence), mask="holes", states=True)
        add("bidirectional, last output", make(2, bidirectional=True), mask="ragged", states=True)
        for way in ("sum", "mul", "ave"):
            both = make(2, bidirectional=True, merge=way, **sequence)
            add(f"merged by {way}", both, mask="holes", states=True)
        add("merged, last output", make(2, bidirectional=True, merge="mul"), mask="ragged")
        add("no bias", make(use_bias=False, **sequence), mask="ragged")
        add("time bias", make(time_bias=True, **sequence), mask="holes")
        add("time bias, goes on", make(time_bias=True, **sequence), mask="ragged", states=True)
        add("time bias, both ways", make(2, time_bias=True, bidirectional=True), mask="holes")
        add("time bias alone", make(time_bias=True, use_bias=False, **sequence))
        add("learned state", make(learn_initial_state=True, **sequence), mask="holes")
        add("learned states", make(2, learn_initial_state=True, bidirectional=True), mask="ragged")
        add(
            "dropout",
            make(dropout=0.4, recurrent_dropout=0.4, **sequence),
            training=True,
            states=True,
            mask="holes",
        )
        add("stack", make(2, **sequence), make(2, **sequence), Dense(2), mask="holes", states=True)
        add(
            "encoder and decoder",
            make(2, return_state=True),
            RepeatVector(3),
            make(2, **sequence),
            Dense(1),
            mask="ragged",
            states=True,
        )
        add(
            "state handed on",
            make(2, return_state=True, time_bias=True, **sequence),
            Dense(2),
            make(2, time_bias=True, learn_initial_state=True, **sequence),
            mask="holes",
        )
        add(
            "state handed on, both ways",
            make(2, return_state=True, bidirectional=True, **sequence),
            make(2, bidirectional=True),
            mask="ragged",
        )
        add("state handed out", make(return_state=True), mask="ragged")
    return found


def option_cases() -> list[Case]:
    """Every option of the recurrent layers, with every pattern of lengths and masks."""
    found = []
    for name, (layer, own) in OPTIONS.items():

        def add(what: str, one: Layer, name: str = name, **data: Any) -> None:
            found.append(Case(f"{name}: {what}", [one], **data))

        own = {"return_sequences": True, "dropout": 0.3, "recurrent_dropout": 0.3} | own
        both = own | {"bidirectional": True, "learn_initial_state": True, "use_bias": False}
        add("given state", layer(3, **own), states=True, rows=2)
        add("learned state, both ways, holes", layer(2, **both), mask="holes")
        add("training, holes", layer(3, **own), training=True, mask="holes", states=True)
        ends = own | {"return_sequences": False, "reverse": True, "time_bias": True}
        add("training, reverse, ragged", layer(3, **ends), training=True, mask="ragged")
    return found


def activation_cases() -> list[Case]:
    """Every activation in every position that takes one."""
    found = []
    small = {"rows": 2, "steps": 3}
    for name, f in FUNCTIONS.items():

        def add(what: str, *layers: Layer, name: str = name) -> None:
            found.append(Case(f"{what} of {name}", layers, **small, states=True, scale=0.5))

        sequence = {"return_sequences": True}
        add("rnn", RNN(3, activation=f, **sequence))
        add("gru", GRU(2, activation=f, **sequence))
        add("lstm", LSTM(2, activation=f, **sequence))
        add("mingru", MinGRU(2, activation=f, **sequence))
        add("minlstm", MinLSTM(2, activation=f, **sequence))
        add("indrnn", IndRNN(2, activation=f, **sequence))
        add("dense", Dense(3, activation=f))
        add("convolution", Conv1D(3, 2, activation=f))
        add("gates of gru", GRU(2, recurrent_activation=f, **sequence))
        add(
            "gates of gru, reset before",
            GRU(2, recurrent_activation=f, activation=f, reset_after=False, **sequence),
        )
        add("gates of lstm", LSTM(2, recurrent_activation=f, **sequence))
        every = {"activation": f, "layer_norm": True, "zoneout": 0.2, **sequence}
        add("rnn, normalised,", RNN(3, **every))
        for after in (True, False):
            add(
                f"gru, normalised {after},",
                GRU(3, recurrent_activation=f, reset_after=after, **every),
            )
        add("lstm, normalised,", LSTM(3, recurrent_activation=f, **every))
    return found


def other_cases() -> list[Case]:
    """Layers without a time loop, alone and between other layers."""
    deep = RNN(2, return_sequences=True)
    return [
        Case("dense, holes", [Dense(3, activation="tanh"), Dense(2)], mask="holes"),
        Case("dense, no bias", [Dense(3, use_bias=False)], mask="ragged"),
        Case("dense on vectors", [Dense(3, activation="softmax"), RepeatVector(3), GRU(2)]),
        Case("repeat", [RepeatVector(4), LSTM(2, return_sequences=True), Dense(1)], states=True),
        Case("dropout", [Dropout(0.5), deep, Dropout(0.3), Dense(2)], mask="holes", training=True),
        Case("dropout, variational", [Dropout(0.5, variational=True), deep], training=True),
        Case(
            "dropout on vectors",
            [RNN(3), Dropout(0.5, variational=True), Dense(2)],
            training=True,
            mask="ragged",
        ),
        Case(
            "embedding",
            [Embedding(4, 3), GRU(2, return_sequences=True)],
            features=None,
            mask="holes",
            states=True,
        ),
        Case("embedding, whole", [Embedding(3, 2), Dense(2)], features=None),
        Case("last step", [deep, LastStep(), Dense(2)], mask="holes"),
        Case("last step, whole", [deep, LastStep()]),
        Case("mean", [deep, MeanPool(), Dense(2)], mask="holes"),
        Case("mean, whole", [MeanPool()]),
        Case("maximum", [deep, MaxPool(), Dense(2)], mask="holes"),
        Case("maximum, whole", [deep, MaxPool()]),
        Case("crf, ragged", [deep, Dense(3), CRF()], mask="ragged"),
        Case("crf, holes", [deep, CRF()], mask="holes"),
        Case("crf, whole", [CRF()]),
        Case("crf, one step", [deep, CRF()], steps=1),
        Case("crf without ends", [CRF(use_ends=False), Dense(2)], mask="holes"),
    ]


def window_cases() -> list[Case]:
    """Convolutions, windowed pools and Flatten."""
    found = []
    deep = RNN(2, return_sequences=True)

    def add(what: str, *layers: Layer, **data: Any) -> None:
        found.append(Case(f"convolution: {what}", layers, **data))

    for mask in (None, "ragged", "holes"):
        words = f", {mask}" if mask else ""
        data = {"mask": mask, "steps": 7}
        add(f"valid{words}", Conv1D(3, 2, activation="tanh"), **data)
        for padding in ("same", "causal"):
            add(f"{padding}{words}", Conv1D(3, 3, padding=padding), **data, states=True)
            wide = Conv1D(2, 2, stride=2, dilation=3, padding=padding)
            add(f"{padding}, stride, dilation{words}", wide, **data)
            add(f"{padding}, even{words}", Conv1D(2, 4, padding=padding), **data, states=True)
            add(f"{padding}, far{words}", Conv1D(2, 3, stride=3, padding=padding), **data)
        dilated = Conv1D(2, 3, dilation=2, padding="causal", use_bias=False)
        add(f"causal, dilated{words}", dilated, **data, states=True)
        stack = [Conv1D(2, 2, padding="causal", activation="tanh"), deep, dilated, Dense(1)]
        add(f"between{words}", *stack, **data, states=True)
    add("valid, stride", Conv1D(2, 3, stride=2), steps=8)
    add("valid, dilated", Conv1D(2, 3, dilation=2, use_bias=False), steps=6)
    add("stride beyond the window", Conv1D(2, 2, stride=3), steps=9)
    add("as long as the sequence", Conv1D(2, 4), Dense(2))
    add("one step at a time", Conv1D(3, 1), mask="holes")
    add("one step at a time, every other", Conv1D(3, 1, stride=2), mask="ragged")
    add("one step", Conv1D(2, 3, padding="same"), steps=1)
    add("one step, causal", Conv1D(2, 3, padding="causal"), steps=1, rows=1, states=True)
    add("one row", Conv1D(2, 3, padding="same", stride=2), Dense(1), rows=1, steps=6)
    add("one of each", Conv1D(1, 1), steps=1, rows=1, features=1)
    add("before a recurrent layer", Conv1D(3, 2, stride=2, padding="same"), GRU(2), mask="holes")
    add("into a pool", Conv1D(3, 2), MeanPool(), Dense(1), mask="ragged")
    add("into the last step", Conv1D(3, 2), LastStep(), mask="holes")
    add("of tokens", Embedding(4, 3), Conv1D(2, 2, padding="same"), features=None, mask="holes")
    add("all of it", Conv1D(3, 3, padding="same"), MaxPool1D(2), Flatten(2), Dense(2), steps=5)
    add("after a vector", RNN(2), RepeatVector(4), Conv1D(2, 3), mask="ragged")
    for pool in (MaxPool1D, MeanPool1D):
        name = pool.__name__
        found += [
            Case(f"{name}, whole", [pool(3)], steps=7),
            Case(f"{name}, overlapping", [deep, pool(3, stride=1), Dense(2)], steps=6),
            Case(f"{name}, ragged", [deep, pool(2)], mask="ragged"),
            Case(f"{name}, holes", [pool(2, stride=1), deep], mask="holes"),
            Case(f"{name}, with gaps", [pool(1, stride=2), Dense(1)], mask="holes"),
            Case(f"{name}, one step", [pool(1)], steps=1, rows=1),
        ]
    return [
        *found,
        Case("flatten", [deep, Flatten(4), Dense(2)]),
        Case("flatten, one", [Flatten(1)], steps=1),
    ]


def layer_cases() -> list[Case]:
    """Normalisation, and layers that move steps or features."""
    found = []
    deep = RNN(2, return_sequences=True)

    def add(what: str, *layers: Layer, **data: Any) -> None:
        found.append(Case(what, layers, **data))

    for norm in (LayerNorm, RMSNorm):
        name = norm.__name__
        for mask in (None, "ragged", "holes"):
            add(f"{name}, {mask}", Dense(3), norm(), Dense(2), mask=mask)
        add(f"{name}, first", norm(epsilon=0.3), features=3, mask="holes")
        add(f"{name} on vectors", RNN(3), norm(), mask="ragged", states=True)
        add(f"{name} without a scale", deep, norm(use_scale=False), Dense(1))
        add(f"{name}, one of each", norm(epsilon=0.1), rows=1, steps=1, features=2)
    add("LayerNorm without a bias", norm(), LayerNorm(use_bias=False), features=3, mask="holes")
    for mask in (None, "ragged", "holes"):
        add(f"reversed, {mask}", TimeReverse(), deep, mask=mask, states=True)
        add(f"reversed twice, {mask}", TimeReverse(), deep, TimeReverse(), Dense(1), mask=mask)
        for start, stop in ((0, 2), (1, None), (0, -1), (1, -1), (-2, None), (-3, -1), (-9, None)):
            layers = [deep, SliceSteps(start, stop), Dense(1)]
            least = {-1: 2, None: 1}.get(stop, 1) + max(start, 0)
            if mask is None or least == 1:
                add(f"steps {start}:{stop}, {mask}", *layers, mask=mask)
        add(f"repeated, {mask}", deep, Repeat(3), Dense(2), mask=mask)
        add(f"repeated, then recurrent, {mask}", Repeat(2), GRU(2), mask=mask)
        add(f"features, {mask}", deep, SliceFeatures(1), Dense(2), mask=mask)
        add(f"features of the input, {mask}", SliceFeatures(-2, -1), features=3, mask=mask)
    for causal in (False, True):
        for mask in (None, "ragged", "holes"):
            end = f"{', causal' if causal else ''}, {mask}"
            data = {"mask": mask, "scale": 0.5}
            heads = MultiHeadAttention(2, 3, head_units=2, causal=causal)
            add(f"attention{end}", heads, **data)
            add(f"attention of one head{end}", deep, MultiHeadAttention(1, causal=causal), **data)
            plain = MultiHeadAttention(3, 3, causal=causal, use_bias=False)
            add(f"attention without a bias{end}", plain, deep, **data)
            add(f"additive attention{end}", AdditiveAttention(3, causal=causal), **data)
            plain = AdditiveAttention(2, causal=causal, use_bias=False)
            add(f"additive attention without a bias{end}", deep, plain, Dense(1), **data)
        drops = {"causal": causal, "dropout": 0.4}
        data = {"mask": "holes", "training": True}
        add(f"attention, dropout, {causal}", MultiHeadAttention(2, **drops), **data)
        add(f"additive attention, dropout, {causal}", AdditiveAttention(2, **drops), **data)
        for layer in (MultiHeadAttention(1, causal=causal), AdditiveAttention(1, causal=causal)):
            add(f"{layer.kind}, one step, {causal}", layer, steps=1)
            add(f"{layer.kind}, one of each, {causal}", layer, steps=1, rows=1, features=1)
    add("one step, reversed", TimeReverse(), steps=1, rows=1)
    add("one step, repeated", Repeat(1), steps=1, rows=1)
    add("one step, sliced", SliceSteps(0), steps=1, rows=1)
    add("features of a vector", RNN(4), SliceFeatures(1, 3), Dense(1))
    return found


CASES = [
    *cell_cases(),
    *option_cases(),
    *other_cases(),
    *window_cases(),
    *layer_cases(),
    *activation_cases(),
]
