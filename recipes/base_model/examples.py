"""Examples: what the network reads at an origin, and what it should have answered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from recipes.base_model import sources, synthetic
from throughtime.forecasting.averaging import average, compare
from throughtime.forecasting.outlook import AHEAD, N_INPUTS, PAST, look

#: Synthetic examples, for each other one.
_SYNTHETIC = 0.43
#: Targets are cut here, in units of u.
_LARGEST_TARGET = 20.0
#: One in so many sources validates.
_VALIDATION = 10


@dataclass(frozen=True)
class Examples:
    """N examples.

    Attributes
    ----------
    inputs : ndarray of float32 of shape (N, PAST + AHEAD, N_INPUTS)
    target : ndarray of float32 of shape (N, AHEAD)
        (y - a) / u.
    known : ndarray of bool of shape (N, AHEAD)
        Which targets there are.
    source, kind : ndarray of str of shape (N,)
    """

    inputs: np.ndarray
    target: np.ndarray
    known: np.ndarray
    source: np.ndarray
    kind: np.ndarray

    def validating(self) -> np.ndarray:
        """Which examples are of sources that validate, (N,)."""
        digest = {s: hashlib.md5(f"{s}v".encode()).hexdigest() for s in set(self.source)}
        held = {s for s, text in digest.items() if int(text, 16) % _VALIDATION == 0}
        return np.array([s in held for s in self.source])


def make(share: float, processes: int) -> Examples:
    """All examples of a ``share`` of the series, made by some processes."""
    total = len(sources.competitions())
    rows = np.arange(total)[: max(processes, int(share * total))]
    with ProcessPoolExecutor(processes) as pool:
        parts = list(pool.map(_part, [rows[i::processes] for i in range(processes)]))
    fields = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    return Examples(*fields)


def _part(rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """The examples of some series, and as many synthetic ones as belong to them."""
    series = sources.competitions()
    found = _examples(o for row in rows.tolist() for o in sources.origins(series, row))
    more = synthetic.origins(int(_SYNTHETIC * len(found)), seed=int(rows[0]))
    found += _examples(more)
    inputs = np.empty((len(found), PAST + AHEAD, N_INPUTS), dtype=np.float32)
    target = np.zeros((len(found), AHEAD), dtype=np.float32)
    known = np.zeros((len(found), AHEAD), dtype=bool)
    for i, (_, seen, wanted) in enumerate(found):
        inputs[i] = seen
        known[i, : len(wanted)] = ~np.isnan(wanted)
        target[i, : len(wanted)] = np.nan_to_num(wanted)
    return (
        inputs,
        target,
        known,
        np.array([origin.source for origin, _, _ in found]),
        np.array([origin.kind for origin, _, _ in found]),
    )


def _examples(
    origins: Iterable[sources.Origin],
) -> list[tuple[sources.Origin, np.ndarray, np.ndarray]]:
    """Each origin that has an error to correct, with inputs and targets."""
    found = []
    for origin in origins:
        periods = (1.0, float(origin.period))[: 2 if origin.period > 1 else 1]
        blocks = compare(origin.history, origin.horizon, periods, (False, True))
        seen = look(origin.history, origin.horizon, float(origin.period), blocks, average(blocks))
        if seen is None:
            continue
        wanted = (origin.future - seen.anchor[: len(origin.future)]) / seen.unit
        cut = np.clip(wanted[:AHEAD], -_LARGEST_TARGET, _LARGEST_TARGET)
        # The history itself is not kept: a thousand of them would be hundreds of megabytes.
        short = sources.Origin(
            origin.source, origin.kind, origin.period, cut[:0], cut[:0], origin.horizon
        )
        found.append((short, seen.inputs, cut))
    return found
