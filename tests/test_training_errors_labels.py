"""What ``train`` says to labels in another form, and to outputs that cannot learn them."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.layers import GRU, Dense
from throughtime.training import train

X = np.random.default_rng(0).normal(size=(10, 6, 2))


def refused(kind, model, x, y, **options):
    before = model.params.flat.copy()
    with pytest.raises(kind) as caught:
        train(model, x, y, **options)
    np.testing.assert_array_equal(model.params.flat, before)
    return str(caught.value)


@pytest.mark.parametrize(
    ("loss", "outputs", "y", "message"),
    [
        (
            "crossentropy",
            3,
            np.zeros((10, 1), int),
            (
                "y must be class numbers of shape (10,) or probabilities of shape (10, 3);"
                " got shape (10, 1). For class numbers write y[:, 0]."
            ),
        ),
        (
            "crossentropy",
            3,
            np.arange(10) % 3 + 1,
            (
                "y must be class numbers from 0 to 2; got 3 at index (2,)."
                " The classes seem to be numbered from 1: write y - 1."
            ),
        ),
        (
            "crossentropy",
            2,
            np.arange(10) % 2 * 2 - 1,
            (
                "y must be class numbers from 0 to 1; got -1 at index (0,)."
                " For labels -1 and 1 write (y + 1) / 2."
            ),
        ),
        (
            "crossentropy",
            3,
            np.arange(10),
            (
                "y must be class numbers from 0 to 2; got 3 at index (3,)."
                " For 10 classes give the network as many outputs."
            ),
        ),
        (
            "bce",
            1,
            np.arange(10) % 2 + 1,
            (
                "y must be from 0 to 1 for loss 'binary_crossentropy'; got 2 at index (1, 0)."
                " The classes seem to be numbered from 1: write y - 1."
            ),
        ),
        (
            "bce",
            1,
            np.arange(10) % 2 * 2 - 1,
            (
                "y must be from 0 to 1 for loss 'binary_crossentropy'; got -1 at index (0, 0)."
                " For labels -1 and 1 write (y + 1) / 2."
            ),
        ),
        (
            "mse",
            3,
            np.arange(10) % 3,
            (
                "y must be of shape (10, 3); got shape (10,). Class numbers need"
                " loss='categorical_crossentropy', and metrics of classes."
            ),
        ),
        (
            "crossentropy",
            1,
            np.arange(10) % 2,
            (
                "loss 'categorical_crossentropy' needs at least 2 outputs, one a class; got 1."
                " Use 'binary_crossentropy' for a single yes/no output."
            ),
        ),
    ],
)
def test_labels_in_another_form(loss, outputs, y, message):
    ends = {"crossentropy": "softmax", "bce": "sigmoid", "mse": None}
    activation = "sigmoid" if outputs == 1 else ends[loss]
    model = tt.Network([GRU(4), Dense(outputs, activation=activation)], n_features=2)
    assert refused(tt.errors.InvalidArgumentError, model, X, y, loss=loss) == message


def test_labels_of_every_step_in_another_form():
    layers = [GRU(4, return_sequences=True), Dense(3, activation="softmax")]
    model = tt.Network(layers, n_features=2)
    message = refused(tt.errors.ShapeError, model, X, np.ones((10, 6, 1), int), loss="cce")
    assert message.endswith("For class numbers write y[:, :, 0].")
    message = refused(tt.errors.ShapeError, model, X, np.ones((10, 6), int))
    assert message.endswith(
        "Class numbers need loss='categorical_crossentropy', and metrics of classes."
    )


@pytest.mark.parametrize(
    ("layers", "where"),
    [
        ([GRU(4), Dense(1, activation="softmax")], "layer 1 (Dense)"),
        ([GRU(4), Dense(1, activation="softmax"), Dense(1)], "layer 1 (Dense)"),
        ([GRU(1, activation="softmax", bidirectional=True), Dense(1)], "layer 0 (GRU)"),
        ([GRU(1, recurrent_activation="softmax"), Dense(1)], "layer 0 (GRU)"),
    ],
)
@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_a_softmax_over_a_single_unit_learns_nothing(layers, where, loss):
    model = tt.Network(layers, n_features=2)
    message = refused(tt.errors.InvalidArgumentError, model, X, np.ones((10, 1)), loss=loss)
    assert message == (
        f"{where} must not have activation='softmax' over a single unit, which is always 1 and"
        " learns nothing. Write activation='sigmoid', or give the layer one unit for each class."
    )
