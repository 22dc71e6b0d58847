"""Standard output and standard error for lines that people read, whatever has become of them.

A program may have no such stream (``2>&-``, a service, a window without a console), one that lacks
methods (a notebook, a redirection), one whose reader has gone (``| head``) or whose disk is full.
No work may be lost because a line cannot be shown.
"""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO, cast

__all__ = ["Output", "standard_error", "standard_output"]


class Output(io.TextIOBase):
    """A text stream that passes on what is written as long as that is possible, and never raises.

    Parameters
    ----------
    stream : text stream or None
        Where the lines go; None is nowhere.

    Attributes
    ----------
    problem : Exception or None
        Why the stream takes nothing any more.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.problem: Exception | None = None

    def writable(self) -> bool:
        """Whether there was a stream; it may have stopped working since."""
        return self.stream is not None

    def isatty(self) -> bool:
        """Whether the stream is a terminal; False if it does not say."""
        try:
            return bool(self.stream.isatty())
        except (AttributeError, OSError, ValueError):
            return False

    def fileno(self) -> int:
        """The descriptor of the stream, or OSError as for any stream without one."""
        if not hasattr(self.stream, "fileno"):
            raise io.UnsupportedOperation("fileno")
        return int(self.stream.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute in TextIOBase
        """The encoding of the stream, UTF-8 if it does not say."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write ``text``; characters that the encoding lacks become question marks."""
        if self.stream is None or self.problem is not None:
            return len(text)
        try:
            try:
                self.stream.write(text)
            except UnicodeEncodeError:
                self.stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self.problem = error
        return len(text)

    def flush(self) -> None:
        """Send on what is still held back."""
        if self.problem is None and hasattr(self.stream, "flush"):
            try:
                self.stream.flush()
            except (OSError, ValueError) as error:
                self.problem = error


def standard_output() -> TextIO:
    """Where results for people go."""
    return cast(TextIO, Output(sys.stdout))


def standard_error() -> TextIO:
    """Where progress and errors go."""
    return cast(TextIO, Output(sys.stderr))
