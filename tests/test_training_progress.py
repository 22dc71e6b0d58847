"""Progress: nothing in a pipe, a table on request, a moving line on a terminal."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import throughtime as tt
from throughtime.training import progress
from throughtime.training.progress import EpochTable, Line, RichBar, Silent, start_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def example(**options):
    x = np.random.default_rng(0).normal(size=(10, 6, 2))
    net = tt.Network([tt.layers.RNN(3), tt.layers.Dense(1)], n_features=2)
    return tt.train(net, x, x[:, 0, :1], epochs=2, batch_size=5, **options)


def test_nothing_is_written_into_a_pipe(capfd):
    example()
    assert capfd.readouterr() == ("", "")


def test_nothing_is_written_where_silence_is_asked_for(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    example(verbose=False)
    assert terminal.getvalue() == ""


def test_no_stderr_at_all(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    assert isinstance(start_progress(None, 3), Silent)


def test_the_table(capsys):
    history = example(verbose=True, validation=0.2, metrics=["mae"])
    head, first, second, note = capsys.readouterr().out.splitlines()
    assert head.split() == [
        "epoch", "loss", "val", "loss", "mae", "val", "mae", "lr", "grad", "norm", "seconds",
    ]  # fmt: skip
    assert first.split()[:3] == ["1", f"{history['loss'][0]:.4g}", f"{history['val_loss'][0]:.4g}"]
    assert second.split()[0] == "2"
    assert note == "finished"
    assert len(head) == len(first) == len(second)


def test_the_line(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
    example()
    text = terminal.getvalue()
    assert text.startswith("\repoch 1/2  batch 1/2  loss ")
    assert "\repoch 2/2  loss " in text
    assert text.endswith("\n")
    assert text.rpartition("\r")[2].startswith("finished  loss ")


def test_the_line_wipes_out_what_was_longer_and_is_not_drawn_too_often():
    stream, times = io.StringIO(), iter(np.arange(0.0, 10.0, 0.03))
    line = Line(stream, epochs=2)
    line.clock = lambda: next(times)
    line.batch(1, 1, 9, 0.5)
    drawn = stream.getvalue()
    line.batch(1, 2, 9, 0.25)
    assert stream.getvalue() == drawn == "\repoch 1/2  batch 1/9  loss 0.5"
    line.close("x")
    assert stream.getvalue() == drawn + "\r" + "x".ljust(len(drawn) - 1) + "\n"


def test_the_bar_of_rich(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    history = example()
    text = terminal.getvalue()
    assert "2/2" in text
    assert f"loss {history['loss'][1]:.4g}" in text


def test_the_audience(monkeypatch):
    assert isinstance(start_progress(True, 3), EpochTable)
    assert type(start_progress(False, 3)) is Silent
    monkeypatch.setattr("sys.stderr", Terminal())
    bar = start_progress(None, 3)
    assert isinstance(bar, RichBar)
    bar.close("")


def test_an_error_leaves_the_terminal_tidy(capsys):
    def fail(run):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        example(verbose=True, callbacks=[fail])
    assert capsys.readouterr().out.splitlines()[-1] == "training failed"


class Bare:
    """All that some windows and notebooks put in the place of a stream."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


class Gone(io.StringIO):
    """A terminal that was closed while the program ran."""

    def isatty(self):
        return True

    def write(self, text):
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("stream", [None, Bare(), Gone()])
@pytest.mark.parametrize("verbose", [None, True, False])
@pytest.mark.parametrize("rich", [True, False])
def test_training_does_not_depend_on_the_streams(name, stream, verbose, rich, monkeypatch):
    if not rich:
        monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
    expected = example(verbose=False)["loss"]
    monkeypatch.setattr(f"sys.{name}", stream)
    assert example(verbose=verbose)["loss"] == expected
    # A clean end on Ctrl-C says so; that line may have nowhere to go, too.
    stopped = example(verbose=verbose, callbacks=[lambda run: run.stop("interrupted")])
    assert stopped.stopped == "interrupted"


def test_the_table_needs_no_more_than_a_stream_to_write_to(monkeypatch):
    bare = Bare()
    monkeypatch.setattr("sys.stdout", bare)
    example(verbose=True)
    assert bare.text.splitlines()[-1] == "finished"


class Cell:
    """The output below the cell of a notebook: every drawing, and how many outputs there are."""

    def __init__(self):
        self.outputs, self.drawings = 0, []

    def display(self, bundle, raw, display_id):
        assert raw
        assert display_id
        self.outputs += 1
        self.drawings.append(bundle)
        return self

    def update(self, bundle, raw):
        assert raw
        self.drawings.append(bundle)


@pytest.fixture
def cell(monkeypatch):
    shown = Cell()
    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    return shown


def test_a_notebook_has_one_bar_that_moves(cell, capsys):
    example()
    assert cell.outputs == 1
    first, last = cell.drawings[0], cell.drawings[-1]
    assert first["text/plain"].startswith("epoch 1/2  loss ")
    assert first["text/html"].startswith('<progress max="2" value="0.500"></progress> epoch 1/2')
    assert last["text/plain"].startswith("epoch 2/2  finished  loss ")
    assert last["text/html"].startswith('<progress max="2" value="2.000"></progress> epoch 2/2')
    assert capsys.readouterr() == ("", "")


def test_a_notebook_is_not_flooded(cell):
    bar = progress.NotebookBar(100)
    now = [0.0]
    bar.clock = lambda: now[0]
    for epoch in range(1, 101):
        for batch in range(1, 11):
            now[0] += 0.001
            bar.batch(epoch, batch, 10, 1.0)
        bar.epoch(epoch, {"loss": 1.0, "lr": 0.1, "<b>": 2.0})
    bar.close("finished")
    assert cell.outputs == 1
    assert len(cell.drawings) <= 12
    assert "&lt;b&gt; 2" in cell.drawings[-1]["text/html"]


def test_a_resumed_run_begins_where_it_stood(cell):
    bar = progress.NotebookBar(10, first=6)
    bar.close("finished")
    assert cell.drawings[0]["text/plain"] == "epoch 5/10  finished"


def test_silence_and_tables_in_a_notebook(cell, capsys):
    example(verbose=False)
    example(verbose=True)
    assert cell.drawings == []
    assert "epoch" in capsys.readouterr().out


@pytest.mark.parametrize("shell", [None, object()])
def test_ipython_in_a_terminal_is_no_notebook(shell, monkeypatch, cell):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)
    assert not progress.in_notebook()
    example()
    assert cell.drawings == []
