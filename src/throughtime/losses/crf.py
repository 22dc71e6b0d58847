r"""The linear-chain conditional random field: all tags of a sequence at once (Lafferty, 2001).

A sequence of T steps has potentials m_t(i, j) of tag j after tag i. Its tags y_1 .. y_T have the
probability exp(s) / Z, where s sums the potentials along them, y_0 = 0 stands for the start, and Z
sums exp(s) over all tags:

    s   = sum_t m_t(y_{t-1}, y_t)                                                          (CF2)
    a_t(j) = logsum_i (a_{t-1}(i) + m_t(i, j)),   log Z = logsum_j a_T(j)                  (CF3)
    l   = log Z - s                                                                        (CF4)
    q_t(i, j) = exp(a_{t-1}(i) + m_t(i, j) - a_t(j)),   the probability of i given j       (CF5)
    p_T(j) = exp(a_T(j) - log Z),   p_{t-1}(i) = sum_j q_t(i, j) p_t(j)                    (CF6)
    dl/dm_t(i, j) = q_t(i, j) p_t(j) - [i = y_{t-1}, j = y_t]                              (CF7)

All is in float64 and, until (CF5), in logarithms. A masked step is no step of a sequence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.errors import InvalidArgumentError, Message, ShapeError, check_array, sentence
from throughtime.kernels import selection
from throughtime.kernels.arrays import packed
from throughtime.kernels.rule import own_kernel
from throughtime.losses.base import LOSSES, Terms
from throughtime.losses.classification import class_numbers
from throughtime.losses.sequence import BLOCK, SequenceLoss

#: The logarithm of the probability of another start than y_0 = 0: finite, so that no difference of
#: two of them is NaN, and far beyond the sum of the potentials of any tags.
FAR = -1e300


@LOSSES.register("crf")
@dataclass(frozen=True)
class CRF(SequenceLoss):
    """Negative log-likelihood of all tags of a sequence together (Lafferty et al., 2001).

    The K^2 outputs of a step are the potentials of its tag j after the tag i before it, at ``i K +
    j``; at the first step, only those with i = 0 are used. The layer
    :class:`throughtime.layers.CRF` gives such outputs. The target is the number of a tag at every
    step. Metrics compare the probabilities of the tags with it. With ``"mean"``, each sequence has
    the weight 1, whatever the number of its steps.

    Examples
    --------
    Without potentials all tags are alike, three at each of four steps:

    >>> import numpy as np
    >>> value, dy = CRF()(np.zeros((1, 4, 9)), [[0, 2, 1, 1]])
    >>> round(float(np.exp(value)), 6) == 3**4
    True
    """

    kernel: ClassVar[str | None] = "crf"

    def check_n_outputs(self, n_outputs: int) -> None:
        if n_outputs < 4 or math.isqrt(n_outputs) ** 2 != n_outputs:
            raise InvalidArgumentError(
                Message(
                    "{loss} {name!r} needs K * K outputs for K tags, at least 4; got {n_outputs}.",
                    parameter="loss",
                    value=self,
                    hint="End the network with Dense(K) and CRF().",
                    name=self.name,
                    n_outputs=n_outputs,
                )
            )

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the numbers of the tags as int64 (N, T), or say what is wrong with them.

        Parameters
        ----------
        target : array-like of int of shape (N, T)
            The tags, from 0 to K - 1.
        y_shape : tuple of int
            Shape of the outputs, (N, T, K K).
        mask : ndarray of bool, of shape (N, T), optional
            True at the steps that count. The others may hold anything: NaN, -1, -100.
        """
        self.check_axes(y_shape)
        self.check_n_outputs(y_shape[-1])
        array = check_array("y", target, finite=False, hint="Number the tags 0, 1, 2 ... first.")
        if array.shape != tuple(y_shape[:2]):
            expected = f"the numbers of the tags, of shape {tuple(y_shape[:2])}"
            raise ShapeError(sentence("y", expected, f"shape {array.shape}"))
        way = "For {n} tags end the network with Dense({n}) and CRF()."
        return class_numbers(array, math.isqrt(y_shape[-1]), mask, way)

    def answers(self, y: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """Return the probabilities of the tags, (N, T, K)."""
        real = np.ones(y.shape[:2], dtype=bool) if mask is None else mask
        return marginals(y, real)

    def _compiled_terms(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        share: np.ndarray,
        dy: np.ndarray,
        logits: bool,
    ) -> np.ndarray | None:
        kernels = selection.kernels()
        if kernels is None or logits or own_kernel(self) is None:
            return None
        terms, flags = np.zeros(len(y)), None if mask is None else packed(mask)
        done = kernels.crf(packed(y), packed(target), flags, share, terms, dy)
        return terms if done else None

    def sequence_terms(
        self, y: np.ndarray, target: np.ndarray, mask: np.ndarray, limits: np.finfo
    ) -> Terms:
        m = by_pairs(y)
        log_z, q, last = forward(m, mask)
        dm = pair_marginals(q, last, mask)
        tags = np.where(mask, target, 0)
        before = np.zeros_like(tags)
        previous = np.zeros(len(tags), dtype=tags.dtype)
        for t in range(tags.shape[1]):
            before[:, t] = previous
            previous = np.where(mask[:, t], tags[:, t], previous)
        rows, steps = np.nonzero(mask)
        place = rows, steps, before[mask], tags[mask]
        score = np.bincount(rows, m[place], len(m))  # (CF2)
        dm[place] -= 1.0  # (CF7)
        return log_z - score, dm.reshape(y.shape)  # (CF4)


def by_pairs(y: np.ndarray) -> np.ndarray:
    """Return outputs (N, T, K K) as potentials (N, T, K, K)."""
    n_tags = math.isqrt(y.shape[-1])
    return y.reshape(*y.shape[:2], n_tags, n_tags)


def forward(m: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum over all tags.

    Parameters
    ----------
    m : ndarray of shape (N, T, K, K)
        Potentials.
    mask : ndarray of bool of shape (N, T)

    Returns
    -------
    log_z : ndarray of shape (N,)
        (CF3).
    q : ndarray of shape (T, N, K, K)
        (CF5); anything at masked steps.
    last : ndarray of shape (N, K)
        (CF6): the probabilities of the tags of the last step.
    """
    n, steps, n_tags, _ = m.shape
    a = np.full((n, n_tags), FAR)
    a[:, 0] = 0.0
    q = np.empty((steps, n, n_tags, n_tags))
    for t in range(steps):
        u = a[:, :, None] + m[:, t]
        peak = u.max(axis=1, keepdims=True)
        u -= peak
        weight = np.exp(u, out=q[t])
        total = weight.sum(axis=1, keepdims=True)
        weight /= total  # (CF5)
        new = (peak + np.log(total))[:, 0]  # (CF3)
        a = np.where(mask[:, t, None], new, a)
    peak = a.max(axis=1, keepdims=True)
    last = np.exp(a - peak)
    total = last.sum(axis=1, keepdims=True)
    return (peak + np.log(total))[:, 0], q, last / total


def pair_marginals(q: np.ndarray, last: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the probability of each pair of tags, (N, T, K, K): 0 at masked steps.

    It is the derivative of log Z by the potentials, (CF7).
    """
    steps, n, n_tags, _ = q.shape
    pairs = np.empty((n, steps, n_tags, n_tags))
    p = last
    for t in reversed(range(steps)):
        np.multiply(q[t], p[:, None], out=pairs[:, t])
        p = np.where(mask[:, t, None], pairs[:, t].sum(axis=2), p)  # (CF6)
    pairs[~mask] = 0.0
    return pairs


def marginals(y: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the probability of each tag, float64 (N, T, K): 0 at masked steps."""
    n, steps, width = y.shape
    p = np.zeros((n, steps, math.isqrt(width)))
    size = max(1, BLOCK // max(1, steps * width))
    for first in range(0, n, size):
        part = slice(first, first + size)
        _, q, last = forward(by_pairs(y[part].astype(np.float64)), mask[part])
        p[part] = pair_marginals(q, last, mask[part]).sum(axis=2)
    return p


def viterbi(y: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the most probable tags, int64 (N, T): -1 at masked steps.

    Viterbi (1967): (CF3) with the maximum in the place of the sum, and the tag before it kept.
    """
    m = by_pairs(y)
    n, steps, n_tags, _ = m.shape
    a = np.full((n, n_tags), FAR)
    a[:, 0] = 0.0
    best = np.empty((steps, n, n_tags), dtype=np.int64)
    for t in range(steps):
        u = a[:, :, None] + m[:, t]
        best[t] = u.argmax(axis=1)
        a = np.where(mask[:, t, None], u.max(axis=1), a)
    tags = np.full((n, steps), -1)
    rows, tag = np.arange(n), a.argmax(axis=1)
    for t in reversed(range(steps)):
        real = mask[:, t]
        tags[real, t] = tag[real]
        tag = np.where(real, best[t, rows, tag], tag)
    return tags
