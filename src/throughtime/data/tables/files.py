r"""A table on disk to time series, with what was found on the way.

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
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from throughtime.data.series import Series
from throughtime.data.tables.columns import (
    bare_number,
    cell_of,
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
from throughtime.data.tables.reading import Columns, read_columns
from throughtime.errors import (
    DataError,
    InvalidTypeError,
    Message,
    Setting,
    describe,
    sentence,
)

__all__ = ["Table", "read_table"]


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
        series.
    covariates : tuple of str
    series : tuple of Series
        In the order in which they first appear.
    notes : tuple of str
        Sentences about what had to be assumed or changed.
    dayfirst : bool or None
        How dates like 01/02/2024 were read; None where there are none.
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
        lines.append(f"target {self.target!r}: {span}, {_empty(self.missing, self.rows)}")
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
        if name == "irregular":
            return f"time {self.time!r}: irregular; rows are taken as equal steps"
        if self.gaps:
            gaps = _count(self.gaps, "missing time stamp")
            return f"time {self.time!r}: {name}, {gaps} inserted without a value"
        return f"time {self.time!r}: {name}, without gaps"


def read_table(
    path: str | os.PathLike[str],
    target: str | None = None,
    time: str | None = None,
    id: str | None = None,  # noqa: A002 - the word that long tables use
    covariates: Sequence[str] = (),
    *,
    dayfirst: bool | None = None,
    frequency: Frequency | None = None,
) -> Table:
    """Read the series of a CSV or Parquet file.

    Separator (comma, semicolon, tab, bar), decimal comma, text encoding and date format are found
    from the file. Rows may be in any order; time stamps that a regular series skips are inserted
    without a value.

    Parameters
    ----------
    path : path
    target : str, optional
        The column of values; not needed where only one column holds numbers.
    time : str, optional
        The column of times; by default a column that is named like one, or holds dates.
    id : str, optional
        The column that tells several series apart (a long table).
    covariates : sequence of str
        Columns of numbers that go with the target.
    dayfirst : bool, optional
        Whether 01/02/2024 is the first of February; by default the column decides.
    frequency : Frequency, optional
        The step that the times are thought to have, as in :meth:`Series.from_arrays`.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        The file cannot be used; one sentence names the column, the row, what stands there.
    InvalidArgumentError
        A column does not exist or is used twice.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidTypeError(sentence("path", "the path of a file", describe(path)))
    if isinstance(covariates, str):
        raise InvalidTypeError(sentence("covariates", "a list of columns", describe(covariates)))
    file = Path(path)
    source = read_columns(file)
    notes = list(source.notes)
    named = [("target", target), ("time", time), ("id", id)]
    named += [("covariates", name) for name in covariates]
    check_names(file, source, [(role, name) for role, name in named if name is not None])
    taken = [name for _, name in named if name is not None]
    if time is None:
        time = find_time(source, taken, id is None, dayfirst)
    if target is None:
        target = find_target(file, source, [*taken, time])
        notes.append(f"The target is {target!r}, the only other column of numbers.")
    values = _numbers(file, source, target, "target")
    if np.isnan(values).all():
        raise DataError(
            sentence(
                f"target column {target!r} of {file}",
                "numbers",
                f"{len(source)} empty cells",
                must="hold",
                parameter="target",
            )
        )
    extra = [_numbers(file, source, name, "covariate") for name in covariates]
    matrix = np.stack(extra, axis=1) if extra else np.empty((len(source), 0))
    times = order = None
    if time is not None:
        times, note, order = _times(file, source, time, dayfirst)
        notes += [note] if note else []
    series = []
    for name, members in _groups(file, source, id, target):
        if np.isnan(values[members]).all():
            raise DataError(
                sentence(
                    f"target column {target!r} of {file}",
                    "numbers in every series",
                    f"nothing but empty cells in series {name!r}",
                    must="hold",
                    parameter="target",
                )
            )
        try:
            one = Series.from_arrays(
                values[members],
                None if times is None else times[members],
                matrix[members],
                name=name,
                covariate_names=tuple(covariates),
                time_name=f"time column {time!r}",
                rows=source.rows[members],
                frequency=frequency,
            )
        except DataError as error:
            if id is not None:
                raise
            way = Message("If the table holds several series, name their column ({id}).")
            raise error.with_hint(way) from None
        series.append(one)
    if any(one.reordered for one in series):
        notes.append(f"Rows were not in the order of {time!r} and were sorted.")
    columns, chosen = tuple(source.columns), tuple(covariates)
    found = tuple(series), tuple(notes), order
    return Table(file, len(source), columns, target, time, id, chosen, *found)


def _numbers(file: Path, source: Columns, name: str, role: str) -> np.ndarray:
    """A column of numbers, or the sentence that says why it is none."""
    column = source.columns[name]
    try:
        return read_numbers(column, source.separator)
    except UnreadableError as error:
        cell = cell_of(column, error.index)
        raise DataError(
            sentence(
                f"{role} column {name!r} of {file}",
                "numbers",
                f"{describe(cell)} in row {source.rows[error.index]}",
                bare_number(cell),
                must="hold",
                parameter="covariates" if role == "covariate" else role,
                value=cell,
            )
        ) from None


def _times(file: Path, source: Columns, name: str, dayfirst: bool | None) -> Times:
    """The column of times, or the sentence that says why it is none."""
    try:
        return read_times(source, name, dayfirst)
    except UnreadableError as error:
        cell = cell_of(source.columns[name], error.index)
        got = "an empty cell" if is_missing(cell) else describe(cell)
        hint = ""
        if dayfirst is not None:
            other = Setting("dayfirst", not dayfirst)
            hint = Message("{other} reads dates the other way.", other=other)
        raise DataError(
            sentence(
                f"time column {name!r} of {file}",
                "times, all in one form",
                f"{got} in row {source.rows[error.index]}",
                hint,
                must="hold",
                parameter="time",
                value=cell,
            )
        ) from None


def _groups(
    file: Path, source: Columns, name: str | None, target: str
) -> list[tuple[str, np.ndarray]]:
    """Name and row indices of each series, in order of first appearance."""
    if name is None:
        return [(target, np.arange(len(source)))]
    column = source.columns[name]
    members: dict[str, list[int]] = {}
    for index in range(len(source)):
        key = cell_of(column, index).strip()
        if not key or key == "NaT":
            raise DataError(
                sentence(
                    f"id column {name!r} of {file}",
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
