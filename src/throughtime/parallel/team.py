"""``Workers``: tasks that share a context, computed by whoever is there, with the same results."""

from __future__ import annotations

import contextlib
import pickle
import queue
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, CancelledError, wait
from dataclasses import replace
from types import ModuleType, TracebackType
from typing import Any, Self

import throughtime.parallel.packing as packing
import throughtime.parallel.remote as remote
from throughtime.errors import InvalidArgumentError, WorkersWarning
from throughtime.kernels import selection
from throughtime.parallel.executors import (
    Executor,
    Processes,
    Size,
    check_executor,
    end,
    killed_by_task,
    made,
    pickler_module,
    refuse_while_starting,
    starts_again,
    submit,
)
from throughtime.parallel.keeping import Keeper
from throughtime.parallel.sentences import GUARD, SEND, WAY, Broken, dead, what
from throughtime.parallel.watch import Watch
from throughtime.parallel.work import LOSSES, Failure, Message, Work

#: Executors in a row that break before they have finished a task; then the caller computes.
BREAKS = 2
#: Seconds after which workers are counted again: a cluster grows and shrinks.
RECOUNT = 10.0
#: Seconds without a result after which to look whether the workers are alive. On Windows, Ctrl-C
#: comes between two waits.
LOOK = 0.5
#: Seconds to wait for workers of others at the end; they may be busy.
GOODBYE = 1.0
#: Times that workers of others are told of the end.
ROUNDS = 3
#: Messages on the way where the number of workers is unknown.
MANY = 64


