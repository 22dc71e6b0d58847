"""From sequences to vectors and back: last step, mean and maximum over time, flattening,
repetition.

A pool over a whole sequence does the same operations in the same order as a pool in a stream, one
step after another. So their results have the same bits, the sign of a zero included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.cells.base import State
from throughtime.errors import check_int
from throughtime.layers.base import LAYERS, Call, Layer, Result
from throughtime.layers.forms import Form, Steps
from throughtime.layers.windows import LONGEST


@dataclass(frozen=True)
class Pool(Layer):
    """Base of the layers that make one vector of the unmasked steps of a sequence.

    A row without an unmasked step gives zeros.
    """

    takes: ClassVar[tuple[str, ...]] = ("sequence",)

    def output_form(self, form: Form) -> Form:
        return Form("vector", form.features)

    def stream_fits(self, given: State, own: State) -> bool:
        # A state has its full width only after a step, so widths may differ.
        return len(given) == len(own) and all(
            a.shape == b.shape
            or (a.ndim == 2 and len(a) == len(b) and 1 in (a.shape[1], b.shape[1]))
            for a, b in zip(given, own, strict=True)
        )


@LAYERS.register("LastStep")
@dataclass(frozen=True)
class LastStep(Pool):
    """The value at the last unmasked step of each sequence."""

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        rows, steps = np.arange(x.shape[0]), x.shape[1]
        last = np.full(x.shape[0], steps - 1)
        if mask is not None:
            last = steps - 1 - mask[:, ::-1].argmax(axis=1)
        # Masked steps are zero already, so a row without an unmasked step gives zero.
        return Result(x[rows, last], None, (x.shape, rows, last, mask))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        shape, rows, last, mask = cache
        assert dy is not None
        dx = np.zeros(shape, dtype=dy.dtype)
        dx[rows, last] = dy if mask is None else np.where(mask.any(axis=1)[:, None], dy, 0)
        return dx, None

    def stream_step(self, p: Any, x: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        return x, state


@LAYERS.register("MeanPool")
@dataclass(frozen=True)
class MeanPool(Pool):
    """The mean over the unmasked steps of each sequence."""

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        total, count = self.stream_after(x, mask, None)
        count = np.maximum(count, 1)
        return Result(total / count, None, (x.shape[1], count, mask))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        steps, count, mask = cache
        assert dy is not None
        dx = np.repeat((dy / count)[:, None], steps, axis=1)
        return (dx if mask is None else np.where(mask[..., None], dx, 0)), None

    def stream_start(self, p: Any, rows: int, dtype: np.dtype) -> State:
        # The number of features is known at the first step; until then the sum broadcasts.
        return np.zeros((rows, 1), dtype=dtype), np.zeros((rows, 1), dtype=dtype)

    def stream_step(self, p: Any, x: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        total, count = state[0] + x, state[1] + 1
        return total / count, (total, count)

    def chunk_refusal(self) -> str | None:
        return "it looks at all steps at once"

    def stream_after(self, x: np.ndarray, mask: np.ndarray | None, final_state: Any) -> State:
        # Not x.sum(axis=1): its order of summation depends on the strides of x. Masked steps are
        # zero, and adding zero changes no bit of a sum that began as zero.
        total = np.zeros((x.shape[0], x.shape[2]), dtype=x.dtype)
        for t in range(x.shape[1]):
            total += x[:, t]
        steps = np.full(len(x), x.shape[1]) if mask is None else mask.sum(axis=1)
        return total, steps[:, None].astype(x.dtype)


@LAYERS.register("MaxPool")
@dataclass(frozen=True)
class MaxPool(Pool):
    """The maximum over the unmasked steps of each sequence.

    In a tie the earliest step gets the gradient.
    """

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        best = _real(x, mask).argmax(axis=1)[:, None]
        # Read from x, where masked steps are zero: a row without an unmasked step gives zero.
        return Result(np.take_along_axis(x, best, axis=1)[:, 0], None, (x.shape, best, mask))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        shape, best, mask = cache
        assert dy is not None
        dx = np.zeros(shape, dtype=dy.dtype)
        np.put_along_axis(dx, best, dy[:, None], axis=1)
        return (dx if mask is None else np.where(mask[..., None], dx, 0)), None

    def stream_start(self, p: Any, rows: int, dtype: np.dtype) -> State:
        return (np.full((rows, 1), -np.inf, dtype=dtype),)

    def stream_step(self, p: Any, x: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        (old,) = state
        # As argmax does: the earliest of equal values (0 equals -0), and NaN above all.
        best = np.where((old >= x) | np.isnan(old), old, x)
        return best, (best,)

    def chunk_refusal(self) -> str | None:
        return "it looks at all steps at once"

    def stream_after(self, x: np.ndarray, mask: np.ndarray | None, final_state: Any) -> State:
        real = _real(x, mask)
        best = real.argmax(axis=1)[:, None]
        return (np.take_along_axis(real, best, axis=1)[:, 0],)


def _real(x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """``x`` with -inf at masked steps."""
    return x if mask is None else np.where(mask[..., None], x, -np.inf)


@LAYERS.register("Flatten")
@dataclass(frozen=True)
class Flatten(Layer):
    """All steps of a sequence in one vector: (N, T, F) in, (N, T F) out.

    Masked steps are removed; after that every sequence must have exactly ``steps`` steps, because
    each weight of the next layer belongs to one step. A sequence without an unmasked step gives
    zeros.

    Parameters
    ----------
    steps : int
        Number of unmasked steps T of every sequence; it determines the size of the next weights.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If ``steps`` is no integer from 1 to 1048576.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.Flatten(4), tt.layers.Dense(1)], n_features=3)
    >>> net.params["1.W"].shape
    (12, 1)
    """

    steps: int

    takes: ClassVar[tuple[str, ...]] = ("sequence",)

    def __post_init__(self) -> None:
        check_int("steps", self.steps, 1, LONGEST)

    def output_form(self, form: Form) -> Form:
        return Form("vector", self.steps * form.features)

    def steps_refusal(self, steps: int) -> tuple[str, str] | None:
        if steps == self.steps:
            return None
        way = f"Write Flatten({steps}), or a pooling layer, which takes sequences of any length."
        return f"exactly {self.steps} steps in every sequence", way

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        if mask is None:
            return Result(x.reshape(len(x), -1), None, (x.shape, None))
        y = np.zeros((len(x), self.steps * x.shape[2]), x.dtype)
        y[mask.any(axis=1)] = x[mask].reshape(-1, y.shape[1])
        return Result(y, None, (x.shape, mask))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        shape, mask = cache
        assert dy is not None
        if mask is None:
            return dy.reshape(shape), None
        dx = np.zeros(shape, dtype=dy.dtype)
        dx[mask] = dy[mask.any(axis=1)].reshape(-1, shape[2])
        return dx, None

    def stream_refusal(self) -> str | None:
        return "it needs all steps of a sequence at once"


@LAYERS.register("RepeatVector")
@dataclass(frozen=True)
class RepeatVector(Layer):
    """Repeat a vector to make a sequence of ``steps`` equal steps: one-to-many.

    Parameters
    ----------
    steps : int
        Number of steps T of the output, at most 1048576.
    """

    steps: int

    takes: ClassVar[tuple[str, ...]] = ("vector",)

    def __post_init__(self) -> None:
        check_int("steps", self.steps, 1, LONGEST)

    def output_form(self, form: Form) -> Form:
        return Form("sequence", form.features, Steps(self.steps))

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        return Result(np.repeat(x[:, None], self.steps, axis=1), None)

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        assert dy is not None
        return dy.sum(axis=1), None

    def stream_refusal(self) -> str | None:
        return "it makes many steps of one"
