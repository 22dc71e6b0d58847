"""The grid of an unfolded network: where its columns are."""

from __future__ import annotations

from dataclasses import dataclass

from throughtime.drawing.drawn_layer import DrawnLayer, Steps
from throughtime.drawing.sheet import MARGIN, WIDTH

#: Width of the ellipsis that stands for the steps not drawn.
DOTS = 60.0
WIDEST = 128.0
NODE = 36.0


@dataclass(frozen=True)
class Grid:
    """Horizontal positions of the columns, and what stands beside them.

    Attributes
    ----------
    xs : tuple of float
        The middle of each column.
    left, right : float
        The middle of initial states: left of the columns, and right of them.
    route_left, route_right : float
        Where the arrow of a state goes that another layer receives.
    pitch : float
        Distance of two columns.
    node : float
        Width of a node.
    several : bool
        Whether the names of states show their layer.
    """

    xs: tuple[float, ...]
    left: float
    right: float
    route_left: float
    route_right: float
    pitch: float
    node: float
    several: bool

    @property
    def dots(self) -> float:
        """The middle between the last two columns."""
        return (self.xs[-2] + self.xs[-1]) / 2 if len(self.xs) > 1 else self.xs[0]

    @property
    def middle(self) -> float:
        """The middle of all columns."""
        return (self.xs[0] + self.xs[-1]) / 2


def make_grid(layers: list[DrawnLayer], first: Steps | None, columns: int, caption: float) -> Grid:
    """Place ``columns`` columns beside captions of the width ``caption``."""
    handed = any(drawn.hands for drawn in layers)
    both = any(len(drawn.directions) > 1 and drawn.hands for drawn in layers)
    left = MARGIN + caption + 16 + (14 if both else 0)
    right = WIDTH - MARGIN - (14 if handed else 0)
    return grid_between(layers, first, columns, left, right)


def sides(layers: list[DrawnLayer]) -> tuple[float, float]:
    """The space left and right of the columns, for states."""
    directions = [d for drawn in layers if drawn.kind == "recurrent" for d in drawn.directions]
    crossed = any(len(drawn.directions) > 1 for drawn in layers)
    wide = 74.0 if crossed else 56.0  # of an initial state
    begin = wide if any(not d.reverse for d in directions) else 0.0
    end = wide if any(d.reverse for d in directions) else 0.0
    leaving = [d for drawn in layers if drawn.hands or drawn.returns for d in drawn.directions]
    begin = max(begin, 34.0 if any(d.reverse for d in leaving) else 0.0)
    end = max(end, 34.0 if any(not d.reverse for d in leaving) else 0.0)
    return begin, end


def grid_between(
    layers: list[DrawnLayer], first: Steps | None, columns: int, left: float, right: float
) -> Grid:
    """Place ``columns`` columns, and the states beside them, from ``left`` to ``right``."""
    signals = [first, *(drawn.after for drawn in layers)]
    shown = [signal.names(columns) for signal in signals if signal is not None]
    count = max((len(names) for names, _ in shown), default=1)
    dots = DOTS if any(gap for _, gap in shown) else 0.0
    crossed = any(len(drawn.directions) > 1 for drawn in layers)
    begin, end = sides(layers)
    pitch = min(WIDEST, (right - end - left - begin - dots) / count)
    spare = right - end - left - begin - dots - pitch * count
    start = left + begin + spare / 2
    xs = [start + (i + 0.5) * pitch for i in range(count)]
    if dots:
        xs[-1] += dots
    many = sum(drawn.kind == "recurrent" for drawn in layers) > 1 and not crossed
    many = many and pitch >= 70
    node = min(50.0 if many else 38.0, pitch - 22)
    begin_x = xs[0] - pitch / 2 - begin + 26
    end_x = xs[-1] + pitch / 2 + end - 26
    return Grid(tuple(xs), begin_x, end_x, left - 12, right + 8, pitch, node, many)
