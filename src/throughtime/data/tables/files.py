r"""A table to time series, with what was found on the way.

>>> from throughtime.data.datasets import CO2_FILE
>>> table = read_table(CO2_FILE, target="co2")
>>> print("\n".join(table.describe()))
2284 rows; columns 'date', 'co2'
target 'co2': 1958-03-29 to 2001-12-29, 59 of 2284 values missing (2.6 %)
time 'date': weekly, without gaps
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from throughtime.data.series import Series
from throughtime.data.tables.cells import Columns, cell_of
from throughtime.data.tables.columns import (
    bare_number,
    check_names,
    find_target,
    find_time,
    quoted,
    read_numbers,
    read_times,
)
from throughtime.data.tables.dates import Times
from throughtime.data.tables.frequency import Frequency
from throughtime.data.tables.numbers import UnreadableError, is_missing
from throughtime.data.tables.reading import read_columns
from throughtime.data.tables.rows import (
    AGGREGATES,
    DUPLICATES,
    Rows,
    aggregate,
    merge,
    parse_step,
    same_rows,
)
from throughtime.data.tables.sources import STDIN
from throughtime.data.tables.timewriter import NumberWriter, TimeWriter
from throughtime.data.tables.zones import localised
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    Message,
    Setting,
    check_choice,
    describe,
    sentence,
)

__all__ = ["Table", "read_table"]

#: The name of a series' column where each target column is a series.
_SERIES = "series"


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
    left_out: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        many = "1 series" if len(self.series) == 1 else f"{len(self.series)} series"
        return f"<Table of {self.path.name}: {_count(self.rows, 'row')}, {many}>"

    @property
    def frequency(self) -> Frequency | None:
        """The step that all series share; None if one has none, or they differ."""
        steps = {one.frequency for one in self.series}
        return steps.pop() if len(steps) == 1 else None

    @property
    def missing(self) -> int:
        """Empty cells in the target."""
        return sum(one.missing for one in self.series)

    @property
    def gaps(self) -> int:
        """Time stamps that the table skips; they were inserted without a value."""
        return sum(one.gaps for one in self.series)

    def describe(self) -> list[str]:
        """What was found, in lines for people."""
        lines = [f"{_count(self.rows, 'row')}; columns {quoted(self.columns)}"]
        labels = [one.time_labels() for one in self.series]
        span = f"{min(x[0] for x in labels)} to {max(x[-1] for x in labels)}"
        if self.time is None or self.series[0].times.dtype.kind != "M":
            span = f"{_count(sum(len(one) for one in self.series), 'step')}"
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
        if name == "a step of 1" and self.time.strip().lower() in ("year", "jahr", "yr"):
            name = "yearly"
        if name == "irregular":
            return f"time {self.time!r}: irregular; rows are taken as equal steps"
        if self.gaps:
            gaps = _count(self.gaps, "missing time stamp")
            return f"time {self.time!r}: {name}, {gaps} inserted without a value"
        return f"time {self.time!r}: {name}, without gaps"


@dataclass(frozen=True)
class _Asked:
    """What the caller of :func:`read_table` asked for."""

    target: tuple[str, ...]
    time: tuple[str, ...]
    id: str | None
    covariates: tuple[str, ...]
    dayfirst: bool | None
    frequency: Frequency | None
    date_format: str | None
    decimal: str | None
    thousands: str | None
    duplicates: str
    step: Frequency | None
    aggregate: str
    tz: str | None


def read_table(
    path: str | os.PathLike[str],
    target: str | Sequence[str] | None = None,
    time: str | Sequence[str] | None = None,
    id: str | None = None,  # noqa: A002 - the word that long tables use
    covariates: Sequence[str] = (),
    *,
    all_targets: bool = False,
    dayfirst: bool | None = None,
    frequency: Frequency | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    duplicates: str = "error",
    freq: str | None = None,
    aggregate: str = "mean",
    tz: str | None = None,
) -> Table:
    """Read the series of a table: delimited text, Parquet, Arrow, JSON lines, .xlsx or .ods.

    Separator (comma, semicolon, tab, bar), decimal mark, text encoding and the form of dates are
    found from all cells. Rows may be in any order; time stamps that a regular series skips are
    inserted without a value. A file may be packed with gzip, bzip2, xz or zstandard.

    Parameters
    ----------
    path : path
        ``-`` is standard input.
    target : str or sequence of str, optional
        The column of values; not needed where only one column holds numbers. Of several, each is a
        series.
    time : str or sequence of str, optional
        The column of times; by default a column that is named like one, or mostly holds times.
        Several make a time together: a year and a month.
    id : str, optional
        The column that tells several series apart (a long table).
    covariates : sequence of str
        Columns of numbers that go with the target.
    all_targets : bool
        Whether every column of numbers is a series.
    dayfirst : bool, optional
        Whether 01/02/2024 is the first of February; by default the column decides.
    frequency : Frequency, optional
        The step that the times are thought to have, as in :meth:`Series.from_arrays`.
    date_format : str, optional
        How to read times, as ``strptime`` says it: ``"%d/%m/%Y"``.
    decimal, thousands : str, optional
        The marks in numbers; by default each column decides.
    duplicates : {"error", "mean", "sum", "first", "last"}
        What becomes of rows of one series that share a time. Rows that are equal in every column
        count once.
    freq : str, optional
        Turn rows at any time into steps: ``"h"``, ``"D"``, ``"W"``, ``"15min"``.
    aggregate : {"sum", "mean", "last", "count"}
        How the rows of one step become one, with ``freq``.
    tz : str, optional
        The place whose clock local times show: ``"Europe/Berlin"``.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        The file cannot be used; one sentence names the column, the row, what stands there.
    InvalidArgumentError
        A column does not exist or is used twice, or an option has no such value.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidTypeError(sentence("path", "the path of a file", describe(path)))
    if isinstance(covariates, str):
        raise InvalidTypeError(sentence("covariates", "a list of columns", describe(covariates)))
    for name, mark in (("decimal", decimal), ("thousands", thousands)):
        if mark is not None:
            check_choice(name, mark, (",", ".") if name == "decimal" else (",", ".", " ", "'"))
    if decimal is not None and decimal == thousands:
        raise InvalidArgumentError(
            sentence("thousands", "another mark than decimal", describe(thousands))
        )
    asked = _Asked(
        _names(target),
        _names(time),
        id,
        tuple(covariates),
        dayfirst,
        frequency,
        date_format,
        decimal,
        thousands,
        check_choice("duplicates", duplicates, DUPLICATES),
        None if freq is None else parse_step(freq),
        check_choice("aggregate", aggregate, AGGREGATES),
        tz,
    )
    file = Path(path)
    source = read_columns(file)
    return _Reader(file, source, asked, all_targets).read()


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) or not isinstance(value, Sequence) else tuple(value)


