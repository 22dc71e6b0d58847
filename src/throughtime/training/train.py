"""``throughtime.train``: checks everything, then lets the loop run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from throughtime.errors import InvalidArgumentError, check_bool, describe
from throughtime.optimizers.schedules import Plateau, Warmup
from throughtime.training.callbacks import Best, Callback, EarlyStopping, Run, check_callbacks
from throughtime.training.checkpoints import (
    Checkpoint,
    check_checkpoint,
    describe_option,
    digest,
)
from throughtime.training.history import History
from throughtime.training.loop import Loop
from throughtime.training.options import Options, check_network, check_options
from throughtime.training.progress import start_progress
from throughtime.training.samples import Samples, check_samples, split_validation

if TYPE_CHECKING:
    from throughtime.network import Network

#: Options that a resumed run may change: they do not touch what is computed.
FREE = ("epochs",)


def train(
    net: Network,
    x: Any,
    y: Any,
    *,
    loss: Any = "mse",
    optimizer: Any = "adam",
    epochs: int = 50,
    batch_size: int | None = 32,
    lengths: Any = None,
    mask: Any = None,
    sample_weight: Any = None,
    validation: Any = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    tbptt: tuple[int, int] | None = None,
    callbacks: Sequence[Callback | Callable[[Run], object]] = (),
    metrics: Sequence[Any] = (),
    shuffle: bool = True,
    bucket: bool = False,
    keep_outputs: bool = False,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    resume: bool = False,
    verbose: bool | None = None,
    seed: int = 0,
) -> History:
    """Train a network in place.

    Everything is checked before any work. The first Ctrl-C ends training after the current batch
    and puts the weights of the best finished epoch back (``history.stopped == "interrupted"``),
    which a line on standard error says; the second raises :class:`KeyboardInterrupt`.

    Parameters
    ----------
    net : Network
        Changed in place.
    x : array of shape (N, T, F), or list of arrays (T_i, F)
        The sequences.
    y : array-like, or list of arrays
        The targets, in the form that the loss takes: of the shape of the network's output, class
        numbers without the last axis, and with ragged ``x`` and an output at every step a list.
    loss : str, Loss or callable
    optimizer : str or Optimizer
        It is reset first: moments and counters start from zero.
    epochs : int
        Passes over the data; in a resumed run, counted from the start of the first one, and not
        fewer than it has finished.
    batch_size : int or None
        Sequences of an update; the last batch takes what is left. None takes all at once.
    lengths : array of int of shape (N,), optional
        Real steps of each row of a padded ``x``.
    mask : array of bool of shape (N, T), optional
        True at real steps; holes are allowed.
    sample_weight : array-like, optional
        How much each sequence (N,), or each step (N, T), counts; >= 0.
    validation : float, tuple or dict, optional
        A fraction in (0, 1) of the sequences, drawn at random from ``seed`` and not trained on, or
        a set of its own: ``(x, y)``, ``(x, y, lengths)``, or a dict ``{"x": x, "y": y}`` with
        ``"lengths"``, ``"mask"`` and ``"sample_weight"`` as far as there are any. It is scored
        after every epoch, without dropout.
    clip_norm : float, optional
        Scale a gradient down to this global norm if it is larger.
    clip_value : float, optional
        Cut every number of the gradient to [-clip_value, clip_value].
    l1, l2 : float
        Penalties ``l1 sum |W|`` and ``l2/2 sum W**2`` on weight matrices, not on biases.
    tbptt : (int, int), optional
        Truncated backpropagation ``(k1, k2)``: an update every ``k1`` steps, back through ``k2``.
    callbacks : sequence of Callback or function
        A function is called with the :class:`Run` at the end of every epoch.
    metrics : sequence
        Names or functions; every one makes a column of the history, and one for the validation
        set. They score the outputs that the training batches gave against their own targets.
    shuffle : bool
        Draw a new order of the sequences for every epoch.
    bucket : bool
        Put sequences of like length into one batch.
    keep_outputs : bool
        Keep the outputs for all of ``x`` after every epoch in ``history.outputs``. A checkpoint
        holds them all, so it grows, and takes longer to write, from epoch to epoch.
    checkpoint : str, path-like or Checkpoint, optional
        Save the run in this file, after every epoch if it is a path.
    resume : bool
        Go on from the checkpoint if the file is there; the result has the same bits as that of a
        run that was never stopped. Without a file, start anew.
    verbose : bool, optional
        True prints a table, a line for every epoch; False prints nothing; by default a progress
        bar moves on standard error if that is a terminal.
    seed : int
        Of the order of the batches, of dropout and of the validation subset.

    Returns
    -------
    History

    Raises
    ------
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit; the message says which, and what would.
    DivergedError
        If a loss, a gradient or a weight becomes infinite or NaN. The message says in which epoch,
        batch, layer and time step it began and what to try; the network holds finite weights,
        and ``error.history`` what happened until then.
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
    net = check_network(net)
    options = check_options(
        net,
        loss=loss,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch_size,
        clip_norm=clip_norm,
        clip_value=clip_value,
        l1=l1,
        l2=l2,
        tbptt=tbptt,
        metrics=metrics,
        shuffle=shuffle,
        bucket=bucket,
        keep_outputs=keep_outputs,
        seed=seed,
    )
    resume = check_bool("resume", resume)
    verbose = None if verbose is None else check_bool("verbose", verbose)
    called = check_callbacks(callbacks)
    saved = check_checkpoint(checkpoint, resume)
    scored = options.loss, options.metrics
    everything = check_samples(net, *scored, x, y, lengths, mask, sample_weight)
    data, held_out = split_validation(net, *scored, everything, validation, options.seed)
    columns = _columns(options, held_out is not None)
    best = _best(columns, called)
    loop = Loop(
        net,
        options,
        everything,
        data,
        held_out,
        called,
        best,
        _watched(columns, options),
        saved,
        {} if saved is None else _fingerprint(net, options, data, held_out, best),
    )
    if resume:
        loop.resume()
    return loop.run(start_progress(verbose, options.epochs, loop.state.epoch + 1))


