"""What a mutant is, which tests know it first, and wrong lines of options, scans and graphs.

The others are in ``mutate.py``, which puts them in.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A mistake: ``new`` replaces ``old``, which occurs once in ``file``."""

    name: str
    file: str
    old: str
    new: str
    wrong_forwards: bool = False  # and backward agrees with it, so gradient checks pass

    def of(self, text: str) -> str:
        """The text of the file with the mistake."""
        if text.count(self.old) != 1:
            raise LookupError(f"{self.old!r} must occur once in {self.file}; update the mutant")
        return text.replace(self.old, self.new)


OF_OPTIONS = [
    Mutant("normalisation: its mean missing", "cells/normalisation.py",
           "(d - mean - y * along)", "(d - y * along)"),
    Mutant("normalisation: its scale is no constant", "cells/normalisation.py",
           "(d - mean - y * along)", "(d - mean)"),
    Mutant("normalisation of the input missing on the way back", "bptt.py",
           "rows = normalise_backward(rows * p.g_x, w, k, cell.normalised)",
           "rows = rows * p.g_x"),
    Mutant("gain of the input overwritten", "bptt.py", "grad.g_x += ", "grad.g_x[...] = "),
    Mutant("gain of the input missing on the way back", "bptt.py",
           "normalise_backward(rows * p.g_x,", "normalise_backward(rows,"),
    Mutant("derivative at the clipped state", "bptt.py",
           "if self.proposed else self.state_at(t + 1)", "if False else self.state_at(t + 1)"),
    Mutant("zoneout stops the gradient", "bptt.py",
           "d + p for d, p in zip(d_previous, passed", "d for d, p in zip(d_previous, passed"),
    Mutant("masked step leaks into a cell's own parameters", "bptt.py",
           "da, *more = (np.where(real, d, 0) for d in (da, *more))", "da = np.where(real, da, 0)"),
    Mutant("a held unit learns", "cells/update.py",
           "(d - kept for d, kept in zip(dstate, passed, strict=True))", "dstate"),
    Mutant("a clipped h learns", "cells/update.py",
           "dh = np.where(abs(proposed[0]) < self.clip, dh, 0)", "pass"),
    Mutant("Elman: W_h of a normalised cell from da", "cells/norm_elman.py",
           "h_used.T @ more[0]", "h_used.T @ da"),
    Mutant("GRU: gain of n from da_n", "cells/norm_gru.py",
           "(dq * kept.w_n)", "(da[:, two:] * kept.w_n)"),
    Mutant("GRU: r and z normalised apart", "cells/norm_gru.py", "BOTH, ONE = (2,), (1,)",
           "BOTH, ONE = (1, 1), (1,)", True),
    Mutant("GRU, reset before: r missing", "cells/norm_gru.py",
           "dused * dropped(h_prev, drop), dused * r", "dused * dropped(h_prev, drop), dused"),
    Mutant("projection not transposed back", "cells/general_lstm.py",
           "dh if self.proj_size is None else dh @ p.W_r.T",
           "dh if self.proj_size is None else 0 * dh @ p.W_r.T"),
    Mutant("dW_r with c instead of m", "cells/general_lstm.py",
           "(k.o * k.phi).T @ dh", "k.phi.T @ dh"),
    Mutant("peephole of o with c_{t-1}", "cells/general_lstm.py", "du_o * c]", "du_o * c_prev]"),
    Mutant("no way back through the peephole of o", "cells/general_lstm.py",
           "dc = dc + du_o * p.W_c[n]", "pass"),
    Mutant("no way back through the peepholes of i and f", "cells/general_lstm.py",
           "dc_prev = dc_prev + sum(", "sum("),
    Mutant("a clipped memory learns", "cells/general_lstm.py",
           "dc = np.where(abs(c) < self.cell_clip, dc, 0)", "pass"),
    Mutant("the clip acts after the way back through the forget gate", "cells/general_lstm.py",
           "dc_prev = dc * f\n", "dc_prev = (dc if self.cell_clip is None else dv) * f\n"),
    Mutant("coupled gate without what it forgets", "cells/general_lstm.py",
           "dc * (k.g - c_prev)", "dc * k.g"),
    Mutant("normalised memory: its own scale missing", "cells/general_lstm.py",
           "normalise_backward(dv * p.g_c, k.c, k.c_scale, WHOLE)", "dv * p.g_c"),
    Mutant("gain of h_{t-1} from the normalised gradient", "cells/general_lstm.py",
           "grad.g_h += (da * k.r)", "grad.g_h += (dr * k.r)"),
    Mutant("dW_h from da", "cells/general_lstm.py", "h_used.T @ dr", "h_used.T @ da"),
]  # fmt: skip

