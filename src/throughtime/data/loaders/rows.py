"""The rows of a table in Parquet files, read in chunks."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from throughtime.data.loaders.arrays import (
    Version,
    check_regular,
    is_folder,
    natural,
    pattern_hint,
    unreadable,
)
from throughtime.data.loaders.roles import Roles, kind_of, plain
from throughtime.data.loaders.values import Place, class_ids, entries, keys, numbers, texts, times
from throughtime.errors import DataError, ThroughtimeError, import_extra, sentence
from throughtime.serialization.files import check_path

__all__ = ["Chunk", "Rows", "find_files", "open_parquet"]

#: Rows that are decoded at once. Four times as many took 30 MB more of memory, and as long.
_ROWS = 1 << 13
#: Bytes that are read at once from each column.
_BUFFER = 1 << 16
#: Features that are decoded together.
_COLUMNS = 32
_ALL = slice(None)
#: Classes beyond which a column of text is something else than a target.
_MOST_CLASSES = 10_000
_LONGEST_CLASS = 500
_CONVERT = (
    "pyarrow converts a CSV file of any size: 'from pyarrow import dataset', then"
    " dataset.write_dataset(dataset.dataset('rows.csv', format='csv'), 'table', format='parquet')."
)


class Chunk(NamedTuple):
    """Some rows, one after another; None where a part was not asked for, or is not there.

    Attributes
    ----------
    first : int
        The number of the first row, counted through all files.
    x : ndarray of shape (n, F)
    y : ndarray of shape (n,), or (n, K) of several targets
    weight : ndarray of shape (n,)
    keys : ndarray of uint64 of shape (n, 2)
        See :func:`throughtime.data.loaders.values.keys`.
    time : ndarray of shape (n,)
    """

    first: int
    x: np.ndarray
    y: np.ndarray | None
    weight: np.ndarray | None
    keys: np.ndarray | None
    time: np.ndarray | None


class Rows:
    """A table in one file or in several, one after another.

    Attributes
    ----------
    paths : tuple of str
    roles : Roles
    group_edges : ndarray of int64 of shape (G + 1,)
        Group g of all files has the rows from ``group_edges[g]`` to ``group_edges[g + 1] - 1``.
    file_groups : ndarray of int of shape (number of files + 1,)
        The first group of each file.
    largest : ndarray of float64 of shape (F,)
        The largest absolute value of each feature in what was seen; see :meth:`see`.
    integers : set of str
        The features that are integers in one file at least.
    classes : ndarray or None
        The classes that the targets number, given or found; see :meth:`find_classes`.
    """

    def __init__(self, paths: Sequence[str], roles: Roles) -> None:
        self.paths = tuple(paths)
        self.roles = roles
        counts, file_groups, versions = [], [0], []
        self.integers: set[str] = set()
        first = None
        for path in paths:
            file = open_parquet(path)
            first = first or (path, file.schema_arrow)
            _check_schema(roles, *first, path, file.schema_arrow)
            self.integers |= {
                name
                for name in roles.features
                if kind_of(file.schema_arrow.field(name).type) == "integer"
            }
            counts += [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
            file_groups.append(len(counts))
            versions.append(Version.of(Path(path).stat()))
            file.close()
        self.group_edges = np.cumsum([0, *counts], dtype=np.int64)
        self.file_groups = np.array(file_groups)
        self._versions = versions
        if not len(self):
            what = paths[0] if len(paths) == 1 else f"{paths[0]} and the files after it"
            raise DataError(sentence(what, "rows", "none", must="hold", parameter="path"))
        self.largest = np.zeros(len(roles.features))
        self.classes: np.ndarray | None = None

    def __len__(self) -> int:
        return int(self.group_edges[-1])

    @property
    def row_bytes(self) -> int:
        """Bytes of the features, and of what belongs to a step, of a row in memory."""
        more = (len(self.roles.targets) + 1) if self.roles.by_step else 0
        return (len(self.roles.features) + more) * self.roles.dtype.itemsize

    # -- reading ------------------------------------------------------------------------------

    @property
    def slices(self) -> list[slice]:
        """Features that are decoded together: a decoder takes about 1 MB for each column."""
        n = len(self.roles.features)
        return [slice(k, min(k + _COLUMNS, n)) for k in range(0, n, _COLUMNS)]

    def chunks(
        self, start: int, stop: int, *, ordering: bool = False, features: slice = _ALL
    ) -> Iterator[Chunk]:
        """Read the rows from ``start`` to ``stop``, in chunks.

        Parameters
        ----------
        ordering : bool
            Whether to read ids and times too.
        features : slice
            Which features to read; targets and weights come with the first one alone.

        Raises
        ------
        DataError
            If a file has changed, is damaged, or a cell cannot be used.
        """
        roles = self.roles
        if features.start:
            roles = roles._replace(targets=(), target_kind="", weight=None)
        roles = roles._replace(features=roles.features[features])
        wanted = [*roles.features, *roles.targets]
        wanted += [] if roles.weight is None else [roles.weight]
        if ordering:
            wanted += [roles.id] if roles.time is None else [roles.id, roles.time]
        for file, row, first, batch in self._batches(start, stop, wanted):
            yield self._chunk(roles, Place(file, "", "", row), first, batch, ordering)

    def _chunk(self, roles: Roles, place: Place, first: int, batch: Any, ordering: bool) -> Chunk:
        n = batch.num_rows

        def column(role: str, name: str) -> tuple[Place, Any]:
            return place._replace(role=role, name=name), batch.column(name)

        x = np.empty((n, len(roles.features)), roles.dtype)
        for k, name in enumerate(roles.features):
            x[:, k] = numbers(*column("features", name), roles.dtype)
        y = None
        if roles.target_kind == "class":
            assert self.classes is not None
            ids = {entry: k for k, entry in enumerate(self.classes.tolist())}
            y = class_ids(*column("target", roles.targets[0]), ids)
        elif roles.targets:
            every = [numbers(*column("target", t), roles.target_dtype) for t in roles.targets]
            y = every[0] if len(every) == 1 else np.stack(every, axis=1)
        weight = None
        if roles.weight is not None:
            weight = numbers(*column("weight", roles.weight), roles.dtype)
        key = keys(*column("id", roles.id)) if ordering else None
        time = times(*column("time", roles.time)) if ordering and roles.time is not None else None
        return Chunk(first, x, y, weight, key, time)

    def _batches(
        self, start: int, stop: int, names: Sequence[str]
    ) -> Iterator[tuple[str, int, int, Any]]:
        """Decode rows: the file, the row there (from 1), the row of all, and the columns."""
        edges = self.group_edges
        while start < stop:
            group = int(np.searchsorted(edges, start, side="right")) - 1
            k = int(np.searchsorted(self.file_groups, group, side="right")) - 1
            begin, end = int(self.file_groups[k]), int(self.file_groups[k + 1])
            until = min(stop, int(edges[end]))
            last = int(np.searchsorted(edges, until, side="left"))
            at = int(edges[group])  # the row at which the decoder stands
            path, offset = self.paths[k], int(edges[begin])
            for batch in self._decoded(k, range(group - begin, last - begin), names):
                skip = max(0, start - at)
                piece = batch.slice(skip, max(0, until - at - skip))
                if piece.num_rows:
                    yield path, at + skip - offset + 1, at + skip, piece
                at += batch.num_rows
                if at >= until:
                    break
            if at < until:
                got = f"{at - offset:,}"
                expected = f"the {int(edges[end]) - offset:,} rows that its footer promises"
                raise DataError(sentence(path, expected, got, must="hold", parameter="path"))
            start = until

    def _decoded(self, k: int, groups: range, names: Sequence[str]) -> Iterator[Any]:
        """Decode row groups of file ``k``; each batch has a part of one or of several groups."""
        path = self.paths[k]
        file = open_parquet(path)
        try:
            self._versions[k].check(path, Path(path).stat())
            decoder = file.iter_batches(
                batch_size=_ROWS, row_groups=list(groups), columns=list(names)
            )
            while True:
                try:
                    batch = next(decoder)
                except StopIteration:
                    return
                except Exception as error:  # pyarrow has its own kinds, and OSError
                    raise damaged(path, error) from None
                yield batch
        finally:
            file.close()

    def find_classes(self) -> None:
        """Read the target column for all classes that there are, unless they are known."""
        if self.roles.target_kind != "class" or self.classes is not None:
            return
        name, found = self.roles.targets[0], set()
        for file, row, _, batch in self._batches(0, len(self), [name]):
            found |= texts(Place(file, "target", name, row), batch.column(name))
            if len(found) > _MOST_CLASSES:
                expected = f"numbers, or text of at most {_MOST_CLASSES:,} kinds"
                raise DataError(
                    sentence(
                        f"target column {name!r}", expected, "more", must="hold", parameter="target"
                    )
                )
        if any(isinstance(entry, str) and entry.endswith("\0") for entry in found):
            # An array of text does not keep them.
            expected, got = "text that does not end in null characters", "such a class"
            raise DataError(
                sentence(f"target column {name!r}", expected, got, must="hold", parameter="target")
            )
        if any(isinstance(entry, str) and len(entry) > _LONGEST_CLASS for entry in found):
            expected, got = f"classes of at most {_LONGEST_CLASS} characters", "a longer text"
            raise DataError(
                sentence(f"target column {name!r}", expected, got, must="hold", parameter="target")
            )
        self.classes = np.array(sorted(found))

    def ids(self, wanted: np.ndarray) -> np.ndarray:
        """The ids in some rows, which may have any order; the whole column is read."""
        order = np.argsort(wanted, kind="stable")
        ascending, found, done = wanted[order], [], 0
        name = self.roles.id
        for file, row, first, batch in self._batches(0, len(self), [name]):
            stop = int(np.searchsorted(ascending, first + batch.num_rows))
            place = Place(file, "id", name, row)
            found.append(entries(place, batch.column(name), ascending[done:stop] - first))
            done = stop
        values = np.concatenate(found)
        ids = np.empty_like(values)
        ids[order] = values
        return ids

    def see(self, chunk: Chunk, features: slice) -> None:
        """Keep the largest absolute value of each feature."""
        largest = np.abs(chunk.x).max(axis=0)
        self.largest[features] = np.maximum(self.largest[features], largest)

    # -- for messages -------------------------------------------------------------------------

    def where(self, row: int) -> tuple[str, int]:
        """The file of a row, and its number there, from 1."""
        group = int(np.searchsorted(self.group_edges, row, side="right")) - 1
        k = int(np.searchsorted(self.file_groups, group, side="right")) - 1
        return self.paths[k], row - int(self.group_edges[self.file_groups[k]]) + 1

    def cell(self, name: str, row: int) -> str:
        """A cell as people read it."""
        (*_, batch) = next(iter(self._batches(row, row + 1, [name])))
        cell = batch.column(name)[0]
        try:
            value = cell.as_py()
        except (ValueError, OverflowError):  # a time that Python has not
            value = cell
        return repr(value) if isinstance(value, str) else str(value)


def damaged(path: str, error: Exception) -> DataError:
    """The error for a file that pyarrow cannot read."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return DataError(sentence(path, "a whole Parquet file", reason, parameter="path"))


