"""The training loop: the objective, the history, refusals."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.layers import GRU, LSTM, RNN, Dense, Dropout
from throughtime.optimizers import SGD, Adam
from throughtime.training import Callback, objective, train


def series(n=10, steps=6, features=2, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, steps, features))
    return x, np.cumsum(x[..., :1], axis=1)


def tagger(**options):
    return tt.Network(
        [GRU(4, return_sequences=True, **options), Dense(1)], n_features=2, dtype="float64", seed=3
    )


def classifier(classes=3):
    return tt.Network(
        [GRU(4), Dense(classes, activation="softmax")], n_features=2, dtype="float64", seed=3
    )


STILL = SGD(1e-300)  # a rate so small that the weights keep every bit


def test_loss_goes_down():
    x, y = series(32)
    history = train(tagger(), x, y, epochs=30, batch_size=8, optimizer=Adam(0.02))
    assert history["loss"][-1] < 0.2 * history["loss"][0]
    assert history.stopped == "finished"
    assert history.epochs == list(range(1, 31))
    assert history["lr"] == [0.02] * 30


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 100, None])
@pytest.mark.parametrize("bucket", [False, True])
def test_epoch_loss_is_the_exact_mean_over_the_data(batch_size, bucket):
    x, y = series()
    lengths = np.array([6, 1, 3, 2, 6, 5, 4, 1, 2, 6])
    weight = np.linspace(0.1, 2.0, 10)
    net = tagger()
    whole = objective.evaluate(
        net, x, y, tt.losses.get("mse"), mask=np.arange(6) < lengths[:, None], sample_weight=weight
    )
    history = train(
        net, x, y, epochs=2, lengths=lengths, sample_weight=weight, optimizer=STILL,
        batch_size=batch_size, bucket=bucket, metrics=["mae"], validation=(x, y, lengths),
    )  # fmt: skip
    np.testing.assert_allclose(history["loss"], whole.data_loss, rtol=1e-12)
    mae = tt.training.metrics.get("mae")
    mask = np.arange(6) < lengths[:, None]
    np.testing.assert_allclose(history["mae"], mae(net.predict(x, lengths), y, mask, weight))
    np.testing.assert_allclose(history["val_mae"], mae(net.predict(x, lengths), y, mask))


def test_a_summed_loss_is_the_sum_over_the_data():
    x, y = series()
    net = tagger()
    loss = tt.losses.MSE(reduction="sum")
    history = train(net, x, y, loss=loss, epochs=1, optimizer=STILL, batch_size=3)
    np.testing.assert_allclose(history["loss"], [np.sum((net.predict(x) - y) ** 2)])


def test_metrics_compare_every_output_with_its_own_target():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 5, 2))
    labels = rng.integers(0, 3, size=50)
    net = classifier()
    options = {"loss": "categorical_crossentropy", "metrics": ["accuracy"], "batch_size": 7}
    history = train(net, x, labels, epochs=2, optimizer=STILL, **options)
    right = np.mean(net.predict(x).argmax(axis=1) == labels)
    assert history["accuracy"] == [right, right]


def test_the_last_partial_batch_counts():
    seen = []

    class Count(Callback):
        def on_batch_end(self, run):
            seen.append((run.epoch, run.batch, run.batches))

    x, y = series()
    optimizer = SGD(0.01)
    train(tagger(), x, y, epochs=2, batch_size=4, callbacks=[Count()], optimizer=optimizer)
    assert seen == [(1, 1, 3), (1, 2, 3), (1, 3, 3), (2, 1, 3), (2, 2, 3), (2, 3, 3)]
    assert optimizer.steps == 6


def test_one_step_is_the_gradient_of_the_loss():
    x, y = series()
    net, other = tagger(), tagger()
    objective.evaluate_and_backward(other, x, y, tt.losses.get("mse"), l2=0.3)
    train(net, x, y, epochs=1, batch_size=None, optimizer=SGD(0.1), l2=0.3, shuffle=False)
    np.testing.assert_allclose(
        net.params.flat, other.params.flat - 0.1 * other.grads.flat, rtol=1e-13, atol=1e-15
    )


def test_penalties_spare_biases_and_are_reported():
    x, y = series()
    plain = train(tagger(), x, y, epochs=2, batch_size=4, optimizer=STILL)
    history = train(tagger(), x, y, epochs=2, batch_size=4, l1=0.1, l2=0.3, optimizer=STILL)
    net = tagger()
    w = net.params.flat[net.weight_mask()]
    expected = 0.1 * np.abs(w).sum() + 0.15 * np.sum(w**2)
    np.testing.assert_allclose(history["penalty"], expected)
    np.testing.assert_allclose(history["loss"], plain["loss"])
    assert "penalty" not in plain


@pytest.mark.parametrize(
    ("option", "norm"), [({"clip_norm": 0.01}, 2), ({"clip_value": 0.01}, np.inf)]
)
def test_clipping(option, norm):
    x, y = series()
    net = tagger()
    before = net.params.flat.copy()
    history = train(net, x, 100 * y, epochs=1, batch_size=None, optimizer=SGD(1.0), **option)
    step = np.linalg.norm(net.params.flat - before, norm)
    assert step == pytest.approx(0.01, rel=1e-9)
    assert history["grad_norm"][0] > 1.0


def test_a_layer_can_be_frozen_or_hurried():
    x, y = series()
    plain, frozen, fast = tagger(), tagger(lr_multiplier=0.0), tagger(lr_multiplier=2.0)
    before = plain.params.copy()
    for net in (plain, frozen, fast):
        train(net, x, y, epochs=1, batch_size=None, optimizer=SGD(0.1))
    for name in before:
        moved = plain.params[name] - before[name]
        if name.startswith("0."):
            np.testing.assert_array_equal(frozen.params[name], before[name])
            np.testing.assert_allclose(
                fast.params[name] - before[name], 2 * moved, rtol=1e-9, atol=1e-15
            )
        else:
            np.testing.assert_array_equal(frozen.params[name], plain.params[name])


@pytest.mark.parametrize("limit", [{}, {"clip_norm": 0.01}], ids=["", "clipped"])
def test_what_is_frozen_does_not_count_in_the_norm(limit):
    x, y = series()
    net = tagger(lr_multiplier=0.0)
    objective.evaluate_and_backward(net, x, y, tt.losses.get("mse"))
    own = [net.grads[name] for name in net.grads if name.startswith("1.")]
    norm = np.sqrt(sum(np.sum(g**2) for g in own))
    assert np.linalg.norm(net.grads.flat) > 1.01 * norm > 0.01
    before = net.params.flat.copy()
    history = train(net, x, y, epochs=1, batch_size=None, optimizer=SGD(1.0), **limit)
    assert history["grad_norm"] == pytest.approx([norm])
    moved = np.linalg.norm(net.params.flat - before)
    assert moved == pytest.approx(limit.get("clip_norm", norm))


def test_truncation_updates_once_a_chunk():
    x, y = series(steps=10)
    optimizer = SGD(1e-3)
    history = train(
        tagger(), x, y, epochs=3, batch_size=5, tbptt=(4, 6), optimizer=optimizer, metrics=["mse"]
    )
    assert optimizer.steps == 3 * 2 * 3
    # Without movement the loss and the metric are those of the whole sequences.
    net = tagger()
    history = train(net, x, y, epochs=1, tbptt=(4, 6), optimizer=STILL, metrics=["mse"])
    np.testing.assert_allclose(history["loss"], np.mean((net.predict(x) - y) ** 2))
    np.testing.assert_allclose(history["mse"], history["loss"])


def test_a_chunk_of_padding_moves_nothing():
    x, y = series(steps=6)
    short, padded = tagger(), tagger()
    optimizer = SGD(0.1, momentum=0.9)
    wide = np.concatenate([x, np.zeros((10, 6, 2))], axis=1)
    targets = np.concatenate([y, np.zeros((10, 6, 1))], axis=1)
    train(short, x, y, epochs=3, tbptt=(3, 3), optimizer=optimizer)
    lengths = np.full(10, 6)
    train(padded, wide, targets, lengths=lengths, epochs=3, tbptt=(3, 3), optimizer=optimizer)
    np.testing.assert_allclose(padded.params.flat, short.params.flat, rtol=1e-12)


@pytest.mark.parametrize("absent", ["mask", "sample_weight"])
@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_chunk_without_a_real_step_moves_nothing(absent, place):
    """Momentum and a penalty would move the weights where the loss has no gradient."""
    x, y = series(steps=6)
    optimizer = SGD(0.1, momentum=0.9)
    options = {"epochs": 3, "tbptt": (3, 3), "optimizer": optimizer, "l2": 0.01}
    wide, targets = (np.insert(a, [place] * 3, 0.0, axis=1) for a in (x, y))
    real = np.ones(wide.shape[:2])
    real[:, place : place + 3] = 0.0
    short, long = tagger(), tagger()
    if absent == "mask":
        short_history = train(short, x, y, **options)
        history = train(long, wide, targets, mask=real.astype(bool), **options)
        np.testing.assert_allclose(long.params.flat, short.params.flat, rtol=1e-12)
        assert history["penalty"] == pytest.approx(short_history["penalty"])
        assert history["grad_norm"] == pytest.approx(short_history["grad_norm"])
    else:  # the state goes on, so the steps after it are others
        train(long, wide, targets, sample_weight=real, **options)
        assert optimizer.steps == 3 * 2


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_batch_without_a_real_step_moves_nothing(reduction):
    x, y = series(n=4)
    losses = []

    class Watch(Callback):
        def on_batch_end(self, run):
            losses.append(run.loss)

    options = {"epochs": 2, "batch_size": 2, "shuffle": False, "l2": 0.01, "callbacks": [Watch()]}
    options["loss"] = tt.losses.MSE(reduction=reduction)
    part, whole = tagger(), tagger()
    expected = train(part, x[:2], y[:2], optimizer=SGD(0.01, momentum=0.9), **options)
    weight = [1.0, 1.0, 0.0, 0.0]
    found = train(whole, x, y, sample_weight=weight, optimizer=SGD(0.01, momentum=0.9), **options)
    np.testing.assert_allclose(whole.params.flat, part.params.flat, rtol=1e-12)
    for name in ("loss", "penalty", "grad_norm", "lr"):
        assert found[name] == pytest.approx(expected[name]), name
    assert losses[2:] == pytest.approx(np.repeat(losses[:2], 2))


def test_ragged_lists_equal_padded_arrays():
    x, y = series()
    lengths = np.array([6, 1, 3, 2, 6, 5, 4, 1, 2, 6])
    nets = [tagger() for _ in range(3)]
    mask = np.arange(6) < lengths[:, None]
    nans = np.where(mask[..., None], y, np.nan)
    train(nets[0], x, nans, lengths=lengths, epochs=3)
    train(nets[1], x, y, mask=mask, epochs=3)
    train(
        nets[2],
        [row[:n] for row, n in zip(x, lengths, strict=True)],
        [row[:n, 0] for row, n in zip(y, lengths, strict=True)],
        sample_weight=[np.ones(n) for n in lengths],
        epochs=3,
    )
    np.testing.assert_array_equal(nets[1].params.flat, nets[0].params.flat)
    np.testing.assert_allclose(nets[2].params.flat, nets[0].params.flat, rtol=1e-12)


def test_ragged_class_numbers():
    rng = np.random.default_rng(0)
    lengths = [4, 1, 6, 3]
    x = [rng.normal(size=(n, 2)) for n in lengths]
    y = [rng.integers(0, 3, size=n) for n in lengths]
    net = tt.Network([GRU(3, return_sequences=True), Dense(3, activation="softmax")], n_features=2)
    history = train(net, x, y, loss="categorical_crossentropy", metrics=["accuracy"], epochs=2)
    assert len(history["accuracy"]) == 2


def test_weight_zero_is_absence():
    x, y = series()
    weight = np.ones(10)
    weight[7:] = 0.0
    full, part = tagger(), tagger()
    train(full, x, y, epochs=3, sample_weight=weight, batch_size=None)
    train(part, x[:7], y[:7], epochs=3, batch_size=None)
    np.testing.assert_allclose(full.params.flat, part.params.flat, rtol=1e-10)


def test_a_validation_fraction_is_not_trained_on():
    x, y = series(20)
    net = tagger()
    seen = []

    class Count(Callback):
        def on_batch_end(self, run):
            seen.append(run.batch)

    history = train(net, x, y, epochs=1, validation=0.25, batch_size=4, callbacks=[Count()])
    assert seen == [1, 2, 3, 4]
    assert len(history["val_loss"]) == 1
    # The part depends on the seed alone.
    again = train(tagger(), x, y, epochs=1, validation=0.25, batch_size=4)
    other = train(tagger(), x, y, epochs=1, validation=0.25, batch_size=4, seed=1)
    assert again["val_loss"] == history["val_loss"]
    assert other["val_loss"] != history["val_loss"]


def test_validation_is_without_dropout():
    x, y = series()
    layers = [GRU(4, return_sequences=True, dropout=0.5), Dropout(0.5), Dense(1)]
    net = tt.Network(layers, n_features=2, dtype="float64")
    history = train(net, x, y, epochs=2, validation=(x, y), optimizer=STILL, keep_outputs=True)
    value = np.mean((net.predict(x) - y) ** 2)
    np.testing.assert_allclose(history["val_loss"], [value, value])
    assert history["loss"][0] != pytest.approx(value)
    assert history["loss"][0] != history["loss"][1]
    np.testing.assert_allclose(history.outputs[1], net.predict(x))


def test_outputs_of_every_epoch_on_request():
    x, y = series()
    lengths = [6, 1, 3, 2, 6, 5, 4, 1, 2, 6]
    net = tagger()
    snapshots = []
    history = train(
        net, x, y, lengths=lengths, epochs=3, keep_outputs=True, validation=0.2, batch_size=2,
        callbacks=[lambda run: snapshots.append(run.net.predict(x, lengths))],
    )  # fmt: skip
    assert len(history.outputs) == 3
    for output, snapshot in zip(history.outputs, snapshots, strict=True):
        np.testing.assert_allclose(output, snapshot, rtol=1e-12, atol=1e-15)
    assert train(net, x, y, epochs=1).outputs == []


def test_a_quantile_loss_is_scored_by_its_median():
    x, y = series()
    loss = tt.losses.get("quantile")
    net = tt.Network(
        [GRU(4, return_sequences=True), Dense(loss.outputs(1))], n_features=2, dtype="float64"
    )
    history = train(net, x, y, loss=loss, epochs=1, metrics=["mae"], optimizer=STILL)
    np.testing.assert_allclose(history["mae"], np.mean(np.abs(net.predict(x)[..., 1:2] - y)))


def dropout_net():
    layers = [LSTM(4, return_sequences=True, dropout=0.2, recurrent_dropout=0.2), Dense(1)]
    return tt.Network(layers, n_features=2, seed=1)


def test_the_same_seed_gives_the_same_bits_whatever_else_draws():
    x, y = series()
    first, second, third = dropout_net(), dropout_net(), dropout_net()
    train(first, x, y, epochs=4, batch_size=3, seed=5)
    state = np.random.get_state()[1].copy()  # noqa: NPY002  # that it is left alone is the test
    train(second, x, y, epochs=4, batch_size=3, seed=5)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    train(third, x, y, epochs=4, batch_size=3, seed=6)
    assert first.params.flat.tobytes() == second.params.flat.tobytes()
    assert first.params.flat.tobytes() != third.params.flat.tobytes()


def test_an_optimizer_starts_anew_in_every_run():
    x, y = series()
    optimizer = Adam(0.01)
    first, second = tagger(), tagger()
    train(first, x, y, epochs=2, optimizer=optimizer)
    train(second, x, y, epochs=2, optimizer=optimizer)
    np.testing.assert_array_equal(first.params.flat, second.params.flat)


def test_gradients_of_earlier_calls_do_not_count():
    x, y = series()
    net, other = tagger(), tagger()
    net.grads.flat[...] = 1e6
    for n in (net, other):
        train(n, x, y, epochs=1)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)


def test_per_step_weights():
    x, y = series()
    weight = np.ones((10, 6))
    weight[:, 4:] = 0.0
    wide, short = tagger(), tagger()
    train(wide, x, y, sample_weight=weight, epochs=2)
    train(short, x[:, :4], y[:, :4], epochs=2)
    np.testing.assert_allclose(wide.params.flat, short.params.flat, rtol=1e-10)


def test_a_sequence_without_a_step_counts_for_nothing():
    x, y = series()
    full, part = (tt.Network([GRU(4), Dense(1)], n_features=2, dtype="float64") for _ in "ab")
    lengths = np.array([6] * 8 + [0, 0])
    options = {"epochs": 2, "batch_size": None, "metrics": ["mae"]}
    first = train(full, x, y[:, -1], lengths=lengths, **options)
    second = train(part, x[:8], y[:8, -1], **options)
    np.testing.assert_allclose(full.params.flat, part.params.flat, rtol=1e-10)
    np.testing.assert_allclose(first["mae"], second["mae"], rtol=1e-10)


def test_one_to_many_with_ragged_input():
    x, _ = series()
    layers = [RNN(4), tt.layers.RepeatVector(3), RNN(4, return_sequences=True), Dense(1)]
    net = tt.Network(layers, n_features=2)
    y = np.random.default_rng(0).normal(size=(10, 3, 1))
    lengths = [6, 1, 3, 2, 6, 5, 4, 1, 2, 6]
    history = train(net, x, y, lengths=lengths, epochs=2, metrics=["mae"], batch_size=3)
    assert len(history["mae"]) == 2


def test_tokens():
    tokens = np.random.default_rng(0).integers(0, 5, size=(12, 4))
    net = tt.Network([tt.layers.Embedding(5, 3), GRU(3), Dense(1, activation="sigmoid")])
    history = train(net, tokens, tokens[:, 0] % 2, loss="binary_crossentropy", epochs=2)
    assert history["loss"][1] < history["loss"][0]
