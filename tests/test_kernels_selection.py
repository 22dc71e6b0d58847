"""The engine in use, its threads, and the messages if there is no native engine.

The conftest checks that there is one if THROUGHTIME_REQUIRE_NATIVE is set.
"""

import importlib
import os
import subprocess
import sys

import pytest
from loop_cases import needs_native

import throughtime as tt
from throughtime.cli.info import describe_engines
from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.kernels import selection

LEVELS = selection.extension().levels() if selection.extension() else ()


def python(code, **variables):
    """Run ``code`` in a process of its own; return what it prints and its last line of errors."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("THROUGHTIME_ENGINE", "THROUGHTIME_LEVEL", "OMP_NUM_THREADS")
    }
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=kept | variables, capture_output=True,
        text=True, check=False, timeout=100,
    )  # fmt: skip
    return run.stdout.strip(), (run.stderr.splitlines() or [""])[-1]


@pytest.fixture
def none_there(monkeypatch):
    """An installation without the extension module."""

    load = importlib.import_module

    def load_others(name):
        if name == "throughtime._native":
            raise ImportError(f"No module named {name!r}")
        return load(name)

    monkeypatch.setattr(importlib, "import_module", load_others)
    for name in ("_extension", "_current", "_kernels"):
        monkeypatch.setattr(selection, name, None)
    monkeypatch.delenv("THROUGHTIME_ENGINE", raising=False)


# -- the engine


def test_the_reference_engine_is_always_there():
    assert selection.available()[-1] == "reference"
    assert set(selection.available()) <= set(selection.ENGINES)


def test_the_fastest_engine_is_the_one_without_a_choice():
    code = "from throughtime.kernels import selection as s; print(s.current() == s.available()[0])"
    assert python(code) == ("True", "")
    assert python(code, THROUGHTIME_ENGINE="") == ("True", "")


@pytest.mark.parametrize("name", selection.ENGINES)
def test_kernels_are_those_of_the_engine_in_use(name):
    if name not in selection.available():
        pytest.skip(selection.problem())
    with tt.engine(name):
        assert selection.kernels() is (selection.extension() if name == "native" else None)


@needs_native
def test_the_environment_may_choose_the_reference():
    code = "from throughtime.kernels import selection as s; print(s.current(), s.kernels())"
    assert python(code, THROUGHTIME_ENGINE="reference") == ("reference None", "")


def test_without_the_extension_the_reference_engine_runs(none_there):
    assert selection.available() == ("reference",)
    assert selection.current() == "reference"
    assert selection.kernels() is None
    assert selection.problem() == "No module named 'throughtime._native'"
    net = tt.Network([tt.layers.GRU(2)], n_features=1, seed=0)
    assert net.predict([[[1.0]]]).shape == (1, 2)


def test_without_the_extension_the_native_engine_is_refused(none_there, monkeypatch):
    said = (
        " must be 'reference'; got 'native'."
        " There is no native engine here: No module named 'throughtime._native'."
    )
    with pytest.raises(InvalidArgumentError) as caught:
        tt.engine("native")
    assert str(caught.value) == f"engine{said}"
    assert selection.current() == "reference"
    monkeypatch.setattr(selection, "_current", None)
    monkeypatch.setenv("THROUGHTIME_ENGINE", "native")
    with pytest.raises(InvalidArgumentError) as caught:
        selection.kernels()
    assert str(caught.value) == f"THROUGHTIME_ENGINE{said}"


def test_to_import_the_package_loads_neither_numpy_nor_the_extension():
    code = (
        "import sys, throughtime; print({'numpy', 'throughtime._native'} & set(sys.modules));"
        " import throughtime.kernels.selection; print('throughtime._native' in sys.modules)"
    )
    assert python(code) == ("set()\nFalse", "")


# -- the instruction set


@needs_native
@pytest.mark.parametrize("level", LEVELS)
def test_the_environment_may_choose_a_lower_level(level):
    code = (
        "import throughtime as tt; from throughtime.kernels import selection;"
        " net = tt.Network([tt.layers.LSTM(5)], n_features=2, seed=0, dtype='float64');"
        " y, tape = net.forward([[[1.0, 2.0]] * 3]);"
        " print(selection.kernels().level(), round(float(y.sum()), 9))"
    )
    out, error = python(code, THROUGHTIME_LEVEL=level, THROUGHTIME_ENGINE="native")
    net = tt.Network([tt.layers.LSTM(5)], n_features=2, seed=0, dtype="float64")
    with tt.engine("reference"):
        expected = round(float(net.forward([[[1.0, 2.0]] * 3])[0].sum()), 9)
    assert (out, error) == (f"{level} {expected}", "")


@needs_native
def test_a_level_that_this_machine_has_not_is_refused():
    code = "from throughtime.kernels import selection; selection.kernels()"
    out, error = python(code, THROUGHTIME_LEVEL="v9")
    names = ", ".join(map(repr, LEVELS))
    expected = f"THROUGHTIME_LEVEL must be one of {names}; got 'v9'."
    assert out == ""
    assert error.startswith(f"throughtime.errors.InvalidArgumentError: {expected}")
    with pytest.raises(ValueError, match=r"^level must be one of levels\(\); got v9\.$"):
        selection.extension().use_level("v9")


# -- threads


@pytest.fixture
def as_before():
    """Threads are OpenMP's own again after the test."""
    yield
    tt.set_num_threads(None)


