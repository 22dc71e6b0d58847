"""Layers without parameters that move or repeat steps, or take some of the features.

A sequence consists of its unmasked steps, in their order. Where an output has other steps than the
input, those of a sequence are at the start of its row, and the rest of the row is masked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from throughtime.errors import InvalidArgumentError, check_int, describe, sentence
from throughtime.layers.base import LAYERS, Call, Layer, Result
from throughtime.layers.forms import Form
from throughtime.layers.windows import LONGEST


@dataclass(frozen=True)
class OfSteps(Layer):
    """Base of the layers that move steps."""

    takes: ClassVar[tuple[str, ...]] = ("sequence",)


@LAYERS.register("TimeReverse")
@dataclass(frozen=True)
class TimeReverse(OfSteps):
    """Each sequence from its last unmasked step to its first; masked steps stay where they are.

    Twice in a row it changes nothing.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.TimeReverse()], n_features=1)
    >>> x = np.array([[[1.0], [2.0], [3.0], [0.0]]])
    >>> net.predict(x, lengths=[3]).ravel()
    array([3., 2., 1., 0.], dtype=float32)
    """

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        if mask is None:
            return Result(x[:, ::-1].copy(), None, None)
        y = np.zeros_like(x)
        y[mask] = x[mask][_turned(mask)]
        return Result(y, mask, mask)

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        assert dy is not None
        return self.forward(None, dy, cache, None, Call()).y, None  # it is its own inverse

    def stream_refusal(self) -> str | None:
        return "it reads each sequence from its end, which a stream has not seen yet"


def _turned(mask: np.ndarray) -> np.ndarray:
    """For each unmasked step, in the order of rows, the number of the one that takes its place."""
    counts = mask.sum(axis=1)
    ends = np.cumsum(counts)
    own = np.arange(ends[-1] if len(ends) else 0)
    # In a row with the steps a ... b - 1, step i takes the place of a + b - 1 - i.
    return np.repeat(2 * ends - counts - 1, counts) - own


@LAYERS.register("SliceSteps")
@dataclass(frozen=True)
class SliceSteps(OfSteps):
    """The steps from ``start`` to ``stop`` of each sequence, as in ``x[start:stop]``.

    Numbers below 0 count from the end of each sequence, which is its last unmasked step.

    Parameters
    ----------
    start : int
        First step.
    stop : int, optional
        The step behind the last one; None for the end of the sequence.

    Raises
    ------
    InvalidArgumentError
        If the slice is always empty, or ``start`` counts from the end and ``stop`` from the start.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.SliceSteps(-2)], n_features=1)
    >>> x = np.array([[[1.0], [2.0], [3.0], [0.0]]])
    >>> net.predict(x, lengths=[3])[0, :2].ravel()
    array([2., 3.], dtype=float32)
    """

    start: int
    stop: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("start", self.start, -LONGEST, LONGEST)
        if self.stop is None:
            return
        check_int("stop", self.stop, -LONGEST, LONGEST)
        same_end = (self.start < 0) == (self.stop < 0)
        if (same_end and self.stop <= self.start) or self.start < 0 <= self.stop:
            expected = f"None or an integer {'below 0 and ' if self.start < 0 else ''}"
            expected += f"above start={self.start}" + (", or below 0" if self.start >= 0 else "")
            raise InvalidArgumentError(sentence("stop", expected, describe(self.stop)))

    def _ends(self, steps: Any) -> tuple[Any, Any]:
        """First step, and how many, of sequences of so many steps: a number or an array."""
        first = self.start if self.start >= 0 else np.maximum(steps + self.start, 0)
        last = steps
        if self.stop is not None:
            last = steps + self.stop if self.stop < 0 else np.minimum(steps, self.stop)
        return first, np.maximum(last - first, 0)

    @property
    def _least(self) -> int:
        """Fewest steps of which something remains."""
        from_end = self.stop is not None and self.stop < 0
        return max(self.start, 0) + 1 - (self.stop or 0) * from_end

    def output_form(self, form: Form) -> Form:
        assert form.steps is not None
        # The array has one step even where no sequence is as long.
        return replace(form, steps=form.steps.after(lambda n: max(int(self._ends(n)[1]), 1)))

    def steps_refusal(self, steps: int) -> tuple[str, str] | None:
        if steps >= self._least:
            return None
        return f"at least {self._least} steps in every sequence", "Leave shorter sequences out."

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        lengths = np.full(len(x), x.shape[1]) if mask is None else mask.sum(axis=1)
        first, count = self._ends(lengths)
        width = max(int(self._ends(x.shape[1])[1]), 1)
        found = np.arange(width) < count[:, None]
        rank = np.arange(x.shape[1])[None] if mask is None else np.cumsum(mask, axis=1) - 1
        taken = (rank >= np.reshape(first, (-1, 1))) & (rank < np.reshape(first + count, (-1, 1)))
        taken = taken if mask is None else taken & mask
        y = np.zeros((len(x), width, x.shape[2]), x.dtype)
        y[found] = x[taken]
        return Result(y, None if mask is None else found, (taken, found))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        taken, found = cache
        assert dy is not None
        dx = np.zeros((*taken.shape, dy.shape[2]), dy.dtype)
        dx[taken] = dy[found]
        return dx, None

    def stream_refusal(self) -> str | None:
        return "it does not put out one step for each step that it takes"


@LAYERS.register("Repeat")
@dataclass(frozen=True)
class Repeat(OfSteps):
    """Each step ``times`` times in a row, as in Keras's ``UpSampling1D``.

    :class:`RepeatVector` makes a sequence of a vector.

    Parameters
    ----------
    times : int
        How often each step occurs in the output.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.Repeat(2)], n_features=1)
    >>> net.predict([[[1.0], [2.0]]]).ravel()
    array([1., 1., 2., 2.], dtype=float32)
    """

    times: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("times", self.times, 1, LONGEST)

    def output_form(self, form: Form) -> Form:
        assert form.steps is not None
        return replace(form, steps=form.steps.after(lambda n: n * self.times))

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        if mask is None:
            return Result(np.repeat(x, self.times, axis=1), None, (None, None))
        inside = np.arange(x.shape[1]) < mask.sum(axis=1)[:, None]
        front = np.zeros_like(x)
        front[inside] = x[mask]
        real = np.repeat(inside, self.times, axis=1)
        return Result(np.repeat(front, self.times, axis=1), real, (mask, inside))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        mask, inside = cache
        assert dy is not None
        d_front = dy[:, :: self.times].copy()
        for k in range(1, self.times):
            d_front += dy[:, k :: self.times]
        if mask is None:
            return d_front, None
        dx = np.zeros_like(d_front)
        dx[mask] = d_front[inside]
        return dx, None

    def stream_refusal(self) -> str | None:
        return "it makes many steps of one"


@LAYERS.register("SliceFeatures")
@dataclass(frozen=True)
class SliceFeatures(Layer):
    """The features from ``start`` to ``stop`` of each step or vector, as in ``x[..., start:stop]``.

    Numbers below 0 count from the last feature.

    Parameters
    ----------
    start : int
        First feature.
    stop : int, optional
        The feature behind the last one; None for all up to the end.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.SliceFeatures(1, 3)], n_features=4)
    >>> net.predict([[[1.0, 2.0, 3.0, 4.0]]]).ravel()
    array([2., 3.], dtype=float32)
    """

    start: int
    stop: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("start", self.start)
        if self.stop is not None:
            check_int("stop", self.stop)

    def refusal(self, forms: tuple[Form, ...]) -> str | None:
        features = forms[0].features
        if len(range(features)[self.start : self.stop]):
            return None
        text = f"{self.start}:{'' if self.stop is None else self.stop}"
        return f"there are no features {text} among {features}."

    def output_form(self, form: Form) -> Form:
        return replace(form, features=len(range(form.features)[self.start : self.stop]))

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        y = x[..., self.start : self.stop]
        y = y.copy() if mask is None else np.where(mask[..., None], y, 0)
        return Result(y, mask, (x.shape, mask))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        assert dy is not None
        shape, mask = cache
        dx = np.zeros(shape, dy.dtype)
        dx[..., self.start : self.stop] = dy if mask is None else np.where(mask[..., None], dy, 0)
        return dx, None
