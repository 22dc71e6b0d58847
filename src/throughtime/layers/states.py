"""The state of one direction of a recurrent layer, as a user gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from throughtime.cells.base import State
from throughtime.errors import InvalidTypeError, ShapeError, check_array, describe, sentence

#: The entries of a state that need not be given, and what they are then: a given state continues a
#: sequence (``started``), and nothing is added to what it puts out (``skip``).
ASSUMED = {"started": 1.0, "skip": 0.0}


def completed(
    parts: Sequence[Any], widths: Mapping[str, int], batch: int, dtype: np.dtype
) -> list[Any]:
    """The entries of a state, with those that need not be given."""
    missing = list(widths)[len(parts) :]
    if not ASSUMED.keys() >= set(missing):
        return list(parts)
    return [*parts, *(np.full((batch, widths[name]), ASSUMED[name], dtype) for name in missing)]


def check_state(
    state: Any, widths: Mapping[str, int], batch: int, dtype: np.dtype, where: str
) -> State:
    """Return ``state`` as arrays (N, width) in the order of ``widths``, or raise."""
    names = tuple(widths)
    if not isinstance(state, np.ndarray | tuple | list):
        raise InvalidTypeError(sentence(where, f"a tuple ({', '.join(names)})", describe(state)))
    parts = [state] if isinstance(state, np.ndarray) else list(state)
    parts = completed(parts, widths, batch, dtype)
    if len(parts) != len(names):
        raise ShapeError(sentence(where, f"a tuple ({', '.join(names)})", f"{len(parts)} arrays"))
    return tuple(
        check_array(f"{where}: {name}", part, shape=(batch, width), dtype=dtype)
        for (name, width), part in zip(widths.items(), parts, strict=True)
    )
