"""Graphs equal PyTorch's autograd to 1e-10 in float64: outputs, and every gradient.

Each case writes one model twice: with our symbols, and as a function of PyTorch's modules. The
modules have the parameters of our layers, by the names of the layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from oracles.torch_modules import CLOSE, parameters, run_module

import throughtime as tt
from throughtime import layers as own
from throughtime.network import Params

ROWS = 4
LENGTHS = {"a": np.array([5, 2, 1, 4]), "b": np.array([3, 6, 6, 1])}
STEPS = {"a": 5, "b": 6}


class Modules(dict):
    """PyTorch's module of each layer of a network, by its name, with its parameters."""

    def __init__(self, net: tt.Network) -> None:
        super().__init__()
        for i, (owner, layer) in enumerate(zip(net.topology.owners, net.layers, strict=True)):
            before = net.topology.before[i]
            if owner in self or layer.several or not net.params.owned(owner):
                continue
            self[owner] = self.make(layer, before)
            self.fill(owner, net)

    def make(self, layer: Any, form: Any) -> torch.nn.Module:
        if isinstance(layer, own.Dense):
            return torch.nn.Linear(form.features, layer.units, dtype=torch.float64)
        if isinstance(layer, own.Embedding):
            return torch.nn.Embedding(layer.n_tokens, layer.units, dtype=torch.float64)
        if isinstance(layer, own.LayerNorm):
            return torch.nn.LayerNorm(form.features, dtype=torch.float64)
        kind = {own.RNN: torch.nn.RNN, own.GRU: torch.nn.GRU, own.LSTM: torch.nn.LSTM}[type(layer)]
        return kind(
            form.features, layer.units, batch_first=True, bidirectional=layer.bidirectional,
            dtype=torch.float64,
        )  # fmt: skip

    def ours(self, owner: str, gradients: bool = False) -> dict[str, Any]:
        """The parameters or gradients of a module, by our names."""
        module = self[owner]
        if isinstance(module, torch.nn.RNNBase):
            found = parameters(module, gradients=gradients)
            return {f"{owner}.{Params.local(name)}": value for name, value in found.items()}
        names = {"Linear": ("W", "b"), "Embedding": ("W",), "LayerNorm": ("g", "b")}
        result = {}
        pairs = zip(names[type(module).__name__], module.parameters(), strict=True)
        for name, value in pairs:
            array = (value.grad if gradients else value).detach().numpy()
            result[f"{owner}.{name}"] = array.T if isinstance(module, torch.nn.Linear) else array
        return result

    def fill(self, owner: str, net: tt.Network) -> None:
        """Take over our parameters; the second bias of PyTorch is zero but for b_hn."""
        module = self[owner]
        with torch.no_grad():
            if isinstance(module, torch.nn.RNNBase):
                for name, value in module.named_parameters():
                    if name.startswith("bias_hh"):
                        value.zero_()
            for name, array in self.ours(owner).items():
                value = net.params[name]
                if name.endswith(".b") and isinstance(module, torch.nn.RNNBase):
                    _fill_bias(module, Params.local(name), value)
                else:
                    array[...] = value  # a view of the tensor


def _fill_bias(module: torch.nn.RNNBase, name: str, value: np.ndarray) -> None:
    suffix = "_reverse" if name.startswith("backward") else ""
    getattr(module, f"bias_ih_l0{suffix}")[:] = torch.from_numpy(value)


# -- the models -------------------------------------------------------------------------------


def two_inputs() -> tuple[Any, Callable[..., Any]]:
    """Static columns beside a sequence."""
    a, v = tt.Input(3, name="a"), tt.Input(2, time=False, name="v")
    h = own.GRU(4, name="gru")(a)
    y = own.Dense(2, name="out")(own.Concatenate()([h, v]))

    def model(m: Modules, run: Callable[..., Any], a: Any, v: Any) -> list[Any]:
        _, final = run("gru", a, "a")
        return [m["out"](torch.cat([final[0], v], dim=-1))]

    return ([a, v], y), model


def two_sequences() -> tuple[Any, Callable[..., Any]]:
    """A vector is repeated beside one sequence; tokens are the other one."""
    a, b = tt.Input(3, name="a"), tt.Input(tokens=True, name="b")
    ends = own.LSTM(2, name="lstm")(own.Embedding(5, 3, name="table")(b))
    h = own.RNN(4, return_sequences=True, name="rnn")(own.Concatenate()([ends, a]))
    y = own.Dense(2, activation="tanh", name="out")(h)

    def model(m: Modules, run: Callable[..., Any], a: Any, b: Any) -> list[Any]:
        _, (final, _) = run("lstm", m["table"](b), "b")
        wide = final[0][:, None].expand(-1, a.shape[1], -1)
        h, _ = run("rnn", torch.cat([wide, a], dim=-1), "a")
        return [torch.tanh(m["out"](h))]

    return ([a, b], y), model


def two_heads() -> tuple[Any, Callable[..., Any]]:
    a = tt.Input(3, name="a")
    h, state = own.LSTM(4, return_sequences=True, return_state=True, name="trunk")(a)
    again = own.LSTM(4, name="more")(h, initial_state=state)
    ends = [own.Dense(2, name="steps")(h), own.Dense(3, activation="softmax", name="end")(again)]

    def model(m: Modules, run: Callable[..., Any], a: Any) -> list[Any]:
        h, state = run("trunk", a, "a")
        _, (final, _) = run("more", h, "a", state)
        return [m["steps"](h), torch.softmax(m["end"](final[0]), dim=-1)]

    return ([a], ends), model


