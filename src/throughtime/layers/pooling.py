"""Between sequences and vectors: last step, mean and maximum over time, all steps side by side,
and the repeated vector.

A pool of a whole sequence and the pool of a stream do the same operations in the same order, one
step after another, so that their results agree to the last bit, also the sign of a zero.
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
    """Base of the layers that make one vector of a sequence's real steps.

    A row without a real step gives zeros.
    """

    takes: ClassVar[tuple[str, ...]] = ("sequence",)

    def output_form(self, form: Form) -> Form:
        return Form("vector", form.features)


@LAYERS.register("LastStep")
@dataclass(frozen=True)
class LastStep(Pool):
    """The output at each sequence's last real step."""

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        rows, steps = np.arange(x.shape[0]), x.shape[1]
        last = np.full(x.shape[0], steps - 1)
        if mask is not None:
            last = steps - 1 - mask[:, ::-1].argmax(axis=1)
        # Masked steps are zero already, so a row without a real step gives zero.
        return Result(x[rows, last], None, (x.shape, rows, last))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        shape, rows, last = cache
        assert dy is not None
        dx = np.zeros(shape, dtype=dy.dtype)
        dx[rows, last] = dy
        return dx, None

    def stream_step(self, p: Any, x: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        return x, state


@LAYERS.register("MeanPool")
@dataclass(frozen=True)
class MeanPool(Pool):
    """The mean over each sequence's real steps."""

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
        # The sum has the features' size, known at the first step; until then it broadcasts.
        return np.zeros((rows, 1), dtype=dtype), np.zeros((rows, 1), dtype=dtype)

    def stream_step(self, p: Any, x: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        total, count = state[0] + x, state[1] + 1
        return total / count, (total, count)

    def stream_after(self, x: np.ndarray, mask: np.ndarray | None, final_state: Any) -> State:
        # NumPy's sum takes another order where time happens to be the axis with the smallest
        # stride. Masked steps are zero, and zero added to what began as zero changes no bit.
        total = np.zeros((x.shape[0], x.shape[2]), dtype=x.dtype)
        for t in range(x.shape[1]):
            total += x[:, t]
        steps = np.full(len(x), x.shape[1]) if mask is None else mask.sum(axis=1)
        return total, steps[:, None].astype(x.dtype)


@LAYERS.register("MaxPool")
@dataclass(frozen=True)
class MaxPool(Pool):
    """The maximum over each sequence's real steps; the earliest one gets the gradient of a tie."""

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        best = _real(x, mask).argmax(axis=1)[:, None]
        # Read from x, where masked steps are zero: a row without a real step gives zero.
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
        # As argmax decides: the earliest of equal ones (0 and -0), and NaN before all.
        best = np.where((old >= x) | np.isnan(old), old, x)
        return best, (best,)

    def stream_after(self, x: np.ndarray, mask: np.ndarray | None, final_state: Any) -> State:
        real = _real(x, mask)
        best = real.argmax(axis=1)[:, None]
        return (np.take_along_axis(real, best, axis=1)[:, 0],)


def _real(x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """``x`` with masked steps below all real ones."""
    return x if mask is None else np.where(mask[..., None], x, -np.inf)


@LAYERS.register("Flatten")
@dataclass(frozen=True)
class Flatten(Layer):
    """All steps of a sequence side by side in one vector: (N, T, F) in, (N, T F) out.

    Every sequence has exactly ``steps`` real steps, in a row as long as you like; masked steps are
    left out. A sequence of another number of steps is refused, because there would be no telling
    which weight of the next layer belongs to which step; one without a real step gives zeros.

    Parameters
    ----------
    steps : int
        T, the real steps of every sequence. The sizes of the weights after it depend on it.

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
    """Make a sequence of ``steps`` equal steps of a vector: one-to-many.

    Parameters
    ----------
    steps : int
        T of the output, at most 1048576.
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
