"""The series of a table as a forecaster takes them: the values so far, and what lies ahead."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.data.series import Series
from throughtime.data.tables.columns import quoted
from throughtime.data.tables.files import read_table
from throughtime.data.tables.frequency import Frequency
from throughtime.errors import DataError, sentence

if TYPE_CHECKING:
    from throughtime.data.tables.files import Table

#: Units of a step; see :class:`Frequency`.
_UNITS = ("microsecond", "month", "business day", "number")


@dataclasses.dataclass(frozen=True, eq=False)
class CutSeries:
    """One series, cut after its last value.

    Attributes
    ----------
    name : str
    times : ndarray of shape (T,)
        The times of the values.
    values : ndarray of float64 of shape (T,)
        The last one is a number; NaN is a gap.
    covariates : ndarray of float64 of shape (R, C)
        Of every row of the table, those after the last value included.
    rows_ahead : int
        How many of those rows lie after the last value.
    series : Series
        As it was read.
    """

    name: str
    times: np.ndarray
    values: np.ndarray
    covariates: np.ndarray
    rows_ahead: int
    series: Series

    @classmethod
    def of(cls, series: Series) -> CutSeries:
        """``series``, cut after its last value."""
        end = int(np.flatnonzero(np.isfinite(series.values))[-1]) + 1
        ahead = len(series) - end
        known = series.times[:end], series.values[:end]
        return cls(series.name, *known, series.covariates, ahead, series)

    @property
    def dated(self) -> Series:
        """The values with their times, as the forecaster takes them."""
        bare = np.empty((len(self.values), 0))
        return dataclasses.replace(
            self.series, values=self.values, times=self.times, covariates=bare
        )

    @property
    def until_now(self) -> int:
        """Rows of the table up to the last value."""
        return len(self.series) - self.rows_ahead

    def with_history(self, values: np.ndarray, frequency: Frequency) -> CutSeries:
        """The series with a longer history, which ends where this one does."""
        steps = np.arange(1 - len(values), 1)
        times = frequency.at(self.times[-1], steps).astype(self.times.dtype)
        return dataclasses.replace(self, times=times, values=values)

    def future(self, steps: int) -> np.ndarray:
        """The times of the ``steps`` steps after the last value."""
        known = self.series.times[self.until_now :]
        if steps <= len(known):
            return known[:steps]
        return np.concatenate([known, self.series.future_times(steps - len(known))])


def cut_series(table: Table) -> list[CutSeries]:
    """Every series of ``table``, cut after its last value."""
    return [CutSeries.of(series) for series in table.series]


def without_short(table: Table) -> Table:
    """``table`` without the series of one row, whose times have no step to go on by.

    A table in which no series has more is returned as it is; to learn from it is refused.
    """
    kept = tuple(one for one in table.series if len(one) > 1)
    if table.time is None or not kept or len(kept) == len(table.series):
        return table
    short = tuple(one.name for one in table.series if len(one) < 2)
    verb = "is" if len(short) == 1 else "are"
    note = f"Series {quoted(short)} {verb} left out: with one row there is no step to forecast."
    left_out = table.left_out | dict.fromkeys(short, "it has one row")
    return dataclasses.replace(table, series=kept, notes=(*table.notes, note), left_out=left_out)


def group(parts: Sequence[tuple[str, Any]], many: bool) -> Any:
    """One array, or a dict of arrays by name: the container that a forecaster takes."""
    return dict(parts) if many else parts[0][1]


def ungroup(answer: Any, names: Sequence[str], many: bool) -> list[Any]:
    """The answer of a forecaster as a list in the order of ``names``."""
    return [answer[name] for name in names] if many else [answer]


def covariates_until_now(parts: Sequence[CutSeries], many: bool) -> Any:
    """The covariates of the steps with values, or None where there are no covariates."""
    if not parts[0].covariates.shape[1]:
        return None
    return group([(part.name, part.covariates[: part.until_now]) for part in parts], many)


def note_on_empty_cells_ahead(parts: Sequence[CutSeries], steps: int) -> list[str]:
    """A sentence where covariates of the ``steps`` steps ahead have empty cells."""
    cells = [part.covariates[part.until_now :][:steps] for part in parts]
    empty = int(sum(np.isnan(rows).sum() for rows in cells))
    if not empty:
        return []
    total = sum(rows.size for rows in cells)
    note = "covariate values of the steps ahead are empty; each counts as the mean of its column."
    return [f"{empty} of {total} {note}"]


def covariates_ahead(parts: Sequence[CutSeries], many: bool, steps: int) -> Any:
    """The covariates of the ``steps`` steps after the last value.

    Raises
    ------
    DataError
        If the table does not have them for every series.
    """
    rows = min(part.rows_ahead for part in parts)
    if rows < steps:
        expected = f"the covariates of all {steps} steps ahead, in rows with an empty target"
        got = f"{rows} such row{'' if rows == 1 else 's'}"
        raise DataError(sentence("the data", expected, got, must="hold"))
    pieces = []
    for part in parts:
        start = part.until_now
        pieces.append((part.name, part.covariates[start : start + steps]))
    return group(pieces, many)


def describe_table(table: Table, parts: Sequence[CutSeries]) -> dict[str, Any]:
    """What a model file keeps of the table, as JSON-ready values."""
    frequency = table.frequency
    return {
        "target": table.target,
        "time": table.time,
        "id": table.id,
        "covariates": list(table.covariates),
        "frequency": dataclasses.asdict(frequency) if frequency else None,
        "last": {part.name: _to_json(part.times[-1]) for part in parts},
        "dayfirst": table.dayfirst,
        "reading": {
            "targets": list(table.targets),
            "times": list(table.time_columns),
            "id": table.id_column,
            "options": dict(table.options),
        },
    }


def description_in(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`describe_table` put into the metadata of a model.

    Metadata may be anything: those that a program wrote give an empty dict.
    """
    try:
        texts = [metadata["target"], *metadata["covariates"]]
        texts += [metadata[key] for key in ("time", "id") if metadata[key] is not None]
        # In files of 0.1 the reading is not described.
        reading = metadata.get("reading", {"targets": [], "times": [], "id": None, "options": {}})
        texts += [*reading["targets"], *reading["times"]]
        texts += [] if reading["id"] is None else [reading["id"]]
        fits = all(isinstance(text, str) for text in texts)
        fits &= metadata["dayfirst"] in (None, True, False)
        fits &= set(reading["options"]) <= set(inspect.signature(read_table).parameters)
        step = metadata["frequency"]
        if step is not None:
            fits &= step["unit"] in _UNITS and step["count"] > 0 and step["day"] > 0
            Frequency(**step).at(np.datetime64("2000-01-01", "us"), np.arange(2))
        for end in metadata["last"].values():
            dated = isinstance(end, str) and not np.isnat(np.datetime64(end, "us"))
            fits &= dated or (isinstance(end, int | float) and np.isfinite(end))
            fits &= step is None or dated == (step["unit"] != "number")
        return dict(metadata) if fits and metadata["last"] else {}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return {}


def _to_json(time: Any) -> Any:
    return str(time) if isinstance(time, np.datetime64) else time.item()
