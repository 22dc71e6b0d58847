"""Checks of the arguments of a network: arrays, lengths, masks and states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from throughtime.data.sequences import check_sequences, is_ragged
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    ThroughtimeError,
    as_array,
    check_array,
    check_int,
    describe,
    foreign,
    runs_only,
    sentence,
)
from throughtime.network.containers import Container
from throughtime.network.graph import Topology
from throughtime.network.signals import Arrays, alike, each
from throughtime.network.tape import Tape
from throughtime.registry import Words

#: How to predict for batches, in code.
OF_ONE = 'net.predict(batch["x"], batch.get("lengths"))'
BY_BATCH = f"[{OF_ONE} for batch in loader]"
#: What other libraries call the arguments of :meth:`Network.predict`, and what they want of it.
OF_PREDICT: Words = {
    "x": ("X", "X_test", "data", "input", "inputs", "x_test"),
    "lengths": ("seq_lengths", "seq_lens", "sequence_length", "sequence_lengths"),
    "mask": ("attention_mask", "masks", "padding_mask"),
    "initial_state": ("h0", "hx", "initial_states", "state", "states"),
    "net.stream(), whose state goes on, or initial_state": ("carry_state", "stateful"),
    "net.forward(x, training=True)": ("training",),
    BY_BATCH: ("batches", "dataset", "generator", "loader", "steps"),
    "no verbose: predict prints nothing": ("verbose",),
    "return_state=True of the last recurrent layer": ("return_state", "return_states"),
    "tt.set_num_threads(2)": ("n_jobs", "num_workers", "use_multiprocessing", "workers"),
}


def check_input(
    topology: Topology, x: Any, lengths: Any, mask: Any, dtype: np.dtype
) -> tuple[Any, Any]:
    """Return ``x`` in ``dtype``, zero at masked steps, and the mask or None.

    Of a network with several inputs, tuples of arrays and of masks.
    """
    box = topology.plan.inputs
    if len(box.names) == 1:
        value, own_lengths = _only(box, "x", x), _only(box, "lengths", lengths)
        array, real = check_one(topology, 0, value, own_lengths, _only(box, "mask", mask), dtype)
        if topology.fixed_steps:
            topology.check_together("x", [array.shape])
        if topology.counts_steps and topology.input_form.kind != "vector":
            rows = np.array([array.shape[1]]) if real is None else real.sum(axis=1)
            topology.output_lengths(rows)
        return array, real
    arrays, masks = _check_several(topology, x, lengths, mask, dtype)
    if topology.counts_steps:
        topology.output_lengths(lengths_of(topology, arrays, masks))
    return arrays, masks


def lengths_of(topology: Topology, x: Arrays, mask: Any) -> Any:
    """The number of unmasked steps of every row of every input; None for a vector."""
    found = tuple(
        None if form.steps is None else row_lengths(a, real)
        for form, a, real in zip(topology.input_forms, each(x), each(mask), strict=True)
    )
    return alike(found)


def row_lengths(x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The number of unmasked steps of every row of one input, (N,)."""
    return np.full(len(x), x.shape[1]) if mask is None else np.asarray(mask.sum(axis=1))


def _only(box: Container, argument: str, value: Any) -> Any:
    """What belongs to the only input, also out of a dict."""
    if value is None or type(value) is np.ndarray:  # asked first, because it takes no time
        return value
    part = argument != "x"
    return box.spread(argument, value, part=part)[0] if isinstance(value, Mapping) else value


def _check_several(
    topology: Topology, x: Any, lengths: Any, mask: Any, dtype: np.dtype
) -> tuple[tuple[np.ndarray, ...], tuple[Any, ...]]:
    box, forms = topology.plan.inputs, topology.input_forms
    values = box.spread("x", x)
    own_lengths = by_input(topology, "lengths", lengths, 1)
    own_masks = by_input(topology, "mask", mask, 2)
    # Inputs with the same steps have one mask, which those that come with lengths bring.
    roots = [f.steps.axis if f.steps and f.steps.count is None else k for k, f in enumerate(forms)]
    brings = [
        value is not None or real is not None or is_ragged(x)
        for value, real, x in zip(own_lengths, own_masks, values, strict=True)
    ]
    arrays: list[Any] = [None] * len(forms)
    masks: list[Any] = [None] * len(forms)
    shared: dict[int, int] = {}
    for k in sorted(range(len(forms)), key=lambda k: not brings[k]):
        name, real = box.names[k], own_masks[k]
        first = shared.setdefault(roots[k], k)
        if not brings[k] and masks[first] is not None:
            fits = np.shape(values[k])[:2] == masks[first].shape
            real = masks[first] if fits else None
        try:
            arrays[k], masks[k] = check_one(topology, k, values[k], own_lengths[k], real, dtype)
        except ThroughtimeError as error:
            raise error.within(f"input {name!r}", "x") from None
    topology.check_together("x", [array.shape for array in arrays])
    for k, first in enumerate(roots):
        _check_masks(box.names, arrays, masks, first, k)
    return tuple(arrays), tuple(masks)


