"""One call of ``Workers.run``: which tasks wait, are on the way, or are done."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Failure(NamedTuple):
    """In place of a result: the exception that the function raised."""

    error: BaseException


@dataclass
class Message:
    """Tasks that travel together: their numbers, and how the context comes to them."""

    numbers: Sequence[int]
    #: None: the file. True: its bytes. False: its bytes, with the memory-mapped arrays in them.
    maps: bool | None = None


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
        return self.failed is None or message.numbers[0] < self.failed[0]

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
