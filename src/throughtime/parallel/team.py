"""``Workers``: tasks that share a context, computed by whoever is there, with the same results."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import queue
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, wait
from types import ModuleType, TracebackType
from typing import Any, NamedTuple, Self

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
    made,
    pickler_module,
    refuse_while_starting,
    submit,
)
from throughtime.parallel.keeping import Keeper
from throughtime.parallel.work import Failure, Message, Work

#: Executors in a row that break before they have finished a task; then the caller computes.
BREAKS = 2
#: Seconds after which workers are counted again: a cluster grows and shrinks.
RECOUNT = 10.0
#: Seconds without a result after which to look whether the workers are alive. On Windows, Ctrl-C
#: comes between two waits.
LOOK = 0.5
#: The way out where something cannot be pickled.
WAY = (
    "A function must be one of a module, not a lambda and not defined inside another;"
    " functools.partial gives it arguments."
)
#: Seconds to wait for workers of others at the end; they may be busy.
GOODBYE = 1.0
#: Times that workers of others are told of the end.
ROUNDS = 3
#: Messages on the way where the number of workers is unknown.
MANY = 64


class _Broken(NamedTuple):
    """Why an executor is of no more use; ``for_good``: a new one would not be either."""

    why: str
    for_good: bool = False


class Workers:
    """A context manager for tasks that share a context.

    The results do not depend on who computes. If workers die, their tasks are computed again: by a
    new executor where ``executor`` is a function, otherwise by the caller, with a
    :class:`WorkersWarning`.

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
        self._dead: set[tuple[int, int]] = set()
        self._breaks = 0
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
            self._payload(work, Message([number]))

    def run(
        self,
        function: Callable[[Any, Any], Any],
        tasks: Iterable[Any],
        on_done: Callable[[int, Any], object] | None = None,
        *,
        together: bool = False,
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
        together : bool
            Whether tasks are sent in as many messages as there are workers. What several of them
            hold, the same vector for example, then travels once to each worker; but a worker that
            is done does not help another.
        keep_failures : bool
            Whether a task that raises has a :class:`Failure` as its result. By default the
            exception of the first task, in their order, is raised here; what runs by then ends.

        Raises
        ------
        InvalidArgumentError
            If a task or the function cannot be pickled.
        """
        if not self._alone:
            refuse_while_starting()
        work = Work(function, list(tasks), on_done, keep_failures)
        work.waiting.extend(Message(numbers) for numbers in self._split(len(work.tasks), together))
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

    def _split(self, n: int, together: bool) -> list[Sequence[int]]:
        parts = self.count if together and not self._alone else n
        parts = n if parts is None else min(parts, n)
        edges = [n * part // parts for part in range(parts + 1)] if parts else []
        return [range(a, b) for a, b in itertools.pairwise(edges)]

    def _compute_here(self, work: Work) -> None:
        for message in list(work.waiting):
            for number in message.numbers:
                if not work.wanted(Message([number])):
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
        broken: _Broken | None = None
        try:
            ticket = self._ticket()
        except Exception as error:
            if not self._breaks:
                raise
            self._give_up(f"no new one can be made: {_what(error)}")
            return
        while broken is None and (work.waiting or work.sent):
            broken = self._fill(work, ticket) or self._receive(work)
        if broken is None:
            return
        # What has come back by now counts; the rest is sent, or computed, again.
        for future in list(work.sent):
            if future.done() and not future.cancelled() and future.exception() is None:
                self._take(work, work.sent.pop(future), future.result())
        left = sorted([*work.sent.values(), *work.waiting], key=lambda message: message.numbers[0])
        work.forget(cancel=self._make is None and not Processes(self._executor).all)
        work.waiting.extend(Message(message.numbers) for message in left)
        self._end(kill=True)
        self._breaks += 1
        if self._make is None or broken.for_good or self._breaks >= BREAKS:
            self._give_up(broken.why)
        else:
            self._replaced = broken.why

    def _give_up(self, why: str) -> None:
        self._alone = True
        if isinstance(self._make, Keeper):
            self._make.given_up = True
        warnings.warn(
            f"The executor is broken: {why}. This process computes the rest itself, with the same"
            " results.",
            WorkersWarning,
            stacklevel=6,
        )

    def _fill(self, work: Work, ticket: remote.Ticket) -> _Broken | None:
        """Send messages until there is one that waits for each worker."""
        executor = self._given()
        workers = self.count
        limit = MANY if workers is None else 2 * workers
        while work.waiting and len(work.sent) < limit:
            message = work.waiting.popleft()
            if not work.wanted(message):
                continue
            payload = self._payload(work, message)
            data = None
            if message.maps is not None:
                assert self._parcel is not None
                data = self._parcel.data(maps=message.maps)
            try:
                future = submit(executor, remote.perform, ticket, payload, data)
            except Exception as error:
                work.waiting.appendleft(message)
                return _Broken(_what(error))
            work.sent[future] = message
            future.add_done_callback(work.done.put)
        return None

    def _payload(self, work: Work, message: Message) -> bytes:
        tasks = [work.tasks[number] for number in message.numbers]
        try:
            maps = message.maps is not False
            return packing.dumps((work.function, tasks), self._module(), maps=maps)
        except Exception as error:
            where = f"task {message.numbers[0]}" if len(tasks) == 1 else "one of the tasks"
            raise InvalidArgumentError(
                f"{where} cannot be pickled, and so not be sent to a worker: {_what(error)}. {WAY}"
            ) from error

    def _receive(self, work: Work) -> _Broken | None:
        """Wait for one message to be done."""
        try:
            future = work.done.get(timeout=LOOK)
        except queue.Empty:
            return self._look()
        message = work.sent.pop(future, None)
        if message is None:  # cancelled before
            return None
        try:
            answer = future.result()
        except (Exception, CancelledError) as error:
            work.sent[future] = message
            return _Broken(_what(error))
        except KeyboardInterrupt:
            if future.exception() is None:
                raise
            # Ctrl-C met a worker before it ignored that.
            work.waiting.appendleft(message)
            return None
        return self._take(work, message, answer)

    def _look(self) -> _Broken | None:
        """Look after an executor from which nothing has come for a while."""
        processes = Processes(self._given())
        before, self._dead = self._dead, processes.dead()
        lasting = before & self._dead
        if not lasting:  # the executor may just be about to replace it, or to say that it broke
            return None
        processes.kill()  # as the executor itself would, if it saw it
        number, code = min(lasting)
        return _Broken(f"process {number} ended with exit code {code}")

    def _take(self, work: Work, message: Message, answer: tuple[str, Any]) -> _Broken | None:
        """Use what a worker has answered."""
        kind, content = answer
        if kind == "missing":
            work.waiting.appendleft(Message(message.numbers, maps=content == "context"))
            return None
        if kind == "unusable":
            work.waiting.appendleft(message)
            return _Broken(f"a worker cannot take part: {content}", for_good=True)
        self._breaks = 0
        if self._replaced:
            self._say_replaced()
        answers = pickle.loads(content)
        for number, (good, value, warned) in zip(message.numbers, answers, strict=True):
            try:
                for text, file, line in warned:
                    warnings.warn_explicit(text, type(text), file, line, registry=self._warned)
            except Warning as error:  # the caller's filters make it one, as they would have there
                good, value = False, error
            work.finish(number, value if good else Failure(value))
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
                    f"what the workers need cannot be pickled: {_what(error)}. {WAY}"
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


def _what(error: BaseException) -> str:
    """The class of an exception and the first sentence of its text, without the stop."""
    text = " ".join(remote.text_of(error).split()).partition(". ")[0].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
