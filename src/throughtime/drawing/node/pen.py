"""The pen of one node: it draws inputs, outputs and the parts between, or their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from throughtime.drawing.sheet import Point, Sheet
from throughtime.drawing.text import math, plain


@dataclass(frozen=True)
class NodePen:
    """Draws the parts of a node.

    With gradients, every arrow points the other way, and every name becomes that of a gradient.

    Attributes
    ----------
    top : float
        Vertical origin of the node's own coordinates.
    long : bool
        Whether gradients inside the node are written dL/dz, as in the equations of the Elman cell,
        instead of dz.
    """

    sheet: Sheet
    gradients: bool
    top: float
    long: bool

    def _moved(self, points: Sequence[Point]) -> list[Point]:
        return [(x, y + self.top) for x, y in points]

    def d(self, quantity: str) -> str:
        """The name of the gradient with respect to a quantity inside."""
        return f"dL/d{quantity}" if self.long else f"d{quantity}"

    def frame(self, left: float, top: float, right: float, bottom: float) -> None:
        """Draw the outline of the node."""
        x, y = (left + right) / 2, (top + bottom) / 2 + self.top
        self.sheet.box(x, y, right - left, bottom - top, 16, "naive", "panel", 1.2)

    def part(
        self,
        x: float,
        y: float,
        text: str,
        back: str | None = None,
        *,
        w: float = 44.0,
        h: float = 34.0,
        radius: float = 6.0,
        size: float = 14.0,
    ) -> None:
        """Draw a quantity inside the node, or its gradient, whose name may be given as ``back``."""
        self.sheet.box(x, y + self.top, w, h, radius)
        name = text if not self.gradients else self.d(text) if back is None else back
        self.sheet.text(x, y + self.top, math(name), size)

    def operation(self, x: float, y: float, sign: str) -> None:
        """Draw a product, a sum or a function of one quantity as a small circle."""
        self.sheet.box(x, y + self.top, 22, 22, 11, "history", "surface")
        self.sheet.text(x, y + self.top, math(sign), 14, role="ink")

    def number(self, x: float, y: float, text: str, anchor: str = "middle") -> None:
        """Write the number of an equation, or that of its derivative."""
        mark = "\u2032" if self.gradients else ""
        self.sheet.text(
            x,
            y + self.top,
            plain("(" + ", ".join(part + mark for part in text.split(", ")) + ")"),
            11,
            anchor,
            "muted",
            halo=True,
        )

    def inner(self, *points: Point) -> None:
        """Draw an arrow between parts."""
        way = self._moved(points)
        self.sheet.line(*(reversed(way) if self.gradients else way), role="history", width=1.3)

    def note(self, x: float, y: float, text: str, anchor: str = "middle") -> None:
        """Write a formula beside an arrow inside."""
        self.sheet.text(x, y + self.top, math(text), 13, anchor, halo=True)

    def arrive(self, *points: Point) -> None:
        """Draw the arrow of an input; with gradients, of the gradient that goes back."""
        way = self._moved(points)
        if self.gradients:
            self.sheet.line(*reversed(way), role="outgoing", width=2.0, dash="dash")
        else:
            self.sheet.line(*way, role="incoming", width=2.0)

    def leave(self, *points: Point) -> None:
        """Draw the arrow of an output; with gradients, of the gradient that comes in."""
        way = self._moved(points)
        if self.gradients:
            self.sheet.line(*reversed(way), role="forecast", width=2.0)
        else:
            self.sheet.line(*way, role="outgoing", width=2.0, dash="dash")

    def arriving(
        self,
        x: float,
        y: float,
        *names: str,
        anchor: str = "middle",
        words: Sequence[str] = (),
    ) -> None:
        """Write names beside the arrow of an input, or of the gradients with respect to them."""
        role = "outgoing" if self.gradients else "incoming"
        self._names(x, y, [f"dL/d{n}" if self.gradients else n for n in names], anchor, role, words)

    def inside(self, x: float, y: float, name: str, anchor: str = "middle") -> None:
        """Write a parameter inside the node, or the gradient with respect to it."""
        role = "outgoing" if self.gradients else "incoming"
        shown = self.d(name) if self.gradients else name
        self._names(x, y, [shown], anchor, role, ())

    def leaving(
        self,
        x: float,
        y: float,
        *names: str,
        anchor: str = "middle",
        words: Sequence[str] = (),
    ) -> None:
        """Write names beside the arrow of an output, or the gradient with respect to the first."""
        role = "forecast" if self.gradients else "outgoing"
        shown = [f"dL/d{names[0]}"] if self.gradients and names else list(names)
        self._names(x, y, shown, anchor, role, words)

    def _names(
        self,
        x: float,
        y: float,
        names: Sequence[str],
        anchor: str,
        role: str,
        words: Sequence[str],
    ) -> None:
        y += self.top
        for name in names:
            self.sheet.text(x, y, math(name), 14, anchor, role, halo=True)
            y += 18
        for word in words:
            self.sheet.text(x, y, plain(word), 11.5, anchor, "muted", halo=True)
            y += 15
