"""``throughtime.evaluate``: scores on data of any form, equal to those of all sequences at once."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, ShapeError


@pytest.fixture
def tagger():
    layers = [tt.layers.GRU(5, return_sequences=True, dropout=0.5), tt.layers.Dense(2)]
    return tt.Network(layers, n_features=3, dtype="float64")


@pytest.fixture
def ragged():
    rng = np.random.default_rng(0)
    lengths = [4, 1, 6, 3, 5]
    x = [rng.normal(size=(n, 3)) for n in lengths]
    return x, [rng.normal(size=(n, 2)) for n in lengths]


@pytest.mark.parametrize("batch_size", [None, 1, 2, 256])
def test_scores_are_means_over_the_real_steps(tagger, ragged, batch_size):
    x, y = ragged
    errors = np.concatenate(
        [tagger.predict(a[None])[0] - b for a, b in zip(x, y, strict=True)], axis=None
    )
    scores = tt.evaluate(tagger, x, y, metrics=["mae", "rmse"], batch_size=batch_size)
    assert list(scores) == ["loss", "mae", "rmse"]
    expected = [np.mean(errors**2), np.mean(np.abs(errors)), np.sqrt(np.mean(errors**2))]
    np.testing.assert_allclose(list(scores.values()), expected, rtol=1e-12)


def test_weights_count(tagger, ragged):
    x, y = ragged
    weights = np.array([1.0, 0.0, 2.0, 0.0, 0.0])
    one = tt.evaluate(tagger, x, y, sample_weight=weights)["loss"]
    other = tt.evaluate(tagger, [x[0], x[2], x[2]], [y[0], y[2], y[2]])["loss"]
    assert one == pytest.approx(other, rel=1e-12)


def test_the_network_is_left_alone(tagger, ragged):
    before, grads = tagger.params.flat.copy(), tagger.grads.flat.copy()
    tt.evaluate(tagger, *ragged)
    assert (tagger.params.flat == before).all()
    assert (tagger.grads.flat == grads).all()


def test_a_network_without_a_parameter_has_a_score():
    net = tt.Network([tt.layers.MaxPool(), tt.layers.Dropout(0.5)], n_features=2)
    x = np.array([[[1.0, 2.0], [3.0, 0.0]]])
    assert tt.evaluate(net, x, np.array([[3.0, 1.0]]), loss="mse")["loss"] == 0.5


def test_bad_arguments_are_refused(tagger, ragged):
    x, y = ragged
    with pytest.raises(ShapeError) as caught:
        tt.evaluate(tagger, x, y[:2])
    assert str(caught.value) == "y must hold one array for each of the 5 sequences; got 2."
    with pytest.raises(InvalidArgumentError) as caught:
        tt.evaluate(tagger, x, y, batch_size=0)
    assert str(caught.value) == "batch_size must be an integer >= 1; got 0."
