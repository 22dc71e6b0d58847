"""What the base networks read: it has no unit, and nothing after the origin is in it."""

import numpy as np
import pytest

from throughtime.forecasting.averaging import average, compare
from throughtime.forecasting.outlook import AHEAD, N_INPUTS, PAST, Outlook, look

RNG = np.random.default_rng


def monthly(total: int = 60, seed: int = 0) -> np.ndarray:
    t = np.arange(total)
    return 50.0 + 0.2 * t + 5.0 * np.sin(2 * np.pi * t / 12) + RNG(seed).normal(0.0, 1.0, total)


def outlook(y: np.ndarray, horizon: int = 18, season: float = 12.0) -> Outlook:
    blocks = compare(y, horizon, (1.0, season) if season > 1 else (1.0,), (False, True))
    found = look(y, horizon, season, blocks, average(blocks))
    assert found is not None
    return found


def test_shapes_and_bounds() -> None:
    found = outlook(monthly())
    assert found.inputs.shape == (PAST + AHEAD, N_INPUTS)
    assert found.inputs.dtype == np.float32
    assert np.isfinite(found.inputs).all()
    assert np.abs(found.inputs).max() <= 10.0
    assert found.anchor.shape == (18,)
    assert found.unit > 0.0


def test_units_do_not_matter() -> None:
    y = monthly()
    one, two = outlook(y), outlook(1000.0 * y)
    np.testing.assert_allclose(two.inputs, one.inputs, atol=1e-4)
    np.testing.assert_allclose(two.unit, 1000.0 * one.unit, rtol=1e-9)
    np.testing.assert_allclose(two.anchor, 1000.0 * one.anchor, rtol=1e-9)


def test_past_and_future_stand_at_their_steps() -> None:
    y = monthly()
    found = outlook(y, horizon=6)
    last, before = (y[-1] - y[-1]) / found.unit, (y[-2] - y[-1]) / found.unit
    np.testing.assert_allclose(found.inputs[PAST - 2 : PAST, 0], [before, last], rtol=1e-6)
    year = np.clip((y[-1] - y[-13]) / found.unit, -10.0, 10.0)
    np.testing.assert_allclose(found.inputs[PAST - 1, 1], year, rtol=1e-6)
    # Nothing stands beyond the horizon but what is known of the whole series.
    facts = found.inputs[0, -(15 + 2 * 20) :]
    np.testing.assert_array_equal(found.inputs[PAST + 6 :, : -len(facts)], 0.0)
    np.testing.assert_array_equal(found.inputs[:, -len(facts) :], np.tile(facts, (48, 1)))
    # Persistence, the first of the naive methods, as far from the average as it is.
    naive = np.clip((y[-1] - found.anchor) / found.unit, -8.0, 8.0)
    np.testing.assert_allclose(found.inputs[PAST : PAST + 6, 24], naive, rtol=1e-5)


def test_weights_of_the_groups_sum_to_one() -> None:
    weights = outlook(monthly()).inputs[0, -40:-20]
    assert weights.min() >= 0.0
    assert weights.sum() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("total", [3, 5, 9, 30])
def test_short_series_and_gaps(total: int) -> None:
    y = RNG(total).normal(10.0, 1.0, total)
    found = outlook(y, horizon=30, season=1.0)
    assert np.isfinite(found.inputs).all()
    assert (found.inputs[: max(PAST - total + 1, 0), 3] == 0.0).all()
    y = monthly(40)
    y[[5, 20, 38]] = np.nan
    found = outlook(y)
    assert np.isfinite(found.inputs).all()
    assert found.inputs[PAST - 2, 3] == 0.0


def test_nothing_to_correct_has_no_outlook() -> None:
    for y in (np.full(30, 7.0), np.arange(30.0)):
        blocks = compare(y, 6, (1.0,), (False,))
        assert look(y, 6, 1.0, blocks, average(blocks)) is None
