"""Columns and cells that from_parquet refuses; each sentence names file, column and row."""

import re
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from throughtime.data.loaders.parquet import from_parquet
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    MissingDependencyError,
)


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.parquet"


def columns(**more):
    rows = {"id": [1, 1, 2, 2], "t": [0, 1, 0, 1], "a": [0.0, 1.0, 2.0, 3.0], "y": [5, 5, 6, 6]}
    return {name: column for name, column in (rows | more).items() if column is not None}


def write(path, **more):
    pq.write_table(pa.table(columns(**more)), path, row_group_size=3)


def refused(error, sentence, path, **options):
    with pytest.raises(error, match=exactly(sentence)) as caught:
        from_parquet(path, **({"id": "id", "time": "t", "target": "y"} | options))
    return caught.value


def test_classes_that_arrays_do_not_keep(path):
    write(path, y=["a", "a", "a\0", "a\0"])
    refused(
        DataError,
        "target column 'y' must hold text that does not end in null characters; got such a class.",
        path,
    )


def test_columns_that_are_not_there(path):
    write(path)
    refused(
        InvalidArgumentError,
        f"id must be a column of {path}; got 'Id'. Did you mean 'id'? The columns are 'id', 't',"
        " 'a', 'y'.",
        path,
        id="Id",
    )
    for role, name in (("time", "time"), ("target", "label"), ("weight", "w"), ("features", "b")):
        asked = refused(
            InvalidArgumentError,
            f"{role} must be a column of {path}; got {name!r}. The columns are 'id', 't', 'a',"
            " 'y'.",
            path,
            **{role: name},
        )
        assert asked.parameter == role
    refused(InvalidTypeError, "id must name a column; got None.", path, id=None)
    refused(InvalidTypeError, "target must name a column; got 3.", path, target=[3])
    refused(
        InvalidTypeError, "features must be a column or a list of columns; got 3.", path, features=3
    )
    refused(
        InvalidArgumentError, "features must be at least one column; got none.", path, features=[]
    )
    refused(
        InvalidArgumentError,
        "features must be another column than target; got 'y' for both.",
        path,
        features=["a", "y"],
    )
    refused(
        InvalidArgumentError,
        "target must be different columns; got 'y' twice.",
        path,
        target=["y", "y"],
    )
    write(path, a=None)
    refused(
        DataError,
        f"{path} must have columns of features; got none besides 'id', 't', 'y'.",
        path,
    )
    twice = pa.table([[1, 2], [1.0, 2.0], [3.0, 4.0]], names=["id", "a", "a"])
    pq.write_table(twice, path)
    refused(
        DataError,
        f"{path} must be columns with different names; got two that are called 'a'.",
        path,
        time=None,
        target="a",
    )


def test_columns_of_the_wrong_type(path):
    write(path, b=["u", "v", "w", "x"], c=[[1], [2], [3], [4]])
    way = " Name the columns to learn from: features=[...]."
    refused(
        DataError,
        f"features column 'b' of {path} must hold numbers; got the type string.{way}",
        path,
    )
    refused(
        DataError,
        f"features column 'c' of {path} must hold numbers; got the type list<element: int64>.",
        path,
        features=["c"],
    )
    refused(
        DataError,
        f"time column 'b' of {path} must hold times or numbers; got the type string. Write it as"
        " time stamps or numbers.",
        path,
        time="b",
    )
    refused(
        DataError,
        f"target column 'c' of {path} must hold numbers or text; got the type list<element:"
        " int64>.",
        path,
        target="c",
    )
    refused(
        DataError,
        f"weight column 'b' of {path} must hold numbers; got the type string.",
        path,
        weight="b",
        features="a",
    )
    refused(
        DataError,
        f"id column 'c' of {path} must hold times or numbers or text; got the type list<element:"
        " int64>.",
        path,
        id="c",
    )
    refused(
        InvalidArgumentError,
        "target must be one column of classes or several of numbers; got the column 'b' of classes"
        " among 2.",
        path,
        target=["y", "b"],
        features="a",
    )
    write(path, t=pa.array([0, 1, 2, 3], pa.timestamp("s")))
    refused(
        DataError,
        f"features column 't' of {path} must hold numbers; got the type timestamp[s].{way}".replace(
            "timestamp[s]", str(pq.read_schema(path).field("t").type)
        ),
        path,
        time=None,
    )


