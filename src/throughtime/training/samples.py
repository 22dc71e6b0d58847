"""The data of a run: checked as a whole before any work, cut into batches later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.data.masks import lengths_from_mask
from throughtime.errors import ThroughtimeError
from throughtime.network.containers import Container
from throughtime.network.signals import alike, cut, each, first_of
from throughtime.network.tape import cut_state
from throughtime.training.heads import Heads
from throughtime.training.targets import Targets, axes, check_targets

if TYPE_CHECKING:
    from throughtime.network import Network

#: What gives samples the weights of their classes; ``whole`` data must leave something to learn.
Weigher = Callable[..., "Samples"]
#: What chooses sequences: their numbers, or a slice.
Rows = np.ndarray | slice


@dataclass(eq=False)  # a frozen one takes longer to make, once a batch
class Samples:
    """Sequences with their targets. Of several inputs, x and mask are tuples.

    Attributes
    ----------
    x : ndarray of shape (N, T, F), or (N, T) of tokens, or (N, F)
        Inputs in the network's dtype, zero at masked steps.
    mask : ndarray of bool of shape (N, T), or None
        True at the unmasked steps; None if there is no mask.
    targets : tuple of Targets
        Those of each output.
    axes : tuple of int or None
        Whose steps each input has; see :func:`throughtime.training.targets.axes`.
    states : list, or None
        The initial state of each layer, which is None where it is zero; None if all are.
    reset : ndarray of bool of shape (N,), or None
        True for the rows that do not continue those of the batch before.
    """

    x: Any
    mask: Any
    targets: tuple[Targets, ...]
    axes: tuple[int | None, ...]
    states: list[Any] | None = None
    reset: np.ndarray | None = None

    def __len__(self) -> int:
        return len(first_of(self.x))

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of each input."""
        return [one.shape for one in each(self.x)]

    @property
    def y(self) -> Any:
        """The targets alone; of several outputs, a tuple."""
        return alike(tuple([one.y for one in self.targets]))

    @property
    def weight(self) -> Any:
        """The sample weights; of several outputs, a tuple."""
        return alike(tuple([one.weight for one in self.targets]))

    @property
    def lengths(self) -> np.ndarray | None:
        """How long every sequence is: one past its last unmasked step; None if there is no mask.

        Of several inputs, the sum.
        """
        found = [lengths_from_mask(mask) for mask in each(self.mask) if mask is not None]
        return None if not found else np.sum(found, axis=0)

    @property
    def arrays(self) -> list[np.ndarray | None]:
        """All arrays, in a fixed order."""
        states = [] if self.states is None else _leaves(tuple(self.states))
        found = [a for one in (self.x, self.y, self.mask, self.weight) for a in each(one)]
        return [*found, *states, *([] if self.reset is None else [self.reset])]

    def take(self, rows: Rows) -> Samples:
        """Return the sequences at ``rows``, with all their steps."""
        targets = tuple([one.take(rows) for one in self.targets])
        x, mask = cut(self.x, rows), cut(self.mask, rows)
        return Samples(x, mask, targets, self.axes, *self._carried(rows))

    def blocks(self) -> Iterator[Samples]:
        """All sequences, which are one block."""
        yield self

    def something(self, net: Network, heads: Heads) -> list[bool]:
        """Whether there is something to learn from, for each output."""
        shapes = net.topology.output_shapes(self.shapes)
        every = zip(heads, shapes, self.targets, strict=True)
        return [h.loss.batch_weight(s, own.mask, own.weight) != 0.0 for h, s, own in every]

    def weighted(self, weights: Weigher | None) -> Samples:
        """Return the sequences with the weights of their classes."""
        return self if weights is None else weights(self, whole=True)

    def _carried(self, rows: Rows) -> tuple[list[Any] | None, np.ndarray | None]:
        states = None if self.states is None else [cut_state(one, rows) for one in self.states]
        return states, None if self.reset is None else self.reset[rows]

    def batch(self, rows: Rows) -> Samples:
        """Return the sequences at ``rows``, without the last steps that all of them lack.

        Inputs with the same steps are cut together, and so are the outputs that have them.
        """
        if self.mask is None:
            return self.take(rows)
        kept: dict[Any, Any] = {}  # steps and mask of each axis that is cut
        if not any(one.own_steps for one in self.targets):
            for axis, mask in zip(self.axes, each(self.mask), strict=True):
                if mask is not None and axis is not None and axis >= 0 and axis not in kept:
                    kept[axis] = _trimmed(mask[rows])
        if not kept:
            return self.take(rows)
        xs, masks = [], []
        for x, mask, axis in zip(each(self.x), each(self.mask), self.axes, strict=True):
            steps, real = kept.get(axis, (None, None))
            xs.append(x[rows] if steps is None else x[rows, :steps])
            masks.append(real if steps is not None or mask is None else mask[rows])
        targets = tuple(one.cut(rows, *kept.get(one.axis, (None, None))) for one in self.targets)
        own = self._carried(rows)
        return Samples(alike(tuple(xs)), alike(tuple(masks)), targets, self.axes, *own)


def _leaves(state: Any) -> list[np.ndarray | None]:
    if isinstance(state, tuple):
        return [one for part in state for one in _leaves(part)]
    return [state]


def _trimmed(real: np.ndarray) -> tuple[int, np.ndarray | None]:
    """How many steps a batch with the mask ``real`` needs, and its mask of these steps."""
    steps = max(int(lengths_from_mask(real).max()), 1)
    real = real[:, :steps]
    return steps, None if real.all() else np.ascontiguousarray(real)


def check_samples(
    net: Network,
    heads: Heads,
    x: Any,
    y: Any,
    lengths: Any = None,
    mask: Any = None,
    sample_weight: Any = None,
    initial_state: Any = None,
    *,
    empty: bool = False,
) -> Samples:
    """Check data against the network, and the losses and metrics of its outputs.

    Parameters
    ----------
    x, lengths, mask
        As in :meth:`Network.forward`.
    y : array-like, or a list of ragged arrays where the network gives an output at every step
        The targets; of several outputs, a dict or list of them. Masked steps and steps of weight
        zero may hold a placeholder: NaN, -100 or anything else.
    sample_weight : array-like of shape (N,) or of the output steps, or a list of ragged arrays
        Weight of each sequence, or of each step; a dict has those of each output.
    initial_state : list or dict, optional
        As in :meth:`Network.forward`.
    empty : bool
        Whether the data may leave nothing to learn from, as a batch of many may.

    Raises
    ------
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit; the message says which, and what would.
    """
    inputs, real = net.check_input(x, lengths, mask)
    arrays, topology = each(inputs), net.topology
    masks, box = each(real), net.plan.outputs
    values = (y,) if box.kind == "single" else box.spread("y", y)
    weights = by_output(box, "sample_weight", sample_weight)
    targets = []
    for k, head in enumerate(heads):
        try:
            found = check_targets(topology, k, head, arrays, masks, values[k], weights[k], empty)
        except ThroughtimeError as error:
            raise head.blame(error) from None
        targets.append(found)
    states = None
    if initial_state is not None:
        states = net.check_states(initial_state, len(arrays[0]))
    return Samples(inputs, real, tuple(targets), axes(topology.input_forms), states)


def by_output(box: Container, argument: str, value: Any) -> tuple[Any, ...]:
    """The entries of a dict by output, or one value for all outputs."""
    if isinstance(value, Mapping):
        return box.spread(argument, value, part=True)
    return (value,) * len(box.names)
