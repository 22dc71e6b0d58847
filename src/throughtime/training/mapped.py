"""Sequences in memory-mapped files: checked by blocks, read by batches, never copied whole."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from throughtime.data.masks import lengths_from_mask
from throughtime.errors import ShapeError, ThroughtimeError, sentence
from throughtime.losses.checks import step_weights
from throughtime.losses.labels import END
from throughtime.network.inputs import by_input
from throughtime.network.signals import each
from throughtime.network.tape import cut_state
from throughtime.training.heads import Heads
from throughtime.training.samples import Rows, Samples, Weigher, check_samples
from throughtime.training.targets import nothing_left

if TYPE_CHECKING:
    from throughtime.network import Network

#: Bytes of sequences that are checked at once.
BLOCK = 1 << 24


def is_mapped(value: Any) -> bool:
    """Whether an array, or an array in a dict or list, lies in a memory-mapped file."""
    if isinstance(value, Mapping):
        return any(map(is_mapped, value.values()))
    if isinstance(value, list | tuple):
        return any(map(is_mapped, value))
    while isinstance(value, np.ndarray):
        value = value.base
    return isinstance(getattr(value, "obj", value), mmap.mmap)


class Column(NamedTuple):
    """One of the arrays of data that are read block by block.

    Attributes
    ----------
    dtype : dtype
    shape : tuple of int
    blocks : callable
        An iterator over its rows, as arrays.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    blocks: Callable[[], Iterator[np.ndarray]]


