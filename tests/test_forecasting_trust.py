"""The weight of a correction, on gains with a known answer."""

import numpy as np
import pytest

from throughtime.forecasting.horizon import step_weights
from throughtime.forecasting.trust import Blocks, certainty, student_quantile, weigh


def blocks(series: int, paths: int, horizon: int) -> Blocks:
    """Blocks of ``paths`` stretches, with windows that begin where the last one ended."""
    left = np.tile(horizon * np.arange(paths, 0, -1), series)
    return Blocks(np.repeat(np.arange(series), paths), left, np.full(series, paths * horizon))


def dense(series: int, steps: int) -> Blocks:
    """Blocks of ``steps``, with a window at every one of them."""
    left = np.tile(np.arange(steps, 0, -1), series)
    return Blocks(np.repeat(np.arange(series), steps), left, np.full(series, steps))


def gains(values: object) -> np.ndarray:
    """One mean gain for each window, at a horizon of one step."""
    return np.array(values, dtype=np.float64)[:, None]


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (10, 2.2281), (100, 1.9840), (1e7, 1.9600)],
)
def test_quantiles_as_the_tables_have_them(degrees: float, quantile: float) -> None:
    assert student_quantile(degrees) == pytest.approx(quantile, rel=2e-4)


def test_quantiles_of_other_levels() -> None:
    assert student_quantile(5, 0.9) == pytest.approx(1.4759, rel=1e-4)
    assert student_quantile(5, 0.5) == 0.0


def test_the_weight_by_hand() -> None:
    # Mean 0.5, standard deviation 1 with n - 1; t = 0.5 / (1 / sqrt(4)) = 1, and q_3 = 3.1824.
    values = 0.5 + np.sqrt(0.75) * np.array([1.0, -1.0, 1.0, -1.0])
    weight, paths = weigh(gains(values), blocks(1, 4, 1))
    assert paths == 4.0
    assert weight == pytest.approx(1.0 / 3.1824, rel=1e-4)


def test_a_clear_gain_is_trusted_whole_and_no_gain_not_at_all() -> None:
    block = blocks(1, 5, 1)
    assert weigh(gains([1.0, 1.1, 0.9, 1.0, 1.0]), block) == (1.0, 5.0)
    assert weigh(gains(np.zeros(5)), block) == (0.0, 5.0)
    assert weigh(gains([0.1, -0.1, 0.1, -0.1, -0.1]), block)[0] == 0.0


def test_two_paths_are_not_enough_however_large_the_gain() -> None:
    for paths, expected in ((1, 0.0), (2, 0.0), (3, 1.0)):
        assert weigh(gains(np.ones(paths)), blocks(1, paths, 1)) == (expected, paths)


def test_windows_that_overlap_do_not_add_paths() -> None:
    """Ten origins in ten steps, at a horizon of five, are two paths; in fifteen steps three."""
    assert weigh(np.ones((10, 5)), dense(1, 10)) == (0.0, 2.0)
    assert weigh(np.ones((14, 5)), dense(1, 14)) == (0.0, 2.0)
    assert weigh(np.ones((15, 5)), dense(1, 15)) == (1.0, 3.0)


def test_a_path_holds_its_targets_whatever_their_origin() -> None:
    """Of a block of 6 steps and a horizon of 2, each value is in one of three paths."""
    rng = np.random.default_rng(0)
    gain = np.full((6, 2), np.nan)
    value = rng.normal(0.3, 1.0, size=6)
    for origin in range(6):
        for step in range(2):
            if origin + step < 6:
                gain[origin, step] = value[origin + step]
    w = step_weights(2)
    means, sizes = [], []
    for path in ((0, 1), (2, 3), (4, 5)):
        pairs = [(value[t], w[h]) for t in path for h in range(2) if t - h >= 0]
        sizes.append(sum(b for _, b in pairs))
        means.append(sum(a * b for a, b in pairs) / sizes[-1])
    mean = np.average(means, weights=sizes)
    deviation = np.sqrt(np.average((np.array(means) - mean) ** 2, weights=sizes) * 3 / 2)
    weight, paths = weigh(gain, dense(1, 6))
    assert paths == 3.0
    assert 0.0 < weight < 1.0
    assert weight == pytest.approx(mean / (deviation / np.sqrt(3)) / 4.3027, rel=1e-4)


