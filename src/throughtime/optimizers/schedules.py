r"""Schedules: the learning rate as a function of the steps or epochs that are done.

With k the number of steps (``per="step"``) or of epochs (``per="epoch"``) done so far, counted
from 0, and eta the initial rate ``lr``::

    constant        eta                                                         (R1)
    inverse_time    eta / (1 + decay k)                                         (R2)
    exponential     eta cycle_gamma^(k // cycle) gamma^(k mod cycle)            (R3)
    linear          eta + (end - eta) min(k, length) / length                   (R4)
    cosine          min_lr + (eta - min_lr) (1 + cos(pi k / length)) / 2        (R5)
    warmup          (start + (1 - start) k / length) eta',  k < length          (R6)
    plateau         eta factor^r, at least min_lr                               (R7)

where eta' is the rate of the schedule after a warm-up, and r the number of reductions made because
an observed value stopped improving. Only a plateau has a memory; the others are functions of k, so
a resumed run needs only its counters. (R5) with restarts: Loshchilov and Hutter (2017), "SGDR:
stochastic gradient descent with warm restarts", equation 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
    check_bool,
    check_choice,
    check_float,
    check_int,
    describe,
    sentence,
)
from throughtime.registry import Registry, Words


@dataclass
class Schedule:
    """Base of all schedules; a subclass defines :meth:`at`.

    Parameters
    ----------
    per : {"epoch", "step"}
        Unit of k: epochs or optimiser steps.
    """

    per: str = field(default="epoch", kw_only=True)

    def __post_init__(self) -> None:
        check_choice("per", self.per, ("epoch", "step"))

    def at(self, k: int) -> float:
        """Return the rate after ``k`` units, k >= 0."""
        raise NotImplementedError

    def rate(self, step: int, epoch: int) -> float:
        """Return the rate after ``step`` steps, in the epoch numbered ``epoch`` from 0."""
        return self.at(step if self.per == "step" else epoch)

    def observe(self, value: float) -> None:
        """Receive a value at the end of an epoch; most schedules ignore it."""

    def reset(self) -> None:
        """Forget all observed values."""

    def state_dict(self) -> dict[str, Any]:
        """Return the memory of the observed values, ready for JSON; empty if there is none."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned; refuse that of another kind of schedule."""
        _expect_keys(state, frozenset())


#: No run takes so many steps, and a larger number could not become a float.
LARGEST_COUNT = 2**63 - 1

#: What other libraries call the options.
OTHER_NAMES: Words = {
    "lr": ("base_lr", "initial_learning_rate", "initial_lr", "learning_rate", "max_lr"),
    "min_lr": ("alpha", "end_learning_rate", "eta_min", "min_learning_rate"),
    "end": ("alpha", "end_factor", "end_learning_rate"),
    "length": ("T_0", "T_max", "decay_steps", "epochs", "steps", "total_iters", "warmup_steps"),
    "growth": ("T_mult", "t_mul"),
    "gamma": ("decay", "decay_rate"),
    "decay": ("decay_rate", "gamma"),
    "cycle": ("decay_steps", "step_size"),
    "threshold": ("min_delta",),
    "greater_is_better": ("mode",),
    "start": ("start_factor",),
}

SCHEDULES: Registry[Schedule] = Registry("schedule", Schedule, OTHER_NAMES)


@SCHEDULES.register("constant")
@dataclass
class Constant(Schedule):
    """A constant rate, equation (R1)."""

    lr: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lr = _check_lr(self.lr)

    def at(self, k: int) -> float:
        return self.lr


@SCHEDULES.register("inverse_time")
@dataclass
class InverseTime(Schedule):
    """A rate that falls like 1/k, equation (R2).

    Parameters
    ----------
    lr : float
        The rate at k = 0.
    decay : float
        Speed at which the rate falls: at k = 1/decay it is half of ``lr``.
    """

    lr: float
    decay: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lr = _check_lr(self.lr)
        self.decay = check_float("decay", self.decay, 0.0)

    def at(self, k: int) -> float:
        return self.lr / (1.0 + self.decay * k)


