"""The weights of steps, for every form of the data."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.layers import GRU, RNN, Conv1D, Dense, LastStep, RepeatVector
from throughtime.optimizers import SGD
from throughtime.training import train

RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 6, 2))


def test_frozen_layers_do_not_count_in_the_norm():
    layers = [GRU(4, lr_multiplier=0.0), Dense(1)]
    whole = tt.Network(layers, n_features=2, dtype="float64")
    whole.params["0.W_x"] *= 30.0  # a gradient that would dominate the norm
    last = tt.Network([LastStep(), Dense(1)], n_features=4, dtype="float64")
    for name in ("W", "b"):
        last.params[f"1.{name}"] = whole.params[f"1.{name}"]
    hidden = tt.Network([GRU(4, return_sequences=True)], n_features=2, dtype="float64")
    hidden.params.flat[...] = whole.params.flat[: hidden.params.size]
    y = RNG.normal(size=(10, 1))
    options = {"clip_norm": 1e-3, "optimizer": SGD(0.5), "epochs": 3}
    first = train(whole, X, y, **options)
    second = train(last, hidden.predict(X), y, **options)
    for name in ("W", "b"):
        np.testing.assert_allclose(whole.params[f"1.{name}"], last.params[f"1.{name}"], rtol=1e-9)
    np.testing.assert_allclose(first["grad_norm"], second["grad_norm"], rtol=1e-9)


def one_output():
    return tt.Network([GRU(4), Dense(1)], n_features=2, dtype="float64")


def own_steps():
    layers = [GRU(4), RepeatVector(3), RNN(4, return_sequences=True), Dense(1)]
    return tt.Network(layers, n_features=2, dtype="float64")


@pytest.mark.parametrize("make", [one_output, own_steps])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_sequence_without_a_step_counts_for_nothing(make, weighted):
    whole, part = make(), make()
    y = RNG.normal(size=whole.output_shape(X.shape))
    y[[2, 9]] = np.nan  # whatever stands there
    lengths = np.array([6, 3, 0, 6, 2, 6, 6, 1, 6, 0])
    kept = lengths > 0
    weight = RNG.uniform(0.5, 2.0, size=10) if weighted else np.ones(10)
    options = {"epochs": 2, "batch_size": None, "metrics": ["mae"]}
    more = {"sample_weight": weight} if weighted else {}
    first = train(whole, X, y, lengths=lengths, validation=(X, y, lengths), **options, **more)
    held_out = (X[kept], y[kept], lengths[kept])
    more = {"sample_weight": weight[kept]} if weighted else {}
    second = train(
        part, X[kept], y[kept], lengths=lengths[kept], validation=held_out, **options, **more
    )
    np.testing.assert_allclose(whole.params.flat, part.params.flat, rtol=1e-9)
    for column in ("loss", "mae", "val_loss", "val_mae"):
        np.testing.assert_allclose(first[column], second[column], rtol=1e-9)


def test_outputs_of_their_own_lengths_are_scored_to_their_own_ends():
    net = tt.Network([Conv1D(1, 2, stride=2)], n_features=2, dtype="float64")
    x, lengths = X[:3], np.array([6, 3, 2])
    outputs = net.predict(x, lengths)
    y = RNG.normal(size=outputs.shape)
    assert y.shape == (3, 3, 1)
    real = np.array([[True] * 3, [True, False, False], [True, False, False]])
    error = (outputs - y)[real]
    for value in (100.0, np.nan):  # whatever stands there
        y[~real] = value
        scores = tt.evaluate(net, x, y, lengths=lengths, metrics=["mae"])
        assert scores["loss"] == pytest.approx(np.mean(error**2))
        assert scores["mae"] == pytest.approx(np.mean(np.abs(error)))
    y[1, 0] = np.nan
    with pytest.raises(tt.errors.DataError):
        tt.evaluate(net, x, y, lengths=lengths)


@pytest.mark.parametrize("make", [one_output, own_steps])
def test_nothing_but_sequences_without_a_step(make):
    net = make()
    y = np.zeros(net.output_shape(X.shape))
    with pytest.raises(tt.errors.DataError) as caught:
        train(net, X, y, mask=np.zeros((10, 6), bool))
    assert str(caught.value) == (
        "lengths or mask must leave something to learn from; got zero for every step."
    )


@pytest.mark.parametrize(
    ("y", "got"),
    [
        (np.array(3.0), "an array of shape () and dtype float64"),
        (3.0, "3.0"),
        (str, "<class 'str'>"),
    ],
)
def test_a_target_that_is_a_single_number(y, got):
    with pytest.raises(tt.errors.ShapeError) as caught:
        train(one_output(), X, y)
    assert str(caught.value) == f"y must hold one target for each of the 10 sequences; got {got}."


def test_a_validation_set_with_a_mask_and_weights():
    y = RNG.normal(size=(10, 6, 1))
    mask = RNG.random((10, 6)) < 0.7
    weight = RNG.uniform(0.5, 2.0, size=(10, 6))
    held_out = {"x": X, "y": y, "mask": mask, "sample_weight": weight}
    net = tt.Network([GRU(4, return_sequences=True), Dense(1)], n_features=2)
    history = train(net, X, y, epochs=1, metrics=["mae"], validation=held_out)
    scores = tt.evaluate(net, X, y, mask=mask, sample_weight=weight, metrics=["mae"])
    assert history["val_loss"] == [pytest.approx(scores["loss"], rel=1e-6)]
    assert history["val_mae"] == [pytest.approx(scores["mae"], rel=1e-6)]
    by_name = train(net, X, y, epochs=1, validation={"x": X, "y": y}, optimizer=SGD(1e-30))
    plain = train(net, X, y, epochs=1, validation=(X, y), optimizer=SGD(1e-30))
    assert by_name["val_loss"] == plain["val_loss"]
