"""``throughtime.train``: check everything, then run the loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from throughtime.errors import check_bool, check_int
from throughtime.parallel import Workers
from throughtime.registry import translate
from throughtime.training.callbacks import Callback, Run, check_callbacks
from throughtime.training.carrying import Carried
from throughtime.training.checkpoints import Checkpoint, check_checkpoint
from throughtime.training.class_weights import class_weighting
from throughtime.training.combinations import (
    check_combinations,
    check_given,
    check_side_by_side,
    check_validation,
    check_without_data,
    marked,
)
from throughtime.training.fingerprint import fingerprint
from throughtime.training.history import History
from throughtime.training.loop import Loop
from throughtime.training.mapped import Mapped, check_data
from throughtime.training.memory import remember
from throughtime.training.monitor import BestWeights, Columns, column_for_schedule
from throughtime.training.options import (
    BATCH_SIZE,
    OTHER_NAMES,
    TrainingOptions,
    check_network,
    check_options,
)
from throughtime.training.progress import check_verbose, start_progress
from throughtime.training.renewal import check_renewal
from throughtime.training.samples import Samples
from throughtime.training.sharding import Kept, Sharding
from throughtime.training.sources import Source
from throughtime.training.step import TrainStep
from throughtime.training.supply import FromData, FromSource
from throughtime.training.validation import separate_validation, split_validation

if TYPE_CHECKING:
    from throughtime.network import Network


@translate(OTHER_NAMES)
def train(
    net: Network,
    x: Any = None,
    y: Any = None,
    *,
    batches: Any = None,
    loss: Any = "mse",
    loss_weights: Any = None,
    optimizer: Any = "adam",
    epochs: int = 50,
    batch_size: int | None = BATCH_SIZE,
    lengths: Any = None,
    mask: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    initial_state: Any = None,
    carry_state: bool = False,
    reset: Any = None,
    validation: Any = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    tbptt: tuple[int, int] | None = None,
    renew: Callable[[int], Any] | None = None,
    callbacks: Sequence[Callback | Callable[[Run], object]] = (),
    metrics: Any = (),
    shuffle: bool | None = None,
    bucket: bool = False,
    keep_outputs: bool = False,
    shards: int | None = None,
    accumulate: int = 1,
    executor: Any = None,
    prefetch: int = 2,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    resume: bool = False,
    verbose: bool | None = None,
    seed: int = 0,
) -> History:
    """Train a network in place.

    Everything is checked before any work. The first Ctrl-C ends training after the current batch
    and restores the weights of the best finished epoch (``history.stopped == "interrupted"``); a
    line on standard error says so. The second Ctrl-C raises :class:`KeyboardInterrupt`.

    Parameters
    ----------
    net : Network
        The network, whose parameters change. It remembers the loss and the metrics.
    x : array of shape (N, T, F), or list of arrays (T_i, F)
        The sequences. Of a network with several inputs, a dict by their names, or a list of them.
        An array that lies in a memory-mapped file is read batch by batch and never copied whole.
    y : array-like, or list of arrays
        The targets, in the form that the loss takes: of the shape of the network's output, or class
        numbers without the last axis; a list where ``x`` is ragged and the network has an output
        at every step. Masked steps and steps of weight zero may hold anything, for example NaN or
        -100. Of a network with several outputs, a dict by their names, or a list of them.
    batches : iterable or callable, optional
        In place of ``x`` and ``y``: batches that come from elsewhere, and need not fit into memory.
        Whatever can be run through once an epoch and gives ``(x, y)``, ``(x, y, weight)`` or dicts
        with ``x``, ``y``, ``lengths``, ``mask``, ``weight``: a list, a class with ``__iter__``,
        :func:`throughtime.data.from_npy`, a ``DataLoader`` of PyTorch, or a function that makes an
        iterator. Each batch makes an update. If the source has ``set_epoch``, or the function takes
        an argument, it is told the number of the epoch, from 1.
    loss : str, Loss or callable, or a dict or list of them by output
        The loss. Of several outputs the weighted sum is minimised; a single one is that of each.
    loss_weights : dict or list of float by output, optional
        Factors on the losses of several outputs; 1 where none is given.
    optimizer : str or Optimizer
        The optimiser. It is reset first: moments and counters start from zero.
    epochs : int
        Number of passes over the data. A resumed run counts from the start of the first run; the
        number must not be less than the epochs it has finished.
    batch_size : int or None
        Number of sequences in an update; the last batch takes the rest. None takes all at once.
    lengths : array of int of shape (N,), optional
        Number of steps of each row of a padded ``x``; of several inputs, a dict.
    mask : array of bool of shape (N, T), optional
        True at the steps that count; holes are allowed. Of several inputs, a dict.
    sample_weight : array-like, optional
        Weight of each sequence (N,), or of each step (N, T); >= 0. One is that of every output; a
        dict has those of each.
    initial_state : list or dict, optional
        The states that the sequences begin with, as in :meth:`Network.forward`; with
        ``carry_state``, those of the first batch of an epoch, but not of the validation set, which
        begins with zero. In a batch that is a dict, ``"initial_state"``.
    carry_state : bool
        Whether the rows of a batch continue those of the batch before: they begin with the states
        that those ended with. Keras calls it stateful. The order is that of the data, and
        ``batch_size``, which must be given, the number of series that go on side by side; gradients
        end at the start of a batch, and states at the start of an epoch. The validation set is run
        in the same way.
    reset : array of bool of shape (N,), optional
        With ``carry_state``: True for the sequences that begin anew, from a state of zero. In a
        batch that is a dict, ``"reset"``, where one True or False is that of all rows. Networks
        whose sequences begin with another state, a learned one for example, take none.
    class_weight : dict of int to float, or "balanced", optional
        Weight of each class, 1 where it is not given, for targets that are classes. It multiplies
        the sample weights, in training and in validation. With ``"balanced"`` all classes that
        occur in the training data weigh the same together. Of several outputs, a dict of them.
    validation : float, tuple, dict or batches, optional
        Data to score after every epoch, without dropout. A fraction in (0, 1): so many of the
        sequences, drawn at random from ``seed``, are not trained on. Or a separate set: ``(x, y)``,
        ``(x, y, lengths)``, or a dict ``{"x": x, "y": y}``, with ``"lengths"``, ``"mask"`` and
        ``"sample_weight"`` where needed. Or batches, as ``batches`` takes them.
    clip_norm : float, optional
        Largest norm of the gradient of all parameters together; a larger gradient is scaled down.
    clip_value : float, optional
        Largest size of each number of the gradient; larger ones are cut to it.
    l1, l2 : float
        Penalties ``l1 sum |W|`` and ``l2/2 sum W**2`` on weight matrices, not on biases.
    tbptt : (int, int), optional
        Truncated backpropagation ``(k1, k2)``: an update every ``k1`` steps, back through ``k2``.
        All inputs that are sequences must have the same steps.
    renew : callable, optional
        The data of later epochs. From the second epoch on it is called with the number of the
        epoch, and returns the sequences of that epoch in a form that ``validation`` takes; ``x``
        and ``y`` are those of the first. So windows can be drawn anew, or read from a file, while
        memory holds one epoch. What it returns should depend on the number alone: then a resumed
        run has the bits of one that was never stopped.
    callbacks : sequence of Callback or function
        Callbacks. A function is called with the :class:`Run` at the end of every epoch.
    metrics : sequence, or a dict or list of sequences by output
        Metrics: names, objects or functions. Each one makes a column of the history, and one more
        for the validation set. They score the outputs that the training batches gave. A single
        sequence is that of every output.
    shuffle : bool, optional
        Whether to draw a new order of the sequences for every epoch; True by default, but not with
        ``carry_state``.
    bucket : bool
        Whether to put sequences of similar length into one batch.
    keep_outputs : bool
        Whether to keep the outputs for all of ``x`` after every epoch in ``history.outputs``. A
        checkpoint holds them all, so it grows, and takes longer to write, from epoch to epoch.
    shards : int, optional
        The number of parts that a batch is cut into. Each has a gradient of its own, and they are
        summed in a fixed order, so the trained bits depend on ``shards`` and not on who computes.
        A smaller last batch has parts of the same size; of a source, if it has ``batch_size``.
    accumulate : int
        The number of batches whose gradients are summed for one update:
        ``accumulate=4, batch_size=32`` has the bits of ``batch_size=128, shards=4``, in the memory
        of a batch of 32 where batches come from a source.
    executor : executor or callable, optional
        Who computes the shards: an object with the interface of
        :class:`concurrent.futures.Executor` (processes, loky, ``client.get_executor()`` of Dask,
        ``MPIPoolExecutor``), or a function that makes one. Where it breaks because a worker died,
        the function is called again; without one, this process computes the rest, with a warning.
        The trained bits are those of no executor.
    prefetch : int
        How many batches of a source are read ahead, in a thread; 0 reads them in this one, which a
        source needs that uses the network itself.
    checkpoint : str, path-like or Checkpoint, optional
        File in which to save the run; with a path, after every epoch.
    resume : bool
        Whether to continue from the checkpoint if the file exists; without a file the run starts
        anew. The result has the same bits as that of a run that was never stopped.
    verbose : bool, optional
        True prints a table with a line for every epoch; False prints nothing. By default a
        progress bar is drawn on a terminal or in a notebook.
    seed : int
        Seed for the order of batches, for dropout and for the validation subset.

    Returns
    -------
    History

    Raises
    ------
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit; the message says which, and what would.
    DivergedError
        If a loss, a gradient or a weight becomes infinite or NaN. The message says in which epoch,
        batch, layer and time step it began and what to try. The network then holds finite weights,
        and ``error.history`` the epochs before.
    ModelFileError
        If the checkpoint is damaged or belongs to a run on other data or with other options.

    Examples
    --------
    >>> import numpy as np
    >>> import throughtime as tt
    >>> x = np.random.default_rng(0).normal(size=(64, 10, 1))
    >>> y = np.cumsum(x, axis=1)
    >>> layers = [tt.layers.GRU(8, return_sequences=True), tt.layers.Dense(1)]
    >>> net = tt.Network(layers, n_features=1)
    >>> history = tt.train(net, x, y, epochs=20, batch_size=8, optimizer=tt.optimizers.Adam(0.02))
    >>> history["loss"][-1] < 0.2 * history["loss"][0]
    True
    """
    # By name, so that an option is spelled twice in all: above, and in TrainingOptions.
    arguments = locals()
    net = check_network(net)
    arguments["carry_state"] = carry_state = check_bool("carry_state", carry_state)
    if batches is not None:
        check_without_data(arguments)
    else:
        check_given("train", x, y)
    arguments["shuffle"] = batches is None and not carry_state if shuffle is None else shuffle
    options = check_options(net, arguments, TrainingOptions)
    check_combinations(net, options, executor)
    prefetch = check_int("prefetch", prefetch, 0)
    resume = check_bool("resume", resume)
    verbose = check_verbose(verbose)
    called = check_callbacks(callbacks)
    saved = check_checkpoint(checkpoint, resume)
    heads = options.heads
    weights = class_weighting(class_weight, net, heads)
    everything: Samples | Mapped | None = None
    supply: FromData | FromSource
    if batches is not None:
        held_out = separate_validation(net, heads, validation, prefetch, options.carry_state)
        check_validation(options, held_out, arguments)
        source = Source(net, heads, batches, "batches", prefetch, options.carry_state)
        source = source.weighted(weights)
        supply = FromSource(source, options)
    else:
        own = None if options.carry_state else initial_state
        everything = check_data(net, heads, x, y, lengths, mask, sample_weight, own)
        held_out = separate_validation(net, heads, validation, prefetch, options.carry_state)
        check_validation(options, held_out, arguments)
        data = everything = marked(
            net, everything, options.carry_state, options.batch_size, initial_state, reset
        )
        check_side_by_side(batch_size, BATCH_SIZE, carry_state)
        if held_out is None and validation is not None:
            data, held_out = split_validation(heads, net, data, validation, options.seed)
        if weights is not None:
            weights.learn(data.blocks)
        later = check_renewal(renew, net, options, validation, weights)
        supply = FromData(data.weighted(weights), options, later)
    if held_out is not None:
        held_out = held_out.weighted(weights)
    columns = Columns(heads, held_out is not None)
    best = BestWeights(columns, called)
    kept = Kept.of(net, heads, None if renew is not None else supply.data)
    with Workers(executor, kept) as workers:
        elsewhere = None
        if executor is not None:
            scored = any(head.metrics for head in heads)
            elsewhere = Sharding(workers, outputs=scored, ends=options.carry_state)
        carried = Carried(net, initial_state) if options.carry_state else None
        loop = Loop(
            net,
            options,
            everything,
            supply,
            held_out,
            called,
            best,
            column_for_schedule(columns, options.optimizer),
            saved,
            {}
            if saved is None
            else fingerprint(
                net, options, supply, held_out, best, renew, carried and carried.initial
            ),
            TrainStep.of(net, options, elsewhere),
            carried,
        )
        if resume:
            loop.resume()
        remember(net, heads)
        return loop.run(start_progress(verbose, options.epochs, loop.state.epoch + 1))
