"""Results as HTML for notebooks, with everything in them escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["table"]


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", note: str = ""
) -> str:
    """Return a table, with a title above it and a note below.

    Parameters
    ----------
    head : sequence of str
        The names of the columns.
    rows : iterable of sequences of str
        The cells of each row.
    title, note : str
        Lines of text; an empty one is omitted.

    Examples
    --------
    >>> table(["x"], [["<1"]])
    '<table><thead><tr><th>x</th></tr></thead><tbody><tr><td>&lt;1</td></tr></tbody></table>'
    """
    above = f"<div>{escape(title)}</div>" if title else ""
    below = f"<div>{escape(note)}</div>" if note else ""
    body = "".join(_row("td", row) for row in rows)
    grid = f"<table><thead>{_row('th', head)}</thead><tbody>{body}</tbody></table>"
    return f"{above}{grid}{below}"


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
