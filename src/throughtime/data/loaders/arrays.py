"""A field of a data set: one array, which lies in one ``.npy`` file or in several."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from throughtime.errors import DataError, ShapeError, sentence

__all__ = [
    "ArrayFiles",
    "Version",
    "check_regular",
    "is_folder",
    "natural",
    "open_arrays",
    "pattern_hint",
    "unreadable",
]

_MAGIC = b"\x93NUMPY"
_READERS: dict[tuple[int, ...], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


#: Some file systems round the time of a change to so many nanoseconds, and some only later.
_ROUNDED = 2 * 10**9


class Version(NamedTuple):
    """What a file was when it was opened first, to know it again.

    Attributes
    ----------
    size : int
        Bytes of the file.
    changed : int or None
        Nanoseconds of the last change; None where the paths may name copies on another machine.
    """

    size: int
    changed: int | None

    @classmethod
    def of(cls, status: os.stat_result) -> Version:
        """The version of the file that has this status."""
        return cls(status.st_size, status.st_mtime_ns)

    def check(self, path: str, status: os.stat_result) -> None:
        """Raise DataError if the file that has this status now is another one."""
        expected, got = "", ""
        if status.st_size != self.size:
            expected, got = f"the file of {self.size:,} bytes that it was", "another size"
        elif self.changed is not None and abs(status.st_mtime_ns - self.changed) > _ROUNDED:
            expected, got = "the file that it was", "one that was written later"
        if expected:
            hint = "Make a new loader."
            raise DataError(sentence(path, expected, got, hint, parameter="paths"))

    def __reduce__(self) -> tuple[Any, ...]:
        return Version, (self.size, None)


class ArrayFile(NamedTuple):
    """One file.

    Attributes
    ----------
    path : str
    offset : int
        The byte at which the numbers begin.
    rows : int
        Length of the first axis.
    version : Version
    """

    path: str
    offset: int
    rows: int
    version: Version


class ArrayFiles:
    """An array (N, ...) in files that hold its rows one after another.

    Attributes
    ----------
    name : str
        The field, as messages call it.
    files : tuple of ArrayFile
    shape : tuple of int
        That of the whole array.
    dtype : dtype
        That of the arrays that are read; the files may have the other byte order.
    """

    def __init__(
        self, name: str, files: Sequence[ArrayFile], shape: tuple[int, ...], stored: np.dtype
    ) -> None:
        self.name = name
        self.files = tuple(files)
        self.shape = shape
        self.dtype = stored.newbyteorder("=")
        self._stored = stored
        self._starts = np.cumsum([0] + [file.rows for file in files])

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return self.shape[0] * self.row_bytes

    def place(self, row: int) -> tuple[str, int]:
        """The file that holds a row, and the number of the row there."""
        k = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self.files[k].path, row - int(self._starts[k])

    def _pieces(self, start: int, stop: int) -> list[tuple[ArrayFile, int, int]]:
        """The files of the rows from ``start`` to ``stop``: first byte and number of bytes."""
        found = []
        k = int(np.searchsorted(self._starts, start, side="right")) - 1
        while start < stop:
            file, first = self.files[k], int(self._starts[k])
            rows = min(stop, first + file.rows) - start
            found.append((file, file.offset + (start - first) * self.row_bytes, rows))
            start, k = start + rows, k + 1
        return [(file, at, rows * self.row_bytes) for file, at, rows in found]

    def read(self, blocks: Sequence[np.ndarray | range]) -> np.ndarray:
        """Read rows into a new array; each block is ascending, and read from its first to its last.

        Raises
        ------
        DataError
            If a file is gone, or is not the one that was opened.
        """
        wanted = sum(len(block) for block in blocks)
        found = np.empty((wanted, *self.shape[1:]), self._stored)
        done = 0
        for block in blocks:
            first, stop = int(block[0]), int(block[-1]) + 1
            here = found[done : done + len(block)]
            if stop - first == len(block):
                self._fill(here, first, stop)
            else:
                span = np.empty((stop - first, *self.shape[1:]), self._stored)
                self._fill(span, first, stop)
                np.take(span, np.asarray(block) - first, axis=0, out=here)
            done += len(block)
        return found.astype(self.dtype, copy=False)

    def _fill(self, out: np.ndarray, start: int, stop: int) -> None:
        target = out.reshape(-1).view(np.uint8).data
        for file, at, count in self._pieces(start, stop):
            part, target = target[:count], target[count:]
            try:
                with Path(file.path).open("rb", buffering=0) as stream:
                    file.version.check(file.path, os.fstat(stream.fileno()))
                    stream.seek(at)
                    while len(part):
                        got = stream.readinto(part)
                        if not got:  # it was cut meanwhile
                            file.version.check(file.path, os.fstat(stream.fileno()))
                            raise OSError("its end is missing")
                        part = part[got:]
            except OSError as error:
                raise unreadable(file.path, error) from None

    def ahead(self, blocks: Sequence[np.ndarray | range]) -> None:
        """Tell the system that these rows are read next, so that the disk works meanwhile."""
        if not hasattr(os, "posix_fadvise"):
            return
        for block in blocks:
            for file, at, count in self._pieces(int(block[0]), int(block[-1]) + 1):
                try:
                    number = os.open(file.path, os.O_RDONLY)
                except OSError:  # reading it says so
                    return
                try:
                    os.posix_fadvise(number, at, count, os.POSIX_FADV_WILLNEED)
                except OSError:  # a file system without it
                    return
                finally:
                    os.close(number)


def natural(name: str) -> list[Any]:
    """What names are sorted by: numbers in them count, so part-2 comes before part-10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]


