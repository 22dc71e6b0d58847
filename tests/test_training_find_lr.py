"""The test of rising learning rates: what it leaves alone, when it ends, what it suggests."""

import re

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.layers import GRU, LSTM, Dense
from throughtime.optimizers import SGD, Adam
from throughtime.training.find_lr import RangeTest


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def sums(n=256, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 10, 2))
    return x, np.cumsum(x[..., :1], axis=1)


def tagger(dtype="float32", dropout=0.0):
    layers = [GRU(8, return_sequences=True, dropout=dropout), Dense(1)]
    return tt.Network(layers, n_features=2, dtype=dtype, seed=1)


def test_rates_rise_by_a_constant_factor():
    found = tt.find_lr(tagger(), *sums(), lowest=1e-5, highest=1e-2, steps=31)
    assert found.stopped == "finished"
    assert found.rates[0] == 1e-5
    assert found.rates[-1] == pytest.approx(1e-2)
    np.testing.assert_allclose(found.rates[1:] / found.rates[:-1], 10**0.1)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) == 31


@pytest.mark.parametrize("options", [{}, {"tbptt": (5, 5)}, {"clip_norm": 1.0, "l2": 1e-4}])
def test_losses_are_those_of_an_update_with_each_rate(options):
    """Against SGD by hand: one batch, so every loss follows from the rate before."""
    x, y = sums(16)
    found = tt.find_lr(
        tagger("float64"), x, y, optimizer=SGD(), steps=20, lowest=1e-3, highest=0.1, **options
    )
    net = tagger("float64")
    for rate, loss in zip(found.rates, found.losses, strict=True):
        history = tt.train(
            net, x, y, optimizer=SGD(rate), epochs=1, batch_size=None, shuffle=False,
            verbose=False, **options,
        )  # fmt: skip
        assert loss == pytest.approx(history["loss"][0], rel=1e-12)


def test_batches_from_a_source():
    x, y = sums(64)
    parts = [(x[i : i + 16], y[i : i + 16]) for i in range(0, 64, 16)]
    found = tt.find_lr(tagger(), batches=parts)
    assert found.stopped == "rose"
    assert 1e-3 < found.lr < 1.0
    again = tt.find_lr(tagger(), batches=lambda: iter(parts))
    assert np.array_equal(again.losses, found.losses)
    four = tt.find_lr(tagger(), x, y, batch_size=16, accumulate=4, steps=20)
    assert four.losses[0] == pytest.approx(tt.evaluate(tagger(), x, y)["loss"], rel=1e-5)

    # An error in the source is no divergence.
    def broken():
        yield parts[0]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        tt.find_lr(tagger(), batches=broken)


def test_network_optimizer_and_random_numbers_stay():
    net, optimizer = tagger(dropout=0.2), Adam(0.005, amsgrad=True)
    x, y = sums()
    tt.train(net, x, y, loss="mae", optimizer=optimizer, epochs=1, verbose=False)
    before, state = net.params.flat.copy(), optimizer.state_dict()
    stream = np.random.get_state()[1].copy()  # noqa: NPY002  # of others; nothing may draw from it
    first = tt.find_lr(net, x, y, optimizer=optimizer)
    second = tt.find_lr(net, x, y, optimizer=optimizer)
    assert np.array_equal(first.losses, second.losses)
    assert first.lr == second.lr
    assert np.array_equal(net.params.flat, before)
    assert net.trained_with["loss"] == tagger_trained_with(x, y)
    assert optimizer.lr == 0.005
    assert optimizer.steps == state["steps"]
    assert all(np.array_equal(optimizer.moments[k], state[k]) for k in optimizer.moments)
    assert np.array_equal(np.random.get_state()[1], stream)  # noqa: NPY002  # as above


def tagger_trained_with(x, y):
    net = tagger()
    tt.train(net, x, y, loss="mae", epochs=1, verbose=False)
    return net.trained_with["loss"]


