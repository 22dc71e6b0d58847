"""Who works on a table of many series: the same files, Ctrl-C, workers and programs that die."""

import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from cli_cases import write_table

from throughtime.cli import executors, main
from throughtime.cli.executors import at_work
from throughtime.cli.workers import Scheduler
from throughtime.errors import InvalidArgumentError
from throughtime.forecasting.sharing import for_each

QUICK = [
    "--target", "sales", "--id", "store", "--horizon", "5", "--epochs", "1", "--hidden-size", "2",
]  # fmt: skip

#: The others hold the command, or the time.
ALIKE = ["forecast.csv", "model.safetensors"]

#: Workers must find the functions of this file.
PATHS = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def cluster():
    """Two workers of Dask on this machine; it gives the address of their scheduler."""
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own parts
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as workers:
            yield workers.scheduler_address.replace("tcp", "dask")


@pytest.mark.usefixtures("folder")
def test_files_do_not_depend_on_who_works(cluster, capsys):
    write_table("data.csv", rows=40, stores="abc")
    found = []
    for number, workers in enumerate([None, "1", "2", "3", cluster]):
        words = ["--holdout", "0", "--quiet"]
        words += [] if workers is None else ["--workers", workers]
        out = Path(f"out{number}")
        assert main(["forecast", "data.csv", *QUICK, "--out", str(out), *words]) == 0
        found.append([(out / name).read_bytes() for name in ALIKE])
        assert found[-1] == found[0]
    for words in ([], ["--workers", "2"]):
        more = ["--out", "on", "--quantiles", "0.1,0.5", "--quiet", *words]
        assert main(["predict", "out0/model.safetensors", "data.csv", *more]) == 0
        found.append(Path("on/forecast.csv").read_bytes())
    assert found[-1] == found[-2]
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("folder")
def test_one_series_needs_no_workers(capsys, monkeypatch):
    monkeypatch.setattr(executors, "Processes", None)
    write_table("data.csv", rows=40)
    words = ["--target", "sales", "--horizon", "2", "--use", "naive", "--workers", "2"]
    assert main(["forecast", "data.csv", *words]) == 0
    assert capsys.readouterr().err == ("--workers is of no use here: the table holds one series.\n")
    with at_work(None, 5, print) as executor:
        assert executor is None


# -- processes --------------------------------------------------------------------------------


def die_once(marker, i):
    if i == 3 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return i


@pytest.mark.usefixtures("folder")
def test_a_process_that_is_killed_is_replaced():
    said = []
    with at_work(2, 9, said.append) as executor:
        assert for_each(die_once, ("died",), range(9), executor) == list(range(9))
        assert for_each(pow, (2,), range(3), executor) == [1, 2, 4]
    (sentence,) = said
    assert sentence.startswith("The executor broke: BrokenProcessPool: ")
    assert sentence.endswith(". A new one computes what was lost, with the same results.")


def test_other_warnings_are_shown_as_ever(recwarn):
    said = []
    with at_work(1, 9, said.append):
        warnings.simplefilter("always")
        warnings.warn("something else", RuntimeWarning, stacklevel=1)
    assert [str(one.message) for one in recwarn] == ["something else"]
    assert said == []


#: It says when a network begins to train.
PROGRAM = """
import sys
from throughtime.cli import main
if __name__ == "__main__":
    from throughtime.cli.interrupt import StopButton
    begin = StopButton.on_train_begin
    def on_train_begin(self, run):
        begin(self, run)
        sys.stdout.write("training\\n")
        sys.stdout.flush()
    StopButton.on_train_begin = on_train_begin
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def started(folder):
    """A function that starts a long forecast with two processes, and waits until both work."""
    write_table("data.csv", rows=98, stores=[f"s{i}" for i in range(60)])
    Path("program.py").write_text(PROGRAM)
    running = []

    def start(*words):
        command = [sys.executable, "program.py", "forecast", "data.csv", *QUICK, *words]
        process = subprocess.Popen(
            [*command, "--workers", "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        end = time.monotonic() + 60
        while len(found := workers_of(process.pid)) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        assert len(found) == 2
        return process, found

    yield start
    for process in running:
        process.kill()
        process.communicate()


def workers_of(number):
    """The processes that another one has started to share its work."""
    try:
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        lines = {n: Path(f"/proc/{n}/cmdline").read_text() for n in children}
    except OSError:
        return []
    return [int(n) for n, line in lines.items() if "spawn_main" in line]


def gone(numbers):
    """Whether all processes end within some seconds."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if not any(Path(f"/proc/{n}").exists() for n in numbers):
            return True
        time.sleep(0.05)
    return False


linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


