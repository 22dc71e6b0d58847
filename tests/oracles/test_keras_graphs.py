"""Graphs equal functional models of Keras to 1e-10 in float64: outputs, and every gradient.

Each model is written once, for either library: the layers have the names and options of Keras, and
ours are made from them. Our parameters are those of Keras's layers, by the names of the layers.
"""

from __future__ import annotations

import dataclasses
import importlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import throughtime as tt
from throughtime import layers as own

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
ROWS, STEPS = 3, 5


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Keras on PyTorch, whose autograd gives the gradients, in float64.

    A product of two float64 matrices is float32 in Keras; here it is PyTorch's.
    """
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        found = importlib.import_module("keras")
        patch.setattr(importlib.import_module("keras.src.backend").numpy, "matmul", torch.matmul)
        before = found.config.floatx()
        found.config.set_floatx("float64")  # a model casts its inputs to it
        yield found
        found.config.set_floatx(before)


class Ours:
    """Our layers, by the names and options of Keras."""

    def Input(self, shape: tuple[Any, ...], dtype: str, name: str) -> Any:  # noqa: N802  # Keras
        if dtype == "int64":
            return tt.Input(tokens=True, name=name)
        return tt.Input(shape[-1], time=len(shape) == 2, name=name)

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        def make(*sizes: Any, **options: Any) -> Any:
            options.pop("dtype")
            if kind == "Bidirectional":
                (inner,) = sizes
                return _both_ways(inner, options)
            name = "RNN" if kind == "SimpleRNN" else kind
            if kind in ("SimpleRNN", "GRU", "LSTM") and options.get("return_state"):
                return _WithStates(getattr(own, name)(*sizes, **options))
            return getattr(own, name)(*sizes, **options)

        return make


def _both_ways(inner: Any, options: dict[str, Any]) -> Any:
    merge = {"merge": options["merge_mode"], "bidirectional": True, "name": options["name"]}
    return dataclasses.replace(inner, **merge)


class _WithStates:
    """A layer whose call gives the states one by one, as Keras does."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def __call__(self, x: Any, **given: Any) -> Any:
        y, state = self.layer(x, **given)
        return [y, state]


# -- the models -------------------------------------------------------------------------------


