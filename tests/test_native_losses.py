"""Losses of the native engine: value and gradient of the reference, for any batch."""

from __future__ import annotations

import math
import weakref

import numpy as np
import pytest
from loop_cases import needs_native

import throughtime as tt
from throughtime import losses
from throughtime.kernels import selection
from throughtime.losses import LOSSES, MSE, CategoricalCrossentropy, Huber

KERNELS = selection.extension()
pytestmark = needs_native

DTYPES = ["float32", "float64"]
REDUCTIONS = ["mean", "sum"]
#: (N, K) and (N, T, K); several have more numbers than a block of a sum.
SHAPES = [(0, 3), (1, 1), (5, 1), (4, 3, 1), (7, 4, 3), (3, 5, 16), (9, 17), (6, 4, 33),
          (50, 100, 1), (3, 5000), (40, 30, 7)]  # fmt: skip
LARGE = (70, 50, 60)
WEIGHTINGS = ["none", "mask", "weights", "mask and weights", "sequence weights", "nothing"]

#: Kernel -> the losses that it computes, as (loss, whether from logits, kind of target).
CASES = {
    "squared_error": [("mse", False, "real")],
    "half_squared_error": [("half_mse", False, "real")],
    "absolute_error": [("mae", False, "real")],
    "huber_error": [("huber", False, "real"), (Huber(delta=0.3), False, "real")],
    "sigmoid_crossentropy": [("bce", True, "unit")],
    "softmax_crossentropy": [("cce", True, "class"), ("cce", True, "distribution")],
}
ALL = [
    pytest.param(*case, id=f"{kernel}-{i}")
    for kernel, cases in CASES.items()
    for i, case in enumerate(cases)
]


def build(loss, reduction):
    made = losses.get(loss)
    return type(made)(**({"delta": made.delta} if isinstance(made, Huber) else {}),
                      reduction=reduction)  # fmt: skip


def target_of(kind, shape, dtype, rng):
    if kind == "class":
        return rng.integers(0, shape[-1], shape[:-1])
    target = rng.random(shape)
    if kind == "real":
        target = rng.normal(size=shape)
    if kind == "distribution":
        target[rng.random(shape) < 0.3] = 0.0
        target[..., 0] += 0.1
        target /= target.sum(axis=-1, keepdims=True)
    return target.astype(dtype)


def weighting_of(kind, steps, rng):
    """The mask and the weights."""
    mask = weights = None
    if "mask" in kind:
        mask = rng.random(steps) < 0.6
    if kind == "nothing":
        mask = np.zeros(steps, bool)
    if "weights" in kind:
        weights = rng.uniform(0.0, 3.0, steps[:1] if "sequence" in kind else steps)
        weights[rng.random(weights.shape) < 0.2] = 0.0
    return mask, weights


def drawn(kind, shape, dtype="float64", target_dtype="float64", weighting="none", seed=0):
    rng = np.random.default_rng(seed)
    y = (3.0 * rng.normal(size=shape)).astype(dtype)
    target = target_of(kind, shape, target_dtype, rng)
    return y, target, *weighting_of(weighting, shape[:-1], rng)


def on(engine, loss, arrays, logits):
    with tt.engine(engine):
        return loss.evaluate(*arrays, logits=logits)


def compare(loss, arrays, logits, tolerance=1e-12):
    value, dy = on("native", loss, arrays, logits)
    expected, wanted = on("reference", loss, arrays, logits)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-300, nan_ok=True)
    assert type(value) is float
    assert dy.dtype == wanted.dtype
    assert dy.shape == wanted.shape
    assert dy.flags.c_contiguous
    if dy.dtype == np.float32:
        tolerance = max(tolerance, 1e-6)
    dy_double, wanted = dy.astype("d"), wanted.astype("d")
    largest = np.abs(wanted[np.isfinite(wanted)]).max(initial=1e-300)  # p sum(t) - t may cancel
    np.testing.assert_allclose(dy_double, wanted, rtol=tolerance, atol=1e-15 * largest)
    return value, dy


