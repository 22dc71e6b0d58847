"""Norms, clipping, penalties and optimiser steps of the native engine equal the reference."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from loop_cases import needs_native
from test_optimizers import ALL, CASES

import throughtime as tt
from throughtime.kernels import selection, vectors
from throughtime.optimizers import SGD, Adam, AdamW
from throughtime.training.clipping import clip_norm, clip_value
from throughtime.training.objective import evaluate_and_backward

KERNELS = selection.extension()
pytestmark = needs_native

DTYPES = ["float32", "float64"]
SIZES = [0, 1, 15, 16, 17, 4095, 4096, 4097, 10_001]
#: More numbers than the work of a single thread.
LARGE = 300_001


def drawn(seed, size, dtype, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal(size)).astype(dtype)


def walked(engine, case, size, dtype, factors=False, steps=4, arrays=np.array):
    """Everything that some steps leave behind, as bytes."""
    optimizer = copy.deepcopy(case)
    params = arrays(drawn(0, size, dtype))
    multiplier = mask = None
    if factors:
        rng = np.random.default_rng(1)
        multiplier = arrays(rng.uniform(0.0, 2.0, size).astype(dtype))
        mask = rng.random(size) < 0.5
    previous = np.zeros_like(params)
    finite = []
    with tt.engine(engine):
        for step in range(steps):
            before = params.copy()
            g = arrays(drawn(2 + step, size, dtype))
            finite.append(optimizer.step(params, g, multiplier, mask, previous=previous))
            assert previous.tobytes() == before.tobytes()
            assert g.tobytes() == drawn(2 + step, size, dtype).tobytes()
    return params.tobytes(), finite, {k: v.tobytes() for k, v in optimizer.moments.items()}


@pytest.fixture
def threads():
    """Sets the number of threads; afterwards it is what it was."""
    yield tt.set_num_threads
    tt.set_num_threads(None)


# -- optimisers -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("factors", [False, True], ids=["plain", "factors"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ALL)
def test_a_step_has_the_bits_of_the_reference(case, dtype, factors, size):
    native = walked("native", case, size, dtype, factors)
    assert native == walked("reference", case, size, dtype, factors)
    assert native[1] == [True] * 4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ALL)
def test_any_number_of_threads_gives_the_same_bits(case, dtype, threads):
    results = []
    for n in (1, 2, 3, 4):
        threads(n)
        results.append(walked("native", case, LARGE, dtype, factors=True, steps=2))
    assert results[1:] == results[:1] * 3


def shifted(a):
    """The same numbers one place off every boundary."""
    wide = np.zeros(a.size + 1, a.dtype)
    wide[1:] = a
    return wide[1:]


def misaligned(a):
    raw = np.zeros(a.nbytes + 1, "uint8")[1:]
    moved = raw.view(a.dtype)
    moved[...] = a
    return moved


def spaced(a):
    wide = np.zeros(2 * a.size, a.dtype)
    wide[::2] = a
    return wide[::2]


@pytest.mark.parametrize("layout", [shifted, misaligned, spaced])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ALL)
def test_any_layout_will_do(case, dtype, layout):
    found = walked("native", case, 1001, dtype, factors=True, arrays=layout)
    assert found == walked("reference", case, 1001, dtype, factors=True)


@pytest.mark.parametrize("case", ALL)
def test_read_only_parameters_are_refused(case):
    params, optimizer = np.ones(40), copy.deepcopy(case)
    optimizer.step(params, np.ones(40))
    params.flags.writeable = False
    before, moments = params.copy(), {k: v.copy() for k, v in optimizer.moments.items()}
    with pytest.raises(ValueError, match="read-only"):
        optimizer.step(params, np.ones(40))
    np.testing.assert_array_equal(params, before)
    assert optimizer.steps == 1
    assert moments.keys() == optimizer.moments.keys()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("case", ALL)
def test_what_is_not_finite_goes_on_and_is_told(case, bad, dtype):
    results = []
    for engine in selection.available():
        optimizer, params = copy.deepcopy(case), drawn(0, 100, dtype)
        g = drawn(1, 100, dtype)
        g[77] = bad
        with tt.engine(engine):
            finite = optimizer.step(params, g)
        assert finite is False
        assert np.isnan(params[77]) or np.isinf(params[77])
        assert np.isfinite(np.delete(params, 77)).all()
        results.append([params, *optimizer.moments.values()])
    for native, reference in zip(*results, strict=True):
        np.testing.assert_array_equal(native, reference)


def test_a_rule_of_ones_own_is_obeyed():
    class Still(Adam):
        def _direction(self, grads):
            return np.zeros_like(grads)

    class Slow(AdamW):
        def _decay(self, params, lr, multiplier, decay_mask):
            params -= 1.0

    params = np.ones(3)
    Still(0.1).step(params, np.ones(3))
    np.testing.assert_array_equal(params, 1.0)
    Slow(0.1).step(params, np.zeros(3))
    np.testing.assert_array_equal(params, 0.0)
    assert SGD._kernel is not SGD.__mro__[1]._kernel


def test_factors_of_another_type_count_too():
    for factor in (np.full(5, 0.5), [0.5] * 5, np.full(5, 0.5, "float32")):
        params = np.zeros(5, "float32")
        SGD(1.0).step(params, np.ones(5, "float32"), factor)
        np.testing.assert_array_equal(params, -0.5)
    params = np.ones(4)
    AdamW(0.1, weight_decay=1.0).step(params, np.zeros(4), decay_mask=np.array([0.0, 0.5, 1.0, 1]))
    np.testing.assert_allclose(params, [1.0, 0.95, 0.9, 0.9])


def test_kernels_touch_nothing_that_does_not_fit():
    p, g, m, v = (np.ones(8) for _ in range(4))
    rest = (1e-3, 0.9, 0.999, 1.0, 1e-8, None)

    def step(*arrays):
        return KERNELS.adam(arrays, *rest)

    none = (None,) * 4
    short, single, square = np.ones(7), np.ones(8, "float32"), np.ones((2, 4))
    for wrong in (short, single, square, None, [1.0] * 8, "text", np.ones(8, int)):
        assert step(wrong, g, m, v, *none) is None
        assert step(p, wrong, m, v, *none) is None
        assert step(p, g, wrong, v, *none) is None
        assert step(p, g, m, wrong, *none) is None
        if wrong is not None:
            assert step(p, g, m, v, wrong, None, None, None) is None
            assert step(p, g, m, v, None, wrong, None, None) is None
            assert step(p, g, m, v, None, None, wrong, None) is None
            assert step(p, g, m, v, None, None, None, wrong) is None
    assert KERNELS.sgd((p, short, *none, None, None), 0.1, 0.0, 1.0, False, True) is None
    assert KERNELS.rmsprop((p, g, None, *none, None), 0.1, 0.9, 0.0, 1e-8) is None
    assert KERNELS.adagrad((p, g, None, *none, None), 0.1, 0.9, 1e-8) is None
    for n in (0, 7, 9):
        with pytest.raises(ValueError, match=r"^a step has 8 vectors$"):
            step(*[p] * n)
    for array in (p, g, m, v):
        np.testing.assert_array_equal(array, 1.0)


def test_every_built_in_optimizer_has_a_kernel():
    for cases in CASES.values():
        for case in cases:
            optimizer, params = copy.deepcopy(case), np.ones(3)
            optimizer._step = None  # as on the reference engine
            assert optimizer.step(params, np.ones(3)) is True


# -- norms, clipping, penalties ---------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
@pytest.mark.parametrize("dtype", DTYPES)
def test_norm(dtype, scale, size):
    vector = drawn(3, size, dtype, scale)
    expected = math.sqrt(math.fsum(float(x) ** 2 for x in vector))
    assert KERNELS.norm(vector) == pytest.approx(expected, rel=1e-14)
    assert KERNELS.norm(shifted(vector)) == KERNELS.norm(vector)


@pytest.mark.parametrize("size", [1e-320, 1e-170, 1e-160, 1e-150, 1e150, 1e160, 1e300])
def test_norm_where_squares_leave_the_range(size):
    vector = drawn(4, 5000, "float64", size)
    with tt.engine("reference"):
        expected = vectors.norm(vector)
    assert KERNELS.norm(vector) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("at", [0, 4095, 4096, 9999])
def test_norm_of_what_is_not_finite(at, dtype):
    vector = drawn(5, 10_000, dtype)
    for bad in (-math.inf, math.nan):  # NaN comes second, and wins
        vector[at if math.isinf(bad) else 9999 - at] = bad
        norm = KERNELS.norm(vector)
        assert math.isnan(norm) if math.isnan(bad) else norm == math.inf
        assert KERNELS.finite(vector) is False
    assert KERNELS.finite(drawn(5, 10_000, dtype)) is True


@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_and_clipping_have_the_same_bits_on_any_number_of_threads(dtype, threads):
    vector = drawn(6, LARGE, dtype)
    results = []
    for n in (1, 2, 3, 4):
        threads(n)
        scaled, cut = vector.copy(), vector.copy()
        norms = KERNELS.norm(vector), clip_norm(scaled, 1.0), clip_value(cut, 0.5)
        results.append((norms, scaled.tobytes(), cut.tobytes()))
        assert KERNELS.finite(vector)
    assert results[1:] == results[:1] * 3


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_clipping_is_that_of_the_reference(dtype, size):
    vector = drawn(7, size, dtype)
    close = {"rtol": 1e-6 if dtype == "float32" else 1e-14}
    for clip in (clip_norm, clip_value):
        native, reference = vector.copy(), vector.copy()
        norm = clip(native, 0.3)
        with tt.engine("reference"):
            assert norm == pytest.approx(clip(reference, 0.3), rel=1e-14)
        np.testing.assert_allclose(native, reference, **close)


@pytest.mark.parametrize("clip", [clip_norm, clip_value])
def test_clipping_of_read_only_gradients_is_refused(clip):
    grads = np.full(9, 5.0)
    grads.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        clip(grads, 1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("penalty", [{"l1": 0.3}, {"l2": 0.2}, {"l1": 0.3, "l2": 0.2}])
def test_penalties_are_those_of_the_reference(penalty, dtype):
    net = tt.Network([tt.layers.RNN(40), tt.layers.Dense(3, l1=0.1)], n_features=150, dtype=dtype)
    net.params["0.W_x"][3, 3:5] = 0.0, -0.0
    x, y = drawn(8, (2, 3, 150), dtype), drawn(9, (2, 3), dtype)
    found = []
    for engine in selection.available():
        net.grads.flat[...] = 0
        with tt.engine(engine):
            result = evaluate_and_backward(net, x, y, "mse", **penalty)
        found.append((result.penalty, net.grads.flat.copy()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-13)
    tolerance = 2e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=tolerance, atol=tolerance)


def test_penalty_of_what_is_not_finite():
    W, g = np.array([np.nan, np.inf, -np.inf, 1.0]), np.zeros(4)
    sizes, squares = KERNELS.penalise(W, g, 1.0, 2.0)
    assert math.isnan(sizes)
    assert math.isnan(squares)
    np.testing.assert_array_equal(g, [np.nan, np.inf, -np.inf, 3.0])
    assert KERNELS.penalise(np.array([2.0, -3.0]), None, 1.0, 1.0) == (5.0, 13.0)
    assert KERNELS.penalise(W, np.zeros(3), 1.0, 1.0) is None
