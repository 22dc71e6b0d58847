r"""Attention: each query looks at all steps of the values, and takes their weighted mean.

With q_i a query, k_j and v_j the key and the value of step j, and e_ij the score of step j,

    a_ij = m_ij exp(e_ij) / sum over k of m_ik exp(e_ik)                        (AT1)
    c_i = sum over j of a_ij v_j                                                (AT2)

with m_ij = 1 where query i may look at step j, else 0: at a masked step, and at a later step in
causal attention. A query that may look at no step has c_i = 0. Dropout acts on a_ij in (AT2).
Backwards,

    dL/dv_j = sum over i of a_ij dL/dc_i,   dL/da_ij = dL/dc_i . v_j            (AT2')
    dL/de_ij = a_ij (dL/da_ij - c_i . dL/dc_i)                                  (AT1')

where c_i . dL/dc_i = sum over k of a_ik dL/da_ik is the term that softmax needs. The scores are
those of :mod:`throughtime.layers.additive` or of :mod:`throughtime.layers.multihead`.

On the native engine each sum over steps is one chain in the order of the steps, in which a weight
of 0 changes nothing: a query gets the same bits whatever masked or later steps there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import Exp
from throughtime.cells.base import State
from throughtime.errors import check_bool, check_float
from throughtime.initializers import INITIALIZERS
from throughtime.kernels.affine import affine
from throughtime.kernels.products import products
from throughtime.layers.base import UNTAPED, Call, Layer, Result, chosen, keep_mask
from throughtime.layers.forms import Form
from throughtime.layers.several import common_mask

_EXP = Exp()


@dataclass
class Attended:
    """What (AT1) and (AT2) keep; h heads.

    Attributes
    ----------
    weights : ndarray of shape (N, h, T_q, T_v)
        a_ij of (AT1).
    drop : ndarray of the same shape, or None
        Dropout of the weights.
    values : ndarray of shape (N, h, T_v, V)
    context : ndarray of shape (N, h, T_q, V)
        c_i of (AT2).
    """

    weights: np.ndarray
    drop: np.ndarray | None
    values: np.ndarray
    context: np.ndarray

    def back(self, d_context: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return dL/de and dL/dv, from dL/dc."""
        used = self.weights if self.drop is None else self.weights * self.drop
        d_values = pairs(used.swapaxes(2, 3), d_context)  # (AT2')
        d_weights = pairs(d_context, self.values, transposed=True)
        if self.drop is not None:
            d_weights *= self.drop
        d_weights -= (self.context * d_context).sum(axis=-1, keepdims=True)
        return self.weights * d_weights, d_values  # (AT1')


def attend(
    scores: np.ndarray, values: np.ndarray, allowed: np.ndarray | None, drop: np.ndarray | None
) -> Attended:
    """Compute (AT1) and (AT2).

    Parameters
    ----------
    scores : ndarray of shape (N, h, T_q, T_v)
        e_ij; changed.
    values : ndarray of shape (N, h, T_v, V)
    allowed : ndarray of bool that broadcasts to the shape of the scores, or None
        m_ij; None if all are 1.
    drop : ndarray of the shape of the scores, or None
    """
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    scores -= np.where(np.isneginf(top), 0, top)
    weights = _EXP(scores)
    # A product with ones, and not a sum, for its order.
    total = affine(weights, np.ones((weights.shape[-1], 1), weights.dtype))
    weights /= np.where(total == 0, 1, total)  # (AT1)
    context = pairs(weights if drop is None else weights * drop, values)  # (AT2)
    return Attended(weights, drop, values, context)


def pairs(x: np.ndarray, W: np.ndarray, transposed: bool = False) -> np.ndarray:
    """The products of all matrices ``x (N, h, M, F)`` and ``W (N, h, F, K)``: (N, h, M, K)."""
    y = products(x.reshape(-1, *x.shape[2:]), W.reshape(-1, *W.shape[2:]), transposed)
    return y.reshape(*x.shape[:2], *y.shape[1:])