def test_the_cases_are_all_kernels():
    kernels = {
        name
        for loss in LOSSES
        for name in (LOSSES[loss].kernel, LOSSES[loss].logits_kernel)
        if name is not None and not LOSSES[loss].whole  # those are in test_native_paths.py
    }
    assert kernels == set(CASES)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "logits", "kind"), ALL)
def test_value_and_gradient_are_those_of_the_reference(
    loss, logits, kind, reduction, weighting, shape
):
    if kind in ("class", "distribution") and shape[-1] < 2:
        shape = (*shape[:-1], 2)
    for dtype, target_dtype in (("float32", "float32"), ("float64", "float64")):
        arrays = drawn(kind, shape, dtype, target_dtype, weighting)
        compare(build(loss, reduction), arrays, logits)


@pytest.mark.parametrize(("loss", "logits", "kind"), ALL)
def test_outputs_and_targets_may_differ_in_dtype(loss, logits, kind):
    for dtype, other in (DTYPES, DTYPES[::-1]):
        compare(build(loss, "mean"), drawn(kind, (9, 4, 5), dtype, other, "mask"), logits)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["mse", "half_mse", "mae", "huber"])
def test_gradients_of_regression_have_the_bits_of_the_reference(name, dtype):
    for weighting in ("none", "mask"):
        y, target, mask, _ = drawn("real", (20, 30, 9), dtype, dtype, weighting)
        target.flat[::7] = y.flat[::7]  # differences of zero
        _, dy = on("native", losses.get(name), (y, target, mask), False)
        _, wanted = on("reference", losses.get(name), (y, target, mask), False)
        assert dy.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("weighting", ["none", "mask", "mask and weights"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("loss", "logits", "kind"), ALL)
def test_any_number_of_threads_gives_the_same_bits(loss, logits, kind, dtype, weighting):
    arrays = drawn(kind, LARGE, dtype, dtype, weighting)
    results = []
    try:
        for n in (1, 2, 3, 4):
            tt.set_num_threads(n)
            value, dy = on("native", build(loss, "mean"), arrays, logits)
            results.append((value, dy.tobytes()))
    finally:
        tt.set_num_threads(None)
    assert results[1:] == results[:1] * 3


@pytest.mark.parametrize(("loss", "logits", "kind"), ALL)
def test_padding_changes_no_bit(loss, logits, kind):
    y, target, _, _ = drawn(kind, (60, 40, 5), "float32", "float32")
    value, dy = on("native", build(loss, "mean"), (y, target), logits)
    rng = np.random.default_rng(7)
    real = np.zeros((60, 90), bool)
    for row in real:
        row[rng.choice(90, 40, replace=False)] = True
    wide, wanted = np.full((60, 90, 5), np.nan, "float32"), np.zeros((60, 90, *target.shape[2:]))
    wide[real], wanted[real] = y.reshape(-1, 5), target.reshape(-1, *target.shape[2:])
    wanted = wanted.astype(target.dtype)
    padded, slope = on("native", build(loss, "mean"), (wide, wanted, real), logits)
    assert padded == value
    assert slope[real].tobytes() == dy.tobytes()
    assert not slope[~real].any()


@pytest.mark.parametrize(("loss", "logits", "kind"), ALL)
def test_weights_of_one_change_no_bit(loss, logits, kind):
    for reduction in REDUCTIONS:
        y, target, mask, _ = drawn(kind, (30, 8, 6), "float32", "float32", "mask")
        value, dy = on("native", build(loss, reduction), (y, target, mask), logits)
        ones = np.ones((30, 8))
        again, same = on("native", build(loss, reduction), (y, target, mask, ones), logits)
        assert again == value
        assert same.tobytes() == dy.tobytes()


STRANGE = [0.0, -0.0, 1e-310, 1.0, -1.0, 30.0, -40.0, 710.0, -745.0, 800.0, -800.0, 1e30, -1e30]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300, -1e300, 3e38])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("loss", "logits", "kind"), ALL)
def test_strange_outputs(loss, logits, kind, dtype, bad):
    rng = np.random.default_rng(3)
    y = rng.choice(STRANGE, size=(40, 9)).astype(dtype)
    with np.errstate(over="ignore"):
        y[::3, 4] = np.array(bad).astype(dtype)
    y[0] = y[0, 0]  # all equal
    y[3] = bad if math.isnan(bad) else y[3]
    y[6, :2] = y[6].max()
    target = target_of(kind, y.shape, dtype, rng)
    for rows in ([i] for i in range(40)):
        compare(build(loss, "mean"), (y[rows], target[rows]), logits, tolerance=1e-11)


