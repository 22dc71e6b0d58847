"""When the steps of a series are: read from the index of a pandas object, or from a data Series.

pandas is not imported: what has an ``index`` of dates is read through it, whatever made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.data.series import Series, format_times
from throughtime.data.tables.frequency import Frequency
from throughtime.errors import (
    Argument,
    DataError,
    check_float,
    check_int,
    sentence,
)

#: Units of a step, and how long one is at most, in microseconds (a number: in itself).
_LONGEST = {
    "microsecond": 1,
    "month": 31 * 86_400_000_000,
    "business day": 3 * 86_400_000_000,
    "number": 1,
}


@dataclass(frozen=True)
class Calendar:
    """The times of the steps of one series.

    Attributes
    ----------
    time : numpy.datetime64 or number
        Time of the step ``position``.
    position : int
    step : Frequency
    """

    time: Any
    position: int
    step: Frequency

    def at(self, positions: np.ndarray) -> np.ndarray:
        """The times of the steps at ``positions``, counted from 0."""
        return self.step.at(self.time, np.asarray(positions) - self.position)

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        time = str(self.time) if isinstance(self.time, np.datetime64) else self.time
        step = {"unit": self.step.unit, "count": self.step.count, "day": self.step.day}
        return {"time": time, "position": self.position, "step": step}

    @classmethod
    def from_config(cls, config: Any, span: int) -> Calendar:
        """The calendar that :meth:`to_config` described, checked.

        Parameters
        ----------
        span : int
            Number of steps, from 0, whose times must exist.
        """
        step = Frequency(**config["step"])
        position = check_int("position", config["position"], 0)
        time = config["time"]
        if step.unit == "number":
            when, begin = time, check_float("time", time)
        else:
            when = np.datetime64(str(time), "us")
            begin = float(when.astype(np.int64))
        # No step may be at a time that 64 bits cannot hold.
        far = abs(begin) + (position + span) * step.count * _LONGEST[step.unit]
        check_float("the end of the calendar", far, high=2.0**62)
        return cls(when, position, step)


def times_of(value: Any) -> tuple[Any, np.ndarray | None, Frequency | None]:
    """The values in ``value``, their times if it has any, and the step if it is known."""
    if isinstance(value, Series):
        return value.values, value.times, value.frequency
    index: Any = getattr(value, "index", None)
    if hasattr(index, "to_timestamp"):  # periods, such as months
        index = index.to_timestamp()
    if getattr(index, "tz", None) is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    if getattr(getattr(index, "dtype", None), "kind", "") != "M":
        return value, None, None
    return value, np.asarray(index), None


def on_calendar(
    label: Argument,
    y: np.ndarray,
    covariates: np.ndarray,
    times: np.ndarray,
    step: Frequency | None = None,
) -> tuple[np.ndarray, np.ndarray, Calendar | None]:
    """Values (T,) and covariates (T, F) in the order of ``times``, with NaN at missing times.

    If the times have no regular step, there is no calendar, and rows count as equal steps.

    Raises
    ------
    DataError
        If a time repeats or is missing.
    """
    series = Series.from_arrays(
        y, times, covariates, time_name=f"the index of {label}", frequency=step
    )
    if series.frequency is None:
        return series.values, series.covariates, None
    last = series.times[-1]
    when = last if isinstance(last, np.datetime64) else last.item()
    return (
        series.values,
        series.covariates,
        Calendar(when, len(series) - 1, series.frequency),
    )


def check_follows(label: Argument, calendar: Calendar, length: int, times: np.ndarray) -> None:
    """Refuse new values that do not begin one step after a history of ``length`` steps.

    Raises
    ------
    DataError
        It names both times.
    """
    due, first = calendar.at(np.array([length - 1, length])), np.sort(times)[0]
    if first > due[0] and calendar.step.positions(np.array([due[0], first]))[1] == 1:
        return
    wanted, got = (format_times(np.array([time]))[0] for time in (due[1], first))
    raise DataError(
        sentence(
            label,
            f"one step after the history, at {wanted}",
            f"{got}",
            "Write NaN where values are missing, and leave out those that the model knows.",
            must="begin",
        )
    )
