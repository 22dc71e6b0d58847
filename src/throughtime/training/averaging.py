r"""Averages of the weights: what is validated, kept and returned instead of the last weights.

Noisy gradients move the weights around the minimum that they approach; the mean of the places they
come through lies nearer to it (Polyak and Juditsky, 1992, SIAM Journal on Control and Optimization
30). With theta_t the weights after update t, and theta_n the n-th weights that are taken::

    exponential   a_t = a_(t-1) + (1 - d_t) (theta_t - a_(t-1)),
                  d_t = min(decay, (1 + t) / (10 + t)),   a_1 = theta_1                        (O7)
    stochastic    a_n = a_(n-1) + (theta_n - a_(n-1)) / n,   a_1 = theta_1                     (O8)

(O8): Izmailov, Podoprikhin, Garipov, Vetrov and Wilson (2018), "Averaging weights leads to wider
optima and better generalization", arXiv:1803.05407. Training itself goes on with theta.

The averages are float64 whatever the dtype of the network: in float32 the step (1 - d)(theta - a)
of d = 0.9999 is below the last digit of a where theta and a agree in three digits. Where theta = a,
as in frozen layers, a keeps its bits.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    ModelFileError,
    ShapeError,
    check_choice,
    check_float,
    check_int,
    describe,
    sentence,
)
from throughtime.registry import Words, translate
from throughtime.training.callbacks import Callback, Run

if TYPE_CHECKING:
    from throughtime.network import Network

#: What other libraries call the options.
OTHER_NAMES: Words = {
    "decay": ("alpha", "beta", "ema_decay", "ema_momentum", "momentum"),
    "start": ("start_averaging", "start_epoch", "swa_epoch_start", "swa_start"),
    "every": (
        "average_period", "ema_overwrite_frequency", "swa_freq", "update_every_n_epochs",
        "update_every_n_steps", "update_freq",
    ),
    "the rate of the optimizer, such as tt.schedules.Linear(0.03, end=0.01, length=30)": (
        "anneal_epochs", "anneal_strategy", "annealing_epochs", "annealing_strategy", "swa_lr",
        "swa_lrs",
    ),
}  # fmt: skip


@dataclass
class WeightAverage(Callback):
    """Base of the averages of weights; a subclass says which weights they take.

    In :func:`throughtime.train` the average is what validation scores, what early stopping judges
    and keeps, and what the network has at the end; between validations the network has the weights
    that training goes on with. So callbacks see those, and the column ``"loss"`` belongs to them,
    which early stopping without a validation set goes by. Where training diverges or is interrupted
    before an epoch is finished, no average was judged, and the network has its last finite weights.

    In your own loop call :meth:`update` after every step, and look at the average in
    ``with average.applied(net):``.

    Attributes
    ----------
    weights : ndarray of float64 of shape (P,) or None
        The average, in the order of ``net.params.flat``; None before the first weights.
    count : int
        Number of weights that were averaged.
    """

    weights: np.ndarray | None = field(default=None, init=False, compare=False, repr=False)
    count: int = field(default=0, init=False, compare=False, repr=False)

    @abstractmethod
    def share(self) -> float:
        """The share of the newest weights, of which there are :attr:`count` now, in the average."""

    def update(self, net: Network) -> None:
        """Take the weights of ``net`` into the average."""
        new = net.params.flat
        self.count += 1
        if self.weights is None:
            self.weights = new.astype(np.float64)
            return
        if self.weights.shape != new.shape:
            expected = f"the {self.weights.size} parameters of the average"
            hint = "Call reset() before using it for another network."
            raise ShapeError(sentence("net", expected, str(new.size), hint, must="have", value=net))
        self.weights += self.share() * (new - self.weights)

    @contextmanager
    def applied(self, net: Network) -> Iterator[None]:
        """Context in which ``net`` has the average as its weights, if there is one."""
        if self.weights is None:
            yield
            return
        before = net.params.flat.copy()
        net.params.flat[...] = self.weights
        try:
            yield
        finally:
            net.params.flat[...] = before

    def reset(self) -> None:
        """Forget the average, for a new run."""
        self.weights, self.count = None, 0

    @abstractmethod
    def after_update(self, run: Run) -> None:
        """Take the weights after an update of a run, if they belong to the average."""

    def after_epoch(self, run: Run) -> None:
        """Take the weights at the end of an epoch, before it is validated, if they belong to it."""

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"average": repr(self), "count": self.count}
        return state if self.weights is None else {**state, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if not isinstance(state, Mapping) or not {"average", "count"} <= state.keys():
            raise ModelFileError(
                f"the checkpoint holds no average of weights; got {describe(state)}."
            )
        if state["average"] != repr(self):
            raise ModelFileError(
                f"the checkpoint holds the average {state['average']}, not {self!r}. Give the same"
                " callbacks to continue."
            )
        try:
            count = check_int("count", state["count"], 0)
            weights = state.get("weights")
            if (weights is None) is not (count == 0):
                raise InvalidArgumentError("count and weights must be given together.")
            if weights is not None and not (
                isinstance(weights, np.ndarray)
                and (weights.ndim, weights.dtype) == (1, np.float64)
                and np.isfinite(weights).all()
            ):
                expected = "a finite flat vector of float64"
                raise InvalidArgumentError(sentence("weights", expected, describe(weights)))
        except (InvalidArgumentError, TypeError) as error:
            raise ModelFileError(f"the checkpoint's average is damaged: {error}") from None
        self.count, self.weights = count, None if weights is None else weights.copy()


@translate(OTHER_NAMES)
@dataclass
class EMA(WeightAverage):
    """Exponential moving average of the weights after every update, equation (O7).

    Its memory is about 1 / (1 - decay) updates, and at the beginning a tenth of those made, so that
    the first weights are soon forgotten: an average that starts from them and keeps ``decay`` from
    the first update on is useless before some 3 / (1 - decay) updates.

    Parameters
    ----------
    decay : float
        Factor on the average at an update, in [0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.GRU(4), tt.layers.Dense(1)], n_features=1)
    >>> x, y = np.ones((8, 5, 1)), np.ones((8, 1))
    >>> ema = tt.EMA(decay=0.99)
    >>> history = tt.train(net, x, y, epochs=3, validation=(x, y), callbacks=[ema])
    >>> bool(np.all(net.params.flat == ema.weights.astype("float32")))
    True
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        self.decay = check_float("decay", self.decay, 0.0, 1.0, inclusive="low")

    def share(self) -> float:
        return 1.0 - min(self.decay, (1 + self.count) / (10 + self.count))

    def after_update(self, run: Run) -> None:
        self.update(run.net)


