"""Examples: what the networks read at all origins, and what they should have answered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from recipes.base_model import sources, synthetic
from throughtime.forecasting.base_training import Examples, example

#: Synthetic examples, for each other one.
_SYNTHETIC = 0.43
#: One in so many sources validates.
_VALIDATION = 10


@dataclass(frozen=True)
class Named:
    """Examples, and where they are from.

    Attributes
    ----------
    examples : Examples
        N examples.
    source, kind : ndarray of str of shape (N,)
    """

    examples: Examples
    source: np.ndarray
    kind: np.ndarray

    def validating(self) -> np.ndarray:
        """Which examples are of sources that validate, (N,)."""
        digest = {
            s: hashlib.md5(f"{s}v".encode(), usedforsecurity=False).hexdigest()
            for s in set(self.source)
        }
        held = {s for s, text in digest.items() if int(text, 16) % _VALIDATION == 0}
        return np.array([s in held for s in self.source])


def make(share: float, processes: int) -> Named:
    """All examples of a ``share`` of the series, made by some processes."""
    total = len(sources.competitions())
    rows = np.arange(total)[: max(processes, int(share * total))]
    with ProcessPoolExecutor(processes) as pool:
        parts = list(pool.map(_part, [rows[i::processes] for i in range(processes)]))
    inputs, target, known, source, kind = (
        np.concatenate(columns) for columns in zip(*parts, strict=True)
    )
    return Named(Examples(inputs, target, known), source, kind)


def _part(rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """The examples of some series, and as many synthetic ones as belong to them."""
    series = sources.competitions()
    found = _examples(o for row in rows.tolist() for o in sources.origins(series, row))
    found += _examples(synthetic.origins(int(_SYNTHETIC * len(found)), seed=int(rows[0])))
    stacked = Examples.stack([one for _, _, one in found])
    source, kind = (np.array([row[i] for row in found]) for i in (0, 1))
    return stacked.inputs, stacked.target, stacked.known, source, kind


def _examples(
    origins: Iterable[sources.Origin],
) -> list[tuple[str, str, tuple[np.ndarray, np.ndarray]]]:
    """Source, kind and example of each origin that has an error to correct."""
    found = []
    for origin in origins:
        one = example(origin.history, origin.future, origin.horizon, float(origin.period))
        if one is not None:
            found.append((origin.source, origin.kind, one))
    return found
