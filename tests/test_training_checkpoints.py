"""Checkpoints: a killed and resumed run ends with the bits of a run that never stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import throughtime as tt
from throughtime.layers import GRU, LSTM, Dense
from throughtime.optimizers import SGD, Adam, RMSProp
from throughtime.optimizers.schedules import Cosine, Plateau, Warmup
from throughtime.serialization.container import read_container, write_container
from throughtime.training import Callback, Checkpoint, EarlyStopping, train

LENGTHS = np.array([6, 1, 3, 2, 6, 5, 4, 1, 2, 6, 6, 4])


def data():
    x = np.random.default_rng(0).normal(size=(12, 6, 2))
    return x, np.cumsum(x[..., :1], axis=1)


def network(dtype="float32"):
    layers = [LSTM(5, return_sequences=True, dropout=0.2, recurrent_dropout=0.1), Dense(1)]
    return tt.Network(layers, n_features=2, dtype=dtype, seed=4)


OPTIMIZERS = {
    "adam": lambda: Adam(0.01, amsgrad=True),
    "momentum": lambda: SGD(Cosine(0.05, length=9), momentum=0.9, nesterov=True),
    "warm-up by steps": lambda: RMSProp(Warmup(Plateau(0.01, patience=1), length=7), centered=True),
}


class Killed(BaseException):
    """Stands in for the end of the process."""


def kill_at(epoch, batch=None):
    class Killer(Callback):
        def on_batch_end(self, run):
            if (run.epoch, run.batch) == (epoch, batch):
                raise Killed

        def on_epoch_end(self, run):
            if batch is None and run.epoch == epoch:
                raise Killed

    return Killer()


def run(net, optimizer, callbacks=(), path=None, **options):
    x, y = data()
    defaults = {
        "lengths": LENGTHS, "epochs": 9, "batch_size": 5, "validation": 0.25, "seed": 2,
        "metrics": ["mae"], "clip_norm": 1.0, "l2": 1e-3, "bucket": True, "keep_outputs": True,
    }  # fmt: skip
    rule = EarlyStopping("val_mae", patience=8)
    everything = [rule, *callbacks]
    return train(
        net, x, y, optimizer=optimizer, callbacks=everything, checkpoint=path,
        **(defaults | options),
    )  # fmt: skip


def assert_same_run(history, other):
    for name in history:
        if name != "seconds":
            assert history[name] == other[name], name
    assert history.best_epoch == other.best_epoch
    assert history.stopped == other.stopped
    assert history.restored == other.restored
    assert [o.tobytes() for o in history.outputs] == [o.tobytes() for o in other.outputs]


def assert_same_state(state, other):
    assert state.keys() == other.keys()
    for name in state:
        assert np.asarray(state[name]).tobytes() == np.asarray(other[name]).tobytes(), name


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
@pytest.mark.parametrize("place", [(1, 1), (2, None), (4, 2), (9, 1)])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, make, place):
    path = tmp_path / "run.ckpt"
    whole, optimizer = network(), make()
    expected = run(whole, optimizer)

    broken = network()
    with pytest.raises(Killed):
        run(broken, make(), [kill_at(*place)], path)
    resumed, resumed_optimizer = network(), make()
    resumed.reset_parameters(99)
    if place == (1, 1):
        assert not path.exists()
        resumed = network()
    history = run(resumed, resumed_optimizer, [Callback()], path, resume=True)
    assert resumed.params.flat.tobytes() == whole.params.flat.tobytes()
    assert_same_state(resumed_optimizer.state_dict(), optimizer.state_dict())
    assert_same_run(history, expected)


SCRIPT = """
import sys, os, signal
from pathlib import Path
sys.path[:0] = [{tests!r}, {src!r}]
from test_training_checkpoints import Callback, OPTIMIZERS, network, run

class Killer(Callback):
    def on_batch_end(self, state):
        if (state.epoch, state.batch) == {place!r}:
            os.kill(os.getpid(), signal.SIGKILL)

