"""What losses refuse, sentence by sentence."""

import re

import numpy as np
import pytest

from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
    ShapeError,
)
from throughtime.losses import LOSSES, MSE, Custom, GaussianNLL, Huber, Quantile, get

Y2, Y3 = np.full((4, 2), 0.5), np.full((4, 3, 2), 0.5)
NAMES = ", ".join(map(repr, LOSSES))


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def test_unknown_names_and_objects():
    with pytest.raises(
        InvalidArgumentError, match=r"^loss must be one of .*Did you mean 'huber'\?$"
    ):
        get("hubert")
    message = f"loss must be one of {NAMES} or an object of class Loss; got "
    with refuses(InvalidTypeError, f"{message}3."):
        get(3)
    with refuses(
        InvalidTypeError,
        f"{message}<class 'throughtime.losses.regression.MSE'>."
        " Write it with brackets, to make an object: MSE().",
    ):
        get(MSE)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: MSE(reduction="none"),
            InvalidArgumentError,
            "reduction must be one of 'mean', 'sum'; got 'none'.",
        ),
        (
            lambda: Huber(delta=0.0),
            InvalidArgumentError,
            "delta must be a finite number > 0; got 0.0.",
        ),
        (
            lambda: GaussianNLL(min_variance=0.0),
            InvalidArgumentError,
            "min_variance must be a finite number > 0; got 0.0.",
        ),
        (
            lambda: GaussianNLL(full=1),
            InvalidTypeError,
            "full must be True or False; got 1.",
        ),
        (
            lambda: LOSSES["contrastive"](margin=0.0),
            InvalidArgumentError,
            "margin must be a finite number > 0; got 0.0.",
        ),
        (
            lambda: LOSSES["contrastive"]()(Y2, 2 * Y2 + 1),
            DataError,
            "y must be from 0 to 1 for loss 'contrastive'; got 2 at index (0, 0).",
        ),
        (
            lambda: LOSSES["contrastive"]()(-Y2, Y2),
            InvalidArgumentError,
            (
                "loss 'contrastive' needs outputs >= 0; got -0.5. End the network with"
                " activation='softplus'."
            ),
        ),
        (
            lambda: LOSSES["bce"](label_smoothing=1.0),
            InvalidArgumentError,
            "label_smoothing must be a number in [0, 1); got 1.0.",
        ),
        (
            lambda: LOSSES["focal"](label_smoothing=-0.1),
            InvalidArgumentError,
            "label_smoothing must be a number in [0, 1); got -0.1.",
        ),
        (
            lambda: LOSSES["binary_focal"](gamma=-1.0),
            InvalidArgumentError,
            "gamma must be a finite number >= 0; got -1.0.",
        ),
        (
            lambda: LOSSES["focal"](gamma="2"),
            InvalidTypeError,
            "gamma must be a finite number >= 0; got '2'.",
        ),
        (
            lambda: LOSSES["binary_focal"](alpha=1.5),
            InvalidArgumentError,
            "alpha must be a number in [0, 1]; got 1.5.",
        ),
        (
            lambda: Quantile(levels=0.5),
            InvalidTypeError,
            "levels must be a sequence of numbers; got 0.5.",
        ),
        (
            lambda: Quantile(levels=(0.5, 1.0)),
            InvalidArgumentError,
            "levels must be a number in (0, 1); got 1.0.",
        ),
        (
            lambda: Quantile(levels=(0.9, 0.1)),
            InvalidArgumentError,
            "levels must be one or more increasing numbers; got (0.9, 0.1).",
        ),
        (
            lambda: Quantile(levels=()),
            InvalidArgumentError,
            "levels must be one or more increasing numbers; got ().",
        ),
        (
            lambda: Custom(3),
            InvalidTypeError,
            "function must be a function f(y, target); got 3.",
        ),
        (
            lambda: Custom(pow, gradient=3),
            InvalidTypeError,
            "gradient must be a function f(y, target); got 3.",
        ),
        (
            lambda: LOSSES.from_config({"name": "huber", "delta": -1.0}),
            ModelFileError,
            "the file holds a bad loss: delta must be a finite number > 0; got -1.0.",
        ),
    ],
)
def test_options(make, error, message):
    with refuses(error, message):
        make()


