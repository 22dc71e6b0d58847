"""The states of the recurrent layers at every step, whatever the layers return."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import (
    ShapeError,
    check_array,
    check_float,
    sentence,
)
from throughtime.kernels.underflow import ignore_underflow
from throughtime.layers import Recurrent
from throughtime.layers.base import Call
from throughtime.network.signals import first_of
from throughtime.training.options import check_network

if TYPE_CHECKING:
    from throughtime.bptt import LoopTape
    from throughtime.network import Network

States = dict[str, np.ndarray]


class ByLayer(list[Any]):
    """A list with an entry for each layer, which the name of the layer finds as well.

    In a graph a layer counts as often as it is called; its name means its first call.
    """

    def __init__(self, net: Network, entries: Iterable[Any]) -> None:
        super().__init__(entries)
        self._topology = net.topology

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(
            self._topology.number("layer", key) if isinstance(key, str) else key
        )


@ignore_underflow
def hidden_states(
    net: Network, x: Any, lengths: Any = None, *, mask: Any = None, initial_state: Any = None
) -> ByLayer:
    """Return the states of every recurrent layer after every step.

    Parameters
    ----------
    net : Network
        The network.
    x, lengths, mask, initial_state :
        As in :meth:`throughtime.Network.forward`.

    Returns
    -------
    list of dict or None
        An entry for each layer, in a graph for each call of a layer; None for a layer without a
        state. The name of a layer finds it, too: ``states["encoder"]``, in a graph its first call.
        For an Elman or GRU layer it is
        ``{"h": (N, T, H)}``, for an LSTM there is also ``"c"``, for a bidirectional layer
        ``"forward.h"`` and ``"backward.h"``. The steps are in the order of time, even if a layer
        runs in reverse. A masked step holds the state of the step before.

    Raises
    ------
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.LSTM(3), tt.layers.Dense(1)], n_features=2)
    >>> states = hidden_states(net, np.zeros((1, 6, 2)))
    >>> sorted(states[0]), states[0]["c"].shape, states[1]
    (['c', 'h'], (1, 6, 3), None)
    """
    net = check_network(net)
    array, real = net.check_input(x, lengths, mask)
    states = net.check_states(initial_state, len(first_of(array)))
    _, tape = net.run(array, real, states, Call(readable=True))
    return ByLayer(
        net,
        (
            _of_layer(layer, cache) if isinstance(layer, Recurrent) else None
            for layer, cache in zip(net.layers, tape.caches, strict=True)
        ),
    )


def saturation(h: Any, limit: float = 0.97) -> np.ndarray:
    """Return the share of saturated units at every step: those with ``|h|`` above ``limit``.

    A saturated tanh unit passes on less than ``1 - limit**2`` of a gradient.

    Parameters
    ----------
    h : array of shape (..., H)
        States, as :func:`hidden_states` returns them.
    limit : float
        Limit of ``|h|``, in (0, 1).

    Returns
    -------
    ndarray of the shape of ``h`` without its last axis
        Shares from 0 to 1.

    Raises
    ------
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit.

    Examples
    --------
    >>> saturation([[0.99, -0.98, 0.2, 0.0]])
    array([0.5])
    """
    check_float("limit", limit, 0.0, 1.0, inclusive="neither")
    values = check_array("h", h)
    if values.ndim < 1 or values.shape[-1] < 1:
        raise ShapeError(sentence("h", "of shape (..., H) with H >= 1", f"shape {values.shape}"))
    return np.mean(np.abs(values) > limit, axis=-1)


def loops(layer: Recurrent, cache: Any) -> dict[str, LoopTape]:
    """The loop of each direction of a layer, by the name of its parameter group."""
    return {group: own[0] for (group, _), own in zip(layer.directions, cache, strict=True)}


def _of_layer(layer: Recurrent, cache: Any) -> States:
    found: States = {}
    for group, tape in loops(layer, cache).items():
        for name, slots in zip(layer.cell.states, tape.states, strict=True):
            steps = slots[1:].swapaxes(0, 1)
            key = f"{group}.{name}".lstrip(".")
            found[key] = (steps[:, ::-1] if tape.reverse else steps).copy()
    return found
