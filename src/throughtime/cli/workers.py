"""The option ``--workers``: a number of processes, or where a Dask scheduler is."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from throughtime.cli.options import Option
from throughtime.errors import InvalidArgumentError, describe, sentence

FLAG = "--workers"
#: Beyond this a typing error is likelier than a wish.
_MOST = 1000


class Scheduler(NamedTuple):
    """Where a Dask scheduler is."""

    host: str
    port: int

    @property
    def address(self) -> str:
        """As Dask writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    def __str__(self) -> str:
        return self.address.replace("tcp", "dask", 1)


def workers_option(panel: str | None = None) -> Option:
    """The option ``--workers``, under a heading of the help."""
    return Option(
        FLAG,
        "Share the series of a table among so many processes, or among the workers of a Dask"
        " cluster (extra dask). The results are the same; by default threads share them. It pays"
        " for hundreds of series; a few dozen short ones are forecast sooner without.",
        panel,
        "N|dask://HOST:PORT",
        read=read_workers,
    )


def read_workers(flag: str, text: str) -> int | Scheduler:
    """Read a number of processes, or the address of a scheduler."""
    try:
        if 1 <= int(text) <= _MOST:
            return int(text)
    except ValueError:
        found = _scheduler(text, "dask")
        if found is not None:
            return found
    others = (_scheduler(text, scheme) for scheme in ("tcp", "tls", "http", ""))
    meant = next(filter(None, others), None)
    raise InvalidArgumentError(
        sentence(
            flag,
            f"a number of processes from 1 to {_MOST}, or dask://HOST:PORT",
            describe(text),
            f"Write {meant}." if meant else "",
        )
    )


def _scheduler(text: str, scheme: str) -> Scheduler | None:
    """The scheduler that ``text`` names, if it begins with the scheme and has no more than that."""
    try:
        parts = urlsplit(text if scheme else f"//{text}")
        if parts.scheme == scheme and parts.hostname and parts.port:
            at = parts.netloc
            if text in (at, f"{scheme}://{at}", f"{scheme}://{at}/") and "@" not in at:
                return Scheduler(parts.hostname, parts.port)
    except ValueError:  # no port, or none that exists
        pass
    return None
