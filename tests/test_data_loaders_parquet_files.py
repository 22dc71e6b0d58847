"""Files that from_parquet refuses: no tables, damaged, different, changed; a disk without room."""

import os
import re
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_data_loaders_parquet_errors import columns, exactly, refused, write

from throughtime.data.loaders.parquet import from_parquet
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.parquet"


def test_files_that_are_no_tables(path, tmp_path):
    refused(DataError, f"{path} must be a file or a folder; there is none of this name.", path)
    refused(InvalidTypeError, "path must be a string or a path; got 3.", 3)
    refused(DataError, "path must name at least one file; got none.", [])
    refused(
        DataError,
        f"path must name .parquet files; got the folder {tmp_path} without any.",
        tmp_path,
    )
    path.write_bytes(b"")
    refused(DataError, f"{path} must be a Parquet file; got nothing.", path)
    path.write_text("id,a\n1,2\n")
    refused(
        DataError,
        f"{path} must be a Parquet file; got other content. pyarrow converts a CSV file of any"
        " size: 'from pyarrow import dataset', then"
        " dataset.write_dataset(dataset.dataset('rows.csv', format='csv'), 'table',"
        " format='parquet').",
        path,
    )
    pq.write_table(pa.table(columns()).slice(0, 0), path)
    refused(DataError, f"{path} must hold rows; got none.", path)
    refused(DataError, f"path must name each file once; got {path} twice.", [path, str(path)])
    write(tmp_path / "u.parquet", a=None, y=None)
    pq.write_table(pa.table(columns()).slice(0, 0), path)
    refused(
        DataError,
        f"{tmp_path}/u.parquet must have the column 'a' of {path}; got none.",
        tmp_path,
    )


