"""What may go wrong, as one line and an exit code."""

from __future__ import annotations

import signal
from collections.abc import Callable

from throughtime.errors import DivergedError, ThroughtimeError
from throughtime.messages.streams import standard_error

FAILED = 1
BAD_INPUT = 2
NO_BETTER = 3
INTERRUPTED = 128 + signal.SIGINT


#: Exit code -> what it says, in the help of every command.
_MEANING = {
    0: "done",
    FAILED: "the work failed",
    BAD_INPUT: "the input cannot be used",
    NO_BETTER: "no better than a simpler forecast, with --fail-if-worse",
    INTERRUPTED: "stopped by Ctrl-C",
    128 + signal.SIGTERM: "stopped by SIGTERM",
}


def exit_codes(*without: int) -> str:
    """A sentence for the help of a command; it leaves out the codes that the command never has."""
    said = [f"{int(code)} {what}" for code, what in _MEANING.items() if code not in without]
    return f"Exit codes: {'; '.join(said)}."


class StoppedEarly(Exception):  # noqa: N818  # not an error: the user wanted it
    """Ctrl-C ended training early; everything that could be written was."""


class NoBetter(Exception):  # noqa: N818  # not an error: the user asked to be told so
    """The forecast is no better than a simpler one; everything was written."""


class Terminated(SystemExit):
    """A signal of the system asks the process to end.

    Parameters
    ----------
    number : int
        The number of the signal.

    Attributes
    ----------
    signal : str
        Its name.
    outcome : str
        What was written until then.
    """

    outcome = "nothing was written"

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number).name


def say(message: str) -> None:
    """Write ``message`` to standard error, as one line whatever it holds."""
    stream = standard_error()
    stream.write("throughtime: " + " ".join(message.split()) + "\n")
    stream.flush()


def exit_code_of(action: Callable[[], int]) -> int:
    """Run ``action``; turn what it raises into one line on standard error and an exit code.

    An unexpected error is not caught: its traceback is what a bug report needs.
    """
    try:
        return action()
    except StoppedEarly as stop:
        say(str(stop))
        return INTERRUPTED
    except NoBetter as verdict:
        say(str(verdict))
        return NO_BETTER
    except KeyboardInterrupt:
        say("Stopped by Ctrl-C; nothing was written.")
        return INTERRUPTED
    except Terminated as end:
        say(f"Stopped by {end.signal}; {end.outcome}.")
        return int(end.code or 0)
    except DivergedError as error:
        say(str(error))
        return FAILED
    except ThroughtimeError as error:
        say(str(error))
        return BAD_INPUT
    except OSError as error:
        say(f"{error.filename or 'a file'} cannot be used: {reason(error)}.")
        return FAILED
    except MemoryError:
        say("There is not enough memory: choose a smaller --hidden-size, --window or --layers.")
        return FAILED
    except Exception as error:
        message = _usage_message(error)
        if message is None:
            raise
        say(message)
        return BAD_INPUT


def reason(error: OSError) -> str:
    """Why a file cannot be used, in the words of the system where it has some."""
    return error.strerror or str(error) or type(error).__name__


def _usage_message(error: Exception) -> str | None:
    """The sentence of an error in the arguments, or None for any other error.

    Typer brings its own copy of Click or uses the one that is installed, depending on its version.
    The class is therefore found through what Typer itself exports.
    """
    import typer

    family = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
    if not isinstance(error, family):
        return None
    message = str(getattr(error, "format_message")()).strip()  # noqa: B009  # not in Exception
    return message if message.endswith((".", "?")) else f"{message}."
