r"""A batch in several parts: the shards of ``shards=``, the small batches of ``accumulate=``.

Each part s = 0 .. S-1 has a gradient of its own, and they are summed in pairs, pairs of pairs, ...:

    L_s = sum over outputs k of c_k (W_ks / W_k) L_ks,    g_s = dL_s/dtheta               (SH1)
    g(a, 1) = g_a,    g(a, n) = g(a, m) + g(a + m, n - m),  m the power of 2 in [n/2, n)  (SH2)

L_ks is the mean loss of output k over part s, W_ks the sum of its weights and W_k that of the whole
batch; of a loss that is a sum, the factor is 1. So g(0, S) is the gradient of the batch, and its
bits depend on where the batch was cut, not on who computed which part. A worker that has the parts
of several sums of (SH2) adds them itself, and sends back one vector for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from throughtime.network import Network
from throughtime.training import objective
from throughtime.training.heads import Heads
from throughtime.training.objective import Evaluation, Term
from throughtime.training.samples import Samples


class Found(NamedTuple):
    """What a part of a batch gave beside its gradient, wherever it was computed.

    Attributes
    ----------
    terms : tuple of Term
        The loss of each output.
    y : object
        The outputs, if they were asked for; see :attr:`Evaluation.y`.
    final_state : list
        The states at the end, if they were asked for; see
        :class:`throughtime.network.tape.Tape`.
    begin : int
        The time step of the first output.
    """

    terms: tuple[Term, ...]
    y: Any
    final_state: list[Any]
    begin: int = 0


class Node(NamedTuple):
    """A sum of (SH2) over a power of two of parts.

    Attributes
    ----------
    first, size : int
        Its parts.
    gradient : ndarray of shape (P,)
    """

    first: int
    size: int
    gradient: np.ndarray


def add(nodes: list[Node], node: Node) -> None:
    """Add the next node to those that wait for their other half, in place."""
    while node.first // node.size % 2 and nodes and nodes[-1].size == node.size:
        before = nodes.pop()
        np.add(before.gradient, node.gradient, out=before.gradient)
        node = before._replace(size=2 * node.size)
    nodes.append(node)


def total(nodes: Iterable[Node]) -> np.ndarray:
    """The gradient of the batch, from nodes that have all its parts, in order."""
    left: list[Node] = []
    for node in nodes:
        add(left, node)
    found = left.pop().gradient
    while left:
        found = left.pop().gradient + found
    return found


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


def compute_parts(
    net: Network,
    heads: Heads,
    parts: Iterable[Samples],
    factors: Sequence[tuple[float, ...]],
    seeds: tuple[int, ...],
    place: tuple[int, int],
    *,
    outputs: bool,
    ends: bool = True,
) -> tuple[list[Found], list[Node]]:
    """The losses of some parts of a batch that follow one another, and the sums of their gradients.

    Parameters
    ----------
    parts : iterable of Samples
    factors : sequence
        Of :func:`shares`, those of these parts.
    seeds : tuple of int
        Of the dropout of the batch.
    place : (int, int)
        The number of the first of them, and how many parts the batch has.
    outputs, ends : bool
        Whether the outputs, and the states at the end, are needed.
    """
    first, count = place
    found: list[Found] = []
    nodes: list[Node] = []
    for k, (part, own) in enumerate(zip(parts, factors, strict=True), start=first):
        evaluation = run_part(net, heads, part, own, part_rng(net, seeds, k, count))
        y = evaluation.y if outputs else None
        found.append(Found(evaluation.terms, y, evaluation.final_state if ends else []))
        add(nodes, Node(k, 1, net.grads.flat.copy()))
    return found, nodes
