"""One or many series: containers, covariates, and every way in which they can be wrong."""

import decimal
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.forecasting.reading import extend, read_ahead, read_group

Y = np.arange(5.0)


def test_one_series() -> None:
    for given in (Y, list(Y), tuple(Y), Y.astype(int), Y[:, None], [0, 1, 2, 3, 4]):
        group = read_group(given)
        assert group.kind == "one"
        np.testing.assert_array_equal(group.series[0].y, Y)
        assert group.series[0].covariates.shape == (5, 0)
    assert group.wrap(["answer"]) == "answer"


def test_none_is_missing() -> None:
    np.testing.assert_array_equal(read_group([1, None, 3.5]).series[0].y, [1.0, np.nan, 3.5])


def test_list_and_mapping() -> None:
    group = read_group([Y, Y[:3]], [Y, Y[:3, None]])
    assert group.kind == "list"
    assert group.names == [0, 1]
    assert group.series[1].covariates.shape == (3, 1)
    assert group.wrap([1, 2]) == [1, 2]
    group = read_group({"b": Y, "a": Y[:3]}, {"a": Y[:3], "b": Y})
    assert group.names == ["b", "a"]
    np.testing.assert_array_equal(group.series[0].covariates[:, 0], Y)
    assert group.wrap([1, 2]) == {"b": 1, "a": 2}


def test_extend() -> None:
    group = read_group({"a": Y, "b": Y}, {"a": Y, "b": Y})
    longer = extend(group, {"b": [7.0], "a": [8, np.nan]}, {"a": [[1], [2]], "b": [3]})
    np.testing.assert_array_equal(longer.series[0].y, [*Y, 8, np.nan])
    np.testing.assert_array_equal(longer.series[1].covariates[:, 0], [*Y, 3])
    assert len(group.series[0]) == 5


