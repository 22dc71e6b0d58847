"""What generation starts from: the input that goes on, checked prefixes, a stream at their ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from throughtime.activations import Activation, Identity, Softmax
from throughtime.data.encoding import one_hot
from throughtime.data.sequences import check_sequences, is_ragged
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    as_array,
    describe,
    sentence,
)
from throughtime.network.inputs import check_one
from throughtime.network.passes import Streamable
from throughtime.network.stream import Stream


class Generator(Streamable, Protocol):
    """What generation asks of a :class:`throughtime.Network`."""

    @property
    def output_activation(self) -> Activation | None: ...


class Target(NamedTuple):
    """The input that is generated, and the output that it is made of.

    Attributes
    ----------
    number : int
        The number of the input.
    name : str
        Its name.
    embeds : bool
        Whether it takes tokens, and not vectors.
    features : int
        Its number of features, F.
    n_outputs : int
        Number of outputs, K.
    """

    number: int
    name: str
    embeds: bool
    features: int
    n_outputs: int


def find_target(net: Streamable, fixed: Any) -> Target:
    """The only input that is not among the ``fixed`` ones."""
    if fixed is not None and not isinstance(fixed, Mapping):
        raise InvalidTypeError(sentence("fixed", "a dict of inputs by name", describe(fixed)))
    plan = net.topology.plan
    if len(plan.outputs.names) > 1:
        raise InvalidArgumentError(
            "a network that generates must have one output; this one has"
            f" {', '.join(map(repr, plan.outputs.names))}."
        )
    found = [k for k, name in enumerate(plan.inputs.names) if name not in (fixed or {})]
    if len(found) != 1:
        raise InvalidArgumentError(
            f"one input is generated, and fixed must hold the others; this network has the inputs"
            f" {', '.join(map(repr, plan.inputs.names))}."
        )
    form = net.topology.input_forms[found[0]]
    if form.kind == "vector":
        raise InvalidArgumentError(
            f"a network generates a sequence, and what this one takes, {form}, is none."
        )
    return Target(
        found[0],
        plan.inputs.names[found[0]],
        form.kind == "tokens",
        form.features,
        net.topology.output_forms[0].features,
    )


def gives_logits(net: Generator, target: Target) -> bool | None:
    """Whether a network of tokens gives logits and not probabilities; None if it gives values."""
    last = net.output_activation
    if not target.embeds:
        one_hot_tokens = isinstance(last, Softmax) and target.n_outputs == target.features > 1
        return False if one_hot_tokens else None
    if not isinstance(last, Softmax | Identity):
        raise InvalidArgumentError(
            "a network that generates tokens must end with a Dense layer that has the activation"
            " 'softmax', or none for logits. Give feedback, a function that makes the next token of"
            " an output, to generate values."
        )
    n_tokens = net.topology.n_tokens(target.number)
    if target.n_outputs > n_tokens:
        raise InvalidArgumentError(
            f"a network that generates tokens must take all that it gives; this one gives"
            f" {target.n_outputs} and takes {n_tokens}."
        )
    return isinstance(last, Identity)


class Part(NamedTuple):
    """A stream of some rows, at the ends of their prefixes.

    Attributes
    ----------
    rows : ndarray of int of shape (n,)
        The numbers of the rows.
    stream : Stream
    y : ndarray of shape (n, K)
        Its last output.
    """

    rows: np.ndarray
    stream: Stream
    y: np.ndarray


class Beginning(NamedTuple):
    """What all rows start from.

    Attributes
    ----------
    parts : list of Part
        One, or one for each length of a prefix.
    rows : int
        Number of rows, N.
    single : bool
        Whether the prefix was one row without the axis N.
    """

    parts: list[Part]
    rows: int
    single: bool


def begin(
    net: Streamable,
    target: Target,
    prefix: Any,
    lengths: Any,
    fixed: Any,
    *,
    tokens: bool,
    name: str = "prefix",
) -> Beginning:
    """Check prefixes, of tokens or of values, and read them; messages call them ``name``.

    With ``fixed`` a prefix of one row begins every row.
    """
    own, others = lengths, None
    if isinstance(lengths, Mapping):
        box = net.topology.plan.inputs
        named = dict(zip(box.names, box.spread("lengths", lengths, part=True), strict=True))
        own, others = named.pop(target.name), named
    rows, single = _as_rows(name, prefix, 1 if tokens else 2)
    if single and fixed:
        rows, single = np.repeat(rows, _count(fixed), axis=0), False
    if tokens and not target.embeds:
        x, mask = _one_hot_rows(net, target, rows, own)
    else:
        x, mask = check_one(net.topology, target.number, rows, own, None, net.dtype, name)
    counts = np.full(len(x), x.shape[1]) if mask is None else mask.sum(axis=1)
    if not counts.all():
        row = counts.argmin()
        raise DataError(
            sentence(name, "at least one step in each row", f"none in row {row}", must="hold")
        )
    if fixed:
        stream = Stream(net, len(x), fixed, others)
        parts = [_read(net, stream, x, counts, count) for count in np.unique(counts)]
    else:
        stream = Stream(net, len(x))
        y = output_of(net, stream.warm_up(x, mask=mask))
        parts = [Part(np.arange(len(x)), stream, y)]
    return Beginning(parts, len(x), single)


def _read(net: Streamable, stream: Stream, x: np.ndarray, counts: np.ndarray, count: int) -> Part:
    """Step through the prefixes of ``count`` steps: a stream with fixed inputs has no warm-up."""
    rows = np.flatnonzero(counts == count)
    own = stream.copy()
    own.take(rows)
    for t in range(count):
        y = own.step(x[rows, t])
    return Part(rows, own, output_of(net, y))


def output_of(net: Streamable, y: Any) -> np.ndarray:
    """The only output, out of its container."""
    found: np.ndarray = net.topology.plan.outputs.spread("y", y)[0]
    return found


def _count(fixed: Mapping[str, Any]) -> int:
    """How many rows the first fixed input has; whether it is one at all is checked later."""
    try:
        return len(next(iter(fixed.values())))
    except TypeError:
        return 1


def _as_rows(name: str, prefix: Any, axes: int) -> tuple[Any, bool]:
    """Prefixes as many rows, and whether there was one, of ``axes``, without the axis N.

    A list is one of rows, but a list of numbers is one row of tokens.
    """
    if is_ragged(prefix):
        single = axes == 1 and not any(
            isinstance(part, list | tuple) or getattr(part, "ndim", 0) for part in prefix
        )
    else:
        single = np.ndim(prefix) == axes
    return (as_array(name, prefix)[None] if single else prefix), single


def _one_hot_rows(
    net: Streamable, target: Target, rows: Any, lengths: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """The one-hot vectors of tokens, and the mask."""
    tokens, mask = check_sequences(rows, lengths, univariate=True, name="prefix")
    inside = (tokens >= 0) & (tokens < target.features) & (tokens == np.floor(tokens))
    if tokens.shape[2] != 1 or not inside.all():
        raise InvalidArgumentError(
            sentence(
                "prefix",
                f"tokens, integers from 0 to {target.features - 1}",
                f"shape {tokens.shape}" if tokens.shape[2] != 1 else f"{tokens[~inside][0]:g}",
                "The network takes one-hot vectors, which are made of them here. Of vectors,"
                " tt.data.labels(x) gives the tokens.",
                must="hold",
            )
        )
    x = one_hot(tokens[..., 0].astype(np.int64), target.features, net.dtype)
    return (x if mask is None else np.where(mask[..., None], x, 0)), mask
