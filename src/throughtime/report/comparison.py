"""Figures and sequences side by side, as text."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from throughtime.errors import (
    Argument,
    InvalidTypeError,
    ShapeError,
    check_bool,
    check_float,
    check_int,
    describe,
    sentence,
)
from throughtime.messages import html

#: What stands where there is no figure.
NOTHING = "-"
_COLUMNS = ("published", "throughtime", "naive", "")


@dataclass(frozen=True)
class ComparisonRow:
    """One line of a :class:`Comparison`.

    Attributes
    ----------
    measure : str
        What was measured.
    ours : float
        The figure of throughtime.
    published, naive : float or None
        The published figure and that of a naive method; None where there is none.
    baseline : str
        The name of the naive method.
    higher_is_better : bool
        Whether a larger figure is the better one.
    """

    measure: str
    ours: float
    published: float | None
    naive: float | None
    baseline: str
    higher_is_better: bool

    @property
    def beats_naive(self) -> bool:
        """Whether ours is better than the naive figure; True if there is none."""
        return self._beats(self.naive)

    @property
    def beats_published(self) -> bool:
        """Whether ours is at least as good as the published figure; True if there is none."""
        return self.published == self.ours or self._beats(self.published)

    def _beats(self, other: float | None) -> bool:
        if other is None:
            return True
        return self.ours > other if self.higher_is_better else self.ours < other


@dataclass
class Comparison:
    """Figures side by side: published, of throughtime, and of a naive method.

    Parameters
    ----------
    title : str
        What is compared; it stands above the measures.

    Attributes
    ----------
    rows : list of ComparisonRow
        The lines so far.

    Examples
    --------
    >>> table = Comparison("Noisy sine")
    >>> table.add("half mean square error", published=0.04, ours=0.0142, naive=0.27,
    ...           baseline="the mean")
    >>> print(table)
    Noisy sine              published  throughtime  naive
    -----------------------------------------------------------------
    half mean square error       0.04       0.0142   0.27  (the mean)
    """

    title: str
    rows: list[ComparisonRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not isinstance(self.title, str):
            raise InvalidTypeError(sentence("title", "a string", describe(self.title)))

    def add(
        self,
        measure: str,
        *,
        ours: float,
        published: float | None = None,
        naive: float | None = None,
        baseline: str = "",
        higher_is_better: bool = False,
    ) -> None:
        """Add a line.

        Parameters
        ----------
        measure : str
            What was measured.
        ours : float
            The figure of throughtime.
        published, naive : float, optional
            The published figure and that of a naive method.
        baseline : str
            The name of the naive method.
        higher_is_better : bool
            Whether a larger figure is the better one.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If a figure is not a finite number.
        """
        for name, text in (("measure", measure), ("baseline", baseline)):
            if not isinstance(text, str):
                raise InvalidTypeError(sentence(name, "a string", describe(text)))
        figures = {"published": published, "naive": naive}
        numbers = {n: None if v is None else check_float(n, v) for n, v in figures.items()}
        check_bool("higher_is_better", higher_is_better)
        own = check_float("ours", ours)
        against = numbers["published"], numbers["naive"]
        self.rows.append(ComparisonRow(measure, own, *against, baseline, higher_is_better))

    def __getitem__(self, measure: str) -> ComparisonRow:
        for row in self.rows:
            if row.measure == measure:
                return row
        known = ", ".join(repr(row.measure) for row in self.rows) or "none yet"
        raise KeyError(f"no figure {measure!r}; there are {known}")

    def __str__(self) -> str:
        head, rows = (self.title, *_COLUMNS), self._cells()
        widths = [max(len(row[k]) for row in (head, *rows)) for k in range(5)]
        lines = []
        for row in (head, *rows):
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:4], widths[1:4], strict=True)]
            lines.append("  ".join([*cells, row[4]]).rstrip())
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])

    def _repr_html_(self) -> str:
        return html.table((self.title, *_COLUMNS), self._cells())

    def _cells(self) -> list[tuple[str, ...]]:
        """The cells of every line as text, the title's column first."""
        return [
            (row.measure, *map(_short, (row.published, row.ours, row.naive)), _remark(row))
            for row in self.rows
        ]


