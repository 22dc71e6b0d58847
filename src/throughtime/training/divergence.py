"""Where the values stopped being finite: in which layer, and at which time step.

The search follows the order of the computation. In a forward pass the origin is the first output
that is not finite. In a backward pass the layers are searched from the last to the first, and in
each layer the steps from the last to the first. A layer that is called several times is searched
call by call.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from throughtime.layers import Layer, Recurrent
from throughtime.network import Network, passes
from throughtime.network.containers import Container
from throughtime.network.graph import Topology
from throughtime.network.plan import Unit
from throughtime.network.signals import each
from throughtime.network.tape import Tape, add_states
from throughtime.optimizers.base import Optimizer
from throughtime.training.objective import Evaluation, Pass
from throughtime.training.targets import axes

#: The norm below which the square of a gradient cannot overflow in a moment, by dtype: 1e-4 of the
#: root of the largest float, so that 1e8 squares of this size may be summed.
LARGE = {np.dtype(kind): 1e-4 * math.sqrt(np.finfo(kind).max) for kind in (np.float32, np.float64)}


@dataclass(frozen=True)
class Origin:
    """The place where a computation stopped being finite.

    Attributes
    ----------
    what : str
        ``"the output of layer 0 (GRU) became inf"``.
    layer : int or None
        The number of the layer; None if it began in none.
    step : int or None
        The time step, from 0; None if the value has no time axis.
    """

    what: str
    layer: int | None = None
    step: int | None = None

    def __str__(self) -> str:
        return self.what if self.step is None else f"{self.what} at time step {self.step}"


def forward_origin(net: Network, evaluation: Evaluation) -> Origin:
    """Find the origin in a forward pass whose loss is not finite.

    ``net`` must still have the weights of that pass.
    """
    for i, y in enumerate(evaluation.outputs):
        bad = ~np.isfinite(y)
        if bad.any():
            where = Origin(f"the output of {net.topology.named(i)} became {_kind(y)}", i)
            if isinstance(net.layers[i], Recurrent):
                bad = ~np.isfinite(_run_again(net, i, evaluation.given))
            if bad.ndim == 3:
                return replace(where, step=_first(net.layers[i], bad, _times(net, i, evaluation)))
            return where
    finite = [math.isfinite(term.value) for term in evaluation.terms]
    whose = "their loss" if len(finite) == 1 or all(finite) else "the loss"
    of = "" if whose == "their loss" else _of_output(net, finite.index(False))
    return Origin(f"the outputs are finite, but {whose}{of} is not")


def backward_origin(net: Network, evaluation: Evaluation) -> Origin:
    """Find the origin in a backward pass after a forward pass with a finite loss.

    ``net.grads`` must still hold the gradients of that pass. The search overwrites them.
    """
    tape, topology = evaluation.tape, net.topology
    if not all(np.isfinite(y).all() for y in evaluation.outputs):
        return forward_origin(net, evaluation)  # an infinity that a tanh hid from the loss
    for k, (i, slope) in enumerate(zip(evaluation.ends, evaluation.slopes, strict=True)):
        if not np.isfinite(slope).all():
            of = _of_output(net, k) if len(evaluation.ends) > 1 else ""
            what = f"the derivative of the loss{of} is {_kind(slope)}"
            return Origin(what, i, _last(net.layers[i], slope, _times(net, i, evaluation)))
    wrong = {name for name in net.grads if not np.isfinite(net.grads[name]).all()}
    for i in reversed(range(len(net.layers))):
        layer, named, times = net.layers[i], topology.named(i), _times(net, i, evaluation)
        whole = tape.d_outputs[i]
        if whole is not None and not np.isfinite(whole).all():  # those of its takers are finite
            what = f"the gradient of the output of {named}, a sum, became {_kind(whole)}"
            return Origin(what, i, _last(layer, whole, times))
        found = _back_again(net, tape, i)
        if found is None:
            continue
        slopes, first = found
        step = None if first is None else _last(layer, first, times)
        own = net.grads.owned(topology.owners[i])
        bad = [name for name in own if name in wrong and not np.isfinite(own[name]).all()]
        if bad:
            what = f"the gradient of {bad[0]}, in {named} became {_kind(own[bad[0]])}"
            return Origin(what, i, step)
        for what, values in slopes:
            if not np.isfinite(values).all():
                return Origin(f"the gradient of {what} of {named} became {_kind(values)}", i, step)
    return Origin("the sum of the gradients overflowed")


def _back_again(
    net: Network, tape: Tape, i: int
) -> tuple[list[tuple[str, np.ndarray]], np.ndarray | None] | None:
    """Run call ``i`` backwards again; only its own gradients are then in those of its layer.

    Return what it sends back, in words and numbers, and the gradient of its first input that has
    one. None if no gradient comes to it.
    """
    plan, layer, slope = net.plan, net.layers[i], tape.d_outputs[i]
    d_final = None
    for j, call in enumerate(plan.calls):
        if call.state == i and not tape.given[j]:
            d_final = add_states(d_final, tape.d_initial_state[j])
    if slope is None and d_final is None:
        return None
    if slope is None and not isinstance(layer, Recurrent):
        slope = np.zeros_like(tape.outputs[i])
    for values in net.grads.owned(net.topology.owners[i]).values():
        values[...] = 0
    dx, d_initial = layer.backward(net.grad_groups[i], tape.caches[i], slope, d_final, True)
    inputs = [one for one in each(dx) if one is not None]
    slopes = [("the input", one) for one in inputs]
    if plan.calls[i].state is not None:
        slopes += [("the initial state", one) for one in _leaves(d_initial)]
    return slopes, inputs[0] if inputs else None


def _leaves(state: Any) -> list[np.ndarray]:
    if isinstance(state, tuple):
        return [one for part in state for one in _leaves(part)]
    return [] if state is None else [state]


def _of_output(net: Network, k: int) -> str:
    return f" of output {net.plan.outputs.names[k]!r}"


def update_origin(net: Network, optimizer: Optimizer, norm: float, finite: bool) -> Origin | None:
    """Find the parameter, or the moment of the optimiser, that an update made infinite or NaN.

    ``finite`` is whether all parameters are finite. An infinite mean square would silently stop its
    weight for good, because the steps are divided by it. Moments are checked only if ``norm``, of
    the gradient, is so large that its square can have overflowed.
    """
    if not finite:
        name, layer = _parameter(net, np.isfinite(net.params.flat))
        what = f"the update made {name}, of {net.topology.named(layer)}, {_kind(net.params[name])}"
        return Origin(what, layer)
    if norm < LARGE[net.dtype]:
        return None
    for moment, values in optimizer.moments.items():
        right = np.isfinite(values)
        if not right.all():
            name, layer = _parameter(net, right)
            what = (
                f"the optimizer's {moment} for {name}, of {net.topology.named(layer)}, overflowed"
            )
            return Origin(f"{what} with a gradient of norm {norm:.3g}", layer)
    return None


def _parameter(net: Network, finite: np.ndarray) -> tuple[str, int]:
    """Name and layer of the first number in ``net.params.flat`` that is not ``finite``."""
    name, _ = net.params.locate(int(np.argmin(finite)))
    return name, net.topology.layer_of(name)


#: Inputs beyond this size are not scaled: standardised data exceed it once in 1e23 values.
UNSCALED = 10.0


def advice(net: Network, x: Any, lr: float, clipped: bool) -> str:
    """Say what to try, the most likely remedy first."""
    sizes = [float(np.abs(one).max(initial=0.0)) for one in each(x) if one.dtype.kind == "f"]
    largest = max(sizes, default=0.0)
    ways = [f"a lower learning rate (it is {lr:.3g})"]
    if not clipped:
        ways.append("clip_norm=1.0")
    if largest > UNSCALED:
        ways.insert(0, f"scaled inputs (the largest is {largest:.3g})")
    if net.dtype == np.float32 and largest <= UNSCALED:
        ways.append("a network of dtype='float64'")
    return "Try " + ", or ".join(ways) + "."


def _kind(values: Any) -> str:
    """What is wrong with ``values``; if there are both, the infinity, which leads to the NaN."""
    return "infinite" if np.isinf(values).any() else "NaN"


@dataclass
class _Front:
    """The part of a network up to one call."""

    topology: Topology
    layers: tuple[Layer, ...]
    groups: list[Any]
    grad_groups: list[Any]
    dtype: np.dtype


def _run_again(net: Network, i: int, given: Pass) -> np.ndarray:
    """Outputs (N, T, K) of the recurrent layer ``i`` at all steps, those of both directions.

    The calls up to this one repeat the pass from the start, with the same random numbers.
    """
    own = replace(cast(Recurrent, net.layers[i]), return_sequences=True, merge="concat")
    plan = net.plan
    calls = (*plan.calls[:i], plan.calls[i]._replace(unit=len(plan.units)))
    plan = replace(
        plan,
        units=(*plan.units, Unit("", own)),  # no layer can be called so
        calls=calls,
        outputs=Container.single(),
        signals=(len(plan.forms) + i,),
    )
    topology = Topology(plan)
    front = _Front(topology, topology.layers, net.groups, net.grad_groups, net.dtype)
    call = given.call._replace(rng=deepcopy(given.call.rng), keep=False, logits=False)
    y, _ = passes.run(front, given.x, given.mask, given.states[: i + 1], call)
    return y


def _times(net: Network, i: int, evaluation: Evaluation) -> np.ndarray | None:
    """The time steps (N, T) or (1, T) that layer ``i`` takes, as those of an input of the pass.

    None if it has none, or other ones than any input.
    """
    forms = [form for form in each(net.topology.before[i]) if form.steps is not None]
    if not forms or forms[0].steps.changed:
        return None
    numbers = axes(net.topology.input_forms)
    number = axes(forms)[0]
    return evaluation.given.steps(numbers.index(number)) if number in numbers else None


def _first(layer: Any, bad: np.ndarray, times: np.ndarray | None) -> int | None:
    """The first step, in the order in which the layer runs, where ``bad (N, T, K)`` is True."""
    halves: list[Any] = (
        np.split(bad, 2, axis=2) if getattr(layer, "bidirectional", False) else [bad]
    )
    orders = [False, True] if len(halves) == 2 else [getattr(layer, "reverse", False)]
    for half, reverse in zip(halves, orders, strict=True):
        steps = _at(half.any(axis=2), times)
        if steps.size:
            return int(steps.max() if reverse else steps.min())
    return None


def _last(layer: Any, gradient: np.ndarray, times: np.ndarray | None) -> int | None:
    """The first step, in the order of backpropagation, where ``gradient (N, T, F)`` is not finite.

    If only its sum over the steps is not finite: the step where it is largest.
    """
    if gradient.ndim < 3:
        return None
    steps = _at(~np.isfinite(gradient).all(axis=2), times)
    if steps.size:
        return int(steps.min() if getattr(layer, "reverse", False) else steps.max())
    size = np.abs(gradient)
    return int(_at((size == size.max()).any(axis=2), times)[0])


def _at(chosen: np.ndarray, times: np.ndarray | None) -> np.ndarray:
    """The time steps where ``chosen (N, T)`` is True; ``times`` may begin with earlier steps."""
    if times is None:
        times = np.arange(chosen.shape[1])[None]
    return np.broadcast_to(times[:, -chosen.shape[1] :], chosen.shape)[chosen]
