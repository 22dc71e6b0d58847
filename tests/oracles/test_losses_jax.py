"""User-defined losses, differentiated by JAX, equal the same losses with gradients by hand."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loss_cases import CASES, REDUCTIONS, WEIGHTINGS, mask_and_weights

from throughtime.errors import DataError, InvalidTypeError, ShapeError
from throughtime.losses import Custom, get


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def square(y, t):
    return (y - t) ** 2


def absolute(y, t):
    return jnp.abs(y - t)


def log_class(y, t):
    return -jnp.log(y[t])


def log_probability(y, t):
    return -jnp.sum(t * jnp.log(y))


def gaussian(y, t):
    k = t.shape[0]
    variance = jnp.logaddexp(0.0, y[k:]) + 1e-6
    return 0.5 * (jnp.log(variance) + (t - y[:k]) ** 2 / variance)


WRITTEN_OUT = {
    "mse": square,
    "mae": absolute,
    "cce, numbers": log_class,
    "cce, probabilities": log_probability,
    "gaussian": gaussian,
}


@pytest.mark.parametrize("case", WRITTEN_OUT)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_equals_the_one_that_ships(case, reduction, weighting):
    loss = CASES[case].loss(reduction)
    y, target = CASES[case].data((3, 4))
    arguments = (y, target, *mask_and_weights((3, 4), weighting))
    value, dy = Custom(WRITTEN_OUT[case], reduction=reduction)(*arguments)
    expected, dexpected = loss(*arguments)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(dy, dexpected, rtol=1e-12, atol=1e-15)


def test_a_scalar_is_the_cost_of_one_step():
    def step_mean(y, t):
        return jnp.mean((y - t) ** 2)

    y, target = CASES["mse"].data((3, 4))
    arguments = (y, target, *mask_and_weights((3, 4), "both"))
    value, dy = get(step_mean)(*arguments)
    expected, dexpected = get("mse")(*arguments)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(dy, dexpected, rtol=1e-13)


def test_float32_outputs_get_a_float32_gradient_computed_in_float64():
    y, target = CASES["mse"].data((3, 4))
    y = y.astype(np.float32)
    value, dy = get(square)(y, target)
    expected, dexpected = get("mse")(y, target)
    assert value == pytest.approx(expected, rel=1e-13)
    assert dy.dtype == np.float32
    np.testing.assert_allclose(dy, dexpected, rtol=1e-7)


@pytest.mark.parametrize("n_steps", [1, 2, 3, 4, 5, 8, 9])
def test_any_number_of_steps(n_steps):
    y, target = CASES["mse"].data((n_steps,))
    value, dy = get(square)(y, target)
    expected, dexpected = get("mse")(y, target)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(dy, dexpected, rtol=1e-13)


def test_masks_compile_nothing_anew():
    traced = []

    def spy(y, t):
        traced.append(y.shape)
        return (y - t) ** 2

    loss = Custom(spy)
    y, target = CASES["mse"].data((16,))
    for n_real in range(9, 17):
        loss(y, target, np.arange(16) < n_real)
    assert len(traced) == 1


def test_settings_of_jax_are_left_alone():
    before = jax.config.jax_enable_x64
    get(square)(np.ones((2, 1)), np.zeros((2, 1)))
    assert jax.config.jax_enable_x64 == before
    assert jnp.ones(1).dtype == (jnp.float64 if before else jnp.float32)


def test_nothing_real_calls_nothing():
    def never(y, t):
        raise AssertionError

    value, dy = get(never)(np.ones((2, 1)), np.zeros((2, 1)), np.zeros(2, bool))
    assert value == 0.0
    assert not dy.any()


def numpy_inside(y, t):
    return np.abs(y - t)


def choosing(y, t):
    return y if y[0] > 0 else t


def nothing(y, t):
    square(y, t)


def root(y, t):
    return jnp.sqrt(y - y)


def matrix(y, t):
    return y[:, None] * t[None, :]


MUST = "must be written with jax.numpy to be differentiated automatically; it"


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (
            numpy_inside,
            InvalidTypeError,
            f"'numpy_inside' {MUST} calls NumPy. Replace np by jax.numpy, or give its derivative.",
        ),
        (
            choosing,
            InvalidTypeError,
            (
                f"'choosing' {MUST} asks for the value of a number (if, while, float)."
                " Write jax.numpy.where for a choice, or give its derivative."
            ),
        ),
        (nothing, InvalidTypeError, "'nothing' must return numbers; got None."),
        (
            root,
            DataError,
            (
                "the automatic derivative of 'root' is not finite at 1, where the function is."
                " Write it in a form that does not overflow, or give its derivative."
            ),
        ),
        (
            matrix,
            ShapeError,
            (
                "loss 'matrix' must return one number, or one row of numbers, for each of 3 steps;"
                " got shape (3, 2, 2). The mean or sum over the steps is taken afterwards."
            ),
        ),
    ],
)
def test_functions_that_cannot_be_used(function, error, message):
    with refuses(error, message):
        get(function)(np.ones((3, 2)), np.zeros((3, 2)))


def test_a_diverged_network_is_reported_not_refused():
    y = np.ones((3, 2))
    y[1, 0] = np.nan
    value, dy = get(square)(y, np.zeros((3, 2)))
    assert np.isnan(value)
    np.testing.assert_array_equal(np.isnan(dy), np.isnan(y))
