"""One process a library, and only the one that is measured runs.

In one process the libraries' thread pools would stand in each other's way: a pool of OpenMP, of XLA
or of ONNX Runtime keeps looking for work for a while before it sleeps. Here a server that has had
its turn is stopped (SIGSTOP) until the next one, so that it cannot take a single cycle.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Self

from benchmarks.tasks import Arrays, Task

#: Our own side first; then the others, by the module in benchmarks/peers.
PEERS = {
    "ours": "throughtime",
    "pytorch": "PyTorch",
    "jax_jit": "JAX",
    "onnx_runtime": "ONNX Runtime",
}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CAN_STOP = hasattr(signal, "SIGSTOP")


def bind(threads: int) -> None:
    """Let this process use so many cores. XLA makes as many threads as it may use cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def seconds(case: Any, repeats: int) -> float:
    """Of one repeat, after one that is not counted."""
    case.run(1)
    begin = time.perf_counter()
    case.run(repeats)
    return (time.perf_counter() - begin) / repeats


class _Session:
    """What a server can be asked."""

    def __init__(self, peer: str, threads: int) -> None:
        bind(threads)
        self.module = import_module(f"benchmarks.peers.{peer}")
        self.module.start(threads)
        self.case: Any = None

    def describe(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        return self.module.versions(), self.module.VARIANTS

    def prepare(self, task: Task, variant: str) -> Arrays:
        self.case = None
        gc.collect()
        self.case = self.module.JOBS[task.job](task, variant)
        answers: Arrays = self.case.answers()
        return answers

    def measure(self, repeats: int) -> float:
        return seconds(self.case, repeats)


def _serve(pipe: Connection, peer: str, threads: int) -> None:
    session = _Session(peer, threads)
    while (request := pipe.recv()) is not None:
        action, *arguments = request
        try:
            pipe.send((getattr(session, action)(*arguments), None))
        except Exception as error:
            pipe.send((None, f"{type(error).__name__}: {error}"))


class Server:
    """A library in a process of its own, stopped but for its turns.

    Parameters
    ----------
    peer : str
        One of PEERS.
    threads : int
        How many threads, and how many cores, it gets.
    """

    def __init__(self, peer: str, threads: int) -> None:
        self.peer, self.threads = peer, threads
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        os.environ |= dict.fromkeys(THREAD_VARIABLES, str(threads))
        self._process = context.Process(target=_serve, args=(theirs, peer, threads), daemon=True)
        self._process.start()
        theirs.close()
        self._stopped = False
        self.versions, self.variants = self.ask("describe")

    def ask(self, action: str, *arguments: Any) -> Any:
        """Have one thing done while this server alone runs.

        Raises
        ------
        RuntimeError
            With the message of the server's error.
        """
        self._signal(stop=False)
        self._pipe.send((action, *arguments))
        answer, error = self._pipe.recv()
        self._signal(stop=True)
        if error is not None:
            raise RuntimeError(f"{PEERS[self.peer]}: {error}")
        return answer

    def _signal(self, *, stop: bool) -> None:
        if _CAN_STOP and stop != self._stopped:
            assert self._process.pid is not None
            os.kill(self._process.pid, signal.SIGSTOP if stop else signal.SIGCONT)
            self._stopped = stop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(stop=False)
        self._pipe.send(None)
        self._process.join(10)
        self._process.terminate()
