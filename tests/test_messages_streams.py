"""A line for people goes where it can; nothing is lost because it cannot be shown."""

import io
import os

import pytest

from throughtime.messages.streams import Output, standard_error, standard_output


class Broken(io.StringIO):
    """A stream that takes ``room`` characters."""

    def __init__(self, error, room=0):
        super().__init__()
        self.error, self.room = error, room

    def write(self, text):
        if self.tell() + len(text) > self.room:
            raise self.error
        return super().write(text)


def test_lines_arrive():
    stream = io.StringIO()
    output = Output(stream)
    assert output.writable()
    assert output.write("one\n") == 4
    output.flush()
    assert stream.getvalue() == "one\n"
    assert output.problem is None


def test_no_stream_takes_everything_and_says_nothing():
    output = Output(None)
    assert not output.writable()
    assert output.write("one") == 3
    output.flush()
    assert not output.isatty()
    assert output.encoding == "utf-8"
    with pytest.raises(OSError, match="fileno"):
        output.fileno()


def test_a_stream_need_only_write():
    class Bare:
        def __init__(self):
            self.lines = []

        def write(self, text):
            self.lines.append(text)

    bare = Bare()
    output = Output(bare)
    output.write("one")
    output.flush()
    assert bare.lines == ["one"]
    assert not output.isatty()


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), OSError(28, "No space"), ValueError("closed")]
)
def test_a_stream_that_breaks_is_left_alone(error):
    stream = Broken(error, room=5)
    output = Output(stream)
    output.write("one\n")
    output.write("two\n")
    stream.room = 100
    output.write("three\n")
    output.flush()
    assert stream.getvalue() == "one\n"
    assert output.problem is error


def test_what_breaks_when_it_is_sent_on(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    output = Output(stream)
    output.write("one\n")
    assert output.fileno() == writer
    output.flush()
    assert isinstance(output.problem, BrokenPipeError)
    output.flush()
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_closed_stream():
    stream = io.StringIO()
    stream.close()
    output = Output(stream)
    assert not output.isatty()
    output.write("one")
    assert isinstance(output.problem, ValueError)


def test_letters_that_the_encoding_lacks_become_question_marks():
    raw = io.BytesIO()
    output = Output(io.TextIOWrapper(raw, encoding="ascii"))
    output.write("Zürich − 3\n")
    output.flush()
    assert raw.getvalue() == b"Z?rich ? 3\n"
    assert output.encoding == "ascii"


def test_the_streams_are_those_of_the_moment(monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    standard_output().write("one")
    standard_error().write("two")
    assert (out.getvalue(), err.getvalue()) == ("one", "two")
