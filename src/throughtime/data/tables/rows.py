"""Rows that share a time, and events that become steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from throughtime.data.series import format_times
from throughtime.data.tables.cells import Columns
from throughtime.data.tables.frequency import Frequency
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    Message,
    Setting,
    describe,
    sentence,
)

__all__ = ["AGGREGATES", "DUPLICATES", "Rows", "aggregate", "merge", "parse_step", "same_rows"]

#: What becomes of rows that share a time, by the word that asks for it.
DUPLICATES = ("error", "mean", "sum", "first", "last")
#: How the rows of one step become one.
AGGREGATES = ("sum", "mean", "last", "count")
#: Steps that events may become: a minute for 19 years.
MAX_STEPS = 10_000_000
#: Digits of the number before a unit.
_MOST_DIGITS = 6


class Rows(NamedTuple):
    """The rows of one series.

    Attributes
    ----------
    times : ndarray of shape (T,)
    values : ndarray of float64 of shape (T, 1 + C)
        The target, then the covariates.
    numbers : ndarray of int of shape (T,)
        The number of each row in the file.
    """

    times: np.ndarray
    values: np.ndarray
    numbers: np.ndarray


def same_rows(source: Columns, members: np.ndarray) -> np.ndarray:
    """Which of the rows ``members`` repeat an earlier one in every column."""
    columns = list(source.columns.values())
    seen: set[tuple[object, ...]] = set()
    repeats = np.zeros(len(members), dtype=bool)
    for place, index in enumerate(members.tolist()):
        row = tuple(
            column[index] if isinstance(column, list) else column[index].item()
            for column in columns
        )
        repeats[place] = row in seen
        seen.add(row)
    return repeats


def merge(rows: Rows, how: str, where: str, hint: str) -> tuple[Rows, int]:
    """Make one row of those that share a time, and say how many rows went.

    Rows come back in the order of time.

    Raises
    ------
    DataError
        Times repeat, and ``how`` is "error".
    """
    order = np.argsort(rows.times, kind="stable")
    times, values, numbers = rows.times[order], rows.values[order], rows.numbers[order]
    same = times[1:] == times[:-1]
    if not same.any():
        return rows, 0
    if how == "error":
        at = int(np.argmax(same))
        both = f"{numbers[at]} and {numbers[at + 1]}"
        raise DataError(
            sentence(
                where,
                "in one series",
                f"{format_times(times[at : at + 1])[0]} in rows {both}",
                hint,
                must="not repeat",
            )
        )
    starts = np.flatnonzero(np.concatenate([[True], ~same]))
    merged = _reduce(values, starts, how)
    return Rows(times[starts], merged, numbers[starts]), int(same.sum())


def aggregate(rows: Rows, step: Frequency, how: str) -> Rows:
    """Rows at any time become one row a step: the sum, the mean, the last or the number of them.

    A step without a row counts as 0 for a sum and a count, and is missing otherwise.
    """
    floors = step.floor(rows.times)
    order = np.argsort(rows.times, kind="stable")
    floors, values = floors[order], rows.values[order]
    starts = np.flatnonzero(np.concatenate([[True], floors[1:] != floors[:-1]]))
    merged = _reduce(values, starts, how)
    places = step.positions(floors[starts])
    if places[-1] >= MAX_STEPS:
        raise DataError(
            sentence(
                "freq",
                f"a step of which the table spans at most {MAX_STEPS:,}",
                f"{int(places[-1]) + 1:,} steps",
                parameter="freq",
            )
        )
    grid = step.at(floors[0], np.arange(int(places[-1]) + 1)).astype(floors.dtype)
    result = np.full((len(grid), values.shape[1]), np.nan)
    if how in ("sum", "count"):
        result[:, 0] = 0.0
    result[places] = merged
    return Rows(grid, result, np.arange(1, len(grid) + 1))


def _reduce(values: np.ndarray, starts: np.ndarray, how: str) -> np.ndarray:
    """Each run of rows as one; missing values do not count."""
    ends = np.append(starts[1:], len(values))
    known = ~np.isnan(values)
    counts = np.add.reduceat(known, starts, axis=0)
    if how in ("first", "last"):
        return values[starts if how == "first" else ends - 1]
    if how == "count":
        rest = _reduce(values, starts, "mean")
        rest[:, 0] = ends - starts
        return rest
    sums = np.add.reduceat(np.where(known, values, 0.0), starts, axis=0)
    result = np.where(counts > 0, sums, np.nan)
    if how == "mean":
        return result / np.maximum(counts, 1)
    # Only the target is a total; a price or a temperature beside it is not.
    result[:, 1:] = sums[:, 1:] / np.maximum(counts[:, 1:], 1)
    result[:, 1:][counts[:, 1:] == 0] = np.nan
    return result


_STEPS: dict[str, Callable[[int], Frequency]] = {
    "s": lambda n: Frequency("microsecond", n * 1_000_000),
    "min": lambda n: Frequency("microsecond", n * 60_000_000),
    "h": lambda n: Frequency("microsecond", n * 3_600_000_000),
    "D": lambda n: Frequency("microsecond", n * 86_400_000_000),
    "W": lambda n: Frequency("microsecond", n * 7 * 86_400_000_000),
    "M": lambda n: Frequency("month", n, 1),
    "Q": lambda n: Frequency("month", 3 * n, 1),
    "Y": lambda n: Frequency("month", 12 * n, 1),
}


def parse_step(text: str) -> Frequency:
    """Read ``"D"``, ``"15min"``, ``"W"``, ``"M"``: a number, if it is not 1, and a unit.

    Raises
    ------
    InvalidArgumentError
        If it is none.
    """
    letters = text.lstrip("0123456789") if isinstance(text, str) else ""
    count = (text[: len(text) - len(letters)] if letters else "") or "1"
    make = _STEPS.get({"MS": "M", "QS": "Q", "YS": "Y", "H": "h"}.get(letters, letters))
    if make is None or len(count) > _MOST_DIGITS or int(count) < 1:
        raise InvalidArgumentError(
            sentence(
                "freq",
                f"a number and one of {', '.join(_STEPS)}",
                describe(text),
                Message(
                    "Write for example {a} or {b}.",
                    a=Setting("freq", "D"),
                    b=Setting("freq", "15min"),
                ),
            )
        )
    return make(int(count))
