"""Weights of classes: they are sample weights, whatever form the targets have."""

import re

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError
from throughtime.training.metrics import Accuracy

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 5, 2))
CLASSES = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2])
BALANCED = 12 / (3 * np.array([7, 2, 3]))
WEIGHTS = {0: 0.5, 2: 3.0}
TABLE = np.array([0.5, 1.0, 3.0])


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def network(outputs=3, sequences=False, activation="softmax"):
    layers = [
        tt.layers.GRU(4, return_sequences=sequences),
        tt.layers.Dense(outputs, activation=activation),
    ]
    return tt.Network(layers, n_features=2, dtype="float64")


def same_training(options, expected, y=CLASSES, x=X, **model):
    """Whether both options lead to the same bits; returns the history."""
    loss = "bce" if model.get("activation") == "sigmoid" else "cce"
    histories = []
    nets = []
    for own in (options, expected):
        net = network(**model)
        common = {"loss": loss, "epochs": 2, "batch_size": 4, "verbose": False}
        histories.append(tt.train(net, x, y, **{**common, **own}))
        nets.append(net)
    np.testing.assert_array_equal(nets[0].params.flat, nets[1].params.flat)
    assert histories[0]["loss"] == histories[1]["loss"]
    return histories[0]


def test_class_numbers():
    same_training({"class_weight": WEIGHTS}, {"sample_weight": TABLE[CLASSES]})
    same_training({"class_weight": "balanced"}, {"sample_weight": BALANCED[CLASSES]})
    net = network()
    got = tt.evaluate(net, X, CLASSES, loss="cce", class_weight="balanced", metrics=["acc"])
    assert got == tt.evaluate(
        net, X, CLASSES, loss="cce", sample_weight=BALANCED[CLASSES], metrics=["acc"]
    )


def test_they_multiply_sample_weights():
    own = RNG.uniform(0.5, 2.0, size=12)
    own[:3] = 0.0
    same_training(
        {"class_weight": WEIGHTS, "sample_weight": own}, {"sample_weight": own * TABLE[CLASSES]}
    )
    balanced = np.array([4, 2, 3])  # steps of weight zero are not counted
    same_training(
        {"class_weight": "balanced", "sample_weight": own},
        {"sample_weight": own * (9 / (3 * balanced))[CLASSES]},
    )


@pytest.mark.parametrize("form", ["numbers", "rows"])
def test_classes_at_every_step(form):
    y = RNG.integers(0, 3, size=(12, 5))
    mask = RNG.random((12, 5)) < 0.7
    table = TABLE[y]
    target = y
    if form == "rows":
        target = RNG.dirichlet(np.ones(3), size=(12, 5))
        table = target @ TABLE
        target[~mask] = np.nan
    else:
        target = np.where(mask, y, -100)
    same_training(
        {"class_weight": WEIGHTS, "mask": mask},
        {"sample_weight": np.where(mask, table, 0.0), "mask": mask},
        target,
        sequences=True,
    )
    shares = (np.eye(3)[y] if form == "numbers" else target)[mask].sum(axis=0)
    balanced = shares.sum() / (3 * shares)
    weight = (
        balanced[y] if form == "numbers" else np.where(mask, np.nan_to_num(target) @ balanced, 0)
    )
    net = network(sequences=True)
    got = tt.evaluate(net, X, target, loss="cce", mask=mask, class_weight="balanced")
    expected = tt.evaluate(
        net, X, target, loss="cce", mask=mask, sample_weight=np.where(mask, weight, 0.0)
    )
    assert got["loss"] == pytest.approx(expected["loss"], rel=1e-14)


def test_yes_and_no():
    y = (CLASSES > 0) * 1.0
    same_training(
        {"class_weight": {1: 5}},
        {"sample_weight": np.where(y > 0, 5.0, 1.0)},
        y,
        outputs=1,
        activation="sigmoid",
    )
    same_training(
        {"class_weight": "balanced"},
        {"sample_weight": np.where(y > 0, 12 / 10, 12 / 14)},
        y,
        outputs=1,
        activation="sigmoid",
    )


def test_a_class_that_does_not_occur_changes_nothing():
    y = np.where(CLASSES == 1, 0, CLASSES)
    same_training(
        {"class_weight": "balanced"}, {"sample_weight": np.where(y == 0, 12 / 18, 12 / 6)}, y
    )