def pattern_hint(path: str | os.PathLike[str]) -> str:
    """What to say where there is no file of this name, but it looks like a pattern."""
    if any(sign in Path(path).name for sign in "*?["):
        return "Patterns are not expanded; name the folder, or write glob.glob(...)."
    return ""


def unreadable(path: str, error: OSError) -> DataError:
    """The error for a file that the system does not give."""
    return DataError(sentence(path, "readable", f"{error.strerror or error}", parameter="paths"))


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder at ``path``.

    Raises
    ------
    DataError
        If the system cannot tell, for example because a name is too long.
    """
    try:
        return stat.S_ISDIR(Path(path).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unreadable(os.fspath(path), error) from None


def check_regular(path: str) -> None:
    """Refuse a pipe or a device: it would be waited for, and cannot be read again."""
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a folder says so
        raise DataError(sentence(path, "a file", "a pipe or a device", parameter="paths"))


def open_arrays(name: str, paths: Sequence[str]) -> ArrayFiles:
    """Read the headers of the files of a field; nothing else is read.

    Raises
    ------
    DataError
        If a file is missing, damaged, empty or no array of numbers.
    ShapeError
        If the files differ in their shapes.
    """
    found = [_open(path) for path in paths]
    shape, dtype = found[0][1], found[0][2]
    for file, own, kind in found:
        if own[1:] != shape[1:]:
            raise ShapeError(
                sentence(
                    name,
                    "the same shape after the first axis in every file",
                    f"{shape} in {paths[0]} and {own} in {file.path}",
                    must="have",
                )
            )
        if kind != dtype:
            raise DataError(
                sentence(
                    name,
                    "the same dtype in every file",
                    f"{dtype} in {paths[0]} and {kind} in {file.path}",
                    must="have",
                )
            )
    rows = sum(file.rows for file, _, _ in found)
    return ArrayFiles(name, [file for file, _, _ in found], (rows, *shape[1:]), dtype)


def _open(path: str) -> tuple[ArrayFile, tuple[int, ...], np.dtype]:
    """One file, the shape of its array and its dtype."""
    try:
        check_regular(path)
        with Path(path).open("rb") as stream:
            version = Version.of(os.fstat(stream.fileno()))
            shape, fortran, dtype = _header(path, stream)
            offset = stream.tell()
    except FileNotFoundError:
        got = "a name that no file has"
        way = pattern_hint(path)
        raise DataError(sentence(path, "a .npy file", got, way, parameter="paths")) from None
    except OSError as error:
        raise unreadable(path, error) from None
    if dtype.kind not in "biuf":
        what = "Python objects" if dtype.hasobject else f"an array of dtype {dtype}"
        hint = "Save an array of numbers." if dtype.hasobject else ""
        raise DataError(sentence(path, "numbers", what, hint, must="hold", parameter="paths"))
    if fortran and len(shape) > 1:
        hint = "Save np.ascontiguousarray(array)."
        raise DataError(
            sentence(
                path,
                "one row after another",
                "columns (Fortran order)",
                hint,
                must="hold",
                parameter="paths",
            )
        )
    if len(shape) == 0 or any(length < 1 for length in shape):
        expected = "at least one row of numbers"
        raise DataError(sentence(path, expected, f"shape {shape}", must="hold", parameter="paths"))
    wanted = prod(shape) * dtype.itemsize
    if offset + wanted > version.size:
        expected = f"a whole .npy file of {offset + wanted:,} bytes"
        raise DataError(sentence(path, expected, f"{version.size:,} bytes", parameter="paths"))
    return ArrayFile(path, offset, shape[0], version), shape, dtype


def _header(path: str, stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and dtype."""
    start = stream.read(8)
    if not start.startswith(_MAGIC):
        raise _no_array(path, start)
    reader = _READERS.get(tuple(start[6:]))
    if reader is None:  # version 3 is for names of fields that are not ASCII
        raise _damaged(path)
    try:
        return reader(stream)
    except Exception:  # it is read as Python, which has many ways to be wrong
        raise _damaged(path) from None


def _damaged(path: str) -> DataError:
    return DataError(
        sentence(path, "a whole .npy file", "one with a damaged header", parameter="paths")
    )


def _no_array(path: str, start: bytes) -> DataError:
    got, hint = "other content", "Write it with np.save."
    if start.startswith(b"PK"):
        got = "an archive (.npz)"
        hint = "Save each of its arrays once: np.save('x.npy', np.load(archive)['x'])."
    return DataError(sentence(path, "a .npy file", got, hint, parameter="paths"))