@dataclass(eq=False)
class Mapped:
    """Sequences with their targets, of which some lie in files; what :class:`Samples` is in memory.

    Attributes
    ----------
    columns : dict
        The arguments of :func:`check_samples` that have rows: arrays, lists, or dicts of them by
        input or output.
    states : list or None
        The initial states of all rows, as :attr:`Samples.states`.
    reset : ndarray of bool of shape (N,), or None
        As :attr:`Samples.reset`.
    rows : ndarray of int, or None
        The numbers of the sequences; None for all.
    forms : list of tuple of int
        The shape of each input, without its first axis.
    kinds : list of (ndarray or None)
        The arrays of :attr:`Samples.arrays` without rows, as long as the longest block has them.
    ends : ndarray of int of shape (N,), or None
        How long every sequence is, as :attr:`Samples.lengths`.
    counted : ndarray of bool of shape (N, K)
        Which sequences have a step that counts, for each output.
    weigh : callable, or None
        Gives a batch the weights of its classes.
    """

    net: Network
    heads: Heads
    columns: dict[str, Any]
    states: list[Any] | None = None
    reset: np.ndarray | None = None
    rows: np.ndarray | None = None
    forms: list[tuple[int, ...]] = field(default_factory=list)
    kinds: list[np.ndarray | None] = field(default_factory=list)
    ends: np.ndarray | None = None
    counted: np.ndarray | None = None
    weigh: Weigher | None = None

    def __len__(self) -> int:
        return self.total if self.rows is None else len(self.rows)

    @property
    def total(self) -> int:
        """The number of sequences in the files."""
        return len(_leaves(self.columns["x"])[0])

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of each input, with the rows chosen."""
        return [(len(self), *form) for form in self.forms]

    @property
    def lengths(self) -> np.ndarray | None:
        """How long every sequence is; None if there is no mask."""
        return self.ends if self.ends is None or self.rows is None else self.ends[self.rows]

    @property
    def arrays(self) -> list[Column | None]:
        """All arrays as :attr:`Samples.arrays` has them: the same data have the same digest."""
        found: list[Column | None] = []
        first = self._weighed(next(self.blocks())).arrays
        for k, (kind, one) in enumerate(zip_longest(self.kinds, first)):
            if one is not None and (kind is None or kind.ndim != one.ndim):
                kind = _empty(one)  # a mark, or a weight of classes
            found.append(None if kind is None else self._column(k, kind))
        return found

    def _column(self, k: int, kind: np.ndarray) -> Column:
        form, inputs, outputs = kind.shape[1:], len(self.forms), len(self.heads)
        listed = inputs <= k < inputs + outputs and not self.heads[k - inputs].loss.aligned

        def blocks() -> Iterator[np.ndarray]:
            for part in self.blocks():
                array = self._weighed(part).arrays[k]
                if array is None:  # no step is masked here, or no weight is zero
                    masked = kind.dtype == bool
                    own = part.shapes[k - inputs - outputs][1:2] if masked else form
                    array = np.ones((len(part), *own), kind.dtype)
                if array.shape[1:] != form:  # all its sequences, or lists of labels, are shorter
                    wide = np.full((len(part), *form), END if listed else 0, kind.dtype)
                    wide[:, : array.shape[1]] = array
                    array = wide
                yield array

        return Column(kind.dtype, (len(self), *form), blocks)

    def take(self, rows: np.ndarray) -> Mapped:
        """The sequences at ``rows``, which stay in the files."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def something(self, net: Network, heads: Heads) -> list[bool]:
        """Whether there is something to learn from, for each output."""
        assert self.counted is not None
        own = self.counted if self.rows is None else self.counted[self.rows]
        return [bool(own[:, k].any()) for k in range(len(heads))]

    def weighted(self, weights: Weigher | None) -> Mapped:
        """The sequences, whose batches get the weights of their classes."""
        return replace(self, weigh=weights)

    def batch(self, rows: Rows) -> Samples:
        """Read the sequences at ``rows``, without the last steps that all of them lack."""
        own = rows if self.rows is None else self.rows[rows]
        try:
            part = self._read(own).batch(slice(None))
        except ThroughtimeError as error:  # all of it was checked before
            raise error.within("a file has changed while it was read") from None
        return self._weighed(part)

    def _weighed(self, part: Samples) -> Samples:
        return part if self.weigh is None else self.weigh(part)

    def _read(self, rows: Rows) -> Samples:
        arguments = {name: _pick(value, rows) for name, value in self.columns.items()}
        part = check_samples(self.net, self.heads, **arguments, empty=True)
        if self.states is not None:
            part.states = [cut_state(state, rows) for state in self.states]
        if self.reset is not None:
            part.reset = self.reset[rows]
        return part

    def blocks(self) -> Iterator[Samples]:
        """All sequences in their order, block by block.

        Raises
        ------
        ShapeError, DataError, InvalidArgumentError, InvalidTypeError
            If a block does not fit; the message says which sequences it has.
        """
        first = _leaves(self.columns["x"])[0]
        size = max(1, BLOCK // max(1, np.asarray(first[0]).nbytes))
        for start in range(0, len(self), size):
            end = min(start + size, len(self))
            rows = slice(start, end)
            try:
                yield self._read(rows if self.rows is None else self.rows[rows])
            except ThroughtimeError as error:
                raise error.within(f"sequences {start} to {end - 1}") from None


def check_data(
    net: Network,
    heads: Heads,
    x: Any,
    y: Any,
    lengths: Any = None,
    mask: Any = None,
    sample_weight: Any = None,
    initial_state: Any = None,
) -> Samples | Mapped:
    """Check data as :func:`check_samples` does; what lies in memory-mapped files stays there."""
    given = x, y, lengths, mask, sample_weight, initial_state
    if is_mapped(x) or is_mapped(y):
        return _check_mapped(net, heads, *given)
    return check_samples(net, heads, *given)


def _check_mapped(
    net: Network,
    heads: Heads,
    x: Any,
    y: Any,
    lengths: Any,
    mask: Any,
    sample_weight: Any,
    initial_state: Any,
) -> Mapped:
    topology = net.topology
    several = len(net.plan.inputs.names) > 1
    columns: dict[str, Any] = {
        "x": _by_name(net.plan.inputs, "x", x),
        "y": _by_name(net.plan.outputs, "y", y),
    }
    for name, value, depth in (("lengths", lengths, 1), ("mask", mask, 2)):
        if value is not None and several:
            value = dict(zip(net.plan.inputs.names, by_input(topology, name, value, depth),
                             strict=True))  # fmt: skip
        elif isinstance(value, Mapping):
            (value,) = net.plan.inputs.spread(name, value, part=True)
        columns[name] = value
    if isinstance(sample_weight, Mapping):
        names = net.plan.outputs.names
        found = net.plan.outputs.spread("sample_weight", sample_weight, part=True)
        sample_weight = dict(zip(names, found, strict=True))
    columns["sample_weight"] = sample_weight
    count = _rows_of(_leaves(columns["x"])[0]) or 0
    if not count:  # the sentence of data in memory
        check_samples(net, heads, x, y, lengths, mask, sample_weight, initial_state)
    for name, value in columns.items():
        for leaf in _leaves(value):
            rows = _rows_of(leaf)
            if rows not in (None, count):
                must, what = ("hold", "one target") if name == "y" else ("have", "a row")
                expected = f"{what} for each of the {count} sequences"
                raise ShapeError(sentence(name, expected, f"{rows} of them", must=must))
    states = None if initial_state is None else net.check_states(initial_state, count)
    data = Mapped(net, heads, columns, states)
    measured: list[tuple[list[tuple[int, ...]], list[np.ndarray | None]]] = []
    counted = []
    kinds: list[list[np.ndarray | None]] = []
    for part in data.blocks():
        shapes = topology.output_shapes(part.shapes)
        own = [
            step_weights(s[:-1], one.mask, one.weight).reshape(len(part), -1).any(axis=1)
            for s, one in zip(shapes, part.targets, strict=True)
        ]
        counted.append(np.stack(own, axis=1))
        ends = [None if m is None else lengths_from_mask(m) for m in each(part.mask)]
        measured.append((part.shapes, ends))
        kinds.append([None if one is None else _empty(one) for one in part.arrays])
    data.kinds = [_longest(own) for own in zip(*kinds, strict=True)]
    data.counted = np.concatenate(counted)
    data.forms, data.ends = _measures(measured)
    for k, head in enumerate(heads):
        if not data.counted[:, k].any():
            raise head.blame(nothing_left(sample_weight is not None))
    return data


def _measures(
    blocks: list[tuple[list[tuple[int, ...]], list[np.ndarray | None]]],
) -> tuple[list[tuple[int, ...]], np.ndarray | None]:
    """Shapes without rows, and lengths, of all blocks together."""
    shapes = [shape for shape, _ in blocks]
    forms = [
        tuple(map(max, zip(*(shape[1:] for shape in own), strict=True)))
        for own in zip(*shapes, strict=True)
    ]
    total: np.ndarray | None = None
    for k in range(len(forms)):
        alike = len({shape[k][1] for shape, _ in blocks}) == 1
        if alike and all(ends[k] is None for _, ends in blocks):
            continue  # as in memory, an input without a mask does not count
        own = []
        for shape, ends in blocks:
            found = ends[k]
            own.append(np.full(shape[k][0], shape[k][1]) if found is None else found)
        total = np.concatenate(own) if total is None else total + np.concatenate(own)
    return forms, total


def _empty(array: np.ndarray) -> np.ndarray:
    """``array`` without rows, and without its memory."""
    return np.empty((0, *array.shape[1:]), array.dtype)


def _longest(blocks: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Of the arrays without rows that are one in all blocks, that with the most steps."""
    found = [one for one in blocks if one is not None]
    return max(found, key=lambda one: one.shape, default=None)


def _by_name(box: Any, argument: str, value: Any) -> Any:
    """The value of the only input or output, or a dict by name."""
    found = box.spread(argument, value)
    return found[0] if len(found) == 1 else dict(zip(box.names, found, strict=True))


def _leaves(value: Any) -> list[Any]:
    """The arrays and lists with rows."""
    if value is None:
        return []
    return [v for v in value.values() if v is not None] if isinstance(value, dict) else [value]


def _rows_of(value: Any) -> int | None:
    """How many rows an array or a list has; None for what has none, which is refused later."""
    if isinstance(value, list | tuple):
        return len(value)
    shape = np.shape(value)
    return shape[0] if shape else None


def _pick(value: Any, rows: Rows) -> Any:
    """The rows of an array, of a list of sequences, or of each in a dict."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {name: _pick(one, rows) for name, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        numbers = range(*rows.indices(len(value))) if isinstance(rows, slice) else rows
        return [value[i] for i in numbers]
    array = np.asarray(value)
    return array[rows] if array.ndim else value
