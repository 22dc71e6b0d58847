"""The file format of models and checkpoints: named arrays and one JSON object.

It is a safetensors file, which any safetensors reader opens. The entry ``"throughtime"`` of its
metadata is a JSON object::

    {"kind": "model", "version": 1, "meta": {...}, "sha256": "..."}

Nothing in it is executed: it is no pickle and holds no code. The checksum covers the kind, the
version, the JSON and every array with its name, dtype and shape. So a damaged file is refused, and
cannot give slightly different numbers. :mod:`throughtime.serialization.files` puts files in place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import operator
import os
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
    check_array,
    describe,
    sentence,
)
from throughtime.serialization.files import check_path, path_text, replace_file

ENTRY = "throughtime"
#: Longest header, in bytes: that of a forecaster with 20,000 series. A damaged length of a header
#: cannot ask for more memory.
MAX_HEADER = 1 << 24
#: Deepest nesting of lists and objects. Ours is below 10; whatever recurses over JSON has room.
MAX_DEPTH = 64
DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U8": "|u1", "BOOL": "|b1"}

Refuse = Callable[[str], NoReturn]

# Files that people pass by mistake, by their first bytes.
FOREIGN = {
    b"PK\x03\x04": "it is a zip archive, perhaps of NumPy, PyTorch or Keras",
    b"\x93NUMPY": "it is a NumPy .npy file",
    b"\x89HDF": "it is an HDF5 file, perhaps of Keras",
    b"\x1f\x8b": "it is a gzip file",
    b"\x80\x02": "it is a pickle, which could run code and is never opened",
    b"\x80\x03": "it is a pickle, which could run code and is never opened",
    b"\x80\x04": "it is a pickle, which could run code and is never opened",
    b"\x80\x05": "it is a pickle, which could run code and is never opened",
}


def write_container(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    meta: Mapping[str, Any],
    kind: str,
    version: int = 1,
) -> None:
    """Write ``arrays`` and ``meta`` to ``path``, replacing what is there in one step.

    Parameters
    ----------
    path : str or path-like
        Path of the file; its folder must exist.
    arrays : mapping of str to ndarray
        Finite arrays of dtype float32, float64, int64, uint8 or bool, of any shape.
    meta : mapping
        Whatever JSON can hold, without NaN and infinities.
    kind : str
        Kind of the file, which :func:`read_container` checks.
    version : int
        Version of the meaning of ``meta`` and ``arrays`` for this kind.

    Raises
    ------
    DataError
        If an array holds NaN or an infinity.
    InvalidTypeError
        If an array has another dtype, or ``meta`` holds what JSON cannot.
    InvalidArgumentError
        If the folder does not exist.
    OSError
        If the file cannot be written; an old file at ``path`` is then unchanged.
    """
    from safetensors.numpy import save

    plain = {name: _plain(name, array) for name, array in arrays.items()}
    try:
        meta_text = json.dumps(meta, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"meta must hold only what JSON can say; {error}.") from None
    body = {"kind": kind, "version": version, "meta": json.loads(meta_text)}
    entry = json.dumps(body | {"sha256": _checksum(body, plain)})
    # Only one metadata key: safetensors writes several in a random order.
    data = save(plain, metadata={ENTRY: entry})
    if int.from_bytes(data[:8], "little") > MAX_HEADER:
        raise InvalidArgumentError(
            sentence("meta", f"into {MAX_HEADER} bytes of JSON", f"{len(entry)} bytes", must="fit")
        )
    replace_file(path, data)


def read_container(
    path: str | os.PathLike[str], kind: str, version: int = 1
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file that :func:`write_container` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.
    kind : str
        Kind that the file must have.
    version : int
        Newest version that the caller can read.

    Returns
    -------
    arrays : dict of str to ndarray
        Writable arrays, every number finite.
    meta : dict
        The JSON object.

    Raises
    ------
    ModelFileError
        If the file is missing, cut short, damaged, foreign, of another kind or of a newer version.
    """
    import safetensors

    name = check_path(path)
    refuse = _refusal(name, kind)
    with _opened(name, refuse) as file:
        body = _read_entry(_read_header(file, refuse), refuse)
        _check_entry(body, kind, version, refuse)
        file.seek(0)
        try:
            found = safetensors.deserialize(file.read())
        except safetensors.SafetensorError:
            refuse("it is cut short or damaged")
        except MemoryError:
            refuse("it does not fit into memory")
    arrays = {}
    # safetensors returns a random order, and messages must not depend on it.
    for name, entry in sorted(found, key=operator.itemgetter(0)):
        if entry["dtype"] not in DTYPES:
            refuse(f"array {name!r} has the dtype {entry['dtype']}")
        array = np.frombuffer(entry["data"], dtype=DTYPES[entry["dtype"]])
        try:
            array = array.reshape(entry["shape"])
        except (ValueError, OverflowError):  # too many axes, or sizes whose product overflows
            refuse(f"array {name!r} has a shape that no array can have")
        arrays[name] = array.astype(array.dtype.newbyteorder("="))
    sha256 = body.pop("sha256")
    if sha256 != _checksum(body, arrays):
        refuse("its checksum does not fit its contents, so it is damaged")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            refuse(f"array {name!r} holds NaN or an infinity")
    return arrays, body["meta"]


