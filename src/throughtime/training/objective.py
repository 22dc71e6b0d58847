r"""The objective: loss plus penalties. Training and the gradient check both use it.

    value = loss(net(x), y) + sum over weight matrices of (l2/2 sum W^2 + l1 sum |W|)

A penalty counts once for a batch, on weights and not on biases; a layer's own l1 and l2 are added
to those of the call. A loss that is fused with the output activation (softmax with cross-entropy)
is computed from the pre-activation, so that nothing overflows between the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from throughtime.activations import Activation, Softmax
from throughtime.kernels import selection
from throughtime.layers import Dense
from throughtime.layers.base import Call
from throughtime.losses import Loss
from throughtime.network import Network
from throughtime.network.signals import alike, each
from throughtime.network.tape import Tape
from throughtime.training.heads import Head, heads_for


class Pass(NamedTuple):
    """The arguments of a forward pass, with which it can be run again.

    Attributes
    ----------
    x, mask, states, call
        The arguments of :meth:`Network.run`. Where a layer draws random numbers, the generator of
        ``call`` is a copy in its state before the pass.
    columns : list of (ndarray of int of shape (N, T), or None), or None
        For each input, the time step of each of its columns, None for vectors; None if the columns
        are consecutive steps.
    """

    x: Any
    mask: Any
    states: list[Any]
    call: Call
    columns: Sequence[Any] | None = None

    def steps(self, k: int) -> np.ndarray:
        """The time steps of input ``k`` in the caller's sequences, (N, T) or (1, T)."""
        if self.columns is not None:
            found: np.ndarray = self.columns[k]
            return found
        first = self.call.offset
        return np.arange(first, first + each(self.x)[k].shape[1])[None]


class Term(NamedTuple):
    """The loss of one output at a batch.

    Attributes
    ----------
    value : float
        The loss, without its factor in the sum over the outputs.
    weight : float
        Sum of the weights of the unmasked steps that the loss is a mean over.
    """

    value: float
    weight: float


@dataclass
class Evaluation:
    """The objective at one batch.

    Attributes
    ----------
    value : float
        ``data_loss + penalty``.
    data_loss : float
        The loss.
    penalty : float
        The penalties.
    tape : Tape
        The tape of the forward pass. If a loss is fused with an output activation, that output is
        the pre-activation.
    terms : tuple of Term
        The loss of each output.
    given : Pass
        The arguments that lead to the tape. Its ``x`` ends with the steps of the tape; in truncated
        backpropagation it may begin before them.
    ends : tuple of int
        The layer that gives each output.
    fusions : list of Fusion or None
        The activation that the loss of each output is fused with.
    slopes : tuple of ndarray
        The derivative of the loss with respect to each output, or to its pre-activation.
    dx : ndarray of the shape of x, or None
        dL/dx, if the backward pass was asked for it; None for tokens. Of several inputs, a tuple.
    first : int
        Number of steps of the tape before those that have a loss.
    """

    value: float
    data_loss: float
    penalty: float
    tape: Tape
    terms: tuple[Term, ...]
    given: Pass
    ends: tuple[int, ...]
    fusions: list[Fusion | None]
    slopes: tuple[np.ndarray, ...]
    dx: Any = None
    first: int = 0

    @cached_property
    def outputs(self) -> list[np.ndarray]:
        """The output of each layer; a fused output activation is applied here, when needed."""
        found = list(self.tape.outputs)
        for i, fusion, real in zip(
            self.ends, self.fusions, each(self.tape.output_mask), strict=True
        ):
            if fusion is not None:
                y = fusion.activation(found[i])
                found[i] = y if real is None else np.where(real[..., None], y, 0)
        return found

    @property
    def y(self) -> Any:
        """The network's output, (N, T, K) or (N, K), at the steps that have a loss."""
        return alike(tuple(self.outputs[i][:, self.first :] for i in self.ends))

    @property
    def final_state(self) -> list[Any]:
        """The state of each layer at the end."""
        return self.tape.final_state

    @property
    def begin(self) -> int:
        """The time step of the first output that has a loss."""
        return self.given.call.offset + self.first

    @property
    def weight(self) -> float:
        """Sum of the weights of the unmasked steps; zero if there is nothing to learn from."""
        return sum([term.weight for term in self.terms])


