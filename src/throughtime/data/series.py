"""One time series on a regular calendar, and how its gaps are filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from throughtime.data.tables.frequency import Frequency, infer_frequency
from throughtime.errors import (
    DataError,
    InvalidTypeError,
    ShapeError,
    as_array,
    check_array,
    check_choice,
    check_int,
    describe,
    sentence,
)

__all__ = ["Series", "fill", "format_times"]


@dataclass(frozen=True, eq=False)
class Series:
    """A series of T steps with C covariates.

    Build it with :meth:`from_arrays`, which sorts the rows, finds the frequency and inserts the
    times that are missing.

    Attributes
    ----------
    name : str
    values : ndarray of float64 of shape (T,)
        The values; NaN where one is missing.
    times : ndarray of shape (T,)
        The times, ``datetime64[us]`` or numbers, strictly increasing.
    covariates : ndarray of float64 of shape (T, C)
        The covariates; NaN where one is missing.
    covariate_names : tuple of str
    frequency : Frequency or None
        The step; None if the times are not regular, and the rows count as equal steps.
    inserted : ndarray of bool of shape (T,)
        Steps that the data skip; their values are NaN.
    reordered : bool
        Whether the rows had to be sorted.
    """

    name: str
    values: np.ndarray
    times: np.ndarray
    covariates: np.ndarray
    covariate_names: tuple[str, ...] = ()
    frequency: Frequency | None = None
    inserted: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    reordered: bool = False

    @classmethod
    def from_arrays(
        cls,
        values: Any,
        times: Any = None,
        covariates: Any = None,
        *,
        name: str = "y",
        covariate_names: Sequence[str] = (),
        time_name: str = "times",
        rows: Sequence[int] | None = None,
        frequency: Frequency | None = None,
    ) -> Series:
        """Sort by time, find the frequency, and insert the times that are missing.

        Parameters
        ----------
        values : array of shape (T,)
            The values; NaN where one is missing.
        times : array of shape (T,), optional
            The times, datetime64 or numbers, in any order; by default 0, 1, 2 ...
        covariates : array of shape (T, C), optional
            The covariates; NaN where one is missing.
        name, covariate_names, time_name : str
            Their names in messages and reports.
        rows : sequence of int, optional
            Numbers of the rows in messages; by default 0, 1, 2 ...
        frequency : Frequency, optional
            The expected step. It is found from the times if they do not fit it, and by default.

        Raises
        ------
        DataError
            If a time repeats or is missing, or a value is infinite.

        Examples
        --------
        >>> days = np.array(["2024-01-04", "2024-01-01", "2024-01-02"], dtype="datetime64[D]")
        >>> series = Series.from_arrays([4.0, 1.0, 2.0], days)
        >>> series.values
        array([ 1.,  2., nan,  4.])
        >>> series.frequency.name
        'daily'
        """
        y = check_array("values", values, shape=("T",), dtype=np.float64, finite=False)
        if len(y) == 0:
            raise DataError(sentence("values", "at least one value", "nothing", must="hold"))
        extra = np.empty((len(y), 0)) if covariates is None else covariates
        x = check_array("covariates", extra, shape=(len(y), "C"), dtype=np.float64, finite=False)
        if np.isinf(y).any() or np.isinf(x).any():
            raise DataError(sentence("values and covariates", "finite or NaN", "an infinity"))
        t = _check_times(times, len(y), time_name)
        shape = (len(y),)
        numbers = np.arange(len(y)) if rows is None else check_array("rows", rows, shape=shape)
        if frequency is not None and not isinstance(frequency, Frequency):
            hint = "Omit it to find the step from the times."
            raise InvalidTypeError(sentence("frequency", "a Frequency", describe(frequency), hint))
        if not isinstance(covariate_names, list | tuple):
            got = describe(covariate_names)
            raise InvalidTypeError(sentence("covariate_names", "a list of names", got))
        reordered = bool((t[1:] < t[:-1]).any())
        if reordered:
            order = np.argsort(t, kind="stable")
            t, y, x, numbers = t[order], y[order], x[order], numbers[order]
        same = t[1:] == t[:-1]
        if same.any():
            at = int(np.argmax(same))
            twice = format_times(t[at : at + 1])[0]
            got = f"{twice} in rows {numbers[at]} and {numbers[at + 1]}"
            raise DataError(sentence(time_name, "in one series", got, must="not repeat"))
        found = infer_frequency(t)
        if frequency is None or _same_step(found, frequency) or not frequency.fits(t):
            frequency = found
        inserted = np.zeros(len(y), dtype=bool)
        if frequency is not None:
            places = frequency.positions(t)
            inserted = np.ones(int(places[-1]) + 1, dtype=bool)
            inserted[places] = False
            grid = frequency.at(t[0], np.arange(len(inserted))).astype(t.dtype)
            grid[places] = t
            t, y, x = grid, _spread(y, inserted), _spread(x, inserted)
        return cls(name, y, t, x, tuple(covariate_names), frequency, inserted, reordered)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def gaps(self) -> int:
        """Number of steps that the data skip."""
        return int(self.inserted.sum())

    @property
    def missing(self) -> int:
        """Number of steps that the data have without a value."""
        return int((np.isnan(self.values) & ~self.inserted).sum())

    def time_labels(self) -> list[str]:
        """The times as text: ISO dates, with the time of day only if there is one."""
        return format_times(self.times)

    def future_times(self, n: int) -> np.ndarray:
        """The ``n`` times after the last; at the median distance if the times are irregular."""
        n = check_int("n", n, 0)
        if self.frequency is not None:
            return self.frequency.after(self.times[-1], n)
        if len(self) == 1:
            if self.times.dtype.kind == "M":
                raise DataError(
                    sentence(
                        f"series {self.name!r}",
                        "at least 2 rows to continue its times",
                        "1",
                        must="have",
                    )
                )
            return self.times[-1] + np.arange(1, n + 1)
        step = np.median(np.diff(self.times).astype(np.float64))
        unit = "microsecond" if self.times.dtype.kind == "M" else "number"
        return Frequency(unit, float(step)).after(self.times[-1], n)


def _same_step(found: Frequency | None, expected: Frequency) -> bool:
    """Whether they are equal apart from the day of the month, which is best read off the times."""
    return found is not None and (found.unit, found.count) == (expected.unit, expected.count)


def _check_times(times: Any, n: int, name: str) -> np.ndarray:
    if times is None:
        return np.arange(n)
    array = as_array(name, times)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[us]")
        lost = np.isnat(array)
    else:
        array = check_array(name, array, finite=False)
        lost = ~np.isfinite(array)
    if array.shape != (n,):
        raise ShapeError(sentence(name, f"of shape ({n},)", f"shape {array.shape}"))
    if lost.any():
        raise DataError(
            sentence(name, "no missing time", f"one at index {np.argmax(lost)}", must="have")
        )
    return array


def _spread(rows: np.ndarray, inserted: np.ndarray) -> np.ndarray:
    """``rows`` at the steps that the data have, NaN at the inserted ones."""
    spread = np.full((len(inserted), *rows.shape[1:]), np.nan)
    spread[~inserted] = rows
    return spread


def format_times(times: np.ndarray) -> list[str]:
    """Times as text, all in the same form: the shortest one that loses nothing.

    Examples
    --------
    >>> format_times(np.array(["2024-01-01T00:00", "2024-01-02T00:00"], dtype="datetime64[us]"))
    ['2024-01-01', '2024-01-02']
    >>> format_times(np.array([1700, 1701]))
    ['1700', '1701']
    """
    if times.dtype.kind != "M":
        return [f"{time:.12g}" for time in times.tolist()]
    for unit in ("D", "m", "s", "us"):
        short = times.astype(f"datetime64[{unit}]")
        if (short == times).all():
            break
    return [text.replace("T", " ") for text in np.datetime_as_string(short).tolist()]


def fill(
    values: Any, method: str = "linear", *, edges: str = "nearest"
) -> tuple[np.ndarray, np.ndarray]:
    """Fill missing values, and mark where they were.

    Parameters
    ----------
    values : array of shape (T,) or (T, C)
        The values; each column is filled on its own.
    method : {"linear", "previous", "mean"}
        The filling: a straight line between the neighbours, the last known value, or the mean of
        all known values.
    edges : {"nearest", "keep"}
        The filling before the first and after the last known value, where a line has only one end.
        "nearest" repeats the known value, "keep" leaves NaN. ("previous" repeats the last known
        value in both cases.)

    Returns
    -------
    filled : ndarray of float64
        A filled copy.
    was_missing : ndarray of bool, same shape
        True at every value that was NaN, whether it has been filled or not.

    Raises
    ------
    DataError
        If a column has no known value.

    Examples
    --------
    >>> filled, was_missing = fill([np.nan, 1.0, np.nan, 3.0])
    >>> filled
    array([1., 1., 2., 3.])
    >>> was_missing
    array([ True, False,  True, False])
    """
    check_choice("method", method, ("linear", "previous", "mean"))
    check_choice("edges", edges, ("nearest", "keep"))
    array = check_array("values", values, dtype=np.float64, finite=False).copy()
    if array.ndim not in (1, 2):
        raise ShapeError(sentence("values", "of shape (T,) or (T, C)", f"shape {array.shape}"))
    missing = np.isnan(array)
    columns = array[:, None] if array.ndim == 1 else array
    steps = np.arange(len(columns))
    for place, column in enumerate(columns.T):
        known = np.flatnonzero(~np.isnan(column))
        if len(known) == 0:
            where = f" in column {place}" if array.ndim == 2 else ""
            raise DataError(
                sentence("values", "at least one known value", f"none{where}", must="hold")
            )
        if len(known) == len(column):
            continue
        if method == "mean":
            whole = np.where(np.isnan(column), column[known].mean(), column)
        elif method == "previous":
            before = np.searchsorted(known, steps, side="right") - 1
            whole = column[known[np.maximum(before, 0)]]
        else:
            whole = np.interp(steps, known, column[known])
        if edges == "keep" and method != "mean":
            whole[: known[0]] = np.nan
            if method == "linear":
                whole[known[-1] + 1 :] = np.nan
        column[:] = whole
    return array, missing
