"""What people see: nothing in a pipe, a table on request, a moving line on a terminal."""

import io

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
