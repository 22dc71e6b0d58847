"""Connectionist temporal classification: targets that do not fit, extremes, and training."""

import re

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.losses.ctc import CTC, steps_needed

Y = np.full((2, 3, 3), 1 / 3)


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def test_labels_in_every_form():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(3, 6, 4))
    expected, dz = CTC().from_logits(z, [[1, 2, 2], [], [3]])
    ragged = np.empty(3, dtype=object)
    ragged[:] = [np.array([1, 2, 2]), np.array([], int), np.array([3])]
    for target in (
        [np.array([1, 2, 2]), (), np.array([3.0])],
        np.array([[1, 2, 2, -1], [-1, -1, -1, -1], [3, -100, -1, -1]]),
        [[1, 2, 2], [-1, -1, -1], [3, -1, -1]],
        ragged,
    ):
        value, again = CTC().from_logits(z, target)
        assert value == expected
        np.testing.assert_array_equal(again, dz)


def test_steps_that_labels_need():
    labels = np.array([[1, 1, 1, -1], [1, 2, 1, 2], [-1, -1, -1, -1], [2, -1, -1, -1]])
    assert steps_needed(labels).tolist() == [5, 4, 0, 1]


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (
            [[1, 1], [1, 2, 1, 2]],
            DataError,
            (
                "y[1] must hold labels that fit into the 3 steps of its output; got 4 labels, which"
                " need 4. Give longer sequences, or ignore such targets with zero_infinity=True."
            ),
        ),
        (
            [[1, 1, 2], []],
            DataError,
            (
                "y[0] must hold labels that fit into the 3 steps of its output; got 3 labels, which"
                " need 4. Give longer sequences, or ignore such targets with zero_infinity=True."
            ),
        ),
        (
            [[0], [1]],
            DataError,
            (
                "y[0] must hold labels from 0 to 2 without the blank, 0; got 0 at place 0."
                " Number the labels from 1, or set blank=."
            ),
        ),
        (
            [[1], [1, 3]],
            DataError,
            (
                "y[1] must hold labels from 0 to 2 without the blank, 0; got 3 at place 1."
                " Number the labels from 1, or set blank=."
            ),
        ),
        ([[1]], ShapeError, "y must hold the labels of 2 sequences; got 1."),
        (
            np.ones(2),
            ShapeError,
            (
                "y must be a list of labels for each sequence, or an array of shape (N, L);"
                " got shape (2,)."
            ),
        ),
        ([[1], [[1, 2]]], ShapeError, "y[1] must be a list of labels; got shape (1, 2)."),
        ([[1], [0.5]], DataError, "y[1] must hold integers; got 0.5 at place 0."),
        ([[1], [1, np.nan]], DataError, "y[1] must hold integers; got nan at place 1."),
        (
            [[1], [1, -1, 2]],
            DataError,
            "y[1] must hold no label after a number below 0; got 2 at place 2.",
        ),
        ([[1], ["a"]], DataError, "y[1] must hold numbers; got text."),
    ],
)
def test_targets_that_are_refused(target, error, message):
    with refuses(error, message):
        CTC()(Y, target)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: CTC(blank=-1),
            InvalidArgumentError,
            "blank must be an integer >= 0; got -1.",
        ),
        (
            lambda: CTC(zero_infinity=1),
            InvalidTypeError,
            "zero_infinity must be True or False; got 1.",
        ),
        (
            lambda: CTC(blank=3)(Y, [[1], [1]]),
            InvalidArgumentError,
            (
                "loss 'ctc' needs at least 4 outputs, one a label and one for the blank, number 3;"
                " got 3."
            ),
        ),
        (
            lambda: CTC()(Y[..., :1], [[1], [1]]),
            InvalidArgumentError,
            (
                "loss 'ctc' needs at least 2 outputs, one a label and one for the blank, number 0;"
                " got 1."
            ),
        ),
        (
            lambda: CTC()(2 * Y, [[1], [1]]),
            InvalidArgumentError,
            (
                "loss 'ctc' needs outputs that sum to 1 at every step; got 2."
                " End the network with activation='softmax'."
            ),
        ),
        (
            lambda: CTC()(3.1 * Y, [[1], [1]]),
            InvalidArgumentError,
            (
                "loss 'ctc' needs outputs that are probabilities; got 1.03333."
                " End the network with activation='softmax'."
            ),
        ),
    ],
)
def test_refusals(make, error, message):
    with refuses(error, message):
        make()


def test_targets_that_are_too_long_may_be_ignored():
    loss = CTC(zero_infinity=True, reduction="sum")
    z = np.random.default_rng(0).normal(size=(2, 3, 3))
    expected, dz = CTC(reduction="sum").from_logits(z[:1], [[1, 2]])
    value, both = loss.from_logits(z, [[1, 2], [1, 1, 1, 1]])
    assert value == expected
    np.testing.assert_array_equal(both[:1], dz)
    assert not both[1].any()
    y = tt.activations.get("softmax")(z)
    value, dy = loss(y, [[1, 2], [1, 1, 1, 1]])
    assert value == pytest.approx(expected, rel=1e-13)
    assert dy[0].any()
    assert not dy[1].any()


def test_an_excluded_label_has_an_infinite_loss():
    z = np.zeros((1, 3, 3))
    z[..., 2] = -np.inf
    value, dz = CTC().from_logits(z, [[2]])
    assert value == np.inf
    assert np.isnan(dz).all()
    value, dz = CTC().from_logits(z, [[1]])
    assert value == pytest.approx(-np.log(6 / 8), rel=1e-13)
    assert np.isfinite(dz).all()


