"""What was read from a file: its series, and what was found on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from throughtime.data.series import Series
from throughtime.data.tables.columns import quoted
from throughtime.data.tables.frequency import Frequency
from throughtime.data.tables.timewriter import NumberWriter, PartsWriter, TimeWriter

__all__ = ["Table", "count"]


@dataclass(frozen=True, eq=False)
class Table:
    """The series of a table, and what was found in it.

    Attributes
    ----------
    path : Path
    rows : int
        Rows of the file, its column names not counted.
    columns : tuple of str
        All columns of the file.
    target, time, id : str, or None
        The columns used; ``time`` is None where rows count as steps, ``id`` where there is one
        series. Several columns of times, or of targets, stand with commas between.
    covariates : tuple of str
    series : tuple of Series
        In the order in which they first appear.
    notes : tuple of str
        Sentences about what had to be assumed or changed.
    dayfirst : bool or None
        How dates like 01/02/2024 were read; None where there are none.
    time_columns : tuple of str
        The columns of which times are made.
    writer : TimeWriter
        Writes times as the file writes them.
    targets : tuple of str
    id_column : str or None
        The column of the file; ``id`` names the series also where each target is one.
    options : dict
        What :func:`read_table` was asked for beside columns, so that another table of the same kind
        is read in the same way; ready for JSON.
    left_out : dict of str to str
        Series without a forecast, and why.
    """

    path: Path
    rows: int
    columns: tuple[str, ...]
    target: str
    time: str | None
    id: str | None
    covariates: tuple[str, ...]
    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()
    dayfirst: bool | None = None
    time_columns: tuple[str, ...] = ()
    writer: TimeWriter = field(default_factory=NumberWriter)
    targets: tuple[str, ...] = ()
    id_column: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        many = "1 series" if len(self.series) == 1 else f"{len(self.series)} series"
        return f"<Table of {self.path.name}: {count(self.rows, 'row')}, {many}>"

    @property
    def frequency(self) -> Frequency | None:
        """The step that all series share; None if one has none, or they differ."""
        steps = {one.frequency for one in self.series}
        return steps.pop() if len(steps) == 1 else None

    @property
    def counts_years(self) -> bool:
        """Whether times are years that are written as numbers."""
        step = self.frequency
        named = (self.time or "").strip().lower() in ("year", "jahr", "yr")
        return named and step is not None and (step.unit, step.count) == ("number", 1)

    @property
    def missing(self) -> int:
        """Empty cells in the target."""
        return sum(one.missing for one in self.series)

    @property
    def gaps(self) -> int:
        """Time stamps that the table skips; they were inserted without a value."""
        return sum(one.gaps for one in self.series)

    def write_times(self, times: np.ndarray) -> list[tuple[str, ...]]:
        """Times as the file writes them: one text for each of its columns of times."""
        if isinstance(self.writer, PartsWriter):
            return self.writer.write_parts(times)
        return [(text,) for text in self.writer.write(times)]

    def describe(self) -> list[str]:
        """What was found, in lines for people."""
        lines = [f"{count(self.rows, 'row')}; columns {quoted(self.columns)}"]
        labels = [one.time_labels() for one in self.series]
        span = f"{min(x[0] for x in labels)} to {max(x[-1] for x in labels)}"
        if self.time is None or self.series[0].times.dtype.kind != "M":
            span = f"{count(sum(len(one) for one in self.series), 'step')}"
        seen = sum(len(one) - one.gaps for one in self.series)
        lines.append(f"target {self.target!r}: {span}, {_empty(self.missing, seen)}")
        if self.id is not None:
            sizes = [len(one) for one in self.series]
            length = f"{min(sizes)} to {max(sizes)}" if min(sizes) < max(sizes) else f"{sizes[0]}"
            lines.append(f"id {self.id!r}: {len(sizes)} series of {length} steps")
        lines.append(self._describe_time())
        if self.covariates:
            values = np.concatenate([one.covariates[~one.inserted] for one in self.series])
            empty = int(np.isnan(values).sum())
            lines.append(f"covariates {quoted(self.covariates)}: {_empty(empty, values.size)}")
        return lines + list(self.notes)

    def _describe_time(self) -> str:
        if self.time is None:
            return "no time column: rows are equal steps in the order of the file"
        names = {one.frequency.name if one.frequency else "irregular" for one in self.series}
        name = names.pop() if len(names) == 1 else f"different steps ({', '.join(sorted(names))})"
        if self.counts_years:
            name = "yearly"
        if name == "irregular":
            return f"time {self.time!r}: irregular; rows are taken as equal steps"
        if self.gaps:
            gaps = count(self.gaps, "missing time stamp")
            return f"time {self.time!r}: {name}, {gaps} inserted without a value"
        return f"time {self.time!r}: {name}, without gaps"


def _empty(number: int, total: int) -> str:
    if number == 0:
        return "no value missing"
    return f"{number} of {total} values missing ({100 * number / total:.1f} %)"


def count(number: int, noun: str) -> str:
    """``3 rows``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
