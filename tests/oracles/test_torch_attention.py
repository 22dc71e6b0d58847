"""Attention and normalisation equal PyTorch's to 1e-10 in float64: outputs, every gradient.

``in_proj_weight`` of ``MultiheadAttention`` is our W_q, W_k and W_v side by side, transposed; its
``key_padding_mask`` and ``attn_mask`` are True where ours are False. A query without a step to look
at is NaN in PyTorch and 0 here, so no case has one.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles.torch_modules import CLOSE

import throughtime as tt

KEEP = {"batch_first": True, "dtype": torch.float64}
ROWS, UNITS = 4, 6
LENGTHS = np.array([5, 2, 4, 1])


def real_steps(steps, ragged):
    return np.arange(steps) < (LENGTHS if ragged else np.full(ROWS, steps))[:, None]


def projections(module):
    """(our name, PyTorch's parameter, rows of it or None) of every parameter."""
    if module.in_proj_weight is None:
        for name in "qkv":
            yield f"W_{name}", getattr(module, f"{name}_proj_weight"), None
    for i, name in enumerate("qkv"):
        rows = slice(i * UNITS, (i + 1) * UNITS)
        if module.in_proj_weight is not None:
            yield f"W_{name}", module.in_proj_weight, rows
        if module.in_proj_bias is not None:
            yield f"b_{name}", module.in_proj_bias, rows
    yield "W_o", module.out_proj.weight, None
    if module.out_proj.bias is not None:
        yield "b_o", module.out_proj.bias, None


def compare(net, module, x, lengths, attn_mask=None, padding=None, real=None):
    """Compare forward and backward passes for the inputs ``x`` (query, value, key)."""
    for name, theirs, rows in projections(module):
        value = theirs.detach().numpy()
        net.params[f"0.{name}"] = (value if rows is None else value[rows]).T
    own = {name: torch.tensor(a, requires_grad=True) for name, a in x.items()}
    query, value, key = own["query"], own.get("value"), own.get("key")
    value = query if value is None else value
    key = value if key is None else key
    expected, weights = module(
        query, key, value, key_padding_mask=padding, attn_mask=attn_mask, average_attn_weights=False
    )
    single = len(x) == 1
    given = x["query"] if single else x
    y, tape = net.forward(given, lengths=lengths)
    mask = np.ones(y.shape[:2], dtype=bool) if real is None else real
    np.testing.assert_allclose(y[mask], expected.detach().numpy()[mask], **CLOSE)
    (found,) = tt.inspect.attention_weights(net, given, lengths)
    np.testing.assert_allclose(
        found.swapaxes(1, 2)[mask], weights.detach().numpy().swapaxes(1, 2)[mask], **CLOSE
    )
    dy = np.random.default_rng(7).normal(size=y.shape) * mask[..., None]
    expected.backward(torch.from_numpy(dy))
    dx = net.backward(tape, dy)
    for name, d in {"query": dx}.items() if single else dx.items():
        np.testing.assert_allclose(d, own[name].grad, err_msg=name, **CLOSE)
    for name, theirs, rows in projections(module):
        gradient = theirs.grad.numpy()
        gradient = gradient if rows is None else gradient[rows]
        np.testing.assert_allclose(net.grads[f"0.{name}"], gradient.T, err_msg=name, **CLOSE)


def random_module(heads, **options):
    module = torch.nn.MultiheadAttention(UNITS, heads, **KEEP, **options)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn_like(p))
    return module


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("heads", [1, 2, 3])
def test_self_attention(heads, bias, causal, ragged):
    torch.manual_seed(heads)
    module = random_module(heads, bias=bias)
    layer = tt.layers.MultiHeadAttention(heads, causal=causal, use_bias=bias)
    net = tt.Network([layer], n_features=UNITS, dtype="float64")
    real = real_steps(5, ragged)
    x = np.random.default_rng(0).normal(size=(ROWS, 5, UNITS)) * real[..., None]
    attn = ~torch.tril(torch.ones(5, 5, dtype=torch.bool)) if causal else None
    padding = torch.from_numpy(~real) if ragged else None
    compare(net, module, {"query": x}, LENGTHS if ragged else None, attn, padding, real)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("heads", [1, 2, 3])
