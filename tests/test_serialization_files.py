"""Files in their places: whole, with their permissions, and nothing left beside them."""

import os
import re
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.serialization.files import check_path, path_text, replace_file

LONGEST = 255  # bytes of a name, on the file systems of Linux, macOS and Windows


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=["nameless", "named", "unlinkable"])
def way(request, monkeypatch):
    """The ways of writing a file: without a name, with a hidden one, and from one to the other."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif request.param == "unlinkable":

        def link(*args, **options):
            raise OSError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)


@pytest.mark.usefixtures("way")
def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "m"
    for data in (b"old", b"", b"new" * 10**5):
        replace_file(path, data)
        assert path.read_bytes() == data
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    path.chmod(mode)
    replace_file(path, b"new")
    assert permissions(path) == mode
    assert path.read_bytes() == b"new"


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        replace_file(tmp_path / "m", b"new")
    finally:
        os.umask(before)
    assert permissions(tmp_path / "m") == mode


@pytest.mark.usefixtures("way")
def test_the_contents_of_a_private_file_are_never_open_to_others(tmp_path, monkeypatch):
    path, seen, fsync = tmp_path / "m", [], os.fsync
    path.write_bytes(b"old")
    path.chmod(0o600)
    monkeypatch.setattr(os, "umask", lambda mask: 0)

    def look(handle):
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", look)
    replace_file(path, b"new")
    assert seen[0] == 0o600


def test_a_link_to_nothing_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    replace_file(tmp_path / "link", b"1")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"1"


def test_a_pipe_is_written_to(tmp_path):
    path, found = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    replace_file(path, b"new" * 10**5)
    reader.join()
    assert found == [b"new" * 10**5]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_device_is_written_to():
    own, other = os.openpty()
    name = os.ttyname(other)
    replace_file(name, b"new")
    assert os.read(own, 100) == b"new"
    assert stat.S_ISCHR(Path(name).stat().st_mode)
    os.close(own)
    os.close(other)


def test_what_is_no_file_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InvalidArgumentError) as caught:
        replace_file(tmp_path, b"new")
    assert str(caught.value) == f"path must be a file; got the folder {str(tmp_path)!r}."
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(InvalidArgumentError) as caught:
            replace_file("socket", b"new")
    assert str(caught.value) == "path must be a file; got the socket 'socket'."


@pytest.mark.parametrize("name", ["a" * LONGEST, "é" * (LONGEST // 2)])
def test_the_longest_name_is_written(tmp_path, name):
    replace_file(tmp_path / name, b"new")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_error_of_the_system_names_the_file(tmp_path):
    path = tmp_path / ("a" * (LONGEST + 1))
    with pytest.raises(OSError, match="name too long") as caught:
        replace_file(path, b"new")
    assert str(caught.value) == f"[Errno {caught.value.errno}] File name too long: {str(path)!r}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"])
def test_a_path_that_no_file_can_have_is_refused(path):
    message = f"path must be a path without null characters and lone surrogates; got {path!r}."
    net = tt.Network([tt.layers.Dense(1)], n_features=1)
    for action in (tt.load, net.save, check_path):
        with pytest.raises(InvalidArgumentError, match=f"^{re.escape(message)}$"):
            action(path)


@pytest.mark.parametrize("path", [3, None, b"a", ["a"]])
def test_what_is_no_path_is_refused(path):
    net = tt.Network([tt.layers.Dense(1)], n_features=1)
    for action in (tt.load, net.save):
        with pytest.raises(InvalidTypeError) as caught:
            action(path)
        assert str(caught.value) == f"path must be a string or a path; got {path!r}."


def test_a_path_is_shown_in_one_line():
    assert path_text("models/é m.st") == "models/é m.st"
    assert path_text("a\nb") == r"'a\nb'"
    assert path_text("") == "''"


KILLED = """
import os, signal, sys
from throughtime.serialization.files import replace_file
os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
replace_file(sys.argv[1], b"new")
"""


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    run = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert run.returncode != 0
    assert path.read_bytes() == b"old"
    if sys.platform == "linux":
        assert list(tmp_path.iterdir()) == [path]
