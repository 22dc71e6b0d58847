"""The file of a context: read, mapped, found missing, deleted."""

import gc
from pathlib import Path

import numpy as np
import parallel_cases as cases
import pytest

from throughtime.parallel import Workers, packing, remote


def round_trip(value):
    parcel = packing.Parcel(value)
    try:
        return packing.read(parcel.path, parcel.key)
    finally:
        parcel.close()


def equal(found, value):
    assert type(found) is type(value)
    assert found.dtype == value.dtype
    assert found.tobytes() == np.asarray(value).tobytes()


ARRAYS = {
    "small": np.arange(5),
    "large": np.random.default_rng(0).normal(size=(100, 70)),
    "empty": np.zeros((0, 3)),
    "columns": np.asfortranarray(np.arange(6000.0).reshape(60, 100)),
    "steps": np.arange(20_000.0)[::-3],
    "objects": np.array([{}, None], dtype=object),
    "odd size": np.arange(5001, dtype="int8"),
    "structured": np.zeros(1000, [("a", "f8"), ("b", "i2")]),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_arrays_come_back(array):
    found = round_trip({"before": np.arange(3000.0), "array": array, "again": array})
    assert found["array"] is found["again"]
    if array.dtype.hasobject:
        assert list(found["array"]) == list(array)
        return
    equal(found["array"], array)
    assert found["array"].flags.aligned
    assert found["array"].flags.writeable


def test_a_read_only_array_stays_read_only():
    x = np.zeros(5000)
    x.flags.writeable = False
    assert not round_trip(x).flags.writeable


@pytest.fixture
def mapped(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).normal(size=(300, 7, 5)))
    return np.load(path, mmap_mode="r")


VIEWS = {
    "all": lambda m: m,
    "rows": lambda m: m[10:290],
    "steps": lambda m: m[::2, ::-1, 1:3],
    "backwards": lambda m: m[::-1].T,
    "plain": np.asarray,
    "part of plain": lambda m: np.asarray(m)[5:, 1],
    "other dtype": lambda m: m.view("uint8")[3:],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_memory_maps_travel_as_the_name_of_their_file(view, mapped):
    value = view(mapped)
    parcel = packing.Parcel({"x": value})
    assert Path(parcel.path).stat().st_size < 1000
    found = packing.read(parcel.path, parcel.key)["x"]
    equal(found, value)
    assert found.strides == value.strides
    assert not found.flags.writeable
    parcel.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says what is anonymous")
@pytest.mark.parametrize("kind", ["array", "memory map"])
def test_a_worker_has_no_copy_of_a_large_array(kind, tmp_path):
    x = np.ones((8, 1024, 1024))  # 64 MB
    if kind == "memory map":
        np.save(tmp_path / "x.npy", x)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
    with Workers(cases.processes(1), {"x": np.ones(5000)}) as workers:
        (before,) = workers.run(cases.anonymous, [0])
    with Workers(cases.processes(1), {"x": x}) as workers:
        (after,) = workers.run(cases.anonymous, [0])
    assert after < before + 8


def test_memory_maps_that_are_no_view_of_a_file_travel_whole(tmp_path, mapped):
    mapped_copy = np.load(mapped.filename, mmap_mode="c")
    mapped_copy[0] = 7  # in memory alone
    equal(np.asarray(round_trip(mapped_copy)), np.asarray(mapped_copy))
    computed = mapped + 1  # of the same class, without a file
    equal(np.asarray(round_trip(computed)), np.asarray(computed))


def test_what_was_written_into_a_memory_map_is_there(tmp_path):
    m = np.lib.format.open_memmap(tmp_path / "w.npy", mode="w+", shape=(2000,))
    m[:] = 3
    assert float(round_trip(m).sum()) == 6000
    m[0] = 4
    assert float(round_trip(m).sum()) == 6001


def test_a_file_that_has_changed_since_is_missing(mapped):
    parcel = packing.Parcel(mapped)
    np.save(mapped.filename, np.zeros((300, 7, 5)))
    with pytest.raises(packing.NotHere) as answer:
        packing.read(parcel.path, parcel.key)
    assert answer.value.what == "map"
    parcel.close()


def test_a_file_of_another_context_is_missing(tmp_path):
    one, other = packing.Parcel(1), packing.Parcel(2)
    (tmp_path / "empty").touch()
    for path in (other.path, tmp_path / "nothing", tmp_path / "empty", tmp_path):
        with pytest.raises(packing.NotHere) as answer:
            packing.read(path, one.key)
        assert answer.value.what == "context"
    one.close()
    other.close()


def elsewhere(ticket):
    return ticket._replace(path="nowhere", home="of another machine")


def test_a_worker_without_the_file_gets_the_bytes_once():
    executor = cases.Here(elsewhere)
    x = np.arange(5000.0)
    with Workers(executor, {"x": x}) as workers:
        assert workers.run(cases.total, [0, 0]) == [("ndarray", True, x.sum())] * 2
        assert workers.run(cases.write, [1, 1]) == [1, 2]
    assert [data is not None for _, _, data in executor.sent] == [
        False,
        False,
        True,
        True,
        *[False] * 2,
    ]
    assert x[0] == 0


def test_a_worker_without_the_memory_map_gets_its_bytes(mapped):
    executor = cases.Here(elsewhere)
    total = float(mapped.sum())
    with Workers(executor, {"x": mapped}) as workers:
        workers.run(cases.identity_of, [0])  # packed, with the name of the file
        remote.forget(workers._parcel.key)
        Path(mapped.filename).unlink()
        assert workers.run(cases.total, [0])[0][2] == total
    sizes = [len(data or b"") for _, _, data in executor.sent]
    assert [size > mapped.nbytes for size in sizes] == [False, False, False, False, True]
    assert [size > 0 for size in sizes] == [False, True, False, True, True]


def test_memory_maps_of_tasks_travel_as_names_too(mapped):
    for change, sent in ((lambda ticket: ticket, [True]), (elsewhere, [True, True])):
        executor = cases.Here(change)
        with Workers(executor, set()) as workers:
            assert workers.run(cases.sum_of, [mapped]) == [float(mapped.sum())]
        assert [len(payload) < mapped.nbytes for _, payload, _ in executor.sent] == sent
    executor = cases.Here()
    with Workers(executor, set()) as workers:
        task = mapped[:]
        del mapped
        executor.before = lambda: Path(task.filename).unlink(missing_ok=True)
        assert workers.run(cases.sum_of, [task]) == [float(task.sum())]
    assert [len(payload) < task.nbytes for _, payload, _ in executor.sent] == [True, False]


def test_without_room_for_the_file_the_bytes_travel(monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing.tempfile, "mkstemp", full)
    executor = cases.Here(lambda ticket: ticket._replace(home="elsewhere"))
    with Workers(executor, {"x": np.ones(5000)}) as workers:
        assert workers.run(cases.total, [0]) == [("ndarray", True, 5000.0)]


def test_the_file_is_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(packing.tempfile, "tempdir", str(tmp_path))
    with Workers(cases.Here(), 1) as workers:
        workers.run(cases.identity_of, [1])
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(AttributeError), Workers(cases.Here(), 1) as workers:
        workers.run(cases.identity_of, [1]).no_such_attribute  # noqa: B018  # to fail is the test
    assert list(tmp_path.iterdir()) == []
    workers = Workers(cases.Here(), 1)
    workers.run(cases.identity_of, [1])
    del workers  # never closed
    gc.collect()
    assert list(tmp_path.iterdir()) == []
