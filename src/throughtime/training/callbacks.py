"""Callbacks: user-defined code inside a training run, and early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
    check_bool,
    check_choice,
    check_float,
    check_function,
    check_int,
    describe,
    foreign,
    sentence,
)
from throughtime.registry import translate
from throughtime.training.history import History

if TYPE_CHECKING:
    from throughtime.network import Network
    from throughtime.optimizers.base import Optimizer


@dataclass
class Run:
    """A training run, as callbacks receive it.

    Attributes
    ----------
    net : Network
        The network; its weights may be read at any time and changed at the end of an epoch.
    optimizer : Optimizer
        The optimiser.
    history : History
        The record of the epochs so far.
    epochs : int
        Number of the last epoch.
    epoch : int
        Number of the epoch that runs or has just ended, from 1.
    batch : int
        Number of the batch that has just ended, from 1.
    batches : int or None
        Number of batches in an epoch; None in the first epoch of a source that does not say.
    loss : float
        Loss of the last batch.
    stop_reason : str or None
        Why the run will stop; None if it will not.
    """

    net: Network
    optimizer: Optimizer
    history: History
    epochs: int
    epoch: int = 0
    batch: int = 0
    batches: int | None = 0
    loss: float = math.nan
    stop_reason: str | None = None

    def stop(self, reason: str = "stopped by a callback") -> None:
        """End the run: after this batch if called in ``on_batch_end``, otherwise after this epoch.

        If it is called more than once, the first reason is kept.
        """
        if self.stop_reason is None:
            self.stop_reason = reason


class Callback:
    """Base of callbacks: override the methods that you need.

    ``on_train_begin`` is called once, after all checks and after a checkpoint was read.
    ``on_batch_end`` is called after every batch, when its updates of the weights are done (with
    ``tbptt`` there is one for each chunk). ``on_epoch_end`` is called when the epoch is in the
    history, before its checkpoint is written. ``on_train_end`` is called once, when the final
    weights are in place: training was finished, stopped or interrupted, but did not end in an
    error. Callbacks are called in their order in the list. An error in one ends training and is
    raised.

    A callback with a memory should return it from :meth:`state_dict`. Otherwise a run that is
    resumed from a checkpoint differs from one that was never stopped.
    """

    def on_train_begin(self, run: Run) -> None:
        """Training is about to begin."""

    def on_batch_end(self, run: Run) -> None:
        """A batch is done, and so are its updates of the weights."""

    def on_epoch_end(self, run: Run) -> None:
        """An epoch is done and in the history."""

    def on_train_end(self, run: Run) -> None:
        """The final weights are in place."""

    def state_dict(self) -> dict[str, Any]:
        """Return the memory that a checkpoint must keep: arrays, and what is ready for JSON."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the memory that :meth:`state_dict` returned."""


#: The methods that a run calls.
MOMENTS = ("on_train_begin", "on_batch_end", "on_epoch_end", "on_train_end")


class _Function(Callback):
    """A plain function, called at the end of every epoch."""

    def __init__(self, function: Callable[[Run], object]) -> None:
        self.function = function

    def on_epoch_end(self, run: Run) -> None:
        self.function(run)


