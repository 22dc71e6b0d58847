"""What a forecaster returns: :class:`Forecast`, :class:`BacktestReport`, :class:`Progress`.

These are plain dataclasses of NumPy arrays, so a command line, a report page or a notebook can
print them without knowing how they were made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from throughtime.data.series import format_times
from throughtime.errors import InvalidArgumentError, describe, sentence
from throughtime.messages import html


class Stage(StrEnum):
    """What a forecaster is doing."""

    #: Training of a network, with early stopping on the validation block.
    TRAINING = "training"
    #: Training once more, on all data, for as many epochs as were best.
    TRAINING_ON_ALL_DATA = "training on all data"


@dataclass(frozen=True)
class Progress:
    """One step of the work; a forecaster passes it to its ``progress`` function.

    Attributes
    ----------
    stage : Stage
        What is being done.
    done, total : int
        Epochs that have ended in this stage, and the largest number that it may have.
    loss, val_loss : float or None
        Training and validation loss of the epoch that just ended.
    member, members : int
        Number of the network that is being trained, from 1, and number of networks.
    backtest : bool
        Whether this belongs to a backtest.

    Examples
    --------
    >>> print(Progress(Stage.TRAINING, 3, 40, member=1, members=2, backtest=True))
    backtest: training network 1 of 2
    """

    stage: Stage
    done: int
    total: int
    loss: float | None = None
    val_loss: float | None = None
    member: int = 1
    members: int = 1
    backtest: bool = False

    def __str__(self) -> str:
        network = f"network {self.member} of {self.members}"
        on_all = self.stage is Stage.TRAINING_ON_ALL_DATA
        words = f"{network} on all data" if on_all else f"training {network}"
        return f"backtest: {words}" if self.backtest else words


@dataclass(frozen=True)
class Forecast:
    """The forecast of one series.

    Attributes
    ----------
    steps : ndarray of int, of shape (H,)
        Steps ahead of the last observation; 1 is the first value after the history.
    mean : ndarray of float64, of shape (H,)
        The point forecast, in the units of the data.
    intervals : dict of float to (ndarray, ndarray)
        Coverage, for example 0.8, to the lower and upper bound, each of shape (H,).
    anchor : ndarray of float64, of shape (H,)
        The exponential smoothing forecast to which networks added their correction; for "croston"
        the forecast itself.
    origin : int
        Number of time steps of the history. The forecast for ``steps[i]`` belongs to position
        ``origin + steps[i] - 1`` of the series.
    series : str or int or None
        Name of the series if several were fitted.
    notes : tuple of str
        Sentences on what the reader should know (a constant history, gaps ...).
    times : ndarray of shape (H,), or None
        Times of the steps, as datetime64 or numbers; None if the history has no times.
    method : str
        What made the forecast: ``"network"`` (exponential smoothing that networks correct),
        ``"smoothing"``, ``"croston"`` (the mean of demand that is mostly zero),
        ``"persistence"``, ``"seasonal naive"`` or ``"drift"``; empty in pickles of 0.2 and before.
    """

    steps: np.ndarray
    mean: np.ndarray
    intervals: dict[float, tuple[np.ndarray, np.ndarray]]
    anchor: np.ndarray
    origin: int
    series: str | int | None = None
    notes: tuple[str, ...] = ()
    times: np.ndarray | None = None
    method: str = ""

    def __repr__(self) -> str:
        name = "" if self.series is None else f" of {self.series!r}"
        by = f" by {self.method}" if self.method else ""
        shown = f"<Forecast{name}{by}: {len(self.steps)} steps after {self.origin}, mean"
        ends = [f"{value:.6g}" for value in self.mean[[0, -1]]] if len(self.mean) else []
        coverages = ", ".join(f"{100 * c:g} %" for c in self.intervals)
        return f"{shown} {' ... '.join(ends)}{', intervals ' if coverages else ''}{coverages}>"

    def _repr_html_(self) -> str:
        columns = self.to_columns()
        times = [] if self.times is None else [format_times(self.times)]
        texts = [[_shown(value) for value in column.tolist()] for column in columns.values()]
        head = ["time"] * len(times) + list(columns)
        title = "Forecast" if self.series is None else f"Forecast of {self.series}"
        rows = zip(*times, *texts, strict=True)
        return html.table(head, rows, title=title, note=" ".join(self.notes))

    @property
    def index(self) -> np.ndarray:
        """Positions in the series, counted from 0, that the rows belong to."""
        return self.origin + self.steps - 1

    def lower(self, coverage: float) -> np.ndarray:
        """Lower bound of the interval with this coverage, of shape (H,)."""
        return self._interval(coverage)[0]

    def upper(self, coverage: float) -> np.ndarray:
        """Upper bound of the interval with this coverage, of shape (H,)."""
        return self._interval(coverage)[1]

    def _interval(self, coverage: float) -> tuple[np.ndarray, np.ndarray]:
        if not isinstance(coverage, Real) or coverage not in self.intervals:
            have = ", ".join(f"{c:g}" for c in self.intervals) or "none"
            expected = f"one of those that the forecast has ({have})"
            hint = "For another one, call predict_interval."
            raise InvalidArgumentError(sentence("coverage", expected, describe(coverage), hint))
        return self.intervals[coverage]

    def to_columns(self) -> dict[str, np.ndarray]:
        """Columns of equal length, ready for a table.

        ``step``, ``mean``, then ``lower_80``, ``upper_80`` ... for every coverage, and, if it is
        known, ``method``, the same in every row.
        """
        columns = {"step": self.steps, "mean": self.mean}
        for coverage, (low, high) in self.intervals.items():
            columns[f"lower_{100 * coverage:g}"] = low
            columns[f"upper_{100 * coverage:g}"] = high
        if self.method:
            columns["method"] = np.full(len(self.steps), self.method)
        return columns


def _shown(value: Any) -> str:
    """A cell of a table in a notebook."""
    return value if isinstance(value, str) else f"{value:.6g}"


@dataclass(frozen=True)
class Score:
    """The error of one method on a hold-out.

    Attributes
    ----------
    method : str
        ``"forecast"``, ``"persistence"``, ``"seasonal naive"``, ``"drift"`` or
        ``"smoothing alone"``.
    mae, rmse : float
        Mean absolute and root mean squared error, in the units of the data.
    smape : float
        ``mean(2 |f - y| / (|f| + |y|))``, from 0 to 2; a pair of zeros counts as 0.
    mase : float
        MAE divided by the mean absolute seasonal difference of the history before the
        hold-out; NaN if that is zero. Averaged over series. Hyndman and Koehler (2006).
    coverage : dict of float to float
        Measured share of the values inside each interval, by its nominal coverage; empty for the
        naive methods.
    rmsse : float
        RMSE divided by the root mean squared one-step difference of the history before the
        hold-out; NaN if that is zero. Averaged over series. The mean of demand that is mostly zero
        has the smallest RMSSE, and zero the smallest MAE; (I9).
    pinball : float
        The loss of the ends of all intervals as quantiles, divided by the mean absolute one-step
        difference of the history. Averaged over series. NaN where a method has no intervals; the
        naive ones have them where demand is mostly zero.
    """

    method: str
    mae: float
    rmse: float
    smape: float
    mase: float
    coverage: dict[float, float] = field(default_factory=dict)
    rmsse: float = float("nan")
    pinball: float = float("nan")


@dataclass(frozen=True)
class Fold:
    """The forecasts of a backtest from one origin of one series.

    Attributes
    ----------
    series : str or int or None
        Name of the series.
    origin : int
        Number of time steps that were known.
    actual : ndarray of shape (H,)
        The actual values; NaN where one is missing, and such steps are not scored.
    forecast : Forecast
        The forecast made at ``origin``.
    naive : dict of str to ndarray of shape (H,)
        The forecasts of the naive methods, by name.
    mase_scale : float
        Divisor of MASE.
    rmsse_scale, pinball_scale : float
        Divisors of RMSSE and of the pinball loss.
    mostly_zero : bool
        Whether the history is demand that is mostly zero.
    naive_intervals : dict of str to dict, or None
        Intervals of the naive methods, by name, as those of a forecast; None unless at least half
        of the series are mostly zero.
    """

    series: str | int | None
    origin: int
    actual: np.ndarray
    forecast: Forecast
    naive: dict[str, np.ndarray]
    mase_scale: float
    rmsse_scale: float = float("nan")
    pinball_scale: float = float("nan")
    mostly_zero: bool = False
    naive_intervals: dict[str, dict[float, tuple[np.ndarray, np.ndarray]]] | None = None


@dataclass(frozen=True)
class BacktestReport:
    """Errors on data that the model has not seen, compared with those of naive methods.

    Attributes
    ----------
    scores : tuple of Score
        Scores of the forecast, then of persistence, seasonal naive (only if there is a season),
        drift, and smoothing alone (the anchor of the forecast, without networks).
    beats : dict of str to bool
        Whether the forecast is better than each naive method. One series is judged by MAE and
        RMSE; several, whose units may differ, by MASE. Where demand is mostly zero, RMSSE and the
        pinball loss judge.
    verdict : tuple of str
        A sentence for each naive method, also if it is not beaten, and one on series that are too
        short to be scored, if there are any.
    folds : tuple of Fold
        All single forecasts, for plots.
    season : int
        The season of seasonal naive and of MASE; 1 is none.
    horizon : int
        Steps of each forecast.
    refitted : bool
        Whether the model was fitted anew at every origin.
    delivered : str
        A sentence on which forecast was chosen before the hold-out, and why; also the last of the
        verdict on the methods.
    """

    scores: tuple[Score, ...]
    beats: dict[str, bool]
    verdict: tuple[str, ...]
    folds: tuple[Fold, ...]
    season: int
    horizon: int
    refitted: bool = False
    delivered: str = ""

    @property
    def mostly_zero(self) -> bool:
        """Whether at least half of the forecasts are of demand that is mostly zero."""
        return bool(self.folds) and 2 * sum(f.mostly_zero for f in self.folds) >= len(self.folds)

    @property
    def origins(self) -> tuple[int, ...]:
        """Steps of the hold-out that were known at each origin, in order."""
        return tuple(sorted({self.shift(fold) for fold in self.folds}))

    def shift(self, fold: Fold) -> int:
        """How many steps after the first origin of its series a fold begins."""
        return fold.origin - self._first[fold.series]

    @cached_property
    def _first(self) -> dict[str | int | None, int]:
        """The first origin of each series."""
        found: dict[str | int | None, int] = {}
        for fold in self.folds:
            found[fold.series] = min(fold.origin, found.get(fold.series, fold.origin))
        return found

    def __getitem__(self, method: str) -> Score:
        """The score of ``method``."""
        for score in self.scores:
            if score.method == method:
                return score
        known = ", ".join(repr(s.method) for s in self.scores)
        raise KeyError(f"no method {method!r} in this report; there are {known}")

    def to_dict(self) -> dict[str, Any]:
        """Scores and verdict as JSON-ready values, without the folds."""
        return {
            "horizon": self.horizon,
            "season": self.season,
            "n_forecasts": len(self.folds),
            "scores": [
                {
                    "method": s.method,
                    "mae": s.mae,
                    "rmse": s.rmse,
                    "smape": s.smape,
                    "mase": s.mase if np.isfinite(s.mase) else None,
                    "rmsse": s.rmsse if np.isfinite(s.rmsse) else None,
                    "pinball": s.pinball if np.isfinite(s.pinball) else None,
                    "coverage": {f"{nominal:g}": share for nominal, share in s.coverage.items()},
                }
                for s in self.scores
            ],
            "beats": dict(self.beats),
            "made_by": dict(Counter(fold.forecast.method for fold in self.folds)),
            "verdict": list(self.verdict),
        }

    def __str__(self) -> str:
        head, *rows = self._cells()
        lines = [
            f"{method:<16}"
            + "".join(f"{cell:>{12 if i < 2 else 9}}" for i, cell in enumerate(cells))
            for method, *cells in (head, *rows)
        ]
        return "\n".join([*lines, *self._remarks()])

    def _repr_html_(self) -> str:
        head, *rows = self._cells()
        return html.table(head, rows, note=" ".join(self._remarks()))

    def _cells(self) -> list[list[str]]:
        """The table of errors: its head, and a row for each method."""
        rows = [["method", "MAE", "RMSE", "sMAPE", "MASE"]]
        for s in self.scores:
            smape = f"{100 * s.smape:.2f} %"
            rows.append([s.method, f"{s.mae:.5g}", f"{s.rmse:.5g}", smape, f"{s.mase:.3f}"])
        if self.mostly_zero:
            rows[0] += ["RMSSE", "pinball"]
            for row, s in zip(rows[1:], self.scores, strict=True):
                row += [f"{s.rmsse:.3f}", f"{s.pinball:.3f}"]
        return rows

    def _remarks(self) -> list[str]:
        """Sentences below the errors."""
        held = [
            f"{100 * nominal:g} % intervals held {100 * share:.1f} % of the values."
            for nominal, share in self.scores[0].coverage.items()
        ]
        return [*held, *self.verdict]
