"""The validation set: a part of the data, data of its own, or batches from a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ThroughtimeError,
    check_choice,
    check_float,
    sentence,
)
from throughtime.training.heads import Heads
from throughtime.training.mapped import Mapped, check_data
from throughtime.training.samples import Samples
from throughtime.training.sources import Source, check_reset, is_source

if TYPE_CHECKING:
    from throughtime.network import Network

#: First word of the seed for the validation subset; the loop has two others, so that no two random
#: streams of a run are the same.
SPLIT = 1
#: The entries of a validation set; a tuple holds the first two or three.
FIELDS = ("x", "y", "lengths", "mask", "sample_weight", "initial_state", "reset")


def separate_validation(
    net: Network, heads: Heads, validation: Any, prefetch: int, marks: bool = False
) -> Samples | Mapped | Source | None:
    """Return a validation set of its own; None if ``validation`` is None or a fraction.

    Parameters
    ----------
    validation : tuple, mapping, source or other
        ``(x, y)`` or ``(x, y, lengths)``; the arguments of :func:`check_data` by name; or batches.
    prefetch, marks :
        As :class:`Source` has them.
    """
    if is_source(validation):
        return Source(net, heads, validation, "validation", prefetch, marks)
    if isinstance(validation, (tuple, list, Mapping)):
        return check_named("validation", validation, net, heads)
    return None


def split_validation(
    heads: Heads, net: Network, train: Samples | Mapped, validation: Any, seed: int
) -> tuple[Samples | Mapped, Samples | Mapped]:
    """Return training and validation data, which are random subsets of all data.

    Parameters
    ----------
    train : Samples or Mapped
        All data.
    validation : float
        A fraction in (0, 1).
    seed : int
        Seed for the random subset.
    """
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
        for head, some in zip(heads, part.something(net, heads), strict=True):
            if not some:
                expected = f"something to learn from in the {name} part"
                got = "a random subset in which every step is masked or has weight zero"
                raise head.blame(
                    DataError(sentence("validation", expected, got, must="leave", value=validation))
                )
    return parts


def check_named(
    name: str, data: Sequence[Any] | Mapping[str, Any], net: Network, heads: Heads
) -> Samples | Mapped:
    """Check the tuple or dict ``data``, the value of the argument ``name``."""
    arguments = _by_name(name, data)
    reset = arguments.pop("reset", None)
    try:
        found = check_data(net, heads, **arguments)
        if reset is None:
            return found
        return replace(found, reset=check_reset(net, reset, len(found)))
    except ThroughtimeError as error:
        raise error.within(name, name) from None


def _by_name(name: str, data: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """The data of a tuple or dict as arguments of :func:`check_data`."""
    if not isinstance(data, Mapping):
        if len(data) not in (2, 3):
            expected = "a tuple (x, y) or (x, y, lengths), or a dict"
            if name == "validation":
                expected = f"a fraction, {expected}"
            got = f"{len(data)} entr{'y' if len(data) == 1 else 'ies'}"
            hint = "A dict takes a mask and weights too."
            raise InvalidTypeError(sentence(name, expected, got, hint, value=data))
        return dict(zip(FIELDS, data, strict=False))
    for key in data:
        check_choice(f"a key of {name}", key, FIELDS)
    for key in ("x", "y"):
        if key not in data:
            got = ", ".join(map(repr, data))
            raise InvalidArgumentError(sentence(name, "'x' and 'y'", got, must="hold", value=data))
    return dict(data)
