"""Executors of loky and of Dask: the same results, and a worker that dies."""

import os
import warnings

import numpy as np
import parallel_cases as cases
import pytest

from throughtime.errors import WorkerError, WorkersWarning
from throughtime.parallel import Failure, Workers, executors


@pytest.fixture(scope="module")
def loky_pool():
    with cases.loky_pool() as pool:
        yield pool


@pytest.fixture(scope="module")
def dask_pool():
    with cases.dask_pool() as pool:
        yield pool


@pytest.fixture(params=["loky", "dask"])
def pool(request):
    return request.getfixturevalue(f"{request.param}_pool")


def test_the_same_results(pool):
    x = np.random.default_rng(0).random(10_000)
    with Workers(pool, {"x": x}) as workers, Workers(None, {"x": x}) as alone:
        found = workers.run(cases.times, range(7))
        for one, other in zip(found, alone.run(cases.times, range(7)), strict=True):
            assert one.tobytes() == other.tobytes()
        assert workers.count == 2
        ((kind, writeable, _),) = workers.run(cases.total, [0])
        assert (kind, writeable) == ("ndarray", True)


def test_failures_come_back(pool):
    with Workers(pool, {1}) as workers:
        results = workers.run(cases.fail_at, range(3), keep_failures=True)
        assert isinstance(results[1], Failure)
        with pytest.raises(SystemExit):
            workers.run(cases.raise_it, ["exit"])
        assert workers.run(cases.fail_at, [5]) == [5]


def test_functions_of_the_main_program_travel_by_cloudpickle(pool):
    factor = 3
    with Workers(pool, lambda task: task * factor) as workers:
        assert workers.run(lambda context, task: context(task), [1, 2]) == [3, 6]


def test_results_that_only_cloudpickle_can_send(pool):
    with Workers(pool, None) as workers:
        assert workers.run(cases.unpicklable, [1])[0]() == 1


def test_calls_that_are_equal_are_computed_each(pool):
    with Workers(pool, {"x": np.zeros(5000)}) as workers:
        found = [workers.run(cases.write, [1])[0] for _ in range(4)]
    assert sum(found) > 4  # each worker counts on


def test_a_worker_of_loky_that_dies(tmp_path):
    loky = pytest.importorskip("loky")
    context = {"flag": str(tmp_path / "flag"), "at": 5, "caller": os.getpid(), "x": np.ones(99)}
    workers = Workers(lambda: loky.ProcessPoolExecutor(2), context)
    with workers, pytest.warns(WorkersWarning, match=r"^The executor broke: TerminatedWorkerError"):
        assert workers.run(cases.die_once, range(12)) == [(i, 1.0) for i in range(12)]


def test_a_task_that_kills_its_workers_of_dask(dask_pool):
    context = {"at": 1, "caller": os.getpid()}
    with Workers(dask_pool, context) as workers:
        results = workers.run(cases.die_at, range(4), keep_failures=True)
        assert results[::2] == [0, 2]
        text = str(results[1].error)
        assert text.startswith("its worker died twice (KilledWorker: Attempted to run task ")
        with pytest.raises(WorkerError, match=r"^its worker died twice "):
            workers.run(cases.die_at, range(4))


def test_ctrl_c_ends_loky_at_once():
    loky = pytest.importorskip("loky")
    pool = loky.ProcessPoolExecutor(1)
    pool.submit(cases.nap, None, 60)
    executors.end(pool, kill=True)


def test_large_tasks_for_dask_are_not_warned_of(dask_pool):
    with Workers(dask_pool, {"x": [1]}) as workers, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert workers.run(cases.length, [bytes(20_000_000)]) == [20_000_001]
