"""A user-defined function as a loss, with its gradient or without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime import autodiff
from throughtime.errors import ShapeError, check_array, check_function, sentence
from throughtime.losses.base import Loss, Terms
from throughtime.losses.checks import shape_hint


@dataclass(frozen=True)
class Custom(Loss):
    """A user-defined function as a loss.

    The function returns the loss of each step. Masks, weights and the mean or sum over the steps
    are applied afterwards, as for every other loss: the function never receives a masked step or a
    step of weight zero. All numbers it receives are float64, except integer targets.

    Parameters
    ----------
    function : callable
        Without ``gradient``: a ``jax.numpy`` function of one step, ``f(y, target)`` with y of
        shape (K,), that returns its loss, or the terms of it (for example K of them), of which the
        mean is taken. It is differentiated automatically (needs the ``autodiff`` extra).
        With ``gradient``: a NumPy function of M steps at once, y of shape (M, K), that returns an
        array of shape (M,), or (M, E) for E terms of each step.
    gradient : callable, optional
        A NumPy function of the same arguments that returns the derivative of the sum of what
        ``function`` returns, of shape (M, K).
    reduction : {"mean", "sum"}
        As in :class:`Loss`.

    Examples
    --------
    >>> import numpy as np
    >>> quartic = Custom(lambda y, t: (y - t) ** 4, gradient=lambda y, t: 4 * (y - t) ** 3)
    >>> value, dy = quartic(np.array([[1.0], [3.0]]), [[0.0], [2.0]], mask=np.array([False, True]))
    >>> value, dy.tolist()
    (1.0, [[0.0], [4.0]])
    """

    function: Callable[[Any, Any], Any]
    gradient: Callable[[Any, Any], Any] | None = None

    separable: ClassVar[bool] = False  # the function may rely on getting all steps at once

    def __post_init__(self) -> None:
        super().__post_init__()
        check_function("function", self.function, ("y", "target"))
        if self.gradient is not None:
            check_function("gradient", self.gradient, ("y", "target"))

    @property
    def name(self) -> str:
        return autodiff.name_of(self.function).strip("'")

    def terms(self, y: np.ndarray, target: np.ndarray, limits: np.finfo) -> Terms:
        if self.gradient is None:
            terms, derivative = autodiff.value_and_gradient(self.function, y, target)
        else:
            terms = np.asarray(self.function(y, target), dtype=np.float64)
            derivative = np.asarray(self.gradient(y, target), dtype=np.float64)
            if derivative.shape != y.shape:
                raise ShapeError(
                    sentence(
                        f"the gradient of loss {self.name!r}",
                        f"the shape of y, {y.shape}",
                        f"shape {derivative.shape}",
                        must="have",
                    )
                )
        n_steps = len(y)
        if terms.ndim not in (1, 2) or len(terms) != n_steps or terms.size == 0:
            raise ShapeError(
                sentence(
                    f"loss {self.name!r}",
                    f"one number, or one row of numbers, for each of {n_steps} steps",
                    f"shape {terms.shape}",
                    "The mean or sum over the steps is taken afterwards.",
                    must="return",
                )
            )
        return terms.reshape(n_steps, -1), derivative

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return ``target`` as an array with the leading axes of the outputs, or refuse it.

        Parameters
        ----------
        target : array-like of shape (N, J) or (N, T, J)
            Targets with any number J of columns. Integers, for example class numbers, may have
            shape (N,) or (N, T); so may all targets of a network with one output, where J is 1.
        y_shape : tuple of int
            Shape of the outputs, (N, K) or (N, T, K).
        mask : ndarray of bool, of shape y_shape[:-1], optional
            True at the steps that count. The others may hold anything.
        """
        steps = tuple(y_shape[:-1])
        array = check_array("y", target, finite=False)
        if y_shape[-1] == 1 and array.shape == steps:
            array = array[..., None]
        columns = array.ndim == len(y_shape) and array.shape[:-1] == steps
        if not columns and not (array.shape == steps and array.dtype.kind in "iu"):
            expected = f"of shape {tuple(y_shape)}, or as many rows with any columns"
            raise ShapeError(
                sentence("y", expected, f"shape {array.shape}", shape_hint(array, tuple(y_shape)))
            )
        self.check_values(array, mask)
        return array.astype(np.float64) if array.dtype.kind == "f" else array
