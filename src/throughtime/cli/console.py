"""What the commands print, and the bar that shows how far training is."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from throughtime.errors import import_extra

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from throughtime.forecasting import Progress

LABEL_WIDTH = 10


class Screen:
    """Standard output for results, standard error for progress.

    Parameters
    ----------
    quiet : bool
        Whether to print nothing. Errors are printed elsewhere, in any case.
    """

    def __init__(self, quiet: bool = False) -> None:
        import_extra("rich", "cli", "The command line")
        from rich.console import Console

        self.quiet = quiet
        self.out: Console = Console(
            highlight=False, markup=False, emoji=False, quiet=quiet, soft_wrap=True
        )
        self.err: Console = Console(
            stderr=True, highlight=False, markup=False, emoji=False, quiet=quiet
        )

    def headline(self, text: str) -> None:
        """Print a line that opens a block."""
        self.out.print(text, style="bold")

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line as it is."""
        self.out.print(text, style=style)

    def sentence(self, text: str, style: str = "") -> None:
        """Print an indented sentence below a headline, in as many lines as it needs."""
        from rich.padding import Padding
        from rich.text import Text

        self._print_trimmed(Padding(Text(text, style=style), (0, 0, 0, 1), expand=False))

    def note(self, text: str) -> None:
        """Print one line to standard error, above the bar if there is one."""
        self.err.print(text, soft_wrap=True)

    def facts(self, label: str, sentences: Iterable[str], style: str = "") -> None:
        """Print a label with sentences beside it, one below the other."""
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=LABEL_WIDTH, style="cyan", no_wrap=True)
        grid.add_column(ratio=1, overflow="fold")
        for number, sentence in enumerate(sentences):
            grid.add_row(label if number == 0 else "", Text(sentence, style=style))
        if grid.row_count:
            self._print_trimmed(Padding(grid, (0, 0, 0, 1), expand=False))

    def table(
        self,
        header: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        text_columns: int = 1,
        bold: int | None = None,
    ) -> None:
        """Print a table; the first columns are text, the others numbers.

        Where the terminal is too narrow, the last columns are omitted, and a line says so.
        """
        from rich import box
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        rows = list(rows)
        shown = _columns_that_fit([header, *rows], self.out.width)
        hidden = header[shown:]
        header, rows = header[:shown], [row[:shown] for row in rows]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
        for number, name in enumerate(header):
            table.add_column(Text(name), justify="left" if number < text_columns else "right")
        for number, row in enumerate(rows):
            table.add_row(*(Text(cell) for cell in row), style="bold" if number == bold else None)
        self._print_trimmed(Padding(table, (0, 0, 0, 1), expand=False))
        if hidden:
            self.sentence(f"The terminal is too narrow for: {', '.join(hidden)}.", "dim")

    def _print_trimmed(self, block: RenderableType) -> None:
        """Print a block without the blanks that Rich fills its lines with."""
        from rich.text import Text

        for segments in self.out.render_lines(block, pad=False):
            line = Text.assemble(*((part.text, part.style or "") for part in segments))
            line.rstrip()
            self.out.print(line)

    @contextmanager
    def progress(self, doing: str = "starting") -> Iterator[ProgressBar]:
        """A bar on standard error if that is a terminal, and nothing otherwise."""
        shown = not self.quiet and sys.stderr.isatty()
        bar = ProgressBar(self.err if shown else None, doing)
        try:
            yield bar
        finally:
            bar.close()


class ProgressBar:
    """A line that shows the stage of the work; without a console it shows nothing."""

    def __init__(self, console: Console | None, doing: str = "starting") -> None:
        self._bar: Any = None
        self._task: Any = None
        if console is not None:
            from rich import progress

            self._bar = progress.Progress(
                progress.TextColumn(" {task.description}", markup=False),
                progress.BarColumn(bar_width=28),
                progress.TextColumn("{task.fields[loss]}", style="dim"),
                progress.TimeElapsedColumn(),
                console=console,
                transient=True,
                refresh_per_second=8,
            )
            self._bar.start()
            self._task = self._bar.add_task(doing, total=None, loss="")

    def show(self, step: Progress) -> None:
        """Show ``step``."""
        if self._bar is None:
            return
        shown = step.val_loss if step.val_loss is not None else step.loss
        self._bar.update(
            self._task,
            description=str(step),
            completed=step.done,
            total=step.total,
            loss="" if shown is None else f"loss {shown:.4g}",
        )

    def count(self, doing: str, done: int, total: int) -> None:
        """Show how many series are done."""
        if self._bar is not None:
            description = f"{doing} {done:,} of {total:,}"
            self._bar.update(
                self._task, description=description, completed=done, total=total, loss=""
            )

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _columns_that_fit(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many columns fit into ``width``, indented by 2 and 3 spaces apart; at least 2."""
    total = 2
    for place in range(len(rows[0])):
        total += max(len(row[place]) for row in rows) + (3 if place else 0)
        if place >= 2 and total > width:
            return place
    return len(rows[0])
