"""Figures and sequences side by side, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from throughtime.errors import (
    InvalidTypeError,
    ShapeError,
    check_bool,
    check_float,
    check_int,
    describe,
    sentence,
)

#: What stands where there is no figure.
NOTHING = "-"


@dataclass(frozen=True)
class Row:
    """One line of a :class:`Comparison`.

    Attributes
    ----------
    measure : str
        What was measured.
    ours : float
    published, naive : float or None
        None where there is no such figure.
    baseline : str
        What the naive figure belongs to.
    higher_is_better : bool
    """

    measure: str
    ours: float
    published: float | None
    naive: float | None
    baseline: str
    higher_is_better: bool

    @property
    def beats_naive(self) -> bool:
        """Whether ours is better than the naive figure, or there is none."""
        return self._beats(self.naive)

    @property
    def beats_published(self) -> bool:
        """Whether ours is at least as good as the published figure, or there is none."""
        return self.published == self.ours or self._beats(self.published)

    def _beats(self, other: float | None) -> bool:
        if other is None:
            return True
        return self.ours > other if self.higher_is_better else self.ours < other


@dataclass
class Comparison:
    """A published figure, one's own and that of a naive answer, side by side.

    Parameters
    ----------
    title : str

    Attributes
    ----------
    rows : list of Row
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
    rows: list[Row] = field(default_factory=list)

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
        ours, published, naive : float
            The figures; of the latter two, as far as there are any.
        baseline : str
            What the naive figure belongs to.
        higher_is_better : bool

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If a figure is no finite number.
        """
        for name, text in (("measure", measure), ("baseline", baseline)):
            if not isinstance(text, str):
                raise InvalidTypeError(sentence(name, "a string", describe(text)))
        figures = {"published": published, "naive": naive}
        numbers = {n: None if v is None else check_float(n, v) for n, v in figures.items()}
        check_bool("higher_is_better", higher_is_better)
        own = check_float("ours", ours)
        self.rows.append(
            Row(measure, own, numbers["published"], numbers["naive"], baseline, higher_is_better)
        )

    def __getitem__(self, measure: str) -> Row:
        for row in self.rows:
            if row.measure == measure:
                return row
        known = ", ".join(repr(row.measure) for row in self.rows) or "none yet"
        raise KeyError(f"no figure {measure!r}; there are {known}")

    def __str__(self) -> str:
        head = (self.title, "published", "throughtime", "naive", "")
        rows = [
            (r.measure, *map(_short, (r.published, r.ours, r.naive)),
             " ".join([*([f"({r.baseline})"] if r.baseline else []),
                       *([] if r.beats_naive else ["naive is no worse"])]))
            for r in self.rows
        ]  # fmt: skip
        widths = [max(len(row[k]) for row in (head, *rows)) for k in range(5)]
        lines = []
        for row in (head, *rows):
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:4], widths[1:4], strict=True)]
            lines.append("  ".join([*cells, row[4]]).rstrip())
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def side_by_side(actual: Iterable[Any], predicted: Iterable[Any], most: int = 20) -> str:
    """Write actual and predicted sequences of symbols beside each other, and count mistakes.

    Parameters
    ----------
    actual, predicted : iterable of sequences
        Strings, or sequences or arrays of symbols (digits, class numbers); N each.
    most : int
        How many pairs are written out; all are counted.

    Returns
    -------
    str
        A line a pair, with marks below symbols that differ, and what was said in place of what.

    Raises
    ------
    ShapeError, InvalidTypeError
        If a pair differs in length, there are not equally many, or they are no sequences.

    Examples
    --------
    >>> print(side_by_side([[0, 1, 2], [2, 2, 1]], [[0, 1, 2], [2, 0, 1]]))
    actual  predicted
    012     012
    221     201
             ^
    5 of 6 symbols right; 0 said where 2 was right: 1
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
            raise ShapeError(
                f"predicted[{number}] must have {len(a)} symbols, as actual has; got {len(p)}."
            )
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
        words += f"; {said} said where {true} was right: {count}"
    return "\n".join([*lines, words])


def _paired(actual: list[Any], predicted: list[Any]) -> list[tuple[Any, Any]]:
    if len(actual) != len(predicted):
        raise ShapeError(
            f"predicted must hold {len(actual)} sequences, as actual does; got {len(predicted)}."
        )
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
        raise InvalidTypeError(f"{name} must hold {expected}; got {describe(row)}.")
    return [str(symbol) for symbol in (row.tolist() if isinstance(row, np.ndarray) else row)]


def _short(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3g}" if abs(value) < 1e3 else f"{value:,.0f}"
