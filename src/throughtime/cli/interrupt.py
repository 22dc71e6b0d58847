"""Ctrl-C in a long command: the first time it ends training, the second time everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from throughtime.training.callbacks import Callback
from throughtime.training.interrupt import Interruption

if TYPE_CHECKING:
    from types import TracebackType

    from throughtime.training.callbacks import Run


class StopButton(Callback):
    """Context, and callback of every training run inside it, that makes one Ctrl-C count for all.

    A training run answers Ctrl-C itself, but only for itself; the runs after it then end after
    their first batch.

    Parameters
    ----------
    tell : callable
        Called with a sentence for the user when training is ended.

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
        """Remember a Ctrl-C that this run has answered."""
        if run.stop_reason == "interrupted" and not self.pressed:
            self._between.requested = True
            self.tell(
                "Ctrl-C: training ends here, the best weights so far are kept and the files are"
                " written; press it again to stop without them."
            )
