"""Reading ahead: order, errors, how far, and that no thread stays."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from throughtime.data import prefetch
from throughtime.data.prefetch import Prefetch


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("depth", [1, 2, 7, 100])
def test_items_come_in_their_order(depth):
    assert list(Prefetch(iter(range(50)), depth)) == list(range(50))
    assert list(Prefetch(iter(()), depth)) == []


def test_the_end_stays_the_end():
    ahead = Prefetch(iter([1]), 1)
    assert next(ahead) == 1
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(ahead)
    ahead.close()
    ahead.close()


def test_an_error_comes_after_the_items_before_it():
    error = KeyError("here")

    def give() -> Iterator[int]:
        yield from (1, 2)
        raise error

    ahead = Prefetch(give(), 5)
    assert [next(ahead), next(ahead)] == [1, 2]
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            next(ahead)
        assert caught.value is error


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_is_made_than_asked(depth):
    made = []

    def give() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    ahead = Prefetch(give(), depth)
    time.sleep(0.05)
    most = []
    for taken in range(1, 5):
        next(ahead)
        time.sleep(0.02)
        most.append(len(made) - taken)
    ahead.close()
    assert max(most) <= depth + 1  # one more is in the hand of the thread
    assert len(made) < 20


def test_items_are_made_in_another_thread_and_while_the_last_one_is_used():
    names, used = [], threading.Event()

    def give() -> Iterator[int]:
        names.append(threading.current_thread())
        yield 1
        used.wait(10)
        yield 2

    ahead = Prefetch(give(), 1)
    assert next(ahead) == 1
    used.set()
    assert next(ahead) == 2
    assert names[0] is not threading.main_thread()
    assert (names[0].name, names[0].daemon) == ("throughtime prefetch", True)
    ahead.close()


def test_close_ends_the_iterator_and_frees_what_waits():
    closed, big = [], np.zeros(10)
    kept = weakref.ref(big)

    def give() -> Iterator[Any]:
        try:
            yield kept()
            while True:
                yield 1
        finally:
            closed.append(threading.current_thread())

    ahead = Prefetch(give(), 2)
    del big
    ahead.close()
    assert len(closed) == 1
    gc.collect()
    assert kept() is None


def test_an_item_lives_only_as_long_as_its_user_wants():
    class Item:
        pass

    ahead = Prefetch((Item() for _ in range(3)), 1)
    kept = weakref.ref(next(ahead))
    time.sleep(0.02)
    gc.collect()
    assert kept() is None
    ahead.close()


def test_close_does_not_wait_for_an_iterator_that_hangs(monkeypatch):
    monkeypatch.setattr(prefetch, "PATIENCE", 0.05)
    go = threading.Event()

    def give() -> Iterator[int]:
        yield 1
        go.wait(10)
        yield 2

    ahead = Prefetch(give(), 1)
    assert next(ahead) == 1
    began = time.perf_counter()
    ahead.close()
    assert time.perf_counter() - began < 1.0
    go.set()
    ahead._thread.join(10)


# -- a source that hangs, in a process of its own ----------------------------------------------

HANGING = """
import sys, time, threading
import numpy as np
import throughtime as tt
x = np.random.default_rng(0).normal(size=(4, 6, 2))
def give():
    for _ in range(3):
        yield x, x[:, 0, :1]
    print("waits", flush=True)
    {hang}
net = tt.Network([tt.layers.GRU(3), tt.layers.Dense(1)], n_features=2)
class Tell(tt.Callback):
    def on_batch_end(self, run):
        print("batch", run.batch, flush=True)
        time.sleep({pause})
try:
    history = tt.train(net, batches=give, epochs=9, prefetch={prefetch}, callbacks=[Tell()])
    print("ended:", history.stopped, len(history.epochs))
except KeyboardInterrupt:
    print("raised", np.isfinite(net.params.flat).all())
"""
FOREVER = "threading.Event().wait()"
BRIEFLY = "time.sleep(1.0); yield x, x[:, 0, :1]"


def start(**options: Any) -> subprocess.Popen[str]:
    code = HANGING.format(**options)
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    for found in process.stdout:
        if found.strip() == line:
            return
    raise AssertionError(f"the process ended without {line!r}")


@pytest.mark.parametrize("ahead", [0, 2])
def test_ctrl_c_while_a_source_hangs(ahead):
    process = start(hang=FOREVER, prefetch=ahead, pause=0)
    try:
        wait_for(process, "batch 3")
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, error
    assert out.splitlines()[-1] == "raised True"


def test_the_first_ctrl_c_ends_after_the_batch():
    process = start(hang=FOREVER, prefetch=2, pause=0.2)
    try:
        wait_for(process, "batch 3")
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, error
    assert out.splitlines()[-1] == "ended: interrupted 0"
    assert "the weights are those after its last batch" in error


def test_the_first_ctrl_c_ends_after_the_batch_that_is_waited_for():
    process = start(hang=BRIEFLY, prefetch=2, pause=0)
    try:
        wait_for(process, "batch 3")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, error
    assert out.splitlines()[-1] == "ended: interrupted 0"
    assert "batch 5" not in out
