"""One process for each library, of which only the one that is measured runs.

In one process the libraries' thread pools would disturb each other: a pool of OpenMP, of XLA or of
ONNX Runtime looks for work for a while before it sleeps. Here each library has a server, which is
stopped (SIGSTOP) after its turn until the next one, so that it takes no processor time.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any, Self

from benchmarks.tasks import Arrays, Task

#: Module in benchmarks/peers -> name of the library; ours is the first.
PEERS = {
    "ours": "throughtime",
    "pytorch": "PyTorch",
    "jax_jit": "JAX",
    "onnx_runtime": "ONNX Runtime",
}
#: Packages that a module in benchmarks/peers imports.
PACKAGES = {"pytorch": ["torch"], "jax_jit": ["jax"], "onnx_runtime": ["onnx", "onnxruntime"]}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CAN_STOP = hasattr(signal, "SIGSTOP")


def check_installed(peers: Iterable[str], part: str) -> None:
    """Refuse a part of the suite whose libraries are not installed.

    Raises
    ------
    SystemExit
        With the packages that are missing, and the way out.
    """
    needed = [package for peer in peers for package in PACKAGES.get(peer, [])]
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        raise SystemExit(
            f"The part {part!r} needs packages that are not installed: {', '.join(missing)}. Run"
            " make bench, which installs them; or measure other parts: --only footprint calls disk"
            " shards"
        )


def bind(threads: int) -> None:
    """Restrict this process to ``threads`` cores. XLA makes one thread for each core it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def seconds(case: Any, repeats: int) -> float:
    """Seconds of one repeat, after one that is not counted."""
    case.run(1)
    begin = time.perf_counter()
    case.run(repeats)
    return (time.perf_counter() - begin) / repeats


class _Session:
    """The requests that a server answers."""

    def __init__(self, peer: str, threads: int) -> None:
        bind(threads)
        self.module = import_module(f"benchmarks.peers.{peer}")
        self.module.start(threads)
        self.case: Any = None

    def describe(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        return self.module.versions(), self.module.VARIANTS

    def prepare(self, task: Task, variant: str) -> Arrays:
        self.release()
        self.case = self.module.JOBS[task.job](task, variant)
        answers: Arrays = self.case.answers()
        return answers

    def release(self) -> None:
        self.case = None
        gc.collect()

    def measure(self, repeats: int) -> float:
        return seconds(self.case, repeats)


def _serve(pipe: Connection, peer: str, threads: int) -> None:
    session = _Session(peer, threads)
    while True:
        action, *arguments = pipe.recv()
        try:
            pipe.send((getattr(session, action)(*arguments), None))
        except Exception as error:
            pipe.send((None, f"{type(error).__name__}: {error}"))


class Server:
    """A library in its own process, which is stopped except in its turns.

    Parameters
    ----------
    peer : str
        One of PEERS.
    threads : int
        How many threads and cores it may use.
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
        """Send a request and return the answer; only this server runs meanwhile.

        Raises
        ------
        RuntimeError
            If the server failed or died.
        """
        self._signal(stop=False)
        self._pipe.send((action, *arguments))
        try:
            answer, error = self._pipe.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            raise RuntimeError(f"{PEERS[self.peer]}'s process ended with {code}.") from None
        self._signal(stop=True)
        if error is not None:
            raise RuntimeError(f"{PEERS[self.peer]}: {error}")
        return answer

    def _signal(self, *, stop: bool) -> None:
        if _CAN_STOP and stop != self._stopped:
            assert self._process.pid is not None
            os.kill(self._process.pid, signal.SIGSTOP if stop else signal.SIGCONT)
            if stop:  # wait until all its threads have stopped, before another server begins
                os.waitpid(self._process.pid, os.WUNTRACED)
            self._stopped = stop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._signal(stop=False)
            self._process.terminate()
        self._process.join()


Fleet = dict[str, list[Server]]


@contextmanager
def fleet(threads: int, peers: Iterable[str] = tuple(PEERS)) -> Iterator[Fleet]:
    """Start the servers of each library.

    Each of the other libraries has a second server with a single thread, because that is often
    faster on small tasks. Ours receives the number of threads and decides for itself.
    """
    with ExitStack() as stack:
        servers = {
            peer: [
                stack.enter_context(Server(peer, n))
                for n in ([threads] if peer == "ours" else sorted({threads, 1}, reverse=True))
            ]
            for peer in peers
        }
        yield servers
