"""Files of contexts whose callers were killed: the next caller removes them.

The caller holds a lock on its file, which ends with the process, however that ends. So neither the
number of a process, which another may have by then, nor the name of a machine matters. Where there
are no such locks, as on Windows, nothing is removed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import time
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

PREFIX, SUFFIX = "throughtime-", ".context"
#: Seconds in which a new file may not have its lock yet.
_YOUNG = 60.0


def hold(handle: int) -> int | None:
    """Lock an open file; return what keeps the lock until it is closed, or None."""
    if fcntl is None:
        return None
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.dup(handle)
    return None


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
    if fcntl is None or young or not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
        return
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)  # over NFS, only who may write can lock
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(handle)
