"""Executors of other libraries: what is accepted, how many workers there are, how one ends.

Only ``submit`` is part of the interface that all of them have. Whatever else is asked here may be
missing, and then there is a way without it.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from throughtime.errors import InvalidTypeError, describe, sentence
from throughtime.messages.streams import standard_error

#: Packages whose executors bring cloudpickle, which also sends functions of the main program.
_CLOUDPICKLE = {
    "distributed": "cloudpickle",
    "joblib": "joblib.externals.cloudpickle",
    "loky": "cloudpickle",
}
#: Seconds that the processes of a healthy executor have to end before they are killed.
PATIENCE = 5.0


class Executor(Protocol):
    """The interface of :class:`concurrent.futures.Executor`, as far as it is needed here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Start ``fn(*args)`` somewhere."""


def check_executor(executor: Any) -> tuple[Executor | None, Callable[[], Executor] | None]:
    """Return ``executor`` as an executor, or as the function that makes one; both may be None.

    Raises
    ------
    InvalidTypeError
        If it is neither; the message says what to write.
    """
    if executor is None:
        return None, None
    if _is_executor(executor):
        return executor, None
    if callable(executor) and not _hint(executor):
        try:
            inspect.signature(executor).bind()
        except TypeError:
            pass  # it needs arguments
        except ValueError:  # some functions of compiled modules do not tell
            return None, executor
        else:
            return None, executor
    raise _refusal("executor", executor)


def made(make: Callable[[], Executor]) -> Executor:
    """The executor that ``make`` returns."""
    executor = make()
    if not _is_executor(executor):
        raise _refusal("executor()", executor)
    return executor


def refuse_while_starting() -> None:
    """End a process that is still starting; it would compute all that its parent wants to.

    It runs the main file of its parent once more, in order to know its functions. There is one line
    for the user and no traceback, because there may be many such processes.
    """
    module = sys.modules.get("multiprocessing.process")
    if module is not None and getattr(module.current_process(), "_inheriting", False):
        standard_error().write(
            "throughtime: A new process runs the main file once more, to know its functions, and"
            " must not start workers itself. Put what starts them below the line: if __name__ =="
            " '__main__':\n"
        )
        raise SystemExit(1)


def starts_again(executor: Any) -> bool:
    """Whether new processes run the main file, and it does not look whether it is the main one."""
    context = getattr(executor, "_mp_context", None)
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    if context is None or path is None:
        return False
    with contextlib.suppress(Exception):
        return context.get_start_method() != "fork" and "__name__" not in Path(path).read_text()
    return False


def killed_by_task(error: BaseException) -> bool:
    """Whether Dask has seen several workers die of one task, while the others live."""
    return _root(error) == "distributed" and type(error).__name__ == "KilledWorker"


def _is_executor(value: Any) -> bool:
    return (
        not isinstance(value, type)
        and callable(getattr(value, "submit", None))
        and not _hint(value)
    )


def _refusal(name: str, value: Any) -> InvalidTypeError:
    expected = "None, an executor with submit(), or a function without arguments that makes one"
    return InvalidTypeError(
        sentence(name, expected, describe(value), _hint(value), parameter="executor")
    )


def _hint(value: Any) -> str:
    """What to write instead of an object that is often taken for an executor."""
    if isinstance(value, type):
        return ""
    if hasattr(value, "get_executor"):
        return "Write client.get_executor()."
    pool = "functools.partial(concurrent.futures.ProcessPoolExecutor, 4)"
    if isinstance(value, int | str):
        return f"Write {pool} for 4 processes."
    if hasattr(value, "apply_async") and not hasattr(value, "submit"):
        return f"A pool has another interface; write {pool}."
    if _root(value) == "joblib" and not hasattr(value, "submit") and hasattr(value, "n_jobs"):
        return "Write joblib.externals.loky.get_reusable_executor."
    return ""


def _root(value: Any) -> str:
    """The package that the class of ``value``, or a base of it, belongs to."""
    roots = [str(kind.__module__).partition(".")[0] for kind in type(value).__mro__]
    return next((root for root in roots if root in (*_CLOUDPICKLE, "mpi4py")), roots[0])


def pickler_module(executor: Executor) -> ModuleType | None:
    """The cloudpickle of the library that ``executor`` is of, or None."""
    return sys.modules.get(_CLOUDPICKLE.get(_root(executor), ""))


class Size:
    """How many workers an executor has.

    Attributes
    ----------
    workers : int or None
        In all; None if the executor does not say.
    together : int or None
        On the machine that has the most.
    """

    def __init__(self, executor: Executor) -> None:
        self.workers: int | None = None
        self.together: int | None = None
        with contextlib.suppress(Exception):  # private names, which another release may not have
            self._ask(executor)

    def _ask(self, executor: Any) -> None:
        if _root(executor) == "distributed":
            threads = executor._client.nthreads()
            self.workers = sum(threads.values()) or None
            hosts: Counter[str] = Counter()
            for address, n in threads.items():
                hosts[address.rpartition(":")[0]] += n
            self.together = max(hosts.values(), default=None)
            return
        workers = getattr(executor, "_max_workers", None)
        if workers is None:
            workers = getattr(executor, "num_workers", None)
        if isinstance(workers, int) and workers > 0:
            self.workers = self.together = workers


def is_from(executor: Any, package: str) -> bool:
    """Whether the class of an executor belongs to a package."""
    return _root(executor) == package


def submit(executor: Executor, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Start ``function(*arguments)`` in a worker."""
    if _root(executor) != "distributed":
        future = executor.submit(function, *arguments)
        if not callable(getattr(future, "add_done_callback", None)):
            raise TypeError(f"submit() must return a Future; got {describe(future)}")
        return future
    # Without pure=False, Dask hashes the arguments and gives equal calls one result. Large
    # arguments are sent once; it should not warn of them.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        return cast(Any, executor).submit(function, *arguments, pure=False)


