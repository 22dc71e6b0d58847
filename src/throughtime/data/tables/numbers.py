"""A column of cells to numbers; what the marks in it mean, the whole column decides.

A comma or a point is a decimal mark or groups thousands. No single cell can say which ("1,234"), a
column mostly can: a group of thousands has three digits and does not begin with 0.

A cell that cannot be read raises :class:`UnreadableError` with its place; the caller, who knows the
file and the column, names both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from throughtime.errors import Message, Setting

__all__ = [
    "Numbers",
    "UnreadableError",
    "is_missing",
    "is_number",
    "parse_numbers",
    "read_numbers_in",
    "share_of_numbers",
]

_MISSING = {
    "", "na", "n/a", "#n/a", "#na", "#value!", "#div/0!", "#ref!", "#num!", "#null!", "nan", "-nan",
    "+nan", "null", "(null)", "none", "nil", "nat", "<na>", "<nan>", "-", "--", "---", "–", "—",
    "?", ".", "..", "...", "…", "*", "missing",
}  # fmt: skip
#: Minus signs of typesetters: U+2212, hyphens, the en dash, the full-width one.
_MINUS = str.maketrans(dict.fromkeys("\u2212\u2010\u2011\u2013\uff0d\ufe63", "-"))
_CURRENCIES = (
    "US$", "A$", "C$", "NZ$", "HK$", "R$", "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "CNY",
    "INR", "SEK", "NOK", "DKK", "PLN", "kr", "zł", "Kč", "$", "€", "£", "¥", "₹", "₽", "₩", "₺",
    "₪", "₫", "฿", "₴", "₦", "₱",
)  # fmt: skip
_UNIT = "|".join(re.escape(unit) for unit in (*_CURRENCIES, "%"))
_DRESSED = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[+-]?)\s*(?P<before>{_UNIT})?\s*(?P<inner>[+-]?)\s*"
    rf"(?P<core>[\d.,'’ \u00a0\u202f\u2009]*\d[\d.,'’ \u00a0\u202f\u2009]*(?:[eE][+-]?\d+)?)\s*"
    rf"(?P<after>{_UNIT})?(?P<behind>-)?\s*(?P<close>\))?",
)
#: A number in digits and marks alone, without the work that the others need.
_SIMPLE = re.compile(r"-?[\d.,]*\d[\d.,]*")
#: Blanks and apostrophes between groups of three digits, as in 1 234 and 1'234.
_GROUPS = re.compile(r"(?<=\d)[ \u00a0\u202f\u2009'’](?=\d{3}(?!\d))")
#: Commas in groups, of three digits or as in India (12,34,567).
_GROUPED = {
    ",": re.compile(r"[1-9]\d{0,2}(,\d{3})+|[1-9]\d?(,\d{2})+,\d{3}"),
    ".": re.compile(r"[1-9]\d{0,2}(\.\d{3})+"),
}
_PLAIN = frozenset("0123456789.+-eE ")
_MARKED = _PLAIN - {"+", "e", "E"} | {","}
_PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?")
#: Characters of the longest number, by far; the pattern above is slow on a text of megabytes.
_LONGEST = 400
#: Cells that show what a column holds, where all of them say the same.
_FEW = 16
#: So many cells with three digits behind the mark are no decimals by chance.
_MANY = 12


class UnreadableError(ValueError):
    """The cell at ``index`` is not what its column should hold.

    Attributes
    ----------
    index : int
    language : str or None
        Where the cell holds the name of a month in another language than English: which one.
    """

    def __init__(self, index: int, language: str | None = None) -> None:
        super().__init__(index)
        self.index, self.language = index, language


class Numbers(NamedTuple):
    """A column of numbers that was read.

    Attributes
    ----------
    values : ndarray of float64 of shape (T,)
        NaN where a cell is missing.
    notes : tuple of str
        What the marks were taken for, and what was taken off.
    decimal : str
        The decimal mark; empty where no cell shows one.
    """

    values: np.ndarray
    notes: tuple[str, ...] = ()
    decimal: str = ""


class _Core(NamedTuple):
    """One number without sign and unit."""

    row: int
    sign: int
    digits: str
    exponent: str


def is_missing(text: str) -> bool:
    """Whether a cell stands for a missing value: empty, ``NA``, ``null``, ``-`` and the like."""
    return text.strip().lower() in _MISSING


def is_number(text: str) -> bool:
    """Whether a cell alone is a number in any way of writing it, or is missing."""
    if _PLAIN_NUMBER.fullmatch(text):
        return True  # nearly all cells of nearly all tables
    try:
        parse_numbers([text], ";")
    except UnreadableError:
        return False
    return True


def parse_numbers(texts: Sequence[str], separator: str = ",") -> np.ndarray:
    """The values of :func:`read_numbers_in`."""
    return read_numbers_in(texts, separator).values


def read_numbers_in(
    texts: Sequence[str],
    separator: str = ",",
    *,
    decimal: str | None = None,
    thousands: str | None = None,
) -> Numbers:
    """Read a column of numbers; missing cells become NaN.

    Parameters
    ----------
    texts : sequence of str
    separator : str
        What separates the columns of the file: a semicolon speaks for decimal commas.
    decimal, thousands : str, optional
        The marks, where the caller knows them.

    Raises
    ------
    UnreadableError
        At the first cell that holds something else, an infinity included.

    Examples
    --------
    >>> read_numbers_in(["1,5", "", "2.000,5"], separator=";").values
    array([1.5000e+00,        nan, 2.0005e+03])
    >>> read_numbers_in(["1,500", "12"]).values
    array([1500.,   12.])
    >>> read_numbers_in(["0,512", "1,250"]).values
    array([0.512, 1.25 ])
    """
    if decimal is None and thousands is None:
        values = _plainly(texts, separator)
        if values is not None:
            return Numbers(values)
    values = np.full(len(texts), np.nan)
    cores: list[_Core] = []
    units: dict[str, list[int]] = {}
    brackets = False
    simple = _MARKED.issuperset("".join(texts))
    for index, text in enumerate(texts):
        if is_missing(text):
            continue
        if simple and _SIMPLE.fullmatch(text.strip()):
            digits = text.strip().lstrip("-")
            cores.append(_Core(index, -1 if "-" in text else 1, digits, ""))
            units.setdefault("", []).append(index)
            continue
        found = _dressed(text)
        if found is None:
            raise UnreadableError(index)
        core, unit, bracket = _undressed(index, found)
        cores.append(core)
        units.setdefault(unit, []).append(index)
        brackets |= bracket
    if len(units) > 1:  # dollars beside euros, or 5 % beside 0.05
        raise UnreadableError(min(units.values(), key=lambda rows: (len(rows), -rows[0]))[0])
    marks = _marks(cores, separator, decimal, thousands)
    for core in cores:
        values[core.row] = _value(core, marks)
    return Numbers(
        values,
        tuple(_notes(cores, marks, next(iter(units), ""), brackets, texts, separator)),
        marks.decimal,
    )


def share_of_numbers(texts: Sequence[str], most: int = 400) -> float:
    """The share of cells, missing ones aside, that are numbers in any way of writing them.

    At most ``most`` cells, from all parts of the column, are looked at.
    """
    few = [text.strip() for text in texts[:: max(1, len(texts) // _FEW)]]
    if all(map(_PLAIN_NUMBER.fullmatch, few)):
        return 1.0  # one of thousands of such columns
    step = max(1, len(texts) // most)
    known = [text.strip() for text in texts[::step] if not is_missing(text)]
    if not known:
        known = [text.strip() for text in texts if not is_missing(text)][:most]
    numbers = sum(_dressed(text) is not None for text in known)
    return numbers / len(known) if known else 0.0


def _plainly(texts: Sequence[str], separator: str) -> np.ndarray | None:
    """The values of cells that Python reads as they stand; None where marks must be weighed."""
    if not _PLAIN.issuperset("".join(texts)):
        return None
    try:
        values = np.array([float(text) if text.strip() else np.nan for text in texts])
    except ValueError:  # a point or a minus alone, which stands for a missing value
        return None
    if np.isinf(values).any():
        return None
    pointed = [text for text in texts if "." in text]
    if not pointed or not all(_GROUPED["."].fullmatch(text.strip(" +-")) for text in pointed):
        return values
    # Three digits behind every point: thousands, if whole numbers stand beside them.
    whole = len(pointed) < len(texts) - int(np.isnan(values).sum())
    return None if whole or separator != "," else values


def _dressed(text: str) -> re.Match[str] | None:
    """The parts of a number in any way of writing it; a text longer than any number is none."""
    return _DRESSED.fullmatch(text.strip().translate(_MINUS)) if len(text) < _LONGEST else None


def _undressed(index: int, found: re.Match[str]) -> tuple[_Core, str, bool]:
    """A number without its currency, percent sign and brackets; and what was taken off."""
    bracket = found["open"] is not None
    signs = [found["sign"], found["inner"], found["behind"] or ""]
    if bracket != (found["close"] is not None) or sum(map(bool, signs)) + bracket > 1:
        raise UnreadableError(index)
    if found["before"] and found["after"]:
        raise UnreadableError(index)
    unit = found["before"] or found["after"] or ""
    negative = bracket or "-" in signs
    digits, _, exponent = found["core"].lower().partition("e")
    return _Core(index, -1 if negative else 1, digits.strip(), exponent), unit, bracket


class _Marks(NamedTuple):
    decimal: str
    thousands: str
    #: Why, where the cells alone do not say it.
    assumed: bool = False


def _marks(
    cores: Sequence[_Core], separator: str, decimal: str | None, thousands: str | None
) -> _Marks:
    """What a comma and a point mean in this column."""
    if decimal is not None or thousands is not None:
        point = decimal or ("." if thousands != "." else ",")
        return _Marks(point, thousands if thousands is not None else ",."[point == ","])
    bare = [
        (core.row, d if _SIMPLE.fullmatch(d := core.digits) else _GROUPS.sub("", d))
        for core in cores
    ]
    both = [(index, text) for index, text in bare if "," in text and "." in text]
    if both:
        text = both[0][1]
        last = max(text.rfind(","), text.rfind("."))
        return _Marks(text[last], ",."[text[last] == ","])
    marked = {mark: [text for _, text in bare if mark in text] for mark in ",."}
    if marked[","] and marked["."]:  # 1,234 beside 12.5
        grouped = {mark: all(map(_GROUPED[mark].fullmatch, marked[mark])) for mark in ",."}
        if grouped[","] == grouped["."]:
            few = min(",.", key=lambda mark: len(marked[mark]))
            raise UnreadableError(next(index for index, text in bare if few in text))
        return _Marks(*(".,") if grouped[","] else (",", "."))
    mark = "," if marked[","] else "."
    cells = marked[mark]
    if not all(map(_GROUPED[mark].fullmatch, cells)):
        return _Marks(mark, "")
    other = ",."[mark == ","]
    if any(text.count(mark) > 1 for text in cells):
        return _Marks(other, mark)
    whole = [text for _, text in bare if mark not in text]
    small = bool(whole) and all(len(text) <= 3 for text in whole)
    if mark == "," and separator == ",":
        thousands_likely = not any(len(text) > 3 for text in whole)
    else:
        enough = 1 if mark == "." and separator != "," else _MANY
        thousands_likely = small and len(cells) >= enough
    return _Marks(other, mark, True) if thousands_likely else _Marks(mark, "", True)


def _value(core: _Core, marks: _Marks) -> float:
    text = core.digits
    if not _SIMPLE.fullmatch(text):
        text = _GROUPS.sub("", text)
        if not _SIMPLE.fullmatch(text):
            raise UnreadableError(core.row)
    whole, point, fraction = text.partition(marks.decimal) if marks.decimal else (text, "", "")
    if marks.thousands and marks.thousands in whole:
        if not _GROUPED[marks.thousands].fullmatch(whole):
            raise UnreadableError(core.row)
        whole = whole.replace(marks.thousands, "")
    try:
        value = core.sign * float(f"{whole}{'.' if point else ''}{fraction}e{core.exponent or 0}")
    except ValueError:
        raise UnreadableError(core.row) from None
    if not np.isfinite(value):
        raise UnreadableError(core.row)
    return value


def _notes(
    cores: Sequence[_Core],
    marks: _Marks,
    unit: str,
    brackets: bool,
    texts: Sequence[str],
    separator: str,
) -> list[str]:
    """What was assumed or taken off, each in a sentence that follows the name of the column."""
    notes = []
    for mark in ",.":
        shown = next((core for core in cores if mark in core.digits), None)
        if shown is None:
            continue
        read = f"{_value(shown, marks):.15g}"
        if mark == marks.thousands:
            notes.append(_mark_note(mark, "groups thousands", texts[shown.row], read, marks,
                                    Setting("decimal", mark)))  # fmt: skip
        elif mark == marks.decimal and (mark == "," or (marks.assumed and separator != ",")):
            notes.append(_mark_note(mark, "is the decimal mark", texts[shown.row], read, marks,
                                    Setting("thousands", mark)))  # fmt: skip
    if unit:
        what = "in percent: 5 % counts as 5" if unit == "%" else f"in {unit}"
        notes.append(f"is {what}; the signs were taken off.")
    if brackets:
        notes.append("has numbers in brackets, which are below zero.")
    return notes


def _mark_note(
    mark: str, role: str, example: str, read: str, marks: _Marks, setting: Setting
) -> str:
    name = "comma" if mark == "," else "point"
    hint = Message("{other} reads it the other way.", other=setting) if marks.assumed else ""
    return Message(
        "has numbers like {example}, where the {name} {role}: {read}.",
        hint=hint,
        example=example.strip(),
        name=name,
        role=role,
        read=read,
    )
