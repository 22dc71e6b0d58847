"""Files of contexts whose callers were killed: the next caller removes them.

The caller holds a lock on its file, which ends with the process, however that ends. Where there are
no such locks, as on Windows, nothing is removed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import time
from pathlib import Path

from throughtime.serialization import locks

PREFIX, SUFFIX = "throughtime-", ".context"
#: Seconds in which a new file may not have its lock yet.
_YOUNG = 60.0


def hold(handle: int) -> int | None:
    """Lock an open file; return what keeps the lock until it is closed, or None."""
    return os.dup(handle) if locks.take(handle) else None


@functools.cache
def remove_leftovers(folder: str) -> None:
    """Delete the files in ``folder`` that are this user's and whose callers have ended; once."""
    with contextlib.suppress(OSError):
        for path in Path(folder).glob(f"{PREFIX}*{SUFFIX}"):
            with contextlib.suppress(OSError):
                _remove(path)


def _remove(path: Path) -> None:
    status = path.lstat()
    young = time.time() - status.st_mtime < _YOUNG
    ours = stat.S_ISREG(status.st_mode) and locks.there_are_locks()
    if young or not ours or status.st_uid != os.getuid():
        return
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)  # over NFS, only who may write can lock
    try:
        if locks.take(handle):
            path.unlink()
    finally:
        os.close(handle)
