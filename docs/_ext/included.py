"""Pages that are files of the repository: their links, which hold there, are made to hold here."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

#: Which page of the site shows which file of the repository.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "benchmarks/results.md": "benchmark-results.md",
}
LINK = re.compile(r"\[([^\][]+)\]\((?!https?://|#)([^()\s#]+)(#[^()\s]*)?\)")

logger = logging.getLogger(__name__)


def rewrite(app: Sphinx, path: Path, _parent: str, content: list[str]) -> None:
    """Point links at pages; where the site has none, leave the words."""
    root = Path(app.srcdir).parent
    folder = (Path(app.srcdir) / path).resolve().parent

    def replace(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        file = (folder / target).resolve()
        if not file.exists():
            logger.warning("%s links to %s, which is not there", path, target)
        name = Path(os.path.relpath(file, root)).as_posix()
        page = PAGES.get(name, name.removeprefix("docs/") if name.startswith("docs/") else None)
        return words if page is None else f"[{words}]({page}{anchor})"

    content[0] = LINK.sub(replace, content[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("include-read", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
