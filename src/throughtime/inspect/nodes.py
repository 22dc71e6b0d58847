"""One node of the unrolled network: what goes in and out, and which gradients meet there.

With dL/dh_t arriving from the layer above (or the loss) and from the step t + 1, a node gives

    delta_t = dL/dz_t,  dL/dx_t,  dL/dh_{t-1}                              (N1)

and its own share of the gradient of every parameter of its layer, which is shared by all steps:

    dL/dW = sum_t (share of node t)                                        (N2)

The forward pass, the backward pass and (N1) are those of the reference engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime import bptt, engines, losses
from throughtime.bptt import LoopTape
from throughtime.errors import InvalidArgumentError, check_choice, check_int
from throughtime.inspect.states import loops, readable_tape
from throughtime.layers import Recurrent
from throughtime.params import Params
from throughtime.topology import add_states
from throughtime.training.options import check_network

if TYPE_CHECKING:
    from throughtime.cells.base import State
    from throughtime.network import Network
    from throughtime.topology import Tape


@dataclass(frozen=True)
class Node:
    """A recurrent layer at one time step; N sequences, F inputs, H units, G gates.

    Attributes
    ----------
    layer, t : int
        Which one; t counts from 1.
    direction : str
        ``"forward"`` or ``"backward"`` of a bidirectional layer, else ``""``.
    x : ndarray of shape (N, F)
        What comes from below.
    previous, state : dict
        ``"h"``, of an LSTM also ``"c"``: the state before and after the step, each (N, H).
    gates : dict
        The gates by their letters, each (N, H); of an Elman layer ``"h"``.
    z : ndarray of shape (N, G*H)
        What the activations were applied to.
    dh_above, dh_later : ndarray of shape (N, H)
        dL/dh_t from the output of the layer, and from the step that comes after in the loop.
    delta : ndarray of shape (N, G*H)
        dL/dz_t. It is dL/da_t as well, a_t being the input's part of z_t.
    dx : ndarray of shape (N, F)
        dL/dx_t.
    d_previous : dict
        dL/d(state before the step).
    gradients : dict
        This node's share of the gradient of every parameter: ``"W_x"``, ``"W_h"``, ``"b"`` ...
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


@dataclass(frozen=True)
class Trace:
    """A network's passes over some sequences, with everything that they computed.

    Attributes
    ----------
    loss : float
    y : ndarray of shape (N, T, K) or (N, K)
        The output.
    gradients : Params
        dL/dparams, of the names of ``net.params``.
    tape : Tape
        ``tape.outputs``, ``tape.d_outputs``: of each layer its output and dL/d(output).
    """

    net: Network
    loss: float
    y: np.ndarray
    gradients: Params
    tape: Tape

    def node(self, layer: int, t: int, direction: str = "forward") -> Node:
        """What happened in a recurrent layer at step ``t``.

        Parameters
        ----------
        layer : int
            Its number, from 0; that of a recurrent layer.
        t : int
            The time step, from 1 to T.
        direction : {"forward", "backward"}
            Of a bidirectional layer.

        Raises
        ------
        InvalidArgumentError
            If there is no such node.
        """
        loop, nodes = self._loop(layer, direction)
        check_int("t", t, 1, len(loop.x))
        return next(node for node in nodes if node.t == t)

    def nodes(self, layer: int, direction: str = "forward") -> list[Node]:
        """All nodes of a recurrent layer, from t = 1 to T, in one walk back; see :meth:`node`."""
        _, nodes = self._loop(layer, direction)
        return sorted(nodes, key=lambda node: node.t)

    def _loop(self, layer: int, direction: str) -> tuple[LoopTape, Iterator[Node]]:
        """The tape and the nodes of one direction of a layer."""
        check_int("layer", layer, 0, len(self.net.layers) - 1)
        found = self.net.layers[layer]
        if not isinstance(found, Recurrent):
            which = [i for i, one in enumerate(self.net.layers) if isinstance(one, Recurrent)]
            raise InvalidArgumentError(
                f"layer must be that of a recurrent layer, one of {which};"
                f" got {layer}, which is {found.name}."
            )
        check_choice("direction", direction, ("forward", "backward"))
        if direction == "backward" and not found.bidirectional:
            raise InvalidArgumentError(
                f"direction must be 'forward': layer {layer} ({found.name}) has one direction."
            )
        group = direction if found.bidirectional else ""
        loop = loops(found, self.tape.caches[layer])[group]
        arriving = self._arriving(layer, found, int(direction == "backward"))
        return loop, _nodes(layer, group, loop, *arriving)

    def _arriving(self, i: int, layer: Recurrent, d: int) -> tuple[np.ndarray | None, State | None]:
        """dL/dy (N, T, H) and dL/d(final state) of one direction of layer ``i``."""
        half = slice(d * layer.units, (d + 1) * layer.units)
        whole = self.tape.d_outputs[i]
        dy = None if whole is None else whole[..., half]
        final: Any = None
        if self.net.topology.hands_state[i]:
            j = next(j for j in range(i + 1, len(self.net.layers)) if self._takes_state(j))
            if not self.tape.given[j]:
                final = self.tape.d_initial_state[j]
                final = final[d] if layer.bidirectional else final
                final = final[: len(layer.cell.states)]
        if not layer.return_sequences and dy is not None:
            last = (dy, *(np.zeros_like(dy) for _ in layer.cell.states[1:]))
            dy, final = None, add_states(final, last)
        return dy, final

    def _takes_state(self, j: int) -> bool:
        return isinstance(self.net.layers[j], Recurrent)