def open_parquet(path: str) -> Any:
    """Open a Parquet file; its footer is read."""
    parquet = import_extra("pyarrow.parquet", "cli", "Reading a Parquet file")
    try:
        check_regular(path)
        with Path(path).open("rb") as stream:
            start = stream.read(4)
        if start != b"PAR1":
            got, hint = ("other content", _CONVERT) if start else ("nothing", "")
            raise DataError(sentence(path, "a Parquet file", got, hint, parameter="path"))
        file = parquet.ParquetFile(
            path, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True
        )
        _ = file.schema_arrow
    except ThroughtimeError:
        raise
    except Exception as error:  # pyarrow has its own kinds, and OSError
        raise damaged(path, error) from None
    return file


def _check_schema(roles: Roles, first: str, schema: Any, path: str, own: Any) -> None:
    """A later file has the same columns as the first, of the same types."""
    counts = Counter(own.names)
    for role in ("id", "time", "features", "targets", "weight"):
        value = getattr(roles, role)
        for name in value if isinstance(value, tuple) else [value] if value else []:
            if counts[name] != 1:
                hint = _partition_hint(path, name)
                got = "none" if not counts[name] else "two"
                raise DataError(
                    sentence(
                        path,
                        f"the column {name!r} of {first}",
                        got,
                        hint,
                        must="have",
                        parameter="path",
                    )
                )
            kinds = [plain(one.field(name).type) for one in (schema, own)]
            free = role in ("features", "weight") or (
                role == "targets" and roles.target_kind == "number"
            )
            alike = (
                kind_of(kinds[1]) in ("integer", "number", "bool")
                if free
                else _instant(kinds[0]) == _instant(kinds[1])
            )
            if not alike:
                raise DataError(
                    sentence(
                        f"column {name!r}",
                        "one type in all files",
                        f"{kinds[0]} in {first} and {kinds[1]} in {path}",
                        must="have",
                        parameter="path",
                    )
                )


