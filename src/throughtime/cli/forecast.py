"""``throughtime forecast``: from a table to a trained model, a forecast and a report."""

import dataclasses
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from throughtime.data.tables.files import Table

FILES = ("model.safetensors", "forecast.csv", "forecast.png", "report.html")
CELLS = ("gru", "lstm", "rnn")
DEMO_HORIZON = 104


@dataclasses.dataclass
class Options:
    """The options of the command, checked."""

    data: Path | None
    target: str | None
    horizon: int
    time: str | None
    id: str | None
    covariates: tuple[str, ...]
    cell: str
    hidden_size: int
    layers: int
    network: str
    window: int | None
    epochs: int | None
    intervals: tuple[float, ...]
    season: Any
    holdout: int | None
    seed: int
    out: Path
    quiet: bool
    dayfirst: bool | None = None
    command: str = ""

    @property
    def source(self) -> str:
        """Where the data come from, in words."""
        return "the CO2 series of Mauna Loa" if self.data is None else self.data.name


def register(app: Any) -> None:
    """Add the command to ``app``."""
    import typer

    from throughtime.cli.source import parse_coverages, parse_names, parse_season
    from throughtime.errors import InvalidArgumentError, check_choice, check_int

    def option(flag: str, text: str, panel: str, metavar: str | None = None) -> Any:
        return typer.Option(flag, help=text, rich_help_panel=panel, metavar=metavar)

    @app.command(
        help="Train on a time series, forecast it, and report how good that is.\n\n"
        "Writes model.safetensors, forecast.csv, forecast.png and report.html. Ctrl-C ends training"
        " early and still writes them; a second Ctrl-C stops without."
    )
    def forecast(
        context: typer.Context,
        data: Annotated[
            Path | None,
            typer.Argument(
                help="A CSV or Parquet file. Without one: weekly CO2 at Mauna Loa, which ships"
                " with the package.",
                show_default=False,
            ),
        ] = None,
        target: Annotated[
            str | None,
            option(
                "--target",
                "The column to forecast; not needed if only one holds numbers.",
                "Data",
                "COLUMN",
            ),
        ] = None,
        horizon: Annotated[
            int | None,
            option(
                "--horizon",
                "How many steps ahead; required with data of your own.",
                "Data",
                "STEPS",
            ),
        ] = None,
        time: Annotated[
            str | None,
            option(
                "--time",
                "The column of times; by default found by its name or its dates.",
                "Data",
                "COLUMN",
            ),
        ] = None,
        id: Annotated[  # noqa: A002  # the word that long tables use
            str | None,
            option("--id", "The column that tells several series apart.", "Data", "COLUMN"),
        ] = None,
        covariates: Annotated[
            str | None,
            option("--covariates", "Columns that help to forecast: a,b,c.", "Data", "COLUMNS"),
        ] = None,
        dayfirst: Annotated[
            bool | None,
            option(
                "--dayfirst/--no-dayfirst",
                "Whether 01/02/2024 is the first of February; by default what makes rows regular.",
                "Data",
                "",
            ),
        ] = None,
        season: Annotated[
            str,
            option(
                "--season",
                "auto, none, or a number of steps; several with commas between.",
                "Data",
                "STEPS",
            ),
        ] = "auto",
        holdout: Annotated[
            int | None,
            option(
                "--holdout",
                "Steps kept back to measure the error; by default the horizon, 0 for none.",
                "Data",
                "STEPS",
            ),
        ] = None,
        cell: Annotated[str, option("--cell", "gru, lstm or rnn.", "Network", "NAME")] = "gru",
        hidden_size: Annotated[
            int, option("--hidden-size", "Hidden units of a layer.", "Network", "UNITS")
        ] = 32,
        layers: Annotated[int, option("--layers", "Recurrent layers.", "Network", "NUMBER")] = 1,
        network: Annotated[
            str,
            option(
                "--network",
                "auto, or never: exponential smoothing alone, without the network.",
                "Network",
                "WHEN",
            ),
        ] = "auto",
        window: Annotated[
            int | None,
            option(
                "--window",
                "Past steps it reads; by default chosen from season, horizon and length.",
                "Network",
                "STEPS",
            ),
        ] = None,
        epochs: Annotated[
            int | None,
            option("--epochs", "Passes over the data, at most; 40 by default.", "Network", "N"),
        ] = None,
        seed: Annotated[
            int, option("--seed", "The same seed gives the same forecast.", "Network", "NUMBER")
        ] = 0,
        intervals: Annotated[
            str,
            option(
                "--intervals",
                "The shares of values that intervals are to hold.",
                "Output",
                "SHARES",
            ),
        ] = "0.8,0.95",
        out: Annotated[
            Path | None,
            option(
                "--out",
                "The folder for the results; by default DATA-forecast. Older ones are replaced.",
                "Output",
                "FOLDER",
            ),
        ] = None,
        quiet: Annotated[bool, option("--quiet", "Print nothing.", "Output", "")] = False,
    ) -> None:
        if data is None and horizon is None:
            horizon = DEMO_HORIZON
        if horizon is None:
            raise InvalidArgumentError(
                "--horizon must say how many steps to forecast; got nothing. Add for example"
                " --horizon 12."
            )
        if data is None and any((target, time, id, covariates)):
            raise InvalidArgumentError(
                "a data file must be named together with --target, --time, --id or --covariates;"
                " got none. Write: throughtime forecast data.csv --target COLUMN --horizon STEPS"
            )
        stem = "co2" if data is None else data.stem
        run(
            Options(
                data,
                target,
                check_int("--horizon", horizon, 1),
                time,
                id,
                parse_names(covariates),
                check_choice("--cell", cell, CELLS),
                check_int("--hidden-size", hidden_size, 1),
                check_int("--layers", layers, 1),
                check_choice("--network", network, ("auto", "never")),
                None if window is None else check_int("--window", window, 1),
                None if epochs is None else check_int("--epochs", epochs, 1),
                parse_coverages(intervals),
                parse_season(season),
                None if holdout is None else check_int("--holdout", holdout, 0),
                check_int("--seed", seed, 0),
                out or Path(f"{stem}-forecast"),
                quiet,
                dayfirst,
                shlex.join(["throughtime", *(context.obj or [])]),
            )
        )


