"""Every optimiser: steps derived by hand, minima reached, the same bits after a restart."""

from __future__ import annotations

import copy
import json
import math
import tracemalloc

import numpy as np
import pytest

from throughtime.errors import ModelFileError
from throughtime.optimizers import OPTIMIZERS, SGD, Adagrad, Adam, AdamW, RMSProp
from throughtime.optimizers.schedules import Cosine, InverseTime, Linear, Plateau, Warmup

# Every class with every option that changes what it does. The rates suit Rosenbrock's valley.
CASES = {
    "sgd": [
        SGD(1e-3),
        SGD(2e-4, momentum=0.95),
        SGD(2e-4, momentum=0.95, nesterov=True),
        SGD(1e-3, momentum=0.9, dampening=0.5),
    ],
    "adagrad": [Adagrad(0.5), Adagrad(0.1, momentum=0.9)],
    "rmsprop": [
        RMSProp(Linear(0.01, length=15000, per="step")),
        RMSProp(Linear(0.001, length=15000, per="step"), momentum=0.9, centered=True),
    ],
    "adam": [Adam(0.01), Adam(0.02, amsgrad=True)],
    "adamw": [AdamW(0.01, weight_decay=0.0), AdamW(0.01, weight_decay=1e-9, amsgrad=True)],
}
ALL = [
    pytest.param(case, id=f"{name}-{i}")
    for name, cases in CASES.items()
    for i, case in enumerate(cases)
]


@pytest.fixture(params=ALL)
def optimizer(request):
    return copy.deepcopy(request.param)


def run(optimizer, params, gradients, multiplier=None):
    for g in gradients:
        optimizer.step(params, np.asarray(g, params.dtype), multiplier)
    return params


def test_the_cases_are_the_whole_registry():
    assert set(CASES) == set(OPTIMIZERS)
    for name, cases in CASES.items():
        assert all(type(case) is OPTIMIZERS[name] for case in cases)
        assert OPTIMIZERS.get(name) == OPTIMIZERS[name]()


@pytest.mark.parametrize(
    ("optimizer", "gradients", "expected"),
    [
        (SGD(0.1), [1.0, 0.5], [0.9, 0.85]),
        # u = 1, then 0.9 + 0.5
        (SGD(0.1, momentum=0.9), [1.0, 0.5], [0.9, 0.76]),
        # d = 1 + 0.9, then 0.5 + 0.9 * 1.4
        (SGD(0.1, momentum=0.9, nesterov=True), [1.0, 0.5], [0.81, 0.634]),
        # u = 1 (undampened at the first step), then 0.9 + 0.5 * 0.5
        (SGD(0.1, momentum=0.9, dampening=0.5), [1.0, 0.5], [0.9, 0.785]),
        # s = 9, then 25; epsilon 1 shows that it stands outside the root
        (Adagrad(1.0, epsilon=1.0), [3.0, 4.0], [1 - 3 / 4, 1 - 3 / 4 - 4 / 6]),
        (
            Adagrad(1.0, epsilon=1.0, momentum=0.5),
            [3.0, 4.0],
            [1 - 3 / 4, 1 - 3 / 4 - (0.5 * 3 / 4 + 4 / 6)],
        ),
        # s = 4/4, then 3/4 + 13/4
        (
            RMSProp(1.0, rho=0.75, epsilon=1.0),
            [2.0, math.sqrt(13)],
            [1 - 2 / 2, 0 - math.sqrt(13) / 3],
        ),
        # m = 1/2, then 3/8 + sqrt(13)/4
        (
            RMSProp(1.0, rho=0.75, epsilon=1.0, centered=True),
            [2.0, math.sqrt(13)],
            [
                1 - 2 / (math.sqrt(3 / 4) + 1),
                1
                - 2 / (math.sqrt(3 / 4) + 1)
                - math.sqrt(13) / (math.sqrt(4 - (3 / 8 + math.sqrt(13) / 4) ** 2) + 1),
            ],
        ),
        # m = 1 -> 2 unbiased, s = 1 -> 4; then m = 7/2 -> 14/3, s = 39/4 -> 156/7
        (
            Adam(1.0, beta1=0.5, beta2=0.75, epsilon=1.0),
            [2.0, 6.0],
            [1 - 2 / 3, 1 - 2 / 3 - 14 / 3 / (math.sqrt(156 / 7) + 1)],
        ),
        # s falls to 3/4, the largest stays 1 -> 16/7; m = 1/2 -> 2/3
        (
            Adam(1.0, beta1=0.5, beta2=0.75, epsilon=1.0, amsgrad=True),
            [2.0, 0.0],
            [1 - 2 / 3, 1 - 2 / 3 - 2 / 3 / (math.sqrt(16 / 7) + 1)],
        ),
        # 1 shrinks by 0.1 * 0.5 of itself before the step of Adam
        (
            AdamW(0.1, beta1=0.5, beta2=0.75, epsilon=1.0, weight_decay=0.5),
            [2.0, 0.0],
            [
                0.95 - 0.1 * 2 / 3,
                (0.95 - 0.1 * 2 / 3) * 0.95 - 0.1 * 2 / 3 / (math.sqrt(3 / 4 * 16 / 7) + 1),
            ],
        ),
    ],
)
def test_two_steps_by_hand(optimizer, gradients, expected):
    optimizer.reset()  # another engine may have used it
    params = np.array([1.0])
    for g, value in zip(gradients, expected, strict=True):
        optimizer.step(params, np.array([g]))
        assert params[0] == pytest.approx(value, rel=1e-14, abs=1e-14)


