"""From columns whose roles are known to series: groups, rows that share a time, steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from throughtime.data.series import Series
from throughtime.data.tables.cells import Columns
from throughtime.data.tables.columns import quoted
from throughtime.data.tables.dates import Times
from throughtime.data.tables.frequency import Frequency
from throughtime.data.tables.rows import Rows, aggregate, merge, same_rows
from throughtime.data.tables.table import count
from throughtime.errors import DataError, InvalidArgumentError, Message, Setting, sentence

__all__ = ["Asked", "Assembler"]


@dataclass(frozen=True)
class Asked:
    """What the caller of :func:`read_table` asked for."""

    target: tuple[str, ...]
    time: tuple[str, ...]
    id: str | None
    covariates: tuple[str, ...]
    dayfirst: bool | None
    frequency: Frequency | None
    date_format: str | None
    time_form: str | None
    decimal: str | None
    thousands: str | None
    duplicates: str
    freq: str | None
    step: Frequency | None
    aggregate: str
    tz: str | None


class Assembler:
    """Makes the series of one table; ``notes`` says what had to be done.

    Parameters
    ----------
    name : str
        The file, as messages call it.
    source : Columns
    asked : Asked
    columns : tuple of str
        The columns of times.
    times : Times or None
    """

    def __init__(
        self,
        name: str,
        source: Columns,
        asked: Asked,
        columns: tuple[str, ...],
        times: Times | None,
    ) -> None:
        self.name, self.source, self.asked = name, source, asked
        self.columns, self.times = columns, times
        self.time_name = f"time column {', '.join(columns)!r}"
        self.notes: list[str] = []

    def assemble(
        self,
        targets: Sequence[str],
        values: Sequence[np.ndarray],
        extra: Sequence[np.ndarray],
    ) -> tuple[list[Series], dict[str, str]]:
        """Every series that has a value, and the names of the others with the reason."""
        series: list[Series] = []
        times = self.times
        left_out: dict[str, str] = {}
        merged = repeated = 0
        for group, members in self._groups(targets):
            if times is not None and len(np.unique(times.values[members])) < len(members):
                repeats = same_rows(self.source, members)
                repeated += int(repeats.sum())
                members = members[~repeats]
            for target, column in zip(targets, values, strict=True):
                name = group if len(targets) == 1 else target
                if len(targets) > 1 and self.asked.id is not None:
                    name = f"{group}/{target}"
                matrix = np.stack([cells[members] for cells in (column, *extra)], axis=1)
                if np.isnan(matrix[:, 0]).all():
                    left_out[name] = "all its values are missing"
                    continue
                at = np.arange(len(members)) if times is None else times.values[members]
                rows = Rows(at, matrix, self.source.rows[members])
                rows, gone = self._steps(rows)
                merged += gone
                series.append(self._one(name, rows))
        self._say(series, left_out, repeated, merged)
        if not series:
            raise DataError(
                sentence(
                    f"target column {targets[0]!r} of {self.name}",
                    "numbers in one series at least",
                    "empty cells in all of them",
                    must="hold",
                    parameter="target",
                )
            )
        return series, left_out

    def _steps(self, rows: Rows) -> tuple[Rows, int]:
        asked = self.asked
        if asked.step is not None:
            if rows.times.dtype.kind != "M":
                raise InvalidArgumentError(
                    sentence("freq", "left out where there are no dates", "steps that are numbers")
                )
            return aggregate(rows, asked.step, asked.aggregate), 0
        if not self.columns:
            return rows, 0
        hint = Message("{setting} takes their mean.", setting=Setting("duplicates", "mean"))
        if asked.id is None:
            hint = Message(
                "If the table holds several series, name their column ({id}); otherwise {setting}"
                " takes the mean of such rows.",
                setting=Setting("duplicates", "mean"),
            )
        return merge(rows, asked.duplicates, self.time_name, hint)

    def _one(self, name: str, rows: Rows) -> Series:
        return Series.from_arrays(
            rows.values[:, 0],
            None if self.times is None else rows.times,
            rows.values[:, 1:],
            name=name,
            covariate_names=self.asked.covariates,
            time_name=self.time_name,
            rows=rows.numbers.tolist(),
            frequency=self.asked.step or self.asked.frequency,
        )

    def _say(
        self,
        series: Sequence[Series],
        left_out: dict[str, str],
        repeated: int,
        merged: int,
    ) -> None:
        if any(one.reordered for one in series):
            column = ", ".join(self.columns)
            self.notes.append(f"Rows were not in the order of {column!r} and were sorted.")
        if repeated:
            verb = "repeats an earlier one" if repeated == 1 else "repeat earlier ones"
            self.notes.append(f"{count(repeated, 'row')} {verb} in every column and counts once.")
        if merged:
            how = self.asked.duplicates
            self.notes.append(
                f"{count(merged, 'row')} shared a time with another one: the {how} is taken."
            )
        if self.asked.step is not None:
            words = {"sum": "sums", "mean": "means", "last": "last values", "count": "counts"}
            said = words[self.asked.aggregate]
            self.notes.append(f"Rows were turned into steps, {self.asked.step.name}: {said}.")
        if left_out:
            shown = quoted(tuple(left_out))
            verb = "is" if len(left_out) == 1 else "are"
            self.notes.append(f"Series {shown} {verb} left out: all values are missing.")

    def _groups(self, targets: Sequence[str]) -> list[tuple[str, np.ndarray]]:
        """Name and row indices of each series, in order of first appearance."""
        source, name = self.source, self.asked.id
        if name is None:
            return [(targets[0], np.arange(len(source)))]
        members: dict[str, list[int]] = {}
        for index, text in enumerate(source.texts(name)):
            key = text.strip()
            if not key:
                raise DataError(
                    sentence(
                        f"id column {name!r} of {self.name}",
                        "the series in every row",
                        f"an empty cell in row {source.rows[index]}",
                        must="name",
                        parameter="id",
                    )
                )
            members.setdefault(key, []).append(index)
        return [(key, np.array(rows)) for key, rows in members.items()]
