"""``throughtime.evaluate``: the loss and the metrics of a network on data, as in training."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.data.batches import minibatches
from throughtime.errors import check_bool, check_int
from throughtime.kernels.underflow import ignore_underflow
from throughtime.registry import translate
from throughtime.training import objective
from throughtime.training.carrying import Carried
from throughtime.training.class_weights import class_weighting
from throughtime.training.combinations import (
    check_given,
    check_side_by_side,
    check_without_data,
    marked,
)
from throughtime.training.heads import Heads
from throughtime.training.mapped import Mapped, check_data
from throughtime.training.memory import heads_of
from throughtime.training.objective import Evaluation
from throughtime.training.options import (
    OTHER_NAMES,
    Default,
    check_network,
    check_outputs,
)
from throughtime.training.samples import Samples
from throughtime.training.scores import Scores
from throughtime.training.sources import Source
from throughtime.training.truncation import check_continuing

if TYPE_CHECKING:
    from throughtime.network import Network

#: Sequences in a batch where ``batch_size`` is left out.
EVALUATED = Default(256)


@translate(OTHER_NAMES)
@ignore_underflow
def evaluate(
    net: Network,
    x: Any = None,
    y: Any = None,
    *,
    batches: Any = None,
    loss: Any = None,
    loss_weights: Any = None,
    metrics: Any = None,
    lengths: Any = None,
    mask: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    initial_state: Any = None,
    carry_state: bool = False,
    reset: Any = None,
    batch_size: int | None = EVALUATED,
    prefetch: int = 2,
) -> dict[str, float]:
    """Compute the loss and the metrics of a network on data.

    Parameters
    ----------
    net, x, y, lengths, mask, sample_weight :
        As in :func:`throughtime.train`; dropout does not act.
    batches : iterable or callable, optional
        In place of ``x`` and ``y``, batches that come from elsewhere.
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
    initial_state, carry_state, reset, prefetch :
        As in :func:`throughtime.train`.
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
    arguments = locals()
    net = check_network(net)
    carry_state = check_bool("carry_state", carry_state)
    if batches is not None:
        check_without_data(arguments, EVALUATED)
    else:
        check_given("evaluate", x, y)
    heads = heads_of(net, loss, loss_weights, metrics)
    check_outputs(net, heads)
    size = None if batch_size is None else check_int("batch_size", batch_size, 1)
    prefetch = check_int("prefetch", prefetch, 0)
    weights = class_weighting(class_weight, net, heads)
    data: Samples | Mapped | Source
    if batches is not None:
        if carry_state:
            check_continuing(net, "carry_state", "False")
        data = Source(net, heads, batches, "batches", prefetch, marks=carry_state)
    else:
        own = None if carry_state else initial_state
        found = check_data(net, heads, x, y, lengths, mask, sample_weight, own)
        data = marked(net, found, carry_state, size, initial_state, reset)
        check_side_by_side(batch_size, EVALUATED, carry_state)
        if weights is not None:
            weights.learn(data.blocks)
    carried = Carried(net, initial_state) if carry_state else None
    return score(net, data.weighted(weights), heads, size, carried).row()


def score(
    net: Network,
    data: Samples | Mapped | Source,
    heads: Heads,
    batch_size: int | None,
    carried: Carried | None = None,
    on_batch: Callable[[Evaluation, Samples], None] | None = None,
    epoch: int | None = None,
) -> Scores:
    """Return the scores of checked data, without dropout.

    ``on_batch`` is called with every batch before its scores are added. ``epoch`` is the number
    that a source is asked for; None where nothing is trained.
    """
    scores = Scores(net, heads, data)
    with closing(_batches(data, batch_size, epoch)) as batches:
        for rows, part in batches:
            own = part if carried is None else carried.give([part])[0]
            evaluation = objective.evaluate(
                net, own.x, own.y, heads, mask=own.mask, initial_state=own.states,
                sample_weight=own.weight,
            )  # fmt: skip
            if carried is not None:
                carried.take([evaluation.final_state])
            if on_batch is not None:
                on_batch(evaluation, own)
            scores.add(rows, evaluation, own)
    if isinstance(data, Source):
        scores.check_counted(data.name)
    return scores


def _batches(
    data: Samples | Mapped | Source, batch_size: int | None, epoch: int | None
) -> Generator[tuple[np.ndarray | None, Samples], None, None]:
    """The batches of data in their order, each with the numbers of its sequences."""
    if isinstance(data, Source):
        with closing(data.epoch(epoch)) as parts:
            for part in parts:
                yield None, part.batch(slice(None))
        return
    for rows in minibatches(len(data), batch_size, shuffle=False):
        yield rows, data.batch(rows)
