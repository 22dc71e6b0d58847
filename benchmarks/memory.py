"""Peak memory of a training step: the most that a process grows by during its first steps.

Each measurement has its own process. The process imports the library and takes two steps on two
short sequences with the same layer, which makes thread pools and compiled kernels. Then it makes
data, network and optimiser, and notes its size. What it grows by from there on counts: all that a
step needs, and the optimiser's moments, which the first step makes.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.server import THREAD_VARIABLES, bind
from benchmarks.tasks import GATES, Task

SHAPES = [(64, 100, 32, 128), (128, 100, 64, 256)]
STEPS = 3
PEERS = ["ours", "pytorch"]
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _status(field: str) -> int:
    """A field of this process's status, in bytes."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{_STATUS} has no field {field}.")


def growth(peer: str, task: Task, variant: str) -> int:
    """The most bytes that this process grows by during the first training steps."""
    module = import_module(f"benchmarks.peers.{peer}")
    module.start(int(os.environ["OMP_NUM_THREADS"]))
    small = module.JOBS["train"](replace(task, N=2, T=2), variant)
    small.run(2)
    del small
    case = module.JOBS["train"](task, variant)
    gc.collect()
    _CLEAR.write_text("5")  # the kernel counts the peak from here
    before = _status("VmRSS")
    case.run(STEPS)
    return _status("VmHWM") - before


def _in_own_process(peer: str, cell: str, shape: tuple[int, ...], threads: int) -> int:
    words = [peer, cell, *map(str, shape), str(threads)]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", *words],
        check=True,
        stdout=subprocess.PIPE,
        env=os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads)),
    )
    return int(run.stdout)


def measure(threads: int, rounds: int) -> list[dict[str, Any]] | None:
    """The smallest of ``rounds`` measurements for each row; None where there is no /proc."""
    if not _CLEAR.exists():
        return None
    return [
        {
            "cell": cell,
            "shape": shape,
            "bytes": {
                peer: min(_in_own_process(peer, cell, shape, threads) for _ in range(rounds))
                for peer in PEERS
            },
        }
        for cell in GATES
        for shape in SHAPES
    ]


if __name__ == "__main__":
    _peer, _cell, *_sizes, _threads = sys.argv[1:]
    bind(int(_threads))
    _module = import_module(f"benchmarks.peers.{_peer}")
    _task = Task("train", _cell, *map(int, _sizes))
    # Memory hardly depends on the variant; the first one is the plainest.
    print(growth(_peer, _task, _module.VARIANTS["train"][0]))
