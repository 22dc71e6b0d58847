r"""Maximum and mean over windows of time; the output has fewer steps than the input.

With the windows u_t of (W1) in :mod:`throughtime.layers.windows`, "valid" and without dilation,

    MaxPool1D     y_t = max over j of u_{t,j}                                   (W5)
    MeanPool1D    y_t = (1 / k) sum over j of u_{t,j}                           (W6)

for each feature separately. Backwards, with j* the earliest j of the maximum,

    dL/du_{t,j} = dL/dy_t at j = j*, else 0                                     (W5')
    dL/du_{t,j} = dL/dy_t / k                                                   (W6')

and (W1') takes dL/du to the inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import check_int
from throughtime.layers.base import LAYERS, Call, Result
from throughtime.layers.forms import Form
from throughtime.layers.windows import LONGEST, Window, Windowed, find_windows


@dataclass(frozen=True)
class WindowPool(Windowed):
    """Options that both pools share; see :class:`MaxPool1D`."""

    size: int
    stride: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("size", self.size, 1, LONGEST)
        if self.stride is not None:
            check_int("stride", self.stride, 1, LONGEST)

    def pass_size(self, form: Form, after: Form) -> int:
        return (self.size + 2) * after.size

    @property
    def window(self) -> Window:
        return Window(self.size, self.size if self.stride is None else self.stride)


@LAYERS.register("MaxPool1D")
@dataclass(frozen=True)
class MaxPool1D(WindowPool):
    """The maximum of each window of ``size`` steps; in a tie the earliest gets the gradient.

    Masked steps are removed first. A sequence of L unmasked steps has (L - size) // stride + 1
    windows, whose outputs are at the start of its row. Steps at the end that fill no window are
    ignored. A sequence that is shorter than a window is refused.

    Parameters
    ----------
    size : int
        Number of steps k in a window.
    stride : int, optional
        Distance s, in steps, from one window to the next; by default ``size``.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.MaxPool1D(2)], n_features=1)
    >>> net.predict([[3.0, 1.0, 2.0, 5.0, 9.0]]).ravel()
    array([3., 5.], dtype=float32)
    """

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        windows = find_windows(self.window, x, mask)
        u = windows.u
        best = u.argmax(axis=1)[:, None]
        rows = np.take_along_axis(u, best, axis=1)[:, 0]  # (W5)
        return Result(windows.place(rows), windows.real, (windows, best))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        windows, best = cache
        assert dy is not None
        if not inputs:
            return None, None
        rows = windows.collect(dy)
        du = np.zeros((len(rows), self.size, rows.shape[1]), rows.dtype)
        np.put_along_axis(du, best, rows[:, None], axis=1)  # (W5')
        return windows.inputs(windows.send_back(du)), None


@LAYERS.register("MeanPool1D")
@dataclass(frozen=True)
class MeanPool1D(WindowPool):
    """The mean of each window of ``size`` steps.

    Masked steps are removed first. A sequence of L unmasked steps has (L - size) // stride + 1
    windows, whose outputs are at the start of its row. Steps at the end that fill no window are
    ignored. A sequence that is shorter than a window is refused.

    Parameters
    ----------
    size : int
        Number of steps k in a window.
    stride : int, optional
        Distance s, in steps, from one window to the next; by default ``size``.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.MeanPool1D(2, stride=1)], n_features=1)
    >>> net.predict([[3.0, 1.0, 2.0, 5.0]]).ravel()
    array([2. , 1.5, 3.5], dtype=float32)
    """

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        windows = find_windows(self.window, x, mask)
        # Not u.sum(axis=1): its order of summation depends on the strides of u. This order is the
        # same for every window of every batch.
        u = windows.u
        total = np.zeros((len(u), x.shape[2]), x.dtype)
        for j in range(self.size):
            total += u[:, j]
        rows = total / x.dtype.type(self.size)  # (W6)
        return Result(windows.place(rows), windows.real, windows)

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        windows = cache
        assert dy is not None
        if not inputs:
            return None, None
        rows = windows.collect(dy) / dy.dtype.type(self.size)  # (W6')
        du = np.broadcast_to(rows[:, None], (len(rows), self.size, rows.shape[1]))
        return windows.inputs(windows.send_back(du)), None
