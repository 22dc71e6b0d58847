"""Ctrl-C in a long command: the first ends training, the second ends the command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from throughtime.training.callbacks import Callback
from throughtime.training.interrupt import Interruption

if TYPE_CHECKING:
    from types import TracebackType

    from throughtime.training.callbacks import Run


class StopButton(Callback):
    """A context, and a callback for every training run inside it: one Ctrl-C ends all of them.

    A training run handles Ctrl-C only for itself. The runs after it then end after their first
    batch.

    Parameters
    ----------
    tell : callable
        Called with a sentence for the user when training ends.

    Attributes
    ----------
    pressed : bool
        Whether Ctrl-C was pressed.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self._between = Interruption()

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

    def on_batch_end(self, run: Run) -> None:
        """End a run that began after Ctrl-C."""
        if self.pressed:
            run.stop("interrupted")

    def on_train_end(self, run: Run) -> None:
        """Remember a Ctrl-C that ended this run."""
        if run.stop_reason == "interrupted" and not self.pressed:
            self._between.requested = True
            self.tell(
                "Ctrl-C: training ends here, the best weights so far are kept and the files are"
                " written; press it again to stop without them."
            )