OF_GRAPHS = [
    Mutant("a branch forgotten", "network/passes.py", "slopes[s] = _sum(slopes[s], part)  # (GR2)",
           "slopes[s] = part if slopes[s] is None else slopes[s]"),
    Mutant("a branch overwrites the others", "network/passes.py",
           "slopes[s] = _sum(slopes[s], part)  # (GR2)", "slopes[s] = part"),
    Mutant("a branch added twice", "network/passes.py",
           "total: np.ndarray = a + b", "total: np.ndarray = a + b + b"),
    Mutant("the gradient of a branch changed in place", "network/passes.py",
           "total: np.ndarray = a + b", "total: np.ndarray = np.add(a, b, out=a)"),
    Mutant("an output that is there twice counts once", "network/passes.py",
           "slopes[s] = _sum(slopes[s], one)", "slopes[s] = one"),
    Mutant("dL/dx of one input given to another", "network/passes.py",
           "zip(sources, parts, strict=True)", "zip(sources, parts[::-1], strict=True)"),
    Mutant("calls walked back in the order of the forward pass", "network/passes.py",
           "for i in reversed(range(len(net.layers))):", "for i in range(len(net.layers)):"),
    Mutant("gradient of a shared layer overwritten", "network/passes.py",
           "net.grad_groups[i], tape.caches[i]",
           "(net.grad_groups[i], *(a.fill(0) for a in vars(net.grad_groups[i]).values()"
           " if isinstance(a, np.ndarray)))[0], tape.caches[i]"),
    Mutant("a decoder does not teach its encoder", "network/passes.py",
           "d_states[source] = add_states(d_states[source], d_initial)  # (GR3)", "pass"),
    Mutant("one decoder teaches the encoder", "network/passes.py",
           "d_states[source] = add_states(d_states[source], d_initial)  # (GR3)",
           "d_states[source] = d_initial"),
    Mutant("the gradient of a state that was replaced", "network/passes.py",
           "if source is None or tape.given[i]:", "if source is None:"),
    Mutant("vectors do not learn from the state made of them", "network/passes.py",
           "zip(source, d_initial, strict=False)", "zip(source, (), strict=False)"),
    Mutant("the vectors of a state swapped on the way back", "network/passes.py",
           "zip(source, d_initial, strict=False)", "zip(source[::-1], d_initial, strict=False)"),
    Mutant("a given state does not replace the one passed on", "network/passes.py",
           "if state is None and source is not None:", "if source is not None:"),
    Mutant("the mask of the first input for all", "network/passes.py",
           "layer.forward(groups[i], values[s], masks[s], state, own)",
           "layer.forward(groups[i], values[s], masks[0], state, own)"),
    Mutant("dL/dy counts at masked steps", "network/inputs.py",
           "one = one if mask is None else np.where(mask[..., None], one, dtype.type(0))", "pass"),
    Mutant("equal layers are one", "network/plan.py", "else id(owner)", "else owner"),
    Mutant("frozen layers learn", "network/freezing.py",
           "factors |= dict.fromkeys(self.frozen, 0.0)", "pass"),
]  # fmt: skip

