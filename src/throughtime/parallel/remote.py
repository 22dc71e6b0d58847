"""The worker's side: it keeps contexts, computes tasks, and answers with bytes.

What travels is pickled here and in :mod:`throughtime.parallel.team`, not by the executor. So an
exception of the executor itself always means that a worker or the way to it is broken, and one of
the task's function never does.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import platform
import secrets
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import throughtime.parallel.blas as blas
import throughtime.parallel.orphans as orphans
import throughtime.parallel.packing as packing
from throughtime.errors import WorkerError
from throughtime.kernels import selection

#: Contexts that each thread of a worker keeps: a training run inside a fit needs two.
KEPT = 4
#: Seconds in which another worker takes the next message.
PAUSE = 0.01

#: Whether the code that runs is the task of a worker, and should show no progress of its own.
IN_WORKER: ContextVar[bool] = ContextVar("IN_WORKER", default=False)


class Ticket(NamedTuple):
    """What a worker must know beside the task.

    Attributes
    ----------
    key, path : str
        The name of the context, and the file in which it is; None if there is none.
    home : str
        The process of the caller.
    ours : bool
        Whether the worker was started for this team alone.
    together : int or None
        Workers on the machine.
    engine, level : str
        The engine of the caller and its instruction set, for the same bits.
    version : str
        The version of the package.
    """

    key: str
    path: str | None
    home: str
    ours: bool
    together: int | None
    engine: str
    level: str
    version: str


class Said(NamedTuple):
    """A warning, and where it was."""

    message: Warning
    filename: str
    lineno: int


class Unusable(Exception):  # noqa: N818  # no error: an answer
    """The worker cannot compute the task as the caller would; the text says why."""


#: The name of this process among those of all machines.
process = secrets.token_hex(8)
_lock = threading.Lock()
_ears = threading.Lock()
_contexts: OrderedDict[tuple[str, int], Any] = OrderedDict()
_paths: dict[str, str | None] = {}


def _after_fork() -> None:
    global process, _lock, _ears
    process, _lock, _ears = secrets.token_hex(8), threading.Lock(), threading.Lock()
    _contexts.clear()
    _place.inside = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def perform(ticket: Ticket, payload: bytes, data: bytes | None) -> tuple[str, Any]:
    """Compute some tasks; called by the executor.

    Parameters
    ----------
    ticket : Ticket
    payload : bytes
        The pickle of the function and of a list of tasks.
    data : bytes or None
        The context, where a worker has answered that its file is not there.

    Returns
    -------
    tuple
        ``("done", bytes)``: the pickle of a list of ``(good, result or exception, warnings)``.
        ``("missing", what)``: the message must come again with ``data``. ``("unknown", why)``: the
        worker does not know a name that the function, the tasks or the context need.
        ``("unusable", why)``.
    """
    token = IN_WORKER.set(True)
    try:
        with _as_worker(ticket):
            context = _context(ticket, data)
            function, tasks = pickle.loads(payload)
            elsewhere = ticket.home != process
            answers = [_attempt(function, context, task, elsewhere) for task in tasks]
            return "done", _dumps(answers)
    except packing.NotHere as answer:
        return "missing", answer.what
    except Unusable as answer:
        return "unusable", f"{answer}"
    except (AttributeError, ImportError) as error:  # so pickle says that a name is not there
        return "unknown", f"{type(error).__name__}: {error}"
    except Exception as error:  # it cannot load the function, the task or the context
        return "unusable", f"{type(error).__name__}: {error}"
    finally:
        IN_WORKER.reset(token)


def part(key: str, home: str) -> int:
    """Forget the context ``key``, whose team has ended; called by the executor.

    Return the process.
    """
    if home != process and not forget(key):
        time.sleep(PAUSE)  # it knows already, and another worker may not
    return os.getpid()


def forget(key: str) -> bool:
    """Drop the context ``key`` of every thread of this process; return whether there was one."""
    with _lock:
        names = [name for name in _contexts if name[0] == key]
        for name in names:
            del _contexts[name]
        _paths.pop(key, None)
        if not _contexts:
            _place.listen()
    return bool(names)


def _delete_contexts() -> None:
    """Delete the files of all contexts, whose caller was killed."""
    for path in filter(None, {*_paths.values()}):
        with contextlib.suppress(OSError):
            Path(path).unlink(missing_ok=True)


def end_with_caller() -> None:
    """Let this process, a worker of ours, end as soon as the one that started it has."""
    orphans.end_with_parent(_delete_contexts)


def _context(ticket: Ticket, data: bytes | None) -> Any:
    """The context of this thread; two threads never share one."""
    name = ticket.key, threading.get_ident()
    with _lock:
        if name in _contexts:
            _contexts.move_to_end(name)
            return _contexts[name]
    if data is not None:
        context = packing.unpack(data)
    elif ticket.path is not None:
        context = packing.read(ticket.path, ticket.key)
    else:
        raise packing.NotHere("context")
    with _lock:
        _contexts[name] = context
        mine = [other for other in _contexts if other[1] == name[1]]
        # Those whose file was deleted belong to a team that has ended.
        ended = [o for o in mine if (path := _paths.get(o[0])) and not Path(path).exists()]
        for old in {*ended, *mine[:-KEPT]} - {name}:
            del _contexts[old]
        _paths[ticket.key] = None if data is not None else ticket.path
        for key in {*_paths} - {other[0] for other in _contexts}:
            del _paths[key]
    return context


def _attempt(
    function: Callable[[Any, Any], Any], context: Any, task: Any, elsewhere: bool
) -> tuple[bool, Any, list[Said]]:
    with _heard(elsewhere) as said:
        try:
            return True, function(context, task), said
        except BaseException as error:
            # Not Exception alone: SystemExit, too, must reach the caller and not the executor.
            return False, portable(error), said


@contextlib.contextmanager
def _heard(elsewhere: bool) -> Iterator[list[Said]]:
    """A context that collects warnings for the caller, whose filters decide about them.

    What is said is complete at its end. Python can collect for one thread of a process at a time.
    """
    said: list[Said] = []
    if not elsewhere or not _ears.acquire(blocking=False):
        yield said
        return
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
        said.extend(map(_portable_warning, caught))
    finally:
        _ears.release()


def _portable_warning(caught: warnings.WarningMessage) -> Said:
    message = caught.message
    assert isinstance(message, Warning)  # recorded warnings are objects
    try:
        pickle.loads(_dumps(message))
    except Exception:
        message = RuntimeWarning(text_of(message))
    return Said(message, caught.filename, caught.lineno)


def portable(error: BaseException) -> BaseException:
    """``error`` with its traceback as a note; another one if it cannot be pickled."""
    lines = "".join(traceback.format_exception(error))
    note = f"In a worker (process {os.getpid()} on {platform.node()}):\n{lines.rstrip()}"
    try:
        error.add_note(note)
        if type(pickle.loads(_dumps(error))) is type(error):
            return error
    except Exception:
        pass
    other = WorkerError(f"{type(error).__name__}: {text_of(error)}")
    other.add_note(note)
    return other


def text_of(error: BaseException) -> str:
    """The text of an exception, which may have none."""
    try:
        return str(error)
    except Exception:
        return "(without a text)"


def _dumps(value: Any) -> bytes:
    """The pickle of ``value``, by cloudpickle where only that can and the executor has it."""
    try:
        return packing.dumps(value)
    except Exception:
        module = sys.modules.get("cloudpickle") or sys.modules.get("joblib.externals.cloudpickle")
        if module is not None:
            with contextlib.suppress(Exception):
                return packing.dumps(value, module)
        if not isinstance(value, list):
            raise
        return packing.dumps([_sendable(answer) for answer in value])


def _sendable(answer: tuple[bool, Any, list[Said]]) -> tuple[bool, Any, list[Said]]:
    """``answer``, or the exception that says why it cannot be sent."""
    try:
        packing.dumps(answer)
    except Exception as reason:
        kind = type(answer[1]).__name__
        error = WorkerError(
            f"the result, of class {kind}, cannot be pickled, and so not come back from a worker:"
            f" {type(reason).__name__}: {reason}"
        )
        return False, error, answer[2]
    return answer


class _Place:
    """Settings of the whole process while it computes for a team: threads, engine, level, SIGINT.

    In a worker of another's executor they are restored when the last task ends; SIGINT when the
    team does: Ctrl-C between two of its tasks would break the executor.
    """

    def __init__(self) -> None:
        self.inside = 0
        self.wanted: tuple[str, str] = ("", "")
        self.restore: list[Callable[[], object]] = []
        self.handler: Any = None

    def enter(self, ticket: Ticket) -> None:
        wanted = ticket.engine, ticket.level
        if self.inside == 0:
            self.wanted, self.restore = wanted, []
            try:
                self._use(ticket)
            except BaseException:
                self.leave_all()
                raise
        elif wanted != self.wanted:
            raise Unusable("it is computing for a program with another engine")
        self.inside += 1

    def leave(self) -> None:
        self.inside -= 1
        if self.inside == 0:
            self.leave_all()

    def leave_all(self) -> None:
        while self.restore:
            self.restore.pop()()

    def _use(self, ticket: Ticket) -> None:
        if selection.current() != ticket.engine:
            if ticket.engine not in selection.available():
                raise Unusable(f"it has no native engine: {selection.problem()}")
            self._later(selection.use, selection.current())
            selection.use(ticket.engine)
        module = selection.kernels()
        if module is not None and module.level() != ticket.level:
            if ticket.level not in module.levels():
                here = f"its processor has {', '.join(module.levels())} and not {ticket.level}"
                raise Unusable(f"{here}; THROUGHTIME_LEVEL in the caller chooses another")
            self._later(module.use_level, module.level())
            module.use_level(ticket.level)
        if ticket.together is not None:
            threads = max(1, cores() // ticket.together)
            before = selection.get_num_threads()
            if threads < before:  # never more than the user allows
                self._later(selection.set_num_threads, before)
                selection.set_num_threads(threads)
            self._later(blas.limit_threads(threads))
        if threading.current_thread() is threading.main_thread():
            before_signal = signal.getsignal(signal.SIGINT)
            # None: a handler that was not set from Python and could not be restored.
            if before_signal not in (None, signal.SIG_IGN):
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                if ticket.together is None:  # then it may never learn that the team has ended
                    self._later(signal.signal, signal.SIGINT, before_signal)
                elif not ticket.ours:
                    self.handler = before_signal
        if ticket.ours:
            self.restore.clear()
            end_with_caller()

    def listen(self) -> None:
        """Restore the handler of Ctrl-C."""
        if self.handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self.handler)
            self.handler = None

    def _later(self, function: Callable[..., object], *arguments: Any) -> None:
        self.restore.append(lambda: function(*arguments))


_place = _Place()


@contextlib.contextmanager
def _as_worker(ticket: Ticket) -> Iterator[None]:
    """A context in which this process computes as the caller would; no change in the caller's."""
    from throughtime import __version__

    if ticket.home == process:
        yield
        return
    if ticket.version != __version__:
        raise Unusable(f"it has throughtime {__version__}, the caller {ticket.version}")
    with _lock:
        _place.enter(ticket)
    try:
        yield
    finally:
        with _lock:
            _place.leave()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
