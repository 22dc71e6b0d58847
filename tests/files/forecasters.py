"""Forecasters for a folder of files."""

from __future__ import annotations

from typing import Any

import numpy as np

import throughtime as tt
from throughtime.forecasting import Forecast, Forecaster

HORIZON = 4
QUICK: dict[str, Any] = {"epochs": 2, "members": 1, "hidden_size": 3, "window": 8}


def wave(steps: int = 72, seed: int = 0, period: int = 6) -> np.ndarray:
    """A season, a drift and noise."""
    t = np.arange(steps)
    noise = np.random.default_rng(seed).normal(0, 0.5, steps)
    return 20.0 + 0.1 * t + 4.0 * np.sin(2 * np.pi * t / period) + noise


def forecasters() -> dict[str, tuple[Forecaster, dict[str, np.ndarray]]]:
    """Fitted forecasters, each with the covariates of the steps ahead, by series."""
    y, rng = wave(), np.random.default_rng(5)
    gaps = y.copy()
    gaps[[3, 40, 41]] = np.nan
    X = rng.normal(size=(len(y) + HORIZON, 2))
    driven = 5.0 + np.tanh(2.0 * X[: len(y), 0])
    known, ahead = X[: len(y)], {"": X[len(y) :]}
    both = {"north": driven, "south": 10.0 * driven + 0.1 * y}
    days = np.datetime64("2024-01-01") + np.arange(len(y))
    series = tt.data.Series.from_arrays(y, days, name="sales")

    def make(**options: Any) -> Forecaster:
        return Forecaster(HORIZON, **{**QUICK, **options})

    learned = {"epochs": 30, "hidden_size": 6, "lr": 0.03, "season": None}
    found: dict[str, tuple[Forecaster, dict[str, np.ndarray]]] = {
        "network": (make(**learned).fit(driven, known), ahead),
        "smoothing": (make(network="never", season=6).fit(y), {}),
        "season": (make(season=6, transform="none").fit(y), {}),
        "season-fraction": (make(season=6.5, coverages=(0.5,)).fit(y), {}),
        "no-season": (make(season=None, nonnegative=True).fit(y), {}),
        "logarithm": (make(transform="log", frequency="MS", season=6).fit(np.exp(0.1 * y)), {}),
        "gaps": (make(season=6).fit(gaps), {}),
        "times": (make(season=7).fit(series), {}),
        "past-covariates": (make(future_covariates=False, season=6).fit(y, known), {}),
        "list": (make(season=6).fit([y, y[5:]]), {}),
        "dict": (
            make(**learned, members=2).fit(both, dict.fromkeys(both, known)),
            dict.fromkeys(both, X[len(y) :]),
        ),
        "updated": (make(season=6).fit(y[:-6]).update(y[-6:]), {}),
    }
    for cell in ("rnn", "gru", "lstm"):
        found[f"cell-{cell}"] = make(**learned, cell=cell, num_layers=2).fit(driven, known), ahead
    for model, _ in found.values():
        model.metadata["made"] = "for the folder of old files"
    return found


def forecasts(model: Forecaster, ahead: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the forecaster answers, as arrays; ``ahead`` holds covariates by series."""
    found = model.predict(X_future=ahead.get("", ahead or None))
    if isinstance(found, Forecast):
        found = {"": found}
    named = found.items() if isinstance(found, dict) else enumerate(found)
    arrays = {
        "notes": np.array([str(note) for note in model.notes_], dtype=np.str_),
        "weight": np.array(model.weight_),
        "window": np.array(model.window_),
    }
    for name, forecast in named:
        arrays |= {f"{name}.{key}": value for key, value in columns(forecast).items()}
    return arrays


def columns(forecast: Forecast) -> dict[str, np.ndarray]:
    """Everything of a forecast that is a number or a time."""
    found = {"anchor": forecast.anchor, "index": forecast.index, **forecast.to_columns()}
    return found if forecast.times is None else found | {"times": forecast.times}