def test_it_ends_where_the_loss_rises():
    found = tt.find_lr(tagger(), *sums())
    assert found.stopped == "rose"
    assert len(found.rates) < 200
    assert found.lr < found.rates[np.argmin(found.smoothed)]
    assert found.smoothed[found.rates <= 1e-5].std() < 0.2 * found.losses[:20].std()


def test_a_loss_above_the_limit_counts_as_that():
    net = tt.Network([Dense(1)], n_features=2, dtype="float32", seed=1)
    found = tt.find_lr(net, *sums(), optimizer=SGD(), lowest=1e-5, highest=1e10)
    assert found.losses.max() > 100.0
    assert found.smoothed.max() < 10.0


def test_a_divergence_ends_it():
    x, y = sums()
    net = tt.Network([Dense(1)], n_features=2, dtype="float32")
    found = tt.find_lr(net, x, y, optimizer=SGD(), lowest=1e-3, highest=1e38, steps=22)
    assert found.stopped == "diverged"
    assert np.isfinite(found.losses).all()
    assert np.isfinite(found.smoothed).all()
    # At once: there is no loss to judge by.
    found = tt.find_lr(net, 1e30 * x, 1e30 * y, optimizer=SGD())
    assert (found.stopped, found.lr, len(found.rates)) == ("diverged", None, 0)
    assert repr(found) == (
        "RangeTest: no suggestion, because the loss did not fall clearly; no finite loss, ended"
        " because training diverged"
    )
    with refuses(InvalidArgumentError, "the test must hold a finite loss to be drawn; got none."):
        found.plot()


def test_where_nothing_can_be_learned_nothing_is_suggested():
    x, y = sums()
    net = tagger()
    net.freeze(0, 1)
    found = tt.find_lr(net, x, y)
    assert found.stopped == "finished"
    assert found.lr is None
    assert repr(found).startswith(
        "RangeTest: no suggestion, because the loss did not fall clearly (unscaled data, or batches"
        " whose order has a trend, can hide it); 200 rates from"
    )


def test_batches_without_a_step_that_counts():
    x, y = sums(64)
    weight = np.repeat([0.0, 1.0], [40, 24])
    parts = [(x[i : i + 8], y[i : i + 8], weight[i : i + 8]) for i in range(0, 64, 8)]
    found = tt.find_lr(tagger(), batches=parts)
    assert np.isfinite(found.losses).all()
    assert found.lr is not None


def test_rounding_does_not_end_it():
    """One batch again and again: its losses do not differ at all."""
    found = tt.find_lr(tagger(), *sums(32), batch_size=None)
    assert found.stopped == "rose"
    assert found.rates[-1] > 0.1


def test_losses_of_any_size():
    x = np.random.default_rng(0).normal(size=(16, 5, 2))
    y = x.sum(axis=1)[:, :1]
    net = tt.Network([tt.layers.GRU(3), tt.layers.Dense(1)], n_features=2, dtype="float64")
    for factor in (1e150, 1e-150):
        found = tt.find_lr(net, x, factor * y, steps=30)
        assert np.isfinite(found.smoothed).all()
        assert found.lr is None or factor < 1


def test_a_loss_may_be_negative():
    x, y = sums()
    layers = [GRU(8, return_sequences=True), Dense(2)]
    net = tt.Network(layers, n_features=2, seed=0)
    found = tt.find_lr(net, x, np.tanh(y), loss="gaussian_nll")
    assert found.stopped == "rose"
    assert 1e-3 < found.lr < 0.3


def test_graphs():
    signal, static = tt.Input(2, name="signal"), tt.Input(3, name="static", time=False)
    h = tt.layers.Concatenate()([GRU(6)(signal), static])
    net = tt.Network(inputs=[signal, static], outputs={"a": Dense(1)(h), "b": Dense(1)(h)})
    x, y = sums(64)
    found = tt.find_lr(
        net, {"signal": x, "static": x[:, 0, [0, 1, 0]]}, {"a": y[:, -1], "b": y[:, 3]},
        loss_weights={"a": 0.5, "b": 1.0},
    )  # fmt: skip
    assert 1e-4 < found.lr < 1.0


