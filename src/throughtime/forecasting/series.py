"""One series or many, with covariates: checked, and in one form inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from throughtime.data.series import Series
from throughtime.errors import (
    Argument,
    DataError,
    InvalidArgumentError,
    Message,
    Setting,
    ShapeError,
    check_array,
    describe,
    sentence,
)
from throughtime.forecasting.calendars import Calendar, check_follows, on_calendar, times_of

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Observed:
    """One series as it was given.

    Attributes
    ----------
    name : object
        Its key or position; None where it is the only one.
    y : ndarray of float64 of shape (T,)
        NaN where missing.
    covariates : ndarray of float64 of shape (T, F)
        NaN where missing.
    calendar : Calendar or None
        When its steps are, where that was said.
    """

    name: Any
    y: np.ndarray
    covariates: np.ndarray
    calendar: Calendar | None = None

    def __len__(self) -> int:
        return len(self.y)

    def until(self, end: int) -> Observed:
        """The first ``end`` steps."""
        return Observed(self.name, self.y[:end], self.covariates[:end], self.calendar)

    @property
    def count(self) -> int:
        """How many values are known."""
        return int((~np.isnan(self.y)).sum())

    def from_first_value(self) -> Observed:
        """The steps from the first known value on, without their times."""
        first = int(np.argmax(~np.isnan(self.y)))
        return Observed(self.name, self.y[first:], self.covariates[first:])

    @property
    def label(self) -> Argument:
        """What messages call the series."""
        return Argument("y", self.name)


@dataclass(frozen=True)
class Group:
    """Series in the order given, and the container that they came in."""

    kind: str
    series: tuple[Observed, ...]

    @property
    def names(self) -> list[Any]:
        """Names of the series, in order."""
        return [s.name for s in self.series]

    def wrap(self, answers: list[T]) -> T | list[T] | dict[Any, T]:
        """Put one answer for each series into the container that the series came in."""
        if self.kind == "one":
            return answers[0]
        if self.kind == "list":
            return answers
        return dict(zip(self.names, answers, strict=True))

    @property
    def frequency(self) -> str | None:
        """The step that all series share, as pandas says it; None where that is not known."""
        steps = {None if s.calendar is None else s.calendar.step.alias for s in self.series}
        return steps.pop() if len(steps) == 1 else None

    def map(self, function: Callable[[Observed], Observed]) -> Group:
        """The group with another version of every series."""
        return Group(self.kind, tuple(function(s) for s in self.series))

    def extend(self, y: Any, X: Any = None) -> Group:
        """The group with new steps, given in its container form, at the end of every series."""
        added = zip(
            self.series,
            split_like(self.kind, self.names, y, "y"),
            split_like(self.kind, self.names, X, "X"),
            strict=True,
        )
        series = []
        for old, part, extra in added:
            part, times, _ = times_of(part)
            values = read_covariates(old.label, part, np.size(part), 1)[:, 0]
            width = old.covariates.shape[1]
            rows = read_covariates(Argument("X", old.name), extra, len(values), width)
            calendar = old.calendar
            if times is not None and len(times) and calendar is not None:
                check_follows(old.label, calendar, len(old), times)
                values, rows, _ = on_calendar(old.label, values, rows, times, calendar.step)
            series.append(
                Observed(
                    old.name,
                    np.concatenate([old.y, values]),
                    np.concatenate([old.covariates, rows]),
                    calendar,
                )
            )
        return Group(self.kind, tuple(series))


def read_group(y: Any, X: Any = None, n_covariates: int | None = None) -> Group:
    """Check series and covariates and bring them into one form.

    Parameters
    ----------
    y : array of shape (T,), or list or mapping of such arrays
        NaN where missing. What has an index of dates is put in their order, with NaN at dates
        that are left out.
    X : array of shape (T, F) or (T,), or list or mapping of such arrays, optional
        Covariates, in the container form and in the order of ``y``.
    n_covariates : int, optional
        F that is expected, where it is known.

    Raises
    ------
    DataError, ShapeError
        Text, infinities, nothing but missing values, shapes that do not fit: the message says so.
    """
    kind, names, values = _unpack("y", y)
    extras = split_like(kind, names, X, "X")
    series = []
    for name, one, extra in zip(names, values, extras, strict=True):
        said = Argument("y", name)
        one, times, step = times_of(one)
        column = _numbers(said, one)
        if column.ndim == 2 and column.shape[1] == 1:
            column = column[:, 0]
        if column.ndim != 1:
            way = Message("Pass several series as a list or a mapping, and covariates as {X}.")
            got = f"shape {column.shape}"
            raise ShapeError(sentence(said, "one series of shape (T,)", got, way, value=column))
        if len(column) == 0 or np.isnan(column).all():
            got = "nothing" if len(column) == 0 else "only missing values"
            raise DataError(sentence(said, "at least one number", got, must="hold", value=column))
        rows = read_covariates(Argument("X", name), extra, len(column), n_covariates)
        calendar = None
        if times is not None:
            column, rows, calendar = on_calendar(said, column, rows, times, step)
        series.append(Observed(name, column, rows, calendar))
    widths = {s.covariates.shape[1] for s in series}
    if len(widths) > 1:
        raise ShapeError(
            sentence(
                "X", "the same number of columns for every series", sorted(widths), must="have"
            )
        )
    return Group(kind, tuple(series))


def read_covariates(
    name: Argument, value: Any, steps: int, expected: int | None = None
) -> np.ndarray:
    """Return covariates as (steps, F); F is 0 where there are none."""
    if value is None:
        if expected:
            raise DataError(
                sentence(
                    name,
                    f"the {expected} covariates that the forecaster was fitted with",
                    "nothing",
                    must="hold",
                )
            )
        return np.zeros((steps, 0))
    array = _numbers(name, value)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[0] != steps or expected not in (None, array.shape[1]):
        wanted = f"({steps}, {'F' if expected is None else expected})"
        got = f"shape {np.shape(value)}"
        raise ShapeError(sentence(name, f"of shape {wanted}", got, value=value))
    return array


def read_ahead(
    group: Group, value: Any, n_covariates: int, steps: int, used: bool
) -> list[np.ndarray]:
    """Covariates of the future, at least ``steps`` rows of them for every series.

    Without covariates, or where those of the future are not ``used``, each has no rows.
    """
    if value is None:
        if n_covariates and used:
            off = Setting("future_covariates", False)
            raise DataError(
                sentence(
                    "X_future",
                    f"the covariates of the {steps} steps ahead",
                    "nothing",
                    Message("Fit with {off} if they are not known.", off=off),
                    must="hold",
                )
            )
        return [np.zeros((0, n_covariates))] * len(group.series)
    if not (n_covariates and used):
        why = "future_covariates=False" if n_covariates else "no covariates"
        raise InvalidArgumentError(f"X_future must be left out: the forecaster has {why}.")
    found = []
    parts = split_like(group.kind, group.names, value, "X_future")
    for series, part in zip(group.series, parts, strict=True):
        name = Argument("X_future", series.name)
        rows = read_covariates(name, part, np.shape(part)[0] if np.ndim(part) else 0, n_covariates)
        if len(rows) < steps:
            raise ShapeError(
                sentence(
                    name,
                    f"a row for each of the {steps} steps ahead",
                    f"{len(rows)}",
                    must="have",
                    value=part,
                )
            )
        found.append(rows)
    return found


def split_like(kind: str, names: list[Any], value: Any, name: str) -> list[Any]:
    """Split ``value`` into one entry for each series, or None for each where it is None."""
    if value is None:
        return [None] * len(names)
    if kind == "one":
        return [value]
    if kind == "list":
        if isinstance(value, Mapping) or len(value) != len(names):
            raise ShapeError(
                sentence(
                    name,
                    f"a list with one entry for each of the {len(names)} series",
                    describe(value),
                )
            )
        return list(value)
    if not isinstance(value, Mapping) or set(value) != set(names):
        missing = [n for n in names if not isinstance(value, Mapping) or n not in value]
        lacks = f" that lacks {missing[0]!r}" if missing and isinstance(value, Mapping) else ""
        got = (
            "a mapping" + (lacks or " with unknown names") if isinstance(value, Mapping) else value
        )
        raise ShapeError(sentence(name, "a mapping with the names of y", got))
    return [value[n] for n in names]


def _unpack(name: str, value: Any) -> tuple[str, list[Any], list[Any]]:
    """Container form, names and values of one or many series."""
    if isinstance(value, Mapping):
        if not value:
            got = "an empty mapping"
            raise DataError(sentence(name, "at least one series", got, must="hold", value=value))
        return "dict", list(value), list(value.values())
    if isinstance(value, (list, tuple)) and len(value) and _is_series(value[0]):
        return "list", list(range(len(value))), list(value)
    return "one", [None], [value]


def _is_series(value: Any) -> bool:
    return isinstance(value, Series) or np.ndim(value) >= 1


def _numbers(name: Argument, value: Any) -> np.ndarray:
    """Return ``value`` as float64, NaN allowed, infinities and text refused."""
    array = np.asarray(value)
    if array.dtype == object:  # None among numbers is a missing value, as in JSON
        try:
            array = np.array([np.nan if v is None else v for v in array.ravel()], dtype=np.float64)
            array = array.reshape(np.shape(value))
        except (TypeError, ValueError):
            got = _first_text(value)
            raise DataError(sentence(name, "numbers", got, must="hold", value=value)) from None
    array = check_array(name, array, dtype=np.float64, finite=False)
    if np.isinf(array).any():
        first = tuple(int(i) for i in np.argwhere(np.isinf(array))[0])
        at = first[0] if len(first) == 1 else first
        got = f"{array[first]} at index {at}"
        way = "Write NaN where a value is missing."
        raise DataError(sentence(name, "finite", got, way, value=value))
    return array


def _first_text(value: Any) -> str:
    """The first entry that is no number, for a message."""
    for i, entry in enumerate(np.asarray(value, dtype=object).ravel()):
        if not isinstance(entry, (int, float, np.number, type(None))):
            return f"{describe(entry)} at index {i}"
    return "an array of objects"
