"""The same recurrent network in throughtime and as an ONNX graph.

ONNX has time first, W ``(D, gates*H, F)``, R ``(D, gates*H, H)`` and B ``(D, 2*gates*H)`` (the
bias of W, then that of R), with the gates of an LSTM in the order i o f c and those of a GRU in
the order z r h.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime

import throughtime as tt

#: Index of our gate at each position of ONNX.
ORDER = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 3, 1, 2]}
#: The same of an LSTM with ``coupled_gates``, i g o, whose gate f ONNX does not read.
COUPLED = [0, 2, 0, 1]
OPSET, IR = 22, 10


def reorder(array: np.ndarray, order: list[int], blocks: int | None = None) -> np.ndarray:
    """Put the blocks of the last axis into another order."""
    parts = np.split(array, blocks or len(order), axis=-1)
    return np.concatenate([parts[k] for k in order], axis=-1)


def peepholes(net: tt.Network, index: int) -> np.ndarray:
    """Return P (D, 3*H) of one layer: the gates i, o, f."""
    layer = net.layers[index]
    rows = []
    for group, _ in layer.directions:
        W_c = net.params[f"{index}.{group}".rstrip(".") + ".W_c"]
        i, f, o = W_c if len(W_c) == 3 else (W_c[0], 0 * W_c[0], W_c[1])
        rows.append(np.concatenate([i, o, f]))
    return np.stack(rows).astype("float32")


def to_onnx(
    net: tt.Network, index: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return W, R and B of one layer; each bias is split at random into ONNX's two."""
    layer = net.layers[index]
    order = ORDER[layer.kind]
    if getattr(layer, "coupled_gates", False):
        order = COUPLED
    gates = len(layer.cell.gates)
    arrays: tuple[list[np.ndarray], ...] = ([], [], [])
    for group, _ in layer.directions:
        own = f"{index}.{group}".rstrip(".") + "."
        for found, name in zip(arrays, ("W_x", "W_h"), strict=False):
            found.append(reorder(net.params[own + name], order, gates).T)
        b = net.params[own + "b"] if layer.use_bias else np.zeros(gates * layer.units)
        second = rng.normal(size=b.shape)
        first = b - second
        if getattr(layer, "reset_after", False):
            # Here the candidate's two biases cannot be added: r_t is between them.
            n = slice(2 * layer.units, None)
            first[n], second[n] = b[n], net.params.get(own + "b_hn", 0.0)
        halves = [reorder(half, order, gates) for half in (first, second)]
        arrays[2].append(np.concatenate(halves))
    return tuple(np.stack(a).astype("float32") for a in arrays)  # type: ignore[return-value]


def from_onnx(
    layer: tt.layers.Layer, W: np.ndarray, R: np.ndarray, B: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Return our parameters of a layer from ONNX's."""
    order = ORDER[layer.kind]
    back = [order.index(k) for k in range(len(order))]
    result = {}
    for d, (group, _) in enumerate(layer.directions):
        own = f"0.{group}".rstrip(".") + "."
        result[own + "W_x"] = reorder(W[d].T, back)
        result[own + "W_h"] = reorder(R[d].T, back)
        if B is not None:
            first, second = np.split(B[d], 2)
            result[own + "b"] = reorder(first + second, back)
    return result


def _states_of(states: Any, layer: tt.layers.Layer) -> list[np.ndarray]:
    """Stack the states of the directions: one array (D, N, H) for h, one for c."""
    pairs = states if layer.bidirectional else (states,)
    return [np.stack(parts) for parts in zip(*pairs, strict=True)]


def build(
    net: tt.Network,
    attributes: dict[str, Any],
    states: list[Any] | None,
    rng: np.random.Generator,
    *,
    ragged: bool,
) -> onnx.ModelProto:
    """Return the graph of a network of recurrent layers that put out sequences."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    nodes, constants, outputs, signal = [], [], [], "x"

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(onnx.numpy_helper.from_array(value, name))
        return name

    for k, layer in enumerate(net.layers):
        inputs = [signal]
        inputs += [constant(f"{n}{k}", a) for n, a in zip("WRB", to_onnx(net, k, rng), strict=True)]
        inputs.append("lengths" if ragged else "")
        if states is not None:
            inputs += [
                constant(f"{n}0_{k}", a.astype("float32"))
                for n, a in zip("hc", _states_of(states[k], layer), strict=False)
            ]
        if getattr(layer, "peepholes", False):
            inputs += [""] * (7 - len(inputs)) + [constant(f"P{k}", peepholes(net, k))]
        finals = [f"{name}_{k}" for name in layer.cell.states]
        direction = "bidirectional" if layer.bidirectional else "forward"
        if layer.reverse:
            direction = "reverse"
        nodes.append(
            helper.make_node(
                layer.kind, inputs, [f"y{k}", *finals], hidden_size=layer.units,
                direction=direction, **attributes,
            )
        )  # fmt: skip
        # (T, D, N, H) to (T, N, D*H)
        nodes.append(helper.make_node("Transpose", [f"y{k}"], [f"p{k}"], perm=[0, 2, 1, 3]))
        shape = constant(f"shape{k}", np.array([0, 0, -1]))
        signal = f"s{k}"
        nodes.append(helper.make_node("Reshape", [f"p{k}", shape], [signal]))
        outputs += finals
    inputs = [helper.make_tensor_value_info("x", floats, [None, None, net.n_features])]
    if ragged:
        inputs.append(helper.make_tensor_value_info("lengths", onnx.TensorProto.INT32, [None]))
    shown = [helper.make_tensor_value_info(name, floats, [None] * 3) for name in [signal, *outputs]]
    graph = helper.make_graph(nodes, "recurrent", inputs, shown, initializer=constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR)
    onnx.checker.check_model(model)
    return model


def run(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Run a model by ONNX Runtime on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


def compare(
    net: tt.Network,
    x: np.ndarray,
    lengths: np.ndarray | None,
    states: list[Any] | None,
    rng: np.random.Generator,
    tolerance: float = 2e-6,
    **attributes: Any,
) -> None:
    """Assert that outputs and final states agree; every parameter of ``net`` is drawn anew."""
    net.params.flat[...] = rng.normal(size=net.params.size) * 0.5
    model = build(net, attributes, states, rng, ragged=lengths is not None)
    inputs = {"x": x.swapaxes(0, 1).astype("float32")}
    if lengths is not None:
        inputs["lengths"] = lengths.astype("int32")
    y_onnx, *finals = run(model, inputs)
    y, tape = net.forward(x, lengths, states)
    close = {"rtol": tolerance, "atol": tolerance}
    np.testing.assert_allclose(y, y_onnx.swapaxes(0, 1), **close)
    ours = [
        a for layer, s in zip(net.layers, tape.final_state, strict=True)
        for a in _states_of(s, layer)
    ]  # fmt: skip
    for mine, its in zip(ours, finals, strict=True):
        np.testing.assert_allclose(mine, its, **close)
