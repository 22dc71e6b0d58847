"""Training from disk beside training from memory: growth of memory, and time.

One pass over files that are larger than they may be in memory, in a process of its own. The system
forgets the files before, so that they are read from the disk. A thread notes the most anonymous
memory (RssAnon) that the process has meanwhile. Then epochs over a part of the data take turns:
from the files, and from arrays of the same sequences in memory.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.server import THREAD_VARIABLES

STEPS, FEATURES, UNITS, BATCH = 200, 32, 64, 32
#: Bytes of the files of each kind; of the part that is trained in turns; sequences written at once.
SIZES = {"npy": 4_000_000_000, "parquet": 1_000_000_000}
TURN_BYTES = 128_000_000
_WRITTEN = 1000
_SEQUENCE = STEPS * FEATURES * 4
_STATUS = Path("/proc/self/status")


def _pieces(sequences: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Sequences and targets, some at a time."""
    rng = np.random.default_rng(0)
    for start in range(0, sequences, _WRITTEN):
        n = min(_WRITTEN, sequences - start)
        x = rng.standard_normal((n, STEPS, FEATURES), dtype="float32")
        yield x, x.mean(axis=(1, 2), dtype="float32")


def write_npy(folder: Path, sequences: int) -> None:
    """Write ``x.npy`` and ``y.npy``."""
    header: dict[str, Any] = {"descr": "<f4", "fortran_order": False}
    with (folder / "x.npy").open("wb") as x_file, (folder / "y.npy").open("wb") as y_file:
        shape = (sequences, STEPS, FEATURES)
        np.lib.format.write_array_header_1_0(x_file, header | {"shape": shape})
        np.lib.format.write_array_header_1_0(y_file, header | {"shape": shape[:1]})
        for x, y in _pieces(sequences):
            x.tofile(x_file)
            y.tofile(y_file)
        for file in (x_file, y_file):
            file.flush()
            os.fsync(file.fileno())


def write_parquet(folder: Path, sequences: int) -> None:
    """Write a long table, a row for each time step."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    first, writer = 0, None
    with (folder / "table.parquet").open("wb") as file:
        for x, y in _pieces(sequences):
            n = len(x)
            columns = {
                "id": np.repeat(np.arange(first, first + n), STEPS),
                "time": np.tile(np.arange(STEPS, dtype="int32"), n),
            }
            columns |= {f"f{k}": x[:, :, k].ravel() for k in range(FEATURES)}
            table = pa.table(columns | {"target": np.repeat(y, STEPS)})
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(table, row_group_size=100_000)
            first += n
        assert writer is not None
        writer.close()
        file.flush()
        os.fsync(file.fileno())


WRITERS = {"npy": write_npy, "parquet": write_parquet}


def _loader(kind: str, folder: Path) -> Any:
    import throughtime as tt

    if kind == "npy":
        return tt.data.from_npy(folder, batch_size=BATCH)
    return tt.data.from_parquet(
        folder / "table.parquet", id="id", time="time", target="target", batch_size=BATCH
    )


def _network() -> Any:
    import throughtime as tt

    layers = [tt.layers.GRU(UNITS), tt.layers.Dense(1)]
    return tt.Network(layers, n_features=FEATURES, dtype="float32", seed=0)


def _anonymous() -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{_STATUS} has no field RssAnon.")


@contextmanager
def _watched() -> Iterator[list[int]]:
    """A list whose entry is the most bytes that this process grew by."""
    before, grown, done = _anonymous(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            grown[0] = max(grown[0], _anonymous() - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield grown
    finally:
        done.set()
        thread.join()


def _forget(folder: Path) -> None:
    """Let the system forget what it keeps of the files."""
    for path in folder.iterdir():
        number = os.open(path, os.O_RDONLY)
        os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(number)


def one_pass(kind: str, folder: Path) -> dict[str, float]:
    """Train on all files once: the most bytes that the process grew by, and seconds."""
    import throughtime as tt

    net = _network()
    tt.train(net, np.zeros((2, 2, FEATURES)), np.zeros((2, 1)), epochs=1, verbose=False)
    _forget(folder)
    with _watched() as grown:
        loader = _loader(kind, folder)
        start = time.perf_counter()
        tt.train(net, batches=loader, epochs=1, verbose=False)
        seconds = time.perf_counter() - start
    return {"grown": grown[0], "seconds": seconds, "bytes": loader.nbytes}


def in_turns(kind: str, folder: Path, rounds: int) -> dict[str, float]:
    """Epochs from the files and from memory, in turns: medians of the seconds and of the ratio."""
    import throughtime as tt

    loader = _loader(kind, folder)
    batches = list(loader)
    x, y = (np.concatenate([batch[name] for batch in batches]) for name in ("x", "y"))
    del batches

    def seconds(**data: Any) -> float:
        start = time.perf_counter()
        tt.train(_network(), epochs=1, verbose=False, **data)
        return time.perf_counter() - start

    ways = [{"batches": loader}, {"x": x, "y": y, "batch_size": BATCH}]
    times: list[list[float]] = [[], []]
    for k in range(rounds + 1):
        for way in (0, 1) if k % 2 else (1, 0):
            took = seconds(**ways[way])
            if k:  # the first round warms up
                times[way].append(took)
    ratios = [memory / disk for disk, memory in zip(*times, strict=True)]
    disk, memory = map(statistics.median, times)
    return {"disk": disk, "memory": memory, "ratio": statistics.median(ratios)}


def _in_own_process(
    job: str, kind: str, folder: Path, rounds: int, threads: int
) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.disk", job, kind, str(folder), str(rounds)],
        check=True,
        stdout=subprocess.PIPE,
        env=os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads)),
    )
    return json.loads(run.stdout)


def measure(threads: int, rounds: int, quick: bool) -> list[dict[str, Any]] | None:
    """A row for each kind of file; None where there is no /proc, or no room on the disk."""
    rows = []
    for kind, full in SIZES.items():
        size = full // 10 if quick else full
        room = shutil.disk_usage(tempfile.gettempdir()).free
        if not _STATUS.exists() or room < 1.5 * size:
            return None
        found: dict[str, Any] = {"kind": kind}
        for job, wanted in (("one_pass", size), ("in_turns", min(size, TURN_BYTES))):
            with tempfile.TemporaryDirectory(prefix="throughtime-bench-") as name:
                folder = Path(name)
                WRITERS[kind](folder, wanted // _SEQUENCE)
                found |= _in_own_process(job, kind, folder, rounds, threads)
        rows.append(found)
    return rows


if __name__ == "__main__":
    _job, _kind, _folder, _rounds = sys.argv[1:]
    _arguments = (_kind, Path(_folder)) + ((int(_rounds),) if _job == "in_turns" else ())
    print(json.dumps(globals()[_job](*_arguments)))