def evaluate(
    net: Network,
    x: Any,
    y: Any,
    loss: Any,
    *,
    mask: Any = None,
    initial_state: list[Any] | None = None,
    sample_weight: Any = None,
    l1: float = 0.0,
    l2: float = 0.0,
    training: bool = False,
    rng: np.random.Generator | None = None,
) -> Evaluation:
    """Return the objective of checked data; see :func:`evaluate_and_backward`."""
    call = Call(training=training, rng=rng, keep=False)
    result = _forward(net, x, y, loss, mask, initial_state, sample_weight, call)
    return _penalised(net, result, l1, l2, backward=False)


def evaluate_and_backward(
    net: Network,
    x: Any,
    y: Any,
    loss: Any,
    *,
    mask: Any = None,
    initial_state: list[Any] | None = None,
    sample_weight: Any = None,
    l1: float = 0.0,
    l2: float = 0.0,
    training: bool = False,
    rng: np.random.Generator | None = None,
    offset: int = 0,
    share: float = 1.0,
    input_gradient: bool = True,
    readable: bool = False,
) -> Evaluation:
    """Compute the objective and ADD its gradient to ``net.grads``.

    The caller ignores underflow; see :mod:`throughtime.kernels.underflow`.

    Parameters
    ----------
    net : Network
    x, mask :
        The input and the mask that ``net.check_input`` returned.
    y : ndarray, or tuple of ndarray
        The targets that ``loss.check_target`` returned, of each output.
    loss : str, Loss, callable or tuple of Head
        The loss, or what :func:`throughtime.training.heads.check_heads` returned.
    initial_state : list, optional
        The states that ``net.check_states`` returned.
    sample_weight : ndarray of shape (N,) or (N, T), optional
        Weight of each sequence, or of each step; of several outputs, a tuple.
    l1, l2 : float
        Penalties.
    training : bool
        Whether dropout acts, drawn from ``rng``.
    offset : int
        Number of steps of the sequences before ``x``; see :class:`Call`.
    share : float
        Factor on all penalties: the part of a batch that ``x`` is.
    input_gradient : bool
        Whether dL/dx is needed.
    readable : bool
        Whether the states on the tape will be read; see :class:`Call`.
    """
    call = Call(training=training, rng=rng, offset=offset, readable=readable)
    result = _forward(net, x, y, loss, mask, initial_state, sample_weight, call)
    states: list[Any] = [None] * len(net.layers)
    result.dx = net.run_back(result.tape, alike(result.slopes), states, input_gradient)
    return _penalised(net, result, l1, l2, backward=True, share=share)


def _forward(
    net: Network,
    x: Any,
    y: Any,
    loss: Any,
    mask: Any,
    states: list[Any] | None,
    weights: Any,
    call: Call,
) -> Evaluation:
    topology = net.topology
    heads = loss if isinstance(loss, tuple) else heads_for(net, loss)
    fusions = [_fusion(net, k, head.loss) for k, head in enumerate(heads)]
    own = call
    if any(fusions):
        ends = zip(topology.ends, fusions, strict=True)
        own = call._replace(logits=frozenset(i for i, fusion in ends if fusion is not None))
    states = [None] * len(net.layers) if states is None else states
    untouched = own
    if own.training and topology.draws:
        untouched = own._replace(rng=deepcopy(own.rng))
    output, tape = net.run(x, mask, states, own)
    given = Pass(x, mask, states, untouched)
    if len(heads) == 1:
        term, slope = _term(
            net, 0, heads[0], fusions[0], output, y, tape.output_mask, weights, mask
        )
        value = heads[0].weight * term.value
        return Evaluation(value, value, 0.0, tape, (term,), given, topology.ends, fusions, (slope,))
    if weights is None:
        weights = (None,) * len(heads)
    reals: Any = tape.output_mask
    found = [
        _term(net, k, head, fusions[k], output[k], y[k], reals[k], weights[k], mask)
        for k, head in enumerate(heads)
    ]
    terms, slopes = zip(*found, strict=True)
    value = sum([head.weight * term.value for head, term in zip(heads, terms, strict=True)])
    return Evaluation(value, value, 0.0, tape, terms, given, topology.ends, fusions, slopes)


class Fusion(NamedTuple):
    """An output activation that a loss is fused with, and the factor on its logits if any."""

    activation: Activation
    scale: Any = None


