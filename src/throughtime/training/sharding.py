"""The parts of a batch, computed by the workers of an executor.

A worker keeps the network, and the data where they can be taken by number. What travels in a step
is the vector of weights there, and sums of gradients and the losses back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np

from throughtime.kernels.underflow import ignore_underflow
from throughtime.network import Network
from throughtime.parallel import Workers
from throughtime.training.heads import Heads
from throughtime.training.mapped import Mapped
from throughtime.training.parts import Found, Node, compute_parts
from throughtime.training.samples import Samples


class Kept(NamedTuple):
    """What each worker keeps.

    Attributes
    ----------
    net : Network
    heads : tuple of Head
        Without metrics, which the caller computes.
    data : Samples, Mapped or None
        The data to train on; None if the parts travel.
    """

    net: Network
    heads: Heads
    data: Samples | Mapped | None

    @classmethod
    def of(cls, net: Network, heads: Heads, data: Samples | Mapped | None) -> Kept:
        """What a worker needs of these; a metric need not be one that can be pickled."""
        heads = tuple(head._replace(metrics=()) for head in heads)
        return cls(net, heads, replace(data, heads=heads) if isinstance(data, Mapped) else data)


class Share(NamedTuple):
    """Parts of a batch that follow one another, for one worker.

    Attributes
    ----------
    params : ndarray of shape (P,)
        The weights.
    place : (int, int)
        The number of the first of them, and how many parts the batch has.
    parts : list of Samples, or of ndarray of int
        The parts, or the numbers of their sequences in the data that a worker keeps.
    states : list of (list or None), or None
        The states that their rows begin with, where a worker keeps the data and they go on from
        the batch before.
    factors : list of tuple of float
    seeds : tuple of int
        Of the dropout of the batch.
    outputs, ends : bool
        Whether the outputs, and the final states, are needed.
    """

    params: np.ndarray
    place: tuple[int, int]
    parts: Sequence[Any]
    states: list[list[Any] | None] | None
    factors: list[tuple[float, ...]]
    seeds: tuple[int, ...]
    outputs: bool
    ends: bool


class Sharding:
    """Sends the parts of a batch to the workers.

    Each worker gets parts that follow one another: the weights travel to it once, and back comes
    one vector for each sum that it can make, see (SH2).

    Parameters
    ----------
    workers : Workers
        Their context is a :class:`Kept`.
    outputs, ends : bool
        As in :class:`Share`.

    Raises
    ------
    InvalidArgumentError
        If what the workers keep cannot be pickled.
    """

    def __init__(self, workers: Workers, *, outputs: bool, ends: bool) -> None:
        self.workers, self.outputs, self.ends = workers, outputs, ends
        self.kept: Kept = workers.context
        workers.check(compute_share, [])

    def __call__(
        self,
        parts: list[Samples],
        rows: Sequence[np.ndarray | None],
        factors: list[tuple[float, ...]],
        seeds: tuple[int, ...],
    ) -> tuple[list[Found], list[Node]]:
        """What each part gives, and the sums of their gradients, in their order."""
        params, n = self.kept.net.params.flat, len(parts)
        held = self.kept.data is not None
        what: Sequence[Any] = rows if held else parts
        states = [part.states for part in parts] if held and parts[0].states else None
        count = min(n, self.workers.count or n)
        edges = [n * k // count for k in range(count + 1)]
        shares = [
            Share(params, (a, n), what[a:b], states and states[a:b], factors[a:b], seeds,
                  self.outputs, self.ends)
            for a, b in pairwise(edges)
        ]  # fmt: skip
        answers = self.workers.run(compute_share, shares)
        return [*chain(*(found for found, _ in answers))], [
            *chain(*(nodes for _, nodes in answers))
        ]


@ignore_underflow
def compute_share(kept: Kept, share: Share) -> tuple[list[Found], list[Node]]:
    """What some parts give, computed by a worker."""
    net = kept.net
    if net.params.flat is not share.params:
        net.params.flat[...] = share.params
    with np.errstate(all="ignore"):
        return compute_parts(
            net, kept.heads, _parts(kept.data, share), share.factors, share.seeds, share.place,
            outputs=share.outputs, ends=share.ends,
        )  # fmt: skip


def _parts(data: Samples | Mapped | None, share: Share) -> Iterator[Samples]:
    """The parts, one after the other; a worker reads those that it keeps."""
    for k, part in enumerate(share.parts):
        given = part if data is None else data.batch(part)
        yield given if share.states is None else replace(given, states=share.states[k])
