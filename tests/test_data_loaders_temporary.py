"""Temporary folders of processes that are killed."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from throughtime.data.loaders.parquet import from_parquet
from throughtime.data.loaders.temporary import make_folder, remove_folder
from throughtime.serialization import locks

pytestmark = pytest.mark.skipif(locks.fcntl is None, reason="locks of POSIX")

KILLED = """
import os, signal, sys
from throughtime.data.loaders.parquet import from_parquet
loader = from_parquet(sys.argv[1], id="id")
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
print("made", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return place


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"id": [1, 2, 1, 2], "a": [0.0, 1.0, 2.0, 3.0]}).to_parquet(path)
    return path


def start(table, how):
    command = [sys.executable, "-c", KILLED, str(table), how]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_folders_of_killed_processes_go_and_others_stay(place, table):
    living = start(table, "alive")
    assert living.stdout.readline() == b"made\n"
    (used,) = place.iterdir()
    dead = start(table, "killed")
    assert dead.wait() < 0
    dead.stdin.close()
    dead.stdout.close()
    assert len(list(place.iterdir())) == 2
    loader = from_parquet(table, id="id")
    own = Path(re.search(r" in (\S+)\. Use cache=", loader.notes[1])[1])
    assert set(place.iterdir()) == {used, own}
    living.communicate()
    assert not used.exists()
    assert sum(len(batch["x"]) for batch in loader) == 2


def test_what_is_not_ours_stays(place):
    folder, lock = make_folder()
    name = folder.name.rpartition("-")[0]
    for other in (f"{name}-unlocked", "throughtime-elsewhere-1234", "more"):
        (place / other).mkdir()
    (place / "throughtime-elsewhere-1234" / "lock").touch()
    (place / "more" / "lock").touch()
    (place / f"{name}-link").symlink_to(place / "more")
    (place / f"{name}-file").touch()
    before = set(place.iterdir())
    second = make_folder()
    assert set(place.iterdir()) == before | {second[0]}
    (place / f"{name}-unlocked" / "lock").touch()  # as a dead process leaves it
    remove_folder(*second, os.getpid())
    remove_folder(folder, lock, os.getpid() + 1)  # a copy of the process by fork
    assert folder.exists()
    third = make_folder()
    assert set(place.iterdir()) == before - {place / f"{name}-unlocked", folder} | {third[0]}
    remove_folder(*third, os.getpid())


def test_a_place_without_locks(place, monkeypatch):
    def none(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks.fcntl, "flock", none)
    folder, lock = make_folder()
    assert lock is None
    monkeypatch.setattr(locks, "fcntl", None)
    other, lock = make_folder()
    assert lock is None
    assert folder.is_dir()
    assert other.is_dir()
