"""Cells that name a range of time, such as 01.01.2024 00:00 - 01.01.2024 01:00."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from throughtime.data.tables.numbers import UnreadableError
from throughtime.data.tables.timewriter import RangeWriter
from throughtime.errors import Message

if TYPE_CHECKING:
    from throughtime.data.tables.dates import Times

__all__ = ["RANGE", "holds_range", "read_ranges"]

#: A start and an end.
RANGE = re.compile(r"(\S.*?)(\s+[-\u2013\u2014]\s+)(\S.*)")
_LONGEST = 100
#: The share of ranges that are equally long; they are not where the clocks change.
_MOST = 0.9


def holds_range(text: str) -> bool:
    """Whether a cell is two times with clocks, and a dash between them."""
    found = RANGE.fullmatch(text.strip()) if " " in text and len(text) < _LONGEST else None
    return found is not None and min(found[1].count(":"), found[3].count(":")) > 0


def read_ranges(cells: Sequence[str], read: Callable[[list[str]], Times]) -> Times:
    """Times that begin a range, all of one length but for a few (where the clocks change)."""
    found = [RANGE.fullmatch(cell) for cell in cells]
    whole = [match for match in found if match is not None]
    if len(whole) < len(cells):
        raise UnreadableError(found.index(None))
    starts, ends = read([match[1] for match in whole]), read([match[3] for match in whole])
    lengths = (ends.values - starts.values).astype(np.int64).tolist()
    ((usual, many),) = Counter(lengths).most_common(1)
    if many < _MOST * len(cells):
        raise UnreadableError(next(i for i, length in enumerate(lengths) if length != usual))
    writer = RangeWriter(starts.writer, ends.writer, whole[0][2], usual)
    said = Message(
        "Each cell of times names a range, such as {example}, and stands for its start.",
        example=cells[0],
    )
    note = f"{starts.note} {said}".strip()
    return starts._replace(note=note, writer=writer)
