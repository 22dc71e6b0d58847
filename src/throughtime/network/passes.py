"""The forward and the backward pass through the layers of a network.

The tape of a graph is the tapes of its layers. With signal s, its takers c and dL/ds its gradient:

    y_i = layer_i(y_s for s in sources(i)),  in the order of the calls                  (GR1)
    dL/dy_s = dL/dy_s of the outputs + sum over c in takers(s) of dL/dx_c               (GR2)
    dL/dstate_i = sum over c that start from state_i of dL/dstate0_c                    (GR3)
    dL/dp = sum over the calls of the layer that owns p                                 (GR4)

The backward pass walks the calls in reverse order, so that (GR2) and (GR3) are complete when a call
is reached; a layer adds to its gradients, which is (GR4). See ``docs/math/graph.md``.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from throughtime.layers import Layer, Recurrent
from throughtime.layers.base import UNTAPED, Call, Result, own_call
from throughtime.layers.states import completed
from throughtime.network.graph import Topology
from throughtime.network.signals import Arrays, alike, cut, each, first_of
from throughtime.network.tape import Tape, add_states, cut_state


class Runnable(Protocol):
    """What a pass asks of a :class:`throughtime.Network`."""

    topology: Topology
    layers: tuple[Layer, ...]
    groups: list[Any]
    grad_groups: list[Any]
    dtype: np.dtype


class Streamable(Runnable, Protocol):
    """What a stream asks of a :class:`throughtime.Network`."""

    @property
    def n_features(self) -> int: ...

    @property
    def n_outputs(self) -> int: ...

    def check_input(self, x: Any, lengths: Any = None, mask: Any = None) -> tuple[Any, Any]: ...

    def run(self, x: Any, mask: Any, states: list[Any], call: Call) -> tuple[Any, Tape]: ...

    def row_parts(self, x: Arrays) -> list[slice]: ...


def run(net: Runnable, x: Any, mask: Any, states: list[Any], call: Call) -> tuple[Any, Tape]:
    """Forward pass; see :meth:`throughtime.Network.run`."""
    plan, groups = net.topology.plan, net.groups
    tape = Tape(mask=mask, taped=call.keep)
    finals, given, caches = tape.final_state, tape.given, tape.caches
    values, masks = ([*x], [*mask]) if isinstance(x, tuple) else ([x], [mask])
    skip: Any = call.logits or ()
    if skip is True:
        skip = net.topology.ends
    plain = call.rng is None and not skip
    for i, layer in enumerate(net.layers):
        own, state = call if plain else own_call(call, layer, i in skip), states[i]
        _, sources, source = plan.calls[i]
        if source is not None or layer.several:
            result = run_call(net, i, values, masks, finals, state, own)
        else:
            (s,) = sources
            result = layer.forward(groups[i], values[s], masks[s], state, own)  # (GR1)
        values.append(result.y)
        masks.append(result.mask)
        finals.append(result.final_state)
        given.append(state is not None)
        if call.keep:
            caches.append(result.cache)
    tape.outputs, tape.masks = values[len(plan.forms) :], masks
    if len(plan.signals) == 1:
        (s,) = plan.signals
        tape.output_mask = masks[s]
        return values[s], tape
    tape.output_mask = tuple(masks[s] for s in plan.signals)
    return tuple(values[s] for s in plan.signals), tape


def run_call(
    net: Runnable, i: int, values: Any, masks: Any, finals: Any, state: Any, call: Call
) -> Result:
    """Run call ``i`` of the plan.

    Parameters
    ----------
    values, masks : sequence or mapping of int to ndarray
        The signals so far, by their numbers.
    finals : sequence or mapping of int to tuple
        The final states of the calls so far.
    state : tuple or None
        A given initial state, which replaces the one that the plan has.
    """
    layer, (_, sources, source) = net.layers[i], net.topology.plan.calls[i]
    if state is None and source is not None:
        state = initial_state(net, i, values, finals)
    if layer.several:
        taken, real = tuple(values[s] for s in sources), tuple(masks[s] for s in sources)
        return layer.forward(net.groups[i], taken, real, state, call)
    return layer.forward(net.groups[i], values[sources[0]], masks[sources[0]], state, call)


def initial_state(net: Runnable, i: int, values: Any, finals: Any) -> Any:
    """The initial state that the plan gives to call ``i``: a final state, or vectors."""
    source = net.topology.plan.calls[i].state
    if isinstance(source, int):
        return finals[source]
    assert source is not None
    layer, vectors = net.layers[i], [values[s] for s in source]
    assert isinstance(layer, Recurrent)  # and the vectors have its widths: the wiring is checked
    return tuple(completed(vectors, layer.state_widths, len(vectors[0]), net.dtype))


def run_parts(
    net: Runnable, x: Any, mask: Any, states: list[Any], parts: list[slice]
) -> tuple[list[np.ndarray], list[list[Any]]]:
    """Run parts of the rows without a tape: the whole outputs, the final states of each part."""
    whole: list[np.ndarray] = []
    finals = []
    for rows in parts:
        own = [cut_state(state, rows) for state in states]
        y, tape = run(net, cut(x, rows), cut(mask, rows), own, UNTAPED)
        if not whole:
            whole = [np.empty((len(first_of(x)), *one.shape[1:]), one.dtype) for one in each(y)]
        for target, one in zip(whole, each(y), strict=True):
            target[rows] = one
        finals.append(tape.final_state)
    return whole, finals


def run_back(net: Runnable, tape: Tape, dy: Any, d_states: list[Any], input_gradient: bool) -> Any:
    """Backward pass; see :meth:`throughtime.Network.run_back`."""
    plan, inputs = net.topology.plan, len(net.topology.plan.forms)
    slopes: list[Any] = [None] * (inputs + len(net.layers))  # dL/d(signal)
    for s, one in zip(plan.signals, each(dy), strict=True):
        slopes[s] = _sum(slopes[s], one)
    tape.d_initial_state = [None] * len(net.layers)
    tape.d_outputs = slopes[inputs:]
    for i in reversed(range(len(net.layers))):
        layer, (_, sources, source), slope = net.layers[i], plan.calls[i], slopes[inputs + i]
        tape.d_outputs[i] = slope
        if slope is None and not isinstance(layer, Recurrent):
            if d_states[i] is None:
                continue  # nothing that has a gradient depends on it
            slope = np.zeros_like(tape.outputs[i])
        if slope is None and d_states[i] is None:
            continue
        wanted = input_gradient or max(sources) >= inputs
        dx, d_initial = layer.backward(
            net.grad_groups[i], tape.caches[i], slope, d_states[i], wanted
        )
        tape.d_initial_state[i] = d_initial
        parts = (dx,) * len(sources) if dx is None or not layer.several else dx
        for s, part in zip(sources, parts, strict=True):
            slopes[s] = _sum(slopes[s], part)  # (GR2)
        if source is None or tape.given[i]:
            continue
        if isinstance(source, int):
            d_states[source] = add_states(d_states[source], d_initial)  # (GR3)
        else:
            for s, part in zip(source, d_initial, strict=False):
                slopes[s] = _sum(slopes[s], part)
    return alike(tuple(slopes[:inputs])) if input_gradient else None


def _sum(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    """Sum of two gradients of a signal, either of which may be None; both stay as they are."""
    if a is None or b is None:
        return b if a is None else a
    total: np.ndarray = a + b
    return total
