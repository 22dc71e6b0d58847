"""Who computes: this process, or the workers of an executor that the user has."""

from throughtime.parallel.executors import Executor, check_executor
from throughtime.parallel.keeping import kept
from throughtime.parallel.remote import IN_WORKER, end_with_caller, text_of
from throughtime.parallel.sharing import restore, share
from throughtime.parallel.team import Workers
from throughtime.parallel.work import Failure

__all__ = [
    "IN_WORKER",
    "Executor",
    "Failure",
    "Workers",
    "check_executor",
    "end_with_caller",
    "kept",
    "restore",
    "share",
    "text_of",
]