@linux
@pytest.mark.parametrize("moment", [0.0, 1.0])
def test_ctrl_c_twice_ends_all_processes(moment, started):
    process, workers = started()
    time.sleep(moment)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)
    _, err = process.communicate(timeout=60)
    assert err == "throughtime: Stopped by Ctrl-C; nothing was written.\n"
    # The second may end a process that is ending; to a shell that is 130, too.
    assert process.returncode in (130, -signal.SIGINT)
    assert gone(workers)
    assert sorted(path.name for path in Path().iterdir()) == ["data.csv", "program.py"]


@linux
def test_ctrl_c_once_before_training_ends_all_processes(started):
    process, workers = started()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert err == "throughtime: Stopped by Ctrl-C; nothing was written.\n"
    assert "training\n" not in out
    assert process.returncode == 130
    assert gone(workers)
    assert sorted(path.name for path in Path().iterdir()) == ["data.csv", "program.py"]


@linux
def test_ctrl_c_once_ends_training_alone(started):
    process, workers = started("--holdout", "0", "--epochs", "500")
    assert "training\n" in iter(process.stdout.readline, "")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    ends = (
        "Ctrl-C: training ends here, the best weights so far are kept and the files are written;"
        " press it again to stop without them."
    )
    assert err.splitlines() == [
        ends,
        "throughtime: Ctrl-C ended training early; every file was written.",
    ]
    assert process.returncode == 130
    assert gone(workers)
    assert Path("data-forecast/forecast.csv").exists()


@linux
def test_workers_do_not_outlive_a_program_that_is_killed(started):
    process, workers = started()
    time.sleep(1.0)
    process.kill()
    assert process.wait(timeout=20) == -signal.SIGKILL
    assert gone(workers)
    assert "Traceback" not in process.stderr.read()


# -- Dask -------------------------------------------------------------------------------------


def test_a_scheduler_without_workers_is_said():
    distributed = pytest.importorskip("distributed")
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(n_workers=0, dashboard_address=None) as workers:
            host, _, port = workers.scheduler_address.removeprefix("tcp://").rpartition(":")
            with at_work(Scheduler(host, int(port)), 9, said.append) as executor:
                assert hasattr(executor, "submit")
    (sentence,) = said
    assert sentence == (
        f"The Dask scheduler at dask://{host}:{port} has no workers yet; the work waits for them."
        " Ctrl-C ends it."
    )


def end_of_scheduler(marker, process, i):
    if i == 5 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(process, signal.SIGKILL)
    time.sleep(0.05)
    return i


def test_a_scheduler_that_dies_leaves_the_work_to_the_caller(folder, capfd):
    pytest.importorskip("distributed")
    said = []
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen([*dask, "--host", "127.0.0.1", "--port", str(port)], **silent)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}"]
    worker += ["--no-nanny", "--nthreads", "1", "--no-dashboard"]
    workers = [subprocess.Popen(worker, env=os.environ | PATHS, **silent)]
    try:
        wait_for(port)
        with at_work(Scheduler("127.0.0.1", port), 9, said.append) as executor:
            shared = str(folder / "died"), scheduler.pid
            for _ in range(3):
                assert for_each(end_of_scheduler, shared, range(40), executor) == list(range(40))
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()
    assert said
    assert all(s.startswith("The executor is broken: ") for s in said if "no workers" not in s)
    assert len(said) == len(set(said)) <= 4  # each of the three calls finds out for itself
    assert "Traceback" not in capfd.readouterr().err


def wait_for(port):
    """Wait until something answers at a port."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


@pytest.mark.parametrize(
    ("answer", "why"),
    [(None, "Connection refused"), (b"", "the connection was closed"), (0, "timed out")],
)
def test_an_address_at_which_no_scheduler_answers(answer, why, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "_PATIENCE", 0.2)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        if answer is not None:
            server.listen()
        if answer == b"":
            monkeypatch.setattr(socket.socket, "recv", lambda *_: b"")
        with (
            pytest.raises(InvalidArgumentError) as error,
            at_work(Scheduler("127.0.0.1", port), 9, print),
        ):
            pass
    assert str(error.value) == (
        "--workers must be the address of a Dask scheduler that answers; got"
        f" 'dask://127.0.0.1:{port}' ({why})."
    )


@pytest.mark.usefixtures("folder")
def test_a_missing_package_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    write_table("data.csv", rows=40, stores="ab")
    assert main(["forecast", "data.csv", *QUICK, "--workers", "dask://host:1", "--quiet"]) == 2
    assert capsys.readouterr().err == (
        "throughtime: --workers dask://host:1 needs the package 'distributed', which is not"
        " installed. Run: pip install 'throughtime[dask]' (in a clone: pip install '.[dask]')\n"
    )
