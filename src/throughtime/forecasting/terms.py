r"""The terms of a regression: covariates, their lags, long seasons, holidays; and their columns.

A term is used whole or not at all. Its columns are computed from what is known of a step without
the values: its covariates, its number and its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import check_float, check_int
from throughtime.forecasting.holidays import Holidays
from throughtime.forecasting.rows import Rows


@dataclass(frozen=True)
class Covariate:
    """A covariate, or some lags of it.

    Attributes
    ----------
    column : int
        Its number among the covariates.
    lags : tuple of int
        How many steps earlier it is read, once for each column; 0 is the step itself.
    """

    column: int
    lags: tuple[int, ...] = (0,)

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return {"covariate": self.column, "lags": list(self.lags)}

    def columns(self, rows: Rows) -> np.ndarray:
        """The covariate at each lag, (T, L); zero, its mean, before the first step."""
        values = rows.covariates[:, self.column]
        found = np.zeros((rows.total, len(self.lags)))
        for i, lag in enumerate(self.lags):
            part = values[: rows.total - lag]
            found[lag : lag + len(part), i] = part
        return found

    @property
    def widths(self) -> np.ndarray:
        """Expected sizes of the effects beside each other."""
        return np.ones(len(self.lags))


@dataclass(frozen=True)
class Season:
    """A long season as a sum of waves: cosine and sine of its harmonics.

    Attributes
    ----------
    period : float
        Steps of one cycle.
    harmonics : tuple of int
        Waves in one cycle.
    """

    period: float
    harmonics: tuple[int, ...]

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return {"period": self.period, "harmonics": list(self.harmonics)}

    def columns(self, rows: Rows) -> np.ndarray:
        """Cosines and sines, (T, 2 K)."""
        turns = np.mod(rows.position / self.period, 1.0)
        angle = 2.0 * np.pi * turns[:, None] * np.array(self.harmonics, dtype=np.float64)
        return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)

    @property
    def widths(self) -> np.ndarray:
        """A harmonic is expected to be smaller the faster it is, so the pattern is smooth."""
        return np.tile(self.harmonics[0] / np.array(self.harmonics, dtype=np.float64), 2)


Term = Covariate | Season | Holidays

#: Longest lag, most harmonics and longest period of a file, far beyond those that are chosen.
_LONGEST_LAG, _MOST_HARMONICS, _LONGEST_PERIOD = 1_000_000, 10_000, 1e9
#: Columns of a term in a file, at most.
_MOST_COLUMNS = 1000


def read_term(config: Any, label: str, n_covariates: int) -> Term:
    """The term that ``to_config`` described, checked."""

    def whole(name: str, low: int, high: int) -> tuple[int, ...]:
        values = config[name]
        if not isinstance(values, list) or not 0 < len(values) <= _MOST_COLUMNS:
            raise ValueError(f"the {name} of {label} are damaged")
        return tuple(check_int(f"{name} of {label}", value, low, high) for value in values)

    if set(config) == {"covariate", "lags"}:
        column = check_int(f"covariate of {label}", config["covariate"], 0, n_covariates - 1)
        return Covariate(column, whole("lags", 0, _LONGEST_LAG))
    if set(config) == {"period", "harmonics"}:
        period = check_float(f"period of {label}", config["period"], 1.0, _LONGEST_PERIOD)
        return Season(period, whole("harmonics", 1, _MOST_HARMONICS))
    if set(config) == {"country", "names"}:
        country, names = config["country"], config["names"]
        texts = isinstance(names, list) and all(isinstance(one, str) for one in [country, *names])
        if not texts or len(names) > _MOST_COLUMNS:
            raise ValueError(f"the holidays of {label} are damaged")
        return Holidays(country, tuple(names))
    raise ValueError(f"a term of {label} is of an unknown kind")
