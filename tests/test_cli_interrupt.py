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
