"""Seasons, given by name or found in data."""

import re

import numpy as np
import pytest

from throughtime.errors import InvalidArgumentError
from throughtime.forecasting import Forecaster
from throughtime.forecasting.seasonality import autocorrelation, check_season, cycles, detect


@pytest.mark.parametrize(
    ("word", "periods"),
    [
        ("h", (24.0, 168.0, 8766.0)),
        ("H", (24.0, 168.0, 8766.0)),
        ("2h", (12.0, 84.0, 4383.0)),
        ("30min", (48.0, 336.0, 17532.0)),
        ("15T", (96.0, 672.0, 35064.0)),
        ("min", (1440.0, 10080.0, 525960.0)),
        ("D", (7.0, 365.25)),
        ("B", (5.0, 365.25 * 5.0 / 7.0)),
        ("W-SUN", (365.25 / 7,)),
        ("MS", (12.0,)),
        ("ME", (12.0,)),
        ("BME", (12.0,)),
        ("M", (12.0,)),
        ("3MS", (4.0,)),
        ("QS-OCT", (4.0,)),
        ("QE", (4.0,)),
        ("YE-DEC", ()),
        ("10YS", ()),
        ("ms", ()),
        ("us", ()),
    ],
)
def test_cycles(word: str, periods: tuple[float, ...]) -> None:
    assert cycles(word) == periods


@pytest.mark.parametrize("word", ["", "weekly", "W W", "-3", "w"])
def test_words_that_are_none(word: str) -> None:
    message = (
        "frequency must be a word like 'h', 'D', 'W', 'MS', 'QE', 'YE' or '15min';"
        f" got {word!r}. Omit it to find the season from the data."
    )
    with pytest.raises(InvalidArgumentError, match=f"^{re.escape(message)}$"):
        cycles(word)


def test_season_by_the_user() -> None:
    assert check_season("auto") is None
    assert check_season(None) == ()
    assert check_season(1) == ()
    assert check_season(52.18) == (52.18,)
    assert check_season([24, 168]) == (24.0, 168.0)
    assert check_season([168, 24, 24.0]) == (168.0, 24.0)
    with pytest.raises(
        InvalidArgumentError, match=r"^season must be 1 \(none\) or at least 2; got 1.5.$"
    ):
        check_season(1.5)


@pytest.mark.parametrize("period", [2, 4, 7, 12, 24, 52])
def test_detects_a_season_in_noise_and_trend(period: int) -> None:
    rng = np.random.default_rng(period)
    t = np.arange(max(8 * period, 60))
    pattern = rng.normal(size=period) * 2.0
    y = 0.1 * t + (pattern - pattern.mean())[t % period] + rng.normal(0, 0.3, len(t))
    y[::11] = np.nan
    found = detect(y)
    assert found == period


def test_no_season_in_noise_and_random_walks() -> None:
    rng = np.random.default_rng(0)
    noise = [detect(rng.normal(size=120)) for _ in range(100)]
    walks = [detect(rng.normal(size=120).cumsum()) for _ in range(100)]
    assert sum(found is not None for found in noise) <= 2
    assert sum(found is not None for found in walks) <= 2


def test_no_season_in_a_cycle_that_loses_step() -> None:
    rng = np.random.default_rng(1)
    phase = np.cumsum(2 * np.pi / 11 + rng.normal(0, 0.25, 400))
    assert detect(10 * np.sin(phase)) is None


def test_too_short_and_constant_series_have_none() -> None:
    assert detect(np.arange(11.0)) is None
    assert detect(np.full(100, 3.0)) is None
    assert detect(np.arange(100.0)) is None


def test_autocorrelation_of_a_cycle_is_one_at_its_period() -> None:
    found = autocorrelation(np.tile([1.0, 0.0, -1.0, 0.0], 30))
    np.testing.assert_allclose(found[[0, 4, 8, 40]], 1.0, atol=0.02)
    np.testing.assert_allclose(found[[2, 6]], -1.0, atol=0.03)


def test_a_smooth_cycle_is_found_under_noise_that_hides_its_steps() -> None:
    t = np.arange(1000)
    for period in (24, 60):
        wave = 3.0 * np.sin(2 * np.pi * t / period)
        noisy = [wave + np.random.default_rng(seed).normal(0, 0.6, 1000) for seed in range(8)]
        assert [detect(y) for y in noisy] == [period] * 8


def test_a_frequency_without_cycles_leaves_it_to_the_data() -> None:
    t = np.arange(200)
    y = 10.0 + 3.0 * np.sin(2 * np.pi * t / 9) + np.random.default_rng(0).normal(0, 0.3, 200)
    for frequency in ("min", "YE"):
        model = Forecaster(9, frequency=frequency, epochs=1, members=1, hidden_size=4).fit(y)
        assert model.season_ == 9.0
