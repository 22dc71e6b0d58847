"""Cases for every registered loss: data, and its terms for one step in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from throughtime.losses import LOSSES, Loss

REDUCTIONS = ("mean", "sum")
LEVELS = (0.1, 0.25, 0.9)
SHAPES = {"N,K": (6,), "N,T,K": (3, 4), "one": (1, 1)}


def normal(rng, steps, columns):
    return rng.normal(size=(*steps, columns))


def unit(rng, steps, columns):
    return rng.uniform(0.1, 0.9, size=(*steps, columns))


def positive(rng, steps, columns):
    return rng.uniform(0.2, 3.0, size=(*steps, columns))


def counts(rng, steps, columns):
    return rng.poisson(2.0, size=(*steps, columns))


def distribution(rng, steps, columns):
    p = unit(rng, steps, columns)
    return p / p.sum(axis=-1, keepdims=True)


def class_number(rng, steps, columns):
    return rng.integers(0, columns, size=steps)


def huber(d, delta):
    return 0.5 * d * d if abs(d) <= delta else delta * (abs(d) - 0.5 * delta)


def each(term):
    """The terms of one step, from a function for the term of one element."""
    return lambda y, t: [term(a, b) for a, b in zip(y, t, strict=True)]


def cross_entropy(y, t):
    t = np.eye(len(y))[t] if np.ndim(t) == 0 else t
    return [-sum(b * math.log(a) for a, b in zip(y, t, strict=True))]


def smoothed(terms, s):
    """Terms of targets of which a share ``s`` is spread over all classes."""

    def own(y, t):
        rows = np.eye(len(y))[t] if np.ndim(t) == 0 else np.asarray(t)
        return terms(y, (1.0 - s) * rows + s / len(y))

    return own


def binary(y, t):
    return -t * math.log(y) - (1 - t) * math.log(1 - y)


def binary_focal(gamma, yes=1.0, no=1.0):
    return lambda y, t: (
        -yes * t * (1 - y) ** gamma * math.log(y) - no * (1 - t) * y**gamma * math.log(1 - y)
    )


def focal(gamma):
    def terms(y, t):
        t = np.eye(len(y))[t] if np.ndim(t) == 0 else t
        return [-sum(b * (1 - a) ** gamma * math.log(a) for a, b in zip(y, t, strict=True))]

    return terms


def gaussian(min_variance, constant):
    def terms(y, t):
        k = len(t)
        v = [math.log(1.0 + math.exp(u)) + min_variance for u in y[k:]]
        return [
            0.5 * math.log(s) + (b - a) ** 2 / (2.0 * s) + constant
            for a, b, s in zip(y[:k], t, v, strict=True)
        ]

    return terms


def quantile(levels):
    def terms(y, t):
        n = len(levels)
        pairs = [(levels[i % n], t[i // n] - a) for i, a in enumerate(y)]
        return [q * d if d > 0 else (q - 1.0) * d for q, d in pairs]

    return terms


@dataclass(frozen=True)
class Case:
    """One loss with options, and generators of outputs and targets in its domain, off its kinks."""

    name: str
    outputs: Callable[..., np.ndarray]
    targets: Callable[..., np.ndarray]
    terms: Callable[[Any, Any], list[float]]
    options: dict[str, Any] = field(default_factory=dict)
    columns: int = 2

    def loss(self, reduction: str = "mean") -> Loss:
        return LOSSES[self.name](**self.options, reduction=reduction)

    def data(self, steps: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        y = self.outputs(rng, steps, self.loss().outputs(self.columns))
        return y, self.targets(rng, steps, self.columns)


CASES = {
    "mse": Case("mse", normal, normal, each(lambda y, t: (y - t) ** 2)),
    "half_mse": Case("half_mse", normal, normal, each(lambda y, t: (y - t) ** 2 / 2)),
    "mae": Case("mae", normal, normal, each(lambda y, t: abs(y - t))),
    "huber": Case("huber", normal, normal, each(lambda y, t: huber(y - t, 1.0))),
    "huber, narrow": Case(
        "huber", normal, normal, each(lambda y, t: huber(y - t, 0.3)), {"delta": 0.3}
    ),
    "msle": Case(
        "msle", positive, positive, each(lambda y, t: (math.log(1 + y) - math.log(1 + t)) ** 2)
    ),
    "poisson": Case("poisson", positive, counts, each(lambda y, t: y - t * math.log(y))),
    "bce": Case(
        "binary_crossentropy",
        unit,
        unit,
        each(binary),
    ),
    "cce, numbers": Case(
        "categorical_crossentropy", distribution, class_number, cross_entropy, columns=4
    ),
    "cce, probabilities": Case(
        "categorical_crossentropy", distribution, distribution, cross_entropy, columns=3
    ),
    "bce, smoothed": Case(
        "binary_crossentropy",
        unit,
        unit,
        each(lambda y, t: binary(y, 0.8 * t + 0.1)),
        {"label_smoothing": 0.2},
    ),
    "cce, numbers, smoothed": Case(
        "categorical_crossentropy",
        distribution,
        class_number,
        smoothed(cross_entropy, 0.1),
        {"label_smoothing": 0.1},
        columns=4,
    ),
    "cce, probabilities, smoothed": Case(
        "categorical_crossentropy",
        distribution,
        distribution,
        smoothed(cross_entropy, 0.3),
        {"label_smoothing": 0.3},
        columns=3,
    ),
    "binary focal": Case("binary_focal_crossentropy", unit, unit, each(binary_focal(2.0))),
    "binary focal, weighted": Case(
        "binary_focal_crossentropy",
        unit,
        unit,
        each(binary_focal(0.5, 0.25, 0.75)),
        {"gamma": 0.5, "alpha": 0.25},
    ),
    "binary focal, smoothed": Case(
        "binary_focal_crossentropy",
        unit,
        unit,
        each(lambda y, t: binary_focal(2.0)(y, 0.9 * t + 0.05)),
        {"label_smoothing": 0.1},
    ),
    "focal, numbers": Case(
        "categorical_focal_crossentropy", distribution, class_number, focal(2.0), columns=4
    ),
    "focal, probabilities": Case(
        "categorical_focal_crossentropy",
        distribution,
        distribution,
        focal(0.5),
        {"gamma": 0.5},
        columns=3,
    ),
    "focal, smoothed": Case(
        "categorical_focal_crossentropy",
        distribution,
        class_number,
        smoothed(focal(3.0), 0.2),
        {"gamma": 3.0, "label_smoothing": 0.2},
        columns=3,
    ),
    "gaussian": Case("gaussian_nll", normal, normal, gaussian(1e-6, 0.0)),
    "gaussian, full": Case(
        "gaussian_nll",
        normal,
        normal,
        gaussian(0.1, 0.5 * math.log(2 * math.pi)),
        {"min_variance": 0.1, "full": True},
    ),
    "contrastive": Case(
        "contrastive",
        positive,
        unit,
        each(lambda y, t: t * y * y / 2 + (1 - t) * max(1.5 - y, 0.0) ** 2 / 2),
        {"margin": 1.5},
    ),
    "quantile": Case("quantile", normal, normal, quantile((0.1, 0.5, 0.9))),
    "quantile, own": Case("quantile", normal, normal, quantile(LEVELS), {"levels": LEVELS}),
}


def mask_and_weights(steps, kind, seed=1):
    """A mask and weights, either of which may be None; some steps count and others do not."""
    rng = np.random.default_rng(seed)
    mask = rng.random(steps) < 0.6
    mask.flat[0] = True
    return {
        "none": (None, None),
        "mask": (mask, None),
        "sequence weights": (None, rng.uniform(0.1, 3.0, size=steps[:1])),
        "step weights": (None, rng.uniform(0.1, 3.0, size=steps)),
        "both": (mask, rng.uniform(0.1, 3.0, size=steps)),
        "zero weight": (mask, np.where(rng.random(steps) < 0.4, 0.0, 2.0) + (steps == (1, 1))),
    }[kind]


WEIGHTINGS = ("none", "mask", "sequence weights", "step weights", "both", "zero weight")
