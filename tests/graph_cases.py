"""Graphs that are hard to get right, and graphs drawn at random, with their data.

Tests of the backward pass, of the same bits, of files and of copies run them all. A case is a
function that returns the inputs and the outputs of a network; its data follow from its forms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from drawn_graphs import ONE, Drawing
from naive import own, row_of, run_layer
from network_cases import leaves, noise

import throughtime as tt
from throughtime.layers import (
    GRU,
    LSTM,
    RNN,
    Add,
    AdditiveAttention,
    Average,
    Concatenate,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LastStep,
    LayerNorm,
    MeanPool,
    MultiHeadAttention,
    Multiply,
    RepeatVector,
    TimeReverse,
)
from throughtime.layers.base import Call
from throughtime.network.signals import each

ROWS = 4
SEQ = {"return_sequences": True}


@dataclass
class Problem:
    """A network with its data.

    Attributes
    ----------
    net : Network
        With random numbers in every parameter.
    x, mask : array or tuple of array
        What ``net.check_input`` returned.
    states : list
        Given initial states; None where there is none.
    training : bool
        Whether dropout acts, with the same numbers in every run.
    """

    net: tt.Network
    x: Any
    mask: Any
    states: list[Any]
    training: bool = False

    def run(self, keep: bool = True) -> tuple[list[np.ndarray], Any]:
        """The outputs, and the tape."""
        states = self.net.check_states(self.states, len(each(self.x)[0]))
        call = Call(self.training, np.random.default_rng(7) if self.training else None, keep)
        y, tape = self.net.run(self.x, self.mask, states, call)
        return list(each(y)), tape

    def slopes(self, y: list[np.ndarray], tape: Any, seed: int = 3) -> tuple[list[Any], list[Any]]:
        """Random gradients of every output and of every final state."""
        rng = np.random.default_rng(seed)
        u = [rng.normal(size=one.shape).astype(one.dtype) for one in y]
        return u, [noise(rng, final) for final in tape.final_state]

    def back(self, tape: Any, u: list[Any], v: list[Any]) -> tuple[Any, ...]:
        """The backward pass: dL/dx of every input, None for tokens."""
        tape.container = self.net.plan.inputs._replace(kind="list")
        dx = self.net.backward(tape, u if len(u) > 1 else u[0], v)
        return tuple(dx)


@dataclass(frozen=True)
class GraphCase:
    """A graph; ``build`` returns the arguments ``inputs`` and ``outputs``."""

    name: str
    build: Callable[[], tuple[Any, Any]]
    masks: str | None = "ragged"
    states: bool = False
    seed: int = 0
    training: bool = False

    def __str__(self) -> str:
        return self.name

    def network(self, dtype: str = "float64") -> tt.Network:
        inputs, outputs = self.build()
        net = tt.Network(inputs=inputs, outputs=outputs, dtype=dtype)
        net.params.flat = 0.7 * np.random.default_rng(self.seed).normal(size=net.params.size)
        return net

    def problem(self, dtype: str = "float64", rows: int = ROWS) -> Problem:
        net = self.network(dtype)
        x, mask = net.check_input(*data(net, self.masks, self.seed + 100, rows))
        problem = Problem(net, x, mask, [None] * len(net.layers), self.training)
        if self.states:
            _, tape = problem.run()
            given = np.random.default_rng(self.seed + 200)
            plan = net.plan
            problem.states = [
                None if final is None or plan.calls[i].state is not None else noise(given, final)
                for i, final in enumerate(tape.final_state)
            ]
        return problem


def data(
    net: tt.Network, masks: str | None, seed: int, rows: int = ROWS
) -> tuple[list[Any], None, list[Any]]:
    """Input, no lengths, and masks; inputs that share their steps have the same number and mask.

    The last row has no unmasked step, unless a layer needs some.
    """
    rng = np.random.default_rng(seed)
    steps: dict[Any, int] = {}
    real: dict[Any, Any] = {}
    least = 8 if net.topology.counts_steps else 0
    x, found = [], []
    for k, form in enumerate(net.topology.input_forms):
        if form.steps is None:
            x.append(rng.normal(size=(rows, form.features)))
            found.append(None)
            continue
        fixed = form.steps.count
        root = k if fixed else form.steps.axis
        count = steps.setdefault(root, fixed or int(rng.integers(max(least, 3), max(least, 3) + 4)))
        if root not in real:
            lengths = rng.integers(min(least, count), count + 1, size=rows)
            mask = np.arange(count) < lengths[:, None]
            if masks == "holes" and not least:
                mask = rng.random((rows, count)) < 0.6
            if not least:
                mask[-1] = False
            real[root] = None if masks is None or fixed else mask
        if form.kind == "tokens":
            x.append(rng.integers(0, net.topology.n_tokens(k), size=(rows, count)))
        else:
            x.append(rng.normal(size=(rows, count, form.features)))
        found.append(real[root])
    return (x, None, found) if len(x) > 1 else (x[0], None, found[0])


# -- the naive evaluation ---------------------------------------------------------------------


def naive_outputs(problem: Problem) -> tuple[list[np.ndarray], list[Any]]:
    """The outputs and the final states, one sequence at a time, from the outputs backwards.

    Nothing of the passes is used: a signal asks for its sources until it comes to the inputs.
    """
    rows = []
    for n in range(len(each(problem.x)[0])):
        values: dict[int, Any] = {}
        rows.append(
            (
                [_value(problem, n, s, values)[0] for s in problem.net.plan.signals],
                [values[i + len(problem.net.plan.forms)][2] for i in range(len(problem.states))],
            )
        )
    outputs = [np.array(found) for found in zip(*(y for y, _ in rows), strict=True)]
    return outputs, [finals for _, finals in rows]


def _value(problem: Problem, n: int, s: int, values: dict[int, Any]) -> Any:
    """Signal ``s`` of row ``n``: its value, its mask, and the final state of its layer."""
    net, first = problem.net, len(problem.net.plan.forms)
    if s in values:
        return values[s]
    if s < first:
        x, mask = each(problem.x)[s][n], each(problem.mask)[s]
        timed = net.plan.forms[s].kind != "vector"
        real = (np.ones(len(x), bool) if mask is None else mask[n]) if timed else None
        values[s] = x, real, None
        return values[s]
    call, layer = net.plan.calls[s - first], net.layers[s - first]
    state = row_of(problem.states[s - first], n)
    if state is None and isinstance(call.state, int):
        state = _value(problem, n, call.state + first, values)[2]
    elif state is None and call.state is not None:
        state = tuple(_value(problem, n, one, values)[0] for one in call.state)
        for name, width in list(layer.state_widths.items())[len(state) :]:
            # A given state continues a sequence.
            state = (*state, np.ones(width) if name == "started" else np.zeros(width))
    parts = [_value(problem, n, one, values)[:2] for one in call.sources]
    x, real = ([x for x, _ in parts], [r for _, r in parts]) if layer.several else parts[0]
    p = own(net.params, net.plan.units[call.unit].owner)
    y, real, final = run_layer(layer, p, x, real, state)
    values[s] = y, real if y.ndim == 2 else None, final
    return values[s]


def joined(finals: list[Any], i: int) -> list[np.ndarray]:
    """The arrays of the final state of call ``i``, of all rows."""
    return [np.array(parts) for parts in zip(*(leaves(row[i]) for row in finals), strict=True)]


# -- graphs that are hard to get right --------------------------------------------------------


def two(**options: Any) -> tuple[Any, Any]:
    return tt.Input(2, name="a", **options), tt.Input(2, name="b", **options)


def residual() -> tuple[Any, Any]:
    a = tt.Input(3)
    h = Add()([a, GRU(3, **SEQ)(a)])
    return a, Dense(2)(Add()([h, Dense(3, activation="tanh")(h)]))


def shared() -> tuple[Any, Any]:
    """A siamese pair: one encoder, two inputs whose lengths differ."""
    a, b = two()
    encoder, head = LSTM(3), Dense(2, activation="tanh")
    one, other = head(encoder(a)), head(encoder(b))
    return [a, b], Dense(1)(Multiply()([one, other]))


def shared_deep() -> tuple[Any, Any]:
    """One layer three times in a row: its parameters and its signal meet themselves."""
    a = tt.Input(3)
    layer = GRU(3, bidirectional=True, merge="sum", learn_initial_state=True, **SEQ)
    h = layer(a)
    return a, [Dense(1)(Concatenate()([h, layer(layer(h))]))]


def heads() -> tuple[Any, Any]:
    """Two heads, and the signal that both take is an output as well, twice."""
    a = tt.Input(2)
    h = RNN(3, **SEQ)(a)
    return a, {"h": h, "y": Dense(2)(h), "z": GRU(2)(h), "again": h}


def sides() -> tuple[Any, Any]:
    """A vector beside a sequence, tokens beside both."""
    a, v, t = tt.Input(2, name="a"), tt.Input(3, time=False, name="v"), tt.Input(tokens=True)
    table = Embedding(5, 2)
    h = Concatenate()([v, GRU(3, **SEQ)(a), v])
    pooled = Average()([MeanPool()(table(t)), LastStep()(table(t))])
    return {"v": v, "t": t, "a": a}, [Dense(2)(h), Dense(1)(pooled)]


def translator() -> tuple[Any, Any]:
    """Encoder and decoder: two decoders take the state, and one the output."""
    a, b = two()
    h, state = LSTM(3, return_state=True, **SEQ)(a)
    decoder = LSTM(3, **SEQ)
    one = decoder(b, initial_state=state)
    other = LSTM(3)(b, initial_state=state)
    return [a, b], [Dense(2)(one), other, MeanPool()(h)]


def chain_of_states() -> tuple[Any, Any]:
    """A state that goes through two layers, whose first output nobody takes."""
    a, b = two()
    both = {"bidirectional": True, "return_state": True}
    _, state = GRU(2, **both)(a)
    h, later = GRU(2, **both, **SEQ)(b, initial_state=state)
    return [a, b], GRU(2, bidirectional=True)(h, initial_state=later)


def made_state() -> tuple[Any, Any]:
    """States made of vectors, one of which is two of them and goes elsewhere too."""
    a, v = tt.Input(2, name="a"), tt.Input(2, time=False, name="v")
    h = Dense(3, activation="tanh")(v)
    y = LSTM(3, learn_initial_state=True)(a, initial_state=(h, Dense(3)(v)))
    y = LSTM(3)(RepeatVector(2)(y), initial_state=(h, h))
    z = GRU(3, time_bias=True, **SEQ)(a, initial_state=h)
    return [a, v], [Add()([y, h]), z]


def nested() -> tuple[Any, Any]:
    """A network in a network, called twice; there is another one in it."""
    a, b = two()
    inner = tt.Network([Dense(2, activation="tanh"), GRU(2, **SEQ)], n_features=2, name="inner")
    c = tt.Input(2)
    block = tt.Network(inputs=c, outputs=Add()([c, inner(inner(c))]), name="block")
    return [a, b], [LastStep()(block(a)), block(block(b))]


def twice() -> tuple[Any, Any]:
    """One signal twice in one call."""
    a = tt.Input(3)
    h = Dense(3)(a)
    return a, GRU(2, **SEQ)(Concatenate()([Multiply()([h, h, h]), h, a]))


def diamond() -> tuple[Any, Any]:
    """Branches of other lengths that meet, and a layer without parameters that has two takers."""
    a = tt.Input(2, steps=5)
    h = Conv1D(3, 2, padding="causal", activation="tanh")(a)
    pooled = LastStep()(h)
    wide = RepeatVector(5)(pooled)
    h = Add()([wide, h, Average()([h, wide, pooled])])
    return a, [Dense(2)(h), Dense(1)(Flatten(5)(h))]


def strangers() -> tuple[Any, Any]:
    """Inputs that never meet: each output has a gradient for one input alone."""
    a, b = two()
    return [a, b], [RNN(2)(a), GRU(3, **SEQ)(b)]


def plain() -> tuple[Any, Any]:
    """Layers that hand the gradient on as it is: it is zero at masked steps all the same."""
    a = tt.Input(2)
    return a, [Dropout(0.3)(a), LastStep()(a), TimeReverse()(Dropout(0.3)(a))]


def noisy() -> tuple[Any, Any]:
    """Dropout of all kinds in layers that are called twice: each call draws its own numbers."""
    a = tt.Input(3)
    core = GRU(3, dropout=0.3, recurrent_dropout=0.3, zoneout=0.2, **SEQ)
    drop = Dropout(0.4, variational=True)
    return a, Dense(2)(Add()([drop(core(drop(core(a)))), Dropout(0.3)(a)]))


def looks() -> tuple[Any, Any]:
    """A decoder looks at its source, with keys of their own the second time; a vector does, too."""
    a, b = two()
    h, state = GRU(4, return_state=True, **SEQ)(a)
    d = GRU(4, **SEQ)(b, initial_state=state)
    look = MultiHeadAttention(2, use_bias=False)  # the gradient of a key's bias is only rounding
    key = Dense(4, use_bias=False)(h)
    c = Concatenate()([look([d, h]), look([d, h, key]), d])
    return [a, b], [Dense(1)(c), AdditiveAttention(3)([LastStep()(d), h])]


def transformer() -> tuple[Any, Any]:
    """A block of self-attention with residuals, and two signals of the same steps."""
    a = tt.Input(4)
    h = LayerNorm()(Add()([a, MultiHeadAttention(2, causal=True, use_bias=False)(a)]))
    h = LayerNorm()(Add()([h, Dense(4)(Dense(6, activation="tanh")(h))]))
    return a, [h, AdditiveAttention(2, causal=True)([Dense(2)(a), h, a])]


BUILT = [
    residual, shared, shared_deep, heads, sides, translator, chain_of_states, made_state, nested,
    twice, diamond, strangers, plain, looks, transformer,
]  # fmt: skip
CASES = [
    *(
        GraphCase(f"{build.__name__}, {masks}", build, masks, states=masks != "ragged", seed=i)
        for i, build in enumerate(BUILT)
        for masks in (None, "ragged", "holes")
    ),
    GraphCase("noisy", noisy, "holes", states=True, training=True),
]


def drawn(seed: int, name: str | None = None) -> GraphCase:
    """A graph drawn at random, with a layer called ``name``."""
    masks = [None, "ragged", "ragged", "holes"][seed % 4]
    return GraphCase(
        f"drawn {seed}, {name}, {masks}",
        lambda: Drawing(seed).graph(name),
        masks,
        seed % 3 == 0,
        seed,
    )


#: A graph with each layer, and some more.
DRAWN = [
    *(drawn(seed, name) for seed, name in enumerate(ONE)),
    *(drawn(seed) for seed in range(100, 120)),
]
