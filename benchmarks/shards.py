"""Shards on two processes beside one thread, and what a step costs on top with one process.

Whole epochs take turns: without shards, with shards in this process, and with shards on two
processes, all on one thread each. The ratio of processor times, that of one thread through that of
the caller and of the busier worker together, is what cores that nobody else uses would give.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.server import THREAD_VARIABLES

#: (N, T, F, H) of the layer, and the shards of its batches.
SHAPE = (256, 200, 32, 128)
CELLS, COUNTS, WORKERS, BATCHES = ("GRU", "LSTM"), (2, 8), 2, 3
#: Units, sequences of an update, steps, and updates of the network that shows the overhead.
TINY, UPDATES = (8, 4, 5), 200


def _data(n: int, steps: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, steps, features), dtype="float32")
    return x, x.mean(axis=2, keepdims=True)


def _seconds(cell: str, units: int, data: tuple[np.ndarray, np.ndarray], **options: Any) -> float:
    """Seconds of a training run."""
    import throughtime as tt

    layers = [getattr(tt.layers, cell)(units, return_sequences=True), tt.layers.Dense(1)]
    net = tt.Network(layers, n_features=data[0].shape[2], dtype="float32", seed=0)
    start = time.perf_counter()
    tt.train(net, *data, verbose=False, **options)
    return time.perf_counter() - start


def _used(process: int) -> float:
    """Seconds of processor time of all threads of a process; NaN where there is no /proc."""
    folder = Path(f"/proc/{process}/task")
    try:
        return (
            sum(int((own / "schedstat").read_text().split()[0]) for own in folder.iterdir()) / 1e9
        )
    except OSError:
        return float("nan")


def speed(rounds: int) -> list[dict[str, Any]]:
    """For each cell and number of shards: seconds of an update, on one thread and in processes."""
    batch, steps, features, units = SHAPE
    data = _data(BATCHES * batch, steps, features)
    rows = []
    with ProcessPoolExecutor(WORKERS) as pool:
        for cell in CELLS:
            ways: dict[Any, dict[str, Any]] = {"one": {}}
            for count in COUNTS:
                ways[count] = {"shards": count}
                ways[count, "pool"] = {"shards": count, "executor": pool}
            wall: dict[Any, list[float]] = {way: [] for way in ways}
            used: dict[Any, list[list[float]]] = {way: [] for way in ways}
            for k in range(rounds + 1):
                for way, options in ways.items():
                    who = [os.getpid(), *(pool._processes or ())]
                    before = [*map(_used, who)]
                    took = _seconds(cell, units, data, batch_size=batch, epochs=1, **options)
                    if k:  # the first round warms up
                        wall[way].append(took / BATCHES)
                        used[way].append([_used(p) - b for p, b in zip(who, before, strict=True)])
            for count in COUNTS:
                pairs = zip(wall["one"], wall[count, "pool"], strict=True)
                busy = [own[0] + max(own[1:]) for own in used[count, "pool"]]
                alone = [own[0] for own in used["one"]]
                rows.append(
                    {
                        "cell": cell.lower(),
                        "shards": count,
                        "one": statistics.median(wall["one"]),
                        "here": statistics.median(wall[count]),
                        "pool": statistics.median(wall[count, "pool"]),
                        "ratio": statistics.median(one / pool for one, pool in pairs),
                        "processor": statistics.median(alone) / statistics.median(busy),
                    }
                )
    return rows


def overhead(rounds: int) -> dict[str, float]:
    """Seconds of an update of a tiny network in this process, and with one worker."""
    units, batch, steps = TINY
    data = _data(batch * UPDATES, steps, 3)
    ways: dict[str, dict[str, Any]] = {"here": {}, "worker": {}}
    found: dict[str, list[np.ndarray]] = {"here": [], "worker": []}
    with ProcessPoolExecutor(1) as pool:
        ways["worker"]["executor"] = pool
        for _ in range(rounds):
            for way, options in ways.items():

                def costs(epochs: int, options: dict[str, Any] = options) -> np.ndarray:
                    """Seconds by the clock, and of the processor."""
                    who = [os.getpid(), *(pool._processes or ())]
                    before = sum(map(_used, who))
                    took = _seconds(
                        "GRU", units, data, batch_size=batch, epochs=epochs, shards=1, **options
                    )
                    return np.array([took, sum(map(_used, who)) - before])

                # What a run costs once is in both: the difference is that of two epochs.
                first = costs(1)
                found[way].append((costs(3) - first) / (2 * UPDATES))
    here, worker = map(np.array, (found["here"], found["worker"]))
    wall, used = np.median(worker - here, axis=0).tolist()
    return {
        "here": float(np.median(here[:, 0])),
        "worker": float(np.median(worker[:, 0])),
        "overhead": wall,
        "processor": used,
    }


def measure(rounds: int) -> dict[str, Any]:
    """Both, in a process of its own, with one thread for each library."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.shards", str(rounds)],
        check=True,
        stdout=subprocess.PIPE,
        env=os.environ | dict.fromkeys(THREAD_VARIABLES, "1"),
    )
    return json.loads(run.stdout)


if __name__ == "__main__":
    _rounds = int(sys.argv[1])
    print(json.dumps({"speed": speed(_rounds), "overhead": overhead(_rounds)}))