@pytest.mark.parametrize(
    ("y", "mask", "weights", "error", "message"),
    [
        (
            np.ones(4),
            None,
            None,
            ShapeError,
            "the network's output must be of shape (N, K) or (N, T, K); got shape (4,).",
        ),
        (
            np.full((4, 2), "a"),
            None,
            None,
            InvalidTypeError,
            (
                "the network's output must be an array of numbers;"
                " got an array of shape (4, 2) and dtype <U1."
            ),
        ),
        (
            Y2,
            np.ones(4),
            None,
            InvalidTypeError,
            "mask must be a boolean array; got dtype float64. Write mask != 0.",
        ),
        (
            Y2,
            np.ones((4, 2), bool),
            None,
            ShapeError,
            "mask must be of shape (4,); got shape (4, 2).",
        ),
        (
            Y3,
            None,
            np.ones(3),
            ShapeError,
            "weights must be of shape (4,) or (4, 3); got shape (3,).",
        ),
        (
            Y2,
            None,
            np.ones(3),
            ShapeError,
            "weights must be of shape (4,); got shape (3,).",
        ),
        (
            Y2,
            None,
            [1, 0, -1, 1],
            DataError,
            "weights must be finite numbers >= 0; got -1.",
        ),
        (
            Y2,
            None,
            [1, 1, np.nan, 1],
            DataError,
            "weights must be finite numbers >= 0; got nan.",
        ),
    ],
)
def test_outputs_masks_and_weights(y, mask, weights, error, message):
    with refuses(error, message):
        get("mse")(y, np.zeros(np.shape(y)), mask, weights)


