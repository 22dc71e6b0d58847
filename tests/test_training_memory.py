"""A network remembers the loss and the metrics that it was trained with."""

import json
import pickle

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, ModelFileError
from throughtime.losses import LOSSES, Custom
from throughtime.network.storage import KIND, VERSION
from throughtime.serialization.container import read_container, write_container
from throughtime.training.metrics import METRICS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 5, 2))
LABELS = RNG.integers(0, 3, size=(12, 5))


def tagger():
    layers = [tt.layers.GRU(4, return_sequences=True), tt.layers.Dense(3, activation="softmax")]
    return tt.Network(layers, n_features=2, dtype="float64")


@pytest.fixture
def trained():
    net = tagger()
    options = {"loss": "crossentropy", "metrics": ["acc", tt.metrics.F1(average="micro")]}
    tt.train(net, X, LABELS, epochs=1, **options)
    return net


def test_a_trained_classifier_is_scored_and_checked_without_its_loss(trained):
    options = {"loss": "crossentropy", "metrics": ["acc", tt.metrics.F1(average="micro")]}
    wanted = tt.evaluate(trained, X, LABELS, **options)
    assert list(wanted) == ["loss", "accuracy", "f1_micro"]
    assert tt.evaluate(trained, X, LABELS) == wanted
    assert list(tt.evaluate(trained, X, LABELS, metrics=[])) == ["loss"]
    assert list(tt.evaluate(trained, X, LABELS, metrics=["recall"])) == ["loss", "recall"]
    assert tt.evaluate(trained, X, np.eye(3)[LABELS], loss="mse")["loss"] != wanted["loss"]
    report = tt.check_gradients(trained, X, LABELS, max_numbers=20)
    assert report.ok
    assert report.value == tt.check_gradients(trained, X, LABELS, "cce", max_numbers=20).value
    assert tt.inspect.trace(trained, X, LABELS).loss == pytest.approx(wanted["loss"], rel=1e-12)


def test_copies_pickles_and_files_remember_too(trained, tmp_path):
    wanted = tt.evaluate(trained, X, LABELS)
    path = tmp_path / "net.safetensors"
    trained.save(path)
    for other in (trained.copy(), pickle.loads(pickle.dumps(trained)), tt.load(path)):
        assert other.trained_with == trained.trained_with
        assert tt.evaluate(other, X, LABELS) == wanted
    assert list(tt.evaluate(trained.astype("float32"), X, LABELS)) == list(wanted)
    trained.reset_parameters()
    assert trained.trained_with == {}


def test_a_network_that_was_not_trained_has_the_squared_error(tmp_path):
    net = tt.Network([tt.layers.GRU(4), tt.layers.Dense(1)], n_features=2)
    y = RNG.normal(size=(12, 1))
    assert tt.evaluate(net, X, y) == tt.evaluate(net, X, y, loss="mse")
    net.save(tmp_path / "net.safetensors")
    _, config = read_container(tmp_path / "net.safetensors", KIND, VERSION)
    assert config == json.loads(json.dumps(net.to_config()))


@pytest.mark.parametrize("name", list(LOSSES))
def test_every_loss_can_be_remembered(name):
    net = tagger()
    loss = LOSSES[name](reduction="sum")
    net.trained_with = {"loss": json.loads(json.dumps(LOSSES.to_config(loss))), "metrics": []}
    assert tt.training.memory.heads_of(net)[0].loss == loss


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_can_be_remembered(name):
    net = tagger()
    metric = METRICS[name](scale=(2.0, 3.0)) if name == "mase" else METRICS[name]()
    described = json.loads(json.dumps(METRICS.to_config(metric)))
    net.trained_with = {"loss": {"name": "mse"}, "metrics": [described]}
    assert tt.training.memory.heads_of(net)[0].metrics == (metric,)


def largest(y, target):
    return float(np.abs(y - target).max())


def test_a_function_of_the_user_has_to_be_given_again(tmp_path):
    net = tt.Network([tt.layers.GRU(4), tt.layers.Dense(1)], n_features=2)
    y = RNG.normal(size=(12, 1))
    cubic = Custom(lambda y, t: np.abs(y - t) ** 3, lambda y, t: 3 * (y - t) * np.abs(y - t))
    tt.train(net, X, y, loss=cubic, metrics=[largest], epochs=1)
    net.save(tmp_path / "net.safetensors")
    for other in (net, tt.load(tmp_path / "net.safetensors")):
        with pytest.raises(InvalidArgumentError) as caught:
            tt.evaluate(other, X, y)
        assert str(caught.value) == (
            "loss must be given: the network was trained with '<lambda>', a loss of your own, of"
            " which it remembers only the name."
        )
        with pytest.raises(InvalidArgumentError, match=r"^metrics must be given: .* 'largest', a"):
            tt.evaluate(other, X, y, loss="mse")
        assert list(tt.evaluate(other, X, y, loss=cubic, metrics=[])) == ["loss"]


@pytest.mark.parametrize(
    "entry",
    [3, [], {"loss": 3}, {"loss": {"name": "x"}}, {"loss": {"name": "mse", "foo": 1}},
     {"loss": {"name": "mse"}, "metrics": 3}, {"loss": {"name": "mse"}, "metrics": [3]}],
)  # fmt: skip
def test_a_damaged_entry_is_refused(entry, tmp_path):
    net = tagger()
    path = tmp_path / "net.safetensors"
    write_container(path, dict(net.params), net.to_config() | {"trained_with": entry}, KIND)
    with pytest.raises(ModelFileError):
        tt.evaluate(tt.load(path), X, np.eye(3)[LABELS])
