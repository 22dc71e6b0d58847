"""How networks are trained: averaged weights, and the best of them."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from throughtime.forecasting import Forecaster
from throughtime.forecasting.networks import AveragedWeights
from throughtime.layers import Dense
from throughtime.network import Network


def run(net: Network) -> Any:
    """What a callback sees of a run."""
    return SimpleNamespace(net=net, epoch=1, history=SimpleNamespace(last=lambda: {"loss": 0.5}))


def test_the_average_by_hand() -> None:
    net = Network([Dense(1)], n_features=1, dtype="float64", seed=0)
    weights = net.params.flat
    weights[...] = 1.0
    average = AveragedWeights(lambda *_: None)
    average.on_train_begin(run(net))
    expected = 1.0
    for n, value in enumerate((3.0, -2.0, 5.0), start=1):
        weights[...] = value
        average.on_batch_end(run(net))
        kept = (1.0 + n) / (10.0 + n)
        expected = kept * expected + (1.0 - kept) * value
        np.testing.assert_array_equal(weights, value)  # training goes on from its own weights
    average.on_train_end(run(net))
    np.testing.assert_allclose(weights, expected, rtol=1e-14)


def test_the_average_forgets_over_a_hundred_updates() -> None:
    net = Network([Dense(1)], n_features=1, dtype="float64", seed=0)
    average = AveragedWeights(lambda *_: None)
    net.params.flat[...] = 0.0
    average.on_train_begin(run(net))
    for _ in range(2000):
        average.on_batch_end(run(net))
    net.params.flat[...] = 1.0
    for _ in range(100):
        average.on_batch_end(run(net))
    average.on_train_end(run(net))
    np.testing.assert_allclose(net.params.flat, 1.0 - 0.99**100, rtol=1e-10)


def test_an_epoch_is_announced_with_its_loss() -> None:
    heard: list[Any] = []
    AveragedWeights(lambda *parts: heard.append(parts)).on_epoch_end(
        run(Network([Dense(1)], n_features=1, seed=0))
    )
    assert heard == [(1, 0.5, None)]


def test_the_networks_end_with_an_average() -> None:
    """The last weights of training, which a callback after the others sees, are not those kept."""
    last: list[np.ndarray] = []
    y = np.sin(np.arange(200) ** 1.1) + np.random.default_rng(0).normal(0, 0.1, 200)
    model = Forecaster(
        2,
        season=None,
        epochs=4,
        members=1,
        hidden_size=4,
        base_model="none",
        callbacks=[lambda run: last.append(run.net.params.flat.copy())],
    ).fit(y)
    assert model.weight_ > 0.0
    assert not np.allclose(model.networks_[0].params.flat, last[-1])
    # An average lies within what the weights went through.
    assert np.abs(model.networks_[0].params.flat - last[-1]).max() < 1.0
