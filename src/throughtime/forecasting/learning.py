"""Training the networks that correct the anchor.

First with early stopping on the validation block; then, where data are few, once more for as many
epochs on all data. The validation block judges the first networks, the second ones forecast.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime import losses
from throughtime.errors import DivergedError
from throughtime.forecasting.inputs import Block
from throughtime.forecasting.results import Progress
from throughtime.forecasting.smoothing import importance
from throughtime.layers import GRU, LSTM, RNN, Dense, Layer
from throughtime.network import Network
from throughtime.optimizers import Adam
from throughtime.optimizers.schedules import Cosine
from throughtime.training import History, train
from throughtime.training.callbacks import Callback, Run

#: Told about every epoch: its number, its loss and its loss on the validation block.
Notify = Callable[[int, float, float | None], None]
CELLS: dict[str, Callable[..., Layer]] = {"gru": GRU, "lstm": LSTM, "rnn": RNN}
#: Quadratic for usual corrections, linear for outliers.
LOSS = "huber"
CLIP = 1.0


@dataclass(frozen=True)
class Lesson:
    """What a network is taught and examined on.

    Attributes
    ----------
    train, validation : Block
    allowed : ndarray of bool of shape (N, H)
        Which targets of ``train`` may be learned from: those before the validation block.
    later : ndarray of bool of shape (M,)
        Which windows of ``validation`` are of its later half.
    """

    train: Block
    allowed: np.ndarray
    validation: Block
    later: np.ndarray


@dataclass(frozen=True)
class Recipe:
    """How to train; the names are those of the forecaster's parameters."""

    cell: str
    hidden_size: int
    num_layers: int
    epochs: int
    batch_size: int
    lr: float
    patience: int


def build(recipe: Recipe, n_features: int, seed: int) -> Network:
    """A network whose correction is zero until it has learned something."""
    cell = CELLS[recipe.cell]
    layers: list[Layer] = [
        cell(recipe.hidden_size, return_sequences=True) for _ in range(recipe.num_layers)
    ]
    return Network([*layers, Dense(1, initializer="zeros")], n_features=n_features, seed=seed)


def correction(networks: Sequence[Network], block: Block) -> np.ndarray:
    """Mean correction of the networks, in units of each window's scale: (N, H), float64."""
    horizon = block.target.shape[1]
    total = np.zeros(block.target.shape)
    for net in networks:
        total += net.predict(block.x, batch_size=256)[:, -horizon:, 0]
    return total / max(len(networks), 1)


@dataclass(frozen=True)
class Taught:
    """A trained network.

    Attributes
    ----------
    network : Network
    epochs : int
        After how many epochs it had the weights that it has.
    judged : ndarray of shape (M, H)
        Corrections on the validation block to judge it by: those of each half are of the epoch that
        was best on the other half, as the best epoch of all looks better there than it is.
    interrupted : bool
        Whether Ctrl-C, or a callback that says so, ended the training.
    """

    network: Network
    epochs: int
    judged: np.ndarray
    interrupted: bool = False


def teach(
    recipe: Recipe, lesson: Lesson, seed: int, callbacks: Sequence[Any], notify: Notify
) -> Taught:
    """Train one network; it ends with the weights of its best epoch on the validation block."""
    net = build(recipe, lesson.train.x.shape[2], seed)
    keeper = Keeper(lesson.validation, lesson.later, recipe.patience, notify)
    try:
        history = _train(
            net, lesson.train, lesson.allowed, recipe, recipe.epochs, [keeper, *callbacks], seed
        )
    except DivergedError:
        # Finite weights of an earlier epoch are at hand, and the validation block judges them.
        keeper.put_back(net)
        return Taught(net, keeper.epoch, keeper.judged)
    return Taught(net, keeper.epoch, keeper.judged, history.stopped == "interrupted")


