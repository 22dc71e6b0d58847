"""Averages of weights: what they are, what is judged, what a run returns however it ends."""

import signal

import numpy as np
import pytest
from averaging_cases import Path, data, network, refuses, run

import throughtime as tt
from throughtime.errors import (
    DivergedError,
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
)
from throughtime.layers import GRU, Dense
from throughtime.optimizers import SGD, Adam
from throughtime.training import EMA, SWA, Callback, EarlyStopping, History, Run, train


def ema_of(path, decay):
    shares = [1.0] + [1 - min(decay, (1 + t) / (10 + t)) for t in range(2, len(path) + 1)]
    keeps = np.cumprod([1.0, *(1 - np.array(shares[:0:-1]))])[::-1]
    return (np.array(shares) * keeps) @ np.array(path)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9999])
def test_an_exponential_average_is_the_weighted_mean_of_the_path(decay):
    average, path = EMA(decay), Path()
    net, _ = run(average, path)
    assert average.count == len(path.weights) == 24
    np.testing.assert_allclose(average.weights, ema_of(path.weights, decay), rtol=1e-12)
    assert np.array_equal(net.params.flat, average.weights.astype("float32"))


@pytest.mark.parametrize(
    ("average", "taken"),
    [
        (SWA(), [20, 23]),  # the ends of epochs 7 and 8 of 8, with 3 updates each
        (SWA(start=0.5, every=2), [17, 23]),
        (SWA(start=0.0), [2, 5, 8, 11, 14, 17, 20, 23]),
        (SWA(start=5), [17, 20, 23]),
        (SWA(start=0.9), [23]),
        (SWA(start=0.75, per="step"), [18, 19, 20, 21, 22, 23]),
        (SWA(start=0.8, every=3, per="step"), [20, 23]),
    ],
    ids=repr,
)
def test_a_stochastic_average_is_the_mean_of_what_it_takes(average, taken):
    path = Path()
    net, _ = run(average, path)
    assert average.count == len(taken)
    mean = np.mean([path.weights[i] for i in taken], axis=0)
    np.testing.assert_allclose(average.weights, mean, rtol=1e-12)
    assert np.array_equal(net.params.flat, average.weights.astype("float32"))


def test_a_share_of_the_epochs_is_not_rounded_below_itself():
    """In floating-point numbers, 0.29 * 100 is less than 29."""
    average, now = SWA(start=0.29), Run(network(), SGD(), History(), 100)
    for now.epoch, count in ((28, 0), (29, 0), (30, 1)):
        average.after_epoch(now)
        assert average.count == count


def test_training_goes_on_with_the_raw_weights():
    plain, averaged = Path(), Path()
    _, without = run(None, plain)
    _, with_average = run(EMA(0.9), averaged)
    assert np.array_equal(plain.weights, averaged.weights)
    assert without["loss"] == with_average["loss"]
    assert without["val_loss"] != with_average["val_loss"]


@pytest.mark.parametrize("make", [lambda: EMA(0.9), lambda: SWA(0.3)])
def test_what_comes_back_is_what_was_judged(make):
    x, y = data(6, seed=1)
    judged = []

    def look(run):
        with average.applied(run.net):
            judged.append(tt.evaluate(run.net, x, y)["loss"])

    average = make()
    net, history = run(average, look, metrics=["mae"], keep_outputs=True)
    assert history["val_loss"] == judged
    assert tt.evaluate(net, x, y) == {k: history[f"val_{k}"][-1] for k in ("loss", "mae")}
    assert np.array_equal(history.outputs[-1], net.predict(data()[0]))

    average, judged[:] = make(), []
    optimizer = SGD(0.3)  # too large: the losses go up and down
    net, history = run(average, EarlyStopping(patience=20), look, optimizer=optimizer)
    assert history["val_loss"] == judged
    assert history.best_epoch == 1 + int(np.argmin(judged))
    assert tt.evaluate(net, x, y)["loss"] == min(judged)


def test_until_it_starts_a_stochastic_average_is_the_last_weights():
    average = SWA(start=100)
    net, history = run(average)
    plain, without = run()
    assert (average.weights, average.count) == (None, 0)
    assert np.array_equal(net.params.flat, plain.params.flat)
    assert history["val_loss"] == without["val_loss"]