def test_validation_has_the_weights_of_the_training_data():
    held_out = (X[:4], CLASSES[::3])
    history = same_training(
        {"class_weight": "balanced", "validation": held_out},
        {
            "sample_weight": BALANCED[CLASSES],
            "validation": {
                "x": held_out[0], "y": held_out[1], "sample_weight": BALANCED[held_out[1]]
            },
        },
    )  # fmt: skip
    net = network()
    tt.train(
        net, X, CLASSES, loss="cce", epochs=2, batch_size=4, verbose=False, class_weight="balanced"
    )
    expected = tt.evaluate(net, *held_out, sample_weight=BALANCED[held_out[1]])["loss"]
    assert history["val_loss"][-1] == pytest.approx(expected, rel=1e-14)


def test_a_part_held_out_at_random_does_not_count_in_the_balance():
    net = network()
    seen = []

    def score(y_pred, target):
        seen.append(np.bincount(target, minlength=3))
        return 0.0

    tt.train(
        net, X, CLASSES, loss="cce", epochs=1, validation=0.5, class_weight="balanced",
        metrics=[score, Accuracy()], verbose=False,
    )  # fmt: skip
    assert sum(seen).tolist() == [7, 2, 3]


def test_data_of_later_epochs():
    def renew(epoch):
        return {"x": X[::-1], "y": CLASSES[::-1]}

    def weighed(epoch):
        return {"x": X[::-1], "y": CLASSES[::-1], "sample_weight": BALANCED[CLASSES][::-1]}

    same_training(
        {"class_weight": "balanced", "renew": renew},
        {"sample_weight": BALANCED[CLASSES], "renew": weighed},
    )


def test_a_run_with_other_weights_is_another_run(tmp_path):
    path = tmp_path / "run"
    options = {"loss": "cce", "epochs": 1, "verbose": False, "checkpoint": path}
    tt.train(network(), X, CLASSES, class_weight=WEIGHTS, **options)
    message = "belongs to a run with other data"
    with pytest.raises(tt.errors.ModelFileError, match=message):
        tt.train(network(), X, CLASSES, class_weight={0: 0.7}, resume=True, **options)
    tt.train(network(), X, CLASSES, class_weight=WEIGHTS, resume=True, **options)


@pytest.mark.parametrize(
    ("class_weight", "error", "message"),
    [
        (
            3,
            InvalidTypeError,
            "class_weight must be a dict {class: weight} or 'balanced'; got 3.",
        ),
        (
            "equal",
            InvalidTypeError,
            "class_weight must be a dict {class: weight} or 'balanced'; got 'equal'.",
        ),
        (
            {3: 1.0},
            InvalidArgumentError,
            "a key of class_weight must be an integer from 0 to 2; got 3.",
        ),
        (
            {"cat": 1.0},
            InvalidTypeError,
            "a key of class_weight must be an integer from 0 to 2; got 'cat'.",
        ),
        (
            {1: -1.0},
            InvalidArgumentError,
            "class_weight[1] must be a finite number >= 0; got -1.0.",
        ),
        (
            {0: 0.0, 1: 0.0, 2: 0.0},
            DataError,
            (
                "class_weight must leave something to learn from;"
                " got zero for every class that occurs."
            ),
        ),
    ],
)
def test_refusals(class_weight, error, message):
    with refuses(error, message):
        tt.train(network(), X, CLASSES, loss="cce", class_weight=class_weight, epochs=1)
    with refuses(error, message):
        tt.evaluate(network(), X, CLASSES, loss="cce", class_weight=class_weight)


@pytest.mark.parametrize(
    ("loss", "outputs", "y", "activation"),
    [
        ("mse", 1, np.zeros((12, 1)), "identity"),
        ("binary_crossentropy", 3, np.zeros((12, 3)), "sigmoid"),
    ],
)
def test_targets_that_are_no_classes(loss, outputs, y, activation):
    message = (
        f"class_weight must be None for loss {loss!r} with {outputs} outputs, which has no"
        " classes; got 'balanced'. Use sample_weight."
    )
    with refuses(InvalidArgumentError, message):
        tt.train(network(outputs, activation=activation), X, y, loss=loss, class_weight="balanced")
