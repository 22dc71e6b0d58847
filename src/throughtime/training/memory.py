"""The losses and the metrics that a network was trained with.

``net.trained_with`` holds their descriptions, and so does the network's file. A user-defined
function has no description; of it only the name is kept, and the caller has to give it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from throughtime.errors import Argument, InvalidArgumentError, Message, ModelFileError, describe
from throughtime.losses import LOSSES
from throughtime.network import Network
from throughtime.registry import Registry
from throughtime.training.heads import Heads, check_heads
from throughtime.training.metrics import METRICS, Metric


def remember(net: Network, heads: Heads) -> None:
    """Let the network remember the losses and the metrics of a training run."""
    losses = [_described(LOSSES, head.loss) for head in heads]
    metrics = [[_described(METRICS, metric) for metric in head.metrics] for head in heads]
    if len(heads) == 1:
        net.trained_with = {"loss": losses[0], "metrics": metrics[0]}
        return
    names = [head.name for head in heads]
    net.trained_with = {
        "loss": dict(zip(names, losses, strict=True)),
        "loss_weights": {head.name: head.weight for head in heads},
        "metrics": dict(zip(names, metrics, strict=True)),
    }


def heads_of(
    net: Network, loss: Any = None, loss_weights: Any = None, metrics: Any = None
) -> Heads:
    """Return what :func:`throughtime.training.heads.check_heads` does; None as in training.

    A loss of None is that of the last training, or ``"mse"``. Metrics of None are those of the last
    training. Weights of None are those of the last training, if its loss is meant, otherwise 1.
    """
    known = net.trained_with
    if loss is None and loss_weights is None:
        loss_weights = known.get("loss_weights")
    if loss is None and known:
        loss = _each(net, known.get("loss"), lambda one: _recalled(LOSSES, one, "loss"))
    if metrics is None and known:
        metrics = _each(net, known.get("metrics", []), _recalled_metrics)
    return check_heads(
        net, "mse" if loss is None else loss, loss_weights, () if metrics is None else metrics
    )


def _each(net: Network, known: Any, recall: Callable[[Any], Any]) -> Any:
    """What a file says of the only output, or a dict of what it says of each."""
    names = net.plan.outputs.names
    if len(names) == 1:
        return recall(known)
    if not isinstance(known, dict) or known.keys() != {*names}:
        raise ModelFileError(
            f"the file does not say of each output how it was trained; got {describe(known)}."
        )
    return {name: recall(known[name]) for name in names}


def _recalled_metrics(known: Any) -> list[Metric]:
    if not isinstance(known, list):
        raise ModelFileError(f"the file holds no metrics; got {describe(known)}.")
    return [_recalled(METRICS, description, "metrics") for description in known]


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
