"""Checks of the arguments of a network: arrays, lengths, masks and states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from throughtime.data.sequences import check_sequences, is_ragged
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    as_array,
    check_array,
    check_int,
    describe,
    sentence,
)
from throughtime.layers import Embedding
from throughtime.network.graph import Topology


def check_input(
    topology: Topology, x: Any, lengths: Any, mask: Any, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return ``x`` in ``dtype``, zero at masked steps, and the mask or None."""
    array, real = _check_array(topology, x, lengths, mask, dtype)
    if topology.counts_steps and topology.input_form.kind != "vector":
        rows = np.array([array.shape[1]]) if real is None else real.sum(axis=1)
        topology.output_lengths(rows)
    return array, real


def _check_array(
    topology: Topology, x: Any, lengths: Any, mask: Any, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray | None]:
    kind, features = topology.input_form.kind, topology.input_form.features
    if kind == "vector":
        if lengths is not None or mask is not None:
            raise InvalidArgumentError(
                "lengths and mask must be left out: the first layer takes vectors (N, F)."
            )
        return check_array("x", x, shape=("N", features), dtype=dtype), None
    if kind == "tokens":
        return _check_tokens(topology, x, lengths, mask)
    return check_sequences(x, lengths, mask, dtype=dtype, n_features=features)


def _check_tokens(
    topology: Topology, x: Any, lengths: Any, mask: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    if not is_ragged(x):
        x = as_array("x", x)
        if x.ndim == 3 and x.shape[2] == 1:
            x = x[..., 0]  # as throughtime.data.pad gives them
        if x.ndim != 2:
            raise ShapeError(
                sentence(
                    "x",
                    "tokens of shape (N, T)",
                    f"shape {x.shape}",
                    "The first layer is an Embedding, which takes integers.",
                    must="hold",
                )
            )
    first = topology.layers[0]
    assert isinstance(first, Embedding)
    array, real = check_sequences(x, lengths, mask, univariate=True, n_features=1)
    array = array[..., 0]
    inside = (array >= 0) & (array < first.n_tokens) & (array == np.floor(array))
    if not inside.all():
        raise InvalidArgumentError(
            sentence(
                "x",
                f"integers from 0 to {first.n_tokens - 1}, the tokens of the first layer",
                f"values from {array.min()} to {array.max()}",
                must="hold",
            )
        )
    return array.astype(np.int64), real


def check_states(
    topology: Topology, states: Any, batch: int, dtype: np.dtype, name: str
) -> list[Any]:
    """Return one checked state, or None, for each layer."""
    result: list[Any] = [None] * len(topology.layers)
    if states is None:
        return result
    for key, state in _entries(states, name):
        i = check_int(f"a layer of {name}", key, 0, len(topology.layers) - 1)
        if state is None:
            continue
        form = topology.forms[i - 1] if i else topology.input_form
        result[i] = topology.layers[i].check_state(state, form, batch, dtype, f"{name}[{i}]")
    return result


def _entries(states: Any, name: str) -> Iterable[tuple[Any, Any]]:
    if isinstance(states, Mapping):
        return states.items()
    if isinstance(states, list | tuple):
        return enumerate(states)
    raise InvalidTypeError(
        sentence(name, "a list with one entry a layer, or a dict {layer: state}", describe(states))
    )
