"""The command line: ``throughtime forecast``, ``predict``, ``info`` and ``demo``.

One file a command, no mathematics. Exit codes: 0 done; 1 the work failed though the input was fine
(training diverged, the disk is full); 2 the input cannot be used, or an extra is missing; 3 the
forecast is no better than a simpler one, where ``--fail-if-worse`` asks; 130 stopped by Ctrl-C; 143
stopped by SIGTERM. Whatever goes wrong is one line on standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``throughtime``; by default those that the process was started with.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed_descriptors()
    _limit_blas_threads()
    try:
        from throughtime.cli.process import run

        return run(words)
    except KeyboardInterrupt:
        # While modules are still being loaded; later on, run knows what there is to say.
        if sys.stderr is not None:
            sys.stderr.write("throughtime: Stopped by Ctrl-C; nothing was written.\n")
        return 130


def _open_closed_descriptors() -> None:
    """Let standard streams that were closed (``2>&-``) lead nowhere.

    The next file that is opened would get the number of a closed one, and what C code writes to
    standard error would land in that file.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _limit_blas_threads() -> None:
    """Let NumPy multiply on one thread, unless the user has said how many.

    The matrices of one time step are so small that more threads wait for each other longer than
    they work, and on a busy machine a forecast takes three times as long. NumPy reads the variables
    once, when it is loaded.
    """
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    if "numpy" not in sys.modules and not any(name in os.environ for name in limits):
        os.environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
