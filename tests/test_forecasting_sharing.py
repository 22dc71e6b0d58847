"""Many series on threads or workers: the order, errors, warnings, and the same bits."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidTypeError, WorkersWarning
from throughtime.forecasting import Forecaster, base_network, tune_base_model
from throughtime.forecasting.averaging import average, compare
from throughtime.forecasting.sharing import for_each, listening
from throughtime.kernels import selection


@pytest.fixture
def threads():
    """A function that sets their number; it is as before after the test."""
    yield tt.set_num_threads
    tt.set_num_threads(None)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 100])
def test_results_are_in_the_order_of_the_items(count, threads) -> None:
    threads(3)
    assert for_each(lambda i: i * i, (), iter(range(count))) == [i * i for i in range(count)]


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

    assert len(set(for_each(work, (), range(40)))) == 2
    with tt.engine("reference"):
        assert set(for_each(lambda _: threading.get_ident(), (), range(40))) == {
            threading.get_ident()
        }


def test_the_first_error_is_raised(threads) -> None:
    threads(2)
    with pytest.raises(ValueError, match=r"^17$"):
        for_each(fail_from_17, (), range(40))


def fail_from_17(i: int) -> int:
    if i >= 17:
        raise ValueError(str(i))
    return i


def test_threads_keep_the_error_state_of_numpy(threads) -> None:
    threads(2)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        for_each(lambda i: np.ones(1) / np.zeros(1), (), range(40))
    with np.errstate(divide="ignore"):
        assert len(for_each(lambda i: np.ones(1) / np.zeros(1), (), range(40))) == 40


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


@pytest.mark.skipif(bool(selection.problem()), reason="threads are those of the native engine")
def test_after_an_error_threads_do_not_finish_their_part(threads) -> None:
    threads(2)
    begun, done = threading.Event(), []

    def work(i: int) -> None:
        if i == 0:
            assert begun.wait(60)
            raise KeyboardInterrupt
        begun.set()
        time.sleep(0.2)
        done.append(i)

    with pytest.raises(KeyboardInterrupt):
        for_each(work, (), range(32))
    assert 1 <= len(done) <= 4  # of the 8 that the other thread had taken


@pytest.mark.parametrize("who", ["one thread", "threads", "processes"])
def test_a_listener_follows_the_items(who, threads, pool) -> None:
    threads(1 if who == "one thread" else 3)
    executor = pool if who == "processes" else None
    heard = []
    with listening(lambda *step: heard.append(step)):
        assert for_each(abs, (), range(40), executor, doing="smoothing") == list(range(40))
        for_each(abs, (), range(1), executor, doing="one is not worth a line")
        for_each(abs, (), range(40), executor)
    for_each(abs, (), range(40), executor, doing="nobody listens")
    assert {(doing, total) for doing, _, total in heard} == {("smoothing", 40)}
    counts = [done for _, done, _ in heard]
    assert counts == sorted(set(counts))
    assert counts[0] == 0
    assert counts[-1] == 40
    assert len(counts) >= 6


# -- workers ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pool():
    """Two processes."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        yield executor


@pytest.mark.parametrize("count", [0, 1, 2, 40, 300])
def test_results_of_workers_are_in_the_order_of_the_items(count, pool) -> None:
    assert for_each(pow, (2,), range(count), pool) == [2**i for i in range(count)]


def test_the_first_error_of_workers_is_raised(pool) -> None:
    with pytest.raises(ValueError, match=r"^17\n") as error:  # its traceback follows
        for_each(fail_from_17, (), range(40), pool)
    assert str(error.value) == "17"


def divide(i: int) -> np.ndarray:
    return np.ones(1) / np.zeros(1)


def test_workers_keep_the_error_state_of_numpy(pool) -> None:
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        for_each(divide, (), range(3), pool)
    with np.errstate(divide="ignore"):
        assert for_each(divide, (), range(3), pool) == [np.inf] * 3


def warn(i: int) -> int:
    if i % 10 == 3:
        warnings.warn(f"item {i}", RuntimeWarning, stacklevel=1)
    return i


@pytest.mark.parametrize("kind", ["processes", "threads"])
def test_warnings_of_workers_come_back_once(kind, pool) -> None:
    executor = pool if kind == "processes" else partial(ThreadPoolExecutor, 1)
    with pytest.warns(RuntimeWarning) as said:
        for_each(warn, (), range(40), executor)
    # As they come: workers may finish in any order.
    assert sorted(str(one.message) for one in said) == ["item 13", "item 23", "item 3", "item 33"]
    assert {one.filename for one in said} == {__file__}


