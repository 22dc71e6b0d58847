"""``throughtime predict``: forecast on from new data, without training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from throughtime.cli.source import History
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
        out: Annotated[
            Path | None,
            typer.Option(
                help="The folder for the results; named after the data.", metavar="FOLDER"
            ),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
    ) -> None:
        """Forecast on from new data with a trained model.

        Writes forecast.csv and forecast.png.
        """
        names = {"target": target, "time": time, "id": id}
        run(model, data, horizon, names, out or Path(f"{data.stem}-prediction"), quiet)


def run(
    path: Path,
    data: Path,
    horizon: int | None,
    names: dict[str, str | None],
    out: Path,
    quiet: bool,
) -> None:
    """Do everything that the command does."""
    from throughtime.cli.console import Screen
    from throughtime.cli.output import check_folder, staged
    from throughtime.cli.results import build_story, forecast_table, sizes, write_files
    from throughtime.cli.source import histories
    from throughtime.data.files import read_table
    from throughtime.errors import check_int, import_extra
    from throughtime.forecasting import Forecaster
    from throughtime.report.story import outlook

    screen = Screen(quiet)
    import_extra("matplotlib", "cli", "The picture")
    model = Forecaster.load(path)
    steps = check_int("--horizon", model.horizon if horizon is None else horizon, 1, model.horizon)
    check_folder(out, FILES)
    known: dict[str, Any] = model.metadata
    table = read_table(
        data,
        names["target"] or known.get("target"),
        names["time"] or known.get("time"),
        names["id"] or known.get("id"),
        tuple(known.get("covariates", ())),
    )
    parts = histories(table)
    many = table.id is not None
    screen.headline(f"{table.target}, from {data.name} with {path.name}")
    screen.facts("data", table.describe())
    parts, forecasts, notes = go_on(model, known, parts, many, steps)
    story = build_story(table, parts, model, forecasts, backtest=None, notes=notes)
    screen.facts("model", notes)
    screen.line()
    screen.headline(story.title)
    screen.line(f" {outlook(story)}")
    screen.table(*forecast_table(story))
    with staged(out) as folder:
        write_files(folder, story, table, page=False)
        written = sizes(folder, FILES)
    screen.facts("written", [f"{out / name}  {size}" for name, size in written.items()])


def go_on(
    model: "Forecaster", known: dict[str, Any], parts: "list[History]", many: bool, steps: int
) -> "tuple[list[History], Any, list[str]]":
    """The histories, the forecast after their last values, and sentences on how it was made.

    A table that begins after what the model has seen continues the history in the model; any
    other is taken as the whole history.
    """
    from throughtime.cli.source import covariates_ahead, covariates_until_now, group, new_rows
    from throughtime.data.frequency import Frequency

    ahead = None
    if model.future_covariates and parts[0].covariates.shape[1]:
        ahead = covariates_ahead(parts, many, steps)
    added = [new_rows(known, part) for part in parts] if "last" in known else [None]
    fresh = [rows for rows in added if rows is not None]
    if len(fresh) == len(parts):
        names = [part.name for part in parts]
        values = group(list(zip(names, [rows[0] for rows in fresh], strict=True)), many)
        extra = group(list(zip(names, [rows[1] for rows in fresh], strict=True)), many)
        model.update(values, extra if parts[0].covariates.shape[1] else None)
        step = Frequency(**known["frequency"])
        # A single series has no name in the model.
        seen = {one.name: one.y for one in model.fitted.group.series}
        whole = [part.after(seen[part.name if many else None], step) for part in parts]
        notes = ["The new rows continue the history that is in the model; nothing was trained."]
        return whole, model.predict(steps, ahead), notes
    history = group([(part.name, part.values) for part in parts], many)
    answer = model.predict(steps, ahead, y=history, X=covariates_until_now(parts, many))
    return parts, answer, ["The table is taken as the whole history; nothing was trained."]
