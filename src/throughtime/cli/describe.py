"""A network and a forecaster in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from throughtime.report import LayerRow, words

if TYPE_CHECKING:
    from throughtime.forecasting import Forecaster
    from throughtime.network import Network
    from throughtime.report import ForecastStory

#: Settings of a forecaster in the order in which people want to read them, and their words.
SETTINGS = {
    "horizon": "horizon",
    "cell": "cell",
    "hidden_size": "hidden units",
    "num_layers": "recurrent layers",
    "members": "networks averaged",
    "window": "window",
    "season": "season",
    "transform": "transform",
    "epochs": "epochs, at most",
    "batch_size": "batch size",
    "lr": "learning rate",
    "coverages": "intervals",
    "future_covariates": "covariates of the future",
    "seed": "seed",
}
#: Settings that the forecaster may choose by itself, and where it keeps its choice.
CHOSEN = {"window": "window_", "season": "season_", "transform": "transform_"}


def layer_rows(net: Network) -> tuple[LayerRow, ...]:
    """One row a layer: its name, the form of its output, its number of parameters."""
    rows = []
    for i, (layer, form) in enumerate(zip(net.layers, net.forms, strict=True)):
        count = sum(
            math.prod(array.shape) for name, array in net.params.items() if name.startswith(f"{i}.")
        )
        shape = f"{form.features}" if form.kind == "vector" else f"steps x {form.features}"
        rows.append(LayerRow(type(layer).__name__, shape, count))
    return tuple(rows)


def settings_of(model: Forecaster) -> dict[str, str]:
    """The settings of a forecaster and what it chose, name to value, in words."""
    settings = {}
    for name, label in SETTINGS.items():
        value = getattr(model, CHOSEN.get(name, name), None)
        if name == "future_covariates":
            continue
        settings[label] = _in_words(name, value)
    settings["weight of the network"] = words.percent(model.weight_)
    return settings


def one_line(story: ForecastStory) -> str:
    """The model of a story in one sentence."""
    settings = story.settings
    count = sum(row.parameters for row in story.layers)
    networks = words.plural(int(settings["networks averaged"]), "network")
    cell = settings["cell"].upper()
    return (
        f"{networks} of {words.plural(int(settings['recurrent layers']), f'{cell} layer')}"
        f" with {settings['hidden units']} units, {count:,} parameters each; reads"
        f" {settings['window']} steps, season {settings['season']}"
    )


def _in_words(name: str, value: Any) -> str:
    if name == "coverages":
        return ", ".join(words.percent(share) for share in value)
    if isinstance(value, (list, tuple)):
        return ", ".join(f"{item:g}" for item in value) or "none"
    if value is None:
        return "chosen by itself" if name == "epochs" else "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
