"""Initialisers: the first values of weights. Each draws from the NumPy Generator it is given.

An initialiser fills one matrix (fan_in, fan_out) that acts on row vectors. A recurrent layer calls
it once for each gate, so that the scale does not depend on the number of gates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_array,
    check_float,
    describe,
    sentence,
)
from throughtime.registry import Registry

__all__ = [
    "INITIALIZERS",
    "Constant",
    "Custom",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "Normal",
    "Orthogonal",
    "Uniform",
    "Zeros",
    "get",
]


class Initializer:
    """Base of all initialisers."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any) -> np.ndarray:
        """Return a new array of ``shape`` and ``dtype``, drawn from ``rng``.

        Parameters
        ----------
        shape : tuple of int
            (fan_in, fan_out), or (n,) for a vector.
        rng : numpy.random.Generator
            The only source of random numbers: the same state gives the same array.
        dtype : dtype
            float32 or float64.

        Raises
        ------
        InvalidTypeError
            If ``rng`` is no Generator.
        ShapeError
            If the scale depends on fan_in and fan_out, and ``shape`` has none.
        InvalidArgumentError
            If a number does not fit into ``dtype``.
        """
        if not isinstance(rng, np.random.Generator):
            hint = "Write numpy.random.default_rng(seed)."
            raise InvalidTypeError(sentence("rng", "a numpy.random.Generator", rng, hint))
        with np.errstate(over="ignore"):  # a number too large for float32 is refused in words
            array = np.array(self.draw(shape, rng), dtype=dtype)
        if not np.isfinite(array).all():
            bad = array[~np.isfinite(array)][0]
            raise InvalidArgumentError(
                sentence(f"every number of {describe(self)}", f"finite in {array.dtype}", f"{bad}")
            )
        return array

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return a float64 array of ``shape``; drawn in float64 so that both dtypes agree."""
        raise NotImplementedError


INITIALIZERS: Registry[Initializer] = Registry("initializer", Initializer)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a matrix; a vector counts as (1, n)."""
    if len(shape) not in (1, 2) or min(shape) < 1:
        raise ShapeError(sentence("shape", "(fan_in, fan_out) or (n,)", f"{tuple(shape)}"))
    return (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])


@INITIALIZERS.register("glorot_uniform", "xavier", "xavier_uniform")
@dataclass(frozen=True)
class GlorotUniform(Initializer):
    """Uniform with variance gain^2 2 / (fan_in + fan_out). Glorot and Bengio (2010), eq. 16."""

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_float("gain", self.gain, 0.0)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        limit = self.gain * math.sqrt(6.0 / sum(fans(shape)))
        return rng.uniform(-limit, limit, shape)


@INITIALIZERS.register("glorot_normal", "xavier_normal")
@dataclass(frozen=True)
class GlorotNormal(Initializer):
    """Normal with variance gain^2 2 / (fan_in + fan_out). Glorot and Bengio (2010), eq. 12."""

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_float("gain", self.gain, 0.0)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.normal(0.0, self.gain * math.sqrt(2.0 / sum(fans(shape))), shape)


def he_deviation(shape: tuple[int, ...], negative_slope: float) -> float:
    """Standard deviation sqrt(2 / ((1 + a^2) fan_in)) for weights before a (leaky) ReLU."""
    return math.sqrt(2.0 / fans(shape)[0]) / math.hypot(1.0, negative_slope)


@INITIALIZERS.register("he_uniform")
@dataclass(frozen=True)
class HeUniform(Initializer):
    """Uniform with variance 2 / ((1 + a^2) fan_in). He, Zhang, Ren, Sun (2015), eq. 15.

    Parameters
    ----------
    negative_slope : float
        The a of the formula: 0 for ReLU, the slope of a leaky ReLU otherwise.
    """

    negative_slope: float = 0.0

    def __post_init__(self) -> None:
        check_float("negative_slope", self.negative_slope)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        limit = math.sqrt(3.0) * he_deviation(shape, self.negative_slope)
        return rng.uniform(-limit, limit, shape)


@INITIALIZERS.register("he_normal")
@dataclass(frozen=True)
class HeNormal(Initializer):
    """Normal with variance 2 / ((1 + a^2) fan_in). He, Zhang, Ren, Sun (2015), eq. 15.

    Parameters
    ----------
    negative_slope : float
        The a of the formula: 0 for ReLU, the slope of a leaky ReLU otherwise.
    """

    negative_slope: float = 0.0

    def __post_init__(self) -> None:
        check_float("negative_slope", self.negative_slope)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.normal(0.0, he_deviation(shape, self.negative_slope), shape)


@INITIALIZERS.register("orthogonal")
@dataclass(frozen=True)
class Orthogonal(Initializer):
    """Random matrix with orthonormal rows or columns, times ``gain``. Saxe et al. (2014).

    The distribution is uniform (Haar) over such matrices: the QR decomposition of a normal matrix
    is made unique by a positive diagonal of R. Mezzadri (2007), Notices of the AMS 54(5).
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_float("gain", self.gain)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        rows, columns = fans(shape)
        tall = rng.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


@INITIALIZERS.register("identity", "irnn")
@dataclass(frozen=True)
class Identity(Initializer):
    """The identity matrix times ``gain``, for ReLU networks. Le, Jaitly, Hinton (2015).

    A matrix that is not square has its ones on the diagonal that starts at the first element.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_float("gain", self.gain)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return self.gain * np.eye(*fans(shape)).reshape(shape)


@INITIALIZERS.register("uniform")
@dataclass(frozen=True)
class Uniform(Initializer):
    """Uniform in [low, high)."""

    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        low, high = check_float("low", self.low), check_float("high", self.high)
        if low > high:
            raise InvalidArgumentError(sentence("high", f"at least low, {low:g}", f"{high:g}"))

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(self.low, self.high, shape)


@INITIALIZERS.register("normal")
@dataclass(frozen=True)
class Normal(Initializer):
    """Normal with mean ``mean`` and standard deviation ``std``."""

    std: float = 0.05
    mean: float = 0.0

    def __post_init__(self) -> None:
        check_float("std", self.std, 0.0)
        check_float("mean", self.mean)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.normal(self.mean, self.std, shape)


@INITIALIZERS.register("zeros")
@dataclass(frozen=True)
class Zeros(Initializer):
    """All zero."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.zeros(shape)


@INITIALIZERS.register("constant")
@dataclass(frozen=True)
class Constant(Initializer):
    """All equal to ``value``."""

    value: float = 0.0

    def __post_init__(self) -> None:
        check_float("value", self.value)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.full(shape, self.value)


@dataclass(frozen=True)
class Custom(Initializer):
    """A user-defined initialiser, a function ``(shape, rng)`` to an array of ``shape``."""

    function: Callable[[tuple[int, ...], np.random.Generator], Any]

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        name = f"initializer {getattr(self.function, '__name__', describe(self.function))!r}"
        array = check_array(f"the array of {name}", self.function(shape, rng), finite=False)
        if array.shape != tuple(shape):
            raise ShapeError(
                sentence(f"the array of {name}", f"of shape {tuple(shape)}", f"{array.shape}")
            )
        return array


def get(spec: Any) -> Initializer:
    """Return the initialiser that ``spec`` means: a name, an object, or a function (shape, rng).

    Examples
    --------
    >>> get("orthogonal")
    Orthogonal(gain=1.0)
    """
    if callable(spec) and not isinstance(spec, Initializer | type):
        return Custom(spec)
    return INITIALIZERS.get(spec)