def test_a_nan_stays():
    z = np.zeros((2, 3, 3))
    z[0, 1, 2] = np.nan
    value, dz = CTC(zero_infinity=True).from_logits(z, [[2], [1]])
    assert np.isnan(value)
    assert np.isnan(dz[0]).any()
    assert np.isfinite(dz[1]).all()


@pytest.mark.parametrize("size", [800.0, 1e6])
def test_confident_logits(size):
    """Right with certainty: no loss and no gradient. Wrong: a loss of the size of the logits."""
    path = [1, 1, 0, 2, 2, 0, 2]
    z = np.zeros((1, 7, 3))
    z[0, np.arange(7), path] = size
    value, dz = CTC().from_logits(z, [[1, 2, 2]])
    assert value == 0.0
    np.testing.assert_array_equal(dz, np.zeros_like(dz))
    value, dz = CTC().from_logits(z, [[2, 1]])
    assert size < value < 7 * size
    np.testing.assert_allclose(dz.sum(axis=-1), 0.0, atol=1e-9)


def test_long_sequences():
    """The probability of one alignment underflows; its logarithm does not."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 1000, 20))
    target = rng.integers(1, 20, size=(2, 70))
    value, dz = CTC().from_logits(z, target)
    assert 1000 < value < 10000
    assert np.isfinite(dz).all()
    np.testing.assert_allclose(dz.sum(axis=-1), 0.0, atol=1e-12)
    v = rng.normal(size=z.shape)
    h = 1e-4
    differences = [CTC().from_logits(z + s * h * v, target)[0] for s in (1, -1, 2, -2)]
    slope = (8 * (differences[0] - differences[1]) - (differences[2] - differences[3])) / (12 * h)
    assert slope == pytest.approx(float((dz * v).sum()), rel=1e-6)


def network(dtype="float32", layers=()):
    layers = [tt.layers.GRU(8, return_sequences=True), *layers]
    return tt.Network([*layers, tt.layers.Dense(4, activation="softmax")], 2, dtype, seed=1)


def data(n=12, seed=0):
    """Ragged sequences of pulses, and the kinds of the pulses without their times."""
    rng = np.random.default_rng(seed)
    xs, ys = [], []
    for _ in range(n):
        labels = rng.integers(1, 4, size=rng.integers(0, 4))
        x = 0.1 * rng.normal(size=(int(rng.integers(10, 16)), 2))
        places = np.sort(rng.permutation(len(x) // 2)[: len(labels)]) * 2
        x[places, 0] += labels - 2.0
        x[places, 1] += 2.0
        xs.append(x)
        ys.append(labels)
    return xs, ys


def test_everything_that_trains_takes_it(tmp_path):
    x, y = data()
    net = network()
    history = tt.train(
        net, x, y, loss="ctc", epochs=3, validation=0.25, batch_size=4, verbose=False, bucket=True,
        sample_weight=np.linspace(0.5, 2, len(x)), clip_norm=1.0, seed=1,
    )  # fmt: skip
    assert history["loss"][-1] < history["loss"][0]
    assert np.isfinite(history["val_loss"]).all()
    net.save(tmp_path / "net.safetensors")
    again = tt.load(tmp_path / "net.safetensors")
    assert tt.evaluate(again, x, y) == tt.evaluate(net, x, y, loss="ctc")
    assert tt.check_gradients(net, x[:3], y[:3]).ok


def test_the_loss_of_all_does_not_depend_on_the_batches():
    x, y = data()
    net = network("float64")
    whole = tt.evaluate(net, x, y, loss="ctc", batch_size=None)["loss"]
    for size in (1, 5):
        assert tt.evaluate(net, x, y, loss="ctc", batch_size=size)["loss"] == pytest.approx(
            whole, rel=1e-13
        )


def test_outputs_with_fewer_steps_than_the_input():
    x, y = data()
    net = network("float64", [tt.layers.Conv1D(6, 2, stride=2, padding="same")])
    y = [labels[:2] for labels in y]
    assert tt.check_gradients(net, x, y, "ctc").ok
    tt.train(net, x, y, loss="ctc", epochs=1, verbose=False)
    message = (
        "y[0] must hold labels that fit into the 5 steps of its output; got 6 labels, which"
        " need 6. Give longer sequences, or ignore such targets with zero_infinity=True."
    )
    with refuses(DataError, message):
        tt.train(net, [x[0][:10]], [[1, 2, 1, 2, 1, 2]], loss="ctc", epochs=1)


def test_long_targets_are_not_cut_with_their_batch():
    """A target may have more labels than its batch has steps, where such targets are ignored."""
    x, y = data(4)
    y[0] = np.tile([1, 2], 30)
    net = network("float64")
    loss = CTC(zero_infinity=True)
    whole = tt.evaluate(net, x, y, loss=loss)["loss"]
    assert tt.evaluate(net, x, y, loss=loss, batch_size=1)["loss"] == pytest.approx(whole)
    rest = tt.evaluate(net, x[1:], y[1:], loss=loss)["loss"]
    assert whole == pytest.approx(rest * 3 / 4)


def test_training_refuses():
    x, y = data(4)
    with refuses(
        InvalidArgumentError,
        "tbptt must be None for loss 'ctc', which needs all steps of a sequence; got (5, 5).",
    ):
        tt.train(network(), x, y, loss="ctc", tbptt=(5, 5), epochs=1)
    with refuses(
        ShapeError,
        "sample_weight must be of shape (4,); got shape (4, 15). Loss 'ctc' weighs whole"
        " sequences.",
    ):
        tt.train(network(), x, y, loss="ctc", sample_weight=np.ones((4, 15)), epochs=1)
    with refuses(ShapeError, "y must hold one target for each of the 4 sequences; got 3 of them."):
        tt.train(network(), x, y[:3], loss="ctc", epochs=1)
