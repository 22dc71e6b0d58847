"""What is known of the steps of a series without its values: covariates, numbers and times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from throughtime.data.tables.frequency import Frequency
from throughtime.forecasting.covariates import standardise
from throughtime.forecasting.series import Observed


@dataclass(frozen=True)
class Rows:
    """The steps of one series and those ahead of it, T in all.

    Attributes
    ----------
    position : ndarray of float64 of shape (T,)
        The number of each step: since 1970 where times are known, otherwise since the first step.
    covariates : ndarray of float64 of shape (R, F)
        Standardised, without NaN; R is T or less where those ahead are not known.
    times : ndarray of datetime64 of shape (T,), or None
    """

    position: np.ndarray
    covariates: np.ndarray
    times: np.ndarray | None

    @property
    def total(self) -> int:
        """Number of steps, T."""
        return len(self.position)

    @classmethod
    def of(
        cls,
        series: Observed,
        centre: np.ndarray,
        width: np.ndarray,
        ahead: int = 0,
        future: np.ndarray | None = None,
    ) -> Rows:
        """The steps of ``series`` and ``ahead`` further ones.

        Parameters
        ----------
        centre, width : ndarray of shape (F,)
            Mean and standard deviation of the covariates.
        future : ndarray of shape (S, F), optional
            Covariates of the steps ahead.
        """
        known = series.covariates
        both = known if future is None else np.concatenate([known, future[:ahead]])
        index = np.arange(len(series) + ahead)
        covariates = standardise(both, centre, width)
        if series.calendar is None:
            return cls(index.astype(np.float64), covariates, None)
        times = series.calendar.at(index)
        position = _since_1970(series.calendar.step, times)
        return cls(position, covariates, times if times.dtype.kind == "M" else None)


def _since_1970(step: Frequency, times: np.ndarray) -> np.ndarray:
    """Steps since the first of January 1970, or since the time 0, as float64."""
    if step.unit == "month":
        return times.astype("datetime64[M]").astype(np.float64) / step.count
    if step.unit == "business day":
        return np.busday_count(np.datetime64(0, "D"), times.astype("datetime64[D]")) / step.count
    return (
        np.asarray(times)
        .astype("datetime64[us]" if times.dtype.kind == "M" else times.dtype)
        .astype(np.float64)
        / step.count
    )
