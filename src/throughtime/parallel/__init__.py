"""Who computes: this process, or the workers of an executor that the user has."""

from throughtime.parallel.executors import Executor
from throughtime.parallel.team import Workers
from throughtime.parallel.work import UNFINISHED, Failure

__all__ = ["UNFINISHED", "Executor", "Failure", "Workers"]
