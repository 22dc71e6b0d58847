"""A network and a forecaster in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from throughtime.forecasting.choosing import USUAL
from throughtime.forecasting.delivery import NETWORK, SMOOTHING
from throughtime.forecasting.settings import EPOCHS
from throughtime.report import LayerRow, words

if TYPE_CHECKING:
    from throughtime.forecasting import Forecaster
    from throughtime.network import Network
    from throughtime.report import ForecastStory


def layer_rows(net: Network) -> tuple[LayerRow, ...]:
    """One row for each layer: its name, the shape of its output, its number of parameters."""
    rows = []
    for i, (layer, form) in enumerate(zip(net.layers, net.topology.forms, strict=True)):
        own = net.params.owned(net.topology.owners[i])
        count = sum(array.size for array in own.values())
        shape = f"{form.features}" if form.kind == "vector" else f"steps x {form.features}"
        rows.append(LayerRow(layer.kind, shape, count))
    return tuple(rows)


def settings_of(model: Forecaster) -> dict[str, str]:
    """The settings of a forecaster and what it chose, in words, by name."""
    return {
        "horizon": words.plural(model.horizon, "step"),
        "cell": model.cell.upper(),
        "recurrent layers": str(model.num_layers),
        "hidden units": str(model.hidden_size),
        "networks averaged": str(len(model.networks_)),
        "window": words.plural(model.window_, "step"),
        "season": "none" if model.season_ is None else f"{words.number(model.season_)} steps",
        "transform": {"log": "logarithm"}.get(model.transform_, model.transform_),
        "weight of the network": words.percent(model.weight_),
        "base networks": _base(model),
        "use": "smoothing" if model.network == "never" else model.use,
        "delivered": _delivered(model),
        "epochs, at most": str(model.epochs or EPOCHS),
        "batch size": str(model.batch_size),
        "learning rate": f"{model.lr:g}",
        "intervals": ", ".join(words.percent(share) for share in model.coverages),
        "seed": str(model.seed),
    }


def _base(model: Forecaster) -> str:
    """Which base networks are used, and how far."""
    shares = model.shares_
    if not shares:
        return "none"
    if not any(shares.values()):
        return f"{model.base_model}, not used"
    if model.weight_ == 1.0:
        return f"{model.base_model}, replaced by the network"
    mean = words.percent(sum(shares.values()) / len(shares))
    return f"{model.base_model}, {mean} of their correction{' on average' * (len(shares) > 1)}"


def _delivered(model: Forecaster) -> str:
    """What makes the forecasts, with the number of series where there are several methods."""

    def usual(name: Any) -> str:
        return NETWORK if model.fitted.corrects(name) else SMOOTHING

    methods = [usual(n) if c.method == USUAL else c.method for n, c in model.choices_.items()]
    counted = Counter(methods or [usual(None)]).most_common()
    if len(counted) == 1:
        return counted[0][0]
    return ", ".join(f"{method} for {count} series" for method, count in counted)


def one_line(story: ForecastStory) -> str:
    """The model of a story in one sentence."""
    settings = story.settings
    networks = words.plural(int(settings["networks averaged"]), "network")
    layers = words.plural(int(settings["recurrent layers"]), f"{settings['cell']} layer")
    count = sum(row.parameters for row in story.layers)
    each = "" if settings["networks averaged"] == "1" else " each"
    base = settings["base networks"]
    delivered = ""
    if settings["delivered"] not in (NETWORK, SMOOTHING):
        delivered = f"; delivered: {settings['delivered']}"
    own = (
        f"{networks} of {layers} with {settings['hidden units']} units, {count:,} parameters{each},"
        f" reading {settings['window']}"
        if story.network_weight > 0.0
        else "no network of these data is used"
    )
    return f"{own}; base networks: {base}; season: {settings['season']}{delivered}"
