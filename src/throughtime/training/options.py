"""The options of a run, checked as a whole before any work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime import losses
from throughtime.activations import ACTIVATIONS
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    check_bool,
    check_float,
    check_int,
    describe,
)
from throughtime.layers import Dense, Recurrent
from throughtime.losses.base import Loss
from throughtime.network import Network
from throughtime.optimizers import OPTIMIZERS
from throughtime.optimizers.base import Optimizer
from throughtime.training import metrics as metrics_module
from throughtime.training.metrics import Metric
from throughtime.training.truncation import check_chunks


@dataclass(frozen=True)
class Options:
    """How to train: what :func:`throughtime.train` describes, every value checked."""

    loss: Loss
    optimizer: Optimizer
    epochs: int
    batch_size: int | None
    clip_norm: float | None
    clip_value: float | None
    l1: float
    l2: float
    tbptt: tuple[int, int] | None
    metrics: tuple[Metric, ...]
    shuffle: bool
    bucket: bool
    keep_outputs: bool
    seed: int


def check_options(
    net: Network,
    *,
    loss: Any,
    optimizer: Any,
    epochs: Any,
    batch_size: Any,
    clip_norm: Any,
    clip_value: Any,
    l1: Any,
    l2: Any,
    tbptt: Any,
    metrics: Any,
    shuffle: Any,
    bucket: Any,
    keep_outputs: Any,
    seed: Any,
) -> Options:
    """Return the options as values of their types, or say which one is wrong."""
    if clip_norm is not None and clip_value is not None:
        raise InvalidArgumentError(
            "clip_norm and clip_value must not be given together; got"
            f" {clip_norm!r} and {clip_value!r}. clip_norm keeps the direction of the gradient."
        )
    return Options(
        loss=check_loss(loss, net),
        optimizer=OPTIMIZERS.get(optimizer),
        epochs=check_int("epochs", epochs, 1),
        batch_size=None if batch_size is None else check_int("batch_size", batch_size, 1),
        clip_norm=_check_clip("clip_norm", clip_norm),
        clip_value=_check_clip("clip_value", clip_value),
        l1=check_float("l1", l1, 0.0),
        l2=check_float("l2", l2, 0.0),
        tbptt=None if tbptt is None else _check_tbptt(tbptt, net),
        metrics=check_metrics(metrics),
        shuffle=check_bool("shuffle", shuffle),
        bucket=check_bool("bucket", bucket),
        keep_outputs=check_bool("keep_outputs", keep_outputs),
        seed=check_int("seed", seed, 0),
    )


def check_network(net: Any) -> Network:
    """Return ``net`` if it is a network whose weights are finite."""
    if not isinstance(net, Network):
        raise InvalidTypeError(f"net must be a Network; got {describe(net)}.")
    finite = np.isfinite(net.params.flat)
    if not finite.all():
        name, index = net.params.locate(int(np.argmin(finite)))
        raise DataError(
            f"net must have finite weights to start from; got {net.params[name][index]} in"
            f" {name!r} at index {index}. net.reset_parameters() draws new ones."
        )
    return net


def check_loss(spec: Any, net: Network) -> Loss:
    """Return the loss, unless the last activation gives outputs that it is not defined for."""
    loss = losses.get(spec)
    i = len(net.layers) - 1
    while i > 0 and not isinstance(net.layers[i], Dense | Recurrent):
        i -= 1  # a layer without an activation
    activation = getattr(net.layers[i], "activation", None)
    # A function of one's own is judged by what it gives.
    known = isinstance(activation, tuple(ACTIVATIONS[name] for name in ACTIVATIONS))
    if loss.domain is None or activation is None or not known:
        return loss
    # Not a sum of 1 by chance, as sigmoid(z) + sigmoid(-z) would be.
    z = np.zeros((61, 3 if net.n_outputs > 1 else 1))
    z[:, 0] = np.linspace(-30.0, 30.0, len(z))
    found = loss.outside_domain(activation(z))
    if found is not None:
        raise InvalidArgumentError(
            f"loss {loss.name!r} needs outputs {found[0]}; layer {i} ({net.layers[i].name}) has"
            f" activation={ACTIVATIONS.name_of(activation)!r}, which gives others. End the network"
            f" with Dense({net.n_outputs}, activation={loss.domain.activation!r})."
        )
    return loss


def _check_clip(name: str, value: Any) -> float | None:
    return None if value is None else check_float(name, value, 0.0, inclusive="neither")


def _check_tbptt(tbptt: Any, net: Network) -> tuple[int, int]:
    if not isinstance(tbptt, list | tuple) or len(tbptt) != 2:
        raise InvalidTypeError(
            "tbptt must be a pair (k1, k2): an update every k1 steps, back through k2;"
            f" got {describe(tbptt)}."
        )
    k1 = check_int("tbptt[0], k1,", tbptt[0], 1)
    # With less, the steps between two updates would have no gradient.
    k2 = check_int("tbptt[1], k2,", tbptt[1], k1, hint="It must not be less than k1.")
    check_chunks(net)
    return k1, k2


def check_metrics(specs: Any) -> tuple[Metric, ...]:
    """Return the metrics that a list of names, objects and functions means."""
    if isinstance(specs, str) or not isinstance(specs, (list, tuple)):
        raise InvalidTypeError(
            f"metrics must be a list of metrics; got {describe(specs)}. Put a single one into"
            " brackets."
        )
    found = tuple(metrics_module.get(spec) for spec in specs)
    names = [metric.name for metric in found]
    for name in names:
        if names.count(name) > 1 or name in ("loss", "penalty", "lr", "grad_norm", "seconds"):
            raise InvalidArgumentError(
                f"metrics must have names that differ, and differ from the other columns of the"
                f" history; got {name!r} twice."
            )
    return found
