r"""Truncated backpropagation: sequences run in chunks of time, with an update after each.

Every chunk therefore has its own objective. To a loss that is a mean, the whole penalty is added;
to a loss that is a sum, of which each chunk has a part, the same part of the penalty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from throughtime.errors import InvalidArgumentError
from throughtime.layers.base import Call
from throughtime.network import Network
from throughtime.network.plan import signals_of
from throughtime.network.signals import alike, each, mapped
from throughtime.training.heads import Heads, heads_for
from throughtime.training.objective import Evaluation, Pass, evaluate_and_backward
from throughtime.training.targets import axes


def check_chunks(net: Network) -> None:
    """Refuse a network that cannot be trained in chunks of time.

    Raises
    ------
    InvalidArgumentError
        As :func:`check_continuing`; or if some outputs are at every step and others are not.
    """
    check_continuing(net, "tbptt", "None")
    topology = net.topology
    kinds = {
        form.kind: name
        for form, name in zip(topology.output_forms, net.plan.outputs.names, strict=True)
    }
    if len(kinds) > 1:
        raise InvalidArgumentError(
            f"tbptt must be None for this network: output {kinds['vector']!r} has one value a"
            f" sequence, and output {kinds['sequence']!r} one at every step."
        )


def check_continuing(net: Network, argument: str, value: str) -> None:
    """Refuse a network that cannot be run piece of time by piece of time.

    ``argument`` is the one that asks for it, which must have ``value`` then.

    Raises
    ------
    InvalidArgumentError
        If a layer needs the whole sequence at once, or not all sequences have the same steps.
    """
    topology, refused = net.topology, f"{argument} must be {value} for this network"
    for i, layer in enumerate(net.layers):
        reason = layer.chunk_refusal()
        if reason is None and topology.hands_state[i]:
            reason = "its decoder starts from its end"
        if reason is None and _needs_end(net, i):
            reason = "it takes what is known only at the end of a sequence"
        if reason is not None:
            raise InvalidArgumentError(
                f"{refused}: {topology.named(i)} cannot be cut into chunks of time, because"
                f" {reason}."
            )
    numbers = axes(topology.input_forms)
    timed = [k for k, number in enumerate(numbers) if number is not None]
    if not timed:
        raise InvalidArgumentError(f"{refused}: it takes no sequence.")
    other = next((k for k in timed if numbers[k] != numbers[timed[0]]), None)
    if other is not None:
        names = net.plan.inputs.names
        raise InvalidArgumentError(
            f"{refused}: inputs {names[timed[0]]!r} and {names[other]!r}"
            " have steps of their own, and are not cut together."
        )


def _needs_end(net: Network, i: int) -> bool:
    """Whether call ``i`` works step by step, and needs a vector that a whole sequence made."""
    topology, call = net.topology, net.plan.calls[i]
    forms = [*topology.input_forms, *topology.forms]
    ended: set[int] = set()  # vectors that depend on a sequence
    for j, other in enumerate(net.plan.calls[:i]):
        own = len(topology.input_forms) + j
        depends = any(s in ended or forms[s].steps is not None for s in other.sources)
        if forms[own].steps is None and depends:
            ended.add(own)
    in_time = any(forms[s].steps is not None for s in call.sources)
    return in_time and any(s in ended for s in (*call.sources, *signals_of(call.state)))


def truncated(
    net: Network,
    x: Any,
    y: Any,
    loss: Any,
    tbptt: tuple[int, int],
    *,
    mask: Any = None,
    initial_state: list[Any] | None = None,
    sample_weight: Any = None,
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
    row. dL/dx is not computed. Of several inputs, all sequences are cut together, and every chunk
    gets the vectors.

    Williams and Peng (1990), Neural Computation 2(4), call this BPTT(h; h') with h = k2, h' = k1.
    """
    k1, k2 = tbptt
    heads = heads_for(net, loss)
    timed = [form.steps is not None for form in net.topology.input_forms]
    steps = each(x)[timed.index(True)].shape[1]
    seed = None if rng is None else int(rng.integers(2**63))
    options: dict[str, Any] = {"l1": l1, "l2": l2, "training": training, "input_gradient": False}
    if net.topology.output_forms[0].kind == "vector":
        x, mask, columns = _align_right(x, mask, timed)
        start = max(0, steps - k2)
        carried = _advance(net, x, mask, timed, (0, start), initial_state, training, seed)
        result = evaluate_and_backward(
            net, _cut(x, timed, start, steps), y, heads, mask=_cut(mask, timed, start, steps),
            initial_state=carried, sample_weight=sample_weight, rng=_stream(seed), offset=start,
            **options,
        )  # fmt: skip
        states = initial_state or [None] * len(net.layers)
        call = Call(training=training, rng=_stream(seed))
        result.given = Pass(x, mask, states, call, columns)
        yield result
        return
    weights = (None,) * len(heads) if sample_weight is None else each(sample_weight)
    carried, begin = initial_state, 0  # the state after `begin` steps
    for first in range(0, steps, k1):
        end = min(first + k1, steps)
        start = max(0, end - max(k2, end - first))
        carried = _advance(net, x, mask, timed, (begin, start), carried, training, seed)
        begin = start
        yield _chunk(
            net, x, y, heads, mask, weights, timed, (start, first, end), carried, seed, options
        )


