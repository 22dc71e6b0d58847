"""Gradients of a small recurrent network, computed without the package.

The network is one Elman layer and one dense layer, written as a loop over steps. Its derivatives
are complex steps: Im f(p + ih) / h subtracts nothing, so it is exact to rounding. A gradient can be
checked to a relative error of 10^-12, where central differences would allow 10^-7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from throughtime import losses
from throughtime.network import Network
from throughtime.training.objective import evaluate_and_backward

#: Largest relative error of a correct gradient: rounding in sums of a few hundred terms.
ROUNDING = 1e-12

Arrays = Mapping[str, np.ndarray]


def outputs(p: Arrays, x: np.ndarray, start: Any = 0.0) -> np.ndarray:
    """The dense layer's output (N, T, K) before its activation, for x (N, T, F)."""
    h = np.zeros((len(x), p["0.W_h"].shape[0])) + start
    steps = []
    for t in range(x.shape[1]):
        z = x[:, t] @ p["0.W_x"] + h @ p["0.W_h"] + p.get("0.b", 0.0)
        if t:
            z = z + p.get("0.b_time", 0.0)
        h = np.tanh(z)
        steps.append(h @ p["1.W"] + p.get("1.b", 0.0))
    return np.stack(steps, axis=1)


def softmax(z: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """The softmax by its definition, which accepts complex numbers."""
    e = np.exp(z / temperature)
    return e / e.sum(axis=-1, keepdims=True)


def complex_steps(f: Callable[[dict[str, np.ndarray]], Any], p: Arrays) -> dict[str, np.ndarray]:
    """df/dp for every number of every array of ``p``."""
    moved = {name: array.astype(complex) for name, array in p.items()}
    result = {}
    for name, array in moved.items():
        result[name] = np.empty(array.shape)
        for place in np.ndindex(array.shape):
            array[place] += 1e-40j
            result[name][place] = f(moved).imag / 1e-40
            array[place] = array[place].real
    return result


def gradients(
    net: Network, x: np.ndarray, y: np.ndarray, loss: Any, **options: Any
) -> dict[str, np.ndarray]:
    """The gradients that the package computes, by name."""
    function = losses.get(loss)
    inputs, mask = net.check_input(x)
    target = function.check_target(y, net.output_shape(inputs.shape), mask)
    net.grads.flat[...] = 0
    evaluate_and_backward(net, inputs, target, function, mask=mask, **options)
    return {name: array.copy() for name, array in net.grads.items()}


def relative_errors(found: Arrays, exact: Arrays) -> dict[str, float]:
    """For each array, the norm of the error divided by the norm of the exact array."""
    assert found.keys() == exact.keys()
    return {
        name: float(np.linalg.norm(found[name] - exact[name]) / np.linalg.norm(exact[name]))
        for name in exact
    }


def assert_exact(found: Arrays, exact: Arrays) -> None:
    """Assert that every array is exact to rounding."""
    errors = relative_errors(found, exact)
    assert max(errors.values()) < ROUNDING, errors


@contextmanager
def it_runs() -> Iterator[None]:
    """Turn any error within into a failed assertion: the published system stopped here."""
    try:
        yield
    except Exception as error:  # of any kind
        raise AssertionError(f"it must run; {type(error).__name__}: {error}") from error
