"""The products of many pairs of matrices: NumPy's numbers, and one order of summation."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.kernels import selection
from throughtime.kernels.products import products

SHAPES = [(1, 1, 1, 1), (3, 5, 7, 2), (4, 9, 33, 65), (1, 300, 64, 40), (50, 20, 8, 20),
          (7, 1, 100, 3), (2, 3, 0, 4), (0, 3, 2, 4), (2, 0, 3, 4), (2, 3, 4, 0)]  # fmt: skip
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(autouse=True)
def threads_as_before():
    yield
    tt.set_num_threads(None)


def pair(shape, dtype, seed=0):
    B, M, F, K = shape
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, M, F)).astype(dtype), rng.normal(size=(B, F, K)).astype(dtype)


def equal(a, b):
    if selection.current() == "native":
        assert a.tobytes() == b.tobytes()
    else:
        np.testing.assert_allclose(a, b, rtol=1e-4 if a.dtype == np.float32 else 1e-11, atol=1e-5)


@every_dtype
@every_shape
def test_they_are_those_of_numpy(shape, dtype):
    x, W = pair(shape, dtype)
    y = products(x, W)
    assert y.dtype == dtype
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(y, x @ W, rtol=tolerance, atol=tolerance)
    turned = products(x, np.ascontiguousarray(W.swapaxes(1, 2)), transposed=True)
    equal(turned, y)
    # Arrays of any strides.
    equal(products(x.swapaxes(1, 2).copy().swapaxes(1, 2), W[::-1].copy()[::-1]), y)


@every_dtype
@every_shape
def test_bits_do_not_depend_on_other_pairs_rows_zeros_or_threads(shape, dtype):
    x, W = pair(shape, dtype)
    y = products(x, W)
    for threads in (1, 2, 3):
        tt.set_num_threads(threads)
        many = products(np.concatenate([x] * 5), np.concatenate([W] * 5))
        equal(many[len(x) * 4 :], y)
    if not y.size:
        return
    equal(products(x[-1:, -1:], W[-1:]), y[-1:, -1:])
    where = [0, x.shape[2] // 2, x.shape[2]]  # a factor of 0 changes nothing, wherever it is
    equal(products(np.insert(x, where, 0, axis=2), np.insert(W, where, 7, axis=1)), y)


def test_the_kernel_refuses_arrays_that_do_not_fit():
    kernels = selection.extension()
    if kernels is None:
        pytest.skip("there is no native engine here")
    x, W = pair((2, 3, 4, 5), "float64")
    y = np.empty((2, 3, 5))
    for wrong in (
        (x, W[:, :3].copy(), y, False), (x, W, y[:, :2].copy(), False), (x, W, y, True),
        (x[:1], W, y, False), (x[..., ::2], W[:, ::2].copy(), y, False),
        (x, W.astype("float32"), y, False), (x[0], W[0], y[0], False),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"^(x|W|y) "):
            kernels.products(*wrong)
