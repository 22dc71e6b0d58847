"""Work on many series, shared among threads or among the workers of an executor.

Each series is worked on by itself, so results do not depend on who does it. The kernels of
smoothing release the GIL, but around them is much Python: threads pay for long series only. Two
threads on two cores need 0.85 of the time of one for a fit and forecast of 600 months, and as long
as one for 120; two processes need 0.57 of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, NamedTuple, TypeVar

import numpy as np

from throughtime.kernels import selection
from throughtime.parallel import Workers

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: Parts for workers, at least, where there are so many items.
_FEWEST_PARTS = 16

#: Called with what is done, of how many series, and how many there are.
Listener = Callable[[str, int, int], object]
_LISTENER: ContextVar[Listener | None] = ContextVar("LISTENER", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """A context in which ``listener`` follows each :func:`for_each` of several items."""
    before = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(before)


def for_each(
    function: Callable[..., _Result],
    shared: tuple[Any, ...],
    items: Iterable[Any],
    executor: Any = None,
    at_once: int = 8,
    *,
    doing: str = "",
) -> list[_Result]:
    """``[function(*shared, item) for item in items]``.

    Parameters
    ----------
    function : callable
        A function of a module. It must neither depend on other items nor change anything shared.
    shared : tuple
        What it needs for all of them.
    items : iterable
        One for each series.
    executor : executor or callable, optional
        As :class:`throughtime.parallel.Workers` takes it; without it the threads of the native
        engine share the items.
    at_once : int
        Items that a thread takes at once, and a worker at most twice as many: few enough that all
        end at about the same time, and enough that handing them out costs nothing beside a
        millisecond for each.
    doing : str
        What the user reads while this lasts: "smoothing" becomes "smoothing 812 of 3,000".
    """
    listed = list(items)
    tell = _teller(doing, len(listed))
    if executor is not None and len(listed) > 1:
        return _on_workers(function, shared, listed, executor, 2 * at_once, tell)
    parts = _cut(listed, at_once)
    threads = 1 if selection.kernels() is None else selection.get_num_threads()
    results: list[_Result] = []
    if min(threads, len(parts)) <= 1:
        for item in listed:
            results.append(function(*shared, item))
            tell(1)
        return results
    unwanted = threading.Event()

    def work(part: Sequence[Any]) -> list[_Result]:
        return [function(*shared, item) for item in part if not unwanted.is_set()]

    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        # What np.errstate says holds in the context of the caller alone, so it goes along.
        running = [pool.submit(copy_context().run, work, part) for part in parts]
        try:
            for future in running:
                found = future.result()
                results += found
                tell(len(found))
            return results
        finally:
            unwanted.set()  # after an error, or Ctrl-C
            for future in running:
                future.cancel()


def _teller(doing: str, total: int) -> Callable[[int], None]:
    """A function of the number of items that have been done now, for the listener."""
    listener, done = _LISTENER.get(), 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        if listener is not None and doing and total > 1:
            listener(doing, done, total)

    tell(0)
    return tell


def _cut(items: list[_Item], size: int) -> list[list[_Item]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


class _Job(NamedTuple):
    """What workers need for all parts.

    Attributes
    ----------
    function, shared :
        As in :func:`for_each`.
    errors : dict
        What np.errstate says, which holds in the context of the caller alone.
    """

    function: Callable[..., Any]
    shared: tuple[Any, ...]
    errors: Any


def _on_workers(
    function: Callable[..., _Result],
    shared: tuple[Any, ...],
    items: list[Any],
    executor: Any,
    most: int,
    tell: Callable[[int], None],
) -> list[_Result]:
    """:func:`for_each` on the workers of an executor, each of which takes at ``most`` so many.

    ``tell`` is called with the number of items of each part that is done.
    """
    job = _Job(function, shared, np.geterr())
    parts = _cut(items, min(most, -(-len(items) // _FEWEST_PARTS)))
    with Workers(executor, job) as workers:
        answers = workers.run(_work_on_part, parts, lambda _, done: tell(len(done)))
    return [result for results in answers for result in results]


def _work_on_part(job: _Job, part: Sequence[Any]) -> list[Any]:
    """The results of one part."""
    with np.errstate(**job.errors):
        return [job.function(*job.shared, item) for item in part]
