"""Tables on disk: files as people write them are read correctly or refused in one sentence."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.series import format_times
from throughtime.data.tables.files import read_table
from throughtime.errors import DataError, InvalidTypeError, ThroughtimeError


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write a file and read it: ``table(content, **arguments of read_table)``."""
    monkeypatch.chdir(tmp_path)

    def read(content, name="data.csv", **arguments):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(name, **arguments)

    return read


def test_a_plain_table(table):
    got = table(
        "date,sales,price\n2024-01-01,1,9.5\n2024-01-02,,9\n2024-01-04,4,\n",
        target="sales",
        covariates=["price"],
    )
    (series,) = got.series
    assert (got.time, got.rows, got.missing, got.gaps) == ("date", 3, 1, 1)
    assert got.columns == ("date", "sales", "price")
    assert got.frequency.name == "daily"
    np.testing.assert_array_equal(series.values, [1, np.nan, np.nan, 4])
    np.testing.assert_array_equal(series.covariates[:, 0], [9.5, 9, np.nan, np.nan])
    assert series.name == "sales"
    assert got.describe() == [
        "3 rows; columns 'date', 'sales', 'price'",
        "target 'sales': 2024-01-01 to 2024-01-04, 1 of 3 values missing (33.3 %)",
        "time 'date': daily, 1 missing time stamp inserted without a value",
        "covariates 'price': 1 of 3 values missing (33.3 %)",
    ]


