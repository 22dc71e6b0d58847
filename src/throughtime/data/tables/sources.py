"""A path to bytes: files and standard input, unpacked where they are compressed, up to a limit."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from pathlib import Path
from typing import IO, Any, NamedTuple

from throughtime.errors import DataError, import_extra, sentence

__all__ = ["MAX_UNPACKED", "STDIN", "Source", "not_a_table", "read_bytes"]

#: Bytes that a compressed table may unpack to: one of some million rows, and no bomb.
MAX_UNPACKED = 1 << 30
_CHUNK = 1 << 20
#: The path that means standard input.
STDIN = "-"
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
}


class Source(NamedTuple):
    """What stands in a file.

    Attributes
    ----------
    name : str
        The file, as messages call it.
    data : bytes
        Unpacked.
    suffix : str
        The end of the file's name that says what it is, in small letters: ``".csv"``.
    """

    name: str
    data: bytes
    suffix: str


def read_bytes(path: Path) -> Source:
    """Read a file, or standard input where ``path`` is ``-``; gzip, bzip2, xz and zstandard too.

    Raises
    ------
    DataError
        There is no such file, it cannot be read, or it unpacks to too much.
    """
    if str(path) == STDIN:
        name, data = "standard input", _read_stdin()
        suffixes: list[str] = []
    else:
        name, data = str(path), _read_file(path)
        suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = next((kind for start, kind in _PACKED.items() if data.startswith(start)), None)
    if packed is not None:
        data = _unpack(name, data, packed)
        suffixes = [s for s in suffixes if s not in (".gz", ".bz2", ".xz", ".zst", ".zstd")]
    return Source(name, data, suffixes[-1] if suffixes else "")


def _read_stdin() -> bytes:
    stream = sys.stdin
    if stream is None:
        raise DataError("standard input must hold a table; it is closed.")
    if stream.isatty():
        raise DataError("standard input must hold a table; it is a terminal. Name a file.")
    return stream.buffer.read()


def not_a_table(name: str, what: str) -> DataError:
    """The error for a file of another kind."""
    return DataError(
        f"{name} must be a table (CSV, Parquet, Arrow, JSON lines, .xlsx or .ods); it is {what}."
    )


def _read_file(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise DataError(sentence(f"{path}", "a file", "a folder", parameter="path"))
        return path.read_bytes()
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path} must be a file; there is none of this name.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        shown = str(path) if str(path).isprintable() else repr(str(path))
        raise DataError(f"{shown} must be readable; got: {reason}.") from None


def _unpack(name: str, data: bytes, packed: str) -> bytes:
    openers: dict[str, Any] = {"gzip": gzip.GzipFile, "bzip2": bz2.BZ2File, "xz": lzma.LZMAFile}
    damaged: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, lzma.LZMAError)
    if packed == "zstandard":
        pyarrow = import_extra("pyarrow", "cli", "Unpacking a zstandard file")
        damaged += (pyarrow.ArrowException,)
        stream: IO[bytes] = pyarrow.CompressedInputStream(io.BytesIO(data), "zstd")
    elif packed == "gzip":
        stream = openers[packed](fileobj=io.BytesIO(data))
    else:
        stream = openers[packed](io.BytesIO(data))
    parts, total = [], 0
    try:
        while part := stream.read(_CHUNK):
            total += len(part)
            if total > MAX_UNPACKED:
                raise DataError(
                    f"{name} must unpack to at most {MAX_UNPACKED >> 20} MiB; got more. Unpack it"
                    " yourself if it is what you expect."
                )
            parts.append(part)
    except damaged as error:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise DataError(f"{name} must be a whole {packed} file; got: {reason}.") from None
    return b"".join(parts)