@SCHEDULES.register("exponential")
@dataclass
class Exponential(Schedule):
    """A rate multiplied by ``gamma`` at every unit, restarted every ``cycle`` units, equation (R3).

    Parameters
    ----------
    lr : float
        The rate at k = 0.
    gamma : float
        Factor from one unit to the next, in (0, 1].
    cycle : int, optional
        Number of units after which the rate restarts; by default it never does.
    cycle_gamma : float
        Factor from the start of one cycle to the start of the next, in (0, 1].

    Examples
    --------
    >>> schedule = Exponential(0.8, gamma=0.5, cycle=3, cycle_gamma=0.5)
    >>> [schedule.at(k) for k in range(7)]
    [0.8, 0.4, 0.2, 0.4, 0.2, 0.1, 0.2]
    """

    lr: float
    gamma: float
    cycle: int | None = None
    cycle_gamma: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lr = _check_lr(self.lr)
        self.gamma = check_float("gamma", self.gamma, 0.0, 1.0, inclusive="high")
        if self.cycle is not None:
            self.cycle = _check_count("cycle", self.cycle)
        self.cycle_gamma = check_float("cycle_gamma", self.cycle_gamma, 0.0, 1.0, inclusive="high")

    def at(self, k: int) -> float:
        cycles, k = divmod(k, self.cycle) if self.cycle is not None else (0, k)
        return self.lr * self.cycle_gamma**cycles * self.gamma**k


@SCHEDULES.register("linear")
@dataclass
class Linear(Schedule):
    """A rate that changes linearly from ``lr`` to ``end`` and stays there, equation (R4).

    Parameters
    ----------
    lr, end : float
        The rates at k = 0 and from k = ``length`` on. ``end`` may be the larger one.
    length : int
        Number of units from ``lr`` to ``end``.
    """

    lr: float
    length: int
    end: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lr = _check_lr(self.lr)
        self.length = _check_count("length", self.length)
        self.end = check_float("end", self.end, 0.0)

    def at(self, k: int) -> float:
        return self.lr + (self.end - self.lr) * (min(k, self.length) / self.length)


@SCHEDULES.register("cosine")
@dataclass
class Cosine(Schedule):
    """Half a cosine wave from ``lr`` down to ``min_lr``, once or repeatedly, equation (R5).

    Parameters
    ----------
    lr, min_lr : float
        The rates at the start and at the end.
    length : int
        Number of units of the (first) descent.
    restarts : bool
        Whether to restart at ``lr`` after a descent, instead of staying at ``min_lr``.
    growth : int
        Factor on the length from one descent to the next, with restarts.
    """

    lr: float
    length: int
    min_lr: float = 0.0
    restarts: bool = False
    growth: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lr = _check_lr(self.lr)
        self.length = _check_count("length", self.length)
        self.min_lr = check_float("min_lr", self.min_lr, 0.0, self.lr)
        self.restarts = check_bool("restarts", self.restarts)
        self.growth = _check_count("growth", self.growth)

    def at(self, k: int) -> float:
        length = self.length
        if not self.restarts:
            k = min(k, length)
        elif self.growth == 1:
            k %= length
        else:
            while k >= length:
                k, length = k - length, length * self.growth
        wave = (1.0 + math.cos(math.pi * k / length)) / 2.0
        return self.min_lr + (self.lr - self.min_lr) * wave


