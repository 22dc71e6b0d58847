"""Workers: the same results whoever computes."""

import itertools
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import parallel_cases as cases
import pytest

from throughtime.errors import InvalidArgumentError, WorkerError
from throughtime.parallel import Failure, Workers, team

EXECUTORS = {
    "caller": None,
    "threads": partial(ThreadPoolExecutor, 2),
    "processes": cases.processes(2),
}
every_executor = pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)


@every_executor
def test_results_in_the_order_of_the_tasks(executor):
    seen = {}
    with Workers(executor, {"x": np.arange(10_000.0)}) as workers:
        results = workers.run(cases.times, range(9), seen.__setitem__)
        assert workers.run(cases.times, []) == []
        assert workers.count == (1 if executor is None else 2)
    assert [r[1] for r in results] == list(range(9))
    assert sorted(seen) == list(range(9))
    assert all(seen[i] is result for i, result in enumerate(results))


@every_executor
def test_the_first_failure_in_the_order_of_the_tasks_is_raised(executor):
    with Workers(executor, {2, 3, 7}) as workers:
        with pytest.raises(ValueError, match=r"^no 2\b"):
            workers.run(cases.fail_at, range(9))
        results = workers.run(cases.fail_at, range(5), keep_failures=True)
    assert [r for r in results if not isinstance(r, Failure)] == [0, 1, 4]
    assert str(results[3].error) == "no 3"


def test_what_stands_behind_a_failure_is_not_begun():
    executor = cases.Here()
    with Workers(executor, {0}) as workers, pytest.raises(ValueError, match="no 0"):
        workers.run(cases.fail_at, range(500))
    assert len(executor.sent) < 2 * team.MANY


@every_executor
def test_an_exception_in_on_done_ends_the_run(executor):
    def refuse(number, result):
        raise KeyError(number)

    with Workers(executor, set()) as workers:
        with pytest.raises(KeyError):
            workers.run(cases.fail_at, range(9), refuse)
        assert workers.run(cases.fail_at, [5]) == [5]  # with a new executor


def test_the_caller_uses_the_context_as_it_is():
    context = {}
    with Workers(None, context) as workers:
        assert workers.run(lambda given, task: given is context, [1]) == [True]


def test_each_worker_unpickles_the_context_once():
    with Workers(partial(ThreadPoolExecutor, 3), [1, 2]) as workers:
        found = [workers.run(cases.identity_of, range(6)) for _ in range(4)]
    assert len(set(itertools.chain(*found))) <= 3
    with Workers(cases.processes(1), [1, 2]) as workers:
        found = [workers.run(cases.identity_of, range(3)) for _ in range(3)]
    assert len(set(itertools.chain(*found))) == 1


def test_what_one_worker_writes_no_other_sees():
    x = np.zeros(10_000)
    with Workers(partial(ThreadPoolExecutor, 1), {"x": x}) as one:
        assert one.run(cases.write, [1, 2]) == [1, 3]
        with Workers(cases.processes(1), {"x": x}) as other:
            assert other.run(cases.write, [5]) == [5]
    assert x[0] == 0


def test_the_context_travels_once_and_tasks_alone_with_each_step():
    executor = cases.Here()
    context = {"x": np.zeros(1_000_000)}
    vector = np.zeros(1000, "float32")
    with Workers(executor, context) as workers:
        for _ in range(3):
            workers.run(cases.length, [vector])
        sizes = [len(pickle.dumps(arguments)) for arguments in executor.sent]
        assert all(vector.nbytes < size < vector.nbytes + 700 for size in sizes)


@pytest.mark.parametrize(
    ("kind", "expected", "text"),
    [
        ("stubborn", WorkerError, "StubbornError: number 3"),
        ("mute", WorkerError, "MuteError: (without a text)"),
        ("exit", SystemExit, "3"),
        ("memory", MemoryError, "full"),
        ("local", WorkerError, "Local: of a class without a module"),
    ],
)
def test_exceptions_of_every_kind_come_back(kind, expected, text):
    with Workers(cases.processes(1), None) as workers:
        with pytest.raises(expected) as error:
            workers.run(cases.raise_it, [kind])
        assert str(error.value) == text
        assert error.value.__notes__[0].startswith("In a worker (process ")
        assert ", in raise_it\n" in error.value.__notes__[0]
        assert workers.run(cases.fail_at, []) == []  # the executor lives


def test_warnings_come_back():
    odd = [(cases.OddWarning("odd"),), ("plain", FutureWarning), ("plain", FutureWarning), None]
    with Workers(cases.processes(1), odd) as workers:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            workers.run(cases.warn_of, range(4))
        said = [(str(w.message), w.category, Path(w.filename).name) for w in caught]
        assert said == [
            ("odd", RuntimeWarning, "parallel_cases.py"),
            ("plain", FutureWarning, "parallel_cases.py"),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            results = workers.run(cases.warn_of, [3, 2], keep_failures=True)
        assert results[0] is None
        assert isinstance(results[1].error, FutureWarning)


def test_warnings_in_the_process_of_the_caller_come_by_themselves():
    workers = Workers(cases.Here(), [("plain", FutureWarning)])
    with workers, pytest.warns(FutureWarning, match=r"^plain$"):
        workers.run(cases.warn_of, [0])


def test_a_result_that_cannot_be_pickled():
    with Workers(cases.processes(1), None) as workers:
        results = workers.run(cases.unpicklable, range(3), keep_failures=True)
    assert results[::2] == [0, 2]
    assert isinstance(results[1].error, WorkerError)
    assert str(results[1].error).startswith(
        "the result, of class function, cannot be pickled, and so not come back from a worker: "
    )


def test_a_task_that_cannot_be_pickled():
    with Workers(cases.processes(1), None) as workers:
        with pytest.raises(InvalidArgumentError) as error:
            workers.run(cases.fail_at, [1, lambda: 2])
        assert str(error.value).startswith(
            "task 1 cannot be pickled, and so not be sent to a worker: "
        )
        assert str(error.value).endswith(f". {team.WAY}")


def test_a_context_that_cannot_be_pickled():
    workers = Workers(ThreadPoolExecutor, lambda: 2)
    with pytest.raises(InvalidArgumentError) as error, workers:
        workers.run(cases.fail_at, [1])
    assert str(error.value).startswith("what the workers need cannot be pickled: ")
    assert str(error.value).endswith(
        ". A function must be one of a module, not a lambda and not defined inside another;"
        " functools.partial gives it arguments."
    )
