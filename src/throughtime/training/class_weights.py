"""Weights of classes, folded into the weights of the samples."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
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


@dataclass(eq=False)
class ClassWeights:
    """Multiplies the weights of samples by those of their classes.

    Attributes
    ----------
    heads : tuple of Head
    given : tuple
        Of each output, a mapping of classes to weights, or None.
    widths : tuple of int
        The number of outputs of each head.
    tables : list of (ndarray of shape (C,) or None), or None
        The weight of each class; None until the first batch is there.
    """

    heads: Heads
    given: tuple[Any, ...]
    widths: tuple[int, ...]
    tables: list[np.ndarray | None] | None = None

    def learn(self, parts: Callable[[], Iterable[Samples]]) -> None:
        """Find the weight of each class from the data to train on, which come in parts."""
        self.tables = []
        for k, (head, own) in enumerate(zip(self.heads, self.given, strict=True)):
            targets = (part.targets[k] for part in parts())
            try:
                self.tables.append(_table(own, head.loss, targets, self.widths[k]))
            except ThroughtimeError as error:
                raise head.blame(error) from None

    def __call__(self, samples: Samples, *, whole: bool = False) -> Samples:
        """The samples with their new weights; ``whole`` data must leave something to learn from."""
        if self.tables is None:
            self.learn(lambda: [samples])
        assert self.tables is not None
        targets = list(samples.targets)
        for k, (head, table) in enumerate(zip(self.heads, self.tables, strict=True)):
            if table is None:
                continue
            try:
                targets[k] = _weighted(table, head.loss, targets[k], whole)
            except ThroughtimeError as error:
                raise head.blame(error) from None
        return replace(samples, targets=tuple(targets))


def class_weighting(class_weight: Any, net: Network, heads: Heads) -> ClassWeights | None:
    """Return what multiplies the weights of samples by those of their classes.

    Parameters
    ----------
    class_weight : mapping of int to float, "balanced" or None
        Weight of each class, 1 where it is not given. With ``"balanced"``, class c has the weight
        M / (C M_c): M steps of the data count, M_c of them are of class c, and C classes occur.
        Of several outputs, a dict of them by output.
    net : Network
    heads : tuple of Head
        The targets of their losses are classes.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If ``class_weight`` is neither, or names a class that there is not; if the targets of the
        loss are no classes. The last two are found by :meth:`ClassWeights.learn`.
    DataError
        If nothing is left that has a weight.
    """
    if class_weight is None:
        return None
    box = net.plan.outputs
    each: tuple[Any, ...] = (class_weight,)
    if len(heads) > 1:
        if not isinstance(class_weight, Mapping):
            expected = "a dict by output, of a network with several"
            raise InvalidTypeError(sentence("class_weight", expected, describe(class_weight)))
        each = box.spread("class_weight", class_weight, part=True)
    widths = tuple(form.features for form in net.topology.output_forms)
    return ClassWeights(heads, each, widths)


def is_balanced(class_weight: Any) -> bool:
    """Whether weights are to be found from the data."""
    if isinstance(class_weight, Mapping):
        return any(map(is_balanced, class_weight.values()))
    return isinstance(class_weight, str)


def _table(
    class_weight: Any, loss: Loss, targets: Iterator[Targets], n_outputs: int
) -> np.ndarray | None:
    """The weight of each class of one output, (C,); None if there are none."""
    if class_weight is None:
        return None
    balanced = isinstance(class_weight, str) and class_weight == "balanced"
    if not balanced and not isinstance(class_weight, Mapping):
        expected = "a dict {class: weight} or 'balanced'"
        raise InvalidTypeError(sentence("class_weight", expected, describe(class_weight)))
    first = next(targets)
    if loss.classes(first.y) is None:
        expected = f"None for loss {loss.name!r} with {n_outputs} outputs, which has no classes"
        hint = "Use sample_weight."
        raise InvalidArgumentError(sentence("class_weight", expected, describe(class_weight), hint))
    table = np.ones(max(n_outputs, 2))
    if balanced:
        counts = np.zeros(len(table))
        for own in itertools.chain([first], targets):
            classes, weight = _weighted_classes(loss, own)
            counts += _counts(classes, weight > 0.0, len(table))
        seen = counts > 0.0
        table[seen] = counts.sum() / (seen.sum() * counts[seen])
    else:
        for key, value in class_weight.items():
            number = check_int("a key of class_weight", key, 0, len(table) - 1)
            table[number] = check_float(f"class_weight[{number}]", value, 0.0)
    return table


def _weighted(table: np.ndarray, loss: Loss, targets: Targets, whole: bool) -> Targets:
    """The targets with weights that are multiplied by those of their classes."""
    classes, weight = _weighted_classes(loss, targets)
    with np.errstate(invalid="ignore", over="ignore"):  # other steps hold anything
        factor = table[classes] if classes.ndim == weight.ndim else classes @ table
        weight = np.where(weight > 0.0, weight * factor, 0.0)
    if whole and not weight.any():
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
