"""Weights of classes, folded into the weights of the samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ThroughtimeError,
    check_float,
    check_int,
    describe,
    sentence,
)
from throughtime.losses.base import Loss
from throughtime.losses.checks import step_weights
from throughtime.training.heads import Heads
from throughtime.training.samples import Samples
from throughtime.training.targets import Targets

if TYPE_CHECKING:
    from throughtime.network import Network


def class_weighting(
    class_weight: Any, net: Network, heads: Heads, samples: Samples
) -> Callable[[Samples], Samples]:
    """Return what multiplies the weights of samples by those of their classes.

    Parameters
    ----------
    class_weight : mapping of int to float, "balanced" or None
        Weight of each class, 1 where it is not given. With ``"balanced"``, class c has the weight
        M / (C M_c): M steps of ``samples`` count, M_c of them are of class c, and C classes occur.
        With None nothing is changed. Of several outputs, a dict of them by output.
    net : Network
    heads : tuple of Head
        The targets of their losses are classes.
    samples : Samples
        The data to train on.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If ``class_weight`` is neither, or names a class that there is not; if the targets of the
        loss are no classes.
    DataError
        If nothing is left that has a weight.
    """
    if class_weight is None:
        return lambda samples: samples
    box = net.plan.outputs
    each = (class_weight,)
    if len(heads) > 1:
        if not isinstance(class_weight, Mapping):
            expected = "a dict by output, of a network with several"
            raise InvalidTypeError(sentence("class_weight", expected, describe(class_weight)))
        each = box.spread("class_weight", class_weight, part=True)
    tables: list[np.ndarray | None] = []
    for k, (head, own) in enumerate(zip(heads, each, strict=True)):
        n_outputs = net.topology.output_forms[k].features
        try:
            tables.append(_table(own, head.loss, samples.targets[k], n_outputs))
        except ThroughtimeError as error:
            raise head.blame(error) from None

    def weighted(samples: Samples) -> Samples:
        targets = list(samples.targets)
        for k, (head, table) in enumerate(zip(heads, tables, strict=True)):
            if table is None:
                continue
            try:
                targets[k] = _weighted(table, head.loss, targets[k])
            except ThroughtimeError as error:
                raise head.blame(error) from None
        return replace(samples, targets=tuple(targets))

    return weighted


def _table(class_weight: Any, loss: Loss, targets: Targets, n_outputs: int) -> np.ndarray | None:
    """The weight of each class of one output, (C,); None if there are none."""
    if class_weight is None:
        return None
    balanced = isinstance(class_weight, str) and class_weight == "balanced"
    if not balanced and not isinstance(class_weight, Mapping):
        expected = "a dict {class: weight} or 'balanced'"
        raise InvalidTypeError(sentence("class_weight", expected, describe(class_weight)))
    if loss.classes(targets.y) is None:
        expected = f"None for loss {loss.name!r} with {n_outputs} outputs, which has no classes"
        hint = "Use sample_weight."
        raise InvalidArgumentError(sentence("class_weight", expected, describe(class_weight), hint))
    table = np.ones(max(n_outputs, 2))
    if balanced:
        classes, weight = _weighted_classes(loss, targets)
        counts = _counts(classes, weight > 0.0, len(table))
        seen = counts > 0.0
        table[seen] = counts.sum() / (seen.sum() * counts[seen])
    else:
        for key, value in class_weight.items():
            number = check_int("a key of class_weight", key, 0, len(table) - 1)
            table[number] = check_float(f"class_weight[{number}]", value, 0.0)
    return table


def _weighted(table: np.ndarray, loss: Loss, targets: Targets) -> Targets:
    """The targets with weights that are multiplied by those of their classes."""
    classes, weight = _weighted_classes(loss, targets)
    with np.errstate(invalid="ignore", over="ignore"):  # other steps hold anything
        factor = table[classes] if classes.ndim == weight.ndim else classes @ table
        weight = np.where(weight > 0.0, weight * factor, 0.0)
    if not weight.any():
        expected, got = "something to learn from", "zero for every class that occurs"
        raise DataError(sentence("class_weight", expected, got, must="leave"))
    return targets._replace(weight=weight)


def _weighted_classes(loss: Loss, targets: Targets) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes as :meth:`Loss.classes` has them, and the weight of each step."""
    classes = loss.classes(targets.y)
    assert classes is not None  # checked before
    steps = classes.shape if classes.dtype.kind == "i" else classes.shape[:-1]
    return classes, step_weights(steps, targets.mask, targets.weight)


def _counts(classes: np.ndarray, real: np.ndarray, n_classes: int) -> np.ndarray:
    """How many of the steps that count are of each class, (C,)."""
    if classes.ndim == real.ndim:
        return np.bincount(classes[real], minlength=n_classes).astype(np.float64)
    total: np.ndarray = classes[real].sum(axis=0, dtype=np.float64)
    return total
