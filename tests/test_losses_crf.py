"""The conditional random field: refusals, extremes, what metrics see, and training."""

import itertools
import re

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, ShapeError
from throughtime.losses.crf import CRF, by_pairs, forward, pair_marginals

Y = np.zeros((2, 3, 9))


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize(
    ("y", "target", "error", "message"),
    [
        (
            Y[..., :8],
            np.zeros((2, 3)),
            InvalidArgumentError,
            (
                "loss 'crf' needs K * K outputs for K tags, at least 4; got 8."
                " End the network with Dense(K) and CRF()."
            ),
        ),
        (
            Y[..., :1],
            np.zeros((2, 3)),
            InvalidArgumentError,
            (
                "loss 'crf' needs K * K outputs for K tags, at least 4; got 1."
                " End the network with Dense(K) and CRF()."
            ),
        ),
        (
            Y,
            np.zeros((2, 4)),
            ShapeError,
            "y must be the numbers of the tags, of shape (2, 3); got shape (2, 4).",
        ),
        (
            Y,
            [[0, 1, 3], [0, 0, 0]],
            DataError,
            (
                "y must be class numbers from 0 to 2; got 3 at index (0, 2). For 4 tags end the"
                " network with Dense(4) and CRF()."
            ),
        ),
        (
            Y,
            np.full((2, 3), "a"),
            DataError,
            "y must hold numbers; got text. Number the tags 0, 1, 2 ... first.",
        ),
    ],
)
def test_refusals(y, target, error, message):
    with refuses(error, message):
        CRF()(y, target)


def test_probabilities_of_tags_and_pairs_agree():
    rng = np.random.default_rng(0)
    mask = rng.random((4, 6)) < 0.7
    mask[3] = False
    y = rng.normal(size=(4, 6, 9))
    y[~mask] = 0.0
    p = CRF().answers(y, mask)
    np.testing.assert_allclose(p.sum(axis=2), mask * 1.0, atol=1e-14)
    _, q, last = forward(by_pairs(y), mask)
    pairs = pair_marginals(q, last, mask)
    np.testing.assert_allclose(pairs.sum(axis=(2, 3)), mask * 1.0, atol=1e-14)
    for n in range(3):
        own = np.flatnonzero(mask[n])
        for before, t in itertools.pairwise(own):
            np.testing.assert_allclose(pairs[n, t].sum(axis=1), p[n, before], atol=1e-14)


@pytest.mark.parametrize("size", [800.0, 1e6])
def test_confident_potentials(size):
    """Right with certainty: no loss and no gradient. Wrong: a loss of their size."""
    tags = np.array([[1, 2, 2, 0]])
    y = np.zeros((1, 4, 3, 3))
    y[0, np.arange(4), [0, 1, 2, 2], tags[0]] = size
    y = y.reshape(1, 4, 9)
    value, dy = CRF()(y, tags)
    assert value == 0.0
    assert not dy.any()
    value, dy = CRF()(y, [[0, 0, 0, 0]])
    assert value == 4 * size
    assert np.isfinite(dy).all()


def test_long_sequences():
    """Z of 3000 steps is beyond every float; its logarithm is not."""
    rng = np.random.default_rng(0)
    y = 10.0 * rng.normal(size=(1, 3000, 9))
    target = rng.integers(0, 3, size=(1, 3000))
    value, dy = CRF()(y, target)
    assert 1e4 < value < 1e6
    np.testing.assert_allclose(dy.sum(axis=2), 0.0, atol=1e-12)


def test_a_diverged_network_has_a_loss_of_nan():
    y = Y.copy()
    y[0, 1, 2] = np.nan
    value, dy = CRF()(y, np.zeros((2, 3), int))
    assert np.isnan(value)
    assert np.isfinite(dy[1]).all()


def network(n_features=2, seed=0, **options):
    layers = [tt.layers.GRU(6, return_sequences=True), tt.layers.Dense(3), tt.layers.CRF(**options)]
    return tt.Network(layers, n_features, seed=seed)


def tagged(n=20, seed=0):
    """Ragged sequences; a tag follows its predecessor in a circle, or stays."""
    rng = np.random.default_rng(seed)
    xs, ys = [], []
    for _ in range(n):
        steps = int(rng.integers(4, 12))
        tags = np.cumsum(rng.random(steps) < 0.5) % 3
        xs.append(np.eye(3)[tags][:, :2] + 0.5 * rng.normal(size=(steps, 2)))
        ys.append(tags)
    return xs, ys


def test_everything_that_trains_takes_it(tmp_path):
    x, y = tagged()
    net = network()
    history = tt.train(
        net, x, y, loss="crf", metrics=["accuracy", "f1"], epochs=5, validation=0.25, batch_size=4,
        optimizer=tt.optimizers.Adam(0.02), verbose=False, seed=1,
        sample_weight=np.linspace(0.5, 2, len(x)),
    )  # fmt: skip
    assert history["loss"][-1] < history["loss"][0]
    assert history["accuracy"][-1] > history["accuracy"][0]
    net.save(tmp_path / "net.safetensors")
    again = tt.load(tmp_path / "net.safetensors")
    scores = tt.evaluate(again, x, y)
    assert scores == tt.evaluate(net, x, y, loss="crf", metrics=["accuracy", "f1"])
    _padded, lengths = tt.data.pad(x)
    p = tt.data.crf_marginals(net.predict(x), lengths)
    right = [
        np.mean(tt.data.labels(own[:n]) == tags)
        for own, n, tags in zip(p, lengths, y, strict=False)
    ]
    share = np.average(right, weights=lengths)
    assert scores["accuracy"] == pytest.approx(share)
    assert tt.check_gradients(net, x[:3], y[:3]).ok


def test_a_mask_with_holes_and_placeholders():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 6, 2)), rng.integers(0, 3, size=(4, 6))
    mask = rng.random((4, 6)) < 0.6
    net = network()
    scores = tt.evaluate(net, x, y, loss="crf", mask=mask, metrics=["accuracy"])
    y, x = np.where(mask, y, -100), np.where(mask[..., None], x, np.nan)
    assert tt.evaluate(net, x, y, loss="crf", mask=mask, metrics=["accuracy"]) == scores
    assert tt.check_gradients(net, x, y, "crf", mask=mask).ok


def test_training_refuses():
    x, y = tagged(4)
    with refuses(
        InvalidArgumentError,
        "tbptt must be None for loss 'crf', which needs all steps of a sequence; got (5, 5).",
    ):
        tt.train(network(), x, y, loss="crf", tbptt=(5, 5), epochs=1)
    with refuses(
        InvalidArgumentError,
        "class_weight must be None for loss 'crf' with 9 outputs, which has no classes; got"
        " 'balanced'. Use sample_weight.",
    ):
        tt.train(network(), x, y, loss="crf", class_weight="balanced", epochs=1)


def test_another_loss_for_a_network_that_ends_with_the_layer():
    layers = [tt.layers.Dense(3), tt.layers.CRF()]
    with refuses(
        InvalidArgumentError,
        "loss 'categorical_crossentropy' needs outputs that are probabilities; layer 0 (Dense) has"
        " activation='identity', which gives others. A network that ends with CRF() is trained"
        " with loss='crf'.",
    ):
        tt.train(
            tt.Network(layers, n_features=2), np.zeros((2, 3, 2)), np.zeros((2, 3)),
            loss="crossentropy",
        )  # fmt: skip
