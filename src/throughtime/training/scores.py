"""The scores of one pass over the data: the exact mean of the loss, metrics of all outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import DataError, sentence
from throughtime.network.signals import each
from throughtime.training.heads import Heads
from throughtime.training.metrics.running import Running
from throughtime.training.objective import Evaluation
from throughtime.training.samples import Samples

if TYPE_CHECKING:
    from throughtime.network import Network
    from throughtime.training.parts import Found


class Scores:
    """Collects the losses of the batches of one pass, and what their metrics need.

    Of data in memory the outputs are stored in the order of the data, so a metric compares every
    output with its own target, whatever the order of the batches. Of data that come in batches,
    metrics are computed as they come: see :class:`Running`.

    Parameters
    ----------
    net : Network
    heads : tuple of Head
    samples : Samples, optional
        All data of the pass, if they are in memory.
    metrics : bool
        Whether there are metrics; otherwise losses only.
    """

    def __init__(
        self, net: Network, heads: Heads, samples: Any = None, *, metrics: bool = True
    ) -> None:
        self.heads = heads
        self.totals = [0.0] * len(heads)
        self.weights = [0.0] * len(heads)
        self.samples: Samples | None = None
        self.outputs: dict[int, np.ndarray] = {}
        self.running: dict[int, list[Running]] = {}
        if not metrics or not any(head.metrics for head in heads):
            return
        if not isinstance(samples, Samples):
            self.running = {
                k: [Running(metric) for metric in head.metrics] for k, head in enumerate(heads)
            }
            return
        self.samples = samples
        shapes = net.topology.output_shapes(samples.shapes)
        self.outputs = {
            k: np.zeros(shape, net.dtype)
            for k, (head, shape) in enumerate(zip(heads, shapes, strict=True))
            if head.metrics
        }

    def add(self, rows: np.ndarray | None, evaluation: Evaluation | Found, part: Samples) -> None:
        """Add a batch, or a part of its time steps.

        Parameters
        ----------
        rows : ndarray of int
            The numbers of its sequences; None if they have none.
        evaluation : Evaluation or Found
            Its losses, their weights in the mean, and its outputs.
        part : Samples
            The batch.
        """
        for k, (value, weight) in enumerate(evaluation.terms):
            summed = self.heads[k].loss.reduction == "sum"
            self.totals[k] += value if summed else value * weight
            self.weights[k] += weight
        if not (self.outputs or self.running):
            return
        found, start = each(evaluation.y), evaluation.begin
        for k, scores in self.running.items():
            head, own, y = self.heads[k], part.targets[k], found[k]
            if y.ndim == 3 and own.aligned and y.shape[1] < own.y.shape[1]:
                own = own.steps(start, start + y.shape[1])
            answers = head.loss.answers(y, own.mask)
            for score in scores:
                score.add(answers, own.y, own.mask, own.weight)
        for k, kept in self.outputs.items():
            y = found[k]
            if y.ndim == 3:
                kept[rows, start : start + y.shape[1]] = y
            else:
                kept[rows] = y

    @property
    def weight(self) -> float:
        """Sum of the weights so far; zero if there is nothing to learn from."""
        return sum(self.weights)

    def check_counted(self, name: str) -> None:
        """Refuse batches of the argument ``name`` in which no step counted, for some output.

        Raises
        ------
        DataError
        """
        for head, weight in zip(self.heads, self.weights, strict=True):
            if not weight:
                expected, got = "something to learn from", "zero for every step of the epoch"
                raise head.blame(DataError(sentence(name, expected, got, must="leave")))

    def loss_of(self, k: int) -> float:
        """The loss of output ``k``, of all batches so far; 0 without an unmasked step."""
        value, weight = self.totals[k], self.weights[k]
        return value if self.heads[k].loss.reduction == "sum" or not weight else value / weight

    @property
    def loss(self) -> float:
        """The loss of all outputs together."""
        value = 0.0
        for k, head in enumerate(self.heads):
            value += head.weight * self.loss_of(k)
        return value

    def row(self, prefix: str = "") -> dict[str, float]:
        """The losses and the metrics, ready for the history."""
        result = {f"{prefix}loss": self.loss}
        if len(self.heads) > 1:
            for k, head in enumerate(self.heads):
                result[f"{prefix}{head.prefix}loss"] = self.loss_of(k)
        for k, scores in self.running.items():
            for score in scores:
                result[f"{prefix}{self.heads[k].prefix}{score.metric.name}"] = score.value()
        for k, outputs in self.outputs.items():
            assert self.samples is not None
            # A loss may need more outputs than targets: a variance, several quantiles.
            head, own = self.heads[k], self.samples.targets[k]
            answers = head.loss.answers(outputs, own.mask)
            for metric in head.metrics:
                value = metric(answers, own.y, own.mask, own.weight)
                result[f"{prefix}{head.prefix}{metric.name}"] = float(value)
        return result
