"""Shards whose workers die, and Ctrl-C: the same bits, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import parallel_cases as cases
import pytest
import shard_cases as shards

import throughtime as tt
from throughtime.errors import WorkersWarning

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")

ALONE = ". This process computes the rest itself, with the same results."
NEW = ". A new one computes what was lost, with the same results."


def run(folder, executor=None, **options):
    """The bits of the weights and of the losses, and the warnings."""
    net, (x, y) = shards.network(), shards.data()
    loss = shards.Deadly(folder=str(folder), caller=os.getpid())
    options = {"batch_size": 8, "epochs": 3, "shards": 4, "seed": 5, "verbose": False, **options}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = tt.train(net, x, y, loss=loss, executor=executor, **options)
    assert {warning.category for warning in caught} <= {WorkersWarning}
    texts = [str(warning.message) for warning in caught]
    return (net.params.flat.tobytes(), history["loss"]), texts


def test_an_executor_that_is_made(tmp_path):
    wanted, _ = run(tmp_path)
    made = []

    def make():
        made.append(cases.processes(2)())
        return made[-1]

    found, texts = run(tmp_path, make)
    assert (tmp_path / "dead").exists()
    assert found == wanted
    assert len(made) == 2
    (text,) = texts
    assert text.startswith("The executor broke: BrokenProcessPool: A ")
    assert text.endswith(NEW)


def test_an_executor_that_was_given(tmp_path):
    wanted, _ = run(tmp_path)
    with cases.processes(2)() as pool:
        found, texts = run(tmp_path, pool)
    assert (tmp_path / "dead").exists()
    assert found == wanted
    (text,) = texts
    assert text.startswith("The executor is broken: BrokenProcessPool: A ")
    assert text.endswith(ALONE)


def test_loky(tmp_path):
    loky = pytest.importorskip("loky")
    wanted, _ = run(tmp_path)
    found, texts = run(tmp_path, lambda: loky.ProcessPoolExecutor(2))
    assert (tmp_path / "dead").exists()
    assert found == wanted
    assert [text.endswith(NEW) for text in texts] == [True]


@pytest.mark.parametrize("given", [False, True])
def test_between_two_steps(tmp_path, given):
    (tmp_path / "dead").touch()  # not in the loss
    wanted, _ = run(tmp_path, callbacks=[lambda run: None])
    pools = []

    def make():
        pools.append(cases.processes(2)())
        return pools[-1]

    def kill(run):
        if run.epoch == 1:
            os.kill(next(iter(pools[0]._processes)), signal.SIGKILL)

    found, texts = run(tmp_path, make() if given else make, callbacks=[kill])
    assert found == wanted
    assert [text.endswith(ALONE if given else NEW) for text in texts] == [True]
    pools[0].shutdown()


def test_a_worker_that_dies_has_no_say_in_the_data(tmp_path):
    """Data that travel, states that go on: what was lost is computed from the same."""
    (tmp_path / "dead").touch()
    x, y = shards.data()
    batches = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 24, 8)]

    def train(executor, callbacks):
        net = shards.network()
        tt.train(
            net, batches=batches, carry_state=True, shards=3, epochs=3, executor=executor,
            callbacks=callbacks, verbose=False,
        )  # fmt: skip
        return net.params.flat.tobytes()

    def kill(run):
        if run.epoch == 2:
            os.kill(next(iter(pool._processes)), signal.SIGKILL)

    wanted = train(None, [])
    with cases.processes(3)() as pool, pytest.warns(WorkersWarning, match="is broken"):
        assert train(pool, [kill]) == wanted


SCRIPT = """
import os
import sys
from functools import partial

sys.path.insert(0, {tests!r})
import parallel_cases as cases
import shard_cases as shards
import throughtime as tt


def told(run):
    if run.epoch == 2:
        print(*[pid for pool in pools for pid in pool._processes], flush=True)


def make():
    pools.append(cases.processes(2)())
    return pools[-1]


if __name__ == "__main__":
    pools = []
    net = shards.network()
    x, y = shards.data(96, 40)
    history = tt.train(
        net, x, y, epochs=100_000, batch_size=8, shards=4, executor={executor}, callbacks=[told],
        verbose=False if {silent} else None,
    )
    print(history.stopped, len(history) > 2 or history.epochs[-1] >= 2, flush=True)
    print(history.best_epoch == history["loss"].index(min(history["loss"])) + 1, flush=True)
"""


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
@pytest.mark.parametrize("executor", ["make", "make()"])
def test_ctrl_c(executor, tmp_path):
    script = tmp_path / "script.py"
    tests = str(Path(__file__).parent)
    script.write_text(SCRIPT.format(tests=tests, executor=executor, silent=False))
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        workers = [int(word) for word in process.stdout.readline().split()]
        assert len(workers) == 2
        time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out.splitlines() == ["interrupted True", "True"]
    (line,) = err.splitlines()
    assert line.startswith("throughtime: Ctrl-C ended training; the weights of epoch ")
    assert line.endswith(", the best so far, are restored.")
    deadline = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))
