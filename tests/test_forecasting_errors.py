"""Requests that a forecaster refuses, and its messages."""

import copy
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odd_values import ODD

from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    ThroughtimeError,
)
from throughtime.forecasting import Forecaster
from throughtime.forecasting.settings import Settings

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
            (
                "cell must be one of 'rnn', 'gru', 'lstm', 'mingru', 'minlstm', 'indrnn', 'lru';"
                " got 'gr'. Did you mean 'gru'?"
            ),
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
            Forecaster(3, window=40),
            np.arange(30.0),
            (
                "y must have at least 47 values for horizon=3 and window=40; got 30."
                " Use a shorter horizon or window, or bring more data."
            ),
        ),
        (
            Forecaster(1),
            [1.0, 2.0],
            "y must hold at least 3 numbers; got 2.",
        ),
        (
            Forecaster(2),
            [[1.0, 2.0], [3.0, None, 5.0]],
            "the longest series must hold at least 3 numbers; got 2.",
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
         "y must hold at least 3 numbers to be forecast from; got 2."),
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


def doors(y: np.ndarray) -> dict[str, Callable[[Any], Any]]:
    """Every door of a forecaster that takes data or an option; a single one takes the odd value."""
    new = functools.partial(Forecaster, 3, season=None, **QUICK)
    extra = y[::-1].copy()
    one, many = new().fit(y), new().fit({"a": y, "b": y}, {"a": extra, "b": extra})
    listed = new().fit([y, y])
    two = {"a": [1.0], "b": [1.0]}
    options = [name for name in Settings.saved() if name not in ("seed", "season")]
    return {
        "fit": lambda v: new().fit(v),
        "fit, X": lambda v: new().fit(y, v),
        "fit, X of a list": lambda v: new().fit([y, y], v),
        "fit, X of a mapping": lambda v: new().fit({"a": y}, v),
        "fit, in a list": lambda v: new().fit([y, v]),
        "fit, in a mapping": lambda v: new().fit({"a": y, "b": v}),
        "update": lambda v: copy.copy(one).update(v),
        "update a list": lambda v: copy.copy(listed).update(v),
        "update a mapping": lambda v: copy.copy(many).update(v),
        "update, X": lambda v: copy.copy(many).update(two, v),
        "predict, fh": lambda v: one.predict(v),
        "predict, X_future": lambda v: many.predict(1, v),
        "predict, y": lambda v: one.predict(y=v),
        "predict, X": lambda v: many.predict(1, {"a": [1.0]}, y={"a": y}, X={"a": v}),
        "predict_interval": lambda v: one.predict_interval(1, v),
        "lower": lambda v: one.predict().lower(v),
        "backtest": lambda v: new().backtest(v),
        "backtest, holdout": lambda v: new().backtest(y, holdout=v),
        "backtest, folds": lambda v: new().backtest(y, folds=v),
        "save": lambda v: one.save(v),
        "load": lambda v: Forecaster.load(v),
        "progress": lambda v: Forecaster(3, progress=v),
        **{name: functools.partial(lambda n, v: Forecaster(**{"horizon": 3, n: v}), name)
           for name in options},
    }  # fmt: skip


def test_odd_values_are_read_or_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # "abc" is a path
    for door, call in doors(Y[:60]).items():
        refused = 0
        for make in ODD.values():
            message = ""
            try:
                call(make())
            except ThroughtimeError as error:
                message = str(error)
                refused += 1
            assert "\n" not in message
        assert refused > len(ODD) // 2, door
