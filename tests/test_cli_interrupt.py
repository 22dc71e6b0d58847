"""Ctrl-C at any moment, and a full disk: the files that remain, and the messages."""

import os
import signal
import sys
from pathlib import Path

import pytest
from cli_cases import NAMES, names, read_csv, write_table

from throughtime.cli import main
from throughtime.cli.console import ProgressBar
from throughtime.forecasting import Forecaster


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def press_at(monkeypatch, *moments):
    """Press Ctrl-C when the progress bar is asked to move for the n-th time."""
    shown = ProgressBar.show
    calls = []

    def show(self, step):
        shown(self, step)
        calls.append(step.stage)
        if len(calls) in moments:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(ProgressBar, "show", show)
    return calls


LONG = ["forecast", "data.csv", "--target", "sales", "--horizon", "7", "--hidden-size", "4"]


FIRST = "Training was ended early by Ctrl-C: this forecast is made by the first model, "
UNSEEN = ", which has not learned from the last 7 days."


@pytest.mark.parametrize(
    ("holdout", "epochs", "moment", "warning", "quality"),
    [
        ("7", "500", 3, f"{FIRST}as far as it had got{UNSEEN}", "This model has not learned"),
        ("7", "2", 9, f"{FIRST}trained to its end{UNSEEN}", "This model has not learned"),
        (
            "0",
            "500",
            3,
            "Training was ended early by Ctrl-C; the best weights until then are used.",
            "nothing says how good",
        ),
    ],
)
def test_ctrl_c_ends_training_and_writes_everything(
    holdout, epochs, moment, warning, quality, folder, capsys, monkeypatch
):
    write_table("data.csv")
    calls = press_at(monkeypatch, moment)
    assert main([*LONG, "--epochs", epochs, "--holdout", holdout]) == 130
    assert moment <= len(calls) < 50
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == (
        "throughtime: Ctrl-C ended training early; every file was written."
    )
    assert names() == ["data-forecast", "data.csv"]
    assert names("data-forecast") == [n for n in NAMES if holdout != "0" or n != "holdout.csv"]
    page = " ".join(Path("data-forecast/report.html").read_text(encoding="utf-8").split())
    assert warning in page
    assert quality in page
    _, rows = read_csv("data-forecast/forecast.csv")
    assert rows[0][0] == "2024-04-08"


def test_a_second_ctrl_c_stops_without_files(folder, capsys, monkeypatch):
    write_table("data.csv")
    press_at(monkeypatch, 3)
    monkeypatch.setattr(Forecaster, "save", lambda self, path: os.kill(os.getpid(), signal.SIGINT))
    assert main([*LONG, "--epochs", "500", "--holdout", "0"]) == 130
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == "throughtime: Stopped by Ctrl-C; nothing was written."
    assert names() == ["data.csv"]


# -- work on single series --------------------------------------------------------------------

MANY = [
    "forecast", "data.csv", "--target", "sales", "--id", "store", "--horizon", "7", "--epochs", "3",
    "--hidden-size", "4", "--window", "8",
]  # fmt: skip
#: What is said as soon as Ctrl-C is pressed.
ENDS = (
    "Ctrl-C: training ends here, the best weights so far are kept and the files are written; press"
    " it again to stop without them."
)
WRITES = "Ctrl-C: the files are being written; press it again to stop without them."
STOPPED = "throughtime: Stopped by Ctrl-C; nothing was written."
ENDED = "throughtime: Ctrl-C ended training early; every file was written."
TOO_LATE = "throughtime: Ctrl-C came after training; every file was written."


def press_while(monkeypatch, doing, times=1):
    """Press Ctrl-C while single series are worked on; the list says what was done, and how far."""
    counted = []

    def count(self, what, done, total):
        counted.append((what, done, total))
        if what == doing and sum(one == doing for one, *_ in counted) <= times:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(ProgressBar, "count", count)
    return counted


