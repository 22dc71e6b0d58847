"""Peak memory of a training step: what the process grows by at most while it takes its first steps.

Each measurement is a process of its own. It imports the library, takes two steps on two short
sequences of the same layer (thread pools, compiled kernels and the like come then), sets up data,
network and optimiser, and only then looks at its size: everything that a step needs, with the
optimiser's moments, which the first step makes, counts from there.
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
    """A field of the process's status, in bytes."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{_STATUS} has no field {field}.")


def growth(peer: str, task: Task, variant: str) -> int:
    """Bytes that this process grows by at most during the first training steps."""
    module = import_module(f"benchmarks.peers.{peer}")
    module.start(int(os.environ["OMP_NUM_THREADS"]))
    small = module.JOBS["train"](replace(task, N=2, T=2), variant)
    small.run(2)
    del small
    case = module.JOBS["train"](task, variant)
    gc.collect()
    _CLEAR.write_text("5")  # the peak is counted from here
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
    """The smallest of so many measurements for each row; None where there is no /proc."""
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
    # Memory does not depend on the form much; the first is the plain one.
    print(growth(_peer, _task, _module.VARIANTS["train"][0]))
