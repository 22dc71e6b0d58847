"""The command line, page by page from the application itself, so that no option can be missing.

``{commands}`` writes a section for every command: how it is called, its arguments, and its options
in the groups of ``--help``, each with what it takes and its default.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def usage(name: str, command: Any) -> str:
    """One line: how the command is called."""
    words = [f"throughtime {name}", "[OPTIONS]"]
    for param in command.params:
        if param.param_type_name == "argument":
            title = (param.metavar or param.name).upper().strip("[]")
            words.append(title if param.required else f"[{title}]")
    return " ".join(words)


def default_of(param: Any) -> str:
    """The default of an option, as one would write it; empty where there is none."""
    value = param.default
    if value in (None, False, "") or callable(value) or repr(value).startswith("Sentinel"):
        return ""
    return f" Default: `{value}`."


def option_row(param: Any) -> str:
    """A line of a list of definitions: the option, and what it does."""
    flags = ", ".join(f"`{flag}`" for flag in (*param.opts, *param.secondary_opts))
    takes = param.metavar if param.metavar is not None else param.type.name.upper()
    takes = "" if param.is_flag or not takes else f" *{takes}*"
    return f"{flags}{takes}\n: {param.help or ''}{default_of(param)}\n"


def sections(group: Any) -> list[str]:
    """The page, as lines of Markdown."""
    lines: list[str] = []
    for name, command in group.commands.items():
        lines += [f"## throughtime {name}", "", "```text", usage(name, command), "```", ""]
        lines += [*(command.help or "").splitlines(), ""]
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        if arguments:
            lines += ["### Arguments of " + name, ""]
        for param in arguments:
            title = (param.metavar or param.name).upper().strip("[]")
            lines += [f"`{title}`", f": {param.help or ''}", ""]
        panels: dict[str, list[Any]] = {}
        for param in command.params:
            if param.param_type_name == "option":
                panel = getattr(param, "rich_help_panel", None) or "Options"
                panels.setdefault(panel, []).append(param)
        for panel, params in panels.items():
            title = "Options" if panel == "Options" else f"{panel} options"
            lines += [f"### {title} of {name}", ""]
            for param in params:
                lines += [*option_row(param).splitlines(), ""]
    return lines


class Commands(SphinxDirective):
    """Every command of the application."""

    def run(self) -> list[nodes.Node]:
        """Write the sections."""
        from throughtime.cli.app import build

        place = nodes.Element()
        place.document = self.state.document
        text = StringList(sections(build()), source="throughtime --help")
        self.state.nested_parse(text, self.content_offset, place, match_titles=True)
        return place.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