@translate(
    {
        "monitor": ("metric", "quantity"),
        "patience": ("n_iter_no_change", "rounds", "stopping_rounds"),
        "min_delta": ("delta", "threshold", "tol"),
        "restore_best": ("load_best", "restore_best_weights", "save_best"),
    }
)
@dataclass
class EarlyStopping(Callback):
    """End training when a value has not improved for some epochs.

    Parameters
    ----------
    monitor : str, optional
        Column of the history to watch: ``"val_loss"``, ``"val_accuracy"``, ``"loss"`` ... By
        default ``"val_loss"`` if there is a validation set, otherwise ``"loss"``.
    patience : int
        Number of epochs in a row without a better value after which training ends.
    min_delta : float
        Improvement over the best value that counts; a smaller one does not.
    restore_best : bool
        Whether to restore the weights of the best epoch at the end.
    mode : {"auto", "min", "max"}
        Whether small or large values are good; ``"auto"`` is right for losses and metrics.

    Attributes
    ----------
    best : float or None
        The best value so far.
    best_epoch : int or None
        Number of its epoch, from 1.
    waited : int
        Number of epochs since then.
    """

    monitor: str | None = None
    patience: int = 10
    min_delta: float = 0.0
    restore_best: bool = True
    mode: str = "auto"
    best: float | None = field(default=None, init=False, compare=False)
    best_epoch: int | None = field(default=None, init=False, compare=False)
    waited: int = field(default=0, init=False, compare=False)

    def __post_init__(self) -> None:
        if self.monitor is not None and not isinstance(self.monitor, str):
            expected = "the name of a column of the history"
            raise InvalidTypeError(sentence("monitor", expected, describe(self.monitor)))
        self.patience = check_int("patience", self.patience, 1)
        self.min_delta = check_float("min_delta", self.min_delta, 0.0)
        self.restore_best = check_bool("restore_best", self.restore_best)
        check_choice("mode", self.mode, ("auto", "min", "max"))

    def reset(self) -> None:
        """Forget everything, for a new run."""
        self.best, self.best_epoch, self.waited = None, None, 0

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if not isinstance(state, Mapping) or state.keys() != self.state_dict().keys():
            raise ModelFileError(
                f"the checkpoint holds no memory of early stopping; got {describe(state)}."
            )
        best, epoch = state["best"], state["best_epoch"]
        try:
            waited = check_int("waited", state["waited"], 0)
            if (best is None) is not (epoch is None):
                raise InvalidArgumentError("best and best_epoch must be given together.")
            best = None if best is None else check_float("best", best)
            epoch = None if epoch is None else check_int("best_epoch", epoch, 1)
        except (InvalidArgumentError, InvalidTypeError) as error:
            raise ModelFileError(f"the checkpoint's early stopping is damaged: {error}") from None
        self.best, self.best_epoch, self.waited = best, epoch, waited


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Return the callbacks as objects; a function is called at the end of every epoch."""
    single = isinstance(callbacks, Callback) or not isinstance(callbacks, Iterable)
    if single or getattr(callbacks, "shape", None) == ():
        hint = "Put a single one into brackets."
        if callbacks is None:
            hint = "Leave the argument out, or write []."
        raise InvalidTypeError(
            sentence("callbacks", "a list of callbacks", describe(callbacks), hint)
        )
    found = [_check_callback(callback) for callback in callbacks]
    if sum(isinstance(callback, EarlyStopping) for callback in found) > 1:
        expected = "at most one EarlyStopping"
        raise InvalidArgumentError(sentence("callbacks", expected, "more", must="hold"))
    return found


def _is_checkpoint(callback: Any) -> bool:
    from throughtime.training.checkpoints import Checkpoint

    return isinstance(callback, Checkpoint)


def _check_callback(callback: Any) -> Callback:
    """One callback as an object whose methods can be called."""
    if isinstance(callback, Callback):
        for moment in MOMENTS:
            check_function(f"{moment} of a callback", getattr(callback, moment), ("run",))
        return callback
    if callable(callback) and not isinstance(callback, type) and not foreign(callback):
        check_function("a callback", callback, ("run",))
        return _Function(callback)
    hint = ""
    if isinstance(callback, type):
        hint = "Write it with brackets, to make an object."
    elif _is_checkpoint(callback):
        hint = "Give a checkpoint as checkpoint=, and resume=True to go on from it."
    elif foreign(callback):
        hint = f"It is of {foreign(callback)}; tt.EarlyStopping and tt.Checkpoint are ours."
    expected = "Callback objects or functions of one argument, the run"
    raise InvalidTypeError(sentence("callbacks", expected, describe(callback), hint, must="hold"))
