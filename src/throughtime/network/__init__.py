"""Networks: a stack or a graph of layers with one vector of parameters.

=========== =========================================================================
network     :class:`Network`: forward, backward, predict
plan        who feeds whom: plain data, from a list of layers or from symbols
description a network in words of JSON
freezing    which parameters training moves; weights taken from another network
passes      the forward and the backward pass through the layers
wiring      what fits together, and the sentences about what does not
graph       how layers fit together: the form of every signal, which states are passed on
signals     one array, or a tuple of arrays of the same samples
containers  a dict, a list or one array alone, as the caller has them
ends        what a network takes and gives
inputs      checks of what goes in: arrays, lengths, masks, states
params      one flat vector with named views
tape        what a forward pass leaves for the backward pass
fixed       the inputs of a stream that stay the same
stream      one step at a time
generation  a network goes on by itself: ``tt.generate``, ``net.extrapolate``
prefixes    what generation starts from
sampling    how a token is drawn
beam        search for the most probable continuation
summary     ``print(net)``
other_names attributes of networks in other libraries, and what to write here
storage     ``net.save`` and ``tt.load``
=========== =========================================================================
"""

from throughtime.network.network import Network
from throughtime.network.params import Params
from throughtime.network.stream import Stream
from throughtime.network.tape import Tape

__all__ = ["Network", "Params", "Stream", "Tape"]
