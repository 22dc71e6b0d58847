"""Recurrent layers equal ONNX Runtime (float32, so to a few 1e-6), and the node cases of ONNX.

Not compared, because throughtime lacks them: ``clip``, which bounds the inputs of activations, and
an LSTM whose g and output activations differ. ONNX Runtime, and not ``onnx.reference``, is asked:
the latter ignores ``sequence_lens`` and the activations of GRU and LSTM.
"""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from oracles.onnx_graphs import compare, from_onnx, run

import throughtime as tt
from throughtime.activations import ELU, Custom, LeakyReLU

LAYERS = {
    "rnn": (tt.layers.RNN, {}, {}),
    "gru, reset after": (tt.layers.GRU, {}, {"linear_before_reset": 1}),
    "gru, reset before": (tt.layers.GRU, {"reset_after": False}, {"linear_before_reset": 0}),
    "lstm": (tt.layers.LSTM, {}, {}),
}
OPTIONED = {
    "lstm, peepholes": (tt.layers.LSTM, {"peepholes": True}, {}),
    "lstm, coupled": (tt.layers.LSTM, {"coupled_gates": True}, {"input_forget": 1}),
    "lstm, coupled, peepholes": (
        tt.layers.LSTM, {"coupled_gates": True, "peepholes": True}, {"input_forget": 1},
    ),
}  # fmt: skip
DIRECTIONS = {
    "forward": {},
    "reverse": {"reverse": True},
    "bidirectional": {"bidirectional": True},
}


def random_states(net, batch, rng):
    def one(layer):
        return tuple(
            rng.normal(size=(batch, layer.units)).astype("float32") for _ in layer.cell.states
        )

    return [(one(layer), one(layer)) if layer.bidirectional else one(layer) for layer in net.layers]


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("initial", [False, True], ids=["from zero", "initial state"])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", LAYERS | OPTIONED)
def test_layers(name, direction, depth, ragged, initial, bias):
    layer, options, attributes = (LAYERS | OPTIONED)[name]
    rng = np.random.default_rng(depth)
    batch, steps, features, units = (int(n) for n in rng.integers(2, 9, size=4))
    options = options | DIRECTIONS[direction] | {"return_sequences": True, "use_bias": bias}
    net = tt.Network([layer(units, **options)] * depth, n_features=features)
    lengths = rng.integers(1, steps + 1, size=batch) if ragged else None
    states = random_states(net, batch, rng) if initial else None
    x = rng.normal(size=(batch, steps, features)).astype("float32")
    compare(net, x, lengths, states, rng, **attributes)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", LAYERS | OPTIONED)
def test_random_sizes(name, direction, seed):
    layer, options, attributes = (LAYERS | OPTIONED)[name]
    rng = np.random.default_rng(100 + seed)
    batch, steps, features, units = (int(n) for n in rng.integers(1, 20, size=4))
    options = options | DIRECTIONS[direction] | {"return_sequences": True}
    net = tt.Network([layer(units, **options)], n_features=features)
    lengths = rng.integers(1, steps + 1, size=batch)
    x = rng.normal(size=(batch, steps, features)).astype("float32")
    states = random_states(net, batch, rng)
    compare(net, x, lengths, states, rng, tolerance=1e-5, **attributes)


def custom(function, derivative):
    return Custom(function, derivative=derivative)


AFFINE = custom(lambda z: 0.7 * z + 0.2, lambda z: np.full_like(z, 0.7))
SCALED_TANH = custom(lambda z: 1.3 * np.tanh(0.6 * z), lambda z: 0.78 / np.cosh(0.6 * z) ** 2)
SOFTSIGN = custom(lambda z: z / (1 + np.abs(z)), lambda z: 1 / (1 + np.abs(z)) ** 2)
THRESHOLDED = custom(lambda z: np.where(z > 0.4, z, 0), lambda z: (z > 0.4).astype(z.dtype))
STEEP = custom(lambda z: np.clip(0.3 * z + 0.6, 0, 1), lambda z: np.zeros_like(z))
#: ONNX's name, its alpha and beta, and ours.
ACTIVATIONS = {
    "Tanh": (None, None, "tanh"),
    "Sigmoid": (None, None, "sigmoid"),
    "Relu": (None, None, "relu"),
    "Softplus": (None, None, "softplus"),
    "LeakyRelu": (0.2, None, LeakyReLU(0.2)),
    "Elu": (0.5, None, ELU(0.5)),
    "HardSigmoid": (1 / 6, 0.5, "hard_sigmoid"),
    "Affine": (0.7, 0.2, AFFINE),
    "ScaledTanh": (1.3, 0.6, SCALED_TANH),
    "Softsign": (None, None, SOFTSIGN),
    "ThresholdedRelu": (0.4, None, THRESHOLDED),
}
GATES = {
    "Sigmoid": (None, None, "sigmoid"),
    "HardSigmoid": (1 / 6, 0.5, "hard_sigmoid"),
    "HardSigmoid, steep": (0.3, 0.6, STEEP),
}


