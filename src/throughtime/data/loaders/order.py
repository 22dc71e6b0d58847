"""The order of an epoch: blocks of sequences are drawn, several are pooled, a pool is shuffled.

A *block* is a run of sequences that lie side by side on the disk and are read at once. A *pool* is
several blocks, in memory together. All random numbers come from one generator, so what an epoch
yields depends on the seed and the number of the epoch alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["batches_of", "chosen", "draw", "generator", "pools"]

#: First words of the seeds, so that an order and a split do not share a random stream.
_ORDER, _SPLIT = 1, 2
#: Sequences that :func:`draw` looks at together.
_CHUNK = 1 << 16


def generator(seed: int, epoch: int) -> np.random.Generator:
    """The source of all random numbers of an epoch."""
    return np.random.default_rng([_ORDER, seed, epoch])


def pools(weights: np.ndarray, size: int, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
    """Put blocks together until they weigh ``size``, in random order if there is an ``rng``.

    Parameters
    ----------
    weights : ndarray of shape (B,)
        Sequences or bytes of each block. Empty blocks are skipped.
    size : int
        A pool is complete as soon as it weighs this much.
    rng : numpy.random.Generator or None
        None keeps the order of the files.

    Returns
    -------
    iterator of ndarray of int
        The numbers of the blocks of each pool.

    Examples
    --------
    >>> [pool.tolist() for pool in pools(np.array([2, 2, 0, 1]), 3, None)]
    [[0, 1], [3]]
    """
    order = np.flatnonzero(weights)
    if rng is not None:
        order = rng.permutation(order)
    start, held = 0, 0.0
    for place, block in enumerate(order, 1):
        held += weights[block]
        if held >= size or place == len(order):
            yield order[start:place]
            start, held = place, 0.0


def batches_of(
    n: int,
    batch_size: int,
    last: bool,
    lengths: np.ndarray | None,
    rng: np.random.Generator | None,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Cut the ``n`` sequences of a pool into full batches; what is left over waits for the next.

    Parameters
    ----------
    last : bool
        Whether it is the last pool of the epoch, whose last batch may be smaller.
    lengths : ndarray of shape (n,), or None
        If given, sequences of similar length form a batch.
    rng : numpy.random.Generator or None
        None keeps the order of the pool.

    Returns
    -------
    batches : list of ndarray of int64
    rest : ndarray of int64
    """
    order = np.arange(n) if rng is None else rng.permutation(n)
    used = n if last else n - n % batch_size
    now, rest = order[:used], order[used:]
    if lengths is not None:
        now = now[np.argsort(lengths[now], kind="stable")]
    batches = [now[i : i + batch_size] for i in range(0, used, batch_size)]
    if lengths is not None and rng is not None:
        batches = [batches[k] for k in rng.permutation(len(batches))]
    return batches, rest


def draw(n: int, allowed: np.ndarray | None, count: int, seed: int) -> np.ndarray:
    """Draw ``count`` of ``n`` sequences, each choice being equally likely.

    The sequences are passed in chunks, so that no more than a byte for each of them is in memory.

    Parameters
    ----------
    allowed : ndarray of bool of shape (n,), or None
        Which may be drawn; None for all.

    Returns
    -------
    ndarray of bool of shape (n,)
    """
    rng = np.random.default_rng([_SPLIT, seed])
    drawn = np.zeros(n, dtype=bool)
    left = n if allowed is None else int(np.count_nonzero(allowed))
    for start in range(0, n, _CHUNK):
        rows = chosen(allowed, start, min(start + _CHUNK, n))
        here = int(rng.hypergeometric(count, left - count, len(rows)))
        drawn[rng.permutation(rows)[:here]] = True
        count, left = count - here, left - len(rows)
    return drawn


def chosen(allowed: np.ndarray | None, start: int, stop: int) -> np.ndarray:
    """The numbers from ``start`` to ``stop`` that are allowed, ascending."""
    if allowed is None:
        return np.arange(start, stop)
    return start + np.flatnonzero(allowed[start:stop])
