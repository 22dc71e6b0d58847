r"""Activations: f, and f' as a function of f's output if that is possible.

An activation maps the last axis of an array to an array of the same shape::

    y = f(z)                                   (A1)
    dL/dz = f.backward(dL/dy, y, z)            (A2)

For an elementwise f, (A2) is ``dy * f'(z)``. For softmax it is the whole Jacobian
``dy_i/dz_j = y_i (delta_ij - y_j) / temperature``, not its diagonal. Every formula is stable for
all finite floats: no intermediate overflows before the result does.

The built-in ones stand here in NumPy, and again in ``native/level/activations.hpp``. There a number
has the same result at each place of an array, which NumPy does not promise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime import autodiff
from throughtime.errors import InvalidTypeError, check_float
from throughtime.kernels import selection
from throughtime.kernels.arrays import packed
from throughtime.kernels.rule import own_kernel
from throughtime.registry import Registry

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "Activation",
    "Custom",
    "Exp",
    "HardSigmoid",
    "Identity",
    "LeakyReLU",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "get",
]


class Activation:
    """Base of all activations.

    A subclass defines ``__call__``, and ``derivative`` or ``backward``.
    """

    #: The number of its kernel in native/base/pointwise.hpp; None runs in NumPy.
    kernel: ClassVar[int | None] = None
    #: Whether :meth:`backward` needs the pre-activation z beside the output y.
    needs_input: ClassVar[bool] = False

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Return f(z), of the shape and dtype of ``z``."""
        raise NotImplementedError

    def derivative(self, y: np.ndarray) -> np.ndarray:
        """Return f'(z) written from the output ``y = f(z)``; elementwise activations only."""
        raise NotImplementedError

    def backward(self, dy: np.ndarray, y: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """Return dL/dz from ``dy = dL/dy`` and the output ``y`` (and ``z`` if needs_input)."""
        return dy * self.derivative(y)


class BuiltIn(Activation):
    """Base of the built-in activations: a kernel, and the NumPy formulas that it must equal.

    A subclass defines ``value``, and ``derivative`` or ``gradient``.
    """

    def __call__(self, z: np.ndarray) -> np.ndarray:
        kernels, kind = selection.kernels(), native_kind(self)
        if kernels is not None and kind is not None and type(z) is np.ndarray:
            y = np.empty(z.shape, z.dtype)
            if kernels.activate(*kind, packed(z), y):
                return y
        return self.value(z)

    def backward(self, dy: np.ndarray, y: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        kernels, kind = selection.kernels(), native_kind(self)
        if kernels is not None and kind is not None and type(dy) is type(y) is np.ndarray:
            dz = np.empty(y.shape, y.dtype)
            if kernels.activate_backward(*kind, packed(dy), packed(y), dz):
                return dz
        return self.gradient(dy, y)

    def value(self, z: np.ndarray) -> np.ndarray:
        """Return f(z), computed with NumPy."""
        raise NotImplementedError

    def gradient(self, dy: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return dL/dz from dL/dy and y, computed with NumPy."""
        return dy * self.derivative(y)


ACTIVATIONS: Registry[Activation] = Registry("activation", Activation)


@ACTIVATIONS.register("identity", "linear")
@dataclass(frozen=True)
class Identity(Activation):
    """f(z) = z."""

    kernel: ClassVar[int | None] = 0

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return z

    def derivative(self, y: np.ndarray) -> np.ndarray:
        return np.ones_like(y)

    def backward(self, dy: np.ndarray, y: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        return dy


@ACTIVATIONS.register("sigmoid", "logistic")
@dataclass(frozen=True)
class Sigmoid(BuiltIn):
    """f(z) = 1 / (1 + exp(-z)); f' = y (1 - y)."""

    kernel: ClassVar[int | None] = 1

    def value(self, z: np.ndarray) -> np.ndarray:
        # The tail at z << 0 keeps its relative precision (0.5 + 0.5 tanh(z/2) would lose it) down
        # to where exp(-z) is infinite and the answer, below the smallest normal number, is 0.
        with np.errstate(over="ignore"):
            e = np.exp(-z)
        e += 1
        return np.reciprocal(e, out=e)

    def derivative(self, y: np.ndarray) -> np.ndarray:
        return y * (1 - y)


@ACTIVATIONS.register("tanh")
@dataclass(frozen=True)
class Tanh(BuiltIn):
    """f(z) = tanh(z); f' = 1 - y^2."""

    kernel: ClassVar[int | None] = 2

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.tanh(z)

    def derivative(self, y: np.ndarray) -> np.ndarray:
        return 1 - y * y


@ACTIVATIONS.register("relu")
@dataclass(frozen=True)
class ReLU(BuiltIn):
    """f(z) = max(z, 0); f' = 1 for z > 0, else 0 (also at z = 0)."""

    kernel: ClassVar[int | None] = 3

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.maximum(z, 0)

    def derivative(self, y: np.ndarray) -> np.ndarray:
        return (y > 0).astype(y.dtype)


@ACTIVATIONS.register("leaky_relu")
@dataclass(frozen=True)
class LeakyReLU(BuiltIn):
    """f(z) = z for z > 0, else slope * z. Maas, Hannun, Ng (2013)."""

    kernel: ClassVar[int | None] = 4

    slope: float = 0.01

    def __post_init__(self) -> None:
        # Only a positive slope lets the sign of z be read off the output.
        check_float("slope", self.slope, 0.0, inclusive="neither")

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.where(z > 0, z, z.dtype.type(self.slope) * np.minimum(z, 0))

    def derivative(self, y: np.ndarray) -> np.ndarray:
        return np.where(y > 0, y.dtype.type(1), y.dtype.type(self.slope))


@ACTIVATIONS.register("elu")
@dataclass(frozen=True)
class ELU(BuiltIn):
    """f(z) = z for z > 0, else alpha (exp(z) - 1). Clevert, Unterthiner, Hochreiter (2016)."""

    kernel: ClassVar[int | None] = 5

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_float("alpha", self.alpha, 0.0, inclusive="neither")

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.where(z > 0, z, z.dtype.type(self.alpha) * np.expm1(np.minimum(z, 0)))

    def derivative(self, y: np.ndarray) -> np.ndarray:
        return np.where(y > 0, y.dtype.type(1), y + y.dtype.type(self.alpha))


@ACTIVATIONS.register("softplus")
@dataclass(frozen=True)
class Softplus(BuiltIn):
    """f(z) = log(1 + exp(z)); f' = 1 - exp(-y)."""

    kernel: ClassVar[int | None] = 6

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))

    def derivative(self, y: np.ndarray) -> np.ndarray:
        return -np.expm1(-y)


@ACTIVATIONS.register("hard_sigmoid")
@dataclass(frozen=True)
class HardSigmoid(BuiltIn):
    """f(z) = clip(z / 6 + 1/2, 0, 1); f' = 1/6 strictly between the ends, else 0."""

    kernel: ClassVar[int | None] = 7

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.clip(z / 6 + z.dtype.type(0.5), 0, 1)

    def derivative(self, y: np.ndarray) -> np.ndarray:
        return ((y > 0) & (y < 1)).astype(y.dtype) / 6


@ACTIVATIONS.register("exp")
@dataclass(frozen=True)
class Exp(BuiltIn):
    """f(z) = exp(z), the output of a Poisson rate; infinite where exp(z) exceeds the dtype."""

    kernel: ClassVar[int | None] = 8

    def value(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # inf is the answer, and training reports it in words
            return np.exp(z)

    def derivative(self, y: np.ndarray) -> np.ndarray:
        return y


@ACTIVATIONS.register("softmax")
@dataclass(frozen=True)
class Softmax(BuiltIn):
    """f(z)_i = exp(z_i / temperature) / sum_j exp(z_j / temperature), over the last axis."""

    kernel: ClassVar[int | None] = 9

    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_float("temperature", self.temperature, 0.0, inclusive="neither")

    def value(self, z: np.ndarray) -> np.ndarray:
        # With the maximum subtracted, (z - max) / temperature cannot overflow upwards; what
        # overflows downwards has the exponential 0.
        with np.errstate(over="ignore"):
            scaled = (z - z.max(axis=-1, keepdims=True)) / z.dtype.type(self.temperature)
        e = np.exp(scaled)
        return e / e.sum(axis=-1, keepdims=True)

    def gradient(self, dy: np.ndarray, y: np.ndarray) -> np.ndarray:
        inner = (dy * y).sum(axis=-1, keepdims=True)
        return y * (dy - inner) / y.dtype.type(self.temperature)


def native_kind(f: Activation) -> tuple[int, float] | None:
    """Return the number and the parameter of a built-in activation; None for any other."""
    number = own_kernel(f)
    return None if number is None else (number, next(iter(vars(f).values()), 0.0))


@dataclass(frozen=True)
class Custom(Activation):
    """A user-defined activation.

    A network that holds one cannot be saved, because a file holds no code. To save it, write a
    registered class; see :func:`get`.

    Parameters
    ----------
    function : callable
        With ``derivative``: a NumPy function, elementwise, array in and array out. Without: a
        ``jax.numpy`` function of one row ``(H,)`` that returns ``(H,)``; it need not be
        elementwise, and it is differentiated automatically (needs the ``autodiff`` extra).
    derivative : callable, optional
        f'(z), elementwise, from the pre-activation z.

    Examples
    --------
    >>> cube = Custom(lambda z: z**3, derivative=lambda z: 3 * z**2)
    >>> z = np.array([-1.0, 2.0])
    >>> cube.backward(np.ones(2), cube(z), z)
    array([ 3., 12.])
    """

    function: Callable[[Any], Any]
    derivative: Callable[[Any], Any] | None = None  # type: ignore[assignment]  # of z, not of y

    needs_input: ClassVar[bool] = True

    def __call__(self, z: np.ndarray) -> np.ndarray:
        if self.derivative is None:
            return autodiff.evaluate(self.function, z)
        y = np.asarray(self.function(z), dtype=z.dtype)
        self._check_shape("return an array of the shape it takes", y, (z.shape,))
        return y

    def backward(self, dy: np.ndarray, y: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        assert z is not None  # needs_input promises it
        if self.derivative is None:
            return autodiff.vjp(self.function, z, dy)
        slope = np.asarray(self.derivative(z), dtype=z.dtype)
        self._check_shape("have a derivative of the shape of its input", slope, (z.shape, ()))
        return dy * slope

    def _check_shape(
        self, promise: str, got: np.ndarray, allowed: tuple[tuple[int, ...], ...]
    ) -> None:
        if got.shape not in allowed:
            raise InvalidTypeError(
                f"activation {autodiff.name_of(self.function)} must {promise};"
                f" got {got.shape} for {allowed[0]}."
            )


def get(spec: Any) -> Activation:
    """Return the activation that ``spec`` means.

    Parameters
    ----------
    spec : str, Activation or callable
        A name of the registry, an object, or a function to be differentiated automatically.

    Notes
    -----
    A network with a user-defined activation can be saved if the activation is a registered class.
    :func:`throughtime.load` finds it if the same lines have run before::

        @ACTIVATIONS.register("swish")
        @dataclass(frozen=True)
        class Swish(Activation):
            needs_input = True

            def __call__(self, z):
                return z / (1 + np.exp(-z))

            def backward(self, dy, y, z=None):
                s = 1 / (1 + np.exp(-z))
                return dy * (s + y * (1 - s))

    Raises
    ------
    InvalidArgumentError
        If the name is unknown.
    InvalidTypeError
        If ``spec`` is none of these.

    Examples
    --------
    >>> get("tanh")
    Tanh()
    >>> get(Softmax(temperature=2.0))
    Softmax(temperature=2.0)
    """
    if callable(spec) and not isinstance(spec, (Activation, type)):
        return Custom(spec)
    return ACTIVATIONS.get(spec)
