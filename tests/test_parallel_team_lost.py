"""Workers that die, executors that break, Ctrl-C."""

import os
import re
import signal
import threading
import time
import warnings
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor

import numpy as np
import parallel_cases as cases
import pytest

from throughtime.errors import WorkerError, WorkersWarning
from throughtime.parallel import Failure, Workers, team

ALONE = ". This process computes the rest itself, with the same results."
NEW = ". A new one computes what was lost, with the same results."


def context_in(folder, at=5):
    flag = str(folder / "flag")
    return {"flag": flag, "at": at, "caller": os.getpid(), "x": np.random.default_rng(0).random(99)}


def expected(context, n=12):
    return [(i, float(context["x"][i])) for i in range(n)]


def said(caught):
    return [str(warning.message) for warning in caught if warning.category is WorkersWarning]


def test_a_killed_worker_of_an_executor_that_was_given(tmp_path):
    context, done = context_in(tmp_path), {}
    with cases.processes(2)() as pool, Workers(pool, context) as workers:
        with pytest.warns(WorkersWarning) as caught:
            results = workers.run(cases.die_once, range(12), done.__setitem__)
        assert results == expected(context)
        assert [done[i] for i in range(12)] == results
        assert workers.run(cases.die_once, range(3)) == expected(context, 3)
        assert workers.count == 1
    (text,) = said(caught)
    assert text.startswith("The executor is broken: BrokenProcessPool: A ")
    assert text.endswith(ALONE)


def test_a_killed_worker_of_an_executor_that_is_made(tmp_path):
    context, done = context_in(tmp_path), []
    make = cases.processes(2)
    with Workers(make, context) as workers:
        with pytest.warns(WorkersWarning) as caught:
            results = workers.run(cases.die_once, range(12), lambda i, _: done.append(i))
        assert results == expected(context)
        assert sorted(done) == list(range(12))  # each once
        assert workers.count == 2
        assert workers.run(cases.die_once, range(3)) == expected(context, 3)
    (text,) = said(caught)
    assert text.startswith("The executor broke: BrokenProcessPool: A ")
    assert text.endswith(NEW)


def test_executors_that_never_start():
    made = []

    def make():
        made.append(ProcessPoolExecutor(1, cases.CONTEXT, initializer=os._exit, initargs=(1,)))
        return made[-1]

    with Workers(make, set()) as workers, pytest.warns(WorkersWarning) as caught:
        assert workers.run(cases.fail_at, range(12)) == list(range(12))
    assert len(made) == 2
    (text,) = said(caught)
    assert text.startswith("The executor is broken: BrokenProcessPool: A ")
    assert text.endswith(ALONE)


@pytest.mark.parametrize("at", [0, 7, 11])
@pytest.mark.parametrize("n", [1, 2])
def test_a_task_of_which_workers_die_fails_alone(n, at):
    context = {"at": at, "caller": os.getpid()}
    with Workers(cases.processes(n), context) as workers:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", WorkersWarning)
            results = workers.run(cases.die_at, range(12), keep_failures=True)
            assert workers.count == n  # the executor lives
            assert workers.run(cases.die_at, [100]) == [100]
        others = [i for i in range(12) if i != at]
        assert [results[i] for i in others] == others
        assert type(results[at].error) is WorkerError
        assert re.fullmatch(
            r"its worker died (twice|3 times) \(process \d+ ended with exit code -?\d+\), and this"
            r" process, which could die as well, does not compute it\. Fewer workers, or smaller"
            r" batches, need less memory\.",
            str(results[at].error),
        )


def test_a_task_of_which_workers_die_is_raised():
    context = {"at": 3, "caller": os.getpid()}
    workers = Workers(cases.processes(2), context)
    with workers, warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkersWarning)
        with pytest.raises(WorkerError, match=r"^its worker died "):
            workers.run(cases.die_at, range(6))


def test_all_tasks_kill_their_workers():
    context = {"at": 1, "caller": os.getpid()}
    with Workers(cases.processes(1), context) as workers:
        results = workers.run(cases.die_at, [1, 1, 1], keep_failures=True)
    assert [type(result.error) for result in results] == [WorkerError] * 3


def test_what_was_on_its_way_in_an_executor_that_was_given():
    context = {"at": 2, "caller": os.getpid()}
    workers = Workers(cases.processes(1)(), context)
    with workers, pytest.warns(WorkersWarning) as caught:
        results = workers.run(cases.die_at, range(12), keep_failures=True)
    lost = [i for i, result in enumerate(results) if isinstance(result, Failure)]
    assert 2 in lost
    assert len(lost) <= 2  # as many as were on their way
    assert all(result == i for i, result in enumerate(results) if i not in lost)
    assert re.fullmatch(
        r"its worker, or another one of the executor, died \(process \d+ ended with exit code -9\),"
        r" and this process, which could die as well, does not compute it\. Give a function that"
        r" makes the executor, such as a functools\.partial: then it is computed again\.",
        str(results[2].error),
    )
    (text,) = said(caught)
    assert text.endswith(
        ". This process computes the rest itself, with the same results, but not what was on its"
        " way."
    )


class Dying:
    """Its worker answers whether it has started, and dies before it gets a task."""

    def __init__(self):
        self.inner = cases.Here()

    def submit(self, function, *arguments):
        if len(self.inner.sent) > 0 and len(arguments) > 1:
            raise BrokenExecutor("gone")
        return self.inner.submit(function, *arguments)


