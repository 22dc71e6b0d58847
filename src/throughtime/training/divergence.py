"""Where the values stopped being finite: in which layer, and at which time step.

The search follows the order of the computation. In a forward pass the origin is the first output
that is not finite. In a backward pass the layers are searched from the last to the first, and in
each layer the steps from the last to the first.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from throughtime.layers import Recurrent
from throughtime.layers.forms import Steps
from throughtime.network import Network
from throughtime.network.signals import each
from throughtime.network.tape import Tape
from throughtime.optimizers.base import Optimizer
from throughtime.training.objective import Evaluation, Pass

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
            where = Origin(f"the output of {_named(net, i)} became {_kind(y)}", i)
            if isinstance(net.layers[i], Recurrent):
                bad = ~np.isfinite(_run_again(net, i, evaluation.given))
            if bad.ndim == 3:
                return replace(where, step=_first(net.layers[i], bad, _times(net, i, evaluation)))
            return where
    return Origin("the outputs are finite, but their loss is not")


def backward_origin(net: Network, evaluation: Evaluation) -> Origin:
    """Find the origin in a backward pass after a forward pass with a finite loss.

    ``net.grads`` must still hold the gradients of that pass. The search overwrites them.
    """
    tape = evaluation.tape
    if not all(np.isfinite(y).all() for y in evaluation.outputs):
        return forward_origin(net, evaluation)  # an infinity that a tanh hid from the loss
    for i in reversed(range(len(net.layers))):
        dy, times = tape.d_outputs[i], _times(net, i, evaluation)
        if dy is not None and not np.isfinite(dy).all():
            what = f"the derivative of the loss is {_kind(dy)}"
            return Origin(what, i, _last(net.layers[i], dy, times) if dy.ndim == 3 else None)
        dx = tape.d_outputs[i - 1] if i > 0 else _input_gradient(net, tape)
        own = net.grads.owned(net.topology.owners[i])
        bad = [name for name, values in own.items() if not np.isfinite(values).all()]
        if bad or (dx is not None and not np.isfinite(dx).all()):
            where = f"the gradient of {bad[0]}, in" if bad else "the gradient of the input of"
            kind = _kind(net.grads[bad[0]]) if bad else _kind(dx)
            step = None if dx is None else _last(net.layers[i], dx, times)
            return Origin(f"{where} {_named(net, i)} became {kind}", i, step)
    return Origin("the sum of the gradients overflowed")


def update_origin(net: Network, optimizer: Optimizer, norm: float, finite: bool) -> Origin | None:
    """Find the parameter, or the moment of the optimiser, that an update made infinite or NaN.

    ``finite`` is whether all parameters are finite. An infinite mean square would silently stop its
    weight for good, because the steps are divided by it. Moments are checked only if ``norm``, of
    the gradient, is so large that its square can have overflowed.
    """
    if not finite:
        name, layer = _parameter(net, np.isfinite(net.params.flat))
        what = f"the update made {name}, of {_named(net, layer)}, {_kind(net.params[name])}"
        return Origin(what, layer)
    if norm < LARGE[net.dtype]:
        return None
    for moment, values in optimizer.moments.items():
        right = np.isfinite(values)
        if not right.all():
            name, layer = _parameter(net, right)
            what = f"the optimizer's {moment} for {name}, of {_named(net, layer)}, overflowed"
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


def _named(net: Network, i: int) -> str:
    return f"layer {i} ({net.layers[i].kind})"


def _kind(values: Any) -> str:
    """What is wrong with ``values``; if there are both, the infinity, which leads to the NaN."""
    return "infinite" if np.isinf(values).any() else "NaN"


def _run_again(net: Network, i: int, given: Pass) -> np.ndarray:
    """Outputs (N, T, K) of the recurrent layer ``i`` at all steps, those of both directions.

    A network of the layers up to this one repeats the pass from the start, with the same random
    numbers.
    """
    own = replace(cast(Recurrent, net.layers[i]), return_sequences=True, merge="concat")
    layers = [*net.layers[:i], own]
    tokens = net.topology.input_form.kind == "tokens"
    front = Network(layers, None if tokens else net.n_features, str(net.dtype))
    for name in front.params:
        front.params[name] = net.params[name]
    call = given.call._replace(rng=deepcopy(given.call.rng), keep=False, logits=False)
    y, _ = front.run(given.x, given.mask, given.states[: i + 1], call)
    return y


def _times(net: Network, i: int, evaluation: Evaluation) -> np.ndarray | None:
    """The time steps (N, T) or (1, T) of the input of the pass; None if layer ``i`` has no time."""
    before = net.topology.forms[i - 1] if i else net.topology.input_form
    return evaluation.given.steps if before.steps == Steps() else None


def _input_gradient(net: Network, tape: Tape) -> np.ndarray | None:
    """dL/dx of the first layer, which is not on the tape."""
    first = net.layers[0]
    return first.backward(net.grad_groups[0], tape.caches[0], tape.d_outputs[0])[0]


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
