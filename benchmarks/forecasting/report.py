"""The report: the scores as Markdown."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.forecasting.bars import judge
from benchmarks.forecasting.collections import COLLECTIONS, FREQUENCIES, Series
from benchmarks.forecasting.methods import LEVELS, METHODS
from benchmarks.forecasting.scores import DRAWS, FLOOR, Board
from benchmarks.tables import table

#: M3, all 3,003 series: sMAPE as published and as calculated anew, and MASE. The page on
#: comparisons of R's package Mcomp.
PUBLISHED_M3 = {
    "Theta": (13.01, 12.76, 1.39),
    "ForecastPro": (13.19, 13.06, 1.47),
    "ForecastX": (13.49, 13.09, 1.42),
    "B-J automatic": (14.01, 13.72, 1.54),
    "Autobox2": (14.41, 13.82, 1.51),
}
COMPETITIONS = ("m1", "m3", "tourism")


def title(method: str) -> str:
    """The name of a method in the tables."""
    return METHODS[method].title if method in METHODS else method


def _split(board: Board, key: Callable[[Series], str], names: tuple[str, ...]) -> dict[str, Board]:
    parts = {name: board.only([key(one) == name for one in board.series]) for name in names}
    return {name: part for name, part in parts.items() if part.series}


def without_noise(board: Board) -> Board:
    """The series that were observed."""
    return board.only([one.collection != "noise" for one in board.series])


def by_frequency(board: Board) -> dict[str, Board]:
    """A board for each frequency; noise is none."""
    return _split(without_noise(board), lambda one: one.frequency, FREQUENCIES)


def by_collection(board: Board) -> dict[str, Board]:
    """A board for each collection."""
    return _split(board, lambda one: one.collection, COLLECTIONS)


def _table(heading: str, board: Board, base: str, draws: int) -> list[str]:
    header = ["method", "mean MASE", "median", "sMAPE", "mean rank", f"MASE / {title(base)}"]
    header += [f"in {level} %" for level in LEVELS] + [f"MSIS {level}" for level in LEVELS]
    header.append("s a series")
    lines = []
    for row in board.summaries(base, draws):
        line = [title(row.method), f"{row.mean:.3f}", f"{row.median:.3f}", f"{row.smape:.2f}"]
        line += [f"{row.rank:.2f}", str(row.ratio)]
        line += [f"{100 * row.coverage[level]:.1f}" for level in LEVELS]
        line += [f"{row.msis[level]:.2f}" for level in LEVELS]
        lines.append([*line, f"{row.seconds:.3f}"])
    return [f"### {heading}: {len(board.series)} series", *table(header, lines)]


def _published(board: Board) -> list[str]:
    lines = [
        [name, "3003", *(f"{value:.2f}" for value in values)]
        for name, values in PUBLISHED_M3.items()
    ]
    for name, found in board.scores.items():
        smape = sum(one.smape for one in found) / len(found)
        errors = board.mase(name).mean()
        lines.append([title(name), str(len(found)), "", f"{smape:.2f}", f"{errors:.2f}"])
    text = "The published results are those of all 3,003 series. A half differs from the whole."
    header = ["method", "series", "sMAPE, published", "sMAPE, calculated", "MASE"]
    return ["## M3 beside published results", "", text, *table(header, lines)]


def _bars(board: Board, base: str) -> list[str]:
    competitions = board.only([one.collection in COMPETITIONS for one in board.series])
    lines = [
        [bar.name, bar.wanted, bar.got, "yes" if bar.reached else "**no**"]
        for bar in judge(competitions, by_collection(board), by_frequency(board), base)
    ]
    return ["## Bars", *table(["bar", "wanted", "got", "reached"], lines, 4)] if lines else []


def markdown(board: Board, base: str, notes: list[str], draws: int = DRAWS) -> str:
    """The whole report.

    Parameters
    ----------
    board : Board
    base : str
        The method that ratios are to.
    notes : list of str
        Sentences on the run.
    draws : int
        Draws of the bootstrap.
    """
    explained = (
        f"MASE / {title(base)}: geometric mean over the series with a bootstrap interval (95 %) of"
        f" {draws} draws of series; a MASE below {FLOOR} counts as {FLOOR}. MSIS: mean scaled"
        " interval score. In 80 %: share of the values inside the interval of 80 %. The mean rank"
        " is that of MASE."
    )
    lines = ["# Forecasts beside other libraries", "", *notes, "", explained, ""]
    lines += _bars(board, base)
    observed = without_noise(board)
    if observed.series:
        lines += ["## All", "", *_table("all", observed, base, draws)]
    lines.append("## By frequency\n")
    for name, part in by_frequency(board).items():
        lines += _table(name, part, base, draws)
    lines.append("## By collection\n")
    for name, part in by_collection(board).items():
        lines += _table(name, part, base, draws)
        parts = by_frequency(part)
        if len(parts) > 1:
            for frequency, small in parts.items():
                lines += _table(f"{name}, {frequency}", small, base, draws)
    if "m3" in by_collection(board):
        lines += _published(by_collection(board)["m3"])
    return "\n".join(lines).rstrip() + "\n"
