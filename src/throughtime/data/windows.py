"""Sliding windows over one series or text: what a network reads, and what it must predict.

Window ``i`` starts at ``s = i * stride`` and reads the steps ``s ... s + window - 1``. Its target
is the ``horizon`` steps that begin ``gap`` steps after the end of the window::

    | s ... s+window-1 |  gap  | horizon |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import (
    DataError,
    InvalidTypeError,
    ShapeError,
    check_array,
    check_choice,
    check_int,
    sentence,
)

__all__ = ["Windows", "ahead", "count_windows", "next_tokens", "sliding_windows"]

#: The way out where a series has NaN.
MISSING = "Fill it, or pass missing='drop' or missing='mask'."


@dataclass(frozen=True)
class Windows:
    """Windows over a series; N windows, F features, K targets.

    Attributes
    ----------
    x : ndarray of shape (N, window, F)
    y : ndarray of shape (N, horizon, K)
    starts : ndarray of shape (N,)
        The step of the series at which each window begins.
    mask : ndarray of bool of shape (N, window), or None
        True where every feature is known; None if all are.
    y_mask : ndarray of bool of shape (N, horizon), or None
        True where every target is known; None if all are.
    """

    x: np.ndarray
    y: np.ndarray
    starts: np.ndarray
    mask: np.ndarray | None = None
    y_mask: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.starts)


def count_windows(
    steps: int, window: int, horizon: int = 1, *, stride: int = 1, gap: int = 0
) -> int:
    """How many windows fit into a series of ``steps`` steps (0 if it is too short).

    Examples
    --------
    >>> count_windows(10, window=4, horizon=2)
    5
    """
    steps = check_int("steps", steps, 0)
    span = _span(window, horizon, stride, gap)
    return max(0, (steps - span) // stride + 1)


def _span(window: int, horizon: int, stride: int, gap: int) -> int:
    """Check the sizes; return the steps from the start of a window to the end of its target."""
    check_int("stride", stride, 1)
    check_int("window", window, 1)
    check_int("horizon", horizon, 0)
    check_int("gap", gap, 0)
    return window + (gap + horizon if horizon else 0)


def sliding_windows(
    series: Any,
    window: int,
    horizon: int = 1,
    *,
    target: Any = None,
    stride: int = 1,
    gap: int = 0,
    missing: str = "error",
) -> Windows:
    """Cut a series into windows and their targets.

    Parameters
    ----------
    series : array of shape (T, F) or (T,), or Series
        The series that the windows are cut from.
    window, horizon : int
        Number of steps to read, and number of steps to predict. ``horizon=0`` gives windows
        without targets.
    target : array of shape (T, K) or (T,), optional
        The series that the targets are cut from, with the same steps; by default ``series``. Pass
        the unfilled series here if ``series`` was filled by interpolation: no filled value is then
        a target.
    stride : int
        Steps from the start of one window to the start of the next.
    gap : int
        Steps between the end of a window and its first target.
    missing : {"error", "drop", "mask"}
        Treatment of NaN. "error" refuses it. "drop" drops every window that contains it. "mask"
        replaces it by zero and marks it in ``mask`` and ``y_mask``; only windows without any known
        step, or without any known target, are dropped.

    Returns
    -------
    Windows
        ``x`` and ``y`` are read-only views into the series if no window was dropped or changed.

    Raises
    ------
    DataError
        If the series is too short for one window, if it holds NaN (with ``"error"``), or if no
        window is left.

    Examples
    --------
    >>> w = sliding_windows(np.arange(6.0), window=3, horizon=2)
    >>> w.x[..., 0]
    array([[0., 1., 2.],
           [1., 2., 3.]])
    >>> w.y[..., 0]
    array([[3., 4.],
           [4., 5.]])
    """
    check_choice("missing", missing, ("error", "drop", "mask"))
    span = _span(window, horizon, stride, gap)
    source = _columns("series", getattr(series, "values", series), missing == "error")
    aim = source if target is None else _columns("target", target, missing == "error")
    steps = source.shape[0]
    if aim.shape[0] != steps:
        raise ShapeError(
            sentence("target", f"{steps} steps, as series has", f"{aim.shape[0]}", must="have")
        )
    n = count_windows(steps, window, horizon, stride=stride, gap=gap)
    if n == 0:
        raise DataError(
            sentence(
                "series",
                f"at least {span} steps for window={window}, horizon={horizon} and gap={gap}",
                f"{steps}",
                "Use a shorter window or horizon, or bring more data.",
                must="have",
            )
        )
    x = _views(source, 0, window, stride, n)
    y = _views(aim, window + gap, horizon, stride, n)
    starts = np.arange(n) * stride
    if missing == "error":
        return Windows(x, y, starts)
    mask, y_mask = ~np.isnan(x).any(axis=2), ~np.isnan(y).any(axis=2)
    if mask.all() and y_mask.all():
        return Windows(x, y, starts)
    if missing == "drop":
        keep = mask.all(axis=1) & y_mask.all(axis=1)
    else:
        keep = mask.any(axis=1) & (y_mask.any(axis=1) | (horizon == 0))
    if not keep.any():
        values = "without missing values" if missing == "drop" else "with known values"
        expected = f"at least one window of {span} steps {values}"
        hint = "Fill missing values first, or use a shorter window."
        raise DataError(sentence("series", expected, "none", hint, must="have"))
    x, y, starts = x[keep], y[keep], starts[keep]
    mask, y_mask = mask[keep], y_mask[keep]
    return Windows(
        np.where(mask[..., None], x, 0.0),
        np.where(y_mask[..., None], y, 0.0),
        starts,
        None if mask.all() else mask,
        None if y_mask.all() else y_mask,
    )


def ahead(series: Any, steps: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Pair every step of a series with the one ``steps`` later: learn y(t) -> y(t + dt).

    Parameters
    ----------
    series : array of shape (T, F) or (T,), or Series
    steps : int
        Number of steps ahead.

    Returns
    -------
    x, y : ndarray of shape (1, T - steps, F)
        One sequence and its targets, read-only views into the series.

    Raises
    ------
    DataError
        If the series is too short, or holds NaN.

    Examples
    --------
    >>> x, y = ahead([1.0, 2.0, 3.0, 4.0], steps=2)
    >>> x[0, :, 0], y[0, :, 0]
    (array([1., 2.]), array([3., 4.]))
    """
    check_int("steps", steps, 1)
    source = _columns("series", getattr(series, "values", series), True, "Fill it first.")
    if len(source) <= steps:
        raise DataError(
            sentence(
                "series",
                f"at least {steps + 1} steps for steps={steps}",
                f"{len(source)}",
                must="have",
            )
        )
    source = np.broadcast_to(source, (1, *source.shape))
    return source[:, :-steps], source[:, steps:]


