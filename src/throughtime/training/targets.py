"""The targets of one output, with their weights: checked as a whole, cut into batches later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from throughtime.data.masks import lengths_from_mask
from throughtime.data.sequences import is_ragged, pad
from throughtime.errors import (
    Argument,
    DataError,
    ShapeError,
    check_array,
    check_collected,
    describe,
    sentence,
)
from throughtime.layers.forms import Form, Steps
from throughtime.losses.base import Loss
from throughtime.network.graph import Topology
from throughtime.network.inputs import lengths_of
from throughtime.network.signals import each
from throughtime.training.heads import Head
from throughtime.training.objective import drop_empty, present


class Targets(NamedTuple):
    """The targets of one output.

    Attributes
    ----------
    y : ndarray of shape (N, ...)
        Targets as the loss checked them.
    mask : ndarray of bool of the steps of the output, or None
        Its unmasked steps; None if no step is masked, or if it has no steps.
    weight : ndarray of shape (N,) or of the steps of the output, or None
        Sample weights; zero for a sequence that is masked at every step.
    axis : int or None
        Whose steps the output has: see :func:`axes`; None if it has none, or steps of its own.
    aligned : bool
        Whether ``y`` has the time axis of the output; see :attr:`Loss.aligned`.
    """

    y: np.ndarray
    mask: np.ndarray | None
    weight: np.ndarray | None
    axis: int | None
    aligned: bool

    @property
    def own_steps(self) -> bool:
        """Whether the output has steps of its own, which differ from row to row."""
        return self.axis is None and self.mask is not None

    def take(self, rows: np.ndarray | slice) -> Targets:
        """Return those of the sequences at ``rows``."""
        mask = None if self.mask is None else self.mask[rows]
        weight = None if self.weight is None else self.weight[rows]
        return Targets(self.y[rows], mask, weight, self.axis, self.aligned)

    def steps(self, start: int, end: int) -> Targets:
        """Return those of some time steps, of targets that have the time axis of the output."""
        mask, weight = self.mask, self.weight
        if weight is not None and weight.ndim == 2:
            weight = weight[:, start:end]
        return self._replace(
            y=self.y[:, start:end],
            mask=None if mask is None else mask[:, start:end],
            weight=weight,
        )

    def cut(self, rows: np.ndarray | slice, steps: int | None, mask: np.ndarray | None) -> Targets:
        """Return those of the first ``steps`` steps at ``rows``, whose mask is ``mask``."""
        if steps is None:
            return self.take(rows)
        weight = None if self.weight is None else self.weight[rows]
        if weight is not None and weight.ndim == 2:
            weight = weight[:, :steps]
        y = self.y[rows, :steps] if self.aligned else self.y[rows]
        return Targets(y, mask, weight, self.axis, self.aligned)


def axes(forms: Sequence[Form]) -> tuple[int | None, ...]:
    """Whose steps each input has: inputs with the same number have the same steps.

    None for a vector. Where the number of steps is fixed, the number is below zero.
    """
    return tuple(None if form.steps is None else _number(form.steps) for form in forms)


def _number(steps: Steps) -> int:
    return steps.axis if steps.count is None else -steps.count


def check_targets(
    topology: Topology,
    k: int,
    head: Head,
    x: tuple[np.ndarray, ...],
    masks: tuple[Any, ...],
    y: Any,
    sample_weight: Any,
    empty: bool = False,
) -> Targets:
    """Check the targets of output ``k``; see :func:`throughtime.training.samples.check_samples`."""
    shapes, loss = [a.shape for a in x], head.loss
    shape = topology.output_shapes(shapes)[k]
    source = _followed(topology, shapes, k)
    here = [masks[i] for i in sorted(topology.roots[k])]
    own = None if source is not None else _own_mask(topology, k, shape, x, masks)
    mask = own if source is None else masks[source]
    shown = mask if source is not None or own is not None else _present(present(here), shape)
    in_time = source is not None or own is not None
    if in_time and loss.aligned and is_ragged(y):
        whose = "the output of x"
        if source is not None:
            names = topology.plan.inputs.names
            whose = "x" if len(names) == 1 else f"x[{names[source]!r}]"
        y = _pad_like(y, shape, shown, "y", whose)
    check_collected("y", y)
    try:
        count = len(y)
    except TypeError:  # a single number, a class
        count = None
    if count != shape[0]:
        got = describe(y) if count is None else f"{count} of them"
        expected = f"one target for each of the {shape[0]} sequences"
        raise ShapeError(sentence("y", expected, got, must="hold", value=y))
    weight = None
    if sample_weight is not None:
        by_step = in_time and not loss.whole
        weight = _check_weight(sample_weight, shape, shown if by_step else None, by_step, loss)
    counted = _counted(shown, weight, shape)
    target = loss.check_target(y, shape, counted)
    answer = loss.answers(np.zeros((*(1,) * (len(shape) - 1), shape[-1])), None)
    for metric in head.metrics:
        metric.check_target(target, (*shape[:-1], answer.shape[-1]), counted)
    if source is None:
        weight = drop_empty(weight, here)
    if not empty and loss.batch_weight(shape, shown, weight) == 0.0:
        raise nothing_left(sample_weight is not None)
    axis = None if source is None else axes(topology.input_forms)[source]
    return Targets(target, mask, weight, axis, loss.aligned)


def nothing_left(weighted: bool) -> DataError:
    """The error of data in which no step counts."""
    what = "sample_weight" if weighted else "lengths or mask"
    return DataError(sentence(what, "something to learn from", "zero for every step", must="leave"))


def _followed(topology: Topology, shapes: list[tuple[int, ...]], k: int) -> int | None:
    """The input whose time axis output ``k`` has (and not, say, that of a RepeatVector)."""
    form, numbers = topology.output_forms[k], axes(topology.input_forms)
    if form.steps is None:
        return None
    steps = topology.output_shapes(shapes)[k][1]
    for i in sorted(topology.roots[k]):
        if numbers[i] is None or shapes[i][1] != steps:
            continue
        longer = [
            (shape[0], shape[1] + 1, *shape[2:]) if number == numbers[i] else shape
            for shape, number in zip(shapes, numbers, strict=True)
        ]
        if topology.output_shapes(longer)[k][1] == steps + 1:
            return i
    return None


def _own_mask(
    topology: Topology,
    k: int,
    shape: tuple[int, ...],
    x: tuple[np.ndarray, ...],
    masks: tuple[Any, ...],
) -> np.ndarray | None:
    """The mask of an output whose sequences differ in length, but not as those of an input do."""
    if len(shape) != 3 or all(mask is None for mask in masks):
        return None
    found = each(topology.output_lengths(lengths_of(topology, x, masks)))[k]
    if (found == shape[1]).all():
        return None
    return np.arange(shape[1]) < found[:, None]


def _present(real: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """The mask of outputs of ``shape`` that do not have the steps of an input.

    It is False for a sequence that is masked at every step; None if there is no such sequence.
    """
    if real is None:
        return None
    return np.broadcast_to(real.reshape(-1, *(1,) * (len(shape) - 2)), shape[:-1])


def _counted(
    shown: np.ndarray | None, weight: np.ndarray | None, shape: tuple[int, ...]
) -> np.ndarray | None:
    """Which outputs, of ``shape``, are compared with a target; None if all are."""
    if weight is None or weight.all():
        return shown
    positive = np.asarray(weight > 0.0).reshape(
        weight.shape + (1,) * (len(shape) - 1 - weight.ndim)
    )
    positive = np.broadcast_to(positive, shape[:-1])
    return positive if shown is None else positive & shown


def _pad_like(
    ragged: Any, shape: tuple[int, ...], real: np.ndarray | None, name: str, like: str = "x"
) -> np.ndarray:
    """Pad per-step values to an output of ``shape``, checking every length."""
    rows, steps = shape[0], shape[1]
    if len(ragged) != rows:
        expected = f"one array for each of the {rows} sequences"
        raise ShapeError(sentence(name, expected, f"{len(ragged)}", must="hold", value=ragged))
    ends = np.full(rows, steps) if real is None else lengths_from_mask(real)
    for i, (values, end) in enumerate(zip(ragged, ends, strict=True)):
        # Rows of a rectangular list have the whole length, padding included.
        if np.ndim(values) == 0 or len(values) not in (end, steps):
            got = "a number" if np.ndim(values) == 0 else len(values)
            expected = f"{end} steps, as {like}[{i}] has"
            raise ShapeError(
                sentence(Argument(name, i), expected, str(got), must="have", value=values)
            )
    padded, _ = pad(ragged, length=steps, name=name)
    return padded[..., 0] if np.ndim(ragged[0]) == 1 else padded


def _check_weight(
    weight: Any, shape: tuple[int, ...], real: np.ndarray | None, by_step: bool, loss: Loss
) -> np.ndarray:
    """Return ``sample_weight`` as float64, of shape (N,) or of the output steps."""
    if by_step and is_ragged(weight) and len(weight) > 0 and np.ndim(weight[0]) > 0:
        weight = _pad_like(weight, shape, real, "sample_weight")
    array = check_array("sample_weight", weight, dtype=np.float64, finite=False)
    allowed = [shape[:1]] if loss.whole else list(dict.fromkeys((shape[:1], shape[:-1])))
    if array.shape not in allowed:
        wanted = " or ".join(str(s) for s in allowed)
        got = f"shape {array.shape}"
        hint = f"Loss {loss.name!r} weighs whole sequences." if loss.whole else ""
        raise ShapeError(sentence("sample_weight", f"of shape {wanted}", got, hint, value=weight))
    if array.ndim == 2 and real is not None:
        array = np.where(real, array, 0.0)
    bad = ~(np.isfinite(array) & (array >= 0.0))
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        got = f"{array[first]:g} at index {first}"
        raise DataError(
            sentence("sample_weight", "finite numbers >= 0", got, must="hold", value=weight)
        )
    return array
