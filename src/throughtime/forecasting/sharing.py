"""Work on many series, shared among threads or among the workers of an executor.

Each series is worked on by itself, so results do not depend on who does it. The kernels of
smoothing release the GIL, but around them is much Python: threads pay for long series only. Two
threads on two cores need 0.85 of the time of one for a fit and forecast of 600 months, and as long
as one for 120; two processes need 0.57 of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, NamedTuple, TypeVar

import numpy as np

from throughtime.kernels import selection
from throughtime.parallel import Workers

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: Parts for workers, at least, where there are so many items.
_FEWEST_PARTS = 16


def for_each(
    function: Callable[..., _Result],
    shared: tuple[Any, ...],
    items: Iterable[Any],
    executor: Any = None,
    at_once: int = 8,
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
    """
    listed = list(items)
    if executor is not None and len(listed) > 1:
        return _on_workers(function, shared, listed, executor, 2 * at_once)
    parts = _cut(listed, at_once)
    threads = 1 if selection.kernels() is None else selection.get_num_threads()
    if min(threads, len(parts)) <= 1:
        return [function(*shared, item) for item in listed]

    def work(part: Sequence[Any]) -> list[_Result]:
        return [function(*shared, item) for item in part]

    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        # What np.errstate says holds in the context of the caller alone, so it goes along.
        running = [pool.submit(copy_context().run, work, part) for part in parts]
        try:
            return [result for future in running for result in future.result()]
        finally:
            for future in running:  # after an error the rest is not wanted
                future.cancel()


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
) -> list[_Result]:
    """:func:`for_each` on the workers of an executor, each of which takes at ``most`` so many."""
    job = _Job(function, shared, np.geterr())
    parts = _cut(items, min(most, -(-len(items) // _FEWEST_PARTS)))
    with Workers(executor, job) as workers:
        answers = workers.run(_work_on_part, parts)
    return [result for results in answers for result in results]


def _work_on_part(job: _Job, part: Sequence[Any]) -> list[Any]:
    """The results of one part."""
    with np.errstate(**job.errors):
        return [job.function(*job.shared, item) for item in part]