def end(executor: Executor, *, kill: bool = False) -> None:
    """Shut down an executor that is ours, and do not wait for workers that never answer.

    Parameters
    ----------
    executor : executor
    kill : bool
        Whether to end its processes even if they are at work.
    """
    given = cast(Any, executor)
    processes = Processes(given)
    options = _parameters(given.shutdown) if hasattr(given, "shutdown") else {}
    with contextlib.suppress(Exception):  # a broken one may not even be able to end
        if kill and "kill_workers" in options:  # loky, which then ends them itself
            given.shutdown(wait=False, kill_workers=True)
            return
        cancel = {"cancel_futures": True} if "cancel_futures" in options else {}
        given.shutdown(wait=not kill and not processes.all, **cancel)
    if not kill:
        for process in processes.all:
            with contextlib.suppress(Exception):
                process.join(PATIENCE)
    processes.kill()


def _parameters(function: Any) -> Any:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


class Processes:
    """The processes of a pool; empty for other executors.

    A pool of Python can wait for ever: if a process is killed while it writes a result, the thread
    that reads it waits for the rest, and does not see that the process has ended.
    """

    def __init__(self, executor: Any) -> None:
        found = getattr(executor, "_processes", None)
        self.all: list[Any] = list(found.values()) if isinstance(found, dict) else []
        self._results = getattr(getattr(executor, "_result_queue", None), "_writer", None)

    def dead(self) -> set[tuple[int, int]]:
        """The numbers and the exit codes of those that have ended."""
        found = set()
        for process in self.all:
            with contextlib.suppress(Exception):
                if process.exitcode is not None:
                    found.add((process.pid, process.exitcode))
        return found

    def death(self) -> str:
        """How the first one died by itself; those beside it are then ended with SIGTERM."""
        dead = sorted(one for one in self.dead() if one[1] not in (0, -signal.SIGTERM))
        return f"process {dead[0][0]} ended with exit code {dead[0][1]}" if dead else ""

    def kill(self) -> None:
        """End all of them, and let the thread that reads their results see it."""
        for process in self.all:
            with contextlib.suppress(Exception):
                if process.is_alive():
                    process.kill()
        for process in self.all:
            with contextlib.suppress(Exception):
                process.join(PATIENCE)
        if self.all and self._results is not None and os.name == "posix":
            # Its pipe ends when nobody can write into it any more. This process could, too. To
            # close its end might close that of another file, if the pool does so as well.
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._results.fileno(), inheritable=False)
                os.close(nowhere)
