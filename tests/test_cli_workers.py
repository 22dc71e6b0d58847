"""``--workers`` as it is typed: what is read, and what is refused."""

import pytest

from throughtime.cli import main
from throughtime.cli.workers import Scheduler, read_workers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1", 1),
        ("1000", 1000),
        ("dask://host:8786", Scheduler("host", 8786)),
        ("dask://10.0.0.1:1/", Scheduler("10.0.0.1", 1)),
        ("dask://[::1]:8786", Scheduler("::1", 8786)),
    ],
)
def test_what_is_read(text, found):
    assert read_workers("--workers", text) == found


def test_a_scheduler_as_it_is_written():
    assert str(Scheduler("host", 1)) == "dask://host:1"
    assert Scheduler("::1", 2).address == "tcp://[::1]:2"


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("0", ""),
        ("-1", ""),
        ("1001", ""),
        ("2.5", ""),
        ("x", ""),
        ("", ""),
        ("dask://", ""),
        ("tcp://", ""),
        ("dask://host", ""),
        ("dask://host:0", ""),
        ("dask://host:65536", ""),
        ("dask://host:1/path", ""),
        ("dask://me@host:1", ""),
        ("dask://[::1:8786", ""),
        ("tcp://host:8786", " Write dask://host:8786."),
        ("tls://host:8786", " Write dask://host:8786."),
        ("http://host:8787", " Write dask://host:8787."),
        ("host:8786", " Write dask://host:8786."),
    ],
)
@pytest.mark.parametrize("command", [["forecast", "--horizon", "3"], ["predict", "a", "b"]])
def test_what_is_refused(command, text, way, capsys):
    assert main([*command, "--workers", text]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "throughtime: --workers must be a number of processes from 1 to 1000, or dask://HOST:PORT;"
        f" got {text!r}.{way}\n"
    )
