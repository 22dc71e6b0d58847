"""Heads: what each output of a network is trained for, and judged by.

The objective of a network with several outputs is

    loss = sum over outputs k of c_k L_k

with a weight c_k and a loss L_k for each. Every L_k that is a mean has its own steps and weights,
so one output may be masked where another one is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from throughtime import losses
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ThroughtimeError,
    check_float,
    describe,
    sentence,
)
from throughtime.losses import Loss
from throughtime.network.containers import Container
from throughtime.training import metrics as metrics_module
from throughtime.training.history import TRAILING
from throughtime.training.metrics import Metric

if TYPE_CHECKING:
    from throughtime.network import Network


class Head(NamedTuple):
    """What one output is trained for, and judged by.

    Attributes
    ----------
    name : str
        The name of the output; empty where there is one only.
    loss : Loss
    metrics : tuple of Metric
    weight : float
        Factor on the loss.
    """

    name: str
    loss: Loss
    metrics: tuple[Metric, ...] = ()
    weight: float = 1.0

    @property
    def prefix(self) -> str:
        """What the columns of the history begin with that are of this output."""
        return f"{self.name}_" if self.name else ""

    def blame(self, error: ThroughtimeError) -> ThroughtimeError:
        """The error, said of this output."""
        return error.within(f"output {self.name!r}") if self.name else error


Heads = tuple[Head, ...]


def check_heads(net: Network, loss: Any, loss_weights: Any = None, metrics: Any = ()) -> Heads:
    """Return what each output is trained for.

    Parameters
    ----------
    net : Network
    loss : str, Loss or callable, or a dict or list of them by output
        One alone is that of every output.
    loss_weights : dict or list of float, optional
        Factors on the losses of several outputs; 1 where none is given.
    metrics : list, or a dict or list of lists by output
        One list is that of every output; an output that a dict lacks has none.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If an argument does not fit.
    """
    box = net.plan.outputs
    several = len(box.names) > 1
    chosen = _losses(box, loss)
    weights = check_loss_weights(box, loss_weights)
    scores = _metrics(box, metrics)
    names = box.names if several else ("",)
    return check_columns(tuple(map(Head, names, chosen, scores, weights)))


def heads_for(net: Network, loss: Any) -> Heads:
    """``loss`` as heads: what :func:`check_heads` returned, or the loss of every output."""
    if isinstance(loss, tuple):
        return loss
    if isinstance(loss, Loss) and len(net.topology.ends) == 1:
        return (Head("", loss),)
    return check_heads(net, loss)


def _losses(box: Container, loss: Any) -> tuple[Loss, ...]:
    if not (isinstance(loss, Mapping) or (len(box.names) > 1 and isinstance(loss, list | tuple))):
        return (losses.get(loss),) * len(box.names)
    found = []
    for name, one in zip(box.names, box.spread("loss", loss), strict=True):
        try:
            found.append(losses.get(one))
        except ThroughtimeError as error:
            raise error.within(f"output {name!r}", "loss") from None
    return tuple(found)


def check_loss_weights(box: Container, weights: Any) -> tuple[float, ...]:
    """Return the factor on the loss of each output."""
    if weights is None:
        return (1.0,) * len(box.names)
    if len(box.names) == 1:
        raise InvalidArgumentError(
            sentence("loss_weights", "None for a network with one output", describe(weights))
        )
    each = box.spread("loss_weights", weights, part=True)
    found = tuple(
        1.0 if one is None else check_float(f"loss_weights[{name!r}]", one, 0.0)
        for name, one in zip(box.names, each, strict=True)
    )
    if not any(found):
        raise InvalidArgumentError(
            sentence("loss_weights", "a number above zero", describe(weights), must="hold")
        )
    return found


def _metrics(box: Container, metrics: Any) -> tuple[tuple[Metric, ...], ...]:
    several = len(box.names) > 1
    by_output = isinstance(metrics, Mapping)
    if several and isinstance(metrics, list | tuple) and metrics:
        by_output = all(isinstance(one, list | tuple) for one in metrics)
    if not by_output:
        return (check_metrics(metrics),) * len(box.names)
    each = box.spread("metrics", metrics, part=True)
    return tuple(
        () if one is None else check_metrics(one, f"metrics[{name!r}]")
        for name, one in zip(box.names, each, strict=True)
    )


def check_metrics(specs: Any, argument: str = "metrics") -> tuple[Metric, ...]:
    """Return the metrics that a list of names, objects and functions means."""
    if isinstance(specs, str) or not isinstance(specs, (list, tuple)):
        hint = "Put a single one into brackets."
        raise InvalidTypeError(sentence(argument, "a list of metrics", describe(specs), hint))
    found = tuple(metrics_module.get(spec) for spec in specs)
    names = [metric.name for metric in found]
    for name in names:
        if names.count(name) > 1 or name in ("loss", *TRAILING):
            expected = "names that differ, and differ from the other columns of the history"
            raise InvalidArgumentError(
                sentence(argument, expected, f"{name!r} twice", must="have", value=specs)
            )
    return found


def check_columns(heads: Heads) -> Heads:
    """Refuse names of outputs that make two columns of the history the same."""
    if len(heads) == 1:
        return heads
    own = ["loss", *(name for head in heads for name in columns_of(head))]
    every = [*own, *(f"val_{name}" for name in own), *TRAILING]
    double = next((name for name in every if every.count(name) > 1), None)
    if double is not None:
        raise InvalidArgumentError(
            f"the names of the outputs make two columns {double!r} of the history. Give an output"
            " another name."
        )
    return heads


def columns_of(head: Head) -> list[str]:
    """The columns of the history that one of several outputs has."""
    return [f"{head.prefix}{name}" for name in ("loss", *(m.name for m in head.metrics))]
