"""The naive reference: the whole forward pass for one sequence, one step, one gate at a time.

It shares nothing with the package except the activations and the options of the layers. There is no
padding: the loop skips masked steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from throughtime.layers import (
    CRF,
    AdditiveAttention,
    Average,
    Concatenate,
    Conv1D,
    Dense,
    Distance,
    Dropout,
    Embedding,
    Flatten,
    LastStep,
    LayerNorm,
    MaxPool,
    MaxPool1D,
    MeanPool,
    MeanPool1D,
    MultiHeadAttention,
    Multiply,
    Recurrent,
    Repeat,
    RepeatVector,
    RMSNorm,
    SliceFeatures,
    SliceSteps,
    TimeReverse,
)
from throughtime.layers.forms import Form, Steps


def standard(v: Any) -> Any:
    """One group of numbers, layer-normalised."""
    return (v - np.mean(v)) / np.sqrt(np.var(v) + 1e-5)


def sums(p: dict[str, Any], x: Any, time: Any, groups: int = 1) -> Any:
    """x W_x, with its biases; normalised, the last gate by itself if there are two groups."""
    v = x @ p["W_x"]
    if "g_x" in p:
        cut = len(v) * 2 // 3 if groups == 2 else len(v)
        v = p["g_x"] * np.concatenate(
            [standard(v[:cut]), *map(standard, [v[cut:]][: cut < len(v)])]
        )
    return v + p["b"] + time


def elman(layer: Any, p: dict[str, Any], x: Any, state: Any, time: Any) -> Any:
    (h,) = state
    v = h @ p["W_h"]
    if layer.layer_norm:
        v = p["g_h"] * standard(v)
    return (layer.activation(sums(p, x, time) + v),)


def gru(layer: Any, p: dict[str, Any], x: Any, state: Any, time: Any) -> Any:
    (h,) = state
    H = len(h)
    a = sums(p, x, time, groups=2)
    W_rz, W_n = p["W_h"][:, : 2 * H], p["W_h"][:, 2 * H :]
    v = h @ W_rz
    if layer.layer_norm:
        v = p["g_h"][: 2 * H] * standard(v)

    def candidate(left: Any) -> Any:
        q = left @ W_n
        return p["g_h"][2 * H :] * standard(q) if layer.layer_norm else q

    r = layer.recurrent_activation(a[:H] + v[:H])
    z = layer.recurrent_activation(a[H : 2 * H] + v[H:])
    if layer.reset_after:
        n = layer.activation(a[2 * H :] + r * (candidate(h) + p.get("b_hn", 0.0)))
    else:
        n = layer.activation(a[2 * H :] + candidate(r * h))
    return ((1 - z) * n + z * h,)


def lstm(layer: Any, p: dict[str, Any], x: Any, state: Any, time: Any) -> Any:
    h, c = state
    v = h @ p["W_h"]
    if layer.layer_norm:
        v = p["g_h"] * standard(v)
    *gates, u_g, u_o = np.split(sums(p, x, time) + v, 3 if layer.coupled_gates else 4)
    looks = p["W_c"] if layer.peepholes else np.zeros((3, len(c)))
    gates = [layer.recurrent_activation(u + w * c) for u, w in zip(gates, looks, strict=False)]
    i, f = gates if len(gates) == 2 else (gates[0], 1 - gates[0])
    c = f * c + i * layer.activation(u_g)
    if layer.cell_clip is not None:
        c = np.clip(c, -layer.cell_clip, layer.cell_clip)
    o = layer.recurrent_activation(u_o + looks[-1] * c)
    shown = p["g_c"] * standard(c) + p.get("b_c", 0.0) if layer.layer_norm else c
    m = o * layer.activation(shown)
    return (m @ p["W_r"] if layer.proj_size else m), c


def settled(layer: Any, new: Any, old: Any) -> Any:
    """Clipping of h, and the expectation of zoneout."""
    if not hasattr(layer, "zoneout"):
        return new
    h, *others = new
    if layer.hidden_clip is not None:
        h = np.clip(h, -layer.hidden_clip, layer.hidden_clip)
    rates = (layer.zoneout, getattr(layer, "cell_zoneout", 0.0))
    return [z * a + (1 - z) * b for z, a, b in zip(rates, old, [h, *others], strict=False)]


def min_gru(layer: Any, p: dict[str, Any], x: Any, state: Any, time: Any) -> Any:
    (h,) = state
    a_z, a_n = np.split(x @ p["W_x"] + p["b"], 2)
    z = 1 / (1 + np.exp(-a_z))
    return ((1 - z) * h + z * layer.activation(a_n),)


def min_lstm(layer: Any, p: dict[str, Any], x: Any, state: Any, time: Any) -> Any:
    (h,) = state
    a_i, a_f, a_g = np.split(x @ p["W_x"] + p["b"], 3)
    i, f = 1 / (1 + np.exp(-a_i)), 1 / (1 + np.exp(-a_f))
    return (f / (f + i) * h + i / (f + i) * layer.activation(a_g),)


def ind_rnn(layer: Any, p: dict[str, Any], x: Any, state: Any, time: Any) -> Any:
    (h,) = state
    return (layer.activation(x @ p["W_x"] + p["b"] + p["u"] * h),)


def lru(layer: Any, p: dict[str, Any], x: Any, state: Any, time: Any) -> Any:
    re, im, *_ = state
    radius, phase, g = np.exp(-np.exp(p["nu"])), np.exp(p["theta"]), np.exp(p["gamma"])
    a_re, a_im = np.split(x @ p["W_x"], 2)
    return (
        radius * (np.cos(phase) * re - np.sin(phase) * im) + g * a_re,
        radius * (np.cos(phase) * im + np.sin(phase) * re) + g * a_im,
        x @ p["W_d"] if "W_d" in p else None,
    )


STEPS = {
    "RNN": elman,
    "GRU": gru,
    "LSTM": lstm,
    "MinGRU": min_gru,
    "MinLSTM": min_lstm,
    "IndRNN": ind_rnn,
    "LRU": lru,
}


def output(layer: Any, p: dict[str, Any], state: Any) -> Any:
    """What the layer puts out in a state."""
    if type(layer).__name__ != "LRU":
        return state[0]
    re, im, skip = state
    return np.concatenate([re, im]) @ p["W_y"] + p.get("b_y", 0.0) + skip


def run_direction(layer: Any, p: Any, x: Any, real: Any, state: Any, reverse: bool) -> Any:
    """Run one direction on one sequence x (T, F).

    Return the outputs (T, H), the last one of them, and the final state.
    """
    widths = {name: n for name, n in layer.state_widths.items() if name != "started"}
    p = {"b": 0.0, **p}
    started = False
    if state is None:
        state = tuple(p.get(f"{name}_0", np.zeros(n)) for name, n in widths.items())
    elif layer.time_bias:
        *state, flag = state
        started = flag[0] == 1
    outputs = np.zeros((len(x), layer.output_units))
    steps = range(len(x))
    for t in reversed(steps) if reverse else steps:
        if not real[t]:
            continue
        time = p["b_time"] if layer.time_bias and started else 0.0
        state = settled(layer, STEPS[layer.kind](layer, p, x[t], tuple(state), time), state)
        outputs[t] = output(layer, p, state)
        started = True
    final = tuple(state) + ((np.array([float(started)]),) if layer.time_bias else ())
    return outputs, output(layer, p, tuple(state)), final


def run_recurrent(layer: Any, params: Any, x: Any, real: Any, state: Any) -> Any:
    if not layer.bidirectional:
        outputs, last, final = run_direction(layer, params, x, real, state, layer.reverse)
        return (outputs if layer.return_sequences else last), final
    parts = []
    for d, group in enumerate(("forward", "backward")):
        own = {
            name.removeprefix(f"{group}."): array
            for name, array in params.items()
            if name.startswith(f"{group}.")
        }
        start = None if state is None else state[d]
        parts.append(run_direction(layer, own, x, real, start, reverse=group == "backward"))
    finals = tuple(final for _, _, final in parts)
    one, two = (outputs if layer.return_sequences else last for outputs, last, _ in parts)
    merged = {
        "concat": lambda: np.concatenate([one, two], axis=-1),
        "sum": lambda: one + two,
        "mul": lambda: one * two,
        "ave": lambda: (one + two) / 2,
    }
    return merged[layer.merge](), finals


def windows(x: Any, size: int, stride: int, dilation: int, padding: str) -> list[Any]:
    """The windows (size, F) over the steps of one sequence x (L, F), which is padded explicitly."""
    span, L = (size - 1) * dilation + 1, len(x)
    before = after = 0
    if padding == "causal":
        before = span - 1
    elif padding == "same":
        outputs = -(-L // stride)
        missing = max((outputs - 1) * stride + span - L, 0)
        before, after = missing // 2, missing - missing // 2
    x = np.concatenate([np.zeros((before, x.shape[1])), x, np.zeros((after, x.shape[1]))])
    return [x[t : t + span : dilation] for t in range(0, len(x) - span + 1, stride)]


def run_windows(layer: Any, p: Any, x: Any, real: Any, state: Any) -> Any:
    """Run a convolution or a windowed pool; return outputs, their mask, and the final state."""
    steps, final = x[real], None
    if isinstance(layer, Conv1D):
        geometry = (layer.kernel_size, layer.stride, layer.dilation)
        past = (layer.kernel_size - 1) * layer.dilation
        if layer.padding == "causal" and layer.stride == 1 and past:
            before = np.zeros((past, x.shape[1])) if state is None else state[0].reshape(past, -1)
            steps = np.concatenate([before, steps])
            seen, final = windows(steps, *geometry, "valid"), (steps[len(steps) - past :].ravel(),)
        else:
            seen = windows(steps, *geometry, layer.padding) if len(steps) else []
        W = p["W"].reshape(layer.kernel_size, x.shape[1], -1)
        found = [
            layer.activation(sum(u[j] @ W[j] for j in range(len(u))) + p.get("b", 0.0))
            for u in seen
        ]
        width = layer.filters
    else:
        seen = windows(steps, layer.size, layer.stride or layer.size, 1, "valid")
        combine = np.max if isinstance(layer, MaxPool1D) else np.mean
        found, width = [combine(u, axis=0) for u in seen], x.shape[1]
    outputs = np.zeros((layer.output_form(Form("sequence", 1, Steps(len(x)))).steps.count, width))
    if layer.output_form(Form("sequence", 1, Steps())).steps == Steps():
        outputs[real] = np.reshape(found, (-1, width))
        return outputs, real, final
    outputs[: len(found)] = np.reshape(found, (-1, width))
    return outputs, np.arange(len(outputs)) < len(found), final


def run_crf(layer: Any, p: Any, x: Any, real: Any) -> Any:
    """The potential of every pair of tags, one by one."""
    steps, K = np.flatnonzero(real), x.shape[1]
    y = np.zeros((len(x), K * K))
    for t in steps:
        for i in range(K):
            for j in range(K):
                score = x[t, j]
                if t > steps[0]:
                    score += p["W"][i, j]
                elif layer.use_ends:
                    score += p["start"][j]
                if t == steps[-1] and layer.use_ends:
                    score += p["end"][j]
                y[t, i * K + j] = score
    return y


def row_of(state: Any, n: int) -> Any:
    if state is None:
        return None
    return tuple(row_of(s, n) for s in state) if isinstance(state, tuple) else state[n]


def normalised(layer: Any, p: Any, x: Any) -> Any:
    """One step x (F,) after a normalisation."""
    centre = x - sum(x) / len(x) if isinstance(layer, LayerNorm) else x
    spread = sum(value**2 for value in centre) / len(x)
    return centre / np.sqrt(spread + layer.epsilon) * p.get("g", 1.0) + p.get("b", 0.0)


def attended(layer: Any, p: Any, parts: list[Any], masks: list[Any]) -> tuple[Any, Any]:
    """Attention: one query, one head, one step at a time; the output and its mask."""
    query, value = parts[0], parts[min(1, len(parts) - 1)]
    key, real = parts[-1] if len(parts) == 3 else value, masks[-1]
    outputs = []
    for i, q in enumerate(np.atleast_2d(query)):
        steps = [j for j in range(len(value)) if real[j] and (j <= i or not layer.causal)]
        if not steps or (masks[0] is not None and not masks[0][i]):
            outputs.append(None)
        elif isinstance(layer, AdditiveAttention):
            z = q @ p["W_q"] + p.get("b", 0.0)
            scores = [(np.tanh(z + key[j] @ p["W_k"]) @ p["W_e"])[0] for j in steps]
            outputs.append(weighted(scores, [value[j] for j in steps]))
        else:
            heads = [
                weighted([a @ b / np.sqrt(len(a)) for b in ks], vs)
                for a, ks, vs in by_head(layer, p, q, key[steps], value[steps])
            ]
            outputs.append(np.concatenate(heads) @ p["W_o"] + p.get("b_o", 0.0))
    additive = isinstance(layer, AdditiveAttention)
    nothing = np.zeros(value.shape[1] if additive else p["W_o"].shape[1])
    y = np.array([nothing if one is None else one for one in outputs])
    return (y[0], None) if query.ndim == 1 else (y, masks[0])


def by_head(layer: Any, p: Any, query: Any, key: Any, value: Any) -> Any:
    """Query, keys and values of each head."""
    parts = [
        np.split(x @ p[f"W_{name}"] + p.get(f"b_{name}", 0.0), layer.heads, axis=-1)
        for name, x in (("q", query), ("k", key), ("v", value))
    ]
    return zip(*parts, strict=True)


def weighted(scores: Any, values: Any) -> Any:
    """The mean of values by the softmax of their scores."""
    shares = np.exp(np.array(scores) - max(scores))
    return sum(share / shares.sum() * value for share, value in zip(shares, values, strict=True))


def rearranged(layer: Any, x: Any, real: Any) -> Any:
    """The steps of one sequence that is sliced or repeated, at the start of its row; its mask."""

    def changed(steps: Any) -> Any:
        if isinstance(layer, SliceSteps):
            return steps[layer.start : layer.stop]
        return [step for step in steps for _ in range(layer.times)]

    found = changed(list(x[real]))
    outputs = np.zeros((max(len(changed(list(x))), 1), x.shape[1]))
    outputs[: len(found)] = np.reshape(found, (-1, x.shape[1]))
    return outputs, np.arange(len(outputs)) < len(found)


def merged(layer: Any, parts: list[Any], masks: list[Any]) -> tuple[Any, Any]:
    """The inputs of a merging layer as one, step by step, and its mask."""
    real = next((mask for x, mask in zip(parts, masks, strict=True) if x.ndim == 2), None)

    def at(t: int) -> Any:
        step = [x if x.ndim == 1 else x[t] for x in parts]
        if isinstance(layer, Concatenate):
            return np.concatenate(step)
        if isinstance(layer, Multiply):
            return np.prod(step, axis=0)
        if isinstance(layer, Distance):
            return np.array([np.sqrt(sum((a - b) ** 2 for a, b in zip(*step, strict=True)))])
        return sum(step) / (len(step) if isinstance(layer, Average) else 1)

    if real is None:
        return at(0), None
    return np.array([at(t) * real[t] for t in range(len(real))]), real


def run_layer(layer: Any, p: Any, x: Any, real: Any, state: Any) -> tuple[Any, Any, Any]:
    """Run a layer on one sequence; return its output, the mask of that, and its final state.

    Of a layer that takes several inputs, ``x`` and ``real`` are lists.
    """
    final = None
    if isinstance(layer, AdditiveAttention | MultiHeadAttention):
        parts, masks = (x, real) if isinstance(x, list) else ([x], [real])
        x, real = attended(layer, p, parts, masks)
    elif layer.several:
        x, real = merged(layer, x, real)
    elif isinstance(layer, Recurrent):
        x, final = run_recurrent(layer, p, x, real, state)
    elif isinstance(layer, Conv1D | MaxPool1D | MeanPool1D):
        x, real, final = run_windows(layer, p, x, real, state)
    elif isinstance(layer, Flatten):
        size = layer.steps * x.shape[1]
        x = x[real].ravel() if real.any() else np.zeros(size)
    elif isinstance(layer, Embedding):
        x = np.array([p["W"][token] for token in x]) * real[:, None]
    elif isinstance(layer, Dense):
        rows = [layer.activation(row @ p["W"] + p.get("b", 0.0)) for row in np.atleast_2d(x)]
        x = np.array(rows) * real[:, None] if x.ndim == 2 else rows[0]
    elif isinstance(layer, CRF):
        x = run_crf(layer, p, x, real)
    elif isinstance(layer, LayerNorm | RMSNorm):
        rows = np.array([normalised(layer, p, row) for row in np.atleast_2d(x)])
        x = rows * real[:, None] if x.ndim == 2 else rows[0]
    elif isinstance(layer, SliceFeatures):
        x = x[..., layer.start : layer.stop]
    elif isinstance(layer, TimeReverse):
        x = x.copy()
        x[real] = x[real][::-1]
    elif isinstance(layer, Repeat | SliceSteps):
        x, real = rearranged(layer, x, real)
    elif isinstance(layer, RepeatVector):
        x, real = np.array([x] * layer.steps), np.ones(layer.steps, dtype=bool)
    elif isinstance(layer, LastStep):
        x = x[real][-1] if real.any() else np.zeros(x.shape[1])
    elif isinstance(layer, MeanPool):
        x = x[real].mean(axis=0) if real.any() else np.zeros(x.shape[1])
    elif isinstance(layer, MaxPool):
        x = x[real].max(axis=0) if real.any() else np.zeros(x.shape[1])
    else:
        assert isinstance(layer, Dropout)
    return x, real, final


def own(params: Any, owner: str) -> dict[str, Any]:
    """The parameters of one owner."""
    return {k.partition(".")[2]: v for k, v in params.items() if k.startswith(f"{owner}.")}


def run_one(net: Any, x: Any, real: Any, states: list[Any]) -> tuple[Any, list[Any]]:
    """Run all layers on one sequence; return the output and the final state of each layer."""
    handed, finals = None, []
    for i, layer in enumerate(net.layers):
        recurrent = isinstance(layer, Recurrent)
        state = handed if recurrent and states[i] is None else states[i]
        x, real, final = run_layer(layer, own(net.params, str(i)), x, real, state)
        if recurrent:
            later = any(isinstance(other, Recurrent) for other in net.layers[i + 1 :])
            handed = final if layer.return_state and later else None
        finals.append(final)
    return x, finals


def run(net: Any, x: Any, mask: Any, states: list[Any]) -> tuple[np.ndarray, list[list[Any]]]:
    """Run all sequences; return the outputs, and for each sequence each layer's final state."""
    outputs, finals = [], []
    for n in range(len(x)):
        real = np.ones(x.shape[1], dtype=bool) if mask is None else mask[n]
        y, final = run_one(net, x[n], real, [row_of(s, n) for s in states])
        outputs.append(y)
        finals.append(final)
    return np.array(outputs), finals
