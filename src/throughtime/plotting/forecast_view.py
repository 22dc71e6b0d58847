"""What a figure of forecasts shows of one series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from throughtime.forecasting.results import Fold, Forecast


@dataclass(frozen=True)
class ForecastView:
    """What the figure shows of one series.

    Attributes
    ----------
    name : str
        Title of the panel.
    time : ndarray of shape (T,)
        Times of the history: datetime64, or numbers.
    values : ndarray of shape (T,)
        The history; NaN is a gap.
    future : ndarray of shape (H,)
        Times of the forecast, of the same kind as ``time``.
    forecast : Forecast
        The forecast; its mean and its intervals have shape (H,).
    folds : tuple of Fold
        Forecasts of the hold-out, drawn over the observed values.
    """

    name: str
    time: np.ndarray
    values: np.ndarray
    future: np.ndarray
    forecast: Forecast
    folds: tuple[Fold, ...] = ()

    @property
    def holdout_start(self) -> int | None:
        """The first position of the hold-out; None without one."""
        return min((fold.origin for fold in self.folds), default=None)

    def first_shown(self) -> int:
        """The first position that is shown, early enough to show the pattern of the series."""
        length = len(self.values)
        span = max(4 * len(self.future), 60)
        if self.holdout_start is not None:
            span = max(span, 2 * (length - self.holdout_start))
        return max(0, length - span)
