"""Workers that outlive the process that started them end by themselves.

A process of a pool of Python waits for its next task, for ever if the caller was killed.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Seconds after which to look again whether the caller lives.
LOOK = 0.5
_watching = 0  # the process that watches: a fork of it has no thread


def end_with_parent(before: Callable[[], object]) -> None:
    """Let this process end as soon as the one that started it has; ``before`` is called then."""
    global _watching
    parent = multiprocessing.parent_process()
    if parent is None or _watching == os.getpid():
        return
    _watching = os.getpid()
    threading.Thread(
        target=_watch, args=(parent, before), name="throughtime parent", daemon=True
    ).start()


def _watch(parent: Any, before: Callable[[], object]) -> None:
    try:
        parent.join()
    except ValueError:  # loky knows no pipe to wait for; the number is enough
        if os.name == "nt":
            return
    while _lives(parent.pid):  # it may close the pipe that join waits for before its end
        time.sleep(LOOK)
    try:
        before()
    finally:
        os._exit(1)


def _lives(number: int) -> bool:
    if os.name == "nt":  # join has waited for the process itself
        return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # one that has ended may stay in the table for ever, in a container without an init
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state != "Z"
