r"""``throughtime.find_lr``: a learning rate from one short run in which it rises.

Smith (2017), "Cyclical learning rates for training neural networks", WACV, arXiv:1506.01186,
section 3.3, the range test. At a rate that is too small the loss stays where it is; then it falls;
where the rate is too large it rises.

The losses are those of different batches, so they are smoothed: each becomes the mean of all,
weighted by a normal density over the logarithm of the rate, which unlike a running mean does not
lag behind. The suggestion is the smallest rate at which the smoothed loss has made four fifths of
its fall. ``python -m recipes.learning_rate`` compares it with two other rules.
"""

from __future__ import annotations

import copy
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import DivergedError, InvalidArgumentError, check_float, check_int, sentence
from throughtime.optimizers import OPTIMIZERS
from throughtime.optimizers.schedules import Schedule
from throughtime.registry import Words, translate
from throughtime.training.callbacks import Callback, Run
from throughtime.training.combinations import check_given
from throughtime.training.options import BATCH_SIZE, OTHER_NAMES, check_network
from throughtime.training.train import train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from throughtime.network import Network

#: Standard deviation of the density that smooths, in decades of the rate.
WIDTH = 0.2
#: The part of the fall of the smoothed loss that is made at the suggested rate.
SHARE = 0.8
#: Number of losses at the start that say how much batches differ, and of those whose mean must not
#: rise above the start.
FIRST, LAST = 10, 5
#: A mean of losses is above the start if it is so many standard deviations of the first ones above.
ABOVE = 3.0
#: The least difference between batches, as a part of the loss: rounding is no difference.
LEAST = 0.01
#: Why a test ended -> what is said about it.
REASONS = {
    "finished": "all rates were tried",
    "rose": "ended because the loss rose",
    "diverged": "ended because training diverged",
    "interrupted": "ended by Ctrl-C",
}


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What a test of rising learning rates found.

    Attributes
    ----------
    rates : ndarray of shape (S,)
        The learning rates, in the order of the updates.
    losses : ndarray of shape (S,)
        The loss of each batch, before the update with the rate.
    smoothed : ndarray of shape (S,)
        The losses without their noise; one above the limit at which the test ends counts as that.
    lr : float or None
        The suggestion: the smallest rate at which the smoothed loss has made four fifths of its
        fall. None if it did not fall by more than the batches differ.
    stopped : {"finished", "rose", "diverged", "interrupted"}
        Why the test ended.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    lr: float | None
    stopped: str

    def __repr__(self) -> str:
        suggestion = "no suggestion, because the loss did not fall clearly"
        if self.lr is not None:
            suggestion = f"lr = {self.lr:.2g}"
        tried = "no finite loss"
        if len(self.rates):
            if self.lr is None:
                suggestion += " (unscaled data, or batches whose order has a trend, can hide it)"
            tried = f"{len(self.rates)} rates from {self.rates[0]:.2g} to {self.rates[-1]:.2g}"
        return f"RangeTest: {suggestion}; {tried}, {REASONS[self.stopped]}"

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the losses over the rates, and the suggestion.

        Parameters
        ----------
        path : str or path-like, optional
            PNG file to write the picture to.

        Returns
        -------
        matplotlib.figure.Figure
            The picture, which a notebook shows.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        InvalidArgumentError
            If there is no loss.
        """
        from throughtime.plotting import rates_figure, save_png

        if not len(self.rates):
            raise InvalidArgumentError(
                sentence("the test", "a finite loss to be drawn", "none", must="hold")
            )
        with rates_figure(self.rates, self.losses, self.smoothed, self.lr) as figure:
            if path is not None:
                save_png(figure, path)
        return figure


@dataclass
class _Now(Schedule):
    """The rate that was set last."""

    lr: float = 0.0

    def at(self, k: int) -> float:
        return self.lr


class _Rise(Callback):
    """Raises the rate after every batch, and ends the run where the loss rises."""

    def __init__(self, now: _Now, rates: np.ndarray) -> None:
        self.now, self.rates = now, rates
        self.losses: list[float] = []
        self.lowest = self.limit = math.inf

    def on_batch_end(self, run: Run) -> None:
        losses = self.losses
        if not math.isfinite(run.loss):  # no step of any batch so far counts
            return
        losses.append(run.loss)
        if len(losses) == len(self.rates):
            run.stop("finished")
            return
        self.now.lr = float(self.rates[len(losses)])
        if len(losses) < FIRST:
            return
        start, noise = _start(losses)
        recent = float(np.mean(losses[-LAST:]))
        self.lowest = min(self.lowest, recent)
        # As far above the start as the loss was below it: a loss may be negative.
        self.limit = start + max(start - self.lowest, 0.0) + ABOVE * noise
        if recent > self.limit:
            run.stop("rose")


def _start(losses: Any) -> tuple[float, float]:
    """The loss of the first batches, and how much it differs from batch to batch."""
    first = np.asarray(losses[:FIRST])
    power = math.frexp(float(abs(first).max()))[1]  # the square of a loss may be too large
    first = np.ldexp(first, -power)
    start = float(first.mean())
    noise = max(float(first.std()), LEAST * abs(start))
    return math.ldexp(start, power), math.ldexp(noise, power)


#: What other libraries call the arguments that :func:`throughtime.train` does not have.
OWN_NAMES: Words = {
    **OTHER_NAMES,
    "lowest": ("init_value", "min_lr", "start_lr"),
    "highest": ("end_lr", "final_value", "max_lr"),
    "steps": ("n_steps", "num_it", "num_iter", "num_training", "num_steps"),
}


@translate(OWN_NAMES)
def find_lr(
    net: Network,
    x: Any = None,
    y: Any = None,
    *,
    batches: Any = None,
    loss: Any = "mse",
    loss_weights: Any = None,
    optimizer: Any = "adam",
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 200,
    batch_size: int | None = BATCH_SIZE,
    accumulate: int = 1,
    lengths: Any = None,
    mask: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    tbptt: tuple[int, int] | None = None,
    seed: int = 0,
) -> RangeTest:
    """Find a learning rate by a short training in which it rises.

    The rate rises from batch to batch by a constant factor, until the loss has risen as well. A
    copy of the network is trained, by a copy of the optimiser: ``net`` and ``optimizer`` keep every
    bit. A divergence ends the test and is no error.

    Parameters
    ----------
    net, x, y, batches :
        As in :func:`throughtime.train`. Batches should come in a random order: where they have a
        trend, as consecutive windows of a series do, the losses show it and not the rate.
    optimizer : str or Optimizer
        The optimiser that the rate is for; its own rate or schedule is not used.
    lowest, highest : float
        The first and the last learning rate.
    steps : int
        Number of updates from the one to the other; the data are run through again until they are
        done. More of them make a smoother curve.
    loss, loss_weights, batch_size, accumulate, lengths, mask, sample_weight, class_weight :
        As in :func:`throughtime.train`.
    clip_norm, clip_value, l1, l2, tbptt, seed :
        As in :func:`throughtime.train`. The rate that is found is one for these options.

    Returns
    -------
    RangeTest
        Its ``lr`` is the suggestion; ``plot()`` draws the curve.

    Raises
    ------
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit; the message says which, and what would.

    Examples
    --------
    >>> import numpy as np
    >>> import throughtime as tt
    >>> x = np.random.default_rng(0).normal(size=(256, 10, 1))
    >>> y = np.cumsum(x, axis=1)
    >>> layers = [tt.layers.GRU(8, return_sequences=True), tt.layers.Dense(1)]
    >>> net = tt.Network(layers, n_features=1)
    >>> found = tt.find_lr(net, x, y)
    >>> 0.003 < found.lr < 0.3
    True
    >>> history = tt.train(net, x, y, optimizer=tt.optimizers.Adam(found.lr), epochs=5)
    """
    options = {k: v for k, v in locals().items() if k not in ("lowest", "highest", "steps")}
    if batches is None:
        check_given("find_lr", x, y)
    lowest = check_float("lowest", lowest, 0.0, inclusive="neither")
    highest = check_float("highest", highest, lowest, inclusive="neither")
    steps = check_int("steps", steps, 2 * FIRST)
    rates = np.geomspace(lowest, highest, steps)
    now = _Now(lowest)
    rise = _Rise(now, rates)
    options["net"] = check_network(net).copy()
    options["optimizer"] = copy.deepcopy(OPTIMIZERS.get(optimizer))
    options["optimizer"].lr = now
    try:
        history = train(**options, epochs=steps, callbacks=[rise], verbose=False)
        stopped = history.stopped
    except DivergedError:
        stopped = "diverged"
    return _result(rates, rise, stopped)


def _result(rates: np.ndarray, rise: _Rise, stopped: str) -> RangeTest:
    """Smooth the losses, and choose."""
    losses = np.array(rise.losses)
    rates = rates[: len(losses)].copy()
    if not len(losses):
        return RangeTest(rates, losses, losses.copy(), None, stopped)
    decades = np.log10(rates)
    limited = np.minimum(losses, rise.limit)
    densities = (np.exp(-0.5 * ((decades - centre) / WIDTH) ** 2) for centre in decades)
    smoothed = np.array([np.average(limited, weights=density) for density in densities])
    end = int(np.argmin(smoothed))
    top = smoothed[: end + 1].max()
    fall = top - smoothed[end]
    lr = None
    if fall > _start(losses)[1]:
        lr = float(rates[np.argmax(smoothed[: end + 1] <= top - SHARE * fall)])
    return RangeTest(rates, losses, smoothed, lr, stopped)