@pytest.mark.parametrize(
    ("y", "X", "error", "message"),
    [
        ("text", None, DataError, "y must hold numbers; got text."),
        (["a", "b"], None, DataError, "y must hold numbers; got text."),
        ([1.0, None, "x"], None, DataError, "y must hold numbers; got 'x' at index 2."),
        ([], None, DataError, "y must hold at least one number; got nothing."),
        ({}, None, DataError, "y must hold at least one series; got an empty mapping."),
        (
            [np.nan, np.nan],
            None,
            DataError,
            "y must hold at least one number; got only missing values.",
        ),
        (
            {"a": Y, "b": [None, None]},
            None,
            DataError,
            "y['b'] must hold at least one number; got only missing values.",
        ),
        (
            [1.0, np.inf],
            None,
            DataError,
            "y must be finite; got inf at index 1. Write NaN where a value is missing.",
        ),
        (
            np.zeros((5, 2)),
            None,
            ShapeError,
            (
                "y must be one series of shape (T,); got shape (5, 2)."
                " Pass several series as a list or a mapping, and covariates as X."
            ),
        ),
        (Y, Y[:4], ShapeError, "X must be of shape (5, F); got shape (4,)."),
        (Y, np.zeros((5, 2, 2)), ShapeError, "X must be of shape (5, F); got shape (5, 2, 2)."),
        (
            [Y, Y],
            [Y],
            ShapeError,
            (
                "X must be a list with one entry for each of the 2 series;"
                " got [array([0., 1., 2., 3., 4.])]."
            ),
        ),
        (
            {"a": Y, "b": Y},
            {"a": Y},
            ShapeError,
            "X must be a mapping with the names of y; got a mapping that lacks 'b'.",
        ),
        (
            {"a": Y},
            {"a": Y, "c": Y},
            ShapeError,
            "X must be a mapping with the names of y; got a mapping with unknown names.",
        ),
        (
            [Y, Y],
            [Y, np.zeros((5, 2))],
            ShapeError,
            "X must have the same number of columns for every series; got [1, 2].",
        ),
    ],
)
def test_errors(y: Any, X: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        read_group(y, X)


def test_covariates_that_the_model_knows() -> None:
    message = "X must hold the 2 covariates that the forecaster was fitted with; got nothing."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read_group(Y, None, 2)
    with pytest.raises(ShapeError, match=r"^X must be of shape \(5, 2\); got shape \(5,\).$"):
        read_group(Y, Y, 2)


def test_covariates_of_the_future() -> None:
    one, two = read_group(Y), read_group({"a": Y, "b": Y})
    assert read_ahead(one, None, 0, 3, True)[0].shape == (0, 0)
    assert read_ahead(two, None, 2, 3, False)[1].shape == (0, 2)
    assert read_ahead(one, [1, 2, 3, 4], 1, 3, True)[0].shape == (4, 1)
    cases = [
        (one, None, 2, True, DataError, ("X_future must hold the covariates of the 3 steps ahead;"
         " got nothing. Fit with future_covariates=False if they are not known.")),
        (one, Y, 0, True, InvalidArgumentError,
         "X_future must be left out: the forecaster has no covariates."),
        (one, Y, 1, False, InvalidArgumentError,
         "X_future must be left out: the forecaster has future_covariates=False."),
        (one, Y[:2], 1, True, ShapeError,
         "X_future must have a row for each of the 3 steps ahead; got 2."),
        (two, {"a": Y, "b": Y[:1]}, 1, True, ShapeError,
         "X_future['b'] must have a row for each of the 3 steps ahead; got 1."),
    ]  # fmt: skip
    for group, value, width, used, error, message in cases:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            read_ahead(group, value, width, 3, used)


@pytest.mark.parametrize(
    "given",
    [
        [0.0, None, 2.0, 3.0],
        np.ma.masked_equal([0.0, -9.0, 2.0, 3.0], -9.0),
        np.ma.masked_equal([0, -9, 2, 3], -9),
        pd.Series([0, None, 2, 3], dtype="Int64"),
        pd.Series([0.0, None, 2.0, 3.0], dtype=object),
        pd.DataFrame({"sales": pd.array([0, None, 2, 3], dtype="Float32")}),
        [decimal.Decimal(0), np.nan, decimal.Decimal(2), 3],
    ],
)
def test_every_mark_of_a_missing_value_is_read(given: Any) -> None:
    (series,) = read_group(given).series
    np.testing.assert_array_equal(series.y, [0.0, np.nan, 2.0, 3.0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.array(["1", None], dtype=object), "y must hold numbers; got '1' at index 0."),
        ([1.0, 1e160], "y must be at most 1e+100 in size; got 1e+160 at index 1. Divide by a"),
        ([1.0, 10**400], "y must be finite; got inf at index 1. Write NaN where a value is"),
        (5.5, "y must be one series of shape (T,); got 5.5. Pass several series as a list or a"),
        ((i for i in range(3)), "y must be an array or a list; got <generator object"),
    ],
)
def test_what_is_no_series(given: Any, message: str) -> None:
    with pytest.raises((DataError, ShapeError, InvalidTypeError), match=f"^{re.escape(message)}"):
        read_group(given)


def test_static_numbers_stay_with_their_series() -> None:
    """They have mean 0 and standard deviation 1: those that are 1 and 0 become 1 and -1."""
    group = read_group({"b": Y, "a": Y}, static={"a": [1, 0], "b": [0, 1]})
    np.testing.assert_array_equal(group.series[0].static, [-1.0, 1.0])
    np.testing.assert_array_equal(group.series[0].from_first_value().static, [-1.0, 1.0])
    np.testing.assert_array_equal(group.series[0].until(2).static, [-1.0, 1.0])
    np.testing.assert_array_equal(extend(group, {"a": Y, "b": Y}).series[1].static, [1.0, -1.0])
    assert read_group([Y, Y], static=[3.0, 4.0]).series[1].static.tolist() == [1.0]
    assert read_group([Y, Y], static=[3.0, 3.0]).series[1].static.tolist() == [0.0]
    assert read_group(Y).series[0].static.shape == (0,)


def test_static_numbers_that_do_not_fit() -> None:
    # fmt: off
    for y, static, error, message in (
        (Y, [1.0], InvalidArgumentError,
         "static must be given with several series; got a single series."),
        ([Y, Y], [[1.0], [1.0, 2.0]], ShapeError,
         "static must have as many numbers for every series; got [1, 2]."),
        ([Y, Y], [[1.0], [np.nan]], DataError, "static[1] must hold numbers alone; got NaN."),
        ({"a": Y, "b": Y}, {"a": [[1.0]], "b": [1.0]}, ShapeError,
         "static['a'] must be of shape (K,); got shape (1, 1)."),
    ):
        # fmt: on
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            read_group(y, static=static)
