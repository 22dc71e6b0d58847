"""What a user passes as ``y``, ``X`` and ``X_future``: checked, and turned into one form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from throughtime.data.series import Series
from throughtime.errors import (
    Argument,
    DataError,
    InvalidArgumentError,
    Message,
    Setting,
    ShapeError,
    as_array,
    check_array,
    describe,
    sentence,
)
from throughtime.forecasting.calendars import check_follows, on_calendar, times_of
from throughtime.forecasting.covariates import on_common_scale
from throughtime.forecasting.series import Group, Observed

#: Largest absolute value of y and X. Sums of squares of such numbers are far inside float64, whose
#: largest number is 1.8e308; with 1e160 they would overflow.
LARGEST = 1e100


def read_group(y: Any, X: Any = None, n_covariates: int | None = None, static: Any = None) -> Group:
    """Check series and covariates and turn them into one form.

    Parameters
    ----------
    y : array of shape (T,), or list or mapping of such arrays
        The values; NaN where one is missing. Values with an index of dates are sorted by it, and
        dates that are missing get NaN.
    X : array of shape (T, F) or (T,), or list or mapping of such arrays, optional
        Covariates, in the container form and in the order of ``y``.
    n_covariates : int, optional
        Number of covariates that is expected, if it is known.
    static : list or mapping of array of shape (K,), optional
        What does not change with time, in the container form and in the order of ``y``.

    Raises
    ------
    DataError, ShapeError
        If there is text or an infinity, if all values are missing, or if shapes do not fit.
    """
    kind, names, values = _unpack(y)
    extras = _split_like(kind, names, X, "X")
    fixed = read_static(kind, names, static)
    series = []
    for name, one, extra, numbers in zip(names, values, extras, fixed, strict=True):
        label = Argument("y", name)
        one, times, step = times_of(one)
        column = _read_column(label, one)
        if len(column) == 0 or np.isnan(column).all():
            got = "nothing" if len(column) == 0 else "only missing values"
            raise DataError(sentence(label, "at least one number", got, must="hold", value=column))
        rows = read_covariates(Argument("X", name), extra, len(column), n_covariates)
        calendar = None
        if times is not None:
            column, rows, calendar = on_calendar(label, column, rows, times, step)
        series.append(Observed(name, column, rows, calendar, numbers))
    widths = sorted({s.covariates.shape[1] for s in series})
    if len(widths) > 1:
        expected = "the same number of columns for every series"
        raise ShapeError(sentence("X", expected, widths, must="have"))
    return Group(kind, tuple(series))


def extend(group: Group, y: Any, X: Any = None) -> Group:
    """``group`` with new steps at the end of every series.

    Parameters
    ----------
    y, X :
        The new steps, in the container form of the group.
    """
    if y is None:
        raise DataError(sentence("y", "the new values", y))
    added = zip(
        group.series,
        _split_like(group.kind, group.names, y, "y"),
        _split_like(group.kind, group.names, X, "X"),
        strict=True,
    )
    series = []
    for old, part, extra in added:
        part, times, _ = times_of(part)
        column = _read_column(old.label, part)
        width = old.covariates.shape[1]
        rows = read_covariates(Argument("X", old.name), extra, len(column), width)
        if times is not None and len(times) and old.calendar is not None:
            check_follows(old.label, old.calendar, len(old), times)
            column, rows, _ = on_calendar(old.label, column, rows, times, old.calendar.step)
        y, covariates = np.concatenate([old.y, column]), np.concatenate([old.covariates, rows])
        series.append(dataclasses.replace(old, y=y, covariates=covariates))
    return Group(group.kind, tuple(series))


def read_static(kind: str, names: list[Any], value: Any) -> list[np.ndarray]:
    """What does not change with time, as an array (K,) for every series; K is 0 without any.

    Each number has mean 0 and standard deviation 1 over the series.
    """
    if value is None:
        return [np.zeros(0)] * len(names)
    if kind == "one":
        got = "a single series"
        raise InvalidArgumentError(sentence("static", "given with several series", got))
    found = []
    for name, part in zip(names, _split_like(kind, names, value, "static"), strict=True):
        label = Argument("static", name)
        array = np.atleast_1d(_numbers(label, part))
        if array.ndim != 1:
            raise ShapeError(sentence(label, "of shape (K,)", f"shape {array.shape}", value=part))
        if np.isnan(array).any():
            raise DataError(sentence(label, "numbers alone", "NaN", must="hold", value=part))
        found.append(array)
    widths = sorted({len(array) for array in found})
    if len(widths) > 1:
        expected = "as many numbers for every series"
        raise ShapeError(sentence("static", expected, widths, must="have"))
    return list(on_common_scale(np.array(found)))


def read_covariates(
    name: Argument, value: Any, steps: int | None, expected: int | None = None
) -> np.ndarray:
    """Covariates as an array (steps, F).

    Parameters
    ----------
    value : array of shape (T, F) or (T,), or None
        The covariates; None stands for none, F = 0.
    steps : int, optional
        Number of rows that is expected, if it is known.
    expected : int, optional
        Number of columns that is expected, if it is known.
    """
    if value is None:
        if expected:
            wanted = f"the {expected} covariates that the forecaster was fitted with"
            raise DataError(sentence(name, wanted, "nothing", must="hold"))
        return np.zeros((steps or 0, 0))
    array = _numbers(name, value)
    table = array[:, None] if array.ndim == 1 else array
    sizes = zip((steps, expected), table.shape, strict=True) if table.ndim == 2 else ()
    if table.ndim != 2 or any(want not in (None, have) for want, have in sizes):
        wanted = f"({'T' if steps is None else steps}, {'F' if expected is None else expected})"
        got = f"shape {array.shape}" if array.ndim else describe(value)
        raise ShapeError(sentence(name, f"of shape {wanted}", got, value=value))
    return table


def read_ahead(
    group: Group, value: Any, n_covariates: int, steps: int, used: bool
) -> list[np.ndarray]:
    """Covariates of the future for every series, at least ``steps`` rows each.

    There are no rows if there are no covariates, or if those of the future are not ``used``.
    """
    if value is None:
        if n_covariates and used:
            off = Setting("future_covariates", False)
            hint = Message("Fit with {off} if they are not known.", off=off)
            wanted = f"the covariates of the {steps} steps ahead"
            raise DataError(sentence("X_future", wanted, "nothing", hint, must="hold"))
        return [np.zeros((0, n_covariates))] * len(group.series)
    if not (n_covariates and used):
        why = "future_covariates=False" if n_covariates else "no covariates"
        raise InvalidArgumentError(f"X_future must be left out: the forecaster has {why}.")
    found = []
    parts = _split_like(group.kind, group.names, value, "X_future")
    for series, part in zip(group.series, parts, strict=True):
        name = Argument("X_future", series.name)
        rows = read_covariates(name, part, None, n_covariates)
        if len(rows) < steps:
            wanted = f"a row for each of the {steps} steps ahead"
            raise ShapeError(sentence(name, wanted, f"{len(rows)}", must="have", value=part))
        found.append(rows)
    return found


def _unpack(y: Any) -> tuple[str, list[Any], list[Any]]:
    """Container form, names and values of one or many series."""
    if isinstance(y, Mapping):
        if not y:
            got = "an empty mapping"
            raise DataError(sentence("y", "at least one series", got, must="hold", value=y))
        return "dict", list(y), list(y.values())
    if isinstance(y, list | tuple) and len(y) and _is_series(y[0]):
        return "list", list(range(len(y))), list(y)
    return "one", [None], [y]


def _is_series(value: Any) -> bool:
    """Whether an entry of a list is itself a series, and not a number."""
    if isinstance(value, list | tuple | Series):
        return True
    return getattr(value, "ndim", 0) >= 1


def _split_like(kind: str, names: list[Any], value: Any, name: str) -> list[Any]:
    """One entry of ``value`` for each series, or None for each if ``value`` is None."""
    if value is None:
        return [None] * len(names)
    if kind == "one":
        return [value]
    if kind == "list":
        listed = isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0
        if not listed or len(value) != len(names):
            expected = f"a list with one entry for each of the {len(names)} series"
            raise ShapeError(sentence(name, expected, describe(value)))
        return list(value)
    expected = "a mapping with the names of y"
    if not isinstance(value, Mapping):
        raise ShapeError(sentence(name, expected, describe(value)))
    if set(value) != set(names):
        missing = [n for n in names if n not in value]
        odd = f"that lacks {describe(missing[0])}" if missing else "with unknown names"
        raise ShapeError(sentence(name, expected, f"a mapping {odd}", value=value))
    return [value[n] for n in names]


def _read_column(name: Argument, value: Any) -> np.ndarray:
    """One series as an array (T,)."""
    array = _numbers(name, value)
    column = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if column.ndim != 1:
        hint = Message("Pass several series as a list or a mapping, and covariates as {X}.")
        got = f"shape {array.shape}" if array.ndim else describe(value)
        raise ShapeError(sentence(name, "one series of shape (T,)", got, hint, value=value))
    return column


def _numbers(name: Argument, value: Any) -> np.ndarray:
    """``value`` as float64; NaN is allowed, infinities and text are refused."""
    if isinstance(value, np.ma.MaskedArray):
        value = np.where(np.ma.getmaskarray(value), np.nan, value.data)
    array = check_array(name, _without_objects(name, value), dtype=np.float64, finite=False)
    large = np.abs(array) > LARGEST
    if large.any():
        first = tuple(int(i) for i in np.argwhere(large)[0])
        at = first[0] if len(first) == 1 else first
        got = f"{array[first]} at index {at}" if first else f"{array}"
        if np.isinf(array[first]):
            hint = "Write NaN where a value is missing."
            raise DataError(sentence(name, "finite", got, hint, value=value))
        hint = "Divide by a constant first."
        raise DataError(sentence(name, f"at most {LARGEST:g} in size", got, hint, value=value))
    return array


def _without_objects(name: Argument, value: Any) -> Any:
    """``value``, with NaN for None and other marks of missing values among its numbers."""
    array = as_array(name, value)
    if array.dtype != object or array.ndim == 0:
        return value
    numbers = np.empty(array.size)
    for i, entry in enumerate(array.ravel()):
        try:
            numbers[i] = np.nan if _is_missing(entry) else _number(entry)
        except OverflowError:
            numbers[i] = np.inf
        except (TypeError, ValueError):
            got = f"{describe(entry)} at index {i}"
            raise DataError(sentence(name, "numbers", got, must="hold", value=value)) from None
    return numbers.reshape(array.shape)


def _number(entry: Any) -> float:
    """An entry as a float; text is refused even if it spells a number."""
    if isinstance(entry, str | bytes):
        raise TypeError
    return float(entry)


def _is_missing(entry: Any) -> bool:
    """Whether an entry is None, or differs from itself as NaN and the NA of pandas do."""
    try:
        return entry is None or bool(entry != entry)
    except (TypeError, ValueError):  # NA has no truth value
        return not isinstance(entry, np.ndarray)
