"""Single series that the documentation shows, each by its own backtest; and covariates.

The covariates are drawn: sales = 100 + 60 promotion + 2 temperature + noise of 3. Least squares on
the days before the hold-out knows the equation; a forecast that knows only the two columns should
come near it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.forecasting.classics import read
from benchmarks.tables import table

#: Name, recipe, frequency, and steps of the hold-out.
CASES = (
    ("CO2", "throughtime/co2", "W", 104),
    ("airline passengers", "datasets/AirPassengers", "MS", 24),
    ("sunspots", "statsmodels/sunspots/SUNACTIVITY", "YS", 11),
    ("El Nino", "statsmodels/elnino/JAN..DEC", "MS", 12),
    ("Seattle, 30 days", "throughtime/seattle_temperature", "D", 30),
    ("Seattle, 180 days", "throughtime/seattle_temperature", "D", 180),
    ("Seattle, 365 days", "throughtime/seattle_temperature", "D", 365),
)
#: The most that MAE may be of that of least squares.
MOST = 1.5
_DAYS, _HOLDOUT, _SEEDS = 286, 14, 3
_SMOOTHING = "smoothing alone"


@dataclass(frozen=True)
class Case:
    """A backtest: MAE by method, and the share of the network's correction."""

    name: str
    mae: dict[str, float]
    weight: float


def sales(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Daily sales (T,), and promotion and temperature (T, 2)."""
    rng = np.random.default_rng(seed)
    days = np.arange(_DAYS)
    temperature = 15.0 - 10.0 * np.cos(2.0 * np.pi * (days + 60) / 365.25)
    temperature += rng.normal(0.0, 2.0, _DAYS)
    promotion = (rng.random(_DAYS) < 0.13).astype(float)
    promotion[-_HOLDOUT + 3] = 1.0  # a hold-out without a promotion would ask nothing
    covariates = np.column_stack([promotion, temperature])
    return 100.0 + covariates @ [60.0, 2.0] + rng.normal(0.0, 3.0, _DAYS), covariates


def least_squares(y: np.ndarray, covariates: np.ndarray, origin: int) -> float:
    """MAE after ``origin`` of a regression on the values before it."""
    rows = np.column_stack([np.ones(len(y)), covariates])
    found = np.linalg.lstsq(rows[:origin], y[:origin], rcond=None)[0]
    return float(np.mean(np.abs(y[origin:] - rows[origin:] @ found)))


def measure(*, quick: bool) -> list[Case]:
    """The backtests; ``quick`` makes the first and one with covariates."""
    from throughtime.forecasting import Forecaster

    found = []
    for name, recipe, frequency, horizon in CASES[:1] if quick else CASES:
        model = Forecaster(horizon, frequency=frequency)
        report = model.backtest(read(recipe, frequency))
        found.append(Case(name, {one.method: one.mae for one in report.scores}, model.weight_))
    for seed in range(1 if quick else _SEEDS):
        y, covariates = sales(seed)
        model = Forecaster(_HOLDOUT, frequency="D")
        report = model.backtest(y, covariates)
        mae = {one.method: one.mae for one in report.scores}
        mae["least squares"] = least_squares(y, covariates, _DAYS - _HOLDOUT)
        found.append(Case(f"sales with covariates, {seed}", mae, model.weight_))
    return found


def markdown(cases: list[Case]) -> str:
    """The report on the showcases."""
    methods = list(dict.fromkeys(method for case in cases for method in case.mae))
    lines = []
    for case in cases:
        mine = case.mae["forecast"]
        if "least squares" in case.mae:
            good = mine <= MOST * case.mae["least squares"]
        else:
            naive = [case.mae[one] for one in case.mae if one not in ("forecast", _SMOOTHING)]
            good = mine < min(naive)
        shown = [f"{case.mae[one]:.4g}" if one in case.mae else "" for one in methods]
        lines.append([case.name, *shown, f"{case.weight:.2f}", "yes" if good else "**no**"])
    header = ["hold-out", *(f"MAE, {one}" for one in methods), "weight of the network", "reached"]
    text = f"Reached: every naive method is beaten; MAE is at most {MOST} of least squares."
    return "\n".join(["# Showcases", *table(header, lines), text]) + "\n"