@SCHEDULES.register("plateau")
@dataclass
class Plateau(Schedule):
    """A rate that is reduced when an observed value stops improving, equation (R7).

    One value is observed at the end of every epoch. It is better if it improves on the best so far
    by more than ``threshold`` times the size of the best; a NaN or an infinity is never better.

    Parameters
    ----------
    lr : float
        The rate until the first reduction.
    factor : float
        Factor of a reduction, in (0, 1).
    patience : int
        Number of epochs in a row that may pass without a better value; one more reduces the rate.
    min_lr : float
        Lower limit of the rate.
    cooldown : int
        Number of epochs after a reduction that are not counted.
    threshold : float
        Relative improvement that counts.
    greater_is_better : bool
        Whether the observed value is a score, such as accuracy, instead of a loss.
    monitor : str, optional
        Column of the history to observe, for example ``"val_accuracy"``. By default ``"val_loss"``
        if there is a validation set, otherwise ``"loss"``.

    Notes
    -----
    For losses above zero the rate is reduced in the same epochs as by
    ``torch.optim.lr_scheduler.ReduceLROnPlateau``. Below zero, as a negative log-likelihood can be,
    that rule counts a slightly worse value as an improvement; this one does not.
    """

    lr: float
    factor: float = 0.1
    patience: int = 10
    min_lr: float = 0.0
    cooldown: int = 0
    threshold: float = 1e-4
    greater_is_better: bool = False
    monitor: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lr = _check_lr(self.lr)
        self.factor = check_float("factor", self.factor, 0.0, 1.0, inclusive="neither")
        self.patience = check_int("patience", self.patience, 0)
        self.min_lr = check_float("min_lr", self.min_lr, 0.0, self.lr)
        self.cooldown = check_int("cooldown", self.cooldown, 0)
        self.threshold = check_float("threshold", self.threshold, 0.0)
        self.greater_is_better = check_bool("greater_is_better", self.greater_is_better)
        check_choice("per", self.per, ("epoch",))  # values are observed once an epoch
        self.reset()

    def reset(self) -> None:
        self._rate = self.lr
        self._best: float | None = None
        self._waited = 0
        self._cooling = 0

    def at(self, k: int) -> float:
        return self._rate

    def observe(self, value: float) -> None:
        try:
            value = float(value)
        except (TypeError, ValueError, OverflowError):
            raise InvalidTypeError(sentence("value", "a number", describe(value))) from None
        if self._better(value):
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        if self._cooling > 0:
            self._cooling, self._waited = self._cooling - 1, 0
        if self._waited > self.patience:
            self._rate = max(self._rate * self.factor, self.min_lr)
            self._cooling, self._waited = self.cooldown, 0

    def _better(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self._best is None:
            return True
        margin = self.threshold * abs(self._best)
        if self.greater_is_better:
            return value > self._best + margin
        return value < self._best - margin

    def state_dict(self) -> dict[str, Any]:
        state = {"rate": self._rate, "waited": self._waited, "cooling": self._cooling}
        return state if self._best is None else state | {"best": self._best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        _expect_keys(state, {"rate", "waited", "cooling"} | (state.keys() & {"best"}))
        waited = check_counter("schedule", "waited", state["waited"])
        cooling = check_counter("schedule", "cooling", state["cooling"])
        try:
            rate = check_float("rate", state["rate"], self.min_lr, self.lr)
            best = check_float("best", state["best"]) if "best" in state else None
        except (InvalidArgumentError, InvalidTypeError) as error:
            raise ModelFileError(f"the checkpoint's schedule state is damaged: {error}") from None
        self._rate, self._best, self._waited, self._cooling = rate, best, waited, cooling


@SCHEDULES.register("warmup")
@dataclass
class Warmup(Schedule):
    """A linear rise to the rate of another schedule, equation (R6).

    Parameters
    ----------
    schedule : Schedule
        The schedule after the rise. If it counts the same units, its k is 0 until the rise is over.
        If not, its k counts from the start of training, because a number of steps is not a number
        of epochs.
    length : int
        Number of units of the rise.
    start : float
        Fraction of the rate at k = 0, in [0, 1].

    Examples
    --------
    >>> schedule = Warmup(Linear(1.0, length=2), length=2, start=0.5)
    >>> [schedule.rate(step=0, epoch=k) for k in range(5)]
    [0.5, 0.75, 1.0, 0.5, 0.0]
    """

    schedule: Schedule = field(metadata={"registry": SCHEDULES})
    length: int
    start: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.schedule, Schedule):
            hint = "Write Constant(0.001) for a fixed rate."
            raise InvalidTypeError(sentence("schedule", "a Schedule", self.schedule, hint))
        self.length = _check_count("length", self.length)
        self.start = check_float("start", self.start, 0.0, 1.0)

    def at(self, k: int) -> float:
        return self.rate(k, k)

    def rate(self, step: int, epoch: int) -> float:
        k = step if self.per == "step" else epoch
        rise = 1.0 if k >= self.length else self.start + (1.0 - self.start) * k / self.length
        if self.schedule.per == self.per:
            later = max(k - self.length, 0)
            step, epoch = (later, epoch) if self.per == "step" else (step, later)
        return rise * self.schedule.rate(step, epoch)

    def observe(self, value: float) -> None:
        self.schedule.observe(value)

    def reset(self) -> None:
        self.schedule.reset()

    def state_dict(self) -> dict[str, Any]:
        return self.schedule.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.schedule.load_state_dict(state)


def _check_count(name: str, value: Any) -> int:
    """Return a number of units, which a float must be able to hold."""
    count = check_int(name, value, 1)
    if count > LARGEST_COUNT:
        raise InvalidArgumentError(sentence(name, "an integer < 2**63", describe(value)))
    return count


def _check_lr(value: Any) -> float:
    return check_float("lr", value, 0.0, inclusive="neither")


def check_counter(owner: str, name: str, value: Any) -> int:
    """Return a counter of a checkpoint, or refuse it as damaged."""
    try:
        return check_int(name, value, 0, LARGEST_COUNT)
    except (InvalidArgumentError, InvalidTypeError):
        raise ModelFileError(
            sentence(f"the checkpoint's {owner} state {name!r}", "an integer >= 0", describe(value))
        ) from None


def _expect_keys(state: dict[str, Any], expected: frozenset[str] | set[str]) -> None:
    for key in sorted(state.keys() ^ expected):
        what = "no" if key in expected else "an unknown"
        raise ModelFileError(
            f"the checkpoint holds {what} schedule state {key!r};"
            " it was written with another schedule."
        )
