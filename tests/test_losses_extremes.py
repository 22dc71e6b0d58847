"""Losses at +-800, at subnormal numbers, at probabilities 0 and 1; in float32 and float64.

Warnings are errors in the whole suite, so every test here also shows that there are none.
"""

import math

import numpy as np
import pytest
from loss_cases import CASES

from throughtime.activations import ACTIVATIONS
from throughtime.errors import InvalidArgumentError
from throughtime.losses import get

FUSED = {name: case for name, case in CASES.items() if case.loss().activation}
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
EDGES = (0.0, -0.0, 5e-324, -5e-324, 1e-45, 1e-40, 1e-310, 1e-30, 1e-8, 1.0, 88.0, 710.0, 800.0)


@DTYPES
@pytest.mark.parametrize("z", [800.0, 100.0, 40.0])
def test_binary_crossentropy_from_logits(dtype, z):
    loss = get("binary_crossentropy")
    value, dz = loss.from_logits(np.array([[z], [-z]], dtype), [[1.0], [0.0]])
    # right: no digit is lost (abs=0, for approx takes anything below 1e-12 as zero)
    assert value == pytest.approx(math.exp(-z), rel=1e-12, abs=0)
    np.testing.assert_allclose(
        dz[:, 0], np.array([-1, 1]) * math.exp(-z) / 2, rtol=1e-6, atol=1e-45
    )
    value, dz = loss.from_logits(np.array([[z], [-z]], dtype), [[0.0], [1.0]])
    assert value == z  # wrong
    np.testing.assert_array_equal(dz[:, 0], [0.5, -0.5])


@DTYPES
def test_categorical_crossentropy_from_logits(dtype):
    loss = get("categorical_crossentropy")
    z = np.array([[800.0, -800.0, 0.0], [-800.0, -800.0, -800.0]], dtype)
    value, dz = loss.from_logits(z[:1], [0])
    assert value == 0.0
    np.testing.assert_array_equal(dz, [[0.0, 0.0, 0.0]])
    value, dz = loss.from_logits(z[:1], [1])
    assert value == 1600.0
    np.testing.assert_array_equal(dz, [[1.0, -1.0, 0.0]])
    value, dz = loss.from_logits(z[1:], [2])
    assert value == pytest.approx(math.log(3.0), rel=1e-15)
    np.testing.assert_allclose(dz, np.array([[1, 1, -2]], dtype) / dtype(3), rtol=1e-6)


@DTYPES
def test_nearly_certain_and_right_keeps_its_digits(dtype):
    value, dz = get("cce").from_logits(np.array([[50.0, 0.0]], dtype), [0])
    assert value == pytest.approx(math.exp(-50.0), rel=1e-12, abs=0)
    np.testing.assert_allclose(dz, [[-math.exp(-50.0), math.exp(-50.0)]], rtol=1e-6)


@DTYPES
@pytest.mark.parametrize("target", [[0], [[0.25, 0.75, 0.0]]])
def test_a_class_ruled_out_by_its_logit_costs_nothing_and_gets_nothing(dtype, target):
    loss = get("cce")
    value, dz = loss.from_logits(np.array([[1.0, 2.0, -np.inf]], dtype), target)
    kept = [0] if target == [0] else [[0.25, 0.75]]
    expected, dkept = loss.from_logits(np.array([[1.0, 2.0]], dtype), kept)
    assert value == pytest.approx(expected, rel=1e-15)
    np.testing.assert_array_equal(dz[0, :2], dkept[0])
    assert dz[0, 2] == 0.0


@DTYPES
@pytest.mark.parametrize("small", [1e-8, 1e-20, 1e-30])
def test_small_outputs_keep_their_digits(dtype, small):
    y = dtype(small)
    value, dy = get("bce")(np.array([[y]]), [[0.0]])
    assert value == pytest.approx(-math.log1p(-float(y)), rel=1e-12, abs=0)
    assert dy.item() == pytest.approx(1.0, rel=1e-6)
    value, dy = get("msle")(np.array([[y]]), [[0.0]])
    assert value == pytest.approx(math.log1p(float(y)) ** 2, rel=1e-12, abs=0)
    assert dy.item() == pytest.approx(2 * float(y), rel=1e-6, abs=0)


