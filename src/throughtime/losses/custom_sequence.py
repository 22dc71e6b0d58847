"""A user-defined function of whole sequences as a loss, with its gradient or without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from throughtime import autodiff
from throughtime.errors import ShapeError, check_array, check_bool, check_function, sentence
from throughtime.losses.base import Terms
from throughtime.losses.checks import shape_hint
from throughtime.losses.sequence import SequenceLoss

ARGUMENTS = ("y", "target", "mask")


@dataclass(frozen=True)
class CustomSequence(SequenceLoss):
    """A user-defined function of whole sequences as a loss.

    Parameters
    ----------
    function : callable
        Without ``gradient``: a ``jax.numpy`` function of one sequence, ``f(y, target, mask)`` with
        y of shape (T, K) and mask of shape (T,), that returns its loss, one number. It is
        differentiated automatically (needs the ``autodiff`` extra), and compiled once for each T.
        With ``gradient``: a NumPy function of N sequences at once, y of shape (N, T, K) and mask of
        shape (N, T), that returns an array of shape (N,). All sequences have an unmasked step;
        outputs at masked steps are zero.
    gradient : callable, optional
        A NumPy function of the same arguments that returns the derivative of the sum of what
        ``function`` returns, of shape (N, T, K). What it holds at masked steps is ignored.
    aligned : bool
        Whether a target has the time steps of the output. Ragged targets are then padded with
        zeros, and a target must have shape (N, T) or (N, T, J); otherwise any (N, ...).
    reduction : {"mean", "sum"}
        As in :class:`SequenceLoss`.

    Examples
    --------
    The error of the sum over time:

    >>> import numpy as np
    >>> def squared(y, target, mask):
    ...     return (y.sum(axis=(1, 2)) - target) ** 2
    >>> def slope(y, target, mask):
    ...     return (2 * (y.sum(axis=(1, 2)) - target))[:, None, None] * np.ones_like(y)
    >>> loss = CustomSequence(squared, slope, aligned=False)
    >>> value, dy = loss(np.ones((1, 3, 1)), [1.0], mask=np.array([[True, True, False]]))
    >>> value, dy[0, :, 0].tolist()
    (1.0, [2.0, 2.0, 0.0])
    """

    function: Callable[[Any, Any, Any], Any]
    gradient: Callable[[Any, Any, Any], Any] | None = None
    # For the other losses a fact about the class; here an option.
    aligned: bool = field(default=True, kw_only=True)  # type: ignore[misc]  # see above

    separable: ClassVar[bool] = False  # the function may rely on getting all sequences at once

    def __post_init__(self) -> None:
        super().__post_init__()
        check_function("function", self.function, ARGUMENTS)
        if self.gradient is not None:
            check_function("gradient", self.gradient, ARGUMENTS)
        check_bool("aligned", self.aligned)

    @property
    def name(self) -> str:
        return autodiff.name_of(self.function).strip("'")

    def sequence_terms(
        self, y: np.ndarray, target: np.ndarray, mask: np.ndarray, limits: np.finfo
    ) -> Terms:
        if self.gradient is None:
            terms, derivative = autodiff.value_and_gradient(self.function, y, target, mask)
        else:
            terms = np.asarray(self.function(y, target, mask), dtype=np.float64)
            derivative = np.asarray(self.gradient(y, target, mask), dtype=np.float64)
        for what, array, shape in (
            (f"loss {self.name!r}", terms, (len(y),)),
            (f"the gradient of loss {self.name!r}", derivative, y.shape),
        ):
            if array.shape != shape:
                got = f"shape {array.shape}"
                raise ShapeError(sentence(what, f"an array of shape {shape}", got, must="return"))
        return terms, derivative

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return ``target`` as an array with a row for each sequence, or refuse it.

        Parameters
        ----------
        target : array-like of shape (N, T), (N, T, J) or, if not :attr:`aligned`, (N, ...)
        y_shape : tuple of int
            Shape of the outputs, (N, T, K).
        mask : ndarray of bool, of shape (N, T), optional
            True at the steps that count. The others may hold anything.
        """
        self.check_axes(y_shape)
        array = check_array("y", target, finite=False)
        axes = y_shape[: 2 if self.aligned else 1]
        if array.shape[: len(axes)] != axes:
            expected = f"of shape ({', '.join(map(str, axes))}, ...)"
            hint = shape_hint(array, tuple(y_shape))
            raise ShapeError(sentence("y", expected, f"shape {array.shape}", hint))
        if mask is not None and not self.aligned:
            mask = np.asarray(mask.any(axis=1))
        self.check_values(array, mask)
        if mask is not None:  # the function sees these steps too
            array = np.where(mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim)), array, 0)
        return array.astype(np.float64) if array.dtype.kind == "f" else array