def test_cross_attention(heads, keys, ragged):
    """Query, value and key of different features and steps."""
    torch.manual_seed(heads)
    module = random_module(heads, vdim=4, kdim=3 if keys else 4)
    names = ["query", "value", "key"][: 3 if keys else 2]
    sizes = {"query": (7, UNITS), "value": (5, 4), "key": (5, 3)}
    inputs = [tt.Input(sizes[name][1], name=name) for name in names]
    y = tt.layers.MultiHeadAttention(heads)(inputs)
    net = tt.Network(inputs=inputs, outputs=y, dtype="float64")
    rng, real = np.random.default_rng(1), real_steps(5, ragged)
    x = {name: rng.normal(size=(ROWS, *sizes[name])) for name in names}
    lengths = dict.fromkeys(names[1:], LENGTHS) if ragged else None
    for name in names[1:]:
        x[name] *= real[..., None]
    compare(net, module, x, lengths, padding=torch.from_numpy(~real) if ragged else None)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("bias", [True, False])
def test_additive_attention(bias, causal):
    """PyTorch has none; this is its equation in autograd."""
    rng = np.random.default_rng(2)
    steps = 5 if causal else 6
    inputs = [tt.Input(4, name="query"), tt.Input(3, name="value")]
    y = tt.layers.AdditiveAttention(7, use_bias=bias, causal=causal)(inputs)
    net = tt.Network(inputs=inputs, outputs=y, dtype="float64")
    net.params.flat = rng.normal(size=net.params.size)
    x = {"query": rng.normal(size=(ROWS, 5, 4)), "value": rng.normal(size=(ROWS, steps, 3))}
    own = {name: torch.tensor(a, requires_grad=True) for name, a in x.items()}
    p = {name: torch.tensor(a, requires_grad=True) for name, a in net.params.items()}
    q = own["query"] @ p["0.W_q"] + p.get("0.b", 0.0)
    h = torch.tanh(q[:, :, None] + (own["value"] @ p["0.W_k"])[:, None])
    scores = (h @ p["0.W_e"])[..., 0]
    if causal:
        scores = scores.masked_fill(~torch.tril(torch.ones(5, 5, dtype=torch.bool)), -torch.inf)
    expected = torch.softmax(scores, dim=-1) @ own["value"]
    found, tape = net.forward(x)
    np.testing.assert_allclose(found, expected.detach(), **CLOSE)
    dy = rng.normal(size=found.shape)
    expected.backward(torch.from_numpy(dy))
    for name, d in net.backward(tape, dy).items():
        np.testing.assert_allclose(d, own[name].grad, err_msg=name, **CLOSE)
    for name, d in net.grads.items():
        np.testing.assert_allclose(d, p[name].grad, err_msg=name, **CLOSE)


@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("features", [1, 2, 7, 64])
@pytest.mark.parametrize("epsilon", [1e-5, 0.3])
@pytest.mark.parametrize("kind", ["LayerNorm", "LayerNorm, no bias", "RMSNorm", "plain"])
def test_normalisation(kind, epsilon, features, vector):
    rng = np.random.default_rng(features)
    keep = {"eps": epsilon, "dtype": torch.float64}
    name, _, options = kind.partition(", ")
    if name == "RMSNorm":
        module = torch.nn.RMSNorm(features, **keep)
        layer = tt.layers.RMSNorm(epsilon=epsilon)
    elif name == "plain":
        module = torch.nn.LayerNorm(features, elementwise_affine=False, **keep)
        layer = tt.layers.LayerNorm(epsilon=epsilon, use_scale=False, use_bias=False)
    else:
        module = torch.nn.LayerNorm(features, bias=not options, **keep)
        layer = tt.layers.LayerNorm(epsilon=epsilon, use_bias=not options)
    first = [tt.layers.LastStep()] if vector else []
    net = tt.Network([*first, layer], n_features=features, dtype="float64")
    net.params.flat = rng.normal(size=net.params.size)
    owner = len(first)
    names = {"weight": f"{owner}.g", "bias": f"{owner}.b"}
    for theirs, p in module.named_parameters():
        p.data = torch.tensor(net.params[names[theirs]])
    x = 2 + 3 * rng.normal(size=(ROWS, 5, features))
    own = torch.tensor(x, requires_grad=True)
    expected = module(own[:, -1] if vector else own)
    y, tape = net.forward(x)
    np.testing.assert_allclose(y, expected.detach(), **CLOSE)
    dy = rng.normal(size=y.shape)
    expected.backward(torch.from_numpy(dy))
    np.testing.assert_allclose(net.backward(tape, dy), own.grad, **CLOSE)
    for theirs, p in module.named_parameters():
        np.testing.assert_allclose(net.grads[names[theirs]], p.grad, err_msg=theirs, **CLOSE)
