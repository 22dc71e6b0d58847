"""What fitting leaves, as plain data: all that a forecast is computed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from throughtime.forecasting.calibration import Calibration
from throughtime.forecasting.series import Group
from throughtime.forecasting.smoothing import Smoothing
from throughtime.network import Network


@dataclass
class Fitted:
    """A fitted model.

    Attributes
    ----------
    group : Group
        The history, which ``update`` extends.
    smoothing : dict
        The smoothing of each series, by name.
    candidates : tuple of float
        Seasons that smoothing could choose from; 1 is none.
    window : int
        Past steps that the networks read.
    centre, width : ndarray of shape (F,)
        Mean and standard deviation of the covariates.
    networks : list of Network
        The members; the mean of their corrections is used.
    calibration : Calibration
        The weight of the correction and the width of the intervals.
    floor : float
        0 where forecasts are cut at 0, otherwise minus infinity.
    notes : list of str
        Sentences for the reader.
    """

    group: Group
    smoothing: dict[Any, Smoothing]
    candidates: tuple[float, ...]
    window: int
    centre: np.ndarray
    width: np.ndarray
    networks: list[Network]
    calibration: Calibration
    floor: float
    notes: list[str] = field(default_factory=list)

    @property
    def season(self) -> float | None:
        """The period that most series have; None if most have none."""
        found = [s.period for s in self.smoothing.values()]
        common = max(set(found), key=lambda p: (found.count(p), p))
        return None if common <= 1.0 else common

    @property
    def naive_season(self) -> int:
        """The season of the seasonal naive forecast and of MASE; 1 is none."""
        if self.season is not None:
            return round(self.season)
        longest = max(len(s) for s in self.group.series)
        fitting = [round(p) for p in self.candidates if 1.0 < p < longest]
        return fitting[0] if fitting else 1

    @property
    def transform(self) -> str:
        """How most series are transformed: "log" or "none"."""
        logs = [s.log for s in self.smoothing.values()]
        return "log" if 2 * sum(logs) > len(logs) else "none"
