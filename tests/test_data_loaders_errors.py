"""What from_npy refuses: each sentence names the file or the field, and the way out."""

import os
import pickle
import re

import numpy as np
import pytest

from throughtime.data.loaders.npy import from_npy
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
)


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


def saved(folder, **arrays):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def refused(error, sentence, paths, **options):
    with pytest.raises(error, match=exactly(sentence)):
        for _ in from_npy(paths, **options):
            pass


def test_paths_of_another_kind(tmp_path):
    refused(
        InvalidTypeError,
        "paths must be a dict from fields to files, a pair (x, y) or a folder; got 3.",
        3,
    )
    refused(
        InvalidTypeError,
        "paths must be a pair (x, y); got 3 entries. A dict names them: {'x': [...], 'y': [...]}.",
        ("a", "b", "c"),
    )
    refused(
        InvalidArgumentError,
        "a key of paths must be one of 'x', 'y', 'lengths', 'mask', 'weight', 'reset'; got"
        " 'weights'. Did you mean 'weight'?",
        {"x": "x.npy", "weights": "w.npy"},
    )
    refused(InvalidArgumentError, "paths must hold 'x'; got 'y'.", {"y": "y.npy"})
    refused(InvalidArgumentError, "paths must hold 'x'; got nothing.", {})
    refused(InvalidArgumentError, "paths['x'] must name at least one file; got none.", {"x": []})
    refused(InvalidArgumentError, "paths['x'] must name at least one file; got none.", {"x": {}})
    refused(
        InvalidTypeError,
        "paths['x'] must be a path or a list of paths; got an array of shape (2,) and dtype"
        " float64.",
        {"x": np.zeros(2)},
    )
    folder, file = tmp_path, tmp_path / "a.npy"
    np.save(file, np.zeros((2, 2, 2)))
    refused(
        DataError,
        f"paths must be a folder, a dict or a pair; got the file {file}. Name the fields: {{'x':"
        f" {str(file)!r}, 'y': ...}}.",
        file,
    )
    refused(
        DataError,
        f"paths must be a folder, a dict or a pair; got {folder}/no, which does not exist. Name"
        f" the fields: {{'x': '{folder}/no', 'y': ...}}.",
        f"{folder}/no",
    )
    refused(
        DataError,
        f"paths must hold x.npy or a folder x; got none in the folder {folder}. Or name the"
        " files: {'x': ..., 'y': ...}.",
        folder,
    )
    (folder / "x").mkdir()
    refused(
        DataError,
        f"paths['x'] must name .npy files; got the folder {folder}/x without any.",
        {"x": folder / "x"},
    )


def test_files_that_are_no_arrays(tmp_path):
    path = tmp_path / "x.npy"
    refused(DataError, f"{path} must be a .npy file; got a name that no file has.", {"x": path})
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    refused(
        DataError,
        f"{tmp_path}/a.npz must be a .npy file; got an archive (.npz). Save each of its arrays"
        " once: np.save('x.npy', np.load(archive)['x']).",
        {"x": tmp_path / "a.npz"},
    )
    path.write_bytes(b"")
    no_array = f"{path} must be a .npy file; got other content. Write it with np.save."
    refused(DataError, no_array, {"x": path})
    path.write_text("1,2,3\n")
    refused(DataError, no_array, {"x": path})
    np.save(path, np.array([{}, {}]))
    refused(
        DataError,
        f"{path} must hold numbers; got Python objects. Save an array of numbers.",
        {"x": path},
    )
    np.save(path, np.array(["a"]))
    refused(DataError, f"{path} must hold numbers; got an array of dtype <U1.", {"x": path})
    np.save(path, np.asfortranarray(np.zeros((3, 2))))
    refused(
        DataError,
        f"{path} must hold one row after another; got columns (Fortran order). Save"
        " np.ascontiguousarray(array).",
        {"x": path},
    )
    np.save(path, np.zeros((0, 3)))
    refused(
        DataError, f"{path} must hold at least one row of numbers; got shape (0, 3).", {"x": path}
    )
    np.save(path, np.float64(3))
    refused(DataError, f"{path} must hold at least one row of numbers; got shape ().", {"x": path})


