r"""Scaled dot-product attention with several heads.

For each of h heads, with q_i, v_j and k_j the steps of query, value and key, and d the features of
a head,

    q'_i = q_i W_q + b_q,   k'_j = k_j W_k + b_k,   v'_j = v_j W_v + b_v        (AT4)
    e_ij = q'_i . k'_j / sqrt(d)                                                (AT5)
    y_i = [c_i of head 1, ..., c_i of head h] W_o + b_o                         (AT6)

with c_i of (AT1) and (AT2) on v'_j. Head n has the columns n d ... (n + 1) d - 1 of W_q, W_k and
W_v, and these rows of W_o. Backwards,

    dL/dc_i = dL/dy_i W_o^T,   dL/dW_o += sum over i of c_i^T dL/dy_i           (AT6')
    dL/dq'_i = sum over j of dL/de_ij k'_j / sqrt(d)
    dL/dk'_j = sum over i of dL/de_ij q'_i / sqrt(d)                            (AT5')

and (D1') of :mod:`throughtime.kernels.affine` takes them through (AT4).

Vaswani et al. (2017), arXiv:1706.03762.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import check_int
from throughtime.kernels.affine import affine, affine_backward
from throughtime.layers.attention import Attention, attend, pairs, roles
from throughtime.layers.base import LAYERS, Call
from throughtime.layers.forms import Form


@LAYERS.register("MultiHeadAttention")
@dataclass(frozen=True)
class MultiHeadAttention(Attention):
    """Look at a sequence with several heads, each with scores and values of its own.

    Takes one input, two or three: ``[query, value, key]``. The key is the value where it is
    missing; a single input is all three (self-attention).

    Parameters
    ----------
    heads : int
        Number of heads h.
    units : int, optional
        Features of the output; by default those of the query.
    head_units : int, optional
        Features d of a head; by default ``units / heads``.
    causal : bool
        Whether a query looks at the steps up to its own alone; queries and values then have the
        same steps.
    dropout : float
        Probability that a weight is dropped in training.
    use_bias : bool
        Whether to add b_q, b_k, b_v and b_o.
    initializer : str, Initializer or callable
        Initializer of W_q, W_k, W_v and W_o.
    lr_multiplier : float
        Factor on the learning rate of this layer; 0 freezes the layer.
    l1, l2 : float, optional
        Penalties on the weights, added to those of the training call.

    Notes
    -----
    The query is a sequence (N, T_q, F_q) or a vector (N, F_q); the output then is one, too. Masked
    steps of the values have the weight 0. A query that may look at no step has the output 0.

    A pass takes 2 N h T_q T_v numbers of memory. In a stream the state grows by one step at every
    step, because a causal layer looks at all of them.

    ``W_q``, ``W_k`` and ``W_v`` side by side, transposed, are ``in_proj_weight`` of PyTorch's
    ``MultiheadAttention``, and ``W_o`` transposed is its ``out_proj.weight``.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.MultiHeadAttention(2, causal=True)], n_features=4)
    >>> net.predict(np.ones((3, 5, 4))).shape
    (3, 5, 4)
    >>> sorted(net.params)[:4]
    ['0.W_k', '0.W_o', '0.W_q', '0.W_v']
    """

    heads: int
    units: int | None = None
    head_units: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("heads", self.heads, 1)
        for name in ("units", "head_units"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name), 1)

    def refusal(self, forms: tuple[Form, ...]) -> str | None:
        units = self.units or forms[0].features
        if self.head_units is None and units % self.heads:
            return (
                f"{units} features of the output cannot be shared among heads={self.heads}; give"
                " head_units."
            )
        return super().refusal(forms)

    def width(self, query: Form, value: Form, key: Form) -> int:
        return self.units or query.features

    def pass_size(self, form: Any, after: Form) -> int:
        query, _, key = roles(form)
        steps = [one.size // one.features for one in (query, key)]
        inner = self._inner(query)
        return 2 * self.heads * steps[0] * steps[1] + 4 * inner * sum(steps) + 2 * after.size

    def _inner(self, query: Form) -> int:
        """H d, the features of all heads."""
        units = self.units or query.features
        return units if self.head_units is None else self.heads * self.head_units

    def param_shapes(self, form: Any) -> dict[str, tuple[int, ...]]:
        query, value, key = roles(form)
        inner, units = self._inner(query), self.width(query, value, key)
        shapes: dict[str, tuple[int, ...]] = {
            "W_q": (query.features, inner),
            "W_k": (key.features, inner),
            "W_v": (value.features, inner),
            "W_o": (inner, units),
        }
        if self.use_bias:
            shapes |= {"b_q": (inner,), "b_k": (inner,), "b_v": (inner,), "b_o": (units,)}
        return shapes

    def _bias(self, p: Any, name: str) -> np.ndarray | None:
        found: np.ndarray | None = getattr(p, name) if self.use_bias else None
        return found

    def project(self, p: Any, value: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keys = affine(key, p.W_k, self._bias(p, "b_k"))  # (AT4)
        return keys, affine(value, p.W_v, self._bias(p, "b_v"))

    def look(
        self,
        p: Any,
        query: np.ndarray,
        keys: np.ndarray,
        values: np.ndarray,
        allowed: np.ndarray | None,
        call: Call,
    ) -> tuple[np.ndarray, Any]:
        q = affine(query, p.W_q, self._bias(p, "b_q"))
        q *= q.dtype.type(1 / math.sqrt(q.shape[-1] // self.heads))
        q, k, v = (self._split(one) for one in (q, keys, values))
        scores = pairs(q, k, transposed=True)  # (AT5)
        attended = attend(scores, v, allowed, self.drop_of(scores, call))
        context = _joined(attended.context)
        y = affine(context, p.W_o, self._bias(p, "b_o"))  # (AT6)
        return y, (attended, q, k, context)

    def look_back(
        self, grad: Any, p: Any, cache: Any, dy: np.ndarray, inputs: tuple[np.ndarray, ...]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        attended, q, k, context = cache
        query, value, key = inputs
        d_context = affine_backward(context, p.W_o, dy, grad.W_o, self._bias(grad, "b_o"))  # (AT6')
        assert d_context is not None
        d_scores, dv = attended.back(self._split(d_context))
        dq = pairs(d_scores, k)
        dq *= dq.dtype.type(1 / math.sqrt(q.shape[-1]))
        dk = pairs(d_scores.swapaxes(2, 3), q)  # (AT5')
        found = []
        for name, x, d in (("q", query, dq), ("v", value, dv), ("k", key, dk)):
            W, dW = getattr(p, f"W_{name}"), getattr(grad, f"W_{name}")
            dx = affine_backward(x, W, _joined(d), dW, self._bias(grad, f"b_{name}"))
            assert dx is not None
            found.append(dx)
        return found[0], found[1], found[2]

    def _split(self, x: np.ndarray) -> np.ndarray:
        """``x (N, T, h d)`` by heads: (N, h, T, d)."""
        N, T, inner = x.shape
        return np.ascontiguousarray(x.reshape(N, T, self.heads, inner // self.heads).swapaxes(1, 2))


def _joined(x: np.ndarray) -> np.ndarray:
    """``x (N, h, T, d)`` with the heads side by side: (N, T, h d)."""
    N, heads, T, d = x.shape
    return x.swapaxes(1, 2).reshape(N, T, heads * d)
