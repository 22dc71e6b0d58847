"""Rows of tables: their ids, their sizes, and files that differ a little."""

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_data_loaders_parquet_errors import refused

from throughtime.data.loaders.npy import from_npy
from throughtime.data.loaders.parquet import from_parquet
from throughtime.errors import DataError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.parquet"


KINDS = {
    "integers": np.arange(40)[::-1] * 7,
    "text": np.array([f"machine {k}" for k in range(40)], dtype=object),
    "categories": pd.Categorical([f"machine {k}" for k in range(40)]),
    "times": pd.date_range("2026-01-01", periods=40, freq="h"),
    "zones": pd.date_range("2026-01-01", periods=40, freq="h", tz="Asia/Tokyo"),
}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("layout", ["together", "apart", "cached"])
def test_ids_are_in_the_order_of_the_sequences(path, tmp_path, kind, layout, monkeypatch):
    monkeypatch.setattr("throughtime.data.loaders.rows._ROWS", 7)
    monkeypatch.setattr("throughtime.data.loaders.regroup._BUCKET", 600)
    number = np.repeat(np.arange(40), 3)
    if layout != "together":
        number = np.random.default_rng(0).permutation(number)
    frame = pd.DataFrame({"id": pd.Series(KINDS[kind]).take(number).array, "a": 1.0 * number})
    half = tmp_path / "half.parquet"
    frame[:50].to_parquet(path, row_group_size=20)
    frame[50:].to_parquet(half, row_group_size=20)
    cache = tmp_path / "cache" if layout == "cached" else None
    loader = from_parquet([path, half], id="id", batch_size=8, bucket=True, cache=cache)

    def check(loader):
        found = np.concatenate([b["x"][:, 0, 0] for b in loader.in_order()]).astype(int)
        assert len(found) == loader.n_sequences
        want = pd.Series(KINDS[kind]).take(found)
        if kind == "zones":
            want = want.dt.tz_convert(None)
        assert pd.Series(loader.ids).astype(str).tolist() == want.astype(str).tolist()

    check(loader)
    for part in (*loader.split(0.3), pickle.loads(pickle.dumps(loader))):
        check(part)
    assert loader.in_order().ids.tolist() == loader.ids.tolist()


def test_ids_of_arrays_are_their_places(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(24.0).reshape(12, 2, 1))
    loader = from_npy({"x": tmp_path / "x.npy"})
    train, validation = loader.split(0.5)
    for part in (loader, train, validation):
        first = np.concatenate([batch["x"][:, 0, 0] for batch in part.in_order()])
        assert (part.ids * 2).tolist() == first.tolist()
    np.save(tmp_path / "x.npy", np.ones((24, 1)))
    np.save(tmp_path / "lengths.npy", [20, 4])
    assert from_npy(tmp_path, layout="rows").ids.tolist() == [0, 1]


@pytest.mark.parametrize("layout", ["together", "apart", "cached"])
def test_what_is_said_of_sizes(path, tmp_path, layout, monkeypatch):
    monkeypatch.setattr("throughtime.data.loaders.rows._COLUMNS", 2)
    cache = tmp_path / "cache" if layout == "cached" else None
    ids = [1, 2, 1, 2] if layout == "apart" else [1, 1, 2, 2]
    columns = {"none": [0.0] * 4, "small": [0.5, -0.6, 0.1, 0.0], "flag": [True] * 4}
    frame = pd.DataFrame({"id": ids, **columns, "large": [1.0, -5.99e2, 3.0, 4.0]})

    def said(**options):
        notes = [from_parquet(path, id="id", cache=cache, **options).notes for _ in range(2)]
        notes = [[one for one in two if "goes to" in one or "holds" in one] for two in notes]
        assert notes[0] == notes[1]  # the second one finds the cache
        return notes[0]

    frame.to_parquet(path)
    assert said() == []
    frame["large"] = [1, 2**24, 3, 2]
    frame.to_parquet(path)
    sizes = "'large' goes to 1.68e+07 and 'small' to 0.6. Scale features that differ so much:"
    assert said() == [f"{sizes} loader.scaled(scaler)."]
    frame["large"] = [1, -(2**24) - 2, 3, 2]
    frame.to_parquet(path)
    integers = (
        "float32 holds every integer up to 16,777,216 only; larger ones of 'large' are rounded."
    )
    assert said() == [f"{sizes} loader.scaled(scaler).", integers]
    assert said(features=["large"]) == [integers]
    assert said(features=["large"], dtype="float64") == []
    frame["large"] = [1.0, 2.0**30, 3.0, 2.0]
    frame.to_parquet(path)
    assert said(features=["large"]) == []


def test_the_number_of_missing_values_is_said(path):
    table = pd.DataFrame({"id": range(3000), "a": [1.0] * 3000})
    table.loc[[1200, 1500, 2999], "a"] = None
    for statistics in (True, False):
        pq.write_table(
            pa.Table.from_pandas(table), path, row_group_size=1000, write_statistics=statistics
        )
        more = ", and in 2 more" if statistics else ""
        sentence = (
            f"features column 'a' of {path} must hold a value in every row; got nothing in row"
            f" 1201, counted from 1{more}. Fill missing values, or drop these rows, before."
        )
        refused(DataError, sentence, path, time=None, target=None)


def test_zones_that_differ_between_files_are_instants(tmp_path):
    hours = pd.date_range("2026-01-01", periods=4, freq="h", tz="UTC")
    for k, zone in enumerate(("Asia/Tokyo", "America/Lima")):
        times = hours[2 * k : 2 * k + 2].tz_convert(zone)
        pd.DataFrame({"id": 1, "t": times, "a": [2.0 * k, 2.0 * k + 1]}).to_parquet(
            tmp_path / f"{k}.parquet"
        )
    (batch,) = from_parquet(tmp_path, id="id", time="t")
    assert batch["x"][0, :, 0].tolist() == [0.0, 1.0, 2.0, 3.0]
    pd.DataFrame({"id": [1], "t": [pd.Timestamp("2027-01-01")], "a": [1.0]}).to_parquet(
        tmp_path / "1.parquet"
    )
    with pytest.raises(DataError, match=r"^column 't' must have one type in all files; got "):
        from_parquet(tmp_path, id="id", time="t")


def test_patterns_are_not_expanded(tmp_path):
    sentence = (
        f"{tmp_path}/*.parquet must be a file or a folder; there is none of this name. Patterns are"
        " not expanded; name the folder, or write glob.glob(...)."
    )
    refused(DataError, sentence, tmp_path / "*.parquet")
    with pytest.raises(DataError) as caught:
        from_npy({"x": tmp_path / "*.npy"})
    assert str(caught.value) == (
        f"{tmp_path}/*.npy must be a .npy file; got a name that no file has. Patterns are not"
        " expanded; name the folder, or write glob.glob(...)."
    )
