"""The progress of a training run: a bar or a line on a terminal or in a notebook, or a table.

A run does not end because a line cannot be shown; see :mod:`throughtime.messages.streams`.
"""

from __future__ import annotations

import html
import importlib.util
import math
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from throughtime.errors import check_bool
from throughtime.messages.streams import standard_error, standard_output
from throughtime.parallel.remote import IN_WORKER
from throughtime.training.history import table_head, table_row

#: Seconds between two drawings: people see no difference below it, and drawing takes time.
INTERVAL = 0.1


class Display(Protocol):
    """Shows the progress that the loop reports."""

    def batch(self, epoch: int, batch: int, batches: int | None, loss: float) -> None:
        """One batch is done."""

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """One epoch is done."""

    def close(self, note: str) -> None:
        """Training ended; ``note`` is the reason."""

    def interrupted(self, outcome: str) -> None:
        """Ctrl-C ended training; ``outcome`` says which weights the network has now."""


def check_verbose(verbose: Any) -> bool | None:
    """Return ``verbose`` if it is True, False or None."""
    hint = "True prints a line an epoch, False nothing; left out, there is a progress bar."
    return None if verbose is None else check_bool("verbose", verbose, hint)


def start_progress(
    verbose: bool | None, epochs: int, first: int = 1, unit: str = "epoch"
) -> Display:
    """The display for ``verbose``.

    Parameters
    ----------
    verbose : bool or None
        True prints a table to standard output, one line an epoch. None draws a moving line on
        standard error if that is a terminal, or a bar below the cell of a notebook. False prints
        nothing, not even an answer to Ctrl-C; nor does None in a worker of
        :mod:`throughtime.parallel`, whose caller shows how far all of them are.
    epochs : int
        The number of the last epoch.
    first : int
        The number of the first epoch; more than 1 in a run that was resumed.
    unit : str
        What is counted, where that is not epochs.
    """
    if verbose:
        return EpochTable(standard_output())
    if verbose is not None or IN_WORKER.get():
        return Silent()
    if in_notebook():
        return NotebookBar(epochs, first, unit)
    stream = standard_error()
    if not stream.isatty():
        return InterruptNotice()
    if importlib.util.find_spec("rich") is not None:
        return RichBar(stream, epochs, first, unit)
    return Line(stream, epochs, first, unit)


class Silent:
    """Shows nothing."""

    def batch(self, epoch: int, batch: int, batches: int | None, loss: float) -> None:
        """Show nothing."""

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Show nothing."""

    def close(self, note: str) -> None:
        """Show nothing."""

    def interrupted(self, outcome: str) -> None:
        """Show nothing."""


class InterruptNotice(Silent):
    """Shows nothing but a line after Ctrl-C, because the program then continues."""

    def interrupted(self, outcome: str) -> None:
        """Print the line to standard error."""
        stream = standard_error()
        stream.write(f"throughtime: Ctrl-C ended training; {outcome}.\n")
        stream.flush()


class EpochTable(InterruptNotice):
    """One line an epoch, with every column of the history."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.started = False

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Print the line of this epoch, and before the first one the names of the columns."""
        if not self.started:
            self.stream.write(table_head(list(values)) + "\n")
            self.started = True
        self.stream.write(table_row(epoch, values) + "\n")
        self.stream.flush()

    def close(self, note: str) -> None:
        """Print why training ended."""
        self.stream.write(f"{note}\n")
        self.stream.flush()


class Line(InterruptNotice):
    """One line that is drawn over and over, for a terminal without rich."""

    def __init__(self, stream: TextIO, epochs: int, first: int = 1, unit: str = "epoch") -> None:
        self.stream = stream
        self.epochs = epochs
        self.first = first
        self.unit = unit
        self.clock = time.monotonic
        self.start = self.clock()
        self.drawn = -INTERVAL
        self.shown = 0
        self.scores = ""

    def batch(self, epoch: int, batch: int, batches: int | None, loss: float) -> None:
        """Draw again, but not so often that drawing costs time."""
        if self.clock() - self.drawn >= INTERVAL:
            scores = self.scores or f"loss {loss:.4g}"
            of = "" if batches is None else f"/{batches}"
            self._draw(f"{self._epoch(epoch)}  batch {batch}{of}  {scores}")

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Draw the scores of this epoch and the time that is left."""
        self.scores = describe_scores(values)
        used = self.clock() - self.start
        left = used / (epoch - self.first + 1) * (self.epochs - epoch)
        self._draw(f"{self._epoch(epoch)}  {self.scores}  {left:.0f} s left")

    def close(self, note: str) -> None:
        """Leave the last scores standing."""
        self._draw(f"{note}  {self.scores}".rstrip())
        self.stream.write("\n")
        self.stream.flush()

    def _epoch(self, epoch: int) -> str:
        return f"{self.unit} {epoch:{len(str(self.epochs))}d}/{self.epochs}"

    def _draw(self, text: str) -> None:
        self.drawn = self.clock()
        self.stream.write("\r" + text.ljust(self.shown))
        self.stream.flush()
        self.shown = len(text)


