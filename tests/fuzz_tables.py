"""Real series written in thousands of ways: each table is read as what it is, or refused by name.

``python tests/fuzz_tables.py --cases 10000`` draws tables: a part of a real series, written with
some form of times and of numbers, some separator, encoding and packing, in some order, with missing
cells, remarks and other columns; and in every third table one cell is damaged. What is read must be
the series itself, or for a damaged table a refusal that names the row. A case that fails is printed
with its seed, which ``--seed`` repeats.
"""

from __future__ import annotations

import argparse
import bz2
import csv
import gzip
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.data.tables.files import read_table
from throughtime.errors import ThroughtimeError

Moments = list[datetime]
Writer = Callable[[datetime], str]

MISSING = ("", "NA", "n/a", "null", "-", "NaN", "<NA>", "?", "#N/A")
DAMAGE = ("Total", "Summe", "2024-02-90", "31.02.2024", "", "soon", "99/99/2024", "\x00")


def bare(pattern: str) -> Writer:
    """Like ``strftime``, without leading zeros."""

    def write(moment: datetime) -> str:
        text = pattern
        parts = {"%Y": moment.year, "%m": moment.month, "%d": moment.day, "%H": moment.hour}
        for code, value in parts.items():
            text = text.replace(code, str(value))
        return text.replace("%M", f"{moment.minute:02d}")

    return write


def plain(pattern: str) -> Writer:
    return lambda moment: moment.strftime(pattern)


