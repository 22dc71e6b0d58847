"""Inside a network: its states over time, what attention looks at, and the share of every node in
the gradients.

>>> import numpy as np
>>> import throughtime as tt
>>> net = tt.Network([tt.layers.RNN(4), tt.layers.Dense(1)], n_features=2, dtype="float64")
>>> x, y = np.ones((3, 5, 2)), np.zeros((3, 1))
>>> tt.inspect.hidden_states(net, x)[0]["h"].shape
(3, 5, 4)
>>> trace = tt.inspect.trace(net, x, y, loss="mse")
>>> whole = sum(node.gradients["W_h"] for node in trace.nodes(0))
>>> bool(np.allclose(whole, trace.gradients["0.W_h"]))
True
"""

from throughtime.inspect.attention import attention_weights
from throughtime.inspect.nodes import Node, Trace, trace
from throughtime.inspect.states import hidden_states, saturation

__all__ = ["Node", "Trace", "attention_weights", "hidden_states", "saturation", "trace"]
