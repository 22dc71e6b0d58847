"""Which samples form one training step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from throughtime.data.masks import check_lengths
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    check_bool,
    check_int,
    describe,
    sentence,
)

__all__ = ["count_batches", "minibatches"]


def count_batches(n: int, batch_size: int | None) -> int:
    """Number of batches of ``n`` samples, the last, partial one included.

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
    """Index arrays that together contain each of ``n`` samples once.

    Parameters
    ----------
    n : int
        Number of samples.
    batch_size : int or None
        Samples in a batch; the last batch may be smaller. None makes one batch of all.
    rng : numpy.random.Generator, optional
        Generator for the order; required if ``shuffle``. All numbers are drawn from it at once, so
        its state afterwards does not depend on how many batches are taken.
    shuffle : bool
        Whether the order is random; otherwise it is that of the data (with ``bucket``: of the
        lengths).
    lengths : array of shape (N,), optional
        Number of steps of each sample; required if ``bucket``.
    bucket : bool
        Whether samples of similar length form a batch, so that little is padded: samples are
        sorted by length (equal lengths in random order) and cut into batches, and the batches are
        shuffled.

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
    size = n if batch_size is None else min(batch_size, n)
    if shuffle and not isinstance(rng, np.random.Generator):
        raise InvalidTypeError(
            sentence(
                "rng",
                "a numpy.random.Generator when shuffle=True",
                describe(rng),
                "Write numpy.random.default_rng(seed).",
            )
        )
    order = rng.permutation(n) if shuffle and rng is not None else np.arange(n)
    sequence = np.arange(batches)
    if bucket:
        if lengths is None:
            raise InvalidArgumentError(
                sentence("lengths", "given when bucket=True", "None", "Bucketing sorts by length.")
            )
        steps = check_lengths(lengths, n)
        order = order[np.argsort(steps[order], kind="stable")]
        if shuffle and rng is not None:
            sequence = rng.permutation(batches)
    return (order[k * size : (k + 1) * size] for k in sequence)
