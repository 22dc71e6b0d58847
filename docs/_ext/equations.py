r"""Numbered equations: written in TeX, typeset as MathML, cited by their number.

A displayed equation carries its number where TeX has it, ``\tag{E1'}``, and that number is the one
that the code cites. Here the tag becomes a number beside the equation and a place to link to, and
every ``(E1')`` in the text of any page becomes a link. A number that is defined twice, a page of
``math/`` that cites one which is not defined or leaves an equation without, and TeX that cannot be
read are warnings, and warnings fail the build.

docutils writes the MathML, at build time: browsers typeset it without a script, so pages are whole
without a network, in the colours of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from mathml import convert
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

TAG = re.compile(r"\s*\\tag\{([^{}]+)\}")
CITED = re.compile(r"(?<=\()([A-Z]{1,2}\d+b?'*|P)(?=\))")

#: What opens and what closes a group, and what stands between two equations.
DEEPER = {"{": 1, "}": -1, r"\begin": 1, r"\end": -1, r"\left": 1, r"\right": -1}
DEPTH = re.compile(r"\\(?:begin|end|left|right|qquad)(?![A-Za-z])|(?<!\\)[{}]")
OPENING = re.compile(r"[(\[]+$")
PUNCTUATION = re.compile(r"[.,;:!?)\]'’-]+")

logger = logging.getLogger(__name__)


def identifier(tag: str) -> str:
    """The id of an equation in its page: ``E1''`` has ``eq-e1pp``."""
    return "eq-" + tag.lower().replace("'", "p")


def collect(app: Sphinx, doctree: nodes.document) -> None:
    """Take the tags out of the TeX and note where each equation stands."""
    env = app.env
    for node in doctree.findall(nodes.math_block):
        tex = node.astext()
        tags = TAG.findall(tex)
        if len(tags) != 1:
            if tags or env.docname.startswith("math/"):
                logger.warning("an equation with %d numbers", len(tags), location=node)
            continue
        (tag,) = tags
        if tag in env.equations:
            logger.warning("(%s) is in %s too", tag, env.equations[tag], location=node)
        env.equations[tag] = env.docname
        node["tag"] = tag
        node["ids"].append(identifier(tag))
        tex = TAG.sub("", tex)
        node.rawsource = tex
        node.children = []
        node += nodes.Text(tex)


def link(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Make a link of every equation number in running text, and in the equations of docstrings."""
    if docname.startswith("api/"):
        for block in doctree.findall(nodes.literal_block):
            parts = list(_linked(app, docname, block.astext()))
            if len(parts) > 1:
                block.rawsource = ""  # not its text: Sphinx then writes the children as they are
                block.children = []
                block.extend(parts)
    for node in list(doctree.findall(nodes.math)):
        _keep_together(node)
    skip = nodes.reference | nodes.title | nodes.literal | nodes.FixedTextElement | nodes.math
    for text in list(doctree.findall(nodes.Text)):
        above: Any = text.parent
        while above is not None and not isinstance(above, skip):
            above = above.parent
        if above is not None or not CITED.search(text):
            continue
        text.parent.replace(text, list(_linked(app, docname, text, text.parent)))


def _keep_together(node: nodes.math) -> None:
    """No line may begin with the comma after a formula, or end with the bracket before one."""
    after = node.next_node(descend=False, siblings=True)
    place = node.parent.index(node)
    before = node.parent[place - 1] if place else None
    closes = PUNCTUATION.match(after) if isinstance(after, nodes.Text) else None
    opens = OPENING.search(before) if isinstance(before, nodes.Text) else None
    if not (closes or opens):
        return
    together = nodes.inline(classes=["together"])
    if opens:
        before.parent.replace(before, nodes.Text(before[: opens.start()]))
        together += nodes.Text(opens[0])
    if closes:
        after.parent.replace(after, nodes.Text(after[closes.end() :]))
    node.replace_self(together)
    together += node
    if closes:
        together += nodes.Text(closes[0])


def _linked(
    app: Sphinx, docname: str, text: str, place: nodes.Node | None = None
) -> Iterator[nodes.Node]:
    end = 0
    for match in CITED.finditer(text):
        tag = match[1]
        home = app.env.equations.get(tag)
        if home is None:
            if docname.startswith("math/"):
                logger.warning("(%s) is not defined", tag, location=place)
            continue
        yield nodes.Text(text[end : match.start()])
        yield make_refnode(
            app.builder, docname, home, identifier(tag), nodes.inline(tag, tag, classes=["eqref"])
        )
        end = match.end()
    yield nodes.Text(text[end:])


def _mathml(node: nodes.Element, block: bool) -> str:
    try:
        return convert(node.astext(), block)
    except MathError as error:
        logger.warning("TeX that cannot be read: %s", error, location=node)
        return f"<code>{node.astext()}</code>"


def _displayed(node: nodes.math_block) -> str:
    r"""The MathML of a displayed equation.

    Several equations side by side, with ``\qquad`` between, are elements of their own: where the
    page is narrow they stand below one another, which a single element cannot do.
    """
    parts = side_by_side(node.astext())
    if len(parts) == 1:
        return _mathml(node, block=True)
    written = (_mathml(nodes.math_block(part, part), block=True) for part in parts)
    inline = (math.replace('display="block"', 'displaystyle="true"') for math in written)
    return " ".join(f'<span class="part">{math}</span>' for math in inline)


def side_by_side(tex: str) -> list[str]:
    r"""Cut TeX at each ``\qquad`` that stands in no group and in no environment."""
    parts, begin, depth = [], 0, 0
    for match in DEPTH.finditer(tex):
        if match[0] in DEEPER:
            depth += DEEPER[match[0]]
        elif depth == 0:
            parts.append(tex[begin : match.start()])
            begin = match.end()
    return [*parts, tex[begin:]]


def visit_math(writer: Any, node: nodes.math) -> None:
    """Write a formula in a line."""
    writer.body.append(_mathml(node, block=False))
    raise nodes.SkipNode


def visit_math_block(writer: Any, node: nodes.math_block) -> None:
    """Write an equation on a line of its own, and its number."""
    if "math-wrapper" in node.parent.get("classes", []):
        node["ids"] = []  # the theme has given them to what it wraps around the equation
    writer.body.append(writer.starttag(node, "div", CLASS="equation"))
    writer.body.append(f'<div class="formula" tabindex="0">{_displayed(node)}</div>')
    if "tag" in node:
        tag = node["tag"]
        writer.body.append(f'<a class="eqno" href="#{identifier(tag)}">({tag})</a>')
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def _begin(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    for docname in docnames:  # all that will be read, before the first of them is
        _purge(app, env, docname)


def _purge(_app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    kept = {tag: home for tag, home in getattr(env, "equations", {}).items() if home != docname}
    env.equations = kept


def _merge(_app: Sphinx, env: BuildEnvironment, docnames: list[str], other: Any) -> None:
    """Take over the equations that another process has read."""
    for tag, home in other.equations.items():
        if home not in docnames:
            continue
        if tag in env.equations:
            logger.warning("(%s) is in %s and in %s", tag, env.equations[tag], home)
        env.equations[tag] = home


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("env-before-read-docs", _begin)
    app.connect("env-purge-doc", _purge)  # pages that are gone
    app.connect("env-merge-info", _merge)
    app.connect("doctree-read", collect)
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