@DTYPES
def test_poisson_from_logits(dtype):
    loss = get("poisson")
    value, dz = loss.from_logits(np.array([[-800.0]], dtype), [[3.0]])
    assert (value, dz.item()) == (2400.0, -3.0)
    value, dz = loss.from_logits(np.array([[800.0]], dtype), [[3.0]])
    assert (value, dz.item()) == (math.inf, math.inf)
    # Infinite, not NaN, where target * z overflows too.
    value, dz = loss.from_logits(np.array([[1e30]], dtype), [[1e300]])
    assert (value, dz.item()) == (math.inf, math.inf)


@DTYPES
def test_gaussian_where_the_variance_is_at_its_floor_and_large(dtype):
    loss = get("gaussian_nll")
    value, dy = loss(np.array([[0.0, -800.0]], dtype), [[1e-3]])
    assert value == pytest.approx(0.5 * (math.log(1e-6) + 1.0), rel=1e-12)
    np.testing.assert_allclose(dy, [[-1e3, 0.0]], rtol=1e-6)
    value, dy = loss(np.array([[800.0, 800.0]], dtype), [[-800.0]])
    v = 800.0 + 1e-6
    assert value == pytest.approx(0.5 * (math.log(v) + 1600.0**2 / v), rel=1e-12)
    np.testing.assert_allclose(dy, [[1600 / v, 0.5 / v - 0.5 * (1600 / v) ** 2]], rtol=1e-6)


def test_gaussian_far_off_at_the_floor_has_no_nan():
    value, dy = get("gaussian_nll")(np.array([[0.0, -800.0]]), [[1e200]])
    assert value == math.inf
    np.testing.assert_allclose(dy, [[-1e206, 0.0]], rtol=1e-12)


@DTYPES
@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [
        ("mse", 1600.0**2, 3200.0),
        ("half_mse", 1600.0**2 / 2, 1600.0),
        ("mae", 1600.0, 1.0),
        ("huber", 1599.5, 1.0),
    ],
)
def test_regression_at_800(dtype, name, value, slope):
    for sign in (1.0, -1.0):
        got, dy = get(name)(np.array([[sign * 800.0]], dtype), [[-sign * 800.0]])
        assert (got, dy.item()) == (value, sign * slope)


@DTYPES
def test_quantile_at_800(dtype):
    value, dy = get("quantile")(np.full((1, 3), 800.0, dtype), [[-800.0]])
    assert value == pytest.approx(1600.0 * 0.5, rel=1e-12)
    np.testing.assert_allclose(dy, [[0.9 / 3, 0.5 / 3, 0.1 / 3]], rtol=1e-6)


@pytest.mark.parametrize("name", ["mae", "huber", "quantile", "mse", "half_mse"])
def test_gradient_at_the_kink_is_zero(name):
    loss = get(name)
    value, dy = loss(np.ones((1, loss.outputs(1))), [[1.0]])
    assert value == 0.0
    assert not dy.any()


def domain(case):
    """Values of EDGES, of either sign, that the outputs of a case may take."""
    values = np.array([*EDGES, *(-e for e in EDGES)])
    if case.name in ("msle", "poisson", "contrastive"):
        return values[values >= 0]
    if case.loss().activation in ("sigmoid", "softmax"):
        return values[(values >= 0) & (values <= 1)]
    return values


def targets(case, y):
    rng = np.random.default_rng(2)
    return case.targets(rng, y.shape[:-1], case.columns)


