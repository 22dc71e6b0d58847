"""The threads of NumPy's linear algebra are limited and restored."""

from pathlib import Path

import numpy as np
import pytest

from throughtime.parallel import blas


class Library:
    def __init__(self, threads):
        self.threads = threads

    def get(self):
        return self.threads

    def set(self, n):
        self.threads = n


def test_more_threads_become_few_and_come_back(monkeypatch):
    libraries = [Library(8), Library(1)]
    monkeypatch.setattr(blas, "_libraries", lambda: libraries)
    restore = blas.limit_threads(2)
    assert [library.threads for library in libraries] == [2, 1]
    restore()
    assert [library.threads for library in libraries] == [8, 1]


def test_the_library_of_numpy_is_found():
    if "openblas" not in str(np.show_config("dicts")["Build Dependencies"]["blas"]["name"]):
        pytest.skip("NumPy has another library here")
    libraries = blas._libraries()
    assert libraries
    before = [library.get() for library in libraries]
    assert all(n >= 1 for n in before)
    restore = blas.limit_threads(1)
    assert [library.get() for library in libraries] == [1] * len(libraries)
    restore()
    assert [library.get() for library in libraries] == before


def test_elsewhere_the_files_beside_numpy_count(monkeypatch):
    beside = Path(np.__file__).parent.parent / "numpy.libs"

    def no_maps(path, *arguments):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", no_maps)
    assert blas._paths() == [str(path) for path in beside.glob("*openblas*")]


def test_what_cannot_be_loaded_is_left_alone(monkeypatch, tmp_path):
    other = tmp_path / "libopenblas.so"
    other.write_text("no library")
    monkeypatch.setattr(blas, "_paths", lambda: [str(other)])
    assert blas._libraries.__wrapped__() == []