def _remark(row: ComparisonRow) -> str:
    """The last cell of a line: the naive method, and whether it is as good."""
    parts = [f"({row.baseline})"] if row.baseline else []
    return " ".join([*parts, *([] if row.beats_naive else ["naive is no worse"])])


def side_by_side(actual: Iterable[Any], predicted: Iterable[Any], most: int = 20) -> str:
    """Show actual and predicted sequences of symbols side by side, and count the mistakes.

    Parameters
    ----------
    actual, predicted : iterable of sequences
        Strings, or sequences or arrays of symbols (digits, class numbers); N each.
    most : int
        Number of pairs to show, at most; all are counted.

    Returns
    -------
    str
        One line for each pair, with marks below symbols that differ, and the most frequent
        mistakes.

    Raises
    ------
    ShapeError, InvalidTypeError
        If the two differ in number, a pair differs in length, or something is not a sequence.

    Examples
    --------
    >>> print(side_by_side([[0, 1, 2], [2, 2, 1]], [[0, 1, 2], [2, 0, 1]]))
    actual  predicted
    012     012
    221     201
             ^
    5 of 6 symbols right; 0 predicted where 2 is right: 1
    """
    check_int("most", most, 0)
    for name, rows in (("actual", actual), ("predicted", predicted)):
        if not isinstance(rows, Iterable):
            raise InvalidTypeError(sentence(name, "a list of sequences", describe(rows)))
    pairs = [
        (_symbols("actual", a), _symbols("predicted", p))
        for a, p in _paired(list(actual), list(predicted))
    ]
    gap = "" if all(len(s) == 1 for pair in pairs for row in pair for s in row) else " "
    texts = [(gap.join(a), gap.join(p)) for a, p in pairs]
    width = max([len("actual"), *(len(a) for a, _ in texts)])
    lines = [f"{'actual':<{width}}  predicted"]
    wrong: Counter[tuple[str, str]] = Counter()
    for number, ((a, p), (left, right)) in enumerate(zip(pairs, texts, strict=True)):
        if len(a) != len(p):
            expected = f"{len(a)} symbols, as actual has"
            which = Argument("predicted", number)
            raise ShapeError(sentence(which, expected, f"{len(p)}", must="have", value=p))
        wrong.update((said, true) for said, true in zip(p, a, strict=True) if said != true)
        if number < most:
            lines.append(f"{left:<{width}}  {right}")
            marks = gap.join(("^" if s != t else " ") * len(s) for s, t in zip(p, a, strict=True))
            if marks.strip():
                lines.append(" " * (width + 2) + marks.rstrip())
    if len(pairs) > most:
        lines.append(f"... and {len(pairs) - most} more")
    total = sum(len(a) for a, _ in pairs)
    words = f"{total - wrong.total()} of {total} symbols right"
    for (said, true), count in wrong.most_common(3):
        words += f"; {said} predicted where {true} is right: {count}"
    return "\n".join([*lines, words])


def _paired(actual: list[Any], predicted: list[Any]) -> list[tuple[Any, Any]]:
    if len(actual) != len(predicted):
        expected = f"{len(actual)} sequences, as actual does"
        got = f"{len(predicted)}"
        raise ShapeError(sentence("predicted", expected, got, must="hold", value=predicted))
    return list(zip(actual, predicted, strict=True))


def _symbols(name: str, row: Any) -> list[str]:
    nested = isinstance(row, np.ndarray) and row.ndim != 1
    if not isinstance(row, str) and isinstance(row, Sequence):
        nested = any(
            isinstance(symbol, Sequence | np.ndarray) and not isinstance(symbol, str)
            for symbol in row
        )
    if not isinstance(row, Sequence | np.ndarray) or nested:
        expected = "strings, or sequences of symbols"
        raise InvalidTypeError(sentence(name, expected, describe(row), must="hold"))
    return [str(symbol) for symbol in (row.tolist() if isinstance(row, np.ndarray) else row)]


def _short(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3g}" if abs(value) < 1e3 else f"{value:,.0f}"


def __getattr__(name: str) -> Any:
    if name != "Row":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"{__name__}.Row is called ComparisonRow; the old name goes with version 0.3.",
        DeprecationWarning,
        stacklevel=2,
    )
    return ComparisonRow
