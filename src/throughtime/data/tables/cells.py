"""The columns of a table before anybody knows what they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = [
    "MAX_CELLS",
    "MAX_COLUMNS",
    "Column",
    "Columns",
    "cell_of",
    "too_many_columns",
    "unique_names",
]

#: More columns than any table has; a line of separators alone would fill the memory.
MAX_COLUMNS = 100_000
#: Cells of a table whose file does not hold all of them; more would not fit into memory.
MAX_CELLS = 50_000_000

#: Text as it stands in the file, or numbers or times where the file has types.
Column = list[str] | np.ndarray


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a file, by name and in order.

    Attributes
    ----------
    columns : dict of str to (list of str, or ndarray)
    rows : ndarray of int of shape (T,)
        The number of each row as people count it: in a text file the line it ends on.
    separator : str
        Empty for files with types.
    notes : tuple of str
        Sentences about what had to be assumed or left out.
    """

    columns: dict[str, Column]
    rows: np.ndarray
    separator: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def texts(self, name: str) -> list[str]:
        """The cells of a column as text."""
        column = self.columns[name]
        if isinstance(column, list):
            return column
        return [cell_of(column, index) for index in range(len(column))]


def cell_of(column: Column, index: int) -> str:
    """A cell as text, whole numbers without a point."""
    cell = column[index]
    if isinstance(cell, str):
        return cell
    if isinstance(cell, np.datetime64):
        return "" if np.isnat(cell) else str(cell)
    if isinstance(cell, np.integer):
        return str(cell)
    return "" if np.isnan(cell) else f"{cell:.15g}"


def unique_names(header: Iterable[str]) -> tuple[list[str], list[str]]:
    """Names without blanks around them, and what to say where they had to change.

    An empty name gets the number of its column, a repeated one the number of its appearance.
    """
    wanted = [cell.strip() or f"column {place}" for place, cell in enumerate(header, 1)]
    counts, taken = Counter(wanted), set(wanted)
    seen: Counter[str] = Counter()
    names = []
    for name in wanted:
        seen[name] += 1
        if seen[name] == 1:
            names.append(name)
            continue
        while (other := f"{name} ({seen[name]})") in taken:
            seen[name] += 1
        taken.add(other)
        names.append(other)
    repeated = [name for name, count in counts.items() if count > 1]
    if not repeated:
        return names, []
    shown = ", ".join(map(repr, repeated[:3])) + (" ..." if len(repeated) > 3 else "")
    return names, [f"Column names repeat ({shown}); the later ones are numbered."]


def too_many_columns(file: str, count: int) -> str:
    """What to say of a file with more than ``MAX_COLUMNS`` columns."""
    return f"{file} must have at most {MAX_COLUMNS:,} columns; got {count:,}."
