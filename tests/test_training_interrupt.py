"""Ctrl-C: the first ends a run cleanly, the second raises; the handler is restored."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import throughtime as tt
from throughtime.training import Callback, train
from throughtime.training.interrupt import CLEAN_END, Interruption


def example():
    x = np.random.default_rng(0).normal(size=(12, 6, 2))
    net = tt.Network([tt.layers.GRU(3), tt.layers.Dense(1)], n_features=2, seed=1)
    return net, x, x[:, 0, :1]


class Press(Callback):
    """Presses Ctrl-C after a batch."""

    def __init__(self, *places):
        self.places = places
        self.weights = {}

    def on_batch_end(self, run):
        if (run.epoch, run.batch) in self.places:
            signal.raise_signal(signal.SIGINT)

    def on_epoch_end(self, run):
        self.weights[run.epoch] = run.net.params.flat.copy()
        if (run.epoch, "end") in self.places:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def handler():
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


def test_the_best_weights_stay():
    net, x, y = example()
    press = Press((4, 2))
    # The validation targets are the negated training targets: validation only gets worse.
    history = train(
        net, x, y, epochs=99, batch_size=4, validation=(x, -y), callbacks=[press],
        optimizer=tt.optimizers.Adam(0.05),
    )  # fmt: skip
    assert history.stopped == "interrupted"
    assert history.epochs == [1, 2, 3]
    assert history.best_epoch == int(np.argmin(history["val_loss"])) + 1
    np.testing.assert_array_equal(net.params.flat, press.weights[history.best_epoch])


def test_before_the_first_epoch_is_over():
    net, x, y = example()
    before = net.params.flat.copy()
    history = train(net, x, y, epochs=9, batch_size=4, callbacks=[Press((1, 1))])
    assert history.stopped == "interrupted"
    assert history.epochs == []
    assert repr(history) == "History(no epoch finished)"
    # One batch was trained on, and there are no better weights to restore.
    assert (net.params.flat != before).any()


@pytest.mark.parametrize("verbose", [None, True])
def test_a_line_says_which_weights_are_there(verbose, capsys):
    net, x, y = example()
    history = train(
        net, x, y, epochs=9, batch_size=4, callbacks=[Press((4, 2))], verbose=verbose,
        validation=(x, -y), optimizer=tt.optimizers.Adam(0.05),
    )  # fmt: skip
    assert capsys.readouterr().err == (
        f"throughtime: Ctrl-C ended training; the weights of epoch {history.best_epoch}, the best"
        " so far, are restored.\n"
    )
    train(net, x, y, epochs=9, batch_size=4, callbacks=[Press((1, 1))], verbose=verbose)
    assert capsys.readouterr().err == (
        "throughtime: Ctrl-C ended training; the weights are those after its last batch.\n"
    )
    train(net, x, y, epochs=9, batch_size=4, verbose=verbose)
    assert capsys.readouterr().err == ""


def test_silence_is_kept(capsys, monkeypatch):
    net, x, y = example()
    train(net, x, y, epochs=9, callbacks=[Press((1, 1))], verbose=False)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", None)
    history = train(net, x, y, epochs=9, callbacks=[Press((1, 1))], verbose=True)
    assert history.stopped == "interrupted"


def test_between_two_epochs():
    net, x, y = example()
    press = Press((2, "end"))
    history = train(net, x, y, epochs=9, callbacks=[press])
    assert history.stopped == "interrupted"
    assert history.epochs == [1, 2]
    np.testing.assert_array_equal(net.params.flat, press.weights[history.best_epoch])


def test_in_the_last_batch_of_all():
    net, x, y = example()
    history = train(net, x, y, epochs=2, batch_size=4, callbacks=[Press((2, 3))])
    assert history.epochs == [1, 2]
    assert history.stopped == "interrupted"


def test_twice_raises():
    net, x, y = example()
    with pytest.raises(KeyboardInterrupt):
        train(net, x, y, epochs=9, batch_size=4, callbacks=[Press((2, 1)), Press((2, 1))])


def test_an_interrupted_run_can_be_resumed(tmp_path):
    path = tmp_path / "run.ckpt"
    whole, x, y = example()
    expected = train(whole, x, y, epochs=5, batch_size=4)
    for place in [(2, 1), (3, "end")]:
        net, x, y = example()
        options = {"epochs": 5, "batch_size": 4, "checkpoint": path, "resume": True}
        history = train(net, x, y, callbacks=[Press(place)], **options)
        assert history.stopped == "interrupted"
    history = train(net, x, y, callbacks=[Callback()], **options)
    assert history.stopped == "finished"
    assert history["loss"] == expected["loss"]
    assert net.params.flat.tobytes() == whole.params.flat.tobytes()


def test_other_threads_install_nothing():
    seen = []

    def work():
        net, x, y = example()
        train(net, x, y, epochs=1)
        with Interruption() as interruption:
            seen.append(interruption.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        net, x, y = example()
        history = train(net, x, y, epochs=2, callbacks=[Press((1, 1))])
        assert history.stopped == "finished"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


SCRIPT = """
import sys
sys.path.insert(0, {src!r})
import numpy as np
import throughtime as tt

x = np.random.default_rng(0).normal(size=(12, 6, 2))
net = tt.Network([tt.layers.GRU(3), tt.layers.Dense(1)], n_features=2, seed=1)
best = {{}}

def report(run):
    value = run.history["val_loss"][-1]
    if not best or value < best["value"]:
        best.update(value=value, weights=run.net.params.flat.copy())
    if run.epoch == 2:
        print("ready", flush=True)

history = tt.train(net, x, x[:, 0, :1], epochs=10**6, validation=0.25, callbacks=[report])
print(history.stopped, (net.params.flat == best["weights"]).all(), flush=True)
try:
    import time
    print("again", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("as before", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to all processes")
def test_a_real_signal():
    src = str(Path(__file__).resolve().parent.parent / "src")
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(src=src)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted True\n"
        assert process.stdout.readline() == "again\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "as before\n"
        assert process.wait(30) == 0
        (line,) = process.stderr.read().splitlines()
        assert line.startswith("throughtime: Ctrl-C ended training; the weights of epoch ")
        assert line.endswith(", the best so far, are restored.")
    finally:
        process.kill()
        process.communicate()


def test_without_a_clean_end_ctrl_c_is_a_keyboard_interrupt_at_once():
    net, x, y = example()
    before = CLEAN_END.set(False)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(net, x, y, epochs=99, callbacks=[Press((2, 1))])
    finally:
        CLEAN_END.reset(before)
