"""One call of ``Workers.run``: which tasks wait, are on the way, or are done."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: Workers that may die with a task before it is computed alone; if one dies then, it has failed.
LOSSES = 2


class Failure(NamedTuple):
    """In place of a result: the exception that the function raised."""

    error: BaseException


@dataclass
class Message:
    """A task on its way: its number, and how the context comes to it."""

    #: None: no task. The answer says that a worker has started.
    number: int | None
    #: None: the file. True: its bytes. False: its bytes, with the memory-mapped arrays in them.
    maps: bool | None = None
    #: Executors of which a worker died while this was on its way.
    lost: int = 0

    @property
    def alone(self) -> bool:
        """Whether nothing else should be on its way, so that a death has one explanation."""
        return self.number is None or self.lost >= LOSSES


@dataclass
class Work:
    """One call of :meth:`Workers.run`."""

    function: Callable[[Any, Any], Any]
    tasks: list[Any]
    on_done: Callable[[int, Any], object] | None
    keep_failures: bool
    waiting: deque[Message] = field(default_factory=deque)
    sent: dict[Future[Any], Message] = field(default_factory=dict)
    done: queue.SimpleQueue[Future[Any]] = field(default_factory=queue.SimpleQueue)
    #: The number and the exception of the first task, in their order, that has failed.
    failed: tuple[int, BaseException] | None = None

    def __post_init__(self) -> None:
        self.results: list[Any] = [None] * len(self.tasks)

    def finish(self, number: int, result: Any) -> None:
        if isinstance(result, Failure) and not self.keep_failures:
            if self.failed is None or number < self.failed[0]:
                self.failed = number, result.error
            return
        self.results[number] = result
        if self.on_done is not None:
            self.on_done(number, result)

    def wanted(self, message: Message) -> bool:
        """Whether ``message`` stands before the first task that failed."""
        return self.failed is None or message.number is None or message.number < self.failed[0]

    def next(self, limit: int) -> Message | None:
        """The message to send now; None if there is none, or ``limit`` are on their way."""
        while self.waiting:
            alone = self.waiting[0].alone or any(message.alone for message in self.sent.values())
            if len(self.sent) >= (1 if alone else limit):
                return None
            message = self.waiting.popleft()
            if self.wanted(message):
                return message
        return None

    def lose(self, *, died: bool, cancel: bool) -> Message | None:
        """Take back what is on its way through an executor that is broken.

        Parameters
        ----------
        died : bool
            Whether a worker died, perhaps of one of these tasks.
        cancel : bool
            As for :meth:`forget`.

        Returns
        -------
        Message or None
            That of which a worker died for certain. The others wait again, those last that must
            travel alone.
        """
        lost = [message for message in self.sent.values() if message.number is not None]
        for message in lost:
            message.maps = None
            message.lost += died
        guilty = lost.pop() if died and len(lost) == 1 and lost[0].alone else None
        left = [message for message in self.waiting if message.number is not None]
        self.forget(cancel=cancel)
        self.waiting.extend(
            sorted(lost + left, key=lambda message: (message.alone, message.number))
        )
        return guilty

    def drop_behind_failure(self) -> None:
        """Take back what stands behind the first task that failed and has not begun."""
        self.waiting = deque(message for message in self.waiting if self.wanted(message))
        for future, message in list(self.sent.items()):
            if not self.wanted(message) and future.cancel():
                del self.sent[future]

    def forget(self, *, cancel: bool) -> None:
        """Drop everything that is not done.

        Parameters
        ----------
        cancel : bool
            Whether to take it back from the executor: not from one that is ended, or has ended, by
            force, because a pool of Python then tells also those futures that were cancelled.
        """
        for future in list(self.sent) if cancel else ():
            future.cancel()
        self.waiting.clear()
        self.sent.clear()