OF_SCANS = [
    Mutant("minGRU: h_{t-1} missing in dz", "cells/min_gru.py", "dh * (n - h_prev)", "dh * n"),
    Mutant("minGRU: z and 1 - z swapped on the way back", "cells/min_gru.py",
           "(dh * (1 - z),)", "(dh * z,)"),
    Mutant("minGRU: the gate missing in dn", "cells/min_gru.py",
           "backward(dh * z, n", "backward(dh, n"),
    Mutant("minGRU: z weighs the old state", "cells/min_gru.py",
           "h = h_prev + z * (n - h_prev)", "h = n + z * (h_prev - n)", True),
    Mutant("minLSTM: the forget gate opens the input", "cells/min_lstm.py",
           "-d * not_f", "d * not_f"),
    Mutant("minLSTM: slope of the quotient alone", "cells/min_lstm.py",
           "[d * not_i, -d * not_f", "[d, -d"),
    Mutant("minLSTM: the gates of an LSTM, not normalised", "cells/min_lstm.py",
           "(1 - i),)", "GATE(-not_f),)"),
    Mutant("minLSTM: i and f swapped", "cells/min_lstm.py",
           "SOFTPLUS(-a_f) - SOFTPLUS(-a_i)", "SOFTPLUS(-a_i) - SOFTPLUS(-a_f)", True),
    Mutant("IndRNN: u missing on the way back", "cells/ind_rnn.py", "(p.u * dz,)", "(dz,)"),
    Mutant("IndRNN: h_{t-1} missing in du", "cells/ind_rnn.py", "(h_used * da)", "(1 * da)"),
    Mutant("LRU: lambda not conjugated", "cells/lru.py", "eigenvalues(p).conj() * d",
           "eigenvalues(p) * d"),
    Mutant("LRU: e^nu missing in dnu", "cells/lru.py", "-np.exp(p.nu) * past, 1j", "-past, 1j"),
    Mutant("LRU: i missing in dtheta", "cells/lru.py",
           "past, 1j * np.exp(p.theta) * past", "past, np.exp(p.theta) * past"),
    Mutant("LRU: a missing in dgamma", "cells/lru.py", "_real(da * a)", "_real(da)"),
    Mutant("LRU: g missing in dnu", "cells/lru.py", "_pair(v / g)", "_pair(v)"),
    Mutant("LRU: the skip forgotten", "layers/diagonal.py",
           "add_product(y, x, p.W_d)", "pass", True),
    Mutant("LRU: dL/dx through the skip missing", "layers/recurrent.py",
           "dx += dx_beside", "pass"),
    Mutant("LRU: gradient of the final states replaced by that of the output", "layers/diagonal.py",
           "d_end if d_cell is None else map(np.add, d_end, d_cell)", "d_end"),
    Mutant("LRU: gradient of the last skip missing", "layers/diagonal.py", "d_skip += dy", "pass"),
    Mutant("LRU: the initial skip has the gradient of the last one", "layers/diagonal.py",
           "d_skip[ends[0]] = 0", "pass"),
    Mutant("LRU: dL/dx of the last skip missing", "layers/diagonal.py",
           "dx[ends] += d_ends", "pass"),
    Mutant("LRU: the last step, not the last unmasked one", "layers/diagonal.py",
           "total - 1 - real[:, ::-1].argmax(axis=1)", "np.full(len(rows), total - 1)", True),
]  # fmt: skip

OF_ATTENTION = [
    Mutant("diagonal softmax of attention", "layers/attention.py",
           "d_weights -= (self.context * d_context).sum(axis=-1, keepdims=True)", "pass"),
    Mutant("values learn from the wrong queries", "layers/attention.py",
           "pairs(used.swapaxes(2, 3), d_context)",
           "pairs(used.swapaxes(2, 3), d_context[:, :, ::-1].copy())"),
    Mutant("dropout of attention missing on the way back", "layers/attention.py",
           "d_weights *= self.drop", "pass"),
    Mutant("self-attention without the gradient of the key", "layers/attention.py",
           "return (d_query + d_value + d_key,), None", "return (d_query + d_value,), None"),
    Mutant("the key that is the value without its gradient", "layers/attention.py",
           "else (d_query, d_value + d_key)", "else (d_query, d_value)"),
    Mutant("gradient of a masked query counts", "layers/attention.py",
           "            dy = np.where(seen[..., None], dy, 0)", "            pass"),
    Mutant("attention to padding", "layers/attention.py",
           "allowed = None if real is None else real[:, None, None]", "allowed = None", True),
    Mutant("causal attention to the next step", "layers/attention.py",
           "np.tri(steps, dtype=bool)", "np.tri(steps, k=1, dtype=bool)", True),
    Mutant("queries without 1 / sqrt(d) on the way back", "layers/multihead.py",
           "dq *= dq.dtype.type(1 / math.sqrt(q.shape[-1]))", "pass"),
    Mutant("keys learn from the wrong queries", "layers/multihead.py",
           "dk = pairs(d_scores.swapaxes(2, 3), q)",
           "dk = pairs(d_scores.swapaxes(2, 3), q[:, :, ::-1].copy())"),
    Mutant("tanh of additive attention without its derivative", "layers/additive.py",
           "dz = _TANH.backward(dh, h)", "dz = dh"),
    Mutant("additive query learns from one step", "layers/additive.py",
           "dz.sum(axis=2)", "dz[:, :, 0].copy()"),
    Mutant("product without the factors behind", "layers/merging.py",
           "left[i] = left[i] * right", "pass"),
    Mutant("vector beside a sequence learns from one step", "layers/merging.py",
           "_over_time(d) if d.ndim > axis", "d[:, 0] if d.ndim > axis"),
    Mutant("gradient of a mean not divided", "layers/merging.py",
           "return [dy / dy.dtype.type(len(parts))] * len(parts)", "return [dy] * len(parts)"),
]  # fmt: skip

