"""Sentences on values that look wrong; nothing is changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from throughtime.cli.results import MOST_NOTES, all_digits
from throughtime.data.unusual import find_markers, find_outliers, find_shift
from throughtime.report import words

if TYPE_CHECKING:
    from throughtime.cli.series import CutSeries
    from throughtime.data.tables.files import Table

#: Values on either side of a shift whose medians say its size.
_BESIDE = 30


def with_unusual(table: Table, parts: Sequence[CutSeries]) -> Table:
    """``table`` with notes on outliers, on markers of missing values and on shifts of the level."""
    notes = [note for part in parts for note in _notes_on(table, part)]
    if len(notes) > MOST_NOTES:
        notes = [*notes[:MOST_NOTES], f"... and {len(notes) - MOST_NOTES} more of this kind."]
    return dataclasses.replace(table, notes=(*table.notes, *notes))


def _notes_on(table: Table, part: CutSeries) -> list[str]:
    who = f"Column {table.target!r}" if table.id is None else f"Series {part.name!r}"
    y, notes = part.values.copy(), []
    for marker in find_markers(y):
        rows = words.plural(len(marker.places), "row")
        notes.append(
            f"{who} holds {all_digits(marker.value)} in {rows}, far from all other values. It"
            " counts as a value; empty these cells if it stands for a missing one."
        )
        y[marker.places] = np.nan
    outliers = find_outliers(y)
    if len(outliers):
        farthest = outliers[np.argmax(np.abs(y[outliers] - np.nanmedian(y)))]
        value, time = all_digits(y[farthest]), _time(table, part, farthest)
        if len(outliers) == 1:
            notes.append(
                f"{who} holds 1 value far from all others, {value} at {time}. It is used as it is;"
                " correct it, or empty its cell, if it is wrong."
            )
        else:
            notes.append(
                f"{who} holds {len(outliers):,} values far from all others, the farthest {value} at"
                f" {time}. They are used as they are; correct them, or empty their cells, if they"
                " are wrong."
            )
    shift = find_shift(y)
    if shift is not None:
        before, after = y[max(0, shift - _BESIDE) : shift], y[shift : shift + _BESIDE]
        old, new = (words.number(float(np.nanmedian(values)), 3) for values in (before, after))
        notes.append(
            f"{who} moves from a level of about {old} to about {new} at {_time(table, part, shift)}"
            " and stays there. The values before it are used as they are; leave them out if they no"
            " longer tell how it goes on."
        )
    return notes


def _time(table: Table, part: CutSeries, place: int) -> str:
    """The time of a value as the table writes it; its number where there are no times."""
    if table.time is None:
        return f"step {place + 1}"
    return " ".join(table.write_times(part.times[[place]])[0])
