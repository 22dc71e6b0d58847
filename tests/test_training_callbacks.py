"""Early stopping, schedules and callbacks, which control a run."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.layers import GRU, Dense
from throughtime.optimizers import SGD, Adam
from throughtime.optimizers.schedules import Exponential, Plateau, Warmup
from throughtime.training import Callback, EarlyStopping, train


def series(n=10, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 6, 2))
    return x, np.cumsum(x[..., :1], axis=1)


def tagger():
    layers = [GRU(4, return_sequences=True), Dense(1)]
    return tt.Network(layers, n_features=2, dtype="float64", seed=3)


def classifier():
    layers = [GRU(4), Dense(3, activation="softmax")]
    return tt.Network(layers, n_features=2, dtype="float64", seed=3)


STILL = SGD(1e-300)  # a rate so small that the weights keep every bit


def test_schedules_follow_epochs_and_losses():
    x, y = series()
    history = train(tagger(), x, y, epochs=4, optimizer=SGD(Exponential(0.1, 0.5)))
    np.testing.assert_allclose(history["lr"], [0.1, 0.05, 0.025, 0.0125])
    plateau = Plateau(1e-300, patience=1, factor=0.5)
    history = train(tagger(), x, y, epochs=6, optimizer=SGD(plateau), validation=(x, y))
    np.testing.assert_allclose(np.array(history["lr"]) / 1e-300, [1, 1, 1, 0.5, 0.5, 0.25])


@pytest.mark.parametrize("warm", [False, True])
def test_a_plateau_may_watch_a_score(warm):
    x, _ = series()
    y = np.arange(len(x)) % 3
    plateau = Plateau(
        1e-300, patience=1, factor=0.5, greater_is_better=True, monitor="val_accuracy"
    )
    lr = Warmup(plateau, length=1, start=1.0) if warm else plateau
    options = {"loss": "cce", "metrics": ["accuracy"], "validation": (x, y)}
    history = train(classifier(), x, y, epochs=6, optimizer=SGD(lr), **options)
    # The first value is better than none; after that it stays.
    np.testing.assert_allclose(np.array(history["lr"]) / 1e-300, [1, 1, 1, 0.5, 0.5, 0.25])
    seen = []
    plateau.observe = seen.append
    history = train(classifier(), x, y, epochs=2, optimizer=SGD(lr), **options)
    assert seen == history["val_accuracy"]


PLATEAUS = [
    (
        Plateau(0.1, greater_is_better=True),
        (
            "greater_is_better must be False for a Plateau that watches 'val_loss', of which small"
            " values are good; got True. Name the score: monitor='val_accuracy'."
        ),
    ),
    (
        Warmup(Plateau(0.1, monitor="val_accuracy"), length=2),
        (
            "greater_is_better must be True for a Plateau that watches 'val_accuracy', of which"
            " large values are good; got False."
        ),
    ),
    (
        Plateau(0.1, monitor="val_f1"),
        "monitor must be one of 'loss', 'accuracy', 'val_loss', 'val_accuracy'; got 'val_f1'.",
    ),
    (
        Plateau(0.1, monitor=3),
        "monitor must be one of 'loss', 'accuracy', 'val_loss', 'val_accuracy'; got 3.",
    ),
]


@pytest.mark.parametrize(("lr", "message"), PLATEAUS)
def test_a_plateau_that_cannot_watch(lr, message):
    x, _ = series()
    y = np.arange(len(x)) % 3
    with pytest.raises(tt.errors.InvalidArgumentError) as caught:
        train(
            classifier(), x, y, loss="cce", metrics=["accuracy"], validation=0.3, optimizer=SGD(lr)
        )
    assert str(caught.value) == message


def test_early_stopping_restores_the_best_weights():
    x, y = series()
    held_x, held_y = series(seed=9)
    net = tagger()
    snapshots = []
    stopping = EarlyStopping(patience=3)
    history = train(
        net, x[:2], y[:2] + 5, epochs=200, validation=(held_x, held_y), optimizer=Adam(0.05),
        callbacks=[stopping, lambda run: snapshots.append(run.net.params.flat.copy())],
    )  # fmt: skip
    best = int(np.argmin(history["val_loss"]))
    assert history.stopped == "early stopping"
    assert history.monitor == "val_loss"
    assert history.best_epoch == stopping.best_epoch == best + 1
    assert len(history.epochs) == best + 1 + 3
    assert history.restored
    np.testing.assert_array_equal(net.params.flat, snapshots[best])
    assert np.mean((net.predict(held_x) - held_y) ** 2) == pytest.approx(stopping.best)


def test_early_stopping_can_leave_the_last_weights():
    x, y = series()
    net = tagger()
    last = []
    history = train(
        net, x, y, epochs=50, optimizer=STILL,
        callbacks=[
            EarlyStopping("loss", patience=2, restore_best=False),
            lambda run: last.append(run.net.params.flat.copy()),
        ],
    )  # fmt: skip
    assert not history.restored
    np.testing.assert_array_equal(net.params.flat, last[-1])


def test_early_stopping_knows_that_accuracy_is_to_grow():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(30, 4, 2)), rng.integers(0, 3, size=30)
    history = train(
        classifier(), x, labels, loss="categorical_crossentropy", metrics=["accuracy"],
        epochs=40, optimizer=Adam(0.02), callbacks=[EarlyStopping("accuracy", patience=40)],
    )  # fmt: skip
    assert history.best_epoch == int(np.argmax(history["accuracy"])) + 1
    assert history["accuracy"][0] < max(history["accuracy"])


def test_min_delta():
    x, y = series()
    history = train(
        tagger(), x, y, epochs=50, optimizer=SGD(1e-6),
        callbacks=[EarlyStopping(patience=4, min_delta=1.0)],
    )  # fmt: skip
    assert history.best_epoch == 1
    assert history.epochs == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("monitor", ["loss", "mse"])
def test_an_equal_value_is_not_better(monitor):
    x, y = series()
    rule = EarlyStopping(monitor, patience=2)
    options = {"batch_size": None, "optimizer": STILL, "metrics": ["mse"], "callbacks": [rule]}
    history = train(tagger(), x, y, epochs=50, shuffle=False, **options)
    assert len(set(history[monitor])) == 1
    assert history.best_epoch == 1
    assert history.epochs == [1, 2, 3]


class Recorder(Callback):
    def __init__(self, stop_in=None, log=None):
        self.log = [] if log is None else log
        self.stop_in = stop_in

    def on_train_begin(self, run):
        self.log.append("begin")

    def on_batch_end(self, run):
        self.log.append(f"batch {run.epoch}.{run.batch}")
        assert np.isfinite(run.loss)
        if self.stop_in == (run.epoch, run.batch):
            run.stop("enough")
            run.stop("again")

    def on_epoch_end(self, run):
        self.log.append(f"epoch {run.epoch}")
        assert len(run.history["loss"]) == run.epoch
        if self.stop_in == run.epoch:
            run.stop()

    def on_train_end(self, run):
        self.log.append("end")
        assert run.history.stopped


def test_order_of_callbacks():
    x, y = series()
    recorder = Recorder()
    train(tagger(), x, y, epochs=2, batch_size=5, callbacks=[recorder])
    assert recorder.log == [
        "begin", "batch 1.1", "batch 1.2", "epoch 1", "batch 2.1", "batch 2.2", "epoch 2", "end",
    ]  # fmt: skip


def test_a_callback_stops_after_its_batch():
    x, y = series()
    recorder = Recorder(stop_in=(2, 1))
    history = train(tagger(), x, y, epochs=9, batch_size=5, callbacks=[recorder])
    assert recorder.log[-4:] == ["batch 1.2", "epoch 1", "batch 2.1", "end"]
    assert history.stopped == "enough"
    assert history.epochs == [1]


def test_a_stop_in_the_last_batch_leaves_a_whole_epoch():
    x, y = series()
    recorder = Recorder(stop_in=(2, 2))
    history = train(tagger(), x, y, epochs=9, batch_size=5, callbacks=[recorder])
    assert recorder.log[-3:] == ["batch 2.2", "epoch 2", "end"]
    assert history.stopped == "enough"
    assert history.epochs == [1, 2]


def test_a_callback_stops_after_its_epoch():
    x, y = series()
    history = train(tagger(), x, y, epochs=9, callbacks=[Recorder(stop_in=2)])
    assert history.stopped == "stopped by a callback"
    assert history.epochs == [1, 2]


def test_an_error_in_a_callback_is_passed_on():
    x, y = series()
    log = []

    def fail(run):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        train(tagger(), x, y, epochs=9, callbacks=[Recorder(log=log), fail])
    assert log[-1] == "epoch 1"


def test_a_batch_ends_once_however_many_chunks_it_has():
    x, y = series()
    ends = []

    class Count(Callback):
        def on_batch_end(self, run):
            ends.append(run.optimizer.steps)

    train(tagger(), x, y, epochs=1, batch_size=5, tbptt=(3, 3), callbacks=[Count()])
    assert ends == [2, 4]
