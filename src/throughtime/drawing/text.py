"""Labels (formulas with subscripts, plain words, code) and their widths.

A label is a tuple of :class:`Span`, so ``+`` joins two labels. The widths are those of DejaVu,
which is wider than the fonts of most readers: what fits here fits there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: Size of the smallest text of a picture, in pixels at a width of 700.
SMALLEST = 11.0


class Span(NamedTuple):
    """A piece of a label in one face.

    Attributes
    ----------
    text : str
        The characters.
    face : str
        ``"plain"``, ``"bold"``, ``"code"``, or for mathematics ``"italic"`` or ``"upright"``.
    shift : int
        -1 for a subscript, 1 for a superscript, else 0.
    """

    text: str
    face: str = "plain"
    shift: int = 0


Label = tuple[Span, ...]

_SCRIPT = re.compile(r"([_^])(?:\{([^}]*)\}|(\([^)]*\)|[0-9A-Za-z\u2032]+))")
_LETTERS = re.compile(r"[A-Za-z\u0370-\u03ff]+")

#: Advance widths in hundredths of the font size, DejaVu Sans.
_WIDTHS = {
    character: width
    for width, characters in {
        28: "'ijl",
        32: ' ,.IJ|"',
        36: "/:;\\-f",
        40: "()[]rt!`",
        53: "*_sz?cL",
        60: "kvxyFPTYaoeE",
        64: "Sbdghnpqu$0123456789{}AKRVXB",
        73: "ZCUHN",
        79: "DGOQ&",
        84: "w#+<=>^~",
        98: "mMW%@",
    }.items()
    for character in characters
}


def plain(text: str) -> Label:
    """A label of plain words."""
    return (Span(text),)


def bold(text: str) -> Label:
    """A label of bold words."""
    return (Span(text, "bold"),)


def code(text: str) -> Label:
    """A label of code."""
    return (Span(text, "code"),)


def math(text: str) -> Label:
    """A label of a formula.

    ``_`` and ``^`` make a script of the next word, or of the text in braces. Text between double
    quotes is plain words.

    >>> [span.text for span in math("dL/dh_{t-1}")]
    ['dL', '/', 'dh', 't', '\u22121']
    >>> [(span.text, span.shift) for span in math("b_time")]
    [('b', 0), ('time', -1)]
    """
    spans: list[Span] = []
    for number, part in enumerate(text.split('"')):
        spans += [Span(part)] if number % 2 else _formula(part)
    return tuple(span for span in spans if span.text)


def _formula(text: str) -> list[Span]:
    spans: list[Span] = []
    end = 0
    for match in _SCRIPT.finditer(text):
        spans += _faces(text[end : match.start()], 0)
        inner = match.group(2) if match.group(2) is not None else match.group(3)
        spans += _faces(inner, -1 if match.group(1) == "_" else 1)
        end = match.end()
    return spans + _faces(text[end:], 0)


def _faces(text: str, shift: int) -> list[Span]:
    """Spans of a formula: symbols are italic; words of four letters or more are upright."""
    text = text.replace("-", "\u2212").replace("*", "\u2299")
    spans: list[Span] = []
    end = 0
    for match in _LETTERS.finditer(text):
        if match.start() > end:
            spans.append(Span(text[end : match.start()], "upright", shift))
        word = match.group()
        spans.append(Span(word, "upright" if len(word) > 3 else "italic", shift))
        end = match.end()
    if end < len(text):
        spans.append(Span(text[end:], "upright", shift))
    return spans


def script_size(size: float) -> float:
    """The font size of a subscript beside text of ``size``."""
    return max(SMALLEST, round(0.78 * size, 1))


def width(label: Label, size: float) -> float:
    """The width of a label, in the unit of ``size``."""
    total = 0.0
    for span in label:
        em = size if span.shift == 0 else script_size(size)
        if span.face == "code":
            total += 0.603 * em * len(span.text)
            continue
        factor = 1.12 if span.face == "bold" else 1.0
        total += factor * em * sum(_WIDTHS.get(c, 75) for c in span.text) / 100
    return total


def spoken(label: Label) -> str:
    """The label as typed text: ``h_{t-1}``."""
    parts = []
    for shift, text in _grouped(label):
        if shift == 0:
            parts.append(text)
        else:
            mark = "_" if shift < 0 else "^"
            parts.append(mark + (text if text.isalnum() else f"{{{text}}}"))
    return "".join(parts).replace("\u2212", "-")


def _grouped(label: Label) -> list[tuple[int, str]]:
    groups: list[tuple[int, str]] = []
    for span in label:
        if groups and groups[-1][0] == span.shift:
            groups[-1] = (span.shift, groups[-1][1] + span.text)
        else:
            groups.append((span.shift, span.text))
    return groups


def shorten(text: str, room: float, size: float, face: str = "plain") -> str:
    """``text`` if it fits into ``room``; else its beginning with an ellipsis.

    >>> shorten("Embedding", 40, 11)
    'Embe\u2026'
    """
    if width((Span(text, face),), size) <= room:
        return text
    while text and width((Span(text + "\u2026", face),), size) > room:
        text = text[:-1]
    return text + "\u2026"


def wrap(text: str, room: float, size: float, face: str = "plain") -> list[str]:
    """The lines of ``text``, broken at spaces; a word longer than a line is shortened."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else ""
        if lines and width((Span(longer, face),), size) <= room:
            lines[-1] = longer
        else:
            lines.append(shorten(word, room, size, face))
    return lines
