"""What throughtime should reach beside the others; the report begins with it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.forecasting.scores import Board, Summary

#: Ratio of MASE (geometric mean over the competitions) to each method, at most.
RATIOS = {"ets": 0.92, "theta": 0.91, "ets+theta": 0.93, "release": 0.95}
#: Ratio to smoothing alone where a network has nothing to learn, or nothing like it was seen.
BESIDE_SMOOTHING = {"classics": 1.00, "noise": 1.01}
#: A frequency with fewer series is not judged; only the coverage of those in DISTANCES always is.
LEAST = 100
#: Largest distance of a coverage from its level.
DISTANCE, DISTANCES = 0.03, {"daily": 0.05, "hourly": 0.05}


@dataclass(frozen=True)
class Bar:
    """One demand: its name, the value wanted, the value reached, and whether it is reached."""

    name: str
    wanted: str
    got: str
    reached: bool


def _ratios(competitions: Board) -> list[Bar]:
    bars = []
    for other, most in RATIOS.items():
        if other in competitions.scores:
            found = competitions.compare("ours", other)
            name = f"MASE on the competitions, by that of {other}"
            bars.append(Bar(name, f"<= {most:.2f}", str(found), found.value <= most))
    return bars


def _beside_smoothing(collections: dict[str, Board]) -> list[Bar]:
    bars = []
    for name, most in BESIDE_SMOOTHING.items():
        board = collections.get(name)
        if board is not None and "smoothing" in board.scores:
            found = board.compare("ours", "smoothing")
            words = f"MASE on {name}, by that of smoothing"
            bars.append(Bar(words, f"<= {most:.2f}", str(found), round(found.value, 3) <= most))
    return bars


def _coverage(frequency: str, ours: Summary) -> list[Bar]:
    distance = DISTANCES.get(frequency, DISTANCE)
    bars = []
    for level, got in ours.coverage.items():
        good = abs(got - level / 100) <= distance
        wanted = f"{level} % +- {100 * distance:.0f}"
        bars.append(Bar(f"coverage, {frequency}", wanted, f"{100 * got:.1f} %", good))
    return bars


def _beside_others(frequency: str, rows: dict[str, Summary]) -> list[Bar]:
    """Rank and interval score; our own other form is no rival."""
    ours, bars = rows["ours"], []
    rivals = [row for name, row in rows.items() if name not in ("ours", "smoothing")]
    if rivals:
        first = min(rivals, key=lambda row: row.rank)
        got = f"{ours.rank:.2f}, {first.method} {first.rank:.2f}"
        bars.append(Bar(f"mean rank, {frequency}", "first", got, ours.rank < first.rank))
    if "ets" in rows:
        for level, score in ours.msis.items():
            most = rows["ets"].msis[level]
            name = f"interval score of {level} %, {frequency}"
            bars.append(Bar(name, f"<= {most:.2f} (ETS)", f"{score:.2f}", score <= most))
    return bars


def judge(
    competitions: Board, collections: dict[str, Board], frequencies: dict[str, Board], base: str
) -> list[Bar]:
    """The bars that the methods and series at hand can decide.

    Parameters
    ----------
    competitions : Board
        M1, M3 and tourism together.
    collections, frequencies : dict of str to Board
        The boards of each.
    base : str
        The method that ratios of the tables are to.
    """
    if "ours" not in competitions.scores:
        return []
    bars = _ratios(competitions) if competitions.series else []
    bars += _beside_smoothing(collections)
    for frequency, board in frequencies.items():
        rows = {row.method: row for row in board.summaries(base)}
        if len(board.series) >= LEAST:
            bars += _beside_others(frequency, rows)
        if len(board.series) >= LEAST or frequency in DISTANCES:
            bars += _coverage(frequency, rows["ours"])
    return bars
