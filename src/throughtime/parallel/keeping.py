"""One executor for several teams, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from throughtime.parallel.executors import Executor, check_executor, end, made, submit


@contextmanager
def kept(executor: Any) -> Iterator[Any]:
    """A context that gives an executor for :class:`Workers`, which is ended after all of them.

    Parameters
    ----------
    executor : executor, callable or None
        As :class:`Workers` takes it. What a function makes is made once, when it is first needed,
        and again if it breaks.
    """
    given, make = check_executor(executor)
    if make is None:
        yield given
        return
    keeper = _Keeper(make)
    try:
        yield keeper
    except BaseException as error:
        keeper.end(kill=not isinstance(error, Exception))
        raise
    else:
        keeper.end()


class _Keeper:
    """A function that returns the same executor each time, as long as it is not broken."""

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._lent: _Lent | None = None

    def __call__(self) -> _Lent:
        if self._lent is None or self._lent.ended:
            self._lent = _Lent(made(self._make))
        return self._lent

    def end(self, *, kill: bool = False) -> None:
        if self._lent is not None and not self._lent.ended:
            self._lent.end(kill=kill)


class _Lent:
    """An executor whose users may end it only by force, which they do where it is broken."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.ended = False

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        return submit(self._executor, fn, *args)

    def shutdown(self, wait: bool = True) -> None:
        if not wait:
            self.end(kill=True)

    def end(self, *, kill: bool = False) -> None:
        self.ended = True
        end(self._executor, kill=kill)

    @property
    def _max_workers(self) -> Any:
        return getattr(self._executor, "_max_workers", None)
