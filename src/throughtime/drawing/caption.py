"""The caption beside a layer: its name, the shape of its output, its parameters."""

from __future__ import annotations

from dataclasses import dataclass

from throughtime.drawing.drawn_layer import DrawnLayer
from throughtime.drawing.sheet import Sheet
from throughtime.drawing.text import Label, bold, code, plain, shorten, width, wrap
from throughtime.network import Params

#: Largest width of a caption, and height of a line.
ROOM = 192.0
LINE = 15.5
#: Font sizes of words and of names of parameters.
WORDS = 11.5
NAMES = 11.0


@dataclass(frozen=True)
class Caption:
    """Lines of text, from top to bottom, each as (label, size, role)."""

    lines: tuple[tuple[Label, float, str], ...]

    @property
    def width(self) -> float:
        """Width of the longest line."""
        return max(width(label, size) for label, size, _ in self.lines)

    @property
    def height(self) -> float:
        """Height of all lines."""
        return LINE * len(self.lines)

    def put(self, sheet: Sheet, x: float, y: float) -> None:
        """Add the lines to ``sheet``; ``y`` is the top of the first one."""
        for number, (label, size, role) in enumerate(self.lines):
            sheet.text(x, y + (number + 0.5) * LINE, label, size, "start", role)


def layer_caption(drawn: DrawnLayer) -> Caption:
    """The caption of one layer."""
    number = f"{drawn.label} "
    title = shorten(drawn.title, ROOM - 20, 13, "bold")
    lines: list[tuple[Label, float, str]] = [(bold(number + title), 13.0, "ink")]
    lines.append((plain(f"\u2192 {drawn.shape}"), WORDS, "muted"))
    for direction in drawn.directions:
        for name, shape in direction.params:
            lines += [(code(text), NAMES, "ink") for text in parameter(name, shape)]
    for note in drawn.notes():
        lines += [(plain(text), WORDS, "muted") for text in wrap(note, ROOM, WORDS)]
    return Caption(tuple(lines))


def bar_words(drawn: DrawnLayer) -> str:
    """The text in the box of a layer whose weights have no arrow of their own."""
    names = [Params.local(name) for name, _ in drawn.directions[0].params]
    return f"{drawn.title}: {', '.join(names)}" if names else drawn.title


def parameter(name: str, shape: tuple[int, ...]) -> list[str]:
    """Name and shape of a parameter, in two lines if one is too short.

    >>> parameter("0.W_x", (3, 16))
    ['0.W_x (3, 16)']
    """
    whole = f"{name} {shape}"
    if width(code(whole), NAMES) <= ROOM:
        return [whole]
    return [shorten(name, ROOM, NAMES, "code"), shorten(str(shape), ROOM, NAMES, "code")]


def small_caption(title: str, *words: str) -> Caption:
    """The caption of the input or the output."""
    lines: list[tuple[Label, float, str]] = [(bold(title), 13.0, "ink")]
    lines += [(plain(word), WORDS, "muted") for word in words]
    return Caption(tuple(lines))
