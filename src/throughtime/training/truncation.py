r"""Truncated backpropagation: sequences run in chunks of time, with an update after each.

Every chunk therefore has its own objective. To a loss that is a mean, the whole penalty is added;
to a loss that is a sum, of which each chunk has a part, the same part of the penalty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from throughtime import losses
from throughtime.errors import InvalidArgumentError
from throughtime.layers import MaxPool, MeanPool
from throughtime.layers.base import Call
from throughtime.network import Network
from throughtime.training.objective import Evaluation, Pass, evaluate_and_backward


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
                f"tbptt must be None for this network: layer {i} ({layer.kind}) cannot be cut into"
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
    yielded, its gradient is ADDED to ``net.grads``. The caller may then update the parameters, and
    must clear the gradients before it asks for the next Evaluation. With ``k2 > k1`` the k2 - k1
    steps before a chunk are run again with the current parameters, from the state carried to their
    start, so the gradient is exact within its window. If the network gives one output a sequence,
    there is one Evaluation, and the gradient goes back through the last k2 unmasked steps of each
    row. dL/dx is not computed.

    Williams and Peng (1990), Neural Computation 2(4), call this BPTT(h; h') with h = k2, h' = k1.
    """
    k1, k2 = tbptt
    steps = x.shape[1]
    seed = None if rng is None else int(rng.integers(2**63))
    options: dict[str, Any] = {"l1": l1, "l2": l2, "training": training, "input_gradient": False}
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
    """Run the steps from start to end; those from first to end have a loss."""
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
    result.first = first - start
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
    """The state after ``end`` steps, from the state after ``begin``; None is the initial state."""
    if end == begin:
        return states
    nothing = [None] * len(net.layers)
    call = Call(training=training, rng=_stream(seed), keep=False, offset=begin)
    _, tape = net.run(x[:, begin:end], _cut(mask, begin, end), states or nothing, call)
    return tape.final_state


def _stream(seed: int | None) -> np.random.Generator | None:
    # Every chunk draws the same numbers, so a dropout mask for all steps is the same in each.
    return None if seed is None else np.random.default_rng(seed)


def _cut(mask: np.ndarray | None, start: int, end: int) -> np.ndarray | None:
    return None if mask is None else mask[:, start:end]


def _align_right(
    x: np.ndarray, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Move the unmasked steps of every row, in their order, to its end.

    This does not change the result, because a masked step changes nothing. Also return where each
    column came from.
    """
    if mask is None:
        return x, None, np.arange(x.shape[1])[None]
    source = np.argsort(mask, axis=1, kind="stable")
    rows = np.arange(len(x))[:, None]
    return x[rows, source], mask[rows, source], source
