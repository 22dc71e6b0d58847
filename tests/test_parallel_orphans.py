"""Workers of a caller that was killed: none stays, nor does the file of the context."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from throughtime.parallel import orphans

HERE = Path(__file__).parent
SCRIPT = """
import os, sys
from functools import partial
import numpy as np
import parallel_cases as cases
from throughtime.parallel import Workers

if __name__ == "__main__":
    make = cases.processes(2)
    if sys.argv[2] == "loky":
        import loky
        make = partial(loky.ProcessPoolExecutor, 2)
    with Workers(make, {"x": np.ones(10**5)}) as workers:
        found = set()
        for _ in range(100):  # one may still be starting, and not know the caller yet
            workers.run(cases.nap, [0.1, 0.1])
            found |= {process for _, process in workers.run(cases.identity_of, range(8))}
            if len(found) == 2:
                break
        print(*found, flush=True)
        if sys.argv[1] == "busy":
            workers.run(cases.nap, [60, 60])
        sys.stdin.read()
"""


@pytest.fixture
def short_folder():
    """A folder with a short name: forkserver puts a socket there, whose name has a limit."""
    with tempfile.TemporaryDirectory(prefix="tt") as folder:
        yield Path(folder)


def lives(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize("state", ["idle", "busy"])
@pytest.mark.parametrize("pool", ["processes", "loky"])
def test_none_stays_when_the_caller_was_killed(tmp_path, short_folder, state, pool):
    if pool == "loky":
        pytest.importorskip("loky")
    script, temporary = tmp_path / "script.py", short_folder
    script.write_text(SCRIPT)
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": paths}
    with (tmp_path / "errors").open("w") as errors:
        caller = subprocess.Popen(
            [sys.executable, str(script), state, pool], env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    with caller:
        workers = [int(word) for word in caller.stdout.readline().split()]
        assert len(workers) == 2
        assert list(temporary.glob("*.context"))
        caller.send_signal(signal.SIGKILL)
    end = time.monotonic() + 30
    while any(map(lives, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(lives, workers))
    assert not list(temporary.glob("*.context"))
    assert "Exception in thread" not in (tmp_path / "errors").read_text()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_caller_that_nobody_waits_for_has_ended():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    end = time.monotonic() + 30
    while lives(ended.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not orphans._lives(ended.pid)
    assert ended.wait() == 0
    assert orphans._lives(os.getpid())
