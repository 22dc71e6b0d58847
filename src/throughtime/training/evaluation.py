"""``throughtime.evaluate``: the loss and the metrics of a network on data, as in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from throughtime.data.batches import minibatches
from throughtime.errors import check_int
from throughtime.kernels.underflow import ignore_underflow
from throughtime.registry import translate
from throughtime.training import objective
from throughtime.training.class_weights import class_weighting
from throughtime.training.heads import Heads
from throughtime.training.memory import heads_of
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
    loss_weights: Any = None,
    metrics: Any = None,
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
    loss : str, Loss or callable, or a dict or list of them by output, optional
        The loss. By default the one that the network was trained with, also after it was loaded
        from a file; ``"mse"`` for a network that was not trained.
    loss_weights : dict or list of float by output, optional
        Factors on the losses of several outputs. By default those of the training, if ``loss`` is
        left out; otherwise 1.
    metrics : sequence, or a dict or list of sequences by output, optional
        The metrics. By default those that the network was trained with.
    class_weight : dict of int to float, or "balanced", optional
        As in :func:`throughtime.train`; ``"balanced"`` goes by the classes of this data.
    batch_size : int or None
        Number of sequences to run at once, which bounds the memory. The loss is the mean over all
        sequences, as if they were one batch.

    Returns
    -------
    dict
        ``"loss"`` and the name of every metric, each with its value. Of several outputs, the loss
        of all together, and with the name of the output before it everything of each:
        ``"price_loss"``, ``"price_mae"``.

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
    heads = heads_of(net, loss, loss_weights, metrics)
    check_outputs(net, heads)
    size = None if batch_size is None else check_int("batch_size", batch_size, 1)
    samples = check_samples(net, heads, x, y, lengths, mask, sample_weight)
    weighted = class_weighting(class_weight, net, heads, samples)
    return score(net, weighted(samples), heads, size).row()


def score(
    net: Network,
    samples: Samples,
    heads: Heads,
    batch_size: int | None,
    on_batch: Callable[[Evaluation, Samples], None] | None = None,
) -> Scores:
    """Return the scores of checked data, without dropout.

    ``on_batch`` is called with every batch before its scores are added.
    """
    scores = Scores(net, samples, heads)
    for rows in minibatches(len(samples), batch_size, shuffle=False):
        part = samples.batch(rows)
        evaluation = objective.evaluate(
            net, part.x, part.y, heads, mask=part.mask, sample_weight=part.weight
        )
        if on_batch is not None:
            on_batch(evaluation, part)
        scores.add(rows, evaluation)
    return scores