def _check_masks(
    names: tuple[str, ...], arrays: list[Any], masks: list[Any], first: int, k: int
) -> None:
    """Check that input ``k`` has the mask of input ``first``, because a layer takes both."""
    if first == k or masks[first] is masks[k]:
        return
    whole = np.ones(arrays[k].shape[:2], dtype=bool)
    one, other = (whole if masks[i] is None else masks[i] for i in (first, k))
    differ = (one != other).any(axis=1)
    if differ.any():
        raise ShapeError(
            f"x[{names[k]!r}] and x[{names[first]!r}] must have the same unmasked steps, because a"
            f" layer takes both together; they differ in row {int(differ.argmax())}."
        )


def by_input(topology: Topology, argument: str, value: Any, depth: int) -> tuple[Any, ...]:
    """``lengths`` (``depth`` 1) or ``mask`` (2) of each input; those of vectors are None.

    An array is that of the only sequence, or of all sequences if they have the same steps.
    """
    box, forms = topology.plan.inputs, topology.input_forms
    if value is None:
        return (None,) * len(forms)
    if isinstance(value, Mapping):
        return box.spread(argument, value, part=True)
    if isinstance(value, list | tuple) and len(value) == len(forms):
        depths = {np.ndim(one) for one in value if one is not None}
        if depths <= {depth} or any(one is None for one in value):
            return tuple(value)
    axes = {
        f.steps.axis if f.steps.count is None else -1 - k for k, f in enumerate(forms) if f.steps
    }
    if len(axes) != 1:
        raise InvalidArgumentError(
            sentence(
                argument,
                "a dict or a list with an entry for each input, which have steps of their own",
                describe(value),
            )
        )
    return tuple(None if form.steps is None else value for form in forms)


def check_one(
    topology: Topology,
    k: int,
    x: Any,
    lengths: Any,
    mask: Any,
    dtype: np.dtype,
    name: str = "x",
) -> tuple[np.ndarray, np.ndarray | None]:
    """Input ``k`` in ``dtype``, zero at masked steps, and its mask or None.

    Messages call it ``name``.
    """
    kind, features = topology.input_forms[k].kind, topology.input_forms[k].features
    if isinstance(x, tuple):
        _check_lengths_by_name(name, x)
    if kind == "vector":
        if lengths is not None or mask is not None:
            taker = "the first layer takes" if topology.plan.stack else "the input is"
            raise InvalidArgumentError(
                f"lengths and mask must be left out: {taker} vectors (N, F)."
            )
        return check_array(name, x, shape=("N", features), dtype=dtype), None
    if kind == "tokens":
        return _check_tokens(topology.n_tokens(k), x, lengths, mask, name)
    return check_sequences(x, lengths, mask, dtype=dtype, n_features=features, name=name)


def _check_tokens(
    n_tokens: int, x: Any, lengths: Any, mask: Any, name: str
) -> tuple[np.ndarray, np.ndarray | None]:
    if not is_ragged(x):
        x = as_array(name, x)
        if x.ndim == 3 and x.shape[2] == 1:
            x = x[..., 0]  # as throughtime.data.pad gives them
        if x.ndim != 2:
            raise ShapeError(
                sentence(
                    name,
                    "tokens of shape (N, T)",
                    f"shape {x.shape}",
                    "It goes to an Embedding, which takes integers.",
                    must="hold",
                )
            )
    array, real = check_sequences(x, lengths, mask, univariate=True, n_features=1, name=name)
    array = array[..., 0]
    inside = (array >= 0) & (array < n_tokens) & (array == np.floor(array))
    if not inside.all():
        raise InvalidArgumentError(
            sentence(
                name,
                f"integers from 0 to {n_tokens - 1}, the tokens of its Embedding",
                f"values from {array.min()} to {array.max()}",
                must="hold",
            )
        )
    return array.astype(np.int64), real


