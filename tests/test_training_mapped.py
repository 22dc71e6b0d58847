"""Data in memory-mapped files: the bits of the same data in memory, and never copied whole."""

from __future__ import annotations

import mmap
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from source_cases import CASES, LAST, LENGTHS, SUMS, X, assert_same, steps, to_maps, trained, vector

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, ShapeError
from throughtime.network.signals import each
from throughtime.training import mapped
from throughtime.training.heads import check_heads
from throughtime.training.mapped import Mapped, check_data, is_mapped

#: Options with which data in files are trained on.
WAYS: dict[str, dict[str, Any]] = {
    "in order": {"shuffle": False},
    "shuffled": {},
    "bucketed": {"bucket": True},
    "a fraction held out": {"validation": 0.3},
    "outputs kept": {"keep_outputs": True},
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """A block holds two sequences of the cases, so there are several."""
    monkeypatch.setattr(mapped, "BLOCK", 200)


def in_files(data: dict[str, Any], folder: Any) -> dict[str, Any]:
    return {name: to_maps(value, folder, name) for name, value in data.items()}


def checked(net: tt.Network, *data: Any) -> Any:
    return check_data(net, check_heads(net, "mse"), *data)


@pytest.mark.parametrize("name", CASES)
def test_data_in_files_have_the_bits_of_data_in_memory(name, tmp_path):
    case = CASES[name]
    maps = in_files(case.data, tmp_path)
    for options in WAYS.values():
        wanted = trained(case, **case.data, batch_size=4, **options)
        found = trained(case, **maps, batch_size=4, **options)
        assert_same(found, wanted)
        for ours, theirs in zip(found[1].outputs, wanted[1].outputs, strict=True):
            values = (list(y.values()) if isinstance(y, dict) else [y] for y in (ours, theirs))
            for a, b in zip(*values, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", CASES)
def test_only_some_of_the_data_lie_in_files(name, tmp_path):
    case = CASES[name]
    wanted = trained(case, **case.data, batch_size=4)
    for own in ("x", "y"):
        maps = {**case.data, own: to_maps(case.data[own], tmp_path, own)}
        assert_same(trained(case, **maps, batch_size=4), wanted)


@pytest.mark.parametrize("name", CASES)
def test_a_validation_set_in_files(name, tmp_path):
    case = CASES[name]
    maps = in_files(case.data, tmp_path)
    wanted = trained(case, **case.data, batch_size=4, validation=case.data)
    for data in (case.data, maps):
        assert_same(trained(case, **data, batch_size=4, validation=maps), wanted)
    kept = ("loss", "loss_weights", "metrics", "class_weight")
    options = {key: value for key, value in case.options.items() if key in kept}
    expected = tt.evaluate(case.net(), **case.data, **options)
    for key, value in tt.evaluate(case.net(), **maps, **options).items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-12)


BALANCED = ("class weights", "class weights of steps", "tokens", "inputs and outputs")


@pytest.mark.parametrize("name", BALANCED)
def test_balanced_classes_are_counted_block_by_block(name, tmp_path):
    case = CASES[name]
    several = name == "inputs and outputs"
    balanced = {"kind": "balanced"} if several else "balanced"
    maps = in_files(case.data, tmp_path)
    for more in ({}, {"validation": 0.3}):
        options = {"batch_size": 4, "class_weight": balanced, **more}
        found = trained(case, **maps, **options)
        assert_same(found, trained(case, **case.data, **options))


def test_initial_states_and_marks_go_with_their_sequences(tmp_path):
    states = [np.linspace(-1, 1, 40).reshape(10, 4), None]
    case = CASES["vector"]
    maps = in_files(case.data, tmp_path)
    for options in ({"initial_state": states}, {"initial_state": states, "validation": 0.3}):
        wanted = trained(case, **case.data, batch_size=4, **options)
        assert_same(trained(case, **maps, batch_size=4, **options), wanted)
    options = {"carry_state": True, "reset": np.arange(10) % 3 == 0, "batch_size": 5}
    wanted = trained(case, **case.data, **options)
    assert_same(trained(case, **maps, **options), wanted)


def test_files_that_are_renewed_every_epoch(tmp_path):
    case = CASES["ragged"]
    maps = in_files(case.data, tmp_path)

    def renew(data: dict[str, Any]) -> Any:
        return lambda epoch: {**data, "sample_weight": np.full(10, float(epoch))}

    wanted = trained(case, **case.data, batch_size=4, renew=renew(case.data))
    assert_same(trained(case, **maps, batch_size=4, renew=renew(maps)), wanted)


def test_a_resumed_run_has_the_bits_of_one_that_never_stopped(tmp_path):
    case = CASES["lengths"]
    maps = in_files(case.data, tmp_path)
    options = {"batch_size": 4, "validation": 0.3, "dtype": None}
    del options["dtype"]
    wanted = trained(case, **case.data, **options, epochs=4)
    again = {"checkpoint": tmp_path / "run.ckpt", "resume": True}
    trained(case, **maps, **options, **again, epochs=2)
    maps = in_files(case.data, tmp_path)  # opened anew, as another process does
    assert_same(trained(case, **maps, **options, **again, epochs=4), wanted)
    other = {**maps, "y": to_maps(SUMS + 1.0, tmp_path, "other")}
    with pytest.raises(tt.errors.ModelFileError, match="belongs to a run with other data"):
        trained(case, **other, **options, **again, epochs=5)


@pytest.mark.parametrize("name", CASES)
def test_a_checkpoint_of_data_in_memory_is_one_of_the_same_data_in_files(name, tmp_path):
    case = CASES[name]
    maps = in_files(case.data, tmp_path)
    for k, options in enumerate(({}, {"validation": 0.3})):
        run = {"batch_size": 4, "checkpoint": tmp_path / f"{k}.ckpt", "resume": True, **options}
        trained(case, **case.data, **run, epochs=1)
        found = trained(case, **maps, **run, epochs=2)
        assert_same(found, trained(case, **case.data, batch_size=4, **options, epochs=2))


def test_ragged_files_are_put_into_buckets_by_their_lengths(tmp_path, monkeypatch):
    """Also where all sequences of a block are of one length, so that no block has a mask."""
    monkeypatch.setattr(mapped, "BLOCK", 96)  # two sequences of three steps
    lengths = [3, 3, 5, 5, 2, 2, 6, 6, 4, 4]
    x = [row[:end] for row, end in zip(X, lengths, strict=True)]
    case = CASES["ragged, vector"]
    maps = to_maps(x, tmp_path)
    found = checked(vector(), maps, LAST)
    assert found.lengths is not None
    assert found.lengths.tolist() == lengths
    options = {"y": LAST, "batch_size": 4, "bucket": True}
    assert_same(trained(case, x=maps, **options), trained(case, x=x, **options))


# -- what is recognised ------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    return to_maps(X, tmp_path)


def test_views_of_files_are_recognised(file, tmp_path):
    raw = tmp_path / "raw.bin"
    raw.write_bytes(np.arange(24, dtype="f4").tobytes())
    with raw.open("r+b") as handle:
        pages = mmap.mmap(handle.fileno(), 0)
    views = {
        "file": file,
        "array": np.asarray(file),
        "slice": file[2:7],
        "slice of slices": file[2:9][::2][1:],
        "transposed": file.transpose(1, 0, 2),
        "reshaped": file.reshape(10, 12),
        "reversed": file[:, ::-1],
        "field": file[..., :1],
        "memmap": np.memmap(raw, dtype="f4", mode="r"),
        "frombuffer": np.frombuffer(pages, dtype="f4").reshape(2, 3, 4),
        "view of bytes": np.memmap(raw, dtype="u1", mode="r").view("f4"),
        "broadcast": np.broadcast_to(file[:1], (3, 6, 2)),
        "list": [file[0, :3], file[1, :2]],
        "dict": {"a": np.ones(3), "b": file},
        "nested": {"a": [np.ones(3), file[0]]},
    }
    for name, value in views.items():
        assert is_mapped(value), name


def test_copies_of_files_are_not_taken_for_files(file):
    copies = [file.copy(), np.array(file), file[[1, 2]], file + 1, file.astype("f4"), X, None, 3,
              [X, X], {"a": X}, "text", file[0, 0, 0], np.float32(1)]  # fmt: skip
    for value in copies:
        assert not is_mapped(value)


def test_views_of_files_train_as_copies_do(file):
    case = CASES["vector"]
    for view in (file[:8], file[::-1][:8], file[:8, ::-1], file.transpose(0, 2, 1)[:8, :, :2]):
        if view.shape[2] != 2:
            continue
        options = {"y": LAST[: len(view)], "batch_size": 3}
        assert isinstance(checked(vector(), view, options["y"]), Mapped)
        wanted = trained(case, x=np.array(view), **options)
        assert_same(trained(case, x=view, **options), wanted)


def test_numbers_of_other_types_in_files(tmp_path):
    """Float64, float16 and integers in files, for a float32 network."""
    case = CASES["vector"]
    for number, dtype in enumerate(("f8", "f4", "f2", "i4", "u1", ">f4")):
        x = (10 * X).astype(dtype) if dtype != "u1" else np.abs(10 * X).astype(dtype)
        y = LAST.astype("f4")
        maps = to_maps({"x": x, "y": y}, tmp_path, str(number))
        wanted = trained(case, x=x, y=y, batch_size=4)
        # Metrics of float32 targets are sums of float32.
        assert_same(trained(case, **maps, batch_size=4), wanted, rtol=1e-5)


def test_rows_are_chosen_of_rows(file, tmp_path):
    data = checked(steps(), file, to_maps(SUMS, tmp_path, "y"), LENGTHS)
    part = data.take(np.array([7, 2, 5, 1])).take(np.array([2, 0]))
    assert len(part) == 2
    assert part.lengths.tolist() == [LENGTHS[5], LENGTHS[7]]
    assert part.shapes == [(2, 6, 2)]
    batch = part.batch(np.array([1, 0]))
    wanted = np.where(np.arange(6)[:, None] < LENGTHS[[7, 5], None, None], X[[7, 5]], 0)
    steps_kept = max(LENGTHS[7], LENGTHS[5])
    np.testing.assert_array_equal(each(batch.x)[0], wanted[:, :steps_kept].astype("f4"))


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"y": LAST[:9]}, ShapeError,
            "y must hold one target for each of the 10 sequences; got 9 of them.",
        ),
        (
            {"lengths": LENGTHS[:9]}, ShapeError,
            "lengths must have a row for each of the 10 sequences; got 9 of them.",
        ),
        (
            {"sample_weight": np.ones(3)}, ShapeError,
            "sample_weight must have a row for each of the 10 sequences; got 3 of them.",
        ),
        (
            {"sample_weight": np.zeros(10)}, DataError,
            "sample_weight must leave something to learn from; got zero for every step.",
        ),
        (
            {"lengths": np.zeros(10, int)}, DataError,
            "lengths or mask must leave something to learn from; got zero for every step.",
        ),
        (
            {"lengths": np.full(10, 7)}, InvalidArgumentError,
            "sequences 0 to 1: lengths must be from 0 to 6, the steps of x; got 7 in row 0.",
        ),
    ],
    ids=["y", "lengths", "weights", "no weight", "no length", "too long"],
)  # fmt: skip
def test_what_does_not_fit(change, error, message, file):
    with pytest.raises(error) as caught:
        tt.train(vector(), file, **{"y": LAST, **change})
    assert str(caught.value) == message


