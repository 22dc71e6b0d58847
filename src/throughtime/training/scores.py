"""The scores of one pass over the data: the exact mean of the loss, metrics of all outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from throughtime.network.signals import each
from throughtime.training.heads import Heads
from throughtime.training.objective import Evaluation
from throughtime.training.samples import Samples

if TYPE_CHECKING:
    from throughtime.network import Network


class Scores:
    """Collects the losses of the batches of one pass, and the outputs that have metrics.

    The outputs are stored in the order of the data, so a metric compares every output with its own
    target, whatever the order of the batches.
    """

    def __init__(
        self, net: Network, samples: Samples, heads: Heads, *, metrics: bool = True
    ) -> None:
        self.samples = samples
        self.heads = heads
        self.totals = [0.0] * len(heads)
        self.weights = [0.0] * len(heads)
        self.outputs: dict[int, np.ndarray] = {}
        if metrics and any(head.metrics for head in heads):
            shapes = net.topology.output_shapes([a.shape for a in each(samples.x)])
            self.outputs = {
                k: np.zeros(shape, net.dtype)
                for k, (head, shape) in enumerate(zip(heads, shapes, strict=True))
                if head.metrics
            }

    def add(self, rows: np.ndarray, evaluation: Evaluation) -> None:
        """Add a batch, or a part of its time steps.

        Parameters
        ----------
        rows : ndarray of int
            The numbers of its sequences.
        evaluation : Evaluation
            Its losses, their weights in the mean, and its outputs.
        """
        for k, (value, weight) in enumerate(evaluation.terms):
            summed = self.heads[k].loss.reduction == "sum"
            self.totals[k] += value if summed else value * weight
            self.weights[k] += weight
        if not self.outputs:
            return
        found, start = each(evaluation.y), evaluation.begin
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
        for k, outputs in self.outputs.items():
            # A loss may need more outputs than targets: a variance, several quantiles.
            head, own = self.heads[k], self.samples.targets[k]
            answers = head.loss.answers(outputs, own.mask)
            for metric in head.metrics:
                value = metric(answers, own.y, own.mask, own.weight)
                result[f"{prefix}{head.prefix}{metric.name}"] = float(value)
        return result
