"""Cases for every registered loss of whole sequences: data, and its value by brute force."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from throughtime.losses import LOSSES, SequenceLoss

ROWS, STEPS = 4, 5
WEIGHTINGS = ("none", "mask", "weights", "both", "zero weight")


def collapsed(path, blank):
    """The labels that a path leaves: repetitions merged, blanks removed."""
    return [k for k, _ in itertools.groupby(path) if k != blank]


def ctc(y, target, blank=0):
    """-log of the probability of all paths that leave the target; y (T, K)."""
    wanted = [k for k in target if k >= 0]
    paths = itertools.product(range(y.shape[1]), repeat=len(y))
    return -math.log(
        sum(
            math.prod(y[t, k] for t, k in enumerate(path))
            for path in paths
            if collapsed(path, blank) == wanted
        )
    )


def crf(y, target):
    """-log of the share of the tags in the sum over all tags; y (T, K K)."""
    m = y.reshape(len(y), math.isqrt(y.shape[1]), -1)

    def score(tags):
        return sum(m[t, i, j] for t, (i, j) in enumerate(itertools.pairwise((0, *tags))))

    every = itertools.product(range(m.shape[1]), repeat=len(m))
    return math.log(sum(math.exp(score(tags)) for tags in every)) - score(target)


def normal(rng, shape):
    return rng.normal(size=shape)


def tags(n_tags):
    return lambda rng: rng.integers(0, n_tags, size=(ROWS, STEPS))


def distribution(rng, shape):
    p = rng.uniform(0.1, 0.9, size=shape)
    return p / p.sum(axis=-1, keepdims=True)


def labels(numbers):
    def make(rng):
        return [rng.permutation(numbers)[:n].tolist() for n in (2, 0, 1, 2)]

    return make


@dataclass(frozen=True)
class SequenceCase:
    """One loss with options, and generators of outputs and targets in its domain.

    ``value`` is that of one sequence, from its unmasked outputs (T, K) and its target.
    """

    name: str
    outputs: Callable[..., np.ndarray]
    targets: Callable[..., Any]
    value: Callable[[Any, Any], float]
    columns: int = 3
    options: dict[str, Any] = field(default_factory=dict)

    def loss(self, reduction: str = "mean") -> SequenceLoss:
        return LOSSES[self.name](**self.options, reduction=reduction)

    def data(self, seed: int = 0) -> tuple[np.ndarray, Any]:
        rng = np.random.default_rng(seed)
        return self.outputs(rng, (ROWS, STEPS, self.columns)), self.targets(rng)


CASES = {
    "ctc": SequenceCase("ctc", distribution, labels([1, 2, 1]), ctc),
    "ctc, repeated labels": SequenceCase("ctc", distribution, labels([1, 1]), ctc, 2),
    "ctc, another blank": SequenceCase(
        "ctc",
        distribution,
        labels([0, 1, 3]),
        lambda y, target: ctc(y, target, blank=2),
        4,
        {"blank": 2},
    ),
}

CASES |= {
    "crf": SequenceCase("crf", normal, tags(3), crf, 9),
    "crf, two tags": SequenceCase("crf", normal, tags(2), crf, 4),
}


def mask_and_weights(kind):
    """A mask with holes and weights, either of which may be None; the last sequence is masked."""
    mask = np.array([[1, 1, 0, 1, 1], [0, 1, 0, 0, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
    weights = np.array([0.5, 2.0, 1.25, 3.0])
    return {
        "none": (None, None),
        "mask": (mask, None),
        "weights": (None, weights),
        "both": (mask, weights),
        "zero weight": (mask, np.array([0.5, 0.0, 1.25, 3.0])),
    }[kind]