def identify(path: str | os.PathLike[str]) -> tuple[str, int]:
    """Kind and version of a file that :func:`write_container` wrote, from its header alone.

    Raises
    ------
    ModelFileError
        If the file is missing, cut short or foreign.
    """
    name = check_path(path)
    refuse = _refusal(name, "model")
    with _opened(name, refuse) as file:
        body = _read_entry(_read_header(file, refuse), refuse)
    return body["kind"], body["version"]


def _plain(name: str, array: np.ndarray) -> np.ndarray:
    """Return ``array`` contiguous and little-endian, if a file can hold its dtype."""
    checked = check_array(name, array)
    little = checked.dtype.newbyteorder("<")
    if little.str not in DTYPES.values():
        raise InvalidTypeError(
            sentence(name, "of dtype float32, float64, int64, uint8 or bool", describe(checked))
        )
    return np.array(checked, dtype=little, order="C")


def _checksum(body: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode())
    for name in sorted(arrays):
        little = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), order="C", copy=False)
        digest.update(json.dumps([name, little.dtype.str, little.shape]).encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def _refusal(path: str, kind: str) -> Refuse:
    def refuse(why: str) -> NoReturn:
        raise ModelFileError(f"{path_text(path)} is not a usable {kind} file: {why}.")

    return refuse


@contextlib.contextmanager
def _opened(path: str, refuse: Refuse) -> Iterator[BinaryIO]:
    try:
        # Checked before the file is opened, because opening a pipe waits for a writer.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            refuse("it is not a regular file")
        with Path(path).open("rb") as file:
            yield file
    except OSError as error:
        why = error.strerror or error
        raise ModelFileError(f"{path_text(path)} cannot be read: {why}.") from None


def _read_header(file: BinaryIO, refuse: Refuse) -> Any:
    """Read the JSON header; no length that the file claims is trusted."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    if not start:
        refuse("it is empty")
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
    if length > min(size - 8, MAX_HEADER):
        # Not earlier: a header of ours whose length is 0x0480 begins with the bytes of a pickle.
        for magic, what in FOREIGN.items():
            if start.startswith(magic):
                refuse(what)
        refuse("it is cut short" if len(start) < 8 else "it is cut short or of another format")
    return _strict_json(file.read(length), refuse)


def _read_entry(header: Any, refuse: Refuse) -> dict[str, Any]:
    """Return our entry of the header, with every key checked."""
    strings = header.get("__metadata__") if isinstance(header, dict) else None
    text = strings.get(ENTRY) if isinstance(strings, dict) else None
    if not isinstance(text, str):
        refuse("it was not written by throughtime")
    body = _strict_json(text, refuse)
    types = {"kind": str, "version": int, "meta": dict, "sha256": str}
    if not isinstance(body, dict) or body.keys() != types.keys():
        refuse("its description is damaged")
    for key, wanted in types.items():
        if type(body[key]) is not wanted:
            refuse(f"its {key} is damaged")
    return body


def _check_entry(body: dict[str, Any], kind: str, version: int, refuse: Refuse) -> None:
    if body["kind"] != kind:
        refuse(f"it is a {body['kind'][:40]!r} file")
    if not 1 <= body["version"] <= version:
        refuse(
            f"it has version {describe(body['version'])} and this release reads up to {version};"
            " a newer throughtime wrote it: pip install --upgrade throughtime"
        )


def _strict_json(text: str | bytes, refuse: Refuse) -> Any:
    """Parse JSON with finite numbers, no repeated key, no lone surrogate, and little nesting."""

    def no_constant(name: str) -> NoReturn:
        raise ValueError(name)

    def finite(number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            raise ValueError(number)
        return value

    def no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key appears twice")
        return dict(pairs)

    try:
        value = json.loads(
            text, parse_float=finite, parse_constant=no_constant, object_pairs_hook=no_repeats
        )
        _check_depth(value)
        json.dumps(value, ensure_ascii=False).encode()  # fails on a surrogate without its partner
    except (ValueError, RecursionError):
        refuse("its header is damaged or of another format")
    return value


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        inner = [item.values() if isinstance(item, dict) else item for item in level]
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise ValueError("nested too deeply")
