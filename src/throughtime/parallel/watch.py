"""A look after an executor from which nothing has come for a while."""

from __future__ import annotations

from typing import Any

from throughtime.parallel.executors import Executor, Processes, is_from
from throughtime.parallel.sentences import Broken


class Watch:
    """What was wrong at the last look.

    Only what is wrong twice in a row counts: the executor may just be about to replace a process,
    or to say that it broke.
    """

    def __init__(self) -> None:
        self._dead: set[tuple[int, int]] = set()
        self._cut_off = False

    def look(self, executor: Executor) -> Broken | None:
        """Why the executor will never answer; None if it may."""
        before, self._cut_off = self._cut_off, is_cut_off(executor)
        if before and self._cut_off:
            return Broken("the connection to the scheduler is lost")
        processes = Processes(executor)
        earlier, self._dead = self._dead, processes.dead()
        lasting = earlier & self._dead
        if not lasting:
            return None
        processes.kill()  # as the executor itself would, if it saw it
        number, code = min(lasting)
        return Broken(f"process {number} ended with exit code {code}", died=True)


def is_cut_off(executor: Any) -> bool:
    """Whether a client of Dask has lost its scheduler: what is sent then is never answered."""
    client = getattr(executor, "_client", None)
    return is_from(executor, "distributed") and getattr(client, "status", "running") != "running"
