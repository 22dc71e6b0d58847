r"""What is minimised: loss plus penalties. Training and the gradient check share these lines.

    value = loss(net(x), y) + sum over weight matrices of (l2/2 sum W^2 + l1 sum |W|)

A penalty counts once for a batch, on weights and not on biases; a layer's own l1 and l2 are added
to those of the call. In truncated backpropagation every chunk has an update, and so a value, of its
own: a chunk's mean loss has the whole penalty beside it; a sum, which the chunks share, the chunk's
share of it. A loss that is fused with the output activation (softmax with cross-entropy)
is computed from the pre-activation, so that nothing overflows between the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from throughtime import losses
from throughtime.activations import Softmax
from throughtime.errors import InvalidArgumentError
from throughtime.layers import MaxPool, MeanPool
from throughtime.layers.base import Call
from throughtime.losses import Loss
from throughtime.network import Network
from throughtime.topology import Tape


@dataclass(frozen=True)
class Pass:
    """What a forward pass started from: with it, the pass can be run again.

    Attributes
    ----------
    x, mask, states, call
        The arguments of :meth:`Network.run`; the generator of ``call`` is a copy that nobody has
        drawn from.
    steps : ndarray of int of shape (N, T) or (1, T)
        The time step of the caller's sequences that each column of ``x`` holds.
    """

    x: np.ndarray
    mask: np.ndarray | None
    states: list[Any]
    call: Call
    steps: np.ndarray


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
    y : ndarray of shape (N, T, K) or (N, K)
        The network's output.
    tape : Tape
        Of the forward pass.
    weight : float
        Sum of the weights of the real steps that the loss is a mean over.
    given : Pass
        What leads to the tape. Its ``x`` ends with the steps of the tape; in truncated
        backpropagation it may begin before them.
    dx : ndarray of the shape of x, or None
        dL/dx, after a backward pass; None for tokens.
    """

    value: float
    data_loss: float
    penalty: float
    y: np.ndarray
    tape: Tape
    weight: float
    given: Pass
    dx: np.ndarray | None = None


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
) -> Evaluation:
    """Compute the objective and ADD its gradient to ``net.grads``.

    Parameters
    ----------
    net : Network
    x, mask :
        What ``net.check_input`` returned.
    y : ndarray
        What ``loss.check_target`` returned.
    loss : str, Loss or callable
    initial_state : list, optional
        What ``net.check_states`` returned.
    sample_weight : ndarray of shape (N,) or (N, T), optional
        How much each sequence, or each step, counts.
    l1, l2 : float
        Penalties.
    training : bool
        Whether dropout acts, drawn from ``rng``.
    offset : int
        How many steps of the sequences came before ``x``; see :class:`Call`.
    share : float
        Factor on all penalties: which part of a batch this is.
    """
    call = Call(training=training, rng=rng, offset=offset)
    result, dy = _forward(net, x, y, loss, mask, initial_state, sample_weight, call)
    result.dx = net.backward(result.tape, dy)
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
    function: Loss = losses.get(loss)
    fused, scale = _fusion(net, function)
    states = [None] * len(net.layers) if states is None else states
    own = replace(call, logits=fused)
    columns = np.arange(call.offset, call.offset + x.shape[1])[None]
    given = Pass(x, mask, states, replace(own, rng=deepcopy(call.rng)), columns)
    output, tape = net.run(x, mask, states, own)
    real = tape.output_mask
    if real is None:
        weights = drop_empty(weights, mask)
    if fused:
        value, dy = function.evaluate(output * scale, y, real, weights, logits=True)
        dy *= scale
        activation = net.output_activation
        assert activation is not None
        output = activation(output)
        if real is not None:
            output = np.where(real[..., None], output, 0)
        tape.outputs[-1] = output
    else:
        value, dy = function.evaluate(output, y, real, weights)
    weight = function.batch_weight(output.shape, real, weights)
    return Evaluation(value, value, 0.0, output, tape, weight, given), dy


def _fusion(net: Network, loss: Loss) -> tuple[bool, Any]:
    """Whether the loss contains the output activation, and the factor on the logits."""
    activation = net.output_activation
    if isinstance(activation, Softmax) and loss.activation == "softmax":
        return True, net.dtype.type(1.0 / activation.temperature)
    return loss.fuses_with(activation), net.dtype.type(1.0)


