r"""The potentials of a linear-chain conditional random field, from scores of tags and transitions.

    m_t(i, j) = x_t(j) + W(i, j)          between two unmasked steps
    m_1(i, j) = x_1(j) + start(j)         at the first one                              (CF1)
    m_T(i, j) += end(j)                   at the last one

for the tag i of the unmasked step before and the tag j of step t. Lafferty, McCallum and Pereira
(2001), ICML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from throughtime.errors import check_bool
from throughtime.initializers import INITIALIZERS
from throughtime.layers.base import LAYERS, Call, Layer, Result, chosen
from throughtime.layers.forms import Form


@LAYERS.register("CRF")
@dataclass(frozen=True)
class CRF(Layer):
    """Potentials of pairs of neighbouring tags: scores (N, T, K) in, (N, T, K K) out.

    It learns which tag follows which. End a network with it and train with ``loss="crf"``; output
    ``i K + j`` of a step is the potential of tag j after tag i.
    :func:`~throughtime.data.crf_viterbi` turns outputs into the most probable tags,
    :func:`~throughtime.data.crf_marginals` into probabilities of tags.

    Parameters
    ----------
    use_ends : bool
        Whether to learn which tags begin and end a sequence.
    initializer : str, Initializer or callable
        Initializer of the transitions W (K, K).
    lr_multiplier : float
        Factor on the learning rate of this layer; 0 freezes the layer.
    l1, l2 : float, optional
        Penalties on W, added to those of the training call.

    Examples
    --------
    >>> import throughtime as tt
    >>> scores = [tt.layers.GRU(8, return_sequences=True), tt.layers.Dense(3)]
    >>> net = tt.Network([*scores, tt.layers.CRF()], n_features=2)
    >>> y = net.predict(np.zeros((4, 6, 2)))
    >>> y.shape, tt.data.crf_viterbi(y).shape
    ((4, 6, 9), (4, 6))
    """

    _: KW_ONLY
    use_ends: bool = True
    initializer: Any = chosen("zeros", INITIALIZERS)
    lr_multiplier: float = 1.0
    l1: float | None = None
    l2: float | None = None

    takes: ClassVar[tuple[str, ...]] = ("sequence",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bool("use_ends", self.use_ends)

    def output_form(self, form: Form) -> Form:
        return replace(form, features=form.features**2)

    def param_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        k = form.features
        shapes: dict[str, tuple[int, ...]] = {"W": (k, k)}
        return shapes | {"start": (k,), "end": (k,)} if self.use_ends else shapes

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        params["W"][...] = self.initializer(params["W"].shape, rng, params["W"].dtype)

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        n, steps, k = x.shape
        rows, first, last = _ends(n, steps, mask)
        m = x[:, :, None] + p.W
        m[rows, first] = x[rows, first][:, None]
        if self.use_ends:
            m[rows, first] += p.start
            m[rows, last] += p.end
        if mask is not None:
            m[~mask] = 0
        return Result(m.reshape(n, steps, k * k), mask, (x.shape, mask))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        (n, steps, k), mask = cache
        assert dy is not None
        if mask is not None:
            dy = np.where(mask[..., None], dy, 0)
        dm = dy.reshape(n, steps, k, k)
        dx = dm.sum(axis=2)
        rows, first, last = _ends(n, steps, mask)
        between = dm.copy()
        between[rows, first] = 0
        grad.W += between.sum(axis=(0, 1))
        if self.use_ends:
            grad.start += dx[rows, first].sum(axis=0)
            grad.end += dx[rows, last].sum(axis=0)
        return dx, None

    def stream_refusal(self) -> str | None:
        return "it needs whole sequences"


def _ends(n: int, steps: int, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows, and the first and the last unmasked step of each, (N,) each."""
    rows = np.arange(n)
    if mask is None:
        return rows, np.zeros_like(rows), np.full_like(rows, steps - 1)
    return rows, mask.argmax(axis=1), steps - 1 - mask[:, ::-1].argmax(axis=1)
