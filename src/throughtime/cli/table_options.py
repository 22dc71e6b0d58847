"""Options on how a table is read."""

from __future__ import annotations

from typing import Annotated

from throughtime.cli.options import Option, choice

#: The panel of the help that they stand in.
DATA = "Data"

DateFormat = Annotated[
    str | None,
    Option(
        "--date-format",
        "How times are written, as strptime says it: %d/%m/%Y. By default found from all cells.",
        DATA,
        "FORMAT",
    ),
]
Decimal = Annotated[
    str | None,
    Option(
        "--decimal",
        "The decimal mark, a point or a comma; by default each column decides.",
        DATA,
        "MARK",
        read=choice(".", ","),
    ),
]
Thousands = Annotated[
    str | None,
    Option(
        "--thousands",
        "What groups thousands; by default each column decides.",
        DATA,
        "MARK",
        read=choice(",", ".", " ", "'"),
    ),
]
Duplicates = Annotated[
    str,
    Option(
        "--duplicates",
        "What becomes of rows of one series that share a time: error, mean, sum, first or last.",
        DATA,
        "WAY",
        "error",
        read=choice("error", "mean", "sum", "first", "last"),
    ),
]
Freq = Annotated[
    str | None,
    Option(
        "--freq",
        "Turn rows at any time into steps: 15min, h, D, W, M, Q, Y.",
        DATA,
        "STEP",
    ),
]
Aggregate = Annotated[
    str | None,
    Option(
        "--aggregate",
        "How the rows of one step become one, with --freq: sum, mean (the default), last or count.",
        DATA,
        "WAY",
        read=choice("sum", "mean", "last", "count"),
    ),
]
TimeZone = Annotated[
    str | None,
    Option("--tz", "The place whose clock the times show: Europe/Berlin.", DATA, "PLACE"),
]
