"""``throughtime predict``: forecast on from new data, without training."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from throughtime.cli.predict_request import PredictRequest
    from throughtime.cli.series import CutSeries
    from throughtime.cli.wording import Wording
    from throughtime.data.tables.files import Table
    from throughtime.forecasting import Forecaster

FILES = ("forecast.csv", "forecast.png")


def register(app: Any) -> None:
    """Add the command to ``app``."""
    from throughtime.cli.failures import NO_BETTER, exit_codes
    from throughtime.cli.options import command
    from throughtime.cli.predict_request import PredictRequest

    app.command(
        "predict",
        help="Forecast on from new data with a trained model.\n\n"
        "Writes forecast.csv and forecast.png.\n\n"
        f"{exit_codes(NO_BETTER)}",
    )(command(PredictRequest, run))


def run(request: PredictRequest) -> None:
    """Do everything that the command does, once its options are checked."""
    from throughtime.cli.predict_request import PredictRequest
    from throughtime.cli.wording import Wording

    wording = Wording(PredictRequest)
    with wording.errors():
        _run(request, wording)


def _run(request: PredictRequest, wording: Wording) -> None:
    from throughtime.cli.console import Screen
    from throughtime.cli.continuing import check_step, step_of
    from throughtime.cli.executors import at_work
    from throughtime.cli.output import check_folder, keep_input, staged
    from throughtime.cli.results import (
        build_story,
        lines_of,
        quantiles_of,
        show_forecast,
        sizes,
        write_files,
    )
    from throughtime.cli.series import cut_series, description_in
    from throughtime.data.tables.files import read_table
    from throughtime.errors import check_int
    from throughtime.forecasting import Forecaster
    from throughtime.forecasting.sharing import listening
    from throughtime.plotting.style import load_matplotlib

    screen = Screen(request.quiet)
    load_matplotlib("The picture")
    model = Forecaster.load(request.model)
    horizon = model.horizon if request.horizon is None else request.horizon
    steps = check_int("horizon", horizon, 1, model.horizon)
    old = check_folder(request.out, FILES)
    keep_input(request.out, FILES, [request.data, request.model])
    known = description_in(model.metadata)
    step = step_of(known)
    reading = known.get("reading", {})
    series_of_targets = len(reading.get("targets", ())) > 1
    table = read_table(
        request.data,
        request.target or reading.get("targets") or known.get("target"),
        request.time or reading.get("times") or known.get("time"),
        request.id or reading.get("id") or (None if series_of_targets else known.get("id")),
        tuple(known.get("covariates", ())),
        dayfirst=known.get("dayfirst") if request.dayfirst is None else request.dayfirst,
        frequency=step,
        **reading.get("options", {}),
    )
    wording.target, wording.covariates = table.target, table.covariates
    check_step(table, step)
    screen.headline(f"{table.target}, from {request.data.name} with {request.model.name}")
    screen.facts("data", map(wording.say, table.describe()))
    parts, many = cut_series(table), table.id is not None
    names = [part.name for part in parts]
    with at_work(request.workers, len(parts), screen.note) as model.executor:
        with screen.progress() as bar, listening(bar.count):
            made = go_on(model, known, table, parts, steps)
        quantiles = quantiles_of(model, request.quantiles or (), made.asked, names, many)
    story = build_story(
        table, made.parts, model, made.forecasts, wording, backtest=None, notes=made.notes
    )
    screen.facts("model", made.notes)
    screen.facts("warning", made.warnings, style="yellow")
    show_forecast(screen, story)
    with screen.progress("writing the files"), staged(request.out) as folder:
        write_files(folder, story, table, page=False, quantiles=quantiles)
        written = sizes(folder, FILES)
    screen.facts("written", lines_of(request.out, written, old))


@dataclasses.dataclass(frozen=True)
class Made:
    """A forecast from new data.

    Attributes
    ----------
    parts : list of CutSeries
        The histories that it starts from.
    forecasts : Forecast, or dict of them
    asked : dict
        The arguments of ``model.predict`` that it was made with.
    notes, warnings : list of str
        Sentences on how it was made.
    """

    parts: list[CutSeries]
    forecasts: Any
    asked: dict[str, Any]
    notes: list[str]
    warnings: list[str]


def go_on(
    model: Forecaster,
    known: dict[str, Any],
    table: Table,
    parts: list[CutSeries],
    steps: int,
) -> Made:
    """Forecast after the last values of the table, which continue what the model has seen.

    Raises
    ------
    DataError
        If they do not continue it, or are too few.
    """
    from throughtime.cli.continuing import join, notes_of, warnings_of
    from throughtime.cli.series import covariates_ahead, group, note_on_empty_cells_ahead

    many, count = table.id is not None, len(table.covariates)
    ahead, about_covariates = None, []
    if model.future_covariates and count:
        ahead = covariates_ahead(parts, many, steps)
        about_covariates = note_on_empty_cells_ahead(parts, steps)
    elif count and any(part.rows_ahead for part in parts):
        about_covariates = [
            "The covariates of the steps ahead are not used: the model was trained without them."
        ]
    joined = join(model, known, parts, many)
    history = group([(one.part.name, one.part.dated) for one in joined], many)
    past = group([(one.part.name, one.covariates) for one in joined], many) if count else None
    asked = {"fh": steps, "X_future": ahead, "y": history, "X": past}
    forecasts = model.predict(**asked)
    notes = [*notes_of(joined, model.window_), *about_covariates]
    return Made([one.part for one in joined], forecasts, asked, notes, warnings_of(joined))
