# The native engine, compiled from native/; Python code reaches it through runtime.kernels().

from typing import TypeAlias

import numpy as np

def level() -> str: ...
def levels() -> tuple[str, ...]: ...
def use_level(name: str) -> None: ...
def openmp() -> bool: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def trim_memory() -> int: ...

# What calls took, alone and by a team of threads, and which way the next one should go.
class Record:
    def __init__(self) -> None: ...
    def next(self) -> bool: ...
    def took(self, time: float) -> None: ...

# -- flat vectors. None, with nothing changed, where an array is not one that they work on: float32
# or float64, contiguous, aligned, and writable where it is to be changed.

def norm(x: np.ndarray) -> float | None: ...
def finite(x: np.ndarray) -> bool | None: ...
def clip_norm(grads: np.ndarray, limit: float) -> float | None: ...
def clip_value(grads: np.ndarray, limit: float) -> float | None: ...
def penalise(
    weights: np.ndarray, grads: np.ndarray | None, l1: float, l2: float
) -> tuple[float, float] | None: ...

# Of a step: params, grads, three moments, multiplier, decay_mask, previous. Whether all is finite.
_Vectors: TypeAlias = tuple[np.ndarray | None, ...]

def sgd(
    vectors: _Vectors, lr: float, momentum: float, rest: float, nesterov: bool, begins: bool
) -> bool | None: ...
def adagrad(vectors: _Vectors, lr: float, momentum: float, epsilon: float) -> bool | None: ...
def rmsprop(
    vectors: _Vectors, lr: float, rho: float, momentum: float, epsilon: float
) -> bool | None: ...
def adam(
    vectors: _Vectors,
    lr: float,
    beta1: float,
    beta2: float,
    root: float,
    epsilon: float,
    decay: float | None,
) -> bool | None: ...

# -- losses: outputs, targets, mask, weights, whether the mean is taken, a parameter; the value and
# the gradient.

_Loss: TypeAlias = tuple[float, np.ndarray] | None

def squared_error(
    y: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None,
    weight: np.ndarray | None,
    mean: bool,
    parameter: float,
) -> _Loss: ...

half_squared_error = squared_error
absolute_error = squared_error
huber_error = squared_error
sigmoid_crossentropy = squared_error
softmax_crossentropy = squared_error
