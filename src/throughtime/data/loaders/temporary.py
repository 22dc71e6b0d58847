"""Temporary folders that do not outlive their process by much, even where it is killed.

A folder has a file that its process keeps locked; the system frees the lock when the process ends,
however it ends. Whoever makes a new folder removes those that are locked no more. On Windows, which
has no such locks, folders of killed processes remain.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from pathlib import Path
from typing import IO

from throughtime.serialization import locks

__all__ = ["make_folder", "remove_folder"]

_LOCK = "lock"


def make_folder() -> tuple[Path, IO[bytes] | None]:
    """Make a folder, and remove those of dead processes.

    Returns
    -------
    folder : Path
    lock : file or None
        It must stay open for as long as the folder is used.

    Raises
    ------
    OSError
        If there is no place for temporary files.
    """
    # Other machines may have the same place for temporary files, and need not see our locks.
    prefix = f"throughtime-{re.sub('[^A-Za-z0-9.]', '-', platform.node())}-"
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    if not locks.there_are_locks():
        return folder, None
    _remove_abandoned(folder.parent, prefix)
    new = folder / "new"
    lock = new.open("wb")
    if not locks.take(lock.fileno()):
        lock.close()
        return folder, None
    new.rename(folder / _LOCK)  # so that nobody sees it without its lock
    return folder, lock


def remove_folder(folder: Path, lock: IO[bytes] | None, process: int) -> None:
    """Remove what :func:`make_folder` made in this process."""
    if os.getpid() == process:  # and not a copy of it by fork
        shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        lock.close()


def _remove_abandoned(place: Path, prefix: str) -> None:
    for folder in place.glob(f"{prefix}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("rb") as lock:
                if locks.take(lock.fileno()):
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # it has no lock, or was removed by another process
            continue
