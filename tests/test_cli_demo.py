"""``throughtime demo``: its list, its runs, and its answers to wrong arguments."""

import os
import signal
import sys
import types
from pathlib import Path

import pytest

import throughtime as tt
from throughtime.cli import demo, main


@pytest.fixture
def small(tmp_path, monkeypatch):
    """An empty folder to work in, and a demo that takes no time."""
    monkeypatch.chdir(tmp_path)

    def draw(folder):
        (folder / "picture.svg").write_text("<svg/>")
        sys.stdout.write("the table\n")

    fake = types.SimpleNamespace(__doc__="A small demo.", main=draw)
    monkeypatch.setattr(demo, "load", lambda name: fake)
    return fake


def test_without_a_name_all_are_listed(capsys):
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    for name in demo.NAMES:
        assert f"  {name} " in out
    assert "Slides: fit a noisy sine with an Elman network" in out


def test_a_demo_prints_and_leaves_its_pictures(small, capsys):
    assert main(["demo", "mod3"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "A small demo.", "the table", "demo-mod3/: picture.svg",
    ]  # fmt: skip
    assert [path.name for path in Path("demo-mod3").iterdir()] == ["picture.svg"]


def test_all_demos_have_a_folder_each(small):
    assert main(["demo", "all", "--out", "here"]) == 0
    assert sorted(path.name for path in Path("here").iterdir()) == sorted(demo.NAMES)


def test_a_real_one_runs_by_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "lecture-weather"]) == 0
    assert "50 days of 2015: season" in capsys.readouterr().out
    assert len(list(Path("demo-lecture-weather").iterdir())) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mod4"], "got 'mod4'. Did you mean 'mod3'?"),
        (["--out", "x"], "--out needs the NAME of a demo before it."),
        (["mod3", "--out", "file"], "--out must be a folder; got 'file', a file."),
    ],
)
def test_wrong_words_are_one_line_and_leave_nothing(words, message, small, capsys):
    Path("file").touch()
    assert main(["demo", *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("throughtime: ")
    assert captured.err.endswith(f"{message}\n")
    assert captured.err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("stop", "code", "said"),
    [
        (lambda: signal.raise_signal(signal.SIGINT), 130, "Ctrl-C"),
        (lambda: signal.raise_signal(signal.SIGTERM), 143, "SIGTERM"),
    ],
)
def test_an_end_in_a_later_demo_says_what_was_written(stop, code, said, small, capsys):
    runs = []

    def main_of_demo(folder):
        runs.append(folder)
        if len(runs) == 3:
            stop()

    small.main = main_of_demo
    assert main(["demo", "all"]) == code
    assert capsys.readouterr().err == (
        f"throughtime: Stopped by {said}; 2 of {len(demo.NAMES)} demos had ended, and their"
        " pictures were written.\n"
    )
    assert len(list(Path().iterdir())) == 2


def test_ctrl_c_in_training_ends_the_demo_and_leaves_nothing(small, capsys):
    net = tt.Network([tt.layers.RNN(2), tt.layers.Dense(1)], n_features=1)
    epochs = []

    def press(run):
        epochs.append(run.epoch)
        os.kill(os.getpid(), signal.SIGINT)

    def train(folder):
        (folder / "half.svg").touch()
        tt.train(net, [[[1.0]]], [[1.0]], epochs=50, callbacks=[press], verbose=False)

    small.main = train
    assert main(["demo", "mod3"]) == 130
    assert capsys.readouterr().err == "throughtime: Stopped by Ctrl-C; nothing was written.\n"
    assert epochs == [1]
    assert list(Path().iterdir()) == []
