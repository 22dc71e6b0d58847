"""``throughtime predict``: forecast on from new data, without training."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from throughtime.cli.source import History
    from throughtime.data.tables.files import Table
    from throughtime.forecasting import Forecaster

FILES = ("forecast.csv", "forecast.png")


def register(app: Any) -> None:
    """Add the command to ``app``."""
    import typer

    @app.command()
    def predict(
        model: Annotated[Path, typer.Argument(help="A model.safetensors of throughtime forecast.")],
        data: Annotated[
            Path,
            typer.Argument(
                help="A CSV or Parquet file with the columns of the training data: the history"
                " with its newest values, or the new rows alone."
            ),
        ],
        horizon: Annotated[
            int | None,
            typer.Option(help="How many steps ahead, at most those of the model.", metavar="STEPS"),
        ] = None,
        target: Annotated[
            str | None, typer.Option(help="The column to forecast, if renamed.", metavar="COLUMN")
        ] = None,
        time: Annotated[
            str | None, typer.Option(help="The column of times, if renamed.", metavar="COLUMN")
        ] = None,
        id: Annotated[  # noqa: A002  # the word that long tables use
            str | None,
            typer.Option(help="The column that tells series apart, if renamed.", metavar="COLUMN"),
        ] = None,
        dayfirst: Annotated[
            bool | None,
            typer.Option(
                "--dayfirst/--no-dayfirst",
                help="Whether 01/02/2024 is the first of February; as in the training data.",
                metavar="",
            ),
        ] = None,
        out: Annotated[
            Path | None,
            typer.Option(
                help="The folder for the results; by default DATA-prediction. Older files there are"
                " replaced.",
                metavar="FOLDER",
            ),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.", metavar="")] = False,
    ) -> None:
        """Forecast on from new data with a trained model.

        Writes forecast.csv and forecast.png.
        """
        names = {"target": target, "time": time, "id": id}
        run(model, data, horizon, names, dayfirst, out or Path(f"{data.stem}-prediction"), quiet)


def run(
    path: Path,
    data: Path,
    horizon: int | None,
    names: dict[str, str | None],
    dayfirst: bool | None,
    out: Path,
    quiet: bool,
) -> None:
    """Do everything that the command does."""
    from throughtime.cli.console import Screen
    from throughtime.cli.continuing import check_step, step_of
    from throughtime.cli.output import check_folder, staged
    from throughtime.cli.results import build_story, lines_of, show_forecast, sizes, write_files
    from throughtime.cli.source import histories
    from throughtime.cli.wording import in_options
    from throughtime.data.tables.files import read_table
    from throughtime.errors import check_int
    from throughtime.forecasting import Forecaster
    from throughtime.plotting.style import load_matplotlib

    screen = Screen(quiet)
    load_matplotlib("The picture")
    model = Forecaster.load(path)
    steps = check_int("--horizon", model.horizon if horizon is None else horizon, 1, model.horizon)
    old = check_folder(out, FILES)
    known: dict[str, Any] = model.metadata
    step = step_of(known)
    table = read_table(
        data,
        names["target"] or known.get("target"),
        names["time"] or known.get("time"),
        names["id"] or known.get("id"),
        tuple(known.get("covariates", ())),
        dayfirst=known.get("dayfirst") if dayfirst is None else dayfirst,
        frequency=step,
    )
    check_step(table, step)
    screen.headline(f"{table.target}, from {data.name} with {path.name}")
    screen.facts("data", map(in_options, table.describe()))
    made = go_on(model, known, table, histories(table), steps)
    story = build_story(table, made.parts, model, made.forecasts, backtest=None, notes=made.notes)
    screen.facts("model", made.notes)
    screen.facts("warning", made.warnings, style="yellow")
    show_forecast(screen, story)
    with staged(out) as folder:
        write_files(folder, story, table, page=False)
        written = sizes(folder, FILES)
    screen.facts("written", lines_of(out, written, old))


@dataclasses.dataclass(frozen=True)
class Made:
    """The histories, the forecast after their last values, and sentences on how it was made."""

    parts: "list[History]"
    forecasts: Any
    notes: list[str]
    warnings: list[str]


def go_on(
    model: "Forecaster",
    known: dict[str, Any],
    table: "Table",
    parts: "list[History]",
    steps: int,
) -> Made:
    """Forecast after the last values of the table, which continue what the model has seen.

    Raises
    ------
    DataError
        They do not continue it, or are too few.
    """
    from throughtime.cli.continuing import join, notes_of, warnings_of
    from throughtime.cli.source import covariates_ahead, empty_ahead, group
    from throughtime.cli.wording import in_words
    from throughtime.errors import DataError

    many, count = table.id is not None, len(table.covariates)
    ahead, about_covariates = None, []
    if model.future_covariates and count:
        ahead = covariates_ahead(parts, many, steps)
        about_covariates = empty_ahead(parts, steps)
    elif count and any(part.rows_ahead for part in parts):
        about_covariates = [
            "The covariates of the steps ahead are not used: the model was trained without them."
        ]
    joined = join(model, known, parts, many)
    history = group([(one.part.name, one.part.values) for one in joined], many)
    past = group([(one.part.name, one.covariates) for one in joined], many) if count else None
    try:
        forecasts = model.predict(steps, ahead, y=history, X=past)
    except DataError as error:
        raise DataError(in_words(str(error), table.target)) from None
    notes = [*notes_of(joined, model.window_), *about_covariates]
    return Made([one.part for one in joined], forecasts, notes, warnings_of(joined))
