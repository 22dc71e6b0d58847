"""What attention looks at: its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughtime.inspect.states import ByLayer
from throughtime.kernels.underflow import ignore_underflow
from throughtime.layers.attention import Attention
from throughtime.training.options import check_network

if TYPE_CHECKING:
    from throughtime.network import Network


@ignore_underflow
def attention_weights(
    net: Network, x: Any, lengths: Any = None, *, mask: Any = None, initial_state: Any = None
) -> ByLayer:
    """Return the weights of every attention layer.

    Parameters
    ----------
    net : Network
        The network.
    x, lengths, mask, initial_state :
        As in :meth:`throughtime.Network.forward`.

    Returns
    -------
    list of ndarray of shape (N, heads, T_q, T_v), or None
        An entry for each layer, in a graph for each call of a layer; None for a layer without
        attention. The name of a layer finds it as well, in a graph its first call.
        Entry ``[n, h, i, j]`` is how much query i of row n looks at step j, in head h: a_ij of
        (AT1). A query that is a vector has ``T_q = 1``; additive attention has one head.

    Raises
    ------
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import throughtime as tt
    >>> layers = [tt.layers.MultiHeadAttention(2, causal=True)]
    >>> net = tt.Network(layers, n_features=4, dtype="float64")
    >>> (weights,) = attention_weights(net, np.ones((1, 3, 4)))
    >>> weights[0, 0].round(2).tolist()
    [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.33, 0.33, 0.33]]
    """
    net = check_network(net)
    _, tape = net.forward(x, lengths, initial_state, mask=mask)
    return ByLayer(
        net,
        (
            layer.weights_of(cache).copy() if isinstance(layer, Attention) else None
            for layer, cache in zip(net.layers, tape.caches, strict=True)
        ),
    )
