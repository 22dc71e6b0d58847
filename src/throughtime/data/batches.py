"""Which samples go together in one step of training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from throughtime.data.sequences import check_lengths
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    check_bool,
    check_int,
    describe,
)

__all__ = ["count_batches", "minibatches"]


def count_batches(n: int, batch_size: int | None) -> int:
    """How many batches ``n`` samples make, the last partial one included.

    Examples
    --------
    >>> count_batches(10, 4)
    3
    """
    n = check_int("n", n, 1)
    size = n if batch_size is None else check_int("batch_size", batch_size, 1)
    return -(-n // size)


def minibatches(
    n: int,
    batch_size: int | None,
    rng: np.random.Generator | None = None,
    *,
    shuffle: bool = True,
    lengths: Any = None,
    bucket: bool = False,
) -> Iterator[np.ndarray]:
    """Index arrays that together hold each of ``n`` samples once.

    Parameters
    ----------
    n : int
        Number of samples.
    batch_size : int or None
        Samples of a batch; the last batch takes what is left. None puts all into one.
    rng : numpy.random.Generator, optional
        Where the order comes from; needed if ``shuffle``. Everything is drawn from it at the call,
        so its state afterwards does not depend on how far the iterator is run.
    shuffle : bool
        Random order; otherwise the order of the data (with ``bucket``: of the lengths).
    lengths : array of shape (N,), optional
        Steps of each sample; needed if ``bucket``.
    bucket : bool
        Put samples of like length together, so that little is padded: samples are sorted by length
        (equal lengths in random order), cut into batches, and the batches are shuffled.

    Returns
    -------
    iterator of ndarray of int64

    Examples
    --------
    >>> [batch.tolist() for batch in minibatches(5, 2, shuffle=False)]
    [[0, 1], [2, 3], [4]]
    """
    check_bool("shuffle", shuffle)
    check_bool("bucket", bucket)
    batches = count_batches(n, batch_size)
    size = n if batch_size is None else batch_size
    if shuffle and not isinstance(rng, np.random.Generator):
        raise InvalidTypeError(
            f"rng must be a numpy.random.Generator when shuffle=True; got {describe(rng)}."
            " Write numpy.random.default_rng(seed)."
        )
    order = rng.permutation(n) if shuffle and rng is not None else np.arange(n)
    sequence = np.arange(batches)
    if bucket:
        if lengths is None:
            raise InvalidArgumentError(
                "lengths must be given when bucket=True; got None. Bucketing sorts by length."
            )
        steps = check_lengths(lengths, n)
        order = order[np.argsort(steps[order], kind="stable")]
        if shuffle and rng is not None:
            sequence = rng.permutation(batches)
    return (order[k * size : (k + 1) * size] for k in sequence)