def _term(
    net: Network,
    k: int,
    head: Head,
    fusion: Fusion | None,
    z: np.ndarray,
    y: np.ndarray,
    real: np.ndarray | None,
    weight: np.ndarray | None,
    mask: Any,
) -> tuple[Term, np.ndarray]:
    """The loss of output ``k``, and its derivative with respect to ``z``."""
    loss = head.loss
    if real is None and mask is not None:
        masks = each(mask)
        weight = drop_empty(weight, [masks[i] for i in net.topology.roots[k]])
    if fusion is None:
        value, dy = loss.evaluate(z, y, real, weight)
    else:
        logits = z if fusion.scale is None else z * fusion.scale
        value, dy = loss.evaluate(logits, y, real, weight, logits=True)
        if fusion.scale is not None:
            dy *= fusion.scale
    if head.weight != 1.0:
        dy = dy * head.weight
    slope = dy.astype(net.dtype, copy=False)  # a user-defined loss may return another
    return Term(value, loss.batch_weight(z.shape, real, weight)), slope


def _fusion(net: Network, k: int, loss: Loss) -> Fusion | None:
    """What the loss of output ``k`` is fused with; None if with nothing.

    An output that another layer takes, or that is listed twice, is needed as it is.
    """
    if loss.activation is None or not net.topology.apart[k]:
        return None
    layer = net.layers[net.topology.ends[k]]
    activation = layer.activation if isinstance(layer, Dense) else None
    if isinstance(activation, Softmax) and loss.activation == "softmax":
        hot = activation.temperature != 1.0
        return Fusion(activation, net.dtype.type(1.0 / activation.temperature) if hot else None)
    return Fusion(activation) if activation is not None and loss.fuses_with(activation) else None


def drop_empty(weights: np.ndarray | None, masks: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Return the weights with zero for each sequence that is masked at every step.

    Such a sequence still has outputs where the outputs are not those of its steps: the ones that
    its initial state leads to. They are no data.

    Parameters
    ----------
    weights : ndarray of shape (N,) or of the output steps, or None
    masks : sequence of ndarray of bool of shape (N, T), or None
        True at the unmasked steps of each input that the output depends on.
    """
    found = present(masks)
    if found is None:
        return weights
    real = np.asarray(found, dtype=np.float64)
    if weights is None:
        return real
    return weights * (real if weights.ndim == 1 else real[:, None])


def present(masks: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Which samples have an unmasked step in any of the inputs, (N,); None if all do.

    An input without a mask has one: a vector, or a sequence of which no step is masked.
    """
    found: np.ndarray | None = None
    for mask in masks:
        if mask is None:
            return None
        real = np.asarray(mask.any(axis=1))
        found = real if found is None else found | real
    return None if found is None or found.all() else found


def _penalised(
    net: Network,
    result: Evaluation,
    l1: float,
    l2: float,
    *,
    backward: bool,
    share: float = 1.0,
) -> Evaluation:
    """Add the penalties to the value, and with ``backward`` their gradient to ``net.grads``."""
    if l1 or l2 or net.topology.penalised:
        result.penalty = penalise(net, l1, l2, backward=backward, share=share)
        result.value = result.data_loss + result.penalty
    return result


def penalise(
    net: Network, l1: float, l2: float, *, backward: bool = True, share: float = 1.0
) -> float:
    """Return the penalties; with ``backward``, ADD their gradient to ``net.grads``.

    ``share`` is a factor on all of them.
    """
    total = 0.0
    for name, W in net.params.items():
        if not net.params.is_weight(name):
            continue
        layer = net.layers[net.topology.layer_of(name)]
        own_l1 = share * (l1 + (layer.l1 or 0.0))
        own_l2 = share * (l2 + (layer.l2 or 0.0))
        total += _penalty(W, net.grads[name] if backward else None, own_l1, own_l2)
    return total


def _penalty(W: np.ndarray, grad: np.ndarray | None, l1: float, l2: float) -> float:
    """The penalty on one array of weights; its gradient is added to ``grad``, if there is one."""
    if not (l1 or l2):
        return 0.0
    kernels = selection.kernels()
    sums = None if kernels is None else kernels.penalise(W, grad, l1, l2)
    if sums is not None:
        return l1 * sums[0] + l2 / 2 * sums[1]
    value = 0.0
    if l2:
        value += l2 / 2 * float(np.square(W, dtype=np.float64).sum())
        if grad is not None:
            grad += W.dtype.type(l2) * W
    if l1:
        value += l1 * float(np.abs(W).sum(dtype=np.float64))
        if grad is not None:
            grad += W.dtype.type(l1) * np.sign(W)
    return value
