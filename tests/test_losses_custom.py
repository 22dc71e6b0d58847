"""User-defined losses: as a function with its gradient, and as a class."""

import re
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from loss_cases import CASES, REDUCTIONS, WEIGHTINGS, mask_and_weights

from throughtime.errors import DataError, InvalidTypeError, MissingDependencyError, ShapeError
from throughtime.losses import LOSSES, MSE, Custom, Loss, get


def square(y, t):
    return (y - t) ** 2


def square_gradient(y, t):
    return 2.0 * (y - t)


def step_square(y, t):
    return square(y, t).sum(axis=1)


def class_log(y, t):
    return -np.log(y[np.arange(len(t)), t])


def class_log_gradient(y, t):
    dy = np.zeros_like(y)
    dy[np.arange(len(t)), t] = -1.0 / y[np.arange(len(t)), t]
    return dy


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_terms_by_element_are_those_of_mse(reduction, weighting, dtype):
    y, target = CASES["mse"].data((3, 4))
    y = y.astype(dtype)
    arguments = (y, target, *mask_and_weights((3, 4), weighting))
    value, dy = Custom(square, square_gradient, reduction=reduction)(*arguments)
    expected, dexpected = MSE(reduction=reduction)(*arguments)
    assert value == pytest.approx(expected, rel=1e-14)  # each engine has its order of summation
    assert dy.dtype == dtype
    np.testing.assert_array_equal(dy, dexpected)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_one_term_a_step_makes_the_mean_one_over_steps(weighting):
    y, target = CASES["mse"].data((3, 4))
    arguments = (y, target, *mask_and_weights((3, 4), weighting))
    value, dy = Custom(step_square, square_gradient)(*arguments)
    expected, dexpected = MSE()(*arguments)
    assert value == pytest.approx(2 * expected, rel=1e-13)  # two columns
    np.testing.assert_allclose(dy, 2 * dexpected, rtol=1e-13)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_class_numbers_stay_integers(weighting):
    y, target = CASES["cce, numbers"].data((3, 4))
    arguments = (y, target, *mask_and_weights((3, 4), weighting))
    value, dy = Custom(class_log, class_log_gradient)(*arguments)
    expected, dexpected = get("cce")(*arguments)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(dy, dexpected, rtol=1e-13)


def test_the_function_sees_only_what_counts():
    seen = []

    def spy(y, t):
        seen.append((y.copy(), t.copy()))
        return square(y, t)

    y, target = CASES["mse"].data((3, 4))
    mask, weights = mask_and_weights((3, 4), "zero weight")
    counts = mask & (weights > 0)
    y[~counts] = target[~counts] = np.nan
    value, dy = Custom(spy, square_gradient)(y, target, mask, weights)
    ((rows, targets),) = seen
    np.testing.assert_array_equal(rows, y[counts])
    np.testing.assert_array_equal(targets, target[counts])
    assert np.isfinite(value)
    assert np.isfinite(dy).all()
    Custom(spy, square_gradient)(y, target, np.zeros((3, 4), bool))
    assert len(seen) == 1


def test_targets_may_have_columns_of_their_own():
    interval = Custom(
        lambda y, t: np.maximum(t[:, :1] - y, 0) + np.maximum(y - t[:, 1:], 0),
        gradient=lambda y, t: (y > t[:, 1:]) * 1.0 - (y < t[:, :1]),
    )
    value, dy = interval(np.array([[0.5], [3.0]]), [[0.0, 1.0], [0.0, 1.0]])
    assert value == 1.0
    assert dy.tolist() == [[0.0], [0.5]]


def test_one_output_needs_no_last_axis():
    value, _ = Custom(square, square_gradient)(np.ones((3, 4, 1)), np.zeros((3, 4)))
    assert value == 1.0


@pytest.mark.parametrize(
    ("function", "gradient", "message"),
    [
        (
            lambda y, t: square(y, t).mean(),
            square_gradient,
            (
                "loss '<lambda>' must return one number, or one row of numbers, for each of 4"
                " steps; got shape (). The mean or sum over the steps is taken afterwards."
            ),
        ),
        (
            square,
            lambda y, t: square_gradient(y, t).sum(axis=1),
            "the gradient of loss 'square' must have the shape of y, (4, 2); got shape (4,).",
        ),
    ],
)
def test_shapes_that_a_function_must_return(function, gradient, message):
    with refuses(ShapeError, message):
        Custom(function, gradient)(np.ones((4, 2)), np.zeros((4, 2)))


def test_targets_that_do_not_fit():
    loss = Custom(square, square_gradient)
    expected = "y must be of shape (4, 2), or as many rows with any columns; got shape "
    for shape in ((3, 2), (4,), (4, 3, 2)):
        with pytest.raises(ShapeError, match=f"^{re.escape(f'{expected}{shape}.')}"):
            loss.check_target(np.zeros(shape), (4, 2))
    with refuses(
        DataError, "y must be finite; got nan at index (0, 0). Mask missing steps, or fill them."
    ):
        loss.check_target(np.full((4, 2), np.nan), (4, 2))


def test_a_function_cannot_be_saved():
    loss = Custom(square, square_gradient)
    with pytest.raises(InvalidTypeError, match=r"^loss Custom\(.* is your own object and cannot"):
        LOSSES.to_config(loss)
    assert loss.name == "square"
    assert loss == Custom(square, square_gradient)


def test_without_jax_one_line_says_what_to_install():
    code = (
        "import sys; sys.modules['jax'] = None\n"
        "import numpy as np, throughtime.losses as losses\n"
        "losses.get('mse')(np.ones((1, 1)), [[0.0]])\n"
        "losses.get(pow)(np.ones((1, 1)), [[0.0]])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        f"throughtime.errors.{MissingDependencyError.__name__}: The automatic derivative of 'pow'"
        " needs the package 'jax', which is not installed."
        " Run: pip install 'throughtime[autodiff]' (in a clone: pip install '.[autodiff]'). Or"
        " write the derivative yourself, which needs nothing: losses.Custom(f, gradient=...)"
    )


def test_a_class_of_ones_own():
    @dataclass(frozen=True)
    class Quartic(Loss):
        def terms(self, y, target, limits):
            d = y - target
            return d**4, 4 * d**3

    y, target = CASES["mse"].data((3, 4))
    mask, weights = mask_and_weights((3, 4), "both")
    value, dy = get(Quartic())(y, target, mask, weights)
    same, dsame = Custom(lambda y, t: (y - t) ** 4, lambda y, t: 4 * (y - t) ** 3)(
        y, target, mask, weights
    )
    assert value == same
    np.testing.assert_array_equal(dy, dsame)
    assert Quartic().name == "Quartic"