def attributes_of(chosen, directions):
    """ONNX lists the functions of each direction, and alphas and betas of those that have them."""
    result = {"activations": [name.partition(",")[0] for name, *_ in chosen] * directions}
    for k, key in (1, "activation_alpha"), (2, "activation_beta"):
        values = [c[k] for c in chosen if c[k] is not None] * directions
        if values:
            result[key] = values
    return result


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("name", "gate"), [(n, g) for n in LAYERS for g in (["-"] if n == "rnn" else GATES)]
)
def test_activations(name, gate, activation, direction):
    layer, options, attributes = (LAYERS | OPTIONED)[name]
    rng = np.random.default_rng(3)
    f = (activation, *ACTIVATIONS[activation])
    options = options | DIRECTIONS[direction] | {"return_sequences": True, "activation": f[3]}
    chosen = [f]
    if name != "rnn":
        g = (gate, *GATES[gate])
        options["recurrent_activation"] = g[3]
        chosen = [g, f, f] if name == "lstm" else [g, f]  # an LSTM: gates, g, output
    net = tt.Network([layer(4, **options)], n_features=3)
    attributes = attributes | attributes_of(chosen, 2 if direction == "bidirectional" else 1)
    x = rng.normal(size=(5, 4, 3)).astype("float32")
    states = random_states(net, 5, rng)
    compare(net, x, np.array([2, 4, 1, 3, 4]), states, rng, tolerance=1e-5, **attributes)


# -- the node cases of ONNX -------------------------------------------------------------------

CASES = [
    *(f"test_simple_rnn_{n}" for n in ("defaults", "with_initial_bias", "batchwise")),
    *(f"test_simple_rnn_{n}" for n in ("reverse", "bidirectional")), "test_rnn_seq_length",
    *(f"test_gru_{n}" for n in ("defaults", "with_initial_bias", "seq_length", "batchwise")),
    *(f"test_gru_{n}" for n in ("reverse", "bidirectional")),
    *(f"test_lstm_{n}" for n in ("defaults", "with_initial_bias", "batchwise")),
    *(f"test_lstm_{n}" for n in ("reverse", "bidirectional")),
]  # fmt: skip
PEEPHOLES = "test_lstm_with_peepholes"


@pytest.fixture(scope="module")
def node_cases():
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of casts and divisions, in cases of other nodes
        np.random.seed(0)  # noqa: NPY002  # two of the cases draw from NumPy's global stream
        cases = collect_testcases(None)
    return {
        case.name: case
        for case in cases
        if len(case.model.graph.node) == 1
        and case.model.graph.node[0].op_type in ("RNN", "GRU", "LSTM")
    }


def test_all_cases_are_known(node_cases):
    assert sorted(node_cases) == sorted([*CASES, PEEPHOLES])


@pytest.mark.parametrize("name", CASES)
def test_node_cases(node_cases, name):
    case = node_cases[name]
    (node,) = case.model.graph.node
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    ((inputs, expected),) = case.data_sets
    given = dict(zip((i for i in node.input if i), inputs, strict=True))
    wanted = dict(zip((o for o in node.output if o), expected, strict=True))
    batchwise = attributes.get("layout", 0) == 1
    direction = attributes.get("direction", b"forward").decode()
    options = DIRECTIONS[direction] | {"return_sequences": True, "use_bias": "B" in given}
    if node.op_type == "GRU":
        options["reset_after"] = False
    layer = getattr(tt.layers, node.op_type)(attributes["hidden_size"], **options)
    net = tt.Network([layer], n_features=given["X"].shape[2])
    for key, value in from_onnx(layer, given["W"], given["R"], given.get("B")).items():
        net.params[key] = value
    x = given["X"] if batchwise else given["X"].swapaxes(0, 1)
    y, tape = net.forward(x)
    (final,) = tape.final_state
    ends = final if layer.bidirectional else (final,)
    ours = {"Y": y.reshape(*y.shape[:2], len(ends), -1)}  # (N, T, D, H), ONNX's batchwise form
    ours |= {
        f"Y_{s}": np.stack([e[k] for e in ends], axis=1) for k, s in enumerate("hc"[: len(ends[0])])
    }
    if not batchwise:
        ours["Y"] = ours["Y"].transpose(1, 2, 0, 3)
        ours |= {k: v.swapaxes(0, 1) for k, v in ours.items() if k != "Y"}
    for key, value in wanted.items():
        np.testing.assert_allclose(ours[key], value, rtol=case.rtol, atol=case.atol, err_msg=key)
        np.testing.assert_allclose(ours[key], value, rtol=2e-6, atol=2e-6, err_msg=key)
    if not batchwise:  # which ONNX Runtime does not run on a CPU
        for value, its in zip(expected, run(case.model, given), strict=True):
            np.testing.assert_allclose(its, value, rtol=2e-6, atol=2e-6)


def test_batchwise_is_what_the_runtime_refuses(node_cases):
    case = node_cases["test_lstm_batchwise"]
    inputs = dict(zip("XWR", case.data_sets[0][0], strict=True))
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail, match="layout"):
        run(case.model, inputs)
