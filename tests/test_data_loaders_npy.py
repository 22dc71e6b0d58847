"""Batches of .npy files: the arrays themselves, in an order that seed and epoch decide."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import throughtime as tt
from throughtime.data.loaders.loader import Loader
from throughtime.data.loaders.npy import from_npy


def numbered(n, steps=4, features=3):
    """Sequences whose entries name their row."""
    x = np.arange(n, dtype="float32")[:, None, None] + np.zeros((n, steps, features), "float32")
    return x, np.arange(n, dtype="float64")[:, None]


def write(folder, n=10, files=1, **more):
    """Write numbered sequences into ``files`` files for each field; return the paths."""
    folder.mkdir(exist_ok=True)
    x, y = numbered(n)
    paths = {}
    for name, array in {"x": x, "y": y, **more}.items():
        paths[name] = []
        for k, part in enumerate(np.array_split(array, files)):
            paths[name].append(str(folder / f"{name}-{k}.npy"))
            np.save(paths[name][-1], part)
    return paths


def rows_of(loader):
    """The numbers of the sequences of each batch; every field names the same ones."""
    found = []
    for batch in loader:
        rows = batch["y"][:, 0].astype(int)
        assert (batch["x"] == rows[:, None, None]).all()
        found.append(rows.tolist())
    return found


def order_of(loader):
    return list(itertools.chain(*rows_of(loader)))


def test_in_order_it_is_the_array(tmp_path):
    loader = from_npy(write(tmp_path, 23), batch_size=5, shuffle=False, block_size=4, buffer_size=7)
    x, y = numbered(23)
    batches = list(loader)
    assert np.array_equal(np.concatenate([b["x"] for b in batches]), x)
    assert np.array_equal(np.concatenate([b["y"] for b in batches]), y)
    assert [len(b["x"]) for b in batches] == [5, 5, 5, 5, 3]
    assert len(loader) == 5
    assert batches[0]["x"].dtype == np.float32
    assert list(batches[0]) == ["x", "y"]


@given(
    n=st.integers(1, 60),
    files=st.integers(1, 4),
    batch_size=st.integers(1, 20),
    block_size=st.integers(1, 20),
    buffer_size=st.integers(1, 40),
    shuffle=st.booleans(),
    seed=st.integers(0, 3),
)
def test_every_sequence_once_an_epoch(
    tmp_path_factory, n, files, batch_size, block_size, buffer_size, shuffle, seed
):
    paths = write(tmp_path_factory.mktemp("npy"), n, min(files, n))
    options = {"block_size": block_size, "buffer_size": buffer_size, "batch_size": batch_size}
    loader = from_npy(paths, shuffle=shuffle, seed=seed, **options)
    batches = rows_of(loader)
    assert sorted(itertools.chain(*batches)) == list(range(n))
    assert [len(b) for b in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert len(batches) == len(loader)
    if not shuffle:
        assert list(itertools.chain(*batches)) == list(range(n))


def test_seed_and_epoch_decide(tmp_path):
    paths = write(tmp_path, 40)
    options = {"batch_size": 8, "block_size": 4, "buffer_size": 12}
    loader = from_npy(paths, seed=1, **options)
    first, second = rows_of(loader), rows_of(loader)
    assert first != second
    assert loader.epoch == 3
    loader.set_epoch(2)
    assert rows_of(loader) == second
    other = from_npy(paths, seed=1, **options)
    other.set_epoch(2)
    assert rows_of(other) == second
    assert rows_of(from_npy(paths, seed=2, **options)) != first
    other.set_epoch(1)
    half = iter(other)
    next(half)  # an epoch that nobody finished
    other.set_epoch(1)
    assert rows_of(other) == first


def test_a_pool_mixes_blocks_from_everywhere(tmp_path):
    loader = from_npy(write(tmp_path, 400), batch_size=40, block_size=10, buffer_size=200)
    batches = rows_of(loader)
    assert all(len({row // 10 for row in batch}) > 8 for batch in batches)
    # With room for all, any order is possible: neighbours are no closer than chance has them.
    whole = from_npy(write(tmp_path, 400), batch_size=40, buffer_size=400)
    order = np.array(order_of(whole))
    assert abs(np.abs(np.diff(order)).mean() - 400 / 3) < 20


def test_files_of_a_field_are_one_array(tmp_path):
    x, y = numbered(9)
    for k, part in enumerate(np.split(x, 3)):
        np.save(tmp_path / f"x-{k + 9}.npy", part)  # x-9 comes before x-10
    np.save(tmp_path / "y.npy", y)
    folder = tmp_path / "x"
    folder.mkdir()
    for path in sorted(tmp_path.glob("x-*.npy")):
        path.rename(folder / path.name)
    for paths in (
        {"x": folder, "y": str(tmp_path / "y.npy")},
        (folder, tmp_path / "y.npy"),
        tmp_path,
        {"x": [folder / f"x-{k}.npy" for k in (9, 10, 11)], "y": [tmp_path / "y.npy"]},
    ):
        loader = from_npy(paths, shuffle=False, block_size=4)
        assert order_of(loader) == list(range(9))
        assert repr(loader) == (
            "<Loader of 3 files of x, y.npy: 9 sequences, 1 batch of 32, 504 B in 3 blocks,"
            " in order>"
        )


def test_other_fields_and_inputs_come_along(tmp_path):
    n = 12
    x, y = numbered(n)
    arrays = {
        "signal": x, "static": x[:, 0], "y": y, "weight": np.arange(n) + 0.5,
        "mask": np.arange(4) < (np.arange(n) % 5)[:, None],
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    paths = {name: tmp_path / f"{name}.npy" for name in arrays}
    inputs = {name: paths.pop(name) for name in ("signal", "static")}
    loader = from_npy({"x": inputs} | paths, batch_size=5, seed=3)
    for batch in loader:
        rows = batch["y"][:, 0].astype(int)
        assert list(batch) == ["x", "y", "mask", "weight"]
        assert np.array_equal(batch["x"]["signal"], x[rows])
        assert np.array_equal(batch["x"]["static"], x[rows, 0])
        assert np.array_equal(batch["weight"], rows + 0.5)
        assert np.array_equal(batch["mask"], arrays["mask"][rows])
    assert loader.n_features == 3
    assert from_npy({"x": paths["y"]}).n_features is None


def test_lengths_bucket(tmp_path):
    n = 200
    lengths = np.random.default_rng(0).integers(0, 5, n)
    paths = write(tmp_path, n, lengths=lengths)
    loader = from_npy(paths, batch_size=10, bucket=True, block_size=8, buffer_size=100)
    spread = []
    seen = []
    for batch in loader:
        rows = batch["y"][:, 0].astype(int)
        assert np.array_equal(batch["lengths"], lengths[rows])
        spread.append(np.ptp(batch["lengths"]))
        seen += rows.tolist()
    assert sorted(seen) == list(range(n))
    assert np.mean(spread) < 1.2
    longest = [b["lengths"].max() for b in loader]
    assert longest != sorted(longest)
    bounded = from_npy(paths, bucket=True, shuffle=False, batch_size=50, buffer_size=n)
    assert [b["lengths"].max() for b in bounded] == sorted(b["lengths"].max() for b in bounded)


def test_batches_are_copies(tmp_path):
    loader = from_npy(write(tmp_path, 6), batch_size=2, shuffle=False)
    for batch in loader:
        batch["x"][...] = np.nan
    assert order_of(loader) == list(range(6))


def test_split_is_disjoint_and_complete(tmp_path):
    loader = from_npy(write(tmp_path, 50), batch_size=8, block_size=5, buffer_size=20)
    train, validation = loader.split(0.3)
    assert (train.n_sequences, validation.n_sequences) == (35, 15)
    assert (train.shuffle, validation.shuffle) == (True, False)
    kept, held_out = order_of(train), order_of(validation)
    assert held_out == sorted(held_out)
    assert kept != sorted(kept)
    assert sorted(kept + held_out) == list(range(50))
    assert order_of(loader.split(0.3)[1]) == held_out
    assert order_of(loader.split(0.3, seed=1)[1]) != held_out
    smaller, test = train.split(0.2)
    assert sorted(order_of(smaller) + order_of(test)) == sorted(kept)
    assert repr(validation) == (
        "<Loader of x-0.npy, y-0.npy: 15 sequences, 2 batches of 8, 840 B in 10 blocks, in order>"
    )


def test_every_split_is_equally_likely(tmp_path, monkeypatch):
    monkeypatch.setattr("throughtime.data.loaders.order._CHUNK", 3)
    loader = from_npy(write(tmp_path, 8))
    drawn = np.zeros(8)
    for seed in range(400):
        rows = order_of(loader.split(0.25, seed)[1])
        assert len(rows) == 2
        drawn[rows] += 1
    assert drawn.min() > 70  # 100 are expected, with a standard deviation of 9
    assert drawn.max() < 130


def test_it_can_be_pickled(tmp_path):
    loader = from_npy(write(tmp_path, 2000), batch_size=500)
    data = pickle.dumps(loader)
    assert len(data) < 3000
    assert rows_of(pickle.loads(data)) == rows_of(loader)
    train, _ = loader.split(0.5)
    assert rows_of(pickle.loads(pickle.dumps(train))) == rows_of(train)


def ragged(n=20, seed=0):
    """Sequences of different lengths whose entries name their row."""
    steps = np.random.default_rng(seed).integers(1, 6, n)
    return [np.full((length, 2), k, "float32") for k, length in enumerate(steps)]


@pytest.mark.parametrize("bucket", [False, True])
def test_one_file_for_each_sequence(tmp_path, bucket):
    x = ragged()
    for k, one in enumerate(x):
        np.save(tmp_path / f"x-{k}.npy", one)
        np.save(tmp_path / f"y-{k}.npy", np.arange(len(one)))
    np.save(tmp_path / "weight.npy", np.arange(20.0))
    paths = {f: [tmp_path / f"{f}-{k}.npy" for k in range(20)] for f in ("x", "y")}
    paths["weight"] = tmp_path / "weight.npy"
    options = {"batch_size": 6, "block_size": 3, "buffer_size": 10, "bucket": bucket}
    loader = from_npy(paths, layout="files", **options)
    assert (loader.n_sequences, loader.n_features, len(loader)) == (20, 2, 4)
    seen = []
    for batch in loader:
        lengths = batch.get("lengths", [batch["x"].shape[1]] * len(batch["x"]))
        for row, y, k, length in zip(
            *(batch[f] for f in ("x", "y", "weight")), lengths, strict=True
        ):
            assert np.array_equal(row[:length], x[int(k)])
            assert y[:length].tolist() == list(range(len(x[int(k)])))
            assert not row[length:].any()
            seen.append(k)
    assert sorted(seen) == list(range(20))


def test_rows_one_sequence_after_another(tmp_path):
    x = ragged()
    np.save(tmp_path / "lengths.npy", [len(one) for one in x])
    np.save(tmp_path / "y.npy", np.arange(20.0))
    for k, part in enumerate(np.array_split(np.concatenate(x), 3)):
        np.save(tmp_path / f"x-{k}.npy", part)
    paths = {name: tmp_path / f"{name}.npy" for name in ("y", "lengths")}
    paths["x"] = [tmp_path / f"x-{k}.npy" for k in range(3)]
    loader = from_npy(paths, layout="rows", batch_size=6, shuffle=False, block_size=3)
    train, validation = loader.split(0.3)
    for part in (loader, train, validation):
        seen = []
        for batch in part:
            lengths = batch.get("lengths", [batch["x"].shape[1]] * len(batch["x"]))
            for row, y, length in zip(batch["x"], batch["y"], lengths, strict=True):
                assert np.array_equal(row[:length], x[int(y)])
                seen.append(y)
        assert seen == sorted(set(seen))
        assert len(seen) == part.n_sequences
    assert from_npy(paths, layout="rows").nbytes == sum(map(len, x)) * 8 + 20 * 8
    # Tokens have no axis of features.
    for k, part in enumerate(np.array_split(np.concatenate(x)[:, 0].astype(int), 3)):
        np.save(tmp_path / f"x-{k}.npy", part)
    (batch,) = from_npy(paths, layout="rows", shuffle=False)
    assert batch["x"].shape == (20, 5)
    assert np.array_equal(batch["x"][:, 0], np.arange(20))


def test_pools_have_a_size_in_bytes(tmp_path, monkeypatch):
    """Also where long sequences lie together."""
    monkeypatch.setattr("throughtime.data.loaders.loader.POOL_BYTES", 1000)
    monkeypatch.setattr("throughtime.data.loaders.flat.BLOCK_BYTES", 100)
    lengths = np.repeat([1, 20], 100)
    np.save(tmp_path / "lengths.npy", lengths)
    np.save(tmp_path / "x.npy", np.repeat(np.arange(200.0), lengths).astype("float32"))
    loader = from_npy(tmp_path, layout="rows", batch_size=7)
    sizes, read = [], loader._store.read

    def noted(blocks):
        pool = read(blocks)
        sizes.append(pool.fields["x"].values.nbytes)
        return pool

    monkeypatch.setattr(loader._store, "read", noted)
    assert sorted(int(row) for batch in loader for row in batch["x"][:, 0]) == list(range(200))
    assert max(sizes) <= 1000 + 100 + 80
    assert len(sizes) == 8


def test_other_byte_order(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12, dtype=">f4").reshape(2, 3, 2))
    (batch,) = from_npy(tmp_path, shuffle=False)
    assert batch["x"].dtype == np.dtype("float32")
    assert np.array_equal(batch["x"].ravel(), np.arange(12))


def test_it_is_public():
    assert tt.data.from_npy is from_npy
    assert tt.data.Loader is Loader
