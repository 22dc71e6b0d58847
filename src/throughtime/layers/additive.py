r"""Additive attention, as in the first translator that could look at its source.

    e_ij = tanh(q_i W_q + b + k_j W_k) W_e                                      (AT3)

with W_q (F_q, U), W_k (F_k, U), b (U,) and W_e (U, 1); weights and output are those of (AT1) and
(AT2). Backwards, with h_ij the tanh and dL/dz_ij = (1 - h_ij^2) * (dL/de_ij W_e^T),

    dL/dW_e += sum over i, j of h_ij^T dL/de_ij                                 (AT3')
    dL/d(q_i W_q + b) = sum over j of dL/dz_ij,   dL/d(k_j W_k) = sum over i of dL/dz_ij

Bahdanau, Cho and Bengio (2015), arXiv:1409.0473.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.activations import Tanh
from throughtime.errors import check_int
from throughtime.kernels.affine import affine, affine_backward
from throughtime.layers.attention import Attention, attend, roles
from throughtime.layers.base import LAYERS, Call
from throughtime.layers.forms import Form

_TANH = Tanh()


@LAYERS.register("AdditiveAttention")
@dataclass(frozen=True)
class AdditiveAttention(Attention):
    """Look at a sequence with scores of a small network: tanh(q W_q + b + k W_k) W_e.

    Takes one input, two or three: ``[query, value, key]``. The key is the value where it is
    missing; a single input is all three (self-attention). The output has the weighted mean of the
    values for each query: ``AdditiveAttention(8)([state, source])``.

    Parameters
    ----------
    units : int
        Number of hidden units U of the scores.
    causal : bool
        Whether a query looks at the steps up to its own alone; queries and values then have the
        same steps.
    dropout : float
        Probability that a weight is dropped in training.
    use_bias : bool
        Whether to add b.
    initializer : str, Initializer or callable
        Initializer of W_q, W_k and W_e.
    lr_multiplier : float
        Factor on the learning rate of this layer; 0 freezes the layer.
    l1, l2 : float, optional
        Penalties on the weights, added to those of the training call.

    Notes
    -----
    The query is a sequence (N, T_q, F_q) or a vector (N, F_q); the output then is one, too. Masked
    steps of the values have the weight 0. A query that may look at no step has the output 0.

    A pass takes N T_q T_v U numbers of memory.

    Examples
    --------
    >>> import throughtime as tt
    >>> source = tt.Input(3, name="source")
    >>> h, state = tt.layers.GRU(4, return_sequences=True, return_state=True)(source)
    >>> query = tt.Input(2, name="query", time=False)
    >>> net = tt.Network(
    ...     inputs=[query, source], outputs=tt.layers.AdditiveAttention(8)([query, h])
    ... )
    >>> net.predict({"query": np.ones((5, 2)), "source": np.ones((5, 7, 3))}).shape
    (5, 4)
    """

    units: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("units", self.units, 1)

    def width(self, query: Form, value: Form, key: Form) -> int:
        return value.features

    def pass_size(self, form: Any, after: Form) -> int:
        query, _, key = roles(form)
        pairs = (query.size // query.features) * (key.size // key.features)
        return pairs * (2 * self.units + 3) + 2 * after.size

    def param_shapes(self, form: Any) -> dict[str, tuple[int, ...]]:
        query, _, key = roles(form)
        shapes: dict[str, tuple[int, ...]] = {
            "W_q": (query.features, self.units),
            "W_k": (key.features, self.units),
            "W_e": (self.units, 1),
        }
        return shapes | {"b": (self.units,)} if self.use_bias else shapes

    def project(self, p: Any, value: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return affine(key, p.W_k), value

    def look(
        self,
        p: Any,
        query: np.ndarray,
        keys: np.ndarray,
        values: np.ndarray,
        allowed: np.ndarray | None,
        call: Call,
    ) -> tuple[np.ndarray, Any]:
        q = affine(query, p.W_q, p.b if self.use_bias else None)
        h = _TANH(q[:, :, None] + keys[:, None])
        scores = affine(h, p.W_e)[..., 0][:, None].copy()  # (AT3)
        attended = attend(scores, values[:, None], allowed, self.drop_of(scores, call))
        return attended.context[:, 0], (attended, h)

    def look_back(
        self, grad: Any, p: Any, cache: Any, dy: np.ndarray, inputs: tuple[np.ndarray, ...]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        attended, h = cache
        query, _, key = inputs
        d_scores, d_values = attended.back(dy[:, None])
        dh = affine_backward(h, p.W_e, d_scores[:, 0, ..., None], grad.W_e, None)
        assert dh is not None
        dz = _TANH.backward(dh, h)  # (AT3')
        db = grad.b if self.use_bias else None
        d_query = affine_backward(query, p.W_q, dz.sum(axis=2), grad.W_q, db)
        d_key = affine_backward(key, p.W_k, dz.sum(axis=1), grad.W_k, None)
        assert d_query is not None
        assert d_key is not None
        return d_query, d_values[:, 0], d_key
