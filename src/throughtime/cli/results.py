"""The results of a forecast: lines on the screen, and files."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.cli.describe import layer_rows, one_line, settings_of
from throughtime.cli.series import CutSeries, ungroup
from throughtime.cli.wording import Wording
from throughtime.data.series import format_times
from throughtime.forecasting.choosing import CROSTON
from throughtime.plotting import ForecastView, forecast_figure, save_png
from throughtime.report import ForecastStory, forecast_page, words
from throughtime.report.story import decimals_of, outlook

if TYPE_CHECKING:
    from throughtime.cli.console import Screen
    from throughtime.data.tables.files import Table
    from throughtime.forecasting import BacktestReport, Forecaster

SHOWN_STEPS = 6
#: Coverage of an interval whose ends are the median.
_NO_WIDTH = 1e-9
#: What a formula begins with, to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: Notes on single series, at most; a count stands for the others.
MOST_NOTES = 5


def build_story(
    table: Table,
    parts: Sequence[CutSeries],
    model: Forecaster,
    forecasts: Any,
    wording: Wording,
    *,
    backtest: BacktestReport | None,
    notes: Iterable[str] = (),
    curves: Mapping[str, tuple[Sequence[float], Sequence[float] | None]] | None = None,
    source: str = "",
    command: str = "",
    warning: str = "",
    tested_itself: bool = False,
) -> ForecastStory:
    """Collect what the screen, the picture and the page show.

    Parameters
    ----------
    forecasts : Forecast, or dict of them
        What ``model.predict`` returned.
    """
    many = table.id is not None
    # Words only: to the forecaster a step of 1 has no season.
    alias = table.frequency.alias if table.frequency else None
    frequency = "YE" if table.counts_years else alias
    views = []
    for part, forecast in zip(
        parts, ungroup(forecasts, [part.name for part in parts], many), strict=True
    ):
        folds = () if backtest is None else backtest.folds
        views.append(
            ForecastView(
                part.name,
                part.times,
                part.values,
                part.future(int(forecast.steps[-1]))[forecast.steps - 1],
                forecast,
                tuple(fold for fold in folds if not many or fold.series == part.name),
            )
        )
    return ForecastStory(
        target=table.target,
        source=source,
        frequency=frequency,
        views=tuple(views),
        backtest=None if backtest is None else _in_words_of(wording, backtest),
        findings=tuple(map(wording.say, table.describe())),
        notes=(*notes, *map(wording.say, _all_notes(model, views))),
        layers=layer_rows(model.networks_[0]),
        settings=settings_of(model),
        curves=curves or {},
        command=command,
        warning=warning,
        network_weight=model.weight_,
        tested_itself=tested_itself,
    )


def _in_words_of(wording: Wording, backtest: BacktestReport) -> BacktestReport:
    """The report of a backtest with arguments called as the user knows them."""
    verdict = tuple(map(wording.say, backtest.verdict))
    return dataclasses.replace(backtest, verdict=verdict, delivered=wording.say(backtest.delivered))


def _all_notes(model: Forecaster, views: Sequence[ForecastView]) -> list[str]:
    """The notes of the model, and those of the forecasts, of which many may say the same."""
    said = [note for view in views for note in view.forecast.notes if note not in model.notes_]
    more = [f"... and {len(said) - MOST_NOTES} notes more."] if len(said) > MOST_NOTES else []
    return [*model.notes_, *said[:MOST_NOTES], *more]


def tell(screen: Screen, story: ForecastStory) -> None:
    """Print how good the forecast is, and the forecast."""
    screen.facts("model", [one_line(story), *story.notes])
    backtest = story.backtest
    if backtest is not None:
        screen.line()
        held = words.stretch(story.frequency, story.held_out)
        screen.headline(f"Error on the last {held}, held out")
        origins = words.origins(backtest, story.frequency)
        if origins:
            screen.sentence(origins)
        screen.table(*error_table(backtest), bold=0)
        tone = "green" if words.is_good(backtest) else "yellow"
        screen.sentence(words.judgement(backtest), style=tone)
        remark = words.smoothing_remark(backtest, "--use smoothing forecasts with it.")
        for sentence in filter(None, [remark, backtest.delivered]):
            screen.sentence(sentence, style=tone)
        for nominal, share in sorted(backtest["forecast"].coverage.items()):
            screen.sentence(
                f"The {words.percent(nominal)} interval held {words.percent(share)} of the values."
            )
    screen.facts("warning", filter(None, [story.warning]), style="yellow")
    show_forecast(screen, story)


def show_forecast(screen: Screen, story: ForecastStory) -> None:
    """Print the forecast: a sentence and its first rows."""
    screen.line()
    screen.headline(story.title)
    screen.sentence(outlook(story))
    if len(story.views) > 1:
        screen.sentence(f"The first rows, of {story.views[0].name}; forecast.csv holds all series.")
    screen.table(*forecast_table(story))


def error_table(backtest: BacktestReport) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the errors of all methods."""
    scores = backtest.scores
    columns = [
        [words.method_name(score.method) for score in scores],
        words.column([score.mae for score in scores]),
        words.column([score.rmse for score in scores]),
        [f"{cell} %" for cell in words.column([100 * score.smape for score in scores])],
        words.column([score.mase for score in scores]),
    ]
    header = ["method", "MAE", "RMSE", "sMAPE", "MASE"]
    if backtest.mostly_zero:
        header += ["RMSSE", "pinball"]
        columns += [
            words.column([score.rmsse for score in scores]),
            words.column([score.pinball for score in scores]),
        ]
    return header, [list(row) for row in zip(*columns, strict=True)]