def trace(
    net: Network,
    x: Any,
    y: Any,
    loss: Any = "mse",
    lengths: Any = None,
    *,
    mask: Any = None,
    initial_state: Any = None,
) -> Trace:
    """Run a network forward and backward, and keep everything.

    ``net.grads`` is left as it was.

    Parameters
    ----------
    net : Network
    x, lengths, mask, initial_state :
        As in :meth:`throughtime.Network.forward`.
    y : array-like
        The targets, in a form that the loss takes.
    loss : str, Loss or callable

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
    net = check_network(net)
    tape = readable_tape(net, x, lengths, mask, initial_state)
    function = losses.get(loss)
    value, dy = function(tape.outputs[-1], y, mask=tape.output_mask)
    before = net.grads.flat.copy()
    net.grads.flat[...] = 0
    gradients = net.grads.zeros_like()
    try:
        with engines.engine("reference"):
            net.backward(tape, dy)
        gradients.flat[...] = net.grads.flat
    finally:
        net.grads.flat[...] = before
    return Trace(net, value, tape.outputs[-1], gradients, tape)


def _nodes(
    layer: int, group: str, loop: LoopTape, dy: np.ndarray | None, d_final: State | None
) -> Iterator[Node]:
    """The nodes of one direction of a layer, from the end of its loop to its beginning."""
    steps = len(loop.x)
    later: State = d_final or tuple(np.zeros_like(s[0]) for s in loop.states)
    for k in reversed(range(steps)):
        t = steps - k if loop.reverse else k + 1
        above = np.zeros_like(later[0]) if dy is None else dy[:, t - 1]
        if loop.mask is not None:
            above = np.where(loop.mask[k][:, None], above, 0)
        node = _node(layer, t, group, _step(loop, k), above, later)
        yield node
        later = tuple(node.d_previous.values())


def _node(layer: int, t: int, group: str, one: LoopTape, above: np.ndarray, later: State) -> Node:
    """The node whose tape is ``one``, from what arrives from above and from the later step."""
    cell, p, names = one.cell, one.p, one.cell.states
    grad = SimpleNamespace(**{name: np.zeros_like(a) for name, a in vars(p).items()})
    dx, before = bptt.bptt(one, grad, above[:, None], later)
    assert dx is not None  # it was asked for
    saved = tuple(s[0] for s in one.saved)
    previous, state = one.state_at(0), one.state_at(1)
    delta, _ = cell.step_backward(p, (later[0] + above, *later[1:]), previous, state, saved)
    if one.mask is not None:
        delta = np.where(one.mask[0][:, None], delta, 0)
    return Node(
        layer=layer,
        t=t,
        direction=group,
        x=one.x[0],
        previous=dict(zip(names, previous, strict=True)),
        state=dict(zip(names, state, strict=True)),
        gates=dict(zip(cell.gates, cell.gate_values(saved, state), strict=True)),
        z=cell.preactivation(p, _input_part(one), previous[0], saved),
        dh_above=above,
        dh_later=later[0],
        delta=delta,
        dx=dx[:, 0],
        d_previous=dict(zip(names, before, strict=True)),
        gradients=vars(grad),
    )


def _step(loop: LoopTape, k: int) -> LoopTape:
    """The tape of the loop's step ``k`` alone."""
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
    )


def _input_part(one: LoopTape) -> np.ndarray:
    """a_t of the only step of a tape, (B1)."""
    a = one.x[0] @ one.p.W_x
    if hasattr(one.p, "b"):
        a = a + one.p.b
    if one.started is not None:
        a = a + one.started[0][:, None] * one.p.b_time
    return a