def check_no_batch(net_inputs: Sequence[Any], x: Any, one: str, several: str) -> None:
    """Refuse a batch in a dict, and what gives batches, where the input of a network belongs.

    Parameters
    ----------
    net_inputs : sequence
        The names of the inputs.
    x : object
    one, several : str
        What to write instead, in code: for a dict with the key ``"x"``, and for batches.
    """
    batch = isinstance(x, Mapping) and "x" in x and "x" not in net_inputs
    if batch:
        got = f"a dict with {', '.join(map(repr, x))}"
        raise InvalidTypeError(sentence("x", "the input alone", got, f"Write {one}.", value=x))
    if runs_only(x):
        hint = f"Of batches write {several}; or collect its items first."
        raise InvalidTypeError(sentence("x", "an array or a list", describe(x), hint, value=x))


def _check_lengths_by_name(name: str, x: tuple[Any, ...]) -> None:
    """Refuse sequences that come together with their lengths."""
    way = ""
    if foreign(x) == "torch" and type(x).__name__ == "PackedSequence":
        way = "Unpack it: padded, lengths = pad_packed_sequence(x, batch_first=True)."
        way = f"{way} Give lengths by name: lengths=lengths."
    elif len(x) == 2:
        padded, lengths = x
        shape, rows = getattr(padded, "shape", ()), getattr(lengths, "shape", ())
        fits = len(shape) > 1 and tuple(rows) == tuple(shape[:1])
        if fits and np.asarray(lengths).dtype.kind in "iu":
            way = "Give lengths by name: lengths=lengths; in a batch, a dict with 'lengths'."
    if way:
        expected, got = "the sequences alone", "their lengths too"
        raise InvalidTypeError(sentence(name, expected, got, way, must="hold", value=x))


def check_slopes(topology: Topology, dy: Any, tape: Tape, dtype: np.dtype) -> Any:
    """Return dL/dy of each output, zero at masked steps; None only where there are several."""
    box = topology.plan.outputs
    several = len(box.names) > 1
    checked = []
    masks = each(tape.output_mask)
    for name, one, i, mask in zip(
        box.names, box.spread("dy", dy), topology.ends, masks, strict=True
    ):
        argument = f"dy[{name!r}]" if several else "dy"
        if one is not None or not several:
            shape = tape.outputs[i].shape
            one = check_array(argument, one, shape=shape, dtype=dtype, finite=False)
            one = one if mask is None else np.where(mask[..., None], one, dtype.type(0))
        checked.append(one)
    return alike(tuple(checked))


def check_states(
    topology: Topology, states: Any, batch: int, dtype: np.dtype, name: str
) -> list[Any]:
    """Return one checked state, or None, for each layer."""
    result: list[Any] = [None] * len(topology.layers)
    if states is None:
        return result
    for key, state in _entries(states, name):
        i = _call_of(topology, key, name)
        if state is None:
            continue
        if result[i] is not None:
            raise InvalidArgumentError(
                sentence(name, "one state of a layer", f"two of {topology.named(i)}", must="hold")
            )
        layer = topology.layers[i]
        result[i] = layer.check_state(state, topology.before[i], batch, dtype, f"{name}[{key!r}]")
    return result


def _call_of(topology: Topology, key: Any, name: str) -> int:
    """The number of the call that a key of ``name`` means: a number, or the name of a layer."""
    if not isinstance(key, str):
        return check_int(f"a layer of {name}", key, 0, len(topology.layers) - 1)
    found = topology.find(key)
    if found is None:
        known = ", ".join(map(repr, dict.fromkeys(topology.owners)))
        raise InvalidArgumentError(
            sentence(f"a layer of {name}", f"one of {known}, or a number", describe(key))
        )
    return found


def _entries(states: Any, name: str) -> Iterable[tuple[Any, Any]]:
    if isinstance(states, Mapping):
        return states.items()
    if isinstance(states, list | tuple):
        return enumerate(states)
    raise InvalidTypeError(
        sentence(name, "a list with one entry a layer, or a dict {layer: state}", describe(states))
    )
