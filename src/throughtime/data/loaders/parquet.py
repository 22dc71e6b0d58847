"""Tables in Parquet files as a data set of sequences."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from throughtime.data.loaders.arrays import is_folder, open_arrays
from throughtime.data.loaders.classes import check_classes
from throughtime.data.loaders.flat import FlatStore
from throughtime.data.loaders.loader import POOL_BYTES, Loader
from throughtime.data.loaders.regroup import regroup
from throughtime.data.loaders.roles import find_roles, kind_of
from throughtime.data.loaders.rows import Rows, find_files, open_parquet
from throughtime.data.loaders.scan import find_sequences
from throughtime.data.loaders.stream import RowStore
from throughtime.data.loaders.temporary import make_folder, remove_folder
from throughtime.data.sequences import check_float_dtype
from throughtime.data.tables.columns import quoted
from throughtime.errors import DataError, check_choice, sentence
from throughtime.serialization.files import check_path

__all__ = ["from_parquet"]

#: The largest row group that is read as a whole.
_MOST_GROUP = POOL_BYTES
#: Changes with what stands in a cache.
_FORMAT = 2
_ABOUT = "about.json"
#: Between the largest values of features: beyond it, those of the smaller ones are hardly seen.
_UNLIKE = 1000


def from_parquet(
    path: Any,
    *,
    id: str,  # noqa: A002 - the word that long tables use
    time: str | None = None,
    features: Any = None,
    target: Any = None,
    target_per: str = "sequence",
    classes: Any = None,
    weight: str | None = None,
    dtype: Any = "float32",
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int = 0,
    bucket: bool = False,
    buffer_size: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Loader:
    """Batches of the sequences of a long table in Parquet files, which need not fit into memory.

    The table has a row for each time step; the rows with one id are a sequence. It is read once
    here: every cell is checked, and the sequences are found. Where the rows of each id lie
    together, in the order of time, an epoch reads the row groups of the files, several at a time;
    see :class:`Loader`. Otherwise the rows are brought together once in a temporary folder, which
    takes about as many bytes as the table has in memory and is deleted with the loader;
    :attr:`Loader.notes` says so.

    Parameters
    ----------
    path : path or list of paths
        A file, a folder with all files below it, or a list; they are one table. Patterns are not
        expanded.
    id : str
        The column that tells sequences apart.
    time : str, optional
        The column that orders the rows of an id: times or numbers. By default they have the order
        of the file.
    features : list of str, optional
        The columns of ``x``, numbers or booleans; by default all that have no
        other role, but for the index of pandas.
    target : str or list of str, optional
        The column of ``y``. Text and booleans are classes: they are numbered in sorted order, and
        :attr:`Loader.classes` has them. Integers stay integers. Several columns of numbers make
        ``y (N, K)``.
    target_per : {"sequence", "step"}
        Whether target and weight belong to a sequence, ``y (N,)``, and are the same in all rows of
        an id; or to a step, ``y (N, T)``.
    classes : list or array, optional
        The classes in the order of their numbers, instead of those in the files. Other classes are
        refused. Give those of the training data, ``train.classes``, with all data that come later:
        otherwise a file without one of the classes numbers them differently.
    weight : str, optional
        The column of sample weights.
    dtype : dtype
        That of ``x``, of weights and of targets that are not integers. Values that do not fit are
        refused.
    batch_size, shuffle, seed, bucket, buffer_size
        As in :func:`from_npy`.
    cache : path, optional
        A folder in which the sequences are kept as arrays, whatever the order of the rows. Later
        loaders of the same files and columns find them there, and need not read the table. Epochs
        are then as fast as those of :func:`from_npy`, and small blocks are shuffled instead of row
        groups. Files that have changed, and other columns, have a folder of their own in it; old
        ones stay until you delete them (or all of ``cache``, while no loader uses it).

    Returns
    -------
    Loader
        ``x (N, T, F)`` is padded with zeros to the longest sequence of the batch, which then has
        ``lengths (N,)``.

    Raises
    ------
    InvalidArgumentError
        If there is no such column, or an option has no such value.
    DataError
        If the files cannot be used; one sentence names the file, the column and the row.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "patient": ["ann", "ann", "ann", "bob", "bob"],
    ...         "hour": [0, 1, 2, 0, 1],
    ...         "pulse": [61.0, 64.0, 63.0, 80.0, 84.0],
    ...         "outcome": ["well", "well", "well", "ill", "ill"],
    ...     }
    ... )
    >>> table.to_parquet("table.parquet")
    >>> loader = from_parquet(
    ...     "table.parquet", id="patient", time="hour", target="outcome", shuffle=False
    ... )
    >>> loader
    <Loader of table.parquet: 2 sequences, 1 batch of 32, 20 B in 1 block, in order>
    >>> for batch in loader:
    ...     print(batch["x"][..., 0], batch["y"], batch["lengths"])
    [[61. 64. 63.]
     [80. 84.  0.]] [1 0] [3 2]
    >>> loader.classes
    array(['ill', 'well'], dtype='<U4')
    """
    by_step = check_choice("target_per", target_per, ("sequence", "step")) == "step"
    files = find_files(path)
    with open_parquet(files[0]) as first:
        schema = first.schema_arrow
    roles = find_roles(
        files[0],
        schema,
        id=id,
        time=time,
        features=features,
        target=target,
        weight=weight,
        by_step=by_step,
        dtype=check_float_dtype(dtype),
    )
    notes = []
    if features is None:
        notes.append(f"Features are all other columns: {quoted(roles.features)}.")
    name = Path(files[0]).name if len(files) == 1 else f"{len(files)} files"
    rows = Rows(files, roles)
    if classes is not None:
        first_target = next(iter(roles.targets), None)
        kind = "" if first_target is None else kind_of(schema.field(first_target).type)
        rows.classes = check_classes(classes, first_target, kind)
    store: FlatStore | RowStore
    if cache is None:
        rows.find_classes()
        found = find_sequences(rows, _MOST_GROUP)
        if isinstance(found, str):
            store = _in_temporary_folder(rows, name, notes, found)
        else:
            store = RowStore(rows, found, name, (*notes, *_sizes(rows)))
    else:
        store = _in_cache(rows, Path(check_path(cache)), name, notes)
    return Loader(
        store,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        bucket=bucket,
        buffer_size=buffer_size,
    )


def _in_temporary_folder(rows: Rows, name: str, notes: list[str], reason: str) -> FlatStore:
    try:
        folder, lock = make_folder()
    except OSError as error:
        hint = "Name one: cache=..."
        expected, got = "a folder for temporary files", f"none: {error.strerror or error}"
        raise DataError(
            sentence("this machine", expected, got, hint, must="have", parameter="cache")
        ) from None
    try:
        regroup(rows, folder)
        notes.append(
            f"{reason}, so they were brought together in {folder}. Use cache= to do this once, and"
            " for jobs that may be killed."
        )
        notes += _sizes(rows)
        store = _opened(folder, rows, f"{name} (regrouped)", notes)
    except BaseException:
        remove_folder(folder, lock, os.getpid())
        raise
    weakref.finalize(store, remove_folder, folder, lock, os.getpid())
    return store


def _in_cache(rows: Rows, cache: Path, name: str, notes: list[str]) -> FlatStore:
    folder = cache / _fingerprint(rows)
    found = is_folder(folder)
    if not found:
        rows.find_classes()
        try:
            _write(rows, cache, folder)
        except OSError as error:
            got = error.strerror or str(error)
            expected = "a folder that can be written to"
            raise DataError(
                sentence("cache", expected, f"{str(cache)!r}: {got}", value=cache)
            ) from None
    notes.append(f"The sequences were {'found in' if found else 'written into'} {folder}.")
    try:
        names, *sizes = json.loads((folder / _ABOUT).read_text("utf-8"))
        rows.classes = None if names is None else np.array(names)
        notes += sizes
        return _opened(folder, rows, name, notes)
    except (OSError, ValueError, DataError) as error:
        got, hint = f"a damaged one ({error})", "Delete it; it is then written anew."
        raise DataError(
            sentence(str(folder), "a cache of the table", got, hint, parameter="cache")
        ) from None


def _write(rows: Rows, cache: Path, folder: Path) -> None:
    """Bring the rows together in ``folder``, in one step: it is there as a whole, or not."""
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = cache / f".throughtime-{secrets.token_hex(8)}.tmp"
    unfinished.mkdir()
    try:
        regroup(rows, unfinished)
        names = None if rows.classes is None else rows.classes.tolist()
        (unfinished / _ABOUT).write_text(json.dumps([names, *_sizes(rows)]), "utf-8")
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _opened(folder: Path, rows: Rows, name: str, notes: list[str]) -> FlatStore:
    """The sequences that :func:`regroup` wrote into a folder."""
    roles = rows.roles
    names = ["x", "lengths", "rows"]
    names += ["y"] if roles.targets else []
    names += [] if roles.weight is None else ["weight"]
    found = {name: open_arrays(name, [str(folder / f"{name}.npy")]) for name in names}
    lengths = found.pop("lengths")
    firsts = found.pop("rows")
    return FlatStore(
        found.pop("x"),
        found,
        lengths.read([range(lengths.shape[0])]),
        name,
        by_step=roles.by_step,
        features=roles.features,
        classes=rows.classes,
        notes=tuple(notes),
        table=(rows, firsts),
    )


def _sizes(rows: Rows) -> list[str]:
    """What to say of features that differ in size, and of large integers."""
    notes = []
    names, largest, dtype = rows.roles.features, rows.largest, rows.roles.dtype
    seen = np.flatnonzero(largest)
    if len(seen) and largest.max() > _UNLIKE * largest[seen].min():
        a, b = int(np.argmax(largest)), int(seen[np.argmin(largest[seen])])
        notes.append(
            f"{names[a]!r} goes to {largest[a]:.3g} and {names[b]!r} to {largest[b]:.3g}."
            " Scale features that differ so much: loader.scaled(scaler)."
        )
    most = 2 ** (np.finfo(dtype).nmant + 1)
    rounded = [
        name
        for name, size in zip(names, largest, strict=True)
        if size > most and name in rows.integers
    ]
    if rounded:
        notes.append(
            f"{dtype} holds every integer up to {most:,} only; larger ones of {quoted(rounded)} are"
            " rounded."
        )
    return notes


def _fingerprint(rows: Rows) -> str:
    """A name for these columns of these files, as they are now."""
    files = [(os.path.realpath(path), Path(path).stat()) for path in rows.paths]
    seen = [(path, status.st_size, status.st_mtime_ns) for path, status in files]
    classes = None if rows.classes is None else rows.classes.tolist()  # those that were given
    what = json.dumps([_FORMAT, seen, list(map(str, rows.roles)), classes])
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:16]
