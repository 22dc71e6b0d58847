"""Pictures of networks as SVG, with the standard library alone."""

from throughtime.drawing.entry import draw, draw_modes
from throughtime.drawing.picture import Drawing

__all__ = ["Drawing", "draw", "draw_modes"]