def test_repr():
    found = RangeTest(np.array([1e-3, 0.02]), np.ones(2), np.ones(2), 0.0123, "rose")
    assert repr(found) == (
        "RangeTest: lr = 0.012; 2 rates from 0.001 to 0.02, ended because the loss rose"
    )


def digits():
    x, y = tt.data.digits()
    order = np.random.default_rng(0).permutation(len(x))[:500]
    layers = [LSTM(24), Dense(10, activation="softmax")]
    net = tt.Network(layers, n_features=8, seed=0)
    return net, x[order].reshape(-1, 8, 8), y[order], {"loss": "crossentropy"}


def regression():
    return tagger(), *sums(), {}


@pytest.mark.parametrize("task", [digits, regression])
@pytest.mark.parametrize("optimizer", [Adam, lambda lr: SGD(lr, momentum=0.9)])
def test_the_suggestion_is_near_the_best_of_a_grid(task, optimizer):
    """It misses at most a tenth of what the best rate gains over the start."""
    net, x, y, options = task()
    found = tt.find_lr(net, x, y, optimizer=optimizer(1.0), **options)

    def after(lr):
        trained = net.copy()
        try:
            history = tt.train(
                trained, x, y, optimizer=optimizer(lr), epochs=8, verbose=False, **options
            )
        except tt.errors.DivergedError:
            return np.inf
        return history["loss"][-1]

    best = min(after(lr) for lr in 10.0 ** np.arange(-4, 0.6, 0.5))
    start = found.losses[:10].mean()
    assert after(found.lr) < best + 0.1 * (start - best)


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    found = tt.find_lr(tagger(), *sums())
    figure = found.plot(tmp_path / "rates.png")
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    (ax,) = figure.axes
    assert ax.get_xscale() == "log"
    assert [line.get_label() for line in ax.lines] == [
        "batches", "smoothed", f"suggestion, {found.lr:.2g}",
    ]  # fmt: skip
    low, high = ax.get_ylim()
    assert low < found.smoothed.min() < found.smoothed.max() < high
    words = figure.get_label()
    assert words.startswith(f"loss at {len(found.rates)} learning rates from 1e-06 to ")
    assert words.endswith(f"suggestion: {found.lr:.3g}.")
    silent = RangeTest(found.rates, found.losses, found.smoothed, None, "rose").plot()
    assert len(silent.axes[0].lines) == 2
    assert silent.get_label().endswith("suggestion: none.")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lowest": 0.0}, InvalidArgumentError, "lowest must be a finite number > 0; got 0.0."),
        (
            {"lowest": 0.1, "highest": 0.1},
            InvalidArgumentError,
            "highest must be a finite number > 0.1; got 0.1.",
        ),
        ({"steps": 19}, InvalidArgumentError, "steps must be an integer >= 20; got 19."),
        (
            {"end_lr": 1.0},
            InvalidTypeError,
            "find_lr has no argument 'end_lr'; it is called highest here.",
        ),
        (
            {"num_iter": 100},
            InvalidTypeError,
            "find_lr has no argument 'num_iter'; it is called steps here.",
        ),
        (
            {"batches": [sums(8)]},
            InvalidArgumentError,
            (
                "x must be None where batches is given; got an array of shape (8, 10, 2) and dtype"
                " float64. The batches have their own."
            ),
        ),
        (
            {"criterion": "mse"},
            InvalidTypeError,
            "find_lr has no argument 'criterion'; it is called loss here.",
        ),
    ],
)
def test_refusals(options, error, message):
    with refuses(error, message):
        tt.find_lr(tagger(), *sums(8), **options)


def test_data_are_needed():
    with refuses(InvalidTypeError, "find_lr needs x and y, or batches; got no x and no y."):
        tt.find_lr(tagger())


def test_it_is_public():
    assert tt.find_lr.__name__ == "find_lr"
    assert "find_lr" in dir(tt)