def test_a_bad_number_is_found_before_any_work(tmp_path):
    bad = X.copy()
    bad[7, 2, 1] = np.inf
    net = vector()
    before = net.params.flat.copy()
    with pytest.raises(DataError) as caught:
        tt.train(net, to_maps(bad, tmp_path), LAST)
    assert str(caught.value) == (
        "sequences 6 to 7: x must be finite; got inf at index (1, 2, 1)."
        " Fill missing values, or mask their steps."
    )
    np.testing.assert_array_equal(net.params.flat, before)


def test_the_messages_of_data_in_memory_are_those_of_files(file, tmp_path, monkeypatch):
    """But for the sequences of the block."""
    monkeypatch.setattr(mapped, "BLOCK", 1 << 24)
    maps = {"y": to_maps(LAST, tmp_path, "y")}
    wrong: list[dict[str, Any]] = [
        {"x": file[..., :1]}, {"x": file[:0]}, {"x": {"a": file}},
        {"y": 3}, {"y": "text"}, {"y": None}, {"y": np.array(3.0)}, {"y": [["a"]] * 10},
        {"y": (row for row in LAST)}, {"lengths": [None] * 10}, {"sample_weight": {"a": 1}},
        {"lengths": 3}, {"mask": True}, {"mask": np.ones((10, 5), bool)},
        {"sample_weight": 2.0}, {"sample_weight": np.ones((10, 2))}, {"sample_weight": "balanced"},
    ]  # fmt: skip
    for change in wrong:
        messages = []
        for own in (maps, {"y": LAST}):
            data = {"x": file if own is maps else X, **own, **change}
            if own is not maps:
                data = {
                    key: np.array(value) if isinstance(value, np.memmap) else value
                    for key, value in data.items()
                }
                data["x"] = {"a": X} if isinstance(data["x"], dict) else data["x"]
            with pytest.raises(tt.errors.ThroughtimeError) as caught:
                tt.train(vector(), **data)
            said = re.sub(r"^sequences \d+ to \d+: ", "", str(caught.value))
            messages.append(said.partition(";")[0])
        assert messages[0] == messages[1], change


