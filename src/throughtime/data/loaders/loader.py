"""What a loop over batches sees, whatever the files are."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from throughtime.data.batches import count_batches
from throughtime.data.loaders.order import batches_of, chosen, draw, generator, pools
from throughtime.data.loaders.pool import Pool, join
from throughtime.data.scaling import Scaler
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_bool,
    check_float,
    check_int,
    describe,
    sentence,
)

__all__ = ["Loader"]

#: Bytes of the sequences that are in memory together. A disk reads as much in 0.1 to 0.5 s, while
#: a network trains on it for longer; the next pool is requested meanwhile.
POOL_BYTES = 64 << 20


class Store(Protocol):
    """Where sequences lie. Their numbers begin at 0, in the order of the files.

    Attributes
    ----------
    edges : ndarray of int64 of shape (B + 1,)
        Block b has the sequences from ``edges[b]`` to ``edges[b + 1] - 1``.
    block_bytes : ndarray of shape (B,)
        About the bytes of each block in memory.
    n_features : int or None
    features : tuple of str or None
        The columns that the features were.
    ragged : bool
        Whether sequences may differ in their number of steps.
    name : str
        The files, in words.
    classes : ndarray or None
        The classes that targets number, where they were no numbers.
    notes : tuple of str
        What was found on the way.
    """

    edges: np.ndarray
    block_bytes: np.ndarray
    n_features: int | None
    features: tuple[str, ...] | None
    ragged: bool
    name: str
    classes: np.ndarray | None
    notes: tuple[str, ...]

    def read(self, blocks: list[np.ndarray]) -> Pool:
        """Read sequences; each block is ascending and lies within one block of ``edges``."""
        ...

    def ids(self) -> np.ndarray:
        """The id of each sequence, (N,)."""
        ...

    def ahead(self, blocks: list[np.ndarray]) -> None:
        """Tell the system what is read next."""
        ...


class Loader:
    """Batches of a data set on disk, in bounded memory; made by :func:`from_npy` and
    :func:`from_parquet`.

    A loop over it yields dictionaries of new arrays: ``x (N, T, F)``, ``y`` and, where the data set
    has them, ``lengths (N,)``, ``mask (N, T)`` and ``weight``. Every sequence comes once an epoch.
    Give it to ``tt.train(net, batches=loader)``. It can be pickled: the paths of the files travel,
    and not the data.

    **How random the order is.** With ``shuffle``, the blocks of the data set come in random order.
    As many as fill a pool are read, and the pool's sequences come in random order. A batch holds
    sequences from all blocks of a pool, but none from elsewhere. If the pool holds all sequences,
    every order is equally likely. Otherwise neighbours in a file stay closer together than chance
    would have them: where a file is sorted (by class, by time), shuffle it once when you write it.

    Attributes
    ----------
    n_sequences : int
    batch_size : int
    shuffle, bucket : bool
    seed : int
    scaler : Scaler or None
        What scales ``x``; see :meth:`scaled`.
    epoch : int
        The epoch that the next loop yields. A loop begins it and adds one, so that each has another
        order; :meth:`set_epoch` says which comes next.
    """

    def __init__(
        self,
        store: Store,
        *,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
        bucket: bool = False,
        buffer_size: int | None = None,
        allowed: np.ndarray | None = None,
        scaler: Scaler | None = None,
    ) -> None:
        self._store = store
        self._allowed = allowed  # which sequences it has, as booleans; None for all
        self.scaler = scaler
        self.batch_size = check_int("batch_size", batch_size, 1)
        self.shuffle = check_bool("shuffle", shuffle)
        self.seed = check_int("seed", seed, 0)
        self.bucket = check_bool("bucket", bucket)
        if bucket and not store.ragged:
            raise InvalidArgumentError(
                sentence("bucket", "False for sequences of one length", "True", parameter="bucket")
            )
        whole = int(store.edges[-1])
        self.n_sequences = whole if allowed is None else int(np.count_nonzero(allowed))
        if buffer_size is not None:
            check_int("buffer_size", buffer_size, 1)
        self.buffer_size = buffer_size
        self.epoch = 1

    # -- what it is ---------------------------------------------------------------------------

    @property
    def n_features(self) -> int | None:
        """Number of features, F; None where ``x`` has no such axis."""
        return self._store.n_features

    @property
    def features(self) -> tuple[str, ...] | None:
        """The columns of a table that are the features, in order; None where there is no table."""
        return self._store.features

    @property
    def classes(self) -> np.ndarray | None:
        """The classes that the targets number, sorted; None where targets are numbers."""
        return self._store.classes

    @property
    def ids(self) -> np.ndarray:
        """The id of each sequence, (n_sequences,), in the order in which :meth:`in_order` yields
        them: that of the files, or after regrouping one that depends on the ids alone.

        The ids of a table are read from its files again, and take 8 bytes each, or about 60 as
        text; times with a zone are in UTC. Sequences in ``.npy`` files have the numbers of their
        places, from 0.
        """
        every = self._store.ids()
        return every if self._allowed is None else every[self._allowed]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found when the files were read first, in sentences."""
        return self._store.notes

    @property
    def nbytes(self) -> int:
        """About the bytes of all sequences in memory."""
        return round(float(self._weights()[1].sum()))

    def __len__(self) -> int:
        return count_batches(self.n_sequences, self.batch_size)

    def __repr__(self) -> str:
        blocks = len(self._store.edges) - 1
        order = f"shuffled, seed {self.seed}" if self.shuffle else "in order"
        scaled = "" if self.scaler is None else f", scaled by {type(self.scaler).__name__}"
        return (
            f"<Loader of {self._store.name}: {_count(self.n_sequences, 'sequence')},"
            f" {_count(len(self), 'batch')} of {self.batch_size}, {_size(self.nbytes)} in"
            f" {_count(blocks, 'block')}, {order}{scaled}>"
        )

    # -- use ----------------------------------------------------------------------------------

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next loop yields, from 1."""
        self.epoch = check_int("epoch", epoch, 1)

    def split(self, fraction: float, seed: int = 0) -> tuple[Loader, Loader]:
        """Split the sequences at random into those to train on and those to validate with.

        Parameters
        ----------
        fraction : float
            The part to validate with, in (0, 1).
        seed : int
            Seed of the choice.

        Returns
        -------
        train, validation : Loader
            Without a sequence in common. The validation loader is not shuffled.
        """
        part = check_float("fraction", fraction, 0.0, 1.0, inclusive="neither")
        count = max(1, round(part * self.n_sequences))
        if count >= self.n_sequences:
            expected, got = "at least one sequence to train on", f"{part:g} of {self.n_sequences}"
            raise InvalidArgumentError(
                sentence("fraction", expected, got, must="leave", value=fraction)
            )
        whole = int(self._store.edges[-1])
        drawn = draw(whole, self._allowed, count, check_int("seed", seed, 0))
        others = ~drawn if self._allowed is None else self._allowed & ~drawn
        return self._with(allowed=others), self._with(allowed=drawn, shuffle=False)

    def scaled(self, scaler: Scaler) -> Loader:
        """The same sequences, with ``x`` scaled by ``scaler``; what pads a batch remains zero.

        Fit it to the sequences to train on, and use it for all data::

            scaler = tt.data.StandardScaler().fit(train)
            train, validation = train.scaled(scaler), validation.scaled(scaler)

        Parameters
        ----------
        scaler : Scaler
            A fitted one.
        """
        if not isinstance(scaler, Scaler):
            raise InvalidTypeError(sentence("scaler", "a scaler", describe(scaler)))
        if scaler.center is None:
            hint = "Call scaler.fit(train)."
            raise InvalidArgumentError(sentence("scaler", "fitted", "one that is not", hint))
        if self.scaler is not None:
            got = f"one scaled by {type(self.scaler).__name__}"
            hint = "Scale the loader that this one was made of."
            raise InvalidArgumentError(sentence("the loader", "one without a scaler", got, hint))
        if self.n_features is None:
            got = "other axes, or several inputs"
            raise ShapeError(sentence("x of the loader", "one array (N, T, F)", got))
        if len(scaler.center) != self.n_features:
            expected = f"fitted to {self.n_features} features, as the loader has"
            raise ShapeError(sentence("scaler", expected, f"{len(scaler.center)}"))
        return self._with(scaler=copy.copy(scaler))  # whose fit may be called again

    def in_order(self) -> Loader:
        """The same sequences, neither shuffled nor in buckets: in the order of :attr:`ids`."""
        return self._with(shuffle=False, bucket=False)

    def _with(self, **changes: Any) -> Loader:
        options = {
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "seed": self.seed,
            "bucket": self.bucket,
            "buffer_size": self.buffer_size,
            "allowed": self._allowed,
            "scaler": self.scaler,
        }
        return Loader(self._store, **(options | changes))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self._epoch(generator(self.seed, epoch) if self.shuffle else None)

    def _epoch(self, rng: np.random.Generator | None) -> Iterator[dict[str, Any]]:
        counts, sizes = self._weights()
        limit = POOL_BYTES if self.buffer_size is None else self.buffer_size
        coming = list(pools(sizes if self.buffer_size is None else counts, limit, rng))
        left: Pool | None = None  # what waits for the next pool
        for k, wanted in enumerate(coming):
            pool = self._store.read(self._blocks(wanted))
            if k + 1 < len(coming):
                self._store.ahead(self._blocks(coming[k + 1]))
            parts = [pool] if left is None else [left, pool]
            n = sum(map(len, parts))
            lengths = _lengths(parts) if self.bucket else None
            batches, rest = batches_of(n, self.batch_size, k + 1 == len(coming), lengths, rng)
            for rows in batches:
                taken = _taken(parts, rows)
                if self.scaler is not None:
                    taken.change("x", self.scaler.transform)
                yield taken.batch()
            left = _taken(parts, rest) if len(rest) else None
            del pool, parts  # before the next one is read

    def _weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Number of its sequences in each block, and about their bytes."""
        edges = self._store.edges
        full = np.diff(edges)
        if self._allowed is None:
            return full, self._store.block_bytes
        counts = np.add.reduceat(self._allowed, edges[:-1], dtype=np.int64)
        return counts, self._store.block_bytes * (counts / full)

    def _blocks(self, numbers: np.ndarray) -> list[np.ndarray]:
        """Its sequences in each of the blocks."""
        edges = self._store.edges
        return [chosen(self._allowed, int(edges[k]), int(edges[k + 1])) for k in numbers]


def _taken(parts: list[Pool], rows: np.ndarray) -> Pool:
    """Copy the sequences at ``rows``, which number those of all parts."""
    found, first = [], 0
    for pool in parts:
        here = (rows >= first) & (rows < first + len(pool))
        found.append((pool, rows[here] - first))
        first += len(pool)
    return join(found)


def _lengths(parts: list[Pool]) -> np.ndarray:
    found = [part.lengths for part in parts if part.lengths is not None]
    return np.concatenate(found)


def _count(n: int, word: str) -> str:
    several = f"{word}es" if word.endswith("ch") else f"{word}s"
    return f"{n:,} {word if n == 1 else several}"


def _size(n: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:,.3g} GB"
