"""The pen of one node: what comes in, what goes out, and the parts between, in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from throughtime.drawing.sheet import Point, Sheet
from throughtime.drawing.text import math, plain


@dataclass(frozen=True)
class NodePen:
    """Draws the parts of a node; with gradients every arrow turns round and every name gets its d.

    Attributes
    ----------
    top : float
        Where the node's own coordinates begin.
    long : bool
        Whether a gradient inside is written dL/dz, as in the equations of the Elman cell, or dz.
    """

    sheet: Sheet
    gradients: bool
    top: float
    long: bool

    def _moved(self, points: Sequence[Point]) -> list[Point]:
        return [(x, y + self.top) for x, y in points]

    def d(self, quantity: str) -> str:
        """The gradient with respect to a quantity inside."""
        return f"dL/d{quantity}" if self.long else f"d{quantity}"

    def frame(self, left: float, top: float, right: float, bottom: float) -> None:
        """The outline of the node."""
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
        """A quantity inside the node, or ``back``, its gradient."""
        self.sheet.box(x, y + self.top, w, h, radius)
        name = text if not self.gradients else self.d(text) if back is None else back
        self.sheet.text(x, y + self.top, math(name), size)

    def operation(self, x: float, y: float, sign: str) -> None:
        """A product, a sum or a function of one quantity, as a small circle."""
        self.sheet.box(x, y + self.top, 22, 22, 11, "history", "surface")
        self.sheet.text(x, y + self.top, math(sign), 14, role="ink")

    def number(self, x: float, y: float, text: str, anchor: str = "middle") -> None:
        """The number of an equation; with gradients that of its derivative."""
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
        """An arrow between parts."""
        way = self._moved(points)
        self.sheet.line(*(reversed(way) if self.gradients else way), role="history", width=1.3)

    def note(self, x: float, y: float, text: str, anchor: str = "middle") -> None:
        """A formula beside an arrow inside."""
        self.sheet.text(x, y + self.top, math(text), 13, anchor, halo=True)

    def arrive(self, *points: Point) -> None:
        """What comes in, from outside; with gradients what goes back there."""
        way = self._moved(points)
        if self.gradients:
            self.sheet.line(*reversed(way), role="outgoing", width=2.0, dash="dash")
        else:
            self.sheet.line(*way, role="incoming", width=2.0)

    def leave(self, *points: Point) -> None:
        """What goes out; with gradients what comes in from there."""
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
        """Names beside an arrow that comes in; the gradients with respect to them go out."""
        role = "outgoing" if self.gradients else "incoming"
        self._names(x, y, [f"dL/d{n}" if self.gradients else n for n in names], anchor, role, words)

    def inside(self, x: float, y: float, name: str, anchor: str = "middle") -> None:
        """A parameter inside the node, or the gradient with respect to it."""
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
        """Names beside an arrow that goes out; with gradients that of the quantity comes in."""
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
