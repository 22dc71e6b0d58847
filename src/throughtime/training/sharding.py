"""The parts of a batch, computed by the workers of an executor.

A worker keeps the network, and the data where they can be taken by number. What travels in a step
is the vector of weights there, and a gradient and the losses back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from throughtime.kernels.underflow import ignore_underflow
from throughtime.network import Network
from throughtime.parallel import Workers
from throughtime.training.heads import Heads
from throughtime.training.mapped import Mapped
from throughtime.training.parts import Found, compute, part_rng
from throughtime.training.samples import Samples


class Kept(NamedTuple):
    """What each worker keeps.

    Attributes
    ----------
    net : Network
    heads : tuple of Head
    data : Samples, Mapped or None
        The data to train on; None if the parts travel.
    """

    net: Network
    heads: Heads
    data: Samples | Mapped | None


class Share(NamedTuple):
    """One part of a batch.

    Attributes
    ----------
    params : ndarray of shape (P,)
        The weights.
    part : Samples, or ndarray of int
        The part, or the numbers of its sequences in the data that a worker keeps.
    states : list or None
        The states that its rows begin with, where they go on from the batch before.
    factors : tuple of float
    seeds : tuple of int
        Of the dropout of the batch.
    place : (int, int)
        Which part it is, and how many there are.
    outputs, ends : bool
        Whether the outputs, and the final states, are needed.
    """

    params: np.ndarray
    part: Samples | np.ndarray
    states: list[Any] | None
    factors: tuple[float, ...]
    seeds: tuple[int, ...]
    place: tuple[int, int]
    outputs: bool
    ends: bool


class Sharding:
    """Sends the parts of a batch to the workers.

    Parameters
    ----------
    workers : Workers
        Their context is a :class:`Kept`.
    outputs, ends : bool
        As in :class:`Share`.
    """

    def __init__(self, workers: Workers, *, outputs: bool, ends: bool) -> None:
        self.workers, self.outputs, self.ends = workers, outputs, ends
        self.kept: Kept = workers.context

    def __call__(
        self,
        parts: list[Samples],
        rows: Sequence[np.ndarray | None],
        factors: list[tuple[float, ...]],
        seeds: tuple[int, ...],
    ) -> list[Found]:
        """What each part gives, in their order."""
        params, held = self.kept.net.params.flat, self.kept.data is not None
        shares = []
        for k, (part, own) in enumerate(zip(parts, rows, strict=True)):
            what = own if held and own is not None else part
            states = part.states if held else None
            place = k, len(parts)
            shares.append(
                Share(params, what, states, factors[k], seeds, place, self.outputs, self.ends)
            )
        # Together, the weights travel once to each worker and not once with each part.
        return self.workers.run(compute_share, shares, together=True)


@ignore_underflow
def compute_share(kept: Kept, share: Share) -> Found:
    """What a part gives, computed by a worker."""
    net, part = kept.net, share.part
    if net.params.flat is not share.params:
        net.params.flat[...] = share.params
    if isinstance(part, np.ndarray):
        assert kept.data is not None
        part = kept.data.batch(part)
    if share.states is not None:
        part = replace(part, states=share.states)
    rng = part_rng(net, share.seeds, *share.place)
    with np.errstate(all="ignore"):
        found = compute(net, kept.heads, part, share.factors, rng, share.outputs)
    return found if share.ends else found._replace(final_state=[])
