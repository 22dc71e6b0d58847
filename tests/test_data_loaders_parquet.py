"""Sequences of Parquet tables: what a groupby of pandas gives, however the files are laid out."""

import datetime as dt
import decimal
import gc
import pickle
import re
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import throughtime as tt
from throughtime.data.loaders.parquet import from_parquet
from throughtime.data.loaders.regroup import regroup

INTERLEAVED = "The rows of one id do not lie together, so they were brought together in"
UNSORTED = "The rows of an id are not in the order of time, so they were brought together in"
LARGE = "The row groups are too large to be read one at a time, so they were brought together in"


def table(n=9, seed=0):
    """A long table; "a" of each row is 100 times the number of its id, plus its step."""
    rng = np.random.default_rng(seed)
    parts = []
    for k in range(n):
        steps = int(rng.integers(1, 6))
        parts.append(
            pd.DataFrame(
                {
                    "id": [f"id {k:02}"] * steps,
                    "t": np.arange(steps) + 10,
                    "a": 100.0 * k + np.arange(steps),
                    "b": rng.normal(size=steps),
                    "kind": ["x", "yy", "z"][k % 3],
                    "value": float(k),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def sequences(loader):
    """Each sequence of an epoch as the tuple of its first feature, with its target and weight."""
    found = {}
    for batch in loader:
        n, steps = batch["x"].shape[:2]
        lengths = batch.get("lengths", np.full(n, steps))
        assert lengths.max() == steps
        for i, length in enumerate(lengths):
            assert not batch["x"][i, length:].any()
            key = tuple(batch["x"][i, :length, 0].tolist())
            assert key not in found
            rest = [batch[name][i] for name in ("y", "weight") if name in batch]
            found[key] = [one[:length].tolist() if one.ndim else one.item() for one in rest]
    return found


def by_groupby(frame, target):
    return {
        tuple(part["a"]): [part[target].tolist()[0]] for _, part in frame.groupby("id", sort=False)
    }


@pytest.fixture
def options():
    return {"id": "id", "time": "t", "features": ["a", "b"], "batch_size": 2}


def test_in_the_order_of_the_file(tmp_path, options):
    frame, path = table(), tmp_path / "t.parquet"
    frame.to_parquet(path)
    loader = from_parquet(path, target="value", shuffle=False, **options)
    x = [
        one
        for batch in loader
        for one in tt.data.unpad(
            batch["x"], batch.get("lengths", [batch["x"].shape[1]] * len(batch["x"]))
        )
    ]
    for own, (_, part) in zip(x, frame.groupby("id"), strict=True):
        assert np.array_equal(own, part[["a", "b"]].to_numpy("float32"))
    y = np.concatenate([batch["y"] for batch in loader])
    assert y.dtype == np.float32
    assert y.tolist() == list(range(9))
    assert (len(loader), loader.n_sequences, loader.n_features) == (5, 9, 2)
    assert loader.features == ("a", "b")
    assert (loader.classes, loader.notes) == (None, ())


def test_classes_are_numbered_in_sorted_order(tmp_path, options):
    frame, path = table(), tmp_path / "t.parquet"
    expected = [0, 1, 2] * 3
    for kind, classes in (
        (frame["kind"], ["x", "yy", "z"]),
        (frame["kind"].astype("category"), ["x", "yy", "z"]),
        (frame["kind"] != "x", [False, True]),
    ):
        frame.assign(kind=kind).to_parquet(path)
        loader = from_parquet(path, target="kind", shuffle=False, **options)
        y = np.concatenate([batch["y"] for batch in loader])
        assert y.dtype == np.int64
        assert y.tolist() == [min(k, len(classes) - 1) for k in expected]
        assert loader.classes.tolist() == classes


@pytest.mark.parametrize("kind", ["int8", "uint64", "int32"])
def test_integers_stay_integers(tmp_path, options, kind):
    frame, path = table(), tmp_path / "t.parquet"
    frame["value"] = frame["value"].astype(kind)
    frame.to_parquet(path)
    (batch,) = from_parquet(path, target="value", shuffle=False, **(options | {"batch_size": 9}))
    assert batch["y"].dtype == np.int64
    assert batch["y"].tolist() == list(range(9))


def test_several_targets_and_none(tmp_path, options):
    frame, path = table(), tmp_path / "t.parquet"
    frame["other"] = -frame["value"].astype("int64")
    frame.to_parquet(path)
    options["batch_size"] = 9
    (batch,) = from_parquet(path, target=["value", "other"], shuffle=False, **options)
    assert batch["y"].dtype == np.float32
    assert batch["y"].tolist() == [[k, -k] for k in range(9)]
    (batch,) = from_parquet(path, target=["other"], dtype="float64", shuffle=False, **options)
    assert (batch["y"].shape, batch["x"].dtype) == ((9,), np.float64)
    (batch,) = from_parquet(path, shuffle=False, **options)
    assert list(batch) == ["x", "lengths"]


@pytest.mark.parametrize("cached", [False, True])
def test_targets_and_weights_of_steps(tmp_path, options, cached):
    frame, path = table(), tmp_path / "t.parquet"
    frame["w"] = frame["a"] + 0.5
    frame.to_parquet(path)
    loader = from_parquet(
        path, target="a", features="b", id="id", target_per="step", weight="w", batch_size=4,
        cache=tmp_path / "cache" if cached else None,
    )  # fmt: skip
    seen = []
    for batch in loader:
        assert batch["y"].shape == batch["weight"].shape == batch["x"].shape[:2]
        lengths = batch.get("lengths", [batch["x"].shape[1]] * len(batch["x"]))
        for x, y, w, length in zip(batch["x"], batch["y"], batch["weight"], lengths, strict=True):
            part = frame[frame["a"].isin(y[:length])]
            assert np.array_equal(part["b"].astype("float32"), x[:length, 0])
            assert np.array_equal(part["w"].astype("float32"), w[:length])
            assert not y[length:].any()
            seen += y[:length].tolist()
    assert sorted(seen) == sorted(frame["a"])


@pytest.mark.parametrize("cached", [False, True])
def test_sequences_of_one_step_have_targets_of_steps(tmp_path, cached):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": [1, 2, 3], "a": [0.0, 1.0, 2.0], "y": [3, 4, 5]}), path)
    cache = tmp_path / "cache" if cached else None
    (batch,) = from_parquet(path, id="id", target="y", target_per="step", cache=cache)
    assert batch["y"].shape == (3, 1)


@given(
    n=st.integers(1, 12),
    files=st.integers(1, 3),
    group=st.integers(1, 9),
    dictionary=st.booleans(),
    layout=st.sampled_from(["contiguous", "backwards", "shuffled"]),
    cached=st.booleans(),
    seed=st.integers(0, 5),
)
def test_any_layout_gives_the_same_sequences(
    tmp_path_factory, n, files, group, dictionary, layout, cached, seed
):
    folder = tmp_path_factory.mktemp("table")
    frame = table(n, seed)
    rows = frame
    if layout == "shuffled":
        rows = frame.sample(frac=1.0, random_state=seed)
    elif layout == "backwards":
        rows = frame[::-1]
    for k, part in enumerate(np.array_split(np.arange(len(rows)), min(files, len(rows)))):
        pq.write_table(
            pa.Table.from_pandas(rows.iloc[part], preserve_index=False),
            folder / f"part-{k}.parquet", row_group_size=group, use_dictionary=dictionary,
        )  # fmt: skip
    loader = from_parquet(
        folder, id="id", time="t", features=["a", "b"], target="value", batch_size=3,
        buffer_size=4, cache=folder / "cache" if cached else None, seed=seed,
    )  # fmt: skip
    assert sequences(loader) == by_groupby(frame, "value")
    assert loader.n_sequences == n
    if layout == "contiguous" and not cached:
        assert loader.notes == ()


def test_ids_of_any_type(tmp_path):
    zone = dt.timezone(dt.timedelta(hours=2))
    for ids in (
        pa.array([3, 1, 2], pa.int16()),
        pa.array([2**64 - 1, 0, 5], pa.uint64()),
        pa.array([0.5, -0.0, 1e300]),
        pa.array(["b", "", "\u00e4"]),
        pa.array(["b", "a", "c"], pa.large_string()),
        pa.array(["b", "a", "c"], pa.string_view()),
        pa.array([b"b", b"\xff", b""]),
        pa.array([uuid.UUID(int=k).bytes for k in (3, 1, 2)], pa.uuid()),
        pa.array(["b", "a", "c"]).dictionary_encode(),
        pa.array([decimal.Decimal("1.10"), decimal.Decimal("1.2"), decimal.Decimal("3")]),
        pa.array([dt.date(2020, 1, k) for k in (3, 1, 2)]),
        pa.array([dt.datetime(2020, 1, k, tzinfo=zone) for k in (3, 1, 2)]),
        pa.array([dt.time(k) for k in (3, 1, 2)], pa.time32("s")),
    ):
        rows = pa.table({"id": ids, "a": [1.0, 2.0, 3.0]})
        for regrouped in (False, True):
            path = tmp_path / "t.parquet"
            parts = [rows, rows] if regrouped else [rows.slice(k, 1) for k in (0, 1, 1, 2)]
            pq.write_table(pa.concat_tables(parts), path)
            loader = from_parquet(path, id="id", shuffle=False)
            expected = {(k, k) for k in (1, 2, 3)} if regrouped else {(1,), (2, 2), (3,)}
            assert set(sequences(loader)) == expected
            assert len(loader.notes) == 1 + regrouped
    for ids in ([True, False, True], [0.0, 1.0, -0.0]):
        pq.write_table(pa.table({"id": ids, "a": [1.0, 2.0, 3.0]}), path)
        assert set(sequences(from_parquet(path, id="id"))) == {(1, 3), (2,)}


def test_times_of_any_type_order_the_rows(tmp_path):
    days = [dt.datetime(2020, 1, k) for k in (3, 1, 2)]
    for times in (
        pa.array([3, 1, 2], pa.int8()),
        pa.array([3, 1, 2], pa.uint64()),
        pa.array([0.3, -0.1, 0.2]),
        pa.array([decimal.Decimal(3), decimal.Decimal(1), decimal.Decimal(2)]),
        pa.array(days, pa.timestamp("ns", "Europe/Berlin")),
        pa.array(days, pa.timestamp("ms")),
        pa.array([one.date() for one in days], pa.date32()),
        pa.array([one.date() for one in days], pa.date64()),
        pa.array([3, 1, 2], pa.duration("us")),
        pa.array([dt.time(3), dt.time(1), dt.time(2)], pa.time64("us")),
        pa.array([3, 1, 2], pa.int64()).dictionary_encode(),
    ):
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table({"id": [7, 7, 7], "a": [3.0, 1.0, 2.0], "t": times}), path)
        loader = from_parquet(path, id="id", time="t")
        assert list(sequences(loader)) == [(1, 2, 3)]
        assert loader.notes[1].startswith(UNSORTED)
    # Without a time, rows keep their order.
    assert list(sequences(from_parquet(path, id="id", features=["a"]))) == [(3, 1, 2)]


def test_features_of_any_type_of_numbers(tmp_path):
    path = tmp_path / "t.parquet"
    columns = {
        "half": pa.array(np.array([1.5, 2, 3], "float16")),
        "single": pa.array([1.5, 2, 3], pa.float32()),
        "whole": pa.array([1, 2, 3], pa.uint8()),
        "large": pa.array([1, 2, 2**53], pa.int64()),
        "decimal": pa.array([decimal.Decimal("1.5"), decimal.Decimal(2), decimal.Decimal(3)]),
        "flag": pa.array([True, False, True]),
        "repeated": pa.array([1.5, 1.5, 2]).dictionary_encode(),
    }
    pq.write_table(pa.table({"id": [1, 1, 1]} | columns), path)
    (batch,) = from_parquet(path, id="id", dtype="float64")
    expected = [
        [1.5, 1.5, 1, 1, 1.5, 1, 1.5], [2, 2, 2, 2, 2, 0, 1.5], [3, 3, 3, 2**53, 3, 1, 2],
    ]  # fmt: skip
    assert batch["x"].tolist() == [expected]


@pytest.mark.parametrize("cached", [False, True])
def test_many_columns_are_decoded_some_at_a_time(tmp_path, monkeypatch, cached):
    monkeypatch.setattr("throughtime.data.loaders.rows._COLUMNS", 2)
    monkeypatch.setattr("throughtime.data.loaders.rows._ROWS", 4)
    frame, path = table(20), tmp_path / "t.parquet"
    columns = {f"f{k}": np.arange(len(frame)) + 0.1 * k for k in range(7)}
    frame = pd.concat([frame[["id", "value"]], pd.DataFrame(columns)], axis=1)
    pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=15)
    cache = tmp_path / "cache" if cached else None
    options = {"id": "id", "target": "value", "batch_size": 3, "cache": cache}
    for loader in from_parquet(path, **options).split(0.4):
        for batch in loader:
            lengths = batch.get("lengths", [batch["x"].shape[1]] * len(batch["x"]))
            for x, y, length in zip(batch["x"], batch["y"], lengths, strict=True):
                part = frame[frame["value"] == y]
                assert np.array_equal(x[:length], part[list(columns)].astype("float32"))
    frame.loc[30, "f5"] = np.nan
    frame.to_parquet(path)
    with pytest.raises(
        tt.errors.DataError, match=r"'f5' of .*; got nothing in row 31, counted from 1\."
    ):
        from_parquet(path, **options)


def test_what_was_found_is_said(tmp_path, options):
    frame, path = table(), tmp_path / "t.parquet"
    frame.to_parquet(path)
    del options["features"]
    frame = frame.drop(columns="kind")
    frame.to_parquet(path)
    loader = from_parquet(path, target="value", **options)
    assert loader.notes == ("Features are all other columns: 'a', 'b'.",)
    frame.sort_values("t").to_parquet(path)  # with the index, which has gaps now
    loader = from_parquet(path, target="value", **options)
    assert loader.features == ("a", "b")
    assert loader.notes[0] == "Features are all other columns: 'a', 'b'."
    assert loader.notes[1].startswith(INTERLEAVED)
    assert repr(loader).startswith("<Loader of t.parquet (regrouped): 9 sequences, ")
    assert sequences(loader) == by_groupby(frame, "value")


def test_large_row_groups_are_regrouped(tmp_path, options, monkeypatch):
    monkeypatch.setattr("throughtime.data.loaders.parquet._MOST_GROUP", 100)
    frame, path = table(), tmp_path / "t.parquet"
    frame.to_parquet(path)
    loader = from_parquet(path, target="value", **options)
    assert loader.notes[0].startswith(LARGE)
    assert sequences(loader) == by_groupby(frame, "value")


def test_ids_that_come_again_are_found_early(tmp_path, options, monkeypatch):
    monkeypatch.setattr("throughtime.data.loaders.scan._FIRST_SEARCH", 4)
    monkeypatch.setattr("throughtime.data.loaders.rows._ROWS", 5)
    monkeypatch.setattr("throughtime.data.loaders.regroup._BUCKET", 400)
    frame, path = table(30), tmp_path / "t.parquet"
    rows = frame.sample(frac=1.0, random_state=0)
    rows.to_parquet(path)
    loader = from_parquet(path, target="value", id="id", features=["a"], batch_size=4)
    assert loader.notes[0].startswith(INTERLEAVED)
    assert {tuple(sorted(key)) for key in sequences(loader)} == set(by_groupby(frame, "value"))
    frame.to_parquet(path)
    options["features"] = ["a"]
    assert from_parquet(path, target="value", **options).notes == ()


def test_the_temporary_folder_goes_with_the_loader(tmp_path, options):
    frame, path = table(), tmp_path / "t.parquet"
    frame.sample(frac=1.0, random_state=0).to_parquet(path)
    loader = from_parquet(path, target="value", **options)
    folder = Path(re.search(r" in (\S+)\. Use cache=", loader.notes[0])[1])
    copy = pickle.loads(pickle.dumps(loader))
    train, validation = loader.split(0.3)
    del loader
    gc.collect()
    assert folder.is_dir()
    assert sequences(copy) == by_groupby(frame, "value")
    del copy  # the folder is not its own
    gc.collect()
    assert sequences(train) | sequences(validation) == by_groupby(frame, "value")
    del train, validation
    gc.collect()
    assert not folder.exists()


def test_a_cache_is_found_again(tmp_path, options, monkeypatch):
    frame, path = table(), tmp_path / "t.parquet"
    frame.sample(frac=1.0, random_state=0).to_parquet(path)
    cache = tmp_path / "deep" / "cache"
    options |= {"target": "kind", "cache": cache}
    first = from_parquet(path, **options)
    (folder,) = cache.iterdir()
    assert first.notes == (f"The sequences were written into {folder}.",)
    expected = sequences(first)
    monkeypatch.setattr("throughtime.data.loaders.parquet.regroup", None)
    second = from_parquet(path, **options)
    assert second.notes == (f"The sequences were found in {folder}.",)
    assert sequences(second) == expected
    assert second.classes.tolist() == ["x", "yy", "z"]
    monkeypatch.undo()
    from_parquet(path, **(options | {"features": ["b", "a"]}))
    frame.to_parquet(path)
    assert from_parquet(path, **options).notes[0].startswith("The sequences were written into")
    assert len(list(cache.iterdir())) == 3


def test_two_processes_that_write_one_cache(tmp_path, options, monkeypatch):
    frame, path = table(), tmp_path / "t.parquet"
    frame.to_parquet(path)
    options["cache"] = tmp_path / "cache"

    def slower(rows, folder):
        monkeypatch.undo()
        from_parquet(path, **options)  # the other process is done meanwhile
        regroup(rows, folder)

    monkeypatch.setattr("throughtime.data.loaders.parquet.regroup", slower)
    assert from_parquet(path, **options).n_sequences == 9
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_cache_that_was_not_finished_leaves_nothing(tmp_path, options):
    frame, path = table(), tmp_path / "t.parquet"
    frame.loc[3, "b"] = np.nan
    frame.to_parquet(path)
    with pytest.raises(tt.errors.DataError):
        from_parquet(path, cache=tmp_path / "cache", **options)
    assert list((tmp_path / "cache").iterdir()) == []


def test_seed_epoch_split_bucket(tmp_path, options):
    frame, path = table(60), tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=20)
    options |= {"target": "value", "batch_size": 4, "buffer_size": 20}
    for cache in (None, tmp_path / "cache"):

        def drawn(loader):
            return [batch["y"].tolist() for batch in loader]

        loader = from_parquet(path, cache=cache, **options)
        first, second = drawn(loader), drawn(loader)
        assert first != second
        again = pickle.loads(pickle.dumps(from_parquet(path, cache=cache, **options)))
        again.set_epoch(2)
        assert drawn(again) == second
        train, validation = loader.split(0.25, seed=1)
        assert validation.n_sequences == 15
        both = sequences(train) | sequences(validation)
        assert both == by_groupby(frame, "value")
        order = [y for batch in drawn(validation) for y in batch]
        assert cache is not None or order == sorted(order)
        bucketed = from_parquet(path, cache=cache, bucket=True, **options)
        assert sequences(bucketed) == by_groupby(frame, "value")
        steps = np.mean([batch["x"].shape[1] for batch in bucketed])
        assert steps < np.mean([batch["x"].shape[1] for batch in loader])


def test_a_list_and_a_folder_of_files(tmp_path, options):
    frame = table()
    folder = tmp_path / "table"
    (folder / "deep").mkdir(parents=True)
    cut = [0, 7, 12, len(frame)]  # in the middle of sequences
    names = ["part-2.parquet", "part-9.parquet", "part-10.pq"]
    for name, a, b in zip(names, cut[:-1], cut[1:], strict=True):
        frame.iloc[a:b].to_parquet(folder / name)
    (folder / "_metadata").write_bytes(b"no table")
    (folder / ".hidden.parquet").write_bytes(b"no table")
    for path in (folder, [str(folder / name) for name in names]):
        loader = from_parquet(path, target="value", shuffle=False, **options)
        assert loader.notes == ()
        assert [y for batch in loader for y in batch["y"]] == list(range(9))
        assert repr(loader).startswith("<Loader of 3 files: 9 sequences, 5 batches of 2,")


def test_it_is_public():
    assert tt.data.from_parquet is from_parquet
