"""The HTML page of a forecast: prepares what its template shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime import __version__
from throughtime.data.series import format_times
from throughtime.errors import import_extra
from throughtime.plotting import (
    LIGHT,
    MAX_PANELS,
    NARROW,
    WIDE,
    forecast_figure,
    loss_figure,
    to_svg,
)
from throughtime.report import words
from throughtime.report.story import ForecastStory, decimals_of, outlook, quality

if TYPE_CHECKING:
    from throughtime.forecasting import BacktestReport

MAX_ROWS = 400
WAY_OUT = "throughtime forecast --use smoothing forecasts with it."
LOSS_WIDE = (WIDE[0], 3.1)
LOSS_NARROW = (NARROW[0], 3.2)


def forecast_page(story: ForecastStory) -> str:
    """Return the HTML page of a forecast, which needs no other file.

    Raises
    ------
    MissingDependencyError
        If jinja2 or matplotlib is not installed.
    """
    jinja2 = import_extra("jinja2", "cli", "Writing the report")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = words.percent
    page: str = environment.get_template("forecast.html").render(
        story=story,
        version=__version__,
        pictures=_pictures(story),
        scores=_scores(story.backtest),
        coverage=_coverage(story.backtest),
        outlook=outlook(story),
        quality=quality(story),
        tiles=_tiles(story),
        table=_table(story),
        n_parameters=sum(row.parameters for row in story.layers),
        verdict=words.short_judgement(story.backtest) if story.backtest else "",
        good=story.backtest is not None and words.is_good(story.backtest),
        remarks=_remarks(story.backtest),
        held=words.stretch(story.frequency, story.held_out),
        origins=words.origins(story.backtest, story.frequency) if story.backtest else "",
        shown=MAX_PANELS,
        new_data=story.source if story.source.endswith((".csv", ".parquet")) else "newer.csv",
        snippet=_snippet(story),
    )
    # A number and its percent sign stay on one line.
    return page.replace(" %", "\u00a0%")


def _snippet(story: ForecastStory) -> str:
    lines = ["import throughtime as tt", ""]
    lines.append('model = tt.forecasting.Forecaster.load("model.safetensors")')
    lines.append(
        "forecast = model.predict()" if len(story.views) == 1 else "forecasts = model.predict()"
    )
    if len(story.views) > 1:
        lines.append(f"forecast = forecasts[{story.views[0].name!r}]")
    bounds = [
        f"forecast.{end}({c:g})"
        for c in sorted(story.views[0].forecast.intervals)[:1]
        for end in ("lower", "upper")
    ]
    times = [] if story.views[0].forecast.times is None else ["forecast.times"]
    lines.append(", ".join([*times, "forecast.mean", *bounds]))
    return "\n".join(lines)


def _pictures(story: ForecastStory) -> dict[str, str]:
    """Each picture in two sizes: for a wide and for a narrow screen."""
    pictures = {}
    for kind, size, loss_size in (("wide", WIDE, LOSS_WIDE), ("narrow", NARROW, LOSS_NARROW)):
        with forecast_figure(story.views, size=size) as figure:
            label = f"{story.title}. {figure.get_label()}"
            pictures[f"forecast_{kind}"] = to_svg(figure, LIGHT, f"forecast-{kind}", label)
        if story.curves:
            with loss_figure(story.curves, size=loss_size) as figure:
                pictures[f"loss_{kind}"] = to_svg(figure, LIGHT, f"loss-{kind}")
    return pictures


def _scores(backtest: BacktestReport | None) -> list[dict[str, Any]]:
    if backtest is None:
        return []
    by = words.judged_by(backtest)
    bars = [getattr(score, "rmsse" if by == "rmsse" else "mae") for score in backtest.scores]
    worst = max(bars)
    columns = {
        "mae": words.column([score.mae for score in backtest.scores]),
        "rmse": words.column([score.rmse for score in backtest.scores]),
        "smape": words.column([100.0 * score.smape for score in backtest.scores]),
        "mase": words.column([score.mase for score in backtest.scores]),
        "rmsse": words.column([score.rmsse for score in backtest.scores]),
        "pinball": words.column([score.pinball for score in backtest.scores]),
    }
    return [
        {
            "name": words.method_name(score.method),
            "explained": words.explained(score.method, backtest),
            "mine": score.method == "forecast",
            "bar": 100.0 * bars[row] / worst if worst > 0 else 0.0,
        }
        | {name: cells[row] for name, cells in columns.items()}
        for row, score in enumerate(backtest.scores)
    ]


def _remarks(backtest: BacktestReport | None) -> list[str]:
    if backtest is None:
        return []
    return [*backtest.verdict, *filter(None, [words.smoothing_remark(backtest, WAY_OUT)])]


def _coverage(backtest: BacktestReport | None) -> list[dict[str, Any]]:
    if backtest is None:
        return []
    held = sorted(backtest["forecast"].coverage.items())
    return [{"nominal": nominal, "measured": share} for nominal, share in held]


def _tiles(story: ForecastStory) -> list[dict[str, str]]:
    tiles = []
    if story.backtest is not None:
        backtest = story.backtest
        mine, name = words.error(backtest, "forecast"), words.error_name(backtest)
        tiles.append({"value": words.number(mine, 3), "label": f"{name} on the hold-out"})
        rivals = [(words.best_rival(backtest), words.beats_all(backtest))]
        if words.smoothing_is_better(backtest):
            rivals.append((words.ALONE, False))
        tiles.extend(
            {
                "value": _difference(mine, words.error(backtest, rival)),
                "label": f"error against {rival}",
                "tone": "good" if won or mine == 0 else "warn",
            }
            for rival, won in rivals
        )
        tiles.extend(
            {
                "value": words.percent(item["measured"]),
                "label": f"of values inside the {words.percent(item['nominal'])} interval",
            }
            for item in _coverage(story.backtest)[:1]
        )
    length = int(sum(np.isfinite(view.values).sum() for view in story.views))
    label = "values in the history" if story.tested_itself else "values learned from"
    tiles.append({"value": f"{length:,}", "label": label})
    return tiles


def _difference(mine: float, other: float) -> str:
    """How much larger or smaller one error is than another."""
    if mine == other:
        return "equal"
    if other == 0:
        return "worse"
    share = round(100 * (mine / other - 1))
    return f"{'−' if mine < other else '+'}{abs(share)} %"


def _table(story: ForecastStory) -> dict[str, Any]:
    """The forecast as text, at most :data:`MAX_ROWS` rows of it."""
    many = len(story.views) > 1
    coverages = sorted(story.views[0].forecast.intervals)
    rows: list[list[str]] = []
    for view in story.views:
        forecast = view.forecast
        decimals = decimals_of(view)
        columns = [forecast.mean]
        for coverage in coverages:
            columns.extend(forecast.intervals[coverage])
        for stamp, *values in zip(format_times(view.future), *columns, strict=True):
            if len(rows) < MAX_ROWS:
                cells = [words.fixed(value, decimals) for value in values]
                rows.append([*([view.name] if many else []), stamp, *cells])
    header = [*(["series"] if many else []), "time", "mean"]
    for coverage in coverages:
        header += [f"{words.percent(coverage)} from", "to"]
    total = sum(len(view.future) for view in story.views)
    return {"header": header, "rows": rows, "total": total, "text_columns": 2 if many else 1}
