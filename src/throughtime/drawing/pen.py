"""The pen of the unfolded network: it draws what flows from node to node, and names it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from throughtime.drawing.sheet import Point, Sheet
from throughtime.drawing.text import Label, math, width


@dataclass(frozen=True)
class Signal:
    """The output of a layer, or the input of the network, on its way to the layer above.

    Attributes
    ----------
    letter : str
        Name without indices.
    layer : int or None
        Layer that it leaves, if the name shows that.
    names : list of str
        The index of each step that is drawn; one empty string for a vector.
    points : list of Point
        Where each step leaves its node.
    gap : bool
        Whether steps are omitted before the last one.
    index : str
        The index of the step, for a vector that is one step of a sequence.
    """

    letter: str
    layer: int | None
    names: list[str]
    points: list[Point]
    gap: bool = False
    index: str = ""

    def at(self, number: int) -> str:
        """The formula of the step with this number in ``points``."""
        return scripted(self.letter, self.index or self.names[number], self.layer)

    def pairs(self) -> Iterator[tuple[int, Point]]:
        """Number and point of each step."""
        yield from enumerate(self.points)


@dataclass(frozen=True)
class Pen:
    """Draws connections, with the names of their weights or with the gradients that flow back.

    Attributes
    ----------
    long : bool
        Whether there is room to write dL/dh instead of dh.
    prefix : bool
        Whether there is room for the layer's number in the name of a parameter.
    owners : bool
        Whether names of parameters show their layer, if there is room.
    """

    sheet: Sheet
    gradients: bool
    long: bool
    prefix: bool
    owners: bool = True

    def gradient(self, quantity: str) -> Label:
        """dL/d(quantity), or d(quantity) if there is little room."""
        return math(f"dL/d{quantity}" if self.long else f"d{quantity}")

    def connect(
        self,
        *points: Point,
        role: str = "history",
        width: float = 1.5,
        dash: str = "solid",
        back: Point = (-8.0, 0.0),
        given: bool = False,
        head: bool = True,
    ) -> None:
        """Draw an arrow through ``points``; with gradients also one back, shifted by ``back``.

        A ``given`` gradient comes from outside the network; the others are computed in it. Without
        a ``head``, the way goes on beyond its end.
        """
        if not self.gradients:
            self.sheet.line(*points, role=role, width=width, dash=dash, head=head)
            return
        self.sheet.line(*points, role="naive", width=1.2, dash=dash, head=head)
        moved = [(x + back[0], y + back[1]) for x, y in reversed(points)]
        back_role, back_dash = ("forecast", "solid") if given else ("outgoing", "dash")
        self.sheet.line(*moved, role=back_role, width=1.6, dash=back_dash)

    def label(
        self, x: float, y: float, label: Label, anchor: str = "start", role: str = "ink"
    ) -> None:
        """Write a label beside a connection."""
        self.sheet.text(x, y, label, 13.0, anchor, role, halo=True)

    def fitting(self, room: float, *choices: str) -> Label | None:
        """The first of the formulas that fits into ``room``; None if none does."""
        for choice in choices:
            label = math(choice)
            if width(label, 13.0) <= room:
                return label
        return None

    def dots(self, x: float, y: float) -> None:
        """Draw an ellipsis."""
        self.sheet.text(x, y, math("\u22ef"), 16.0, role="muted")


def scripted(symbol: str, index: str, layer: int | None = None) -> str:
    """The formula of a symbol at a step of a layer: ``h_{1}^{(0)}``.

    >>> scripted("h", "T-1", 0)
    'h_{T-1}^{(0)}'
    """
    over = "" if layer is None else f"^{{({layer})}}"
    return f"{symbol}_{{{index}}}{over}" if index else f"{symbol}{over}"