def test_several_series_in_a_long_table(table):
    got = table(
        "unique_id,ds,y\nb,2024-02-01,1\na,2024-01-01,2\nb,2024-01-01,3\na,2024-02-01,4\n"
        "b,2024-04-01,5\n",
        target="y",
        id="unique_id",
    )
    assert [one.name for one in got.series] == ["b", "a"]
    np.testing.assert_array_equal(got.series[0].values, [3, 1, np.nan, 5])
    np.testing.assert_array_equal(got.series[1].values, [2, 4])
    assert got.describe() == [
        "5 rows; columns 'unique_id', 'ds', 'y'",
        "target 'y': 2024-01-01 to 2024-04-01, no value missing",
        "id 'unique_id': 2 series of 2 to 4 steps",
        "time 'ds': monthly, 1 missing time stamp inserted without a value",
        "Rows were not in the order of 'ds' and were sorted.",
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_and_encodings(table, separator, encoding, end):
    rows = [["Datum", "größe", "nötig"], ["2024-01-01", "1.5", "x, y; z"], ["2024-01-02", "2", ""]]
    text = end.join(separator.join(f'"{cell}"' for cell in row) for row in rows) + end
    got = table(text.encode(encoding), target="größe")
    np.testing.assert_array_equal(got.series[0].values, [1.5, 2])
    assert got.time == "Datum"


def test_european_file(table):
    got = table("Datum;Umsatz;Preis\n01.02.2024;1.234,5;1,0\n02.02.2024;-;2,5\n", target="Umsatz")
    np.testing.assert_array_equal(got.series[0].values, [1234.5, np.nan])
    assert format_times(got.series[0].times) == ["2024-02-01", "2024-02-02"]
    assert got.notes == (
        (
            "Dates like 01.02.2024 are read as day, month, year, which makes them daily."
            " dayfirst=False reads them the other way."
        ),
        "Column 'Umsatz' has numbers like 1.234,5, where the comma is the decimal mark: 1234.5.",
        "Column 'Umsatz' has numbers like 1.234,5, where the point groups thousands: 1234.5.",
    )
    assert got.dayfirst is True


def test_target_and_time_are_found(table):
    got = table("when,what,name\n2024-01-01,1,a\n2024-01-02,2,b\n")
    assert (got.time, got.target) == ("when", "what")
    assert got.notes == ("The target is 'what', the only other column of numbers.",)
    assert table("year,month,y\n2000,1,5\n2000,2,6\n2001,1,5\n", target="y").time == "year, month"
    assert table("year,y\n2000,5\n2001,6\n2003,6\n", target="y").gaps == 1
    assert table("id,y\n1234567890,5\n1234567891,6\n", target="y").time is None
    (only,) = table("y\n3\n1,5\n").series
    np.testing.assert_array_equal(only.values, [3, 1.5])


def test_rows_without_times(table):
    got = table("a,b\n1,5\n2,6\n", target="b")
    assert got.time is None
    assert got.describe()[1:] == [
        "target 'b': 2 steps, no value missing",
        "no time column: rows are equal steps in the order of the file",
    ]


def test_irregular_rows_are_said_to_be(table):
    got = table("t,y\n2024-01-01,1\n2024-01-02,2\n2024-02-09,3\n2024-05-01,4\n", target="y")
    assert got.frequency is None
    assert got.describe()[2] == "time 't': irregular; rows are taken as equal steps"


def test_series_of_different_steps(table):
    got = table(
        "i,t,y\na,2024-01-01,1\na,2024-01-02,2\nb,2024-01-01,3\nb,2024-01-08,3\n",
        target="y",
        id="i",
    )
    assert got.frequency is None
    assert got.describe()[3] == "time 't': different steps (daily, weekly), without gaps"


def test_untidy_files_that_are_clear(table):
    got = table("\n date , y ,\n2024-01-01,1,\n\n2024-01-02, 2 ,\n,,\n", target="y")
    np.testing.assert_array_equal(got.series[0].values, [1, 2])
    got = table(",y,y\n2024-01-01,1,5\n2024-01-02,2,6\n", target="y (2)")
    assert got.columns == ("column 1", "y", "y (2)")
    assert got.time == "column 1"


def test_rows_are_counted_as_an_editor_does(table):
    with pytest.raises(
        DataError,
        match=exactly(
            "target column 'y' of data.csv must hold numbers; got 'five' in row 6. Leave the cell"
            " empty if its value is missing."
        ),
    ):
        table('note,y\n"two\nlines",1\n\nx,2\ny,five\n', target="y")


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        ("", {}, "data.csv must hold a table; the file is empty."),
        (" \n\n", {}, "data.csv must hold a table; the file is empty."),
        ("a,b\n", {}, "data.csv must hold rows below its column names; got none."),
        (
            "1,2\n3,4\n",
            {},
            "data.csv must begin with a row of column names; got the numbers '1,2'.",
        ),
        (
            "d,y\n1,2\n1,2,3\n",
            {},
            "data.csv must have 2 cells in every row, as its first row has; got 3 in row 3.",
        ),
        (
            "date,sales\n2024-01-01,1\n",
            {"target": "Sale"},
            (
                "target must be a column of data.csv; got 'Sale'. Did you mean 'sales'? The columns"
                " are 'date', 'sales'."
            ),
        ),
        (
            ",".join(f"c{i}" for i in range(14)) + "\n" + ",".join("1" * 14),
            {"target": "zz"},
            (
                "target must be a column of data.csv; got 'zz'. The columns are 'c0', 'c1', 'c2',"
                " 'c3', 'c4', 'c5', 'c6', 'c7', 'c8', 'c9' and 4 more."
            ),
        ),
        (
            "date,y\n2024-01-01,1\n",
            {"target": "y", "time": "y"},
            "time must be another column than target; got 'y' for both.",
        ),
        (
            "date,y,z\n2024-01-01,1,2\n",
            {"target": ["y", "y"]},
            "target must be different columns; got 'y' twice.",
        ),
        *(
            (
                "date,y\n2024-01-01,1\n",
                {"target": "y", "date_format": wrong},
                (
                    "date_format must be a format with % as strptime reads it;"
                    f" got {wrong!r}. Write for example %Y-%m-%d."
                ),
            )
            for wrong in ("YYYY-MM-DD", "%Q", "100%%", "%", "")
        ),
        (
            "date,y\n2024-01-01,1\n",
            {"target": "y", "covariates": ["x"]},
            "covariates must be a column of data.csv; got 'x'. The columns are 'date', 'y'.",
        ),
        (
            "date,y\n2024-01-01,1\n2024-01-02,abc\n",
            {"target": "y"},
            "target column 'y' of data.csv must hold numbers; got 'abc' in row 3.",
        ),
        (
            "date,y\n2024-01-01,1\n2024-01-02,inf\n",
            {"target": "y"},
            "target column 'y' of data.csv must hold numbers; got 'inf' in row 3.",
        ),
        (
            "date,y,x\n2024-01-01,1,red\n",
            {"target": "y", "covariates": ["x"]},
            "covariate column 'x' of data.csv must hold numbers; got 'red' in row 2.",
        ),
        (
            "date,y\n2024-01-01,\n2024-01-02,NaN\n",
            {"target": "y"},
            "target column 'y' of data.csv must hold numbers; got 2 empty cells.",
        ),
        (
            "i,y\na,1\n,2\n",
            {"target": "y", "id": "i"},
            (
                "id column 'i' of data.csv must name the series in every row; got an empty cell in"
                " row 3."
            ),
        ),
        (
            "date,y\n2024-01-01,1\n2024-01-01,2\n",
            {"target": "y"},
            (
                "time column 'date' must not repeat in one series; got 2024-01-01 in rows 2 and 3."
                " If the table holds several series, name their column (id); otherwise"
                " duplicates='mean' takes the mean of such rows."
            ),
        ),
        (
            "i,date,y\na,2024-01-01,1\na,2024-01-01,2\n",
            {"target": "y", "id": "i"},
            (
                "time column 'date' must not repeat in one series; got 2024-01-01 in rows 2 and 3."
                " duplicates='mean' takes their mean."
            ),
        ),
        (
            "date,y\n2024-01-01,1\n2024-13-01,2\n",
            {"target": "y", "time": "date"},
            (
                "time column 'date' of data.csv must hold times, all in one form; got"
                " '2024-13-01' in row 3."
            ),
        ),
        (
            "date,y\n2024-01-01,1\n,2\n",
            {"target": "y", "time": "date"},
            (
                "time column 'date' of data.csv must hold times, all in one form; got an empty cell"
                " in row 3."
            ),
        ),
        (
            "date,y,z\n2024-01-01,1,2\n",
            {},
            (
                "target must be one of the columns of numbers of data.csv ('y', 'z'); got nothing."
                " all_targets takes every one of them as a series."
            ),
        ),
        (
            "date,y\n2024-01-01,red\n",
            {},
            (
                "data.csv must hold a column of numbers to forecast; got none in the columns"
                " 'date', 'y'."
            ),
        ),
        (
            "date,y\n2024-01-01," + '"' + "x" * 140_000,
            {"target": "y"},
            (
                "data.csv must be a CSV file; row 2 is damaged: field larger than field limit"
                " (131072). Look for a quotation mark that is never closed."
            ),
        ),
        (
            bytes(range(256)) * 10,
            {},
            (
                "data.csv must be a table (CSV, Parquet, Arrow, JSON lines, .xlsx or .ods);"
                " it is binary."
            ),
        ),
        (
            b"PK\x03\x04\x00\x00",
            {},
            "data.csv must be a whole spreadsheet; got: File is not a zip file.",
        ),
        (
            b"\xff\xfe\x00\xd8\x00",
            {},
            (
                "data.csv must be a table (CSV, Parquet, Arrow, JSON lines, .xlsx or .ods);"
                " it is binary."
            ),
        ),
    ],
)
def test_bad_tables_are_refused_in_one_sentence(table, content, arguments, sentence):
    with pytest.raises(ThroughtimeError, match=exactly(sentence)) as caught:
        table(content, **arguments)
    assert "\n" not in str(caught.value)


