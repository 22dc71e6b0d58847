"""Putting a file in place: a reader of the path finds the old file or the new one, complete.

The new contents are written beside the file and renamed over it. On Linux they have no name until
they are complete, so a process that is killed while it writes leaves nothing behind. Elsewhere, and
on file systems without nameless files, it leaves a hidden ``.throughtime-*.tmp``. That is not
cleared away later, because the process that writes it may be alive, on another machine.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Any

from throughtime.errors import InvalidArgumentError, InvalidTypeError, describe, sentence

#: Where Linux shows open files by number: a nameless file gets its name there.
_OPEN_FILES = Path("/proc/self/fd")
#: What kernels and file systems without nameless files answer.
_NO_NAMELESS_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.ENOSYS}


def check_path(path: Any) -> str:
    """Return ``path`` as a string, if it is one that a file can have."""
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise InvalidTypeError(sentence("path", "a string or a path", describe(path)))
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        expected = "a path without null characters and lone surrogates"
        raise InvalidArgumentError(sentence("path", expected, describe(text)))
    return text


def path_text(path: str) -> str:
    """``path`` as a message of one line shows it: quoted if it holds what does not print."""
    return path if path and path.isprintable() else repr(path)


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Put ``data`` at ``path`` in one step: a reader, or a crash, finds the old file or the new.

    A link is followed, and stays a link. A file that is replaced keeps its owner and permissions; a
    new one has those that the umask gives. A pipe or a character device, such as ``/dev/null``, is
    written to.

    Raises
    ------
    InvalidTypeError, InvalidArgumentError
        If ``path`` is no path, its folder does not exist, or it is a folder, a disk or a socket.
    OSError
        If the file cannot be written; an old file at ``path`` is then unchanged.
    """
    name = check_path(path)
    try:
        old = _status(name)
        if old is None or stat.S_ISREG(old.st_mode):
            _replace(Path(os.path.realpath(name)), name, data, old)
        else:
            _write_to_device(name, old.st_mode, data)
    except OSError as error:
        # The message names the file that the caller knows, not a temporary one.
        raise OSError(error.errno, error.strerror or str(error), name) from None


def _status(name: str) -> os.stat_result | None:
    """Kind, owner and permissions of the file at ``name``, links followed; None without a file."""
    try:
        return Path(name).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _write_to_device(name: str, mode: int, data: bytes) -> None:
    if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        kinds = {stat.S_IFDIR: "folder", stat.S_IFSOCK: "socket", stat.S_IFBLK: "disk"}
        kind = kinds.get(stat.S_IFMT(mode), "special file")
        raise InvalidArgumentError(sentence("path", "a file", f"the {kind} {name!r}"))
    with Path(name).open("wb", buffering=0) as file:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]


def _replace(target: Path, name: str, data: bytes, old: os.stat_result | None) -> None:
    folder = target.parent
    if not folder.is_dir():
        hint = "Make it first."
        raise InvalidArgumentError(sentence("path", "in a folder that exists", repr(name), hint))
    # In the same folder, because a rename is atomic only inside one file system.
    temporary = folder / f".throughtime-{secrets.token_hex(4)}.tmp"
    try:
        if not _write_nameless(temporary, data, old):
            _write_named(temporary, data, old)
        temporary.replace(target)
        _sync_folder(folder)
    finally:
        temporary.unlink(missing_ok=True)


def _write_nameless(path: Path, data: bytes, old: os.stat_result | None) -> bool:
    """Write a file that gets its name, ``path``, when it is complete; return whether it could."""
    if not (hasattr(os, "O_TMPFILE") and _OPEN_FILES.is_dir()):
        return False
    try:
        handle = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, _first_mode(old))
    except OSError as error:
        if error.errno in _NO_NAMELESS_FILES:
            return False
        raise
    try:
        _fill(handle, data, old)
        try:
            # With a folder, although it is not used, Python follows the link to the open file.
            os.link(_OPEN_FILES / str(handle), path, src_dir_fd=handle)
        except OSError:
            return False
    finally:
        os.close(handle)
    return True


def _write_named(path: Path, data: bytes, old: os.stat_result | None) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, _first_mode(old))
    try:
        _fill(handle, data, old)
    finally:
        os.close(handle)


def _first_mode(old: os.stat_result | None) -> int:
    """First permissions: until the owner is set, only the writer may read a replacement."""
    return 0o666 if old is None else 0o600


def _fill(handle: int, data: bytes, old: os.stat_result | None) -> None:
    """Write ``data`` to the disk, with the owner and the permissions of the old file."""
    with os.fdopen(handle, "wb", closefd=False) as file:
        file.write(data)
    if old is not None and hasattr(os, "fchmod"):
        with contextlib.suppress(PermissionError):  # only an administrator gives files away
            os.fchown(handle, old.st_uid, old.st_gid)
        os.fchmod(handle, stat.S_IMODE(old.st_mode))
    os.fsync(handle)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, if the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
