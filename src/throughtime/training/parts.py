r"""A batch in several parts: the shards of ``shards=``, the small batches of ``accumulate=``.

Each part s has a gradient of its own, and they are summed in their order:

    L_s = sum over outputs k of c_k (W_ks / W_k) L_ks,    g_s = dL_s/dtheta               (SH1)
    g = ((g_1 + g_2) + g_3) + ...                                                         (SH2)

L_ks is the mean loss of output k over part s, W_ks the sum of its weights and W_k that of the whole
batch; of a loss that is a sum, the factor is 1. So g is the gradient of the batch, and its bits
depend on where the batch was cut, not on who computed which part.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from throughtime.network import Network
from throughtime.training import objective
from throughtime.training.heads import Heads
from throughtime.training.objective import Evaluation, Term
from throughtime.training.samples import Samples


class Found(NamedTuple):
    """What a part of a batch gave, wherever it was computed.

    Attributes
    ----------
    terms : tuple of Term
        The loss of each output.
    y : object
        The outputs, if they were asked for; see :attr:`Evaluation.y`.
    final_state : list
        The states at the end; see :class:`throughtime.network.tape.Tape`.
    begin : int
        The time step of the first output.
    gradient : ndarray of shape (P,) or None
        The gradient of the part, without penalties.
    """

    terms: tuple[Term, ...]
    y: Any
    final_state: list[Any]
    begin: int = 0
    gradient: np.ndarray | None = None


def shares(
    net: Network, heads: Heads, parts: list[Samples]
) -> tuple[list[tuple[float, ...]], bool]:
    """The factors W_ks / W_k of each part and output, and whether nothing counts at all."""
    weights = []
    for part in parts:
        shapes = net.topology.output_shapes(part.shapes)
        weights.append(
            [
                head.loss.batch_weight(shape, own.mask, own.weight)
                for head, shape, own in zip(heads, shapes, part.targets, strict=True)
            ]
        )
    totals = [math.fsum(column) for column in zip(*weights, strict=True)]
    summed = [head.loss.reduction == "sum" for head in heads]
    factors = [
        tuple(
            1.0 if whole or not total else weight / total
            for weight, total, whole in zip(row, totals, summed, strict=True)
        )
        for row in weights
    ]
    return factors, not any(totals)


def part_rng(
    net: Network, seeds: tuple[int, ...], k: int, count: int
) -> np.random.Generator | None:
    """The stream for dropout in part ``k`` of ``count``; None if no layer draws."""
    if not net.topology.draws:
        return None
    return np.random.default_rng([*seeds, k] if count > 1 else [*seeds])


def run_part(
    net: Network,
    heads: Heads,
    part: Samples,
    factors: tuple[float, ...],
    rng: np.random.Generator | None,
) -> Evaluation:
    """The objective of a part of a batch without penalties; its gradient is in ``net.grads``."""
    net.grads.flat[...] = 0
    scaled = tuple(
        head if factor == 1.0 else head._replace(weight=head.weight * factor)
        for head, factor in zip(heads, factors, strict=True)
    )
    return objective.evaluate_and_backward(
        net, part.x, part.y, scaled, mask=part.mask, initial_state=part.states,
        sample_weight=part.weight, training=True, rng=rng, share=0.0, input_gradient=False,
    )  # fmt: skip


def compute(
    net: Network,
    heads: Heads,
    part: Samples,
    factors: tuple[float, ...],
    rng: np.random.Generator | None,
    outputs: bool = True,
) -> Found:
    """The losses of a part of a batch, and its gradient."""
    evaluation = run_part(net, heads, part, factors, rng)
    y = evaluation.y if outputs else None
    return Found(evaluation.terms, y, evaluation.final_state, 0, net.grads.flat.copy())


def added(total: np.ndarray | None, gradient: np.ndarray | None) -> np.ndarray | None:
    """The sum so far; the first gradient becomes it."""
    assert gradient is not None
    if total is None:
        return gradient if gradient.flags.writeable else gradient.copy()
    total += gradient
    return total