def test_a_small_gradient_still_makes_a_whole_step():
    """Epsilon inside the square root would make it a step of 1e-8 / 1e-4 of the rate."""
    for optimizer in (Adam(1.0, epsilon=1e-12), RMSProp(1.0, rho=0.0, epsilon=1e-12)):
        params = np.zeros(1)
        optimizer.step(params, np.array([1e-8]))
        assert params[0] == pytest.approx(-1.0, rel=1e-3)


def test_reaches_the_minimum_of_a_parabola(optimizer):
    optimizer.lr = 0.05 if isinstance(optimizer, SGD) else Linear(0.3, length=1000, per="step")
    params = np.array([3.0, -2.0])
    target, curvature = np.array([0.5, 1.0]), np.array([1.0, 4.0])
    for _ in range(1000):
        optimizer.step(params, curvature * (params - target))
    np.testing.assert_allclose(params, target, atol=2e-3)


def test_reaches_the_minimum_of_rosenbrock(optimizer):
    params = np.array([-1.2, 1.0])
    for _ in range(15000):
        x, y = params
        g = np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
        optimizer.step(params, g)
    np.testing.assert_allclose(params, 1.0, atol=2e-2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_stopped_and_resumed_run_has_the_same_bits(optimizer, dtype):
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((20, 7)).astype(dtype)
    multiplier = rng.uniform(0.1, 2.0, 7).astype(dtype)
    whole = run(optimizer, np.ones(7, dtype), gradients, multiplier)

    first = copy.deepcopy(optimizer)
    first.reset()
    params = run(first, np.ones(7, dtype), gradients[:11], multiplier)
    state = first.state_dict()
    run(first, np.ones(7, dtype), gradients)  # the state is a copy, not a view
    second = OPTIMIZERS.from_config(OPTIMIZERS.to_config(first))
    second.load_state_dict(state)
    kept = copy.deepcopy(state)
    run(second, params, gradients[11:], multiplier)
    for name in state:  # loaded as a copy too
        np.testing.assert_array_equal(state[name], kept[name])
    assert params.tobytes() == whole.tobytes()
    assert second.steps == 20


def test_reset_makes_it_new(optimizer):
    gradients = np.random.default_rng(1).standard_normal((5, 3))
    first = run(optimizer, np.zeros(3), gradients)
    optimizer.reset()
    assert optimizer.state_dict() == {"steps": 0, "epoch": 0}
    assert run(optimizer, np.zeros(3), gradients).tobytes() == first.tobytes()
    optimizer.reset()
    assert run(optimizer, np.zeros(2, "float32"), np.ones((1, 2))).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_in_place_and_leaves_the_gradient(optimizer, dtype):
    params, g = np.ones(3, dtype), np.array([1.0, -2.0, 3.0], dtype)
    view, before = params[:], g.copy()
    for _ in range(3):
        optimizer.step(params, g, np.ones(3, dtype), np.ones(3, bool))
    assert view.dtype == dtype
    assert (view != 1.0).all()
    np.testing.assert_array_equal(g, before)
    for name in optimizer.state_dict().keys() - {"steps", "epoch"}:
        assert optimizer.state_dict()[name].dtype == dtype


def test_allocates_nothing_after_the_first_step(optimizer):
    size = 200_000
    params, g, half = np.ones(size, "float32"), np.ones(size, "float32"), np.full(size, 0.5)
    mask = np.arange(size) % 2 == 0
    optimizer.step(params, g, half, mask)
    tracemalloc.start()
    try:
        optimizer.step(params, g, half, mask)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < params.nbytes / 4


def test_multiplier_scales_the_rate_of_each_number(optimizer):
    gradients = np.random.default_rng(2).standard_normal((6, 3))
    multiplier = np.array([1.0, 0.5, 0.0])
    together = run(optimizer, np.ones(3), gradients, multiplier)
    assert together[2] == 1.0
    for i in (0, 1):
        alone = copy.deepcopy(optimizer)
        alone.reset()
        rate = alone.current_lr
        # Over so few steps the slowly falling rates of the cases count as constant.
        alone.lr = rate * multiplier[i]
        np.testing.assert_allclose(
            run(alone, np.ones(1), gradients[:, i : i + 1]) - 1.0, together[i] - 1.0, rtol=1e-3
        )


def test_decay_leaves_the_masked_numbers_alone():
    optimizer = AdamW(0.1, weight_decay=0.5)
    params, mask = np.array([1.0, 2.0, 3.0]), np.array([True, False, True])
    optimizer.step(params, np.zeros(3), np.array([1.0, 1.0, 0.5]), decay_mask=mask)
    np.testing.assert_allclose(params, [0.95, 2.0, 3.0 * 0.975], rtol=1e-15)
    optimizer.step(params, np.zeros(3))
    np.testing.assert_allclose(params, [0.95**2, 1.9, 3.0 * 0.975 * 0.95], rtol=1e-15)


def test_a_nan_gradient_shows_in_the_parameters_and_warns_of_nothing(optimizer):
    params = np.ones(3, "float32")
    optimizer.step(params, np.array([np.nan, 1.0, 1e30], "float32"))
    assert np.isnan(params[0])
    assert not np.isnan(params[1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_underflow_is_no_error(optimizer, dtype):
    tiny = np.finfo(dtype).tiny
    params = np.full(3, 4 * tiny, dtype)
    grads = np.array([tiny, 1e-20, 1.0], dtype)
    with np.errstate(all="raise"):
        for _ in range(3):
            optimizer.step(params, grads, np.full(3, 0.5, dtype), np.array([True, True, False]))
    assert np.isfinite(params).all()


def test_centered_variance_below_zero_by_rounding_is_zero():
    optimizer = RMSProp(0.1, rho=0.5, centered=True)
    params = np.zeros(1, "float32")
    for _ in range(50):  # the mean square minus the squared mean is -7e-9 at step 24
        optimizer.step(params, np.array([0.3], "float32"))
    assert np.isfinite(params).all()


def test_the_schedule_is_told_of_steps_epochs_and_values():
    by_step = SGD(InverseTime(0.1, decay=1.0, per="step"))
    params = np.zeros(1)
    run(by_step, params, [[1.0], [1.0]])
    np.testing.assert_allclose(params, -0.1 - 0.05)
    assert by_step.current_lr == pytest.approx(0.1 / 3)

    by_epoch = SGD(InverseTime(0.1, decay=1.0))
    run(by_epoch, np.zeros(1), [[1.0], [1.0]])
    assert by_epoch.current_lr == 0.1
    by_epoch.begin_epoch(3)
    assert by_epoch.current_lr == pytest.approx(0.025)

    by_value = SGD(Plateau(0.1, factor=0.5, patience=0))
    by_value.observe(1.0)
    by_value.observe(2.0)
    assert by_value.current_lr == 0.05
    by_value.reset()
    assert by_value.current_lr == 0.1

    fixed = SGD(0.1)
    fixed.observe(1.0)
    assert fixed.current_lr == 0.1


def test_state_carries_the_memory_of_the_schedule():
    make = Warmup(Plateau(0.1, patience=1), length=2)
    first, second = Adam(copy.deepcopy(make)), Adam(copy.deepcopy(make))
    first.begin_epoch(4)
    for value in (1.0, 0.9, 0.95, 0.95):
        first.observe(value)
    state = json.loads(json.dumps(first.state_dict()))
    second.load_state_dict(state)
    assert state["schedule.best"] == 0.9
    assert second.epoch == 4
    for value in (0.95, 0.95, 0.95):
        first.observe(value)
        second.observe(value)
        assert second.current_lr == first.current_lr
    assert second.state_dict() == first.state_dict()


def test_config_survives_json(optimizer):
    config = json.loads(json.dumps(OPTIMIZERS.to_config(optimizer)))
    assert OPTIMIZERS.from_config(config) == optimizer


def test_config_nests_schedules():
    optimizer = AdamW(Warmup(Cosine(0.01, length=20, restarts=True), length=5, per="step"))
    config = OPTIMIZERS.to_config(optimizer)
    assert config["lr"]["name"] == "warmup"
    assert config["lr"]["schedule"]["name"] == "cosine"
    assert OPTIMIZERS.from_config(json.loads(json.dumps(config))) == optimizer
    config["lr"]["schedule"]["name"] = "sine"
    with pytest.raises(ModelFileError) as caught:
        OPTIMIZERS.from_config(config)
    assert str(caught.value) == "the file asks for an unknown schedule 'sine'."