def _instant(kind: Any) -> Any:
    """A type, but that all time zones are one: the times are instants."""
    zone = getattr(kind, "tz", None)
    return kind if zone is None else ("instant", kind.unit)


def _partition_hint(path: str, name: str) -> str:
    if re.search(rf"(^|/){re.escape(name)}=", Path(path).as_posix()):
        return "It is in the names of folders alone; write it into the files."
    return ""


def find_files(path: Any) -> list[str]:
    """The Parquet files that ``path`` means: a file, a list of files, or all those in a folder."""
    if isinstance(path, list | tuple):
        if not path:
            raise DataError(sentence("path", "at least one file", "none", must="name"))
        every = [file for one in path for file in find_files(one)]
        again = [file for file, count in Counter(every).items() if count > 1]
        if again:
            got = f"{again[0]} twice"
            raise DataError(sentence("path", "each file once", got, must="name", value=path))
        return every
    place = Path(check_path(path))
    if not is_folder(place):
        if not place.exists():
            way = pattern_hint(place)
            raise DataError(
                f"{place} must be a file or a folder; there is none of this name.{way and ' '}{way}"
            )
        return [str(place)]
    hidden = (".", "_")  # files of a format about the others
    found = []
    for folder, folders, names in os.walk(place, onerror=_raise):
        folders[:] = [one for one in folders if not one.startswith(hidden)]
        wanted = [one for one in names if one.endswith((".parquet", ".pq"))]
        found += [Path(folder, one) for one in wanted if not one.startswith(hidden)]
    if not found:
        got = f"the folder {place} without any"
        raise DataError(sentence("path", ".parquet files", got, must="name", value=path))
    return [str(one) for one in sorted(found, key=lambda one: [natural(p) for p in one.parts])]


def _raise(error: OSError) -> NoReturn:
    """Refuse a folder that cannot be looked into, whose files would be missing."""
    raise unreadable(str(error.filename), error) from None