class Workers:
    """A context manager for tasks that share a context.

    The results do not depend on who computes. If workers die, their tasks are computed again: by a
    new executor where ``executor`` is a function, otherwise by the caller, with a
    :class:`WorkersWarning`. A task of which workers die again and again is not computed by the
    caller, which would die, too: it fails with a :class:`WorkerError`.

    In the processes of workers, the number of threads of the native engine is the number of cores
    through the number of workers there, at most that which it was; the engine and the instruction
    set are those of the caller; Ctrl-C is left to the caller. In workers of an executor that was
    given, that is so during a task, and for Ctrl-C until this team ends; in those that we start,
    for good.

    Parameters
    ----------
    executor : executor, callable or None
        None: the caller computes. An object with ``submit`` as :class:`concurrent.futures.Executor`
        has it, which stays the user's. Or a function without arguments that makes one, which is
        shut down at the end.
    context : object
        What all tasks need. The caller uses it as it is; a worker unpickles it once and keeps it,
        in each of its threads. Large arrays are mapped into memory from a file where the worker is
        on the same machine, and sent once elsewhere.

    Raises
    ------
    InvalidTypeError
        If ``executor`` is none of these.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from throughtime.parallel import Workers
    >>> with Workers(ThreadPoolExecutor, context=10) as workers:
    ...     workers.run(pow, [1, 2, 3])
    [10, 100, 1000]
    """

    def __init__(self, executor: Any, context: Any) -> None:
        self.context = context
        self._executor, self._make = check_executor(executor)
        self._alone = executor is None or getattr(self._make, "given_up", False)
        self._parcel: packing.Parcel | None = None
        self._size: Size | None = None
        self._counted = 0.0
        self._warned: dict[str | tuple[str, type[Warning], int], int] = {}
        self._watch = Watch()
        self._breaks = 0
        self._works = False  # whether the executor has ever answered
        self._worked = False  # whether any has
        self._last = ""  # how the last worker died
        self._replaced = ""  # why an executor was replaced, until that has been said
        self._said = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(kill=kind is not None and not issubclass(kind, Exception))

    def close(self, *, kill: bool = False) -> None:
        """Shut down an executor that is ours, and delete the file of the context.

        Parameters
        ----------
        kill : bool
            Whether to end workers of ours that are still at work, instead of waiting for them.
        """
        try:
            lives_on = self._make is None or isinstance(self._make, Keeper)
            if lives_on and not kill and self._executor is not None and self._parcel is not None:
                self._say_goodbye(self._executor, self._parcel.key)
            self._end(kill=kill)
        finally:
            if self._parcel is not None:
                remote.forget(self._parcel.key)  # of threads in this process
                self._parcel.close()
                self._parcel = None

    def _say_goodbye(self, executor: Executor, key: str) -> None:
        """Let each worker free its memory, and hear Ctrl-C again, now and not later."""
        heard: set[int] = set()
        with contextlib.suppress(Exception):
            for _ in range(ROUNDS):  # a fast worker may take the message of another
                sent = [
                    submit(executor, remote.part, key, remote.process)
                    for _ in range(self.count or 0)
                ]
                done, late = wait(sent, GOODBYE)
                heard |= {future.result() for future in done}
                if late or len(heard) >= len(sent):
                    break

    @property
    def count(self) -> int | None:
        """Number of workers; 1 if the caller computes, None if the executor does not say."""
        if self._alone:
            return 1
        return self._sized().workers

    def check(self, function: Callable[[Any, Any], Any], tasks: Iterable[Any]) -> None:
        """Raise what :meth:`run` would raise of what cannot be pickled, before any work."""
        if self._alone:
            return
        refuse_while_starting()
        self._ticket()
        work = Work(function, list(tasks), None, keep_failures=False)
        for number in range(len(work.tasks)):
            self._payload(work, Message(number))

    def run(
        self,
        function: Callable[[Any, Any], Any],
        tasks: Iterable[Any],
        on_done: Callable[[int, Any], object] | None = None,
        *,
        keep_failures: bool = False,
    ) -> list[Any]:
        """Call ``function(context, task)`` for each task, and return the results in their order.

        Parameters
        ----------
        function : callable
            A function of a module, whose result depends on its arguments alone.
        tasks : iterable
            What it is called with.
        on_done : callable, optional
            Called in this thread with the number of a task and its result, as soon as it is there.
        keep_failures : bool
            Whether a task that raises has a :class:`Failure` as its result; then so has one that
            was on its way when the last executor lost a worker, instead of being computed here.
            By default the exception of the first task, in their order, is raised here; what runs
            by then ends.

        Raises
        ------
        InvalidArgumentError
            If a task or the function cannot be pickled.
        WorkerError
            If workers die of a task, without ``keep_failures``.
        """
        if not self._alone:
            refuse_while_starting()
        work = Work(function, list(tasks), on_done, keep_failures)
        work.waiting.extend(map(Message, range(len(work.tasks))))
        try:
            while work.waiting and not self._alone:
                self._send_and_receive(work)
            self._compute_here(work)
        except BaseException:
            running = bool(work.sent)
            work.forget(cancel=self._make is None)
            if running:
                self._end(kill=True)
            raise
        finally:
            if self._parcel is not None:
                self._parcel.free()
        if work.failed is not None:
            raise work.failed[1]
        return work.results

    def _compute_here(self, work: Work) -> None:
        for message in list(work.waiting):
            number = message.number
            if number is None or not work.wanted(message):
                continue
            if message.lost >= (1 if work.keep_failures else LOSSES):
                work.finish(number, Failure(dead(message.lost, self._last)))
                continue
            try:
                result = work.function(self.context, work.tasks[number])
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # as a worker answers
                if not work.keep_failures:
                    raise
                result = Failure(error)
            work.finish(number, result)

    def _send_and_receive(self, work: Work) -> None:
        """Use one executor until all is done or it is broken."""
        broken: Broken | None = None
        if self._replaced:  # does the new one start at all?
            work.waiting.appendleft(Message(None))
        try:
            ticket = self._ticket()
        except Exception as error:
            if not self._replaced:
                raise
            self._give_up(work, f"no new one can be made: {what(error)}")
            return
        while broken is None and (work.waiting or work.sent):
            broken = self._fill(work, ticket) or self._receive(work)
        if broken is None:
            return
        # What has come back by now counts; the rest is sent, or computed, again.
        for future in list(work.sent):
            if future.done() and not future.cancelled() and future.exception() is None:
                self._take(work, work.sent.pop(future), future.result())
        processes = Processes(self._executor)
        if broken.died and not self._worked and starts_again(self._executor):
            broken = Broken(broken.why, for_good=True, way=GUARD)
        # Of executors that are made, one that has never answered may not have started at all.
        died = broken.died and (self._works or self._make is None)
        if died:
            self._last = processes.death() or broken.why
            self._breaks -= bool(work.sent)  # a task did it, not the executor
        guilty = work.lose(died=died, cancel=self._make is None and not processes.all)
        if guilty is not None:
            self._fail(work, guilty)
        self._end(kill=True)
        self._works = False
        self._breaks += 1
        if self._make is None or broken.for_good or self._breaks >= BREAKS:
            self._give_up(work, broken.why, broken.way)
        else:
            self._replaced = broken.why

    def _fail(self, work: Work, message: Message) -> None:
        """Let a task of which workers die be one that has failed."""
        assert message.number is not None
        work.finish(message.number, Failure(dead(message.lost, self._last)))
        work.drop_behind_failure()

    def _give_up(self, work: Work, why: str, way: str = "") -> None:
        self._alone = True
        if isinstance(self._make, Keeper):
            self._make.given_up = True
        lost = work.keep_failures and any(message.lost for message in work.waiting)
        but = ", but not what was on its way" if lost else ""
        warnings.warn(
            f"The executor is broken: {why}. This process computes the rest itself, with the same"
            f" results{but}.{way}",
            WorkersWarning,
            stacklevel=6,
        )

    def _fill(self, work: Work, ticket: remote.Ticket) -> Broken | None:
        """Send messages until there is one that waits for each worker."""
        executor = self._given()
        workers = self.count
        limit = MANY if workers is None else 2 * workers
        while (message := work.next(limit)) is not None:
            payload = self._payload(work, message)
            data = None
            if message.maps is not None:
                assert self._parcel is not None
                data = self._parcel.data(maps=message.maps)
            try:
                future = submit(executor, remote.perform, ticket, payload, data)
            except Exception as error:
                work.waiting.appendleft(message)
                return Broken(what(error), died=isinstance(error, BrokenExecutor))
            work.sent[future] = message
            future.add_done_callback(work.done.put)
        return None

    def _payload(self, work: Work, message: Message) -> bytes:
        tasks = [] if message.number is None else [work.tasks[message.number]]
        try:
            maps = message.maps is not False
            return packing.dumps((work.function, tasks), self._module(), maps=maps)
        except Exception as error:
            raise InvalidArgumentError(
                f"task {message.number} cannot be pickled, and so not be sent to a worker:"
                f" {what(error)}. {WAY}"
            ) from error

    def _receive(self, work: Work) -> Broken | None:
        """Wait for one message to be done."""
        try:
            future = work.done.get(timeout=LOOK)
        except queue.Empty:
            return self._watch.look(self._given())
        message = work.sent.pop(future, None)
        if message is None:  # cancelled before
            return None
        try:
            answer = future.result()
        except (Exception, CancelledError) as error:
            if killed_by_task(error) and message.number is not None:
                self._last, message.lost = what(error), max(message.lost, LOSSES)
                self._fail(work, message)
                return None
            work.sent[future] = message
            return Broken(what(error), died=isinstance(error, BrokenExecutor))
        except KeyboardInterrupt:
            if future.exception() is None:
                raise
            # Ctrl-C met a worker before it ignored that.
            work.waiting.appendleft(message)
            return None
        return self._take(work, message, answer)

    def _take(self, work: Work, message: Message, answer: tuple[str, Any]) -> Broken | None:
        """Use what a worker has answered."""
        kind, content = answer
        if kind == "missing":
            work.waiting.appendleft(replace(message, maps=content == "context"))
            return None
        if kind in ("unknown", "unusable"):
            work.waiting.appendleft(message)
            way = SEND if kind == "unknown" else ""
            return Broken(f"a worker cannot take part: {content}", for_good=True, way=way)
        self._works = self._worked = True
        if message.number is None:
            return None
        self._breaks = 0
        if self._replaced:
            self._say_replaced()
        for good, value, warned in pickle.loads(content):
            try:
                for text, file, line in warned:
                    warnings.warn_explicit(text, type(text), file, line, registry=self._warned)
            except Warning as error:  # the caller's filters make it one, as they would have there
                good, value = False, error
            work.finish(message.number, value if good else Failure(value))
        if work.failed is not None:
            work.drop_behind_failure()
        return None

    def _say_replaced(self) -> None:
        """Say, once, that a new executor works."""
        why, self._replaced = self._replaced, ""
        if not self._said:
            self._said = True
            warnings.warn(
                f"The executor broke: {why}. A new one computes what was lost, with the same"
                " results.",
                WorkersWarning,
                stacklevel=8,
            )

    def _given(self) -> Executor:
        """The executor, made now if it is to be made."""
        if self._executor is None:
            assert self._make is not None
            self._executor = made(self._make)
            self._size = None
        return self._executor

    def _sized(self) -> Size:
        now = time.monotonic()
        if self._size is None or now - self._counted > RECOUNT:
            self._size, self._counted = Size(self._given()), now
        return self._size

    def _module(self) -> ModuleType | None:
        return pickler_module(self._given())

    def _ticket(self) -> remote.Ticket:
        from throughtime import __version__

        size = self._sized()
        if self._parcel is None:
            try:
                self._parcel = packing.Parcel(self.context, self._module())
            except Exception as error:
                raise InvalidArgumentError(
                    f"what the workers need cannot be pickled: {what(error)}. {WAY}"
                ) from error
        module = selection.kernels()
        return remote.Ticket(
            self._parcel.key,
            self._parcel.path,
            remote.process,
            self._make is not None,
            size.together,
            selection.current(),
            "" if module is None else module.level(),
            __version__,
        )

    def _end(self, *, kill: bool) -> None:
        """Shut down an executor that is ours; the next message makes a new one."""
        if self._make is not None and self._executor is not None:
            executor, self._executor, self._size = self._executor, None, None
            if not isinstance(self._make, Keeper):
                end(executor, kill=kill)
            elif kill:  # otherwise it is for the next team
                self._make.end(kill=True)
