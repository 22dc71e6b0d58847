"""Results are complete whatever becomes of the streams, and a signal leaves nothing behind."""

import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest
from cli_cases import NAMES, names, write_table

from throughtime.cli import main
from throughtime.cli.failures import Terminated

pytestmark = pytest.mark.skipif(os.name != "posix", reason="redirections of a POSIX shell")

PROGRAM = f"{sys.executable} -m throughtime"
FORECAST = "forecast data.csv --target sales --horizon 3 --network never --out out"
PREDICT = "predict model.safetensors data.csv --out out"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_table(folder / "data.csv", rows=40)
    words = [str(folder / "data.csv") if w == "data.csv" else w for w in FORECAST.split()[:-1]]
    assert main([*words, str(folder / "out"), "--quiet"]) == 0
    return (folder / "out" / "model.safetensors").read_bytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table("data.csv", rows=40)
    return tmp_path


def shell(line):
    """Run ``line``; the exit code is that of the first command of a pipe."""
    return subprocess.run(
        ["bash", "-c", f"{line}\nexit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )


#: What becomes of the streams -> the exit code.
STREAMS = {
    "2>&-": 0,
    ">&-": 0,
    "<&- >&- 2>&-": 0,
    "| true": 0,
    "| head -1": 0,
    "2>&1 | true": 0,
    "2>/dev/full": 0,
    ">/dev/full": 1,
}
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
CASES = [pytest.param(*case, marks=FULL if "full" in case[0] else ()) for case in STREAMS.items()]


@pytest.mark.parametrize(("streams", "code"), CASES)
def test_a_forecast_is_written_whatever_becomes_of_the_streams(streams, code, folder):
    done = shell(f"{PROGRAM} {FORECAST} {streams}")
    assert done.returncode == code
    assert names("out") == NAMES
    full = "throughtime: standard output cannot be written to: No space left on device.\n"
    assert done.stderr == (full if streams == ">/dev/full" else "")


@pytest.mark.parametrize("streams", ["2>&-", ">&-", "| true"])
def test_a_prediction_is_written_whatever_becomes_of_the_streams(streams, model, folder):
    Path("model.safetensors").write_bytes(model)
    done = shell(f"{PROGRAM} {PREDICT} {streams}")
    assert done.returncode == 0
    assert names("out") == ["forecast.csv", "forecast.png"]
    assert done.stderr == ""


@pytest.mark.parametrize("words", ["info", "demo", "--help", "--version"])
@pytest.mark.parametrize("streams", ["2>&-", ">&-", "| true"])
def test_what_only_prints_ends_well_without_a_reader(words, streams, folder):
    done = shell(f"{PROGRAM} {words} {streams}")
    assert (done.returncode, done.stderr) == (0, "")


@FULL
@pytest.mark.parametrize("words", ["info", "--help", "--version"])
def test_what_only_prints_fails_on_a_full_disk(words, folder):
    done = shell(f"{PROGRAM} {words} >/dev/full")
    assert done.returncode == 1
    assert done.stderr == (
        "throughtime: standard output cannot be written to: No space left on device.\n"
    )


@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "2>&1 | true"])
def test_an_error_keeps_its_exit_code_without_a_reader(streams, folder):
    assert shell(f"{PROGRAM} forecast none.csv --horizon 3 {streams}").returncode == 2


def test_no_file_gets_the_number_of_a_closed_stream(folder):
    code = "import throughtime.cli as c, os; c.main(['--version']); print(os.open('x', 65))"
    done = shell(f'{sys.executable} -c "{code}" 2>&-')
    assert int(done.stdout.split()[-1]) > 2


def test_letters_that_the_terminal_lacks(folder):
    Path("data.csv").write_text(
        "tag,größe\n" + "".join(f"2024-01-{d:02d},{d}\n" for d in range(1, 29))
    )
    done = shell(f"PYTHONIOENCODING=ascii {PROGRAM} {FORECAST.replace('sales', 'größe')}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "gr??e, from data.csv" in done.stdout
    assert names("out") == NAMES


def test_the_backend_of_a_notebook_does_no_harm(folder):
    done = shell(f"MPLBACKEND=module://matplotlib_inline.none {PROGRAM} {FORECAST}")
    assert (done.returncode, done.stderr) == (0, "")
    assert names("out") == NAMES


# -- signals ----------------------------------------------------------------------------------


def test_a_signal_ends_training_and_leaves_nothing(folder):
    line = "forecast data.csv --target sales --horizon 3 --epochs 100000"
    process = subprocess.Popen(
        [*PROGRAM.split(), *line.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "sales, from data.csv\n"  # it has begun to work
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err == "throughtime: Stopped by SIGTERM; nothing was written.\n"
    assert names() == ["data.csv"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_while_files_are_written_leaves_nothing(name, folder, monkeypatch, capsys):
    number = getattr(signal, name)

    def interrupted(folder, story, table, quantiles):
        (folder / "forecast.csv").write_text("half")
        signal.raise_signal(number)

    monkeypatch.setattr("throughtime.cli.results.write_files", interrupted)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        assert main(FORECAST.split()) == 128 + number
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert capsys.readouterr().err == f"throughtime: Stopped by {name}; nothing was written.\n"
    assert names() == ["data.csv"]


def test_a_demo_that_is_terminated_leaves_nothing(folder, monkeypatch):
    def script(out):
        (out / "picture.png").write_text("half")
        signal.raise_signal(signal.SIGTERM)

    fake = types.ModuleType("fake", "A demo.")
    fake.main = script
    monkeypatch.setattr("throughtime.cli.demo.load", lambda name: fake)
    assert main(["demo", "mod3"]) == 143
    assert names() == ["data.csv"]


def test_a_signal_that_is_ignored_stays_ignored(folder):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["--version"]) == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_where_nobody_catches_it_the_exit_code_is_the_same():
    assert Terminated(signal.SIGTERM).code == 143
