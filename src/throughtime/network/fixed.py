"""The inputs of a stream that stay the same, and what depends on them alone.

A stream of an encoder and its decoder knows the whole source before it takes the first step: the
encoder runs once, over whole sequences, and the stream steps through the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    describe,
    sentence,
)
from throughtime.kernels.underflow import ignore_underflow
from throughtime.layers.base import UNTAPED
from throughtime.network.graph import Topology
from throughtime.network.inputs import check_one, row_lengths
from throughtime.network.passes import Runnable, run_call
from throughtime.network.tape import cut_state


@dataclass
class Fixed:
    """What is known before the first step.

    Attributes
    ----------
    values, masks : dict of int to ndarray
        The signals that do not change, by their numbers.
    finals : dict of int to tuple
        The final states of the calls that have run.
    """

    values: dict[int, np.ndarray] = field(default_factory=dict)
    masks: dict[int, np.ndarray | None] = field(default_factory=dict)
    finals: dict[int, Any] = field(default_factory=dict)

    def take(self, rows: np.ndarray) -> Fixed:
        """The same for some of the rows."""
        return Fixed(
            {s: value[rows] for s, value in self.values.items()},
            {s: None if mask is None else mask[rows] for s, mask in self.masks.items()},
            {i: cut_state(state, rows) for i, state in self.finals.items()},
        )


@ignore_underflow
def run_fixed(net: Runnable, rows: int, fixed: Any, lengths: Any, mask: Any) -> Fixed:
    """Run every call that depends on fixed inputs alone.

    Parameters
    ----------
    fixed : mapping of str to array, or None
        The inputs that stay the same, by name.
    lengths, mask : mapping of str to array, or array, optional
        Of these inputs; an array alone is that of the only one.
    """
    found = Fixed()
    plan = net.topology.plan
    if fixed is None:
        if lengths is not None or mask is not None:
            raise InvalidArgumentError(
                "lengths and mask are those of fixed inputs: give fixed as well."
            )
        return found
    if not isinstance(fixed, Mapping):
        raise InvalidTypeError(sentence("fixed", "a dict of inputs by name", describe(fixed)))
    for name in fixed:
        if name not in plan.inputs.names:
            names = ", ".join(map(repr, plan.inputs.names))
            raise InvalidArgumentError(
                sentence("a key of fixed", f"one of {names}", describe(name))
            )
    if len(fixed) == len(plan.forms):
        raise InvalidArgumentError(
            "fixed holds every input, so there is nothing to step through: use net.predict."
        )
    _check_axes(net, fixed)
    own_lengths = _by_name(net, fixed, "lengths", lengths)
    own_masks = _by_name(net, fixed, "mask", mask)
    for k, name in enumerate(plan.inputs.names):
        if name not in fixed:
            continue
        argument = f"fixed[{name!r}]"
        array, real = check_one(
            net.topology, k, fixed[name], own_lengths.get(name), own_masks.get(name), net.dtype,
            argument,
        )  # fmt: skip
        if len(array) != rows:
            raise ShapeError(
                sentence(argument, f"{rows} rows, those of the stream", len(array), must="have")
            )
        steps = net.topology.input_forms[k].steps
        if steps is not None and steps.count not in (None, array.shape[1]):
            raise ShapeError(
                sentence(argument, f"{steps.count} steps", array.shape[1], must="have")
            )
        found.values[k], found.masks[k] = array, real
    _check_steps(net.topology, found)
    inputs = len(plan.forms)
    for i, call in enumerate(plan.calls):
        state = call.state
        known = all(s in found.values for s in call.sources) and (
            state is None
            or (state in found.finals if isinstance(state, int) else _within(state, found))
        )
        if known:
            result = run_call(net, i, found.values, found.masks, found.finals, None, UNTAPED)
            found.values[inputs + i], found.masks[inputs + i] = result.y, result.mask
            found.finals[i] = result.final_state
    return found


def _by_name(net: Runnable, fixed: Mapping[str, Any], argument: str, value: Any) -> Any:
    """``lengths`` or ``mask`` of the fixed inputs that have one, by name."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        for name in value:
            if name not in fixed:
                names = ", ".join(map(repr, fixed))
                raise InvalidArgumentError(
                    sentence(f"a key of {argument}", f"one of {names}", describe(name))
                )
        return value
    every = zip(net.topology.plan.inputs.names, net.topology.input_forms, strict=True)
    timed = {name: form.steps for name, form in every if name in fixed and form.steps is not None}
    if len({steps if steps.count is None else name for name, steps in timed.items()}) != 1:
        raise InvalidArgumentError(
            sentence(argument, "a dict with an entry for each fixed sequence", describe(value))
        )
    return dict.fromkeys(timed, value)


def _check_steps(topology: Topology, found: Fixed) -> None:
    """Refuse fixed sequences that are too short for a layer."""
    lengths = [
        None
        if form.steps is None or k not in found.values
        else row_lengths(found.values[k], found.masks[k])
        for k, form in enumerate(topology.input_forms)
    ]
    if topology.counts_steps and any(one is not None for one in lengths):
        topology.output_lengths(tuple(lengths), "fixed")


def _within(signals: tuple[int, ...], found: Fixed) -> bool:
    return all(s in found.values for s in signals)


def _check_axes(net: Runnable, fixed: Mapping[str, Any]) -> None:
    """Refuse to fix one of two inputs with the same steps."""
    names, forms = net.topology.plan.inputs.names, net.topology.input_forms
    for k, form in enumerate(forms):
        if form.steps is None or form.steps.count is not None or form.steps.axis == k:
            continue
        pair = names[form.steps.axis], names[k]
        if (pair[0] in fixed) != (pair[1] in fixed):
            raise InvalidArgumentError(
                f"inputs {pair[0]!r} and {pair[1]!r} have the same steps, so fixed must hold both"
                " or neither."
            )
