"""Every loss: its value, its gradient, and the meaning of masks and weights."""

import json

import numpy as np
import pytest
from loss_cases import CASES, REDUCTIONS, SHAPES, WEIGHTINGS, mask_and_weights

import throughtime as tt
from throughtime.activations import ACTIVATIONS
from throughtime.layers import GRU, Dense
from throughtime.losses import LOSSES, MSE, CategoricalCrossentropy, Custom, Loss, get

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)
every_weighting = pytest.mark.parametrize("weighting", WEIGHTINGS)
every_shape = pytest.mark.parametrize("steps", SHAPES.values(), ids=SHAPES)
fused_cases = pytest.mark.parametrize(
    "case",
    [case for case in CASES.values() if case.loss().activation],
    ids=[name for name, case in CASES.items() if case.loss().activation],
)


def slopes(value, y, h=1e-5):
    """Central differences of ``value()`` with respect to every element of ``y``, in place."""
    result = np.zeros_like(y)
    for index in np.ndindex(y.shape):
        old = y[index]
        y[index] = old + h
        above = value()
        y[index] = old - h
        below = value()
        y[index] = old
        result[index] = (above - below) / (2 * h)
    return result


def assert_same_gradient(analytic, numeric, tolerance=1e-6):
    scale = np.maximum(np.abs(analytic), np.abs(numeric))
    floor = 1e-2 * scale.max(initial=1e-300)  # below it, the difference quotient is only rounding
    assert (np.abs(analytic - numeric) / np.maximum(scale, floor)).max() < tolerance


def by_hand(case, reduction, y, target, mask, weights):
    """The value, step by step in plain Python."""
    total = weight_sum = 0.0
    for step in np.ndindex(y.shape[:-1]):
        w = 1.0 if weights is None else weights[step[: weights.ndim]]
        if mask is not None and not mask[step]:
            continue
        terms = case.terms(y[step].tolist(), target[step].tolist())
        total += w * sum(terms)
        weight_sum += w * len(terms)
    return total if reduction == "sum" else total / weight_sum


@every_case
@every_reduction
@every_weighting
@every_shape
def test_value_and_gradient(case, reduction, weighting, steps):
    loss = case.loss(reduction)
    y, target = case.data(steps)
    mask, weights = mask_and_weights(steps, weighting)
    value, dy = loss(y, target, mask, weights)
    assert isinstance(value, float)
    assert value == pytest.approx(by_hand(case, reduction, y, target, mask, weights), rel=1e-11)
    assert dy.shape == y.shape
    assert dy.dtype == y.dtype
    numeric = slopes(lambda: loss(y, target, mask, weights)[0], y)
    assert_same_gradient(dy, numeric)
    np.testing.assert_array_equal(dy == 0, numeric == 0)


@fused_cases
@every_reduction
@every_weighting
@every_shape
def test_from_logits_is_activation_then_loss(case, reduction, weighting, steps):
    loss = case.loss(reduction)
    activation = ACTIVATIONS.get(loss.activation)
    _, target = case.data(steps)
    z = np.random.default_rng(5).normal(size=(*steps, loss.outputs(case.columns)))
    mask, weights = mask_and_weights(steps, weighting)
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
    y, target = case.data((3, 4))
    y = y.astype(np.float32)
    if target.dtype.kind == "f":
        target = target.astype(np.float32)
    value, dy = loss(y, target)
    value64, dy64 = loss(y.astype(np.float64), target)
    assert dy.dtype == np.float32
    assert value == value64
    np.testing.assert_array_equal(dy, dy64.astype(np.float32))


@every_case
@every_reduction
def test_full_mask_and_unit_weights_change_nothing(case, reduction):
    loss = case.loss(reduction)
    y, target = case.data((3, 4))
    value, dy = loss(y, target)
    for mask, weights in [
        (np.ones((3, 4), bool), None),
        (None, np.ones(3)),
        (np.ones((3, 4), bool), np.ones((3, 4), int)),
    ]:
        again, dy_again = loss(y, target, mask, weights)
        assert again == value
        np.testing.assert_array_equal(dy_again, dy)


@every_case
@every_reduction
def test_nothing_real_costs_nothing(case, reduction):
    loss = case.loss(reduction)
    y, target = case.data((3, 4))
    for mask, weights in [(np.zeros((3, 4), bool), None), (None, np.zeros(3))]:
        value, dy = loss(y, target, mask, weights)
        assert value == 0.0
        assert not dy.any()
        assert loss.batch_weight(y.shape, mask, weights) == 0.0
    value, dy = loss(y[:0], target[:0])
    assert value == 0.0
    assert dy.shape == y[:0].shape


@every_case
@every_reduction
def test_masked_is_the_subset(case, reduction):
    loss = case.loss(reduction)
    y, target = case.data((3, 4))
    mask, weights = mask_and_weights((3, 4), "both")
    value, dy = loss(y, target, mask, weights)
    alone, dy_alone = loss(y[mask], target[mask], None, weights[mask])
    assert value == alone
    np.testing.assert_array_equal(dy[mask], dy_alone)
    assert not dy[~mask].any()


