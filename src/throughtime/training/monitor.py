"""Which column of the history judges an epoch, and the weights of the best epoch so far."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from throughtime.errors import InvalidArgumentError, describe, sentence
from throughtime.optimizers.base import Optimizer
from throughtime.optimizers.schedules import Plateau, Warmup
from throughtime.training.callbacks import Callback, EarlyStopping, Run
from throughtime.training.heads import Heads


class Columns(dict[str, bool]):
    """The columns that can judge an epoch, each with whether large values are good.

    Parameters
    ----------
    heads : tuple of Head
        The loss and the metrics of each output have columns.
    validated : bool
        Whether there is a validation set, which has the same columns once more.
    """

    def __init__(self, heads: Heads, validated: bool) -> None:
        super().__init__({"loss": False})
        for head in heads:
            self[f"{head.prefix}loss"] = False
            for metric in head.metrics:
                self[f"{head.prefix}{metric.name}"] = metric.greater_is_better
        if validated:
            self.update({f"val_{name}": large for name, large in self.items()})

    def check(self, monitor: Any) -> str:
        """Return the column that ``monitor`` names; without a name, the loss that matters most."""
        if monitor is None:
            return "val_loss" if "val_loss" in self else "loss"
        if not isinstance(monitor, str) or monitor not in self:
            hint = ""
            if str(monitor).startswith("val_") and "val_loss" not in self:
                hint = "Pass validation=0.2 or a validation set."
            expected = f"one of {', '.join(map(repr, self))}"
            raise InvalidArgumentError(sentence("monitor", expected, describe(monitor), hint))
        return monitor


def column_for_schedule(columns: Columns, optimizer: Optimizer) -> str:
    """The column that the learning-rate schedule observes, its direction checked."""
    plateau = optimizer.lr
    while isinstance(plateau, Warmup):
        plateau = plateau.schedule
    if not isinstance(plateau, Plateau):
        return columns.check(None)
    column = columns.check(plateau.monitor)
    if plateau.greater_is_better is not columns[column]:
        size = "large" if columns[column] else "small"
        hint = "Name the score: monitor='val_accuracy'." if plateau.monitor is None else ""
        watches = f"for a Plateau that watches {column!r}, of which {size} values are good"
        expected = f"{columns[column]} {watches}"
        raise InvalidArgumentError(
            sentence("greater_is_better", expected, plateau.greater_is_better, hint)
        )
    return column


class BestWeights:
    """The weights of the best epoch so far, by the column that early stopping watches.

    Every run keeps them, so that Ctrl-C and a divergence can go back to them.

    Parameters
    ----------
    columns : Columns
        The columns to choose from.
    callbacks : list of Callback
        If an :class:`EarlyStopping` is among them, it decides which column, which direction and
        which margin; otherwise the loss decides.
    """

    def __init__(self, columns: Columns, callbacks: list[Callback]) -> None:
        self.columns = columns
        rule = next((c for c in callbacks if isinstance(c, EarlyStopping)), None)
        self.stops = rule is not None
        self.rule = rule if rule is not None else EarlyStopping(restore_best=False)
        self.monitor = columns.check(self.rule.monitor)
        mode = self.rule.mode
        large = columns[self.monitor] if mode == "auto" else mode == "max"
        self.sign = -1.0 if large else 1.0
        self.weights: np.ndarray | None = None

    def update(self, run: Run) -> None:
        """Judge the epoch that has just ended; ask the run to stop when patience is used up."""
        rule, value = self.rule, run.history[self.monitor][-1]
        best = math.inf if rule.best is None else self.sign * rule.best
        # A metric can be NaN (precision without a positive), which is never better.
        if math.isfinite(value) and self.sign * value < best - rule.min_delta:
            rule.best, rule.best_epoch, rule.waited = value, run.epoch, 0
            self.weights = run.net.params.flat.copy()
        else:
            rule.waited += 1
        run.history.best_epoch = rule.best_epoch
        self.consider_stopping(run)

    def consider_stopping(self, run: Run) -> None:
        """Ask the run to stop if patience is used up."""
        if self.stops and self.rule.waited >= self.rule.patience:
            run.stop("early stopping")

    def restore(self, run: Run) -> bool:
        """Put the best weights back, if there are any; return whether there were."""
        if self.weights is None:
            return False
        run.net.params.flat[...] = self.weights
        run.history.restored = True
        return True
