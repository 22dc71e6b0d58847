"""The networks that correct the anchor: how they are built, trained and used.

They are first trained with early stopping on the validation blocks of all series, and then once
more, for as many epochs, on all data. The validation blocks judge the first networks; the second
ones forecast.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from throughtime import losses
from throughtime.errors import DivergedError
from throughtime.forecasting.horizon import step_weights
from throughtime.forecasting.inputs import WindowBatch
from throughtime.forecasting.sampling import Sampler
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.windows import TrainingWindows
from throughtime.layers import RECURRENT, Dense, Layer
from throughtime.network import Network
from throughtime.optimizers import Adam
from throughtime.optimizers.schedules import Cosine
from throughtime.training import History, train
from throughtime.training.callbacks import Callback, Run

#: Called after every epoch with its number, its loss, and its loss on the validation block.
Notify = Callable[[int, float, float | None], None]
#: Quadratic for usual corrections, linear for outliers. The mean absolute error is as good on
#: most series, but forecasts zero for a demand that is mostly zero (docs/decisions/0005).
_LOSS = "huber"
#: Largest norm of a gradient; a window with an outlier must not throw the weights far away.
_CLIP_NORM = 1.0
#: The learning rate falls along a cosine to this share of its first value.
_LAST_LR = 0.01
#: A smaller relative gain on the validation block is a tie, as on a constant series.
_SMALLEST_GAIN = 1e-4
#: Share of the averaged weights that an update leaves. On ten panels (sales, populations, prices)
#: the average has a MASE of 0.973 of smoothing where the weights themselves have 0.996.
_MEMORY = 0.99
#: Windows that are predicted at once; it bounds memory and changes no bit on the native engine.
_PREDICTION_BATCH = 256
#: Largest sum of the absolute weights of a network. With inputs up to 1e13 no activation then
#: overflows float32, whose largest number is 3e38.
_LARGEST_WEIGHTS = 1e25


def build(settings: Settings, n_features: int, seed: int) -> Network:
    """A network whose correction is zero until it is trained."""
    cell = RECURRENT[settings.cell]
    layers: list[Layer] = [
        cell(settings.hidden_size, return_sequences=True) for _ in range(settings.num_layers)
    ]
    return Network([*layers, Dense(1, initializer="zeros")], n_features=n_features, seed=seed)


def fill(network: Network, weights: np.ndarray, name: str) -> None:
    """Give a network the weights of a file, of which only the size is known.

    Parameters
    ----------
    name : str
        Name of the weights in messages.

    Raises
    ------
    ValueError
        If they are of another shape or dtype, or out of range.
    """
    flat = network.params.flat
    if weights.shape != flat.shape:
        raise ValueError(f"{name} has another shape")
    if weights.dtype != flat.dtype:
        raise ValueError(f"{name} has another dtype")
    total = float(np.abs(weights).sum(dtype=np.float64))
    if not total <= _LARGEST_WEIGHTS:  # nor is NaN
        raise ValueError(f"{name} holds weights of size {total:g}")
    flat[...] = weights


def correction(networks: Sequence[Network], windows: WindowBatch) -> np.ndarray:
    """Mean correction of the networks, in units of each window's scale: (N, H), float64."""
    horizon = windows.target.shape[1]
    total = np.zeros(windows.target.shape)
    for net in networks:
        total += net.predict(windows.x, batch_size=_PREDICTION_BATCH)[:, -horizon:, 0]
    return total / max(len(networks), 1)


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network, and how it is to be judged.

    Attributes
    ----------
    network : Network
    epochs : int
        The epoch that its weights are from.
    judged : ndarray of shape (M, H)
        Corrections on the validation block to judge it by. Those of each half are of the epoch that
        was best on the other half, because the best epoch of all looks better there than it is.
    interrupted : bool
        Whether Ctrl-C, or a callback that says so, ended the training.
    """

    network: Network
    epochs: int
    judged: np.ndarray
    interrupted: bool = False


def train_with_validation(
    settings: Settings,
    windows: TrainingWindows,
    seed: int,
    notify: Notify,
) -> TrainedNetwork:
    """Train one network; it ends with the weights of its best epoch on the validation block."""
    net = build(settings, windows.train.n_inputs, seed)
    best = BestWeights(windows.validation, windows.later, settings.patience, notify)
    callbacks = [best, *settings.callbacks]
    try:
        history = _train(net, windows.train, settings, settings.max_epochs, callbacks, seed)
    except DivergedError:
        # Finite weights of an earlier epoch are at hand, and the validation block judges them.
        best.restore(net)
        return TrainedNetwork(net, best.epoch, best.judged)
    return TrainedNetwork(net, best.epoch, best.judged, history.stopped == "interrupted")


def retrain_on_all(
    settings: Settings,
    windows: TrainingWindows,
    trained: TrainedNetwork,
    seed: int,
    notify: Notify,
) -> TrainedNetwork:
    """Train from the same start for as many epochs as were best, on the validation block too."""
    net = build(settings, windows.everything.n_inputs, seed)
    callbacks = [AveragedWeights(notify), *settings.callbacks]
    try:
        history = _train(net, windows.everything, settings, trained.epochs, callbacks, seed)
    except DivergedError:
        return trained
    if history.stopped == "interrupted":
        return dataclasses.replace(trained, interrupted=True)
    return dataclasses.replace(trained, network=net)


def _train(
    net: Network,
    windows: Sampler,
    settings: Settings,
    epochs: int,
    callbacks: Sequence[Any],
    seed: int,
) -> History:
    """Train ``net`` on ``windows``, drawn anew for every epoch."""
    # A run of fewer epochs follows the beginning of the same schedule.
    schedule = Cosine(settings.lr, length=settings.max_epochs, min_lr=_LAST_LR * settings.lr)
    return train(
        net,
        **windows.draw(seed, 1),
        renew=None if windows.complete else partial(windows.draw, seed),
        loss=_LOSS,
        optimizer=Adam(schedule),
        epochs=epochs,
        batch_size=settings.batch_size,
        clip_norm=_CLIP_NORM,
        callbacks=callbacks,
        verbose=False,
        seed=seed,
    )


class AveragedWeights(Callback):
    """Keeps a moving average of the weights over the updates, and ends with it.

    After update n it keeps min(0.99, (1 + n) / (10 + n)) of itself, so it forgets over a hundred
    updates, and over fewer while there are few. It has less of the noise of single updates than any
    one of the weights that it averages (Polyak and Juditsky 1992).
    """

    def __init__(self, notify: Notify) -> None:
        self.notify = notify
        self.average = np.zeros(0)
        self.updates = 0

    def on_train_begin(self, run: Run) -> None:
        """Start from the weights of the untrained network."""
        self.average = run.net.params.flat.copy()

    def on_batch_end(self, run: Run) -> None:
        """Move the average."""
        self.updates += 1
        kept = min(_MEMORY, (1.0 + self.updates) / (10.0 + self.updates))
        self.average += (1.0 - kept) * (run.net.params.flat - self.average)

    def on_epoch_end(self, run: Run) -> None:
        """Say how far training is."""
        self.notify(run.epoch, run.history.last()["loss"], None)

    def on_train_end(self, run: Run) -> None:
        """Give the network the averaged weights, whatever ended the training."""
        run.net.params.flat[...] = self.average


class BestWeights(AveragedWeights):
    """Keeps the best averaged weights on the validation block, and ends training without progress.

    The untrained network, whose correction is zero, is the first to beat.
    """

    def __init__(
        self, validation: WindowBatch, later: np.ndarray, patience: int, notify: Notify
    ) -> None:
        super().__init__(notify)
        self.validation = validation
        self.halves = (~later, later)
        self.patience = patience
        self.loss = losses.get(_LOSS)
        self.best = np.inf
        self.epoch = 0
        self.weights: np.ndarray | None = None
        self.best_of_halves = [np.inf, np.inf]
        self.judged = np.zeros(validation.target.shape)

    def on_train_begin(self, run: Run) -> None:
        """Score the zero correction."""
        super().on_train_begin(run)
        self._consider(run.net, 0)

    def on_epoch_end(self, run: Run) -> None:
        """Score the epoch, keep it if it is the best, stop if the best was long ago."""
        value = self._consider_average(run.net, run.epoch)
        self.notify(run.epoch, run.history.last()["loss"], value)
        if run.epoch - self.epoch >= self.patience:
            run.stop("early stopping")

    def on_train_end(self, run: Run) -> None:
        """Restore the best weights, whatever ended the training."""
        self.restore(run.net)

    def restore(self, net: Network) -> None:
        """Give ``net`` the best weights."""
        if self.weights is not None:
            net.params.flat[...] = self.weights

    def _consider_average(self, net: Network, epoch: int) -> float:
        own = net.params.flat.copy()
        net.params.flat[...] = self.average
        value = self._consider(net, epoch)
        net.params.flat[...] = own
        return value

    def _consider(self, net: Network, epoch: int) -> float:
        guess = correction([net], self.validation)
        value = self._error(guess, slice(None))
        if value < self.best * (1.0 - _SMALLEST_GAIN):
            self.best, self.epoch, self.weights = value, epoch, net.params.flat.copy()
        for i, half in enumerate(self.halves):
            part = self._error(guess, half)
            if part < self.best_of_halves[i] * (1.0 - _SMALLEST_GAIN):
                self.best_of_halves[i] = part
                self.judged[self.halves[1 - i]] = guess[self.halves[1 - i]]
        return value

    def _error(self, guess: np.ndarray, rows: Any) -> float:
        """The loss of the corrections ``guess (M, H)`` on some windows of the block."""
        weight = self.validation.known[rows] * step_weights(guess.shape[1])
        target = self.validation.target[rows]
        return float(self.loss(guess[rows][..., None], target[..., None], weights=weight)[0])
