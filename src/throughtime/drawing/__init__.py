"""Pictures of networks as SVG; the standard library is enough.

>>> import throughtime as tt
>>> net = tt.Network([tt.layers.GRU(8), tt.layers.Dense(1)], n_features=3)
>>> tt.drawing.draw(net)
<Drawing: GRU(8), Dense(1), unfolded in time>

:func:`draw` draws a network, unfolded in time or folded, or one node of it with its equations;
:func:`draw_modes` draws what recurrent networks make of sequences. Both return a :class:`Drawing`.
"""

from throughtime.drawing.draw import draw, draw_modes
from throughtime.drawing.picture import Drawing

__all__ = ["Drawing", "draw", "draw_modes"]
