"""The loss and the metrics that a network was trained with.

``net.trained_with`` holds their descriptions, and so does the network's file. A user-defined
function has no description; of it only the name is kept, and the caller has to give it again.
"""

from __future__ import annotations

import json
from typing import Any

from throughtime import losses
from throughtime.errors import Argument, InvalidArgumentError, Message, ModelFileError, describe
from throughtime.losses import LOSSES, Loss
from throughtime.network import Network
from throughtime.registry import Registry
from throughtime.training.metrics import METRICS, Metric
from throughtime.training.options import TrainingOptions, check_metrics


def remember(net: Network, options: TrainingOptions) -> None:
    """Let the network remember the loss and the metrics of a training run."""
    net.trained_with = {
        "loss": _described(LOSSES, options.loss),
        "metrics": [_described(METRICS, metric) for metric in options.metrics],
    }


def loss_of(net: Network, spec: Any) -> Loss:
    """Return the loss that ``spec`` means; for None that of the last training, or ``"mse"``."""
    if spec is None and net.trained_with:
        spec = _recalled(LOSSES, net.trained_with.get("loss"), "loss")
    return losses.get("mse" if spec is None else spec)


def metrics_of(net: Network, specs: Any) -> tuple[Metric, ...]:
    """Return the metrics that ``specs`` mean; for None those of the last training."""
    if specs is not None:
        return check_metrics(specs)
    known = net.trained_with.get("metrics", [])
    if not isinstance(known, list):
        raise ModelFileError(f"the file holds no metrics; got {describe(known)}.")
    return tuple(_recalled(METRICS, description, "metrics") for description in known)


def _described(registry: Registry[Any], value: Any) -> dict[str, Any]:
    try:
        # As it will be after a file was read: no tuples, and nothing that JSON does not know.
        described: dict[str, Any] = json.loads(json.dumps(registry.to_config(value)))
    except (TypeError, ValueError):
        described = {"own": value.name}
    return described


def _recalled(registry: Registry[Any], description: Any, argument: str) -> Any:
    own = description.get("own") if isinstance(description, dict) else None
    if own is not None:
        raise InvalidArgumentError(
            Message(
                "{argument} must be given: the network was trained with {own!r}, a {kind} of your"
                " own, of which it remembers only the name.",
                parameter=argument,
                argument=Argument(argument),
                own=own,
                kind=registry.kind,
            )
        )
    return registry.from_config(description)
