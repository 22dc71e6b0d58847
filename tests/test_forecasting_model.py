"""Origins that are learned from, and what a fitted model does with histories of every kind."""

from typing import Any

import numpy as np

from throughtime.forecasting import Forecaster
from throughtime.forecasting.inputs import History
from throughtime.forecasting.model import anchor_errors, first_origin
from throughtime.forecasting.smoothing import Smoothing

QUICK: dict[str, Any] = {"epochs": 3, "members": 1, "hidden_size": 8}
RNG = np.random.default_rng


def test_nothing_is_learned_inside_the_cycles_that_a_season_is_read_off() -> None:
    season = Smoothing(period=12.0, alpha=0.1, gamma=0.05)
    assert [first_origin(season, cutoff) for cutoff in (10, 24, 90)] == [24, 24, 24]
    assert [first_origin(Smoothing(), cutoff) for cutoff in (1, 5, 90)] == [1, 4, 8]
    y = RNG(0).normal(size=36)
    assert len(anchor_errors(History.from_values(y, season), 6)) == 12


def test_errors_after_a_pattern_was_read_off_are_as_large_as_later_ones() -> None:
    season = Smoothing(period=12.0, alpha=0.05, gamma=0.05)
    errors = [
        anchor_errors(History.from_values(RNG(seed).normal(size=40), season), 1)
        for seed in range(60)
    ]
    size = np.abs(np.concatenate([e[:8] for e in errors])).mean()
    later = np.abs(np.concatenate([e[-8:] for e in errors])).mean()
    # Inside the first two cycles, where origins were once, it is a third less.
    assert size > 0.9 * later


def test_two_cycles_and_little_more_leave_nothing_to_learn_from() -> None:
    t = np.arange(30)
    y = 10.0 + 3.0 * np.sin(2 * np.pi * t / 12) + RNG(0).normal(0, 0.2, 30)
    model = Forecaster(6, season=12, **QUICK).fit(y)
    assert model.weight_ == 0.0
    assert model.notes_ == (
        "Too few values are left to learn from, so the forecast is exponential smoothing.",
    )
    truth = 10.0 + 3.0 * np.sin(2 * np.pi * np.arange(30, 36) / 12)
    np.testing.assert_allclose(model.predict().mean, truth, atol=1.0)
    assert (np.diff(model.predict().intervals[0.8], axis=0) > 0.4).all()
