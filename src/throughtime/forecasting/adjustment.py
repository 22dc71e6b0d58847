"""The adjustment of one series: what is removed before smoothing, (Z5), and restored afterwards."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import check_bool, check_float
from throughtime.forecasting.covariates import SMALLEST_WIDTH
from throughtime.forecasting.reading import LARGEST
from throughtime.forecasting.rows import Rows
from throughtime.forecasting.series import Observed
from throughtime.forecasting.terms import Season, Term, read_term

#: Bound of an effect on logarithms, a factor of e^5 = 148, beyond those of the history: it only
#: stops an explosion where a covariate is far outside its history.
_LOG_ROOM = 5.0
#: Largest widening of a file; the largest that is measured is far below it.
_WIDEST = 100.0


@dataclass(frozen=True, eq=False)
class Adjustment:
    """Effects of covariates and long seasons on one series; over its history their mean is zero.

    Attributes
    ----------
    log : bool
        Whether the effects are factors: they are then removed from the logarithms.
    terms : tuple of Term
    effects : ndarray of float64 of shape (P,)
        Of the columns of all terms, in order.
    offset : float
        Mean of the effects over the history.
    centre, width : ndarray of float64 of shape (F,)
        Mean and standard deviation of the covariates in the history of the series.
    widening : float
        How much larger the errors are, at least 1, when the effects come from values before them.
    """

    log: bool
    terms: tuple[Term, ...]
    effects: np.ndarray
    offset: float
    centre: np.ndarray
    width: np.ndarray
    widening: float = 1.0

    def total(
        self, series: Observed, ahead: int = 0, future: np.ndarray | None = None
    ) -> np.ndarray:
        """The sum of all effects at the steps of ``series`` and ``ahead`` further ones, (T,)."""
        rows = Rows.of(series, self.centre, self.width, ahead, future)
        found = columns_of(self.terms, rows) @ self.effects - self.offset
        room = _LOG_ROOM if self.log else LARGEST
        return np.asarray(np.clip(found, -room, room))

    def remove(self, series: Observed) -> Observed:
        """``series`` without the effects, in the units of the data."""
        total = self.total(series)
        y = series.y * np.exp(-total) if self.log else series.y - total
        return dataclasses.replace(series, y=y)

    def ahead(self, series: Observed, steps: np.ndarray, future: np.ndarray) -> np.ndarray:
        """The effects at ``steps (H,)`` ahead of ``series``: what :meth:`restore` needs."""
        far = int(steps.max())
        return self.total(series, far, future)[len(series) + steps - 1]

    def restore(self, forecast: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """A forecast of the series without the effects, with them."""
        return forecast * np.exp(effects) if self.log else forecast + effects

    @property
    def season(self) -> float:
        """The longest season among the terms; 1 if there is none."""
        return max((term.period for term in self.terms if isinstance(term, Season)), default=1.0)

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return {
            "log": self.log,
            "terms": [term.to_config() for term in self.terms],
            "effects": self.effects.tolist(),
            "offset": self.offset,
            "centre": self.centre.tolist(),
            "width": self.width.tolist(),
            "widening": self.widening,
        }

    @classmethod
    def from_config(cls, config: Any, label: str, n_covariates: int) -> Adjustment:
        """The adjustment that :meth:`to_config` described, checked.

        Parameters
        ----------
        label : str
            Name of its series in messages.
        n_covariates : int
            Number of covariates of the series.
        """

        def numbers(name: str, size: int, low: float) -> np.ndarray:
            values = config[name]
            if not isinstance(values, list) or len(values) != size:
                raise ValueError(f"the {name} of {label} must be {size} numbers")
            return np.array([check_float(f"{name} of {label}", v, low, LARGEST) for v in values])

        terms = tuple(read_term(term, label, n_covariates) for term in config["terms"])
        return cls(
            check_bool(f"log of {label}", config["log"]),
            terms,
            numbers("effects", sum(len(term.widths) for term in terms), -LARGEST),
            check_float(f"offset of {label}", config["offset"], -LARGEST, LARGEST),
            numbers("centre", n_covariates, -LARGEST),
            numbers("width", n_covariates, SMALLEST_WIDTH),
            check_float(f"widening of {label}", config["widening"], 1.0, _WIDEST),
        )


def columns_of(terms: tuple[Term, ...], rows: Rows) -> np.ndarray:
    """The columns of all terms, side by side: (T, P)."""
    return np.concatenate([np.zeros((rows.total, 0)), *(t.columns(rows) for t in terms)], axis=1)
