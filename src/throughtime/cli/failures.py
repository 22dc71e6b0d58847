"""What may go wrong, as one line and an exit code."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence

from throughtime.cli.wording import in_options
from throughtime.errors import DivergedError, ThroughtimeError

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


class StoppedEarly(Exception):  # noqa: N818  # not an error: the user's own wish
    """Ctrl-C ended training early; everything that could be written was."""


def say(message: str) -> None:
    """Write ``message`` to standard error, as one line whatever it holds."""
    sys.stderr.write("throughtime: " + " ".join(message.split()) + "\n")


def exit_code_of(action: Callable[[], int], words: Sequence[str] = ()) -> int:
    """Run ``action``; turn what it raises into one line on standard error and an exit code.

    ``words`` are the arguments of the command, to name the one that is wrong.

    Errors that nobody foresaw are not caught: their traceback is what a bug report needs.
    """
    try:
        return action()
    except StoppedEarly as stop:
        say(str(stop))
        return INTERRUPTED
    except KeyboardInterrupt:
        say("Stopped by Ctrl-C; nothing was written.")
        return INTERRUPTED
    except DivergedError as error:
        say(str(error))
        return FAILED
    except ThroughtimeError as error:
        say(in_options(str(error)))
        return BAD_INPUT
    except BrokenPipeError:
        # The reader has gone (`| head`); what Python still wants to flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        say(f"{error.filename or 'a file'} cannot be used: {error.strerror or error}.")
        return FAILED
    except MemoryError:
        say("There is not enough memory: choose a smaller --hidden-size, --window or --layers.")
        return FAILED
    except Exception as error:
        message = _usage_message(error)
        if message is None:
            raise
        if message == "":
            say("Stopped by Ctrl-C; nothing was written.")
            return INTERRUPTED
        say(_with_value(message, words))
        return BAD_INPUT


def _with_value(message: str, words: Sequence[str]) -> str:
    """What Typer says of an option that wants an integer, with what it got."""
    option = re.match(r"Invalid value for '(--[a-z-]+)'.*\binteger\b", message)
    if option is None:
        return message
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name == option[1]:
            return f"{name} must be an integer; got {(value if equals else following)!r}."
    return message


def _usage_message(error: Exception) -> str | None:
    """The sentence of an error in the arguments; "" for an abort; None for any other error.

    Typer brings a copy of Click of its own or uses the one that is installed, depending on its
    version, so the classes are found through what Typer itself exports.
    """
    import typer

    if isinstance(error, typer.Abort):
        return ""
    family = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
    if not isinstance(error, family):
        return None
    message = str(getattr(error, "format_message")()).strip()  # noqa: B009  # not in Exception
    return message if message.endswith((".", "?")) else f"{message}."
