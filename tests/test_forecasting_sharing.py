"""Many series on several threads: the order, errors, and the same bits."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import throughtime as tt
from throughtime.forecasting import Forecaster
from throughtime.forecasting.sharing import for_each
from throughtime.kernels import selection


@pytest.fixture
def threads():
    """A function that sets their number; it is as before after the test."""
    yield tt.set_num_threads
    tt.set_num_threads(None)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 100])
def test_results_are_in_the_order_of_the_items(count, threads) -> None:
    threads(3)
    assert for_each(lambda i: i * i, iter(range(count))) == [i * i for i in range(count)]


@pytest.mark.skipif(bool(selection.problem()), reason="threads are those of the native engine")
def test_threads_of_the_native_engine_share_the_items(threads) -> None:
    threads(2)
    both = threading.Barrier(2, timeout=60)
    # Neither thread comes past its first item alone.
    first: set[int] = set()

    def work(_: int) -> int:
        me = threading.get_ident()
        if me not in first:
            first.add(me)
            both.wait()
        return me

    assert len(set(for_each(work, range(40)))) == 2
    with tt.engine("reference"):
        assert set(for_each(lambda _: threading.get_ident(), range(40))) == {threading.get_ident()}


def test_the_first_error_is_raised(threads) -> None:
    threads(2)
    with pytest.raises(ValueError, match=r"^17$"):
        for_each(fail_from_17, range(40))


def fail_from_17(i: int) -> int:
    if i >= 17:
        raise ValueError(str(i))
    return i


def test_threads_keep_the_error_state_of_numpy(threads) -> None:
    threads(2)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        for_each(lambda i: np.ones(1) / np.zeros(1), range(40))
    with np.errstate(divide="ignore"):
        assert len(for_each(lambda i: np.ones(1) / np.zeros(1), range(40))) == 40


@pytest.mark.parametrize("use", ["smoothing", "network", "best"])
def test_forecasts_do_not_depend_on_threads(use, threads) -> None:
    """Threads share the networks, the grids of settings, and what is looked up once."""
    rng = np.random.default_rng(0)
    y = [10.0 + np.cumsum(rng.normal(size=40 + i)) for i in range(20)]
    found, used = [], set()
    for number in (1, 3):
        threads(number)
        model = Forecaster(6, use=use, season=4, epochs=2, members=1, hidden_size=4).fit(y)
        forecasts = model.predict()
        found.append([(f.mean, f.lower(0.8), f.upper(0.95)) for f in forecasts])
        used |= {f.method for f in forecasts}
    np.testing.assert_array_equal(found[0], found[1])
    assert ("network" in used) == (use != "smoothing")
