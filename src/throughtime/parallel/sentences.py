"""What the user reads where workers die, executors break, or something cannot travel."""

from __future__ import annotations

from typing import NamedTuple

from throughtime.errors import WorkerError
from throughtime.parallel.remote import text_of
from throughtime.parallel.work import LOSSES

#: The way out where something cannot be pickled.
WAY = (
    "A function must be one of a module, not a lambda and not defined inside another;"
    " functools.partial gives it arguments."
)
#: The way out where processes cannot start.
GUARD = " Put what starts workers below the line: if __name__ == '__main__':"
#: The way out where a function stands in what nobody can import.
SEND = (
    " Put the function into a module that workers can import, or use loky or Dask, which send"
    " functions along."
)


class Broken(NamedTuple):
    """Why an executor is of no more use.

    Attributes
    ----------
    why : str
    for_good : bool
        Whether a new one would not be either.
    died : bool
        Whether a worker died.
    way : str
        A sentence that says what to do.
    """

    why: str
    for_good: bool = False
    died: bool = False
    way: str = ""


def dead(times: int, why: str) -> WorkerError:
    """Why a task has failed with whose workers died so often."""
    if times < LOSSES:
        return WorkerError(
            f"its worker, or another one of the executor, died ({why}), and this process, which"
            " could die as well, does not compute it. Give a function that makes the executor, such"
            " as a functools.partial: then it is computed again."
        )
    # The system ends so what takes more memory than there is.
    way = " Fewer workers, or smaller batches, need less memory." if why.endswith(" -9") else ""
    often = "twice" if times == LOSSES else f"{times} times"
    return WorkerError(
        f"its worker died {often} ({why}), and this process, which could die as well, does not"
        f" compute it.{way}"
    )


def what(error: BaseException) -> str:
    """The class of an exception and the first sentence of its text, without the stop."""
    text = " ".join(text_of(error).split()).partition(". ")[0].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
