"""Which executors are accepted, and how they are counted and ended."""

import multiprocessing
import os
import re
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import parallel_cases as cases
import pytest

from throughtime.errors import InvalidTypeError, WorkersWarning
from throughtime.parallel import Workers, executors

EXPECTED = "None, an executor with submit(), or a function without arguments that makes one"
POOL = "functools.partial(concurrent.futures.ProcessPoolExecutor, 4)"


class Client:
    """As Dask's: it has submit, but gives futures of another kind."""

    def submit(self, function, *arguments): ...

    def get_executor(self): ...

    def __repr__(self):
        return "<Client>"


class Pool:
    """As that of multiprocessing."""

    def apply_async(self, function): ...

    def __repr__(self):
        return "<Pool>"


class Parallel:
    """As that of joblib: an object that is called with the tasks."""

    __module__ = "joblib.parallel"
    n_jobs = 2

    def __call__(self, iterable): ...

    def __repr__(self):
        return "Parallel(n_jobs=2)"


REFUSED = [
    (4, "4", f"Write {POOL} for 4 processes."),
    ("dask://host:1", "'dask://host:1'", f"Write {POOL} for 4 processes."),
    (Client(), "<Client>", "Write client.get_executor()."),
    (Pool(), "<Pool>", f"A pool has another interface; write {POOL}."),
    (Parallel(), "Parallel(n_jobs=2)", "Write joblib.externals.loky.get_reusable_executor."),
    ([1], "[1]", ""),
]


@pytest.mark.parametrize(("executor", "got", "hint"), REFUSED, ids=lambda v: str(v)[:20])
def test_anything_else_is_refused_with_what_to_write(executor, got, hint):
    sentence = f"executor must be {EXPECTED}; got {got}. {hint}".rstrip()
    with pytest.raises(InvalidTypeError, match=f"^{re.escape(sentence)}$") as error:
        Workers(executor, None)
    assert error.value.parameter == "executor"
    workers = Workers(lambda: executor, None)
    sentence = sentence.replace("executor must", "executor() must", 1)
    with pytest.raises(InvalidTypeError, match=f"^{re.escape(sentence)}$"):
        workers.run(cases.identity_of, [1])


def test_a_function_that_needs_arguments_is_refused():
    with pytest.raises(InvalidTypeError) as error:
        Workers(cases.fail_at, None)
    assert str(error.value).startswith(f"executor must be {EXPECTED}; got <function fail_at at ")


def test_a_real_pool_is_refused():
    with multiprocessing.get_context("spawn").Pool(1) as pool, pytest.raises(InvalidTypeError):
        Workers(pool, None)


def test_what_submit_returns_must_be_a_future():
    class Mute:
        def submit(self, function, *arguments):
            return 3

    with Workers(Mute(), {"x": 3}) as workers:
        sentence = "The executor is broken: TypeError: submit() must return a Future; got 3."
        with pytest.warns(WorkersWarning, match=f"^{re.escape(sentence)} This process computes"):
            assert workers.run(cases.times, [1, 2]) == [3, 6]


class Sized:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Cluster:
    __module__ = "distributed.cfexecutor"

    def __init__(self, threads):
        self._client = Sized(nthreads=lambda: threads)


@pytest.mark.parametrize(
    ("executor", "workers", "together"),
    [
        (Sized(_max_workers=3), 3, 3),
        (Sized(num_workers=5, _max_workers=None), 5, 5),
        (Sized(_max_workers="many"), None, None),
        (Sized(), None, None),
        (Cluster({"tcp://a:1": 2, "tcp://a:2": 2, "tcp://b:1": 1}), 5, 4),
        (Cluster({}), None, None),
    ],
)
def test_workers_are_counted(executor, workers, together):
    size = executors.Size(executor)
    assert (size.workers, size.together) == (workers, together)


def test_an_executor_that_was_given_lives_on():
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            with Workers(pool, set()) as workers:
                assert workers.run(cases.fail_at, [1, 2]) == [1, 2]
        assert pool.submit(abs, -1).result() == 1


def test_an_executor_that_is_ours_ends():
    made = []

    def make():
        made.append(cases.processes(1)())
        return made[-1]

    with Workers(make, None) as workers:
        ((_, process),) = workers.run(cases.identity_of, [1])
    with pytest.raises(RuntimeError, match="shutdown"):
        made[0].submit(abs, 1)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert len(made) == 1


def test_workers_that_never_answer_are_killed(monkeypatch):
    monkeypatch.setattr(executors, "PATIENCE", 0.05)
    pool = cases.processes(1)()
    future = pool.submit(time.sleep, 60)
    while not future.running():
        time.sleep(0.01)
    began = time.monotonic()
    executors.end(pool)
    assert time.monotonic() - began < 20


def test_an_executor_without_shutdown_is_left_alone():
    class Bare:
        def submit(self, function, *arguments):
            future = Future()
            future.set_result(function(*arguments))
            return future

    with Workers(Bare, set()) as workers:
        assert workers.run(cases.fail_at, [1]) == [1]


FORGETFUL = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import throughtime as tt

context = multiprocessing.get_context("spawn")
print(tt.fit_many([partial(abs, -1)], partial(ProcessPoolExecutor, 1, mp_context=context)))
"""


def test_a_program_that_forgets_where_it_begins(tmp_path):
    script = tmp_path / "forgetful.py"
    script.write_text(FORGETFUL)
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert run.stdout.count("<Fit 0: 1, ") == 1  # by the caller
    line, *warning = run.stderr.splitlines()
    assert line == (
        "throughtime: A new process runs the main file once more, to know its functions, and must"
        " not start workers itself. Put what starts them below the line: if __name__ == '__main__':"
    )
    assert "WorkersWarning: The executor is broken: BrokenProcessPool: A " in warning[0]
    assert warning[0].endswith(
        " This process computes the rest itself, with the same results. Put what starts workers"
        " below the line: if __name__ == '__main__':"
    )
    assert len(warning) == 2  # and its line


INTERACTIVE = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import throughtime as tt

def double(n):
    return 2 * n

context = multiprocessing.get_context("spawn")
print(tt.fit_many([partial(double, 3)], partial(ProcessPoolExecutor, 1, mp_context=context)))
"""


def test_functions_that_nobody_can_import():
    run = subprocess.run(
        [sys.executable, "-c", INTERACTIVE], capture_output=True, text=True, check=True
    )
    assert run.stdout.count("<Fit 0: 6, ") == 1  # by the caller
    assert (
        "WorkersWarning: The executor is broken: a worker cannot take part: AttributeError: Can't"
        " get attribute 'double' on <module '__main__' (built-in)>. This process computes the rest"
        " itself, with the same results. Put the function into a module that workers can import, or"
        " use loky or Dask, which send functions along.\n" in run.stderr
    )


def test_kinds_of_processes():
    for method in ("spawn", "forkserver"):
        if method in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context(method)
            with Workers(partial(ProcessPoolExecutor, 1, mp_context=context), {4}) as workers:
                assert workers.run(cases.fail_at, [1, 2]) == [1, 2]
