"""``throughtime forecast``: from a table to a trained model, a forecast and a report."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from throughtime.cli.requests import ForecastRequest
    from throughtime.cli.wording import Wording
    from throughtime.data.tables.files import Table

FILES = (
    "model.safetensors", "forecast.csv", "forecast.png", "report.html", "metrics.json",
    "holdout.csv",
)  # fmt: skip


def register(app: Any) -> None:
    """Add the command to ``app``."""
    from throughtime.cli.failures import exit_codes
    from throughtime.cli.options import command
    from throughtime.cli.requests import ForecastRequest

    app.command(
        "forecast",
        help="Train on a time series, forecast it, and report how good that is.\n\n"
        "Writes model.safetensors, forecast.csv, forecast.png, report.html, metrics.json and, of"
        " the data held out, holdout.csv. Ctrl-C ends training early and still writes them; a"
        " second Ctrl-C, or one before training, stops without.\n\n"
        f"{exit_codes()}",
    )(command(ForecastRequest, run))


def run(request: ForecastRequest) -> None:
    """Do everything that the command does, once its options are checked."""
    from throughtime.cli.requests import ForecastRequest
    from throughtime.cli.wording import Wording

    wording = Wording(ForecastRequest)
    with wording.errors():
        _run(request, wording)


def _run(request: ForecastRequest, wording: Wording) -> None:
    from throughtime.cli.console import Screen
    from throughtime.cli.executors import at_work
    from throughtime.cli.failures import NoBetter, StoppedEarly
    from throughtime.cli.interrupt import StopButton
    from throughtime.cli.metrics import metrics_of, to_json, write_json
    from throughtime.cli.output import check_folder, keep_input, staged
    from throughtime.cli.results import (
        build_story,
        lines_of,
        quantiles_of,
        sizes,
        tell,
        write_files,
        write_holdout,
    )
    from throughtime.cli.series import cut_series, describe_table, without_short
    from throughtime.cli.training import Training
    from throughtime.cli.unusual import with_unusual
    from throughtime.errors import import_extra
    from throughtime.forecasting.sharing import listening
    from throughtime.plotting.style import load_matplotlib
    from throughtime.report import words

    began = time.perf_counter()
    screen = Screen(request.quiet or request.json)
    # Whatever can be known to fail must fail before the training, not after it.
    load_matplotlib("The report")
    import_extra("jinja2", "cli", "The report")
    old = check_folder(request.out, FILES)
    keep_input(request.out, FILES, [request.data])
    table = without_short(read(request))
    wording.target, wording.covariates = table.target, table.covariates
    parts = cut_series(table)
    table = with_unusual(table, parts)
    screen.headline(f"{table.target}, from {request.source}")
    screen.facts("data", map(wording.say, table.describe()))

    with (
        StopButton(screen.note) as button,
        at_work(request.workers, len(parts), screen.note) as executor,
    ):
        with screen.progress() as bar:
            work = Training(request, table, parts, bar, button, wording, executor)
            model, backtest = work.run()
            button.trained = True
            with listening(bar.count):
                forecasts = model.predict(X_future=work.ahead)
        model.metadata = describe_table(table, parts)
        story = build_story(
            table,
            parts,
            model,
            forecasts,
            wording,
            tested_itself=work.tested_itself,
            backtest=backtest,
            notes=work.notes,
            curves=work.curves,
            source=request.source,
            command=request.command_line,
            warning=work.warning,
        )
        tell(screen, story)
        names = [part.name for part in parts]
        quantiles = quantiles_of(
            model, request.quantiles or (), {"X_future": work.ahead}, names, work.many
        )
        with screen.progress("writing the files"), staged(request.out) as folder:
            model.save(folder / FILES[0])
            write_files(folder, story, table, quantiles=quantiles)
            metrics = metrics_of(story, table)
            write_json(folder / "metrics.json", metrics)
            if backtest is not None:
                write_holdout(folder / "holdout.csv", table, backtest)
            written = sizes(folder, [name for name in FILES if (folder / name).exists()])
    screen.facts("written", lines_of(request.out, written, old))
    seconds = max(1, round(time.perf_counter() - began))
    screen.facts("", [f"in {words.plural(seconds, 'second')}"])
    if request.json:
        sys.stdout.write(to_json(metrics))
    if button.pressed:
        what = "ended training early" if work.warning else "came after training"
        raise StoppedEarly(f"Ctrl-C {what}; every file was written.")
    if request.fail_if_worse and (backtest is None or not words.is_good(backtest)):
        raise NoBetter("The forecast is no better than a simpler one; every file was written.")


def read(request: ForecastRequest) -> Table:
    """The table that the request names, or the one that ships with the package."""
    from throughtime.cli.options import arguments_for
    from throughtime.data.datasets import CO2_FILE
    from throughtime.data.tables.files import read_table

    if request.data is None:
        return read_table(CO2_FILE, "co2", "date")
    return read_table(request.data, **arguments_for(read_table, request))