def test_a_chunk_of_time_is_an_update():
    average = EMA()
    run(average, epochs=1, batch_size=None, tbptt=(2, 2))
    assert average.count == 3


def test_frozen_layers_keep_their_bits():
    for average in (EMA(0.9), SWA(start=0.0)):
        net = network(lr_multiplier=0)
        before = net.params["0.W_x"].copy()
        run(average, net=net)
        assert np.array_equal(net.params["0.W_x"], before)


def test_small_steps_are_not_lost():
    """In float32 the step 1e-4 * 1e-5 from 1 would be rounded away."""
    net = network()
    average = EMA(0.9999)
    net.params.flat[...] = 1.0
    average.update(net)
    average.count = 10**6
    net.params.flat[...] = 1.0 + 1e-5
    for _ in range(20_000):
        average.update(net)
    distance = float(np.float32(1.0 + 1e-5)) - 1.0
    np.testing.assert_allclose(average.weights - 1.0, distance * (1 - 0.9999**20_000), rtol=1e-9)


def test_a_new_run_forgets_the_average_of_the_last():
    average = EMA(0.9)
    first, _ = run(average)
    second, _ = run(average)
    assert average.count == 24
    assert np.array_equal(first.params.flat, second.params.flat)


def test_in_a_loop_of_your_own():
    net, average = network(), SWA()
    before = net.params.flat.copy()
    with average.applied(net):
        assert np.array_equal(net.params.flat, before)
    for value in (1.0, 2.0, 6.0):
        net.params.flat[...] = value
        average.update(net)
    with average.applied(net):
        assert (net.params.flat == 3.0).all()
    assert (net.params.flat == 6.0).all()
    with pytest.raises(KeyError), average.applied(net):
        raise KeyError
    assert (net.params.flat == 6.0).all()
    small = tt.Network([Dense(1)], n_features=2)
    message = (
        "net must have the 166 parameters of the average; got 3. Call reset() before using it for"
        " another network."
    )
    with refuses(ShapeError, message):
        average.update(small)
    average.reset()
    average.update(small)


def test_divergence_leaves_the_best_average_or_the_last_finite_weights():
    def explode(epoch):
        def at_end(run):
            if run.epoch == epoch:
                run.optimizer.lr = 1e30

        return at_end

    average = EMA(0.9)
    judged = {}

    def look(run):
        judged[run.history["val_loss"][-1]] = average.weights.astype("float32")

    net = network()
    with pytest.raises(DivergedError) as caught:
        run(average, look, explode(3), net=net)
    assert "the best so far, are restored" in str(caught.value)
    assert np.array_equal(net.params.flat, judged[min(judged)])

    net, path = network(), Path()
    with pytest.raises(DivergedError) as caught:
        run(EMA(0.9), path, net=net, optimizer=SGD(1e30))
    assert "the last weights with a finite loss are restored" in str(caught.value)
    assert np.isfinite(net.params.flat).all()


def test_the_average_may_diverge_on_the_validation_data():
    x, y = data()
    net, path = tt.Network([Dense(1)], n_features=2, seed=1), Path()
    net.params.flat[...] = 9.0
    with pytest.raises(DivergedError, match="on the validation data after epoch 1"):
        run(EMA(0.9), path, net=net, validation=(1e38 * x, y), epochs=2)
    assert np.array_equal(net.params.flat, path.weights[-2].astype("float32"))  # with a finite loss


def test_a_run_that_a_callback_stops_leaves_the_average():
    class Stopping(Callback):
        def on_batch_end(self, run):
            if run.batch == 2:
                run.stop("enough")

    average = EMA(0.9)
    net, history = run(average, Stopping())
    assert (history.stopped, len(history.epochs), average.count) == ("enough", 0, 2)
    assert np.array_equal(net.params.flat, average.weights.astype("float32"))


