"""Beam search: the most probable continuation among those that a beam of B of them visits.

At every step each of the B continuations is extended by all V tokens, and the B most probable of
these B * V go on. One that ends with a stop token does not go on; it is a result. The answer is the
result, or the continuation of full length, with the highest score. For L tokens with the
probabilities p_1 ... p_L and the length penalty a::

    score = (log p_1 + ... + log p_L) / L^a            (GN5)

With a = 0 that is the most probable one, and a beam as wide as there are continuations finds it for
certain. Of equal scores the first wins: the shorter one, then the one with smaller tokens.

Graves (2012), arXiv:1211.3711, section 3; L^a: Murray and Chiang (2018), arXiv:1808.10006.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from throughtime.network.stream import Stream

__all__ = ["search"]

#: From the outputs of a stream to log probabilities (N, V), and from tokens to its next input.
Scores = Callable[[np.ndarray], np.ndarray]
Inputs = Callable[[np.ndarray], np.ndarray]


class Best:
    """The best results so far of N rows."""

    def __init__(self, rows: int, steps: int) -> None:
        self.score = np.full(rows, -np.inf)
        self.count = np.zeros(rows, dtype=np.int64)
        self.tokens = np.zeros((rows, steps), dtype=np.int64)
        self.log_p = np.zeros((rows, steps))

    def offer(self, score: np.ndarray, tokens: np.ndarray, log_p: np.ndarray, count: int) -> None:
        """Replace the results of rows where ``score (N,)`` is higher."""
        better = score > self.score
        self.score[better], self.count[better] = score[better], count
        self.tokens[better], self.log_p[better] = tokens[better], log_p[better]


def search(
    stream: Stream,
    y: np.ndarray,
    steps: int,
    *,
    width: int,
    length_penalty: float,
    stop: list[int],
    scores: Scores,
    inputs: Inputs,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the continuation with the highest score for each row of a stream.

    Parameters
    ----------
    stream : Stream
        A stream of N rows at the ends of their prefixes; it is used up.
    y : ndarray of shape (N, V)
        Its last output.
    steps : int
        Number of tokens to add at most, S.
    width : int
        Number of continuations that go on, B.
    length_penalty : float
        a in (GN5).
    stop : list of int
        The tokens that end a continuation.
    scores, inputs : callable
        Log probabilities of outputs, and the next input for tokens.

    Returns
    -------
    tokens : ndarray of int of shape (N, S)
    log_p : ndarray of shape (N, S)
        Their log probabilities.
    count : ndarray of int of shape (N,)
        How many of the S tokens each row has.
    """
    rows = len(y)
    row, hypothesis = np.arange(rows)[:, None], np.arange(width)
    stream.take(np.repeat(np.arange(rows), width))
    y = np.repeat(y, width, axis=0)
    # All but the first of each row begin as impossible: otherwise all would go the same way.
    total = np.where(hypothesis > 0, -np.inf, np.zeros((rows, 1)))
    tokens = np.zeros((rows, width, steps), dtype=np.int64)
    log_p = np.zeros((rows, width, steps))
    best = Best(rows, steps)
    for t in range(steps):
        last = t + 1 == steps
        own = scores(y).reshape(rows, width, -1)
        extended = total[:, :, None] + own
        for token in stop:
            _offer_ends(best, extended, own, tokens, log_p, token, t, length_penalty)
        extended[:, :, stop] = -np.inf
        flat = extended.reshape(rows, -1)
        chosen = np.argsort(-flat, axis=1, kind="stable")[:, :width]
        parent, token_of = np.divmod(chosen, own.shape[2])
        total = flat[row, chosen]
        tokens, log_p = tokens[row, parent], log_p[row, parent]
        tokens[:, :, t], log_p[:, :, t] = token_of, own[row, parent, token_of]
        # Probabilities only fall, so this is the most that those that go on can reach.
        bound = total[:, 0] / steps**length_penalty
        if last:
            best.offer(bound, tokens[:, 0], log_p[:, 0], steps)
        if last or (best.score >= bound).all():
            break
        stream.take((row * width + parent).ravel())
        y = stream.step(inputs(token_of.ravel()))
    return best.tokens, best.log_p, best.count


def _offer_ends(
    best: Best,
    extended: np.ndarray,
    own: np.ndarray,
    tokens: np.ndarray,
    log_p: np.ndarray,
    token: int,
    t: int,
    length_penalty: float,
) -> None:
    """Offer the continuations that end with ``token`` at step ``t``, the best one of each row."""
    row = np.arange(len(extended))
    which = extended[:, :, token].argmax(axis=1)
    ended, logs = tokens[row, which], log_p[row, which]
    ended[:, t], logs[:, t] = token, own[row, which, token]
    score = extended[row, which, token] / (t + 1) ** length_penalty
    best.offer(score, ended, logs, t + 1)
