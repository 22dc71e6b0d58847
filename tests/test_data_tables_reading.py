"""Kinds of files: packed, typed, spreadsheets, text of other programs; and hostile ones."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest

from throughtime.data.series import format_times
from throughtime.data.tables import sources, workbooks
from throughtime.data.tables.files import read_table
from throughtime.errors import DataError

TEXT = "date,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,4\n"


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Write a file and read it: ``read(content, name, **arguments of read_table)``."""
    monkeypatch.chdir(tmp_path)

    def function(content, name="data.csv", **arguments):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return read_table(name, **arguments)

    return function


def is_the_table(table):
    (series,) = table.series
    np.testing.assert_array_equal(series.values, [1, 2, 4])
    assert format_times(series.times) == ["2024-01-01", "2024-01-02", "2024-01-03"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_text(read, pack):
    is_the_table(read(pack(TEXT.encode()), "data.csv.packed"))


def test_zstandard(read):
    pyarrow = pytest.importorskip("pyarrow")
    is_the_table(read(pyarrow.compress(TEXT.encode(), "zstd", asbytes=True), "data.csv.zst"))


def test_a_damaged_archive_is_refused(read):
    with pytest.raises(
        DataError, match=r"^data\.csv\.gz must be a whole gzip file; got: [^\n]+\.$"
    ):
        read(gzip.compress(TEXT.encode())[:-9], "data.csv.gz")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_is_refused_before_it_is_whole(read, monkeypatch, pack):
    monkeypatch.setattr(sources, "MAX_UNPACKED", 1 << 22)
    with pytest.raises(
        DataError,
        match=r"^data\.csv\.gz must unpack to at most 4 MiB; got more\. Unpack it yourself",
    ):
        read(pack(b"0" * (1 << 24)), "data.csv.gz")


def test_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    is_the_table(read_table("-"))
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(DataError, match=r"^standard input must hold a table; it is closed\.$"):
        read_table("-")


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n", "\r"),
        "sep=,\n" + TEXT,
        "sep=;\n" + TEXT.replace(",", ";"),
        "# a remark\n" + TEXT,
        "Sales of the year\n\n" + TEXT,
        "Sales,\nof the year,\n" + TEXT,
        TEXT + "\x1a",
        TEXT.replace("\n", ",\n"),
    ],
)
def test_text_of_other_programs(read, text):
    is_the_table(read(text))


def test_lines_above_the_names_are_mentioned_and_counted(read):
    table = read("Sales of 2024\n\n" + TEXT)
    assert table.notes[0] == "The line above the column names ('Sales of 2024') left out."
    with pytest.raises(DataError, match=r"got 'x' in row 4\."):
        read("Sales of 2024\n\ndate,y\n2024-01-01,x\n", target="y")


@pytest.mark.parametrize("before", ["", "A title\n", "date,y\n2024-01-01,1", '"a\nb",'])
def test_more_columns_than_any_table_has_are_refused(read, before):
    commas = 200_000
    got = commas + 1 + before.rpartition("\n")[2].count(",")
    with pytest.raises(
        DataError, match=rf"^data\.csv must have at most 100,000 columns; got {got:,}\.$"
    ):
        read(before + "," * commas + "\n")


def test_json(read):
    rows = [{"date": f"2024-01-0{day}", "y": y} for day, y in ((1, 1), (2, 2), (3, 4))]
    is_the_table(read("\n".join(map(json.dumps, rows)), "data.jsonl"))
    is_the_table(read(json.dumps(rows), "data.json"))
    with pytest.raises(
        DataError, match=r"^a\.jsonl must hold one JSON object a line; line 2 is damaged\.$"
    ):
        read('{"date": 1}\n{"date": \n', "a.jsonl")
    with pytest.raises(DataError, match=r"target column 'y' of a\.jsonl must hold numbers; got"):
        read('{"date": "2024-01-01", "y": [1, 2]}\n', "a.jsonl", target="y")


def test_arrow(read):
    pyarrow = pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=3), "y": [1, 2, 4]})
    sink = io.BytesIO()
    table = pyarrow.Table.from_pandas(frame)
    with pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    is_the_table(read(sink.getvalue(), "data.arrow"))


def parquet(frame):
    sink = io.BytesIO()
    frame.to_parquet(sink)
    return sink.getvalue()


def test_types_of_parquet(read):
    pytest.importorskip("pyarrow")
    days = pd.date_range("2024-01-01", periods=3)
    large = parquet(pd.DataFrame({"date": days, "y": np.array([1, 2**63 + 2048, 3], np.uint64)}))
    assert read(large, "a.parquet").series[0].values[1] == float(2**63 + 2048)
    lists = parquet(pd.DataFrame({"date": days, "y": [1, 2, 4], "z": [[1], [2], [3]]}))
    is_the_table(read(lists, "b.parquet"))
    with pytest.raises(DataError, match=r"column 'z' of b\.parquet must hold numbers; got '<list<"):
        read(lists, "b.parquet", target="z")
    named = pd.DataFrame({"y": [1, 2, 4]}, index=pd.Index(days, name="y"))
    assert read(parquet(named.rename(columns={"y": "v"})), "c.parquet").time == "y"
    far = pd.DataFrame({"date": days, "y": [1, 2, 4]})
    far["date"] = far["date"].astype("datetime64[s]") + np.array([0, 0, 10**12], "timedelta64[s]")
    with pytest.raises(DataError, match=r"^column 'date' of d\.parquet must hold times between"):
        read(parquet(far), "d.parquet")


def workbook(rows, title=None):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if title:
        book.create_sheet(title).append(["x"])
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def test_a_spreadsheet(read):
    pytest.importorskip("python_calamine")
    days = pd.date_range("2024-01-01", periods=3).to_pydatetime()
    rows = [["date", "y"], *zip(days, [1, 2, 4], strict=True)]
    is_the_table(read(workbook(rows), "data.xlsx"))
    table = read(workbook([["Sales"], [], *rows], "other"), "data.xlsx")
    is_the_table(table)
    assert table.notes[:2] == (
        "The sheet 'Sheet' is read; 'other' not.",
        "The line above the column names left out.",
    )
    with pytest.raises(DataError, match=r"time column 'date' .*; got 'Total' in row 5"):
        read(workbook([*rows, ["Total", 7]]), "data.xlsx", target="y")


def changed(book, part, edit):
    """A workbook with one of its files rewritten."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(sink, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, edit(data) if name.endswith(part) else data)
    return sink.getvalue()


def test_hostile_spreadsheets_are_refused(read, monkeypatch):
    pytest.importorskip("python_calamine")
    book = workbook([["date", "y"], ["2024-01-01", 1]])
    entity = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>'
    with pytest.raises(DataError, match=r"must be a plain spreadsheet; it defines XML entities\.$"):
        read(changed(book, "sheet1.xml", lambda data: entity + data), "data.xlsx")
    with pytest.raises(
        DataError, match=r"^data\.xlsx must have at most 50,000,000 cells in a sheet;"
    ):
        read(changed(book, "sheet1.xml", lambda data: data.replace(b'r="B2"', b'r="XFD1048576"')),
             "data.xlsx")  # fmt: skip
    monkeypatch.setattr(workbooks, "MAX_UNPACKED", 1 << 12)
    with pytest.raises(DataError, match=r"^data\.xlsx must unpack to at most 0 MiB; got more\.$"):
        read(book, "data.xlsx")
