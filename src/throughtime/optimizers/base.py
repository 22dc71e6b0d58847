"""The base of all optimisers: checks, counters, buffers, state. The rule itself is a subclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from throughtime.errors import (
    InvalidTypeError,
    ModelFileError,
    ShapeError,
    check_array,
    check_float,
    check_int,
    describe,
    sentence,
)
from throughtime.kernels import selection, vectors
from throughtime.kernels.extension import Kernels
from throughtime.kernels.rule import own_kernel
from throughtime.optimizers.schedules import SCHEDULES, Schedule, check_counter

_COUNTERS = ("steps", "epoch")
_SCHEDULE = "schedule."
_FLOATS = (np.dtype("float32"), np.dtype("float64"))
#: The optional vectors of a step: multiplier, decay_mask and previous.
Last = tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]


@dataclass
class Optimizer:
    """Base of all optimisers; a subclass defines :meth:`_slots` and :meth:`_direction`.

    The built-in ones also have :meth:`_kernel`, which computes the same bits in one pass.

    Parameters
    ----------
    lr : float or Schedule
        The learning rate.

    Attributes
    ----------
    steps : int
        Number of steps since the start or the last :meth:`reset`.
    epoch : int
        Number of the current epoch, from 0, as :meth:`begin_epoch` set it.
    """

    lr: float | Schedule = field(default=0.001, metadata={"registry": SCHEDULES})

    #: The moments that are never negative: sums and means of squares.
    _squares: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        if not isinstance(self.lr, Schedule):
            hint = "Pass a number or a schedule, for example Cosine(0.001, length=50)."
            self.lr = check_float("lr", self.lr, 0.0, inclusive="neither", hint=hint)
        self._forget()

    def _forget(self) -> None:
        self.steps = 0
        self.epoch = 0
        self._form: tuple[tuple[int, ...], np.dtype] | None = None
        self._moments: dict[str, np.ndarray] = {}
        self._scratch = np.empty(0)

    @property
    def current_lr(self) -> float:
        """The learning rate of the next step."""
        if isinstance(self.lr, Schedule):
            return self.lr.rate(self.steps, self.epoch)
        return self.lr

    @property
    def moments(self) -> Mapping[str, np.ndarray]:
        """The moment vectors (P,) after the last step, by name."""
        return MappingProxyType(self._moments)

    def step(
        self,
        params: np.ndarray,
        grads: np.ndarray,
        multiplier: np.ndarray | None = None,
        decay_mask: np.ndarray | None = None,
        *,
        previous: np.ndarray | None = None,
    ) -> bool:
        """Change ``params`` in place by one step; ``grads`` is not changed.

        The first step fixes the size and dtype and makes the buffers; later steps allocate nothing.
        A NaN in ``grads`` becomes a NaN in ``params``, and a square above the largest float becomes
        an infinity in :attr:`moments`, without a warning: the caller looks for them, because it
        knows which batch they came from.

        Parameters
        ----------
        params, grads : ndarray of shape (P,)
            Flat vectors of one dtype, float32 or float64.
        multiplier : ndarray of shape (P,), optional
            Factor on the learning rate of each number; 0 freezes it.
        decay_mask : ndarray of shape (P,), optional
            Factor on the weight decay of each number: True or 1 for weights, False or 0 for biases
            and other numbers that do not decay. By default all numbers decay. Optimisers without
            weight decay ignore it.
        previous : ndarray of shape (P,), optional
            Buffer that is filled with the parameters before the step.

        Returns
        -------
        finite : bool
            Whether all parameters are finite afterwards.

        Raises
        ------
        InvalidTypeError
            If a vector is not an array of floats.
        ShapeError
            If sizes or dtypes differ, from each other or from those of the first step.
        """
        known = isinstance(params, np.ndarray) and (params.shape, params.dtype) == self._form
        if not known:
            self._prepare(params, grads, multiplier, decay_mask, previous)
        finite, kernels = None, selection.kernels()
        if kernels is not None and own_kernel(self, "_kernel") is not None:
            last = multiplier, decay_mask, previous
            finite = self._kernel(kernels, params, grads, last, self.current_lr)
        if finite is None:  # no kernel, or arguments that it does not take: NumPy checks them
            if known:
                self._prepare(params, grads, multiplier, decay_mask, previous)
            if previous is not None:
                previous[...] = params
            self._step(params, grads, multiplier, decay_mask)
            finite = vectors.finite(params)
        self.steps += 1
        return finite

    def _step(
        self,
        params: np.ndarray,
        grads: np.ndarray,
        multiplier: np.ndarray | None,
        decay_mask: np.ndarray | None,
    ) -> None:
        """Make one step with checked vectors."""
        if self._scratch.shape != params.shape or self._scratch.dtype != params.dtype:
            self._scratch = np.empty_like(params)
        lr, scratch = self.current_lr, self._scratch
        # Training that diverges overflows here first, and the training loop reports it. Underflow
        # is harmless: the moments of a gradient that vanished are tiny.
        with np.errstate(all="ignore"):
            self._decay(params, lr, multiplier, decay_mask)
            np.multiply(self._direction(grads), lr, out=scratch)
            if multiplier is not None:
                scratch *= multiplier
            params -= scratch

    def begin_epoch(self, epoch: int) -> None:
        """Set the number of the epoch that begins, from 0."""
        self.epoch = check_int("epoch", epoch, 0)

    def observe(self, value: float) -> None:
        """Pass the value at the end of an epoch to the schedule, which may watch it."""
        if isinstance(self.lr, Schedule):
            self.lr.observe(value)

    def reset(self) -> None:
        """Forget moments, counters and what the schedule observed, as a new optimiser."""
        if isinstance(self.lr, Schedule):
            self.lr.reset()
        self._forget()

    def state_dict(self) -> dict[str, Any]:
        """Return everything beside the options that the next step depends on.

        Returns
        -------
        dict
            Counters (int), copies of the moment vectors (ndarray of shape (P,)) and the memory of
            the schedule under ``"schedule."`` (int or float).
        """
        state: dict[str, Any] = {name: getattr(self, name) for name in _COUNTERS}
        state |= {name: vector.copy() for name, vector in self._moments.items()}
        if isinstance(self.lr, Schedule):
            state |= {_SCHEDULE + name: value for name, value in self.lr.state_dict().items()}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned; the next steps have the same bits.

        Raises
        ------
        ModelFileError
            If the state is damaged, or was written by another optimiser or by one with other
            options. The optimiser is then not changed.
        """
        if not isinstance(state, Mapping):
            expected = "a dictionary, as state_dict returns it"
            raise InvalidTypeError(sentence("state", expected, describe(state)))
        own = {name: value for name, value in state.items() if not str(name).startswith(_SCHEDULE)}
        moments = self._slots() if state.get("steps") else ()
        for name in sorted(own.keys() ^ {*_COUNTERS, *moments}):
            what = "an unknown" if name in own else "no"
            raise ModelFileError(
                f"the checkpoint holds {what} optimizer state {name!r};"
                f" it was not written by this {type(self).__name__} with these options."
            )
        counters = {name: check_counter("optimizer", name, state[name]) for name in _COUNTERS}
        vectors = {name: np.array(state[name]) for name in moments}
        forms = {(vector.shape, vector.dtype) for vector in vectors.values()}
        if len(forms) > 1 or any(len(shape) != 1 or kind not in _FLOATS for shape, kind in forms):
            found = ", ".join(f"{name!r} {describe(vector)}" for name, vector in vectors.items())
            raise ModelFileError(
                sentence("the checkpoint's optimizer state", "flat vectors of one form", found)
            )
        for name, vector in vectors.items():
            squares = name in self._squares
            if not (np.isfinite(vector) & ((vector >= 0) | (not squares))).all():
                wanted = "finite numbers >= 0" if squares else "finite numbers"
                raise ModelFileError(
                    f"the checkpoint's optimizer state {name!r} must hold {wanted}."
                )
        memory = {name.removeprefix(_SCHEDULE): state[name] for name in state.keys() - own.keys()}
        if isinstance(self.lr, Schedule):
            self.lr.load_state_dict(memory)
        elif memory:
            raise ModelFileError(
                f"the checkpoint holds the state of a schedule, but lr is the number {self.lr:g};"
                " use the schedule that it was written with."
            )
        self._forget()
        self.steps, self.epoch = counters["steps"], counters["epoch"]
        self._moments = vectors
        self._form = forms.pop() if forms else None

    def _slots(self) -> tuple[str, ...]:
        """Names of the moment vectors that the options need."""
        raise NotImplementedError

    def _direction(self, grads: np.ndarray) -> np.ndarray:
        """Update the moments and return the direction, in the scratch vector or a moment vector."""
        raise NotImplementedError

    def _kernel(
        self, kernels: Kernels, params: np.ndarray, grads: np.ndarray, last: Last, lr: float
    ) -> bool | None:
        """Make the whole step by a native kernel; return None if there is none for these vectors.

        ``last`` are the optional vectors of :meth:`step`.
        """
        return None

    def _decay(
        self,
        params: np.ndarray,
        lr: float,
        multiplier: np.ndarray | None,
        decay_mask: np.ndarray | None,
    ) -> None:
        """Shrink ``params`` before the step, if the optimiser has weight decay."""

    def _follow(self, name: str, rate: float, target: np.ndarray) -> np.ndarray:
        """Update a moment vector, ``m <- rate m + (1 - rate) target``, and return it."""
        moment = self._moments[name]
        moment *= rate
        moment += np.multiply(target, 1.0 - rate, out=self._scratch)
        return moment

    def _squared(self, grads: np.ndarray) -> np.ndarray:
        return np.multiply(grads, grads, out=self._scratch)

    def _accelerate(self, direction: np.ndarray, momentum: float) -> np.ndarray:
        """Apply momentum to a direction d, ``u <- momentum u + d``, and return u."""
        if not momentum:
            return direction
        velocity = self._moments["velocity"]
        velocity *= momentum
        velocity += direction
        return velocity

    def _prepare(
        self,
        params: np.ndarray,
        grads: np.ndarray,
        multiplier: np.ndarray | None,
        decay_mask: np.ndarray | None,
        previous: np.ndarray | None,
    ) -> None:
        """Check the vectors; make the moment vectors at the first step."""
        for name, vector in (("params", params), ("grads", grads)):
            if not isinstance(vector, np.ndarray) or vector.dtype not in _FLOATS:
                expected, hint = (
                    "an array of float32 or float64",
                    "Pass the flat vector of a Params.",
                )
                raise InvalidTypeError(sentence(name, expected, describe(vector), hint))
        if params.ndim != 1:
            raise ShapeError(sentence("params", "one flat vector", describe(params)))
        form = (params.shape, params.dtype)
        if (grads.shape, grads.dtype) != form:
            expected = f"the form of params, {describe(params)}"
            raise ShapeError(sentence("grads", expected, describe(grads), must="have"))
        for name, factor in (("multiplier", multiplier), ("decay_mask", decay_mask)):
            if factor is None:
                continue
            if check_array(name, factor, finite=False).shape != params.shape:
                expected = f"of shape {params.shape}, one number a parameter"
                got = f"shape {np.shape(factor)}"
                raise ShapeError(sentence(name, expected, got, value=factor))
        if previous is not None and not (
            isinstance(previous, np.ndarray) and (previous.shape, previous.dtype) == form
        ):
            expected = f"None, or a buffer of the form of params, {describe(params)}"
            raise ShapeError(sentence("previous", expected, describe(previous)))
        if self._form is not None and self._form != form:
            shape, dtype = self._form
            before = f"the vector that this {type(self).__name__} has stepped before"
            expected = f"{before}, of shape {shape} and dtype {dtype}"
            hint = "Call reset() before using it for another network."
            raise ShapeError(sentence("params", expected, describe(params), hint))
        self._form = form
        for name in self._slots():
            if name not in self._moments:
                self._moments[name] = np.zeros_like(params)