@pytest.mark.parametrize(("loss", "logits", "kind"), ALL)
def test_parts_of_longer_sequences(loss, logits, kind):
    y, target, mask, weights = drawn(kind, (6, 20, 4), "float32", weighting="mask and weights")
    part = slice(3, 11)
    arrays = y[:, part], target[:, part], mask[:, part], weights[:, part]
    value, dy = on("native", build(loss, "mean"), arrays, logits)
    whole = on("native", build(loss, "mean"), [np.array(a) for a in arrays], logits)
    assert value == whole[0]
    assert dy.tobytes() == whole[1].tobytes()
    frozen = [np.array(a) for a in arrays]
    for a in frozen:
        a.flags.writeable = False
    assert on("native", build(loss, "mean"), frozen, logits)[0] == value


def test_the_gradient_is_an_array_of_its_own():
    y, target = np.ones((50, 40), "float32"), np.zeros((50, 40), "float32")
    first, second = (MSE().evaluate(y, target)[1] for _ in range(2))
    second += 1.0
    np.testing.assert_array_equal(first, np.float32(2 / 2000))
    watched = weakref.ref(first)
    del first
    assert watched() is None


def test_classes_out_of_range_read_nothing():
    y = np.zeros((4, 3))
    for wrong in (3, 2**62):
        with pytest.raises(IndexError):
            CategoricalCrossentropy().evaluate(y, np.array([0, 1, 2, wrong]), logits=True)
        assert KERNELS.softmax_crossentropy(y, np.full(4, wrong), None, None, True, 0.0) is None


def test_kernels_touch_nothing_that_does_not_fit():
    y, t, mask, weight = np.ones((4, 5, 2)), np.ones((4, 5, 2)), np.ones((4, 5), bool), np.ones(20)
    weight = weight.reshape(4, 5)
    call = KERNELS.squared_error
    assert call(y, t, mask, weight, True, 0.0)[0] == 0.0
    for wrong in (np.ones((4, 5, 3)), np.ones((4, 5)), np.ones((4, 5, 2), int), "text", [1.0]):
        assert call(wrong, t, mask, weight, True, 0.0) is None
        assert call(y, wrong, mask, weight, True, 0.0) is None
    for wrong in (np.ones((5, 4), bool), np.ones(20, bool), np.ones((4, 5), int)):
        assert call(y, t, wrong, None, True, 0.0) is None
    for wrong in (np.ones((5, 4)), np.ones(20), np.ones((4, 5), "float32")):
        assert call(y, t, None, wrong, True, 0.0) is None
    assert call(np.ones(4), np.ones(4), None, None, True, 0.0) is None
    assert call(np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1)), None, None, True, 0.0) is None


def test_terms_of_ones_own_are_obeyed():
    class Cubic(MSE):
        def terms(self, y, target, limits):
            d = y - target
            return d**3, 3.0 * d * d

    assert Cubic().evaluate(np.full((1, 1), 2.0), np.zeros((1, 1)))[0] == 8.0
    assert MSE.kernel == "squared_error"
