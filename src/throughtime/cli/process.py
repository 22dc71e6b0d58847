"""One command in its process: the streams it writes to, the signals that end it, its exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from throughtime.cli.failures import FAILED, Terminated, exit_code_of, reason, say
from throughtime.messages.streams import Output

#: Signals that ask the process to end: from the system, and from a terminal that is closed.
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def run(words: Sequence[str]) -> int:
    """Run the command that ``words`` name, and return the exit code of the process.

    Results are complete whatever becomes of the streams. If standard output cannot be written to,
    the exit code is 1; a reader that has gone (``| head``) is no failure.
    """
    with _ending_signals(), _safe_streams() as out:
        code = exit_code_of(lambda: _call(words))
        out.flush()
        if isinstance(out.problem, OSError) and not isinstance(out.problem, BrokenPipeError):
            say(f"standard output cannot be written to: {reason(out.problem)}.")
            return code or FAILED
        return code


def _call(words: Sequence[str]) -> int:
    from throughtime.cli.app import build

    application = build()  # says so if Typer is not installed
    import typer

    try:
        # Without words, the help says which commands there are.
        arguments = list(words) or ["--help"]
        # Not main(), which has answers of its own to Ctrl-C and to broken pipes.
        with application.make_context("throughtime", arguments, obj=list(words)) as context:
            application.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return 0


@contextmanager
def _safe_streams() -> Iterator[Output]:
    """A context in which nothing that is printed raises; it gives standard output."""
    before = sys.stdout, sys.stderr
    out, err = Output(sys.stdout), Output(sys.stderr)
    streams: Any = (out, err)
    sys.stdout, sys.stderr = streams
    try:
        yield out
    finally:
        sys.stdout, sys.stderr = before
        for output in (out, err):
            output.flush()
            if output.problem is not None:
                _drop_what_is_left(output)


def _drop_what_is_left(output: Output) -> None:
    """Lead a broken stream nowhere, because Python sends on what it still holds at its end."""
    try:
        number = output.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except (OSError, ValueError):
        return
    os.dup2(nowhere, number)
    os.close(nowhere)


@contextmanager
def _ending_signals() -> Iterator[None]:
    """A context in which signals that end the process let it tidy up first.

    Python allows handlers in the main thread only. A signal that is ignored (``nohup``), or has a
    handler, stays as it is.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {n: signal.SIG_DFL for n in _ENDING if signal.getsignal(n) == signal.SIG_DFL}
    for number in before:
        signal.signal(number, _on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    # Should the process not get to its end, a second signal ends it at once.
    signal.signal(number, signal.SIG_DFL)
    raise Terminated(number)
