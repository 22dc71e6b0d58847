"""What a forecast may not fall below: 0 where no value did, and 0 where all values were."""

from __future__ import annotations

import numpy as np

from throughtime.forecasting import notes
from throughtime.forecasting.series import Observed
from throughtime.forecasting.settings import Settings

#: A place in the season that is 0 throughout is no chance below this probability.
_BY_CHANCE = 1e-3


class Limits:
    """The limits of one forecast at some steps ahead.

    Parameters
    ----------
    settings : Settings
    floor : float
        0 where forecasts are cut at 0, otherwise minus infinity.
    y : ndarray of shape (T,)
        The history, from its first known value on.
    period : float
        The season that smoothing follows.
    steps : ndarray of int of shape (S,)
        Steps ahead.
    """

    def __init__(
        self, settings: Settings, floor: float, y: np.ndarray, period: float, steps: np.ndarray
    ) -> None:
        self._auto = settings.nonnegative == "auto"
        # A history that fell below 0 after fitting has shown that there is no floor.
        fell = self._auto and np.nanmin(y) < 0
        self._floor = -np.inf if fell else floor
        self._idle = np.zeros(len(steps), dtype=bool)
        if self._auto and not fell:
            self._idle = always_zero(y, period, steps)
        self._cut = False

    def apply(self, free: np.ndarray) -> np.ndarray:
        """Values (S,) in the units of the data, within the limits."""
        self._cut = self._cut or bool((free < self._floor).any())
        return np.where(self._idle, 0.0, np.maximum(free, self._floor))

    def remarks(self, series: Observed) -> list[str]:
        """Sentences on what :meth:`apply` has changed until now."""
        found = [notes.cut_at_zero(series)] if self._cut and self._auto else []
        if self._idle.any():
            found.append(notes.always_zero(series, int(self._idle.sum()), len(self._idle)))
        return found


def always_zero(y: np.ndarray, period: float, steps: np.ndarray) -> np.ndarray:
    """Which steps ahead fall where every season of the history was 0, and not by chance.

    Solar power at night is an example. A series that is mostly 0 anyway has such places by chance;
    the share of zeros in the whole history tells how likely that is.
    """
    season = int(period)
    found = np.zeros(len(steps), dtype=bool)
    known = y[np.isfinite(y)]
    share = float(np.mean(known == 0.0))
    if season < 2 or season != period or not 0.0 < share < 1.0:
        return found
    for place, step in enumerate(steps.tolist()):
        values = y[(len(y) + step - 1) % season :: season]
        values = values[np.isfinite(values)]
        found[place] = len(values) > 2 and not values.any() and share ** len(values) < _BY_CHANCE
    return found