#: By the file of the mutant: the tests to run before SUITE, so that it dies within seconds. Of each
#: test file those run that have one of the words in their ids, or all of them without words.
FIRST: dict[str, dict[str, tuple[str, ...]]] = {
    "bptt.py": {
        "test_bptt.py": ("loops_without_layers",),
        "test_gradients.py": ("rnn: ", "rnn, normalised: "),
    },
    "cells/update.py": {"test_gradients.py": ("gru, clipped: ", "gru, zoneout: ")},
    "layers/additive.py": {"test_layers_attention.py": ("additive",)},
    "layers/attention.py": {
        "test_layers_attention.py": ("heads-False-False-False-False", "[heads]"),
        "test_gradients.py": ("attention, dropout", "attention, ragged", "attention, causal"),
    },
    "layers/convolution.py": {"test_gradients.py": ("convolution: causal",)},
    "layers/crf.py": {"test_gradients.py": ("crf",)},
    "layers/dense.py": {"test_gradients.py": ("embedding",)},
    "layers/diagonal.py": {"test_gradients.py": ("lru: ",)},
    "layers/distance.py": {"test_layers_distance.py": ()},
    "layers/merge.py": {"test_gradients.py": ("rnn: merged",)},
    "layers/merging.py": {"test_network_passes.py": ("shared, None", "sides, None")},
    "layers/multihead.py": {"test_layers_attention.py": ("heads",)},
    "layers/normalization.py": {
        "test_layers_normalization.py": ("masked_step",),
        "test_gradients.py": ("LayerNorm",),
    },
    "layers/pooling.py": {"test_gradients.py": ("[mean",)},
    "layers/rearranging.py": {"test_gradients.py": ("reversed", "steps ", "repeated", "features")},
    "layers/recurrent.py": {"test_gradients.py": ("rnn: ", "lru: all outputs")},
    "layers/window_pooling.py": {"test_gradients.py": ("MaxPool1D", "MeanPool1D")},
    "layers/windows.py": {"test_gradients.py": ("convolution: causal",)},
    "losses/base.py": {"test_losses.py": ("mse",)},
    "losses/classification.py": {"test_losses.py": ("smoothed",)},
    "losses/crf.py": {"test_losses_sequence.py": ("crf",)},
    "losses/ctc.py": {"test_losses_sequence.py": ("ctc",)},
    "losses/focal.py": {"test_losses.py": ("focal",)},
    "losses/regression.py": {"test_losses.py": ("contrastive",)},
    "losses/sequence.py": {"test_losses_sequence.py": ()},
    "network/freezing.py": {"test_network_freezing.py": ()},
    "network/inputs.py": {"test_network_passes.py": ("plain",)},
    "network/passes.py": {
        "test_network_passes.py": (
            "worked_example", "own_mask", "given_state", "shared, None", "heads, None",
            "translator, None", "made_state, None",
        ),
    },
    "network/plan.py": {"test_network_plan.py": ()},
    "training/objective.py": {"test_gradients_losses.py": ("warm",)},
    "training/truncation.py": {"test_training_truncation.py": ("-(2, 2)-rnn", "of_each_row")},
}  # fmt: skip