def test_workers_that_die_without_a_task():
    with Workers(Dying, set()) as workers, pytest.warns(WorkersWarning) as caught:
        assert workers.run(cases.fail_at, range(9)) == list(range(9))
    assert said(caught) == [f"The executor is broken: BrokenExecutor: gone{ALONE}"]


class Breaking:
    """Breaks at the third message, in one of the ways that executors have."""

    def __init__(self, error, where):
        self.error, self.where = error, where
        self.inner = cases.Here()

    def submit(self, function, *arguments):
        if len(self.inner.sent) < 2 or len(arguments) == 1:
            return self.inner.submit(function, *arguments)
        if self.where == "submit":
            raise self.error
        future = Future()
        if self.where == "cancel":
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(self.error)
        return future


@pytest.mark.parametrize("where", ["submit", "future", "cancel"])
def test_any_exception_of_the_executor_means_that_it_is_broken(where):
    why = {
        "submit": "RuntimeError: cannot schedule new futures after shutdown",
        "future": "OSError: connection closed",
        "cancel": "CancelledError",
    }[where]
    kinds = {"submit": RuntimeError, "future": OSError, "cancel": CancelledError}
    error = kinds[where](f"{why.partition(': ')[2]}. More of it.")
    workers = Workers(Breaking(error, where), set())
    with workers, pytest.warns(WorkersWarning) as caught:
        assert workers.run(cases.fail_at, range(9)) == list(range(9))
    assert said(caught) == [f"The executor is broken: {why}{ALONE}"]


def test_a_failure_before_the_break_is_raised_all_the_same():
    workers = Workers(Breaking(OSError("closed"), "future"), {1, 4})
    with workers, pytest.warns(WorkersWarning), pytest.raises(ValueError, match="no 1"):
        workers.run(cases.fail_at, range(9))


def test_a_new_executor_that_cannot_be_made():
    made = []

    def make():
        if made:
            raise OSError("no more processes")
        made.append(Breaking(OSError("closed"), "future"))
        return made[0]

    with Workers(make, set()) as workers, pytest.warns(WorkersWarning) as caught:
        assert workers.run(cases.fail_at, range(9)) == list(range(9))
    why = "no new one can be made: OSError: no more processes"
    assert said(caught) == [f"The executor is broken: {why}{ALONE}"]


def test_an_executor_that_cannot_be_made_at_first():
    def make():
        raise OSError("no processes")

    with Workers(make, set()) as workers, pytest.raises(OSError, match="no processes"):
        workers.run(cases.fail_at, [1])


def test_replaced_and_given_up_are_said_once_each():
    made = []

    def make():
        made.append(Breaking(OSError("closed"), "future"))
        return made[-1]

    with Workers(make, set()) as workers, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert workers.run(cases.fail_at, range(20)) == list(range(20))
    assert len(made) == 19  # the first has finished two tasks, and each of the others one
    assert said(caught) == [f"The executor broke: OSError: closed{NEW}"]


class Process:
    """As one of multiprocessing."""

    def __init__(self, pid, exitcode):
        self.pid, self.exitcode = pid, exitcode
        self.done = []

    def is_alive(self):
        return self.exitcode is None

    def kill(self):
        self.done.append("kill")

    def join(self, timeout=None):
        self.done.append("join")


class Silent:
    """A pool that does not see that one of its processes was killed, and waits for its result."""

    def __init__(self):
        self._processes = {7: Process(7, -9), 8: Process(8, None)}
        self.futures = []

    def submit(self, function, *arguments):
        self.futures.append(Future())
        return self.futures[-1]


def test_a_pool_that_does_not_see_that_a_process_died(monkeypatch):
    monkeypatch.setattr(team, "LOOK", 0.01)
    pool = Silent()
    with Workers(pool, set()) as workers, pytest.warns(WorkersWarning) as caught:
        assert workers.run(cases.fail_at, range(9)) == list(range(9))
    assert said(caught) == [f"The executor is broken: process 7 ended with exit code -9{ALONE}"]
    assert pool._processes[8].done == ["kill", "join"]
    assert not any(future.cancelled() for future in pool.futures)


def test_a_process_that_is_being_replaced_is_no_reason(monkeypatch):
    monkeypatch.setattr(team, "LOOK", 0.01)
    pool = Silent()
    workers = Workers(pool, set())
    assert workers._watch.look(workers._given()) is None
    pool._processes = {8: pool._processes[8]}
    assert workers._watch.look(workers._given()) is None
    assert workers._watch.look(workers._given()) is None


def press_ctrl_c_after(seconds):
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.mark.parametrize("ours", [True, False])
def test_ctrl_c_leaves_nothing_behind(ours):
    with cases.processes(1)() as pool:
        workers = Workers((lambda: pool) if ours else pool, None)
        timer = None

        def on_done(number, result):
            nonlocal timer
            timer = press_ctrl_c_after(0.2)

        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt), workers:
            workers.run(cases.nap, [0, *[0.4] * 60], on_done)
        timer.join()
        if not ours:  # what waited was cancelled; what ran goes on to its end
            assert pool.submit(abs, -1).result() == 1
        assert time.monotonic() - began < 20
