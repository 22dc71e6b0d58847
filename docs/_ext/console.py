"""Shell sessions that run when the site is built, each page in a folder of its own.

::

    ```{console}
    :exit: 2
    throughtime forecast sales.csv
    ```

shows the command after a ``$`` and what it printed. Commands of one page share a folder, which
starts empty: ``:file: NAME`` shows the content of a block and puts it there, ``:copy: NAME`` brings
a file that lies beside the page. ``:image: NAME`` shows a picture that was made, with the content
of the block as its words. ``:expect:`` names figures, with semicolons between, that the text of the
page quotes: output without one of them is a warning. An exit code other than the one expected is a
warning too, and warnings fail the build. Only ``throughtime``, ``cat``, ``head`` and ``ls`` are
run, without a shell, so the page can be built wherever Python runs.
"""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

#: The folder of each page. They go when the build does.
FOLDERS: dict[str, tempfile.TemporaryDirectory[str]] = {}
#: As wide as a block of code on a page.
COLUMNS = 92

logger = logging.getLogger(__name__)


def folder_of(docname: str) -> Path:
    """The folder in which the commands of a page run."""
    if docname not in FOLDERS:
        FOLDERS[docname] = tempfile.TemporaryDirectory(prefix="throughtime-docs-")
    return Path(FOLDERS[docname].name)


def run(line: str, folder: Path) -> tuple[int, str]:
    """Run one command; return its exit code and what it printed, errors after the output."""
    program, *words = shlex.split(line)
    if program == "throughtime":
        found = subprocess.run(
            [sys.executable, "-m", "throughtime", *words],
            cwd=folder,
            env=os.environ | {"COLUMNS": str(COLUMNS), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return found.returncode, found.stdout + found.stderr
    if program == "ls":
        return 0, "\n".join(sorted(path.name for path in folder.joinpath(*words).iterdir()))
    if program in ("cat", "head"):
        lines = (folder / words[-1]).read_text("utf-8").splitlines()
        count = int(words[1]) if program == "head" and words[0] == "-n" else len(lines)
        return 0, "\n".join(lines[:count])
    raise ValueError(f"a page may run throughtime, cat, head and ls; got {line!r}")


class Console(SphinxDirective):
    """Commands and their output; or, with ``:file:``, a file for them to read."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {
        "copy": directives.unchanged_required,
        "exit": directives.nonnegative_int,
        "expect": directives.unchanged_required,
        "file": directives.unchanged_required,
        "hide-output": directives.flag,
        "image": directives.unchanged_required,
        "last": directives.nonnegative_int,
    }

    def run(self) -> list[nodes.Node]:
        """Run the commands, and show them."""
        folder = folder_of(self.env.docname)
        if "file" in self.options:
            text = "\n".join(self.content) + "\n"
            (folder / self.options["file"]).write_text(text, encoding="utf-8")
            return [nodes.literal_block(text, text, language="text")]
        if "copy" in self.options:
            page = Path(self.env.doc2path(self.env.docname))
            shutil.copy(page.parent / self.options["copy"], folder)
        if "image" in self.options:
            picture = base64.b64encode((folder / self.options["image"]).read_bytes()).decode()
            words = escape(" ".join(self.content))
            html = f'<img alt="{words}" src="data:image/png;base64,{picture}" />'
            return [nodes.raw("", html, format="html")]
        shown, expected = [], self.options.get("exit", 0)
        for line in self.content:
            if not line.strip():
                continue
            code, output = run(line, folder)
            if code != expected:
                where = self.get_location()
                logger.warning("exit code %d of %r: %s", code, line, output, location=where)
            shown.append(f"$ {line}")
            output = output.replace(str(folder) + os.sep, "").rstrip()
            lines = output.splitlines()
            if "last" in self.options:
                lines = lines[-self.options["last"] :]
            if lines and "hide-output" not in self.options:
                shown += [text.rstrip() for text in lines]
        text = "\n".join(shown)
        for figure in filter(None, self.options.get("expect", "").split("; ")):
            if figure not in text:
                logger.warning("the page quotes %r", figure, location=self.get_location())
        return [nodes.literal_block(text, text, language="console")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("console", Console)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
