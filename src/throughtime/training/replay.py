"""Whether a source gives a resumed run the batches that it gave the run that was stopped.

A checkpoint has a hash of every batch of its last epoch, and of every epoch. A resumed run lets the
source give that epoch once more, without training on it, and compares. A source that is not told
which epoch it gives, and gave different epochs, gives all of them once more: so a loader that draws
from a generator of its own comes to where it was.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from throughtime.training.sources import Source, number_of


@dataclass
class Trace:
    """Hashes of the batches that a source has given in a run.

    Attributes
    ----------
    source : Source
    epochs : list of (int, int)
        Of each finished epoch, the hash of its first batch, and of all.
    last : list of int
        Of each batch of the last finished epoch.
    """

    source: Source
    epochs: list[tuple[int, int]] = field(default_factory=list)
    last: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source.hashes = []

    def add(self) -> None:
        """The source has given an epoch."""
        self.last = self.source.hashes or []
        self.epochs.append((self.last[0], _whole(self.last)))

    @property
    def names(self) -> tuple[str, str]:
        """Names of the arrays of a checkpoint."""
        return f"{self.source.name}.epochs", f"{self.source.name}.last"

    def to_arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint holds."""
        epochs = np.array(self.epochs, dtype=np.int64).reshape(-1, 2)
        return dict(zip(self.names, (epochs, np.array(self.last, dtype=np.int64)), strict=True))

    def from_arrays(self, arrays: Mapping[str, Any], epochs: int) -> None:
        """Restore what :meth:`to_arrays` gave, in a run of so many finished epochs.

        Raises
        ------
        ValueError
            If the arrays are none of such a run.
        """
        found, last = (arrays[name] for name in self.names)
        if found.shape != (epochs, 2) or last.ndim != 1 or not last.size:
            raise ValueError(f"the hashes of batches have shapes {found.shape} and {last.shape}")
        if found.dtype != np.int64 or last.dtype != np.int64:
            raise ValueError(f"the hashes of batches are {found.dtype} and {last.dtype}")
        self.epochs, self.last = [(int(a), int(b)) for a, b in found], [int(one) for one in last]

    def check(self) -> None:
        """Run the source again, and warn if its batches are others now."""
        source = self.source
        done = len(self.epochs)
        told = source.knows_epochs or len(set(self.epochs)) == 1
        for number in [done] if told else range(1, done + 1):
            change = self._changed(number)
            if change is not None:
                of = f"batch {change} of epoch {number}" if change else f"epoch {number}"
                warnings.warn(
                    f"{source.name}: {of} is not what the stopped run had, so the resumed run does"
                    " not have the bits of one that was never stopped.",
                    stacklevel=5,
                )
                return

    def _changed(self, number: int) -> int | None:
        """The first batch of an epoch that is another one; 0 if some later one is; None if none."""
        first, whole = self.epochs[number - 1]
        wanted = self.last if number == len(self.epochs) else [first]
        hashes: list[int] = []
        with closing(self.source.epoch(number)) as batches:
            for batch in batches:
                hashes.append(number_of(batch))
                place = len(hashes)
                if place <= len(wanted) and hashes[-1] != wanted[place - 1]:
                    return place
        if _whole(hashes) == whole:
            return None
        return min(len(hashes), len(self.last)) + 1 if number == len(self.epochs) else 0


def _whole(hashes: list[int]) -> int:
    """The hash of an epoch."""
    text = hashlib.sha256(np.array(hashes, dtype=np.int64).tobytes()).digest()
    return int.from_bytes(text[:8], "little", signed=True)