def test_the_rest_of_a_block_belongs_to_its_first_path() -> None:
    # Seven steps are two paths of three: the first one has four values.
    gain = np.where(np.arange(7)[:, None] + np.arange(3) < 7, 1.0, np.nan)
    assert weigh(gain, dense(1, 7))[1] == 2.0


def test_unknown_targets_do_not_count() -> None:
    values = np.array([[1.0, 9.0], [0.5, -9.0], [0.8, 9.0], [0.1, 5.0]])
    hole = np.array([[False, True]] * 4)
    block = blocks(1, 4, 2)
    expected = weigh(values[:, :1], blocks(1, 4, 1))
    assert weigh(np.where(hole, np.nan, values), block) == pytest.approx(expected)
    assert weigh(np.full((4, 2), np.nan), block) == (0.0, 0.0)


def test_series_that_move_together_are_few() -> None:
    rng = np.random.default_rng(0)
    series, steps = 20, 30
    common, own = rng.normal(size=steps), rng.normal(size=(series, steps))
    block = blocks(series, steps, 1)
    apart = weigh(gains((1.0 + own).ravel()), block)[1]
    together = weigh(gains(np.tile(1.0 + common, series)), block)[1]
    half = weigh(gains((1.0 + common + own).ravel()), block)[1]
    assert apart > 0.7 * series * steps
    assert together == pytest.approx(steps)
    # r = 1/2: 600 / (1 + 19 / 2).
    assert half == pytest.approx(600 / 10.5, rel=0.3)


def test_series_that_are_the_same_in_pairs() -> None:
    """Ten series, each twice, are ten; their correlation is 1/19 on the average."""
    own = np.random.default_rng(1).normal(size=(10, 400))
    block = blocks(20, 400, 1)
    found = weigh(gains(np.concatenate([own, own]).ravel()), block)[1]
    assert found == pytest.approx(4000, rel=0.15)


@pytest.mark.parametrize("paths", [3, 5, 20])
def test_chance_is_rarely_trusted(paths: int) -> None:
    """Without a gain the weight is 1 in 2.5 % of the cases, and above one half in 15 % at most."""
    rng = np.random.default_rng(paths)
    block = blocks(1, paths, 1)
    found = np.array([weigh(gains(rng.normal(size=paths)), block)[0] for _ in range(2000)])
    assert (found == 1.0).mean() == pytest.approx(0.025, abs=0.01)
    assert (found > 0.5).mean() < 0.18


def test_a_loss_is_as_certain_as_a_gain() -> None:
    values = 0.5 + np.sqrt(0.75) * np.array([1.0, -1.0, 1.0, -1.0])
    block = blocks(1, 4, 1)
    gain, loss = (certainty(gains(sign * values), block)[0] for sign in (1.0, -1.0))
    assert loss == -gain == pytest.approx(-1.0 / 3.1824, rel=1e-4)
    assert certainty(gains(-np.ones(4)), block) == (-1.0, 4.0)


def test_beside_base_networks_the_better_one_is_used_and_half_of_each_if_neither_is() -> None:
    block, clear = blocks(1, 5, 1), np.ones(5)
    for over_base, weight in ((clear, 1.0), (0.0 * clear, 0.5), (-clear, 0.0)):
        assert weigh(gains(clear), block, gains(over_base))[0] == weight
    # What is no better than the anchor is not used, however bad the base networks are.
    assert weigh(gains(-clear), block, gains(clear))[0] == 0.0
