r"""Windows over time: the input steps of each output step of a convolution or a windowed pool.

A sequence consists of its unmasked steps x_0 ... x_{L-1}, in their order. Masked steps, padding or
holes, are removed. With k the size of a window, s its stride and d its dilation,

    u_{t,j} = x_{t s + j d - p},   j = 0 ... k - 1,   t = 0 ... L' - 1          (W1)

where p steps of padding come before the sequence, and x is zero outside of it. The padding p and
the number L' of windows depend on the length L of each sequence:

    "valid"    p = 0                                 L' = floor((L - D) / s) + 1
    "same"     p = floor(max((L' - 1) s + D - L, 0) / 2)    L' = ceil(L / s)    (W2)
    "causal"   p = D - 1                             L' = ceil(L / s)

with D = (k - 1) d + 1 steps from one end of a window to the other. Backwards, a step adds up the
gradients of all windows that contain it:

    dL/dx_i = sum over t, j with t s + j d - p = i of dL/du_{t,j}               (W1')

If each step has one window (s = 1, and not "valid"), its output has the place of the step, and the
mask stays the same. Otherwise the L' outputs of a sequence are at the start of its row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import as_strided

from throughtime.layers.base import Layer
from throughtime.layers.forms import Form, Steps

#: Largest span of a window, in steps, so that a model file cannot ask for much memory.
LONGEST = 2**20


@dataclass(frozen=True)
class Window:
    """The k, s and d of (W1), and the kind of padding of (W2)."""

    size: int
    stride: int
    dilation: int = 1
    padding: str = "valid"

    @property
    def span(self) -> int:
        """D: steps from the first one of a window to its last one."""
        return (self.size - 1) * self.dilation + 1

    @property
    def in_place(self) -> bool:
        """Whether each step has one window."""
        return self.stride == 1 and (self.padding != "valid" or self.span == 1)

    def count(self, steps: Any) -> Any:
        """L' of (W2), for a number or an array of numbers of steps."""
        if self.padding == "valid":
            return np.maximum((steps - self.span) // self.stride + 1, 0)
        return -(-steps // self.stride)

    def output_steps(self, steps: Steps | None) -> Steps | None:
        """The time axis of the outputs, where the axis of the inputs is ``steps``."""
        if steps is None or self.in_place or steps.count == 0:
            return steps
        # The array has one step even where no sequence is as long as a window.
        return steps.after(lambda count: max(int(self.count(count)), 1))

    def before(self, steps: np.ndarray) -> np.ndarray:
        """The padding p of (W2), for an array of numbers of steps."""
        if self.padding == "same":
            covered = (self.count(steps) - 1) * self.stride + self.span
            return np.maximum(covered - steps, 0) // 2
        return np.full_like(steps, self.span - 1 if self.padding == "causal" else 0)


@dataclass
class Windows:
    """The windows of a whole batch.

    O is the largest number of windows in a sequence, B the number of windows in the batch.

    Attributes
    ----------
    window : Window
    steps : ndarray of shape (N, Q, F)
        The unmasked steps of each sequence next to each other, after p steps of padding or of the
        past, and followed by zeros.
    inside : ndarray of bool of shape (N, Q), or None
        Which of ``steps`` belong to the sequence; None if these columns are the same in each row.
    begins, ends : ndarray of int of shape (N,), or int
        First column of ``steps`` with a step of the sequence, and the column after the last one.
    found : ndarray of bool of shape (N, O), or None
        Which windows exist; None if all of them do.
    mask : ndarray of bool of shape (N, T), or None
        Unmasked steps of the input.
    real : ndarray of bool of shape (N, T'), or None
        Unmasked steps of the output.
    outputs : int
        O.
    """

    window: Window
    steps: np.ndarray
    inside: np.ndarray | None
    begins: Any
    ends: Any
    found: np.ndarray | None
    mask: np.ndarray | None
    real: np.ndarray | None
    outputs: int

    @property
    def u(self) -> np.ndarray:
        """The u of (W1), (B, k, F)."""
        N, _, F = self.steps.shape
        row, step, feature = self.steps.strides
        s, d = self.window.stride, self.window.dilation
        shape = (N, self.outputs, self.window.size, F)
        every = as_strided(self.steps, shape, (row, s * step, d * step, feature), writeable=False)
        return every.reshape(-1, *shape[2:]) if self.found is None else every[self.found]

    @property
    def last(self) -> np.ndarray:
        """The last D - 1 steps of each sequence, of a causal window: (N, D - 1, F)."""
        return self.steps[self._last]

    @property
    def _last(self) -> Any:
        rows = np.arange(len(self.steps))[:, None]
        columns = np.reshape(self.ends, (-1, 1)) + np.arange(1 - self.window.span, 0)
        return rows, columns

    def place(self, rows: np.ndarray) -> np.ndarray:
        """Put the outputs of the windows, (B, K), in their places: (N, T', K)."""
        if self.real is None:
            return rows.reshape(len(self.steps), -1, rows.shape[1])
        y = np.zeros((*self.real.shape, rows.shape[1]), rows.dtype)
        y[self.real] = rows
        return y

    def collect(self, dy: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`place`."""
        return dy.reshape(-1, dy.shape[2]) if self.real is None else dy[self.real]

    def send_back(self, du: np.ndarray, d_last: np.ndarray | None = None) -> np.ndarray:
        """Compute (W1'): dL/d(steps) from dL/du (B, k, F) and dL/d(last) (N, D - 1, F)."""
        d_steps = np.zeros(self.steps.shape, du.dtype)
        if self.found is None:
            every = du.reshape(len(d_steps), self.outputs, *du.shape[1:])
        else:
            every = np.zeros((*self.found.shape, *du.shape[1:]), du.dtype)
            every[self.found] = du
        reach = (self.outputs - 1) * self.window.stride + 1
        for j in range(self.window.size if self.outputs else 0):
            first = j * self.window.dilation
            d_steps[:, first : first + reach : self.window.stride] += every[:, :, j]
        if d_last is not None:
            d_steps[self._last] += d_last
        return d_steps

    def inputs(self, d_steps: np.ndarray) -> np.ndarray:
        """The part of dL/d(steps) that is dL/dx (N, T, F)."""
        if self.mask is None:
            return np.ascontiguousarray(d_steps[:, self.begins : self.ends])
        dx = np.zeros((*self.mask.shape, d_steps.shape[2]), d_steps.dtype)
        dx[self.mask] = d_steps[self.inside]
        return dx


def find_windows(
    window: Window, x: np.ndarray, mask: np.ndarray | None, past: np.ndarray | None = None
) -> Windows:
    """Find the windows of all sequences.

    Parameters
    ----------
    window : Window
    x : ndarray of shape (N, T, F)
    mask : ndarray of bool of shape (N, T), or None
    past : ndarray of shape (N, (D - 1) F), optional
        The steps before x, for a causal window; zeros by default.
    """
    N, T, F = x.shape
    lengths = np.array([T]) if mask is None else mask.sum(axis=1)
    counts, before = window.count(lengths), window.before(lengths)
    ends = before + lengths
    outputs = int(counts.max())
    width = max(int(ends.max()), (outputs - 1) * window.stride + window.span)
    steps = np.zeros((N, width, F), x.dtype)
    if past is not None:
        steps[:, : window.span - 1] = past.reshape(N, -1, F)
    if mask is None:
        steps[:, before[0] : ends[0]] = x
        return Windows(window, steps, None, int(before[0]), int(ends[0]), None, None, None, outputs)
    columns = np.arange(width)
    inside = (columns >= before[:, None]) & (columns < ends[:, None])
    steps[inside] = x[mask]
    found = np.arange(outputs) < counts[:, None]
    real = mask
    if not window.in_place:
        real = np.arange(max(int(window.count(T)), 1)) < counts[:, None]
    return Windows(window, steps, inside, before, ends, found, mask, real, outputs)


@dataclass(frozen=True)
class Windowed(Layer):
    """Base of the layers that apply a window over time."""

    takes: ClassVar[tuple[str, ...]] = ("sequence",)
    #: What to do where a sequence is shorter than a window.
    shorter: ClassVar[str] = "Make size smaller, or leave shorter sequences out."

    @property
    def window(self) -> Window:
        """The window with this layer's options."""
        raise NotImplementedError

    def output_form(self, form: Form) -> Form:
        return replace(form, steps=self.window.output_steps(form.steps))

    def steps_refusal(self, steps: int) -> tuple[str, str] | None:
        if self.window.padding != "valid" or steps >= self.window.span:
            return None
        return f"at least {self.window.span} steps in every sequence", self.shorter

    def stream_refusal(self) -> str | None:
        return "it does not put out one step for each step that it takes"
