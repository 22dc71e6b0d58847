"""Containers: what is written is read back; anything else is refused."""

import json
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
)
from throughtime.serialization.container import (
    MAX_HEADER,
    identify,
    read_container,
    replace_file,
    write_container,
)

META = {"layers": [{"name": "gru", "units": 3}], "dropout": 0.1, "note": "é", "none": None}


def example_arrays():
    rng = np.random.default_rng(0)
    return {
        "0.W_x": rng.normal(size=(2, 3)).astype("float32"),
        "params": rng.normal(size=7),
        "steps": np.array(12),
        "mask": np.array([True, False, True]),
        "bytes": np.arange(5, dtype="uint8"),
        "nothing": np.zeros((0, 3)),
    }


def assert_same(got, want):
    assert got.keys() == want.keys()
    for name in want:
        assert got[name].dtype == want[name].dtype
        assert got[name].shape == want[name].shape
        assert got[name].tobytes() == want[name].tobytes()


def refused(path, kind="model", **options):
    with pytest.raises(ModelFileError) as caught:
        read_container(path, kind, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(f"{path} ")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.safetensors"


def test_what_is_written_is_read(path):
    write_container(path, example_arrays(), META, "model")
    arrays, meta = read_container(path, "model")
    assert_same(arrays, example_arrays())
    assert meta == META
    arrays["params"] += 1.0
    assert list(path.parent.iterdir()) == [path]


def test_a_file_says_what_it_is(path):
    write_container(path, {"w": np.ones(3)}, {}, "checkpoint", version=7)
    assert identify(path) == ("checkpoint", 7)


def test_a_foreign_file_says_nothing(path):
    save_file({"w": np.ones(3)}, path)
    with pytest.raises(ModelFileError) as caught:
        identify(path)
    assert str(caught.value) == (
        f"{path} is not a usable model file: it was not written by throughtime."
    )


def test_other_memory_orders_are_written_as_what_they_mean(path):
    base = np.arange(12.0).reshape(3, 4)
    write_container(
        path, {"t": base.T, "every": base[:, ::2], "big": base.astype(">f8")}, {}, "model"
    )
    arrays, _ = read_container(path, "model")
    assert_same(arrays, {"t": base.T.copy(), "every": base[:, ::2].copy(), "big": base})


def test_the_same_contents_give_the_same_bytes(path):
    write_container(path, example_arrays(), META, "model")
    first = path.read_bytes()
    write_container(path, example_arrays(), META, "model")
    assert path.read_bytes() == first


def test_any_safetensors_reader_opens_it(path):
    from safetensors import safe_open

    write_container(path, example_arrays(), META, "model")
    with safe_open(path, framework="np") as file:
        assert set(file.keys()) == set(example_arrays())
        assert json.loads(file.metadata()["throughtime"])["meta"] == META


def test_non_finite_arrays_are_not_written(path):
    path.write_bytes(b"old")
    with pytest.raises(DataError) as caught:
        write_container(path, {"0.b": np.array([0.0, np.nan])}, {}, "model")
    assert str(caught.value) == (
        "0.b must be finite; got nan at index (1,). Remove or fill missing values first."
    )
    assert path.read_bytes() == b"old"


def test_other_dtypes_are_not_written(path):
    with pytest.raises(InvalidTypeError) as caught:
        write_container(path, {"a": np.zeros(2, dtype="float16")}, {}, "model")
    assert str(caught.value) == (
        "a must be of dtype float32, float64, int64, uint8 or bool;"
        " got an array of shape (2,) and dtype float16."
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, np.float32(1.0)])
def test_meta_that_json_cannot_say_is_not_written(path, value):
    with pytest.raises(InvalidTypeError, match=r"^meta must hold only what JSON can say; "):
        write_container(path, {}, {"value": value}, "model")
    assert not path.exists()