@pytest.mark.parametrize(
    ("doing", "more", "said", "warning"),
    [
        ("backtest: smoothing", [], [STOPPED], ""),
        ("backtest: smoothing", ["--workers", "2"], [STOPPED], ""),
        ("smoothing", ["--holdout", "0"], [STOPPED], ""),
        ("backtest: smoothing", ["--use", "smoothing"], [STOPPED], ""),
        ("smoothing", ["--use", "smoothing"], [STOPPED], ""),
        ("backtest: comparing forecasts", [], [ENDS, ENDED], f"{FIRST}trained to its end{UNSEEN}"),
        ("smoothing", [], [ENDS, ENDED], f"{FIRST}trained to its end{UNSEEN}"),
        ("smoothing", ["--workers", "2"], [ENDS, ENDED], f"{FIRST}trained to its end{UNSEEN}"),
        ("comparing forecasts", ["--holdout", "0"], [ENDS, TOO_LATE], ""),
        ("forecasting", [], [WRITES, TOO_LATE], ""),
    ],
)
def test_ctrl_c_while_single_series_are_worked_on(
    doing, more, said, warning, folder, capsys, monkeypatch
):
    write_table("data.csv", stores="abc")
    counted = press_while(monkeypatch, doing)
    assert main([*MANY, *more]) == 130
    assert capsys.readouterr().err.splitlines() == said
    at = next(i for i, (what, *_) in enumerate(counted) if what == doing)
    after = counted[at + 1 :]
    if said == [STOPPED]:
        assert after == []
        assert names() == ["data.csv"]
        return
    if doing == "smoothing":  # the fit that is not needed has ended
        assert {what for what, *_ in after} == {"forecasting"}
    page = " ".join(Path("data-forecast/report.html").read_text(encoding="utf-8").split())
    assert warning in page
    assert ("ended early" in page) == bool(warning)


@pytest.mark.parametrize("doing", ["backtest: comparing forecasts", "forecasting"])
def test_a_second_ctrl_c_while_single_series_are_worked_on(doing, folder, capsys, monkeypatch):
    write_table("data.csv", stores="abc")
    press_while(monkeypatch, doing, times=2)
    assert main(MANY) == 130
    first = WRITES if doing == "forecasting" else ENDS
    assert capsys.readouterr().err.splitlines() == [first, STOPPED]
    assert names() == ["data.csv"]


def test_the_bar_counts_series(folder, monkeypatch):
    write_table("data.csv", stores="abc")
    counted = press_while(monkeypatch, "")
    assert main([*MANY, "--quiet"]) == 0
    stages = ["smoothing", "trying base networks", "preparing windows", "applying base networks"]
    stages += ["comparing forecasts", "forecasting"]
    both = [*(f"backtest: {stage}" for stage in stages), *stages]
    # The correction is computed for several series at once: here for all of them.
    assert list(dict.fromkeys(what for what, *_ in counted)) == [
        stage for stage in both if "applying" not in stage
    ]
    for stage in ("backtest: smoothing", "forecasting"):
        assert [(done, total) for what, done, total in counted if what == stage] == [
            (0, 3), (1, 3), (2, 3), (3, 3),
        ]  # fmt: skip
    assert main(["predict", "data-forecast/model.safetensors", "data.csv", "--quiet"]) == 0
    assert counted[-1] == ("forecasting", 3, 3)


# -- other moments ----------------------------------------------------------------------------


def test_ctrl_c_while_modules_are_loaded(capsys, monkeypatch):
    class Finder:
        def find_spec(self, name, *rest):
            if name == "throughtime.cli.process":
                raise KeyboardInterrupt

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "throughtime.cli.process")
    monkeypatch.delattr("throughtime.cli.process", raising=False)
    assert main(["info"]) == 130
    assert capsys.readouterr() == ("", "throughtime: Stopped by Ctrl-C; nothing was written.\n")


def test_ctrl_c_before_training_stops_at_once(folder, capsys, monkeypatch):
    write_table("data.csv")

    def read(*arguments):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("throughtime.cli.forecast.read", read)
    assert main(LONG) == 130
    assert capsys.readouterr() == ("", "throughtime: Stopped by Ctrl-C; nothing was written.\n")
    assert names() == ["data.csv"]


def test_a_full_disk_leaves_nothing_behind(folder, capsys, monkeypatch):
    write_table("data.csv")

    def save(self, path):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Forecaster, "save", save)
    assert main([*LONG, "--epochs", "1", "--holdout", "0", "--quiet"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert names() == ["data.csv"]
