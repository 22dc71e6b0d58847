"""One executor for several teams, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from throughtime.parallel.executors import Executor, check_executor, end, made


@contextmanager
def kept(executor: Any) -> Iterator[Any]:
    """A context that gives an executor for :class:`Workers`, which is ended after all of them.

    Parameters
    ----------
    executor : executor, callable or None
        As :class:`Workers` takes it. What a function makes is made once, when it is first needed,
        and again if it breaks.
    """
    _, make = check_executor(executor)
    if make is None or isinstance(make, Keeper):
        yield executor
        return
    keeper = Keeper(make)
    try:
        yield keeper
    except BaseException as error:
        keeper.end(kill=not isinstance(error, Exception))
        raise
    else:
        keeper.end()


class Keeper:
    """A function that returns the same executor each time, as long as it is not broken.

    Attributes
    ----------
    given_up : bool
        Whether a team has found that none works, so that the next ones need not try.
    """

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._executor: Executor | None = None
        self.given_up = False

    def __call__(self) -> Executor:
        if self._executor is None:
            self._executor = made(self._make)
        return self._executor

    def end(self, *, kill: bool = False) -> None:
        """End the executor; the next call makes a new one."""
        executor, self._executor = self._executor, None
        if executor is not None:
            end(executor, kill=kill)
