"""Windows that are drawn anew for every epoch."""

import numpy as np
import pytest

from throughtime.forecasting.averaging import Average
from throughtime.forecasting.horizon import step_weights
from throughtime.forecasting.inputs import PreparedSeries, cut
from throughtime.forecasting.sampling import Sampler, step_budget
from throughtime.forecasting.smoothing import Smoothing

WINDOW, HORIZON = 6, 3
ANCHOR = Average.of(Smoothing(alpha=0.4))


def history(steps: int = 40, seed: int = 0, static: float | None = None) -> PreparedSeries:
    y = np.random.default_rng(seed).normal(10.0, 1.0, steps)
    own = None if static is None else np.array([static])
    return PreparedSeries.from_values(y, ANCHOR, static=own)


def sampler(series: list[PreparedSeries], end: int | None = None) -> Sampler:
    ends = [len(s.z) if end is None else end for s in series]
    return Sampler(series, [8] * len(series), ends, WINDOW, HORIZON, True)


def who(found: dict[str, np.ndarray]) -> np.ndarray:
    """The series that each window is from, which its static number says."""
    return found["x"][:, 0, -1].astype(int)


def test_few_windows_are_all_drawn_in_every_epoch() -> None:
    one = history()
    found = sampler([one])
    assert found.complete
    block = cut(one, np.arange(8, 40), WINDOW, HORIZON)
    for epoch in (1, 2):
        drawn = found.draw(0, epoch)
        np.testing.assert_array_equal(drawn["x"], block.x)
        np.testing.assert_array_equal(drawn["y"][:, WINDOW:, 0], block.target)
        np.testing.assert_array_equal(drawn["y"][:, :WINDOW], 0.0)
        np.testing.assert_array_equal(drawn["sample_weight"][:, :WINDOW], 0.0)
        expected = block.known * step_weights(HORIZON)
        np.testing.assert_array_equal(drawn["sample_weight"][:, WINDOW:], expected)


def test_nothing_is_learned_from_the_end_on() -> None:
    drawn = sampler([history()], end=20).draw(0, 1)
    weight = drawn["sample_weight"][:, WINDOW:]
    assert len(weight) == 12  # the origins 8 to 19
    # The last origin knows 19 values: of its steps 20, 21, 22 only the first is before the end.
    np.testing.assert_array_equal(weight > 0, np.arange(8, 20)[:, None] + np.arange(3) < 20)


def test_epochs_differ_and_repeat_for_the_same_seed() -> None:
    found = sampler([history(20_000)])
    assert not found.complete
    assert len(found) == step_budget(1) // (WINDOW + HORIZON)
    one = found.draw(3, 1)["x"].copy()
    two = found.draw(3, 2)["x"].copy()
    other = found.draw(4, 1)["x"].copy()
    assert one.shape == two.shape
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(found.draw(3, 1)["x"], one)


def test_memory_does_not_grow_with_the_epochs() -> None:
    found = sampler([history(20_000)])
    first, second = found.draw(0, 1), found.draw(0, 2)
    for name, array in first.items():
        assert np.shares_memory(array, second[name])


def test_the_windows_of_many_epochs_are_spread_over_the_whole_series() -> None:
    found = sampler([history(20_000, static=0.0)])
    origins = np.concatenate([found._draw_origins(0, epoch)[0][1] for epoch in range(1, 9)])
    share = np.histogram(origins, bins=4, range=(8, 20_000))[0] / len(origins)
    np.testing.assert_allclose(share, 0.25, atol=0.02)


def test_series_take_turns() -> None:
    many = [history(60, seed=i, static=float(i)) for i in range(300)]
    found = sampler(many)
    assert not found.complete
    seen = [set(who(found.draw(0, epoch)).tolist()) for epoch in (1, 2, 3)]
    assert [len(s) for s in seen] == [128, 128, 128]
    assert set().union(*seen) == set(range(300))
    assert not seen[0] & seen[1]


def test_each_series_gives_as_many_windows_if_it_has_them() -> None:
    lengths = [12, 500, 9_000, 9_000, 9_000, 9_000]
    series = [history(n, seed=i, static=float(i)) for i, n in enumerate(lengths)]
    found = sampler(series)
    count = np.bincount(who(found.draw(0, 1)))
    assert count[0] == 4
    assert count[1] == 492
    assert len(set(count[2:].tolist())) == 1
    # What the short ones leave goes to the others.
    assert len(found) - 4 < count.sum() <= len(found)


def test_an_epoch_is_larger_where_series_are_many() -> None:
    assert step_budget(1) == 60_000
    assert step_budget(11) == 140_000
    assert step_budget(1000) == 400_000


def test_origins_without_a_target_or_a_unit_are_not_drawn() -> None:
    y = np.full(40, np.nan)
    y[[0, 1, 2, 3, 20, 21]] = [5.0, 5.0, 5.0, 5.0, 6.0, 5.0]
    gaps = PreparedSeries.from_values(y, ANCHOR)
    origins = Sampler([gaps], [1], [40], WINDOW, HORIZON, True)._draw_origins(0, 1)[0][1]
    # Nothing moves before the value 6 of step 20; from origin 21 on only step 21 is a target.
    np.testing.assert_array_equal(origins, [21])
    nothing = PreparedSeries.from_values(np.full(40, 5.0), ANCHOR)
    assert len(sampler([nothing])) == 0
    both = sampler([history(), nothing])
    assert len(both.draw(0, 1)["x"]) == 32


@pytest.mark.parametrize("epoch", [1, 2, 17])
def test_every_epoch_has_something_to_learn_from(epoch: int) -> None:
    y = np.full(5_000, np.nan)
    y[::900] = np.arange(6.0)
    found = sampler([PreparedSeries.from_values(y, ANCHOR)])
    assert (found.draw(0, epoch)["sample_weight"].sum(axis=1) > 0).all()