def run(options: Options) -> None:
    """Do everything that the command does, once its options are checked."""
    from throughtime.cli.console import Screen
    from throughtime.cli.failures import StoppedEarly
    from throughtime.cli.interrupt import StopButton
    from throughtime.cli.output import check_folder, staged
    from throughtime.cli.results import build_story, lines_of, sizes, tell, write_files
    from throughtime.cli.source import describe_table, histories
    from throughtime.cli.training import Training
    from throughtime.cli.wording import in_options
    from throughtime.errors import import_extra
    from throughtime.plotting.style import load_matplotlib
    from throughtime.report import words

    began = time.perf_counter()
    screen = Screen(options.quiet)
    # Whatever can be known to fail must fail before the training, not after it.
    load_matplotlib("The report")
    import_extra("jinja2", "cli", "The report")
    old = check_folder(options.out, FILES)
    table = read(options)
    parts = histories(table)
    screen.headline(f"{table.target}, from {options.source}")
    screen.facts("data", map(in_options, table.describe()))

    with StopButton(screen.note) as button:
        work = Training(options, table, parts, screen, button)
        model, backtest = work.run()
        model.metadata = describe_table(table, parts)
        story = build_story(
            table,
            parts,
            model,
            model.predict(X_future=work.ahead),
            tested_itself=work.tested_itself,
            backtest=backtest,
            notes=work.notes,
            curves=work.curves,
            source=options.source,
            command=options.command,
            warning=work.warning,
        )
        tell(screen, story)
        with staged(options.out) as folder:
            model.save(folder / FILES[0])
            write_files(folder, story, table)
            written = sizes(folder, FILES)
    screen.facts("written", lines_of(options.out, written, old))
    seconds = max(1, round(time.perf_counter() - began))
    screen.facts("", [f"in {words.plural(seconds, 'second')}"])
    if button.pressed:
        raise StoppedEarly("Ctrl-C ended training early; every file was written.")


def read(options: Options) -> "Table":
    """The table that the options name, or the bundled one."""
    from throughtime.data.datasets import CO2_FILE
    from throughtime.data.tables.files import read_table

    if options.data is None:
        return read_table(CO2_FILE, "co2", "date")
    return read_table(
        options.data,
        options.target,
        options.time,
        options.id,
        options.covariates,
        dayfirst=options.dayfirst,
    )
