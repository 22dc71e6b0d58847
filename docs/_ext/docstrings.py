"""Module docstrings as they are meant: what stands indented in them is a block of equations."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def mark_blocks(_app: Sphinx, what: str, *rest: Any) -> None:
    """Put ``::`` before every indented block that follows a paragraph."""
    if what != "module":
        return
    lines: list[str] = rest[-1]
    result: list[str] = []
    before = ""  # the last line with text in it
    for line in lines:
        begins = line.startswith("    ") and not (result and result[-1])
        if begins and before and not before.startswith((" ", ".. ")) and not before.endswith("::"):
            result += ["::", ""]
        result.append(line)
        before = line or before
    lines[:] = result


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", mark_blocks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