class RichBar(InterruptNotice):
    """A bar drawn by rich."""

    def __init__(self, stream: TextIO, epochs: int, first: int = 1, unit: str = "epoch") -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.bar: Any = Progress(
            TextColumn(unit),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[scores]}"),
            TimeRemainingColumn(),
            console=Console(file=stream),
        )
        self.task = self.bar.add_task("", total=epochs, completed=first - 1, scores="")
        self.bar.start()

    def batch(self, epoch: int, batch: int, batches: int | None, loss: float) -> None:
        """Move the bar by a part of an epoch; rich itself draws only ten times a second."""
        if not batches:  # the bar cannot move, so that numbers must
            self.bar.update(self.task, scores=f"batch {batch}  loss {loss:.4g}")
        self.bar.update(self.task, completed=epoch - 1 + part_done(batch, batches))

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Show the scores."""
        self.bar.update(self.task, completed=epoch, scores=describe_scores(values))

    def close(self, note: str) -> None:
        """Leave the bar standing as it is."""
        self.bar.stop()


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class NotebookBar(InterruptNotice):
    """A bar below the cell of a notebook: one output, drawn over and over. Needs no widgets."""

    def __init__(self, epochs: int, first: int = 1, unit: str = "epoch") -> None:
        self.epochs = epochs
        self.unit = unit
        self.done = first - 1.0
        self.scores = ""
        self.clock = time.monotonic
        self.drawn = -INTERVAL
        self.handle: Any = None

    def batch(self, epoch: int, batch: int, batches: int | None, loss: float) -> None:
        """Move the bar by a part of an epoch, but not so often that drawing costs time."""
        self.done = epoch - 1 + part_done(batch, batches)
        if self.clock() - self.drawn >= INTERVAL:
            text = self.scores or f"loss {loss:.4g}"
            self._draw(text if batches else f"batch {batch}  {text}")

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Keep the scores for the next drawing."""
        self.done, self.scores = float(epoch), describe_scores(values)

    def close(self, note: str) -> None:
        """Leave the last scores standing."""
        self._draw(f"{note}  {self.scores}".rstrip())

    def _draw(self, text: str) -> None:
        self.drawn = self.clock()
        words = f"{self.unit} {math.ceil(self.done)}/{self.epochs}  {text}"
        bar = f'<progress max="{self.epochs}" value="{self.done:.3f}"></progress>'
        shown = {"text/plain": words, "text/html": f"{bar} {html.escape(words)}"}
        if self.handle is None:
            display = importlib.import_module("IPython.display").display
            self.handle = display(shown, raw=True, display_id=True)
        else:
            self.handle.update(shown, raw=True)


def part_done(batch: int, batches: int | None) -> float:
    """Which part of an epoch is done; 0 if nobody knows how long it is."""
    return 0.0 if not batches else min(batch / batches, 1.0)


def describe_scores(values: Mapping[str, float]) -> str:
    """The scores of an epoch in one line, without the columns about the optimiser."""
    hidden = ("lr", "grad_norm", "seconds", "penalty")
    return "  ".join(
        f"{name.replace('_', ' ')} {value:.4g}"
        for name, value in values.items()
        if name not in hidden
    )