def quarter(pattern: str) -> Writer:
    return lambda m: pattern.format(y=m.year, q=(m.month + 2) // 3)


def end_of_day(moment: datetime) -> str:
    """Midnight as 24:00 of the day that ends."""
    if (moment.hour, moment.minute) == (0, 0):
        return f"{moment - timedelta(days=1):%Y-%m-%d} 24:00"
    return f"{moment:%Y-%m-%d %H:%M}"


def epoch(unit: int) -> Writer:
    return lambda m: str(int((m - datetime(1970, 1, 1)).total_seconds()) * unit)


DATES = [plain(p) for p in (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%Y%m%d", "%d %B %Y",
    "%d %b %Y", "%d-%b-%y", "%b %d, %Y", "%Y-%m-%d 00:00:00", "%Y-%m-%dT00:00:00Z", "%y-%m-%d",
    "%Y.%m.%d", "%a, %d %b %Y", "%d%m%Y", "%d.%m.%Y.",
)] + [bare("%Y/%m/%d"), bare("%m/%d/%Y"), bare("%d.%m.%Y"), epoch(1), epoch(1000)]  # fmt: skip
HOURS = [plain(p) for p in (
    "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y%m%d%H",
    "%Y%m%d%H%M", "%Y%m%dT%H%M%SZ", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%S+01:00",
)] + [bare("%Y/%m/%d %H:%M"), end_of_day, epoch(1), epoch(10**6)]  # fmt: skip
MONTHS = [plain(p) for p in (
    "%Y-%m", "%Y-%m-01", "%b %Y", "%B %Y", "%b-%y", "%Y%m", "%YM%m", "%m/%Y", "01.%m.%Y", "%Y/%m",
)] + [bare("%Y-%m"), bare("%m/%Y")]  # fmt: skip
QUARTERS = [quarter(p) for p in ("{y}Q{q}", "{y}-Q{q}", "Q{q} {y}", "{y} Q{q}", "{q}Q{y}")]
WEEKS = [plain("%G-W%V"), plain("%GW%V"), plain("%Y-%m-%d"), plain("%d.%m.%Y")]


def monthly(start: datetime, count: int, months: int) -> Moments:
    first = start.year * 12 + start.month - 1
    return [datetime((first + months * i) // 12, (first + months * i) % 12 + 1, 1)
            for i in range(count)]  # fmt: skip


@dataclass
class Case:
    """One table, and what it holds."""

    data: bytes = b""
    name: str = "data.csv"
    times: Moments = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    bad_row: int | None = None
    said: str = ""


def source() -> list[np.ndarray]:
    """Real series: weekly CO2, and daily temperatures with values below zero."""
    co2, seattle = tt.data.co2(), tt.data.seattle_temperature()
    return [np.asarray(s.values)[~np.isnan(s.values)] for s in (co2, seattle)]


def drawn(seed: int, series: list[np.ndarray]) -> Case:
    """The table of a seed."""
    rng = np.random.default_rng(seed)

    def pick(options):
        return options[int(rng.integers(len(options)))]

    case = Case()
    count = int(rng.integers(30, 120))
    start = datetime(int(rng.integers(1995, 2024)), int(rng.integers(1, 13)), 1)
    kind = pick(("day", "hour", "month", "quarter", "week"))
    if kind in ("month", "quarter"):
        start = start.replace(month=1)
        case.times = monthly(start, count, 1 if kind == "month" else 3)
    elif kind == "week":
        start -= timedelta(days=start.weekday())
        case.times = [start + timedelta(weeks=i) for i in range(count)]
    else:
        step = timedelta(days=1) if kind == "day" else timedelta(hours=1)
        case.times = [start + i * step for i in range(count)]
    forms = {"day": DATES, "hour": HOURS, "month": MONTHS, "quarter": QUARTERS, "week": WEEKS}[kind]
    form = pick(range(len(forms)))
    stamps = [forms[form](moment) for moment in case.times]

    values = pick(series)
    begin = int(rng.integers(len(values) - count))
    places = int(rng.integers(0, 3))
    scale = pick((1.0, 1.0, 37.0, 1000.0))
    case.values = [float(f"{v * scale:.{places}f}") for v in values[begin : begin + count]]
    separator = pick((",", ";", "\t"))
    cells, numbers = write_numbers(case.values, places, separator, pick, rng)
    for row in rng.choice(count, size=int(rng.integers(0, 4)), replace=False):
        cells[row], case.values[row] = pick(MISSING), np.nan
    case.said = f"{kind}, form {form} ({stamps[0]!r}), {numbers} ({cells[1]!r}), {separator!r}"

    rows = [list(pair) for pair in zip(stamps, cells, strict=True)]
    order = pick(("up", "up", "down", "mixed"))
    indices = list(range(count))
    indices = indices[::-1] if order == "down" else indices
    if order == "mixed" and form < 2:  # an order of rows decides between forms that all rows fit
        indices = rng.permutation(count).tolist()
    rows = [rows[i] for i in indices]
    damage = None
    if seed % 3 == 0:
        damage = int(rng.integers(count))
        column = int(rng.integers(2))
        stamp = rows[damage][0]
        spoiled = [*DAMAGE, stamp + "x", "x" + stamp, stamp[:-1] + "!", stamp.replace("20", "Foo")]
        spoiled = [text for text in spoiled if text != stamp]
        rows[damage][column] = pick(spoiled if column == 0 else ("error", "n.d.", "1_000", "x"))
        if not any(rows[damage]):
            rows[damage][0] = "Total"  # a row without anything is a blank line, and no damage
    title = pick(("", "", "", "A title\n\n", "sep=" + separator + "\n"))
    extra = bool(rng.integers(2))
    header = [pick(("date", "Time", "period", "when", "")), "value"]
    table = [header, *rows]
    if extra:
        table = [
            [*row, "remark" if i == 0 else pick(("a", "b c", "ä"))] for i, row in enumerate(table)
        ]
    sink = io.StringIO()
    csv.writer(sink, delimiter=separator, lineterminator=pick(("\n", "\r\n"))).writerows(table)
    text = title + sink.getvalue()
    case.data = text.encode(pick(("utf-8", "utf-8-sig", "utf-16")))
    if rng.integers(6) == 0:
        case.data = pick((gzip.compress, bz2.compress))(case.data)
    if damage is not None:
        case.bad_row = damage + 2 + title.count("\n")
        case.said += f", damaged: {rows[damage]!r}"
    return case


def write_numbers(values, places, separator, pick, rng):
    """Cells of numbers, and the name of the way in which they are written."""
    ways = ["plain", "plain", "minus", "unit"]
    if separator != ",":
        ways += ["comma", "european"]
    if places != 0 or separator == ",":
        ways.append("american")
    way = pick(ways)
    grouped = [f"{value:,.{places}f}" for value in values]
    bare_cells = [f"{value:.{places}f}" for value in values]
    if way == "comma":
        return [cell.replace(".", ",") for cell in bare_cells], way
    if way == "european" and places != 0:
        swap = str.maketrans(",.", ".,")
        return [cell.translate(swap) for cell in grouped], way
    if way == "american":
        return grouped, way
    if way == "minus":
        return [cell.replace("-", "\u2212") for cell in bare_cells], way
    if way == "unit":
        unit = pick(("$", "€", "%"))
        return [f"{cell} {unit}" if unit != "$" else f"${cell}" for cell in bare_cells], way
    return bare_cells, "plain"


def fault(case: Case, folder: Path) -> str:
    """What is wrong with the reading of a case; empty if nothing is."""
    path = folder / case.name
    path.write_bytes(case.data)
    try:
        table = read_table(path, "value")
    except ThroughtimeError as error:
        sentence = str(error)
        if case.bad_row is None:
            return f"refused: {sentence}"
        if "\n" in sentence:
            return "more than one line"
        return "" if f"row {case.bad_row}" in sentence else f"names another row: {sentence}"
    except Exception as error:  # the fault that is looked for
        return f"{type(error).__name__}: {error}"
    if case.bad_row is not None:
        return "the damage was passed over"
    (series,) = table.series
    known = ~series.inserted
    times = np.array(case.times, dtype="datetime64[us]")
    if series.times.dtype.kind != "M" or not np.array_equal(series.times[known], times):
        return f"times begin {series.times[:3]}, notes {table.notes}"
    if not np.array_equal(series.values[known], case.values, equal_nan=True):
        return f"values begin {series.values[:3]} for {case.values[:3]}, notes {table.notes}"
    return ""


def faults(first: int, count: int) -> Iterator[str]:
    """What is wrong with the cases of some seeds."""
    series = source()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            case = drawn(seed, series)
            found = fault(case, Path(folder))
            if found:
                yield f"seed {seed}: {case.said}: {found}"


def main() -> int:
    """Draw tables, and print those that are not read as what they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    asked = parser.parse_args()
    bad = 0
    for line in faults(asked.seed, asked.cases):
        bad += 1
        sys.stdout.write(line + "\n")
    sys.stdout.write(f"{asked.cases - bad} of {asked.cases} tables as they are\n")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
