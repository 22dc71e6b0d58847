"""Choosing the next token from the probabilities of all V of them.

With the network's own probabilities p (N, V), a temperature T and a uniform number u in [0, 1)::

    w_i = p_i^(1/T)                                    (GN1)
    q_i = w_i / sum_j w_j                              (GN2)
    token = the first i with q_0 + ... + q_i > u       (GN4)

``top_k`` sets w to 0 where a token is not among the k most probable ones. ``top_p`` then keeps the
fewest of them that reach a share of what is left, (GN3). Of equally probable tokens the one with
the smaller number comes first. All of it is computed in float64, and each row by itself.

T: Ackley, Hinton and Sejnowski (1985), Cognitive Science 9. top_k: Fan, Lewis and Dauphin (2018),
arXiv:1805.04833. top_p: Holtzman, Buys, Du, Forbes and Choi (2020), arXiv:1904.09751.
"""

from __future__ import annotations

import numpy as np

__all__ = ["distribution", "draw", "log_probabilities", "uniform_numbers"]


def log_probabilities(y: np.ndarray, logits: bool) -> np.ndarray:
    """Logarithms of the probabilities ``(N, V)``, of probabilities or of logits."""
    y = y.astype(np.float64, order="C")
    if not logits:
        with np.errstate(divide="ignore"):
            return np.log(y)
    with np.errstate(invalid="ignore"):  # of two infinities; the caller refuses the NaN
        z = y - y.max(axis=-1, keepdims=True)
    return z - np.log(_total(np.exp(z)))


def distribution(
    log_p: np.ndarray, temperature: float, top_k: int | None = None, top_p: float | None = None
) -> np.ndarray:
    """The probabilities ``q (N, V)`` by which a token is drawn, (GN1) and (GN2).

    First the temperature acts, then ``top_k`` cuts, then ``top_p`` cuts what is left.

    Examples
    --------
    >>> log_p = np.log([[0.5, 0.25, 0.125, 0.125]])
    >>> distribution(log_p, 1.0, top_k=3)
    array([[0.57142857, 0.28571429, 0.14285714, 0.        ]])
    >>> distribution(log_p, 1.0, top_p=0.7)
    array([[0.66666667, 0.33333333, 0.        , 0.        ]])
    """
    with np.errstate(over="ignore"):  # a tiny temperature: -inf, whose exponential is 0
        w = np.exp((log_p - log_p.max(axis=-1, keepdims=True)) / temperature)
    if top_k is None and top_p is None:
        return w / _total(w)
    order = np.argsort(-w, axis=-1, kind="stable")
    ranked = np.take_along_axis(w, order, axis=-1)
    if top_k is not None:
        ranked[:, top_k:] = 0.0
    if top_p is not None and top_p < 1:
        # (GN3): a token stays where those before it do not reach the share, so the first one does.
        reached = np.cumsum(ranked, axis=-1)
        ranked[:, 1:][reached[:, :-1] >= top_p * reached[:, -1:]] = 0.0
    np.put_along_axis(w, order, ranked, axis=-1)
    return w / _total(w)


def draw(q: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The tokens ``(N,)`` that the uniform numbers ``u (N,)`` choose by ``q (N, V)``, (GN4)."""
    reached = np.cumsum(q, axis=-1)
    # u < 1, so u times the last sum is less than it, and a token of probability 0 is never drawn.
    return (reached <= u[:, None] * reached[:, -1:]).sum(axis=-1)


def uniform_numbers(seed: int, rows: int, steps: int) -> np.ndarray:
    """Numbers in [0, 1) of shape ``(rows, steps)``, each row from a stream of its own.

    Those of a row depend on the seed and on the number of the row alone, and more steps only add to
    them.
    """
    numbers = np.empty((rows, steps))
    for row in range(rows):
        sequence = np.random.SeedSequence(seed, spawn_key=(row,))
        numbers[row] = np.random.default_rng(sequence).random(steps)
    return numbers


def _total(w: np.ndarray) -> np.ndarray:
    """Sums ``(N, 1)`` in the order of the tokens, so that they do not depend on N."""
    return np.cumsum(w, axis=-1)[:, -1:]
