"""Every loss of whole sequences: its value, its gradient, and the meaning of masks and weights."""

import json
import re

import numpy as np
import pytest
from sequence_loss_cases import CASES, ROWS, STEPS, WEIGHTINGS, mask_and_weights
from test_losses import assert_same_gradient, leaves, slopes

import throughtime as tt
from throughtime.activations import ACTIVATIONS
from throughtime.errors import DataError, InvalidArgumentError, ShapeError
from throughtime.losses import LOSSES, SequenceLoss

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_reduction = pytest.mark.parametrize("reduction", ["mean", "sum"])
every_weighting = pytest.mark.parametrize("weighting", WEIGHTINGS)
fused_cases = pytest.mark.parametrize(
    "case",
    [case for case in CASES.values() if case.loss().activation],
    ids=[name for name, case in CASES.items() if case.loss().activation],
)


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def by_hand(case, reduction, y, target, mask, weights):
    """The value, sequence by sequence."""
    real = np.ones(y.shape[:2], bool) if mask is None else mask
    w = np.ones(len(y)) if weights is None else weights
    rows = [n for n in range(len(y)) if real[n].any() and w[n] > 0]
    total = sum(w[n] * case.value(y[n, real[n]], aim(target, n, real)) for n in rows)
    return total if reduction == "sum" else total / sum(w[n] for n in rows)


def aim(target, n, real):
    """The target of one sequence, at its unmasked steps where it has steps."""
    return target[n] if isinstance(target, list) else target[n][real[n]]


def rows_of(target, rows):
    return [target[n] for n in rows] if isinstance(target, list) else target[rows]


@every_case
@every_reduction
@every_weighting
def test_value_and_gradient(case, reduction, weighting):
    loss = case.loss(reduction)
    y, target = case.data()
    mask, weights = mask_and_weights(weighting)
    value, dy = loss(y, target, mask, weights)
    assert isinstance(value, float)
    assert value == pytest.approx(by_hand(case, reduction, y, target, mask, weights), rel=1e-12)
    assert dy.shape == y.shape
    assert dy.dtype == y.dtype
    assert_same_gradient(dy, slopes(lambda: loss(y, target, mask, weights)[0], y))
    if mask is not None:
        assert not dy[~mask].any()


@fused_cases
@every_reduction
@every_weighting
def test_from_logits_is_activation_then_loss(case, reduction, weighting):
    loss = case.loss(reduction)
    activation = ACTIVATIONS.get(loss.activation)
    y, target = case.data()
    z = np.random.default_rng(5).normal(size=y.shape)
    mask, weights = mask_and_weights(weighting)
    y = activation(z)
    value, dy = loss(y, target, mask, weights)
    fused, dz = loss.from_logits(z, target, mask, weights)
    assert fused == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(dz, activation.backward(dy, y, z), rtol=1e-10, atol=1e-13)
    assert_same_gradient(dz, slopes(lambda: loss.from_logits(z, target, mask, weights)[0], z))


@every_case
@every_reduction
def test_float32_is_the_float64_answer_rounded(case, reduction):
    loss = case.loss(reduction)
    y, target = case.data()
    y = y.astype(np.float32)
    value, dy = loss(y, target)
    value64, dy64 = loss(y.astype(np.float64), target)
    assert dy.dtype == np.float32
    assert value == value64
    np.testing.assert_array_equal(dy, dy64.astype(np.float32))


@every_case
@every_reduction
def test_nothing_real_costs_nothing(case, reduction):
    loss = case.loss(reduction)
    y, target = case.data()
    for mask, weights in [(np.zeros((ROWS, STEPS), bool), None), (None, np.zeros(ROWS))]:
        value, dy = loss(y, target, mask, weights)
        assert value == 0.0
        assert not dy.any()
        assert loss.batch_weight(y.shape, mask, weights) == 0.0
    assert loss.evaluate(y[:, :0], np.zeros((ROWS, 0), int))[0] == 0.0
    value, dy = loss(y[:0], target[:0])
    assert value == 0.0
    assert dy.shape == y[:0].shape


@every_case
def test_a_masked_step_is_no_step(case):
    """The same bits as the sequence without it, and beside other sequences."""
    loss = case.loss("sum")
    y, target = case.data()
    mask, _ = mask_and_weights("mask")
    _, dy = loss(y, target, mask)
    for n in range(3):
        real = mask[n : n + 1]
        own = rows_of(target, [n])
        own = own if isinstance(target, list) else own[real][None]
        value, dy_alone = loss(y[n : n + 1][real][None], own)
        assert value == loss(y[n : n + 1], rows_of(target, [n]), real)[0]
        np.testing.assert_array_equal(dy_alone[0], dy[n][mask[n]])