def siamese() -> tuple[Any, Callable[..., Any]]:
    """One encoder for two inputs of other lengths."""
    a, b = tt.Input(3, name="a"), tt.Input(3, name="b")
    encoder, head = own.GRU(4, name="encoder"), own.Dense(3, activation="tanh", name="head")
    one, two = head(encoder(a)), head(encoder(b))
    y = own.Dense(1, name="out")(own.Multiply()([one, two]))

    def model(m: Modules, run: Callable[..., Any], a: Any, b: Any) -> list[Any]:
        ends = [run("encoder", x, k)[1][0] for k, x in (("a", a), ("b", b))]
        one, two = (torch.tanh(m["head"](end)) for end in ends)
        return [m["out"](one * two), one]

    return ([a, b], [y, one]), model


def residual() -> tuple[Any, Callable[..., Any]]:
    """Two residual blocks with shared layers, and normalisation."""
    a = tt.Input(4, name="a")
    core = own.GRU(4, return_sequences=True, name="core")
    norm = own.LayerNorm(name="norm")
    h = own.Add()([a, norm(core(a))])
    h = own.Add()([h, norm(core(h))])
    y = own.Dense(2, name="out")(own.Average()([h, a]))

    def model(m: Modules, run: Callable[..., Any], a: Any) -> list[Any]:
        h = a
        for _ in range(2):
            h = h + m["norm"](run("core", h, "a")[0])
        return [m["out"]((h + a) / 2)]

    return ([a], y), model


def translator() -> tuple[Any, Callable[..., Any]]:
    """Encoder and decoder with teacher forcing: the decoder starts from the encoder's state."""
    a, b = tt.Input(3, name="a"), tt.Input(2, name="b")
    enc, state = own.LSTM(
        2, bidirectional=True, return_sequences=True, return_state=True, name="encoder"
    )(a)
    h = own.LSTM(2, bidirectional=True, return_sequences=True, name="decoder")(
        b, initial_state=state
    )
    context = own.LSTM(3, name="summary")(enc)
    y = own.Dense(3, name="out")(own.Concatenate()([h, context]))

    def model(m: Modules, run: Callable[..., Any], a: Any, b: Any) -> list[Any]:
        enc, state = run("encoder", a, "a")
        h, _ = run("decoder", b, "b", state)
        _, (context, _) = run("summary", enc, "a")
        return [m["out"](torch.cat([h, context[0][:, None].expand(-1, b.shape[1], -1)], dim=-1))]

    return ([a, b], y), model


def made_state() -> tuple[Any, Callable[..., Any]]:
    """A decoder whose state is made of vectors."""
    a, v = tt.Input(3, name="a"), tt.Input(2, time=False, name="v")
    h, c = own.Dense(4, activation="tanh", name="h")(v), own.Dense(4, name="c")(v)
    y = own.LSTM(4, return_sequences=True, name="decoder")(a, initial_state=(h, c))

    def model(m: Modules, run: Callable[..., Any], a: Any, v: Any) -> list[Any]:
        state = torch.tanh(m["h"](v))[None], m["c"](v)[None]
        return [run("decoder", a, "a", state)[0]]

    return ([a, v], y), model


MODELS = [two_inputs, two_sequences, two_heads, siamese, residual, translator, made_state]


@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_a_graph_equals_autograd(build: Callable[[], Any], ragged: bool) -> None:
    (inputs, outputs), model = build()
    net = tt.Network(inputs=inputs, outputs=outputs, dtype="float64")
    rng = np.random.default_rng(len(net.params))
    net.params.flat = 0.6 * rng.normal(size=net.params.size)
    m = Modules(net)
    lengths = {name: LENGTHS[name] if ragged else None for name in STEPS}

    def run(name: str, x: Any, k: str, state: Any = None) -> Any:
        return run_module(m[name], x, lengths[k], state)

    x: dict[str, Any] = {}
    for name, form in zip(net.plan.inputs.names, net.topology.input_forms, strict=True):
        size = (ROWS, form.features) if form.steps is None else (ROWS, STEPS[name], form.features)
        tokens = form.kind == "tokens"
        x[name] = rng.integers(0, 5, size[:2]) if tokens else rng.normal(size=size)
        if ragged and name in LENGTHS:
            x[name][np.arange(STEPS[name]) >= LENGTHS[name][:, None]] = 0
    given = {name: torch.from_numpy(array.copy()) for name, array in x.items()}
    for tensor in given.values():
        if tensor.is_floating_point():
            tensor.requires_grad_()
    wanted = model(m, run, *given.values())
    own_lengths = {k: v for k, v in lengths.items() if k in x and v is not None} or None
    y, tape = net.forward(x, own_lengths)
    found = y if isinstance(y, list) else [y]
    masks = tape.output_mask if len(found) > 1 else (tape.output_mask,)
    real = [1 if mask is None else mask[..., None] for mask in masks]
    dy = [rng.normal(size=one.shape) for one in found]
    total = sum(
        (torch.from_numpy(d * m) * w).sum() for d, m, w in zip(dy, real, wanted, strict=True)
    )
    total.backward()
    dx = net.backward(tape, dy if len(dy) > 1 else dy[0])
    for one, want, mask in zip(found, wanted, real, strict=True):
        np.testing.assert_allclose(one, want.detach().numpy() * mask, **CLOSE)
    for name, tensor in given.items():
        if tensor.is_floating_point():
            np.testing.assert_allclose(
                dx[name] if isinstance(dx, dict) else dx, tensor.grad, **CLOSE
            )
    seen = set()
    for owner in m:
        for name, gradient in m.ours(owner, gradients=True).items():
            np.testing.assert_allclose(net.grads[name], gradient, err_msg=name, **CLOSE)
            seen.add(name)
    assert seen == set(net.params)