def next_tokens(
    tokens: Any, window: int, *, stride: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a text into windows, each with the next token of every step: for language models.

    Parameters
    ----------
    tokens : int array of shape (T,)
        The text, as :meth:`throughtime.data.Vocabulary.encode` gives it.
    window : int
        Number of tokens in a window.
    stride : int, optional
        Steps from the start of one window to the start of the next; by default ``window``, so that
        every token is read once. What fills no window at the end is dropped.

    Returns
    -------
    x, y : ndarray of int of shape (N, window)
        Windows and, one token later, their targets: read-only views into the text.

    Raises
    ------
    DataError
        If the text is too short for one window.

    Examples
    --------
    >>> x, y = next_tokens([3, 1, 4, 1, 5, 9, 2], window=3)
    >>> x
    array([[3, 1, 4],
           [1, 5, 9]])
    >>> y
    array([[1, 4, 1],
           [5, 9, 2]])
    """
    check_int("window", window, 1)
    stride = window if stride is None else check_int("stride", stride, 1)
    text = check_array("tokens", tokens, shape=("T",), finite=False)
    if text.dtype.kind not in "iu":
        raise InvalidTypeError(
            sentence("tokens", "integers", f"an array of dtype {text.dtype}", must="hold")
        )
    if len(text) <= window:
        expected = f"at least {window + 1} tokens for window={window}"
        raise DataError(sentence("tokens", expected, f"{len(text)}", must="have"))
    view = np.lib.stride_tricks.sliding_window_view
    return view(text[:-1], window)[::stride], view(text[1:], window)[::stride]


def _columns(name: str, value: Any, finite: bool, hint: str = MISSING) -> np.ndarray:
    """A series as an array ``(T, F)`` of floats."""
    array = check_array(name, value, finite=False)
    if finite:
        check_array(name, array, hint=hint)
    if array.ndim not in (1, 2):
        raise ShapeError(sentence(name, "of shape (T, F) or (T,)", f"shape {array.shape}"))
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    if np.isinf(array).any():
        raise DataError(sentence(name, "finite or NaN", "an infinity"))
    return array[:, None] if array.ndim == 1 else array


def _views(array: np.ndarray, first: int, width: int, stride: int, n: int) -> np.ndarray:
    """``n`` views of ``width`` steps, the first at step ``first``: ``(n, width, F)``."""
    if width == 0:
        return np.empty((n, 0, array.shape[1]), array.dtype)
    parts = np.lib.stride_tricks.sliding_window_view(array[first:], width, axis=0)
    return parts[: (n - 1) * stride + 1 : stride].swapaxes(1, 2)
