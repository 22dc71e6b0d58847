"""Files that appear all at once or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from throughtime.errors import InvalidArgumentError


def check_folder(folder: Path, names: Sequence[str], option: str = "--out") -> frozenset[str]:
    """Make sure, before any work, that the files ``names`` can be put into ``folder``.

    Nothing is left behind, a folder that does not exist yet included. Returned are those of the
    files that are there already and will be replaced.

    Raises
    ------
    InvalidArgumentError
        If the folder cannot be made or written to, or a folder stands where a file is to go.
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidArgumentError(f"{option} must be a folder; got {str(folder)!r}, a file.")
    for name in names:
        if (folder / name).is_dir():
            raise InvalidArgumentError(
                f"{option} must have room for {name}; got {str(folder)!r}, where that is a folder."
            )
    parent = _nearest(folder)
    try:
        Path(tempfile.mkdtemp(prefix=".throughtime-", dir=parent)).rmdir()
    except OSError as error:
        raise InvalidArgumentError(
            f"{option} must be a folder that can be written to; got {str(folder)!r}"
            f" ({error.strerror})."
        ) from None
    return frozenset(name for name in names if (folder / name).exists())


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Give a hidden folder to write into; its files move to ``folder`` if all went well.

    They move by renaming inside one file system, and a folder that is new appears in one step with
    everything in it. After an error, or Ctrl-C, ``folder`` is as it was before.
    """
    parent = _nearest(folder)
    stage = Path(tempfile.mkdtemp(prefix=".throughtime-", dir=parent))
    try:
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
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _nearest(folder: Path) -> Path:
    """``folder`` itself, or the nearest one above it that exists."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
