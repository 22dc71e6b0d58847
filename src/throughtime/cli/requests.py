"""What ``throughtime forecast`` is asked to do: its options, each declared nowhere else."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from throughtime.cli.options import (
    Option,
    Positional,
    choice,
    country,
    coverages,
    integer,
    names,
    quantiles_option,
    season,
)
from throughtime.cli.table_options import (
    DATA,
    Aggregate,
    DateFormat,
    Decimal,
    Duplicates,
    Freq,
    Thousands,
    TimeZone,
)
from throughtime.cli.workers import Scheduler, workers_option
from throughtime.errors import InvalidArgumentError, sentence

#: Weeks that are forecast of the series that ships with the package: two years.
DEMO_HORIZON = 104
#: Beyond these a typing error is likelier than a wish, and the memory of a machine would run out.
_MOST_UNITS, _MOST_LAYERS = 10_000, 100
NETWORK, OUTPUT, WORK = "Network", "Output", "Work"


@dataclass
class ForecastRequest:
    """What ``throughtime forecast`` is asked to do.

    The attributes are the options, checked. ``command`` holds the words of the command line.
    """

    data: Annotated[
        Path | None,
        Positional(
            "A table: CSV, Parquet, Arrow, JSON lines, .xlsx or .ods, packed or not; - reads"
            " standard input. Without one: weekly CO2 at Mauna Loa, which ships with the package.",
            required=False,
        ),
    ]
    target: Annotated[
        tuple[str, ...] | None,
        Option(
            "--target",
            "The column to forecast; not needed if only one holds numbers. Of several, a,b,c, each"
            " is a series.",
            DATA,
            "COLUMN",
            read=names,
        ),
    ]
    all: Annotated[
        bool,
        Option(
            "--all",
            "Forecast every column of numbers, each as a series.",
            DATA,
            "",
            False,
            bool,
            argument="all_targets",
        ),
    ]
    horizon: Annotated[
        int,
        Option(
            "--horizon",
            "How many steps to forecast; required with a data file.",
            DATA,
            "STEPS",
            read=integer(1),
        ),
    ]
    time: Annotated[
        tuple[str, ...] | None,
        Option(
            "--time",
            "The column of times; by default found by its name or its cells. Several make a time"
            " together: year,month.",
            DATA,
            "COLUMN",
            read=names,
        ),
    ]
    id: Annotated[
        str | None,
        Option("--id", "The column that tells several series apart.", DATA, "COLUMN"),
    ]
    covariates: Annotated[
        tuple[str, ...],
        Option(
            "--covariates",
            "Columns that help to forecast: a,b,c.",
            DATA,
            "COLUMNS",
            "",
            read=names,
        ),
    ]
    dayfirst: Annotated[
        bool | None,
        Option(
            "--dayfirst/--no-dayfirst",
            "Whether 01/02/2024 is the first of February; by default the order that makes the rows"
            " regular.",
            DATA,
            kind=bool,
        ),
    ]
    date_format: DateFormat
    decimal: Decimal
    thousands: Thousands
    duplicates: Duplicates
    freq: Freq
    aggregate: Aggregate
    tz: TimeZone
    season: Annotated[
        Any,
        Option(
            "--season",
            "auto, none, or a number of steps; several with commas between.",
            DATA,
            "STEPS",
            "auto",
            read=season,
        ),
    ]
    holidays: Annotated[
        str | None,
        Option(
            "--holidays",
            "Holidays of a country as covariates: DE, or DE-BY for a part of it. Needs the extra"
            " holidays.",
            DATA,
            "CODE",
            read=country,
        ),
    ]
    holdout: Annotated[
        int | None,
        Option(
            "--holdout",
            "Steps at the end that measure the error; by default the horizon, 0 for none.",
            DATA,
            "STEPS",
            read=integer(0),
        ),
    ]
    origins: Annotated[
        int | None,
        Option(
            "--origins",
            "Forecast the hold-out from so many origins, evenly spaced; all count for the error. By"
            " default as many as cover it. The model is fitted once, before the first; at later"
            " ones it knows the values since, and is not trained again.",
            DATA,
            "NUMBER",
            read=integer(1),
        ),
    ]
    refit: Annotated[
        bool,
        Option(
            "--refit",
            "Fit the model anew at every origin of the hold-out, which takes so many times as"
            " long.",
            DATA,
            "",
            False,
            bool,
        ),
    ]
    cell: Annotated[
        str,
        Option(
            "--cell",
            "gru, lstm, rnn, mingru, minlstm, indrnn or lru.",
            NETWORK,
            "NAME",
            "gru",
            read=choice("gru", "lstm", "rnn", "mingru", "minlstm", "indrnn", "lru"),
        ),
    ]
    hidden_size: Annotated[
        int,
        Option(
            "--hidden-size",
            "Hidden units of a layer.",
            NETWORK,
            "UNITS",
            "32",
            read=integer(1, _MOST_UNITS),
        ),
    ]
    layers: Annotated[
        int,
        Option(
            "--layers",
            "Recurrent layers.",
            NETWORK,
            "NUMBER",
            "1",
            read=integer(1, _MOST_LAYERS),
            argument="num_layers",
        ),
    ]
    network: Annotated[
        str,
        Option(
            "--network",
            "auto, or never: a short form of --use smoothing.",
            NETWORK,
            "WHEN",
            "auto",
            read=choice("auto", "never"),
        ),
    ]
    base_model: Annotated[
        str,
        Option(
            "--base-model",
            "The networks that have learned from other series and correct smoothing: shipped, none,"
            " or a file of make base-model.",
            NETWORK,
            "WHICH",
            "shipped",
        ),
    ]
    use: Annotated[
        str,
        Option(
            "--use",
            "What is delivered: network (smoothing that networks correct), smoothing, naive"
            " (the best of the naive forecasts), or best: for each series that of network, unless"
            " a naive forecast was clearly better inside the history.",
            NETWORK,
            "WHICH",
            "best",
            read=choice("best", "network", "smoothing", "naive"),
        ),
    ]
    window: Annotated[
        int | None,
        Option(
            "--window",
            "Past steps that the network reads; by default chosen from season, horizon and length.",
            NETWORK,
            "STEPS",
            read=integer(1),
        ),
    ]
    epochs: Annotated[
        int | None,
        Option(
            "--epochs",
            "Passes over the data, at most; 40 by default.",
            NETWORK,
            "NUMBER",
            read=integer(1),
        ),
    ]
    seed: Annotated[
        int,
        Option(
            "--seed",
            "The same seed gives the same forecast.",
            NETWORK,
            "NUMBER",
            "0",
            read=integer(0),
        ),
    ]
    intervals: Annotated[
        tuple[float, ...],
        Option(
            "--intervals",
            "The shares of values that the intervals are to hold.",
            OUTPUT,
            "SHARES",
            "0.8,0.95",
            read=coverages,
            argument="coverages",
        ),
    ]
    quantiles: Annotated[tuple[float, ...] | None, quantiles_option(OUTPUT)]
    out: Annotated[
        Path,
        Option(
            "--out",
            "The folder for the results; by default DATA-forecast. Files of an earlier run are"
            " replaced.",
            OUTPUT,
            "FOLDER",
            kind=Path,
        ),
    ]
    json: Annotated[
        bool,
        Option(
            "--json",
            "Print what metrics.json holds, and nothing else.",
            OUTPUT,
            "",
            False,
            bool,
        ),
    ]
    fail_if_worse: Annotated[
        bool,
        Option(
            "--fail-if-worse",
            "End with exit code 3 if a naive forecast, or smoothing alone, did as well on the"
            " hold-out; all files are written.",
            OUTPUT,
            "",
            False,
            bool,
        ),
    ]
    quiet: Annotated[bool, Option("--quiet", "Print nothing.", OUTPUT, "", False, bool)]
    workers: Annotated[int | Scheduler | None, workers_option(WORK)]
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Set defaults that depend on other options.

        Raises
        ------
        InvalidArgumentError
            If options do not go together.
        """
        self.covariates = self.covariates or ()
        if self.all and self.target:
            raise InvalidArgumentError(
                sentence("--all", "given without --target", f"--target {','.join(self.target)}")
            )
        if self.data is None and any((self.target, self.time, self.id, self.covariates, self.all)):
            raise InvalidArgumentError(
                sentence(
                    "a data file",
                    "named together with --target, --time, --id or --covariates",
                    "none",
                    "Write: throughtime forecast data.csv --target COLUMN --horizon STEPS",
                )
            )
        for flag, given in (
            ("--fail-if-worse", self.fail_if_worse),
            ("--origins", self.origins),
            ("--refit", self.refit),
        ):
            if given and self.holdout == 0:
                raise InvalidArgumentError(sentence(flag, "given with a hold-out", "--holdout 0"))
        if self.horizon is None:
            if self.data is not None:
                way = "Add for example --horizon 12."
                raise InvalidArgumentError(
                    sentence("--horizon", "how many steps to forecast", "nothing", way, must="say")
                )
            self.horizon = DEMO_HORIZON
        self._check_origins()
        self.out = self.out or Path(f"{stem(self.data)}-forecast")

    def _check_origins(self) -> None:
        """Refuse more origins than the hold-out that was asked for has."""
        if self.origins is None or self.holdout is None:
            return
        most = max(1, self.holdout - self.horizon + 1)
        if self.origins > most:
            raise InvalidArgumentError(
                sentence(
                    "--origins",
                    f"at most {most} for --holdout {self.holdout} and --horizon {self.horizon}",
                    f"{self.origins}",
                    f"Write --holdout {self.horizon + self.origins - 1} or more.",
                )
            )

    @property
    def source(self) -> str:
        """Where the data come from, in words."""
        if self.data is None:
            return "the CO2 series of Mauna Loa"
        return "standard input" if str(self.data) == "-" else self.data.name

    @property
    def command_line(self) -> str:
        """The command as it was typed."""
        return shlex.join(["throughtime", *self.command])


def stem(data: Path | None) -> str:
    """The name of the data without endings: ``sales`` of ``sales.csv.gz``."""
    if data is None:
        return "co2"
    return "data" if str(data) == "-" else data.name.partition(".")[0] or data.stem
