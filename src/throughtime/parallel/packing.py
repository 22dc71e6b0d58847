"""A context as a file, whose large arrays workers on the same machine map into memory.

The file holds a pickle and, after it, the buffers of its arrays, each aligned. A worker maps it
copy-on-write: the workers share the pages of arrays that none of them writes into, and what one
writes the others do not see. An ``np.memmap`` is not copied into the file: it is opened again.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import io
import mmap
import os
import pickle
import secrets
import struct
import tempfile
import weakref
from collections import ChainMap
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from throughtime.parallel.leftovers import PREFIX, SUFFIX, hold, remove_leftovers

_MAGIC = b"throughtime context 1\n"
_KEY = 32
_LENGTHS = struct.Struct("<QQ")
#: Buffers begin at multiples of it, so that their arrays are aligned for the native engine.
_ALIGNMENT = 64
#: Bytes below which an array stays in the pickle.
_SMALL = 4096


class NotHere(Exception):  # noqa: N818  # no error: an answer
    """A file that the context needs is not on this machine; ``what`` is "context" or "map"."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Parcel:
    """A context that is packed once, for all workers.

    Parameters
    ----------
    context : object
    module : module, optional
        The cloudpickle that pickles it; by default pickle does.

    Attributes
    ----------
    key : str
        Random; the name of this context among all.
    path : str or None
        The file, or None if it could not be written.
    """

    def __init__(self, context: Any, module: ModuleType | None = None) -> None:
        self.key = secrets.token_hex(_KEY // 2)
        self.path: str | None = None
        self._context = context
        self._module = module
        self._whole: dict[bool, bytes] = {}
        pieces = _pieces(self.key, context, module, maps=True)
        handle, path = -1, ""
        try:
            remove_leftovers(tempfile.gettempdir())
            handle, path = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX)
            self._delete = weakref.finalize(self, _unlink, path, os.getpid(), hold(handle))
            with os.fdopen(handle, "wb") as file:
                for piece in pieces:
                    file.write(piece)
        except OSError:  # no room: the bytes then travel themselves
            self.close()
        else:
            self.path = path

    def data(self, *, maps: bool) -> bytes:
        """The bytes of the file; without ``maps``, memory-mapped arrays are in them."""
        if maps not in self._whole:
            found = None
            if maps and self.path is not None:
                with contextlib.suppress(OSError):  # some systems delete old temporary files
                    found = Path(self.path).read_bytes()
            if found is None:
                found = b"".join(_pieces(self.key, self._context, self._module, maps=maps))
            self._whole[maps] = found
        return self._whole[maps]

    def free(self) -> None:
        """Forget the bytes, which can be made again."""
        self._whole.clear()

    def close(self) -> None:
        """Delete the file."""
        self.free()
        if hasattr(self, "_delete"):
            self._delete()
        self.path = None


def _unlink(path: str, process: int, lock: int | None) -> None:
    if os.getpid() == process:  # not in a fork of it
        with contextlib.suppress(OSError):  # Windows, while a worker has it mapped
            Path(path).unlink(missing_ok=True)
    if lock is not None:
        with contextlib.suppress(OSError):
            os.close(lock)


def read(path: str, key: str) -> Any:
    """The context in the file at ``path``, its large arrays mapped into memory.

    Raises
    ------
    NotHere
        If there is no such file here, or it is another one.
    """
    try:
        with Path(path).open("rb") as file:
            if file.read(len(_MAGIC) + _KEY) != _MAGIC + key.encode():
                raise NotHere("context")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError):
        raise NotHere("context") from None
    return _unpack(memoryview(mapped))


def unpack(data: bytes) -> Any:
    """The context in :meth:`Parcel.data`."""
    return _unpack(memoryview(bytearray(data)))


def dumps(value: Any, module: ModuleType | None = None, *, maps: bool = False) -> bytes:
    """``value`` as a pickle; with ``maps``, memory-mapped arrays are described, not copied."""
    stream = io.BytesIO()
    _pickler(module, maps)(stream, protocol=5).dump(value)
    return stream.getvalue()