@pytest.mark.parametrize(
    ("name", "y", "target", "error", "message"),
    [
        (
            "mse",
            Y2,
            np.zeros((4, 3)),
            ShapeError,
            "y must be of shape (4, 2); got shape (4, 3).",
        ),
        (
            "mse",
            Y3,
            np.zeros((4, 2)),
            ShapeError,
            (
                "y must be of shape (4, 3, 2); got shape (4, 2). The network gives an output at"
                " every step; for one a sequence, let its last recurrent layer have"
                " return_sequences=False."
            ),
        ),
        (
            "mse",
            Y2,
            np.zeros((4, 3, 2)),
            ShapeError,
            (
                "y must be of shape (4, 2); got shape (4, 3, 2). The network gives one output a"
                " sequence; for one at every step, let its last recurrent layer have"
                " return_sequences=True."
            ),
        ),
        (
            "mse",
            Y2,
            [[0, 0], [0, np.nan], [0, 0], [0, 0]],
            DataError,
            "y must be finite; got nan at index (1, 1). Mask missing steps, or fill them.",
        ),
        ("mse", Y2, [["a", "b"]] * 4, DataError, "y must hold numbers; got text."),
        (
            "msle",
            Y2,
            np.full((4, 2), -1.0),
            DataError,
            "y must be > -1 for loss 'msle'; got -1 at index (0, 0).",
        ),
        (
            "poisson",
            Y2,
            np.full((4, 2), -0.5),
            DataError,
            "y must be >= 0 for loss 'poisson'; got -0.5 at index (0, 0).",
        ),
        (
            "bce",
            Y2,
            np.full((4, 2), 2),
            DataError,
            "y must be from 0 to 1 for loss 'binary_crossentropy'; got 2 at index (0, 0).",
        ),
        (
            "cce",
            Y2,
            [0, 1, 2, 0],
            DataError,
            (
                "y must be class numbers from 0 to 1; got 2 at index (2,)."
                " For 3 classes give the network as many outputs."
            ),
        ),
        (
            "cce",
            Y2,
            [0, 1, -1, 0],
            DataError,
            "y must be class numbers from 0 to 1; got -1 at index (2,).",
        ),
        (
            "cce",
            Y2,
            [0, 1, 0.5, 0],
            DataError,
            "y must be class numbers from 0 to 1; got 0.5 at index (2,).",
        ),
        (
            "cce",
            Y2,
            np.array([0, 1, 2**40, 0]),
            DataError,
            "y must be class numbers from 0 to 1; got 1.09951e+12 at index (2,).",
        ),
        (
            "cce",
            Y2,
            np.full((4, 2), 0.4),
            DataError,
            "y must be probabilities that sum to 1; got 0.8 at index (0,).",
        ),
        (
            "cce",
            Y2,
            np.tile([1.5, -0.5], (4, 1)),
            DataError,
            "y must be from 0 to 1; got 1.5 at index (0, 0).",
        ),
        (
            "cce",
            Y2,
            np.eye(4, 3) + np.eye(4, 3, k=-3),
            ShapeError,
            (
                "y must be class numbers of shape (4,) or probabilities of shape (4, 2);"
                " got shape (4, 3). For 3 classes give the network as many outputs."
            ),
        ),
        (
            "cce",
            Y3,
            [0, 1, 0, 1],
            ShapeError,
            (
                "y must be class numbers of shape (4, 3) or probabilities of shape (4, 3, 2);"
                " got shape (4,). The network gives an output at every step; for one a sequence,"
                " let its last recurrent layer have return_sequences=False."
            ),
        ),
        (
            "cce",
            Y2,
            [[0, 1, 2]] * 4,
            ShapeError,
            (
                "y must be class numbers of shape (4,) or probabilities of shape (4, 2);"
                " got shape (4, 3). The network gives one output a sequence; for one at every step,"
                " let its last recurrent layer have return_sequences=True."
            ),
        ),
        (
            "cce",
            Y2,
            ["a", "b", "a", "b"],
            DataError,
            "y must hold numbers; got text. Number the classes 0, 1, 2 ... first.",
        ),
        (
            "cce",
            Y2[:, :1],
            [0, 1, 0, 1],
            InvalidArgumentError,
            (
                "loss 'categorical_crossentropy' needs at least 2 outputs, one a class; got 1."
                " Use 'binary_crossentropy' for a single yes/no output."
            ),
        ),
        (
            "gaussian_nll",
            np.ones((4, 3)),
            np.zeros((4, 1)),
            ShapeError,
            (
                "loss 'gaussian_nll' needs 2 outputs for each column of y; got 3 outputs."
                " Give the network 2 * K for K columns."
            ),
        ),
        (
            "quantile",
            np.ones((4, 6)),
            np.zeros((4, 3)),
            ShapeError,
            "y must be of shape (4, 2); got shape (4, 3).",
        ),
    ],
)
def test_targets(name, y, target, error, message):
    for check in (lambda: get(name).check_target(target, y.shape), lambda: get(name)(y, target)):
        with refuses(error, message):
            check()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "bce",
            1.5,
            (
                "loss 'binary_crossentropy' needs outputs from 0 to 1; got 1.5."
                " End the network with activation='sigmoid'."
            ),
        ),
        (
            "cce",
            -0.5,
            (
                "loss 'categorical_crossentropy' needs outputs that are probabilities; got -0.5."
                " End the network with activation='softmax'."
            ),
        ),
        (
            "poisson",
            -0.5,
            "loss 'poisson' needs outputs >= 0; got -0.5. End the network with activation='exp'.",
        ),
        (
            "msle",
            -1.5,
            (
                "loss 'msle' needs outputs >= -1; got -1.5."
                " End the network with activation='softplus'."
            ),
        ),
    ],
)
def test_outputs_outside_the_domain(name, value, message):
    y = np.full((1, 2), 0.5)
    y[0, 0] = value
    target = [[1.0, 0.0]]
    with refuses(InvalidArgumentError, message):
        get(name)(y, target)


def test_no_logits():
    with refuses(
        InvalidArgumentError,
        "loss 'mse' has no activation to be fused with; call it on the outputs.",
    ):
        get("mse").from_logits(Y2, Y2)
