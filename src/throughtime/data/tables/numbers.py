"""Cells of text to numbers.

A cell that cannot be read raises :class:`UnreadableError` with its place; the caller, who knows the
file and the column, names both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["UnreadableError", "is_missing", "parse_numbers"]

_MISSING = {
    "", "na", "n/a", "#n/a", "nan", "null", "none", "nat", "-", "--", "?", ".", "missing"
}  # fmt: skip
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_COMMA_NUMBER = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*)(,\d*)?([eE][+-]?\d+)?")
#: Between digits: space, no-break spaces, apostrophe, as in 1 234 and 1'234.
_GROUPS = re.compile(r"(?<=\d)[ \u00a0\u202f'’](?=\d{3})")


class UnreadableError(ValueError):
    """The cell at ``index`` is not what its column should hold."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def is_missing(text: str) -> bool:
    """Whether a cell stands for a missing value: empty, ``NA``, ``null``, ``-`` and the like."""
    return text.strip().lower() in _MISSING


def parse_numbers(texts: Sequence[str], separator: str = ",") -> np.ndarray:
    """Read a column of numbers; missing cells become NaN.

    A comma in a number is a decimal comma, except where the column uses it to group thousands:
    where a point follows it, or where the file separates its columns by commas and every comma is
    followed by three digits.

    Raises
    ------
    UnreadableError
        At the first cell that holds something else, an infinity included.

    Examples
    --------
    >>> parse_numbers(["1,5", "", "2.000,5"], separator=";")
    array([1.5000e+00,        nan, 2.0005e+03])
    >>> parse_numbers(["1,500", "12"])
    array([1500.,   12.])
    """
    clean: Callable[[str], str] = _plain
    commas = [text.strip() for text in texts if "," in text]
    if commas:
        grouped = all(_THOUSANDS.fullmatch(text) for text in commas)
        pointed = any("." in text for text in commas)
        clean = _without_commas if grouped and (separator == "," or pointed) else _decimal_comma
    values = np.empty(len(texts))
    for index, text in enumerate(texts):
        try:
            values[index] = float(clean(text))
        except ValueError:
            if not is_missing(text):
                raise UnreadableError(index) from None
            values[index] = np.nan
        # Python reads "1_000" and "infinity" as numbers; in a table they are mistakes.
        if "_" in text or not (np.isfinite(values[index]) or is_missing(text)):
            raise UnreadableError(index)
    return values


def _plain(text: str) -> str:
    return _GROUPS.sub("", text)


def _without_commas(text: str) -> str:
    return text.replace(",", "")


def _decimal_comma(text: str) -> str:
    text = _GROUPS.sub("", text.strip())
    # In such a column a point groups thousands; one that does not is a mistake, not a decimal.
    if not _COMMA_NUMBER.fullmatch(text):
        raise ValueError(text)
    return text.replace(".", "").replace(",", ".")
