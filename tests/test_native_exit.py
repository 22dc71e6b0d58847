"""The interpreter ends while threads are at work: the process still ends as it should."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from loop_cases import needs_native

#: The main thread leaves as soon as each of the others has done something.
CODE = """
import threading
import numpy as np
import throughtime as tt

x = np.random.default_rng(0).normal(size=(8, 20, 2)).astype("float32")
y = x[:, :, :1].copy()
ready = threading.Semaphore(0)

def work():
    layers = [tt.layers.{layer}(8, return_sequences=True), tt.layers.Dense(1)]
    net = tt.Network(layers, n_features=2, seed=0)
    stream = net.stream(8)
    tasks = dict(
        predict=lambda: net.predict(x),
        train=lambda: tt.train(net, x, y, epochs=1, clip_norm=1.0, l2=1e-3, seed=0),
        stream=lambda: stream.step(x[:, 0]),
    )
    while True:
        tasks["{task}"]()
        ready.release()

for _ in range({threads}):
    threading.Thread(target=work, daemon=True).start()
for _ in range(2 * {threads}):
    ready.acquire()
"""

every_task = pytest.mark.parametrize("task", ["predict", "train", "stream"])


def leave(engine: str, task: str, layer: str) -> tuple[int, str, str]:
    """How a process ends that daemon threads still work in: exit code, output, errors."""
    code = CODE.format(layer=layer, task=task, threads=3)
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"THROUGHTIME_ENGINE": engine},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    return run.returncode, run.stdout, run.stderr


@needs_native
@every_task
@pytest.mark.parametrize("layer", ["RNN", "GRU", "LSTM"])
def test_daemon_threads_do_not_abort_the_process(task, layer):
    assert [leave("native", task, layer) for _ in range(4)] == [(0, "", "")] * 4


@every_task
def test_nor_do_they_on_the_reference_engine(task):
    assert leave("reference", task, "GRU") == (0, "", "")
