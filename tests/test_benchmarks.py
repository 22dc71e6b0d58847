"""The benchmarks start, say what is missing in one line, and time tiny calls of two versions."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import bars, disk, tables

ROOT = Path(__file__).resolve().parent.parent
MACHINE = ["date", "processor", "cores", "system", "threads"]
EFFORT = {"rounds": 1, "seconds": 0.0}


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_help_needs_no_other_library():
    done = run("--help")
    assert done.returncode == 0, done.stderr
    assert "--against FOLDER" in done.stdout


def test_a_library_that_is_missing_is_named_before_any_work():
    # The child finds none of these, whatever is installed here.
    code = (
        "import runpy, sys\n"
        "sys.modules |= dict.fromkeys(['torch', 'jax', 'onnx', 'onnxruntime'])\n"
        "sys.argv[1:] = ['--only', 'memory']\n"
        "runpy.run_module('benchmarks', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "The part 'memory' needs packages that are not installed: torch. Run make bench, which"
        " installs them; or measure other parts: --only footprint calls disk shards\n"
    )
    assert done.stdout == ""


def test_a_folder_without_the_package_is_refused(tmp_path):
    done = run("--only", "calls", "--against", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.endswith(f"must be a folder that holds throughtime; got {tmp_path}\n")


def test_tiny_calls_are_timed_beside_another_version():
    code = (
        "import json\n"
        "from benchmarks import calls\n"
        "calls.SECONDS = 0.0\n"
        "print(json.dumps(calls.measure(1, calls.SOURCE)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows[:3]] == [
        "import throughtime", "predict rnn", "forward, backward, Adam rnn",
    ]  # fmt: skip
    assert len(rows) == 13
    assert all(min(row["seconds"]) > 0 and row["ratio"] > 0 for row in rows)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="RssAnon is a figure of Linux")
def test_training_from_disk_is_timed_beside_training_from_memory(monkeypatch):
    size = 40 * disk._SEQUENCE
    monkeypatch.setattr(disk, "SIZES", dict.fromkeys(disk.SIZES, size))
    rows = disk.measure(1, 1, quick=False)
    assert [row["kind"] for row in rows] == ["npy", "parquet"]
    for row in rows:
        assert size <= row["bytes"] <= 1.01 * size
        assert 0 < row["grown"] < bars.DISK_GROWTH
        assert min(row[key] for key in ("seconds", "disk", "memory", "ratio")) > 0
    assert "| npy | 0.001 |" in tables.markdown(
        {"machine": dict.fromkeys(MACHINE, 1), "versions": {}, "effort": EFFORT, "disk": rows}
    )


def test_shards_are_timed_beside_one_thread():
    code = (
        "import json\n"
        "from benchmarks import shards\n"
        "shards.SHAPE, shards.COUNTS, shards.CELLS = (4, 10, 2, 4), (2,), ('GRU',)\n"
        "shards.UPDATES = 5\n"
        "if __name__ == '__main__':\n"
        "    print(json.dumps({'speed': shards.speed(1), 'overhead': shards.overhead(1)}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    (row,) = found["speed"]
    assert (row["cell"], row["shards"]) == ("gru", 2)
    assert min(row[key] for key in ("one", "here", "pool", "ratio")) > 0
    assert "| gru | 2 |" in tables.markdown(
        {"machine": dict.fromkeys(MACHINE, 1), "versions": {}, "effort": EFFORT, "shards": found}
    )
