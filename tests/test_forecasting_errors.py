"""Every way in which a forecaster can be asked for what it cannot do, and what it says."""

import re
from typing import Any

import numpy as np
import pytest

from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.forecasting import Forecaster

QUICK: dict[str, Any] = {"epochs": 1, "members": 1, "hidden_size": 4}
Y = 20.0 + np.random.default_rng(0).normal(size=90)


@pytest.fixture(scope="module")
def fitted() -> Forecaster:
    return Forecaster(6, **QUICK).fit(Y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"horizon": 0}, InvalidArgumentError, "horizon must be an integer >= 1; got 0."),
        ({"horizon": 2.5}, InvalidTypeError, "horizon must be an integer >= 1; got 2.5."),
        (
            {"cell": "gr"},
            InvalidArgumentError,
            "cell must be one of 'rnn', 'gru', 'lstm'; got 'gr'. Did you mean 'gru'?",
        ),
        ({"window": 0}, InvalidArgumentError, "window must be an integer >= 1; got 0."),
        (
            {"coverages": (80,)},
            InvalidArgumentError,
            "coverages must be a number in (0, 1); got 80. Write 0.9 for 90 %.",
        ),
        (
            {"season": -3},
            InvalidArgumentError,
            (
                "season must be a finite number >= 1; got -3."
                " Write 'auto', None, a number of steps, or several numbers."
            ),
        ),
        (
            {"transform": "sqrt"},
            InvalidArgumentError,
            "transform must be one of 'auto', 'none', 'log'; got 'sqrt'.",
        ),
        (
            {"nonnegative": 1},
            InvalidTypeError,
            "nonnegative must be True or False; got 1.",
        ),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Forecaster(**({"horizon": 3} | options))


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        (
            Forecaster(12),
            np.arange(15.0),
            (
                "y must have at least 16 values for horizon=12; got 15."
                " Use a shorter horizon, or bring more data."
            ),
        ),
        (
            Forecaster(3, window=40),
            np.arange(30.0),
            (
                "y must have at least 47 values for horizon=3 and window=40; got 30."
                " Use a shorter horizon or window, or bring more data."
            ),
        ),
        (
            Forecaster(1),
            [1.0, 2.0, 3.0],
            (
                "y must have at least 8 values for horizon=1; got 3."
                " Use a shorter horizon, or bring more data."
            ),
        ),
        (
            Forecaster(2),
            [[1.0, 2.0], [3.0, 4.0, 5.0]],
            (
                "the longest series must have at least 8 values for horizon=2; got 3."
                " Use a shorter horizon, or bring more data."
            ),
        ),
        (
            Forecaster(2, transform="log"),
            np.arange(20.0),
            "y must be positive for transform='log'; got 0. Write transform='auto'.",
        ),
    ],
)
def test_series_that_cannot_be_fitted(model: Forecaster, y: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        model.fit(y)


def test_predictions_that_cannot_be_made(fitted: Forecaster) -> None:
    cases: list[tuple[Any, type[Exception], str]] = [
        (lambda m: m.predict(7), InvalidArgumentError, "fh must be an integer from 1 to 6; got 7."),
        (lambda m: m.predict([]), InvalidArgumentError,
         "fh must name at least one step; got nothing."),
        (lambda m: m.predict(X=[1.0]), InvalidArgumentError,
         "X must come with y; got X alone. Covariates of the steps ahead are X_future."),
        (lambda m: m.predict(y=[1.0, 2.0, None]), DataError,
         "y must hold at least 4 numbers to be forecast from; got 2."),
        (lambda m: m.predict(y=Y, X=Y), ShapeError,
         "X must be of shape (90, 0); got shape (90,)."),
        (lambda m: m.predict_interval(coverage=1.0), InvalidArgumentError,
         "coverage must be a number in (0, 1); got 1.0. Write 0.9 for 90 %."),
        (lambda m: m.update("new"), DataError, "y must hold numbers; got text."),
    ]  # fmt: skip
    for call, error, message in cases:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            call(fitted)
    message = "the forecaster must be fitted first; call fit or load."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Forecaster(3).predict()


def test_logarithms_need_positive_values() -> None:
    y = np.exp(0.05 * np.arange(60)) * np.exp(np.random.default_rng(0).normal(0, 0.05, 60))
    model = Forecaster(3, transform="log", **QUICK).fit(y)
    message = "y must be positive for transform='log'; got -1. Write transform='auto'."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        model.predict(y=[*y, -1.0])