def test_damaged_files(path):
    write(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    starts = re.compile(rf"^{re.escape(str(path))} must ")
    for cut in (4, 5, 12, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=starts):
            from_parquet(path, id="id")
    for _ in range(300):
        place, value = int(rng.integers(4, len(whole))), int(rng.integers(256))
        path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        try:
            loader = from_parquet(path, id="id", time="t", features=["a"], target="y")
            for batch in loader:
                assert np.isfinite(batch["x"]).all()
        except (DataError, InvalidArgumentError) as error:
            assert str(path) in str(error) or "column" in str(error)  # noqa: PT017 - few of many


def test_files_that_differ(tmp_path):
    one, two = tmp_path / "1.parquet", tmp_path / "2.parquet"
    write(one)
    write(two, id=[3, 3, 4, 4], a=None)
    refused(DataError, f"{two} must have the column 'a' of {one}; got none.", [one, two])
    write(two, id=["3", "3", "4", "4"])
    refused(
        DataError,
        f"column 'id' must have one type in all files; got int64 in {one} and string in {two}.",
        tmp_path,
    )
    write(two, id=[3, 3, 4, 4], y=[5.0, 5.0, 6.0, 6.0])
    refused(
        DataError,
        f"column 'y' must have one type in all files; got int64 in {one} and double in {two}.",
        tmp_path,
    )
    write(two, id=[3, 3, 4, 4], a=["u", "v", "w", "x"])
    refused(
        DataError,
        f"column 'a' must have one type in all files; got double in {one} and string in {two}.",
        tmp_path,
    )
    # What can be the same number is the same.
    write(two, id=pa.array([3, 3, 4, 4]), a=[1, 2, 3, 4])
    assert from_parquet(tmp_path, id="id", time="t", target="y").n_sequences == 4


def test_columns_in_the_names_of_folders(tmp_path):
    write(tmp_path / "0.parquet", year=[1, 1, 1, 1])
    (tmp_path / "year=2020").mkdir()
    later = tmp_path / "year=2020" / "t.parquet"
    write(later)
    refused(
        DataError,
        f"{later} must have the column 'year' of {tmp_path}/0.parquet; got none. It is in the names"
        " of folders alone; write it into the files.",
        tmp_path,
    )


def test_a_table_that_changes_later(path):
    write(path)
    loader = from_parquet(path, id="id", time="t", target="y")
    size = path.stat().st_size
    write(path, a=[1e9, 2.0, 3.0, 4.0], b=[1, 2, 3, 4])
    sentence = (
        f"{path} must be the file of {size:,} bytes that it was; got another size. Make a new"
        " loader."
    )
    with pytest.raises(DataError, match=exactly(sentence)):
        list(loader)
    path.unlink()
    with pytest.raises(DataError, match=re.escape(f"{path} must be ")):
        list(loader)


def test_a_table_that_is_written_later(path):
    write(path)
    loader = from_parquet(path, id="id", time="t", target="y")
    later = path.stat().st_mtime + 10
    os.utime(path, (later, later))
    sentence = f"{path} must be the file that it was; got one that was written later."
    with pytest.raises(DataError, match=exactly(f"{sentence} Make a new loader.")):
        list(loader)


def test_damage_that_a_checksum_shows(path):
    pq.write_table(
        pa.table(columns()), path, compression="none", use_dictionary=False,
        write_page_checksum=True,
    )  # fmt: skip
    whole = path.read_bytes()
    path.write_bytes(whole.replace(np.float64(2.0).tobytes(), np.float64(2.5).tobytes(), 1))
    with pytest.raises(DataError, match=rf"^{path} must be a whole Parquet file; got .*CRC"):
        from_parquet(path, id="id", time="t", target="y")


def test_folders_whose_names_are_those_of_files(tmp_path):
    (tmp_path / "part.parquet" / "_hidden").mkdir(parents=True)
    write(tmp_path / "part.parquet" / "0.pq")
    write(tmp_path / "part.parquet" / "_hidden" / "1.pq")
    (tmp_path / "up").symlink_to(tmp_path)
    assert from_parquet(tmp_path, id="id", time="t", target="y").n_sequences == 2


def test_a_folder_that_cannot_be_looked_into(tmp_path, monkeypatch):
    write(tmp_path / "0.parquet")
    (tmp_path / "more").mkdir()
    scandir = os.scandir

    def shut(folder):
        if str(folder).endswith("more"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr("os.scandir", shut)
    sentence = f"{tmp_path}/more must be readable; got Permission denied."
    refused(DataError, sentence, tmp_path)


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "x.parquet")
    sentence = f"{tmp_path}/x.parquet must be a file; got a pipe or a device."
    refused(DataError, sentence, tmp_path)
    name = "x" * 5000
    refused(DataError, f"{name} must be readable; got File name too long.", name)


def test_places_that_cannot_be_written_to(path, tmp_path, monkeypatch):
    write(path, id=[1, 2, 1, 2])
    refused(
        DataError,
        f"cache must be a folder that can be written to; got '{path}': File exists.",
        path,
        cache=path,
    )
    name = f"{tmp_path}/{'x' * 300}"
    with pytest.raises(DataError, match=r"must be readable; got File name too long\.$"):
        from_parquet(path, id="id", cache=name)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    refused(
        DataError,
        "this machine must have a folder for temporary files; got none: No such file or directory."
        " Name one: cache=...",
        path,
        target=None,
    )


@pytest.mark.parametrize(
    "name", ["about.json", "rows.npy", "x.npy", "y.npy", "lengths.npy", "weight.npy"]
)
@pytest.mark.parametrize("content", [None, b"[1"])
def test_a_cache_that_is_damaged(path, tmp_path, name, content):
    write(path)
    options = {"target": "y", "weight": "t", "target_per": "step", "cache": tmp_path / "cache"}
    from_parquet(path, id="id", **options)
    (folder,) = (tmp_path / "cache").iterdir()
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    sentence = rf"^{folder} must be a cache of the table; got a damaged one \(.*\)\. Delete it;"
    with pytest.raises(DataError, match=rf"{sentence} it is then written anew\.$"):
        from_parquet(path, id="id", **options)


def test_no_room_on_the_disk(path, tmp_path, monkeypatch):
    class Full:
        free = 16

    write(path)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Full)
    with pytest.raises(DataError) as caught:
        from_parquet(path, id="id", cache=tmp_path / "cache")
    assert re.fullmatch(
        r"the disk of .* must have 0\.0 GB free to regroup rows; got 0\.0 GB\. Name a folder on"
        r" another disk: cache=\.\.\.",
        str(caught.value),
    )
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_disk_that_gets_full(path, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    write(path)
    monkeypatch.setattr("throughtime.data.loaders.regroup._deal", full)
    with pytest.raises(DataError, match=r"must be writable; got No space left on device\.$"):
        from_parquet(path, id="id", cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
