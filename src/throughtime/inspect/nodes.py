"""The nodes of the unrolled network: the values and the gradients of a layer at one time step.

A node receives dL/dh_t from the layer above (or the loss) and from step t + 1. It computes

    delta_t = dL/dz_t,  dL/dx_t,  dL/dh_{t-1}                              (N1)

and its share of the gradient of each parameter, because all steps of a layer share its parameters:

    dL/dW = sum_t (share of node t)                                        (N2)

The objective is that of training. The time loops run on the reference engine, whose tape holds
every state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime import bptt
from throughtime.bptt import LoopTape
from throughtime.errors import InvalidArgumentError, check_choice, check_int, describe, sentence
from throughtime.inspect.states import loops
from throughtime.kernels.underflow import ignore_underflow
from throughtime.layers import Recurrent
from throughtime.network.params import Params
from throughtime.network.signals import mapped
from throughtime.registry import translate
from throughtime.training import objective
from throughtime.training.memory import heads_of
from throughtime.training.options import OTHER_NAMES, check_network
from throughtime.training.samples import check_samples

if TYPE_CHECKING:
    from throughtime.cells.base import State
    from throughtime.network import Network
    from throughtime.network.tape import Tape


@dataclass(frozen=True, repr=False)
class Node:
    """A recurrent layer at one time step; N sequences, F inputs, H units, G gates.

    Attributes
    ----------
    layer, t : int
        The number of the layer, from 0 (in a graph, of the call), and the time step, from 1.
    direction : str
        ``"forward"`` or ``"backward"`` for a bidirectional layer, otherwise ``""``.
    x : ndarray of shape (N, F)
        The input of the layer at this step.
    previous, state : dict
        The state before and after the step, each (N, H): ``"h"``, and ``"c"`` for an LSTM.
    gates : dict
        The gates by their letters, each (N, H); ``"h"`` for an Elman layer; empty for a cell that
        does not name its gates.
    z : ndarray of shape (N, G*H)
        The pre-activations.
    dh_above, dh_later : ndarray of shape (N, H)
        dL/dh_t from the output of the layer, and from the next step of the loop, or from the layers
        that start from the final state.
    delta : ndarray of shape (N, G*H)
        dL/dz_t. It is dL/da_t too, where a_t is the input's part of z_t.
    dx : ndarray of shape (N, F)
        dL/dx_t.
    d_previous : dict
        dL/d(state before the step).
    gradients : dict
        The share of this node in the gradient of each parameter: ``"W_x"``, ``"W_h"``, ``"b"`` ...

    Notes
    -----
    A masked step does not change the state, nor its gradient. There ``x``, ``delta`` and the shares
    are zero, and ``z`` and ``gates`` have no meaning.
    """

    layer: int
    t: int
    direction: str
    x: np.ndarray
    previous: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    gates: dict[str, np.ndarray]
    z: np.ndarray
    dh_above: np.ndarray
    dh_later: np.ndarray
    delta: np.ndarray
    dx: np.ndarray
    d_previous: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]

    def __repr__(self) -> str:
        way = f", {self.direction}" if self.direction else ""
        rows, units = self.dh_above.shape
        return f"Node(layer {self.layer}{way}, t={self.t}; N={rows}, H={units})"


@dataclass(frozen=True, repr=False)
class Trace:
    """A forward and a backward pass of a network, with everything that they computed.

    Attributes
    ----------
    net : Network
        A copy of the network, with its parameters at that moment.
    loss : float
        The loss, without penalties.
    outputs : list of ndarray
        The output of each layer; in a graph, of each call.
    gradients : Params
        dL/dparams, with the names of ``net.params``; without penalties.
    tape : Tape
        The tape: ``tape.d_outputs`` holds dL/d(output) of each layer. If a loss is fused with the
        activation of an output, that of its layer is dL/d(pre-activation), and in ``tape.outputs``
        stands that pre-activation.
    """

    net: Network
    loss: float
    outputs: list[np.ndarray]
    gradients: Params
    tape: Tape

    def __repr__(self) -> str:
        shapes = " -> ".join(str(y.shape) for y in self.outputs)
        return f"Trace(loss {self.loss:.6g}; outputs {shapes})"

    @ignore_underflow
    def node(self, layer: int | str, t: int, direction: str = "forward") -> Node:
        """Return the node of a recurrent layer at step ``t``.

        Parameters
        ----------
        layer : int or str
            Number of the recurrent layer, from 0 (in a graph, of the call), or its name, which
            means its first call.
        t : int
            Time step, from 1 to T.
        direction : {"forward", "backward"}
            Direction of a bidirectional layer.

        Raises
        ------
        InvalidArgumentError
            If there is no such node.
        """
        loop, nodes = self._loop(layer, direction)
        check_int("t", t, 1, len(loop.x))
        return next(node for node in nodes if node.t == t)

    @ignore_underflow
    def nodes(self, layer: int | str, direction: str = "forward") -> list[Node]:
        """Return all nodes of a recurrent layer, from t = 1 to T; see :meth:`node`."""
        _, nodes = self._loop(layer, direction)
        return sorted(nodes, key=lambda node: node.t)

    def _loop(self, key: int | str, direction: str) -> tuple[LoopTape, Iterator[Node]]:
        """The tape and the nodes of one direction of a layer."""
        layer = self.net.topology.number("layer", key)
        found = self.net.layers[layer]
        if not isinstance(found, Recurrent):
            which = [i for i, one in enumerate(self.net.layers) if isinstance(one, Recurrent)]
            expected, got = f"a recurrent layer, one of {which}", f"{key}, which is {found.kind}"
            raise InvalidArgumentError(sentence("layer", expected, got, value=key))
        if found.cell.outputs > 1:
            expected, got = "a layer that puts out h", f"{key}, which is {found.kind}"
            hint = "inspect.hidden_states has its states."
            raise InvalidArgumentError(sentence("layer", expected, got, hint, value=key))
        check_choice("direction", direction, ("forward", "backward"))
        if direction == "backward" and not found.bidirectional:
            expected = f"'forward', the only direction of layer {layer} ({found.kind})"
            raise InvalidArgumentError(sentence("direction", expected, describe(direction)))
        group = direction if found.bidirectional else ""
        loop = loops(found, self.tape.caches[layer])[group]
        above, final = self._arriving(layer, found, int(direction == "backward"), loop)
        return loop, _nodes(layer, group, loop, above, final)

    def _arriving(
        self, i: int, layer: Recurrent, d: int, loop: LoopTape
    ) -> tuple[np.ndarray, State]:
        """The gradients that one direction of layer ``i`` receives: from above, in the order of the
        loop, and from the layers that start from its final state.
        """
        above = np.zeros_like(loop.states[0][1:])  # (T, N, H)
        final: State = tuple(np.zeros_like(s[0]) for s in loop.states)
        for j, call in enumerate(self.net.plan.calls):
            initial = self.tape.d_initial_state[j]
            if call.state != i or self.tape.given[j] or initial is None:
                continue
            initial = initial[d] if layer.bidirectional else initial
            final = tuple(a + b for a, b in zip(final, initial, strict=False))  # h, c: no e_t
        dy = self.tape.d_outputs[i]
        if dy is None:
            return above, final
        dy = layer.of_direction(self.tape.caches[i], d, dy)
        if layer.return_sequences:
            above += dy.swapaxes(0, 1)[:: -1 if loop.reverse else 1]
            return above, final
        # The output is the state after the last unmasked step; without one, the initial state.
        steps, rows = above.shape[:2]
        shown = np.ones((steps, rows), dtype=bool) if loop.mask is None else loop.mask
        last = steps - 1 - np.argmax(shown[::-1], axis=0)
        present = np.asarray(shown.any(axis=0))
        chosen = np.flatnonzero(present)
        above[last[chosen], chosen] = dy[chosen]
        return above, (final[0] + np.where(present[:, None], 0, dy), *final[1:])


@translate(OTHER_NAMES)
@ignore_underflow
def trace(
    net: Network,
    x: Any,
    y: Any,
    *,
    loss: Any = None,
    lengths: Any = None,
    mask: Any = None,
    initial_state: Any = None,
) -> Trace:
    """Run a network forward and backward as training does, and keep everything.

    The result is a snapshot of the network, which is not changed and may be trained further.

    Parameters
    ----------
    net : Network
        The network.
    x, lengths, mask, initial_state :
        As in :meth:`throughtime.Network.forward`.
    y : array-like, list of arrays, or dict
        The targets, in the form that the loss takes; see :func:`throughtime.train`.
    loss : str, Loss or callable, optional
        The loss; by default the one that the network was trained with, or ``"mse"``.

    Returns
    -------
    Trace

    Raises
    ------
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit.

    Examples
    --------
    The gradients of an Elman node, by hand:

    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.RNN(4)], n_features=2, dtype="float64")
    >>> node = trace(net, np.ones((3, 5, 2)), np.zeros((3, 4))).node(0, t=4)
    >>> delta = (node.dh_above + node.dh_later) * (1 - node.state["h"] ** 2)
    >>> bool(np.allclose(node.gradients["W_h"], node.previous["h"].T @ delta))
    True
    """
    own = check_network(net).copy()
    own.grads.flat[...] = 0
    heads = heads_of(own, loss, metrics=())
    data = check_samples(own, heads, x, y, lengths, mask)
    found = objective.evaluate_and_backward(
        own,
        mapped(np.copy, data.x),
        data.y,
        heads,
        mask=data.mask,
        initial_state=own.check_states(initial_state, len(data)),
        sample_weight=data.weight,
        share=0.0,  # of penalties, which belong to no node
        readable=True,
    )
    return Trace(own, found.data_loss, found.outputs, own.grads, found.tape)


def _nodes(
    layer: int, group: str, loop: LoopTape, above: np.ndarray, later: State
) -> Iterator[Node]:
    """Yield the nodes of one direction of a layer, from the end of its loop to the start."""
    steps = len(loop.x)
    for k in reversed(range(steps)):
        arriving = above[k]
        if loop.mask is not None:
            arriving = np.where(loop.mask[k][:, None], arriving, 0)
        t = steps - k if loop.reverse else k + 1
        node = _node(layer, t, group, _step(loop, k), arriving, later)
        yield node
        later = tuple(node.d_previous.values())


def _node(layer: int, t: int, group: str, one: LoopTape, above: np.ndarray, later: State) -> Node:
    """The node whose tape is ``one``, from the gradients from above and from the later step."""
    cell, p, names = one.cell, one.p, one.cell.states
    grad = SimpleNamespace(**{name: np.zeros_like(a) for name, a in vars(p).items()})
    dx, before = bptt.bptt(one, grad, above[:, None], later)
    assert dx is not None  # it was asked for
    a, _ = bptt.input_part(cell, p, one.x, one.started)
    saved = tuple(s[0] for s in one.saved)
    previous, state = one.state_at(0), one.state_at(1)
    delta = bptt.step_back(one, 0, (later[0] + above, *later[1:]))[0]
    return Node(
        layer=layer,
        t=t,
        direction=group,
        x=one.x[0],
        previous=dict(zip(names, previous, strict=True)),
        state=dict(zip(names, state, strict=True)),
        gates=dict(zip(cell.gates, cell.gate_values(saved, one.proposed_at(0)), strict=False)),
        z=cell.preactivation(p, a[0], previous[0], saved),
        dh_above=above,
        dh_later=later[0],
        delta=delta,
        dx=dx[:, 0],
        d_previous=dict(zip(names, before, strict=True)),
        gradients=vars(grad),
    )


def _step(loop: LoopTape, k: int) -> LoopTape:
    """The tape of step ``k`` of the loop alone."""
    return LoopTape(
        loop.cell,
        loop.p,
        loop.x[k : k + 1],
        tuple(s[k : k + 2] for s in loop.states),
        tuple(s[k : k + 1] for s in loop.saved),
        None if loop.mask is None else loop.mask[k : k + 1],
        None if loop.started is None else loop.started[k : k + 1],
        loop.drop,
        False,
        loop.whole[k : k + 1],
        loop.update,
        tuple(s[k : k + 1] for s in loop.proposed),
        tuple(s[k : k + 1] for s in loop.normalised),
    )