def _columns(options: Options, validated: bool) -> dict[str, bool]:
    """The columns of the history that judge an epoch, and whether large values are good."""
    names = {"loss": False} | {metric.name: metric.greater_is_better for metric in options.metrics}
    if not validated:
        return names
    return names | {f"val_{name}": large for name, large in names.items()}


def _default(columns: dict[str, bool]) -> str:
    return "val_loss" if "val_loss" in columns else "loss"


def _check_monitor(monitor: Any, columns: dict[str, bool]) -> str:
    """The column to watch."""
    if monitor is None:
        return _default(columns)
    if not isinstance(monitor, str) or monitor not in columns:
        hint = ""
        if str(monitor).startswith("val_") and "val_loss" not in columns:
            hint = " Pass validation=0.2 or a validation set."
        known = ", ".join(map(repr, columns))
        raise InvalidArgumentError(
            f"monitor must be one of {known}; got {describe(monitor)}.{hint}"
        )
    return monitor


def _best(columns: dict[str, bool], callbacks: list[Callback]) -> Best:
    """The keeper of the best weights, its monitor checked."""
    rule = next((c for c in callbacks if isinstance(c, EarlyStopping)), None)
    if rule is not None:
        _check_monitor(rule.monitor, columns)
    return Best(rule, _default(columns), columns.__getitem__)


def _watched(columns: dict[str, bool], options: Options) -> str:
    """The column that a Plateau watches, its direction checked."""
    plateau = options.optimizer.lr
    while isinstance(plateau, Warmup):
        plateau = plateau.schedule
    if not isinstance(plateau, Plateau):
        return _default(columns)
    watched = _check_monitor(plateau.monitor, columns)
    if plateau.greater_is_better is not columns[watched]:
        size = "large" if columns[watched] else "small"
        hint = " Name the score: monitor='val_accuracy'." if plateau.monitor is None else ""
        raise InvalidArgumentError(
            f"greater_is_better must be {columns[watched]} for a Plateau that watches {watched!r},"
            f" of which {size} values are good; got {plateau.greater_is_better}.{hint}"
        )
    return watched


def _fingerprint(
    net: Network, options: Options, data: Samples, held_out: Samples | None, best: Best
) -> dict[str, Any]:
    """What has to be the same for a run to go on from a checkpoint."""
    parts = [data] if held_out is None else [data, held_out]
    arrays = [a for part in parts for a in (part.x, part.y, part.mask, part.weight)]
    result = {
        "network": describe_option([*net.layers, net.n_features, str(net.dtype)]),
        "data": digest(arrays),
        "monitor": [best.monitor, best.sign, best.rule.min_delta],
    }
    described = describe_option(options)
    return result | {k: v for k, v in described.items() if k not in ("class", *FREE)}
