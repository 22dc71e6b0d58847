"""The names that a registry knows, as a table: what one may write as a string.

``{registry} throughtime.losses.LOSSES`` is an entry of the API, and a line for each name: its
aliases, the class it stands for, and the first sentence of that class.
"""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SENTENCE = re.compile(r"(.+?[.;:])(?:\s|$)", re.DOTALL)


def rows(registry: Any) -> list[tuple[str, str, str]]:
    """(names, class, first sentence) of every entry."""
    names: dict[type, list[str]] = {}
    for name, cls in registry._classes.items():
        names.setdefault(cls, []).append(name)
    result = []
    for cls, known in names.items():
        text = inspect.cleandoc(cls.__doc__ or "")
        found = SENTENCE.match(text)
        words = " ".join((found[1] if found else text).split())
        result.append((", ".join(f"``{name}``" for name in known), cls.__qualname__, words))
    return result


class RegistryTable(SphinxDirective):
    """An entry for a registry, with its names."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the entry and the table."""
        module, _, name = self.arguments[0].rpartition(".")
        registry = getattr(importlib.import_module(module), name)
        text = " ".join(self.content) or f"Every {registry.kind} by its name."
        lines = [
            f".. py:currentmodule:: {module}",
            "",
            f".. py:data:: {name}",
            "",
            f"   {text}",
            "",
        ]
        lines += ["   .. list-table::", "      :header-rows: 1", ""]
        for row in [("name", "class", ""), *rows(registry)]:
            mark = "*"
            for cell in row:
                is_class = cell == row[1] and row[0] != "name"
                shown = f":class:`~{module}.{cell}`" if is_class else cell
                lines.append(f"      {mark} - {shown}")
                mark = " "
        place = nodes.Element()
        place.document = self.state.document
        self.state.nested_parse(StringList(lines, source=self.arguments[0]), 0, place)
        return place.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("registry", RegistryTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
