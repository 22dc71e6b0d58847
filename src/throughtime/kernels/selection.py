"""Which engine is in use, how many threads it has, and the way to the compiled kernels.

The extension module loads when it is first needed, so that importing the package takes no time.
Code that has a kernel asks for it in each call::

    k = selection.kernels()
    if k is not None and <what it can do>:
        return k.f(...)
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, cast

from throughtime.errors import InvalidArgumentError, check_choice, check_int, describe, sentence
from throughtime.kernels.extension import Kernels

#: All engines, the fastest first; :func:`available` returns those of this installation.
ENGINES = ("native", "reference")

#: More than the cores of any machine that we know; more threads would only exhaust memory.
MAX_THREADS = 1024


class _Extension(NamedTuple):
    """The extension module, or why there is none."""

    module: Kernels | None
    problem: str


_extension: _Extension | None = None  # not looked for yet
_current: str | None = None  # not chosen yet
_kernels: Kernels | None = None


def available() -> tuple[str, ...]:
    """Names of the engines in this installation, the fastest first."""
    return ENGINES if extension() is not None else ENGINES[1:]


def extension() -> Kernels | None:
    """The extension module, whichever engine is in use; None if there is none."""
    return _load().module


def problem() -> str:
    """Why there is no extension module; empty if there is one."""
    return _load().problem


def current() -> str:
    """Name of the engine in use."""
    return _current if _current is not None else _start()


def use(name: str) -> None:
    """Use the engine ``name`` from now on.

    Raises
    ------
    InvalidArgumentError
        If this installation has no engine of that name.
    """
    _use(_checked("engine", name))


def kernels() -> Kernels | None:
    """The extension module while the native engine is in use, otherwise None."""
    if _current is None:
        _start()
    return _kernels


def set_num_threads(n: int | None) -> None:
    """Choose how many threads the native engine uses; the results are the same for any number.

    The default is that of OpenMP, which ``OMP_NUM_THREADS`` and threadpoolctl can set; without
    OpenMP, the number of cores. The reference engine ignores it: NumPy has its own threads.

    Parameters
    ----------
    n : int or None
        The number, at least 1; None restores the default.

    Raises
    ------
    InvalidArgumentError
        If ``n`` is not from 1 to 1024.

    Examples
    --------
    >>> import throughtime as tt
    >>> tt.set_num_threads(1)
    >>> tt.get_num_threads()
    1
    >>> tt.set_num_threads(None)
    """
    hint = "None leaves it to OpenMP."
    number = 0 if n is None else check_int("n", n, 1, MAX_THREADS, hint)
    module = extension()
    if module is not None:
        module.set_num_threads(number)


def get_num_threads() -> int:
    """How many threads the native engine uses; 1 without the engine, or in a forked process.

    Examples
    --------
    >>> import throughtime as tt
    >>> tt.get_num_threads() >= 1
    True
    """
    module = extension()
    return 1 if module is None else module.get_num_threads()


def _start() -> str:
    wanted = os.environ.get("THROUGHTIME_ENGINE")
    name = available()[0] if not wanted else _checked("THROUGHTIME_ENGINE", wanted)
    _use(name)
    return name


def _use(name: str) -> None:
    global _current, _kernels
    _kernels = extension() if name == "native" else None
    _current = name


def _checked(argument: str, name: str) -> str:
    if name == "native" and problem():
        expected = " or ".join(map(repr, available()))
        hint = f"There is no native engine here: {problem()}."
        raise InvalidArgumentError(sentence(argument, expected, describe(name), hint))
    return check_choice(argument, name, available())


@contextmanager
def _short_spin_time() -> Iterator[None]:
    """Make the threads of GCC's OpenMP sleep soon, if the library loads within the block.

    By default they spin for milliseconds before they sleep. If another program needs the core,
    that uses up the thread's share of it, and each call waits for its turn. The library reads the
    variable once, when it loads. What the user has set stays.
    """
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = "10000"
    try:
        yield
    finally:
        del os.environ["GOMP_SPINCOUNT"]


def _load() -> _Extension:
    global _extension
    if _extension is None:
        try:
            with _short_spin_time():
                module = cast(Kernels, importlib.import_module("throughtime._native"))
        except ImportError as error:
            _extension = _Extension(None, str(error))
        else:
            level = os.environ.get("THROUGHTIME_LEVEL")
            if level:
                module.use_level(check_choice("THROUGHTIME_LEVEL", level, module.levels()))
            _extension = _Extension(module, "")
    return _extension
