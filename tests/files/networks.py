"""Networks for a folder of files: every layer, every option, every registered name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

import throughtime as tt
from throughtime.layers import (
    GRU,
    LSTM,
    RNN,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LastStep,
    MaxPool,
    MaxPool1D,
    MeanPool,
    MeanPool1D,
    RepeatVector,
)

STEPS, FEATURES, TOKENS = 8, 2, 5
SEQUENCE = {"return_sequences": True}
CELLS: dict[str, tuple[Any, dict[str, Any]]] = {
    "rnn": (RNN, {}),
    "gru": (GRU, {}),
    "gru-reset-before": (GRU, {"reset_after": False}),
    "lstm": (LSTM, {}),
} | {
    name.lower(): (getattr(tt.layers, name), {})
    for name in ("MinGRU", "MinLSTM", "IndRNN", "LRU")  # since 0.3
    if name in tt.layers.LAYERS
}
#: Options of a recurrent layer, each in a separate file.
RECURRENT: dict[str, dict[str, Any]] = {
    "sequences": SEQUENCE,
    "reverse": SEQUENCE | {"reverse": True},
    "bidirectional": SEQUENCE | {"bidirectional": True},
    "bidirectional-last": {"bidirectional": True},
    "no-bias": {"use_bias": False},
    "time-bias": SEQUENCE | {"time_bias": True},
    "learned-state": {"learn_initial_state": True},
    "learned-states": {"learn_initial_state": True, "bidirectional": True},
    "state": {"return_state": True},
    "states": {"return_state": True, "bidirectional": True, "time_bias": True},
    "training": {
        "dropout": 0.25,
        "recurrent_dropout": 0.5,
        "lr_multiplier": 0.5,
        "l1": 0.125,
        "l2": 0.25,
        "initializer": "he_normal",
        "recurrent_initializer": "identity",
    },
}
#: Activations and initializers with options, which differ from the defaults.
ACTIVATIONS: dict[str, Any] = {
    "leaky_relu-slope": tt.activations.LeakyReLU(slope=0.3),
    "elu-alpha": tt.activations.ELU(alpha=0.6),
    "softmax-temperature": tt.activations.Softmax(temperature=2.5),
}
INITIALIZERS: dict[str, Any] = {
    "glorot_uniform-gain": tt.initializers.GlorotUniform(gain=0.5),
    "glorot_normal-gain": tt.initializers.GlorotNormal(gain=0.5),
    "he_uniform-slope": tt.initializers.HeUniform(negative_slope=0.2),
    "he_normal-slope": tt.initializers.HeNormal(negative_slope=0.2),
    "orthogonal-gain": tt.initializers.Orthogonal(gain=0.5),
    "identity-gain": tt.initializers.Identity(gain=0.5),
    "uniform-limits": tt.initializers.Uniform(low=-0.5, high=0.25),
    "normal-moments": tt.initializers.Normal(std=0.5, mean=0.125),
    "constant-value": tt.initializers.Constant(value=0.25),
}


def stacks() -> dict[str, list[Any]]:
    """Layers by the name of their file."""
    found: dict[str, list[Any]] = {}
    for name, (layer, own) in CELLS.items():
        found[name] = [layer(3, **own)]
        for option, values in RECURRENT.items():
            if values.keys() <= {f.name for f in dataclasses.fields(layer)}:
                found[f"{name}-{option}"] = [layer(2, **own, **values)]
        decoder = [RepeatVector(3), layer(2, **own, **SEQUENCE), Dense(1)]
        found[f"{name}-encoder-decoder"] = [layer(2, **own, return_state=True), *decoder]
    found["lstm-forget-bias"] = [LSTM(2, forget_bias=2.0)]
    if "LRU" in tt.layers.LAYERS:  # since 0.3
        found["lru-ring"] = [tt.layers.LRU(3, state_size=4, r_min=0.5, r_max=0.9, max_phase=1.0)]
    deep = RNN(3, **SEQUENCE)
    if "CRF" in tt.layers.LAYERS:  # since 0.3
        options = {"use_ends": False, "initializer": "normal", "lr_multiplier": 0.5, "l1": 0.5}
        found["crf"] = [deep, Dense(3), tt.layers.CRF()]
        found["crf-options"] = [tt.layers.CRF(**options)]
    if "LayerNorm" in tt.layers.LAYERS:  # since 0.3
        found |= since_3(deep)
    found |= {
        "dense": [Dense(3, activation="tanh"), Dense(2)],
        "dense-options": [Dense(2, use_bias=False, lr_multiplier=0.0, l1=0.5, l2=0.25)],
        "dropout": [Dropout(0.5), deep, Dropout(0.25, variational=True), Dense(1)],
        "embedding": [Embedding(TOKENS, 3), GRU(2, **SEQUENCE)],
        "embedding-options": [Embedding(TOKENS, 2, lr_multiplier=0.5, l1=0.5, l2=0.25)],
        "vector": [RepeatVector(4), LSTM(2, **SEQUENCE), Dense(1)],
        "flatten": [deep, Flatten(STEPS), Dense(2)],
        "last-step": [deep, LastStep(), Dense(2)],
        "mean": [deep, MeanPool(), Dense(2)],
        "max": [deep, MaxPool(), Dense(2)],
        "max1d": [deep, MaxPool1D(2), Dense(1)],
        "max1d-stride": [MaxPool1D(3, stride=1)],
        "mean1d": [deep, MeanPool1D(2), Dense(1)],
        "mean1d-stride": [MeanPool1D(3, stride=1)],
        "conv": [Conv1D(3, 2, activation="relu"), GRU(2)],
        "conv-same": [Conv1D(2, 3, padding="same"), Dense(1)],
        "conv-causal": [Conv1D(2, 2, padding="causal", dilation=2), deep],
        "conv-stride": [Conv1D(2, 3, stride=2, use_bias=False)],
        "conv-options": [Conv1D(2, 2, lr_multiplier=0.5, l1=0.5, l2=0.25)],
    }
    functions = dict.fromkeys(tt.activations.ACTIVATIONS) | ACTIVATIONS
    for name, activation in functions.items():
        f = name if activation is None else activation
        gated = GRU(2, activation=f, recurrent_activation=f, **SEQUENCE)
        lstm = LSTM(2, recurrent_activation=f, **SEQUENCE)
        windows = Conv1D(2, 2, padding="causal", activation=f)
        layers = [windows, RNN(2, activation=f, **SEQUENCE), gated, lstm, Dense(2, activation=f)]
        found[f"activation-{name}"] = layers
    for name, initializer in (dict.fromkeys(tt.initializers.INITIALIZERS) | INITIALIZERS).items():
        own = name if initializer is None else initializer
        first = GRU(3, initializer=own, recurrent_initializer=own, **SEQUENCE)
        layers = [first, Conv1D(2, 2, initializer=own), Dense(2, initializer=own)]
        found[f"initializer-{name}"] = layers
    return found


def since_3(deep: Any) -> dict[str, list[Any]]:
    """Layers that came with 0.3 and take one input."""
    new = tt.layers
    return {
        "merge": [GRU(2, bidirectional=True, merge="mul", **SEQUENCE), Dense(1)],
        "layer-norm": [Dense(3), new.LayerNorm(), deep],
        "layer-norm-options": [new.LayerNorm(epsilon=0.5, use_scale=False, use_bias=False)],
        "rms-norm": [Dense(3), new.RMSNorm(), deep],
        "rms-norm-options": [new.RMSNorm(epsilon=0.5, use_scale=False, lr_multiplier=0.5)],
        "reverse": [new.TimeReverse(), deep],
        "slice-steps": [new.SliceSteps(1, -1), deep],
        "slice-features": [deep, new.SliceFeatures(-2), Dense(1)],
        "repeat": [new.Repeat(2), deep],
        "attention": [deep, new.MultiHeadAttention(3), Dense(1)],
        "attention-causal": [
            new.MultiHeadAttention(2, 4, head_units=3, causal=True, dropout=0.5, use_bias=False)
        ],
        "attention-additive": [deep, new.AdditiveAttention(2), Dense(1)],
        "attention-additive-causal": [
            new.AdditiveAttention(2, causal=True, dropout=0.5, use_bias=False, l2=0.25)
        ],
    }


def graphs() -> dict[str, Any]:
    """Graphs of one input by the name of their file: functions of the input."""
    new, sequence = tt.layers, {"return_sequences": True}
    if "Add" not in new.LAYERS:  # since 0.3
        return {}
    both = {
        "add": new.Add,
        "multiply": new.Multiply,
        "average": new.Average,
        "distance": new.Distance,
    }
    found: dict[str, Any] = {
        f"graph-{name}": lambda x, layer=layer: layer()([Dense(3)(x), GRU(3, **sequence)(x)])
        for name, layer in both.items()
    }
    # A vector beside a sequence, and attention of two inputs.
    found["graph-concatenate"] = lambda x: new.Concatenate()([x, GRU(2)(x)])
    found["graph-attention"] = lambda x: new.MultiHeadAttention(2, 4)([GRU(2)(x), x])
    return found


def network(name: str, layers: list[Any], dtype: str) -> tt.Network:
    """Random parameters, unless the initial ones are what the file is about."""
    features = None if isinstance(layers[0], Embedding) else FEATURES
    net = tt.Network(layers, features, dtype=dtype, seed=3)
    if not name.startswith("initializer"):
        net.params.flat[...] = np.random.default_rng(1).normal(0.0, 0.5, net.params.size)
    return net


def inputs(layers: list[Any]) -> dict[str, np.ndarray]:
    """What the network is asked, as arguments of ``predict``."""
    rng = np.random.default_rng(2)
    if isinstance(layers[0], RepeatVector):
        return {"x": rng.normal(size=(3, FEATURES))}
    shape = (3, STEPS)
    if isinstance(layers[0], Embedding):
        x = rng.integers(0, TOKENS, size=shape)
    else:
        x = rng.normal(size=(*shape, FEATURES))
    ragged = not any(isinstance(layer, Flatten) for layer in layers)
    return {"x": x, "lengths": np.array([8, 5, 3])} if ragged else {"x": x}


def outputs(net: tt.Network, asked: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the network answers: ``y``, and the parts of the final state where it returns one."""
    found = net.predict(asked["x"], asked.get("lengths"))
    if isinstance(found, np.ndarray):
        return {"y": found}
    y, state = found
    return {"y": y} | {f"state.{i}": part for i, part in enumerate(_flat(state))}


def _flat(state: Any) -> list[np.ndarray]:
    return [state] if isinstance(state, np.ndarray) else [a for part in state for a in _flat(part)]


def networks() -> dict[str, tuple[tt.Network, dict[str, np.ndarray]]]:
    """Every network with what it is asked; one of each layer in float32, all in float64."""
    found = {}
    for name, layers in stacks().items():
        for dtype in ("float64", "float32") if "-" not in name else ("float64",):
            net = network(name, layers, dtype)
            found[name if dtype == "float64" else f"{name}-float32"] = net, inputs(layers)
    for name, make in graphs().items():
        signal = tt.Input(FEATURES)
        net = tt.Network(inputs=signal, outputs=make(signal), dtype="float64", seed=3)
        net.params.flat[...] = np.random.default_rng(1).normal(0.0, 0.5, net.params.size)
        found[name] = net, inputs(list(net.layers))
    every = [layer for net, _ in found.values() for layer in net.layers]
    missing = set(tt.layers.LAYERS) - {type(layer).__name__ for layer in every}
    if missing:
        raise SystemExit(f"networks.py must have a network with the layers {sorted(missing)}.")
    return found
