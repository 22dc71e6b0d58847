"""Pictures of networks as SVG, with the standard library alone."""

from throughtime.plotting.drawing.entry import draw, draw_modes
from throughtime.plotting.drawing.picture import Drawing

__all__ = ["Drawing", "draw", "draw_modes"]
