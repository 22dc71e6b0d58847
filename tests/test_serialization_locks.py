"""A lock is held by one process, and ends with it."""

import subprocess
import sys

import pytest

from throughtime.serialization import locks

TRY = "import sys; from throughtime.serialization import locks; print(locks.take(0))"


def taken_elsewhere(path):
    """Whether another process gets the lock."""
    with path.open("r+b") as file:
        done = subprocess.run(
            [sys.executable, "-c", TRY], stdin=file, capture_output=True, check=True
        )
    return done.stdout.split() == [b"True"]


@pytest.mark.skipif(not locks.there_are_locks(), reason="locks of POSIX")
def test_one_process_has_the_lock_until_it_closes_the_file(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    assert taken_elsewhere(path)  # and that process has ended since
    with path.open("r+b") as file:
        assert locks.take(file.fileno())
        assert not taken_elsewhere(path)
    assert taken_elsewhere(path)


def test_a_system_without_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    with (tmp_path / "lock").open("wb") as file:
        assert not locks.there_are_locks()
        assert not locks.take(file.fileno())