@every_case
@every_reduction
def test_weight_two_is_the_sequence_twice(case, reduction):
    loss = case.loss(reduction)
    y, target = case.data((3, 4))
    value, dy = loss(y, target, weights=np.array([1.0, 2.0, 1.0]))
    twice = [0, 1, 1, 2]
    value_twice, dy_twice = loss(y[twice], target[twice])
    assert value == pytest.approx(value_twice, rel=1e-13)
    np.testing.assert_allclose(dy[1], dy_twice[1] + dy_twice[2], rtol=1e-13)
    np.testing.assert_allclose(dy[[0, 2]], dy_twice[[0, 3]], rtol=1e-13)


@every_case
def test_scale_of_the_weights(case):
    y, target = case.data((3, 4))
    weights = mask_and_weights((3, 4), "step weights")[1]
    mean, dmean = case.loss("mean")(y, target, weights=weights)
    for factor in (1e-320 / weights.min(), 1e-3, 1e307):
        value, dy = case.loss("mean")(y, target, weights=weights * factor)
        close = 1e-2 if factor < 1e-300 else 1e-13  # subnormal weights are rounded to few digits
        assert value == pytest.approx(mean, rel=close)
        np.testing.assert_allclose(dy, dmean, rtol=10 * close)
    total, dtotal = case.loss("sum")(y, target, weights=weights)
    value, dy = case.loss("sum")(y, target, weights=7.0 * weights)
    assert value == pytest.approx(7.0 * total, rel=1e-13)
    np.testing.assert_allclose(dy, 7.0 * dtotal, rtol=1e-13)


@every_case
@every_reduction
@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1e300])
@pytest.mark.parametrize("how", ["mask", "weight"])
def test_steps_that_do_not_count_may_hold_anything(case, reduction, garbage, how):
    loss = case.loss(reduction)
    y, target = case.data((3, 4))
    mask = mask_and_weights((3, 4), "mask")[0]
    value, dy = loss(y, target, mask)
    y[~mask] = garbage
    target = target.astype(np.float64)
    target[~mask] = garbage
    if how == "mask":
        again, dy_again = loss(y, target, mask)
    else:
        again, dy_again = loss(y, target, None, mask.astype(float))
    assert again == value
    np.testing.assert_array_equal(dy_again, dy)
    checked = loss.check_target(target, y.shape, mask)
    np.testing.assert_array_equal(loss(y, checked, mask)[1], dy)


@every_case
def test_mean_of_the_whole_from_its_parts(case):
    loss = case.loss("mean")
    y, target = case.data((3, 4))
    mask, weights = mask_and_weights((3, 4), "both")
    whole, _ = loss(y, target, mask, weights)
    total = weight = 0.0
    for part in (slice(0, 1), slice(1, 3)):
        shape = y[part].shape
        batch = loss.batch_weight(shape, mask[part], weights[part])
        total += batch * loss(y[part], target[part], mask[part], weights[part])[0]
        weight += batch
    assert total / weight == pytest.approx(whole, rel=1e-13)
    assert weight == pytest.approx(weights[mask].sum(), rel=1e-13)


@every_case
def test_arguments_are_left_alone(case):
    y, target = case.data((3, 4))
    mask, weights = mask_and_weights((3, 4), "both")
    arguments = (y, target, mask, weights)
    before = [a.copy() for a in arguments]
    case.loss()(*arguments)
    for was, now in zip(before, arguments, strict=True):
        np.testing.assert_array_equal(now, was)


@every_case
def test_targets_may_be_lists_and_lack_an_axis_of_one(case):
    loss = case.loss()
    y, target = case.data((3, 4))
    assert loss(y, target.tolist())[0] == loss(y, target)[0]
    if case.loss().activation == "softmax":
        return
    y = y[..., : loss.outputs(1)]
    assert loss(y, target[..., 0])[0] == loss(y, target[..., :1])[0]


def test_one_hot_targets_are_class_numbers():
    loss = get("categorical_crossentropy")
    y, target = CASES["cce, numbers"].data((3, 4))
    value, dy = loss(y, target)
    for spelling in (np.eye(4)[target], np.eye(4, dtype=int)[target], target.astype(np.float32)):
        again, dy_again = loss(y, spelling)
        assert again == value
        np.testing.assert_array_equal(dy_again, dy)


def leaves(cls):
    """The classes of the package that no other of it is derived from."""
    inner = [sub for sub in cls.__subclasses__() if sub.__module__.startswith("throughtime.")]
    return {leaf for sub in inner for leaf in leaves(sub)} if inner else {cls}


def test_every_loss_is_registered_and_has_a_case():
    by_step = {cls for cls in leaves(Loss) if not cls.whole}
    assert by_step - {Custom} == {LOSSES[name] for name in LOSSES if not LOSSES[name].whole}
    assert {LOSSES[case.name] for case in CASES.values()} == by_step - {Custom}


