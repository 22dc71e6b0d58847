"""A training step of an LSTM while one size grows, and while threads are added."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from benchmarks.paired import SHORT, measure
from benchmarks.server import fleet
from benchmarks.tasks import Task

PEERS = ["ours", "pytorch", "jax_jit"]
BASE = Task("train", "lstm", N=32, T=100, F=16, H=128)
SWEEPS = {
    "T": [25, 50, 100, 200, 400],
    "N": [1, 4, 16, 64, 256],
    "H": [16, 32, 64, 128, 256],
}
THREADS_AT = Task("train", "lstm", N=64, T=100, F=32, H=128)


def _point(task: Task, servers: Any, key: str, value: int) -> dict[str, Any]:
    row = measure(task, servers, SHORT)
    print(f"  {key} = {value}", file=sys.stderr)
    return {key: value, "seconds": row["seconds"], "flops": row["flops"]}


def sweep(threads: int) -> dict[str, Any]:
    """Measure all curves: a list of points by the name of the size."""
    curves: dict[str, Any] = {}
    with fleet(threads, PEERS) as servers:
        for key, values in SWEEPS.items():
            curves[key] = [
                _point(replace(BASE, **{key: value}), servers, key, value) for value in values
            ]
    curves["threads"] = []
    powers = {2**k for k in range(threads.bit_length())}
    for n in sorted(powers | {threads}):
        with fleet(n, PEERS) as servers:
            curves["threads"].append(_point(THREADS_AT, servers, "threads", n))
    return curves
