"""Workers: the same results whoever computes."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from throughtime.parallel import UNFINISHED, Failure, Workers


def times(context, task):
    return context["x"] * task


def fail_at(context, task):
    if task in context:
        raise ValueError(f"no {task}")
    return task


EXECUTORS = {
    "caller": None,
    "threads": partial(ThreadPoolExecutor, 2),
    "processes": partial(ProcessPoolExecutor, 2),
}


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
@pytest.mark.parametrize("together", [False, True])
def test_results_in_the_order_of_the_tasks(executor, together):
    seen = {}
    with Workers(executor, {"x": np.arange(10_000.0)}) as workers:
        results = workers.run(times, range(9), seen.__setitem__, together=together)
        assert workers.run(times, []) == []
    assert [r[1] for r in results] == list(range(9))
    assert sorted(seen) == list(range(9))
    assert all(seen[i] is result for i, result in enumerate(results))


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
def test_the_first_failure_in_the_order_of_the_tasks_is_raised(executor):
    with Workers(executor, {2, 3, 7}) as workers:
        with pytest.raises(ValueError) as error:  # noqa: PT011  # its text is asserted below
            workers.run(fail_at, range(9))
        assert str(error.value) == "no 2"
        results = workers.run(fail_at, range(5), keep_failures=True)
    assert [r for r in results if not isinstance(r, Failure)] == [0, 1, 4]
    assert str(results[3].error) == "no 3"


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
def test_a_run_that_is_stopped(executor):
    done = {}
    with Workers(executor, set()) as workers:
        results = workers.run(fail_at, range(50), done.__setitem__, stop=lambda: len(done) >= 3)
    assert 3 <= len(done) < 50
    assert results == [done.get(i, UNFINISHED) for i in range(50)]
