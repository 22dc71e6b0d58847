"""Pictures: SVG stands inside the page, in its colours, and every picture has words.

A file of SVG that a page shows is written into the page itself: its colours then follow the page,
light or dark, and its text can be searched. The words of ``![words](picture.svg)``, or those that a
notebook gives with ``image: alt:``, become its label. When all pages are written, every picture
without words is a warning, and warnings fail the build.
"""

from __future__ import annotations

import hashlib
import re
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from throughtime.plotting import LIGHT

OPENING = re.compile(r"<svg\b[^>]*>")
ATTRIBUTES = re.compile(r'\s(?:role|aria-label|aria-labelledby|aria-describedby)="[^"]*"')
OWN_WORDS = re.compile(r"<(?:title|desc)\b[^>]*>([^<]*)</")
#: Words that say nothing: too short, or the name of a file.
FEWEST = 12

logger = logging.getLogger(__name__)


class Inline(SphinxPostTransform):
    """Replace images that are SVG files by their content."""

    # Before the images are collected for copying: myst-nb resolves its own at 400 and earlier.
    default_priority = 690

    def run(self, **options: Any) -> None:
        """Replace them in one document."""
        if self.app.builder.format != "html":
            return
        for node in list(self.document.findall(nodes.image)):
            path = Path(self.app.srcdir) / node["uri"]
            if not path.is_file():
                path = Path(node["uri"])
            if path.suffix == ".svg" and path.is_file():
                label = node.get("alt", "")
                node.replace_self(
                    nodes.raw("", inline(path.read_text("utf-8"), label), format="html")
                )


def inline(svg: str, label: str) -> str:
    """The element of a file, with ``label`` as its words, and with colours of the page."""
    svg = svg[svg.index("<svg") :]
    opening = OPENING.match(svg)
    assert opening is not None
    head, body = opening[0], svg[opening.end() :]
    name = "svg-" + hashlib.sha256((svg + label).encode()).hexdigest()[:10]
    # A drawing brings words of its own, under ids that are about to change.
    label = label or unescape(". ".join(OWN_WORDS.findall(body)))
    if label:
        head = ATTRIBUTES.sub("", head).replace(
            "<svg", f'<svg role="img" aria-label="{escape(label)}"'
        )
    # The rules of the page follow its theme; those of the file follow the reader's system.
    body = re.sub(r"<style>@media.*?</style>", "", body, flags=re.DOTALL)
    whole = head + body
    # Twice the same picture in one page would be twice the same ids.
    whole = re.sub(r'\bid="', f'id="{name}-', whole)
    whole = re.sub(r'(url\(|href=")#', rf"\1#{name}-", whole)
    for role, colour in LIGHT.items():
        whole = whole.replace(f'"{colour}"', f'"var(--{role}, {colour})"')
        whole = whole.replace(f": {colour}", f": var(--{role}, {colour})")
    return f'<div class="drawing" tabindex="0">{whole}</div>'


class Words(HTMLParser):
    """Collect the pictures in the text of a page that have no words."""

    def __init__(self) -> None:
        super().__init__()
        self.bare: list[str] = []
        self.text, self.button = False, False  # where in the page we are

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Look at the start of one element."""
        found = {name: value or "" for name, value in attributes}
        label = found.get("aria-label", "")
        if tag == "article":
            self.text = True
        elif tag in ("button", "label"):
            self.button = True
        elif tag == "img" and len(found.get("alt", "")) < FEWEST:
            self.bare.append(f"image {found.get('src')}")
        elif tag == "svg" and self.text and not self.button and len(label) < FEWEST:
            self.bare.append("a drawing")

    def handle_endtag(self, tag: str) -> None:
        """Note the end of one element."""
        if tag == "article":
            self.text = False
        elif tag in ("button", "label"):
            self.button = False


def check(app: Sphinx, error: Exception | None) -> None:
    """Warn of every picture without words."""
    if error is not None or app.builder.format != "html":
        return
    for page in sorted(Path(app.outdir).rglob("*.html")):
        if "_modules" in page.parts:
            continue
        words = Words()
        words.feed(page.read_text("utf-8"))
        for bare in words.bare:
            name = page.relative_to(app.outdir).as_posix()
            logger.warning("%s: %s has no words for those who cannot see it", name, bare)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_post_transform(Inline)
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
