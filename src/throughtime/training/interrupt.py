"""Ctrl-C while training: the first asks for a clean end, the second interrupts at once."""

from __future__ import annotations

import signal
import threading
from contextvars import ContextVar
from types import FrameType, TracebackType
from typing import Any, Self

#: Whether Ctrl-C ends a run cleanly. A program that keeps nothing of a run sets it to False; Ctrl-C
#: then raises KeyboardInterrupt at once.
CLEAN_END: ContextVar[bool] = ContextVar("CLEAN_END", default=True)


class Interruption:
    """Context in which the first SIGINT only sets :attr:`requested`.

    A second SIGINT raises :class:`KeyboardInterrupt` as usual. The previous handler is restored at
    the end. No handler is installed outside the main thread, where Python allows none, or if
    SIGINT is ignored (a job in the background).

    Attributes
    ----------
    requested : bool
        Whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None
        self._installed = False

    def __enter__(self) -> Self:
        if CLEAN_END.get() and threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGINT)
            # None: a handler that was not set from Python and could not be restored.
            if self._before not in (None, signal.SIG_IGN):
                signal.signal(signal.SIGINT, self._on_signal)
                self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._before)
            self._installed = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