def _chunk(
    net: Network,
    x: Any,
    y: Any,
    heads: Heads,
    mask: Any,
    weights: tuple[Any, ...],
    timed: list[bool],
    span: tuple[int, int, int],
    carried: list[Any] | None,
    seed: int | None,
    options: dict[str, Any],
) -> Evaluation:
    """Run the steps from start to end; those from first to end have a loss."""
    start, first, end = span
    real = _cut(mask, timed, start, end)
    rows, steps = each(y)[0].shape[:2]
    own: list[np.ndarray | None] = []
    for given in weights:
        weight: np.ndarray | None = None
        if given is not None or first > start:
            weight = np.ones((rows, end - start))
            if given is not None:
                weight *= given[:, None] if given.ndim == 1 else given[:, start:end]
            weight[:, : first - start] = 0.0
        own.append(weight)
    share = 1.0
    if all(head.loss.reduction == "sum" for head in heads):
        shown, here = each(mask)[timed.index(True)], each(real)[timed.index(True)]
        whole = _weight(heads, (rows, steps, 1), shown, weights)
        share = _weight(heads, (rows, end - start, 1), here, own) / (whole or 1.0)
    result = evaluate_and_backward(
        net, _cut(x, timed, start, end), mapped(lambda a: a[:, start:end], y), heads, mask=real,
        initial_state=carried, sample_weight=alike(tuple(own)), rng=_stream(seed), offset=start,
        share=share, **options,
    )  # fmt: skip
    result.first = first - start
    return result


def _weight(
    heads: Heads, shape: tuple[int, ...], mask: np.ndarray | None, weights: Sequence[Any]
) -> float:
    """The weight of all outputs together."""
    pairs = zip(heads, weights, strict=True)
    return sum(head.loss.batch_weight(shape, mask, weight) for head, weight in pairs)


def _advance(
    net: Network,
    x: Any,
    mask: Any,
    timed: list[bool],
    span: tuple[int, int],
    states: list[Any] | None,
    training: bool,
    seed: int | None,
) -> list[Any] | None:
    """The state after the steps of ``span``, from that before; None is the initial state."""
    begin, end = span
    if end == begin:
        return states
    nothing = [None] * len(net.layers)
    call = Call(training=training, rng=_stream(seed), keep=False, offset=begin)
    part, real = _cut(x, timed, begin, end), _cut(mask, timed, begin, end)
    _, tape = net.run(part, real, states or nothing, call)
    return tape.final_state


def _stream(seed: int | None) -> np.random.Generator | None:
    # Every chunk draws the same numbers, so a dropout mask for all steps is the same in each.
    return None if seed is None else np.random.default_rng(seed)


def _cut(arrays: Any, timed: list[bool], start: int, end: int) -> Any:
    """The steps from start to end of every sequence, and all of every vector."""
    every = zip(each(arrays), timed, strict=True)
    return alike(tuple(a[:, start:end] if yes and a is not None else a for a, yes in every))


def _align_right(x: Any, mask: Any, timed: list[bool]) -> tuple[Any, Any, list[np.ndarray | None]]:
    """Move the unmasked steps of every row of every sequence, in their order, to its end.

    This does not change the result, because a masked step changes nothing, and sequences that are
    taken together have the same mask. Also return where each column of each input came from.
    """
    xs, masks, columns = [], [], []
    for a, real, yes in zip(each(x), each(mask), timed, strict=True):
        source = np.arange(a.shape[1])[None] if yes else None
        if real is not None:
            source = np.argsort(real, axis=1, kind="stable")
            rows = np.arange(len(real))[:, None]
            a, real = a[rows, source], real[rows, source]
        xs.append(a)
        masks.append(real)
        columns.append(source)
    return alike(tuple(xs)), alike(tuple(masks)), columns
