"""Where a value that is not finite began: in which layer, and at which time step.

Forward, the layers and the steps are looked through in the order in which they were computed;
the first output that is not finite is the origin. Backward, the order is the other one: the
layers from the last to the first, and in each the steps from the last to the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.layers import Recurrent
from throughtime.layers.base import Call
from throughtime.training.samples import Samples

if TYPE_CHECKING:
    from throughtime.network import Network
    from throughtime.topology import Tape


@dataclass(frozen=True)
class Origin:
    """The place where a computation stopped being finite.

    Attributes
    ----------
    what : str
        ``"the output of layer 0 (GRU) became inf"``.
    layer : int or None
        None if no layer is to blame.
    step : int or None
        The time step, from 0; None if the value has no time.
    """

    what: str
    layer: int | None = None
    step: int | None = None

    def later(self, steps: int) -> Origin:
        """The same place, counted from ``steps`` steps before."""
        if self.step is None:
            return self
        return replace(self, step=self.step + steps)

    def __str__(self) -> str:
        return self.what if self.step is None else f"{self.what} at time step {self.step}"


def forward_origin(
    net: Network,
    tape: Tape,
    samples: Samples,
    training: bool = False,
    rng: np.random.Generator | None = None,
    start: int = 0,
) -> Origin:
    """Find where a forward pass whose loss is not finite stopped being finite.

    Parameters
    ----------
    tape : Tape
        Of that pass.
    samples : Samples
        Its whole sequences, of which the tape may hold a part.
    training, rng
        How it ran; ``rng`` is a generator in the state that it had then, or None.
    start : int
        The step of the sequences at which the tape begins.
    """
    for i, y in enumerate(tape.outputs):
        bad = ~np.isfinite(y)
        if bad.any():
            where = Origin(f"the output of {_named(net, i)} became {_kind(y)}", i)
            if y.ndim == 3:
                return replace(where, step=_first(net.layers[i], bad)).later(start)
            return replace(where, step=_forward_step(net, samples, i, training, rng))
    return Origin("the outputs are finite, but the loss of them is not")


def backward_origin(net: Network, tape: Tape) -> Origin:
    """Find where a backward pass, after a finite forward pass, stopped being finite.

    ``net.grads`` must still hold its gradients. They are spoilt by the search.
    """
    for i in reversed(range(len(net.layers))):
        dy = tape.d_outputs[i]
        if dy is not None and not np.isfinite(dy).all():
            what = f"the derivative of the loss is {_kind(dy)}"
            return Origin(what, i, _last(net.layers[i], dy) if dy.ndim == 3 else None)
        dx = tape.d_outputs[i - 1] if i > 0 else _input_gradient(net, tape)
        names = [name for name in net.grads if name.partition(".")[0] == str(i)]
        bad = [name for name in names if not np.isfinite(net.grads[name]).all()]
        if bad or (dx is not None and not np.isfinite(dx).all()):
            where = f"the gradient of {bad[0]}, in" if bad else "the gradient of the input of"
            kind = _kind(net.grads[bad[0]]) if bad else _kind(dx)
            step = None if dx is None else _last(net.layers[i], dx)
            return Origin(f"{where} {_named(net, i)} became {kind}", i, step)
    return Origin("the sum of the gradients overflowed")


def update_origin(net: Network) -> Origin:
    """Name the parameter that an update made infinite or NaN."""
    index = int(np.argmin(np.isfinite(net.params.flat)))
    name, _ = net.params.locate(index)
    layer = int(name.partition(".")[0])
    return Origin(
        f"the update made {name}, of {_named(net, layer)}, {_kind(net.params[name])}", layer
    )


def advice(net: Network, x: np.ndarray, lr: float, clipped: bool) -> str:
    """Say what to try, the likeliest first."""
    largest = float(np.abs(x).max(initial=0.0)) if x.dtype.kind == "f" else 0.0
    ways = [f"a lower learning rate (it is {lr:.3g})"]
    if not clipped:
        ways.append("clip_norm=1.0")
    if largest > 10.0:
        ways.insert(0, f"scaled inputs (the largest is {largest:.3g})")
    if net.dtype == np.float32 and largest <= 10.0:
        ways.append("a network of dtype='float64'")
    return "Try " + ", or ".join(ways) + "."


def _named(net: Network, i: int) -> str:
    return f"layer {i} ({net.layers[i].name})"


def _kind(values: Any) -> str:
    """What is wrong with ``values``: an infinity comes before the NaN that it leads to."""
    return "infinite" if np.isinf(values).any() else "NaN"


def _forward_step(
    net: Network, samples: Samples, i: int, training: bool, rng: np.random.Generator | None
) -> int | None:
    """The step at which a recurrent layer that puts out only its last state went wrong.

    The layers up to it are run again, it with all its steps. The layers before it draw the same
    dropout from ``rng``, so everything happens as it did.
    """
    if not isinstance(net.layers[i], Recurrent):
        return None
    x, mask, handed = samples.x, samples.mask, None
    for j, layer in enumerate(net.layers[: i + 1]):
        state = None
        if isinstance(layer, Recurrent):
            state, handed = handed, None
            layer = replace(layer, return_sequences=layer.return_sequences or j == i)
        result = layer.forward(net.groups[j], x, mask, state, Call(training, rng, keep=False))
        if net.topology.hands_state[j]:
            handed = result.final_state
        x, mask = result.y, result.mask
    return _first(net.layers[i], ~np.isfinite(x))


def _input_gradient(net: Network, tape: Tape) -> np.ndarray | None:
    """dL/dx of the first layer, which the tape does not keep."""
    first = net.layers[0]
    return first.backward(net.grad_groups[0], tape.caches[0], tape.d_outputs[0])[0]


def _first(layer: Any, bad: np.ndarray) -> int | None:
    """The first step, in the order in which the layer runs, with a True in ``bad (N, T, K)``."""
    halves = np.split(bad, 2, axis=2) if getattr(layer, "bidirectional", False) else [bad]
    orders = [False, True] if len(halves) == 2 else [getattr(layer, "reverse", False)]
    for half, reverse in zip(halves, orders, strict=True):
        steps = np.flatnonzero(half.any(axis=(0, 2)))
        if steps.size:
            return int(steps[-1] if reverse else steps[0])
    return None


def _last(layer: Any, gradient: np.ndarray) -> int | None:
    """The step at which backpropagation through ``layer`` went wrong first.

    If ``gradient (N, T, F)`` is finite everywhere, and only its sum over the steps is not, the
    step at which it is largest.
    """
    if gradient.ndim < 3:
        return None
    steps = np.flatnonzero(~np.isfinite(gradient).all(axis=(0, 2)))
    if steps.size:
        return int(steps[0] if getattr(layer, "reverse", False) else steps[-1])
    return int(np.abs(gradient).max(axis=(0, 2)).argmax())