def test_damaged_files(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((100, 3, 2)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    refused(
        DataError, f"{path} must be a whole .npy file of 4,928 bytes; got 4,920 bytes.", {"x": path}
    )
    damaged = f"{path} must be a whole .npy file; got one with a damaged header."
    for content in (
        whole[:7], whole[:9], whole[:40], whole.replace(b"shape", b"shade"),
        whole.replace(b"<f8", b"<q9"), whole[:6] + b"\x09" + whole[7:],
        whole.replace(b"(100, 3, 2)", b"(((((((((((("), whole[:8] + b"\xff\xff" + whole[10:],
    ):  # fmt: skip
        path.write_bytes(content)
        refused(DataError, damaged, {"x": path})
    path.write_bytes(whole.replace(b"(100, 3, 2)", b"(99999999,)"))
    refused(
        DataError,
        f"{path} must be a whole .npy file of 800,000,120 bytes; got 4,928 bytes.",
        {"x": path},
    )
    path.write_bytes(whole.replace(b"(100, 3, 2)", b"(-100,3, 2)"))
    refused(
        DataError,
        f"{path} must hold at least one row of numbers; got shape (-100, 3, 2).",
        {"x": path},
    )


def test_any_damage_is_a_sentence_or_the_same_array(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((3, 2, 2), "float32"))
    whole = path.read_bytes()
    for place in range(128):
        for value in (0, 0x28, 0xFF):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            try:
                (batch,) = from_npy({"x": path})
            except DataError:
                continue
            assert batch["x"].size == 12 or batch["x"].nbytes <= 48


def test_a_file_that_changes_later(tmp_path):
    paths = saved(tmp_path, x=np.zeros((20, 4, 3)), y=np.zeros((20, 1)))
    loader = from_npy(paths)
    np.save(tmp_path / "y.npy", np.zeros((19, 1)))
    size = 128 + 20 * 8
    with pytest.raises(
        DataError,
        match=exactly(
            f"{tmp_path}/y.npy must be the file of {size} bytes that it was; got another size. Make"
            " a new loader."
        ),
    ):
        list(loader)
    np.save(tmp_path / "y.npy", np.ones((20, 1)))
    later = (tmp_path / "y.npy").stat().st_mtime + 10
    os.utime(tmp_path / "y.npy", (later, later))
    written = f"{tmp_path}/y.npy must be the file that it was; got one that was written later."
    with pytest.raises(DataError, match=exactly(f"{written} Make a new loader.")):
        list(loader)
    assert len(list(pickle.loads(pickle.dumps(loader)))) == 1  # it may be for another machine
    (tmp_path / "y.npy").unlink()
    with pytest.raises(
        DataError,
        match=exactly(f"{tmp_path}/y.npy must be readable; got No such file or directory."),
    ):
        list(loader)


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "x.npy")
    refused(DataError, f"{tmp_path}/x.npy must be a file; got a pipe or a device.", tmp_path)
    name = "x" * 5000
    refused(DataError, f"{name} must be readable; got File name too long.", name)
    refused(DataError, f"{name} must be readable; got File name too long.", {"x": name})


def test_fields_that_do_not_fit(tmp_path):
    x = np.zeros((6, 4, 2))
    saved(tmp_path, x=x, y=np.zeros(5))
    refused(
        ShapeError,
        f"y must have 6 rows in {tmp_path}/y.npy, as {tmp_path}/x.npy; got 5.",
        tmp_path,
    )
    saved(tmp_path, x2=np.zeros((6, 4, 3)), x3=x.astype("float32"))
    parts = [tmp_path / "x.npy", tmp_path / "x.npy"]
    refused(
        ShapeError,
        "y must have 12 rows, one for each sequence of x; got 5.",
        {"x": parts, "y": tmp_path / "y.npy"},
    )
    refused(
        ShapeError,
        f"x must have the same shape after the first axis in every file; got (6, 4, 2) in"
        f" {tmp_path}/x.npy and (6, 4, 3) in {tmp_path}/x2.npy.",
        {"x": [parts[0], tmp_path / "x2.npy"]},
    )
    refused(
        DataError,
        f"x must have the same dtype in every file; got float64 in {tmp_path}/x.npy and float32 in"
        f" {tmp_path}/x3.npy.",
        {"x": [parts[0], tmp_path / "x3.npy"]},
    )
    refused(
        ShapeError,
        "x must have the axes (N, T, F), or (N, T) of tokens; got shape (5,).",
        {"x": tmp_path / "y.npy"},
    )


def test_lengths_and_masks_that_do_not_fit(tmp_path):
    saved(tmp_path, x=np.zeros((3, 4, 2)), y=np.zeros(3), lengths=np.array([4, 5, 0]))
    refused(
        DataError,
        f"lengths must be from 0 to 4, the steps of x; got 5 in row 1 of {tmp_path}/lengths.npy.",
        tmp_path,
    )
    saved(tmp_path, lengths=np.ones(3))
    refused(DataError, "lengths must hold integers; got an array of dtype float64.", tmp_path)
    saved(tmp_path, lengths=np.ones((3, 1), int))
    refused(
        ShapeError,
        "lengths must be of shape (3,), one for each sequence; got shape (3, 1).",
        tmp_path,
    )
    (tmp_path / "lengths.npy").unlink()
    saved(tmp_path, mask=np.ones((3, 4)))
    refused(
        DataError,
        "mask must hold booleans, True at the steps that count; got an array of dtype float64.",
        tmp_path,
    )
    saved(tmp_path, mask=np.ones((3, 5), bool))
    refused(ShapeError, "mask must be of shape (3, 4); got shape (3, 5).", tmp_path)


def test_options_that_are_not_allowed(tmp_path):
    paths = saved(tmp_path, x=np.zeros((10, 4, 3)))
    refused(InvalidArgumentError, "batch_size must be an integer >= 1; got 0.", paths, batch_size=0)
    refused(InvalidTypeError, "shuffle must be True or False; got 1.", paths, shuffle=1)
    refused(InvalidArgumentError, "seed must be an integer >= 0; got -1.", paths, seed=-1)
    refused(InvalidArgumentError, "block_size must be an integer >= 1; got 0.", paths, block_size=0)
    refused(
        InvalidArgumentError, "buffer_size must be an integer >= 1; got 0.", paths, buffer_size=0
    )
    refused(
        InvalidArgumentError,
        "bucket must be False for sequences of one length; got True.",
        paths,
        bucket=True,
    )
    saved(tmp_path, reset=np.zeros(10, bool))
    refused(
        InvalidArgumentError,
        "shuffle must be False with 'reset'; got True. 'reset' is for sequences that continue those"
        " of the batch before.",
        paths,
    )
    loader = from_npy(paths, shuffle=False)
    with pytest.raises(
        InvalidArgumentError, match=exactly("epoch must be an integer >= 1; got 0.")
    ):
        loader.set_epoch(0)
    with pytest.raises(
        InvalidArgumentError, match=exactly("fraction must be a number in (0, 1); got 1.")
    ):
        loader.split(1)
    with pytest.raises(
        InvalidArgumentError,
        match=exactly("fraction must leave at least one sequence to train on; got 0.99 of 10."),
    ):
        loader.split(0.99)


def test_layouts_that_do_not_fit(tmp_path):
    saved(tmp_path, x=np.zeros((6, 2)), y=np.zeros(4), lengths=np.array([1, 2, 3]))
    refused(
        ShapeError,
        "y must have 3 rows, one for each sequence, or 6 as x; got 4.",
        tmp_path,
        layout="rows",
    )
    refused(
        InvalidArgumentError,
        "paths must hold no 'lengths' with layout='files'; got some. Each file has its own.",
        tmp_path,
        layout="files",
    )
    saved(tmp_path, lengths=np.array([1, 2, 4]))
    refused(ShapeError, "lengths must be 6 in sum, the rows of x; got 7.", tmp_path, layout="rows")
    saved(tmp_path, lengths=np.array([3, 0, 3]))
    refused(
        DataError,
        f"lengths must be from 1 to 6, the rows of x; got 0 in row 1 of {tmp_path}/lengths.npy.",
        tmp_path,
        layout="rows",
    )
    # Their sum is 6 where it has 64 bits.
    saved(tmp_path, lengths=np.array([2**64 - 4, 10], dtype="uint64"))
    refused(
        DataError,
        "lengths must be from 1 to 6, the rows of x; got 18446744073709551612 in row 0 of"
        f" {tmp_path}/lengths.npy.",
        tmp_path,
        layout="rows",
    )
    saved(tmp_path, lengths=np.array([3, -1, 4]))
    refused(
        DataError,
        f"lengths must be from 1 to 6, the rows of x; got -1 in row 1 of {tmp_path}/lengths.npy.",
        tmp_path,
        layout="rows",
    )
    (tmp_path / "lengths.npy").unlink()
    refused(
        InvalidArgumentError,
        "paths must hold 'lengths' with layout='rows'; got none. They say how many rows of x each"
        " sequence has.",
        tmp_path,
        layout="rows",
    )
    refused(
        InvalidArgumentError,
        "paths['x'] must be one array, unless layout='padded'; got a dict.",
        {"x": {"signal": tmp_path / "x.npy"}},
        layout="files",
    )
    refused(
        InvalidArgumentError,
        "layout must be one of 'padded', 'files', 'rows'; got 'flat'.",
        tmp_path,
        layout="flat",
    )
    saved(tmp_path, y=np.zeros(6), mask=np.zeros(6))
    refused(
        DataError,
        "mask must hold booleans, True at the steps that count; got an array of dtype float64.",
        tmp_path,
        layout="files",
    )
