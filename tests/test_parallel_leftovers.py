"""Files of contexts that killed callers have left."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from throughtime.parallel import leftovers, packing
from throughtime.serialization import locks

pytestmark = pytest.mark.skipif(locks.fcntl is None, reason="needs locks of files")

OPEN = Path("/proc/self/fd")
CALLER = """
import signal
import numpy as np
from throughtime.parallel import packing
parcel = packing.Parcel({"x": np.zeros(10_000)})
print(parcel.path, flush=True)
signal.pause()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    leftovers.remove_leftovers.cache_clear()


def age(path):
    os.utime(path, (time.time() - 3600,) * 2)


def test_the_file_of_a_killed_caller_is_removed(folder):
    with subprocess.Popen([sys.executable, "-c", CALLER], stdout=subprocess.PIPE) as caller:
        path = Path(caller.stdout.readline().decode().strip())
        age(path)
        leftovers.remove_leftovers.__wrapped__(str(folder))
        assert path.exists()  # its caller lives
        caller.send_signal(signal.SIGKILL)
    leftovers.remove_leftovers.cache_clear()
    parcel = packing.Parcel({"x": np.zeros(10_000)})
    assert list(folder.iterdir()) == [Path(parcel.path)]
    parcel.close()
    assert list(folder.iterdir()) == []


def test_what_is_left_alone(folder):
    young, other, link = (folder / name for name in ("throughtime-1.context", "o", "throughtime-2"))
    link = link.with_suffix(".context")
    for path in (young, other):
        path.write_bytes(b"")
    link.symlink_to(other)
    age(other)
    leftovers.remove_leftovers.__wrapped__(str(folder))
    leftovers.remove_leftovers.__wrapped__(str(folder / "none"))
    assert sorted(folder.iterdir()) == sorted([young, other, link])


def test_without_locks(folder, monkeypatch):
    def refuse(handle, operation):
        raise OSError("no locks")

    path = folder / "throughtime-1.context"
    path.write_bytes(b"")
    age(path)
    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    leftovers.remove_leftovers.__wrapped__(str(folder))
    with path.open() as file:
        assert leftovers.hold(file.fileno()) is None
        monkeypatch.setattr(locks, "fcntl", None)
        assert leftovers.hold(file.fileno()) is None
    leftovers.remove_leftovers.__wrapped__(str(folder))
    assert path.exists()


def test_the_bytes_of_a_file_that_others_have_deleted(folder):
    x = np.arange(10_000.0)
    parcel = packing.Parcel({"x": x})
    Path(parcel.path).unlink()
    assert packing.unpack(parcel.data(maps=True))["x"].tobytes() == x.tobytes()
    parcel.close()


@pytest.mark.skipif(not OPEN.is_dir(), reason="needs a list of open files")
def test_no_file_stays_open(folder):
    before = len(list(OPEN.iterdir()))
    for _ in range(3):
        packing.Parcel({"x": np.zeros(10_000)}).close()
    assert len(list(OPEN.iterdir())) == before