def test_a_file_that_changes_while_it_is_read(tmp_path):
    x = to_maps(X, tmp_path)
    writable = np.load(tmp_path / "a.npy", mmap_mode="r+")

    def spoil(run: Any) -> None:
        writable[3, 2, 1] = np.nan

    with pytest.raises(DataError) as caught:
        tt.train(vector(), x, LAST, batch_size=4, shuffle=False, callbacks=[spoil])
    assert str(caught.value) == (
        "a file has changed while it was read: x must be finite; got nan at index (3, 2, 1). Fill"
        " missing values, or mask their steps."
    )


def test_class_weights_that_leave_nothing(tmp_path):
    case = CASES["class weights"]
    for data in (case.data, in_files(case.data, tmp_path)):
        with pytest.raises(DataError, match=r"^class_weight must leave something to learn from; "):
            trained(case, **data, batch_size=4, class_weight={0: 0.0, 1: 0.0, 2: 0.0})


# -- memory ------------------------------------------------------------------------------------

MEASURE = """
import sys
from pathlib import Path
import numpy as np
import throughtime as tt

def anonymous():
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024

folder = Path(sys.argv[1])
rows, steps = 8000, 50
x = np.lib.format.open_memmap(folder / "x.npy", "w+", "f8", (rows, steps, 64))
for start in range(0, rows, 500):
    x[start : start + 500] = np.float32(start % 7)
x.flush()
del x
x = np.load(folder / "x.npy", mmap_mode="r")
y = np.zeros((rows, 1), dtype="f4")
net = tt.Network([tt.layers.GRU(2), tt.layers.Dense(1)], n_features=64)
small = dict(epochs=1, batch_size=200, verbose=False)
tt.train(net, x[:200], y[:200], **small)
before = anonymous()
lengths = np.arange(rows) % steps + 1
tt.train(net, x, y, lengths=lengths, validation=0.2, bucket=True, l2=0.1, **small)
tt.evaluate(net, x, y, metrics=["mae"])
tt.train(net, np.asarray(x)[::2], y[::2], shards=4, checkpoint=folder / "run", **small)
print(anonymous() - before, x.nbytes / 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RssAnon is read from /proc")
def test_a_large_file_is_never_copied_whole(tmp_path):
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    grown, size = map(float, found.stdout.split())
    assert size > 190
    assert grown < 100  # 51 was measured: a block, and batches of validation