run(network(), OPTIMIZERS["adam"](), [Killer()], sys.argv[1], resume=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_process_that_is_killed(tmp_path):
    path = tmp_path / "run.ckpt"
    root = Path(__file__).resolve().parent
    for place in [(3, 1), (6, 2)]:
        script = SCRIPT.format(tests=str(root), src=str(root.parent / "src"), place=place)
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    net, whole = network(), network()
    history = run(net, OPTIMIZERS["adam"](), [Callback()], path, resume=True)
    assert_same_run(history, run(whole, OPTIMIZERS["adam"]()))
    assert net.params.flat.tobytes() == whole.params.flat.tobytes()
    assert [p.name for p in tmp_path.iterdir()] == ["run.ckpt"]


def test_more_epochs_go_on_from_a_finished_run(tmp_path):
    path = tmp_path / "run.ckpt"
    whole, net = network(), network()
    expected = run(whole, Adam(0.01), epochs=7)
    run(net, Adam(0.01), path=path, epochs=4)
    other = network()
    history = run(other, Adam(0.01), path=path, epochs=7, resume=True)
    assert_same_run(history, expected)
    assert other.params.flat.tobytes() == whole.params.flat.tobytes()


def test_fewer_epochs_than_were_run_are_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    run(network(), Adam(0.01), path=path, epochs=4)
    net = network()
    before = net.params.flat.copy()
    with pytest.raises(tt.errors.InvalidArgumentError) as caught:
        run(net, Adam(0.01), path=path, epochs=3, resume=True)
    assert str(caught.value) == (
        f"epochs must be at least 4, which the run in {path} has finished already; got 3."
        " Leave out resume=True to start anew."
    )
    np.testing.assert_array_equal(net.params.flat, before)


def test_a_run_that_ended_is_only_read(tmp_path):
    path = tmp_path / "run.ckpt"
    net, again = network(), network()
    history = run(net, Adam(0.05), path=path, epochs=6)
    found = run(again, Adam(0.05), path=path, epochs=6, resume=True)
    assert_same_run(found, history)
    assert again.params.flat.tobytes() == net.params.flat.tobytes()


def test_a_run_that_stopped_early_stays_stopped(tmp_path):
    path = tmp_path / "run.ckpt"
    x, y = data()
    nets = network(), network()
    histories = [
        train(
            net, x, y, epochs=50, optimizer=SGD(1e-300), checkpoint=path, resume=True,
            callbacks=[EarlyStopping("loss", patience=2, min_delta=10.0)],
        )
        for net in nets
    ]  # fmt: skip
    assert histories[0].stopped == "early stopping"
    assert histories[0].epochs == [1, 2, 3]
    assert_same_run(*histories)
    assert nets[0].params.flat.tobytes() == nets[1].params.flat.tobytes()


def test_an_object_of_an_earlier_run_starts_anew(tmp_path):
    x, y = data()
    rule = EarlyStopping("loss", patience=2, min_delta=10.0)
    for name in ("first.ckpt", "second.ckpt"):
        history = train(
            network(), x, y, epochs=9, optimizer=SGD(1e-300), callbacks=[rule],
            checkpoint=tmp_path / name, resume=True,
        )  # fmt: skip
        assert history.epochs == [1, 2, 3]


def test_every(tmp_path):
    path = tmp_path / "run.ckpt"
    saved = []

    def look(state):
        saved.append(read_container(path, "checkpoint")[1]["epoch"] if path.exists() else 0)

    run(network(), Adam(), [look], Checkpoint(path, every=3), epochs=8)
    assert saved == [0, 0, 0, 3, 3, 3, 6, 6]
    assert read_container(path, "checkpoint")[1]["epoch"] == 8


def test_callbacks_remember(tmp_path):
    class Count(Callback):
        total = 0

        def on_batch_end(self, state):
            self.total += 1

        def state_dict(self):
            return {"total": self.total}

        def load_state_dict(self, state):
            self.total = state["total"]

    path = tmp_path / "run.ckpt"
    with pytest.raises(Killed):
        run(network(), Adam(), [Count(), kill_at(4, 1)], path)
    count = Count()
    run(network(), Adam(), [count, Callback()], path, resume=True)
    assert count.total == 9 * 2


OTHERS = [
    ({"batch_size": 4}, "batch_size: 5 then, 4 now"),
    ({"seed": 3}, "data"),
    ({"l2": 0.0}, "l2: 0.001 then, 0.0 now"),
    ({"clip_norm": None}, "clip_norm: 1.0 then, None now"),
    ({"shuffle": False}, "shuffle: True then, False now"),
    ({"lengths": np.minimum(LENGTHS, 5)}, "data"),
    (
        {"loss": "mae"},
        (
            "loss: {'class': 'MSE', 'reduction': 'mean'} then,"
            " {'class': 'MAE', 'reduction': 'mean'} now"
        ),
    ),
]


def test_data_of_another_shape_with_the_same_bytes_are_other_data(tmp_path):
    path = tmp_path / "run.ckpt"
    x, y = data()
    train(network(), x, y, epochs=1, checkpoint=path)
    for shape in ((6, 12), (24, 3)):
        with pytest.raises(tt.errors.ModelFileError, match=r"belongs to a run with other data\."):
            train(
                network(),
                x.reshape(*shape, 2),
                y.reshape(*shape, 1),
                epochs=2,
                checkpoint=path,
                resume=True,
            )


@pytest.mark.parametrize(("options", "what"), OTHERS)
def test_another_run_is_refused(tmp_path, options, what):
    path = tmp_path / "run.ckpt"
    run(network(), Adam(), path=path, epochs=1)
    net = network()
    before = net.params.flat.copy()
    with pytest.raises(tt.errors.ModelFileError) as caught:
        run(net, Adam(), path=path, resume=True, **options)
    assert str(caught.value) == (
        f"{path} belongs to a run with other {what}."
        " Use another checkpoint path, or leave out resume=True to start anew."
    )
    np.testing.assert_array_equal(net.params.flat, before)


def test_another_optimizer_network_or_dtype_is_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    run(network(), Adam(), path=path, epochs=1)
    cases = [(network(), Adam(0.5), "optimizer"), (network("float64"), Adam(), "network")]
    other = tt.Network([GRU(5, return_sequences=True), Dense(1)], n_features=2)
    for net, optimizer, what in [*cases, (other, Adam(), "network")]:
        with pytest.raises(tt.errors.ModelFileError, match=f"belongs to a run with other {what}: "):
            run(net, optimizer, path=path, resume=True)


def test_other_callbacks_are_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    run(network(), Adam(), path=path, epochs=1)
    with pytest.raises(tt.errors.ModelFileError) as caught:
        run(network(), Adam(), [Callback()], path, resume=True)
    assert str(caught.value) == (
        f"{path} belongs to a run with 1 callbacks, not 2. Give the same callbacks to continue."
    )


def test_without_resume_an_old_file_is_replaced(tmp_path):
    path = tmp_path / "run.ckpt"
    path.write_bytes(b"something else")
    run(network(), Adam(), path=path, epochs=1)
    assert read_container(path, "checkpoint")[1]["epoch"] == 1


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    run(network(), Adam(), path=path, epochs=1)
    whole = path.read_bytes()
    for data in (whole[:-100], whole[:-1] + bytes([whole[-1] ^ 1]), b"", b"PK\x03\x04"):
        path.write_bytes(data)
        net = network()
        before = net.params.flat.copy()
        with pytest.raises(tt.errors.ModelFileError, match="is not a usable checkpoint file: "):
            run(net, Adam(), path=path, resume=True)
        np.testing.assert_array_equal(net.params.flat, before)
        assert path.read_bytes() == data


def test_a_file_made_by_hand_is_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    run(network(), Adam(), path=path, epochs=2)
    arrays, meta = read_container(path, "checkpoint")
    changes = [
        (arrays, {k: v for k, v in meta.items() if k != "best"}),
        (arrays, meta | {"epoch": 7}),
        (arrays, meta | {"history": 3}),
        (arrays, meta | {"history": {"columns": {"loss": ["x"]}}}),
        (arrays, meta | {"history": {"columns": {"loss": [1.0, 2.0], "lr": [1.0]}}}),
        (arrays, meta | {"callbacks": []}),
        (arrays, meta | {"fingerprint": {}}),
        (arrays, meta | {"best": {"best": "x", "best_epoch": 1, "waited": 0}}),
        (arrays, meta | {"optimizer": {"steps": 3}}),
        ({k: v for k, v in arrays.items() if k != "params"}, meta),
        (arrays | {"params": np.zeros(3, "float32")}, meta),
        (arrays | {"optimizer.mean": np.zeros(3, "float32")}, meta),
        (arrays | {"best": arrays["best"].astype("float64")}, meta),
    ]
    for other_arrays, other_meta in changes:
        write_container(path, other_arrays, other_meta, "checkpoint")
        net = network()
        before = net.params.flat.copy()
        with pytest.raises(tt.errors.ModelFileError):
            run(net, Adam(), path=path, resume=True)
        np.testing.assert_array_equal(net.params.flat, before)


def test_a_user_object_is_compared_by_its_name(tmp_path):
    def first(y, target):
        return float(np.mean(y))

    def second(y, target):
        return float(np.mean(y))

    path = tmp_path / "run.ckpt"
    run(network(), Adam(), path=path, epochs=1, metrics=["mae", first])
    run(network(), Adam(), path=path, epochs=2, metrics=["mae", first], resume=True)
    with pytest.raises(tt.errors.ModelFileError, match="other metrics"):
        run(network(), Adam(), path=path, epochs=3, metrics=["mae", second], resume=True)


def test_an_unwritable_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.ckpt"

    def full(handle):
        raise OSError(28, "No space left on device")

    def fill(state):
        if state.epoch == 3:
            monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left on device"):
        run(network(), Adam(), [fill], path)
    assert read_container(path, "checkpoint")[1]["epoch"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["run.ckpt"]
