"""The sequence modes, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from throughtime.drawing.sheet import MARGIN, WIDTH, Sheet
from throughtime.drawing.text import bold, code, math, plain

NODE, PITCH = 34.0, 54.0
PANELS = (222.0, 238.0)


@dataclass(frozen=True)
class Mode:
    """One way to map a sequence or a vector to a sequence or a vector.

    Attributes
    ----------
    name : str
        Title of its panel.
    inputs, outputs : tuple of int
        Columns that have an input, and columns that have an output.
    columns : int
        Number of nodes in the row.
    words : str
        An example of its use.
    layers : tuple of str
        The layers that make it, as code.
    split : int
        First column of the decoder; 0 without one.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    columns: int
    words: str
    layers: tuple[str, ...]
    split: int = 0


MODES = (
    Mode("one-to-one", (0,), (0,), 1, "no time: a feed-forward network", ("Dense(8)", "Dense(1)")),
    Mode(
        "one-to-many",
        (0, 1, 2),
        (0, 1, 2),
        3,
        "one vector becomes a sequence",
        ("RepeatVector(3)", "GRU(8, return_sequences=True)"),
    ),
    Mode("many-to-one", (0, 1, 2), (2,), 3, "a label or the next value", ("GRU(8)", "Dense(1)")),
    Mode(
        "many-to-many, step by step",
        (0, 1, 2),
        (0, 1, 2),
        3,
        "an output at every step",
        ("GRU(8, return_sequences=True)", "Dense(1)"),
    ),
    Mode(
        "many-to-many, encoder and decoder",
        (0, 1, 2),
        (3, 4, 5),
        6,
        "the decoder starts from the encoder's state, and sees it at every step",
        ("GRU(8, return_state=True)", "RepeatVector(3)", "GRU(8, return_sequences=True)"),
        3,
    ),
)


def modes() -> Sheet:
    """Lay out the five panels: three in the upper row, two in the lower one."""
    words = "; ".join(f"{mode.name}: {mode.words}, {' > '.join(mode.layers)}" for mode in MODES)
    sheet = Sheet("sequence modes", f"{words}.")
    gap = 12.0
    third = (WIDTH - 2 * MARGIN - 2 * gap) / 3
    x = MARGIN
    for mode in MODES[:3]:
        _panel(sheet, mode, x, MARGIN, third, PANELS[0])
        x += third + gap
    y = MARGIN + PANELS[0] + gap
    _panel(sheet, MODES[3], MARGIN, y, third, PANELS[1])
    _panel(sheet, MODES[4], MARGIN + third + gap, y, 2 * third + gap, PANELS[1])
    sheet.height = y + PANELS[1] + MARGIN
    return sheet


def _panel(sheet: Sheet, mode: Mode, left: float, top: float, wide: float, high: float) -> None:
    """Draw one mode: name, picture, words, layers."""
    sheet.box(left + wide / 2, top + high / 2, wide, high, 8, None, "panel")
    middle = left + wide / 2
    sheet.text(middle, top + 18, bold(mode.name), 13)
    y = top + 92
    begin = middle - (mode.columns - 1) * PITCH / 2
    xs = [begin + i * PITCH for i in range(mode.columns)]
    split = mode.split or mode.columns
    for number, x in enumerate(xs):
        later = number >= split
        if number:
            handed = number == split
            sheet.line(
                (xs[number - 1] + NODE / 2 + 1, y),
                (x - NODE / 2 - 1, y),
                role="backtest",
                width=2.0,
                dash="dash" if handed else "solid",
            )
        letter = "s" if later else "h"
        own = number - split + 1 if later else number + 1
        time = mode.columns > 1
        sheet.box(x, y, NODE, NODE, NODE / 2 if time else 6)
        sheet.text(x, y, math(f"{letter}_{own}" if time else "h"))
        if number in mode.inputs:
            repeated = mode.name == "one-to-many"
            name = "x" if repeated or not time else f"x_{own}"
            sheet.line((x, y + 47), (x, y + NODE / 2 + 1), role="forecast")
            sheet.text(x, y + 57, math(name))
        if number in mode.outputs:
            name = "y" if not time or len(mode.outputs) == 1 else f"y_{own}"
            sheet.line((x, y - NODE / 2 - 1), (x, y - 44))
            sheet.text(x, y - 53, math(name))
    sheet.text(middle, top + 168, plain(mode.words), 11.5, role="muted")
    for line, text in enumerate(mode.layers):
        sheet.text(middle, top + 188 + 16 * line, code(text), 11)
