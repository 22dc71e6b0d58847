"""Losses equal PyTorch's, value and gradient, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # as everyone writes it

from throughtime.losses import BinaryFocalCrossentropy, CategoricalCrossentropy, Quantile, get

RNG = np.random.default_rng(7)
STEPS = (4, 5)
NORMAL, OTHER = RNG.normal(size=(2, *STEPS, 3))
POSITIVE = RNG.uniform(0.1, 3.0, size=(*STEPS, 3))
UNIT = RNG.uniform(0.05, 0.95, size=(*STEPS, 3))
COUNTS = RNG.poisson(2.0, size=(*STEPS, 3)).astype(float)
CLASSES = RNG.integers(0, 3, size=STEPS)
PROBABILITIES = UNIT / UNIT.sum(axis=-1, keepdims=True)
EDGES = np.stack([np.full(STEPS, 800.0), np.zeros(STEPS), np.full(STEPS, -800.0)], axis=-1)
MASK = RNG.random(STEPS) < 0.7
WEIGHTS = RNG.uniform(0.1, 2.0, size=STEPS)


def cross_entropy(z, t):
    """PyTorch wants the classes in the second axis."""
    t = t.movedim(-1, 1) if t.ndim == z.ndim else t
    return F.cross_entropy(z.movedim(-1, 1), t, reduction="none")


def negative_log(y, t):
    return F.nll_loss(torch.log(y).movedim(-1, 1), t, reduction="none")


def gaussian(y, t, full=False):
    variance = F.softplus(y[..., 3:], threshold=1000.0) + 1e-6
    return F.gaussian_nll_loss(y[..., :3], t, variance, full=full, eps=1e-12, reduction="none")


def log_squared(y, t):
    return F.mse_loss(torch.log1p(y), torch.log1p(t), reduction="none")


def plain(function, **options):
    return lambda y, t: function(y, t, reduction="none", **options)


def smoothed(z, t):
    t = t.movedim(-1, 1) if t.ndim == z.ndim else t
    return F.cross_entropy(z.movedim(-1, 1), t, reduction="none", label_smoothing=0.2)


def focal(z, t):
    """Lin et al. (2017), by autograd."""
    log_p = torch.log_softmax(z, dim=-1)
    t = F.one_hot(t, z.shape[-1]) if t.ndim < z.ndim else t
    return -(t * (1 - log_p.exp()) ** 2.0 * log_p).sum(dim=-1)


def binary_focal(z, t):
    log_yes, log_no = F.logsigmoid(z), F.logsigmoid(-z)
    yes, no = 0.25 * t * log_no.exp() ** 1.5, 0.75 * (1 - t) * log_yes.exp() ** 1.5
    return -yes * log_yes - no * log_no


def contrastive(y, t):
    return 0.5 * (t * y**2 + (1 - t) * torch.relu(1.0 - y) ** 2)


GAUSSIAN = np.concatenate((NORMAL, OTHER), axis=-1)
FROM_OUTPUTS = {
    "mse": (get("mse"), plain(F.mse_loss), NORMAL, OTHER),
    "mae": (get("mae"), plain(F.l1_loss), NORMAL, OTHER),
    "huber": (get("huber"), plain(F.huber_loss), NORMAL, OTHER),
    "msle": (get("msle"), log_squared, POSITIVE, UNIT),
    "bce": (get("bce"), plain(F.binary_cross_entropy), UNIT, PROBABILITIES),
    "cce": (get("cce"), negative_log, PROBABILITIES, CLASSES),
    "poisson": (get("poisson"), plain(F.poisson_nll_loss, log_input=False, eps=0.0), UNIT, COUNTS),
    "gaussian": (get("gaussian_nll"), gaussian, GAUSSIAN, POSITIVE),
    "contrastive": (get("contrastive"), contrastive, POSITIVE, UNIT),
}
FROM_LOGITS = {
    "bce": (get("bce"), plain(F.binary_cross_entropy_with_logits), NORMAL, UNIT),
    "bce at 800": (get("bce"), plain(F.binary_cross_entropy_with_logits), EDGES, UNIT),
    "cce": (get("cce"), cross_entropy, NORMAL, CLASSES),
    "cce at 800": (get("cce"), cross_entropy, EDGES, CLASSES),
    "cce, probabilities": (get("cce"), cross_entropy, NORMAL, PROBABILITIES),
    "poisson": (get("poisson"), plain(F.poisson_nll_loss), NORMAL, COUNTS),
    "cce, smoothed": (CategoricalCrossentropy(0.2), smoothed, NORMAL, CLASSES),
    "cce, probabilities, smoothed": (CategoricalCrossentropy(0.2), smoothed, NORMAL, PROBABILITIES),
    "focal": (get("focal"), focal, NORMAL, CLASSES),
    "focal, probabilities": (get("focal"), focal, NORMAL, PROBABILITIES),
    "binary focal": (BinaryFocalCrossentropy(0.0, 1.5, 0.25), binary_focal, NORMAL, UNIT),
}


def expected(function, y, target, mask, weights):
    """The weighted mean over real elements, by autograd."""
    y = torch.tensor(y, requires_grad=True)
    terms = function(y, torch.tensor(target))
    weight = torch.tensor(np.where(mask, weights, 0.0))
    weight = weight[..., None].expand(terms.shape) if terms.ndim == 3 else weight
    value = (weight * terms).sum() / weight.sum()
    value.backward()
    return value.item(), y.grad.numpy()


def assert_equal(got, wanted):
    assert got[0] == pytest.approx(wanted[0], rel=1e-12)
    np.testing.assert_allclose(got[1], wanted[1], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "function", "y", "target"), FROM_OUTPUTS.values(), ids=FROM_OUTPUTS
)
def test_from_outputs(loss, function, y, target, weighted):
    mask, weights = (MASK, WEIGHTS) if weighted else (np.ones(STEPS, bool), np.ones(STEPS))
    wanted = expected(function, y, target, mask, weights)
    assert_equal(loss(y, target, mask, weights), wanted)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "function", "z", "target"), FROM_LOGITS.values(), ids=FROM_LOGITS)
def test_from_logits(loss, function, z, target, weighted):
    mask, weights = (MASK, WEIGHTS) if weighted else (np.ones(STEPS, bool), np.ones(STEPS))
    wanted = expected(function, z, target, mask, weights)
    assert_equal(loss.from_logits(z, target, mask, weights), wanted)


def test_gaussian_with_its_constant():
    loss = get("gaussian_nll").__class__(full=True)
    wanted = expected(lambda y, t: gaussian(y, t, full=True), GAUSSIAN, OTHER, MASK, WEIGHTS)
    assert_equal(loss(GAUSSIAN, OTHER, MASK, WEIGHTS), wanted)


def test_quantile_from_the_definition():
    levels = (0.1, 0.7)
    y = GAUSSIAN

    def pinball(y, t):
        q = torch.tensor(levels, dtype=torch.float64)
        d = t[..., None] - y.reshape(*y.shape[:-1], 3, 2)
        return torch.maximum(q * d, (q - 1) * d).reshape(y.shape)

    wanted = expected(pinball, y, POSITIVE, MASK, WEIGHTS)
    assert_equal(Quantile(levels=levels)(y, POSITIVE, MASK, WEIGHTS), wanted)


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_sum(name):
    loss, function, y, target = FROM_OUTPUTS[name]
    tensor = torch.tensor(y, requires_grad=True)
    value = function(tensor, torch.tensor(target)).sum()
    value.backward()
    assert_equal(type(loss)(reduction="sum")(y, target), (value.item(), tensor.grad.numpy()))