@DTYPES
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_finite_at_every_edge(case, dtype):
    loss = case.loss("sum")
    for edge in domain(case).astype(dtype):
        y = np.full((3, loss.outputs(case.columns)), edge)
        if loss.activation == "softmax":  # its outputs sum to 1
            y[:, 1], y[:, 2:] = 1.0 - edge, 0.0
        value, dy = loss(y, targets(case, y))
        assert math.isfinite(value)
        assert np.isfinite(dy).all()


@DTYPES
@pytest.mark.parametrize("case", FUSED.values(), ids=FUSED)
def test_logits_at_every_edge(case, dtype):
    loss, activation = case.loss(), ACTIVATIONS.get(case.loss().activation)
    for edge in np.array([*EDGES, *(-e for e in EDGES)]).astype(dtype):
        z = np.zeros((3, case.columns), dtype)
        z[:, 0] = edge
        target = targets(case, z)
        value, dz = loss.from_logits(z, target)
        if case.name != "poisson" or edge < 80:
            assert math.isfinite(value)
            assert np.isfinite(dz).all()
        if abs(edge) <= 1.0:  # nothing saturates: both computations must agree
            plain, dy = loss(activation(z), target)
            tolerance = 1e-5 if dtype == np.float32 else 1e-12
            assert value == pytest.approx(plain, rel=tolerance)
            chained = activation.backward(dy, activation(z), z)
            np.testing.assert_allclose(dz, chained, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("name", "edge"), [("bce", 0.0), ("poisson", 0.0), ("msle", -1.0)])
@DTYPES
def test_certain_and_wrong_has_a_price_and_a_way_back(name, edge, dtype):
    value, dy = get(name)(np.array([[edge]], dtype), [[1.0]])
    assert math.isfinite(value)
    assert value > 1.0
    assert -math.inf < dy.item() < 0.0


@pytest.mark.parametrize("name", ["bce", "poisson"])
@DTYPES
def test_below_the_floor_the_gradient_is_that_of_the_value(name, dtype):
    floor = np.finfo(dtype).tiny / np.finfo(dtype).eps
    value, dy = get(name)(np.array([[0.0]], dtype), [[1.0]])
    above, _ = get(name)(np.array([[floor / 4]], dtype), [[1.0]])
    assert (above - value) / (floor / 4) == pytest.approx(dy.item(), rel=1e-6)


def test_certain_and_right_costs_nothing():
    assert get("bce")(np.array([[1.0], [0.0]]), [[1.0], [0.0]])[0] == 0.0
    value, _ = get("cce")(np.array([[1.0, 0.0]]), [0])
    assert value == 0.0


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_diverged_network_gives_is_reported_not_refused(case):
    loss = case.loss()
    y, target = case.data((3, 4))
    y[1, 2, 0] = np.nan
    value, dy = loss(y, target)
    assert math.isnan(value)
    assert np.isnan(dy[1, 2]).any()
    assert np.isfinite(dy[0]).all()
    assert np.isfinite(dy[2]).all()


@pytest.mark.parametrize("target", [[0], [[1.0, 0.0]]])
def test_outputs_that_sum_to_more_than_one_are_refused(target):
    with pytest.raises(InvalidArgumentError) as caught:
        get("cce")(np.array([[0.5, 0.502]]), target)
    assert str(caught.value) == (
        "loss 'categorical_crossentropy' needs outputs that sum to 1 at every step; got 1.002."
        " End the network with activation='softmax'."
    )
    get("cce")(np.array([[0.5, 0.5005]], dtype=np.float32), target)  # rounded


@DTYPES
@pytest.mark.parametrize("name", ["mse", "half_mse", "mae", "huber", "quantile", "gaussian_nll"])
def test_the_largest_outputs_warn_of_nothing(name, dtype):
    loss = get(name)
    y = np.full((2, loss.outputs(1)), np.finfo(dtype).max)
    value, dy = loss(y, np.full((2, 1), -1.0))
    assert value > 1e30
    assert not np.isnan(dy).any()
