"""Locks of files that end with their process, however it ends.

So neither the number of a process, which another may have by then, nor the name of a machine says
whether who made a temporary file still lives.
"""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # a module that is not there


def there_are_locks() -> bool:
    """Whether this system has them."""
    return fcntl is not None


def take(handle: int) -> bool:
    """Lock an open file, until all copies of ``handle`` are closed; whether that went well.

    It does not if another process holds the lock, or the file system has none.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
