"""The scores of one pass over the data: the exact mean of the loss, metrics of all outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from throughtime.losses.base import Loss
from throughtime.training.metrics import Metric
from throughtime.training.objective import Evaluation
from throughtime.training.samples import Samples

if TYPE_CHECKING:
    from throughtime.network import Network


class Scores:
    """Collects the loss of the batches of one pass, and their outputs if there are metrics.

    The outputs are stored in the order of the data, so a metric compares every output with its own
    target, whatever the order of the batches.
    """

    def __init__(
        self, net: Network, samples: Samples, loss: Loss, metrics: Sequence[Metric]
    ) -> None:
        self.samples = samples
        self.metrics = metrics
        self.loss_function = loss
        self.summed = loss.reduction == "sum"
        self.total = 0.0
        self.weight = 0.0
        self.outputs: np.ndarray | None = None
        if metrics:
            self.outputs = np.zeros(net.topology.output_shape(samples.x.shape), net.dtype)

    def add(self, rows: np.ndarray, evaluation: Evaluation) -> None:
        """Add a batch, or a part of its time steps.

        Parameters
        ----------
        rows : ndarray of int
            The numbers of its sequences.
        evaluation : Evaluation
            Its loss, the weight of the loss in the mean, and its outputs.
        """
        value, weight = evaluation.data_loss, evaluation.weight
        self.total += value if self.summed else value * weight
        self.weight += weight
        if self.outputs is not None:
            y, start = evaluation.y, evaluation.begin
            if y.ndim == 3:
                self.outputs[rows, start : start + y.shape[1]] = y
            else:
                self.outputs[rows] = y

    @property
    def loss(self) -> float:
        """The loss of all batches so far, as if they were one batch."""
        return self.total if self.summed else self.total / self.weight

    def row(self, prefix: str = "") -> dict[str, float]:
        """The loss and the metrics, ready for the history."""
        result = {f"{prefix}loss": self.loss}
        if self.outputs is not None:
            # A loss may need more outputs than targets: a variance, several quantiles.
            samples, mask = self.samples, self.samples.output_mask
            answers = self.loss_function.answers(self.outputs, mask)
            for metric in self.metrics:
                value = metric(answers, samples.y, mask, samples.weight)
                result[f"{prefix}{metric.name}"] = float(value)
        return result