def forecast_table(story: ForecastStory) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the first steps of the forecast of the first series."""
    view = story.views[0]
    forecast = view.forecast
    coverages = sorted(forecast.intervals)
    header = ["time", "mean", *(f"{words.percent(c)} interval" for c in coverages)]
    stop = min(SHOWN_STEPS, len(forecast.mean))
    decimals = decimals_of(view)
    rows = []
    for i, stamp in enumerate(format_times(view.future)[:stop]):
        row = [stamp, words.fixed(forecast.mean[i], decimals)]
        for coverage in coverages:
            low, high = forecast.intervals[coverage]
            row.append(f"{words.fixed(low[i], decimals)} to {words.fixed(high[i], decimals)}")
        rows.append(row)
    if stop < len(forecast.mean):
        rows.append(["...", *([""] * (len(header) - 1))])
    return header, rows


def quantiles_of(
    model: Forecaster,
    levels: Sequence[float],
    asked: Mapping[str, Any],
    names: Sequence[str],
    many: bool,
) -> list[dict[str, np.ndarray]]:
    """The columns of quantiles of every series: the ends of intervals around the point forecast.

    ``asked`` are the arguments of ``model.predict``.
    """
    columns: list[dict[str, np.ndarray]] = [{} for _ in names]
    for level in levels:
        if level == 0.5:
            found = _medians(model, asked, names, many)
        else:
            # Rounded, so that 0.05 and 0.95 are the ends of the same interval.
            coverage = round(abs(1.0 - 2.0 * level), 12)
            pairs = model.predict_interval(coverage=coverage, **asked)
            found = [pair[int(level > 0.5)] for pair in ungroup(pairs, names, many)]
        for column, values in zip(columns, found, strict=True):
            column[f"q{level:g}"] = values
    return columns


def _medians(
    model: Forecaster, asked: Mapping[str, Any], names: Sequence[str], many: bool
) -> list[np.ndarray]:
    """The point forecasts; where demand is mostly zero, its median, which the mean is not."""
    forecasts = ungroup(model.predict(**asked), names, many)
    if all(one.method != CROSTON for one in forecasts):
        return [one.mean for one in forecasts]
    pairs = model.predict_interval(coverage=_NO_WIDTH, **asked)
    return [
        # One end is the median; the other may have been moved to hold the mean.
        np.where(low < one.mean, low, high) if one.method == CROSTON else one.mean
        for one, (low, high) in zip(forecasts, ungroup(pairs, names, many), strict=True)
    ]


def write_files(
    folder: Path,
    story: ForecastStory,
    table: Table,
    page: bool = True,
    quantiles: Sequence[Mapping[str, np.ndarray]] = (),
) -> None:
    """Write the table, the picture and, with ``page``, the HTML page into ``folder``.

    ``quantiles`` are further columns of the table, for each series.
    """
    rows = [
        (view.name, view.future, view.forecast.to_columns() | dict(more))
        for view, more in zip(story.views, quantiles or [{}] * len(story.views), strict=True)
    ]
    write_csv(folder / "forecast.csv", table, rows)
    with forecast_figure(story.views, title=story.title) as figure:
        save_png(figure, folder / "forecast.png")
    if page:
        (folder / "report.html").write_text(forecast_page(story), encoding="utf-8")


def write_csv(
    path: Path, table: Table, rows: Sequence[tuple[str, np.ndarray, Mapping[str, np.ndarray]]]
) -> int:
    """Write the forecast of every series, one row a step; return how many rows there are.

    Times are written as the table writes them, in as many columns, so that the file joins back.

    Parameters
    ----------
    rows : sequence of (name, times, columns)
    """
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for name, times, known in rows:
            columns = {k: v for k, v in known.items() if k != "step"}
            if count == 0:
                names = [*filter(None, [table.id]), *(table.time_columns or ("step",))]
                writer.writerow([*map(inert, names), *columns])
            for stamp, *values in zip(table.write_times(times), *columns.values(), strict=True):
                texts = [*([name] if table.id else []), *stamp]
                writer.writerow([*map(inert, texts), *map(cell, values)])
                count += 1
    return count


def write_holdout(path: Path, table: Table, backtest: BacktestReport) -> None:
    """Write what came on the hold-out, what was forecast, and what naive methods forecast."""
    parts = {one.name: one for one in table.series}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, fold in enumerate(backtest.folds):
            series = table.series[0] if fold.series is None else parts[str(fold.series)]
            columns = {k: v for k, v in fold.forecast.to_columns().items() if k != "step"}
            columns = {"actual": fold.actual, **columns, **fold.naive}
            if number == 0:
                names = [*filter(None, [table.id]), *(table.time_columns or ("step",))]
                writer.writerow([*map(inert, names), "origin", *columns])
            times = series.times[fold.origin + fold.forecast.steps - 1]
            rows = zip(table.write_times(times), *columns.values(), strict=True)
            for stamp, *values in rows:
                texts = [*([series.name] if table.id else []), *stamp]
                cells = list(map(cell, values))
                writer.writerow([*map(inert, texts), fold.origin, *cells])


def cell(value: Any) -> str:
    """A cell of a file: a text as it is, a number with all its digits, nothing for NaN."""
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else all_digits(value)


def all_digits(value: float) -> str:
    """A number with as many digits as tell it from its neighbours, and without an exponent."""
    return np.format_float_positional(value, trim="-")


def inert(text: str) -> str:
    """Text that no spreadsheet runs as a formula: an apostrophe keeps it text."""
    try:
        float(text)
    except ValueError:
        return f"'{text}" if text[:1] in _FORMULA else text
    return text


def sizes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The sizes of the files in ``folder``."""
    return {name: f"{max(1, round((folder / name).stat().st_size / 1000)):,} kB" for name in names}


def lines_of(folder: Path, written: Mapping[str, str], old: Collection[str]) -> list[str]:
    """One line for each file: its path, its size, and whether it replaced an ``old`` one."""
    return [
        f"{folder / name}  {size}{', in place of an older one' if name in old else ''}"
        for name, size in written.items()
    ]
