"""What metrics refuse, in one sentence each."""

from __future__ import annotations

import numpy as np
import pytest

from throughtime.errors import DataError, InvalidArgumentError, ShapeError
from throughtime.training import metrics
from throughtime.training.metrics import F1, MAE, MASE, Accuracy

NUMBERS = np.array([[1.0, 10.0], [2.0, 20.0], [6.0, 30.0]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: MAE()([1.0, 2.0], [1.0, 2.0]),
            ShapeError,
            "the network's output must be of shape (N, K) or (N, T, K); got shape (2,).",
        ),
        (
            lambda: MAE()(NUMBERS, NUMBERS[:, :1]),
            ShapeError,
            "y must be of shape (3, 2); got shape (3, 1).",
        ),
        (
            lambda: MAE()([[1.0], [2.0]], [1.0, np.nan]),
            DataError,
            ("y must be finite; got nan at index (1, 0). Mask missing steps, or fill them."),
        ),
        (
            lambda: Accuracy()([[0.1], [0.2]], [1.0, 0.5]),
            DataError,
            (
                "y must be 0 or 1; got 0.5 at index (1, 0)."
                " Class metrics need classes; for numbers use 'mae' or 'r2'."
            ),
        ),
        (
            lambda: Accuracy()(np.full((2, 3), 0.3), [-1, 0]),
            DataError,
            "y must be class numbers from 0 to 2; got -1 at index (0,).",
        ),
        (
            lambda: F1(average="mean"),
            InvalidArgumentError,
            "average must be one of 'macro', 'micro', 'weighted'; got 'mean'.",
        ),
        (
            lambda: Accuracy(threshold=1.5),
            InvalidArgumentError,
            "threshold must be a number in [0, 1]; got 1.5.",
        ),
        (
            lambda: metrics.get("mase"),
            InvalidArgumentError,
            (
                "metric 'mase' must be given one of scale and training, the series whose naive"
                " forecast it compares with; got neither. Write MASE(training=series)."
            ),
        ),
        (
            lambda: MASE(scale=0.0),
            InvalidArgumentError,
            "scale must be a finite number > 0; got 0.0.",
        ),
        (
            lambda: MASE(scale=(1.0, 2.0, 3.0))(NUMBERS, NUMBERS),
            InvalidArgumentError,
            "scale must be one number, or one for each of the 2 outputs; got 3.",
        ),
        (
            lambda: MASE(training=[1.0, 2.0], seasonality=2),
            DataError,
            (
                "training must hold two values that lie 2 steps apart; got none."
                " Give a longer series or a smaller seasonality."
            ),
        ),
        (
            lambda: MASE(training=[1.0, 2.0, 1.0, 2.0], seasonality=2),
            DataError,
            (
                "training must not repeat itself every 2 steps exactly, because its naive"
                " forecast is then perfect and cannot be divided by; got such a series."
            ),
        ),
        (
            lambda: MASE(training=[]),
            DataError,
            (
                "training must hold two values that lie 1 steps apart; got none."
                " Give a longer series or a smaller seasonality."
            ),
        ),
        (
            lambda: MASE(training=np.ones((2, 2, 2))),
            ShapeError,
            "training must be of shape (T,) or (T, K); got shape (2, 2, 2).",
        ),
        (
            lambda: MASE(training=[np.ones((3, 2)), np.ones((3, 1))]),
            ShapeError,
            "training must have as many columns in every series; got 2 and 1.",
        ),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