@dataclass(frozen=True)
class Attention(Layer):
    """Options that both kinds share; see :class:`throughtime.layers.AdditiveAttention`."""

    _: KW_ONLY
    causal: bool = False
    dropout: float = 0.0
    use_bias: bool = True
    initializer: Any = chosen("glorot_uniform", INITIALIZERS)
    lr_multiplier: float = 1.0
    l1: float | None = None
    l2: float | None = None

    several: ClassVar[bool] = True
    sources: ClassVar[tuple[int, int | None]] = (1, 3)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bool("causal", self.causal)
        check_float("dropout", self.dropout, 0.0, 1.0, inclusive="low")
        check_bool("use_bias", self.use_bias)

    @property
    def aligned(self) -> bool:  # type: ignore[override]  # it depends on an option
        """Whether the steps of the queries are those of the values."""
        return self.causal

    @property
    def draws(self) -> bool:
        return self.dropout > 0

    def refusal(self, forms: tuple[Form, ...]) -> str | None:
        if any(form.kind != "sequence" for form in forms[1:] or forms):
            return "its values and keys must be sequences; only its query may be a vector."
        if self.causal and forms[0].kind != "sequence":
            return "its query is a vector, which has no step, so causal must be False."
        return None

    def output_form(self, form: Any) -> Form:
        return replace(form[0], features=self.width(*roles(form)))

    def width(self, query: Form, value: Form, key: Form) -> int:
        """Features of the output."""
        raise NotImplementedError

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        for name, array in params.items():
            if name.startswith("W"):
                array[...] = self.initializer(array.shape, rng, array.dtype)

    # -- forward and backward -----------------------------------------------------------------

    def project(self, p: Any, value: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The keys and the values that scores and weights work on, (N, T_v, ...) each."""
        raise NotImplementedError

    def look(
        self,
        p: Any,
        query: np.ndarray,
        keys: np.ndarray,
        values: np.ndarray,
        allowed: np.ndarray | None,
        call: Call,
    ) -> tuple[np.ndarray, Any]:
        """The output (N, T_q, K) for queries (N, T_q, F), and what the backward pass needs.

        The second is a tuple that begins with an :class:`Attended`.
        """
        raise NotImplementedError

    def look_back(
        self, grad: Any, p: Any, cache: Any, dy: np.ndarray, inputs: tuple[np.ndarray, ...]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Add to ``grad``; return dL/d(query), dL/d(value) and dL/d(key)."""
        raise NotImplementedError

    def drop_of(self, scores: np.ndarray, call: Call) -> np.ndarray | None:
        """Dropout of the weights."""
        return keep_mask(self.dropout, scores.shape, scores.dtype, call)

    def forward(self, p: Any, x: Any, mask: Any, state: Any, call: Call) -> Result:
        query, value, key = roles(x)
        own, real, _ = roles(mask)
        if len(x) == 3:
            real = common_mask(f"the values and keys of {self.kind}", x[1:], mask[1:])
        one = query.ndim == 2
        queries = query[:, None] if one else query
        if self.causal:
            common_mask(f"the queries and values of {self.kind}", (query, value), (None, None))
        allowed = self._allowed(real, value.shape[1])
        keys, values = self.project(p, value, key)
        y, cache = self.look(p, queries, keys, values, allowed, call)
        seen = self._seen(own, allowed)
        if seen is not None:
            y = np.where(seen[..., None], y, 0)
        inputs = (queries, value, key)
        kept = (p, cache, inputs, seen, len(x), one) if call.keep else None
        return Result(y[:, 0] if one else y, own, kept)

    def _allowed(self, real: np.ndarray | None, steps: int) -> np.ndarray | None:
        """m_ij of (AT1), (N, 1, T_q, T_v) or less; None if all are 1."""
        allowed = None if real is None else real[:, None, None]
        if not self.causal:
            return allowed
        past = np.tri(steps, dtype=bool)
        return past if allowed is None else allowed & past

    @staticmethod
    def _seen(own: np.ndarray | None, allowed: np.ndarray | None) -> np.ndarray | None:
        """Which queries have an output: those that are unmasked and may look at a step."""
        if allowed is None or allowed.ndim == 2:  # each looks at itself at least
            return own
        some = np.asarray(allowed.any(axis=-1))[:, 0]
        return some if own is None else own & some

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[Any, Any]:
        p, kept, arrays, seen, count, one = cache
        assert dy is not None
        dy = dy[:, None] if one else dy
        if seen is not None:
            dy = np.where(seen[..., None], dy, 0)
        d_query, d_value, d_key = self.look_back(grad, p, kept, dy, arrays)
        if count == 1:
            return (d_query + d_value + d_key,), None
        d_query = d_query[:, 0] if one else d_query
        return ((d_query, d_value, d_key) if count == 3 else (d_query, d_value + d_key)), None

    @staticmethod
    def weights_of(cache: Any) -> np.ndarray:
        """The weights (N, h, T_q, T_v) in what a forward pass kept."""
        _, (attended, *_), *_ = cache
        weights: np.ndarray = attended.weights
        return weights

    # -- streams ------------------------------------------------------------------------------

    def stream_refusal(self) -> str | None:
        return None if self.causal else "it looks at all steps of its values, also at later ones"

    def chunk_refusal(self) -> str | None:
        return self.stream_refusal() or "it looks back at the steps of earlier chunks"

    def stream_start(self, p: Any, rows: int, dtype: np.dtype) -> State:
        # Whether each step is unmasked; inputs whose keys are not computed yet; keys; values.
        return tuple(np.zeros((rows, 0), dtype) for _ in range(4))

    def stream_step(self, p: Any, x: Any, state: State) -> tuple[np.ndarray, State]:
        query, value, key = (one[:, None] for one in roles(x))
        seen, waiting, keys, values = state
        N, split = len(query), value.shape[2]
        new = np.concatenate([value, key] if len(x) == 3 else [value], axis=2)
        new = np.concatenate([waiting.reshape(N, -1, new.shape[2]), new], axis=1)
        own = self.project(p, new[..., :split], new[..., split:] if len(x) == 3 else new)
        past = zip((keys, values), own, strict=True)
        keys, values = (
            np.concatenate([old.reshape(N, -1, now.shape[2]), now], axis=1) for old, now in past
        )
        seen = np.concatenate([seen, np.ones((N, 1), seen.dtype)], axis=1)
        y, _ = self.look(p, query, keys, values, seen[:, None, None] > 0, UNTAPED)
        return y[:, 0], (seen, waiting[:, :0], keys.reshape(N, -1), values.reshape(N, -1))

    def stream_after(self, x: Any, mask: Any, final_state: Any) -> State:
        N, T = x[-1].shape[:2]
        new = np.concatenate(x[1:] if len(x) == 3 else x[-1:], axis=2)
        seen = np.ones((N, T), new.dtype)
        if mask[-1] is not None:
            seen[...] = mask[-1]
        nothing = np.zeros((N, 0), new.dtype)
        return seen, new.reshape(N, -1), nothing, nothing

    def stream_select(self, chosen: np.ndarray, new: State, old: State) -> State:
        # The rows that begin anew see no step so far.
        return (np.where(chosen[:, None], 0, old[0]), *old[1:])

    def stream_fits(self, given: State, own: State) -> bool:
        # The number of steps so far may differ.
        return len(given) == len(own) and all(
            part.ndim == 2 and len(part) == len(own[0]) for part in given
        )


def roles(given: Any) -> tuple[Any, Any, Any]:
    """Query, value and key of one, two or three inputs."""
    query, value = given[0], given[1 if len(given) > 1 else 0]
    return query, value, given[2] if len(given) == 3 else value