@pytest.mark.parametrize("options", [{"shards": 2}, {"accumulate": 2, "batch_size": 3}])
def test_batches_in_parts_are_one_update(options):
    average, path, again = EMA(0.9), Path(), Path()
    run(average, path, **options)
    assert average.count == len(path.weights)
    np.testing.assert_allclose(average.weights, ema_of(path.weights, 0.9), rtol=1e-12)
    run(None, again, **options)
    assert np.array_equal(again.weights, path.weights)


def test_ctrl_c_leaves_the_best_average_or_the_last_weights(capsys):
    def interrupt(epoch, batch):
        class Interrupting(Callback):
            def on_batch_end(self, run):
                if (run.epoch, run.batch) == (epoch, batch):
                    signal.raise_signal(signal.SIGINT)

        return Interrupting()

    average, judged = EMA(0.9), {}

    def look(run):
        judged[run.history["val_loss"][-1]] = average.weights.astype("float32")

    net, history = run(average, look, interrupt(5, 2))
    assert history.stopped == "interrupted"
    assert np.array_equal(net.params.flat, judged[min(judged)])

    path = Path()
    net, history = run(EMA(0.9), path, interrupt(1, 2), verbose=None)
    assert history.stopped == "interrupted"
    assert np.array_equal(net.params.flat, path.weights[-1].astype("float32"))
    assert "the weights are those after its last batch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: EMA(1.0), InvalidArgumentError, "decay must be a number in [0, 1); got 1.0."),
        (lambda: EMA("0.9"), InvalidTypeError, "decay must be a number in [0, 1); got '0.9'."),
        (
            lambda: SWA(1.0),
            InvalidArgumentError,
            "start must be a number in [0, 1); got 1.0. A whole number is a number of epochs.",
        ),
        (lambda: SWA(-1), InvalidArgumentError, "start must be an integer >= 0; got -1."),
        (lambda: SWA(every=0), InvalidArgumentError, "every must be an integer >= 1; got 0."),
        (
            lambda: SWA(per="batch"),
            InvalidArgumentError,
            "per must be one of 'epoch', 'step'; got 'batch'.",
        ),
        (
            lambda: EMA(ema_momentum=0.9),
            InvalidTypeError,
            "EMA has no argument 'ema_momentum'; it is called decay here.",
        ),
        (
            lambda: SWA(swa_epoch_start=0.8),
            InvalidTypeError,
            "SWA has no argument 'swa_epoch_start'; it is called start here.",
        ),
        (
            lambda: SWA(swa_lr=0.1),
            InvalidTypeError,
            (
                "SWA has no argument 'swa_lr'; use the rate of the optimizer, such as"
                " tt.schedules.Linear(0.03, end=0.01, length=30)."
            ),
        ),
        (
            lambda: run(use_ema=True),
            InvalidTypeError,
            "train has no argument 'use_ema'; use callbacks=[tt.EMA(decay=0.999)].",
        ),
        (
            lambda: run(EMA(), SWA()),
            InvalidArgumentError,
            "callbacks must hold at most one average of weights; got EMA and SWA.",
        ),
    ],
)
def test_refusals(make, error, message):
    with refuses(error, message):
        make()


def test_a_loop_of_steps_has_the_average_of_train():
    x, y = data()
    average = EMA(0.9)
    net, _ = run(average, batch_size=None, epochs=4, shuffle=False, validation=None)
    own, mean = network(), EMA(0.9)
    step = tt.TrainStep(own, Adam(0.02), "mse", seed=2)
    for epoch in range(1, 5):
        step.begin_epoch(epoch)
        step(x, y)
        mean.update(own)
    assert np.array_equal(mean.weights, average.weights)
    with mean.applied(own):
        assert np.array_equal(own.params.flat, net.params.flat)


def test_graphs_have_averages():
    signal_, static = tt.Input(2, name="signal"), tt.Input(3, name="static", time=False)
    h = GRU(4)(signal_)
    outputs = Dense(1)(tt.layers.Concatenate()([h, static]))
    net = tt.Network(inputs=[signal_, static], outputs=outputs)
    x = {"signal": data()[0], "static": np.ones((12, 3))}
    average = EMA(0.9)
    train(net, x, np.ones((12, 1)), epochs=2, callbacks=[average], verbose=False)
    assert np.array_equal(net.params.flat, average.weights.astype("float32"))
