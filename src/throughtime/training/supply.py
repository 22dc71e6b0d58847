"""The batches of an epoch, in the parts that each update is computed in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from throughtime.data.batches import count_batches, minibatches
from throughtime.training.mapped import Column, Mapped
from throughtime.training.options import TrainingOptions
from throughtime.training.samples import Samples
from throughtime.training.sources import Source

#: First word of the seed for the order of batches; see :mod:`throughtime.training.loop`.
SHUFFLE = 2


class Group(NamedTuple):
    """What one update is made from.

    Attributes
    ----------
    parts : list of Samples
        Each has a gradient of its own; see :mod:`throughtime.training.step`.
    rows : list of (ndarray of int, or None)
        The numbers of the sequences of each part; None if they have none.
    """

    parts: list[Samples]
    rows: list[np.ndarray | None]


class Supply(Protocol):
    """Gives the batches of an epoch."""

    @property
    def data(self) -> Samples | Mapped | None:
        """The sequences to train on; None if they come from a source."""

    @property
    def source(self) -> Source | None:
        """Where the batches come from, if from a source."""

    @property
    def arrays(self) -> Sequence[np.ndarray | Column | None]:
        """All arrays of the data."""

    def begin(self, epoch: int) -> None:
        """An epoch begins, from 1."""

    def count(self) -> int | None:
        """How many updates the epoch makes; None if that is not known."""

    def groups(self, epoch: int) -> Generator[Group, None, None]:
        """What each update of the epoch is made from."""


class FromData:
    """Batches of sequences that can be taken by their numbers.

    Parameters
    ----------
    data : Samples or Mapped
    options : TrainingOptions
    renew : callable, optional
        The sequences to train on in the epoch of a number, from the second on.
    """

    source = None

    def __init__(
        self,
        data: Samples | Mapped,
        options: TrainingOptions,
        renew: Callable[[int], Samples | Mapped] | None = None,
    ) -> None:
        self.data, self.options, self.renew = data, options, renew

    @property
    def arrays(self) -> Sequence[np.ndarray | Column | None]:
        return self.data.arrays

    def begin(self, epoch: int) -> None:
        if self.renew is not None and epoch > 1:
            self.data = self.renew(epoch)

    def count(self) -> int | None:
        return count_batches(len(self.data), self._size())

    def _size(self) -> int | None:
        """Sequences in an update."""
        size = self.options.batch_size
        return None if size is None else size * self.options.accumulate

    def groups(self, epoch: int) -> Generator[Group, None, None]:
        options, data, size = self.options, self.data, self._size()
        lengths = data.lengths if options.bucket else None
        batches = minibatches(
            len(data),
            size,
            np.random.default_rng([SHUFFLE, options.seed, epoch]),
            shuffle=options.shuffle,
            lengths=lengths,
            bucket=lengths is not None,
        )
        step = _part_size(len(data) if size is None else size, options)
        for rows in batches:
            if len(rows) <= step:
                yield Group([data.batch(rows)], [rows])
                continue
            cuts = [rows[i : i + step] for i in range(0, len(rows), step)]
            yield Group([data.batch(own) for own in cuts], [*cuts])


class FromSource:
    """Batches from a source: ``accumulate`` of them make an update."""

    data = None
    #: A checkpoint compares the hashes of the batches instead.
    arrays: tuple[np.ndarray, ...] = ()

    def __init__(self, source: Source, options: TrainingOptions) -> None:
        self.source, self.options = source, options
        self._counted = 0

    def begin(self, epoch: int) -> None:
        """Nothing is to be done before the first batch."""

    def count(self) -> int | None:
        found = self._counted or -(-self.source.count() // self.options.accumulate)
        return found or None

    def groups(self, epoch: int) -> Generator[Group, None, None]:
        count, size = 0, min(self.options.accumulate, sys.maxsize)
        with closing(self.source.epoch(epoch)) as batches:
            while taken := list(islice(batches, size)):
                parts = []
                for whole in taken:
                    # As in memory, a last batch has parts as large as those before.
                    rows = max(self.source.batch_size, len(whole))
                    step = _part_size(rows, self.options, accumulated=True)
                    if step >= len(whole):
                        parts.append(whole.batch(slice(None)))
                        continue
                    starts = range(0, len(whole), step)
                    parts += [whole.batch(slice(i, i + step)) for i in starts]
                count += 1
                yield Group(parts, [None] * len(parts))
        self._counted = count


def _part_size(rows: int, options: TrainingOptions, *, accumulated: bool = False) -> int:
    """Sequences in a part of an update of ``rows``; its last part may have fewer."""
    parts = (options.shards or 1) * (1 if accumulated else options.accumulate)
    return max(1, -(-rows // parts))
