"""The command line: ``throughtime forecast``, ``predict`` and ``info``.

One file a command, no mathematics. Exit codes: 0 done; 1 the work failed though the input was fine
(training diverged, the disk is full); 2 the input cannot be used, or an extra is missing; 130
stopped by Ctrl-C. Whatever goes wrong is one line on standard error.
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
        What stands behind ``throughtime``; by default what the process was started with.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _calm_down_blas()
    try:
        return _run(words)
    except KeyboardInterrupt:
        # Before or after whoever knows better: while modules are still being loaded.
        sys.stderr.write("throughtime: Stopped by Ctrl-C; nothing was written.\n")
        return 130


def _run(words: list[str]) -> int:
    """Run the command that ``words`` name."""
    from throughtime.cli.failures import INTERRUPTED, exit_code_of

    def run() -> int:
        from throughtime.cli.app import build

        # Asked for nothing, it says what there is to ask for.
        result = build()(
            words or ["--help"], prog_name="throughtime", standalone_mode=False, obj=words
        )
        # Typer turns Ctrl-C into an exit code without a word.
        if result == INTERRUPTED:
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0

    return exit_code_of(run, words)


def _calm_down_blas() -> None:
    """Let NumPy multiply on one thread, unless the user has said how many.

    The matrices of one time step are small: more threads wait for each other longer than they
    work, and on a busy machine a forecast takes three times as long. NumPy looks here once, when
    it loads.
    """
    said = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    if "numpy" not in sys.modules and not any(name in os.environ for name in said):
        os.environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
