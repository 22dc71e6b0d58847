"""The import, and calls on tiny networks, where Python is most of the cost; beside another version.

Each version lives in a process of its own, which waits for lines ``NAME REPEATS`` and answers with
the seconds of one repeat. The versions take turns, so that a disturbance of the machine meets both.
A case uses public names alone, so that it runs on every version.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

SOURCE = Path(__file__).resolve().parent.parent / "src"
#: Calls in one turn take about so long.
SECONDS = 0.02
IMPORT = "import time; t = time.process_time(); import throughtime; print(time.process_time() - t)"


def cases() -> dict[str, Callable[[], object]]:
    """A call by its name, for the version that can be imported here."""
    import numpy as np

    import throughtime as tt

    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 10, 2)).astype("float32")
    found: dict[str, Callable[[], object]] = {}
    for name, layer in (("rnn", tt.layers.RNN), ("gru", tt.layers.GRU), ("lstm", tt.layers.LSTM)):
        net = tt.Network([layer(8), tt.layers.Dense(1)], n_features=2, seed=0)
        adam, stream = tt.optimizers.Adam(1e-3), net.stream()
        one, dy = x[0, 0], np.ones((4, 1), "float32")

        def step(net: Any = net, adam: Any = adam, dy: Any = dy) -> None:
            net.grads.flat[...] = 0
            _, tape = net.forward(x, training=True)
            net.backward(tape, dy)
            adam.step(net.params.flat, net.grads.flat)

        def train(net: Any = net) -> None:
            tt.train(net, x, x[:, 0, :1], epochs=10, batch_size=2, verbose=False)

        found[f"predict {name}"] = lambda net=net: net.predict(x)
        found[f"forward, backward, Adam {name}"] = step
        found[f"train, 20 batches {name}"] = train
        found[f"stream.step {name}"] = lambda stream=stream, one=one: stream.step(one)
    return found


def serve() -> None:
    """Answer lines from standard input until it ends."""
    known = cases()
    print(*known, sep="\t", flush=True)
    for line in sys.stdin:
        name, repeats = line.rstrip("\n").split("\t")
        call, count = known[name], int(repeats)
        call()
        begin = time.process_time()
        for _ in range(count):
            call()
        print((time.process_time() - begin) / count, flush=True)


class Version:
    """The package of one folder, in a process of its own."""

    def __init__(self, source: Path) -> None:
        self.environment = os.environ | {
            "PYTHONPATH": os.fspath(source.resolve()),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=tempfile.gettempdir(),
        )
        assert self.process.stdout is not None
        self.names = self.process.stdout.readline().rstrip("\n").split("\t")

    def seconds(self, name: str, repeats: int) -> float:
        """Of one call."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name}\t{repeats}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def import_seconds(self, _name: str, _repeats: int) -> float:
        """Of ``import throughtime`` in a fresh interpreter."""
        command = [sys.executable, "-c", IMPORT]
        run = subprocess.run(
            command,
            check=True,
            stdout=subprocess.PIPE,
            env=self.environment,
            cwd=tempfile.gettempdir(),
        )
        return float(run.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.terminate()


def measure(rounds: int, against: Path | None) -> list[dict[str, Any]]:
    """Measure every call; beside the package in the folder ``against``, if there is one.

    Returns
    -------
    rows : list of dict
        ``name``; ``seconds`` of one call, ours and then the other's, the median over the rounds;
        ``ratio``, the median of ours through the other's, or None.
    """
    folders = [SOURCE] if against is None else [SOURCE, against]
    rows = []
    with ExitStack() as stack:
        versions = [stack.enter_context(Version(folder)) for folder in folders]
        for name in ["import throughtime", *versions[0].names]:
            imports = name.startswith("import")
            ask = [v.import_seconds if imports else v.seconds for v in versions]
            once = [call(name, 1) for call in ask]
            repeats = max(1, round(SECONDS / min(once)))
            times: list[list[float]] = [[] for _ in versions]
            for k in range(rounds):
                for i in range(len(ask))[:: 1 if k % 2 else -1]:
                    times[i].append(ask[i](name, repeats))
            pairs = zip(*times, strict=True) if against is not None else []
            ratios = [ours / theirs for ours, theirs in pairs]
            rows.append(
                {
                    "name": name,
                    "seconds": [statistics.median(column) for column in times],
                    "ratio": statistics.median(ratios) if ratios else None,
                }
            )
    return rows


if __name__ == "__main__":
    serve()
