"""From a table to what a forecaster takes, and back to rows with time stamps."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.data.series import Series, format_times
from throughtime.data.tables.frequency import Frequency
from throughtime.errors import DataError, InvalidArgumentError

if TYPE_CHECKING:
    from throughtime.data.tables.files import Table
    from throughtime.forecasting import Forecast


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """One series up to its last value, and what is known of the time after.

    Attributes
    ----------
    name : str
    times : ndarray of shape (T,)
    values : ndarray of float64 of shape (T,)
        The last one is a number; NaN is a gap.
    covariates : ndarray of float64 of shape (R, C)
        Of every row that was read.
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
    def from_series(cls, series: Series) -> History:
        """Cut ``series`` after its last value."""
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
        """Rows that were read up to the last value."""
        return len(self.series) - self.rows_ahead

    def after(self, values: np.ndarray, frequency: Frequency) -> History:
        """The same with a longer history, which ends where this one does."""
        steps = np.arange(1 - len(values), 1)
        times = frequency.at(self.times[-1], steps).astype(self.times.dtype)
        return dataclasses.replace(self, times=times, values=values)

    def future(self, steps: int) -> np.ndarray:
        """The times of the ``steps`` steps after the last value."""
        known = self.series.times[self.until_now :]
        if steps <= len(known):
            return known[:steps]
        return np.concatenate([known, self.series.future_times(steps - len(known))])


def histories(table: Table) -> list[History]:
    """Every series of ``table`` that has a value, cut after the last one."""
    return [History.from_series(series) for series in table.series]


def group(parts: Sequence[tuple[str, Any]], many: bool) -> Any:
    """One array, or a mapping of names to arrays: the container that a forecaster takes."""
    return dict(parts) if many else parts[0][1]


def ungroup(answer: Any, names: Sequence[str], many: bool) -> list[Any]:
    """The answer of a forecaster as a list in the order of ``names``."""
    return [answer[name] for name in names] if many else [answer]


def covariates_until_now(parts: Sequence[History], many: bool) -> Any:
    """The covariates of the steps with values, or None where there are no covariates."""
    if not parts[0].covariates.shape[1]:
        return None
    return group([(part.name, part.covariates[: part.until_now]) for part in parts], many)


def empty_ahead(parts: Sequence[History], steps: int) -> list[str]:
    """A sentence where covariates of the ``steps`` steps ahead have empty cells."""
    cells = [part.covariates[part.until_now :][:steps] for part in parts]
    empty = int(sum(np.isnan(rows).sum() for rows in cells))
    if not empty:
        return []
    total = sum(rows.size for rows in cells)
    said = "covariate values of the steps ahead are empty; each counts as the mean of its column."
    return [f"{empty} of {total} {said}"]


def covariates_ahead(parts: Sequence[History], many: bool, steps: int) -> Any:
    """The covariates of the ``steps`` steps after the last value.

    Raises
    ------
    DataError
        If the table does not have them for every series.
    """
    rows = min(part.rows_ahead for part in parts)
    if rows < steps:
        raise DataError(
            f"the data must hold the covariates of all {steps} steps ahead, in rows with an empty"
            f" target; got {rows} such rows."
        )
    pieces = []
    for part in parts:
        start = part.until_now
        pieces.append((part.name, part.covariates[start : start + steps]))
    return group(pieces, many)


def parse_coverages(text: str) -> tuple[float, ...]:
    """Read ``"0.8,0.95"``.

    Raises
    ------
    InvalidArgumentError
        If it holds anything but different numbers between 0 and 1.
    """
    try:
        coverages = [float(part) for part in text.split(",")]
    except ValueError:
        coverages = []
    inside = all(0.0 < coverage < 1.0 for coverage in coverages)
    if not coverages or not inside or len(set(coverages)) < len(coverages):
        raise InvalidArgumentError(
            f"--intervals must be numbers between 0 and 1 with commas between; got {text!r}."
            " Write for example 0.8,0.95."
        )
    return tuple(sorted(coverages))


def parse_season(text: str) -> Any:
    """Read ``auto``, ``none``, a number of steps, or several with commas between.

    Raises
    ------
    InvalidArgumentError
        If it is none of these.
    """
    if text in ("auto", "none"):
        return None if text == "none" else "auto"
    try:
        seasons = [float(part) for part in text.split(",")]
    except ValueError:
        seasons = []
    if not seasons or not all(1.0 < season < 1e9 for season in seasons):
        raise InvalidArgumentError(
            f"--season must be auto, none, or a number of steps > 1; got {text!r}."
        )
    whole = [int(season) if season.is_integer() else season for season in seasons]
    return whole[0] if len(whole) == 1 else whole


def parse_names(text: str | None) -> tuple[str, ...]:
    """Read ``"price,holiday"``: the names of columns."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def write_csv(
    path: Path,
    time_name: str,
    id_name: str | None,
    rows: Sequence[tuple[str, np.ndarray, Forecast]],
) -> int:
    """Write the forecast of every series, one row a step; return how many rows there are.

    Parameters
    ----------
    rows : sequence of (name, times, forecast)
    """
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for name, times, forecast in rows:
            columns = {k: v for k, v in forecast.to_columns().items() if k != "step"}
            if count == 0:
                writer.writerow([*([id_name] if id_name else []), time_name, *columns])
            for stamp, *values in zip(format_times(times), *columns.values(), strict=True):
                numbers = [f"{value:.10g}" for value in values]
                writer.writerow([*([name] if id_name else []), stamp, *numbers])
                count += 1
    return count


def describe_table(table: Table, parts: Sequence[History]) -> dict[str, Any]:
    """What a model file has to remember of the table, in words of JSON."""
    frequency = table.frequency
    return {
        "target": table.target,
        "time": table.time,
        "id": table.id,
        "covariates": list(table.covariates),
        "frequency": dataclasses.asdict(frequency) if frequency else None,
        "last": {part.name: _to_json(part.times[-1]) for part in parts},
        "dayfirst": table.dayfirst,
    }


def _to_json(time: Any) -> Any:
    return str(time) if isinstance(time, np.datetime64) else time.item()
