"""Losses of whole sequences on the native engine: value and gradient of the reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from loop_cases import needs_native

import throughtime as tt
from throughtime.kernels import selection
from throughtime.losses import CRF, CTC, LOSSES

KERNELS = selection.extension()
pytestmark = needs_native

DTYPES = ["float32", "float64"]
#: Sequences, steps, classes or tags, labels.
SIZES = [(0, 3, 3, 2), (1, 1, 2, 1), (3, 7, 2, 3), (4, 20, 5, 6), (2, 33, 17, 9), (5, 60, 40, 25)]
MASKS = ["none", "ragged", "holes"]


def mask_of(kind, n, steps, rng):
    if kind == "none":
        return None
    mask = np.arange(steps) < rng.integers(1, steps + 1, size=n)[:, None]
    if kind == "holes":
        mask &= rng.random((n, steps)) < 0.7
        mask[-1:] = False
    return mask


def drawn(loss, size, mask, dtype, seed=0):
    """Outputs, checked targets, the mask and weights, one of which is zero."""
    n, steps, k, most = size
    rng = np.random.default_rng(seed)
    real = mask_of(mask, n, steps, rng)
    width = k if isinstance(loss, CTC) else k * k
    y = (3.0 * rng.normal(size=(n, steps, width))).astype(dtype)
    if isinstance(loss, CTC):
        fits = [
            steps if real is None else int(own.sum()) for own in (real if real is not None else y)
        ]
        names = [c for c in range(k) if c != loss.blank]
        target = [rng.choice(names, size=min(most, fit // 2)) for fit in fits]
    else:
        target = rng.integers(0, k, size=(n, steps))
    weights = rng.uniform(0.5, 2.0, size=n)
    weights[1:2] = 0.0
    return y, loss.check_target(target, y.shape, real), real, weights


def on(engine, loss, arrays):
    with tt.engine(engine):
        return loss.evaluate(*arrays, logits=isinstance(loss, CTC))


def compare(loss, arrays):
    value, dy = on("native", loss, arrays)
    expected, wanted = on("reference", loss, arrays)
    assert type(value) is float
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)
    assert dy.dtype == wanted.dtype
    tolerance = 1e-6 if dy.dtype == np.float32 else 1e-11
    np.testing.assert_allclose(dy, wanted, rtol=tolerance, atol=1e-12)
    return value, dy


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", [CTC(), CTC(blank=1, reduction="sum"), CRF()], ids=repr)
def test_value_and_gradient_are_those_of_the_reference(loss, dtype, mask, size):
    arrays = drawn(loss, size, mask, dtype)
    _, dy = compare(loss, arrays)
    real, weights = arrays[2:]
    assert not dy[weights == 0.0].any()
    if real is not None:
        assert not dy[~real].any()
    compare(loss, (*arrays[:3], None))


@pytest.mark.parametrize("loss", [CTC(), CRF()], ids=repr)
def test_the_kernel_is_used(loss, monkeypatch):
    arrays = drawn(loss, SIZES[3], "ragged", "float64")
    name = "sequence_terms_from_logits" if isinstance(loss, CTC) else "sequence_terms"
    monkeypatch.setattr(type(loss), name, None)
    on("native", loss, arrays)
    with pytest.raises(TypeError):
        on("reference", loss, arrays)


def test_every_kernel_is_here():
    whole = [LOSSES[name] for name in LOSSES if LOSSES[name].whole]
    assert {(one.kernel, one.logits_kernel) for one in whole} == {("crf", None), (None, "ctc")}


@pytest.mark.parametrize("loss", [CTC(), CRF()], ids=repr)
def test_any_layout(loss):
    y, target, mask, weights = drawn(loss, SIZES[3], "holes", "float64")
    expected, wanted = on("native", loss, (y, target, mask, weights))
    spread = np.repeat(y, 2, axis=2)[..., ::2]
    value, dy = on("native", loss, (spread, target[:, ::1], np.asfortranarray(mask), weights))
    assert value == expected
    np.testing.assert_array_equal(dy, wanted)
    value, dy = on("native", loss, (y.astype(np.longdouble), target, mask, weights))
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(dy.astype("d"), wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("loss", [CTC(reduction="sum"), CRF(reduction="sum")], ids=repr)
def test_a_sequence_has_the_same_bits_in_any_batch(loss):
    y, target, mask, _ = drawn(loss, SIZES[5], "ragged", "float64")
    _, whole = on("native", loss, (y, target, mask, None))
    for n in range(len(y)):
        rows = slice(n, n + 1)
        end = int(mask[n].sum())
        own = target[rows] if isinstance(loss, CTC) else target[rows, :end]
        _, alone = on("native", loss, (y[rows, :end], own, None, None))
        np.testing.assert_array_equal(alone[0], whole[n, :end])


@pytest.mark.parametrize("loss", [CTC(), CRF()], ids=repr)
def test_any_number_of_threads_gives_the_same_bits(loss):
    arrays = drawn(loss, (64, 60, 60 if isinstance(loss, CTC) else 9, 25), "ragged", "float32")
    before = tt.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            tt.set_num_threads(threads)
            found.append(on("native", loss, arrays))
    finally:
        tt.set_num_threads(before)
    for value, dy in found[1:]:
        assert value == found[0][0]
        np.testing.assert_array_equal(dy, found[0][1])


@dataclass(frozen=True)
class Mine(CTC):
    """Not exactly the class of the kernel."""

    def sequence_terms_from_logits(self, z, target, mask, limits):
        terms, dz = super().sequence_terms_from_logits(z, target, mask, limits)
        return 2.0 * terms, 2.0 * dz


def test_a_derived_class_has_no_kernel():
    arrays = drawn(CTC(), SIZES[3], "none", "float64")
    assert on("native", Mine(), arrays)[0] == pytest.approx(2.0 * on("native", CTC(), arrays)[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 800.0, -1e30, 1e30])
@pytest.mark.parametrize("loss", [CTC(), CTC(zero_infinity=True), CRF()], ids=repr)
def test_extreme_outputs(loss, value, dtype):
    y, target, mask, weights = drawn(loss, SIZES[3], "ragged", dtype)
    y[0, 0, :] = value
    y[2, 1, 1] = value
    with np.errstate(all="ignore"):
        found, dy = on("native", loss, (y, target, mask, weights))
        expected, wanted = on("reference", loss, (y, target, mask, weights))
    assert found == pytest.approx(expected, rel=1e-6, nan_ok=True)
    bad = ~np.isfinite(wanted).all(axis=(1, 2))
    np.testing.assert_array_equal(~np.isfinite(dy).all(axis=(1, 2)), bad)
    np.testing.assert_allclose(dy[~bad], wanted[~bad], rtol=1e-5, atol=1e-7)


def test_long_sequences():
    rng = np.random.default_rng(0)
    loss = CTC()
    y = rng.normal(size=(2, 3000, 20))
    target = loss.check_target(rng.integers(1, 20, size=(2, 200)), y.shape)
    compare(loss, (y, target, None, None))
    tags = rng.integers(0, 3, size=(1, 3000))
    compare(CRF(), (10.0 * rng.normal(size=(1, 3000, 9)), tags, None, None))


def test_what_the_kernels_refuse():
    y, target, mask, _ = drawn(CTC(), SIZES[3], "none", "float64")
    n = len(y)
    scale, terms, dz = np.ones(n), np.zeros(n), np.zeros_like(y)
    assert KERNELS.ctc(y, target, mask, scale, 0, terms, dz)
    for changed in (
        (y.astype("i8"), target, mask, scale, 0, terms, dz),
        (y[..., ::2], target, mask, scale, 0, terms, dz[..., ::2]),
        (y, target + 5, mask, scale, 0, terms, dz),
        (y, target[1:], mask, scale, 0, terms, dz),
        (y, target.astype("i4"), mask, scale, 0, terms, dz),
        (y, target, np.ones((n, 3), bool), scale, 0, terms, dz),
        (y, target, mask, scale[1:], 0, terms, dz),
        (y, target, mask, scale, 5, terms, dz),
        (y, target, mask, scale, -1, terms, dz),
        (y, target, mask, scale, 0, terms.astype("f"), dz),
        (y, target, mask, scale, 0, terms, dz.astype("f")),
    ):
        assert not KERNELS.ctc(*changed)
    y, tags, _, _ = drawn(CRF(), SIZES[3], "none", "float64")
    dy = np.zeros_like(y)
    assert KERNELS.crf(y, tags, None, scale, terms, dy)
    for changed in (
        (y[..., :24].copy(), tags, None, scale, terms, dy[..., :24].copy()),
        (y, tags - 5, None, scale, terms, dy),
        (y, tags + 5, None, scale, terms, dy),
        (y, tags[:, 1:].copy(), None, scale, terms, dy),
    ):
        assert not KERNELS.crf(*changed)