class Killer(ProcessPoolExecutor):
    """Two processes, of which one is killed at the fifth message."""

    sent = 0

    def submit(self, *args):
        Killer.sent += 1
        if Killer.sent == 5:
            os.kill(next(iter(self._processes)), signal.SIGKILL)
        return super().submit(*args)


@pytest.mark.parametrize("use", ["smoothing", "best"])
def test_forecasts_do_not_depend_on_workers(use, pool, request) -> None:
    """Everything that a panel may hold: gaps, few values, zeros, covariates, a naive winner."""
    rng = np.random.default_rng(0)
    y = {f"s{i}": 10.0 + np.cumsum(rng.normal(size=40 + i)) for i in range(8)}
    y["few"], y["fewer"] = np.array([3.0, 4.0]), np.array([5.0])
    y["demand"] = np.where(rng.random(50) < 0.7, 0.0, rng.integers(1, 9, 50))
    y["gaps"] = np.where(rng.random(60) < 0.2, np.nan, rng.normal(10.0, 1.0, 60))
    x = {name: np.sin(np.arange(float(len(values)))) for name, values in y.items()}
    y["s3"] = y["s3"] + 5.0 * x["s3"]
    executors = [None, pool]
    if use == "best":
        Killer.sent = 0
        executors.append(partial(Killer, 2, mp_context=get_context("spawn")))
    found = []
    for executor in executors:
        model = Forecaster(
            4, use=use, season=4, epochs=2, members=1, hidden_size=4, future_covariates=False,
            executor=executor,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", WorkersWarning)
            report = model.backtest(y, x)
            assert model.executor is executor
            model.fit(y, x)
            forecasts = model.predict()
            elsewhere = model.predict(
                y={"s1": y["s1"][:2], "new": y["s2"]}, X={"s1": x["s1"][:2], "new": x["s2"]}
            )
        found.append(
            [
                *(as_bytes(fold.forecast) for fold in report.folds),
                *(as_bytes(one) for one in [*forecasts.values(), *elsewhere.values()]),
                (report.verdict, str(report), model.notes_, model.choices_, model.weight_),
            ]
        )
    for other in found[1:]:
        assert other == found[0]
    assert use == "smoothing" or Killer.sent > 5


def as_bytes(one) -> tuple:
    ends = [(c, low.tobytes(), high.tobytes()) for c, (low, high) in one.intervals.items()]
    return one.series, one.mean.tobytes(), one.anchor.tobytes(), ends, one.notes, one.method


def test_base_networks_are_tuned_alike(pool, tmp_path) -> None:
    y = [10.0 + np.random.default_rng(i).normal(size=40).cumsum() for i in range(12)]
    base_network.save([base_network.build(2, 0)], tmp_path / "base")
    for name, executor in (("here", None), ("there", pool)):
        options = {"base_model": tmp_path / "base", "epochs": 1, "executor": executor}
        tune_base_model(y, tmp_path / name, 4, **options)
    assert (tmp_path / "here").read_bytes() == (tmp_path / "there").read_bytes()


def test_an_executor_stays_here(pool, tmp_path) -> None:
    model = Forecaster(2, executor=pool)
    assert model.executor is pool
    assert pickle.loads(pickle.dumps(model)).executor is None
    assert "executor" not in model.to_config()
    state = pickle.loads(pickle.dumps(Forecaster(2, executor=pool, progress=print)._settings()))
    assert (state.executor, state.progress, state.callbacks) == (None, None, ())
    with pytest.raises(
        InvalidTypeError,
        match=r"^executor must be None, an executor with submit\(\), or a function without"
        r" arguments that makes one; got 2\. Write functools\.partial"
        r"\(concurrent\.futures\.ProcessPoolExecutor, 4\) for 4 processes\.$",
    ):
        Forecaster(2, executor=2)


def test_pickled_averages_share_their_grids() -> None:
    """Hundreds of settings that all series have: a part of a table holds them once."""
    y = np.random.default_rng(0).normal(10.0, 1.0, 60).cumsum()
    one, two = (average(compare(y[:n], 4, (1.0, 12.0), (False,))) for n in (50, 60))
    again = [pickle.loads(pickle.dumps(a)) for a in (one, two)]
    grids = [{grid.columns.alpha.size: grid for grid, _ in a.blocks} for a in again]
    common = grids[0].keys() & grids[1].keys()
    assert common
    for size in common:
        assert grids[0][size] is grids[1][size]
    for a, b in zip([one, two], again, strict=True):
        assert a.settings == b.settings
        assert a.weights.tobytes() == b.weights.tobytes()
    apart, together = [len(pickle.dumps(a)) for a in (one, two)], len(pickle.dumps([one, two]))
    assert together < sum(apart) - 5_000
