"""Optimisers and schedules equal PyTorch's, step by step, to 1e-12 in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from throughtime.optimizers import SGD, Adagrad, Adam, AdamW, RMSProp
from throughtime.optimizers.schedules import (
    Cosine,
    Exponential,
    InverseTime,
    Linear,
    Plateau,
    Warmup,
)

STEPS = 60
SIZE = 12
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}

OPTIMIZERS = {
    "sgd": (SGD(0.05), torch.optim.SGD, {"lr": 0.05}),
    "momentum": (SGD(0.05, momentum=0.9), torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "dampening": (
        SGD(0.05, momentum=0.8, dampening=0.3),
        torch.optim.SGD,
        {"lr": 0.05, "momentum": 0.8, "dampening": 0.3},
    ),
    "nesterov": (
        SGD(0.05, momentum=0.9, nesterov=True),
        torch.optim.SGD,
        {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    ),
    "adagrad": (Adagrad(0.1), torch.optim.Adagrad, {"lr": 0.1}),
    "adagrad, falling": (
        Adagrad(InverseTime(0.1, decay=0.2, per="step")),
        torch.optim.Adagrad,
        {"lr": 0.1, "lr_decay": 0.2},
    ),
    "rmsprop": (RMSProp(0.01, rho=0.95), torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.95}),
    "rmsprop, all": (
        RMSProp(0.01, rho=0.95, momentum=0.7, centered=True, epsilon=1e-6),
        torch.optim.RMSprop,
        {"lr": 0.01, "alpha": 0.95, "momentum": 0.7, "centered": True, "eps": 1e-6},
    ),
    "adam": (
        Adam(0.01, beta1=0.8, beta2=0.99),
        torch.optim.Adam,
        {"lr": 0.01, "betas": (0.8, 0.99)},
    ),
    "amsgrad": (
        Adam(0.01, amsgrad=True, epsilon=1e-4),
        torch.optim.Adam,
        {"lr": 0.01, "amsgrad": True, "eps": 1e-4},
    ),
    "adamw": (
        AdamW(0.01, weight_decay=0.3),
        torch.optim.AdamW,
        {"lr": 0.01, "weight_decay": 0.3},
    ),
    "adamw, amsgrad": (
        AdamW(0.01, weight_decay=0.3, amsgrad=True),
        torch.optim.AdamW,
        {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True},
    ),
}


def gradients(rng):
    """Gradients over eleven orders of magnitude, one number of them always zero."""
    for _ in range(STEPS):
        g = rng.standard_normal(SIZE) * 10.0 ** np.arange(-7, SIZE - 7)
        g[3] = 0.0
        yield g


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_step_equals_torch(name):
    ours, theirs_class, options = OPTIMIZERS[name]
    ours.reset()
    rng = np.random.default_rng(0)
    params = rng.standard_normal(SIZE)
    tensor = torch.tensor(params.copy(), requires_grad=True)
    theirs = theirs_class([tensor], **options)
    for g in gradients(rng):
        ours.step(params, g)
        tensor.grad = torch.tensor(g)
        theirs.step()
        np.testing.assert_allclose(params, tensor.detach().numpy(), **TOLERANCE)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float32_stays_near_torch(name):
    ours, theirs_class, options = OPTIMIZERS[name]
    ours.reset()
    rng = np.random.default_rng(1)
    params = rng.standard_normal(SIZE).astype("float32")
    tensor = torch.tensor(params.copy(), requires_grad=True)
    theirs = theirs_class([tensor], **options)
    for _ in range(STEPS):
        g = rng.standard_normal(SIZE).astype("float32")
        ours.step(params, g)
        tensor.grad = torch.tensor(g)
        theirs.step()
        np.testing.assert_allclose(params, tensor.detach().numpy(), rtol=2e-5, atol=2e-5)


def test_multiplier_and_decay_mask_equal_parameter_groups():
    rng = np.random.default_rng(2)
    params = rng.standard_normal(SIZE)
    multiplier = np.repeat([1.0, 0.25, 0.0], SIZE // 3)
    decay_mask = np.arange(SIZE) % 2 == 0
    ours = AdamW(0.01, weight_decay=0.2)
    tensors = [torch.tensor(value, requires_grad=True) for value in params]
    theirs = torch.optim.AdamW(
        [
            {
                "params": [tensor],
                "lr": 0.01 * multiplier[i],
                "weight_decay": 0.2 * decay_mask[i],
            }
            for i, tensor in enumerate(tensors)
        ]
    )
    for g in gradients(rng):
        ours.step(params, g, multiplier, decay_mask)
        for tensor, value in zip(tensors, g, strict=True):
            tensor.grad = torch.tensor(value)
        theirs.step()
        np.testing.assert_allclose(params, [t.item() for t in tensors], **TOLERANCE)


SCHEDULES = {
    "inverse time": (
        InverseTime(0.3, decay=0.1),
        lambda o: lr_scheduler.LambdaLR(o, lambda k: 1.0 / (1.0 + 0.1 * k)),
    ),
    "exponential": (Exponential(0.3, gamma=0.9), lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    "steps": (
        Exponential(0.3, gamma=1.0, cycle=7, cycle_gamma=0.5),
        lambda o: lr_scheduler.StepLR(o, 7, 0.5),
    ),
    "linear": (
        Linear(0.3, end=0.03, length=20),
        lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1, total_iters=20),
    ),
    "linear to zero": (
        Linear(0.3, length=20),
        lambda o: lr_scheduler.PolynomialLR(o, total_iters=20, power=1.0),
    ),
    "cosine": (
        Cosine(0.3, length=STEPS, min_lr=0.01),
        lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.01),
    ),
    "cosine, restarts": (
        Cosine(0.3, length=7, min_lr=0.01, restarts=True),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 7, eta_min=0.01),
    ),
    "cosine, longer restarts": (
        Cosine(0.3, length=4, restarts=True, growth=2),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4, T_mult=2),
    ),
    "warm-up": (
        Warmup(Exponential(0.3, gamma=0.9), length=8, start=0.2),
        lambda o: lr_scheduler.SequentialLR(
            o,
            [lr_scheduler.LinearLR(o, 0.2, total_iters=8), lr_scheduler.ExponentialLR(o, 0.9)],
            milestones=[8],
        ),
    ),
}


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step")
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("per", ["epoch", "step"])
def test_every_rate_equals_torch(name, per):
    """Through an optimiser, so that the counters are checked as well as the formula."""
    schedule, make = SCHEDULES[name]
    ours = SGD(schedule)
    schedule.per = per
    if isinstance(schedule, Warmup):
        schedule.schedule.per = per
    params = np.zeros(1)
    tensor = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    theirs = torch.optim.SGD([tensor], lr=0.3)
    scheduler = make(theirs)
    for epoch in range(STEPS):
        ours.begin_epoch(epoch)
        assert ours.current_lr == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-12, abs=1e-15)
        steps = 2 if per == "epoch" else 1
        for _ in range(steps):
            ours.step(params, np.ones(1))
            tensor.grad = torch.ones_like(tensor)
            theirs.step()
        scheduler.step()
        np.testing.assert_allclose(params, tensor.detach().numpy(), **TOLERANCE)


@pytest.mark.parametrize("greater_is_better", [False, True])
@pytest.mark.parametrize(("patience", "cooldown"), [(0, 0), (2, 0), (3, 4), (0, 2)])
def test_plateau_equals_torch(greater_is_better, patience, cooldown):
    rng = np.random.default_rng(3)
    ours = SGD(
        Plateau(
            0.5,
            factor=0.7,
            patience=patience,
            cooldown=cooldown,
            min_lr=0.05,
            threshold=0.01,
            greater_is_better=greater_is_better,
        )
    )
    tensor = torch.zeros(1, requires_grad=True)
    theirs = torch.optim.SGD([tensor], lr=0.5)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        theirs,
        "max" if greater_is_better else "min",
        factor=0.7,
        patience=patience,
        cooldown=cooldown,
        threshold=0.01,
        min_lr=0.05,
        eps=0.0,
    )
    sign = 1.0 if greater_is_better else -1.0
    rates = set()
    for epoch in range(STEPS):
        value = 2.0 + sign * (0.02 * min(epoch, 25) + 0.05 * rng.standard_normal())
        ours.begin_epoch(epoch)
        ours.observe(value)
        scheduler.step(value)
        assert ours.current_lr == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-12)
        rates.add(ours.current_lr)
    assert len(rates) > 2  # the series does stop improving
