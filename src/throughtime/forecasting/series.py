"""One series or many, as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from throughtime.errors import Argument
from throughtime.forecasting.calendars import Calendar

T = TypeVar("T")

#: Forms of a container: a single series, a list of series, a mapping of series.
FORMS = ("one", "list", "dict")


@dataclass(frozen=True, eq=False)
class Observed:
    """One series with its covariates.

    Attributes
    ----------
    name : object
        Its key or position in the container; None for a single series.
    y : ndarray of float64 of shape (T,)
        The values; NaN where one is missing.
    covariates : ndarray of float64 of shape (T, F)
        The covariates; NaN where one is missing.
    calendar : Calendar or None
        The times of its steps, if they are known.
    static : ndarray of float64 of shape (K,)
        What does not change with time, as numbers: a category is a column for each of its words.
    """

    name: Any
    y: np.ndarray
    covariates: np.ndarray
    calendar: Calendar | None = None
    static: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle of release 0.1 or 0.2 holds nothing static.
        self.__dict__.update({"static": np.zeros(0)} | state)

    def __len__(self) -> int:
        return len(self.y)

    def until(self, end: int) -> Observed:
        """The first ``end`` steps."""
        return dataclasses.replace(self, y=self.y[:end], covariates=self.covariates[:end])

    @property
    def count(self) -> int:
        """Number of known values."""
        return int((~np.isnan(self.y)).sum())

    def from_first_value(self) -> Observed:
        """The steps from the first known value on, without their times."""
        first = int(np.argmax(~np.isnan(self.y)))
        rest = self.y[first:], self.covariates[first:]
        return Observed(self.name, *rest, static=self.static)

    @property
    def label(self) -> Argument:
        """Name of the series in messages."""
        return Argument("y", self.name)


@dataclass(frozen=True)
class Group:
    """Series in the order given, and the form of their container.

    Attributes
    ----------
    kind : str
        The form, one of :data:`FORMS`.
    series : tuple of Observed
    """

    kind: str
    series: tuple[Observed, ...]

    @property
    def names(self) -> list[Any]:
        """Names of the series, in order."""
        return [s.name for s in self.series]

    def wrap(self, answers: list[T]) -> T | list[T] | dict[Any, T]:
        """One answer for each series, in the form of the container."""
        if self.kind == "one":
            return answers[0]
        if self.kind == "list":
            return answers
        return dict(zip(self.names, answers, strict=True))

    @property
    def frequency(self) -> str | None:
        """The step that all series share, as pandas writes it; None if it is not known."""
        steps = {None if s.calendar is None else s.calendar.step.alias for s in self.series}
        return steps.pop() if len(steps) == 1 else None

    def map(self, function: Callable[[Observed], Observed]) -> Group:
        """The group with ``function`` applied to every series."""
        return Group(self.kind, tuple(function(s) for s in self.series))