@every_case
@every_reduction
def test_config_round_trip(case, reduction):
    loss = case.loss(reduction)
    again = LOSSES.from_config(json.loads(json.dumps(LOSSES.to_config(loss))))
    assert again == loss
    assert hash(again) == hash(loss)
    assert loss.name == case.name


def test_get():
    assert get("msse") == get("half_mse")
    assert get("bce") == get("binary_crossentropy")
    assert get("crossentropy") == get("cce") == get("categorical_crossentropy")
    assert get("mean_squared_error") == MSE()
    loss = MSE(reduction="sum")
    assert get(loss) is loss
    assert get(pow) == Custom(pow)


def test_a_focal_loss_without_focus_is_the_cross_entropy():
    for focal, plain, case in (
        ("binary_focal", "bce", "bce"),
        ("focal", "cce", "cce, numbers"),
        ("focal", "cce", "cce, probabilities"),
    ):
        y, target = CASES[case].data((3, 4))
        own = LOSSES[focal](gamma=0.0, label_smoothing=0.1)
        other = LOSSES[plain](label_smoothing=0.1)
        z = np.log(y)
        for found, expected in (
            (own(y, target), other(y, target)),
            (own.from_logits(z, target), other.from_logits(z, target)),
        ):
            assert found[0] == pytest.approx(expected[0], rel=1e-13)
            np.testing.assert_allclose(found[1], expected[1], rtol=1e-12, atol=1e-15)


def test_fuses_only_with_its_own_activation():
    fused = {"categorical_crossentropy": "softmax", "binary_crossentropy": "sigmoid"}
    fused |= {"categorical_focal_crossentropy": "softmax", "binary_focal_crossentropy": "sigmoid"}
    fused |= {"poisson": "exp", "ctc": "softmax"}
    for name in LOSSES:
        for activation in ACTIVATIONS:
            expected = fused.get(name) == activation
            assert get(name).fuses_with(ACTIVATIONS.get(activation)) is expected
        assert not get(name).fuses_with(None)
    assert not get("cce").fuses_with(ACTIVATIONS["softmax"](temperature=2.0))


def test_point_forecasts():
    y = np.arange(12.0).reshape(1, 2, 6)
    np.testing.assert_array_equal(get("mse").point(y), y)
    np.testing.assert_array_equal(get("quantile").point(y), y[..., [1, 4]])
    np.testing.assert_array_equal(get("gaussian_nll").point(y), y[..., :3])
    mean, variance = get("gaussian_nll").moments(y)
    np.testing.assert_array_equal(mean, y[..., :3])
    np.testing.assert_allclose(variance, np.log1p(np.exp(y[..., 3:])) + 1e-6, rtol=1e-14)
    np.testing.assert_array_equal(get("quantile").quantiles(y), y.reshape(1, 2, 2, 3))


def test_training_checks_a_target_once(monkeypatch):
    net = tt.Network([GRU(3, return_sequences=True), Dense(4, activation="softmax")], n_features=1)
    x = np.zeros((6, 3, 1))
    checked = []
    check = CategoricalCrossentropy.check_target
    monkeypatch.setattr(
        CategoricalCrossentropy,
        "check_target",
        lambda *args: checked.append(1) or check(*args),
    )
    tt.train(net, x, np.eye(4)[np.arange(18) % 4].reshape(6, 3, 4), loss="cce", epochs=4)
    assert len(checked) == 1


@every_case
def test_a_checked_target_gives_the_same(case):
    loss = case.loss()
    y, target = case.data((3, 4))
    mask, weights = mask_and_weights((3, 4), "both")
    checked = loss.check_target(target, y.shape, mask)
    value, dy = loss(y, target, mask, weights)
    again, dy_again = loss.evaluate(y, checked, mask, weights)
    assert again == value
    np.testing.assert_array_equal(dy_again, dy)


@every_case
@every_reduction
@every_weighting
def test_many_steps_are_looked_at_in_parts(case, reduction, weighting, monkeypatch):
    loss = case.loss(reduction)
    y, target = case.data((3, 4))
    mask, weights = mask_and_weights((3, 4), weighting)
    value, dy = loss(y, target, mask, weights)
    monkeypatch.setattr("throughtime.losses.base.BLOCK", 3 * y.shape[-1])
    again, dy_again = loss(y, target, mask, weights)
    assert again == pytest.approx(value, rel=1e-14)
    np.testing.assert_array_equal(dy_again, dy)


def test_a_function_of_ones_own_sees_all_steps(monkeypatch):
    monkeypatch.setattr("throughtime.losses.base.BLOCK", 2)
    sizes = []
    loss = Custom(lambda y, t: sizes.append(len(y)) or (y - t) ** 2, lambda y, t: 2 * (y - t))
    loss(np.zeros((3, 4, 1)), np.zeros((3, 4, 1)))
    assert sizes == [12]
