"""Graphs drawn at random: shared layers, branches that meet, states, networks in networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import throughtime as tt
from throughtime import layers
from throughtime.layers.forms import Form, Steps
from throughtime.layers.recurrent import Recurrent

Draw = np.random.Generator


def pick(rng: Draw, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def flip(rng: Draw, chance: float = 0.5) -> bool:
    return bool(rng.random() < chance)


BOTH = {"layer_norm": True, "hidden_clip": 0.8}
#: Options of recurrent layers, of which a layer may have one.
OPTIONS: dict[str, dict[str, Any]] = {
    "RNN": BOTH,
    "GRU": BOTH | {"reset_after": False},
    "LSTM": BOTH | {"peepholes": True, "coupled_gates": True, "cell_clip": 0.9, "proj_size": 2},
}


def recurrent(kind: Any, time_bias: bool = True) -> Callable[[Draw, int], Any]:
    """Draws a recurrent layer with three units."""

    def make(rng: Draw, features: int) -> Any:
        options = {
            "return_sequences": flip(rng, 0.6),
            "return_state": flip(rng, 0.4),
            "learn_initial_state": flip(rng, 0.3),
            "use_bias": flip(rng, 0.7),
        }
        if time_bias:
            options["time_bias"] = flip(rng, 0.2)
            name = pick(rng, sorted(OPTIONS[kind.__name__]))
            options |= {name: OPTIONS[kind.__name__][name]} if flip(rng, 0.3) else {}
        ways = pick(rng, ["", "", "reverse", "bidirectional"])
        if ways:
            options[ways] = True
        if ways == "bidirectional":
            options["merge"] = pick(rng, ["sum", "mul", "ave"])
        return kind(3, **options)

    return make


DIAGONAL = ("MinGRU", "MinLSTM", "IndRNN", "LRU")
#: Layers that take one signal, by name: how to draw one for a number of features.
ONE: dict[str, Callable[[Draw, int], Any]] = {
    **{name: recurrent(getattr(layers, name)) for name in ("RNN", "GRU", "LSTM")},
    **{name: recurrent(getattr(layers, name), False) for name in DIAGONAL},
    "Conv1D": lambda rng, f: layers.Conv1D(
        3, pick(rng, [1, 2, 3]), padding=pick(rng, ["same", "causal"])
    ),
    "Dense": lambda rng, f: layers.Dense(3, activation=pick(rng, ["tanh", "identity", "softmax"])),
    "Dropout": lambda rng, f: layers.Dropout(0.3),
    "LayerNorm": lambda rng, f: layers.LayerNorm(),
    "RMSNorm": lambda rng, f: layers.RMSNorm(),
    "LastStep": lambda rng, f: layers.LastStep(),
    "MeanPool": lambda rng, f: layers.MeanPool(),
    "MaxPool": lambda rng, f: layers.MaxPool(),
    "MaxPool1D": lambda rng, f: layers.MaxPool1D(2),
    "MeanPool1D": lambda rng, f: layers.MeanPool1D(2, stride=pick(rng, [1, 2])),
    "Repeat": lambda rng, f: layers.Repeat(2),
    "SliceSteps": lambda rng, f: layers.SliceSteps(*pick(rng, [(1,), (-2,), (0, -1)])),
    "SliceFeatures": lambda rng, f: layers.SliceFeatures(*pick(rng, [(0,), (-1,), (0, 1)])),
    "TimeReverse": lambda rng, f: layers.TimeReverse(),
    "CRF": lambda rng, f: layers.CRF(),
}  # fmt: skip
CHANGING = {"MaxPool1D", "MeanPool1D", "Repeat", "SliceSteps"}
#: Layers with rules of their own below.
OTHERS = {
    "Embedding",
    "RepeatVector",
    "Flatten",
    "Concatenate",
    "Add",
    "Multiply",
    "Average",
    "Distance",
    "AdditiveAttention",
    "MultiHeadAttention",
}
#: The most features of a merged signal.
MOST = 12


#: The steps of a signal of each kind, as far as a layer must know them here.
STEPS = {"sequence": Steps(), "vector": None, "tokens": Steps()}
FIXED = ("fixed", 5)


class Signal:
    """A symbol, what it is, and ``key``: signals with the same key have the same mask."""

    def __init__(self, symbol: Any, kind: str, features: int, key: Any) -> None:
        self.symbol, self.kind, self.features, self.key = symbol, kind, features, key
        self.taken = False


class Drawing:
    """Draws a graph step by step; every step takes signals and adds one."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.signals: list[Signal] = []
        self.known: list[tuple[Any, str, int]] = []
        self.states: list[tuple[Any, Any]] = []
        self.inputs: list[Signal] = []
        self.nets = 0

    # -- the steps ----------------------------------------------------------------------------

    def add(self, symbol: Any, kind: str, features: int, key: Any = None) -> Signal:
        self.signals.append(Signal(symbol, kind, features, key))
        return self.signals[-1]

    def start(self) -> None:
        rng = self.rng
        for k in range(int(rng.integers(1, 4))):
            kind = pick(rng, ["sequence", "sequence", "sequence", "fixed", "vector", "tokens"])
            kind = "sequence" if k == 0 else kind
            name, features = f"x{k}", int(rng.integers(2, 4))
            if kind == "tokens":
                one = self.add(tt.Input(tokens=True, name=name), "tokens", 1, k)
            elif kind == "vector":
                one = self.add(tt.Input(features, time=False, name=name), "vector", features)
            else:
                steps = 5 if kind == "fixed" else None
                key = FIXED if steps else k
                one = self.add(
                    tt.Input(features, steps=steps, name=name), "sequence", features, key
                )
            self.inputs.append(one)
            if kind == "sequence" and k and flip(rng):  # the steps of another input
                timed = [s for s in self.inputs if s.kind == "sequence" and s.key != FIXED]
                other = pick(rng, timed)
                one.key = other.key
                self.merge([one, other])

    def take(self, one: Signal) -> Any:
        one.taken = True
        return one.symbol

    def merge(self, parts: list[Signal]) -> None:
        rng = self.rng
        equal = len({one.features for one in parts}) == 1
        names = ["Concatenate"] + ["Add", "Multiply", "Average"] * equal
        if equal and len(parts) == 2:
            names.append("Distance")
        layer = getattr(layers, pick(rng, names))()
        timed = next((one for one in parts if one.kind == "sequence"), parts[0])
        features = parts[0].features
        if isinstance(layer, layers.Distance):
            features = 1
        if isinstance(layer, layers.Concatenate):
            features = sum(one.features for one in parts)
        if features <= MOST:
            self.add(layer([self.take(one) for one in parts]), timed.kind, features, timed.key)

    def meet(self) -> None:
        """Merge signals with the same mask, and vectors; one signal may come twice."""
        first = pick(self.rng, [one for one in self.signals if one.kind != "tokens"])
        fits = [
            one for one in self.signals
            if one.kind == "vector" or (one.kind == "sequence" and one.key == first.key)
        ]  # fmt: skip
        rest = [pick(self.rng, fits) for _ in range(int(self.rng.integers(1, 3)))]
        same = [one for one in rest if one.features == first.features]
        self.merge([first, *(same or rest)])

    def look(self) -> None:
        """Attention of any signal to a sequence, which may be the signal itself."""
        rng = self.rng
        query = pick(rng, [one for one in self.signals if one.kind != "tokens"])
        values = [one for one in self.signals if one.kind == "sequence"]
        value = pick(rng, [one for one in values if one.key == query.key] or values)
        value = value if flip(rng) else pick(rng, values)
        causal = query.kind == "sequence" and query.key == value.key and flip(rng)
        if flip(rng):
            layer: Any = layers.AdditiveAttention(2, causal=causal)
            features = value.features
        else:
            # The gradient of a bias of the keys is nothing but rounding.
            layer = layers.MultiHeadAttention(2, 4, causal=causal, use_bias=False)
            features = 4
        parts = [self.take(one) for one in (query, value)]
        self.add(layer(parts), query.kind, features, query.key)

    def call(self, layer: Any, one: Signal) -> None:
        """Call ``layer`` on a signal, with a state that fits if there is one."""
        given = {}
        if isinstance(layer, Recurrent):
            state = self.state_for(layer)
            given = {} if state is None else {"initial_state": state}
        y = layer(self.take(one), **given)
        if isinstance(y, tuple):
            y, state = y
            self.states.append((layer, state))
        form = layer.output_form(Form(one.kind, one.features, STEPS[one.kind]))
        key = one.key
        if form.steps is not None and form.steps != STEPS[one.kind]:
            key = (one.key, repr(layer))
        self.add(y, form.kind, form.features, None if form.kind == "vector" else key)

    def state_for(self, layer: Any) -> Any:
        def form(one: Any) -> Any:
            return one.state_widths, one.bidirectional

        fitting = [state for other, state in self.states if form(other) == form(layer)]
        if fitting and flip(self.rng, 0.5):
            return pick(self.rng, fitting)
        vectors = [s for s in self.signals if s.kind == "vector"]
        fits = [
            [s for s in vectors if s.features == layer.state_widths[h]] for h in layer.cell.states
        ]
        if all(fits) and not layer.bidirectional and flip(self.rng, 0.7):
            return tuple(self.take(pick(self.rng, some)) for some in fits)
        return None

    def one(self, name: str | None = None) -> None:
        """A new layer, or one that is there already."""
        rng = self.rng
        one = pick(rng, [s for s in self.signals if s.kind != "tokens"])
        again = [layer for layer, *form in self.known if form == [one.kind, one.features]]
        if name is None and again and flip(rng, 0.4):
            self.call(pick(rng, again), one)
            return
        name = name or pick(rng, list(ONE))
        layer = ONE[name](rng, one.features)
        changes = isinstance(
            layer, layers.MaxPool1D | layers.MeanPool1D | layers.Repeat | layers.SliceSteps
        )
        if one.kind not in layer.takes or (changes and isinstance(one.key, tuple)):
            return
        if isinstance(layer, layers.CRF) and one.features > 3:
            return
        self.known.append((layer, one.kind, one.features))
        self.call(layer, one)

    def other(self) -> None:
        """A layer with rules of its own, or a network."""
        rng, one = self.rng, pick(self.rng, self.signals)
        if one.kind == "tokens":
            known = [layer for layer, *_ in self.known if isinstance(layer, layers.Embedding)]
            table = known[0] if known else layers.Embedding(5, 3)
            self.known.append((table, "tokens", 1))
            self.add(table(self.take(one)), "sequence", 3, one.key)
        elif one.kind == "vector":
            self.add(layers.RepeatVector(5)(self.take(one)), "sequence", one.features, FIXED)
        elif one.key == FIXED and flip(rng):
            if 5 * one.features <= 15:
                self.add(layers.Flatten(5)(self.take(one)), "vector", 5 * one.features)
        else:
            inner = [layers.Dense(2, activation="tanh"), layers.GRU(2, return_sequences=True)]
            net = tt.Network(inner, n_features=one.features, name=f"net{self.nets}")
            self.nets += 1
            self.add(net(self.take(one)), "sequence", 2, one.key)
            fitting = [
                s for s in self.signals if (s.kind, s.features) == ("sequence", one.features)
            ]
            again = pick(rng, fitting)
            self.add(net(self.take(again)), "sequence", 2, again.key)

    # -- the whole ----------------------------------------------------------------------------

    def graph(self, name: str | None = None) -> tuple[Any, Any]:
        """The inputs and the outputs; there is a layer called ``name`` among those of ``ONE``."""
        self.start()
        while name is not None and name not in {layer.kind for layer, *_ in self.known}:
            self.one(name)
            self.other()
        for _ in range(int(self.rng.integers(4, 9))):
            pick(self.rng, [self.meet, self.one, self.one, self.one, self.other])()
        if flip(self.rng, 0.4):
            self.look()
        for one in self.inputs:
            while not one.taken:
                before = len(self.signals)
                layer = layers.Embedding(5, 3) if one.kind == "tokens" else layers.Dense(3)
                self.call(layer, one)
                assert len(self.signals) > before
        made = [one for one in self.signals if one not in self.inputs]
        ends = [one.symbol for one in made if not one.taken]
        ends += [one.symbol for one in made if one.taken and flip(self.rng, 0.15)]
        inputs = [one.symbol for one in self.inputs]
        order = self.rng.permutation(len(inputs))
        outputs: Any = dict(zip("abcdefghijklmnopqrstuvwxyz", ends, strict=False))
        return [inputs[k] for k in order], outputs if flip(self.rng) else ends
