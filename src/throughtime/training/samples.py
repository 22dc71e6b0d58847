"""The data of a run: checked as a whole before any work, cut into batches later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.data.masks import lengths_from_mask
from throughtime.data.sequences import is_ragged, pad
from throughtime.errors import (
    Argument,
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    Message,
    ShapeError,
    ThroughtimeError,
    check_array,
    check_choice,
    check_collected,
    check_float,
    describe,
    sentence,
)
from throughtime.losses.base import Loss
from throughtime.training.metrics import Metric
from throughtime.training.objective import drop_empty

if TYPE_CHECKING:
    from throughtime.network import Network

#: First word of the seed for the validation subset; the loop has two others, so that no two random
#: streams of a run are the same.
SPLIT = 1
#: The entries of a validation set; a tuple holds the first two or three.
FIELDS = ("x", "y", "lengths", "mask", "sample_weight")


@dataclass(frozen=True)
class Samples:
    """Sequences with their targets.

    Attributes
    ----------
    x : ndarray of shape (N, T, F), or (N, T) of tokens, or (N, F)
        Inputs in the network's dtype, zero at masked steps.
    y : ndarray of shape (N, ...)
        Targets as the loss checked them.
    mask : ndarray of bool of shape (N, T), or None
        True at the unmasked steps; None if there is no mask.
    weight : ndarray of shape (N,) or (N, T), or None
        Sample weights; zero for a sequence that is masked at every step.
    per_step : bool
        Whether the output, and with it ``y``, has the time axis of ``x``.
    own_mask : ndarray of bool of shape (N, T'), or None
        The mask of an output that has fewer steps than ``x``; None if it has no mask, the steps of
        ``x``, or no steps.
    aligned : bool
        Whether ``y`` has the time axis of the output; see :attr:`Loss.aligned`.
    """

    x: np.ndarray
    y: np.ndarray
    mask: np.ndarray | None
    weight: np.ndarray | None
    per_step: bool
    own_mask: np.ndarray | None = None
    aligned: bool = True

    def __len__(self) -> int:
        return len(self.x)

    @property
    def output_mask(self) -> np.ndarray | None:
        """The mask of the output; None if there is none."""
        return self.mask if self.per_step else self.own_mask

    @property
    def lengths(self) -> np.ndarray | None:
        """One past the last unmasked step of every sequence; None if there is no mask."""
        return None if self.mask is None else lengths_from_mask(self.mask)

    def take(self, rows: np.ndarray) -> Samples:
        """Return the sequences at ``rows``, with all their steps."""
        return Samples(
            self.x[rows],
            self.y[rows],
            None if self.mask is None else self.mask[rows],
            None if self.weight is None else self.weight[rows],
            self.per_step,
            None if self.own_mask is None else self.own_mask[rows],
            self.aligned,
        )

    def batch(self, rows: np.ndarray) -> Samples:
        """Return the sequences at ``rows``, without the last steps that all of them lack."""
        if self.mask is None or self.own_mask is not None:  # y has steps of its own
            return self.take(rows)
        real = self.mask[rows]
        steps = max(int(lengths_from_mask(real).max()), 1)
        real = real[:, :steps]
        mask = None if real.all() else np.ascontiguousarray(real)
        weight = None if self.weight is None else self.weight[rows]
        if weight is not None and weight.ndim == 2 and self.per_step:
            weight = weight[:, :steps]
        y = self.y[rows, :steps] if self.per_step and self.aligned else self.y[rows]
        return Samples(self.x[rows, :steps], y, mask, weight, self.per_step, aligned=self.aligned)


def check_samples(
    net: Network,
    loss: Loss,
    metrics: Sequence[Metric],
    x: Any,
    y: Any,
    lengths: Any = None,
    mask: Any = None,
    sample_weight: Any = None,
) -> Samples:
    """Check data against the network, the loss and the metrics.

    Parameters
    ----------
    x, lengths, mask
        As in :meth:`Network.forward`.
    y : array-like, or a list of ragged arrays where the network gives an output at every step
        The targets. Masked steps and steps of weight zero may hold a placeholder: NaN, -100 or
        anything else.
    sample_weight : array-like of shape (N,) or of the output steps, or a list of ragged arrays
        Weight of each sequence, or of each step.

    Raises
    ------
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit; the message says which, and what would.
    """
    inputs, real = net.check_input(x, lengths, mask)
    shape = net.topology.output_shape(inputs.shape)
    per_step = len(shape) == 3 and _follows_input(net, inputs.shape)
    own = None if per_step else _own_mask(net, real, inputs.shape)
    shown = real if per_step else _present(real, shape) if own is None else own
    in_time = per_step or own is not None
    if in_time and loss.aligned and is_ragged(y):
        y = _pad_like(y, shape, shown, "y", "x" if per_step else "the output of x")
    check_collected("y", y)
    try:
        count = len(y)
    except TypeError:  # a single number, a class
        count = None
    if count != len(inputs):
        got = describe(y) if count is None else f"{count} of them"
        expected = f"one target for each of the {len(inputs)} sequences"
        raise ShapeError(sentence("y", expected, got, must="hold", value=y))
    weight = None
    if sample_weight is not None:
        by_step = in_time and not loss.whole
        weight = _check_weight(sample_weight, shape, shown if by_step else None, by_step, loss)
    counted = _counted(shown, weight, shape)
    target = loss.check_target(y, shape, counted)
    answer = loss.answers(np.zeros((*(1,) * (len(shape) - 1), shape[-1])), None)
    for metric in metrics:
        metric.check_target(target, (*shape[:-1], answer.shape[-1]), counted)
    if not per_step:
        weight = drop_empty(weight, real)
    if loss.batch_weight(shape, shown, weight) == 0.0:
        what = "sample_weight" if sample_weight is not None else "lengths or mask"
        got = "zero for every step"
        raise DataError(sentence(what, "something to learn from", got, must="leave"))
    return Samples(inputs, target, real, weight, per_step, own, loss.aligned)


def split_validation(
    net: Network,
    loss: Loss,
    metrics: Sequence[Metric],
    train: Samples,
    validation: Any,
    seed: int,
) -> tuple[Samples, Samples | None]:
    """Return training and validation data.

    Parameters
    ----------
    train : Samples
        All data.
    validation : float, tuple, mapping or None
        A fraction in (0, 1), for a random subset of this size; or ``(x, y)`` or
        ``(x, y, lengths)``; or the arguments of :func:`check_samples` by name.
    seed : int
        Seed for the random subset.
    """
    if validation is None:
        return train, None
    if isinstance(validation, (tuple, list, Mapping)):
        return train, check_named("validation", validation, net, loss, metrics)
    hint = "Give a fraction of the data, a tuple (x, y) or a dict with 'x' and 'y'."
    fraction = check_float("validation", validation, 0.0, 1.0, inclusive="neither", hint=hint)
    count = max(1, round(fraction * len(train)))
    if count >= len(train):
        expected, got = "at least one sequence to train on", f"{fraction:g} of {len(train)}"
        raise InvalidArgumentError(
            sentence("validation", expected, got, must="leave", value=validation)
        )
    order = np.random.default_rng([SPLIT, seed]).permutation(len(train))
    parts = train.take(np.sort(order[count:])), train.take(np.sort(order[:count]))
    for name, part in zip(("training", "validation"), parts, strict=True):
        shape = net.topology.output_shape(part.x.shape)
        if loss.batch_weight(shape, part.output_mask, part.weight) == 0.0:
            expected = f"something to learn from in the {name} part"
            got = "a random subset in which every step is masked or has weight zero"
            raise DataError(sentence("validation", expected, got, must="leave", value=validation))
    return parts


def check_named(
    name: str,
    data: Sequence[Any] | Mapping[str, Any],
    net: Network,
    loss: Loss,
    metrics: Sequence[Metric],
) -> Samples:
    """Check the tuple or dict ``data``, the value of the argument ``name``."""
    arguments = _by_name(name, data)
    try:
        return check_samples(net, loss, metrics, **arguments)
    except ThroughtimeError as error:
        raise type(error)(
            Message(
                "{name}: {problem}",
                parameter=name,
                value=error.value,
                hint=error.hint,
                name=name,
                problem=error.message.with_hint(""),
            )
        ) from None


def _by_name(name: str, data: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """The data of a tuple or dict as arguments of :func:`check_samples`."""
    if not isinstance(data, Mapping):
        if len(data) not in (2, 3):
            expected = "a tuple (x, y) or (x, y, lengths), or a dict"
            if name == "validation":
                expected = f"a fraction, {expected}"
            got, hint = f"{len(data)} entries", "A dict takes a mask and weights too."
            raise InvalidTypeError(sentence(name, expected, got, hint, value=data))
        return dict(zip(FIELDS, data, strict=False))
    for key in data:
        check_choice(f"a key of {name}", key, FIELDS)
    for key in ("x", "y"):
        if key not in data:
            got = ", ".join(map(repr, data))
            raise InvalidArgumentError(sentence(name, "'x' and 'y'", got, must="hold", value=data))
    return dict(data)


def _follows_input(net: Network, shape: tuple[int, ...]) -> bool:
    """Whether the output has the time axis of the input (and not, say, that of a RepeatVector)."""
    if net.topology.input_form.kind == "vector":
        return False
    more = shape[1] + 1
    longer = (shape[0], more, *shape[2:])
    return (net.topology.output_shape(shape)[1], net.topology.output_shape(longer)[1]) == (
        shape[1],
        more,
    )


def _own_mask(net: Network, real: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """The mask of an output whose sequences differ in length, but not as those of x do."""
    found = net.topology.output_shape(shape)
    if real is None or len(found) != 3:
        return None
    lengths = net.topology.output_lengths(real.sum(axis=1))
    if (lengths == found[1]).all():
        return None
    return np.arange(found[1]) < lengths[:, None]


def _present(real: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """The mask of outputs of ``shape`` that do not have the steps of the input.

    It is False for a sequence that is masked at every step; None if there is no such sequence.
    """
    if real is None or real.any(axis=1).all():
        return None
    present = real.any(axis=1).reshape(-1, *(1,) * (len(shape) - 2))
    return np.broadcast_to(present, shape[:-1])


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