@pytest.mark.parametrize(
    ("name", "column", "sentence"),
    [
        (
            "a", [0.0, 1.0, None, 3.0],
            ("features column 'a' of {} must hold a value in every row; got nothing in row 3,"
            " counted from 1. Fill missing values, or drop these rows, before."),
        ),
        (
            "a", [0.0, 1.0, 2.0, np.nan],
            ("features column 'a' of {} must hold finite numbers; got nan in row 4. Fill missing"
            " values, or drop these rows, before."),
        ),
        (
            "a", [0.0, -np.inf, 2.0, 3.0],
            ("features column 'a' of {} must hold finite numbers; got -inf in row 2. Fill missing"
            " values, or drop these rows, before."),
        ),
        (
            "a", [0.0, 1e39, 2.0, 3.0],
            ("features column 'a' of {} must hold numbers that fit into float32; got 1e+39 in row"
            " 2. Scale the column, or use dtype='float64'."),
        ),
        (
            "y", [5, None, 6, 6],
            ("target column 'y' of {} must hold a value in every row; got nothing in row 2,"
            " counted from 1. Fill missing values, or drop these rows, before."),
        ),
        (
            "y", ["u", "u", "v", None],
            ("target column 'y' of {} must hold a value in every row; got nothing in row 4,"
            " counted from 1. Drop rows without a class before."),
        ),
        (
            "y", pa.array([2**63, 2**63, 6, 6], pa.uint64()),
            ("target column 'y' of {} must hold integers that fit into int64; got"
            " 9223372036854775808 in row 1."),
        ),
        (
            "y", ["u" * 501] * 4,
            ("target column 'y' must hold classes of at most 500 characters; got a longer"
            " text."),
        ),
        (
            "id", [1, 1, None, 2],
            ("id column 'id' of {} must hold a value in every row; got nothing in row 3,"
            " counted from 1. Drop rows without an id before."),
        ),
        (
            "t", [0, 1, 0, None],
            ("time column 't' of {} must hold a value in every row; got nothing in row 4,"
            " counted from 1. Drop rows without a time before."),
        ),
        (
            "t", [0, 1, 0, np.nan],
            ("time column 't' of {} must hold finite numbers; got nan in row 4. Fill missing"
            " values, or drop these rows, before."),
        ),
        (
            "t", pa.array([1, 1, 0, 1], pa.timestamp("s")),
            ("time column 't' must hold each time once within an id; got 1970-01-01 00:00:01"
            " twice for id 1, in rows 1 and 2 of {}. Drop or combine such rows before."),
        ),
        (
            "y", [5, 5, 6, 7],
            ("target column 'y' must hold one value for each id; got 6 and 7 for id 2, in rows"
            " 3 and 4 of {}. If there is one for each row, write target_per='step'."),
        ),
        (
            "y", ["u", "v", "w", "w"],
            ("target column 'y' must hold one value for each id; got 'u' and 'v' for id 1, in"
            " rows 1 and 2 of {}. If there is one for each row, write target_per='step'."),
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cached", [False, True])
def test_cells_that_cannot_be_used(path, tmp_path, name, column, sentence, cached):
    write(path, **{name: column})
    cache = tmp_path / "cache" if cached else None
    refused(DataError, sentence.format(path, path), path, cache=cache)


def test_rows_that_lie_apart_are_compared_too(path):
    write(path, id=["b", "a", "b", "a"], t=[1, 0, 1, 2])
    refused(
        DataError,
        f"time column 't' must hold each time once within an id; got 1 twice for id 'b',"
        f" in rows 1 and 3 of {path}. Drop or combine such rows before.",
        path,
    )
    write(path, id=[1, 2, 1, 2], t=[0, 0, 1, 1], y=[1, 2, 1, 3])
    refused(
        DataError,
        f"target column 'y' must hold one value for each id; got 2 and 3 for id 2, in"
        f" rows 2 and 4 of {path}. If there is one for each row, write target_per='step'.",
        path,
    )
    write(path, w=[1.0, 1.0, 2.0, 3.0])
    refused(
        DataError,
        f"weight column 'w' must hold one value for each id; got 2.0 and 3.0 for id 2, in"
        f" rows 3 and 4 of {path}. If there is one for each row, write target_per='step'.",
        path,
        weight="w",
    )
    write(path, z=[1.0, 1.0, 2.0, 3.0])
    refused(
        DataError,
        f"target column 'z' must hold one value for each id; got 2.0 and 3.0 for id 2, in"
        f" rows 3 and 4 of {path}. If there is one for each row, write target_per='step'.",
        path,
        target=["y", "z"],
    )


def test_rows_of_two_files(tmp_path):
    one, two = tmp_path / "1.parquet", tmp_path / "2.parquet"
    write(one)
    write(two, id=[2, 3, 3, 3], t=[1, 0, 1, 2], y=[6, 7, 7, 7])
    refused(
        DataError,
        f"time column 't' must hold each time once within an id; got 1 twice for id 2, in row 4 of"
        f" {one} and row 1 of {two}. Drop or combine such rows before.",
        [one, two],
    )


def test_too_many_classes(path, monkeypatch):
    monkeypatch.setattr("throughtime.data.loaders.rows._MOST_CLASSES", 2)
    write(path, id=[1, 2, 3, 4], y=["u", "v", "w", "x"])
    refused(
        DataError,
        "target column 'y' must hold numbers, or text of at most 2 kinds; got more.",
        path,
    )


def test_options_that_are_not_allowed(path):
    write(path)
    refused(
        InvalidArgumentError,
        "target_per must be one of 'sequence', 'step'; got 'steps'. Did you mean 'step'?",
        path,
        target_per="steps",
    )
    refused(InvalidArgumentError, "dtype must be a float type; got 'int64'.", path, dtype="int64")
    refused(InvalidArgumentError, "batch_size must be an integer >= 1; got 0.", path, batch_size=0)
    refused(InvalidTypeError, "path must be a string or a path; got 3.", path, cache=3)


def test_pyarrow_is_named_where_it_is_missing(path, monkeypatch):
    write(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    refused(
        MissingDependencyError,
        "Reading a Parquet file needs the package 'pyarrow', which is not installed. Run: pip"
        " install 'throughtime[cli]' (in a clone: pip install '.[cli]')",
        path,
    )
