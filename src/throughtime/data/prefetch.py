"""Reading ahead: the items of an iterator are made in a thread while the last ones are used."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
#: Seconds that :meth:`Prefetch.close` waits for an iterator that does not return.
PATIENCE = 2.0


class Prefetch(Generic[Item]):
    """The items of ``items``, of which a thread makes up to ``depth`` ahead.

    An error of the iterator is raised when its turn comes, after the items before it.

    Parameters
    ----------
    items : iterator
        It is run in the thread, from its first item on.
    depth : int
        How many items may wait; at least 1.
    """

    def __init__(self, items: Iterator[Item], depth: int) -> None:
        self._items, self._depth = items, depth
        self._waiting: deque[Item] = deque()
        self._error: BaseException | None = None
        self._ended = self._stopped = False
        self._changed = threading.Condition()
        # A daemon, because an iterator that waits for a network may never return.
        self._thread = threading.Thread(target=self._run, name="throughtime prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Prefetch[Item]:
        return self

    def __next__(self) -> Item:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if self._waiting:
                item = self._waiting.popleft()
                self._changed.notify_all()
                return item
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Make no more items, and wait until the thread has left the iterator."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join(PATIENCE)

    def _may_go_on(self) -> bool:
        return self._stopped or len(self._waiting) < self._depth

    def _run(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(self._may_go_on)
                    if self._stopped:
                        break
                    self._waiting.append(item)
                    self._changed.notify_all()
                del item  # the user of the item decides how long it lives
        except BaseException as error:  # it is raised where the item is wanted
            self._error = error
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()