@translate(OTHER_NAMES)
@dataclass
class SWA(WeightAverage):
    """Stochastic weight averaging: the mean of weights from the last part of a run, equation (O8).

    It works best with a rate that stays large enough for the weights to move: a constant one
    (``tt.schedules.Linear(0.03, end=0.01, length=30)`` stays at its end), or a cyclic one
    (``tt.schedules.Cosine(0.03, length=5, restarts=True)``) with ``every=5``, which takes the
    weights at the end of every cycle. Until it starts, the network has its last weights.

    Parameters
    ----------
    start : float or int
        Share of the epochs before the first weights are taken, in [0, 1), rounded down to whole
        epochs; or a whole number of epochs.
    every : int
        Weights are taken at every so many epochs, or updates, counted from the start of training.
    per : {"epoch", "step"}
        Unit of ``every``: epochs or optimiser steps.
    """

    start: float = 0.75
    every: int = 1
    per: str = "epoch"

    def __post_init__(self) -> None:
        if isinstance(self.start, float):
            hint = "A whole number is a number of epochs."
            self.start = check_float("start", self.start, 0.0, 1.0, inclusive="low", hint=hint)
        else:
            self.start = check_int("start", self.start, 0)
        self.every = check_int("every", self.every, 1)
        check_choice("per", self.per, ("epoch", "step"))

    def share(self) -> float:
        return 1.0 / self.count

    def after_update(self, run: Run) -> None:
        if self.per == "step":
            self._take(run, run.optimizer.steps)

    def after_epoch(self, run: Run) -> None:
        if self.per == "epoch":
            self._take(run, run.epoch)

    def _take(self, run: Run, number: int) -> None:
        """Take the weights of the epoch or step ``number``, if it is time."""
        start = self.start
        if isinstance(start, float):
            start = math.floor(start * run.epochs + 1e-9)  # 0.29 * 100 is less than 29
        if run.epoch <= start:
            self.reset()  # a run that is resumed with more epochs starts later
        elif number % self.every == 0:
            self.update(run.net)


def find_average(callbacks: Iterable[Callback]) -> WeightAverage | None:
    """Return the average among the callbacks, or None; refuse several."""
    found = [callback for callback in callbacks if isinstance(callback, WeightAverage)]
    if len(found) > 1:
        names = " and ".join(type(one).__name__ for one in found)
        raise InvalidArgumentError(
            sentence("callbacks", "at most one average of weights", names, must="hold")
        )
    return found[0] if found else None