@every_case
@every_reduction
def test_weight_two_is_the_sequence_twice(case, reduction):
    loss = case.loss(reduction)
    y, target = case.data()
    value, dy = loss(y, target, weights=np.array([1.0, 2.0, 1.0, 1.0]))
    twice = [0, 1, 1, 2, 3]
    value_twice, dy_twice = loss(y[twice], rows_of(target, twice))
    assert value == pytest.approx(value_twice, rel=1e-13)
    np.testing.assert_allclose(dy[1], dy_twice[1] + dy_twice[2], rtol=1e-13)
    np.testing.assert_allclose(dy[[0, 2, 3]], dy_twice[[0, 3, 4]], rtol=1e-13)


@every_case
@every_reduction
@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1e300])
def test_steps_that_do_not_count_may_hold_anything(case, reduction, garbage):
    loss = case.loss(reduction)
    y, target = case.data()
    mask, _ = mask_and_weights("mask")
    value, dy = loss(y, target, mask)
    y[~mask] = garbage
    if isinstance(target, list):
        target[3] = [garbage, 99]
    else:
        target = np.where(mask, target, garbage)
    again, dy_again = loss(y, target, mask)
    assert again == value
    np.testing.assert_array_equal(dy_again, dy)


@every_case
def test_mean_of_the_whole_from_its_parts(case):
    loss = case.loss("mean")
    y, target = case.data()
    mask, weights = mask_and_weights("both")
    whole, _ = loss(y, target, mask, weights)
    total = weight = 0.0
    for part in ([0], [1, 2], [3]):
        batch = loss.batch_weight(y[part].shape, mask[part], weights[part])
        own = rows_of(target, part)
        total += batch * loss(y[part], own, mask[part], weights[part])[0]
        weight += batch
    assert total / weight == pytest.approx(whole, rel=1e-13)
    assert weight == weights[:3].sum()


@every_case
def test_arguments_are_left_alone(case):
    y, target = case.data()
    mask, weights = mask_and_weights("both")
    before = [np.copy(y), np.copy(mask), np.copy(weights)]
    case.loss()(y, target, mask, weights)
    for was, now in zip(before, (y, mask, weights), strict=True):
        np.testing.assert_array_equal(now, was)


@every_case
def test_a_checked_target_gives_the_same(case):
    loss = case.loss()
    y, target = case.data()
    mask, weights = mask_and_weights("both")
    checked = loss.check_target(target, y.shape, mask)
    value, dy = loss(y, target, mask, weights)
    np.testing.assert_array_equal(loss.check_target(checked, y.shape, mask), checked)
    for logits in (False, True) if loss.activation else (False,):
        found = loss.evaluate(y, checked, mask, weights, logits=logits)
        expected = loss.from_logits(y, target, mask, weights) if logits else (value, dy)
        assert found[0] == expected[0]
        np.testing.assert_array_equal(found[1], expected[1])


@every_case
@every_weighting
def test_many_sequences_are_looked_at_in_parts(case, weighting, monkeypatch):
    loss = case.loss()
    y, target = case.data()
    mask, weights = mask_and_weights(weighting)
    value, dy = loss(y, target, mask, weights)
    monkeypatch.setattr("throughtime.losses.sequence.BLOCK", 1)
    again, dy_again = loss(y, target, mask, weights)
    assert again == pytest.approx(value, rel=1e-14)
    np.testing.assert_array_equal(dy_again, dy)


@every_case
@every_reduction
def test_config_round_trip(case, reduction):
    loss = case.loss(reduction)
    again = LOSSES.from_config(json.loads(json.dumps(LOSSES.to_config(loss))))
    assert again == loss
    assert hash(again) == hash(loss)
    assert loss.name == case.name


def test_every_loss_is_registered_and_has_a_case():
    named = {LOSSES[name] for name in LOSSES if LOSSES[name].whole}
    assert leaves(SequenceLoss) - {tt.losses.CustomSequence} == named
    assert {LOSSES[case.name] for case in CASES.values()} == named


@every_case
def test_refusals(case):
    loss = case.loss()
    y, target = case.data()
    shape = y[:, 0].shape
    message = (
        f"loss {loss.name!r} must have an output at every step, (N, T, K); got shape {shape}."
        " Let the last recurrent layer have return_sequences=True."
    )
    with refuses(ShapeError, message):
        loss(y[:, 0], target)
    with refuses(ShapeError, "weights must be of shape (4,); got shape (4, 5)."):
        loss(y, target, weights=np.ones((4, 5)))
    with refuses(DataError, "weights must be finite numbers >= 0; got -1."):
        loss(y, target, weights=-np.ones(4))
    with refuses(InvalidArgumentError, f"loss {loss.name!r} has no term for a single step."):
        loss.terms(y[0], target, np.finfo(float))
    if loss.activation is None:
        message = f"loss {loss.name!r} has no activation to be fused with; call it on the outputs."
        with refuses(InvalidArgumentError, message):
            loss.from_logits(y, target)
