"""Automatic differentiation of user-defined functions, by JAX (the ``autodiff`` extra).

All of throughtime's own functions have a derivative written by hand. This module is for
user-defined functions without one. JAX is imported at the first use. Its global settings are not
changed: float64 is switched on within each call only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from throughtime.errors import DataError, InvalidTypeError, import_extra, sentence

ArrayFunction = Callable[..., Any]


#: What needs no JAX, for the message if JAX is not installed.
OWN_ACTIVATION = "activations.Custom(f, derivative=...)"
OWN_LOSS = "losses.Custom(f, gradient=...)"


def _jax(function: ArrayFunction, instead: str = "") -> ModuleType:
    purpose = f"The automatic derivative of {name_of(function)}"
    hint = f"Or write the derivative yourself, which needs nothing: {instead}" if instead else ""
    return import_extra("jax", "autodiff", purpose, hint)


def name_of(function: ArrayFunction) -> str:
    """The name of a user-defined function in messages."""
    return f"{getattr(function, '__name__', type(function).__name__)!r}"


@functools.lru_cache(maxsize=64)
def _compiled(function: ArrayFunction, batched: tuple[bool, ...]) -> ArrayFunction:
    """``(args, cotangent) -> (value, cotangents of args)``, compiled once for each function."""
    jax = _jax(function)
    mapped = function
    if any(batched):
        mapped = jax.vmap(function, in_axes=tuple(0 if b else None for b in batched))

    def value_and_pullback(args: tuple[Any, ...], cotangent: Any) -> tuple[Any, Any]:
        value, pullback = jax.vjp(mapped, *args)
        return value, pullback(cotangent)

    return jax.jit(value_and_pullback)


def evaluate(function: ArrayFunction, x: np.ndarray) -> np.ndarray:
    """Apply ``function`` to every row of ``x (..., H)``; return an array of the same shape."""
    jax = _jax(function, OWN_ACTIVATION)
    rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    with jax.enable_x64(True):
        value = _call(function, lambda: _mapped(function)(rows))
        if value.shape != rows.shape:
            raise InvalidTypeError(
                sentence(
                    f"{name_of(function)}",
                    "as many numbers as it takes",
                    f"{value.shape[1:]} for a row of {rows.shape[1:]}",
                    must="return",
                )
            )
        return np.asarray(value, dtype=x.dtype).reshape(x.shape)


@functools.lru_cache(maxsize=64)
def _mapped(function: ArrayFunction) -> ArrayFunction:
    jax = _jax(function)
    return jax.jit(jax.vmap(function))


def vjp(function: ArrayFunction, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Vector-Jacobian product of a row-wise ``function`` at ``x (..., H)`` with ``dy (..., H)``.

    Raises
    ------
    DataError
        If the derivative is not finite although the function is: a step of the formula overflows,
        as in ``1 / (1 + exp(-x))`` at x = -100 in float32.
    """
    jax = _jax(function, OWN_ACTIVATION)
    rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    with jax.enable_x64(True):
        value, (dx,) = _call(
            function, lambda: _compiled(function, (True,))((rows,), dy.reshape(rows.shape))
        )
        result = np.asarray(dx, dtype=x.dtype).reshape(x.shape)
        fine = np.isfinite(np.asarray(value)).reshape(x.shape) & np.isfinite(x) & np.isfinite(dy)
    _check_derivative(function, x, result, fine)
    return result


def _check_derivative(
    function: ArrayFunction, x: np.ndarray, derivative: np.ndarray, fine: np.ndarray
) -> None:
    bad = ~np.isfinite(derivative) & fine
    if bad.any():
        raise DataError(
            f"the automatic derivative of {name_of(function)} is not finite at {x[bad][0]:g}, where"
            " the function is. Write it in a form that does not overflow, or give its derivative."
        )


def value_and_gradient(
    function: ArrayFunction, y: np.ndarray, *others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Apply ``function(y_m, *others_m)`` to every row m; add the gradient of each row's sum.

    Parameters
    ----------
    function : callable
        Of ``y_m (...)`` and a row of each other array, to an array of any one shape S.
    y : ndarray of shape (M, ...)
    others : ndarrays of shape (M, ...)
        Target, and mask where there is one.

    Returns
    -------
    value : ndarray of shape (M, *S)
    gradient : ndarray of the shape of ``y``

    Raises
    ------
    DataError
        If the gradient is not finite where the value is.
    """
    jax = _jax(function, OWN_LOSS)
    n_rows = len(y)
    # JAX compiles once for each number of rows, and masks make that number differ from batch to
    # batch: rows are repeated up to the next power of two.
    rows = np.minimum(np.arange(1 << (n_rows - 1).bit_length()), n_rows - 1)
    with jax.enable_x64(True):
        given = [array[rows] for array in (y, *others)]
        results = _call(function, lambda: _row_gradient(function)(*given))
        value, gradient = (np.array(result[:n_rows], dtype=y.dtype) for result in results)
    fine = np.isfinite(value).reshape(n_rows, -1).all(axis=1)
    fine = fine.reshape(-1, *(1,) * (y.ndim - 1)) & np.isfinite(y)
    _check_derivative(function, y, gradient, fine)
    return value, gradient


@functools.lru_cache(maxsize=64)
def _row_gradient(function: ArrayFunction) -> ArrayFunction:
    """``(y, *others) -> (value, gradient)``, row by row, compiled once for each function."""
    jax = _jax(function)

    def of_one_row(y: Any, *others: Any) -> tuple[Any, Any]:
        def checked(row: Any) -> Any:
            value = function(row, *others)
            if value is None:
                raise InvalidTypeError(
                    sentence(f"{name_of(function)}", "numbers", "None", must="return")
                )
            return jax.numpy.asarray(value, dtype=row.dtype)

        value, pullback = jax.vjp(checked, y)
        return value, pullback(jax.numpy.ones_like(value))[0]

    return jax.jit(jax.vmap(of_one_row))


def _call(function: ArrayFunction, thunk: Callable[[], Any]) -> Any:
    jax = _jax(function)
    try:
        return thunk()
    except InvalidTypeError as error:  # raised below JAX, which adds a note on tracebacks
        raise InvalidTypeError(*error.args) from None
    except jax.errors.TracerArrayConversionError:
        raise InvalidTypeError(
            f"{name_of(function)} must be written with jax.numpy to be differentiated"
            " automatically; it calls NumPy. Replace np by jax.numpy, or give its derivative."
        ) from None
    except jax.errors.ConcretizationTypeError:
        raise InvalidTypeError(
            f"{name_of(function)} must be written with jax.numpy to be differentiated"
            " automatically; it asks for the value of a number (if, while, float). Write"
            " jax.numpy.where for a choice, or give its derivative."
        ) from None