def drop_empty(weights: np.ndarray | None, mask: np.ndarray | None) -> np.ndarray | None:
    """Weights with which a sequence without a real step counts for nothing.

    It has outputs all the same, where these are not those of its steps: what an initial state
    leads to. They are no data.

    Parameters
    ----------
    weights : ndarray of shape (N,) or of the output steps, or None
    mask : ndarray of bool of shape (N, T), or None
        Real steps of the input.
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
    for name, W in net.params.items():
        if not name.rpartition(".")[2].startswith("W"):
            continue
        layer = net.layers[int(name.partition(".")[0])]
        own_l1 = share * (l1 + (getattr(layer, "l1", None) or 0.0))
        own_l2 = share * (l2 + (getattr(layer, "l2", None) or 0.0))
        if own_l2:
            result.penalty += own_l2 / 2 * float(np.square(W, dtype=np.float64).sum())
            if backward:
                net.grads[name] += W.dtype.type(own_l2) * W
        if own_l1:
            result.penalty += own_l1 * float(np.abs(W).sum(dtype=np.float64))
            if backward:
                net.grads[name] += W.dtype.type(own_l1) * np.sign(W)
    result.value = result.data_loss + result.penalty
    return result


# -- truncated backpropagation -----------------------------------------------------------------


def check_chunks(net: Network) -> None:
    """Refuse a network that cannot be run in chunks of time.

    Raises
    ------
    InvalidArgumentError
        If a layer needs the whole sequence at once.
    """
    for i, layer in enumerate(net.layers):
        reason = layer.stream_refusal()
        if reason is None and isinstance(layer, MeanPool | MaxPool):
            reason = "it looks at all steps at once"
        if reason is None and net.topology.hands_state[i]:
            reason = "its decoder starts from its end"
        if reason is not None:
            raise InvalidArgumentError(
                f"tbptt must be None for this network: layer {i} ({layer.name}) cannot be cut into"
                f" chunks of time, because {reason}."
            )


def truncated(
    net: Network,
    x: np.ndarray,
    y: np.ndarray,
    loss: Any,
    tbptt: tuple[int, int],
    *,
    mask: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    training: bool = False,
    rng: np.random.Generator | None = None,
) -> Iterator[Evaluation]:
    """Truncated BPTT(k1, k2): every k1 steps, the loss of these steps, back through k2 steps.

    The state is carried over the whole sequence; the gradient is not. Before each Evaluation is
    yielded, its gradient is ADDED to ``net.grads``; the caller may update the parameters and must
    clear the gradients before it asks for the next one. With ``k2 > k1`` the k2 - k1 steps before
    a chunk are run again with the parameters of the moment, from the state carried to their start,
    so the gradient is exact for the window it sees. Where the network gives one output a sequence,
    there is one Evaluation, and the gradient goes back through the last k2 real steps of each row.

    Williams and Peng (1990), Neural Computation 2(4), call this BPTT(h; h') with h = k2, h' = k1.
    """
    k1, k2 = tbptt
    steps = x.shape[1]
    seed = None if rng is None else int(rng.integers(2**63))
    options: dict[str, Any] = {"l1": l1, "l2": l2, "training": training}
    if net.topology.forms[-1].kind == "vector":
        x, mask, columns = _align_right(x, mask)
        start = max(0, steps - k2)
        carried = _advance(net, x, mask, 0, start, None, training, seed)
        result = evaluate_and_backward(
            net, x[:, start:], y, loss, mask=_cut(mask, start, steps), initial_state=carried,
            sample_weight=sample_weight, rng=_stream(seed), offset=start, **options,
        )  # fmt: skip
        nothing: list[Any] = [None] * len(net.layers)
        call = Call(training=training, rng=_stream(seed))
        result.given = Pass(x, mask, nothing, call, columns)
        yield result
        return
    carried, begin = None, 0  # the state after `begin` steps
    for first in range(0, steps, k1):
        end = min(first + k1, steps)
        start = max(0, end - max(k2, end - first))
        carried = _advance(net, x, mask, begin, start, carried, training, seed)
        begin = start
        yield _chunk(
            net, x, y, loss, mask, sample_weight, (start, first, end), carried, seed, options
        )


def _chunk(
    net: Network,
    x: np.ndarray,
    y: np.ndarray,
    loss: Any,
    mask: np.ndarray | None,
    weights: np.ndarray | None,
    span: tuple[int, int, int],
    carried: list[Any] | None,
    seed: int | None,
    options: dict[str, Any],
) -> Evaluation:
    """Run steps start ... end; only first ... end have a loss."""
    start, first, end = span
    own: np.ndarray | None = None
    if weights is not None or first > start:
        own = np.ones((len(x), end - start))
        if weights is not None:
            own *= weights[:, None] if weights.ndim == 1 else weights[:, start:end]
        own[:, : first - start] = 0.0
    function, real, share = losses.get(loss), _cut(mask, start, end), 1.0
    if function.reduction == "sum":
        whole = function.batch_weight((*x.shape[:2], 1), mask, weights)
        share = function.batch_weight((len(x), end - start, 1), real, own) / (whole or 1.0)
    result = evaluate_and_backward(
        net, x[:, start:end], y[:, start:end], function, mask=real, initial_state=carried,
        sample_weight=own, rng=_stream(seed), offset=start, share=share, **options,
    )  # fmt: skip
    result.y = result.y[:, first - start :]
    return result


def _advance(
    net: Network,
    x: np.ndarray,
    mask: np.ndarray | None,
    begin: int,
    end: int,
    states: list[Any] | None,
    training: bool,
    seed: int | None,
) -> list[Any] | None:
    """The state after ``end`` steps, from that after ``begin``; None stands for the start."""
    if end == begin:
        return states
    nothing = [None] * len(net.layers)
    call = Call(training=training, rng=_stream(seed), keep=False, offset=begin)
    _, tape = net.run(x[:, begin:end], _cut(mask, begin, end), states or nothing, call)
    return tape.final_state


def _stream(seed: int | None) -> np.random.Generator | None:
    # Every chunk starts from the same numbers: a mask for all steps stays one mask.
    return None if seed is None else np.random.default_rng(seed)


def _cut(mask: np.ndarray | None, start: int, end: int) -> np.ndarray | None:
    return None if mask is None else mask[:, start:end]


def _align_right(
    x: np.ndarray, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Move every row's real steps, in their order, to its end; masked steps change nothing.

    Also return where each column came from.
    """
    if mask is None:
        return x, None, np.arange(x.shape[1])[None]
    source = np.argsort(mask, axis=1, kind="stable")
    rows = np.arange(len(x))[:, None]
    return x[rows, source], mask[rows, source], source
