"""Statistics of features in one pass over batches, in the memory of one batch.

Two sets of values are merged by their numbers n, means m and sums of squared deviations q::

    d = m_b - m_a           m = m_a + d n_b / n           q = q_a + q_b + d^2 n_a n_b / n

Chan, Golub & LeVeque (1983), The American Statistician 37. No large sums are subtracted from each
other, so a large mean costs no digits of the deviation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from throughtime.data.masks import check_mask, mask_from_lengths
from throughtime.errors import ShapeError, sentence

__all__ = ["Moments", "is_source", "unmasked"]


class Moments:
    """Statistics of F features; ``n``, ``mean``, ``q``, ``low`` and ``high`` have shape (F,)."""

    def __init__(self, width: int) -> None:
        self.n = np.zeros(width)
        self.mean = np.zeros(width)
        self.q = np.zeros(width)
        self.low = np.full(width, np.inf)
        self.high = np.full(width, -np.inf)

    def add(self, values: np.ndarray, counted: np.ndarray) -> None:
        """Add the values (M, F) at which ``counted`` is True, all of them finite."""
        n = counted.sum(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):  # seen in what comes out
            mean = np.where(counted, values, 0.0).sum(axis=0) / np.maximum(n, 1)
            q = (np.where(counted, values - mean, 0.0) ** 2).sum(axis=0)
            d, both = mean - self.mean, np.maximum(self.n + n, 1)
            self.q += q + d**2 * (self.n * n / both)
            self.mean += d * (n / both)
        self.n += n
        self.low = np.minimum(self.low, np.where(counted, values, np.inf).min(axis=0))
        self.high = np.maximum(self.high, np.where(counted, values, -np.inf).max(axis=0))

    @property
    def std(self) -> np.ndarray:
        """Standard deviations of the population."""
        return np.sqrt(self.q / self.n)


def is_source(x: Any) -> bool:
    """Whether ``x`` is a loop over batches, and not an array or a list of numbers."""
    return (
        isinstance(x, Iterable)
        and not hasattr(x, "__array__")
        and not isinstance(x, Sequence | Mapping)
    )


def unmasked(source: Any) -> Iterable[tuple[Any, np.ndarray | None]]:
    """The ``x`` of each batch, and the mask ``(N, T)`` of its steps; None counts them all."""
    # The order of a loader is then that of its sequences, and its epoch remains.
    for batch in source.in_order() if hasattr(source, "in_order") else source:
        parts = batch
        if not isinstance(batch, Mapping):
            parts = {"x": batch[0] if isinstance(batch, tuple | list) else batch}
        x = parts.get("x")
        if x is None or isinstance(x, Mapping):
            got = "no 'x'" if x is None else "several inputs"
            raise ShapeError(sentence("a batch", "one array 'x'", got, must="have", parameter="x"))
        mask, lengths = parts.get("mask"), parts.get("lengths")
        if mask is not None:
            mask = check_mask(mask)
        if lengths is not None:
            within = mask_from_lengths(lengths, np.shape(x)[1])
            mask = within if mask is None else mask & within
        yield x, mask