class _Reader:
    """One reading of a table; collects what has to be said."""

    def __init__(self, file: Path, source: Columns, asked: _Asked, all_targets: bool) -> None:
        self.file, self.source, self.asked = file, source, asked
        self.name = "standard input" if str(file) == STDIN else str(file)
        self.all_targets = all_targets
        self.notes = list(source.notes)

    def read(self) -> Table:
        asked, source = self.asked, self.source
        named = [("target", name) for name in asked.target]
        named += [("time", name) for name in asked.time]
        named += [("id", asked.id)] if asked.id is not None else []
        named += [("covariates", name) for name in asked.covariates]
        check_names(self.name, source, named)
        taken = [name for _, name in named]
        columns = self._time_columns(taken)
        targets = self._targets([*taken, *columns])
        times = self._times(columns) if columns else None
        values = [self._numbers(name, "target") for name in targets]
        extra = [self._numbers(name, "covariate") for name in asked.covariates]
        for name, column in zip(targets, values, strict=True):
            if np.isnan(column).all():
                raise DataError(
                    sentence(
                        f"target column {name!r} of {self.name}",
                        "numbers",
                        f"{len(source)} empty cells",
                        must="hold",
                        parameter="target",
                    )
                )
        series, left_out = self._series(targets, values, extra, columns, times)
        return Table(
            path=self.file,
            rows=len(source),
            columns=tuple(source.columns),
            target=", ".join(targets),
            time=", ".join(columns) if columns else None,
            id=asked.id if len(targets) == 1 else _SERIES,
            covariates=asked.covariates,
            series=tuple(series),
            notes=tuple(self.notes),
            dayfirst=None if times is None else times.dayfirst,
            time_columns=columns,
            writer=NumberWriter() if times is None else times.writer,
            left_out=left_out,
        )

    # -- roles --------------------------------------------------------------------------------

    def _time_columns(self, taken: Sequence[str]) -> tuple[str, ...]:
        if self.asked.time:
            return self.asked.time
        found = find_time(self.source, taken, self.asked.id is None)
        if found is None:
            return ()
        if found.others:
            self.notes.append(
                Message(
                    "{others} could be times too; {column} is taken. Another one can be named"
                    " ({time}).",
                    others=quoted(found.others),
                    column=repr(found.names[0]),
                )
            )
        if len(found.names) > 1:
            self.notes.append(f"Columns {quoted(found.names)} make the time together.")
        return found.names

    def _targets(self, taken: Sequence[str]) -> tuple[str, ...]:
        if self.all_targets:
            free = [name for name in self.source.columns if name not in taken]
            numbers = tuple(name for name in free if self._holds_numbers(name))
            if not numbers:
                raise DataError(
                    sentence(
                        self.name,
                        "columns of numbers",
                        f"none in the columns {quoted(self.source.columns)}",
                        must="hold",
                        parameter="path",
                    )
                )
            return numbers
        if self.asked.target:
            return self.asked.target
        target = find_target(self.name, self.source, taken)
        self.notes.append(f"The target is {target!r}, the only other column of numbers.")
        return (target,)

    def _holds_numbers(self, name: str) -> bool:
        try:
            values = read_numbers(self.source.columns[name], self.source.separator).values
        except UnreadableError:
            return False
        return not bool(np.isnan(values).all())

    # -- cells --------------------------------------------------------------------------------

    def _numbers(self, name: str, role: str) -> np.ndarray:
        """A column of numbers, or the sentence that says why it is none."""
        column, asked = self.source.columns[name], self.asked
        try:
            found = read_numbers(column, self.source.separator, asked.decimal, asked.thousands)
        except UnreadableError as error:
            cell = cell_of(column, error.index)
            raise DataError(
                sentence(
                    f"{role} column {name!r} of {self.name}",
                    "numbers",
                    f"{describe(cell)} in row {self.source.rows[error.index]}",
                    bare_number(cell),
                    must="hold",
                    parameter="covariates" if role == "covariate" else role,
                    value=cell,
                )
            ) from None
        self.notes += [Message("Column {column} {note}", column=repr(name), note=note)
                       for note in found.notes]  # fmt: skip
        return found.values

    def _times(self, names: tuple[str, ...]) -> Times:
        """The times, or the sentence that says why a cell is none."""
        asked = self.asked
        try:
            times = read_times(self.source, names, asked.dayfirst, asked.date_format)
        except UnreadableError as error:
            raise DataError(self._no_time(names, error)) from None
        if times.note:
            self.notes.append(times.note)
        if asked.tz is None:
            return times
        values, writer, note = localised(times.values, times.writer, asked.tz)
        self.notes += [note] if note else []
        return times._replace(values=values, writer=writer)

    def _no_time(self, names: tuple[str, ...], error: UnreadableError) -> str:
        cells = [cell_of(self.source.columns[name], error.index) for name in names]
        got = " ".join(cells).strip()
        hint = ""
        if error.language is not None:
            hint = f"Names of months are read in English alone; these are {error.language}."
        elif self.asked.dayfirst is not None:
            hint = Message(
                "{other} reads dates the other way.",
                other=Setting("dayfirst", not self.asked.dayfirst),
            )
        elif not self.asked.time and not is_missing(got):
            hint = Message("If this column holds no times, name another one ({time}).")
        shown = "an empty cell" if is_missing(got) else describe(got)
        column = names[0] if len(names) == 1 else ", ".join(names)
        return sentence(
            f"time column {column!r} of {self.name}",
            "times, all in one form",
            f"{shown} in row {self.source.rows[error.index]}",
            hint,
            must="hold",
            parameter="time",
            value=got,
        )

    # -- series -------------------------------------------------------------------------------

    def _series(
        self,
        targets: Sequence[str],
        values: Sequence[np.ndarray],
        extra: Sequence[np.ndarray],
        columns: tuple[str, ...],
        times: Times | None,
    ) -> tuple[list[Series], dict[str, str]]:
        series: list[Series] = []
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
                matrix = np.stack([column, *extra], axis=1)[members]
                if np.isnan(matrix[:, 0]).all():
                    left_out[name] = "all its values are missing"
                    continue
                at = np.arange(len(members)) if times is None else times.values[members]
                rows = Rows(at, matrix, self.source.rows[members])
                rows, gone = self._steps(rows, columns)
                merged += gone
                series.append(self._one(name, rows, columns, times is not None))
        self._say(columns, series, left_out, repeated, merged)
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

    def _steps(self, rows: Rows, columns: tuple[str, ...]) -> tuple[Rows, int]:
        asked = self.asked
        if asked.step is not None:
            if rows.times.dtype.kind != "M":
                raise InvalidArgumentError(
                    sentence("freq", "left out where there are no dates", "steps that are numbers")
                )
            return aggregate(rows, asked.step, asked.aggregate), 0
        if not columns:
            return rows, 0
        hint = Message("{setting} takes their mean.", setting=Setting("duplicates", "mean"))
        if asked.id is None:
            hint = Message(
                "If the table holds several series, name their column ({id}); otherwise {setting}"
                " takes the mean of such rows.",
                setting=Setting("duplicates", "mean"),
            )
        where = f"time column {', '.join(columns)!r}"
        return merge(rows, asked.duplicates, where, hint)

    def _one(self, name: str, rows: Rows, columns: tuple[str, ...], timed: bool) -> Series:
        return Series.from_arrays(
            rows.values[:, 0],
            rows.times if timed else None,
            rows.values[:, 1:],
            name=name,
            covariate_names=self.asked.covariates,
            time_name=f"time column {', '.join(columns)!r}",
            rows=rows.numbers.tolist(),
            frequency=self.asked.step or self.asked.frequency,
        )

    def _say(
        self,
        columns: tuple[str, ...],
        series: Sequence[Series],
        left_out: dict[str, str],
        repeated: int,
        merged: int,
    ) -> None:
        if any(one.reordered for one in series):
            column = ", ".join(columns)
            self.notes.append(f"Rows were not in the order of {column!r} and were sorted.")
        if repeated:
            verb = "repeats an earlier one" if repeated == 1 else "repeat earlier ones"
            self.notes.append(f"{_count(repeated, 'row')} {verb} in every column and counts once.")
        if merged:
            how = self.asked.duplicates
            self.notes.append(
                f"{_count(merged, 'row')} shared a time with another one: the {how} is taken."
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


def _empty(number: int, total: int) -> str:
    if number == 0:
        return "no value missing"
    return f"{number} of {total} values missing ({100 * number / total:.1f} %)"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
