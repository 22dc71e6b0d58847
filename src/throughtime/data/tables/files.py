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
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from throughtime.data.tables.assembling import Asked, Assembler
from throughtime.data.tables.cells import Columns, cell_of
from throughtime.data.tables.columns import (
    bare_number,
    check_names,
    find_target,
    find_time,
    find_unread_years,
    mostly_numbers,
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
    parse_step,
)
from throughtime.data.tables.sources import STDIN
from throughtime.data.tables.table import Table
from throughtime.data.tables.timewriter import NumberWriter
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
from throughtime.serialization.files import check_path

__all__ = ["Table", "read_table"]

#: Written and read again by a format to check it; a naive time would leave %z empty.
_ANY_TIME = datetime(2001, 1, 1, tzinfo=UTC)
#: The name of a series' column where each target column is a series.
_SERIES = "series"


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
    time_form: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    duplicates: str = "error",
    freq: str | None = None,
    aggregate: str | None = None,
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
    time_form : str, optional
        The form that the times are thought to have, as :attr:`Table.options` has it; it decides
        where several fit.
    decimal, thousands : str, optional
        The marks in numbers; by default each column decides.
    duplicates : {"error", "mean", "sum", "first", "last"}
        What becomes of rows of one series that share a time. Rows that are equal in every column
        count once.
    freq : str, optional
        Turn rows at any time into steps: ``"h"``, ``"D"``, ``"W"``, ``"15min"``.
    aggregate : {"sum", "mean", "last", "count"}, optional
        How the rows of one step become one, with ``freq``; their mean by default.
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
    file = Path(check_path(path))
    if not isinstance(covariates, list | tuple):
        raise InvalidTypeError(sentence("covariates", "a list of columns", describe(covariates)))
    for name, mark in (("decimal", decimal), ("thousands", thousands)):
        if mark is not None:
            check_choice(name, mark, (",", ".") if name == "decimal" else (",", ".", " ", "'"))
    if decimal is not None and decimal == thousands:
        raise InvalidArgumentError(
            sentence("thousands", "another mark than decimal", describe(thousands))
        )
    _check_format(date_format)
    asked = Asked(
        _names(target),
        _names(time),
        id,
        tuple(covariates),
        dayfirst,
        frequency,
        date_format,
        time_form,
        decimal,
        thousands,
        check_choice("duplicates", duplicates, DUPLICATES),
        freq,
        None if freq is None else parse_step(freq),
        _check_aggregate(aggregate, freq),
        tz,
    )
    try:
        return _Reader(file, read_columns(file), asked, all_targets).read()
    except MemoryError:
        raise DataError(
            sentence(str(file), "a table that fits into memory", "a larger one", parameter="path")
        ) from None


def _check_aggregate(aggregate: str | None, freq: str | None) -> str:
    """How rows become steps: the mean, unless the caller says otherwise."""
    if aggregate is None:
        return "mean"
    if freq is None:
        hint = Message("Add for example {setting}.", setting=Setting("freq", "D"))
        raise InvalidArgumentError(sentence("aggregate", "given with a step", "none", hint))
    return check_choice("aggregate", aggregate, AGGREGATES)


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) or not isinstance(value, Sequence) else tuple(value)


def _check_format(date_format: str | None) -> None:
    """Refuse a format that no time can be read by, before a cell of the table is blamed."""
    if date_format is None:
        return
    if not isinstance(date_format, str):
        raise InvalidTypeError(sentence("date_format", "a string or None", describe(date_format)))
    try:
        datetime.strptime(_ANY_TIME.strftime(date_format), date_format)
        good = "%" in date_format.replace("%%", "")
    except (ValueError, re.error):  # re.error: a directive that comes twice
        good = False
    if not good:
        expected = "a format with % as strptime reads it"
        hint = "Write for example %Y-%m-%d."
        raise InvalidArgumentError(sentence("date_format", expected, describe(date_format), hint))


class _Reader:
    """One reading of a table; collects what has to be said."""

    def __init__(self, file: Path, source: Columns, asked: Asked, all_targets: bool) -> None:
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
        maker = Assembler(self.name, source, asked, columns, times)
        series, left_out = maker.assemble(targets, values, extra)
        self.notes += maker.notes
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
            targets=targets,
            id_column=asked.id,
            options=self._options(times),
            left_out=left_out,
        )

    def _options(self, times: Times | None) -> dict[str, Any]:
        """What a later table of the same kind has to be read with."""
        asked = self.asked
        options = {
            "date_format": asked.date_format,
            "time_form": None if times is None else times.form or None,
            "decimal": asked.decimal,
            "thousands": asked.thousands,
            "duplicates": asked.duplicates,
            "freq": asked.freq,
            "aggregate": None if asked.freq is None else asked.aggregate,
            "tz": asked.tz,
        }
        return {name: value for name, value in options.items() if value is not None}

    # -- roles --------------------------------------------------------------------------------

    def _time_columns(self, taken: Sequence[str]) -> tuple[str, ...]:
        if self.asked.time:
            return self.asked.time
        found = find_time(self.source, taken, self.asked.id is None)
        if found is None:
            example = find_unread_years(self.source, taken)
            if example:
                self.notes.append(
                    f"Texts like {example!r} are not read as times; rows count as equal steps in"
                    " the order of the file."
                )
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
            hint = bare_number(cell)
            if not hint and mostly_numbers(self.source, name):
                hint = "Leave the cell empty if its value is missing."
            raise DataError(
                sentence(
                    f"{role} column {name!r} of {self.name}",
                    "numbers",
                    f"{describe(cell)} in row {self.source.rows[error.index]}",
                    hint,
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
            times = read_times(
                self.source, names, asked.dayfirst, asked.date_format, asked.time_form
            )
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
