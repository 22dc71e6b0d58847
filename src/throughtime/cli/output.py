"""Files that appear all at once or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from throughtime.cli.failures import reason
from throughtime.errors import InvalidArgumentError, describe, sentence

#: Beginning of the names of hidden folders that files are written into first.
_PREFIX = ".throughtime-"


def check_folder(folder: Path, names: Sequence[str]) -> frozenset[str]:
    """Make sure, before any work, that the files ``names`` can be put into ``folder``.

    They are made elsewhere on its file system, which may find a name too long; nothing is left
    behind.

    Returns
    -------
    frozenset of str
        Those of the files that exist and will be replaced.

    Raises
    ------
    InvalidArgumentError
        If the folder cannot be made or written to, or a folder stands where a file is to go.
    """
    shown = describe(str(folder))
    try:
        if folder.exists() and not folder.is_dir():
            raise InvalidArgumentError(sentence("--out", "a folder", f"{shown}, a file"))
        for name in names:
            if (folder / name).is_dir():
                got = f"{shown}, where that is a folder"
                raise InvalidArgumentError(sentence("--out", f"room for {name}", got, must="have"))
        with _hidden_folder(folder) as trial:
            target = trial / folder.absolute().relative_to(trial.parent)
            target.mkdir(parents=True, exist_ok=True)
            for name in names:
                (target / name).touch()
        return frozenset(name for name in names if (folder / name).exists())
    except OSError as error:
        why = reason(error)
    except ValueError as error:  # a character that no path may hold
        if isinstance(error, InvalidArgumentError):
            raise
        why = str(error)
    expected = "a folder that can be written to"
    raise InvalidArgumentError(sentence("--out", expected, f"{shown} ({why})")) from None


def keep_input(folder: Path, names: Sequence[str], inputs: Sequence[Path | None]) -> None:
    """Refuse to write a result over a file that is read.

    Raises
    ------
    InvalidArgumentError
        It names the file.
    """
    for source in filter(None, inputs):
        for name in names:
            result = folder / name
            if _same_file(source, result):
                got = f"{describe(str(folder))}, where {name} is the input"
                raise InvalidArgumentError(sentence("--out", "another folder", got))


def _same_file(one: Path, other: Path) -> bool:
    """Whether two paths are one file; False if either is none, which reading it will say."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Give a hidden folder to write into; its files move to ``folder`` if all went well.

    They move by renaming inside one file system, and a folder that is new appears in one step with
    everything in it. After an error, or a signal, ``folder`` is as it was before.
    """
    with _hidden_folder(folder) as stage:
        yield stage
        # A temporary folder is private; the folder that it becomes follows the user's umask.
        public = stage / ".mode"
        public.mkdir()
        stage.chmod(public.stat().st_mode)
        public.rmdir()
        if folder.exists():
            for file in sorted(stage.iterdir()):
                file.replace(folder / file.name)
        else:
            folder.parent.mkdir(parents=True, exist_ok=True)
            stage.rename(folder)


@contextmanager
def _hidden_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder on the file system of ``folder``, removed at the end if it is still there."""
    parent = _nearest(folder)
    made: Path | None = None
    try:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        yield made
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)


def _nearest(folder: Path) -> Path:
    """``folder`` itself, or the nearest one above it that exists; a broken link counts too."""
    folder = folder.absolute()
    while not os.path.lexists(folder):
        folder = folder.parent
    return folder