def test_a_meta_that_could_not_be_read_back_is_not_written(path):
    expected = r"^meta must fit into 16777216 bytes of JSON; got "
    with pytest.raises(InvalidArgumentError, match=expected):
        write_container(path, {}, {"long": "x" * MAX_HEADER}, "model")
    assert not path.exists()


def test_a_folder_that_does_not_exist_names_the_path_given(tmp_path):
    path = tmp_path / "nowhere" / "m.safetensors"
    with pytest.raises(InvalidArgumentError) as caught:
        write_container(path, {}, {}, "model")
    assert str(caught.value) == (
        f"path must be in a folder that exists; got {str(path)!r}. Make it first."
    )


def test_a_failed_write_leaves_the_old_file_and_no_litter(path, monkeypatch):
    replace_file(path, b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    replace_file(tmp_path / "real", b"1")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    replace_file(tmp_path / "link", b"2")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"2"


def test_a_missing_file(path):
    assert refused(path) == "cannot be read: No such file or directory."


def test_a_folder(tmp_path):
    assert refused(tmp_path) == "is not a usable model file: it is not a regular file."


def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe") == "is not a usable model file: it is not a regular file."


def test_a_device():
    assert refused("/dev/zero") == "is not a usable model file: it is not a regular file."


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("the pickle was opened",)


def hostile_files():
    def header(text, data=b""):
        raw = text if isinstance(text, bytes) else text.encode()
        return struct.pack("<Q", len(raw)) + raw + data

    def entry(**changes):
        body = {"kind": "model", "version": 1, "meta": {}, "sha256": "0"} | changes
        return save({}, metadata={"throughtime": json.dumps(body)})

    damaged = "its header is damaged or of another format"
    yield b"", "it is empty"
    yield b"abc", "it is cut short"
    yield b"date,value\n2020-01-01,3\n", "it is cut short or of another format"
    yield b"PK\x03\x04" + bytes(50), "it is a zip archive, perhaps of NumPy, PyTorch or Keras"
    yield b"\x93NUMPY\x01\x00v\x00", "it is a NumPy .npy file"
    yield b"\x89HDF\r\n\x1a\n", "it is an HDF5 file, perhaps of Keras"
    yield b"\x1f\x8b\x08" + bytes(50), "it is a gzip file"
    never = "it is a pickle, which could run code and is never opened"
    for protocol in range(2, 6):
        yield pickle.dumps(Bomb(), protocol), never
    yield pickle.dumps(Bomb(), 0), "it is cut short or of another format"
    yield struct.pack("<Q", 2**64 - 1) + b"{}", "it is cut short or of another format"
    yield struct.pack("<Q", 1000) + b"{}", "it is cut short or of another format"
    yield (
        struct.pack("<Q", MAX_HEADER + 1) + b" " * (MAX_HEADER + 1),
        "it is cut short or of another format",
    )
    yield header("{"), damaged
    yield header(b"\xff\xfe{}"), damaged
    yield header("[" * 100_000), damaged
    yield header("1" * 10_000), damaged
    yield header('{"a": NaN}'), damaged
    yield header('{"a": 1, "a": 2}'), damaged
    yield header("[]"), "it was not written by throughtime"
    yield header('{"__metadata__": 3}'), "it was not written by throughtime"
    yield save({"w": np.zeros(3)}), "it was not written by throughtime"
    yield save({}, metadata={"throughtime": "{"}), damaged
    yield save({}, metadata={"throughtime": "[]"}), "its description is damaged"
    yield save({}, metadata={"throughtime": '{"kind": "model"}'}), "its description is damaged"
    yield entry(kind=3), "its kind is damaged"
    yield entry(version="1"), "its version is damaged"
    yield entry(version=True), "its version is damaged"
    yield entry(meta=[]), "its meta is damaged"
    yield entry(sha256=None), "its sha256 is damaged"
    yield entry(kind="checkpoint"), "it is a 'checkpoint' file"
    yield entry(), "its checksum does not fit its contents, so it is damaged"
    yield (
        entry(version=2),
        (
            "it has version 2 and this release reads up to 1;"
            " a newer throughtime wrote it: pip install --upgrade throughtime"
        ),
    )


@pytest.mark.parametrize(("data", "why"), list(hostile_files()))
def test_hostile_files_are_refused(path, data, why):
    path.write_bytes(data)
    assert refused(path) == f"is not a usable model file: {why}."


def test_every_truncation_and_every_tail_is_refused(path):
    write_container(path, {"w": np.arange(3.0)}, {"a": 1}, "model")
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(path)
    path.write_bytes(whole + b"\x00")
    assert refused(path) == "is not a usable model file: it is cut short or damaged."


def test_overlapping_arrays_and_foreign_dtypes_are_refused(path):
    write_container(path, {"w": np.zeros(2), "v": np.ones(2)}, {}, "model")
    good = path.read_bytes()
    overlap = good.replace(b"[16,32]", b"[00,16]".replace(b"00", b" 0"))
    assert overlap != good
    path.write_bytes(overlap)
    assert refused(path) == "is not a usable model file: it is cut short or damaged."
    path.write_bytes(good.replace(b'"F64"', b'"U64"'))
    assert refused(path) == "is not a usable model file: array 'v' has the dtype U64."


def test_an_array_of_another_shape_is_not_covered_by_the_checksum(path):
    write_container(path, {"w": np.arange(6.0).reshape(2, 3)}, {}, "model")
    good = path.read_bytes()
    for shape in (b"[3,2]", b"[6,1]", b"[1,6]"):
        other = good.replace(b'"shape":[2,3]', b'"shape":' + shape)
        assert other != good
        path.write_bytes(other)
        assert refused(path) == (
            "is not a usable model file: its checksum does not fit its contents, so it is damaged."
        )
    path.write_bytes(good.replace(b'"w":', b'"v":'))
    assert "checksum" in refused(path)


def test_nan_in_an_otherwise_good_file_is_refused(path, monkeypatch):
    import throughtime.serialization.container as container

    with monkeypatch.context() as patch:
        patch.setattr(container, "check_array", lambda name, array: array)
        write_container(path, {"w": np.array([1.0, np.inf])}, {}, "model")
    assert refused(path) == "is not a usable model file: array 'w' holds NaN or an infinity."


def test_a_file_of_the_last_version_is_read_by_the_next(path):
    write_container(path, {}, {"a": 1}, "model", version=1)
    assert read_container(path, "model", version=3) == ({}, {"a": 1})
    write_container(path, {}, {"a": 1}, "model", version=0)
    refused(path)


same_folder = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read_or_refuse(path, want):
    try:
        arrays, meta = read_container(path, "model")
    except ModelFileError:
        return
    assert_same(arrays, want)
    assert meta == META


@same_folder
@given(data=st.binary(max_size=300))
def test_random_bytes_are_refused(path, data):
    path.write_bytes(data)
    refused(path)


@same_folder
@given(
    flips=st.lists(st.tuples(st.integers(0, 2**16), st.integers(1, 255)), min_size=1, max_size=4),
    length=st.none() | st.integers(0, 2**16),
)
def test_flipped_bytes_are_refused_or_change_nothing(path, flips, length):
    write_container(path, example_arrays(), META, "model")
    data = bytearray(path.read_bytes())
    for place, value in flips:
        data[place % len(data)] ^= value
    path.write_bytes(bytes(data[: None if length is None else length % len(data)]))
    read_or_refuse(path, example_arrays())


def test_every_single_byte_matters(path):
    write_container(path, {"w": np.arange(2.0)}, META, "model")
    whole = path.read_bytes()
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(bytes(data))
        read_or_refuse(path, {"w": np.arange(2.0)})


def test_messages_name_relative_paths_as_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_file({"w": np.zeros(1)}, "other.safetensors")
    assert refused("other.safetensors") == (
        "is not a usable model file: it was not written by throughtime."
    )
