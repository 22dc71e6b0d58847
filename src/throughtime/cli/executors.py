"""Who works on the series of a table: this process, others, or the workers of a Dask cluster."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from throughtime.cli.workers import FLAG, Scheduler
from throughtime.errors import (
    InvalidArgumentError,
    WorkersWarning,
    describe,
    import_extra,
    sentence,
)
from throughtime.parallel import end_with_caller, kept

#: Windows cannot wait for more processes.
_MOST_ON_WINDOWS = 61
#: Seconds in which a scheduler must answer.
_PATIENCE = 5.0
#: What logs tracebacks when a cluster goes.
_LOGGERS = (
    "concurrent.futures", "distributed", "distributed.client", "distributed.comm",
    "distributed.core", "tornado.application",
)  # fmt: skip


@contextmanager
def at_work(
    workers: int | Scheduler | None, series: int, tell: Callable[[str], None]
) -> Iterator[Any]:
    """A context that gives an executor for the series of a table, or None.

    Parameters
    ----------
    workers : int, Scheduler or None
        What :func:`~throughtime.cli.workers.read_workers` returned; None without the option.
    series : int
        Number of series in the table.
    tell : callable
        Called with a sentence for the user.
    """
    if workers is not None and series < 2:
        tell(f"{FLAG} is of no use here: the table holds one series.")
        workers = None
    if workers is None:
        yield None
        return
    with _said(tell):
        if isinstance(workers, Scheduler):
            with _dask(workers, tell) as executor:
                yield executor
        else:
            most = _MOST_ON_WINDOWS if sys.platform == "win32" else workers
            with kept(partial(Processes, min(workers, series, most))) as executor:
                yield executor


@contextmanager
def _said(tell: Callable[[str], None]) -> Iterator[None]:
    """A context in which the user reads what becomes of workers as a sentence, once."""
    said = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", WorkersWarning)
        before = warnings.showwarning

        def show(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
            if not issubclass(category, WorkersWarning):
                before(message, category, *rest, **more)
            elif str(message) not in said:
                said.add(str(message))
                tell(str(message))

        warnings.showwarning = show
        yield


# -- processes --------------------------------------------------------------------------------


class Processes(ProcessPoolExecutor):
    """Processes that Ctrl-C does not reach, and that end with this one, however it ends."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        super().__init__(workers, mp_context=context, initializer=end_with_caller)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Start ``fn(*args, **options)`` in a process; that may start one."""
        with _without_ctrl_c():
            return super().submit(fn, *args, **options)


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """A context in which processes are started that Ctrl-C does not reach, from the first moment.

    The terminal sends it to all of them, and each would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # which it does without the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- Dask -------------------------------------------------------------------------------------


@contextmanager
def _dask(scheduler: Scheduler, tell: Callable[[str], None]) -> Iterator[Any]:
    """A context that gives the executor of a Dask cluster."""
    distributed: Any = import_extra("distributed", "dask", f"{FLAG} {scheduler}")
    _check_answers(scheduler)
    with _silent(*_LOGGERS):
        try:
            client = distributed.Client(
                scheduler.address, timeout=_PATIENCE, set_as_default=False, name="throughtime"
            )
        except (OSError, ValueError) as error:
            raise _no_answer(scheduler, str(error)) from None
        try:
            if not client.nthreads():
                tell(
                    f"The Dask scheduler at {scheduler} has no workers yet; the work waits for"
                    " them. Ctrl-C ends it."
                )
            yield client.get_executor()
        finally:
            client.close(timeout=_PATIENCE)


@contextmanager
def _silent(*names: str) -> Iterator[None]:
    """A context in which some loggers say nothing: what happens is said in sentences of ours."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _check_answers(scheduler: Scheduler) -> None:
    """Refuse an address where nothing answers; Dask would wait for long."""
    try:
        with socket.create_connection(scheduler, timeout=_PATIENCE) as connection:
            if not connection.recv(1):  # a scheduler speaks first
                raise _no_answer(scheduler, "the connection was closed")
    except OSError as error:
        raise _no_answer(scheduler, error.strerror or str(error)) from None


def _no_answer(scheduler: Scheduler, why: str) -> InvalidArgumentError:
    expected = "the address of a Dask scheduler that answers"
    return InvalidArgumentError(sentence(FLAG, expected, f"{describe(str(scheduler))} ({why})"))
