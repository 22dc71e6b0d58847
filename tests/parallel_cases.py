"""Functions that workers compute in the tests, and executors that are told what to do.

They stand in a module of their own: a worker finds them by its name.
"""

import multiprocessing
import os
import signal
import time
import warnings
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from throughtime.kernels import selection
from throughtime.parallel import IN_WORKER
from throughtime.parallel.remote import Ticket

# Python warns of a fork of a process that has threads, which another test may have started.
_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
CONTEXT = multiprocessing.get_context(_METHOD)


def processes(n):
    """A function that makes a pool of ``n`` processes."""
    return partial(ProcessPoolExecutor, n, mp_context=CONTEXT)


@contextmanager
def loky_pool():
    """Two processes of loky; without it, the test is skipped."""
    import pytest  # which workers need not load

    loky = pytest.importorskip("loky")
    pool = loky.ProcessPoolExecutor(2)
    yield pool
    pool.shutdown(kill_workers=True)


@contextmanager
def dask_pool():
    """The executor of a cluster of two processes on this machine; without Dask, a skip."""
    import pytest  # as above

    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own parts
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client.get_executor()


def times(context, task):
    return context["x"] * task


def length(context, task):
    return len(context["x"]) + len(task)


def sum_of(context, task):
    return float(task.sum())


def fail_at(context, task):
    if task in context:
        raise ValueError(f"no {task}")
    return task


def identity_of(context, task):
    """Which object the context is here, and in which process."""
    return id(context), os.getpid()


def total(context, task):
    """What the array of the context is here, and its sum."""
    x = context["x"]
    return type(x).__name__, x.flags.writeable, float(x.sum())


def anonymous(context, task):
    """Megabytes of this process that no file stands for, after all of the array was read."""
    context["x"].sum()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def write(context, task):
    """Change the own copy of the context."""
    context["x"][0] += task
    return float(context["x"][0])


def die_once(context, task):
    """Kill the worker, as the system does when memory runs out; not a second time."""
    flag = Path(context["flag"])
    if task == context["at"] and os.getpid() != context["caller"] and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task, float(context["x"][task])


def die_at(context, task):
    """Kill every worker that computes one of the tasks."""
    if task == context["at"] and os.getpid() != context["caller"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def nap(context, task):
    time.sleep(task)
    return task


def settings(context, task):
    """What a worker has set: threads, engine, Ctrl-C."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return selection.get_num_threads(), selection.current(), ignored


def settings_after(seconds):
    """The same a little later, so that each worker of a pool computes one of these."""
    time.sleep(seconds)
    return settings(None, None)


class StubbornError(Exception):
    """Cannot be pickled: it needs an argument that it does not keep."""

    def __init__(self, number, reason):
        super().__init__(f"{reason} {number}")


class MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    def __reduce__(self):
        raise TypeError("not for the post")


def raise_it(context, task):
    kinds = {
        "stubborn": lambda: StubbornError(3, "number"),
        "mute": MuteError,
        "exit": lambda: SystemExit(3),
        "memory": lambda: MemoryError("full"),
        "local": lambda: type("Local", (ValueError,), {})("of a class without a module"),
    }
    error = kinds[task]()
    raise error


class OddWarning(UserWarning):
    """Can travel to a worker and not back."""

    def __reduce__(self):
        if IN_WORKER.get():
            raise TypeError("not for the post")
        return super().__reduce__()


def warn_of(context, task):
    if context[task] is not None:
        warnings.warn(*context[task], stacklevel=1)


def unpicklable(context, task):
    return task if task != 1 else (lambda: task)


class Here:
    """An executor that computes at once in this process, as if it were another one.

    Attributes
    ----------
    sent : list of tuple
        The arguments of each call.
    """

    def __init__(self, change=lambda ticket: ticket):
        self.sent = []
        self.change = change

    def before(self):
        """What happens while the message is on its way."""

    def submit(self, function, *arguments):
        self.sent.append(arguments)
        self.before()
        future = Future()
        try:
            ticket, *rest = arguments
            if isinstance(ticket, Ticket):
                ticket = self.change(ticket)
            future.set_result(function(ticket, *rest))
        except Exception as error:
            future.set_exception(error)
        return future
