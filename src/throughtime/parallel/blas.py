"""The threads of NumPy's linear algebra (OpenBLAS), which NumPy itself cannot set.

Two processes on two cores with two such threads each took 25 times as long for products of
matrices of (200, 200) as with one each: the threads wait for each other without sleeping.
"""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

#: Beginnings and ends that builds of OpenBLAS give to their names.
_AFFIXES = [(a, z) for a in ("scipy_openblas", "openblas") for z in ("64_", "_64", "")]


class _Library(NamedTuple):
    get: Callable[[], int]
    set: Callable[[int], object]


def limit_threads(n: int) -> Callable[[], None]:
    """Let no library of this process have more than ``n`` threads; return what restores them."""
    changed = []
    for library in _libraries():
        before = library.get()
        if before > n:
            library.set(n)
            changed.append((library, before))

    def restore() -> None:
        for library, before in changed:
            library.set(before)

    return restore


@functools.cache
def _libraries() -> list[_Library]:
    """The copies of OpenBLAS in this process; others, such as MKL, look after themselves."""
    found = []
    for path in _paths():
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for begin, end in _AFFIXES:
            get = getattr(library, f"{begin}_get_num_threads{end}", None)
            set_ = getattr(library, f"{begin}_set_num_threads{end}", None)
            if get is not None and set_ is not None:
                found.append(_Library(get, set_))
                break
    return found


def _paths() -> list[str]:
    """The files of OpenBLAS that are loaded; where the system does not say, those beside NumPy."""
    try:
        maps = Path("/proc/self/maps").read_text("utf-8", "replace")
    except OSError:
        package = Path(np.__file__).parent
        folders = (package.parent / "numpy.libs", package / ".dylibs")
        return [str(path) for folder in folders for path in folder.glob("*openblas*")]
    return sorted({*re.findall(r" (/[^\n]*openblas[^/\n]*)$", maps, re.MULTILINE)})