def reteach(
    recipe: Recipe,
    lesson: Lesson,
    taught: Taught,
    seed: int,
    callbacks: Sequence[Any],
    notify: Notify,
) -> Taught:
    """Train again for as long as was good, from the same start, on the validation block too."""

    def tell(run: Run) -> None:
        notify(run.epoch, run.history.last()["loss"], None)

    everything = Block.join([lesson.train, lesson.validation])
    net = build(recipe, everything.x.shape[2], seed)
    try:
        history = _train(
            net, everything, everything.known, recipe, taught.epochs, [tell, *callbacks], seed
        )
    except DivergedError:
        return taught
    if history.stopped == "interrupted":
        return dataclasses.replace(taught, interrupted=True)
    return dataclasses.replace(taught, network=net)


def _train(
    net: Network,
    block: Block,
    allowed: np.ndarray,
    recipe: Recipe,
    epochs: int,
    callbacks: Sequence[Any],
    seed: int,
) -> History:
    """Train ``net`` on the targets of ``block`` that are ``allowed``."""
    (count, steps), horizon = block.x.shape[:2], block.target.shape[1]
    target = np.zeros((count, steps, 1), dtype=np.float32)
    target[:, -horizon:, 0] = block.target
    weight = np.zeros((count, steps))
    weight[:, -horizon:] = allowed * importance(horizon)
    return train(
        net,
        block.x,
        target,
        loss=LOSS,
        # The schedule is that of the whole recipe, also for a run that is shorter.
        optimizer=Adam(Cosine(recipe.lr, length=recipe.epochs, min_lr=0.01 * recipe.lr)),
        epochs=epochs,
        batch_size=recipe.batch_size,
        sample_weight=weight,
        clip_norm=CLIP,
        callbacks=callbacks,
        verbose=False,
        seed=seed,
    )


class Keeper(Callback):
    """Keeps the best weights on the validation block, and ends training when nothing improves.

    The untrained network, whose correction is zero, is the first to beat.
    """

    def __init__(self, block: Block, later: np.ndarray, patience: int, notify: Notify) -> None:
        self.block = block
        self.halves = (~later, later)
        self.patience = patience
        self.notify = notify
        self.loss = losses.get(LOSS)
        self.best = np.inf
        self.epoch = 0
        self.weights: np.ndarray | None = None
        self.best_of_halves = [np.inf, np.inf]
        self.judged = np.zeros(block.target.shape)

    def on_train_begin(self, run: Run) -> None:
        """Score the zero correction."""
        self._consider(run.net, 0)

    def on_epoch_end(self, run: Run) -> None:
        """Score the epoch, keep it if it is the best, stop if that was long ago."""
        value = self._consider(run.net, run.epoch)
        self.notify(run.epoch, run.history.last()["loss"], value)
        if run.epoch - self.epoch >= self.patience:
            run.stop("early stopping")

    def on_train_end(self, run: Run) -> None:
        """Put the best weights back, whatever ended the training."""
        self.put_back(run.net)

    def put_back(self, net: Network) -> None:
        """Give ``net`` the best weights."""
        if self.weights is not None:
            net.params.flat[...] = self.weights

    def _consider(self, net: Network, epoch: int) -> float:
        guess = correction([net], self.block)
        value = self._error(guess, slice(None))
        # A tie, as on a constant series, is no progress.
        if value < self.best * (1.0 - 1e-4):
            self.best, self.epoch, self.weights = value, epoch, net.params.flat.copy()
        for i, half in enumerate(self.halves):
            part = self._error(guess, half)
            if part < self.best_of_halves[i] * (1.0 - 1e-4):
                self.best_of_halves[i] = part
                self.judged[self.halves[1 - i]] = guess[self.halves[1 - i]]
        return value

    def _error(self, guess: np.ndarray, rows: Any) -> float:
        """The loss of the corrections ``guess (M, H)`` on some windows of the block."""
        weight = self.block.known[rows] * importance(guess.shape[1])
        target = self.block.target[rows]
        return float(self.loss(guess[rows][..., None], target[..., None], weights=weight)[0])


def announce(progress: Callable[[Progress], None] | None, stage: str, total: int) -> Notify:
    """A function of epoch, loss and validation loss that tells ``progress`` about ``stage``."""

    def notify(done: int, loss: float, val_loss: float | None) -> None:
        if progress is not None:
            progress(Progress(stage, done, total, loss, val_loss))

    return notify
