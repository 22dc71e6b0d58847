"""What a program reads of a forecast: what was read, what was chosen, how good it was."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime import __version__
from throughtime.report import words

if TYPE_CHECKING:
    from throughtime.data.tables.files import Table
    from throughtime.forecasting import BacktestReport
    from throughtime.forecasting.results import Fold
    from throughtime.report import ForecastStory


def metrics_of(story: ForecastStory, table: Table) -> dict[str, Any]:
    """Everything that the screen tells, ready for JSON."""
    return {
        "throughtime": __version__,
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "command": story.command,
        "data": _data(table, story),
        "model": {**story.settings, "notes": list(story.notes)},
        "backtest": None if story.backtest is None else _backtest(story.backtest),
        "warning": story.warning or None,
    }


def _data(table: Table, story: ForecastStory) -> dict[str, Any]:
    step = table.frequency
    return {
        "source": story.source,
        "rows": table.rows,
        "target": list(table.targets),
        "time": list(table.time_columns),
        "id": table.id_column,
        "covariates": list(table.covariates),
        "series": [one.name for one in table.series],
        "left_out": dict(table.left_out),
        "frequency": None if step is None else step.alias or step.name,
        "missing_values": table.missing,
        "missing_times": table.gaps,
        "read_as": dict(table.options),
        "findings": list(story.findings),
    }


def _backtest(report: BacktestReport) -> dict[str, Any]:
    steps = range(report.horizon)
    series = dict.fromkeys(fold.series for fold in report.folds)
    return report.to_dict() | {
        "good": words.is_good(report),
        "refitted": report.refitted,
        "by_step": {
            "step": [step + 1 for step in steps],
            "mae": [_mae(report.folds, step) for step in steps],
        },
        "by_origin": {
            "steps_known": list(report.origins),
            "mae": [
                _mae([fold for fold in report.folds if report.shift(fold) == known])
                for known in report.origins
            ],
        },
        "by_series": {
            str(name): _mae([fold for fold in report.folds if fold.series == name])
            for name in series
            if name is not None
        },
    }


def _mae(folds: Sequence[Fold], step: int | None = None) -> float | None:
    """The mean absolute error of some forecasts, or of one step of them; None without a value."""
    errors = [
        np.abs(fold.forecast.mean - fold.actual)[slice(None) if step is None else [step]]
        for fold in folds
    ]
    known = np.concatenate(errors)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else None


def to_json(metrics: Mapping[str, Any]) -> str:
    """One JSON object in lines; a number that is not finite is null."""
    return json.dumps(_finite(metrics), indent=2, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def write_json(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write :func:`to_json` to ``path``."""
    path.write_text(to_json(metrics), encoding="utf-8")
