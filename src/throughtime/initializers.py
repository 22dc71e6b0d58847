"""Initialisers: how weights start. Every one takes a NumPy Generator and draws from nothing else.

An initialiser sees one matrix (fan_in, fan_out) that acts on row vectors; a recurrent layer calls
it once for each gate, so that the gates' shares of a wide matrix do not change its scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import InvalidArgumentError, InvalidTypeError, check_float, describe
from throughtime.registry import Registry


class Initializer:
    """Base of all initialisers."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any) -> np.ndarray:
        """Return an array of ``shape`` and ``dtype``, drawn from ``rng``."""
        return np.asarray(self.draw(shape, rng), dtype=dtype)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return a float64 array of ``shape``; drawn in float64 so that both dtypes agree."""
        raise NotImplementedError


INITIALIZERS: Registry[Initializer] = Registry("initializer", Initializer)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a matrix; a vector counts as (1, n)."""
    return (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])


@INITIALIZERS.register("glorot_uniform", "xavier", "xavier_uniform")
@dataclass(frozen=True)
class GlorotUniform(Initializer):
    """Uniform with variance gain^2 2 / (fan_in + fan_out). Glorot and Bengio (2010), eq. 16."""

    gain: float = 1.0

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        limit = self.gain * math.sqrt(6.0 / sum(fans(shape)))
        return rng.uniform(-limit, limit, shape)


@INITIALIZERS.register("glorot_normal", "xavier_normal")
@dataclass(frozen=True)
class GlorotNormal(Initializer):
    """Normal with variance gain^2 2 / (fan_in + fan_out). Glorot and Bengio (2010), eq. 12."""

    gain: float = 1.0

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.normal(0.0, self.gain * math.sqrt(2.0 / sum(fans(shape))), shape)


@INITIALIZERS.register("he_uniform")
@dataclass(frozen=True)
class HeUniform(Initializer):
    """Uniform with variance 2 / fan_in, for ReLU. He, Zhang, Ren, Sun (2015), eq. 10."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        limit = math.sqrt(6.0 / fans(shape)[0])
        return rng.uniform(-limit, limit, shape)


@INITIALIZERS.register("he_normal")
@dataclass(frozen=True)
class HeNormal(Initializer):
    """Normal with variance 2 / fan_in, for ReLU. He, Zhang, Ren, Sun (2015), eq. 10."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.normal(0.0, math.sqrt(2.0 / fans(shape)[0]), shape)


@INITIALIZERS.register("orthogonal")
@dataclass(frozen=True)
class Orthogonal(Initializer):
    """Random matrix with orthonormal rows or columns, times ``gain``. Saxe et al. (2014).

    The distribution is uniform (Haar) over such matrices: the QR decomposition of a normal matrix
    is made unique by a positive diagonal of R. Mezzadri (2007), Notices of the AMS 54(5).
    """

    gain: float = 1.0

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        rows, columns = fans(shape)
        tall = rng.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


@INITIALIZERS.register("identity", "irnn")
@dataclass(frozen=True)
class Identity(Initializer):
    """The identity matrix times ``gain``, for ReLU networks. Le, Jaitly, Hinton (2015)."""

    gain: float = 1.0

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
            raise InvalidArgumentError(f"high must be at least low, {low:g}; got {high:g}.")

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
    """A user's own initialiser, a function ``(shape, rng)`` that returns an array of ``shape``."""

    function: Callable[[tuple[int, ...], np.random.Generator], Any]

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        array = np.asarray(self.function(shape, rng), dtype=np.float64)
        if array.shape != tuple(shape):
            name = getattr(self.function, "__name__", describe(self.function))
            raise InvalidTypeError(
                f"initializer {name!r} must return an array of shape {tuple(shape)};"
                f" got {array.shape}."
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
