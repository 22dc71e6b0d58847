"""``throughtime.evaluate``: the loss and the metrics of a network on data, as in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from throughtime.data.batches import minibatches
from throughtime.errors import check_int
from throughtime.kernels.underflow import ignore_underflow
from throughtime.losses.base import Loss
from throughtime.registry import translate
from throughtime.training import objective
from throughtime.training.class_weights import class_weighting
from throughtime.training.memory import loss_of, metrics_of
from throughtime.training.metrics import Metric
from throughtime.training.objective import Evaluation
from throughtime.training.options import OTHER_NAMES, check_network, check_outputs
from throughtime.training.samples import Samples, check_samples
from throughtime.training.scores import Scores

if TYPE_CHECKING:
    from throughtime.network import Network


@translate(OTHER_NAMES)
@ignore_underflow
def evaluate(
    net: Network,
    x: Any,
    y: Any,
    *,
    loss: Any = None,
    metrics: Sequence[Any] | None = None,
    lengths: Any = None,
    mask: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    batch_size: int | None = 256,
) -> dict[str, float]:
    """Compute the loss and the metrics of a network on data.

    Parameters
    ----------
    net, x, y, lengths, mask, sample_weight :
        As in :func:`throughtime.train`; dropout does not act.
    loss : str, Loss or callable, optional
        The loss. By default the one that the network was trained with, also after it was loaded
        from a file; ``"mse"`` for a network that was not trained.
    metrics : sequence, optional
        The metrics. By default those that the network was trained with.
    class_weight : dict of int to float, or "balanced", optional
        As in :func:`throughtime.train`; ``"balanced"`` goes by the classes of this data.
    batch_size : int or None
        Number of sequences to run at once, which bounds the memory. The loss is the mean over all
        sequences, as if they were one batch.

    Returns
    -------
    dict
        ``"loss"`` and the name of every metric, each with its value.

    Raises
    ------
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit; the message says which, and what would.

    Examples
    --------
    >>> import numpy as np
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.GRU(4), tt.layers.Dense(1)], n_features=2)
    >>> x = [np.ones((3, 2)), np.ones((7, 2))]
    >>> sorted(tt.evaluate(net, x, np.zeros((2, 1)), metrics=["mae"]))
    ['loss', 'mae']
    """
    net = check_network(net)
    function, chosen = loss_of(net, loss), metrics_of(net, metrics)
    check_outputs(net, function)
    size = None if batch_size is None else check_int("batch_size", batch_size, 1)
    samples = check_samples(net, function, chosen, x, y, lengths, mask, sample_weight)
    weighted = class_weighting(class_weight, function, samples, net.n_outputs)
    return score(net, weighted(samples), function, chosen, size).row()


def score(
    net: Network,
    samples: Samples,
    loss: Loss,
    metrics: Sequence[Metric],
    batch_size: int | None,
    on_batch: Callable[[Evaluation, Samples], None] | None = None,
) -> Scores:
    """Return the scores of checked data, without dropout.

    ``on_batch`` is called with every batch before its scores are added.
    """
    scores = Scores(net, samples, loss, metrics)
    for rows in minibatches(len(samples), batch_size, shuffle=False):
        part = samples.batch(rows)
        evaluation = objective.evaluate(
            net, part.x, part.y, loss, mask=part.mask, sample_weight=part.weight
        )
        if on_batch is not None:
            on_batch(evaluation, part)
        scores.add(rows, evaluation)
    return scores