def two_inputs(k: Any, options: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    a, v = k.Input((STEPS, 3), name="a", **options), k.Input((2,), name="v", **options)
    h = k.GRU(4, name="gru", **options)(a)
    h = k.Concatenate(name="both", **options)([h, v])
    return [a, v], [k.Dense(2, activation="tanh", name="out", **options)(h)]


def residual(k: Any, options: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    a = k.Input((STEPS, 4), name="a", **options)
    core = k.LSTM(4, return_sequences=True, name="core", **options)
    mix = k.Dense(4, activation="tanh", name="mix", **options)
    h = k.Add(name="first", **options)([a, mix(core(a))])
    h = k.Add(name="second", **options)([h, mix(core(h)), a])
    return [a], [k.Dense(2, name="steps", **options)(h), k.GRU(3, name="end", **options)(h)]


def siamese(k: Any, options: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    a, b = (k.Input((STEPS, 3), name=name, **options) for name in "ab")
    encoder = k.SimpleRNN(4, name="encoder", **options)
    head = k.Dense(3, activation="sigmoid", name="head", **options)
    one, two = head(encoder(a)), head(encoder(b))
    product = k.Multiply(name="product", **options)([one, two])
    mean = k.Average(name="mean", **options)([one, two, product])
    return [a, b], [k.Dense(1, name="out", **options)(mean), one]


def translator(k: Any, options: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    a, b = (k.Input((STEPS, n), name=name, **options) for name, n in (("a", 3), ("b", 2)))
    encoder = k.LSTM(4, return_sequences=True, return_state=True, name="encoder", **options)
    y, *state = encoder(a)
    state = state if len(state) > 1 else state[0]
    h = k.LSTM(4, return_sequences=True, name="decoder", **options)(b, initial_state=state)
    more = k.LSTM(4, name="again", **options)(y, initial_state=state)
    return [a, b], [k.Dense(3, activation="softmax", name="out", **options)(h), more]


def made_state(k: Any, options: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    a, v = k.Input((STEPS, 3), name="a", **options), k.Input((2,), name="v", **options)
    start = k.Dense(4, activation="tanh", name="start", **options)(v)
    h = k.GRU(4, return_sequences=True, name="decoder", **options)(a, initial_state=start)
    return [a, v], [h]


def tokens(k: Any, options: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    t = k.Input((STEPS,), name="t", dtype="int64")
    h = k.Embedding(6, 3, name="table", **options)(t)
    return [t], [k.GRU(3, name="gru", **options)(h), k.Dense(2, name="out", **options)(h)]


def merging(mode: str) -> Callable[..., Any]:
    def build(k: Any, options: dict[str, Any]) -> tuple[list[Any], list[Any]]:
        a = k.Input((STEPS, 3), name="a", **options)
        deep = k.Bidirectional(
            k.GRU(4, return_sequences=True, **options), merge_mode=mode, name="deep", **options
        )(a)
        end = k.Bidirectional(k.LSTM(3, **options), merge_mode=mode, name="end", **options)(deep)
        return [a], [deep, end]

    build.__name__ = f"merged by {mode}"
    return build


MODELS = [
    two_inputs, residual, siamese, translator, made_state, tokens,
    *(merging(mode) for mode in ("concat", "sum", "mul", "ave")),
]  # fmt: skip


# -- parameters -------------------------------------------------------------------------------


def ours(layer: Any, values: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Our parameters of a layer of Keras, or their gradients, from its weights or theirs."""
    kind, found = type(layer).__name__, {}
    if not values:
        return found
    if kind == "Bidirectional":
        half = len(values) // 2
        one, other = layer.forward_layer, layer.backward_layer
        parts = ("forward", one, values[:half]), ("backward", other, values[half:])
        for way, inner, part in parts:
            found |= {f"{way}.{name}": value for name, value in ours(inner, part).items()}
        return found
    if kind == "GRU":  # z r h in Keras, r z n here
        n = layer.units
        order = [*range(n, 2 * n), *range(n), *range(2 * n, 3 * n)]
        W_x, W_h, b = (array[..., order] for array in values)
        return {"W_x": W_x, "W_h": W_h, "b": b, "b_hn": b[1, 2 * n :]}
    names = {"Dense": ("W", "b"), "Embedding": ("W",)}
    return dict(zip(names.get(kind, ("W_x", "W_h", "b")), values, strict=True))


def fill(net: tt.Network, model: Any) -> None:
    """Give our network the weights of a Keras model; of the two biases of a GRU, their sum."""
    for layer in model.layers:
        for name, value in ours(layer, [w.value.detach().numpy() for w in layer.weights]).items():
            hidden = net.params.get(f"{layer.name}.{name}_hn")
            if hidden is not None:
                keep = value.shape[1] - len(hidden)
                value = value[0] + np.append(value[1, :keep], np.zeros(len(hidden)))
            net.params[f"{layer.name}.{name}"] = value


# Keras asks its own tensors for arrays in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_a_graph_equals_a_functional_model(keras: Any, build: Callable[..., Any]) -> None:
    keras.utils.set_random_seed(0)

    class Theirs:
        Input = staticmethod(keras.Input)

        def __getattr__(self, kind: str) -> Any:
            return getattr(keras.layers, kind)

    options = {"dtype": "float64"}
    model = keras.Model(*build(Theirs(), options))
    inputs, outputs = build(Ours(), options)
    net = tt.Network(inputs=inputs, outputs=outputs, dtype="float64")
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(0.6 * rng.normal(size=weight.shape))
    fill(net, model)

    x = {}
    for one in model.inputs:
        size = (ROWS, *one.shape[1:])
        x[one.name] = rng.integers(0, 6, size) if one.dtype == "int64" else rng.normal(size=size)
    given = [torch.from_numpy(array.copy()) for array in x.values()]
    for tensor in given:
        tensor.requires_grad_(tensor.is_floating_point())
    wanted = model(given if len(given) > 1 else given[0])
    wanted = wanted if isinstance(wanted, list | tuple) else [wanted]
    y, tape = net.forward(x)
    dy = [rng.normal(size=one.shape) for one in y]
    sum((torch.from_numpy(d) * w).sum() for d, w in zip(dy, wanted, strict=True)).backward()
    dx = net.backward(tape, dy)
    for mine, want in zip(y, wanted, strict=True):
        np.testing.assert_allclose(mine, want.detach().numpy(), **CLOSE)
    for name, tensor in zip(x, given, strict=True):
        if tensor.is_floating_point():
            np.testing.assert_allclose(dx[name], tensor.grad.numpy(), **CLOSE)
    seen = set()
    for layer in model.layers:
        grads = [w.value.grad.numpy() for w in layer.weights]
        for name, value in ours(layer, grads).items():
            own_name = f"{layer.name}.{name}"
            if f"{own_name}_hn" in net.params:  # the gradient of a sum is that of each term
                value = value[0]
            np.testing.assert_allclose(net.grads[own_name], value, err_msg=own_name, **CLOSE)
            seen.add(own_name)
    assert seen == set(net.params)