@needs_native
def test_threads_are_set_and_left_to_openmp_again(as_before):
    tt.set_num_threads(3)
    assert tt.get_num_threads() == 3
    code = (
        "import throughtime as tt; print(tt.get_num_threads()); tt.set_num_threads(3);"
        " print(tt.get_num_threads()); tt.set_num_threads(None); print(tt.get_num_threads())"
    )
    assert python(code, OMP_NUM_THREADS="5") == ("5\n3\n5", "")


@pytest.mark.parametrize(
    ("n", "error", "got"),
    [
        (0, InvalidArgumentError, "0"),
        (1025, InvalidArgumentError, "1025"),
        (2.0, InvalidTypeError, "2.0"),
        (True, InvalidTypeError, "True"),
        ("2", InvalidTypeError, "'2'"),
    ],
)
def test_numbers_of_threads_that_are_none(n, error, got, as_before):
    before = tt.get_num_threads()
    with pytest.raises(error) as caught:
        tt.set_num_threads(n)
    hint = "None leaves it to OpenMP."
    assert str(caught.value) == f"n must be an integer from 1 to 1024; got {got}. {hint}"
    assert tt.get_num_threads() == before


def test_without_the_extension_there_is_one_thread(none_there):
    tt.set_num_threads(4)
    assert tt.get_num_threads() == 1
    with pytest.raises(InvalidArgumentError, match="n must be an integer"):
        tt.set_num_threads(0)


WORK = """
import os, threading
import numpy as np
import throughtime as tt
tt.set_num_threads(2)
x = np.random.default_rng(0).normal(size=(64, 20, 8)).astype("float32")
net = tt.Network([tt.layers.LSTM(64, return_sequences=True)], n_features=8, seed=0)
def work():
    y, tape = net.forward(x)
    net.grads.flat[:] = 0
    net.backward(tape, np.ones_like(y))
    return y.tobytes() + net.grads.flat.tobytes()
first = work()
"""


@needs_native
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_goes_on_with_one_thread():
    code = WORK + (
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if work() == first and tt.get_num_threads() == 1 else 3)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), work() == first)"
    )
    assert python(code, THROUGHTIME_ENGINE="native") == ("0 True", "")


@needs_native
def test_several_threads_of_python_may_compute_at_once():
    code = WORK + (
        "expected, same = net.predict(x).tobytes(), []\n"
        "def many(): same.append(all(net.predict(x).tobytes() == expected for _ in range(20)))\n"
        "threads = [threading.Thread(target=many) for _ in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; print(same)"
    )
    assert python(code, THROUGHTIME_ENGINE="native") == ("[True, True, True, True]", "")


# -- memory


@needs_native
def test_idle_memory_can_be_given_back():
    net = tt.Network([tt.layers.GRU(32)], n_features=4, seed=0)
    with tt.engine("native"):
        y, tape = net.forward([[[1.0] * 4] * 50] * 32)
        net.backward(tape, y)
    selection.extension().trim_memory()
    assert selection.extension().trim_memory() == 0


# -- throughtime info


def test_info_says_which_engine_runs():
    lines = describe_engines()
    assert lines[0].startswith(selection.current())
    assert len(lines) == 2


@needs_native
def test_info_says_what_the_native_engine_is(as_before):
    module = selection.extension()
    tt.set_num_threads(1)
    with tt.engine("native"):
        native, other = describe_engines()
    openmp = ", OpenMP" if module.openmp() else ""
    assert native == f"native: instruction set {module.level()}, 1 thread{openmp}"
    assert other == "also available: reference"
    with tt.engine("reference"):
        assert describe_engines() == ["reference", f"also available: {native}"]
    tt.set_num_threads(2)
    assert f", 2 threads{openmp}" in " ".join(describe_engines())


def test_info_says_why_there_is_no_native_engine(none_there):
    assert describe_engines() == [
        "reference",
        "no native engine: No module named 'throughtime._native'",
    ]


@needs_native
def test_an_engine_that_was_made_before_counts_from_where_its_block_begins():
    kept = tt.engine("reference")
    tt.engine("native")
    with kept:
        assert selection.current() == "reference"


# -- how long OpenMP's threads look for work, which they read from the environment once


@needs_native
@pytest.mark.parametrize(
    ("variables", "seen"),
    [
        ({}, "10000 None"),
        ({"GOMP_SPINCOUNT": "7"}, "7 7"),
        ({"OMP_WAIT_POLICY": "active"}, "None None"),
    ],
)
def test_threads_sleep_soon_unless_the_user_says_otherwise(variables, seen):
    code = (
        "import importlib, os; load = importlib.import_module; seen = []\n"
        "def watch(name):\n"
        "    if name == 'throughtime._native': seen.append(os.environ.get('GOMP_SPINCOUNT'))\n"
        "    return load(name)\n"
        "importlib.import_module = watch\n"
        "from throughtime.kernels import selection; selection.extension()\n"
        "print(*seen, os.environ.get('GOMP_SPINCOUNT'))"
    )
    nothing = {"GOMP_SPINCOUNT": "", "OMP_WAIT_POLICY": ""}
    unset = "; ".join(f"os.environ.pop({n!r}, None)" for n in nothing if n not in variables)
    out, _ = python(f"import os; {unset or 'pass'}\n{code}", **variables)
    assert out == seen
