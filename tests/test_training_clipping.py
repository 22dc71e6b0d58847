"""Clipping: in place, exact at the limits of floats, and it hides no non-finite number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.training.clipping import clip_norm, clip_value, global_norm

DTYPES = ["float32", "float64"]
BOTH = [clip_norm, clip_value]


@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_of_several_blocks(dtype):
    grads = np.random.default_rng(0).standard_normal(100_000).astype(dtype)
    expected = math.sqrt(math.fsum(float(g) ** 2 for g in grads))
    assert global_norm(grads) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("float32", 1e30), ("float32", 1e-42), ("float64", 1e200), ("float64", 5e-324)],
)
def test_norm_where_squares_leave_the_range(dtype, size):
    grads = np.array([3, -4, 0], dtype) * np.dtype(dtype).type(size)
    three = abs(float(grads[0]))
    assert global_norm(grads) == pytest.approx(three * 5 / 3, rel=1e-2 if size == 1e-42 else 1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_of_the_largest_floats_is_finite(dtype):
    largest = np.finfo(dtype).max
    assert global_norm(np.array([largest, 0.0], dtype)) == largest
    if dtype == "float32":
        assert global_norm(np.full(100, largest, dtype)) == float(largest) * 10.0


@pytest.mark.parametrize("grads", [np.zeros(3), np.zeros(0), np.array([-0.0])])
def test_norm_of_nothing_is_zero(grads):
    assert global_norm(grads) == 0.0
    assert clip_norm(grads, 1.0) == 0.0
    assert clip_value(grads, 1.0) == 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_clip_norm_keeps_the_direction(dtype):
    grads = np.array([3.0, -4.0, 0.0], dtype)
    view = grads[:]
    assert clip_norm(grads, 1.0) == 5.0
    np.testing.assert_allclose(view, [0.6, -0.8, 0.0], rtol=1e-6)
    assert view.dtype == dtype
    before = view.copy()
    assert clip_norm(grads, 2.0) == pytest.approx(1.0)
    np.testing.assert_array_equal(view, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_number_that_becomes_too_small_is_no_error(dtype):
    grads = np.array([1.0, np.finfo(dtype).tiny], dtype)
    with np.errstate(all="raise"):
        assert clip_norm(grads, 1e-3) == 1.0
        clip_value(grads, 1e-4)
    assert grads[0] == np.asarray(1e-4, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_clip_value_cuts_each_number(dtype):
    grads = np.array([3.0, -4.0, 0.5], dtype)
    view = grads[:]
    assert clip_value(grads, 1.0) == pytest.approx(math.sqrt(25.25))
    np.testing.assert_array_equal(view, np.array([1.0, -1.0, 0.5], dtype))
    assert view.dtype == dtype
    assert clip_value(grads, 2.0) == 1.5
    np.testing.assert_array_equal(view, np.array([1.0, -1.0, 0.5], dtype))


def test_clip_norm_of_huge_float32_gradients_is_exact():
    """The factor 1e-6 / 5e38 is no normal float32, nor is its inverse."""
    grads = np.array([3e38, -3e38], "float32")
    norm = clip_norm(grads, 1e-6)
    assert norm == pytest.approx(3e38 * math.sqrt(2.0))
    np.testing.assert_allclose(grads, np.array([1.0, -1.0]) * 1e-6 / math.sqrt(2.0), rtol=1e-6)


@pytest.mark.parametrize("clip", BOTH)
def test_a_limit_beyond_the_dtype_cuts_nothing(clip):
    grads = np.full(100, np.finfo("float32").max, "float32")
    before = grads.copy()
    clip(grads, 1e300)
    np.testing.assert_array_equal(grads, before)
    clip_value(grads, 1e39)  # above every number, below their norm
    np.testing.assert_array_equal(grads, before)


@pytest.mark.parametrize("clip", BOTH)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_left_for_all_to_see(clip, dtype, bad):
    grads = np.array([100.0, bad, 1.0], dtype)
    before = grads.copy()
    norm = clip(grads, 1.0)
    assert math.isnan(norm) if math.isnan(bad) else norm == math.inf
    np.testing.assert_array_equal(grads, before)


def test_nan_beats_infinity():
    assert math.isnan(global_norm(np.array([math.inf, math.nan])))


def test_vanishing_gradients_stay_as_they_are():
    grads = np.array([1e-12, -1e-9])
    for clip in BOTH:
        clip(grads, 1.0)
    np.testing.assert_array_equal(grads, [1e-12, -1e-9])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: clip_norm(np.ones(2), 0.0),
            InvalidArgumentError,
            "clip_norm must be a finite number > 0; got 0.0.",
        ),
        (
            lambda: clip_value(np.ones(2), math.nan),
            InvalidArgumentError,
            "clip_value must be a finite number > 0; got nan.",
        ),
        (
            lambda: clip_value(np.ones(2), "1"),
            InvalidTypeError,
            "clip_value must be a finite number > 0; got '1'.",
        ),
        (
            lambda: clip_norm([3.0, 4.0], 1.0),
            InvalidTypeError,
            (
                "grads must be an array of floats, to be changed in place; got [3.0, 4.0]."
                " Pass net.grads.flat."
            ),
        ),
        (
            lambda: clip_value(np.ones(2, int), 1.0),
            InvalidTypeError,
            (
                "grads must be an array of floats, to be changed in place; got an array of"
                " shape (2,) and dtype int64. Pass net.grads.flat."
            ),
        ),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
