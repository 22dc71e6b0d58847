"""Ctrl-C in a long command: the first ends training, the second ends the command.

Before a network trains there is nothing to keep, and the first ends the command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from throughtime.training.callbacks import Callback
from throughtime.training.interrupt import Interruption

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from throughtime.training.callbacks import Run

_TRAINING_ENDS = (
    "Ctrl-C: training ends here, the best weights so far are kept and the files are written; press"
    " it again to stop without them."
)
_TRAINED = "Ctrl-C: the files are being written; press it again to stop without them."


class Abandoned(KeyboardInterrupt):
    """The first Ctrl-C, inside :meth:`StopButton.dispensable`."""


class StopButton(Callback):
    """A context, and a callback for every training run inside it: one Ctrl-C ends all of them.

    A training run handles Ctrl-C only for itself. The runs after it then end after their first
    batch. Before the first run, Ctrl-C raises :class:`KeyboardInterrupt` at once; after it, only
    the second does.

    Parameters
    ----------
    tell : callable
        Called with a sentence for the user as soon as Ctrl-C was pressed.

    Attributes
    ----------
    pressed : bool
        Whether Ctrl-C was pressed, and something is kept.
    trained : bool
        Whether all training is over; to be set from outside.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.trained = False
        self._begun = False
        self._dispensable = False
        self._between = _Between(self._on_press)

    @property
    def pressed(self) -> bool:
        """Whether Ctrl-C was pressed, in a training run or between two."""
        return self._between.requested

    def __enter__(self) -> Self:
        self._between.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._between.__exit__(kind, error, traceback)

    @contextmanager
    def dispensable(self) -> Iterator[None]:
        """A context that ends early, without an error, when Ctrl-C is first pressed in it."""
        self._dispensable = True
        try:
            yield
        except Abandoned:
            pass
        finally:
            self._dispensable = False

    def on_train_begin(self, run: Run) -> None:
        """Remember that there is something to keep."""
        self._begun = True

    def on_batch_end(self, run: Run) -> None:
        """End a run that began after Ctrl-C."""
        if self.pressed:
            run.stop("interrupted")

    def on_train_end(self, run: Run) -> None:
        """Remember a Ctrl-C that ended this run."""
        if run.stop_reason == "interrupted" and not self.pressed:
            self._between.requested = True
            self._on_press()

    def _on_press(self) -> None:
        """Act on the first Ctrl-C."""
        if not self._begun:
            raise KeyboardInterrupt
        self.tell(_TRAINED if self.trained else _TRAINING_ENDS)
        if self._dispensable:
            raise Abandoned


class _Between(Interruption):
    """An interruption that calls a function at the first SIGINT."""

    def __init__(self, on_first: Callable[[], None]) -> None:
        super().__init__()
        self._on_first = on_first

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        super()._on_signal(number, frame)
        self._on_first()
