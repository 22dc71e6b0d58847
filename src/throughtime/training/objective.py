r"""The objective: loss plus penalties. Training and the gradient check both use it.

    value = loss(net(x), y) + sum over weight matrices of (l2/2 sum W^2 + l1 sum |W|)

A penalty counts once for a batch, on weights and not on biases; a layer's own l1 and l2 are added
to those of the call. A loss that is fused with the output activation (softmax with cross-entropy)
is computed from the pre-activation, so that nothing overflows between the two.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from throughtime import losses
from throughtime.activations import Activation, Softmax
from throughtime.kernels import selection
from throughtime.layers.base import Call
from throughtime.losses import Loss
from throughtime.network import Network
from throughtime.network.tape import Tape


class Pass(NamedTuple):
    """The arguments of a forward pass, with which it can be run again.

    Attributes
    ----------
    x, mask, states, call
        The arguments of :meth:`Network.run`. Where a layer draws random numbers, the generator of
        ``call`` is a copy in its state before the pass.
    columns : ndarray of int of shape (N, T), or None
        See :attr:`steps`; None if the columns are consecutive steps.
    """

    x: np.ndarray
    mask: np.ndarray | None
    states: list[Any]
    call: Call
    columns: np.ndarray | None = None

    @property
    def steps(self) -> np.ndarray:
        """The time step of each column of x in the caller's sequences, (N, T) or (1, T)."""
        if self.columns is not None:
            return self.columns
        first = self.call.offset
        return np.arange(first, first + self.x.shape[1])[None]


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
        The tape of the forward pass. If the loss is fused with the output activation, the last
        output is the pre-activation.
    weight : float
        Sum of the weights of the unmasked steps that the loss is a mean over.
    given : Pass
        The arguments that lead to the tape. Its ``x`` ends with the steps of the tape; in truncated
        backpropagation it may begin before them.
    activation : Activation or None
        The output activation that the loss is fused with.
    dx : ndarray of the shape of x, or None
        dL/dx, if the backward pass was asked for it; None for tokens.
    first : int
        Number of steps of the tape before those that have a loss.
    """

    value: float
    data_loss: float
    penalty: float
    tape: Tape
    weight: float
    given: Pass
    activation: Activation | None = None
    dx: np.ndarray | None = None
    first: int = 0

    @cached_property
    def outputs(self) -> list[np.ndarray]:
        """The output of each layer; a fused output activation is applied here, when needed."""
        *before, last = self.tape.outputs
        if self.activation is not None:
            last, real = self.activation(last), self.tape.output_mask
            last = last if real is None else np.where(real[..., None], last, 0)
        return [*before, last]

    @property
    def y(self) -> np.ndarray:
        """The network's output, (N, T, K) or (N, K), at the steps that have a loss."""
        return self.outputs[-1][:, self.first :]

    @property
    def begin(self) -> int:
        """The time step of the first output that has a loss."""
        return self.given.call.offset + self.first


def evaluate(
    net: Network,
    x: np.ndarray,
    y: np.ndarray,
    loss: Any,
    *,
    mask: np.ndarray | None = None,
    initial_state: list[Any] | None = None,
    sample_weight: np.ndarray | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    training: bool = False,
    rng: np.random.Generator | None = None,
) -> Evaluation:
    """Return the objective of checked data; see :func:`evaluate_and_backward`."""
    call = Call(training=training, rng=rng, keep=False)
    result, _ = _forward(net, x, y, loss, mask, initial_state, sample_weight, call)
    return _penalised(net, result, l1, l2, backward=False)


def evaluate_and_backward(
    net: Network,
    x: np.ndarray,
    y: np.ndarray,
    loss: Any,
    *,
    mask: np.ndarray | None = None,
    initial_state: list[Any] | None = None,
    sample_weight: np.ndarray | None = None,
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
    y : ndarray
        The targets that ``loss.check_target`` returned.
    loss : str, Loss or callable
        The loss.
    initial_state : list, optional
        The states that ``net.check_states`` returned.
    sample_weight : ndarray of shape (N,) or (N, T), optional
        Weight of each sequence, or of each step.
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
    result, dy = _forward(net, x, y, loss, mask, initial_state, sample_weight, call)
    states: list[Any] = [None] * len(net.layers)
    dy = dy.astype(net.dtype, copy=False)  # a user-defined loss may return another
    result.dx = net.run_back(result.tape, dy, states, input_gradient)
    return _penalised(net, result, l1, l2, backward=True, share=share)


def _forward(
    net: Network,
    x: np.ndarray,
    y: np.ndarray,
    loss: Any,
    mask: np.ndarray | None,
    states: list[Any] | None,
    weights: np.ndarray | None,
    call: Call,
) -> tuple[Evaluation, np.ndarray]:
    function: Loss = loss if isinstance(loss, Loss) else losses.get(loss)
    fused, scale = _fusion(net, function)
    states = [None] * len(net.layers) if states is None else states
    own = call._replace(logits=True) if fused else call
    untouched = own
    if own.training and net.topology.draws:
        untouched = own._replace(rng=deepcopy(own.rng))
    output, tape = net.run(x, mask, states, own)
    real = tape.output_mask
    if real is None:
        weights = drop_empty(weights, mask)
    if fused:
        logits = output if scale is None else output * scale
        value, dy = function.evaluate(logits, y, real, weights, logits=True)
        if scale is not None:
            dy *= scale
    else:
        value, dy = function.evaluate(output, y, real, weights)
    weight = function.batch_weight(output.shape, real, weights)
    given = Pass(x, mask, states, untouched)
    activation = net.output_activation if fused else None
    return Evaluation(value, value, 0.0, tape, weight, given, activation), dy


def _fusion(net: Network, loss: Loss) -> tuple[bool, Any]:
    """Whether the loss is fused with the output activation, and the factor on the logits if any."""
    if loss.activation is None:
        return False, None
    activation = net.output_activation
    if isinstance(activation, Softmax) and loss.activation == "softmax":
        hot = activation.temperature != 1.0
        return True, net.dtype.type(1.0 / activation.temperature) if hot else None
    return loss.fuses_with(activation), None


def drop_empty(weights: np.ndarray | None, mask: np.ndarray | None) -> np.ndarray | None:
    """Return the weights with zero for each sequence that is masked at every step.

    Such a sequence still has outputs where the outputs are not those of its steps: the ones that
    its initial state leads to. They are no data.

    Parameters
    ----------
    weights : ndarray of shape (N,) or of the output steps, or None
    mask : ndarray of bool of shape (N, T), or None
        True at the unmasked steps of the input.
    """
    if mask is None or mask.any(axis=1).all():
        return weights
    real = np.asarray(mask.any(axis=1), dtype=np.float64)
    if weights is None:
        return real
    return weights * (real if weights.ndim == 1 else real[:, None])


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
    if not (l1 or l2 or net.topology.penalised):
        return result
    for name, W in net.params.items():
        if not net.params.is_weight(name):
            continue
        layer = net.layers[net.topology.layer_of(name)]
        own_l1 = share * (l1 + (layer.l1 or 0.0))
        own_l2 = share * (l2 + (layer.l2 or 0.0))
        result.penalty += _penalty(W, net.grads[name] if backward else None, own_l1, own_l2)
    result.value = result.data_loss + result.penalty
    return result


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
