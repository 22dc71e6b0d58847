"""Arrays in ``.npy`` files as a data set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from throughtime.data.loaders.arrays import ArrayFiles, is_folder, natural, open_arrays
from throughtime.data.loaders.flat import BLOCK_BYTES, FlatStore
from throughtime.data.loaders.loader import Loader
from throughtime.data.loaders.pool import Key, Pool, Whole
from throughtime.data.masks import check_lengths
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_choice,
    check_int,
    describe,
    sentence,
)
from throughtime.serialization.files import check_path

__all__ = ["from_npy"]

#: What a batch may hold.
_FIELDS = ("x", "y", "lengths", "mask", "weight", "reset")
#: Where the steps of a sequence are.
_LAYOUTS = ("padded", "files", "rows")


def from_npy(
    paths: Any,
    *,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int = 0,
    bucket: bool = False,
    layout: str = "padded",
    block_size: int | None = None,
    buffer_size: int | None = None,
) -> Loader:
    """Batches of arrays in ``.npy`` files, which need not fit into memory.

    Only the headers of the files are read at first. An epoch reads blocks of neighbouring
    sequences, several at a time; see :class:`Loader`.

    Parameters
    ----------
    paths : dict, pair or folder
        A dict from a field to its file: ``{"x": "x.npy", "y": "y.npy"}``. The fields are ``x``,
        ``y``, ``lengths``, ``mask``, ``weight`` and ``reset``; all but ``x`` may be left out. A
        list of files, or a folder of them, is one array, in the order of the list or of the names
        (``part-2`` before ``part-10``). Of networks with several inputs or outputs, a field is a
        dict of such. A pair is ``(x, y)``. A folder alone holds ``x.npy``, ``y.npy`` and so on, or
        folders of these names.
    batch_size : int
        Sequences in a batch; the last one may be smaller.
    shuffle : bool
        Whether each epoch has another order; otherwise it is that of the files.
    seed : int
        Seed for the order of the sequences.
    bucket : bool
        Whether sequences of similar length form a batch, so that little is padded.
    layout : {"padded", "files", "rows"}
        How sequences are stored. ``"padded"``: ``x`` is (N, T, F), or (N, T) of tokens, with
        ``lengths`` or a ``mask`` where they differ. ``"files"``: each file of ``x`` is one sequence
        (T_i, F). ``"rows"``: ``x`` is (R, F), the sequences one after another, and ``lengths`` say
        how many rows each has. Other fields then have an entry for each sequence or for each row.
    block_size : int, optional
        Sequences that are read at once; by default as many as have 1 MiB.
    buffer_size : int, optional
        Sequences in memory from which batches are drawn; by default as many as have 64 MiB.

    Returns
    -------
    Loader

    Raises
    ------
    DataError, ShapeError
        If a file cannot be used, or the fields do not fit together.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> np.save("x.npy", rng.normal(size=(100, 20, 3)).astype("float32"))
    >>> np.save("y.npy", rng.normal(size=(100, 1)).astype("float32"))
    >>> loader = from_npy({"x": "x.npy", "y": "y.npy"})
    >>> loader
    <Loader of x.npy, y.npy: 100 sequences, 4 batches of 32, 24.4 kB in 1 block, shuffled, seed 0>
    >>> for batch in loader:
    ...     print(batch["x"].shape, batch["y"].shape)
    (32, 20, 3) (32, 1)
    (32, 20, 3) (32, 1)
    (32, 20, 3) (32, 1)
    (4, 20, 3) (4, 1)
    """
    check_choice("layout", layout, _LAYOUTS)
    if block_size is not None:
        check_int("block_size", block_size, 1)
    fields = {key: open_arrays(_called(key), files) for key, files in _files(paths).items()}
    if "reset" in fields and shuffle:
        hint = "'reset' is for sequences that continue those of the batch before."
        raise InvalidArgumentError(sentence("shuffle", "False with 'reset'", "True", hint))
    store: NpyStore | FlatStore
    if layout == "padded":
        _check_fit(fields)
        store = NpyStore(fields, block_size)
    else:
        store = _flat(fields, layout, block_size)
    return Loader(
        store,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        bucket=bucket,
        buffer_size=buffer_size,
    )


class NpyStore:
    """Fields in ``.npy`` files; see :class:`throughtime.data.loaders.loader.Store`."""

    features: tuple[str, ...] | None = None
    classes: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __init__(self, fields: dict[Key, ArrayFiles], block_size: int | None) -> None:
        self._fields = fields
        first = next(iter(fields.values()))
        n = first.shape[0]
        own = sum(field.row_bytes for field in fields.values())
        self.edges = np.append(np.arange(0, n, block_size or max(1, BLOCK_BYTES // own)), n)
        self.block_bytes = np.diff(self.edges) * own
        self.n_features = first.shape[2] if len(first.shape) == 3 else None
        self.ragged = "lengths" in fields
        self.name = _named(fields)

    def read(self, blocks: list[np.ndarray]) -> Pool:
        """Read sequences."""
        found: dict[Key, Whole | Any] = {
            key: Whole(field.read(blocks)) for key, field in self._fields.items()
        }
        lengths = found["lengths"].values if "lengths" in found else None
        if lengths is not None and "x" in self._fields:
            self._check_lengths(lengths, blocks)
        return Pool(found, lengths)

    def _check_lengths(self, lengths: np.ndarray, blocks: list[np.ndarray]) -> None:
        steps = self._fields["x"].shape[1]
        bad = (lengths < 0) | (lengths > steps)
        if bad.any():
            first = int(np.argmax(bad))
            path, row = self._fields["lengths"].place(int(np.concatenate(blocks)[first]))
            expected, got = f"from 0 to {steps}, the steps of x", f"{lengths[first]}"
            raise DataError(
                sentence("lengths", expected, f"{got} in row {row} of {path}", value=lengths[first])
            )

    def ids(self) -> np.ndarray:
        """The places of the sequences, from 0."""
        return np.arange(self.edges[-1])

    def ahead(self, blocks: list[np.ndarray]) -> None:
        """Tell the system what is read next."""
        for field in self._fields.values():
            field.ahead(blocks)


# -- which files ------------------------------------------------------------------------------


def _files(paths: Any) -> dict[Key, list[str]]:
    """The files of each field, x first."""
    given = _by_field(paths)
    for name in given:
        check_choice("a key of paths", name, _FIELDS)
    if "x" not in given:
        got = ", ".join(map(repr, given)) or "nothing"
        raise InvalidArgumentError(sentence("paths", "'x'", got, must="hold", value=paths))
    found: dict[Key, list[str]] = {}
    for name in _FIELDS:
        value = given.get(name)
        if isinstance(value, Mapping):
            if not value:
                raise InvalidArgumentError(
                    sentence(f"paths[{name!r}]", "at least one file", "none", must="name")
                )
            for part, one in value.items():
                found[name, str(part)] = _listed(f"paths[{name!r}][{part!r}]", one)
        elif value is not None:
            found[name] = _listed(f"paths[{name!r}]", value)
    return found


def _by_field(paths: Any) -> Mapping[str, Any]:
    if isinstance(paths, Mapping):
        return paths
    if isinstance(paths, tuple | list):
        if len(paths) != 2:
            expected, got = "a pair (x, y)", f"{len(paths)} entries"
            hint = "A dict names them: {'x': [...], 'y': [...]}."
            raise InvalidTypeError(sentence("paths", expected, got, hint, value=paths))
        return dict(zip(("x", "y"), paths, strict=True))
    if not isinstance(paths, str | os.PathLike):
        expected = "a dict from fields to files, a pair (x, y) or a folder"
        raise InvalidTypeError(sentence("paths", expected, describe(paths)))
    folder = Path(check_path(paths))
    if not is_folder(folder):
        hint = f"Name the fields: {{'x': {str(folder)!r}, 'y': ...}}."
        got = f"the file {folder}" if folder.exists() else f"{folder}, which does not exist"
        raise DataError(sentence("paths", "a folder, a dict or a pair", got, hint, value=paths))
    found = {}
    for name in _FIELDS:
        for place in (folder / f"{name}.npy", folder / name):
            if place.exists():
                found[name] = place
                break
    if "x" not in found:
        got = f"none in the folder {folder}"
        hint = "Or name the files: {'x': ..., 'y': ...}."
        raise DataError(
            sentence("paths", "x.npy or a folder x", got, hint, must="hold", value=paths)
        )
    return found


def _listed(name: str, value: Any) -> list[str]:
    """The files that one entry means."""
    if isinstance(value, tuple | list):
        if not value:
            raise InvalidArgumentError(sentence(name, "at least one file", "none", must="name"))
        return [path for one in value for path in _listed(name, one)]
    if not isinstance(value, str | os.PathLike):
        raise InvalidTypeError(sentence(name, "a path or a list of paths", describe(value)))
    path = Path(check_path(value))
    if not is_folder(path):
        return [str(path)]
    inside = sorted(path.glob("*.npy"), key=lambda one: natural(one.name))
    if not inside:
        raise DataError(sentence(name, ".npy files", f"the folder {path} without any", must="name"))
    return [str(one) for one in inside]


def _called(key: Key) -> str:
    return key if isinstance(key, str) else f"{key[0]}[{key[1]!r}]"


def _named(fields: dict[Key, ArrayFiles]) -> str:
    return ", ".join(_shown(field) for field in fields.values())


def _shown(field: ArrayFiles) -> str:
    files = [Path(file.path).name for file in field.files]
    return files[0] if len(files) == 1 else f"{len(files)} files of {field.name}"


# -- what fits together -----------------------------------------------------------------------


def _check_fit(fields: dict[Key, ArrayFiles]) -> None:
    """Every field has an entry for each sequence, file by file where there are as many files."""
    x = next(iter(fields.values()))
    for key, field in fields.items():
        if len(field.files) == len(x.files):
            for own, other in zip(field.files, x.files, strict=True):
                if own.rows != other.rows:
                    expected = f"{other.rows} rows in {own.path}, as {other.path}"
                    raise ShapeError(sentence(field.name, expected, f"{own.rows}", must="have"))
        elif field.shape[0] != x.shape[0]:
            expected = f"{x.shape[0]} rows, one for each sequence of {x.name}"
            raise ShapeError(sentence(field.name, expected, f"{field.shape[0]}", must="have"))
        if key == "lengths" or (isinstance(key, tuple) and key[0] == "lengths"):
            _check_kind(field, "iu", "integers")
            if len(field.shape) != 1:
                expected = f"of shape ({x.shape[0]},), one for each sequence"
                raise ShapeError(sentence(field.name, expected, f"shape {field.shape}"))
        elif key == "mask":
            _check_kind(field, "b", "booleans, True at the steps that count")
            if "x" in fields and field.shape != x.shape[:2]:
                raise ShapeError(
                    sentence("mask", f"of shape {x.shape[:2]}", f"shape {field.shape}")
                )
        elif key == "x" and len(field.shape) == 1:
            expected = "the axes (N, T, F), or (N, T) of tokens"
            raise ShapeError(sentence("x", expected, f"shape {field.shape}", must="have"))


def _flat(fields: dict[Key, ArrayFiles], layout: str, block_size: int | None) -> FlatStore:
    """Sequences that are rows one after another."""
    more = {}
    for key, field in fields.items():
        if not isinstance(key, str):
            expected = "one array, unless layout='padded'"
            raise InvalidArgumentError(sentence(f"paths[{key[0]!r}]", expected, "a dict"))
        more[key] = field
    x = more.pop("x")
    if layout == "files":
        lengths = np.array([file.rows for file in x.files])
        if "lengths" in more:
            expected, got = "no 'lengths' with layout='files'", "some"
            hint = "Each file has its own."
            raise InvalidArgumentError(sentence("paths", expected, got, hint, must="hold"))
    else:
        lengths = _cut(x, more.pop("lengths", None))
    for name, field in more.items():
        if name == "mask":
            _check_kind(field, "b", "booleans, True at the steps that count")
        if field.shape[0] not in (len(lengths), x.shape[0]):
            expected = f"{len(lengths)} rows, one for each sequence, or {x.shape[0]} as x"
            raise ShapeError(sentence(name, expected, f"{field.shape[0]}", must="have"))
    return FlatStore(x, more, lengths, _named(fields), block_size=block_size)


def _cut(x: ArrayFiles, lengths: ArrayFiles | None) -> np.ndarray:
    """How many rows of ``x`` each sequence has."""
    if lengths is None:
        got, hint = "none", "They say how many rows of x each sequence has."
        raise InvalidArgumentError(
            sentence("paths", "'lengths' with layout='rows'", got, hint, must="hold")
        )
    _check_kind(lengths, "iu", "integers")
    found = lengths.read([range(lengths.shape[0])])
    bad = (found < 1) | (found > x.shape[0]) if found.ndim == 1 else np.array(False)
    if bad.any():
        first = int(np.argmax(bad))
        path, row = lengths.place(first)
        expected = f"from 1 to {x.shape[0]}, the rows of x"
        raise DataError(sentence("lengths", expected, f"{found[first]} in row {row} of {path}"))
    found = check_lengths(found)
    total = sum(found.tolist())  # which may be larger than any int64
    if total != x.shape[0]:
        expected = f"{x.shape[0]} in sum, the rows of x"
        raise ShapeError(sentence("lengths", expected, f"{total}"))
    return found


def _check_kind(field: ArrayFiles, kinds: str, what: str) -> None:
    if field.dtype.kind not in kinds:
        got = f"an array of dtype {field.dtype}"
        raise DataError(sentence(field.name, what, got, must="hold"))
