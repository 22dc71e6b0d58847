"""Sliding windows: their number, their positions, views, missing values."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.datasets import seattle_temperature
from throughtime.data.windows import ahead, count_windows, next_tokens, sliding_windows
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


sizes = {
    "steps": st.integers(1, 40),
    "window": st.integers(1, 8),
    "horizon": st.integers(0, 5),
    "stride": st.integers(1, 4),
    "gap": st.integers(0, 3),
}


@given(**sizes)
def test_windows_are_those_a_loop_would_cut(steps, window, horizon, stride, gap):
    series = np.random.default_rng(steps).normal(size=(steps, 2))
    span = window + (gap + horizon if horizon else 0)
    starts = [s for s in range(0, steps, stride) if s + span <= steps]
    assert count_windows(steps, window, horizon, stride=stride, gap=gap) == len(starts)
    if not starts:
        with pytest.raises(DataError, match="series must have at least"):
            sliding_windows(series, window, horizon, stride=stride, gap=gap)
        return
    got = sliding_windows(series, window, horizon, stride=stride, gap=gap)
    assert len(got) == len(starts)
    assert got.starts.tolist() == starts
    assert got.x.shape == (len(starts), window, 2)
    assert got.y.shape == (len(starts), horizon, 2)
    for x, y, s in zip(got.x, got.y, starts, strict=True):
        np.testing.assert_array_equal(x, series[s : s + window])
        np.testing.assert_array_equal(y, series[s + window + gap :][:horizon])
    assert got.mask is None
    assert got.y_mask is None


@given(st.integers(0, 200), st.sampled_from(["drop", "mask"]))
def test_missing_values(seed, missing):
    rng = np.random.default_rng(seed)
    series = rng.normal(size=(20, 2))
    series[rng.random(size=series.shape) < 0.1] = np.nan
    target = rng.normal(size=20)
    target[rng.random(20) < 0.1] = np.nan
    keep = []
    for s in range(20 - 5 + 1):
        x, y = np.isnan(series[s : s + 3]).any(axis=1), np.isnan(target[s + 3 : s + 5])
        gone = x.any() or y.any() if missing == "drop" else x.all() or y.all()
        keep += [] if gone else [s]
    if not keep:
        with pytest.raises(DataError, match="at least one window"):
            sliding_windows(series, 3, 2, target=target, missing=missing)
        return
    got = sliding_windows(series, 3, 2, target=target, missing=missing)
    assert got.starts.tolist() == keep
    assert np.isfinite(got.x).all()
    assert np.isfinite(got.y).all()
    mask = np.ones(got.x.shape[:2], bool) if got.mask is None else got.mask
    y_mask = np.ones(got.y.shape[:2], bool) if got.y_mask is None else got.y_mask
    if missing == "drop":
        assert got.mask is None
        assert got.y_mask is None
    for i, s in enumerate(keep):
        known = ~np.isnan(series[s : s + 3]).any(axis=1)
        np.testing.assert_array_equal(mask[i], known)
        np.testing.assert_array_equal(got.x[i][known], series[s : s + 3][known])
        assert not got.x[i][~known].any()
        np.testing.assert_array_equal(y_mask[i], ~np.isnan(target[s + 3 : s + 5]))


def test_no_copy_is_made():
    series = np.arange(10.0, dtype=np.float32)
    got = sliding_windows(series, 4, 2, stride=2, missing="drop")
    assert np.shares_memory(got.x, series)
    assert np.shares_memory(got.y, series)
    assert got.x.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        got.x[0, 0, 0] = 1.0


def test_integers_become_floats():
    assert sliding_windows([1, 2, 3], 2).x.dtype == np.float64


def test_windows_without_targets_keep_those_with_known_steps():
    got = sliding_windows([np.nan, 1.0, 2.0], 2, 0, missing="mask")
    assert got.y.shape == (2, 0, 1)
    assert got.mask.tolist() == [[False, True], [True, True]]
    assert got.y_mask is None


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: sliding_windows(np.ones(5), 4, 2, gap=1),
            DataError,
            (
                "series must have at least 7 steps for window=4, horizon=2 and gap=1; got 5. Use a"
                " shorter window or horizon, or bring more data."
            ),
        ),
        (
            lambda: sliding_windows([1.0, np.nan, 2.0], 1),
            DataError,
            (
                "series must be finite; got nan at index (1,). Fill it, or pass missing='drop' or"
                " missing='mask'."
            ),
        ),
        (
            lambda: sliding_windows([1.0, np.inf, 2.0], 1, missing="drop"),
            DataError,
            "series must be finite or NaN; got an infinity.",
        ),
        (
            lambda: sliding_windows([1.0, np.nan, 2.0], 1, missing="drop"),
            DataError,
            (
                "series must have at least one window of 2 steps without missing values; got none."
                " Fill missing values first, or use a shorter window."
            ),
        ),
        (
            lambda: sliding_windows(np.ones((1, 2, 3)), 1),
            ShapeError,
            "series must be of shape (T, F) or (T,); got shape (1, 2, 3).",
        ),
        (
            lambda: sliding_windows(np.ones(4), 1, target=np.ones(3)),
            ShapeError,
            "target must have 4 steps, as series has; got 3.",
        ),
        (
            lambda: sliding_windows(np.ones(4), 0),
            InvalidArgumentError,
            "window must be an integer >= 1; got 0.",
        ),
        (
            lambda: sliding_windows(np.ones(4), 1, missing="fill"),
            InvalidArgumentError,
            "missing must be one of 'error', 'drop', 'mask'; got 'fill'.",
        ),
        (
            lambda: ahead(np.ones(2), 2),
            DataError,
            "series must have at least 3 steps for steps=2; got 2.",
        ),
        (
            lambda: ahead(np.ones(2), 0),
            InvalidArgumentError,
            "steps must be an integer >= 1; got 0.",
        ),
        (
            lambda: next_tokens([1, 2, 3], 3),
            DataError,
            "tokens must have at least 4 tokens for window=3; got 3.",
        ),
        (
            lambda: next_tokens([1.0, 2.0], 1),
            InvalidTypeError,
            "tokens must hold integers; got an array of dtype float64.",
        ),
        (
            lambda: next_tokens([1, 2, 3], 1, stride=0),
            InvalidArgumentError,
            "stride must be an integer >= 1; got 0.",
        ),
    ],
)
def test_errors_are_whole_sentences(call, error, sentence):
    with pytest.raises(error, match=exactly(sentence)):
        call()


def test_every_step_is_paired_with_a_later_one():
    series = np.arange(12.0).reshape(6, 2)
    x, y = ahead(series, 2)
    np.testing.assert_array_equal(x, series[None, :4])
    np.testing.assert_array_equal(y, series[None, 2:])
    with pytest.raises(ValueError, match="read-only"):
        x[0, 0, 0] = 1.0
    temperature = seattle_temperature()
    np.testing.assert_array_equal(ahead(temperature, 1)[1][0, :, 0], temperature.values[1:])
    assert len(sliding_windows(temperature, 7)) == 1454


@pytest.mark.parametrize("stride", [None, 1, 3, 9])
@pytest.mark.parametrize("length", [5, 8, 9, 12, 13])
def test_every_token_is_paired_with_the_next_one(length, stride):
    text = np.random.default_rng(0).integers(0, 9, size=length)
    x, y = next_tokens(text, 4, stride=stride)
    starts = range(0, length - 4, stride or 4)
    assert x.tolist() == [text[s : s + 4].tolist() for s in starts]
    assert y.tolist() == [text[s + 1 : s + 5].tolist() for s in starts]
