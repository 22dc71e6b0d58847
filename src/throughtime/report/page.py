"""From a finished forecast to its page: what the template shows is prepared here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime import __version__
from throughtime.errors import import_extra
from throughtime.plotting import (
    LIGHT,
    MAX_PANELS,
    NARROW,
    WIDE,
    ForecastView,
    forecast_figure,
    loss_figure,
    to_svg,
)
from throughtime.report import words

if TYPE_CHECKING:
    from throughtime.forecasting import BacktestReport

MAX_ROWS = 400
LOSS_WIDE = (WIDE[0], 3.1)
LOSS_NARROW = (NARROW[0], 3.2)


@dataclasses.dataclass(frozen=True)
class LayerRow:
    """One line of the table of layers."""

    name: str
    shape: str
    parameters: int


@dataclasses.dataclass(frozen=True)
class ForecastStory:
    """Everything that the page of a forecast tells.

    Attributes
    ----------
    target : str
        What was forecast.
    source : str
        Where the data came from.
    frequency : str or None
        As pandas writes it.
    views : tuple of ForecastView
        One a series, with history and forecast.
    backtest : BacktestReport or None
        None where the data were too short to hold anything out.
    findings : tuple of str
        Sentences on what was found in the data.
    notes : tuple of str
        Sentences on what was chosen, and what the reader should know.
    layers : tuple of LayerRow
        The layers of one network.
    settings : mapping of str to str
        The forecaster's settings, in words.
    curves : mapping
        Losses by network, as :func:`throughtime.plotting.loss_figure` takes them.
    command : str
        The command that made the page.
    warning : str
        A sentence that stands above everything else, or nothing.
    """

    target: str
    source: str
    frequency: str | None
    views: tuple[ForecastView, ...]
    backtest: BacktestReport | None
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    layers: tuple[LayerRow, ...] = ()
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    curves: Mapping[str, tuple[Sequence[float], Sequence[float] | None]] = dataclasses.field(
        default_factory=dict
    )
    command: str = ""
    warning: str = ""

    @property
    def horizon(self) -> int:
        """Steps of the forecast."""
        return len(self.views[0].future)

    @property
    def title(self) -> str:
        """The headline of the page and of the picture."""
        ahead = words.periods(self.frequency, self.horizon)
        many = f" of {len(self.views):,} series" if len(self.views) > 1 else ""
        return f"{self.target}{many}: the next {ahead}"


def forecast_page(story: ForecastStory) -> str:
    """The HTML page of a forecast, complete in itself.

    Raises
    ------
    MissingDependencyError
        If jinja2 or matplotlib is not installed.
    """
    jinja2 = import_extra("jinja2", "cli", "writing the report")
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
        outlook=_outlook(story),
        quality=_quality(story),
        tiles=_tiles(story),
        table=_table(story),
        n_parameters=sum(row.parameters for row in story.layers),
        verdict=words.short_judgement(story.backtest) if story.backtest else "",
        good=story.backtest is not None and words.beats_all(story.backtest),
        held=words.periods(story.frequency, story.backtest.horizon) if story.backtest else "",
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
    lines.append(", ".join(["forecast.mean", *bounds]))
    return "\n".join(lines)


def _pictures(story: ForecastStory) -> dict[str, str]:
    """Each picture twice: for a page, and for a telephone."""
    pictures = {}
    label = f"History and forecast of {story.title}"
    for kind, size, loss_size in (("wide", WIDE, LOSS_WIDE), ("narrow", NARROW, LOSS_NARROW)):
        with forecast_figure(story.views, size=size) as figure:
            pictures[f"forecast_{kind}"] = to_svg(figure, LIGHT, f"forecast-{kind}", label)
        if story.curves:
            with loss_figure(story.curves, size=loss_size) as figure:
                pictures[f"loss_{kind}"] = to_svg(
                    figure, LIGHT, f"loss-{kind}", "Loss after every epoch of training"
                )
    return pictures


def _scores(backtest: BacktestReport | None) -> list[dict[str, Any]]:
    if backtest is None:
        return []
    worst = max(score.mae for score in backtest.scores)
    columns = {
        "mae": words.column([score.mae for score in backtest.scores]),
        "rmse": words.column([score.rmse for score in backtest.scores]),
        "smape": words.column([100.0 * score.smape for score in backtest.scores]),
        "mase": words.column([score.mase for score in backtest.scores]),
    }
    return [
        {
            "name": words.method_name(score.method),
            "explained": words.EXPLAINED.get(score.method, ""),
            "mine": score.method == "forecast",
            "bar": 100.0 * score.mae / worst if worst > 0 else 0.0,
        }
        | {name: cells[row] for name, cells in columns.items()}
        for row, score in enumerate(backtest.scores)
    ]


def _coverage(backtest: BacktestReport | None) -> list[dict[str, Any]]:
    if backtest is None:
        return []
    held = sorted(backtest["forecast"].coverage.items())
    return [{"nominal": nominal, "measured": share} for nominal, share in held]


def _outlook(story: ForecastStory) -> str:
    """Where the forecast goes, in one sentence; for several series, how many there are."""
    view = story.views[0]
    forecast = view.forecast
    if len(story.views) > 1:
        return (
            f"One network forecasts {len(story.views):,} series,"
            f" {words.periods(story.frequency, story.horizon)} each."
        )
    seen = np.flatnonzero(np.isfinite(view.values))
    last = view.values[seen[-1]]
    spread = float(np.nanstd(view.values[view.first_shown() :]))
    decimals = words.decimals_for(forecast.mean, spread / 10)
    start = words.stamps(view.time[seen[-1:]])[0]
    end = words.stamps(view.future)[-1]
    change = forecast.mean[-1] - last
    verb = "rise" if change > 0.02 * spread else "fall" if change < -0.02 * spread else "stay near"
    way = "at" if verb == "stay near" else "to"
    sentence = f"{story.target} was {last:,.{decimals}f} on {start} and is forecast to {verb}"
    sentence += f" {way} {forecast.mean[-1]:,.{decimals}f} by {end}"
    if forecast.intervals:
        widest = max(forecast.intervals)
        low, high = (bound[-1] for bound in forecast.intervals[widest])
        sentence += (
            f" ({words.percent(widest)} interval {low:,.{decimals}f} to {high:,.{decimals}f})"
        )
    return sentence.replace("stay near at", "stay near") + "."


def _quality(story: ForecastStory) -> str:
    """How good the forecast was on the hold-out, in plain words."""
    backtest = story.backtest
    if backtest is None:
        return (
            "The data were too short to hold a part out, so nothing says how good this forecast is."
        )
    rival = words.best_rival(backtest)
    mine, its = backtest["forecast"].mae, backtest[rival].mae
    better = words.improvement(backtest)
    held = words.periods(story.frequency, backtest.horizon)
    judged = (
        f"Its mean error is {100 * better:.0f} % smaller than that of the best naive method"
        if better > 0
        else "Its mean error is not smaller than that of the best naive method"
    )
    explained = words.EXPLAINED[rival].rstrip(".")
    explained = explained[0].lower() + explained[1:]
    return (
        f"On the last {held}, which it had not seen, the same model was off by"
        f" {words.number(mine, 3)} on average. {judged}, {rival} ({explained}), with"
        f" {words.number(its, 3)}."
    )


def _tiles(story: ForecastStory) -> list[dict[str, str]]:
    tiles = []
    if story.backtest is not None:
        score = story.backtest["forecast"]
        better = words.improvement(story.backtest)
        tiles.append({"value": words.number(score.mae, 3), "label": "mean error on the hold-out"})
        tiles.append(
            {
                "value": f"{'−' if better > 0 else '+'}{abs(round(100 * better)):.0f} %"
                if np.isfinite(better)
                else "worse",
                "label": f"error against {words.best_rival(story.backtest)}",
                "tone": "good" if words.beats_all(story.backtest) else "warn",
            }
        )
        tiles.extend(
            {
                "value": words.percent(item["measured"]),
                "label": f"of values inside the {words.percent(item['nominal'])} interval",
            }
            for item in _coverage(story.backtest)[:1]
        )
    length = int(sum(np.isfinite(view.values).sum() for view in story.views))
    tiles.append({"value": f"{length:,}", "label": "values learned from"})
    return tiles


def _table(story: ForecastStory) -> dict[str, Any]:
    """The forecast as text, at most :data:`MAX_ROWS` rows of it."""
    many = len(story.views) > 1
    coverages = sorted(story.views[0].forecast.intervals)
    rows: list[list[str]] = []
    for view in story.views:
        forecast = view.forecast
        spread = (
            float(np.median(np.diff(forecast.intervals[coverages[0]], axis=0))) / 2
            if coverages
            else float(np.std(forecast.mean)) / 10
        )
        decimals = words.decimals_for(forecast.mean, spread)
        columns = [forecast.mean]
        for coverage in coverages:
            columns.extend(forecast.intervals[coverage])
        for stamp, *values in zip(words.stamps(view.future), *columns, strict=True):
            if len(rows) < MAX_ROWS:
                cells = [f"{value:,.{decimals}f}" for value in values]
                rows.append([*([view.name] if many else []), stamp, *cells])
    header = [*(["series"] if many else []), "time", "mean"]
    for coverage in coverages:
        header += [f"{words.percent(coverage)} from", "to"]
    total = sum(len(view.future) for view in story.views)
    return {"header": header, "rows": rows, "total": total, "text_columns": 2 if many else 1}