def test_bad_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        DataError, match=exactly("none.csv must be a file; there is none of this name.")
    ):
        read_table("none.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=exactly("folder must be a file; got a folder.")):
        read_table("folder")
    (tmp_path / "a").write_text("x\n1\n")
    with pytest.raises(DataError, match=exactly("a/b.csv must be readable; got: Not a directory.")):
        read_table("a/b.csv")
    with pytest.raises(InvalidTypeError, match=exactly("path must be a string or a path; got 3.")):
        read_table(3)
    with pytest.raises(
        InvalidTypeError, match=exactly("covariates must be a list of columns; got 'x'.")
    ):
        read_table("a", covariates="x")
    with pytest.raises(InvalidTypeError, match=exactly("target must name a column; got 3.")):
        read_table("a", target=3)


def test_parquet(table):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=4, freq="D").delete(2),
            "y": pd.array([1, None, 3], dtype="Int64"),
            "kind": ["a", "a", "a"],
            "number": [7, 7, 7],
            "flag": [True, False, True],
        }
    )
    for name in ("data.parquet", "data.csv"):  # its first bytes say what it is
        got = table(frame, name=name, target="y", id="kind", covariates=["flag"])
        assert got.time == "when"
        np.testing.assert_array_equal(got.series[0].values, [1, np.nan, np.nan, 3])
        np.testing.assert_array_equal(got.series[0].covariates[:, 0], [1, 0, np.nan, 1])
    assert table(frame, target="y", id="number").series[0].name == "7"
    indexed = frame.set_index("when").tz_localize("Europe/Oslo")[["y"]]
    got = table(indexed)
    assert (got.time, got.target) == ("when", "y")
    assert format_times(got.series[0].times)[0] == "2023-12-31 23:00"
    with pytest.raises(
        DataError,
        match=exactly("target column 'kind' of data.csv must hold numbers; got 'a' in row 1."),
    ):
        table(frame, target="kind")
    with pytest.raises(DataError, match=exactly("data.csv must hold rows; got a table of 0 rows.")):
        table(frame[:0])


def test_damaged_parquet(table):
    pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match=r"^data\.csv must be a whole Parquet file; got: [^\n]+\.$"):
        table(b"PAR1 and nothing more")
    with pytest.raises(
        DataError,
        match=exactly("data.parquet must be a Parquet file; its content is something else."),
    ):
        table("a,b\n1,2\n", name="data.parquet")


def refusal(path, **arguments):
    """What read_table says against a file; empty if it reads it."""
    try:
        read_table(path, **arguments)
    except ThroughtimeError as error:
        return str(error)
    return ""


@given(st.binary(max_size=400))
def test_random_bytes_give_a_table_or_one_sentence(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "random.csv"
    path.write_bytes(data)
    assert "\n" not in refusal(path)


@given(st.text(alphabet="0123456789.,;-/:\n\"' aé\tT", max_size=200))
def test_random_text_gives_a_table_or_one_sentence(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "random.csv"
    path.write_text("date,y\n" + text)
    assert "\n" not in refusal(path, target="y")