def _pieces(
    key: str, context: Any, module: ModuleType | None, *, maps: bool
) -> list[bytes | memoryview]:
    """The parts of the file, in order."""
    buffers: list[memoryview] = []

    def aside(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < _SMALL:
            return True
        buffers.append(view)
        return False

    stream = io.BytesIO()
    _pickler(module, maps)(stream, protocol=5, buffer_callback=aside).dump(context)
    pickled = stream.getvalue()
    first = len(_MAGIC) + _KEY + _LENGTHS.size
    # Places are relative to the first buffer, so that the index does not depend on its own length.
    index, place = [], 0
    for view in buffers:
        index.append((place, view.nbytes, view.readonly))
        place = _aligned(place + view.nbytes)
    table = pickle.dumps(index)
    start = first + len(table) + len(pickled)
    head = _MAGIC + key.encode() + _LENGTHS.pack(len(table), len(pickled))
    pieces: list[bytes | memoryview] = [head, table, pickled, bytes(_aligned(start) - start)]
    for view in buffers:
        pieces += [view, bytes(_aligned(view.nbytes) - view.nbytes)]
    return pieces


def _unpack(data: memoryview) -> Any:
    first = len(_MAGIC) + _KEY + _LENGTHS.size
    table, pickled = _LENGTHS.unpack(data[first - _LENGTHS.size : first])
    index = pickle.loads(data[first : first + table])
    stop = first + table + pickled
    begin = _aligned(stop)
    buffers = []
    for place, size, readonly in index:
        view = data[begin + place : begin + place + size]
        buffers.append(view.toreadonly() if readonly else view)
    return pickle.loads(data[first + table : stop], buffers=buffers)


def _aligned(place: int) -> int:
    return -(-place // _ALIGNMENT) * _ALIGNMENT


@functools.cache
def _pickler(module: ModuleType | None, maps: bool) -> Any:
    """The class of picklers; with ``maps``, memory-mapped arrays are described, not copied."""
    base: Any = pickle.Pickler if module is None else module.Pickler
    known = copyreg.dispatch_table if module is None else base.dispatch_table
    ours: Any = {np.ndarray: _reduce_array, np.memmap: _reduce_array} if maps else {}
    return type("Pickler", (base,), {"dispatch_table": ChainMap(ours, known)})


def _reduce_array(array: np.ndarray) -> Any:
    place = _place_of(array)
    return array.__reduce_ex__(5) if place is None else (_open_map, place)


def _place_of(array: np.ndarray) -> tuple[Any, ...] | None:
    """Where in which file ``array`` stands; None if it is not memory-mapped from one."""
    if array.nbytes < _SMALL or array.dtype.hasobject:
        return None
    owner: Any = array
    while isinstance(owner, np.ndarray) and getattr(owner, "_mmap", None) is None:
        owner = owner.base
    if not isinstance(owner, np.memmap) or owner.filename is None or owner.mode == "c":
        return None  # what was written into a private copy is not in the file
    # NumPy has no public name for the map below an array.
    mapping: mmap.mmap = owner._mmap  # type: ignore[attr-defined]
    try:
        if owner.mode != "r":
            mapping.flush()
        status = Path(owner.filename).stat()
    except OSError:  # deleted since
        return None
    low, high = np.lib.array_utils.byte_bounds(array)
    # NumPy maps from the page in which the array begins.
    shift = owner.offset - owner.offset % mmap.ALLOCATIONGRANULARITY
    shift -= np.frombuffer(mapping, np.uint8).ctypes.data
    first = array.ctypes.data - low
    return (
        (os.fspath(owner.filename), status.st_size, status.st_mtime_ns),
        (low + shift, high - low, first),
        (array.dtype, array.shape, array.strides),
        isinstance(array, np.memmap),
    )


def _open_map(
    file: tuple[str, int, int],
    place: tuple[int, int, int],
    form: tuple[np.dtype, tuple[int, ...], tuple[int, ...]],
    keep_class: bool,
) -> np.ndarray:
    """The array that :func:`_place_of` describes, read-only."""
    name, size, changed = file
    offset, length, first = place
    dtype, shape, strides = form
    try:
        status = Path(name).stat()
        if (status.st_size, status.st_mtime_ns) != (size, changed):
            raise NotHere("map")
        mapped = np.memmap(name, np.uint8, "r", offset, (length,))
    except OSError:
        raise NotHere("map") from None
    one = mapped[first : first + dtype.itemsize].view(dtype)
    array = np.lib.stride_tricks.as_strided(one, shape, strides, subok=True, writeable=False)
    return array if keep_class else np.asarray(array)
